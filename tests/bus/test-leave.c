/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Callers that leave the bus, at each moment of a change: what has not begun is not done, what has begun is done to its end, and
 * nothing of them is left behind. */

#include "bus-view.h"
#include "concurrent.h"
#include "fault-control.h"
#include "scripted-authority.h"

#include <signal.h>
#include <string.h>

#define NODE "iqn.2026-11.org.example:a"
#define PORTALS 4u

typedef struct World {
        Service *service;
        sd_bus *root;
        ScriptedAuthority *authority;
        char *node;
        char *portals[PORTALS]; /* 127.0.0.1:3261 and so on */
} World;

static void world_open(World *w, Answer answer) {
        *w = (World){ .service = service_new("--backend-deadline=60", NULL) };
        service_use_fault_backend(w->service);
        w->authority = scripted_authority_new(answer);
        service_start(w->service);
        w->root = caller_new("root");
        w->node = create_node(w->root, NODE);

        for (unsigned i = 0; i < PORTALS; i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;

                w->portals[i] = call_for_path(w->root, &e, "CreateTCPProtocolEndpoint", "oqoa{sv}",
                                              ROOT_PATH "/ip/_3127_2e0_2e0_2e1", 3261 + i, DEFAULT_GROUP, 0);
                g_assert_nonnull(w->portals[i]);
        }
}

/* What the bus shows, what the backend has and what a restart finds are the same. */
static void world_close(World *w) {
        g_autofree char *before = view_objects(w->root), *after = NULL, *there = fault_memory(w->service), *log = NULL;
        g_autofree char *wanted = view_in_force(w->root);

        assert_same_text(there, wanted, "backend and bus");
        g_assert_cmpuint(w->authority->n_open, ==, 0);

        service_stop(w->service);
        service_start(w->service);
        after = view_objects(w->root);
        assert_same_text(before, after, "objects after a restart");

        scripted_authority_free(w->authority);
        caller_leave(w->root);
        service_stop(w->service);
        log = service_read_log(w->service);
        g_assert_null(strstr(log, "memory"));
        service_free(w->service);
        g_free(w->node);
        for (unsigned i = 0; i < PORTALS; i++)
                g_free(w->portals[i]);
}

/* A round trip through the service: what was sent to it before was received before. */
static void ping(World *w) {
        g_assert_cmpint(sd_bus_call_method(w->root, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, NULL),
                        >=, 0);
}

static bool log_has_left(void *userdata) {
        g_autofree char *log = service_read_log(userdata);

        return strstr(log, "the caller left");
}

static bool port_there(World *w, unsigned tag) {
        g_autofree char *path = port_path(NODE, tag);

        return object_exists(w->root, path);
}

static void assert_questions_free(World *w) {
        sd_bus *alice = caller_new("alice");
        Call *calls[8];

        w->authority->answer = ANSWER_LATER;
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
                calls[i] = call_start(message_new_create_node(alice, "iqn.2026-11.org.example:slots"));
        wait_for_open(w->authority, G_N_ELEMENTS(calls));
        answer_all(w->authority, ANSWER_NO);
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
                assert_call_fails(calls[i], "org.freedesktop.DBus.Error.AccessDenied", 0);
                call_free(calls[i]);
        }
        caller_leave(alice);
}

/* It is gone before the service has read its call. */
static void test_before_uid(void) {
        World w;

        world_open(&w, ANSWER_YES);
        for (unsigned i = 0; i < 20; i++) {
                g_autoptr(Call) c = NULL;
                sd_bus *caller;

                g_assert_cmpint(kill(w.service->pid, SIGSTOP), ==, 0);
                caller = caller_new(i % 2 ? "root" : "alice");
                c = call_start(message_new_create_port(caller, w.node, "", w.portals[0]));
                caller_leave(caller);
                g_assert_cmpint(kill(w.service->pid, SIGCONT), ==, 0);
                ping(&w);
        }
        loop_until(log_has_left, w.service);

        g_assert_cmpuint(w.authority->asked->len, ==, 0);
        g_assert_cmpuint(fault_log_count(w.service, "create-port"), ==, 0);
        g_assert_false(port_there(&w, 1));
        assert_questions_free(&w);
        world_close(&w);
}

/* At no certain moment: whatever becomes of each call, nothing comes to harm. */
static void test_at_once(void) {
        World w;

        world_open(&w, ANSWER_YES);
        for (unsigned i = 0; i < 40; i++) {
                sd_bus *caller = caller_new(i % 2 ? "root" : "alice");
                g_autoptr(Call) c = call_start(message_new_create_port(caller, w.node, "", w.portals[i % PORTALS]));

                if (i % 4 > 1)
                        loop_for(i % 8);
                caller_leave(caller);
        }

        /* Behind all of them in the node's queue. */
        {
                g_autoptr(Call) last = call_start(message_new(w.root, "DeleteiSCSINode", "o", w.node));

                assert_call_succeeds(last);
        }
        assert_questions_free(&w);
        world_close(&w);
}

/* While the question is open: it is withdrawn, and a late yes is no yes. */
static void test_while_asked(void) {
        World w;

        world_open(&w, ANSWER_LATER);
        for (int interactive = 0; interactive <= 1; interactive++) {
                sd_bus *alice = caller_new("alice");
                sd_bus_message *m = message_new_create_port(alice, w.node, "", w.portals[0]);
                g_autoptr(Call) c = interactive ? call_start_interactive(m) : call_start(m);

                wait_for_open(w.authority, 1);
                caller_leave(alice);
                wait_for_open(w.authority, 0);
                g_assert_true(last_asked(w.authority)->cancelled);
                asked_answer(w.authority, last_asked(w.authority), ANSWER_YES);
                loop_for(1);
                ping(&w);
        }

        g_assert_cmpuint(fault_log_count(w.service, "create-port"), ==, 0);
        g_assert_false(port_there(&w, 1));
        assert_questions_free(&w);
        world_close(&w);
}

/* After the grant, but while it waits behind another change of the node: root, whom nobody was asked about, as well. */
static void test_while_queued(void) {
        g_autoptr(Call) first = NULL, queued = NULL, root_queued = NULL, stays = NULL;
        sd_bus *alice, *root;
        World w;

        world_open(&w, ANSWER_YES);
        alice = caller_new("alice");
        root = caller_new("root");

        fault_plan(w.service, "once create-port hang");
        first = call_start(message_new_create_port(w.root, w.node, "000000000001", w.portals[0]));
        fault_wait_call(w.service, "create-port");
        queued = call_start(message_new_create_port(alice, w.node, "000000000002", w.portals[1]));
        wait_for_asked(w.authority, 1);
        root_queued = call_start(message_new_create_port(root, w.node, "000000000003", w.portals[2]));
        loop_for(50);
        ping(&w);
        stays = call_start(message_new_create_port(w.root, w.node, "000000000004", w.portals[3]));

        g_assert_null(first->reply);
        caller_leave(alice);
        caller_leave(root);
        g_assert_cmpuint(fault_kill_workers(w.service), ==, 1);
        assert_call_fails(first, "BackendUnavailable", 32773);
        assert_call_succeeds(stays);

        g_assert_cmpuint(fault_log_count(w.service, "create-port"), ==, 2);
        g_assert_false(port_there(&w, 2));
        g_assert_false(port_there(&w, 3));
        assert_questions_free(&w);
        world_close(&w);
}

static bool backend_works(void *userdata) {
        return fault_log_count(userdata, "create-port") > 0;
}

static bool all_nodes_busy(void *userdata) {
        return fault_log_count(userdata, "create-port") == 3;
}

static bool second_port_there(void *userdata) {
        return port_there(userdata, 2);
}

/* While the backend works: it is done to its end, and seen by all. */
static void test_while_working(void) {
        g_autoptr(Call) c = NULL;
        sd_bus *alice;
        World w;

        world_open(&w, ANSWER_YES);
        alice = caller_new("alice");
        fault_plan(w.service, "once create-port slow 500");
        c = call_start(message_new_create_port(alice, w.node, "000000000002", w.portals[1]));
        loop_until(backend_works, w.service);
        caller_leave(alice);
        g_assert_false(port_there(&w, 2));
        loop_until(second_port_there, &w);

        assert_questions_free(&w);
        world_close(&w);
}

/* Granted changes of several users wait for several nodes, more than dbus-daemon lets the service have matches (512), and their
 * callers leave. All this must be over before the first of them has waited for as long as it may. */
static void test_crowd(void) {
        enum { CALLERS = 6, CALLS = 100, BATCH = 5, NODES = 3 };
        g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func((GDestroyNotify) call_free);
        Call *first[NODES];
        sd_bus *callers[CALLERS];
        char *nodes[NODES];
        World w;

        world_open(&w, ANSWER_YES);
        fault_plan(w.service, "once create-port hang\nonce create-port hang\nonce create-port hang");
        for (unsigned i = 0; i < NODES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:crowd-%u", i);

                nodes[i] = create_node(w.root, name);
                first[i] = call_start(message_new_create_port(w.root, nodes[i], "000000000001", w.portals[0]));
        }
        loop_until(all_nodes_busy, w.service);

        for (unsigned i = 0; i < CALLERS; i++)
                callers[i] = caller_new_uid(70001 + (uid_t) i);
        for (unsigned k = 0; k < CALLS; k += BATCH) {
                for (unsigned i = 0; i < CALLERS; i++)
                        for (unsigned l = 0; l < BATCH; l++)
                                g_ptr_array_add(calls, call_start(message_new_create_port(callers[i], nodes[calls->len % NODES],
                                                                                          "", w.portals[1])));
                wait_for_asked(w.authority, calls->len);
        }

        ping(&w);
        for (unsigned i = 0; i < NODES; i++)
                g_assert_null(first[i]->reply); /* they all wait still */
        for (guint i = 0; i < calls->len; i++)
                g_assert_null(((Call *) calls->pdata[i])->reply);
        for (unsigned i = 0; i < CALLERS; i++)
                caller_leave(callers[i]);

        g_assert_cmpuint(fault_kill_workers(w.service), ==, NODES);
        for (unsigned i = 0; i < NODES; i++) {
                g_autoptr(Call) next = NULL;

                assert_call_fails(first[i], "BackendUnavailable", 32773);
                next = call_start(message_new_create_port(w.root, nodes[i], "000000000002", w.portals[1]));
                assert_call_succeeds(next);
                call_free(first[i]);
                g_free(nodes[i]);
        }
        g_assert_cmpuint(fault_log_count(w.service, "create-port"), ==, 2 * NODES);
        assert_questions_free(&w);
        world_close(&w);
}

/* SIGTERM while one works and others wait. What was saved is brought up by the next start. */
static void test_stopped(void) {
        g_autoptr(Call) works = NULL, waits = NULL, waits_too = NULL;
        g_autofree char *log = NULL;
        World w;

        world_open(&w, ANSWER_YES);
        fault_plan(w.service, "once create-port hang");
        works = call_start(message_new_create_port(w.root, w.node, "000000000001", w.portals[0]));
        fault_wait_call(w.service, "create-port");
        waits = call_start(message_new_create_port(w.root, w.node, "000000000002", w.portals[1]));
        waits_too = call_start(message_new_create_port(w.root, w.node, "000000000003", w.portals[2]));
        loop_for(50);
        ping(&w);

        service_stop(w.service);
        log = service_read_log(w.service);
        g_assert_null(strstr(log, "memory"));
        call_wait(works);
        call_wait(waits);
        call_wait(waits_too);
        g_assert_false(call_succeeded(works) || call_succeeded(waits) || call_succeeded(waits_too));

        service_start(w.service);
        g_assert_true(port_there(&w, 1));
        g_assert_false(port_there(&w, 2) || port_there(&w, 3));
        world_close(&w);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/leave/before-uid", test_before_uid);
        g_test_add_func("/leave/at-once", test_at_once);
        g_test_add_func("/leave/while-asked", test_while_asked);
        g_test_add_func("/leave/while-queued", test_while_queued);
        g_test_add_func("/leave/while-working", test_while_working);
        g_test_add_func("/leave/crowd", test_crowd);
        g_test_add_func("/leave/stopped", test_stopped);
        return g_test_run();
}
