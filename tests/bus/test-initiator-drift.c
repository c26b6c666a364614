/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What becomes of initiator ports when other programs change their records, or the host its interfaces and addresses. */

#include <glib/gstdio.h>
#include <string.h>

#include "initiator.h"

static void wait_state(Initiator *i, const char *port, const char *text) {
        initiator_wait_property(i, port, PORT_INTERFACE, "StatusDescriptions", text);
}

static void wait_record(const char *record, const char *line) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
        int status;

        for (;;) {
                g_free(initiator_shell(&status, "grep -qx '%s' " IFACES "/%s", line, record));
                if (status == 0)
                        return;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
}

static void test_removed(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *records = NULL, *state = NULL;
        int status;

        g_free(initiator_shell(&status, "iscsiadm -m iface -I %s -o delete", record));
        g_assert_cmpint(status, ==, 0);
        wait_state(i, port, "[Not in force: it was removed by another program]");
        state = get_property(i->bus, port, PORT_INTERFACE, "EnabledState");
        g_assert_cmpstr(state, ==, "6");
        records = initiator_records();
        g_assert_cmpstr(records, ==, "");

        must_call(i->bus, "Reconcile", "o", NODE_PATH);
        wait_state(i, port, "[In force]");
        wait_record(record, "iface.net_ifacename = v0");

        /* With the other policy it is made again by itself. */
        must_call(i->bus, "ModifyiSCSINode", "oa{sv}", NODE_PATH, 1, "DriftPolicy", "s", "enforce");
        g_free(initiator_shell(&status, "rm " IFACES "/%s", record));
        g_assert_cmpint(status, ==, 0);
        wait_record(record, "iface.net_ifacename = v0");
        wait_state(i, port, "[In force]");
}

static void test_changed(Initiator *i, gconstpointer data) {
        static const struct {
                const char *script, *clause;
        } cases[] = {
                { "s/initiatorname = .*/initiatorname = iqn.2026-11.org.example:other/",
                  "has iqn.2026-11.org.example:other as initiator name" },
                { "/initiatorname/d", "has the host's as initiator name" },
                { "s/transport_name = tcp/transport_name = iser/", "has transport iser, not tcp" },
                { "/net_ifacename/d", "names no network interface" },
                { "s/END RECORD/&\\nnode.colour = red/", "has a key that open-iscsi does not know, node.colour" },
        };
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *before = NULL;

        before = initiator_shell(NULL, "cat " IFACES "/%s", record);
        for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
                g_autofree char *text = g_strdup_printf("[Drifted: its interface record %s %s]", record, cases[k].clause),
                                *after = NULL;

                g_free(initiator_shell(NULL, "sed -i '%s' " IFACES "/%s", cases[k].script, record));
                wait_state(i, port, text);
                must_call(i->bus, "Reconcile", "o", NODE_PATH);
                wait_state(i, port, "[In force]");
                after = initiator_shell(NULL, "cat " IFACES "/%s", record);
                g_assert_cmpstr(after, ==, before);
        }
}

/* What people add is theirs, and no drift. */
static void test_settings_stay(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *text = NULL;

        g_free(initiator_shell(NULL, "sed -i 's/# END/iface.mtu = 9000\\n&/' " IFACES "/%s", record));
        must_call(i->bus, "Reconcile", "o", NODE_PATH);
        wait_state(i, port, "[In force]");
        text = initiator_shell(NULL, "grep mtu " IFACES "/%s", record);
        g_assert_cmpstr(text, ==, "iface.mtu = 9000\n");
}

/* iscsiadm empties a record before it writes it. */
static void test_empty_for_a_moment(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *log = NULL, *text = NULL;

        for (int k = 0; k < 5; k++)
                g_free(initiator_shell(
                        NULL, "cd " IFACES "; cp %s /etc/iscsi/copy; : >%s; sleep 0.02; cat /etc/iscsi/copy >%s; sleep 0.2",
                        record, record, record));
        must_call(i->bus, "Reconcile", "o", NODE_PATH);
        wait_state(i, port, "[In force]");
        log = service_read_log(i->service);
        g_assert_null(strstr(log, "empty"));

        /* One that stays empty is told. */
        g_free(initiator_shell(NULL, ": >" IFACES "/%s", record));
        text = g_strdup_printf("[Drifted: its interface record %s is empty]", record);
        wait_state(i, port, text);
}

/* A new name is of no use to anybody but the record: it is followed whatever the policy. */
static void test_renamed(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records();

        must_call(i->bus, "BindiSCSIProtocolEndPoint", "oo", port, IP_A2);
        g_free(initiator_shell(NULL, "sed -i 's/# END/iface.mtu = 9000\\n&/' " IFACES "/%s", record));
        run_command("ip", "link", "set", "v0", "down", NULL);
        run_command("ip", "link", "set", "v0", "name", "v9", NULL);
        run_command("ip", "link", "set", "v9", "up", NULL);
        wait_record(record, "iface.net_ifacename = v9");
        wait_record(record, "iface.mtu = 9000"); /* what people add is kept */
        wait_state(i, port, "[In force]");
        g_assert_true(object_exists(i->bus, port));
}

static void test_moved(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records();

        run_command("ip", "address", "del", "192.0.2.1/24", "dev", "v0", NULL);
        wait_state(i, port, "[Not in force: portal 192.0.2.1 waits for its address, which is not on this host]");
        run_command("ip", "address", "add", "192.0.2.1/24", "dev", "v1", NULL);
        wait_state(i, port, "[Drifted: address 192.0.2.1 is on network interface v1, and it is bound to v0]");
        wait_record(record, "iface.net_ifacename = v0");

        must_call(i->bus, "Reconcile", "o", NODE_PATH);
        wait_state(i, port, "[In force]");
        wait_record(record, "iface.net_ifacename = v1");
}

/* The interface goes with its addresses, and comes again. */
static void test_interface_gone(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records();

        run_command("ip", "link", "del", "v0", NULL);
        wait_state(i, port,
                   "[Not in force: network interface v0, which it is bound to, is not there; portal 192.0.2.1 waits for its "
                   "address, "
                   "which is not on this host]");
        run_command("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", NULL);
        run_command("ip", "address", "add", "192.0.2.1/24", "dev", "v0", NULL);
        wait_state(i, port, "[In force]");
        wait_record(record, "iface.net_ifacename = v0");
}

/* One file that open-iscsi does not understand hides all records from iscsiadm: the service says which. */
static void test_notices(Initiator *i, gconstpointer data) {
        static const struct {
                const char *make, *text;
        } cases[] = {
                { "printf 'iface.transport_name = tcp\\nnode.colour = red\\n' >" IFACES "/x", "[" IFACES "/x has a key" },
                { "ln -s /nowhere " IFACES "/x", "[" IFACES "/x is a link that leads nowhere" },
        };

        g_free(initiator_create(i));
        for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
                gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
                int status;

                g_free(initiator_shell(NULL, "%s", cases[k].make));
                g_free(initiator_shell(&status, "iscsiadm -m iface"));
                g_assert_cmpint(status, !=, 0); /* it does hide them */
                for (;;) {
                        g_autofree char *now = get_property(i->bus, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions");

                        if (g_str_has_prefix(now, cases[k].text))
                                break;
                        if (g_get_monotonic_time() > end)
                                g_error("%s", now);
                        g_usleep(10000);
                }
                g_free(initiator_shell(NULL, "rm -rf " IFACES "/x"));
                initiator_wait_property(i, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions", "[]");
                g_free(initiator_shell(&status, "iscsiadm -m iface"));
                g_assert_cmpint(status, ==, 0);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        INITIATOR_TEST("/initiator-drift/removed", test_removed);
        INITIATOR_TEST("/initiator-drift/changed", test_changed);
        INITIATOR_TEST("/initiator-drift/settings-stay", test_settings_stay);
        INITIATOR_TEST("/initiator-drift/empty-for-a-moment", test_empty_for_a_moment);
        INITIATOR_TEST("/initiator-drift/renamed", test_renamed);
        INITIATOR_TEST("/initiator-drift/moved", test_moved);
        INITIATOR_TEST("/initiator-drift/interface-gone", test_interface_gone);
        INITIATOR_TEST("/initiator-drift/notices", test_notices);
        return g_test_run();
}
