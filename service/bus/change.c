/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "bus/authority.h"
#include "bus/change-arguments.h"
#include "bus/change-details.h"

typedef struct Task Task;
typedef struct NodeQueue NodeQueue;

struct Changes {
        Manager *manager;
        Task *tasks;
        unsigned n_tasks;
        NodeQueue *queues; /* by node name */
        bool ending;       /* nobody's turn comes any more */
};

/* A change and how far it is. */
struct Task {
        Change change;
        Changes *changes;
        sd_bus_message *message;

        Question *question;
        bool granted;
        uid_t uid;

        NodeQueue *queue; /* whose turn or place we have */
        Task *next_in_queue;
        sd_event_source *wake;

        BackendCall *call;
        unsigned step;
        bool entered, saved;
        unsigned choices;

        /* set once something failed */
        Refusal refusal;
        char *why;
        bool remaking;  /* a port that was removed is being made again */
        bool remade;    /* one was */
        bool half_done; /* and could not be taken back */
        char *undo_why; /* why not; may be NULL */

        Task *next, **link;
};

/* Those who want to change a node: the first does, the others wait. */
struct NodeQueue {
        char *name;
        Task *first, **end;
        UT_hash_handle hh;
};

static void task_run(Task *t);
static void task_backend(Task *t);
static void task_undo(Task *t);

static void plan_done(Plan *p) {
        free(p->portals);
        free(p->name);
        *p = (Plan){};
}

static int task_woken(_unused_ sd_event_source *s, void *userdata) {
        Task *t = userdata;

        t->wake = sd_event_source_disable_unref(t->wake);
        task_run(t);
        return 0;
}

/* Leaves the queue; the next one goes on from the event loop, not from in here. */
static void task_leave_queue(Task *t) {
        NodeQueue *q = t->queue;
        Task **p;

        if (!q)
                return;
        t->queue = NULL;

        for (p = &q->first; *p != t; p = &(*p)->next_in_queue)
                ;
        *p = t->next_in_queue;
        if (!*p)
                q->end = p;

        if (!q->first) {
                HASH_DELETE(hh, t->changes->queues, q);
                free(q->name);
                free(q);
        } else if (p == &q->first && !q->first->wake && !t->changes->ending &&
                   sd_event_add_defer(t->changes->manager->event, &q->first->wake, task_woken, q->first) < 0)
                log_oom();
}

/* Returns 1 if it is our turn, 0 if we wait for it. */
static int task_enter_queue(Task *t) {
        _cleanup_free_ char *name = NULL;
        NodeQueue *q;
        int r;

        if (t->queue)
                return t->queue->first == t;

        r = arguments_node_name(&t->change.arguments, t->change.kind, &name);
        if (r < 0)
                return r;
        if (!name)
                return 1;

        HASH_FIND_STR(t->changes->queues, name, q);
        if (!q) {
                q = calloc(1, sizeof(*q));
                if (!q)
                        return -ENOMEM;
                q->name = TAKE_PTR(name);
                q->end = &q->first;
                HASH_ADD_KEYPTR(hh, t->changes->queues, q->name, strlen(q->name), q);
        }

        *q->end = t;
        q->end = &t->next_in_queue;
        t->queue = q;
        return q->first == t;
}

static void task_free(Task *t) {
        task_leave_queue(t);

        sd_event_source_disable_unref(t->wake);
        question_free(t->question);
        backend_call_cancel(t->call);
        arguments_done(&t->change.arguments);
        plan_done(&t->change.plan);
        sd_bus_message_unref(t->message);
        free(t->why);
        free(t->undo_why);

        *t->link = t->next;
        if (t->next)
                t->next->link = t->link;
        t->changes->n_tasks--;
        free(t);
}

static void task_log(const Task *t, const char *outcome, const char *detail) {
        char uid[32] = "unknown";

        /* One line for each call that changes or wants to change something: who, what, and how it ended. */
        if (t->uid != (uid_t) -1)
                (void) snprintf(uid, sizeof(uid), "%u", (unsigned) t->uid);
        log_info("%s for %s (uid %s): %s%s%s", method_name(t->change.kind->method), sd_bus_message_get_sender(t->message), uid,
                 outcome, detail ? ": " : "", detail ? detail : "");
}

static void task_reply(Task *t, const char *path) {
        int r;

        r = path ? sd_bus_reply_method_return(t->message, "o", path) : sd_bus_reply_method_return(t->message, NULL);
        if (r < 0)
                log_warning_errno(r, "Failed to answer %s", method_name(t->change.kind->method));

        task_log(t, "done", path);
        task_free(t);
}

/* Answers with the refusal by its name, its sentence and, at the end, its number. */
static void task_fail(Task *t, Refusal refusal, const char *why) {
        Method method = t->change.kind->method;
        uint32_t code = method_code(method, refusal);
        int r;

        if (code == refusal_common_code(REFUSAL_UNSPECIFIED)) {
                /* What cannot happen: the caller can do nothing about it, whoever reads the log perhaps. */
                log_error("%s ended in a way that it cannot: %s: %s", method_name(method), refusal_error_name(refusal), why);
                refusal = REFUSAL_UNSPECIFIED;
        }

        r = sd_bus_reply_method_errorf(t->message, refusal_error_name(refusal), "%s (%u)", why ? why : refusal_meaning(refusal),
                                       code);
        if (r < 0)
                log_warning_errno(r, "Failed to answer %s", method_name(method));

        task_log(t, refusal_error_name(refusal) + strlen(ERROR_NAME_PREFIX), why);
        task_free(t);
}

static void task_fail_errno(Task *t, int r) {
        _cleanup_free_ char *why = NULL;

        (void) refuse(REFUSAL_UNSPECIFIED, &why, "The service failed: %s; its log says more", strerror(-r));
        log_error_errno(r, "%s failed", method_name(t->change.kind->method));
        task_fail(t, REFUSAL_UNSPECIFIED, why);
}

/* For R as checks return it: a refusal, or an errno. */
static void task_end(Task *t, int r, const char *why) {
        if (r < 0)
                task_fail_errno(t, r);
        else
                task_fail(t, (Refusal) r, why);
}

static char *store_failure(Manager *m, int r) {
        const char *way_out;
        char *why;

        switch (r) {
        case -ENOSPC:
                way_out = "the disk is full; free some space";
                break;
        case -EROFS:
                way_out = "the state directory cannot be written to; see its mount and its rights";
                break;
        case -ESTALE:
                way_out = "the store's file was moved away; put it back, or restart the service to begin a new one";
                break;
        case -EBUSY:
                way_out = "another process holds the lock of the store; end that process";
                break;
        case -EUCLEAN:
                way_out = "the store is damaged; restart the service, which keeps the damaged file aside";
                break;
        default:
                way_out = "see the log of the service";
                break;
        }

        return asprintf(&why, "The change could not be stored: %s (%s)", way_out, store_last_error(m->store)) < 0 ? NULL : why;
}

/* Remembers the first failure and starts to take back what was done before it. The step that failed is taken back too if its OUTCOME_UNKNOWN. */
static void task_begin_undo(Task *t, Refusal refusal, char *why, bool outcome_unknown) {
        t->refusal = refusal;
        t->why = why;
        t->step += outcome_unknown;
        task_undo(t);
}

static void task_finish(Task *t) {
        Change *c = &t->change;
        const char *path = NULL;
        char *why = NULL;
        int r;

        r = c->kind->check_again ? c->kind->check_again(c, &why) : 0;
        if (r > 0) {
                task_begin_undo(t, (Refusal) r, why, false);
                return;
        }

        if (r >= 0)
                r = c->kind->finish(c, &path);
        if (r < 0) {
                log_error_errno(r, "Failed to show the outcome of %s", method_name(c->kind->method));
                (void) refuse(REFUSAL_FAILED, &why, "The service has no memory left");
                task_begin_undo(t, REFUSAL_FAILED, why, false);
                return;
        }

        task_reply(t, path);
}

static bool task_tries_next_identifier(Task *t, const BackendResult *result) {
        Change *c = &t->change;

        if (c->kind->method != METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT || result->refusal != REFUSAL_IDENTIFIER_IN_USE ||
            result->outcome_unknown || c->arguments.text[0] || t->choices >= CHOICES_MAX)
                return false;

        /* The service chose it, so it is not the caller's fault that the kernel has it, from another program. */
        if (c->kind->unsave(c) < 0)
                return false;
        t->saved = false;
        c->kind->leave(c);
        t->entered = false;
        t->choices++;
        c->minimum = c->plan.identifier + 1;
        task_run(t);
        return true;
}

static void task_backend_done(const BackendResult *result, void *userdata) {
        Task *t = userdata;

        t->call = NULL;

        if (result->refusal == REFUSAL_NONE) {
                t->step++;
                task_backend(t);
                return;
        }

        if (task_tries_next_identifier(t, result))
                return;

        task_begin_undo(t, result->refusal, strdup(result->message), result->outcome_unknown);
}

static int task_call_backend(Task *t, const BackendRequest *request, backend_done_t done) {
        /* org.iscsi.Backend has verbs for targets alone. */
        return backend_call(t->changes->manager->backends[ROLE_TARGET], request, done, t, &t->call);
}

/* The backend's next step; after the last one the rest of the way. */
static void task_backend(Task *t) {
        Change *c = &t->change;
        BackendRequest request;
        char *why = NULL;
        int r;

        r = c->kind->request ? c->kind->request(c, t->step, &request) : 0;
        if (r > 0 && !t->changes->manager->backends[ROLE_TARGET]) {
                (void) refuse(REFUSAL_BACKEND_UNAVAILABLE, &why, "No backend is configured for target ports");
                task_begin_undo(t, REFUSAL_BACKEND_UNAVAILABLE, why, false);
                return;
        }
        if (r > 0)
                r = task_call_backend(t, &request, task_backend_done);
        if (r < 0) {
                log_error_errno(r, "Failed to call the backend");
                (void) refuse(REFUSAL_FAILED, &why, "The backend could not be called: %s", strerror(-r));
                task_begin_undo(t, REFUSAL_FAILED, why, false);
                return;
        }
        if (t->call)
                return;

        if (c->kind->saves_last) {
                r = c->kind->save(c);
                if (r < 0) {
                        task_begin_undo(t, REFUSAL_FAILED, store_failure(t->changes->manager, r), false);
                        return;
                }
        }

        task_finish(t);
}

/* The first reason is told. */
static void task_keep_half_done(Task *t, const char *why) {
        t->half_done = true;
        if (!t->undo_why)
                t->undo_why = strdup(why);
}

/* A port that was removed and made again is not what it was: others had given it its disks and initiators. */
static void task_tell_remade(Task *t) {
        char *why;

        if (asprintf(
                    &why,
                    "%s; what had been removed was made again, which does not bring back a port's disk mappings and access lists",
                    t->why ? t->why : refusal_meaning(t->refusal)) < 0)
                return;
        free(t->why);
        t->why = why;
}

/* All that could be taken back was. What could not makes the object visible in the state that it is in. */
static void task_undone(Task *t) {
        _cleanup_free_ char *why = NULL;
        Change *c = &t->change;
        int r;

        if (t->remade)
                task_tell_remade(t);
        if (t->refusal == REFUSAL_DEGRADED)
                task_keep_half_done(t, "the backend said so");

        /* What could not be undone stays desired: so it can be deleted, and the next start brings it up. */
        if (!t->half_done && t->saved && c->kind->unsave) {
                r = c->kind->unsave(c);
                if (r < 0) {
                        log_error_errno(r, "Failed to take a change back from the store (%s)",
                                        store_last_error(t->changes->manager->store));
                        task_keep_half_done(t, "the store could not be changed back");
                }
        }

        if (!t->half_done) {
                if (t->entered)
                        c->kind->leave(c);
                task_fail(t, t->refusal, t->why);
                return;
        }

        if (asprintf(&why, "%s; and this could not be undone: %s", t->why ? t->why : refusal_meaning(t->refusal),
                     t->undo_why ? t->undo_why : "no memory") < 0)
                why = NULL;
        log_error("%s left something half done: %s", method_name(c->kind->method), why ? why : "no memory");
        if (c->kind->degrade)
                c->kind->degrade(c, why);
        task_fail(t, REFUSAL_DEGRADED, why);
}

static void task_undo_done(const BackendResult *result, void *userdata) {
        Task *t = userdata;

        t->call = NULL;

        if (result->refusal != REFUSAL_NONE)
                task_keep_half_done(t, result->message);
        else
                t->remade |= t->remaking;
        task_undo(t);
}

/* Takes the steps before t->step back, the last one first. */
static void task_undo(Task *t) {
        Change *c = &t->change;
        BackendRequest request;
        int r;

        while (t->step > 0) {
                t->step--;
                r = c->kind->undo_request ? c->kind->undo_request(c, t->step, &request) : 0;
                t->remaking = r > 0 && request.verb == BACKEND_RESTORE_TARGET_PORT;
                if (r > 0)
                        r = task_call_backend(t, &request, task_undo_done);
                if (r < 0)
                        task_keep_half_done(t, strerror(-r));
                if (t->call)
                        return;
        }

        task_undone(t);
}

/* From the rules on. */
static void task_start(Task *t) {
        _cleanup_free_ char *why = NULL;
        Change *c = &t->change;
        int r;

        plan_done(&c->plan);
        r = c->kind->check(c, &why);
        if (r != 0) {
                task_end(t, r, why);
                return;
        }

        /* From here on it is done to the end, whether or not the caller waits for it. */
        t->question = question_free(t->question);

        if (c->kind->enter) {
                r = c->kind->enter(c);
                if (r < 0) {
                        task_fail_errno(t, r);
                        return;
                }
                t->entered = true;
        }

        if (!c->kind->saves_last) {
                r = c->kind->save(c);
                if (r < 0) {
                        task_begin_undo(t, REFUSAL_FAILED, store_failure(t->changes->manager, r), false);
                        return;
                }
                t->saved = true;
        }

        t->step = 0;
        task_backend(t);
}

static void task_answered(Question *q, Verdict verdict, const sd_bus_error *error, void *userdata) {
        Task *t = userdata;
        int r;

        t->uid = question_uid(q);

        switch (verdict) {
        case VERDICT_GRANTED:
                t->granted = true;
                task_run(t);
                return;
        case VERDICT_LEFT:
                task_log(t, "the caller left", NULL);
                task_free(t);
                return;
        case VERDICT_REFUSED:
                r = sd_bus_reply_method_error(t->message, error);
                if (r < 0)
                        log_warning_errno(r, "Failed to answer %s", method_name(t->change.kind->method));
                task_log(t, "not authorized", error->message);
                task_free(t);
                return;
        }
}

static int task_ask(Task *t) {
        _cleanup_(details_freep) char **details = NULL;
        Change *c = &t->change;
        int r;

        r = details_new(&c->arguments, c->kind, &details);
        if (r < 0)
                return r;

        return authority_ask(c->manager->authority, t->message, c->kind->action, (const char *const *) details, task_answered, t,
                             &t->question);
}

/* The way from its first step on: gone once before the question, and again after the grant and when the node's turn has come. */
static void task_run(Task *t) {
        _cleanup_free_ char *why = NULL;
        Change *c = &t->change;
        int r;

        r = arguments_read(&c->arguments, c->kind, t->message, c->manager->model, &why);
        if (r != 0) {
                task_end(t, r, why);
                return;
        }

        r = check_limits(c->manager->model, &c->manager->abilities, c->kind->method, c->arguments.n_portals, &why);
        if (r != 0) {
                task_end(t, r, why);
                return;
        }

        if (!t->granted) {
                r = task_ask(t);
                if (r < 0)
                        task_fail_errno(t, r);
                return;
        }

        r = task_enter_queue(t);
        if (r < 0)
                task_fail_errno(t, r);
        else if (r > 0)
                task_start(t);
}

static const ChangeKind *find_kind(const char *member) {
        for (size_t i = 0; i < n_change_kinds; i++)
                if (strcmp(method_name(change_kinds[i]->method), member) == 0)
                        return change_kinds[i];

        return NULL;
}

int method_change(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Manager *m = userdata;
        const ChangeKind *kind = find_kind(sd_bus_message_get_member(message));
        Task *t;

        if (!kind)
                return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_METHOD, "No such method");
        if (!m->ready)
                return sd_bus_error_setf(error, ERROR_NAME_PREFIX "Busy", "The service is starting; call again in a moment (%u)",
                                         refusal_common_code(REFUSAL_BUSY));
        if (m->changes->n_tasks >= CHANGES_MAX)
                return sd_bus_error_setf(error, ERROR_NAME_PREFIX "LimitReached",
                                         "%u changes are under way; call again in a moment (%u)", m->changes->n_tasks,
                                         refusal_common_code(REFUSAL_LIMIT_REACHED));

        t = calloc(1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        t->change.manager = m;
        t->change.kind = kind;
        t->changes = m->changes;
        t->message = sd_bus_message_ref(message);
        t->uid = (uid_t) -1;

        t->next = t->changes->tasks;
        if (t->next)
                t->next->link = &t->next;
        t->link = &t->changes->tasks;
        t->changes->tasks = t;
        t->changes->n_tasks++;

        task_run(t);
        return 1;
}

int changes_new(Manager *m, Changes **ret) {
        Changes *s;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->manager = m;

        *ret = s;
        return 0;
}

Changes *changes_free(Changes *s) {
        if (!s)
                return NULL;

        s->ending = true;
        while (s->tasks)
                task_free(s->tasks);
        free(s);
        return NULL;
}
