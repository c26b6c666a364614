/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend-fixture.h"

#include "common/log.h"

static unsigned turns;

void answer_done(Answer *a) {
        g_free(a->message);
        observation_done(&a->observation);
}

static void on_answer(const BackendResult *result, void *userdata) {
        Answer *a = userdata;

        a->n++;
        a->turn = ++turns;
        a->refusal = result->refusal;
        g_free(a->message);
        a->message = g_strdup(result->message);
        a->outcome_unknown = result->outcome_unknown;
        if (result->observation) {
                a->observed = true;
                observation_done(&a->observation);
                a->observation = *result->observation;
                *result->observation = (Observation){};
        }

        g_assert_true((result->refusal == REFUSAL_NONE) == !result->message);

        if (a->then)
                a->then(a);
}

void start(Fixture *f, const BackendRequest *request, Answer *a) {
        unsigned n = a->n;

        a->fixture = f;
        g_assert_cmpint(backend_call(f->backend, request, on_answer, a, &a->call), ==, 0);
        g_assert_nonnull(a->call);
        g_assert_cmpuint(a->n, ==, n);
}

void start_tag(Fixture *f, uint16_t tag, Answer *a) {
        start(f, &(BackendRequest){ .verb = BACKEND_DELETE_TARGET_PORT, .node = NODE, .tag = tag }, a);
}

void call(Fixture *f, const BackendRequest *request, Answer *a) {
        unsigned n = a->n;

        start(f, request, a);
        wait_for(f, a->n > n);
        g_assert_cmpuint(a->n, ==, n + 1);
}

void assert_succeeds(Fixture *f) {
        _cleanup_(answer_done) Answer a = {};

        f->host->script->behaviour = WORKER_SUCCEEDS;
        call(f, &(BackendRequest){ .verb = BACKEND_CREATE_NODE, .node = NODE }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_false(a.outcome_unknown);
}

/* Lets the event loop find out that nothing more comes. */
void run_idle(Fixture *f, unsigned msec) {
        gint64 end = g_get_monotonic_time() + msec * (gint64) MSEC;

        while (g_get_monotonic_time() < end)
                g_assert_cmpint(sd_event_run(f->event, 5 * MSEC), >=, 0);
}

unsigned count_fds(void) {
        g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
        unsigned n = 0;

        while (g_dir_read_name(dir))
                n++;
        return n;
}

void set_up_peer(Fixture *f, uint64_t deadline, unsigned max_workers) {
        int r;

        f->backend = backend_free(f->backend);
        r = backend_new_peer(f->event, "test", f->host->path, deadline, max_workers, true, &f->backend);
        g_assert_cmpint(r, ==, 0);
}

void set_up_named(Fixture *f, const char *socket_name, int backlog) {
        f->n_fds = count_fds();
        g_assert_cmpint(sd_event_new(&f->event), >=, 0);
        f->host = worker_host_new(f->event, socket_name, backlog);
        set_up_peer(f, LONG_DEADLINE, 4);
}

void set_up(Fixture *f, gconstpointer data) {
        set_up_named(f, "socket", 64);
}

void tear_down(Fixture *f, gconstpointer data) {
        f->backend = backend_free(f->backend);
        worker_host_free(f->host);
        f->event = sd_event_unref(f->event);
        g_assert_cmpuint(count_fds(), ==, f->n_fds);
        log_set_max_level(LOG_INFO);
}
