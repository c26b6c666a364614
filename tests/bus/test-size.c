/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* However much callers make, and with however long names: GetManagedObjects stays below half of what the bus takes, so that no reader can
 * throw the service off the bus. */

#include <string.h>

#include "fixture.h"

#define N_PORTALS 64

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
                if (!node)
                        break;
                port = create_target_port(bus, node, "", portals);
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
