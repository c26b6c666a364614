/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store on a disk that takes its time: nobody who only reads, or is refused, waits for it, and many changes wait together. */

#include "batch.h"
#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "flush-control.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <signal.h>
#include <string.h>

#define CHANGES 64u

static const char base[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";

static Base *base_on_slow_disk(void) {
        Base *b = base_new();

        service_stop(b->service);
        flush_control(b->service);
        service_start(b->service);
        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", base, 1, "Alias", "s", "warm"); /* the first one begins a new log */
        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", base, 1, "Alias", "s", "");
        g_usleep(1200000); /* what is stored in passing is stored */
        g_free(signals_take(b->signals));
        flush_forget(b->service);
        return b;
}

/* A flush of five seconds: reads, checks and refusals are answered at once, and no change before it is over. */
static void test_five_seconds(void) {
        g_autoptr(Base) b = base_on_slow_disk();
        sd_bus *root = caller_new("root"), *alice = caller_new("alice");
        gint64 begun, longest = 0;
        Call *change, *behind, *c;

        rules_set("return polkit.Result.NO;");
        flush_set_msec(b->service, 5000);
        begun = g_get_monotonic_time();
        change = call_start(message_new_create_node(root, NEW_NODE));
        g_assert_cmpint(sd_bus_flush(root), >=, 0);
        flush_wait(b->service, 1);

        while (g_get_monotonic_time() - begun < 4 * G_USEC_PER_SEC) {
                gint64 from = g_get_monotonic_time();

                g_free(view_objects(b->bus));
                must_refuse(b->bus, "SCSIProtocolControllerNonExistent", 4096, "DeleteiSCSINode", "o", "/");
                must_refuse(b->bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", BASE_NODE);
                must_call(b->bus, "CheckCall", "ssv", SERVICE_INTERFACE, "DeleteiSCSINode", "(o)", base);
                longest = MAX(longest, g_get_monotonic_time() - from);

                c = call_start(message_new_create_node(alice, "iqn.2026-11.org.example:alice"));
                assert_call_fails(c, "org.freedesktop.DBus.Error.AccessDenied", 0);
                call_free(c);
                loop_for(50);
        }
        g_test_message("the longest took %u ms", (unsigned) (longest / 1000));
        g_assert_cmpint(longest, <, 2 * G_USEC_PER_SEC);
        behind = call_start(message_new_create_node(root, NEW_NODE)); /* what comes of it depends on the change */
        loop_for(200);
        g_assert_null(change->reply);
        g_assert_null(behind->reply);
        assert_call_succeeds(change);
        g_assert_cmpint(change->ended - begun, >=, 4900000);
        assert_call_fails(behind, "NameInUse", 32777);
        call_free(behind);
        flush_set_msec(b->service, 0);
        call_free(change);
        caller_leave(root);
        caller_leave(alice);
}

/* Creates of different nodes at once share flushes. */
static void test_grouped(void) {
        g_autoptr(Base) b = base_on_slow_disk();
        g_autofree char *wanted = NULL, *memory = NULL;
        sd_bus *root = caller_new("root");
        Call *calls[CHANGES];
        unsigned n;

        flush_set_msec(b->service, 100);
        for (unsigned i = 0; i < CHANGES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i);

                calls[i] = call_start(message_new_create_node(root, name));
        }
        for (unsigned i = 0; i < CHANGES; i++) {
                assert_call_succeeds(calls[i]);
                call_free(calls[i]);
        }
        n = flush_count(b->service);
        g_test_message("%u flushes", n);
        g_assert_cmpuint(n, <=, 8);

        /* The same with ports, each in a node of its own. */
        flush_forget(b->service);
        for (unsigned i = 0; i < CHANGES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i), *path = node_path(name);

                calls[i] = call_start(message_new_create_port(root, path, "", LOOPBACK_PORTAL));
        }
        for (unsigned i = 0; i < CHANGES; i++) {
                assert_call_succeeds(calls[i]);
                call_free(calls[i]);
        }
        n = flush_count(b->service);
        g_test_message("%u flushes", n);
        g_assert_cmpuint(n, <=, 8);

        flush_set_msec(b->service, 0);
        wanted = view_in_force(b->bus);
        memory = fault_memory(b->service);
        assert_same_text(wanted, memory, "in force");
        service_stop(b->service);
        assert_store_is_sound(b->service);
        caller_leave(root);
}

/* Calls that build on each other, sent without waiting for an answer: each finds what the ones before it make. Those that build
 * on the same endpoint still share a flush. */
static void test_build_on(void) {
        static const char endpoint[] = ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3999",
                          refused[] = ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a4000";
        g_autoptr(Base) b = base_on_slow_disk();
        sd_bus *root = caller_new("root");
        g_autofree char *port = g_strconcat(base, "/endpoint/000000000001", NULL);
        Call *calls[1 + 16 + 16 + 1], *absent;
        size_t n = 0;

        flush_set_msec(b->service, 100);
        calls[n++] = call_start(message_new(root, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1",
                                            3999, ROOT_PATH "/portal_group/default", 0));
        for (unsigned i = 0; i < 16; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i);

                calls[n++] = call_start(message_new_create_node(root, name));
        }
        for (unsigned i = 0; i < 16; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i), *path = node_path(name);

                calls[n++] = call_start(message_new_create_port(root, path, "", endpoint));
        }
        calls[n++] = call_start(message_new(root, "BindiSCSIProtocolEndPoint", "oo", port, endpoint));
        absent = call_start(message_new(root, "BindiSCSIProtocolEndPoint", "oo", port, refused));
        for (unsigned i = 0; i < n; i++) {
                assert_call_succeeds(calls[i]);
                call_free(calls[i]);
        }
        assert_call_fails(absent, "ProtocolEndpointNonExistent", 4096);
        call_free(absent);
        g_test_message("%u flushes", flush_count(b->service));
        g_assert_cmpuint(flush_count(b->service), <=, 6);
        flush_set_msec(b->service, 0);
        service_stop(b->service);
        assert_store_is_sound(b->service);
        caller_leave(root);
}

/* One of the changes that are flushed together fails in the backend: the others stay. Refused ones come out while they wait. */
static void test_one_fails(void) {
        g_autoptr(Base) b = base_on_slow_disk();
        sd_bus *root = caller_new("root");
        Call *calls[CHANGES], *refused;
        unsigned n_failed = 0;

        flush_set_msec(b->service, 100);
        fault_plan(b->service, "after 20 once create-node fail Failed no-more\n");
        for (unsigned i = 0; i < CHANGES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i);

                calls[i] = call_start(message_new_create_node(root, name));
        }
        refused = call_start(message_new_create_node(root, "nonsense"));
        assert_call_fails(refused, "InvalidParameter", 5);
        g_assert_null(calls[CHANGES - 1]->reply);
        call_free(refused);
        for (unsigned i = 0; i < CHANGES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i), *path = node_path(name);

                call_wait(calls[i]);
                n_failed += !call_succeeded(calls[i]);
                g_assert_cmpint(call_succeeded(calls[i]), ==, object_exists(b->bus, path));
                call_free(calls[i]);
        }
        g_assert_cmpuint(n_failed, ==, 1);
        flush_set_msec(b->service, 0);
        g_free(signals_take(b->signals));
        b->objects = (g_free(b->objects), view_objects(b->bus));
        b->memory = (g_free(b->memory), fault_memory(b->service));
        base_assert_untouched_by_restart(b, "one of many failed");
        caller_leave(root);
}

/* SIGTERM while a flush takes long: what was answered with success is stored, and the service ends in time. */
static void test_ended(void) {
        g_autoptr(Base) b = base_on_slow_disk();
        gint64 begun;

        flush_set_msec(b->service, 600000);
        send_call(b->bus, message_new_create_node(b->bus, NEW_NODE));
        flush_wait(b->service, 1);
        begun = g_get_monotonic_time();
        g_assert_cmpint(kill(b->service->pid, SIGTERM), ==, 0);
        (void) service_wait_end(b->service);
        g_assert_cmpint(g_get_monotonic_time() - begun, <, 10 * G_USEC_PER_SEC);
        flush_set_msec(b->service, 0);
        g_usleep(100000);
        service_start(b->service);
        service_stop(b->service);
        assert_store_is_sound(b->service);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/slow-disk/five-seconds", test_five_seconds);
        g_test_add_func("/slow-disk/grouped", test_grouped);
        g_test_add_func("/slow-disk/build-on", test_build_on);
        g_test_add_func("/slow-disk/one-fails", test_one_fails);
        g_test_add_func("/slow-disk/ended", test_ended);
        return g_test_run();
}
