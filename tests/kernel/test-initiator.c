/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Initiator ports with the real open-iscsi, iscsid and target: a login through a record of ours, what its session means for the
 * port, and what iscsiadm makes of the record. Runs inside the throw-away machine, see tests/kernel/run. */

#include <string.h>

#include "open-iscsi.h"
#include "service-fixture.h"

#define INITIATOR "iqn.2026-11.org.example:ini"
#define INITIATOR_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aini"
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define ACL FABRIC "/" NODE_A "/tpgt_1/acls/" INITIATOR
#define PORT_INTERFACE "org.iscsi.ProtocolEndpoint"

typedef struct Fixture {
        Service *service;
        sd_bus *bus;
        char *port, *record;
} Fixture;

/* A target port that lets our initiator in, and an initiator port on the same host. */
static void set_up(Fixture *f, gconstpointer data) {
        const char *command[] = { g_getenv("ISCSI_BACKEND_OPEN_ISCSI"), NULL };
        sd_bus_error e = SD_BUS_ERROR_NULL;

        g_assert_nonnull(command[0]);
        g_assert_true(open_iscsi_start("iqn.2026-11.org.example:host"));
        f->service = service_on_target(NULL, NULL);
        service_use_open_iscsi(f->service, command);
        service_start(f->service);
        f->bus = connect_as("root");

        must_call(f->bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_A);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A_PATH, 3, "", 1, LOOPBACK_PORTAL);
        must_shell("mkdir " ACL " && echo 0 >" FABRIC "/" NODE_A "/tpgt_1/attrib/authentication");
        must_call(f->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", INITIATOR, "Roles", "aq", 1, 2);
        f->port = call_for_path(f->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", INITIATOR_PATH, 2, "", 1, LOOPBACK);
        g_assert_false(sd_bus_error_is_set(&e));
        f->record = g_strstrip(shell_output("ls /etc/iscsi/ifaces"));
        g_assert_true(g_str_has_prefix(f->record, "icd-"));
}

static void tear_down(Fixture *f, gconstpointer data) {
        must_call(f->bus, "DeleteiSCSINodeForced", "o", NODE_A_PATH);
        sd_bus_flush_close_unref(f->bus);
        service_free(f->service);
        open_iscsi_stop();
        g_free(f->port);
        g_free(f->record);
}

static void test_login(Fixture *f, gconstpointer data) {
        g_autofree char *session = NULL, *left = NULL;

        must_shell("iscsiadm -m discovery -t st -p 127.0.0.1 -I %s | grep -F '127.0.0.1:3260,1 " NODE_A "'", f->record);
        must_shell("iscsiadm -m node -I %s -l", f->record);

        /* Both ends have the names: that of the record, of the initiator, and the ISID that open-iscsi gives to session 1. */
        session = shell_output("cat /sys/class/iscsi_session/*/ifacename /sys/class/iscsi_session/*/initiatorname");
        left = g_strdup_printf("%s\n" INITIATOR "\n", f->record);
        g_assert_cmpstr(session, ==, left);
        must_shell("grep -F 'InitiatorName: " INITIATOR "' " ACL "/info");
        must_shell("n=$(basename /sys/class/iscsi_session/session*); grep -i \"ISID: 0x00 02 3d 00 00 0${n#session}\" " ACL
                   "/info");

        must_refuse(f->bus, "SessionsActive", 32779, "DeleteiSCSIProtocolEndpoint", "o", f->port);
        must_refuse(f->bus, "SessionsActive", 4097, "DeleteiSCSINode", "o", INITIATOR_PATH);
        must_shell("test -e /etc/iscsi/ifaces/%s && grep -q LOGGED_IN /sys/class/iscsi_session/*/state", f->record);

        must_call(f->bus, "DeleteiSCSIProtocolEndpointForced", "o", f->port);
        must_shell("test -z \"$(ls /sys/class/iscsi_session /etc/iscsi/ifaces | grep -v :)\"");
        must_shell("test -z \"$(find /etc/iscsi/nodes -type f)\" && grep -F 'No active iSCSI Session' " ACL "/info");
}

#define DISK "/sys/kernel/config/target/core/fileio_0/disk"
#define PORT_DIR FABRIC "/" NODE_A "/tpgt_1"

/* From port to port: what is written to the disk at one end is in its file at the other. Both ends have the session under the
 * same names. Then all goes in order. */
static void test_disk(Fixture *f, gconstpointer data) {
        g_autofree char *isids = NULL, *isid = NULL, *at_target = NULL, *device = NULL;

        must_shell("modprobe sd_mod && mkdir -p " DISK " && truncate -s 8M /run/disk.img && "
                   "echo fd_dev_name=/run/disk.img,fd_dev_size=8388608 >" DISK "/control && echo 1 >" DISK "/enable && "
                   "mkdir " PORT_DIR "/lun/lun_0 && ln -s " DISK " " PORT_DIR "/lun/lun_0/disk && mkdir " ACL "/lun_0 && "
                   "ln -s " PORT_DIR "/lun/lun_0 " ACL "/lun_0/link");
        must_shell("iscsiadm -m discovery -t st -p 127.0.0.1 -I %s && iscsiadm -m node -I %s -l", f->record, f->record);

        await_value(f->bus, f->port, PORT_INTERFACE, "SessionCount", "=1", 5 * G_USEC_PER_SEC);
        isids = get_property(f->bus, f->port, PORT_INTERFACE, "SessionIdentifiers");
        isid = g_strndup(isids + 1, strlen(isids) - 2);
        at_target = shell_output("sed -nE 's/.*ISID: 0x(.. .. .. .. .. ..).*/\\1/p' " ACL "/info | tr -d ' ' | tr a-f A-F");
        g_assert_cmpstr(g_strstrip(at_target), ==, isid);

        device = g_strstrip(
                shell_output("for i in $(seq 100); do ls -d /sys/class/iscsi_session/session*/device/target*/*/block/* "
                             "2>/dev/null && break; sleep 0.1; done"));
        g_assert_cmpstr(device, !=, "");
        must_shell(
                "mknod /test-disk b $(tr : ' ' <%s/dev) && head -c 65536 /dev/urandom >/run/pattern && "
                "dd if=/run/pattern of=/test-disk bs=64k oflag=direct conv=fsync && cmp -n 65536 /run/pattern /run/disk.img && "
                "dd if=/test-disk bs=64k count=1 iflag=direct | cmp - /run/pattern",
                device);

        must_shell("iscsiadm -m node -I %s -u && iscsiadm -m node -I %s -o delete && rm /test-disk /run/pattern", f->record,
                   f->record);
        await_value(f->bus, f->port, PORT_INTERFACE, "SessionCount", "=0", 5 * G_USEC_PER_SEC);
        must_call(f->bus, "DeleteiSCSIProtocolEndpoint", "o", f->port);
        must_call(f->bus, "DeleteiSCSIProtocolEndpoint", "o", NODE_A_PATH "/endpoint/000000000001");
        must_shell("cd /sys/kernel/config/target/core && rmdir fileio_0/disk fileio_0 && rm /run/disk.img");
}

/* The other way: logged out and forgotten by iscsiadm, the port goes like any. */
static void test_logout(Fixture *f, gconstpointer data) {
        must_shell("iscsiadm -m discovery -t st -p 127.0.0.1 -I %s && iscsiadm -m node -I %s -l", f->record, f->record);
        must_shell("iscsiadm -m node -I %s -u", f->record);
        must_refuse(f->bus, "RecordInUse", 32780, "DeleteiSCSIProtocolEndpoint", "o", f->port);
        must_shell("iscsiadm -m node -I %s -o delete", f->record);
        must_call(f->bus, "DeleteiSCSIProtocolEndpoint", "o", f->port);
        must_shell("test -z \"$(ls /etc/iscsi/ifaces)\"");
}

/* iscsiadm writes the record anew, with all keys that it knows: it is as before to us. What it changes shows. */
static void test_update(Fixture *f, gconstpointer data) {
        must_shell("iscsiadm -m iface -I %s -o update -n iface.mtu -v 9000 && grep -x 'iface.mtu = 9000' /etc/iscsi/ifaces/%s",
                   f->record, f->record);
        must_call(f->bus, "Reconcile", "o", INITIATOR_PATH);
        assert_value(f->bus, f->port, PORT_INTERFACE, "StatusDescriptions", "=[In force]");
        must_shell("grep -x 'iface.mtu = 9000' /etc/iscsi/ifaces/%s", f->record);

        must_shell("iscsiadm -m iface -I %s -o update -n iface.initiatorname -v iqn.2026-11.org.example:x", f->record);
        await_value(f->bus, f->port, PORT_INTERFACE, "StatusDescriptions", "iqn.2026-11.org.example:x", 5 * G_USEC_PER_SEC);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add("/initiator/login", Fixture, NULL, set_up, test_login, tear_down);
        g_test_add("/initiator/disk", Fixture, NULL, set_up, test_disk, tear_down);
        g_test_add("/initiator/logout", Fixture, NULL, set_up, test_logout, tear_down);
        g_test_add("/initiator/update", Fixture, NULL, set_up, test_update, tear_down);
        return g_test_run();
}
