/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store fails under each method: nothing is changed, on the bus or in the backend, and the message says what to do. The
 * store comes first: the backend is not even asked. */

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
#define OTHER_NODE "iqn.2026-11.org.example:other"
#define GIVEN_NODE "iqn.2026-11.org.example:given"
#define FOREIGN_NODE "iqn.2026-11.org.example:foreign" /* another program's */

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

static sd_bus_message *call_modify_node(Base *b, sd_bus_error *e) {
        g_autofree char *node = node_path(BASE_NODE);

        return call_service(b->bus, e, "ModifyiSCSINode", "oa{sv}", node, 1, "Alias", "s", "other");
}

static sd_bus_message *call_switch_off(Base *b, sd_bus_error *e) {
        g_autofree char *port = port_path(BASE_NODE, 1);

        return call_service(b->bus, e, "RequestStateChange", "oq", port, 3);
}

static sd_bus_message *call_declare(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "CreateIPProtocolEndpoint", "sa{sv}", "192.0.2.77", 0);
}

static sd_bus_message *call_retract(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "DeleteIPProtocolEndpoint", "o", ROOT_PATH "/ip/_3192_2e0_2e2_2e78"); /* declared before */
}

static sd_bus_message *call_create_ports(Base *b, sd_bus_error *e) {
        g_autofree char *node = node_path(OTHER_NODE), *first = tcp_path("127.0.0.1:3260"), *second = tcp_path("127.0.0.1:3261");

        return call_service(b->bus, e, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, node, 3, "", 1, first, node, 3, "", 1,
                            second, 0);
}

static sd_bus_message *call_release(Base *b, sd_bus_error *e) {
        g_autofree char *node = node_path(GIVEN_NODE);

        return call_service(b->bus, e, "ReleaseiSCSINode", "o", node);
}

static sd_bus_message *call_adopt(Base *b, sd_bus_error *e) {
        g_autofree char *node = node_path(FOREIGN_NODE);

        return call_service(b->bus, e, "AdoptiSCSINode", "o", node);
}

static sd_bus_message *call_remove_member(Base *b, sd_bus_error *e) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3265");

        return call_service(b->bus, e, "RemoveFromPortalGroup", "oo", GROUP_PATH, tcp);
}

/* All methods, in an order in which all of them succeed one after the other. */
static const struct {
        Operation operation;
        const Operation *same; /* instead of the above */
} methods[] = {
        { .same = &operation_create_node },
        { .same = &operation_bind },
        { .operation = { "create-tcp-endpoint", call_create_tcp, NULL, "" } },
        { .operation = { "create-portal-group", call_create_group, NULL, "" } },
        { .operation = { "add-member", call_add_member, NULL, "" } },
        { .operation = { "remove-member", call_remove_member, NULL, "" } },
        { .operation = { "delete-portal-group", call_delete_group, NULL, "" } },
        { .same = &operation_unbind },
        { .operation = { "modify-node", call_modify_node, NULL, "" } },
        { .operation = { "switch-off", call_switch_off, NULL, "" } },
        { .operation = { "declare-address", call_declare, NULL, "" } },
        { .operation = { "retract-address", call_retract, NULL, "" } },
        { .operation = { "create-ports", call_create_ports, NULL, "" } },
        { .same = &operation_delete_port },
        { .same = &operation_create_port },
        { .operation = { "release-node", call_release, NULL, "" } },
        { .operation = { "adopt-node", call_adopt, NULL, "" } },
        { .same = &operation_delete_node },
        { .operation = { "delete-tcp-endpoint", call_delete_tcp, NULL, "" } },
};

static const Operation *method(gsize i) {
        return methods[i].same ? methods[i].same : &methods[i].operation;
}

/* How the store is made to fail, and to work again. BEGIN is told the file. */
typedef struct Fault {
        const char *name, *error;
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

/* A file system that became read-only, and a disk that fails, both as the system calls tell of them. */
static GPid strace;

static void inject(Base *b, const char *what) {
        g_autofree char *pid = g_strdup_printf("%d", b->service->pid);
        g_autofree char *expression = g_strconcat("inject=", what, NULL);
        char *argv[] = { (char *) "strace",
                         (char *) "-f",
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
                if (process_is_traced(b->service->pid))
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
        { "full", "Failed", fill_disk, empty_disk, { "the disk is full", "free some space" } },
        { "locked", "Failed", lock_store, unlock_store, { "another process holds the lock", "end that process" } },
        { "read-only", "Failed", become_read_only, end_injection, { "cannot be written to", "see its mount and its rights" } },
        { "flush", "Failed", fail_to_flush, end_injection, { "Input/output error", "see the log" } },
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
        fault_make_node(b->service, FOREIGN_NODE);
        run_command("sh", "-c", "cp -a \"$1\"/. \"$2\"/ && chown iscsi-config: \"$2\"", "sh", disk, b->service->state, NULL);
        service_start(b->service);

        first = call_for_path(b->bus, &e, "CreatePortalGroup", "sa{sv}", "one", 0);
        second = call_for_path(b->bus, &e, "CreatePortalGroup", "sa{sv}", "two", 0);
        g_assert_cmpstr(first, ==, GROUP_PATH);
        g_assert_cmpstr(second, ==, EMPTY_GROUP_PATH);
        sd_bus_message_unref(call_service(b->bus, &e, "AddToPortalGroup", "oo", GROUP_PATH, member));
        sd_bus_message_unref(call_service(b->bus, &e, "CreateIPProtocolEndpoint", "sa{sv}", "192.0.2.78", 0));
        g_assert_false(sd_bus_error_is_set(&e));
        g_free(create_node(b->bus, OTHER_NODE));
        g_free(create_node(b->bus, GIVEN_NODE));

        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
        return b;
}

static void small_disk_done(Base *b) {
        if (b->service->pid != 0)
                service_stop(b->service);
        g_assert_cmpint(umount(b->service->state), ==, 0);
        base_free(b);
}

static void assert_refused_by_store(Base *b, gsize i, const Fault *f) {
        g_autofree char *what = g_strdup_printf("%s, %s", f->name, method(i)->name);

        fault_log_clear(b->service);
        for (gsize k = 0; k < G_N_ELEMENTS(f->says); k++)
                base_assert_fails(b, method(i), f->error, f->says[k]);
        base_assert_untouched(b, what);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
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
                base_assert_fails(b, method(i), f->error, f->says[0]);
                f->end(b, path);
                sd_bus_message_unref(method(i)->call(b, &e));
                if (sd_bus_error_is_set(&e))
                        g_error("%s after %s: %s", method(i)->name, f->name, e.message);
        }
        small_disk_done(b);
}

static char *status_of_service(Base *b) {
        return get_property(b->bus, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions");
}

static bool is_as_before(Base *b) {
        g_autofree char *objects = view_objects(b->bus);

        return g_str_equal(objects, b->objects);
}

static Base *base_new_that_retries(void) {
        Base *b = base_new();

        service_add_option(b->service, g_strdup("--store-retry=1"));
        return move_to_small_disk(b);
}

/* The file is moved away: the first change finds out, and from then on nothing is tried before it is back. Then all goes on
 * without a restart. */
static void test_moved(void) {
        Base *b = base_new_that_retries();
        g_autofree char *path = store_file(b), *well = status_of_service(b), *status = NULL, *memory = NULL;
        gint64 end = g_get_monotonic_time() + 90 * G_USEC_PER_SEC;

        move_store(b, path);
        fault_log_clear(b->service);
        base_assert_fails(b, method(0), "Failed", "was moved away");
        for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
                base_assert_fails(b, method(i), "StoreUnavailable", "put it back");
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        status = status_of_service(b);
        g_assert_nonnull(strstr(status, path));
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "moved");
        g_free(signals_take(b->signals));

        move_store_back(b, path);
        while (!g_str_equal(status, well) || !is_as_before(b)) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(20000);
                g_free(status);
                status = status_of_service(b);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;

                sd_bus_message_unref(method(i)->call(b, &e));
                if (sd_bus_error_is_set(&e))
                        g_error("%s: %s", method(i)->name, e.message);
        }
        small_disk_done(b);
}

/* A deletion that the store refuses has touched nothing, so that nothing need be put back, which might fail as well. */
static void test_nothing_to_restore(void) {
        Base *b = move_to_small_disk(base_new());
        g_autofree char *path = store_file(b);

        fill_disk(b, path);
        fault_plan(b->service, "* fail AddressInUse somebody-was-faster\n");
        base_assert_fails(b, &operation_delete_port, "Failed", "the disk is full");
        base_assert_fails(b, &operation_delete_node, "Failed", "the disk is full");
        empty_disk(b, path);
        fault_plan(b->service, "%s", "");

        base_assert_untouched_by_restart(b, "a full disk");
        small_disk_done(b);
}

static gpointer lock_during_call(gpointer userdata) {
        Base *b = userdata;
        g_autofree char *path = store_file(b);

        fault_wait_call(b->service, "create-port");
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
        fault_plan(b->service, "once create-port hang\nObserve slow 800\n");
        thread = g_thread_new("lock", lock_during_call, b);
        base_assert_fails(b, &operation_create_port, "Degraded", "did not answer create-port");
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

static bool replied(void *userdata) {
        return *(sd_bus_message **) userdata;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        *(sd_bus_message **) userdata = sd_bus_message_ref(m);
        return 0;
}

/* The disk is slow, and while it writes that an endpoint is in a group the host loses the address, and with it the
 * endpoint: the outcome is what was stored. */
static void test_slow(void) {
        g_autofree char *tcp = tcp_path("10.9.9.9:3260"), *members = NULL;
        Base *b = move_to_small_disk(base_new());
        sd_bus_message *m = NULL, *reply = NULL;

        run_command("ip", "address", "add", "10.9.9.9/32", "dev", "lo", NULL);
        for (unsigned i = 0; i < 2000 && !object_exists(b->bus, tcp); i++)
                g_usleep(2000);

        inject(b, "fdatasync:delay_enter=1000000");
        g_assert_cmpint(sd_bus_message_new_method_call(b->bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, "AddToPortalGroup"),
                        >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "oo", GROUP_PATH, tcp), >=, 0);
        g_assert_cmpint(sd_bus_call_async(b->bus, NULL, m, on_reply, &reply, 60 * G_USEC_PER_SEC), >=, 0);
        g_assert_cmpint(sd_bus_flush(b->bus), >=, 0);
        g_usleep(200000);
        run_command("ip", "address", "del", "10.9.9.9/32", "dev", "lo", NULL);
        for (unsigned i = 0; i < 2000 && object_exists(b->bus, ROOT_PATH "/ip/_310_2e9_2e9_2e9"); i++)
                g_usleep(2000);
        g_assert_null(reply); /* reading goes on */
        process_until(b->bus, replied, &reply);
        end_injection(b, NULL);
        g_assert_false(sd_bus_message_is_method_error(reply, NULL));

        members = get_property(b->bus, GROUP_PATH, "org.iscsi.PortalGroup", "Members");
        g_assert_nonnull(strstr(members, tcp));
        g_free(signals_take(b->signals));
        g_free(b->objects);
        b->objects = view_objects(b->bus);
        base_assert_untouched_by_restart(b, "an address that left");
        sd_bus_message_unref(reply);
        sd_bus_message_unref(m);
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
        g_test_add_func("/store-bus/moved", test_moved);
        g_test_add_func("/store-bus/slow", test_slow);
        g_test_add_func("/store-bus/nothing-to-restore", test_nothing_to_restore);
        g_test_add_func("/store-bus/unsave-fails", test_unsave_fails);

        return g_test_run();
}
