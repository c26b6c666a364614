/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "initiator.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define WAIT_USEC (20 * G_USEC_PER_SEC)

void initiator_connect(Initiator *i) {
        i->bus = connect_as("root");
}

void initiator_disconnect(Initiator *i) {
        sd_bus_flush_close_unref(i->bus);
        i->bus = NULL;
}

void initiator_set_up(Initiator *i, gconstpointer data) {
        const char *command[] = { "setpriv",
                                  "--no-new-privs",
                                  "--bounding-set=-all",
                                  "--inh-caps=-all",
                                  "sh",
                                  "-c",
                                  "exec $(cat " INITIATOR_WRAPPER_OF_ALL " " INITIATOR_WRAPPER
                                  " 2>/dev/null; rm -f " INITIATOR_WRAPPER ") $0",
                                  g_getenv("OPEN_ISCSI_WORKER"),
                                  NULL };

        g_assert_nonnull(command[7]);
        g_assert_cmpint(mount("tmpfs", "/etc/iscsi", "tmpfs", 0, "size=2m,mode=0755"), ==, 0);
        g_assert_true(g_file_set_contents(HOST_NAME_FILE, "InitiatorName=" HOST_NAME "\n", -1, NULL));
        g_assert_cmpint(g_chmod(HOST_NAME_FILE, 0600), ==, 0);
        run_command("rm", "-rf", "/run/lock/iscsi", NULL);
        g_assert_cmpint(g_mkdir_with_parents("/run/lock/iscsi", 0700), ==, 0);

        run_command("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", NULL);
        for (const char *const *v = (const char *const[]){ "v0", "v1", NULL }; *v; v++) {
                run_command("ip", "link", "set", *v, "addrgenmode", "none", NULL);
                run_command("ip", "link", "set", *v, "up", NULL);
        }
        run_command("ip", "address", "add", "192.0.2.1/24", "dev", "v0", NULL);
        run_command("ip", "address", "add", "192.0.2.2/24", "dev", "v0", NULL);
        run_command("ip", "address", "add", "198.51.100.1/24", "dev", "v1", NULL);

        i->service = service_new("--target-backend=model", NULL);
        service_use_open_iscsi(i->service, command);
        service_start(i->service);
        initiator_connect(i);
        must_call(i->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", NODE_NAME, "Roles", "aq", 1, 2);
}

void initiator_tear_down(Initiator *i, gconstpointer data) {
        if (g_test_verbose() || g_getenv("SHOW_LOGS")) {
                g_autofree char *log = service_read_log(i->service),
                                *shown = initiator_shell(NULL, "cat %s", i->service->worker_log);

                g_test_message("%s\n%s", log, shown);
        }
        initiator_disconnect(i);
        service_free(i->service);
        g_free(initiator_shell(NULL, "ip -br link | sed 's/[ @].*//; /^lo$/d' | while read -r l; do ip link del $l; done; true"));
        g_assert_cmpint(umount2("/etc/iscsi", MNT_DETACH), ==, 0);
}

char *initiator_create(Initiator *i) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char *path = call_for_path(i->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, IP_A);

        if (!path)
                g_error("%s: %s", e.name, e.message);
        return path;
}

char *initiator_records(void) {
        return g_strstrip(initiator_shell(NULL, "ls -A " IFACES " 2>/dev/null | tr '\n' ' '"));
}

char *initiator_shell(int *ret_status, const char *format, ...) {
        g_autofree char *line = NULL, *both = NULL;
        g_autoptr(GError) error = NULL;
        char *output = NULL;
        int status;
        va_list ap;

        va_start(ap, format);
        line = g_strdup_vprintf(format, ap);
        va_end(ap);
        both = g_strdup_printf("exec 2>&1; %s", line);
        g_spawn_sync(NULL, (char *[]){ (char *) "sh", (char *) "-c", both, NULL }, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output,
                     NULL, &status, &error);
        g_assert_no_error(error);
        g_assert_true(WIFEXITED(status));
        if (ret_status)
                *ret_status = WEXITSTATUS(status);
        return output;
}

/* A process that was killed still takes messages for a moment. */
#define KILL "kill -9 $p; while grep -qs '^State:.[^Z]' /proc/$p/status; do sleep 0.01; done; "

void initiator_kill_workers(Initiator *i) {
        g_free(initiator_shell(NULL, "for p in $(cat /proc/%d/task/%d/children); do " KILL "done", i->service->initiator_listener,
                               i->service->initiator_listener));
}

void initiator_kill_idle_workers(Initiator *i) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        /* So that nothing is to be looked at now. What a test has broken may be refused. */
        sd_bus_message_unref(call_service(i->bus, &e, "Reconcile", "o", ROOT_PATH));
        sd_bus_error_free(&e);
        g_free(initiator_shell(NULL,
                               "for p in $(cat /proc/%d/task/%d/children); do "
                               "ls -l /proc/$p/fd | grep -q anon_inode:inotify || { " KILL "}; done",
                               i->service->initiator_listener, i->service->initiator_listener));
}

void initiator_wait_property(Initiator *i, const char *path, const char *interface, const char *property, const char *value) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        for (;;) {
                g_autofree char *now = get_property(i->bus, path, interface, property);

                if (strcmp(now, value) == 0)
                        return;
                if (g_get_monotonic_time() > end)
                        g_error("%s of %s is %s, not %s", property, path, now, value);
                g_usleep(10000);
        }
}

void initiator_wait_object(Initiator *i, const char *path, bool there) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        while (object_exists(i->bus, path) != there) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
}
