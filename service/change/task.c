/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A change on its way forward: plan, store, apply, settle, answer. */

#include "change/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/details.h"
#include "change/journal.h"
#include "change/plan-store.h"
#include "common/clock.h"
#include "common/log.h"
#include "rules/refuse.h"

static void task_apply(Task *t);

Task *task_new(Engine *e, Intent *intent, Caller *caller) {
        Task *t;

        t = calloc(1, sizeof(*t));
        if (!t)
                return NULL;
        t->engine = e;
        t->intent = intent;
        t->caller = caller;
        t->resumes = caller->internal;
        t->uid = (uid_t) -1;
        t->begun_usec = monotonic_usec();

        t->next = e->tasks;
        if (t->next)
                t->next->link = &t->next;
        t->link = &e->tasks;
        e->tasks = t;
        e->n_tasks++;
        return t;
}

void task_free(Task *t) {
        store_commit_cancel(t->commit);
        backend_call_cancel(t->call);
        if (!t->engine->ending)
                plan_release(&t->plan);
        plan_done(&t->plan);
        backend_work_done(&t->work);
        lock_set_free(t->locks);
        if (t->caller)
                t->caller->ops->free(t->caller);
        intent_free(t->intent);
        details_free(t->details);
        free(t->why);
        free(t->undo_why);

        *t->link = t->next;
        if (t->next)
                t->next->link = t->link;
        t->engine->n_tasks--;
        t->engine->n_freed++;
        free(t);
}

/* One line for each call that changes or wants to change something: what, who, and how it ended. */
void task_log(const Task *t, const char *outcome, const char *detail) {
        _cleanup_free_ char *subject = details_subject(t->details);
        char uid[32] = "unknown";

        if (t->uid != (uid_t) -1)
                (void) snprintf(uid, sizeof(uid), "%u", (unsigned) t->uid);
        log_info("%s %s for %s (uid %s): %s%s%s", t->intent->method->name, subject && subject[0] ? subject : "-",
                 t->caller ? t->caller->name : "nobody any more", uid, outcome, detail ? ": " : "", detail ? detail : "");
}

void task_answer(Task *t, const Outcome *o) {
        task_log(t, o->refusal == REFUSAL_NONE ? "done" : refusal_error_name(o->refusal) + strlen(ERROR_NAME_PREFIX),
                 o->refusal == REFUSAL_NONE && o->n_results == 1 ? o->results[0] : o->message);
        if (!t->caller)
                return;

        t->caller->ops->reply(t->caller, o);
        t->caller->ops->free(t->caller);
        t->caller = NULL;
}

static void task_answer_refusal(Task *t, Refusal refusal, const char *why) {
        const Method *m = t->intent->method;
        uint32_t code = method_code(m, refusal);

        if (code == refusal_common_code(REFUSAL_UNSPECIFIED) && refusal != REFUSAL_UNSPECIFIED) {
                log_error("Fault of the service: %s failed with %s, which is not one of its errors: %s", m->name,
                          refusal_error_name(refusal), why ? why : "no reason");
                refusal = REFUSAL_UNSPECIFIED;
        }

        task_answer(t, &(Outcome){ .refusal = refusal, .code = code, .message = why ? why : refusal_meaning(refusal) });
}

void task_refuse(Task *t, Refusal refusal, const char *why) {
        task_answer_refusal(t, refusal, why);
        task_free(t);
}

void task_refuse_errno(Task *t, int r) {
        _cleanup_free_ char *why = NULL;

        log_error_errno(r, "%s failed", t->intent->method->name);
        (void) refuse(REFUSAL_UNSPECIFIED, &why, "The service failed: %s; its log says more", strerror(-r));
        task_refuse(t, REFUSAL_UNSPECIFIED, why);
}

void task_fail(Task *t, Refusal refusal, char *why) {
        t->refusal = refusal;
        free(t->why);
        t->why = why;
        task_undo(t);
}

void task_check_deadline(Task *t, uint64_t now) {
        _cleanup_free_ char *why = NULL;

        if (t->phase == TASK_WAITING && now >= t->wait_until) {
                const char *lock = lock_set_blocker(t->locks);

                (void) refuse(REFUSAL_BUSY, &why, "Another change of %s is still under way after %u s; call again in a moment",
                              lock ? lock : "the same object", (unsigned) (TURN_USEC / 1000000));
                task_refuse(t, REFUSAL_BUSY, why);
                return;
        }

        if (t->phase < TASK_STORING || t->late || now < t->answer_until)
                return;
        t->late = true;
        (void) refuse(REFUSAL_TIMEOUT, &why, "%s is not done after %u s; %s", t->intent->method->name,
                      (unsigned) (ANSWER_USEC / 1000000),
                      t->plan.looks            ? "it goes on"
                      : plan_removes(&t->plan) ? "it goes on, and the object disappears when it is done"
                                               : "it is taken back as soon as that is possible");
        task_answer_refusal(t, REFUSAL_TIMEOUT, why);
}

/* Drops the journal's row with a later commit: removing something twice does no harm. */
static void task_drop_journal(Task *t) {
        StoreChange *change;

        if (t->journal_id == 0)
                return;
        change = store_change_new();
        if (!change || journal_drop(change, t->journal_id) < 0 ||
            store_commit(t->engine->context->store, change, STORE_LAZY, NULL, NULL, NULL) < 0)
                log_oom();
}

static int task_collect_results(const Task *t, char ***ret, size_t *ret_n) {
        char **results;
        size_t n = 0;

        results = calloc(t->plan.n_operations + 1, sizeof(char *));
        if (!results)
                return -ENOMEM;
        for (size_t i = 0; i < t->plan.n_operations; i++) {
                const Operation *o = t->plan.operations[i];

                if (o->kind->result)
                        results[n++] = (char *) o->kind->result(o);
        }

        *ret = results;
        *ret_n = n;
        return 0;
}

static void task_settle(Task *t) {
        _cleanup_free_ char **results = NULL;
        size_t n_results = 0;
        int r = 0;

        if (t->late && !plan_removes(&t->plan)) {
                task_fail(t, REFUSAL_TIMEOUT, NULL);
                return;
        }

        for (size_t i = 0; i < t->plan.n_operations && r >= 0; i++) {
                Operation *o = t->plan.operations[i];

                r = o->kind->settle ? o->kind->settle(o, t->engine->context) : 0;
                o->done = r >= 0;
        }
        if (r >= 0)
                r = task_collect_results(t, &results, &n_results);
        if (r < 0) {
                log_error_errno(r, "Failed to show the outcome of %s", t->intent->method->name);
                task_keep_half_done(t, "the service has no memory left");
                return;
        }

        for (size_t i = 0; i < t->plan.n_operations; i++)
                if (t->plan.operations[i]->kind->looks_after && t->engine->suspect)
                        t->engine->suspect(t->plan.operations[i]->node->name, t->engine->suspect_userdata);
        task_answer(t, &(Outcome){ .results = results, .n_results = n_results });
        task_drop_journal(t);
        task_free(t);
}

/* Another program has the Identifier in the kernel that the service chose: another one will do. */
static bool task_chooses_again(Task *t, const BackendResult *result) {
        uint64_t highest = plan_highest_chosen(&t->plan);

        if (result->refusal != REFUSAL_IDENTIFIER_IN_USE || result->outcome_unknown || highest == 0 ||
            t->plan.attempt >= CHOICES_MAX)
                return false;

        t->plan.attempt++;
        t->plan.minimum = highest + 1;
        t->again = true;
        return true;
}

/* What has nothing to do with the change itself: the same call can succeed in a moment. */
static bool refusal_passes(Refusal r) {
        return r == REFUSAL_BUSY || r == REFUSAL_TIMEOUT || r == REFUSAL_BACKEND_UNAVAILABLE || r == REFUSAL_STUCK;
}

static char *task_explain(const Task *t, const BackendResult *result) {
        const BackendBatch *b = t->work.batches + t->batch;
        _cleanup_free_ size_t *numbers = NULL;

        if (plan_number_items(&t->plan, b, &numbers) < 0)
                return NULL;
        return backend_batch_explain(b, numbers, result->failed_item, result->message);
}

/* A removal that cannot go on just now is taken up again later. */
static void task_put_off(Task *t, const BackendResult *result) {
        t->refusal = result->refusal;
        t->why = strdup(result->message);
        task_keep_half_done(t, "the removal is tried again by itself");
}

static bool task_is_put_off(const Task *t, const BackendResult *result) {
        return t->resumes && plan_removes(&t->plan) && refusal_passes(result->refusal);
}

static void task_applied(const BackendResult *result, void *userdata) {
        Task *t = userdata;

        t->call = NULL;
        t->unknown = result->outcome_unknown;

        if (result->refusal == REFUSAL_NONE) {
                t->batch++;
                task_apply(t);
                return;
        }

        /* A removal rolls forward: what a lost worker has left is removed by the next one. */
        if (result->outcome_unknown && plan_removes(&t->plan)) {
                if (!t->repeated && !t->late) {
                        t->repeated = true;
                        task_apply(t);
                } else
                        task_put_off(t, result);
                return;
        }

        if (task_is_put_off(t, result)) {
                task_put_off(t, result);
                return;
        }

        (void) task_chooses_again(t, result);
        task_fail(t, result->refusal, task_explain(t, result));
}

static void task_checked(const BackendResult *result, void *userdata) {
        Task *t = userdata;

        t->call = NULL;
        if (result->refusal == REFUSAL_NONE) {
                t->n_checked++;
                task_apply(t);
        } else if (task_is_put_off(t, result))
                task_put_off(t, result);
        else
                task_fail(t, result->refusal, strdup(result->message));
}

/* What one backend has removed does not come back as it was if the next one refuses. So all of them are asked first. */
static bool task_checks_first(const Task *t) {
        return t->work.n > 1 && t->n_checked < t->work.n && plan_removes(&t->plan);
}

static int task_call_backend(Task *t) {
        bool check = task_checks_first(t);
        const BackendBatch *b = t->work.batches + (check ? t->n_checked : t->batch);
        BackendRequest request = backend_batch_request(b);

        request.check = check;
        return backend_apply(b->backend, &request, check ? task_checked : task_applied, t, &t->call);
}

/* Calls the backend for the next batch, or first for the check of the next batch. After the last one the outcome is shown. */
static void task_apply(Task *t) {
        char *why = NULL;
        int r;

        if (t->late && !plan_removes(&t->plan)) {
                task_fail(t, REFUSAL_TIMEOUT, NULL);
                return;
        }
        if (t->batch >= t->work.n) {
                task_settle(t);
                return;
        }

        t->phase = TASK_APPLYING;
        r = task_call_backend(t);
        if (r < 0) {
                log_error_errno(r, "Failed to call the backend");
                (void) refuse(REFUSAL_FAILED, &why, "The backend could not be called: %s", strerror(-r));
                task_fail(t, REFUSAL_FAILED, why);
        }
}

static void task_stored(int r, const char *message, void *userdata) {
        Task *t = userdata;

        t->commit = NULL;
        if (r < 0) {
                t->stored = false;
                task_fail(t, REFUSAL_FAILED, strdup(message));
                return;
        }

        t->stored = true;
        task_apply(t);
}

static int task_store(Task *t) {
        Context *c = t->engine->context;
        StoreChange *change;
        int r;

        change = store_change_new();
        if (!change)
                return -ENOMEM;
        t->journal_id = plan_is_journalled(&t->plan) && t->work.n > 0 ? c->next_ids[STORED_JOURNAL]++ : 0;
        r = plan_store(&t->plan, change, t->journal_id);
        if (r < 0) {
                store_change_free(change);
                return r;
        }

        t->phase = TASK_STORING;
        return store_commit(c->store, change, STORE_NOW, task_stored, t, &t->commit);
}

static void task_looked(Refusal refusal, const char *why, void *userdata) {
        Task *t = userdata;

        if (t->late)
                task_free(t);
        else if (refusal != REFUSAL_NONE)
                task_refuse(t, refusal, why);
        else {
                task_answer(t, &(Outcome){});
                task_free(t);
        }
}

/* Whoever looks takes the locks of the nodes itself. */
static int task_look(Task *t) {
        Engine *e = t->engine;

        t->phase = TASK_APPLYING;
        t->locks = lock_set_free(t->locks);
        return e->look(t->plan.node, task_looked, t, e->look_userdata);
}

void task_start(Task *t) {
        char *why = NULL;
        int r;

        t->again = false;
        backend_work_done(&t->work);
        t->batch = 0;
        t->n_checked = 0;
        r = plan_make(&t->plan, t->engine->context, t->intent, &why);
        if (r == 0 && t->caller)
                t->caller->ops->begin(t->caller);
        if (r == 0 && t->plan.looks) {
                r = task_look(t);
                if (r < 0)
                        task_refuse_errno(t, r);
                return;
        }
        if (r == 0 && t->plan.n_operations == 0) {
                task_settle(t);
                return;
        }
        if (r == 0) {
                r = plan_request(&t->plan, &t->work, &why);
                r = r == -ENXIO ? (int) REFUSAL_BACKEND_UNAVAILABLE : r;
        }
        if (r == 0)
                r = task_store(t);

        if (r < 0)
                task_refuse_errno(t, r);
        else if (r > 0)
                task_refuse(t, (Refusal) r, why);
        else
                engine_arm_sweep(t->engine);
        free(why);
}
