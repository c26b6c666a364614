/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* However much callers make, and with however long names: GetManagedObjects stays below half of what the bus takes, so that no
 * reader can throw the service off the bus. */

#include <string.h>

#include "fixture.h"

#define N_PORTALS 64

/* NULL: refused, with the reason in *RET_ERROR. */
static char *try_create_port(sd_bus *bus, const char *node, const char *const *portals, sd_bus_error *ret_error) {
        sd_bus_message *m = NULL, *reply = NULL;
        char *copy = NULL;
        const char *path;

        g_assert_cmpint(
                sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, "CreateiSCSIProtocolEndpoint"),
                >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "oqs", node, 3, ""), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
        for (const char *const *p = portals; *p; p++)
                g_assert_cmpint(sd_bus_message_append(m, "o", *p), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        if (sd_bus_call(bus, m, 0, ret_error, &reply) >= 0) {
                g_assert_cmpint(sd_bus_message_read(reply, "o", &path), >, 0);
                copy = g_strdup(path);
        }
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        return copy;
}

static void test_many_portals_of_long_names(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", "--max-ports=16384", "--log-level=warning", NULL);
        g_autofree char *filler = g_strnfill(223 - strlen("iqn.2026-11.org.example:0000"), '-');
        const char *portals[N_PORTALS + 1] = {};
        sd_bus_error e = SD_BUS_ERROR_NULL;
        unsigned n_ports = 0;
        gsize size;
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        for (int i = 0; i < N_PORTALS; i++) {
                portals[i] = call_for_path(bus, &e, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1",
                                           5000 + i, DEFAULT_GROUP, 0);
                g_assert_nonnull(portals[i]);
        }

        for (;;) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:%04u%s", n_ports, filler), *node = NULL,
                                *port = NULL;

                node = call_for_path(bus, &e, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", name);
                if (node)
                        port = try_create_port(bus, node, portals, &e);
                if (!port)
                        break;
                n_ports++;
                g_assert_cmpuint(n_ports, <, 4096);
        }
        g_test_message("%u ports: %s", n_ports, e.message);
        assert_error(&e, "LimitReached", 32775);

        size = managed_objects_size();
        g_test_message("%" G_GSIZE_FORMAT " KiB", size / 1024);
        g_assert_cmpuint(size, <=, 16 * 1024 * 1024 + 128 * 1024);
        g_assert_cmpuint(size, >=, 12 * 1024 * 1024); /* the bound is near the truth */

        for (int i = 0; i < N_PORTALS; i++)
                g_free((char *) portals[i]);
        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/size/many-portals-of-long-names", test_many_portals_of_long_names);
        return g_test_run();
}
