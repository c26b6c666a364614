/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the service does with ports that carry something: disks, access lists, sessions; many ports in one call; ports of one
 * boot; and checks, which do nothing. */

#include "open-iscsi.h"
#include "service-fixture.h"

#include <string.h>

#include "batch.h"
#include "bus-view.h"

#define PORT_DIR FABRIC "/" NODE_A "/tpgt_1"
#define INITIATOR "iqn.2026-11.org.example:initiator"
#define BATCH 64

static const char *const loopback[] = { LOOPBACK_PORTAL, NULL };

static sd_bus *start_with_port(Service *s) {
        sd_bus *bus;

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
}

static void disk_make(void) {
        must_shell("cd " TARGET " && mkdir -p core/fileio_0/disk && truncate -s 8M /run/disk.img && "
                   "echo fd_dev_name=/run/disk.img,fd_dev_size=8388608 > core/fileio_0/disk/control && "
                   "echo 1 > core/fileio_0/disk/enable && cd " PORT_DIR " && mkdir lun/lun_0 acls/" INITIATOR " && "
                   "ln -s " TARGET "/core/fileio_0/disk lun/lun_0/disk && mkdir acls/" INITIATOR "/lun_0 && "
                   "ln -s " PORT_DIR "/lun/lun_0 acls/" INITIATOR "/lun_0/link");
}

static void disk_remove(void) {
        must_shell("rmdir " TARGET "/core/fileio_0/disk " TARGET "/core/fileio_0");
}

static char *tree(void) {
        return shell_output("cd " FABRIC
                            " && find iqn.* | sort; for t in iqn.*/tpgt_*; do test ! -d $t || echo $t $(cat $t/enable); done");
}

static void test_off_and_on(void) {
        g_autofree char *before = NULL, *after = NULL;
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus = start_with_port(s);

        disk_make();
        before = tree();
        must_call(bus, "RequestStateChange", "oq", PORT_1, 3);
        assert_value(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=3");
        g_assert_cmpint(shell("grep -x 0 " PORT_DIR "/enable"), ==, 0);
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1 | grep " NODE_A), !=, 0);
        service_stop(s);
        service_start(s); /* it stays off */
        g_assert_cmpint(shell("grep -x 0 " PORT_DIR "/enable"), ==, 0);
        must_call(bus, "RequestStateChange", "oq", PORT_1, 2);
        await_in_force(bus, PORT_1);
        after = tree();
        g_assert_cmpstr(after, ==, before);
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1 | grep " NODE_A), ==, 0);
        end(bus);
        disk_remove();
}

/* An initiator is logged in: the port is deleted by force alone. */
static void test_forced(void) {
        g_autofree char *before = NULL, *after = NULL;
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        if (!open_iscsi_start(INITIATOR))
                return;
        bus = start_with_port(s);
        disk_make();
        must_shell("echo 0 >" PORT_DIR "/attrib/authentication");
        must_shell("iscsiadm -m discovery -t sendtargets -p 127.0.0.1:3260 && "
                   "iscsiadm -m node -T " NODE_A " -p 127.0.0.1:3260 --login");
        before = tree();
        must_refuse(bus, "SessionsActive", 32779, "DeleteiSCSIProtocolEndpoint", "o", PORT_1);
        must_refuse(bus, "SessionsActive", 4097, "DeleteiSCSINode", "o", NODE_A_PATH);
        after = tree();
        g_assert_cmpstr(after, ==, before);
        must_shell("iscsiadm -m session | grep " NODE_A);
        await_in_force(bus, PORT_1);

        must_call(bus, "DeleteiSCSIProtocolEndpointForced", "o", PORT_1);
        g_assert_false(object_exists(bus, PORT_1));
        assert_tree(NODE_A "\n");
        (void) shell("iscsiadm -m node -T " NODE_A " -p 127.0.0.1:3260 --logout; iscsiadm -m node -T " NODE_A " -o delete");
        open_iscsi_stop();
        end(bus);
        disk_remove();
}

/* What the service takes for the boot of the host; in this test's mounts alone. */
static void set_boot(unsigned n) {
        must_shell("umount /proc/sys/kernel/random/boot_id 2>/dev/null; echo 01234567-89ab-4def-8123-%012u >/run/boot_id && "
                   "mount --bind /run/boot_id /proc/sys/kernel/random/boot_id",
                   n);
}

static void test_not_persistent(void) {
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *node = NULL;
        sd_bus *bus;

        set_boot(1);
        service_start(s);
        bus = connect_as("root");
        node = call_for_path(bus, &e, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", NODE_A, "Persistent", "b", 0);
        g_assert_cmpstr(node, ==, NODE_A_PATH);
        g_free(create_target_port(bus, NODE_A_PATH, "", loopback));
        g_free(create_node(bus, NODE_B));

        /* Within one boot it is restored like any other. */
        service_kill(s);
        must_shell("rmdir " PORT_DIR "/np/* " PORT_DIR " " FABRIC "/" NODE_A " " FABRIC "/" NODE_B);
        service_start(s);
        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 127.0.0.1:3260\n" NODE_B "\n");
        assert_value(bus, NODE_A_PATH, NODE_INTERFACE, "Persistent", "=false");

        service_stop(s);
        must_shell("rmdir " PORT_DIR "/np/* " PORT_DIR " " FABRIC "/" NODE_A " " FABRIC "/" NODE_B);
        set_boot(2);
        service_start(s);
        assert_tree(NODE_B "\n");
        g_assert_false(object_exists(bus, NODE_A_PATH));
        delete_node(bus, NODE_B_PATH);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
        must_shell("umount /proc/sys/kernel/random/boot_id");
}

static sd_bus_message *batch_of_all(sd_bus *bus) {
        sd_bus_message *m = batch_new(bus);

        for (unsigned i = 0; i < BATCH; i++) {
                g_autofree char *portal = g_strdup_printf("127.0.0.1:%u", 7000 + i);

                batch_add(m, i % 2 == 0 ? NODE_A : NODE_B, "", portal);
        }
        return batch_end(m, BATCH_DEFAULT);
}

static char *count_ports(void) {
        return shell_output("ls -d " FABRIC "/iqn.*/tpgt_*/np/127.0.0.1:7* 2>/dev/null | wc -l");
}

/* Many ports in one call, all or none. */
static void test_batch(void) {
        g_autofree char *none = NULL, *all = NULL, *listening = NULL;
        g_auto(GStrv) paths = NULL;
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;
        gint64 begun;
        int fd;

        service_start(s);
        bus = connect_as("root");
        g_free(create_node(bus, NODE_A));
        g_free(create_node(bus, NODE_B));
        for (unsigned i = 0; i < BATCH; i++)
                must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1", 7000 + i,
                          DEFAULT_GROUP, 0);

        /* Another program has the last one's TCP port. */
        fd = listen_on("127.0.0.1", 7000 + BATCH - 1);
        batch_refuse(bus, batch_of_all(bus), "AddressInUse", 32768, "Item 64");
        none = count_ports();
        g_assert_cmpstr(g_strstrip(none), ==, "0");
        assert_tree(NODE_A "\n" NODE_B "\n");
        (void) close(fd);

        begun = g_get_monotonic_time();
        paths = batch_call(bus, batch_of_all(bus));
        g_test_message("%u ports in %u ms", BATCH, (unsigned) ((g_get_monotonic_time() - begun) / 1000));
        g_assert_cmpuint(g_strv_length(paths), ==, BATCH);
        all = count_ports();
        g_assert_cmpstr(g_strstrip(all), ==, "64");
        listening = shell_output("ss -Hltn | grep -c '127.0.0.1:70[0-6]'");
        g_assert_cmpstr(g_strstrip(listening), ==, "64");
        for (char **p = paths; *p; p++)
                await_in_force(bus, *p);
        delete_node(bus, NODE_A_PATH);
        delete_node(bus, NODE_B_PATH);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

/* METHOD with ARGUMENTS of TYPES in a structure. ERROR: NULL, or how it would be answered. */
static void check(sd_bus *bus, const char *error, const char *method, const char *types, ...) {
        g_autofree char *structure = g_strdup_printf("(%s)", types), *before = tree(), *after = NULL;
        sd_bus_message *m = new_call(bus, "CheckCall");
        sd_bus_error e = SD_BUS_ERROR_NULL;
        va_list ap;
        int r;

        g_assert_cmpint(sd_bus_message_append(m, "ss", SERVICE_INTERFACE, method), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'v', structure), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'r', types), >=, 0);
        va_start(ap, types);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        r = sd_bus_call(bus, m, 60 * G_USEC_PER_SEC, &e, NULL);
        if (r < 0)
                g_test_message("%s: %s", method, e.message);
        if (error)
                g_assert_cmpstr(e.name, ==, error);
        else if (r < 0)
                g_error("%s: %s", method, e.message);
        sd_bus_error_free(&e);
        sd_bus_message_unref(m);
        after = tree();
        g_assert_cmpstr(after, ==, before);
}

/* A check answers as the call would, from what the kernel has, and does nothing. */
static void test_check(void) {
        g_autofree char *objects = NULL, *after = NULL;
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus = start_with_port(s);
        int fd;

        disk_make();
        objects = managed_objects_text(bus);
        check(bus, NULL, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_B);
        check(bus, NULL, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A_PATH, 3, "", 1, V6_PORTAL);
        check(bus, ERROR_PREFIX "TCPProtocolEndpointInUse", "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A_PATH, 3, "", 1,
              LOOPBACK_PORTAL);
        check(bus, NULL, "BindiSCSIProtocolEndPoint", "oo", PORT_1, V6_PORTAL);
        fd = listen_on("::1", 3260);
        check(bus, ERROR_PREFIX "AddressInUse", "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A_PATH, 3, "", 1, V6_PORTAL);
        check(bus, ERROR_PREFIX "AddressInUse", "BindiSCSIProtocolEndPoint", "oo", PORT_1, V6_PORTAL);
        (void) close(fd);
        check(bus, NULL, "RequestStateChange", "oq", PORT_1, 3);
        check(bus, NULL, "DeleteiSCSIProtocolEndpoint", "o", PORT_1);
        check(bus, NULL, "DeleteiSCSIProtocolEndpointForced", "o", PORT_1);
        check(bus, NULL, "DeleteiSCSINode", "o", NODE_A_PATH);
        check(bus, NULL, "ReleaseiSCSINode", "o", NODE_A_PATH);
        g_usleep(G_USEC_PER_SEC / 2);
        after = managed_objects_text(bus);
        g_assert_cmpstr(after, ==, objects);
        end(bus);
        disk_remove();
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/contents/off-and-on", test_off_and_on);
        g_test_add_func("/contents/forced", test_forced);
        g_test_add_func("/contents/not-persistent", test_not_persistent);
        g_test_add_func("/contents/batch", test_batch);
        g_test_add_func("/contents/check", test_check);

        return g_test_run();
}
