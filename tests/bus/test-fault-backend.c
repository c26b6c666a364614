/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* fault-backend, started for each connection by systemd-socket-activate, and the service's client of it. */

#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"

#define MSEC UINT64_C(1000)
#define NODE "iqn.2024-01.org.example:disk"
#define OTHER "iqn.2024-01.org.example:tape"

typedef struct Fixture {
        sd_event *event;
        Backend *backend;
        char *directory, *state, *socket;
        GPid activator;
} Fixture;

typedef struct Answer {
        unsigned n;
        Refusal refusal;
        char *message;
        bool outcome_unknown;
        Observation observation;
} Answer;

static Answer last;

static void forget(void) {
        g_free(last.message);
        observation_done(&last.observation);
        last = (Answer){};
}

static void on_answer(const BackendResult *result, void *userdata) {
        forget();
        last.n = 1;
        last.refusal = result->refusal;
        last.message = g_strdup(result->message);
        last.outcome_unknown = result->outcome_unknown;
        if (result->observation) {
                last.observation = *result->observation;
                *result->observation = (Observation){};
        }
}

static void die_with_parent(gpointer userdata) {
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* The socket's file is there a moment before anybody listens. */
static gboolean can_connect(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        gboolean connected;
        int fd;

        g_assert_cmpuint(g_strlcpy(address.sun_path, path, sizeof(address.sun_path)), <, sizeof(address.sun_path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        connected = connect(fd, (struct sockaddr *) &address, sizeof(address)) >= 0;
        (void) close(fd);

        return connected;
}

static void set_up(Fixture *f, gconstpointer data) {
        g_autoptr(GError) error = NULL;
        g_autofree char *setting = NULL;
        const char *program = g_getenv("FAULT_BACKEND");

        g_assert_nonnull(program);
        f->directory = g_dir_make_tmp("test-fault-backend-XXXXXX", &error);
        g_assert_no_error(error);
        f->state = g_build_filename(f->directory, "state", NULL);
        f->socket = g_build_filename(f->directory, "socket", NULL);
        g_assert_no_errno(g_mkdir(f->state, 0700));
        setting = g_strconcat("FAULT_STATE=", f->state, NULL);

        g_spawn_async(NULL,
                      (char *[]){ (char *) "systemd-socket-activate", (char *) "--accept", (char *) "-l", f->socket,
                                  (char *) "-E", setting, (char *) program, NULL },
                      NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &f->activator, &error);
        g_assert_no_error(error);

        for (unsigned i = 0; !can_connect(f->socket); i++) {
                g_assert_cmpuint(i, <, 4000);
                g_usleep(5 * MSEC);
        }

        g_assert_cmpint(sd_event_new(&f->event), >=, 0);
        g_assert_cmpint(backend_new_peer(f->event, "fault", f->socket, 5000 * MSEC, 2, true, &f->backend), ==, 0);
}

static void remove_all(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *below = g_build_filename(path, name, NULL);

                remove_all(below);
        }
        g_assert_no_errno(g_remove(path));
}

static void tear_down(Fixture *f, gconstpointer data) {
        forget();
        f->backend = backend_free(f->backend);
        f->event = sd_event_unref(f->event);

        g_assert_no_errno(kill(f->activator, SIGTERM));
        g_assert_cmpint(waitpid(f->activator, NULL, 0), ==, f->activator);
        g_spawn_close_pid(f->activator);
        remove_all(f->directory);
        g_free(f->directory);
        g_free(f->state);
        g_free(f->socket);
}

static char *read_state(Fixture *f, const char *file) {
        g_autofree char *path = g_build_filename(f->state, file, NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("(absent)");
}

static void assert_state(Fixture *f, const char *file, const char *expected) {
        g_autofree char *text = read_state(f, file);

        g_assert_cmpstr(text, ==, expected);
}

static void write_state(Fixture *f, const char *file, const char *text) {
        g_autofree char *path = g_build_filename(f->state, file, NULL);
        g_autoptr(GError) error = NULL;

        g_file_set_contents(path, text, -1, &error);
        g_assert_no_error(error);
}

static void assert_port(Fixture *f, const char *enabled, const char *portals) {
        assert_state(f, "nodes/" NODE "/1/enabled", enabled);
        assert_state(f, "nodes/" NODE "/1/portals", portals);
}

#define ABSENT "(absent)", "(absent)"

/* As assert_port(), of what a worker does that nobody waits for any more. */
static void wait_for_port(Fixture *f, const char *enabled, const char *portals) {
        for (unsigned i = 0; i < 2000; i++) {
                g_autofree char *now = read_state(f, "nodes/" NODE "/1/enabled");

                if (g_str_equal(now, enabled))
                        break;
                g_usleep(5 * MSEC);
        }

        assert_port(f, enabled, portals);
}

/* PORTALS: separated by blanks. */
static void call_on(Fixture *f, BackendVerb verb, const char *node, uint16_t tag, const char *portals, Refusal expected) {
        g_auto(GStrv) texts = g_strsplit(portals, " ", 0);
        Portal array[8];
        size_t n;

        forget();
        for (n = 0; texts[n]; n++)
                g_assert_cmpint(portal_from_text(texts[n], &array[n]), ==, 0);

        g_assert_cmpint(backend_call(f->backend, &(BackendRequest){ verb, node, tag, array, n }, on_answer, NULL, NULL), ==, 0);
        while (!last.n)
                g_assert_cmpint(sd_event_run(f->event, UINT64_MAX), >=, 0);

        if (last.refusal != expected)
                g_error("%s ended as %s: %s", backend_verb_name(verb),
                        last.refusal ? refusal_error_name(last.refusal) : "success", last.message ?: "");
}

static void call(Fixture *f, BackendVerb verb, const char *portals, Refusal expected) {
        call_on(f, verb, NODE, 1, portals, expected);
}

static void test_verbs(Fixture *f, gconstpointer data) {
        call(f, BACKEND_CHECK_SESSIONS, "", REFUSAL_NONE);
        call(f, BACKEND_DELETE_NODE, "", REFUSAL_NONE);
        call(f, BACKEND_CREATE_NODE, "", REFUSAL_NONE);
        call(f, BACKEND_CREATE_NODE, "", REFUSAL_NONE);
        call(f, BACKEND_UNDO_TARGET_PORT, "10.0.0.1:3260", REFUSAL_NONE);
        call(f, BACKEND_BIND_PORTAL, "10.0.0.1:3260", REFUSAL_ENDPOINT_NON_EXISTENT);
        call(f, BACKEND_UNBIND_PORTAL, "10.0.0.1:3260", REFUSAL_NONE);
        call(f, BACKEND_DELETE_TARGET_PORT, "", REFUSAL_NONE);

        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260 [fe80::1%eth0]:3261", REFUSAL_NONE);
        assert_port(f, "1\n", "10.0.0.1:3260\n[fe80::1%eth0]:3261\n");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.2:3260", REFUSAL_IDENTIFIER_IN_USE);
        call_on(f, BACKEND_CREATE_TARGET_PORT, NODE, 2, "10.0.0.2:3260 10.0.0.1:3260", REFUSAL_TCP_IN_USE);
        assert_state(f, "nodes/" NODE "/2/enabled", "(absent)");
        call_on(f, BACKEND_CREATE_TARGET_PORT, OTHER, 1, "10.0.0.1:3260", REFUSAL_NONE);
        call_on(f, BACKEND_CREATE_TARGET_PORT, NODE, 2, "10.0.0.2:3260", REFUSAL_NONE);

        call(f, BACKEND_BIND_PORTAL, "10.0.0.2:3260", REFUSAL_TCP_IN_USE);
        call(f, BACKEND_BIND_PORTAL, "10.0.0.3:3260", REFUSAL_NONE);
        call(f, BACKEND_BIND_PORTAL, "10.0.0.3:3260", REFUSAL_NONE);
        call(f, BACKEND_UNBIND_PORTAL, "10.0.0.1:3260", REFUSAL_NONE);
        call(f, BACKEND_UNBIND_PORTAL, "10.0.0.1:3260", REFUSAL_NONE);
        assert_port(f, "1\n", "[fe80::1%eth0]:3261\n10.0.0.3:3260\n");

        /* Undo spares what has more in it than the call that it undoes could have made. */
        call(f, BACKEND_UNDO_TARGET_PORT, "10.0.0.3:3260", REFUSAL_NONE);
        assert_port(f, "1\n", "[fe80::1%eth0]:3261\n10.0.0.3:3260\n");
        write_state(f, "nodes/" NODE "/1/sessions", "1\n");
        call(f, BACKEND_UNDO_TARGET_PORT, "10.0.0.3:3260 [fe80::1%eth0]:3261", REFUSAL_NONE);
        assert_port(f, "1\n", "[fe80::1%eth0]:3261\n10.0.0.3:3260\n");
        call(f, BACKEND_DELETE_TARGET_PORT, "", REFUSAL_SESSIONS_ACTIVE);
        call(f, BACKEND_CHECK_SESSIONS, "", REFUSAL_SESSIONS_ACTIVE);
        call_on(f, BACKEND_CHECK_SESSIONS, OTHER, 0, "", REFUSAL_NONE);
        write_state(f, "nodes/" NODE "/1/sessions", "0\n");
        call(f, BACKEND_CHECK_SESSIONS, "", REFUSAL_NONE);
        call(f, BACKEND_UNDO_TARGET_PORT, "10.0.0.4:1 10.0.0.3:3260 [fe80::1%eth0]:3261", REFUSAL_NONE);
        assert_port(f, ABSENT);

        call(f, BACKEND_DELETE_NODE, "", REFUSAL_FAILED);
        call_on(f, BACKEND_DELETE_TARGET_PORT, NODE, 2, "", REFUSAL_NONE);
        call(f, BACKEND_DELETE_NODE, "", REFUSAL_NONE);
        call(f, BACKEND_OBSERVE, "", REFUSAL_NONE);
        g_assert_cmpuint(last.observation.n_nodes, ==, 1);
        g_assert_cmpstr(last.observation.nodes[0].name, ==, OTHER);
}

static void test_restore(Fixture *f, gconstpointer data) {
        call(f, BACKEND_RESTORE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_NONE);
        assert_port(f, "1\n", "10.0.0.1:3260\n");

        write_state(f, "nodes/" NODE "/1/enabled", "0\n");
        write_state(f, "nodes/" NODE "/1/portals", "10.0.0.9:3260\n10.0.0.1:3260 deaf\n");
        write_state(f, "nodes/" NODE "/1/sessions", "1\n");
        call(f, BACKEND_RESTORE_TARGET_PORT, "10.0.0.1:3260 [::1]:860", REFUSAL_NONE);
        assert_port(f, "1\n", "10.0.0.9:3260\n10.0.0.1:3260\n[::1]:860\n");
        assert_state(f, "nodes/" NODE "/1/sessions", "1\n");

        call_on(f, BACKEND_RESTORE_TARGET_PORT, NODE, 2, "[::1]:860", REFUSAL_TCP_IN_USE);
}

static void test_observe(Fixture *f, gconstpointer data) {
        const Observation *o = &last.observation;
        char buf[PORTAL_TEXT_MAX];

        call(f, BACKEND_OBSERVE, "", REFUSAL_NONE);
        g_assert_cmpuint(o->n_nodes, ==, 0);

        call(f, BACKEND_CREATE_NODE, "", REFUSAL_NONE);
        call_on(f, BACKEND_CREATE_TARGET_PORT, OTHER, 10, "10.0.0.1:3260", REFUSAL_NONE);
        call_on(f, BACKEND_CREATE_TARGET_PORT, OTHER, 9, "[fe80::1%eth0]:3261 10.0.0.2:3260", REFUSAL_NONE);
        write_state(f, "nodes/" OTHER "/9/portals", "[fe80::1%eth0]:3261\n10.0.0.2:3260 deaf\n");
        write_state(f, "nodes/" OTHER "/10/enabled", "0");

        call(f, BACKEND_OBSERVE, "", REFUSAL_NONE);
        g_assert_cmpuint(o->n_nodes, ==, 2);
        g_assert_cmpstr(o->nodes[0].name, ==, NODE);
        g_assert_cmpuint(o->nodes[0].n_ports, ==, 0);
        g_assert_cmpstr(o->nodes[1].name, ==, OTHER);
        g_assert_cmpuint(o->nodes[1].n_ports, ==, 2);
        g_assert_cmpuint(o->nodes[1].ports[0].tag, ==, 9);
        g_assert_true(o->nodes[1].ports[0].enabled);
        g_assert_cmpuint(o->nodes[1].ports[0].n_portals, ==, 2);
        g_assert_cmpstr(portal_to_text(&o->nodes[1].ports[0].portals[0].portal, buf), ==, "[fe80::1%eth0]:3261");
        g_assert_true(o->nodes[1].ports[0].portals[0].listening);
        g_assert_cmpstr(portal_to_text(&o->nodes[1].ports[0].portals[1].portal, buf), ==, "10.0.0.2:3260");
        g_assert_false(o->nodes[1].ports[0].portals[1].listening);
        g_assert_cmpuint(o->nodes[1].ports[1].tag, ==, 10);
        g_assert_false(o->nodes[1].ports[1].enabled);
}

static void test_log(Fixture *f, gconstpointer data) {
        call(f, BACKEND_CREATE_NODE, "", REFUSAL_NONE);
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260 [::1]:860", REFUSAL_NONE);
        write_state(f, "plan", "* fail Busy");
        call(f, BACKEND_BIND_PORTAL, "10.0.0.2:3260", REFUSAL_BUSY);
        call(f, BACKEND_DELETE_TARGET_PORT, "", REFUSAL_BUSY);
        call(f, BACKEND_OBSERVE, "", REFUSAL_BUSY);

        assert_state(f, "log",
                     "CreateNode " NODE "\n"
                     "CreateTargetPort " NODE " 1 10.0.0.1:3260 [::1]:860\n"
                     "BindPortal " NODE " 1 10.0.0.2:3260\n"
                     "DeleteTargetPort " NODE " 1\n"
                     "Observe\n");
}

static void test_invalid(Fixture *f, gconstpointer data) {
        static const char *const names[] = { "", "a/b", "..", "a b" };

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                call_on(f, BACKEND_CREATE_NODE, names[i], 0, "", REFUSAL_INVALID_PARAMETER);

        call(f, BACKEND_OBSERVE, "", REFUSAL_NONE);
        g_assert_cmpuint(last.observation.n_nodes, ==, 0);
}

static void test_plan_errors(Fixture *f, gconstpointer data) {
        write_state(f, "plan",
                    "# a comment\n\n"
                    "DeleteNode fail Busy not this one\n"
                    "once CreateTargetPort fail AddressInUse tgtd has it\n"
                    "once CreateTargetPort unknown-error\n"
                    "CreateTargetPort fail PortalShadowed\n"
                    "CreateTargetPort fail AddressOverlap never\n");

        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_ADDRESS_IN_USE);
        g_assert_cmpstr(last.message, ==, "tgtd has it");
        assert_state(f, "plan",
                     "# a comment\n\n"
                     "DeleteNode fail Busy not this one\n"
                     "once CreateTargetPort unknown-error\n"
                     "CreateTargetPort fail PortalShadowed\n"
                     "CreateTargetPort fail AddressOverlap never\n");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_UNSPECIFIED);
        g_assert_false(last.outcome_unknown);
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_PORTAL_SHADOWED);
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_PORTAL_SHADOWED);
        assert_port(f, ABSENT);

        write_state(f, "plan", "CreateTargetPort fail-half Degraded a part is left");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_DEGRADED);
        assert_port(f, "0\n", "10.0.0.1:3260\n");
}

static void test_plan_crashes(Fixture *f, gconstpointer data) {
        write_state(f, "plan", "once * crash-before\nonce * crash-half\n");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_BACKEND_UNAVAILABLE);
        g_assert_true(last.outcome_unknown);
        assert_port(f, ABSENT);
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_BACKEND_UNAVAILABLE);
        g_assert_true(last.outcome_unknown);
        assert_port(f, "0\n", "10.0.0.1:3260\n");
        call(f, BACKEND_UNDO_TARGET_PORT, "10.0.0.1:3260", REFUSAL_NONE);
        assert_port(f, ABSENT);

        write_state(f, "plan", "* crash-after");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_BACKEND_UNAVAILABLE);
        assert_port(f, "1\n", "10.0.0.1:3260\n");

        write_state(f, "plan", "* crash-half");
        call(f, BACKEND_BIND_PORTAL, "10.0.0.2:3260", REFUSAL_BACKEND_UNAVAILABLE);
        assert_port(f, "1\n", "10.0.0.1:3260\n10.0.0.2:3260 deaf\n");
        call(f, BACKEND_UNBIND_PORTAL, "10.0.0.1:3260", REFUSAL_BACKEND_UNAVAILABLE);
        assert_port(f, "1\n", "10.0.0.1:3260\n10.0.0.2:3260 deaf\n");
        call(f, BACKEND_DELETE_TARGET_PORT, "", REFUSAL_BACKEND_UNAVAILABLE);
        assert_port(f, "0\n", "");
        call_on(f, BACKEND_CREATE_NODE, OTHER, 0, "", REFUSAL_BACKEND_UNAVAILABLE);
        call_on(f, BACKEND_RESTORE_TARGET_PORT, NODE, 1, "10.0.0.1:3260", REFUSAL_BACKEND_UNAVAILABLE);
        assert_port(f, "0\n", "10.0.0.1:3260\n");
        write_state(f, "plan", "");
        call(f, BACKEND_OBSERVE, "", REFUSAL_NONE);
        g_assert_cmpuint(last.observation.n_nodes, ==, 1);
}

static void test_plan_hangs(Fixture *f, gconstpointer data) {
        f->backend = backend_free(f->backend);
        g_assert_cmpint(backend_new_peer(f->event, "fault", f->socket, 1000 * MSEC, 2, true, &f->backend), ==, 0);

        write_state(f, "plan", "once * hang\nonce * hang-half\n");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_TIMEOUT);
        assert_port(f, ABSENT);
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_TIMEOUT);
        g_assert_true(last.outcome_unknown);
        wait_for_port(f, "0\n", "10.0.0.1:3260\n");

        write_state(f, "plan", "once * hang-after");
        call(f, BACKEND_RESTORE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_TIMEOUT);
        wait_for_port(f, "1\n", "10.0.0.1:3260\n");
}

static void test_plan_slow(Fixture *f, gconstpointer data) {
        gint64 begin = g_get_monotonic_time();

        write_state(f, "plan", "once * slow 200");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_NONE);
        g_assert_cmpint(g_get_monotonic_time() - begin, >=, 200 * MSEC);
        assert_port(f, "1\n", "10.0.0.1:3260\n");

        /* A peer that hangs up takes its call back. */
        f->backend = backend_free(f->backend);
        g_assert_cmpint(backend_new_peer(f->event, "fault", f->socket, 200 * MSEC, 2, true, &f->backend), ==, 0);
        write_state(f, "plan", "once * slow 600");
        call(f, BACKEND_DELETE_TARGET_PORT, "", REFUSAL_TIMEOUT);
        g_usleep(600 * MSEC);
        assert_port(f, "1\n", "10.0.0.1:3260\n");
}

static void test_plan_lies(Fixture *f, gconstpointer data) {
        write_state(f, "plan", "CreateTargetPort lie\nObserve lie");
        call(f, BACKEND_CREATE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_NONE);
        assert_port(f, ABSENT);
        call(f, BACKEND_RESTORE_TARGET_PORT, "10.0.0.1:3260", REFUSAL_NONE);
        call(f, BACKEND_OBSERVE, "", REFUSAL_NONE);
        g_assert_cmpuint(last.observation.n_nodes, ==, 0);

        write_state(f, "plan", "* garbage");
        call(f, BACKEND_DELETE_TARGET_PORT, "", REFUSAL_UNSPECIFIED);
        g_assert_true(last.outcome_unknown);
        assert_port(f, ABSENT);
        call(f, BACKEND_OBSERVE, "", REFUSAL_UNSPECIFIED);
        g_assert_true(last.outcome_unknown);
}

/* A test that is wrong is told so, instead of having a call pass that it meant to fail. */
static void test_bad_plan(Fixture *f, gconstpointer data) {
        static const char *const plans[] = { "CreateNode",        "once CreateNode",    "CreateNode fail",  "CreateNode slow",
                                             "CreateNode slow x", "CreateNode explode", "CreateNode hang 5" };

        for (size_t i = 0; i < G_N_ELEMENTS(plans); i++) {
                write_state(f, "plan", plans[i]);
                call(f, BACKEND_CREATE_NODE, "", REFUSAL_BACKEND_UNAVAILABLE);
        }
}

int main(int argc, char *argv[]) {
        g_autofree char *activate = g_find_program_in_path("systemd-socket-activate");

        g_test_init(&argc, &argv, NULL);
        if (!activate) {
                g_print("1..0 # SKIP systemd-socket-activate, which starts the worker, is not installed\n");
                return 0;
        }

#define ADD(name, function) g_test_add("/fault-backend/" name, Fixture, NULL, set_up, function, tear_down)
        ADD("verbs", test_verbs);
        ADD("restore", test_restore);
        ADD("observe", test_observe);
        ADD("log", test_log);
        ADD("invalid", test_invalid);
        ADD("plan-errors", test_plan_errors);
        ADD("plan-crashes", test_plan_crashes);
        ADD("plan-hangs", test_plan_hangs);
        ADD("plan-slow", test_plan_slow);
        ADD("plan-lies", test_plan_lies);
        ADD("bad-plan", test_bad_plan);

        return g_test_run();
}
