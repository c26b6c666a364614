/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/details.h"
#include "change/task.h"
#include "common/clock.h"
#include "common/log.h"
#include "rules/refuse.h"

#define SWEEP_USEC (1 * UINT64_C(1000000))

int engine_new(Context *c, Engine **ret) {
        _cleanup_(engine_freep) Engine *e = NULL;
        int r;

        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->context = c;
        r = locks_new(c->event, &e->locks);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(e);
        return 0;
}

Engine *engine_free(Engine *e) {
        if (!e)
                return NULL;

        e->ending = true;
        while (e->tasks)
                task_free(e->tasks);
        sd_event_source_disable_unref(e->sweep);
        locks_free(e->locks);
        free(e);
        return NULL;
}

Locks *engine_locks(Engine *e) {
        return e->locks;
}

void engine_set_suspicion(Engine *e, void (*suspect)(const char *node, void *userdata), void *userdata) {
        e->suspect = suspect;
        e->suspect_userdata = userdata;
}

void engine_set_look(Engine *e, engine_look_t look, void *userdata) {
        e->look = look;
        e->look_userdata = userdata;
}

/* Calls EACH for every task. The end of one may end others, as of a call that waits for a removal; then the walk begins anew. */
static void for_each_task(Engine *e, void (*each)(Task *t, void *userdata), void *userdata) {
        Task *t = e->tasks;

        while (t) {
                unsigned n_freed = e->n_freed;
                Task *next = t->next;

                each(t, userdata);
                t = e->n_freed == n_freed ? next : e->tasks;
        }
}

static void drop(Task *t, _unused_ void *userdata) {
        if (t->phase < TASK_STORING || t->plan.looks) /* who looks knows its node by name */
                return;
        if (t->late)
                task_free(t);
        else
                task_refuse(t, REFUSAL_STORE_UNAVAILABLE,
                            "The store was opened again while the change was under way; look whether it was made");
}

void engine_drop_all(Engine *e) {
        for_each_task(e, drop, NULL);
}

static void check_deadline(Task *t, void *now) {
        task_check_deadline(t, *(uint64_t *) now);
}

/* Deadlines are looked after once a second, for all changes together. */
static int sweep(sd_event_source *s, uint64_t usec, void *userdata) {
        Engine *e = userdata;
        uint64_t now = monotonic_usec();

        e->sweep = sd_event_source_disable_unref(e->sweep);
        for_each_task(e, check_deadline, &now);
        engine_arm_sweep(e);
        return 0;
}

void engine_arm_sweep(Engine *e) {
        if (e->sweep || !e->tasks || e->ending)
                return;
        if (sd_event_add_time_relative(e->context->event, &e->sweep, CLOCK_MONOTONIC, SWEEP_USEC, SWEEP_USEC / 4, sweep, e) < 0)
                log_oom();
}

/* Whether there is room for one more change of UID. */
static int check_room(Engine *e, const Task *t, char **ret_why) {
        unsigned of_user = 0;

        if (t->uid == 0)
                return e->n_tasks <= CHANGES_MAX + CHANGES_RESERVE
                               ? 0
                               : refuse(REFUSAL_LIMIT_REACHED, ret_why, "%u changes are under way; call again in a moment",
                                        e->n_tasks);

        if (e->n_tasks > CHANGES_MAX)
                return refuse(REFUSAL_LIMIT_REACHED, ret_why, "%u changes are under way; call again in a moment", e->n_tasks);

        for (const Task *other = e->tasks; other; other = other->next)
                of_user += other->uid == t->uid;
        if (of_user > CHANGES_PER_USER_MAX)
                return refuse(REFUSAL_LIMIT_REACHED, ret_why,
                              "%u changes of this user are under way, which is the limit; wait for some of them", of_user);

        return 0;
}

static int check_queue(const Task *t, char **ret_why) {
        size_t max = CHANGES_PER_LOCK_MAX + (t->uid == 0 ? CHANGES_RESERVE : 0), n = lock_set_longest_queue(t->locks);

        return n < max ? 0 : refuse(REFUSAL_BUSY, ret_why, "%zu changes wait for the same object; call again in a moment", n);
}

static void task_granted_locks(void *userdata) {
        task_start(userdata);
}

static void task_lock(Task *t) {
        _cleanup_free_ char *why = NULL;
        int r;

        t->phase = TASK_WAITING;
        t->wait_until = monotonic_usec() + TURN_USEC;
        t->answer_until = monotonic_usec() + ANSWER_USEC;

        t->locks = lock_set_new(t->engine->locks, task_granted_locks, t);
        r = t->locks ? details_locks(t->intent, t->locks) : -ENOMEM;
        if (r == 0)
                r = check_queue(t, &why);
        if (r == 0)
                r = locks_acquire(t->locks);
        else if (r > 0) {
                task_refuse(t, (Refusal) r, why);
                return;
        }

        if (r < 0)
                task_refuse_errno(t, r);
        else if (r > 0)
                task_start(t);
        else
                engine_arm_sweep(t->engine);
}

/* A caller that is not there any more, or was refused, ends its change here. Returns whether it goes on. */
static bool task_goes_on(Task *t, CallerVerdict verdict, const char *why) {
        if (verdict == CALLER_GRANTED)
                return true;

        task_log(t, verdict == CALLER_LEFT ? "the caller left" : "not authorized", verdict == CALLER_LEFT ? NULL : why);
        task_free(t);
        return false;
}

static void task_authorized(CallerVerdict verdict, _unused_ uid_t uid, const char *why, void *userdata) {
        if (task_goes_on(userdata, verdict, why))
                task_lock(userdata);
}

/* Whether a change is under way or waits that this one would come behind. What it finds then is not known yet. */
static bool task_has_predecessor(const Task *t) {
        _cleanup_(lock_set_freep) LockSet *locks = lock_set_new(t->engine->locks, NULL, NULL);

        return !locks || details_locks(t->intent, locks) < 0 || lock_set_longest_queue(locks) > 0;
}

/* A call that would be refused anyway is refused before anybody is asked for a password. */
static int task_check(Task *t, char **ret_why) {
        Plan plan = {};
        int r;

        r = t->caller->internal ? 0 : context_takes_changes(t->engine->context, ret_why);
        if (r == 0)
                r = check_room(t->engine, t, ret_why);
        if (r != 0 || task_has_predecessor(t))
                return r;
        r = plan_make(&plan, t->engine->context, t->intent, ret_why);
        if (r == 0) {
                plan_release(&plan);
                plan_done(&plan);
        }
        return r;
}

static void task_identified(CallerVerdict verdict, uid_t uid, const char *why, void *userdata) {
        _cleanup_free_ char *reason = NULL;
        Task *t = userdata;
        int r;

        t->uid = uid;
        if (!task_goes_on(t, verdict, why))
                return;

        r = task_check(t, &reason);
        if (r == 0 && uid != 0)
                r = t->caller->ops->authorize(t->caller, t->intent->method->action, t->details, task_authorized, t);
        if (r < 0)
                task_refuse_errno(t, r);
        else if (r > 0)
                task_refuse(t, (Refusal) r, reason);
        else if (uid == 0)
                task_lock(t);
}

void engine_run(Engine *e, Intent *intent, Caller *caller) {
        Task *t;
        int r;

        t = task_new(e, intent, caller);
        if (!t) {
                (void) log_oom();
                caller->ops->reply(
                        caller, &(Outcome){ .refusal = REFUSAL_FAILED, .code = 4, .message = "The service has no memory left" });
                caller->ops->free(caller);
                intent_free(intent);
                return;
        }

        r = details_new(intent, &t->details);
        if (r == 0)
                r = caller->ops->identify(caller, task_identified, t);
        if (r < 0)
                task_refuse_errno(t, r);
}
