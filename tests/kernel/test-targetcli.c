/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service beside the real targetcli: it saves, wipes and restores the target, and a session of it is held open. The service
 * says what is true at each moment, and nobody waits for ever. */

#include "service-fixture.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAVED "/run/saved/saveconfig.json"
#define LOCK_FILE "/run/targetcli.lock"
#define WHOLE NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260\n"
#define CALL_USEC (25 * G_USEC_PER_SEC) /* what a D-Bus call takes at most */

static const char *const loopback[] = { LOOPBACK_PORTAL, NULL };

static bool have_targetcli(void) {
        if (shell("command -v targetcli && command -v targetctl") == 0)
                return true;
        g_test_skip("targetcli is not here (packages targetcli-fb, python3-rtslib-fb)");
        return false;
}

static sd_bus *start_with_port(Service *s) {
        sd_bus *bus;

        /* It changes the mode of the directory that it saves to. */
        must_shell("mkdir -p /run/saved");
        service_start(s);
        bus = connect_as("root");
        g_free(create_node(bus, NODE_A));
        g_free(create_target_port(bus, NODE_A_PATH, "", loopback));
        return bus;
}

static void end(sd_bus *bus) {
        delete_node(bus, NODE_A_PATH);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
        must_shell("rm -rf /run/saved");
}

/* The whole of the target is wiped, and comes back as it was. */
static void test_clear_and_restore(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        if (!have_targetcli())
                return;
        bus = start_with_port(s);
        must_shell("targetcli saveconfig " SAVED);
        await_in_force(bus, PORT_1); /* saving changes nothing */

        must_shell("targetctl clear");
        await_seen(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=6");
        assert_value(bus, PORT_1, PORT_INTERFACE, "OperationalStatus", "=[3]");
        assert_value(bus, PORT_1, PORT_INTERFACE, "StatusDescriptions", "it was removed by another program");
        await_logged(s, "Port 000000000001 of node " NODE_A ": ");
        assert_tree("");

        must_shell("targetctl restore " SAVED);
        assert_tree(WHOLE);
        await_in_force(bus, PORT_1);
        await_seen(bus, NODE_A_PATH, NODE_INTERFACE, "OperationalStatus", "=[2]");

        /* Without a saved configuration, the service brings back what is its own. */
        must_shell("targetctl clear");
        await_seen(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=6");
        must_call(bus, "Reconcile", "o", ROOT_PATH);
        assert_tree(WHOLE);
        await_in_force(bus, PORT_1);
        end(bus);
}

/* What targetcli makes is seen, with the portal that it makes by itself, and can be taken into care. */
static void test_made_by_targetcli(void) {
        static const char port[] = NODE_B_PATH "/endpoint/000000000001";
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        if (!have_targetcli())
                return;
        service_start(s);
        bus = connect_as("root");
        must_shell("targetcli /iscsi create " NODE_B);
        await_exists(bus, port, true);
        await_seen(bus, port, PORT_INTERFACE, "EnabledState", "=2");
        assert_value(bus, port, PORT_INTERFACE, "Managed", "=false");
        must_call(bus, "AdoptiSCSINode", "o", NODE_B_PATH);
        assert_value(bus, port, PORT_INTERFACE, "Managed", "=true");
        await_in_force(bus, port);
        assert_tree(NODE_B "\n" NODE_B "/tpgt_1 1 0.0.0.0:3260\n");

        must_shell("targetcli /iscsi delete " NODE_B);
        await_seen(bus, port, PORT_INTERFACE, "EnabledState", "=6");
        delete_node(bus, NODE_B_PATH);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

/* A targetcli that a person has open; *RET_INPUT ends it when it is closed. */
static GPid session_open(int *ret_input) {
        const char *argv[] = { "targetcli", NULL };
        g_autoptr(GError) error = NULL;
        GPid pid;

        g_spawn_async_with_pipes(NULL, (char **) argv, NULL,
                                 G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, &pid,
                                 ret_input, NULL, NULL, &error);
        g_assert_no_error(error);
        return pid;
}

/* A session keeps the lock as long as it is open. */
static void await_locked(void) {
        for (unsigned n = 0; n < 200; n++) {
                if (shell("flock -n " LOCK_FILE " true") != 0)
                        return;
                g_usleep(100000);
        }
        g_error("The session does not take its lock");
}

static void test_session_held_open(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *created = NULL;
        gint64 begun;
        int input;
        sd_bus *bus;
        GPid pid;

        if (!have_targetcli())
                return;
        bus = start_with_port(s);
        pid = session_open(&input);
        await_locked();

        begun = g_get_monotonic_time();
        created = call_for_path(bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A_PATH, 3, "", 1, V6_PORTAL);
        g_test_message("%s after %u ms", created ? created : e.message, (unsigned) ((g_get_monotonic_time() - begun) / 1000));
        g_assert_cmpint(g_get_monotonic_time() - begun, <, CALL_USEC);
        if (created)
                assert_tree(WHOLE NODE_A "/tpgt_2 1 [::1]:3260\n");
        else {
                assert_error(&e, "Busy", 32772);
                assert_tree(WHOLE);
        }
        await_in_force(bus, PORT_1); /* reading does not wait */

        /* Its session changes something, and ends. */
        g_assert_cmpint(write(input, "/iscsi/" NODE_A "/tpg1 disable\nexit\n", strlen("/iscsi/" NODE_A "/tpg1 disable\nexit\n")),
                        >, 0);
        (void) close(input);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        await_seen(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=6");
        must_call(bus, "RequestStateChange", "oq", PORT_1, 2);
        await_in_force(bus, PORT_1);
        if (!created)
                created = call_for_path(bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A_PATH, 3, "", 1, V6_PORTAL);
        g_assert_nonnull(created);
        await_in_force(bus, created);
        assert_tree(WHOLE NODE_A "/tpgt_2 1 [::1]:3260\n");
        end(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/targetcli/clear-and-restore", test_clear_and_restore);
        g_test_add_func("/targetcli/made-by-targetcli", test_made_by_targetcli);
        g_test_add_func("/targetcli/session-held-open", test_session_held_open);

        return g_test_run();
}
