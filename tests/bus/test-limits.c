/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is bounded is refused with LimitReached (32775), and with room made it goes on; large messages do no harm. */

#include <string.h>

#include "calls.h"
#include "mirror.h"

#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3adisk"
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"

static Service *start(sd_bus **ret, const char *option) {
        Service *s = service_new("--target-backend=model", "--initiator-backend=model", option, NULL);
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", "iqn.2026-11.org.example:disk", "Roles", "aq", 2, 2, 3);
        *ret = bus;
        return s;
}

static void test_ports(void) {
        g_autofree char *max = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "--max-ports=3");
        max = get_property(bus, ROOT_PATH, SERVICE_INTERFACE, "MaxPorts");
        g_assert_cmpstr(max, ==, "3");

        /* Of both roles and all nodes together. */
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "iqn.2026-11.org.example:other");
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aother", 3, "",
                  1, LOOPBACK_PORTAL);
        must_refuse(bus, "LimitReached", 32775, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        must_refuse(bus, "LimitReached", 32775, "CreateiSCSIProtocolEndpoint", "oqsao", "/", 9, "x", 0); /* before all else */
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH "/endpoint/000000000001");
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);

        /* More than that many there may be if the limit was higher once: none is lost. */
        service_stop(s);
        g_free(s->options[2]);
        s->options[2] = g_strdup("--max-ports=1");
        service_start(s);
        must_refuse(bus, "LimitReached", 32775, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH "/endpoint/800000000001");
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH "/endpoint/800000000002");
        must_refuse(bus, "LimitReached", 32775, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        sd_bus_flush_close_unref(bus);
}

static char *portal_path(unsigned port) {
        g_autofree char *name = g_strdup_printf("127.0.0.1:%u", port), *path = NULL;

        g_assert_cmpint(sd_bus_path_encode(ROOT_PATH "/tcp", name, &path), >=, 0);
        return g_steal_pointer(&path);
}

static sd_bus_message *create_port_message(sd_bus *bus, unsigned n_portals) {
        sd_bus_message *m = new_call(bus, "CreateiSCSIProtocolEndpoint");

        g_assert_cmpint(sd_bus_message_append(m, "oqs", NODE_PATH, 3, ""), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
        for (unsigned i = 0; i < n_portals; i++) {
                g_autofree char *path = portal_path(4001 + i);

                g_assert_cmpint(sd_bus_message_append_basic(m, 'o', path), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        return m;
}

static void test_portals_per_port(void) {
        g_autofree char *binds_to = NULL, *last = portal_path(4065), *first = portal_path(4001);
        const char *port = NODE_PATH "/endpoint/000000000001";
        g_autoptr(Service) s = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_auto(GStrv) items = NULL;
        sd_bus_message *m;
        sd_bus *bus;

        s = start(&bus, NULL);
        for (unsigned i = 0; i < 65; i++)
                must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 4001 + i, DEFAULT_GROUP, 0);

        must_refuse_message(bus, "LimitReached", 32775, create_port_message(bus, 65));
        m = create_port_message(bus, 64);
        if (sd_bus_call(bus, m, 0, &e, NULL) < 0)
                g_error("64 portals: %s", e.message);
        sd_bus_message_unref(m);

        must_refuse(bus, "LimitReached", 32775, "BindiSCSIProtocolEndPoint", "oo", port, last);
        must_call(bus, "UnbindiSCSIProtocolEndPoint", "oo", port, first);
        must_call(bus, "BindiSCSIProtocolEndPoint", "oo", port, last);

        /* In their order, after a restart too. */
        service_stop(s);
        service_start(s);
        binds_to = get_property(bus, port, PORT_INTERFACE, "BindsTo");
        items = g_strsplit(binds_to, " ", 0);
        g_assert_cmpuint(g_strv_length(items), ==, 64);
        for (unsigned i = 1; i < 63; i++) {
                g_autofree char *path = portal_path(4002 + i);

                g_assert_cmpstr(items[i], ==, path);
        }
        g_assert_true(g_str_has_prefix(items[63], last));
        sd_bus_flush_close_unref(bus);
}

static void test_portal_groups(void) {
        g_autofree char *max = NULL, *path = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        s = start(&bus, NULL);
        max = get_property(bus, ROOT_PATH, SERVICE_INTERFACE, "MaxPortalGroups");
        g_assert_cmpstr(max, ==, "1024");
        for (unsigned i = 0; i < 1024; i++)
                must_call(bus, "CreatePortalGroup", "sa{sv}", "g", 0);
        must_refuse(bus, "LimitReached", 32775, "CreatePortalGroup", "sa{sv}", "g", 0);
        must_refuse(bus, "LimitReached", 32775, "CreatePortalGroup", "sa{sv}", "", 0);
        must_call(bus, "DeletePortalGroup", "o", ROOT_PATH "/portal_group/1024");

        /* A number is never used again. */
        path = call_for_path(bus, &e, "CreatePortalGroup", "sa{sv}", "g", 0);
        g_assert_cmpstr(path, ==, ROOT_PATH "/portal_group/1025");
        must_refuse(bus, "LimitReached", 32775, "CreatePortalGroup", "sa{sv}", "g", 0);
        sd_bus_flush_close_unref(bus);
}

static void test_large_messages(void) {
        g_autofree char *long_text = g_strnfill(10 * 1024 * 1024, 'a'), *before = NULL, *after = NULL, *long_path = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus_message *m;
        sd_bus *bus;

        s = start(&bus, NULL);
        before = managed_objects_text(bus);

        /* An array of 100000 paths. */
        must_refuse_message(bus, "LimitReached", 32775, create_port_message(bus, 100000));

        /* A dictionary of 100000 options; texts of 10 MiB. */
        m = new_call(bus, "CreateiSCSINode");
        g_assert_cmpint(sd_bus_message_append(m, "s", ""), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "{sv}"), >=, 0);
        for (unsigned i = 0; i < 100000; i++)
                g_assert_cmpint(sd_bus_message_append(m, "{sv}", "Colour", "s", "red"), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        must_refuse_message(bus, "InvalidParameter", 5, m);
        m = new_call(bus, "CreateiSCSINode");
        g_assert_cmpint(sd_bus_message_append(m, "s", ""), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "{sv}"), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'e', "sv"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "s", "Roles"), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'v', "aq"), >=, 0);
        g_assert_cmpint(sd_bus_message_append_array(m, 'q', long_text, 2000000), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        must_refuse_message(bus, "InvalidParameter", 5, m);
        must_refuse(bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", long_text, 0);
        must_refuse(bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", long_text);
        must_refuse(bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, long_text, "s", "");
        must_refuse(bus, "InvalidParameter", 5, "CreatePortalGroup", "sa{sv}", long_text, 0);
        must_refuse(bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, long_text, 1,
                    LOOPBACK_PORTAL);

        long_text[60000] = '\0'; /* sd-bus makes no path of more than 64 KiB */
        long_path = g_strconcat(ROOT_PATH "/node/", long_text, NULL);
        must_refuse(bus, "InvalidParameter", 5, "DeleteiSCSINode", "o", long_path);
        must_refuse(bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, long_path);

        after = managed_objects_text(bus);
        g_assert_cmpstr(before, ==, after);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/limits/ports", test_ports);
        g_test_add_func("/limits/portals-per-port", test_portals_per_port);
        g_test_add_func("/limits/portal-groups", test_portal_groups);
        g_test_add_func("/limits/large-messages", test_large_messages);
        return g_test_run();
}
