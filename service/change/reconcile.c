/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/details.h"
#include "change/job.h"
#include "change/removal.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/name.h"
#include "model/host-node.h"

static void reconciler_list(Reconciler *r);

static void asker_free(Asker *a) {
        free(a->why);
        free(a);
}

static void asker_note(Asker *a, Refusal refusal, const char *why) {
        if (refusal == REFUSAL_NONE || a->refusal != REFUSAL_NONE)
                return;
        a->refusal = refusal;
        a->why = why ? strdup(why) : NULL;
}

static void asker_drop(Asker *a, Refusal refusal, const char *why) {
        asker_note(a, refusal, why);
        if (--a->open > 0)
                return;

        a->done(a->refusal, a->why ? a->why : a->refusal ? refusal_meaning(a->refusal) : NULL, a->userdata);
        asker_free(a);
}

static int askers_add(Asker ***list, size_t *n, Asker *a) {
        Asker **l;

        l = reallocarray(*list, *n + 1, sizeof(Asker *));
        if (!l)
                return -ENOMEM;
        *list = l;
        l[(*n)++] = a;
        return 0;
}

/* Jobs */

static void job_free(Job *j) {
        HASH_DELETE(hh, j->reconciler->jobs, j);
        sd_event_source_disable_unref(j->retry);
        backend_call_cancel(j->call);
        lock_set_free(j->locks);
        observed_node_done(&j->observed);
        difference_done(&j->difference);
        free(j->askers);
        free(j->why);
        free(j->left);
        free(j->new_name);
        free(j->name);
        free(j);
}

static Job *job_get(Reconciler *r, const char *name) {
        Job *j;

        HASH_FIND_STR(r->jobs, name, j);
        if (j)
                return j;

        j = calloc(1, sizeof(*j));
        if (!j)
                return NULL;
        j->reconciler = r;
        j->name = strdup(name);
        if (!j->name) {
                free(j);
                return NULL;
        }
        HASH_ADD_KEYPTR(hh, r->jobs, j->name, strlen(j->name), j);
        return j;
}

static void job_locked(void *userdata) {
        job_next_role(userdata);
}

void job_run(Job *j) {
        _cleanup_free_ char *lock = NULL, *other = NULL;
        const Node *n = job_node(j);
        int r;

        j->role = ROLE_FIRST - 1;
        j->refusal = REFUSAL_NONE;
        free(TAKE_PTR(j->why));
        j->unseen = false;
        j->n_failed = 0;
        j->n_served = j->n_askers;
        j->puts_all_right = j->all;
        j->all = false;

        j->locks = lock_set_new(engine_locks(j->reconciler->engine), job_locked, j);
        r = j->locks && asprintf(&lock, LOCK_NODE "%s", n ? n->name : j->name) >= 0 ? lock_set_add(j->locks, lock) : -ENOMEM;
        if (r >= 0 && j->new_name)
                r = asprintf(&other, LOCK_NODE "%s", j->new_name) >= 0 ? lock_set_add(j->locks, other) : -ENOMEM;
        if (r >= 0)
                r = locks_acquire(j->locks);
        if (r < 0) {
                log_error_errno(r, "Failed to look at node %s", j->name);
                j->unseen = true;
                job_end(j);
        } else if (r > 0)
                job_next_role(j);
}

/* For its first list a worker may read what it then knows. A node that was told of meanwhile waits for the list: it would be
 * looked at by another worker, which has to read all of that too, and then once more since it is listed. */
static bool reconciler_waits_for_list(const Reconciler *r) {
        Backend *b = r->listing_first ? r->context->backends[r->listing_role] : NULL;

        return b && backend_traits(b)->reads_all;
}

static int turn(_unused_ sd_event_source *s, void *userdata) {
        Reconciler *r = userdata;

        r->turn = sd_event_source_disable_unref(r->turn);
        while (r->queue && !reconciler_waits_for_list(r) && r->n_running < RECONCILE_PARALLEL) {
                Job *j = r->queue;

                r->queue = j->next_queued;
                if (!r->queue)
                        r->queue_end = &r->queue;
                j->queued = false;
                j->running = true;
                r->n_running++;
                job_run(j);
        }
        return 0;
}

static void reconciler_wake(Reconciler *r) {
        if (!r->turn && r->queue && sd_event_add_defer(r->context->event, &r->turn, turn, r) < 0)
                log_oom();
}

static void job_queue(Job *j) {
        Reconciler *r = j->reconciler;

        if (j->running) {
                j->again = true;
                return;
        }
        if (j->queued)
                return;

        j->queued = true;
        j->next_queued = NULL;
        *r->queue_end = j;
        r->queue_end = &j->next_queued;
        reconciler_wake(r);
}

static uint64_t retry_pause(unsigned attempts) {
        uint64_t pause = RECONCILE_RETRY_USEC;

        for (unsigned i = 0; i < attempts && pause < RECONCILE_RETRY_MAX_USEC; i++)
                pause *= 2;
        return MIN2(pause, RECONCILE_RETRY_MAX_USEC);
}

static int job_retry(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        Job *j = userdata;

        j->retry = sd_event_source_disable_unref(j->retry);
        job_queue(j);
        return 0;
}

static int relist_due(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        Reconciler *r = userdata;

        r->relist = sd_event_source_disable_unref(r->relist);
        reconciler_list(r);
        return 0;
}

/* A backend that does not answer is asked for all nodes again, not once for each. */
static void reconciler_relist_later(Reconciler *r) {
        uint64_t pause = retry_pause(r->relist_attempts);

        if (r->relist)
                return;
        r->relist_attempts++;
        if (sd_event_add_time_relative(r->context->event, &r->relist, CLOCK_MONOTONIC, pause, pause / 10, relist_due, r) < 0)
                log_oom();
}

static void job_schedule_retry(Job *j) {
        uint64_t pause = retry_pause(j->attempts++);

        if (!j->retry && sd_event_add_time_relative(j->reconciler->context->event, &j->retry, CLOCK_MONOTONIC, pause, pause / 10,
                                                    job_retry, j) < 0)
                log_oom();
}

static void job_tell_askers(Job *j) {
        _cleanup_free_ Asker **askers = TAKE_PTR(j->askers);
        size_t n = j->n_askers;

        j->n_askers = 0;
        for (size_t i = 0; i < n; i++)
                if (i < j->n_served)
                        asker_drop(askers[i], j->refusal, j->why);
                else
                        (void) askers_add(&j->askers, &j->n_askers, askers[i]);
}

static void first_look_ended(Reconciler *r) {
        void (*done)(void *) = r->done;

        r->done = NULL;
        for (size_t role = 0; role < ELEMENTSOF(r->gave_up); role++) {
                r->missed = r->missed || r->gave_up[role];
                free(TAKE_PTR(r->gave_up[role]));
        }
        if (r->missed)
                reconciler_relist_later(r);
        done(r->userdata);
}

static void first_job_ended(Reconciler *r) {
        if (--r->n_first == 0)
                first_look_ended(r);
}

/* The run is over: what becomes of the job. */
static void job_close(Job *j) {
        Reconciler *r = j->reconciler;
        _cleanup_free_ char *left = TAKE_PTR(j->left);
        Node *n = job_node(j);
        bool first = j->first;

        free(TAKE_PTR(j->new_name));
        j->running = j->listed = j->first = false;
        r->n_running--;
        if (n && !j->unseen)
                *job_looked_at(j, n) = true;
        job_tell_askers(j);

        if (j->again) {
                j->again = false;
                job_queue(j);
        } else if (j->unseen && j->refusal != REFUSAL_BUSY) {
                if (r->done)
                        r->missed = true;
                else
                        reconciler_relist_later(r);
                job_free(j);
        } else if (j->n_failed > 0 || j->unseen || (n && removal_is_pending(n)))
                job_schedule_retry(j);
        else
                job_free(j);

        if (left)
                reconciler_suspect(r, left);
        if (first)
                first_job_ended(r);
        reconciler_wake(r);
}

static void job_removal_ended(void *userdata) {
        Job *j = userdata;

        if (--j->n_removals > 0)
                return;

        j->again = true; /* what is left of the node is in another state now */
        job_close(j);
}

/* Goes on with removals that were cut short, with the same pauses as everything that failed. They are part of the run, so that an
 * object that somebody deleted is not seen again after a restart. Returns whether the run waits for them. */
static bool job_resumes_removals(Job *j) {
        Reconciler *r = j->reconciler;
        Node *n = job_node(j);
        const size_t guard = SIZE_MAX / 2;
        uint64_t now = monotonic_usec();
        size_t n_started;

        if (!n || j->unseen || !removal_is_pending(n) || now < j->resume_usec)
                return false;

        j->resume_usec = now + retry_pause(j->attempts) / 2;
        j->n_removals = guard; /* one without memory ends before they are counted */
        n_started = removal_resume(r->engine, r->context, n, job_removal_ended, j);
        j->n_removals = n_started - (guard - j->n_removals);
        return j->n_removals > 0;
}

void job_end(Job *j) {
        j->locks = lock_set_free(j->locks);
        observed_node_done(&j->observed);
        difference_done(&j->difference);
        if (!job_resumes_removals(j))
                job_close(j);
}

/* The list of all nodes */

static void reconciler_queue(Reconciler *r, const char *name, unsigned listed_role) {
        Job *j = job_get(r, name);

        if (!j) {
                (void) log_oom();
                return;
        }
        if (r->done && !j->first) { /* also one that somebody suspected before the list came */
                j->first = true;
                r->n_first++;
        }
        j->listed_roles |= listed_role;
        for (size_t i = 0; i < r->n_list_askers; i++) {
                bool known = false;

                for (size_t k = 0; k < j->n_askers; k++)
                        known |= j->askers[k] == r->list_askers[i];
                if (known || askers_add(&j->askers, &j->n_askers, r->list_askers[i]) < 0)
                        continue;
                r->list_askers[i]->open++;
                j->all = true;
        }
        job_queue(j);
}

/* What administrators should know of the backends; NULL: they answer. */
static void reconciler_notice(Reconciler *r, const char *message) {
        _cleanup_free_ char *text = NULL;

        if (message && asprintf(&text, "What is in force cannot be seen: %s", message) < 0)
                text = NULL;
        if (text)
                log_warning("%s", text);
        if (model_set_notice(r->context->model, NOTICE_BACKEND, text) < 0)
                (void) log_oom();
}

static void list_done(Reconciler *r) {
        Job *j, *next;

        /* Those that we have are looked at whether or not they were listed; those of others that are gone, too. */
        for (Node *n = model_first_node(r->context->model); n; n = n->hh.next)
                if (n->object.path) {
                        reconciler_queue(r, n->name, 0);
                        if (n->host)
                                reconciler_queue(r, HOST_NODE, 0);
                }
        HASH_ITER(hh, r->jobs, j, next)
                if (j->queued)
                        j->listed = !r->list_failed;

        for (size_t i = 0; i < r->n_list_askers; i++)
                asker_drop(r->list_askers[i], REFUSAL_NONE, NULL);
        r->n_list_askers = 0;

        if (!r->list_failed) {
                r->relist_attempts = 0;
                reconciler_notice(r, NULL);
        }
        if (r->listing_first) {
                r->listing_first = false;
                first_job_ended(r);
        }
        if (r->list_again) {
                r->list_again = false;
                reconciler_list(r);
        }
}

static void list_next(Reconciler *r);

static void listed(const BackendResult *result, void *userdata) {
        Reconciler *r = userdata;

        r->listing = NULL;
        if (result->refusal == REFUSAL_NONE)
                for (char **name = result->nodes; name && *name; name++)
                        reconciler_queue(r, *name, ROLE_BIT(r->listing_role));
        else {
                reconciler_notice(r, result->message);
                r->list_failed = true;
                for (size_t i = 0; i < r->n_list_askers; i++)
                        asker_note(r->list_askers[i], result->refusal, result->message);
                if (r->done && !r->gave_up[r->listing_role])
                        r->gave_up[r->listing_role] = strdup(result->message);
                else
                        reconciler_relist_later(r);
        }
        list_next(r);
}

static void list_next(Reconciler *r) {
        int e;

        while (++r->listing_role <= ROLE_LAST) {
                if (!r->context->backends[r->listing_role])
                        continue;
                e = backend_list_nodes(r->context->backends[r->listing_role], listed, r, &r->listing);
                reconciler_wake(r);
                if (e >= 0)
                        return;
                log_error_errno(e, "Failed to ask for the nodes that are there");
                r->list_failed = true;
        }

        list_done(r);
        reconciler_wake(r);
}

static void reconciler_list(Reconciler *r) {
        Job *j, *next;

        if (r->listing) {
                r->list_again = true;
                return;
        }

        HASH_ITER(hh, r->jobs, j, next)
                if (!j->running) {
                        j->listed = false;
                        j->listed_roles = 0;
                }
        r->list_failed = false;
        r->listing_role = ROLE_FIRST - 1;
        list_next(r);
}

/* What others call */

int reconciler_new(Context *c, Engine *e, Reconciler **ret) {
        Reconciler *r;

        r = calloc(1, sizeof(*r));
        if (!r)
                return -ENOMEM;
        r->context = c;
        r->engine = e;
        r->queue_end = &r->queue;

        *ret = r;
        return 0;
}

Reconciler *reconciler_free(Reconciler *r) {
        Job *j, *next;

        if (!r)
                return NULL;

        HASH_ITER(hh, r->jobs, j, next) {
                for (size_t i = 0; i < j->n_askers; i++)
                        if (--j->askers[i]->open == 0)
                                asker_free(j->askers[i]);
                job_free(j);
        }
        for (size_t i = 0; i < r->n_list_askers; i++)
                if (--r->list_askers[i]->open == 0)
                        asker_free(r->list_askers[i]);
        backend_call_cancel(r->listing);
        sd_event_source_disable_unref(r->turn);
        sd_event_source_disable_unref(r->relist);
        free(r->list_askers);
        for (size_t role = 0; role < ELEMENTSOF(r->gave_up); role++)
                free(r->gave_up[role]);
        free(r);
        return NULL;
}

int reconciler_start(Reconciler *r, void (*done)(void *userdata), void *userdata) {
        r->done = done;
        r->userdata = userdata;
        r->started = true;
        r->listing_first = true;
        r->n_first = 1; /* the list itself: what is listed may be looked at before the list is complete */
        reconciler_list(r);
        return 0;
}

void reconciler_forget(Reconciler *r) {
        Job *j, *next;

        HASH_ITER(hh, r->jobs, j, next)
                job_forget_difference(j);
}

void reconciler_suspect(Reconciler *r, const char *node) {
        const Node *n;
        Job *j;

        if (!r->started)
                return;
        if (!node) {
                reconciler_list(r);
                return;
        }

        n = model_find_node(r->context->model, node);
        if (n && n->host && strcmp(node, HOST_NODE) != 0)
                reconciler_suspect(r, HOST_NODE);
        j = job_get(r, node);
        if (!j) {
                (void) log_oom();
                return;
        }
        j->listed = false;
        job_queue(j);
}

int reconciler_ask(Reconciler *r, const char *node, reconciled_t done, void *userdata) {
        const Node *n;
        Asker *a;
        Job *j;
        int e;

        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        *a = (Asker){ .done = done, .userdata = userdata, .open = 1 };

        if (!node) {
                e = askers_add(&r->list_askers, &r->n_list_askers, a);
                if (e < 0) {
                        free(a);
                        return e;
                }
                reconciler_list(r);
                return 0;
        }

        n = model_find_node(r->context->model, node);
        if (n && n->host) /* besides, all else in it is looked at */
                reconciler_suspect(r, node);
        j = job_get(r, n && n->host ? HOST_NODE : node);
        e = j ? askers_add(&j->askers, &j->n_askers, a) : -ENOMEM;
        if (e < 0) {
                free(a);
                return e;
        }
        j->all = true;
        j->listed = false;
        job_queue(j);
        return 0;
}
