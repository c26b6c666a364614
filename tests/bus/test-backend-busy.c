/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A backend that is busy, e.g. because targetcli is open, says so only after it has waited: the start of the service must not
 * wait for it once per object. */

#include "fault-base.h"
#include "mirror.h"

#include <string.h>

/* As in change/reconcile.h. */
#define BUSY_NODES_MAX 3u
#define RECONCILE_PARALLEL 4u

#define NODES 10u
#define BUSY "the-lock-is-held"

static char *node_name(unsigned i) {
        return g_strdup_printf("iqn.2026-11.org.example:n%u", i);
}

static Service *service_with_ports(void) {
        Service *s = service_new("--backend-deadline=60", NULL);
        g_autofree char *portal = tcp_path("127.0.0.1:3260");
        const char *const portals[] = { portal, NULL };
        sd_bus *bus;

        service_use_fault_backend(s);
        service_start(s);
        bus = connect_as("root");
        for (unsigned i = 0; i < NODES; i++) {
                g_autofree char *name = node_name(i), *node = create_node(bus, name), *port = NULL;

                port = create_target_port(bus, node, "", portals);
        }
        sd_bus_flush_close_unref(bus);
        service_stop(s);
        fault_wait_workers_gone(s);

        fault_remove_all(s);
        fault_log_clear(s);
        return s;
}

static void assert_ports(Service *s, unsigned from, unsigned to, const char *state, const char *part) {
        sd_bus *bus = connect_as("root");

        for (unsigned i = from; i < to; i++) {
                g_autofree char *name = node_name(i), *path = port_path(name, 1), *text = NULL, *value = NULL;

                value = get_property(bus, path, PORT_INTERFACE, "EnabledState");
                text = get_property(bus, path, PORT_INTERFACE, "StatusDescriptions");
                g_assert_cmpstr(value, ==, state);
                if (!strstr(text, part))
                        g_error("%s: %s", name, text);
        }
        sd_bus_flush_close_unref(bus);
}

static char *port_state(sd_bus *bus, unsigned i) {
        g_autofree char *name = node_name(i), *path = port_path(name, 1);

        return get_property(bus, path, PORT_INTERFACE, "EnabledState");
}

static void wait_until_in_force(unsigned from, unsigned to) {
        gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
        sd_bus *bus = connect_as("root");

        for (unsigned i = from; i < to; i++) {
                g_autofree char *state = port_state(bus, i);

                while (!g_str_equal(state, "2")) {
                        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
                        g_usleep(20000);
                        g_free(state);
                        state = port_state(bus, i);
                }
        }
        sd_bus_flush_close_unref(bus);
}

static void end(Service *s) {
        service_stop(s);
        fault_wait_workers_gone(s);
        fault_plan(s, "%s", "");
        fault_log_clear(s);
}

static void test_all_nodes(void) {
        g_autoptr(Service) s = service_with_ports();
        unsigned n, n_seen = 0;
        sd_bus *bus;

        fault_plan(s, "Apply fail Busy " BUSY "\n");
        service_start(s);

        /* Of a few nodes it is asked for one thing each, and of the others not at all. */
        bus = connect_as("root");
        n = fault_log_count(s, "Apply");
        g_assert_cmpuint(n, >=, BUSY_NODES_MAX);
        g_assert_cmpuint(n, <, BUSY_NODES_MAX + RECONCILE_PARALLEL);
        for (unsigned i = 0; i < NODES; i++) {
                g_autofree char *state = port_state(bus, i);

                /* 0: unknown, since nobody looked */
                g_assert_true(g_str_equal(state, "6") || g_str_equal(state, "0"));
                n_seen += g_str_equal(state, "6");
                assert_ports(s, i, i + 1, state, BUSY);
        }
        sd_bus_flush_close_unref(bus);
        g_assert_cmpuint(n_seen, ==, n);

        /* It goes on by itself. */
        fault_plan(s, "%s", "");
        wait_until_in_force(0, NODES);
        assert_ports(s, 0, NODES, "2", "In force");

        end(s);
        service_start(s);
        assert_ports(s, 0, NODES, "2", "In force");
        end(s);
}

static void test_one_node(void) {
        g_autoptr(Service) s = service_with_ports();

        fault_plan(s, "once Apply fail Busy " BUSY "\n");
        service_start(s);

        g_assert_cmpuint(fault_log_count(s, "create-node"), ==, NODES - 1);
        g_assert_cmpuint(fault_log_count(s, "make-port"), ==, NODES - 1);
        {
                sd_bus *bus = connect_as("root");
                unsigned busy = 0;

                for (unsigned i = 0; i < NODES; i++) {
                        g_autofree char *state = port_state(bus, i);

                        busy += g_str_equal(state, "6");
                        assert_ports(s, i, i + 1, state, g_str_equal(state, "6") ? BUSY : "In force");
                }
                g_assert_cmpuint(busy, ==, 1);
                sd_bus_flush_close_unref(bus);
        }

        wait_until_in_force(0, NODES);
        end(s);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/backend-busy/all-nodes", test_all_nodes);
        g_test_add_func("/backend-busy/one-node", test_one_node);

        return g_test_run();
}
