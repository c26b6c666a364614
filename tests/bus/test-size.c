/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* However much callers make, and with however long names: GetManagedObjects stays below half of what the bus takes, so that no reader can
 * throw the service off the bus. */

#include <gio/gio.h>

#include "fixture.h"

#define N_PORTALS 64

static gsize managed_objects_size(void) {
        g_autoptr(GDBusConnection) connection = NULL;
        g_autoptr(GDBusMessage) call = NULL, reply = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree guchar *blob = NULL;
        gsize size;

        connection = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
        g_assert_no_error(error);
        call = g_dbus_message_new_method_call(BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
        reply = g_dbus_connection_send_message_with_reply_sync(connection, call, G_DBUS_SEND_MESSAGE_FLAGS_NONE, -1, NULL, NULL,
                                                               &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_dbus_message_get_message_type(reply), ==, G_DBUS_MESSAGE_TYPE_METHOD_RETURN);
        blob = g_dbus_message_to_blob(reply, &size, G_DBUS_CAPABILITY_FLAGS_NONE, &error);
        g_assert_no_error(error);
        return size;
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
