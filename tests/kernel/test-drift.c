/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Another program changes the service's ports in the kernel while it runs: that is seen, shown, told by signals and in the log
 * within a second, and well again when it is put back or where the policy says so. */

#include "service-fixture.h"

#include <string.h>

#define NODE_DIR FABRIC "/" NODE_A
#define PORT_DIR NODE_DIR "/tpgt_1"
#define WHOLE NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260 [::1]:3260\n" NODE_A "/tpgt_2 1 127.0.0.1:3261\n"

#define MAKE "mkdir -p " PORT_DIR "/np/127.0.0.1:3260 " PORT_DIR "/np/[::1]:3260 && echo 1 >" PORT_DIR "/enable"
#define MAKE_SECOND "mkdir -p " NODE_DIR "/tpgt_2/np/127.0.0.1:3261 && echo 1 >" NODE_DIR "/tpgt_2/enable"

static const struct {
        const char *name, *befall, *put_back; /* shell commands */
        const char *enabled, *listening, *text;
} drifts[] = {
        { "disabled", "echo 0 >" PORT_DIR "/enable", "echo 1 >" PORT_DIR "/enable", "=6", "=[]",
          "it was switched off by another program" },
        { "portal-removed", "rmdir " PORT_DIR "/np/[[]::1]:3260", "mkdir " PORT_DIR "/np/[::1]:3260", "=2",
          "=[" LOOPBACK_PORTAL "]", "portal [::1]:3260 was removed by another program" },
        { "emptied", "rmdir " PORT_DIR "/np/*", "mkdir " PORT_DIR "/np/127.0.0.1:3260 " PORT_DIR "/np/[::1]:3260", "=6", "=[]",
          "was removed by another program" },
        { "removed", "rmdir " PORT_DIR "/np/* " PORT_DIR, MAKE, "=6", "=[]", "it was removed by another program" },
        { "node-removed", "rmdir " NODE_DIR "/*/np/* " NODE_DIR "/tpgt_* " NODE_DIR, MAKE " && " MAKE_SECOND, "=6", "=[]",
          "it was removed by another program" },
        { "portal-added", "mkdir " PORT_DIR "/np/127.0.0.1:9999", "rmdir " PORT_DIR "/np/127.0.0.1:9999", "=2",
          "=[" LOOPBACK_PORTAL " " V6_PORTAL "]", "it is also on portal 127.0.0.1:9999" },
};

static sd_bus *start_with_ports(Service *s) {
        const char *both[] = { LOOPBACK_PORTAL, V6_PORTAL, NULL };
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        g_free(create_node(bus, NODE_A));
        g_free(create_target_port(bus, NODE_A_PATH, "", both));
        must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1", 3261, DEFAULT_GROUP, 0);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A_PATH, 3, "000000000002", 1,
                  ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3261");
        assert_tree(WHOLE);
        return bus;
}

static void end(sd_bus *bus) {
        delete_node(bus, NODE_A_PATH);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

static void assert_signal(Mirror *mirror, const char *what) {
        g_autofree char *signals = mirror_take(mirror);

        if (!strstr(signals, what))
                g_error("No signal \"%s\" in: %s", what, signals);
}

static void test_report(gconstpointer data) {
        gsize i = GPOINTER_TO_SIZE(data);
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus = start_with_ports(s);
        g_autoptr(Mirror) mirror = mirror_new(bus);
        g_autofree char *drifted = NULL, *after = NULL;

        must_shell("%s", drifts[i].befall);
        await_seen(bus, PORT_1, PORT_INTERFACE, "StatusDescriptions", drifts[i].text);
        assert_value(bus, PORT_1, PORT_INTERFACE, "EnabledState", drifts[i].enabled);
        assert_value(bus, PORT_1, PORT_INTERFACE, "OperationalStatus", "=[3]");
        assert_value(bus, PORT_1, PORT_INTERFACE, "ListeningOn", drifts[i].listening);
        assert_value(bus, NODE_A_PATH, NODE_INTERFACE, "OperationalStatus", "=[3]");
        assert_signal(mirror, "~ node/" NODE_A "/endpoint/000000000001 ");
        await_logged(s, "Port 000000000001 of node " NODE_A ": ");
        await_logged(s, drifts[i].text);

        /* It is left alone. */
        drifted = shell_output("find " FABRIC "/iqn.* 2>/dev/null; true");
        g_usleep(G_USEC_PER_SEC);
        after = shell_output("find " FABRIC "/iqn.* 2>/dev/null; true");
        g_assert_cmpstr(after, ==, drifted);

        must_shell("%s", drifts[i].put_back);
        await_in_force(bus, PORT_1);
        await_seen(bus, NODE_A_PATH, NODE_INTERFACE, "OperationalStatus", "=[2]");
        assert_value(bus, PORT_1, PORT_INTERFACE, "ListeningOn", "=[" LOOPBACK_PORTAL " " V6_PORTAL "]");
        assert_signal(mirror, "~ node/" NODE_A "/endpoint/000000000001 ");
        await_logged(s, "Port 000000000001 of node " NODE_A ": In force");
        assert_tree(WHOLE);
        end(bus);
}

static bool is_whole(void) {
        return shell("test \"$(ls " NODE_DIR "/*/np/ 2>/dev/null)\" = \"$(printf '%%s:\\n127.0.0.1:3260\\n[::1]:3260\\n\\n%%s:"
                     "\\n127.0.0.1:3261' " PORT_DIR "/np/ " NODE_DIR "/tpgt_2/np/)\" && grep -qx 1 " PORT_DIR "/enable && "
                     "grep -qx 1 " NODE_DIR "/tpgt_2/enable") == 0;
}

/* The policy of the node goes before the service's. */
static void test_enforce(gconstpointer data) {
        gsize i = GPOINTER_TO_SIZE(data);
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus = start_with_ports(s);
        gint64 end_usec;

        must_call(bus, "ModifyiSCSINode", "oa{sv}", NODE_A_PATH, 1, "DriftPolicy", "s", "enforce");
        must_shell("%s", drifts[i].befall);
        if (g_str_equal(drifts[i].name, "portal-added")) {
                /* What another program made beside it is not the service's to remove. */
                await_seen(bus, PORT_1, PORT_INTERFACE, "StatusDescriptions", drifts[i].text);
                g_usleep(G_USEC_PER_SEC / 2);
                must_shell("%s", drifts[i].put_back);
        }
        end_usec = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
        while (!is_whole())
                g_assert_cmpint(g_get_monotonic_time(), <, end_usec);

        /* A look that began before is over. */
        g_usleep(G_USEC_PER_SEC / 2);
        await_in_force(bus, PORT_1);
        await_seen(bus, NODE_A_PATH, NODE_INTERFACE, "OperationalStatus", "=[2]");
        assert_tree(WHOLE);
        end(bus);
}

/* Reconcile puts right whatever the policy says. */
static void test_reconcile(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus = start_with_ports(s);

        must_shell("%s", drifts[4].befall);
        await_seen(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=6");
        must_call(bus, "Reconcile", "o", ROOT_PATH);
        assert_tree(WHOLE);
        await_in_force(bus, PORT_1);
        end(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        for (gsize i = 0; i < G_N_ELEMENTS(drifts); i++) {
                g_autofree char *report = g_strconcat("/drift/report/", drifts[i].name, NULL),
                                *enforce = g_strconcat("/drift/enforce/", drifts[i].name, NULL);

                g_test_add_data_func(report, GSIZE_TO_POINTER(i), test_report);
                g_test_add_data_func(enforce, GSIZE_TO_POINTER(i), test_enforce);
        }
        g_test_add_func("/drift/reconcile", test_reconcile);

        return g_test_run();
}
