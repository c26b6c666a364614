/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How long a change waits, and for how many of them there is room. These tests take as long as the deadlines of the service. */

#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "flush-control.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <string.h>

#define PER_USER 256u
#define PER_LOCK 256u
#define IN_ALL 1024u
#define RESERVE 128u

static const char base[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";

/* The disk does not come back: the change is answered after 24 s, and one that waits for its turn after 10 s. When the disk is
 * back the first is taken back, and a deletion is carried to its end. */
static void test_disk_hangs(void) {
        g_autofree char *port = port_path(BASE_NODE, 3), *new_node = node_path(NEW_NODE), *memory = NULL, *wanted = NULL;
        g_autoptr(Base) b = base_new();
        sd_bus *root = caller_new("root");
        Call *create, *delete, *waiting;
        gint64 end;

        service_stop(b->service);
        flush_control(b->service);
        service_start(b->service);
        g_usleep(1200000);
        flush_forget(b->service);

        flush_set_msec(b->service, 600000);
        create = call_start(message_new_create_node(root, NEW_NODE));
        delete = call_start(message_new(root, "DeleteiSCSIProtocolEndpoint", "o", port));
        loop_for(200);
        waiting = call_start(message_new(root, "DeleteiSCSINode", "o", base));

        assert_call_fails(waiting, "Busy", 32772);
        g_assert_cmpint(waiting->ended - waiting->started, >=, 9500000);
        g_assert_cmpint(waiting->ended - waiting->started, <=, 13000000);
        assert_call_fails(create, "Timeout", 3);
        assert_call_fails(delete, "Timeout", 3);
        g_assert_cmpint(create->ended - create->started, >=, 22000000);
        g_assert_cmpint(create->ended - create->started, <=, 25000000);
        g_assert_cmpint(delete->ended - delete->started, <=, 25000000);
        g_assert_nonnull(strstr(sd_bus_message_get_error(create->reply)->message, "taken back"));
        g_assert_nonnull(strstr(sd_bus_message_get_error(delete->reply)->message, "goes on"));

        flush_set_msec(b->service, 0);
        end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
        while (object_exists(b->bus, port) || object_exists(b->bus, new_node)) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                loop_for(50);
        }
        g_assert_cmpint(waiting->ended, >, 0);
        must_call(b->bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NEW_NODE); /* its name is free again */
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        wanted = view_in_force(b->bus);
        memory = fault_memory(b->service);
        assert_same_text(wanted, memory, "in force");

        service_stop(b->service);
        service_start(b->service);
        g_assert_false(object_exists(b->bus, port));
        g_assert_true(object_exists(b->bus, new_node));
        service_stop(b->service);
        assert_store_is_sound(b->service);
        call_free(create);
        call_free(delete);
        call_free(waiting);
        caller_leave(root);
}

/* The bus lets a connection wait for 128 answers at once. */
typedef struct Crowd {
        sd_bus *buses[10];
        unsigned n;
} Crowd;

static void crowd_init(Crowd *c, const char *user) {
        c->n = 0;
        for (gsize i = 0; i < G_N_ELEMENTS(c->buses); i++)
                c->buses[i] = caller_new(user);
}

static sd_bus *crowd_next(Crowd *c) {
        return c->buses[c->n++ % G_N_ELEMENTS(c->buses)];
}

static void crowd_leave(Crowd *c) {
        for (gsize i = 0; i < G_N_ELEMENTS(c->buses); i++)
                caller_leave(c->buses[i]);
}

/* One that passes all rules as long as it waits. */
static sd_bus_message *message_new_modify(sd_bus *bus, unsigned i) {
        g_autofree char *alias = g_strdup_printf("alias %u", i);

        return message_new(bus, "ModifyiSCSINode", "oa{sv}", base, 1, "Alias", "s", alias);
}

/* A user who may change one node calls for it without end, while its backend hangs: what is too much is refused at once, others
 * of the node hear Busy within 10 s, and root and other users work on other nodes as ever. */
static void test_flood(void) {
        g_autofree char *free_portal = tcp_path("127.0.0.1:3264");
        g_autoptr(Base) b = base_new();
        g_autoptr(GPtrArray) calls = g_ptr_array_new();
        sd_bus *root = caller_new("root"), *mallory = caller_new("mallory");
        unsigned n_limit = 0, n_busy = 0;
        Crowd alice;
        gint64 begun;
        Call *c;

        crowd_init(&alice, "alice");
        rules_set("if (subject.user === \"alice\" && action.lookup(\"node\") === \"" BASE_NODE "\") return polkit.Result.YES;"
                  "if (subject.user === \"mallory\" && action.id.endsWith(\".create-node\")) return polkit.Result.YES;"
                  "return polkit.Result.NO;");
        fault_plan(b->service, "create-port wait\n");
        fault_log_clear(b->service);

        /* Questions are bounded too: no more than are answered before the next ones come. */
        g_ptr_array_add(calls, call_start(message_new_create_port(alice.buses[0], base, "", free_portal)));
        g_assert_cmpint(sd_bus_flush(alice.buses[0]), >=, 0);
        fault_wait_call(b->service, "create-port");
        for (unsigned i = 0; i < PER_USER + 100; i++) {
                g_ptr_array_add(calls, call_start(message_new_modify(crowd_next(&alice), i)));
                if (i % 4 == 3)
                        loop_for(15);
        }

        begun = g_get_monotonic_time();
        c = call_start(message_new_create_node(root, "iqn.2026-11.org.example:root"));
        assert_call_succeeds(c);
        g_assert_cmpint(c->ended - begun, <, 3 * G_USEC_PER_SEC);
        call_free(c);
        c = call_start(message_new(root, "CreatePortalGroup", "sa{sv}", "root's", 0));
        assert_call_succeeds(c);
        call_free(c);
        c = call_start(message_new_create_node(mallory, "iqn.2026-11.org.example:mallory"));
        assert_call_succeeds(c);
        call_free(c);

        for (unsigned i = 1; i < calls->len; i++) {
                const sd_bus_error *e;

                c = calls->pdata[i];
                call_wait(c);
                e = sd_bus_message_get_error(c->reply);
                g_assert_nonnull(e);
                g_assert_cmpint(c->ended - c->started, <, 13 * G_USEC_PER_SEC);
                n_limit += g_str_equal(e->name, ERROR_PREFIX "LimitReached");
                n_busy += g_str_equal(e->name, ERROR_PREFIX "Busy");
                if (!g_str_equal(e->name, ERROR_PREFIX "LimitReached") && !g_str_equal(e->name, ERROR_PREFIX "Busy"))
                        g_error("%s: %s", e->name, e->message);
                call_free(c);
        }
        g_test_message("%u over the limit, %u busy", n_limit, n_busy);
        g_assert_cmpuint(n_limit, >=, 1);
        g_assert_cmpuint(n_busy, >=, 1);

        c = calls->pdata[0];
        g_assert_null(c->reply);
        fake_release(b->service->fault, 1000);
        assert_call_succeeds(c);
        call_free(c);
        crowd_leave(&alice);
        caller_leave(mallory);
        caller_leave(root);
}

/* Root has room on a node that a user floods, too, and is not the user's. */
static void test_reserve(void) {
        enum { OF_ROOT = 40 };
        g_autofree char *free_portal = tcp_path("127.0.0.1:3264");
        g_autoptr(Base) b = base_new();
        g_autoptr(GPtrArray) calls = g_ptr_array_new();
        unsigned n_refused = 0;
        Crowd root;

        crowd_init(&root, "root");

        /* What one lock has room for, and root's share. */
        fault_plan(b->service, "create-port wait\n");
        fault_log_clear(b->service);
        g_ptr_array_add(calls, call_start(message_new_create_port(root.buses[0], base, "", free_portal)));
        g_assert_cmpint(sd_bus_flush(root.buses[0]), >=, 0);
        fault_wait_call(b->service, "create-port");
        for (unsigned i = 1; i < PER_LOCK + 128 + OF_ROOT; i++)
                g_ptr_array_add(calls, call_start(message_new_modify(crowd_next(&root), i)));
        loop_for(1500);
        for (unsigned i = 0; i < calls->len; i++) {
                Call *c = calls->pdata[i];

                if (c->reply) {
                        assert_call_fails(c, "Busy", 32772);
                        n_refused++;
                }
        }
        g_assert_cmpuint(n_refused, ==, OF_ROOT);
        fake_release(b->service->fault, 1000);

        for (unsigned i = 0; i < calls->len; i++) {
                call_wait(calls->pdata[i]);
                n_refused -= !call_succeeded(calls->pdata[i]);
                call_free(calls->pdata[i]);
        }
        g_assert_cmpuint(n_refused, ==, 0);
        crowd_leave(&root);
}

static Call *start_create_node(sd_bus *bus, const char *kind, unsigned i) {
        g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:%s-%u", kind, i);

        return call_start(message_new_create_node(bus, name));
}

/* Sends all that is queued in the test, and gives the service time to take it in: the last call of each connection is behind a
 * question that is answered. */
static void crowd_settle(const Crowd *c) {
        for (gsize i = 0; i < G_N_ELEMENTS(c->buses); i++)
                g_free(get_property(c->buses[i], ROOT_PATH, SERVICE_INTERFACE, "MaxPorts"));
}

static void assert_waits(Call *c) {
        g_assert_null(c->reply);
}

/* The disk hangs, so that no change ends: there is room for so many of all callers together, and for some more of root's. */
static void test_room_in_all(void) {
        g_autoptr(Base) b = base_new();
        g_autoptr(GPtrArray) calls = g_ptr_array_new();
        sd_bus *alice = caller_new("alice"), *mallory = caller_new("mallory");
        g_autoptr(Call) too_many = NULL, of_mallory = NULL, of_root = NULL, after = NULL;
        Crowd root;

        rules_set("return action.id.endsWith(\".create-node\") ? polkit.Result.YES : polkit.Result.NO;");
        service_stop(b->service);
        flush_control(b->service);
        service_start(b->service);
        crowd_init(&root, "root");
        flush_set_msec(b->service, 600000);

        /* One less than all; the last one is alice's. */
        for (unsigned i = 0; i < IN_ALL - 1; i++)
                g_ptr_array_add(calls, start_create_node(crowd_next(&root), "root", i));
        crowd_settle(&root);
        g_ptr_array_add(calls, start_create_node(alice, "alice", 0));
        loop_for(500);
        assert_waits(calls->pdata[IN_ALL - 1]);
        too_many = start_create_node(alice, "alice", 1);
        assert_call_fails(too_many, "LimitReached", 32775);
        g_assert_nonnull(strstr(sd_bus_message_get_error(too_many->reply)->message, "1025 changes are under way"));
        of_mallory = start_create_node(mallory, "mallory", 0);
        assert_call_fails(of_mallory, "LimitReached", 32775);

        for (unsigned i = 0; i < RESERVE; i++)
                g_ptr_array_add(calls, start_create_node(crowd_next(&root), "more", i));
        crowd_settle(&root);
        of_root = start_create_node(crowd_next(&root), "too-many", 0);
        assert_call_fails(of_root, "LimitReached", 32775);
        for (unsigned i = 0; i < calls->len; i++)
                assert_waits(calls->pdata[i]);

        /* Reading goes on, and when the disk is back so does all else. */
        flush_set_msec(b->service, 0);
        for (unsigned i = 0; i < calls->len; i++) {
                assert_call_succeeds(calls->pdata[i]);
                call_free(calls->pdata[i]);
        }
        after = start_create_node(mallory, "mallory", 0);
        assert_call_succeeds(after);
        crowd_leave(&root);
        caller_leave(alice);
        caller_leave(mallory);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/turns/reserve", test_reserve);
        g_test_add_func("/turns/room-in-all", test_room_in_all);
        g_test_add_func("/turns/flood", test_flood);
        g_test_add_func("/turns/disk-hangs", test_disk_hangs);
        return g_test_run();
}
