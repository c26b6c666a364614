/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A request while it is worked on. */
typedef struct Run {
        Worker *worker;
        const Request *rq;
        void *call; /* the engine's */
        Steps steps;
        size_t *order;  /* the operations in the order in which they are done */
        size_t n_begun; /* of them */
        Report *results;
        Texts *warnings;
} Run;

static bool has_failed(const Run *run, size_t operation) {
        return run->results[operation].refusal != REFUSAL_NONE;
}

/* An operation that failed has a reason. */
static void complete_report(Report *report, int error) {
        if (report->refusal == REFUSAL_NONE)
                (void) report_refuse(report, REFUSAL_FAILED, "%s", error == -ENOMEM ? "Out of memory" : strerror(-error));
}

/* All or nothing: operation FAILED fails the others too. The first N_BEGUN in order were begun. */
static void fail_others(Run *run, size_t failed, size_t n_begun) {
        for (size_t i = 0; i < run->rq->n; i++) {
                size_t k = run->order[i];

                if (k == failed)
                        continue;
                (void) report_refuse(run->results + k, REFUSAL_FAILED, "%s because of operation %zu",
                                     i < n_begun ? "undone" : "not begun", failed + 1);
                run->results[k].not_done = true;
        }
}

static int check_preconditions(Run *run, Report *report) {
        const WorkerEngine *e = run->worker->engine;
        const Request *rq = run->rq;
        const char *directory;
        uint64_t identifier;

        if (rq->node_exists == 1 && !e->node_exists(run->call))
                return report_refuse(report, REFUSAL_FAILED, "Node %s is not there any more", rq->node);
        if (rq->node_exists == 0 && e->node_exists(run->call))
                return report_refuse(report, REFUSAL_FAILED, "Node %s is there already; another program made it", rq->node);

        for (size_t i = 0; rq->expects && e->nth_port(run->call, i, &identifier, &directory); i++) {
                bool expected = false;

                for (size_t k = 0; k < rq->n_expected; k++)
                        expected = expected || rq->expected[k] == identifier;
                if (!expected)
                        return report_refuse(report, REFUSAL_FOREIGN_OBJECT_INSIDE,
                                             "Node %s has %s, which another program has put into it; nothing was changed: remove "
                                             "it with the program that made it",
                                             rq->node, directory);
        }

        return 0;
}

/* Runs of operations with the same verb are done in the engine's order. */
static int put_in_order(Run *run) {
        const Request *rq = run->rq;

        run->order = calloc(rq->n + 1, sizeof(*run->order));
        if (!run->order)
                return -ENOMEM;

        for (size_t i = 0; i < rq->n; i++) {
                const Operation *op = rq->operations + i;
                size_t k = i;

                for (; k > 0; k--) {
                        const Operation *before = rq->operations + run->order[k - 1];

                        if (before->verb != op->verb || run->worker->engine->compare(before, op) <= 0)
                                break;
                        run->order[k] = run->order[k - 1];
                }
                run->order[k] = i;
        }

        return 0;
}

/* Returns false if the request ends here. */
static bool decide_all(Run *run) {
        const Request *rq = run->rq;

        for (size_t i = 0; i < rq->n; i++) {
                size_t k = run->order[i];
                int r;

                steps_set_operation(&run->steps, k, run->results + k);
                r = run->worker->engine->decide(run->call, rq->operations + k, run->results + k, run->warnings);
                if (r >= 0)
                        continue;

                complete_report(run->results + k, r);
                if (rq->atomic && !rq->check) {
                        fail_others(run, k, 0);
                        return false;
                }
        }

        return true;
}

/* Operation FAILED could not be done: undoes it, or all. Returns false if the request ends here. */
static bool undo_failed(Run *run, size_t failed, int error) {
        Report *report = run->results + failed;

        complete_report(report, error);
        steps_undo(&run->steps, run->rq->atomic ? SIZE_MAX : failed, report);
        if (run->rq->atomic) {
                fail_others(run, failed, run->n_begun);
                return false;
        }

        run->worker->engine->undone(run->call, failed);
        return true;
}

static bool settle_all(Run *run) {
        for (;;) {
                Report report = {};
                size_t failed = 0;
                int r;

                r = run->worker->engine->settle(run->call, &failed, &report);
                if (r >= 0)
                        return true;

                report_done(run->results + failed);
                run->results[failed] = report;
                if (!undo_failed(run, failed, r))
                        return false;
        }
}

static void act_on_all(Run *run) {
        const Request *rq = run->rq;

        for (size_t i = 0; i < rq->n; i++) {
                size_t k = run->order[i];
                int r;

                if (has_failed(run, k))
                        continue;
                if (run->worker->engine->settles_before(run->call, rq->operations + k) && !settle_all(run))
                        return;

                run->n_begun = i + 1;
                steps_set_operation(&run->steps, k, run->results + k);
                r = steps_check_peer(&run->steps);
                if (r >= 0)
                        r = run->worker->engine->act(run->call, rq->operations + k, run->results + k);
                if (r < 0 && !undo_failed(run, k, r))
                        return;
        }

        if (!settle_all(run))
                return;

        /* It ends with success only if the caller is still there to hear of it. */
        if (rq->n > 0 && watch_peer_is_gone(&run->worker->watch)) {
                steps_set_operation(&run->steps, rq->n - 1, run->results + rq->n - 1);
                (void) undo_failed(run, rq->n - 1, steps_check_peer(&run->steps));
                if (!rq->atomic)
                        steps_undo(&run->steps, SIZE_MAX, run->results + rq->n - 1);
        }
}

static int run_locked(Run *run, Report *report) {
        const WorkerEngine *e = run->worker->engine;
        int r;

        steps_begin(&run->steps, &run->worker->watch, &run->worker->locks);
        run->steps.report = report;

        r = e->begin(run->worker->userdata, run->rq, &run->steps, report, &run->call);
        if (r >= 0)
                r = check_preconditions(run, report);
        if (r >= 0)
                r = put_in_order(run);
        if (r >= 0 && decide_all(run) && !run->rq->check)
                act_on_all(run);

        if (run->call)
                e->end(run->call);
        steps_done(&run->steps);
        free(run->order);
        return r;
}

static bool only_looks(const Worker *w, const Request *rq) {
        for (size_t i = 0; i < rq->n; i++)
                if (!rq->check && verb_info(rq->operations[i].verb)->effect != EFFECT_LOOKS)
                        return false;

        return true;
}

int apply_request(Worker *w, const Request *rq, Report *results, Texts *warnings, Report *report) {
        Run run = { .worker = w, .rq = rq, .results = results, .warnings = warnings };
        int r;

        /* A request that changes nothing waits for no lock. */
        if (only_looks(w, rq))
                return run_locked(&run, report);

        r = locks_take(&w->locks, rq->node, w->watch.peer_fd, report);
        if (r < 0)
                return r;
        r = run_locked(&run, report);
        locks_give_back(&w->locks);
        return r;
}
