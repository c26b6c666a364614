/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What goes wrong with open-iscsi's files, and who uses a record that shall go: the answer names it, and nothing is left over. */

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "initiator.h"
#include "session-list.h"
#include "sysfs-tree.h"

#define LOCK "/run/lock/iscsi/lock.write"
#define TARGET "iqn.2026-11.org.example:disk"

/* As must_refuse(), and the message has WORD in it. */
static void refuse_with(Initiator *i, const char *error, unsigned code, const char *word, sd_bus_message *m) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        g_assert_cmpint(sd_bus_call(i->bus, m, UINT64_MAX, &e, NULL), <, 0);
        if (!strstr(e.message, word))
                g_error("\"%s\" does not say \"%s\"", e.message, word);
        assert_error(&e, error, code);
        sd_bus_message_unref(m);
}

static sd_bus_message *create_call(Initiator *i) {
        sd_bus_message *m = new_call(i->bus, "CreateiSCSIProtocolEndpoint");

        g_assert_cmpint(sd_bus_message_append(m, "oqsao", NODE_PATH, 2, "", 1, IP_A), >=, 0);
        return m;
}

static sd_bus_message *delete_call(Initiator *i, const char *port) {
        sd_bus_message *m = new_call(i->bus, "DeleteiSCSIProtocolEndpoint");

        g_assert_cmpint(sd_bus_message_append(m, "o", port), >=, 0);
        return m;
}

/* No file of ours is anywhere but the records. */
static void assert_nothing_left(const char *records) {
        g_autofree char *there = initiator_records(), *others = NULL;

        g_assert_cmpstr(there, ==, records);
        others = initiator_shell(NULL, "find /etc/iscsi /run/lock/iscsi -name '.*' -type f; ls " LOCK " 2>/dev/null");
        g_assert_cmpstr(others, ==, "");
}

/* The ports of the node are still as many. */
static void assert_ports(Initiator *i, unsigned wanted) {
        g_auto(GStrv) objects = list_objects(i->bus);
        unsigned n = 0;

        for (char **o = objects; *o; o++)
                n += g_str_has_prefix(*o, NODE_PATH "/");
        g_assert_cmpuint(n, ==, wanted);
}

/* Records of targets */

static void test_node_record(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *made = NULL, *left = NULL;
        int status;

        made = initiator_shell(&status, "iscsiadm -m node -T " TARGET " -p 192.0.2.9:3260,1 -I %s -o new", record);
        g_assert_cmpint(status, ==, 0);
        refuse_with(i, "RecordInUse", 32780, TARGET "/192.0.2.9,3260,1", delete_call(i, port));
        must_refuse(i->bus, "RecordInUse", 32780, "DeleteiSCSINode", "o", NODE_PATH);
        assert_ports(i, 1);

        /* The way out that the message names. */
        g_free(made);
        made = initiator_shell(&status, "iscsiadm -m node -I %s -o delete", record);
        g_assert_cmpint(status, ==, 0);
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        assert_nothing_left("");
        left = initiator_shell(NULL, "find /etc/iscsi/nodes -type f");
        g_assert_cmpstr(left, ==, "");
}

/* One without a tag is a file where others have a directory. */
static void test_flat_node_record(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *made = NULL;
        int status;

        made = initiator_shell(&status,
                               "iscsiadm -m node -T " TARGET " -p 192.0.2.9:3260 -I %s -o new; test -f /etc/iscsi/nodes/" TARGET
                               "/192.0.2.9,3260",
                               record);
        g_assert_cmpint(status, ==, 0);
        refuse_with(i, "RecordInUse", 32780, "192.0.2.9,3260", delete_call(i, port));
        must_call(i->bus, "DeleteiSCSIProtocolEndpointForced", "o", port);
        assert_nothing_left("");
}

static void test_forced(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *made = NULL, *left = NULL;
        int status;

        made = initiator_shell(&status,
                               "for n in 1 2; do iscsiadm -m node -T " TARGET "$n -p 192.0.2.9:3260,1 -I %s -o new && "
                               "iscsiadm -m node -T " TARGET "$n -p 192.0.2.9:3260,1 -I default -o new; done",
                               record);
        g_assert_cmpint(status, ==, 0);
        must_call(i->bus, "DeleteiSCSIProtocolEndpointForced", "o", port);
        assert_nothing_left("");
        left = initiator_shell(NULL, "find /etc/iscsi/nodes -type f -printf '%%f '");
        g_assert_cmpstr(left, ==, "default default ");
}

/* The kernel says who uses a record by its name. (Sessions of this kernel need iscsid and a target: tests/kernel.) */
static void test_session(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records();

        g_assert_cmpint(mount("tmpfs", "/sys/class", "tmpfs", 0, NULL), ==, 0);
        g_free(initiator_shell(NULL,
                               "mkdir -p /sys/class/iscsi_session/session7; cd /sys/class/iscsi_session/session7; "
                               "echo %s >ifacename; echo " TARGET " >targetname",
                               record));
        refuse_with(i, "SessionsActive", 32779, "session 7 with " TARGET, delete_call(i, port));
        must_refuse(i->bus, "SessionsActive", 4097, "DeleteiSCSINode", "o", NODE_PATH);
        assert_ports(i, 1);
        g_free(initiator_shell(NULL, "echo default >/sys/class/iscsi_session/session7/ifacename"));
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        g_assert_cmpint(umount("/sys/class"), ==, 0);
        assert_nothing_left("");
}

/* The lock */

static void test_stale_lock(Initiator *i, gconstpointer data) {
        gint64 begin;

        g_assert_true(g_file_set_contents(LOCK, "", 0, NULL));
        begin = g_get_monotonic_time();
        refuse_with(i, "Busy", 32772, LOCK, create_call(i));
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
        g_assert_true(g_file_test(LOCK, G_FILE_TEST_EXISTS)); /* it may be somebody's */
        g_assert_cmpint(g_unlink(LOCK), ==, 0);
        assert_ports(i, 0);
        assert_nothing_left("");
        g_free(initiator_create(i));
}

/* One that a worker of ours left is known by its content, and that nobody has it locked. */
static void test_lock_of_dead_worker(Initiator *i, gconstpointer data) {
        g_autofree char *records = NULL;

        g_assert_true(g_file_set_contents(LOCK, "lock of a worker of iscsi-configd\n", -1, NULL));
        g_free(initiator_create(i));
        records = initiator_records();
        assert_nothing_left(records);
}

/* Starts a shell that waits until a worker waits for the lock, runs the script, and drops the lock. */
static void change_under_lock(const char *script) {
        g_autofree char *line = g_strdup_printf("until ls -A /run/lock/iscsi | grep -q '^.iscsi-configd-'; do sleep 0.01; done; "
                                                "%s; rm " LOCK,
                                                script);

        g_assert_true(g_file_set_contents(LOCK, "", 0, NULL));
        g_assert_true(g_spawn_async(NULL, (char *[]){ (char *) "sh", (char *) "-c", line, NULL }, NULL, G_SPAWN_SEARCH_PATH, NULL,
                                    NULL, NULL, NULL));
}

/* What iscsiadm does while it has the lock counts, though it was done after the call was decided. */
static void test_used_under_lock(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *script = NULL;

        script = g_strdup_printf("mkdir -p /etc/iscsi/nodes/T/P; : >/etc/iscsi/nodes/T/P/%s", record);
        change_under_lock(script);
        refuse_with(i, "RecordInUse", 32780, "nodes/T/P", delete_call(i, port));
        assert_ports(i, 1);
        assert_nothing_left(record);

        g_free(initiator_shell(NULL, "rm -r /etc/iscsi/nodes"));
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        assert_nothing_left("");
}

static void test_changed_under_lock(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *script = NULL, *text = NULL;

        script = g_strdup_printf("echo 'iface.mtu = 9000' >>" IFACES "/%s", record);
        change_under_lock(script);
        refuse_with(i, "Busy", 32772, "call again", delete_call(i, port));
        assert_ports(i, 1);
        assert_nothing_left(record);
        text = initiator_shell(NULL, "grep mtu " IFACES "/%s", record);
        g_assert_cmpstr(text, ==, "iface.mtu = 9000\n");

        /* As the message says. One that has gone meanwhile is what was wanted. */
        g_free(script);
        script = g_strdup_printf("rm " IFACES "/%s", record);
        change_under_lock(script);
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        assert_nothing_left("");
}

/* A record that another program makes under the name that was free is not overwritten. */
static void test_made_under_lock(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *script = NULL, *text = NULL;

        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        script = g_strdup_printf("echo 'iface.transport_name = tcp' >" IFACES "/%s", record);
        change_under_lock(script);
        refuse_with(i, "Busy", 32772, "call again", create_call(i));
        assert_nothing_left(record);
        text = initiator_shell(NULL, "cat " IFACES "/%s", record);
        g_assert_cmpstr(text, ==, "iface.transport_name = tcp\n");
}

/* Reading */

/* Has all workers from now on begin with LINE; NULL: with nothing. */
static void wrap_all_workers(Initiator *i, const char *line) {
        if (line)
                g_assert_true(g_file_set_contents(INITIATOR_WRAPPER_OF_ALL, line, -1, NULL));
        else
                g_assert_cmpint(unlink(INITIATOR_WRAPPER_OF_ALL), ==, 0);
        initiator_kill_idle_workers(i);
}

/* A worker has no capability, so modes count for it. */
static void test_unreadable_use(Initiator *i, gconstpointer data) {
        static const char *const make[] = { "echo x >/etc/iscsi/nodes/T/P; chmod 0 /etc/iscsi/nodes/T/P",
                                            "mkdir /etc/iscsi/nodes/T/P; chmod 0 /etc/iscsi/nodes/T/P",
                                            "chmod 0 /etc/iscsi/nodes/T", "chmod 0 /etc/iscsi/nodes" };
        g_autofree char *port = initiator_create(i), *record = initiator_records();

        for (size_t k = 0; k < G_N_ELEMENTS(make); k++) {
                g_free(initiator_shell(NULL, "mkdir -p /etc/iscsi/nodes/T; %s", make[k]));
                refuse_with(i, "Failed", 4, "/etc/iscsi/nodes", delete_call(i, port));
                assert_ports(i, 1);
                assert_nothing_left(record);
                g_free(initiator_shell(NULL, "rm -r /etc/iscsi/nodes"));
        }

        /* A directory that can be opened and not read, by whichever worker. */
        g_free(initiator_shell(NULL, "mkdir /etc/iscsi/nodes"));
        wrap_all_workers(i, "env ASAN_OPTIONS=detect_leaks=0 strace -D -qqq -o /dev/null -P /etc/iscsi/nodes "
                            "-e inject=getdents64:error=EIO ");
        refuse_with(i, "Failed", 4, "Input/output error", delete_call(i, port));
        assert_ports(i, 1);
        wrap_all_workers(i, "env ASAN_OPTIONS=detect_leaks=0 strace -D -qqq -o /dev/null -P " IFACES "/ "
                            "-e inject=getdents64:error=EIO ");
        must_refuse(i->bus, "Failed", 4, "DeleteiSCSINode", "o", NODE_PATH);
        wrap_all_workers(i, NULL);
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        assert_nothing_left("");
}

/* The file system */

static void test_no_space(Initiator *i, gconstpointer data) {
        int status;

        g_free(initiator_shell(&status, "dd if=/dev/zero of=/etc/iscsi/fill bs=4096; dd if=/dev/zero of=/etc/iscsi/fill2 bs=1"));
        refuse_with(i, "Failed", 4, "No space left", create_call(i));
        assert_ports(i, 0);
        assert_nothing_left("");
        g_free(initiator_shell(&status, "rm /etc/iscsi/fill*"));
        g_free(initiator_create(i));
}

static void test_read_only(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records();

        g_assert_cmpint(mount(NULL, "/etc/iscsi", NULL, MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
        refuse_with(i, "BackendUnavailable", 32773, "read-only", create_call(i));
        refuse_with(i, "BackendUnavailable", 32773, "read-only", delete_call(i, port));
        assert_ports(i, 1);
        g_assert_cmpint(mount(NULL, "/etc/iscsi", NULL, MS_REMOUNT, NULL), ==, 0);
        assert_nothing_left(record);
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        assert_nothing_left("");
}

/* What a worker that was killed left is gone when the next one starts; what is not ours stays. */
static void test_left_over(Initiator *i, gconstpointer data) {
        g_autofree char *files = NULL;

        /* A process id that no process has: pid_max is not more. */
        g_assert_true(g_file_set_contents("/etc/iscsi/.iscsi-configd-4194305-abcdef", "x", -1, NULL));
        g_assert_true(g_file_set_contents("/etc/iscsi/.mine", "x", -1, NULL));
        initiator_disconnect(i);
        service_stop(i->service);
        service_start(i->service);
        initiator_connect(i);
        g_free(initiator_create(i));
        files = initiator_shell(NULL, "find /etc/iscsi -maxdepth 1 -name '.*' -type f");
        g_assert_cmpstr(files, ==, "/etc/iscsi/.mine\n");
}

static bool run_quietly(const char *command) {
        int status;

        g_free(initiator_shell(&status, "%s", command));
        return status == 0;
}

/* Has the next worker begin with LINE. One that the service starts for a look of its own may get it: who sees that tries
 * again. */
static void wrap_next_worker(Initiator *i, const char *line) {
        initiator_kill_idle_workers(i);
        g_assert_true(g_file_set_contents(INITIATOR_WRAPPER, line, -1, NULL));
}

#define WRAPS_MAX 20u

/* On the disk before it is seen, and seen under open-iscsi's lock, which is held as shortly as can be. */
static void test_order(Initiator *i, gconstpointer data) {
        g_autofree char *calls = NULL;

        for (unsigned n = 0;; n++) {
                g_autofree char *port = NULL;

                wrap_next_worker(
                        i, "env ASAN_OPTIONS=detect_leaks=0 strace -D -qqq -o /run/trace -e trace=fsync,link,rename,unlink ");
                port = initiator_create(i);
                if (run_quietly("grep -q rename /run/trace"))
                        break;
                g_assert_cmpuint(n, <, WRAPS_MAX);
                must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        }
        calls = initiator_shell(NULL, "sed -nE 's/^([a-z]+)\\((.*)\\) += 0$/\\1 \\2/p' /run/trace | "
                                      "sed -E 's/-[0-9]+-[A-Za-z0-9]+//g; s/fsync [0-9]+/fsync/; s/icd-[0-9a-f-]+/icd/'");
        g_assert_cmpstr(calls, ==,
                        "fsync\n"
                        "link \"/run/lock/iscsi/.iscsi-configd\", \"" LOCK "\"\n"
                        "unlink \"/run/lock/iscsi/.iscsi-configd\"\n"
                        "rename \"/etc/iscsi/.iscsi-configd\", \"" IFACES "/icd\"\n"
                        "fsync\n"
                        "unlink \"" LOCK "\"\n");
}

/* A worker that is killed in the middle of a create leaves nothing: no record, no temporary file, no lock. */
static void test_killed(Initiator *i, gconstpointer data) {
        static const char *const calls[] = { "fsync", "link", "rename", "unlink:when=2" };

        g_autofree char *port = initiator_create(i); /* so that the directory is there */

        /* A worker that looks at the new port would be one that is not idle. */
        initiator_wait_property(i, port, PORT_INTERFACE, "SessionCount", "0");
        for (size_t k = 0; k < G_N_ELEMENTS(calls); k++) {
                g_auto(GStrv) parts = g_strsplit(calls[k], ":", 2);
                g_autofree char *line = NULL, *records = initiator_records();
                sd_bus_error e = SD_BUS_ERROR_NULL;

                line = g_strdup_printf("env ASAN_OPTIONS=detect_leaks=0 strace -D -qqq -o /dev/null -e inject=%s:signal=KILL:%s ",
                                       parts[0], parts[1] ? parts[1] : "when=1");
                for (unsigned n = 0;; n++) {
                        g_autofree char *other = NULL;

                        wrap_next_worker(i, line);
                        other = call_for_path(i->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, IP_A);
                        if (!other)
                                break;
                        g_assert_cmpuint(n, <, WRAPS_MAX);
                        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", other);
                }
                g_test_message("%s: %s", calls[k], e.message);
                assert_error(&e, "BackendUnavailable", 32773);
                assert_ports(i, 1);
                assert_nothing_left(records);
        }
}

/* A worker that was there before open-iscsi makes way for one that was started with its directories, be it after a change that it
 * refuses, be it after a look of the service, which is told of new files. */
static void test_installed_later(Initiator *i, gconstpointer data) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *log = NULL;
        sd_bus_message *m;

        /* Meanwhile /etc is a copy without open-iscsi's directory. */
        g_free(initiator_shell(NULL, "mkdir /run/etc && cp -a /etc/. /run/etc && rm -r /run/etc/iscsi"));
        g_assert_cmpint(mount("/run/etc", "/etc", NULL, MS_BIND, NULL), ==, 0);
        g_assert_false(g_file_test("/etc/iscsi", G_FILE_TEST_EXISTS));
        initiator_kill_idle_workers(i);
        refuse_with(i, "BackendUnavailable", 32773, "not installed", create_call(i));

        g_assert_cmpint(g_mkdir("/etc/iscsi", 0755), ==, 0);
        g_assert_true(g_file_set_contents(HOST_NAME_FILE, "InitiatorName=" HOST_NAME "\n", -1, NULL));
        m = create_call(i);
        if (sd_bus_call(i->bus, m, UINT64_MAX, &e, NULL) < 0) {
                g_assert_nonnull(strstr(e.message, "was installed while its worker ran"));
                assert_error(&e, "BackendUnavailable", 32773);
                g_free(initiator_create(i)); /* as it says */
        }
        sd_bus_message_unref(m);
        g_assert_true(g_file_get_contents(i->service->worker_log, &log, NULL, NULL));
        g_assert_nonnull(strstr(log, "This process can do no more work"));

        g_free(initiator_shell(NULL, "rm -r /etc/iscsi"));
        g_assert_cmpint(umount2("/etc", MNT_DETACH), ==, 0);
        g_free(initiator_shell(NULL, "rm -r /run/etc"));
}

/* The worker that waits for changes may die: another one takes its place, and changes are seen again. */
static void test_watch_lost(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records(), *log = NULL;

        initiator_kill_workers(i);
        g_usleep(100000);
        g_free(initiator_shell(NULL, "rm " IFACES "/%s", record));
        initiator_wait_property(i, port, PORT_INTERFACE, "StatusDescriptions",
                                "[Not in force: it was removed by another program]");
        initiator_wait_property(i, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions", "[]");
        log = service_read_log(i->service);
        g_assert_nonnull(strstr(log, "Changes that other programs make are not followed"));
        must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
}

/* What keeps iscsiadm from listing any record does not keep the service. */
static void test_broken_entries(Initiator *i, gconstpointer data) {
        static const char *const make[] = {
                "printf 'iface.transport_name = tcp\\nnode.colour = red\\n' >" IFACES "/x",
                "mkdir " IFACES "/x",
                "ln -s /nowhere " IFACES "/x",
                "printf 'iface.transport_name = tcp\\niface.colour = red\\n' >" IFACES "/.x",
                ": >" IFACES "/x",
        };

        g_free(initiator_create(i));
        for (size_t k = 0; k < G_N_ELEMENTS(make); k++) {
                g_autofree char *port = NULL;

                g_free(initiator_shell(NULL, "%s", make[k]));
                port = initiator_create(i);
                must_call(i->bus, "Reconcile", "o", NODE_PATH);
                initiator_wait_property(i, port, PORT_INTERFACE, "StatusDescriptions", "[In force]");
                must_call(i->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
                g_free(initiator_shell(NULL, "rm -rf " IFACES "/x " IFACES "/.x"));
        }
}

static void hide_worker(Initiator *i, bool hidden) {
        g_autofree char *socket = g_build_filename(i->service->directory, "open-iscsi.socket", NULL),
                        *aside = g_strconcat(socket, "-", NULL);

        g_assert_cmpint(hidden ? rename(socket, aside) : rename(aside, socket), ==, 0);
}

/* What open-iscsi calls a port cannot be seen: so it is not known which sessions it has, and not said that it has none. */
static void test_unseen_sessions(Initiator *i, gconstpointer data) {
        g_autofree char *port = initiator_create(i), *record = initiator_records();
        g_autoptr(SysfsTree) tree = sysfs_tree_new();
        const char *scopes[] = { port, NODE_PATH, ROOT_PATH };

        service_add_option(i->service, g_strdup_printf("--sysfs=%s", tree->path));
        for (unsigned sessions = 0; sessions < 2; sessions++) {
                g_autofree char *count = NULL, *seen = g_strdup_printf("%u", sessions);

                initiator_disconnect(i);
                service_stop(i->service);
                if (sessions > 0)
                        sysfs_add_logged_in(tree, 1, HOST_NAME, record);
                hide_worker(i, true);
                service_start(i->service);
                initiator_connect(i);

                count = get_property(i->bus, port, PORT_INTERFACE, "SessionCount");
                g_assert_cmpstr(count, ==, "4294967295");
                for (size_t k = 0; k < G_N_ELEMENTS(scopes); k++) {
                        g_autoptr(SessionList) l = list_sessions(i->bus, scopes[k]);

                        g_assert_cmpuint(l->reasons->len, ==, 1);
                        g_assert_nonnull(strstr(g_ptr_array_index(l->reasons, 0), port));
                        g_assert_cmpuint(l->sessions->len, ==, k == 2 ? sessions : 0);
                }

                hide_worker(i, false);
                initiator_wait_property(i, port, PORT_INTERFACE, "SessionCount", seen);
                assert_sessions(i->bus, port, sessions > 0 ? "1" : "");
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        INITIATOR_TEST("/initiator-faults/node-record", test_node_record);
        INITIATOR_TEST("/initiator-faults/flat-node-record", test_flat_node_record);
        INITIATOR_TEST("/initiator-faults/forced", test_forced);
        INITIATOR_TEST("/initiator-faults/session", test_session);
        INITIATOR_TEST("/initiator-faults/stale-lock", test_stale_lock);
        INITIATOR_TEST("/initiator-faults/lock-of-dead-worker", test_lock_of_dead_worker);
        INITIATOR_TEST("/initiator-faults/used-under-lock", test_used_under_lock);
        INITIATOR_TEST("/initiator-faults/changed-under-lock", test_changed_under_lock);
        INITIATOR_TEST("/initiator-faults/made-under-lock", test_made_under_lock);
        INITIATOR_TEST("/initiator-faults/unreadable-use", test_unreadable_use);
        INITIATOR_TEST("/initiator-faults/no-space", test_no_space);
        INITIATOR_TEST("/initiator-faults/read-only", test_read_only);
        INITIATOR_TEST("/initiator-faults/left-over", test_left_over);
        INITIATOR_TEST("/initiator-faults/order", test_order);
        INITIATOR_TEST("/initiator-faults/killed", test_killed);
        INITIATOR_TEST("/initiator-faults/installed-later", test_installed_later);
        INITIATOR_TEST("/initiator-faults/watch-lost", test_watch_lost);
        INITIATOR_TEST("/initiator-faults/broken-entries", test_broken_entries);
        INITIATOR_TEST("/initiator-faults/unseen-sessions", test_unseen_sessions);
        return g_test_run();
}
