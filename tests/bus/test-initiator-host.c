/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The node that this host itself is as an initiator, with the name in open-iscsi's file; and what other programs have in it. */

#include <glib/gstdio.h>
#include <string.h>

#include "initiator.h"

#define NODE_INTERFACE "org.iscsi.Node"
#define HOST_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3ahost"
#define OTHER_NAME "iqn.2026-11.org.example:other"
#define OTHER_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aother"
#define UNNAMED_PATH ROOT_PATH "/node/_host"

static void set_name(const char *text) {
        g_assert_true(g_file_set_contents(HOST_NAME_FILE, text, -1, NULL));
}

static void assert_property(Initiator *i, const char *path, const char *interface, const char *property, const char *value) {
        g_autofree char *now = get_property(i->bus, path, interface, property);

        g_assert_cmpstr(now, ==, value);
}

/* The paths of the node's ports that this service made, or did not, in their order. */
static GPtrArray *list_ports(Initiator *i, const char *node, bool managed) {
        g_autofree char *prefix = g_strconcat(node, "/endpoint/", NULL);
        g_auto(GStrv) objects = list_objects(i->bus);
        GPtrArray *ports = g_ptr_array_new_with_free_func(g_free);

        for (char **o = objects; *o; o++)
                if (g_str_has_prefix(*o, prefix)) {
                        g_autofree char *is = get_property(i->bus, *o, PORT_INTERFACE, "Managed");

                        if (strcmp(is, managed ? "true" : "false") == 0)
                                g_ptr_array_add(ports, g_strdup(*o));
                }
        return ports;
}

static void assert_ports(Initiator *i, const char *node, bool managed, guint n) {
        g_autoptr(GPtrArray) ports = list_ports(i, node, managed);

        g_assert_cmpuint(ports->len, ==, n);
}

static char *create_on(Initiator *i, const char *node) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char *path = call_for_path(i->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 2, "", 1, IP_A);

        if (!path) {
                g_autofree char *log = service_read_log(i->service);

                g_error("%s: %s\n%s", e.name, e.message, log);
        }
        return path;
}

static void test_is_there(Initiator *i, gconstpointer data) {
        assert_property(i, HOST_PATH, NODE_INTERFACE, "Name", HOST_NAME);
        assert_property(i, HOST_PATH, NODE_INTERFACE, "Roles", "[2]");
        assert_property(i, HOST_PATH, NODE_INTERFACE, "Automatic", "true");
        assert_property(i, HOST_PATH, NODE_INTERFACE, "Managed", "true");
        assert_property(i, HOST_PATH, NODE_INTERFACE, "StatusDescriptions", "[In force]");
        assert_property(i, NODE_PATH, NODE_INTERFACE, "Automatic", "false");
        g_assert_false(object_exists(i->bus, UNNAMED_PATH));

        must_refuse(i->bus, "NotSupported", 1, "DeleteiSCSINode", "o", HOST_PATH);
        must_refuse(i->bus, "NotSupported", 1, "DeleteiSCSINodeForced", "o", HOST_PATH);
        must_refuse(i->bus, "NotSupported", 1, "ReleaseiSCSINode", "o", HOST_PATH);
        must_call(i->bus, "AdoptiSCSINode", "o", HOST_PATH); /* it is ours */
        must_refuse(i->bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", HOST_NAME, "Roles", "aq", 1, 2);
}

/* Ports of it have no name in their records. They stay over a restart, and go by method. */
static void test_ports(Initiator *i, gconstpointer data) {
        g_autofree char *port = create_on(i, HOST_PATH), *record = initiator_records(), *text = NULL, *left = NULL, *again = NULL;

        g_assert_true(g_str_has_prefix(record, "icd-host-"));
        text = initiator_shell(NULL, "grep -v '^#' " IFACES "/%s | tail -n +2", record);
        g_assert_cmpstr(text, ==, "iface.net_ifacename = v0\niface.transport_name = tcp\n");
        must_call(i->bus, "ModifyiSCSINode", "oa{sv}", HOST_PATH, 2, "Alias", "s", "this host", "DriftPolicy", "s", "enforce");

        initiator_disconnect(i);
        service_kill(i->service);
        service_start(i->service);
        initiator_connect(i);
        assert_property(i, port, PORT_INTERFACE, "StatusDescriptions", "[In force]");
        assert_property(i, port, PORT_INTERFACE, "Managed", "true");
        assert_property(i, HOST_PATH, NODE_INTERFACE, "ElementName", "this host");
        assert_property(i, HOST_PATH, NODE_INTERFACE, "DriftPolicy", "enforce");
        again = create_on(i, HOST_PATH);
        g_assert_cmpstr(again, !=, port);

        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", again);
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        left = initiator_records();
        g_assert_cmpstr(left, ==, "");
}

/* Node and ports go to the new path; the records stay as they are. */
static void test_renamed(Initiator *i, gconstpointer data) {
        g_autofree char *port = create_on(i, HOST_PATH), *before = NULL, *after = NULL, *moved = NULL,
                        *record = initiator_records();
        g_autofree char *alias = NULL;

        before = initiator_shell(NULL, "cat " IFACES "/%s", record);
        must_call(i->bus, "ModifyiSCSINode", "oa{sv}", HOST_PATH, 1, "Alias", "s", "this host");
        set_name("InitiatorName=" OTHER_NAME "\n");
        initiator_wait_object(i, OTHER_PATH, true);
        moved = g_strconcat(OTHER_PATH, port + strlen(HOST_PATH), NULL);
        initiator_wait_property(i, moved, PORT_INTERFACE, "StatusDescriptions", "[In force]");
        g_assert_false(object_exists(i->bus, HOST_PATH));
        g_assert_false(object_exists(i->bus, port));
        assert_property(i, OTHER_PATH, NODE_INTERFACE, "ElementName", "this host");
        assert_ports(i, OTHER_PATH, true, 1);
        assert_ports(i, OTHER_PATH, false, 2);
        after = initiator_shell(NULL, "cat " IFACES "/%s", record);
        g_assert_cmpstr(after, ==, before);

        /* It stays so, and can be changed and deleted under its new name. */
        initiator_disconnect(i);
        service_kill(i->service);
        service_start(i->service);
        initiator_connect(i);
        assert_property(i, moved, PORT_INTERFACE, "StatusDescriptions", "[In force]");
        must_call(i->bus, "BindiSCSIProtocolEndPoint", "oo", moved, IP_A2);
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", moved);
        assert_ports(i, OTHER_PATH, true, 0);
}

/* Without a valid name it is there all the same, and says why. */
static void test_without_name(Initiator *i, gconstpointer data) {
        static const struct {
                const char *text, *why;
        } cases[] = {
                { "GenerateName=yes\n",
                  "[Not in force: " HOST_NAME_FILE " says GenerateName=yes: the name is made when iscsid is started "
                  "(systemctl start iscsid)]" },
                { "# nothing\n",
                  "[Not in force: " HOST_NAME_FILE " has no line InitiatorName=…; put one there, iscsi-iname prints a name]" },
                { NULL, "[Not in force: " HOST_NAME_FILE " is not there; is open-iscsi installed?]" },
        };
        g_autofree char *port = create_on(i, HOST_PATH), *moved = g_strconcat(UNNAMED_PATH, port + strlen(HOST_PATH), NULL);

        for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
                if (cases[k].text)
                        set_name(cases[k].text);
                else
                        g_assert_cmpint(g_unlink(HOST_NAME_FILE), ==, 0);
                initiator_wait_object(i, UNNAMED_PATH, true);
                initiator_wait_property(i, UNNAMED_PATH, NODE_INTERFACE, "StatusDescriptions", cases[k].why);
                assert_property(i, UNNAMED_PATH, NODE_INTERFACE, "EnabledState", "6");
                assert_property(i, UNNAMED_PATH, NODE_INTERFACE, "Name", "");
                g_assert_false(object_exists(i->bus, HOST_PATH));
                g_assert_true(object_exists(i->bus, moved));
        }

        initiator_disconnect(i);
        service_stop(i->service);
        service_start(i->service);
        initiator_connect(i);
        assert_property(i, UNNAMED_PATH, NODE_INTERFACE, "EnabledState", "6");
        must_call(i->bus, "BindiSCSIProtocolEndPoint", "oo", moved, IP_A2);
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", moved);
}

/* The name of a node that was made here as an initiator can be only one's. */
static void test_name_of_another(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i);

        set_name("InitiatorName=" NODE_NAME "\n");
        initiator_wait_object(i, UNNAMED_PATH, true);
        initiator_wait_property(i, UNNAMED_PATH, NODE_INTERFACE, "StatusDescriptions",
                                "[Not in force: The host's initiator name, " NODE_NAME
                                ", is that of a node that was made here; give the host another one, or delete that node]");
        g_assert_true(object_exists(i->bus, port));
        assert_property(i, port, PORT_INTERFACE, "StatusDescriptions", "[In force]");

        must_call(i->bus, "DeleteiSCSINode", "o", NODE_PATH);
        must_call(i->bus, "Reconcile", "o", UNNAMED_PATH);
        initiator_wait_object(i, NODE_PATH, true);
        assert_property(i, NODE_PATH, NODE_INTERFACE, "Automatic", "true");
}

/* A target node of the name is the host's node in its other role. */
static void test_also_target(Initiator *i, gconstpointer data) {
        g_autofree char *port = create_on(i, HOST_PATH), *moved = g_strconcat(OTHER_PATH, port + strlen(HOST_PATH), NULL);
        const char *target = OTHER_PATH "/endpoint/000000000001";

        must_call(i->bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", OTHER_NAME);
        must_call(i->bus, "CreateiSCSIProtocolEndpoint", "oqsao", OTHER_PATH, 3, "", 1, LOOPBACK_PORTAL);
        set_name("InitiatorName=" OTHER_NAME "\n");
        initiator_wait_property(i, OTHER_PATH, NODE_INTERFACE, "Roles", "[2 3]");
        initiator_wait_object(i, moved, true);
        g_assert_false(object_exists(i->bus, HOST_PATH));
        g_assert_true(object_exists(i->bus, target));
        must_refuse(i->bus, "NotSupported", 1, "DeleteiSCSINode", "o", OTHER_PATH);

        initiator_disconnect(i);
        service_kill(i->service);
        service_start(i->service);
        initiator_connect(i);
        assert_property(i, OTHER_PATH, NODE_INTERFACE, "Roles", "[2 3]");
        assert_property(i, moved, PORT_INTERFACE, "StatusDescriptions", "[In force]");
        assert_property(i, target, PORT_INTERFACE, "StatusDescriptions", "[In force]");

        set_name("InitiatorName=" HOST_NAME "\n");
        initiator_wait_object(i, port, true);
        initiator_wait_property(i, OTHER_PATH, NODE_INTERFACE, "Roles", "[3]");
        assert_property(i, OTHER_PATH, NODE_INTERFACE, "Automatic", "false");
        assert_property(i, target, PORT_INTERFACE, "StatusDescriptions", "[In force]");
        g_assert_false(object_exists(i->bus, moved));
        must_call(i->bus, "DeleteiSCSINode", "o", OTHER_PATH);
}

/* What other programs have: default and iser always, records as they come and go. */
static void test_foreign(Initiator *i, gconstpointer data) {
        const char *node = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3ahers";
        g_autoptr(GPtrArray) ports = NULL;
        const char *port;
        int status;

        assert_ports(i, HOST_PATH, false, 2);
        g_free(initiator_shell(&status, "iscsiadm -m iface -I plain -o new"));
        g_assert_cmpint(status, ==, 0);
        for (int k = 0; k < 500; k++) {
                g_autoptr(GPtrArray) now = list_ports(i, HOST_PATH, false);

                if (now->len == 3)
                        break;
                g_usleep(10000);
        }
        assert_ports(i, HOST_PATH, false, 3);

        g_free(initiator_shell(NULL,
                               "printf 'iface.iscsi_ifacename = hers\\niface.transport_name = tcp\\niface.net_ifacename = v0\\n"
                               "iface.initiatorname = iqn.2026-11.org.example:hers\\n' >" IFACES "/hers"));
        initiator_wait_object(i, node, true);
        assert_property(i, node, NODE_INTERFACE, "Managed", "false");
        assert_property(i, node, NODE_INTERFACE, "Roles", "[2]");
        ports = list_ports(i, node, false);
        g_assert_cmpuint(ports->len, ==, 1);
        port = ports->pdata[0];
        assert_property(i, port, PORT_INTERFACE, "BindsTo", "[" IP_A " " IP_A2 "]");
        assert_property(i, port, PORT_INTERFACE, "StatusDescriptions", "[In force]");
        must_refuse(i->bus, "NotManaged", 32776, "DeleteiSCSIProtocolEndpoint", "o", port);
        must_refuse(i->bus, "NotManaged", 32776, "DeleteiSCSINode", "o", node);
        must_refuse(i->bus, "NotSupported", 1, "AdoptiSCSINode", "o", node);

        /* It is on whatever addresses its interface has. */
        run_command("ip", "address", "del", "192.0.2.2/24", "dev", "v0", NULL);
        initiator_wait_property(i, port, PORT_INTERFACE, "BindsTo", "[" IP_A "]");
        run_command("ip", "address", "add", "192.0.2.2/24", "dev", "v0", NULL);
        initiator_wait_property(i, port, PORT_INTERFACE, "BindsTo", "[" IP_A " " IP_A2 "]");

        g_free(initiator_shell(NULL, "rm " IFACES "/hers"));
        initiator_wait_object(i, node, false);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        INITIATOR_TEST("/initiator-host/is-there", test_is_there);
        INITIATOR_TEST("/initiator-host/ports", test_ports);
        INITIATOR_TEST("/initiator-host/renamed", test_renamed);
        INITIATOR_TEST("/initiator-host/without-name", test_without_name);
        INITIATOR_TEST("/initiator-host/name-of-another", test_name_of_another);
        INITIATOR_TEST("/initiator-host/also-target", test_also_target);
        INITIATOR_TEST("/initiator-host/foreign", test_foreign);
        return g_test_run();
}
