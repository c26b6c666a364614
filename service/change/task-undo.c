/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A change that failed: its backend part is taken back, then its store part, the last first. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/journal.h"
#include "change/plan-store.h"
#include "change/task.h"
#include "common/log.h"
#include "rules/refuse.h"

static void task_undo_next(Task *t);

/* What could not be taken back stays desired, so that it can be deleted and is brought up when that is possible. A removal stays
 * in the journal and goes on. */
static void task_end_half_done(Task *t) {
        _cleanup_free_ char *why = NULL, *removal = NULL;
        Context *c = t->engine->context;

        if (asprintf(&why, "%s; and this could not be undone: %s", t->why ? t->why : refusal_meaning(t->refusal),
                     t->undo_why ? t->undo_why : "no memory") < 0)
                why = NULL;
        if (why && asprintf(&removal, REMOVAL_GOES_ON "%s", why) < 0)
                removal = NULL;
        log_error("%s left something half done: %s", t->intent->method->name, why ? why : "no memory");

        for (size_t i = 0; i < t->plan.n_operations; i++) {
                Operation *o = t->plan.operations[i];

                if (!o->done && o->kind->removes && t->journal_id)
                        plan_mark_removal(o, t->journal_id);
                if (!o->done && o->kind->degrade)
                        o->kind->degrade(o, c, o->kind->removes ? removal : why);
                o->done = true;
        }

        task_suspect(t);
        if (t->late)
                task_free(t);
        else
                task_refuse(t, REFUSAL_DEGRADED, why);
}

/* The first reason is told. */
static void note_half_done(Task *t, const char *why) {
        t->half_done = true;
        if (!t->undo_why)
                t->undo_why = strdup(why);
}

void task_keep_half_done(Task *t, const char *why) {
        note_half_done(t, why);
        task_end_half_done(t);
}

static void task_end(Task *t) {
        if (!t->again)
                task_suspect(t);
        plan_release(&t->plan);
        if (t->again) {
                task_start(t);
                return;
        }

        if (t->late)
                task_free(t);
        else
                task_refuse(t, t->refusal, t->why);
}

static void task_unstored(int r, const char *message, void *userdata) {
        Task *t = userdata;

        t->commit = NULL;
        if (r < 0) {
                log_error_errno(r, "Failed to take a change back from the store (%s)", message);
                task_keep_half_done(t, "the store could not be changed back");
                return;
        }

        t->stored = false;
        for (size_t i = 0; i < t->plan.n_operations; i++) {
                Operation *o = t->plan.operations[i];

                plan_mark_removal(o, 0); /* it is desired again */
                if (t->resumes || t->repeated)
                        plan_mark_owed(o);
        }
        task_end(t);
}

static void task_unstore(Task *t) {
        StoreChange *change;
        int r;

        if (!t->stored) {
                task_end(t);
                return;
        }

        t->phase = TASK_UNSTORING;
        change = store_change_new();
        r = change ? plan_unstore(&t->plan, change, t->journal_id) : -ENOMEM;
        if (r < 0)
                store_change_free(change);
        else
                r = store_commit(t->engine->context->store, change, STORE_NOW, task_unstored, t, &t->commit);
        if (r < 0)
                task_keep_half_done(t, strerror(-r));
}

static void task_undone(const BackendResult *result, void *userdata) {
        Task *t = userdata;

        t->call = NULL;
        if (result->refusal != REFUSAL_NONE)
                note_half_done(t, result->message);
        t->batch++;
        task_undo_next(t);
}

static void task_undo_next(Task *t) {
        const BackendBatch *b = t->work.batches + t->batch;
        BackendRequest request;
        int r;

        if (t->batch >= t->work.n) {
                if (t->half_done)
                        task_end_half_done(t);
                else
                        task_unstore(t);
                return;
        }

        request = backend_batch_request(b);
        request.keep_going = true;
        r = backend_apply(b->backend, &request, task_undone, t, &t->call);
        if (r < 0) {
                note_half_done(t, strerror(-r));
                t->batch = t->work.n;
                task_undo_next(t);
        }
}

/* Whether something of B's node may have been put into force. */
static bool was_applied(const Task *t, const BackendBatch *b) {
        for (size_t i = 0; i < t->work.n; i++)
                if (t->work.batches[i].backend == b->backend && strcmp(t->work.batches[i].node, b->node) == 0)
                        return i < t->batch || (i == t->batch && t->unknown);

        return false;
}

/* A removal has no inverse in a backend that has done its part already. All that the node lacks then is made when it is looked
 * at. */
static void want_back(Task *t) {
        for (size_t i = 0; i < t->plan.n_operations; i++)
                if (t->plan.operations[i]->kind->removes)
                        t->plan.operations[i]->node->looked_at = false;
}

void task_undo(Task *t) {
        BackendWork undo = {};
        size_t n = 0;

        t->phase = TASK_UNDOING;
        if (t->refusal == REFUSAL_DEGRADED)
                note_half_done(t, "the backend said so");
        if (t->batch > 0)
                want_back(t);

        if (plan_undo_request(&t->plan, &undo) < 0)
                note_half_done(t, "no memory");

        /* Only what may have been done is undone. */
        for (size_t i = 0; i < undo.n; i++) {
                BackendBatch b = undo.batches[i];

                if (was_applied(t, &b)) {
                        undo.batches[i] = undo.batches[n];
                        undo.batches[n++] = b;
                }
        }
        for (size_t i = n; i < undo.n; i++) {
                free(undo.batches[i].node);
                free(undo.batches[i].items);
                free(undo.batches[i].expected);
        }
        undo.n = n;

        backend_work_done(&t->work);
        t->work = undo;
        t->batch = 0;
        task_undo_next(t);
}

void task_suspect(Task *t) {
        Engine *e = t->engine;

        for (size_t i = 0; e->suspect && i < t->plan.n_operations; i++)
                if (t->plan.operations[i]->node)
                        e->suspect(t->plan.operations[i]->node->name, e->suspect_userdata);
}
