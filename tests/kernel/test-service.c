/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The whole house on the real kernel: the service, its worker, the target, and initiators that we did not write. Runs inside the
 * throw-away machine, see tests/kernel/run. */

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service-fixture.h"

static const char *const loopback[] = { LOOPBACK_PORTAL, NULL };

static void test_portals_and_login(void) {
        const char *both[] = { LOOPBACK_PORTAL, V6_PORTAL, NULL };
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        g_autofree char *node = NULL, *port = NULL;
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        node = create_node(bus, "IQN.2026-11.org.example:A"); /* folded */
        assert_tree(NODE_A "\n");
        port = create_target_port(bus, node, "000000000007", both);
        assert_tree(NODE_A "\n" NODE_A "/tpgt_7 1 127.0.0.1:3260 [::1]:3260\n");

        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1 | grep -x 'Target:%s Portal:127.0.0.1:3260,7'", NODE_A), ==, 0);
        g_assert_cmpint(shell("iscsi-ls 'iscsi://[::1]:3260' | grep -F 'Portal:[::1]:3260,7'"), ==, 0);

        g_assert_cmpint(
                shell("cd /sys/kernel/config/target && mkdir -p core/fileio_0/disk && truncate -s 8M /run/disk.img && "
                      "echo fd_dev_name=/run/disk.img,fd_dev_size=8388608 > core/fileio_0/disk/control && "
                      "echo 1 > core/fileio_0/disk/enable && mkdir iscsi/%s/tpgt_7/lun/lun_0 && "
                      "ln -s $PWD/core/fileio_0/disk iscsi/%s/tpgt_7/lun/lun_0/disk && "
                      "echo 0 > iscsi/%s/tpgt_7/attrib/authentication && echo 1 > iscsi/%s/tpgt_7/attrib/generate_node_acls",
                      NODE_A, NODE_A, NODE_A, NODE_A),
                ==, 0);
        g_assert_cmpint(shell("iscsi-inq iscsi://127.0.0.1/%s/0 | grep LIO-ORG", NODE_A), ==, 0);
        g_assert_cmpint(shell("iscsi-inq 'iscsi://[::1]:3260/%s/0' | grep LIO-ORG", NODE_A), ==, 0);

        /* the mapping goes with the port, the disk stays */
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        assert_tree(NODE_A "\n");
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1"), !=, 0);
        g_assert_cmpint(shell("rmdir /sys/kernel/config/target/core/fileio_0/disk /sys/kernel/config/target/core/fileio_0"), ==,
                        0);
        delete_node(bus, node);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

static void test_bind_and_unbind(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        g_autofree char *node = NULL, *port = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        node = create_node(bus, NODE_A);
        port = create_target_port(bus, node, "", loopback);

        sd_bus_message_unref(call_service(bus, &e, "BindiSCSIProtocolEndPoint", "oo", port, V6_PORTAL));
        g_assert_false(sd_bus_error_is_set(&e));
        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260 [::1]:3260\n");
        sd_bus_message_unref(call_service(bus, &e, "UnbindiSCSIProtocolEndPoint", "oo", port, LOOPBACK_PORTAL));
        g_assert_false(sd_bus_error_is_set(&e));
        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 [::1]:3260\n");
        g_assert_null(call_service(bus, &e, "UnbindiSCSIProtocolEndPoint", "oo", port, V6_PORTAL));
        assert_error(&e, "LastPortal", 32778);

        delete_node(bus, node);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

static void test_two_nodes_share_a_portal(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        g_autofree char *a = NULL, *b = NULL, *port_a = NULL, *port_b = NULL;
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        a = create_node(bus, NODE_A);
        b = create_node(bus, NODE_B);
        port_a = create_target_port(bus, a, "", loopback);
        port_b = create_target_port(bus, b, "", loopback);
        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260\n" NODE_B "\n" NODE_B "/tpgt_1 1 127.0.0.1:3260\n");
        g_assert_cmpint(shell("test $(iscsi-ls iscsi://127.0.0.1 | grep -c 'Portal:127.0.0.1:3260,1') = 2"), ==, 0);

        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", port_a);
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1 | grep -F %s", NODE_B), ==, 0);
        delete_node(bus, a);
        delete_node(bus, b);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

static sd_bus_message *try_create(sd_bus *bus, sd_bus_error *e, const char *node, const char *identifier, const char *portal) {
        return call_service(bus, e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, identifier, 1, portal);
}

/* What other programs make in the kernel: it counts at once, and when the service has seen it. */
static void test_conflicts_in_the_kernel(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        g_autofree char *node = NULL, *port = NULL, *second = NULL;
        static const char foreign[] = PORT_1;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;
        int fd;

        service_start(s);
        bus = connect_as("root");
        node = create_node(bus, NODE_A);

        /* a tag, in a spelling that the kernel reads as 1 */
        g_assert_cmpint(shell("mkdir " FABRIC "/%s/tpgt_0x1", NODE_A), ==, 0);
        g_assert_null(try_create(bus, &e, node, "000000000001", LOOPBACK_PORTAL));
        assert_error(&e, "IdentifierInUse", 4098);
        port = create_target_port(bus, node, "", loopback); /* chooses the next */
        g_assert_true(g_str_has_suffix(port, "/endpoint/000000000002"));
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", port);

        /* a portal of the same node */
        g_assert_cmpint(shell("mkdir " FABRIC "/%s/tpgt_0x1/np/127.0.0.1:3260", NODE_A), ==, 0);
        g_assert_null(try_create(bus, &e, node, "000000000005", LOOPBACK_PORTAL));
        assert_error(&e, "TCPProtocolEndpointInUse", 4102);
        g_assert_null(try_create(bus, &e, node, "000000000005", ANY_PORTAL));
        g_assert_true(sd_bus_error_has_name(&e, ERROR_PREFIX "PortalShadowed") ||
                      sd_bus_error_has_name(&e, ERROR_PREFIX "AddressOverlap"));
        sd_bus_error_free(&e);
        await_seen(bus, foreign, PORT_INTERFACE, "BindsTo", "=[" LOOPBACK_PORTAL "]"); /* now by rule */
        g_assert_null(try_create(bus, &e, node, "000000000005", LOOPBACK_PORTAL));
        assert_error(&e, "TCPProtocolEndpointInUse", 4102);
        g_assert_null(try_create(bus, &e, node, "000000000001", V6_PORTAL));
        assert_error(&e, "IdentifierInUse", 4098);
        must_refuse(bus, "NotManaged", 32776, "DeleteiSCSIProtocolEndpoint", "o", foreign);
        g_assert_cmpint(shell("rmdir " FABRIC "/%s/tpgt_0x1/np/127.0.0.1:3260 " FABRIC "/%s/tpgt_0x1", NODE_A, NODE_A), ==, 0);
        await_exists(bus, foreign, false);

        /* another program on the TCP port */
        fd = listen_on("127.0.0.1", 3260);
        g_assert_null(try_create(bus, &e, node, "", LOOPBACK_PORTAL));
        g_test_message("%s", e.message);
        assert_error(&e, "AddressInUse", 32768);
        (void) close(fd);

        assert_tree(NODE_A "\n");
        second = create_target_port(bus, node, "", loopback);
        delete_node(bus, node);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

/* What a reboot does to the kernel's configuration. */
static void wipe(void) {
        g_assert_cmpint(shell("cd " FABRIC " && for t in iqn.*/tpgt_*; do test -d $t || continue; rmdir $t/np/*; rmdir $t; done; "
                              "for n in iqn.*; do test ! -d $n || rmdir $n; done"),
                        ==, 0);
        assert_tree("");
}

static void test_restart_with_an_empty_kernel(void) {
        const char *both[] = { LOOPBACK_PORTAL, V6_PORTAL, NULL };
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        g_autofree char *a = NULL, *b = NULL, *port_a = NULL, *port_b = NULL, *state = NULL;
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        a = create_node(bus, NODE_A);
        b = create_node(bus, NODE_B); /* without ports */
        port_a = create_target_port(bus, a, "", both);

        service_kill(s);
        wipe();
        service_start(s);
        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260 [::1]:3260\n" NODE_B "\n");
        g_assert_true(object_exists(bus, port_a));
        state = get_property(bus, port_a, "org.iscsi.ProtocolEndpoint", "EnabledState");
        g_assert_cmpstr(state, ==, "2");
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1 | grep -F %s", NODE_A), ==, 0);

        /* half of it missing */
        service_kill(s);
        must_shell("rmdir " FABRIC "/" NODE_A "/tpgt_1/np/127.0.0.1:3260");
        service_start(s);
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1 | grep -F %s", NODE_A), ==, 0);
        await_in_force(bus, port_a);

        /* Switched off by another program meanwhile: it stays off until somebody asks. */
        service_stop(s);
        must_shell("echo 0 >" FABRIC "/" NODE_A "/tpgt_1/enable; rmdir " FABRIC "/" NODE_A "/tpgt_1/np/127.0.0.1:3260");
        service_start(s);
        assert_value(bus, port_a, PORT_INTERFACE, "EnabledState", "=6");
        g_assert_cmpint(shell("grep -x 0 " FABRIC "/" NODE_A "/tpgt_1/enable"), ==, 0);
        must_call(bus, "RequestStateChange", "oq", port_a, 2);
        await_in_force(bus, port_a);
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1 | grep -F %s", NODE_A), ==, 0);

        delete_node(bus, a);
        delete_node(bus, b);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

/* strace spoils the worker's system calls. It runs beside it (-D) and not above it, so that the worker has the process id that it
 * was given the connection for. */

/* The worker is killed at the N-th of the calls that change the tree; the service takes back what it left, and the next call
 * works. */
static void test_worker_killed(void) {
        for (unsigned n = 1; n <= 5; n++) {
                g_autofree char *inject = g_strdup_printf("inject=mkdir,write:signal=SIGKILL:when=%u", n);
                const char *wrapper[] = { "strace", "-D",
                                          "-f",     "-qq",
                                          "-o",     "/dev/null",
                                          "-P",     FABRIC "/" NODE_A,
                                          "-P",     FABRIC "/" NODE_A "/tpgt_1",
                                          "-P",     FABRIC "/" NODE_A "/tpgt_1/np/127.0.0.1:3260",
                                          "-P",     FABRIC "/" NODE_A "/tpgt_1/enable",
                                          "-e",     inject,
                                          NULL };
                g_autoptr(Service) s = service_on_target(NULL, wrapper);
                g_autofree char *node = NULL;
                sd_bus_error e = SD_BUS_ERROR_NULL;
                sd_bus_message *reply;
                sd_bus *bus;

                service_start(s);
                bus = connect_as("root");
                node = call_for_path(bus, &e, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_A);
                if (!node) { /* the kill fell on the node's mkdir */
                        g_test_message("kill %u, node: %s", n, e.message);
                        assert_error(&e, "BackendUnavailable", 32773);
                        assert_tree("");
                        sd_bus_flush_close_unref(bus);
                        continue;
                }

                reply = try_create(bus, &e, node, "", LOOPBACK_PORTAL);
                if (!reply) {
                        g_test_message("kill %u, port: %s", n, e.message);
                        assert_error(&e, "BackendUnavailable", 32773);
                        assert_tree(NODE_A "\n");
                } else {
                        sd_bus_message_unref(reply);
                        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260\n");
                }
                delete_node(bus, node);
                assert_tree("");
                sd_bus_flush_close_unref(bus);
        }
}

/* A worker that hangs in the kernel: the call ends at its deadline, other nodes go on. What the hung worker may still do cannot
 * be taken back while it hangs, so the port stays visible as degraded; when the worker wakes, it finds its peer gone and takes
 * back what it made, and the service puts the port into force. */
static void test_worker_hangs(void) {
        static const char hangs[] = "test -e /run/hangs || exec \"$@\"; exec strace -D -f -qq -o /dev/null -P " FABRIC "/" NODE_A
                                    "/tpgt_1 -e inject=mkdir:delay_enter=20000000:when=1 \"$@\"";
        const char *wrapper[] = { "sh", "-c", hangs, "sh", NULL };
        g_autofree char *a = NULL, *b = NULL, *port_a = NULL, *port_b = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        must_shell("touch /run/hangs");
        s = service_on_target("--backend-deadline=6", wrapper);
        service_start(s);
        bus = connect_as("root");
        a = create_node(bus, NODE_A);
        b = create_node(bus, NODE_B);

        must_shell("{ sleep 3; rm /run/hangs; } >/dev/null 2>&1 &"); /* the workers that are started from then on are well */
        g_assert_null(try_create(bus, &e, a, "", LOOPBACK_PORTAL));
        g_test_message("%s", e.message);
        assert_error(&e, "Degraded", 32774);
        port_a = g_strconcat(a, "/endpoint/000000000001", NULL);
        assert_value(bus, port_a, PORT_INTERFACE, "OperationalStatus", "=[3]");
        port_b = create_target_port(bus, b, "", loopback);
        assert_tree(NODE_A "\n" NODE_B "\n" NODE_B "/tpgt_1 1 127.0.0.1:3260\n");

        await_value(bus, port_a, PORT_INTERFACE, "OperationalStatus", "=[2]", 60 * G_USEC_PER_SEC);
        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260\n" NODE_B "\n" NODE_B "/tpgt_1 1 127.0.0.1:3260\n");
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", port_a);
        g_assert_false(object_exists(bus, port_a));

        delete_node(bus, a);
        delete_node(bus, b);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

/* The service is killed while a create is under way: after the restart what is on the bus is what is in the kernel. */
static void test_service_killed(void) {
        for (unsigned n = 0; n < 8; n++) {
                g_autoptr(Service) s = service_on_target(NULL, NULL);
                g_autofree char *node = NULL, *port = NULL;
                sd_bus_message *m = NULL;
                sd_bus *bus;

                service_start(s);
                bus = connect_as("root");
                node = create_node(bus, NODE_A);
                g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE,
                                                               "CreateiSCSIProtocolEndpoint"),
                                >=, 0);
                g_assert_cmpint(sd_bus_message_append(m, "oqsao", node, 3, "", 1, LOOPBACK_PORTAL), >=, 0);
                g_assert_cmpint(sd_bus_send(bus, m, NULL), >=, 0);
                g_assert_cmpint(sd_bus_flush(bus), >=, 0);
                sd_bus_message_unref(m);
                g_usleep(n * n * 1500);
                service_kill(s);
                g_usleep(G_USEC_PER_SEC / 2); /* the worker finds its peer gone */

                service_start(s);
                port = g_strconcat(node, "/endpoint/000000000001", NULL);
                assert_tree(object_exists(bus, port) ? NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260\n" : NODE_A "\n");
                g_test_message("killed after %u us: %s", n * n * 1500, object_exists(bus, port) ? "there" : "not there");
                delete_node(bus, node);
                assert_tree("");
                sd_bus_flush_close_unref(bus);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/service/portals-and-login", test_portals_and_login);
        g_test_add_func("/service/bind-and-unbind", test_bind_and_unbind);
        g_test_add_func("/service/two-nodes-share-a-portal", test_two_nodes_share_a_portal);
        g_test_add_func("/service/conflicts-in-the-kernel", test_conflicts_in_the_kernel);
        g_test_add_func("/service/restart-with-an-empty-kernel", test_restart_with_an_empty_kernel);
        g_test_add_func("/service/worker-killed", test_worker_killed);
        g_test_add_func("/service/worker-hangs", test_worker_hangs);
        g_test_add_func("/service/service-killed", test_service_killed);
        return g_test_run();
}
