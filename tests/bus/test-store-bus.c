/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store fails under each method: nothing is changed, on the bus or in the backend, and the message says what to do. What a deletion has
 * taken out of force by then is put back. */

#include "fault-base.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define IP_PATH ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define GROUP_PATH ROOT_PATH "/portal_group/1" /* has 127.0.0.1:3265 */
#define EMPTY_GROUP_PATH ROOT_PATH "/portal_group/2"

static sd_bus_message *call_create_tcp(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3299, DEFAULT_GROUP, 0);
}

static sd_bus_message *call_delete_tcp(Base *b, sd_bus_error *e) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3264");

        return call_service(b->bus, e, "DeleteTCPProtocolEndpoint", "o", tcp);
}

static sd_bus_message *call_create_group(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "CreatePortalGroup", "sa{sv}", "new", 0);
}

static sd_bus_message *call_delete_group(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "DeletePortalGroup", "o", EMPTY_GROUP_PATH);
}

static sd_bus_message *call_add_member(Base *b, sd_bus_error *e) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3264");

        return call_service(b->bus, e, "AddToPortalGroup", "oo", GROUP_PATH, tcp);
}

static sd_bus_message *call_remove_member(Base *b, sd_bus_error *e) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3265");

        return call_service(b->bus, e, "RemoveFromPortalGroup", "oo", GROUP_PATH, tcp);
}

/* All methods, in an order in which all of them succeed one after the other, and the verbs that one of them leaves in the backend's log when the
 * store fails. */
static const struct {
        Operation operation;
        const Operation *same; /* instead of the above */
        const char *verbs;
} methods[] = {
        { .same = &operation_create_node, .verbs = "" },
        { .same = &operation_bind, .verbs = "" },
        { .operation = { "create-tcp-endpoint", call_create_tcp, NULL, "" }, .verbs = "" },
        { .operation = { "create-portal-group", call_create_group, NULL, "" }, .verbs = "" },
        { .operation = { "add-member", call_add_member, NULL, "" }, .verbs = "" },
        { .operation = { "remove-member", call_remove_member, NULL, "" }, .verbs = "" },
        { .operation = { "delete-portal-group", call_delete_group, NULL, "" }, .verbs = "" },
        { .same = &operation_unbind,
          .verbs = "UnbindPortal " BASE_NODE " 1 127.0.0.1:3261\nBindPortal " BASE_NODE " 1 127.0.0.1:3261\n" },
        { .same = &operation_delete_port,
          .verbs = "DeleteTargetPort " BASE_NODE " 1\nRestoreTargetPort " BASE_NODE " 1 127.0.0.1:3260 127.0.0.1:3261\n" },
        { .same = &operation_create_port, .verbs = "" },
        { .same = &operation_delete_node,
          .verbs = "CheckSessions " BASE_NODE "\n"
                   "DeleteTargetPort " BASE_NODE " 3\nDeleteTargetPort " BASE_NODE " 2\nDeleteTargetPort " BASE_NODE " 1\n"
                   "DeleteNode " BASE_NODE "\nCreateNode " BASE_NODE "\n"
                   "RestoreTargetPort " BASE_NODE " 1 127.0.0.1:3260 127.0.0.1:3261\n"
                   "RestoreTargetPort " BASE_NODE " 2 127.0.0.1:3262\nRestoreTargetPort " BASE_NODE " 3 127.0.0.1:3263\n" },
        { .operation = { "delete-tcp-endpoint", call_delete_tcp, NULL, "" }, .verbs = "" },
};

static const Operation *method(gsize i) {
        return methods[i].same ? methods[i].same : &methods[i].operation;
}

/* How the store is made to fail, and to work again. BEGIN is told the file. */
typedef struct Fault {
        const char *name;
        void (*begin)(Base *b, const char *path);
        void (*end)(Base *b, const char *path);
        const char *says[2]; /* cause and way out */
} Fault;

static void fill_disk(Base *b, const char *path) {
        g_autofree char *filler = g_build_filename(b->service->state, "filler", NULL), *page = g_malloc0(4096);
        int fd;

        fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        g_assert_cmpint(fd, >=, 0);
        while (write(fd, page, 4096) > 0)
                ;
        (void) close(fd);
}

static void empty_disk(Base *b, const char *path) {
        g_autofree char *filler = g_build_filename(b->service->state, "filler", NULL);

        g_assert_cmpint(g_unlink(filler), ==, 0);
}

static sqlite3 *holder;

static void lock_store(Base *b, const char *path) {
        g_assert_cmpint(sqlite3_open_v2(path, &holder, SQLITE_OPEN_READWRITE, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_busy_timeout(holder, 5000), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(holder, "BEGIN EXCLUSIVE", NULL, NULL, NULL), ==, SQLITE_OK);
}

static void unlock_store(Base *b, const char *path) {
        g_assert_cmpint(sqlite3_exec(holder, "ROLLBACK", NULL, NULL, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_close(holder), ==, SQLITE_OK);
}

static void move_store(Base *b, const char *path) {
        g_autofree char *away = g_strconcat(path, ".away", NULL);

        g_assert_cmpint(g_rename(path, away), ==, 0);
}

static void move_store_back(Base *b, const char *path) {
        g_autofree char *away = g_strconcat(path, ".away", NULL);

        g_assert_cmpint(g_rename(away, path), ==, 0);
}

static void replace_store(Base *b, const char *path) {
        g_autofree char *away = g_strconcat(path, ".away", NULL);

        move_store(b, path);
        run_command("cp", "-p", away, path, NULL);
}

/* A file system that became read-only, and a disk that fails, both as the system calls tell of them. */
static GPid strace;

static void inject(Base *b, const char *what) {
        g_autofree char *pid = g_strdup_printf("%d", b->service->pid);
        g_autofree char *status_path = g_strdup_printf("/proc/%d/status", b->service->pid);
        g_autofree char *expression = g_strconcat("inject=", what, NULL);
        char *argv[] = { (char *) "strace",
                         (char *) "-qq",
                         (char *) "-o",
                         (char *) "/dev/null",
                         (char *) "-e",
                         (char *) "trace=pwrite64,fdatasync",
                         (char *) "-e",
                         expression,
                         (char *) "-p",
                         pid,
                         NULL };
        g_autoptr(GError) error = NULL;

        g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &strace, &error);
        g_assert_no_error(error);
        for (unsigned i = 0; i < 20000; i++) {
                g_autofree char *status = NULL;

                g_file_get_contents(status_path, &status, NULL, &error);
                g_assert_no_error(error);
                if (!strstr(status, "\nTracerPid:\t0\n"))
                        return;
                g_usleep(500);
        }
        g_error("strace does not attach");
}

static void become_read_only(Base *b, const char *path) {
        inject(b, "pwrite64:error=EROFS");
}

static void fail_to_flush(Base *b, const char *path) {
        inject(b, "fdatasync:error=EIO");
}

static void end_injection(Base *b, const char *path) {
        g_assert_cmpint(kill(strace, SIGTERM), ==, 0);
        (void) waitpid(strace, NULL, 0);
}

static const Fault faults[] = {
        { "full", fill_disk, empty_disk, { "the disk is full", "free some space" } },
        { "locked", lock_store, unlock_store, { "another process holds the lock", "end that process" } },
        { "moved", move_store, move_store_back, { "was moved", "put it back" } },
        { "replaced", replace_store, move_store_back, { "was moved", "put it back" } },
        { "read-only", become_read_only, end_injection, { "cannot be written to", "see its mount and its rights" } },
        { "flush", fail_to_flush, end_injection, { "Input/output error", "see the log" } },
};

static char *store_file(Base *b) {
        return g_build_filename(b->service->state, "ports.db", NULL);
}

/* The state directory becomes a disk of its own, small enough to be filled. */
static Base *move_to_small_disk(Base *b) {
        g_autofree char *first = NULL, *second = NULL, *member = tcp_path("127.0.0.1:3265"), *disk = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;

        service_stop(b->service);
        disk = g_strconcat(b->service->state, ".disk", NULL);
        g_assert_cmpint(g_rename(b->service->state, disk), ==, 0);
        g_assert_cmpint(g_mkdir(b->service->state, 0700), ==, 0);
        g_assert_cmpint(mount("tmpfs", b->service->state, "tmpfs", 0, "size=1m,mode=0700"), ==, 0);
        run_command("sh", "-c", "cp -a \"$1\"/. \"$2\"/ && chown iscsi-config: \"$2\"", "sh", disk, b->service->state, NULL);
        service_start(b->service);

        first = call_for_path(b->bus, &e, "CreatePortalGroup", "sa{sv}", "one", 0);
        second = call_for_path(b->bus, &e, "CreatePortalGroup", "sa{sv}", "two", 0);
        g_assert_cmpstr(first, ==, GROUP_PATH);
        g_assert_cmpstr(second, ==, EMPTY_GROUP_PATH);
        sd_bus_message_unref(call_service(b->bus, &e, "AddToPortalGroup", "oo", GROUP_PATH, member));
        g_assert_false(sd_bus_error_is_set(&e));

        g_free(signals_take(b->signals));
        g_free(b->objects);
        b->objects = view_objects(b->bus);
        return b;
}

static void small_disk_done(Base *b) {
        if (b->service->pid != 0)
                service_stop(b->service);
        g_assert_cmpint(umount(b->service->state), ==, 0);
        base_free(b);
}

static void assert_refused_by_store(Base *b, gsize i, const Fault *f) {
        g_autofree char *log = NULL, *what = g_strdup_printf("%s, %s", f->name, method(i)->name);

        fault_log_clear(b->service);
        for (gsize k = 0; k < G_N_ELEMENTS(f->says); k++)
                base_assert_fails(b, method(i), "Failed", f->says[k]);
        base_assert_untouched(b, what);

        /* Both calls. */
        log = fault_log(b->service);
        {
                g_autofree char *twice = g_strconcat(methods[i].verbs, methods[i].verbs, NULL);

                assert_same_text(twice, log, what);
        }
}

static void test_fault(gconstpointer data) {
        const Fault *f = data;
        Base *b = move_to_small_disk(base_new());
        g_autofree char *path = store_file(b);

        f->begin(b, path);
        for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
                assert_refused_by_store(b, i, f);
        f->end(b, path);

        /* Nothing of it comes back with a restart, and all of it works when the fault has gone. */
        base_assert_untouched_by_restart(b, f->name);
        for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;

                sd_bus_message_unref(method(i)->call(b, &e));
                if (sd_bus_error_is_set(&e))
                        g_error("%s after %s: %s", method(i)->name, f->name, e.message);
        }
        small_disk_done(b);
}

/* The same without the restart. */
static void test_fault_passes(gconstpointer data) {
        const Fault *f = data;
        Base *b = move_to_small_disk(base_new());
        g_autofree char *path = store_file(b);

        for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;

                f->begin(b, path);
                base_assert_fails(b, method(i), "Failed", f->says[0]);
                f->end(b, path);
                sd_bus_message_unref(method(i)->call(b, &e));
                if (sd_bus_error_is_set(&e))
                        g_error("%s after %s: %s", method(i)->name, f->name, e.message);
        }
        small_disk_done(b);
}

/* The store fails, and what was deleted cannot be put back either. */
static void test_restore_fails_too(void) {
        g_autofree char *path = NULL, *port = port_path(BASE_NODE, 1), *text = NULL, *wanted = NULL, *memory = NULL;
        Base *b = move_to_small_disk(base_new());

        path = store_file(b);
        fill_disk(b, path);
        fault_plan(b->service, "once RestoreTargetPort fail AddressInUse somebody-was-faster\n");
        base_assert_fails(b, &operation_delete_port, "Degraded", "the disk is full");
        text = get_property(b->bus, port, "org.iscsi.ProtocolEndpoint", "StatusDescriptions");
        g_assert_nonnull(strstr(text, "the disk is full"));
        g_assert_nonnull(strstr(text, "somebody-was-faster"));
        empty_disk(b, path);

        service_stop(b->service);
        service_start(b->service);
        wanted = view_in_force(b->bus);
        memory = fault_memory(b->service);
        assert_same_text(wanted, memory, "after a restart");
        small_disk_done(b);
}

static gpointer lock_during_call(gpointer userdata) {
        Base *b = userdata;
        g_autofree char *path = store_file(b);

        fault_wait_call(b->service, "CreateTargetPort");
        lock_store(b, path);
        return NULL;
}

/* The backend fails, and the store does when the change is to be taken back from it. */
static void test_unsave_fails(void) {
        g_autofree char *port = port_path(BASE_NODE, 4), *path = NULL, *text = NULL, *memory = NULL;
        Base *b = move_to_small_disk(base_new_hasty());
        sd_bus_error e = SD_BUS_ERROR_NULL;
        GThread *thread;

        path = store_file(b);
        fault_log_clear(b->service);
        fault_plan(b->service, "once CreateTargetPort hang\n");
        thread = g_thread_new("lock", lock_during_call, b);
        base_assert_fails(b, &operation_create_port, "Degraded", "did not answer CreateTargetPort");
        (void) g_thread_join(thread);
        unlock_store(b, path);

        text = get_property(b->bus, port, "org.iscsi.ProtocolEndpoint", "StatusDescriptions");
        g_assert_nonnull(strstr(text, "the store could not be changed back"));
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "the backend");

        sd_bus_message_unref(call_service(b->bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port));
        g_assert_false(sd_bus_error_is_set(&e));
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "deleted in the normal way");
        base_assert_untouched_by_restart(b, "deleted in the normal way");
        small_disk_done(b);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
                g_autofree char *path = g_strdup_printf("/store-bus/%s/all-methods", faults[i].name);
                g_autofree char *passes = g_strdup_printf("/store-bus/%s/passes", faults[i].name);

                g_test_add_data_func(path, faults + i, test_fault);
                g_test_add_data_func(passes, faults + i, test_fault_passes);
        }
        g_test_add_func("/store-bus/restore-fails-too", test_restore_fails_too);
        g_test_add_func("/store-bus/unsave-fails", test_unsave_fails);

        return g_test_run();
}
