/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What other programs have in the target beside the service: it is shown as it is now, taken into care and given back
 * untouched, and never touched otherwise. */

#include "service-fixture.h"

#include <sys/stat.h>

#define B_DIR FABRIC "/" NODE_B
#define B_TREE NODE_B "\n" NODE_B "/tpgt_1 1 127.0.0.1:3260\n" NODE_B "/tpgt_2 0 127.0.0.1:3261\n"
#define B_PORT_1 NODE_B_PATH "/endpoint/000000000001"
#define B_PORT_2 NODE_B_PATH "/endpoint/000000000002"

static void make_foreign(void) {
        must_shell("mkdir -p " B_DIR "/tpgt_1/np/127.0.0.1:3260 " B_DIR "/tpgt_2/np/127.0.0.1:3261 && echo 1 >" B_DIR
                   "/tpgt_1/enable");
}

static void remove_foreign(void) {
        must_shell("rmdir " B_DIR "/tpgt_1/np/127.0.0.1:3260 " B_DIR "/tpgt_1 " B_DIR "/tpgt_2/np/127.0.0.1:3261 " B_DIR
                   "/tpgt_2 " B_DIR);
}

/* It comes and goes with the kernel's, and its name is free when it is gone. */
static void test_comes_and_goes(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        make_foreign();
        await_exists(bus, B_PORT_1, true);
        await_seen(bus, B_PORT_1, PORT_INTERFACE, "EnabledState", "=2");
        assert_value(bus, B_PORT_1, PORT_INTERFACE, "Managed", "=false");
        assert_value(bus, B_PORT_1, PORT_INTERFACE, "BindsTo", "=[" LOOPBACK_PORTAL "]");
        assert_value(bus, B_PORT_1, PORT_INTERFACE, "ListeningOn", "=[" LOOPBACK_PORTAL "]");
        await_seen(bus, B_PORT_2, PORT_INTERFACE, "EnabledState", "=3");
        must_refuse(bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_B);
        must_refuse(bus, "NotManaged", 32776, "DeleteiSCSINode", "o", NODE_B_PATH);
        must_refuse(bus, "NotManaged", 32776, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_B_PATH, 3, "", 1, V6_PORTAL);

        must_shell("echo 0 >" B_DIR "/tpgt_1/enable");
        await_seen(bus, B_PORT_1, PORT_INTERFACE, "EnabledState", "=3");
        must_shell("rmdir " B_DIR "/tpgt_2/np/127.0.0.1:3261 " B_DIR "/tpgt_2");
        await_exists(bus, B_PORT_2, false);
        must_shell("rmdir " B_DIR "/tpgt_1/np/127.0.0.1:3260 " B_DIR "/tpgt_1 " B_DIR);
        await_exists(bus, NODE_B_PATH, false);

        g_free(create_node(bus, NODE_B));
        assert_value(bus, NODE_B_PATH, NODE_INTERFACE, "Managed", "=true");
        delete_node(bus, NODE_B_PATH);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

/* Taken into care unchanged, restored like any other, given back unchanged. */
static void test_adopt_and_release(void) {
        g_autofree char *before = NULL, *after = NULL;
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        make_foreign();
        await_exists(bus, B_PORT_2, true);
        await_seen(bus, B_PORT_1, PORT_INTERFACE, "EnabledState", "=2");
        before = shell_output("cd " B_DIR " && find . | sort && head -v -n 5 tpgt_*/attrib/* tpgt_*/enable tpgt_*/param/*");
        must_call(bus, "AdoptiSCSINode", "o", NODE_B_PATH);
        assert_value(bus, NODE_B_PATH, NODE_INTERFACE, "Managed", "=true");
        assert_value(bus, B_PORT_1, PORT_INTERFACE, "Managed", "=true");
        await_in_force(bus, B_PORT_1);
        assert_value(bus, B_PORT_2, PORT_INTERFACE, "RequestedState", "=3");

        service_kill(s);
        remove_foreign();
        service_start(s);
        sd_bus_flush_close_unref(bus);
        bus = connect_as("root");
        assert_tree(B_TREE);
        await_in_force(bus, B_PORT_1);

        must_call(bus, "ReleaseiSCSINode", "o", NODE_B_PATH);
        assert_value(bus, NODE_B_PATH, NODE_INTERFACE, "Managed", "=false");
        assert_value(bus, B_PORT_1, PORT_INTERFACE, "Managed", "=false");
        assert_value(bus, B_PORT_1, PORT_INTERFACE, "EnabledState", "=2");
        after = shell_output("cd " B_DIR " && find . | sort && head -v -n 5 tpgt_*/attrib/* tpgt_*/enable tpgt_*/param/*");
        g_assert_cmpstr(after, ==, before);
        must_refuse(bus, "NotManaged", 32776, "DeleteiSCSINode", "o", NODE_B_PATH);

        /* It does not come back. */
        service_stop(s);
        remove_foreign();
        service_start(s);
        assert_tree("");
        g_assert_false(object_exists(bus, NODE_B_PATH));
        sd_bus_flush_close_unref(bus);
}

/* A portal group of another program in the service's node: the node cannot be deleted, and nothing in it is touched by the
 * attempt. */
static void test_inside_our_node(void) {
        g_autofree char *before = NULL, *after = NULL;
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        const char *portals[] = { LOOPBACK_PORTAL, NULL };
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        g_free(create_node(bus, NODE_A));
        g_free(create_target_port(bus, NODE_A_PATH, "", portals));
        must_shell("cd " TARGET " && mkdir -p core/fileio_0/disk && truncate -s 8M /run/disk.img && "
                   "echo fd_dev_name=/run/disk.img,fd_dev_size=8388608 > core/fileio_0/disk/control && "
                   "echo 1 > core/fileio_0/disk/enable && cd iscsi/" NODE_A
                   "/tpgt_1 && mkdir lun/lun_0 acls/iqn.2026-11.org.example:i && "
                   "ln -s " TARGET "/core/fileio_0/disk lun/lun_0/disk && mkdir acls/iqn.2026-11.org.example:i/lun_0 && "
                   "ln -s " FABRIC "/" NODE_A "/tpgt_1/lun/lun_0 acls/iqn.2026-11.org.example:i/lun_0/link");
        before = shell_output("find " FABRIC "/" NODE_A " | grep -v tpgt_2 | sort");
        g_assert_cmpint(mkdir(FABRIC "/" NODE_A "/tpgt_2", 0755), ==, 0);

        /* At once, when the service has hardly seen it, and when it has. */
        for (unsigned n = 0; n < 2; n++) {
                g_assert_null(call_service(bus, &e, "DeleteiSCSINode", "o", NODE_A_PATH));
                g_test_message("%s: %s", e.name, e.message);
                if (n == 0 && sd_bus_error_has_name(&e, ERROR_PREFIX "ForeignObjectInside"))
                        assert_error(&e, "ForeignObjectInside", 32793); /* the worker found it */
                else
                        assert_error(&e, "NotManaged", 32776); /* by rule */
                g_free(after);
                after = shell_output("find " FABRIC "/" NODE_A " | grep -v tpgt_2 | sort");
                g_assert_cmpstr(after, ==, before);
                await_exists(bus, NODE_A_PATH "/endpoint/000000000002", true);
        }
        await_in_force(bus, PORT_1);
        assert_value(bus, NODE_A_PATH "/endpoint/000000000002", PORT_INTERFACE, "Managed", "=false");
        must_refuse(bus, "NotManaged", 32776, "DeleteiSCSIProtocolEndpoint", "o", NODE_A_PATH "/endpoint/000000000002");

        must_shell("rmdir " FABRIC "/" NODE_A "/tpgt_2");
        await_exists(bus, NODE_A_PATH "/endpoint/000000000002", false);
        delete_node(bus, NODE_A_PATH);
        must_shell("rmdir " TARGET "/core/fileio_0/disk " TARGET "/core/fileio_0");
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/foreign/comes-and-goes", test_comes_and_goes);
        g_test_add_func("/foreign/adopt-and-release", test_adopt_and_release);
        g_test_add_func("/foreign/inside-our-node", test_inside_our_node);

        return g_test_run();
}
