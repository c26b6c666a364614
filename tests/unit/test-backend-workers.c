/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers that hang, crash, are absent or too many, and callers that cancel and free at any moment. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "backend-fixture.h"
#include "backend/backend.h"

static const BackendItem create = { .verb = VERB_CREATE_NODE };
static const BackendRequest create_node = { .node = NODE, .items = &create, .n_items = 1 };

static void plan(Fixture *f, const char *text) {
        fake_plan(f->host->root, text);
}

static void assert_ends(Fixture *f, Refusal refusal, bool outcome_unknown, const char *in_message) {
        _cleanup_(answer_done) Answer a = {};

        call(f, &create_node, &a);
        g_assert_cmpint(a.refusal, ==, refusal);
        g_assert_true(a.outcome_unknown == outcome_unknown);
        if (!strstr(a.message, in_message))
                g_error("\"%s\" is not in the message: %s", in_message, a.message);
}

static void test_arguments(Fixture *f, gconstpointer data) {
        static const BackendTraits traits = { .selects_identifiers = true };
        g_autofree char *path107 = g_strdup_printf("/%0106d", 0), *path108 = g_strdup_printf("/%0107d", 0);
        _cleanup_(backend_freep) Backend *b = NULL;

        g_assert_cmpint(backend_new_peer(f->event, "x", "relative", 1, 1, &traits, &b), ==, -EINVAL);
        g_assert_cmpint(backend_new_peer(f->event, "x", "", 1, 1, &traits, &b), ==, -EINVAL);
        g_assert_cmpint(backend_new_peer(f->event, "x", "/a", 0, 1, &traits, &b), ==, -EINVAL);
        g_assert_cmpint(backend_new_peer(f->event, "x", "/a", UINT64_MAX, 1, &traits, &b), ==, -EINVAL);
        g_assert_cmpint(backend_new_peer(f->event, "x", "/a", 1, 0, &traits, &b), ==, -EINVAL);
        g_assert_cmpint(backend_new_peer(f->event, "x", path108, 1, 1, &traits, &b), ==, -ENAMETOOLONG);
        g_assert_null(b);

        g_assert_cmpint(backend_new_peer(f->event, "x", path107, 1, 1, &(BackendTraits){}, &b), ==, 0);
        g_assert_cmpstr(backend_name(b), ==, "x");
        g_assert_false(backend_traits(b)->selects_identifiers);
        g_assert_true(backend_traits(f->backend)->selects_identifiers);
}

static void test_hang(Fixture *f, gconstpointer data) {
        gint64 begin = g_get_monotonic_time(), took;

        set_up_peer(f, 500 * MSEC, 4);
        plan(f, "* hang-forever");
        assert_ends(f, REFUSAL_TIMEOUT, true, "create-node within 0.5 s");
        took = g_get_monotonic_time() - begin;
        g_assert_cmpint(took, >=, 500 * MSEC);
        g_assert_cmpint(took, <, 5000 * MSEC);

        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);

        /* The first worker still hangs, and the client no longer holds a connection to it. */
        g_assert_cmpuint(f->host->n_workers, ==, 2);
}

static void test_hang_does_not_hinder(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer hanging = {};

        set_up_peer(f, LONG_DEADLINE, 2);
        plan(f, "* hang-forever");
        start(f, &create_node, &hanging);
        wait_for(f, n_seen(f) == 1);

        for (unsigned i = 0; i < 5; i++)
                assert_succeeds(f);
        g_assert_cmpuint(hanging.n, ==, 0);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
}

/* With a single place, a hung worker must not keep it. */
static void test_hang_frees_its_place(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {}, b = {};

        set_up_peer(f, SHORT_DEADLINE, 1);
        plan(f, "* hang-forever");
        start(f, &create_node, &a);
        start(f, &create_node, &b);
        wait_for(f, b.n > 0);
        g_assert_cmpint(a.refusal, ==, REFUSAL_TIMEOUT);
        g_assert_cmpint(b.refusal, ==, REFUSAL_TIMEOUT);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
}

/* Waiting for a worker is not counted: each of five calls is faster than the deadline, all together are not. */
static void test_deadline_begins_with_sending(Fixture *f, gconstpointer data) {
        Answer answers[5] = {};

        set_up_peer(f, 700 * MSEC, 1);
        plan(f, "* slow 150");
        for (unsigned i = 0; i < 5; i++)
                start_tag(f, 0, &answers[i]);
        wait_for(f, answers[4].n > 0);
        for (unsigned i = 0; i < 5; i++)
                g_assert_cmpint(answers[i].refusal, ==, REFUSAL_NONE);
}

/* The answer is there in time, only the event loop was busy with something else. */
static void test_answer_goes_before_deadline(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};

        set_up_peer(f, 500 * MSEC, 1);
        plan(f, "* wait");
        start_tag(f, 0, &a);
        wait_for(f, n_seen(f) == 1);
        fake_release(f->host->root, 1);
        g_usleep(600 * MSEC);

        wait_for(f, a.n > 0);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
}

static void test_crash(Fixture *f, gconstpointer data) {
        plan(f, "* crash-before");
        assert_ends(f, REFUSAL_BACKEND_UNAVAILABLE, true, "ended while it did create-node");
        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
}

static void test_crash_while_idle(Fixture *f, gconstpointer data) {
        unsigned n_fds, n_fds_of_host;

        assert_succeeds(f);
        n_fds = count_fds();
        g_assert_no_errno(kill(f->host->workers[0], SIGKILL));
        wait_for(f, f->host->n_workers == 0);
        n_fds_of_host = 1; /* the worker's pidfd */

        /* It is noticed, and the connection dropped, without a call. */
        wait_for(f, count_fds() == n_fds - n_fds_of_host - 1);

        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
        g_assert_cmpuint(count_fds(), ==, n_fds);
}

/* A worker that ended while idle must not be the one that is kept. */
static void test_crash_beside_another(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {}, b = {};

        plan(f, "* wait");
        start_tag(f, 0, &a);
        wait_for(f, n_seen(f) == 1);
        start_tag(f, 1, &b);
        wait_for(f, n_seen(f) == 2);

        fake_release(f->host->root, 1);
        wait_for(f, a.n > 0);
        g_assert_no_errno(kill(f->host->workers[0], SIGKILL));
        wait_for(f, f->host->n_workers == 1);
        run_idle(f, 30);

        fake_release(f->host->root, 2);
        wait_for(f, b.n > 0);
        run_idle(f, 30);
        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
}

/* The hang-up is there, but the event loop has had no turn to see it when the next call comes. */
static void test_crash_unnoticed(Fixture *f, gconstpointer data) {
        siginfo_t si;

        for (unsigned i = 1; i <= 5; i++) {
                assert_succeeds(f);
                g_assert_cmpuint(f->host->n_accepted, ==, i);
                g_assert_no_errno(kill(f->host->workers[0], SIGKILL));
                g_assert_no_errno(waitid(P_PID, (id_t) f->host->workers[0], &si, WEXITED | WNOWAIT));
        }
}

/* The worker ends after the event loop's last look at it and before the call is written. The test's build puts this in front of
 * the library's function. */
static pid_t end_before_call;

int __real_sd_bus_call_async(sd_bus *bus, sd_bus_slot **slot, sd_bus_message *m, sd_bus_message_handler_t callback,
                             void *userdata, uint64_t usec);
int __wrap_sd_bus_call_async(sd_bus *bus, sd_bus_slot **slot, sd_bus_message *m, sd_bus_message_handler_t callback,
                             void *userdata, uint64_t usec);

int __wrap_sd_bus_call_async(sd_bus *bus, sd_bus_slot **slot, sd_bus_message *m, sd_bus_message_handler_t callback,
                             void *userdata, uint64_t usec) {
        siginfo_t si;

        if (end_before_call > 0) {
                g_assert_no_errno(kill(end_before_call, SIGKILL));
                g_assert_no_errno(waitid(P_PID, (id_t) end_before_call, &si, WEXITED | WNOWAIT));
                end_before_call = 0;
        }

        return __real_sd_bus_call_async(bus, slot, m, callback, userdata, usec);
}

static void test_crash_before_sending(Fixture *f, gconstpointer data) {
        assert_succeeds(f);
        end_before_call = f->host->workers[0];
        assert_succeeds(f);
        g_assert_cmpint(end_before_call, ==, 0);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
        g_assert_cmpuint(n_seen(f), ==, 2);
}

/* A deadline belongs to a call, not to the connection. */
static void test_idle_beyond_deadline(Fixture *f, gconstpointer data) {
        set_up_peer(f, 600 * MSEC, 1);
        assert_succeeds(f);
        run_idle(f, 700);
        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_one_call_workers(Fixture *f, gconstpointer data) {
        for (unsigned i = 0; i < 20; i++) {
                _cleanup_(answer_done) Answer a = {};

                /* The worker ends of itself right after its answer, which must not be lost, nor the next call. */
                plan(f, "* exit");
                call(f, &create_node, &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
                wait_for(f, f->host->n_workers == 0);
        }
        g_assert_cmpuint(f->host->n_accepted, ==, 20);
}

static void set_up_odd_name(Fixture *f, gconstpointer data) {
        set_up_named(f, "odd ;,=%25'\"é\\*", 64);
}

static void test_odd_name(Fixture *f, gconstpointer data) {
        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_absent(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        g_autofree char *away = g_strconcat(f->host->path, "-away", NULL);

        g_assert_no_errno(rename(f->host->path, away));
        assert_ends(f, REFUSAL_BACKEND_UNAVAILABLE, false, f->host->path);
        assert_ends(f, REFUSAL_BACKEND_UNAVAILABLE, false, g_strerror(ENOENT));
        assert_ends(f, REFUSAL_BACKEND_UNAVAILABLE, false, "systemctl status iscsi-backend-test.socket");

        /* Nobody is told from within backend_call(), and once it is back all is well. */
        start(f, &create_node, &a);
        g_assert_cmpuint(a.n, ==, 0);
        wait_for(f, a.n > 0);
        g_assert_no_errno(rename(away, f->host->path));
        assert_succeeds(f);
}

static void test_refused(Fixture *f, gconstpointer data) {
        int fd;

        /* A stale socket: the file is there, and nobody behind it. */
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        g_assert_no_errno(shutdown(f->host->fd, SHUT_RDWR));
        assert_ends(f, REFUSAL_BACKEND_UNAVAILABLE, false, g_strerror(ECONNREFUSED));
        (void) close(fd);
}

static void set_up_short_backlog(Fixture *f, gconstpointer data) {
        set_up_named(f, "socket", 0);
}

static void test_backlog_full(Fixture *f, gconstpointer data) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        gint64 begin;
        int fds[64];
        unsigned n;

        f->host->mode = HOST_IGNORES;
        g_strlcpy(address.sun_path, f->host->path, sizeof(address.sun_path));
        for (n = 0; n < G_N_ELEMENTS(fds); n++) {
                fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                g_assert_cmpint(fds[n], >=, 0);
                if (connect(fds[n], (struct sockaddr *) &address, sizeof(address)) < 0)
                        break;
        }
        g_assert_cmpuint(n, <, G_N_ELEMENTS(fds));
        g_assert_cmpint(errno, ==, EAGAIN);

        begin = g_get_monotonic_time();
        assert_ends(f, REFUSAL_BACKEND_UNAVAILABLE, false, "Nobody takes the connections");
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 1000 * MSEC);

        for (unsigned i = 0; i <= n; i++)
                (void) close(fds[i]);
}

static void test_no_authentication(Fixture *f, gconstpointer data) {
        set_up_peer(f, SHORT_DEADLINE, 1);
        f->host->mode = HOST_IS_SILENT;
        assert_ends(f, REFUSAL_TIMEOUT, false, "did not begin create-node within 0.1 s");
        f->host->mode = HOST_IGNORES;
        assert_ends(f, REFUSAL_TIMEOUT, false, "did not begin create-node within 0.1 s");
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_hang_up_at_once(Fixture *f, gconstpointer data) {
        f->host->mode = HOST_HANGS_UP;
        assert_ends(f, REFUSAL_BACKEND_UNAVAILABLE, false, "ended before it began create-node");
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
        f->host->mode = HOST_SERVES;
        assert_succeeds(f);
}

static unsigned seen_tag(Fixture *f, unsigned i) {
        g_autofree char *log = fake_log(f->host->root);
        g_auto(GStrv) lines = g_strsplit(log, "\n", 0);
        unsigned tag, of_node;

        g_assert_cmpuint(i, <, g_strv_length(lines));
        g_assert_cmpint(sscanf(lines[i], "delete-port iqn.2024-01.org.example:disk-%u %u", &of_node, &tag), ==, 2);
        g_assert_cmpuint(tag, ==, of_node);
        return tag;
}

static void test_parallel(Fixture *f, gconstpointer data) {
        Answer answers[20] = {};
        unsigned first = 0;

        plan(f, "* wait");
        for (uint16_t i = 0; i < 20; i++)
                start_tag(f, i, &answers[i]);

        /* The first four are at work, in whatever order their processes began. */
        wait_for(f, n_seen(f) == 4);
        run_idle(f, 50);
        g_assert_cmpuint(n_seen(f), ==, 4);
        for (unsigned i = 0; i < 4; i++)
                first |= 1u << seen_tag(f, i);
        g_assert_cmphex(first, ==, 0xf);

        /* Each one that ends makes room for exactly the next. */
        for (unsigned i = 0; i < 20; i++) {
                unsigned n = MIN(20, i + 5);

                fake_release(f->host->root, i + 1);
                wait_for(f, answers[i].n == 1 && n_seen(f) == n);
                g_assert_cmpint(answers[i].refusal, ==, REFUSAL_NONE);
                if (i + 4 < 20)
                        g_assert_cmpuint(seen_tag(f, i + 4), ==, i + 4);
                g_assert_cmpuint(f->host->n_workers, <=, 4);
        }

        g_assert_cmpuint(f->host->n_accepted, ==, 4);
        g_assert_cmpuint(f->host->n_workers_max, ==, 4);

        /* One worker is kept. */
        wait_for(f, f->host->n_workers == 1);
        run_idle(f, 50);
        g_assert_cmpuint(f->host->n_workers, ==, 1);
        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 4);
}

static void test_fifo(Fixture *f, gconstpointer data) {
        Answer answers[50] = {};

        set_up_peer(f, LONG_DEADLINE, 1);
        for (uint16_t i = 0; i < 50; i++)
                start_tag(f, i, &answers[i]);
        wait_for(f, answers[49].n > 0);
        for (uint16_t i = 0; i < 50; i++) {
                g_assert_cmpuint(seen_tag(f, i), ==, i);
                g_assert_cmpuint(answers[i].n, ==, 1);
                g_assert_cmpuint(answers[i].turn, ==, answers[0].turn + i);
        }
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_cancel(Fixture *f, gconstpointer data) {
        Answer sent = {}, waiting = {}, last = {}, silent = {};

        set_up_peer(f, LONG_DEADLINE, 1);
        plan(f, "* wait");
        start_tag(f, 0, &sent);
        start_tag(f, 1, &waiting);
        start_tag(f, 2, &last);
        wait_for(f, n_seen(f) == 1);
        g_assert_null(backend_call_cancel(sent.call));
        g_assert_null(backend_call_cancel(waiting.call));
        g_assert_null(backend_call_cancel(NULL));

        /* The verbs go on, and the connection with them. */
        fake_release(f->host->root, 3);
        wait_for(f, last.n > 0);
        g_assert_cmpuint(n_seen(f), ==, 3);
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
        g_assert_cmpuint(sent.n, ==, 0);
        g_assert_cmpuint(waiting.n, ==, 0);

        /* A cancelled call keeps its deadline: its place comes free. */
        set_up_peer(f, 500 * MSEC, 1);
        f->host->mode = HOST_IS_SILENT;
        start_tag(f, 4, &silent);
        wait_for(f, f->host->n_accepted == 2);
        g_assert_null(backend_call_cancel(silent.call));
        f->host->mode = HOST_SERVES;
        start_tag(f, 2, &last);
        wait_for(f, last.n == 2);
        g_assert_cmpint(last.refusal, ==, REFUSAL_NONE);
        g_assert_cmpuint(silent.n, ==, 0);
}

static void then_cancel_both(Answer *a) {
        a->call = backend_call_cancel(a->call);
        a->other->call = backend_call_cancel(a->other->call);
}

static void then_start_other(Answer *a) {
        start(a->fixture, &create_node, a->other);
}

static void then_free_backend(Answer *a) {
        a->fixture->backend = backend_free(a->fixture->backend);
}

static void then_exit(Answer *a) {
        g_assert_cmpint(sd_event_exit(a->fixture->event, 0), >=, 0);
}

static void test_cancel_in_callback(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = { .then = then_cancel_both }, b = {}, c = {};

        set_up_peer(f, LONG_DEADLINE, 1);
        a.other = &b;
        start_tag(f, 0, &a);
        start_tag(f, 1, &b);
        start_tag(f, 2, &c);
        wait_for(f, c.n > 0);
        g_assert_cmpuint(a.n, ==, 1);
        g_assert_cmpuint(b.n, ==, 0);
        g_assert_cmpuint(n_seen(f), ==, 3);
}

static void test_call_in_callback(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = { .then = then_start_other }, b = { .then = then_start_other }, c = {};

        set_up_peer(f, 500 * MSEC, 1);
        a.other = &b;
        b.other = &c;
        plan(f, "* crash-before");
        start(f, &create_node, &a);
        wait_for(f, a.n > 0);
        plan(f, "* hang");
        wait_for(f, b.n > 0);
        plan(f, "");
        wait_for(f, c.n > 0);
        g_assert_cmpint(a.refusal, ==, REFUSAL_BACKEND_UNAVAILABLE);
        g_assert_cmpint(b.refusal, ==, REFUSAL_TIMEOUT);
        g_assert_cmpint(c.refusal, ==, REFUSAL_NONE);
}

/* Frees the backend while one call is under way in the given manner, another waits, and maybe a worker is idle. */
static void free_at(Fixture *f, HostMode mode, const char *behaviour, unsigned max_workers) {
        static uint16_t tag; /* a worker that hangs keeps its node locked */
        Answer a = {}, b = {};
        unsigned n_accepted = f->host->n_accepted, n_before = n_seen(f);
        gint64 begin;

        set_up_peer(f, LONG_DEADLINE, max_workers);
        f->host->mode = mode;
        plan(f, behaviour);
        start_tag(f, tag++, &a);
        if (mode == HOST_SERVES)
                wait_for(f, n_seen(f) > n_before);
        else if (mode == HOST_IS_SILENT)
                wait_for(f, f->host->n_accepted > n_accepted);
        start_tag(f, tag++, &b);

        begin = g_get_monotonic_time();
        f->backend = backend_free(f->backend);
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 1000 * MSEC);
        f->host->mode = HOST_SERVES;
        plan(f, "");
        run_idle(f, 30);
        g_assert_cmpuint(a.n, ==, 0);
        g_assert_cmpuint(b.n, ==, 0);
}

static void test_free(Fixture *f, gconstpointer data) {
        /* unused */
        f->backend = backend_free(f->backend);
        g_assert_null(backend_free(NULL));

        free_at(f, HOST_IGNORES, "", 1); /* both wait */
        g_assert_cmpint(sd_event_source_set_enabled(f->host->accept, SD_EVENT_ON), >=, 0);
        free_at(f, HOST_IS_SILENT, "", 1); /* authenticates */
        free_at(f, HOST_IS_SILENT, "", 2);
        free_at(f, HOST_SERVES, "* hang-forever", 1); /* sent */
        free_at(f, HOST_SERVES, "* hang-forever", 2);
        free_at(f, HOST_SERVES, "* crash-before", 1); /* hung up, not noticed yet */

        /* idle */
        set_up_peer(f, LONG_DEADLINE, 2);
        assert_succeeds(f);
        f->backend = backend_free(f->backend);
        run_idle(f, 30);

        /* idle and hung up, not noticed yet */
        set_up_peer(f, LONG_DEADLINE, 2);
        assert_succeeds(f);
        for (unsigned i = 0; i < f->host->n_workers; i++)
                g_assert_no_errno(kill(f->host->workers[i], SIGKILL));
        f->backend = backend_free(f->backend);
        wait_for(f, f->host->n_workers == 0);
}

static void free_in_callback(Fixture *f, HostMode mode, const char *behaviour, Refusal refusal) {
        _cleanup_(answer_done) Answer a = { .then = then_free_backend }, b = {};

        set_up_peer(f, refusal == REFUSAL_TIMEOUT ? SHORT_DEADLINE : LONG_DEADLINE, 1);
        f->host->mode = mode;
        plan(f, behaviour);
        start(f, &create_node, &a);
        start(f, &create_node, &b);
        wait_for(f, !f->backend);
        run_idle(f, 30);
        g_assert_cmpuint(a.n, ==, 1);
        g_assert_cmpint(a.refusal, ==, refusal);
        g_assert_cmpuint(b.n, ==, 0);
}

static void test_free_in_callback(Fixture *f, gconstpointer data) {
        g_autofree char *away = g_strconcat(f->host->path, "-away", NULL);

        free_in_callback(f, HOST_SERVES, "", REFUSAL_NONE);
        free_in_callback(f, HOST_SERVES, "* fail Busy", REFUSAL_BUSY);
        free_in_callback(f, HOST_SERVES, "* garbage", REFUSAL_UNSPECIFIED);
        free_in_callback(f, HOST_SERVES, "Apply noise", REFUSAL_BACKEND_UNAVAILABLE);
        free_in_callback(f, HOST_SERVES, "* crash-before", REFUSAL_BACKEND_UNAVAILABLE);
        free_in_callback(f, HOST_HANGS_UP, "", REFUSAL_BACKEND_UNAVAILABLE);
        free_in_callback(f, HOST_SERVES, "* hang-forever", REFUSAL_TIMEOUT);
        free_in_callback(f, HOST_IS_SILENT, "", REFUSAL_TIMEOUT);

        g_assert_no_errno(rename(f->host->path, away));
        free_in_callback(f, HOST_SERVES, "", REFUSAL_BACKEND_UNAVAILABLE);
        g_assert_no_errno(rename(away, f->host->path));
}

/* The end of the event loop waits for no worker either. */
static void test_exit(Fixture *f, gconstpointer data) {
        Answer silent = {}, last = { .then = then_exit };
        gint64 begin;

        f->host->mode = HOST_IS_SILENT;
        start(f, &create_node, &silent);
        wait_for(f, f->host->n_accepted == 1);
        f->host->mode = HOST_SERVES;
        start(f, &create_node, &last);

        begin = g_get_monotonic_time();
        g_assert_cmpint(sd_event_loop(f->event), ==, 0);
        f->backend = backend_free(f->backend);
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 2000 * MSEC);
        g_assert_cmpint(last.refusal, ==, REFUSAL_NONE);
        g_assert_cmpuint(silent.n, ==, 0);
}

int main(int argc, char *argv[]) {
        sigset_t chld;

        g_test_init(&argc, &argv, NULL);
        g_assert_no_errno(sigemptyset(&chld));
        g_assert_no_errno(sigaddset(&chld, SIGCHLD));
        g_assert_no_errno(sigprocmask(SIG_BLOCK, &chld, NULL));

#define ADD(name, function) g_test_add("/backend/workers/" name, Fixture, NULL, set_up, function, tear_down)
        ADD("arguments", test_arguments);
        ADD("hang", test_hang);
        ADD("hang-does-not-hinder", test_hang_does_not_hinder);
        ADD("hang-frees-its-place", test_hang_frees_its_place);
        ADD("deadline-begins-with-sending", test_deadline_begins_with_sending);
        ADD("answer-goes-before-deadline", test_answer_goes_before_deadline);
        ADD("crash", test_crash);
        ADD("crash-while-idle", test_crash_while_idle);
        ADD("crash-unnoticed", test_crash_unnoticed);
        ADD("crash-beside-another", test_crash_beside_another);
        ADD("crash-before-sending", test_crash_before_sending);
        ADD("idle-beyond-deadline", test_idle_beyond_deadline);
        ADD("one-call-workers", test_one_call_workers);
        g_test_add("/backend/workers/odd-name", Fixture, NULL, set_up_odd_name, test_odd_name, tear_down);
        ADD("absent", test_absent);
        ADD("refused", test_refused);
        g_test_add("/backend/workers/backlog-full", Fixture, NULL, set_up_short_backlog, test_backlog_full, tear_down);
        ADD("no-authentication", test_no_authentication);
        ADD("hang-up-at-once", test_hang_up_at_once);
        ADD("parallel", test_parallel);
        ADD("fifo", test_fifo);
        ADD("cancel", test_cancel);
        ADD("cancel-in-callback", test_cancel_in_callback);
        ADD("call-in-callback", test_call_in_callback);
        ADD("free", test_free);
        ADD("free-in-callback", test_free_in_callback);
        ADD("exit", test_exit);

        return g_test_run();
}
