/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The main job over the real bus: a node and a port are made, seen, found again after a restart, and deleted. */

#include "fixture.h"

static void test_create_and_delete(void) {
        const char *portals[] = { LOOPBACK_PORTAL, NULL };
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);
        g_autofree char *node = NULL, *port = NULL, *name = NULL, *binds_to = NULL, *bound_by = NULL, *expected = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        node = create_node(bus, "iqn.2026-11.org.example:disk");
        port = create_target_port(bus, node, "", portals);

        name = get_property(bus, port, "org.iscsi.ProtocolEndpoint", "Name");
        g_assert_cmpstr(name, ==, "iqn.2026-11.org.example:disk,t,0x0001");
        binds_to = get_property(bus, port, "org.iscsi.ProtocolEndpoint", "BindsTo");
        g_assert_cmpstr(binds_to, ==, "[" LOOPBACK_PORTAL "]");
        bound_by = get_property(bus, LOOPBACK_PORTAL, "org.iscsi.TCPProtocolEndpoint", "BoundBy");
        expected = g_strdup_printf("[%s]", port);
        g_assert_cmpstr(bound_by, ==, expected);

        /* durable */
        service_kill(s);
        service_start(s);
        g_assert_true(object_exists(bus, port));

        sd_bus_message_unref(call_service(bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port));
        g_assert_false(sd_bus_error_is_set(&e));
        g_assert_false(object_exists(bus, port));
        g_assert_null(call_service(bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port));
        assert_error(&e, "ProtocolEndpointNonExistent", 4096);

        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/ports/create-and-delete", test_create_and_delete);
        return g_test_run();
}
