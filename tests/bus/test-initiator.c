/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Initiator ports through open-iscsi: made, seen by the real iscsiadm, found again, deleted; and the requests that are
 * refused. */

#include <glib/gstdio.h>
#include <string.h>

#include "initiator.h"

/* The record's name is made from those of node and port. */
static char *only_record(void) {
        char *records = initiator_records();

        g_assert_true(g_str_has_prefix(records, "icd-"));
        g_assert_null(strchr(records, ' '));
        return records;
}

static guint count_words(const char *text) {
        g_auto(GStrv) words = g_strsplit(text, " ", -1);

        return g_strv_length(words);
}

static void test_create_and_delete(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = only_record(), *listed = NULL, *text = NULL, *again = NULL,
                        *wanted = NULL, *line = NULL, *identifier = NULL, *binds_to = NULL, *state = NULL, *after = NULL,
                        *mode = NULL;
        int status;

        identifier = get_property(i->bus, port, PORT_INTERFACE, "Identifier");
        g_assert_true(g_str_has_prefix(identifier, "80"));
        g_assert_true(g_str_has_suffix(identifier, "0001"));
        binds_to = get_property(i->bus, port, PORT_INTERFACE, "BindsTo");
        g_assert_cmpstr(binds_to, ==, "[" IP_A "]");
        state = get_property(i->bus, port, PORT_INTERFACE, "StatusDescriptions");
        g_assert_cmpstr(state, ==, "[In force]");

        listed = initiator_shell(&status, "iscsiadm -m iface");
        g_assert_cmpint(status, ==, 0);
        line = g_strdup_printf("%s tcp,<empty>,<empty>,v0," NODE_NAME "\n", record);
        g_assert_nonnull(strstr(listed, line));

        text = initiator_shell(NULL, "grep -v '^#' " IFACES "/%s", record);
        wanted = g_strdup_printf("iface.iscsi_ifacename = %s\niface.net_ifacename = v0\niface.transport_name = tcp\n"
                                 "iface.initiatorname = " NODE_NAME "\n",
                                 record);
        g_assert_cmpstr(text, ==, wanted);
        mode = initiator_shell(NULL, "stat -c %%a " IFACES " " IFACES "/%s; ls -A /etc/iscsi /run/lock/iscsi", record);
        g_assert_cmpstr(mode, ==,
                        "700\n600\n/etc/iscsi:\nifaces\ninitiatorname.iscsi\n\n/run/lock/iscsi:\niscsi-configd\nlock\n");

        /* A restart of the service leaves it as it is. */
        initiator_disconnect(i);
        service_kill(i->service);
        service_start(i->service);
        initiator_connect(i);
        g_assert_true(object_exists(i->bus, port));
        again = initiator_shell(NULL, "iscsiadm -m iface");
        g_assert_cmpstr(again, ==, listed);

        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        g_assert_false(object_exists(i->bus, port));
        after = initiator_records();
        g_assert_cmpstr(after, ==, "");
}

/* A record that was lost while the service did not run is made again, as after a restore of /etc. */
static void test_made_again(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = only_record(), *before = NULL, *after = NULL;

        before = initiator_shell(NULL, "cat " IFACES "/%s", record);
        initiator_disconnect(i);
        service_stop(i->service);
        run_command("rm", "-rf", IFACES, NULL);
        service_start(i->service);
        initiator_connect(i);
        after = initiator_shell(NULL, "cat " IFACES "/%s", record);
        g_assert_cmpstr(after, ==, before);
        initiator_wait_property(i, port, PORT_INTERFACE, "StatusDescriptions", "[In force]");
}

/* Ports of one node count up. */
static void test_identifiers(Initiator *i, gconstpointer data) {
        g_autofree char *first = initiator_create(i), *second = initiator_create(i), *roles = NULL, *any = NULL;
        size_t n = strlen(first);

        g_assert_true(g_str_has_suffix(first, "0001"));
        g_assert_true(g_str_has_suffix(second, "0002"));
        g_assert_cmpint(strncmp(first, second, n - 1), ==, 0);

        must_refuse(i->bus, "IdentifierSelectionNotSupported", 4099, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2,
                    "800000000001", 1, IP_A);
        roles = get_property(i->bus, ROOT_PATH, SERVICE_INTERFACE, "IdentifierSelectionRoles");
        g_assert_cmpstr(roles, ==, "[3]");
        any = get_property(i->bus, ROOT_PATH, SERVICE_INTERFACE, "IdentifierSelectionSupported");
        g_assert_cmpstr(any, ==, "true");
}

static void test_interfaces(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *records = NULL, *state = NULL;
        const char *absent = ROOT_PATH "/ip/_3203_2e0_2e113_2e9";

        /* Two addresses of one interface are one port's. */
        must_call(i->bus, "BindiSCSIProtocolEndPoint", "oo", port, IP_A2);
        must_call(i->bus, "UnbindiSCSIProtocolEndPoint", "oo", port, IP_A2);
        must_call(i->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 2, IP_A2, IP_A);

        /* Those of two are not. */
        must_refuse(i->bus, "NotFromSameCollection", 4103, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 2, IP_A,
                    IP_B);
        must_refuse(i->bus, "NotFromSameCollection", 4099, "BindiSCSIProtocolEndPoint", "oo", port, IP_B);

        must_refuse(i->bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1,
                    ROOT_PATH "/ip/_3a_3a");
        must_call(i->bus, "CreateIPProtocolEndpoint", "sa{sv}", "203.0.113.9", 0);
        must_refuse(i->bus, "ScopeMissing", 32771, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, absent);
        must_refuse(i->bus, "ScopeMissing", 32771, "BindiSCSIProtocolEndPoint", "oo", port, absent);

        records = initiator_records();
        g_assert_cmpuint(count_words(records), ==, 2);
}

/* A record has no switch. */
static void test_no_switch(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i);

        must_refuse(i->bus, "NotSupported", 1, "RequestStateChange", "oq", port, 3);
        must_call(i->bus, "RequestStateChange", "oq", port, 2);
        must_refuse(i->bus, "NotSupported", 1, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 1, NODE_PATH, 2, "", 1, IP_A, 1,
                    "Enabled", "b", 0);
}

/* A name that is in somebody's use, as an initiator's. */
static void test_name_in_use(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i);

        g_free(initiator_shell(NULL, "printf 'iface.iscsi_ifacename = hers\\niface.transport_name = tcp\\n"
                                     "iface.initiatorname = iqn.2026-11.org.example:hers\\n' >" IFACES "/hers"));
        must_refuse(i->bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", "iqn.2026-11.org.example:hers",
                    "Roles", "aq", 1, 2);
}

/* One node in both roles has ports in two backends. */
static void test_both_roles(Initiator *i, gconstpointer data) {
        const char *node = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aboth";
        g_autofree char *records = NULL, *left = NULL;

        must_call(i->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", "iqn.2026-11.org.example:both", "Roles", "aq", 2, 2,
                  3);
        must_call(i->bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, LOOPBACK_PORTAL);
        must_call(i->bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 2, "", 1, IP_B);
        records = only_record();
        must_call(i->bus, "DeleteiSCSINode", "o", node);
        g_assert_false(object_exists(i->bus, node));
        left = initiator_records();
        g_assert_cmpstr(left, ==, "");
}

/* A batch is all or nothing in the records too. */
static void test_batch(Initiator *i, gconstpointer data) {
        g_autofree char *none = NULL, *two = NULL;

        must_refuse(i->bus, "NotFromSameCollection", 4103, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, NODE_PATH, 2, "",
                    1, IP_A, NODE_PATH, 2, "", 2, IP_A, IP_B, 0);
        none = initiator_records();
        g_assert_cmpstr(none, ==, "");
        must_call(i->bus, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, NODE_PATH, 2, "", 1, IP_A, NODE_PATH, 2, "", 1,
                  IP_B, 0);
        two = initiator_records();
        g_assert_cmpuint(count_words(two), ==, 2);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        INITIATOR_TEST("/initiator/create-and-delete", test_create_and_delete);
        INITIATOR_TEST("/initiator/made-again", test_made_again);
        INITIATOR_TEST("/initiator/identifiers", test_identifiers);
        INITIATOR_TEST("/initiator/interfaces", test_interfaces);
        INITIATOR_TEST("/initiator/no-switch", test_no_switch);
        INITIATOR_TEST("/initiator/name-in-use", test_name_in_use);
        INITIATOR_TEST("/initiator/both-roles", test_both_roles);
        INITIATOR_TEST("/initiator/batch", test_batch);
        return g_test_run();
}
