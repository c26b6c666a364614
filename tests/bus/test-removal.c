/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Deletions: they are stored before anything is touched, so a full disk refuses in time; what another program has put inside is
 * found before the first step; and one that is cut short goes on. */

#include "batch.h"
#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "flush-control.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static const char base[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";
static const char port[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000001";

typedef struct Removal {
        const char *name, *method;
        const char *path, *portal; /* PORTAL NULL: there is no second argument */
        const char *verb;          /* the operation that matters */
} Removal;

static const Removal removals[] = {
        { "port", "DeleteiSCSIProtocolEndpoint", port, NULL, "delete-port" },
        { "port-forced", "DeleteiSCSIProtocolEndpointForced", port, NULL, "delete-port" },
        { "node", "DeleteiSCSINode", base, NULL, "delete-port" },
        { "node-forced", "DeleteiSCSINodeForced", base, NULL, "delete-node" },
        { "unbind", "UnbindiSCSIProtocolEndPoint", port, ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3261", "unbind-portal" },
};

static sd_bus_message *message_of(Base *b, const Removal *r) {
        sd_bus_message *m = new_call(b->bus, r->method);

        g_assert_cmpint(sd_bus_message_append(m, "o", r->path), >=, 0);
        if (r->portal)
                g_assert_cmpint(sd_bus_message_append(m, "o", r->portal), >=, 0);
        return m;
}

static void add_contents(Base *b) {
        fake_add_lun(b->service->fault, BASE_NODE, 1);
        fake_add_acl(b->service->fault, BASE_NODE, 1, "iqn.2026-11.org.example:initiator", "secret");
}

/* The store on a disk of its own, of half a megabyte. */
static void mount_small_disk(Base *b) {
        g_autofree char *aside = g_strconcat(b->service->state, ".aside", NULL), *all = g_strconcat(aside, "/.", NULL);

        run_command("cp", "-a", b->service->state, aside, NULL);
        g_assert_cmpint(mount("tmpfs", b->service->state, "tmpfs", 0, "size=512k,mode=0700"), ==, 0);
        run_command("cp", "-a", all, b->service->state, NULL);
}

static void fill_disk(Base *b) {
        g_autofree char *filler = g_build_filename(b->service->state, "filler", NULL), *page = g_malloc0(4096);
        int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        g_assert_cmpint(fd, >=, 0);
        while (write(fd, page, 4096) > 0)
                ;
        (void) close(fd);
}

static void empty_disk(Base *b) {
        g_autofree char *filler = g_build_filename(b->service->state, "filler", NULL);

        g_assert_cmpint(g_unlink(filler), ==, 0);
}

/* Each deletion refuses on a full disk, again and again, and the kernel is not even asked. */
static void test_full_disk(void) {
        g_autoptr(Base) b = base_new();

        add_contents(b);
        service_stop(b->service);
        mount_small_disk(b);
        service_start(b->service);
        fill_disk(b);
        fault_log_clear(b->service);
        for (unsigned again = 0; again < 3; again++)
                for (gsize i = 0; i < G_N_ELEMENTS(removals); i++) {
                        must_refuse_message(b->bus, "Failed", 4, message_of(b, removals + i));
                        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
                        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));
                }
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "a full disk");

        empty_disk(b);
        must_refuse(b->bus, "LastPortal", 32778, "UnbindiSCSIProtocolEndPoint", "oo",
                    ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000002",
                    ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3262");
        base_assert_works(b, &operation_unbind);
        base_assert_works(b, &operation_delete_node);
        service_stop(b->service);
        g_assert_cmpint(umount(b->service->state), ==, 0);
}

/* Another program has put a port into our node, which the service has not seen, or has: nothing is touched. */
static void test_foreign_inside(gconstpointer method) {
        g_autofree char *foreign = port_path(BASE_NODE, 9);
        g_autoptr(Base) b = base_new();

        add_contents(b);
        fault_make_port(b->service, BASE_NODE, 9, true, "127.0.0.1:9009\n");
        b->memory = (g_free(b->memory), fault_memory(b->service));
        must_refuse(b->bus, "ForeignObjectInside", 32793, "CheckCall", "ssv", SERVICE_INTERFACE, method, "(o)", base);
        must_refuse(b->bus, "ForeignObjectInside", 32793, method, "o", base);
        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));
        g_assert_cmpuint(fault_log_count(b->service, "delete-port"), ==, 0);

        /* The refusal has made the service look: now it shows it. */
        for (unsigned i = 0; i < 1000 && !object_exists(b->bus, foreign); i++)
                g_usleep(10000);
        g_assert_true(object_exists(b->bus, foreign));
        must_refuse(b->bus, "NotManaged", 32776, method, "o", base);
        must_refuse(b->bus, "NotManaged", 32776, "DeleteiSCSIProtocolEndpoint", "o", foreign);
        g_assert_cmpuint(fault_log_count(b->service, "delete-port"), ==, 0);
        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));

        fault_remove_port(b->service, BASE_NODE, 9);
        must_call(b->bus, "Reconcile", "o", base);
        must_call(b->bus, method, "o", base);
}

/* A deletion fails in the kernel after the port is gone: it comes back whole, and what could not be given back is named. */
static void test_made_again(void) {
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        add_contents(b);
        fault_plan(b->service, "once delete-node fail Failed the-kernel-says-no\n");
        g_assert_null(call_service(b->bus, &e, "DeleteiSCSINode", "o", base));
        g_test_message("%s", e.message);
        g_assert_nonnull(strstr(e.message, "the-kernel-says-no"));
        g_assert_true(strstr(e.message, "CHAP secret") != NULL);
        assert_error(&e, "Failed", 4);
        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));
        base_assert_untouched(b, "made again");
        base_assert_untouched_by_restart(b, "made again");
}

static int count_rows(Base *b, const char *table) {
        g_autofree char *path = g_build_filename(b->service->state, "ports.db", NULL);
        g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM %s", table);
        sqlite3_stmt *s = NULL;
        sqlite3 *db = NULL;
        int n;

        g_assert_cmpint(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &s, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_step(s), ==, SQLITE_ROW);
        n = sqlite3_column_int(s, 0);
        (void) sqlite3_finalize(s);
        g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
        return n;
}

static bool is_gone(Base *b, const Removal *r) {
        g_autofree char *value = NULL;

        if (!r->portal)
                return !object_exists(b->bus, r->path);
        value = get_property(b->bus, port, PORT_INTERFACE, "BindsTo");
        return !strstr(value, r->portal);
}

/* The bus, the kernel and the store agree, and nothing is left in the journal. */
static void assert_consistent(Base *b, const Removal *r) {
        g_autofree char *wanted = view_in_force(b->bus), *memory = fault_memory(b->service);

        assert_same_text(wanted, memory, r->name);
        service_stop(b->service);
        g_assert_cmpint(count_rows(b, "journal"), ==, 0);
        assert_store_is_sound(b->service);
        fault_log_clear(b->service);
        service_start(b->service);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        g_free(memory);
        memory = fault_memory(b->service);
        assert_same_text(wanted, memory, r->name);
}

static void begin(Base *b, const Removal *r) {
        sd_bus_message *m = message_of(b, r);

        fault_log_clear(b->service);
        send_call(b->bus, m);
}

static void kill_service(Base *b) {
        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_plan(b->service, "%s", "");
}

static const char *const stages[] = { "hang", "hang-half", "hang-after" };

/* Killed when the backend has the request: it is carried to its end at the next start, before anybody sees it again. */
static void test_killed(gconstpointer data) {
        const Removal *r = data;

        for (gsize i = 0; i < G_N_ELEMENTS(stages); i++) {
                g_autoptr(Base) b = base_new();

                add_contents(b);
                fault_plan(b->service, "%s %s\n", r->verb, stages[i]);
                begin(b, r);
                fault_wait_call(b->service, r->verb);
                kill_service(b);
                service_start(b->service);
                g_assert_true(is_gone(b, r));
                assert_consistent(b, r);
        }
}

/* Killed again while it is carried to its end. */
static void test_killed_twice(gconstpointer data) {
        const Removal *r = data;
        g_autoptr(Base) b = base_new();

        add_contents(b);
        fault_plan(b->service, "%s hang-half\n", r->verb);
        begin(b, r);
        fault_wait_call(b->service, r->verb);
        kill_service(b);

        for (unsigned i = 0; i < 2; i++) {
                fault_plan(b->service, "%s hang-half\n", r->verb);
                fault_log_clear(b->service);
                service_spawn(b->service);
                fault_wait_call(b->service, r->verb);
                kill_service(b);
        }
        service_start(b->service);
        g_assert_true(is_gone(b, r));
        assert_consistent(b, r);
}

/* The next start cannot carry it to its end at once: it goes on later if nothing but the moment is wrong, else it is whole
 * again. */
static void killed_and_refused(const Removal *r, const char *refusal, bool goes) {
        g_autoptr(Base) b = base_new();
        gint64 end;

        add_contents(b);
        fault_plan(b->service, "%s hang-half\n", r->verb);
        begin(b, r);
        fault_wait_call(b->service, r->verb);
        kill_service(b);

        fault_plan(b->service, "once %s fail %s refused\n", r->verb, refusal);
        service_start(b->service);
        end = g_get_monotonic_time() + 15 * G_USEC_PER_SEC;
        for (;;) {
                g_autofree char *memory = fault_memory(b->service), *objects = view_objects(b->bus);

                if (goes ? is_gone(b, r) && (!r->portal || !strstr(memory, "127.0.0.1:3261"))
                         : g_str_equal(memory, b->memory) && g_str_equal(objects, b->objects))
                        break;
                if (g_get_monotonic_time() > end)
                        assert_same_text(b->objects, objects, r->name);
                g_usleep(20000);
        }
        assert_consistent(b, r);
}

static void test_killed_and_busy(gconstpointer data) {
        killed_and_refused(data, "Busy", true);
}

static void test_killed_and_failed(gconstpointer data) {
        killed_and_refused(data, "Failed", false);
}

/* When the service is back, another program has put something into the node: that is not lost, and it is said why the node is
 * still there. */
static void test_killed_and_foreign(void) {
        g_autofree char *foreign = port_path(BASE_NODE, 9), *text = NULL, *memory = NULL;
        g_autoptr(Base) b = base_new();
        gint64 end;

        add_contents(b);
        fault_plan(b->service, "check-sessions hang\n");
        begin(b, removals + 2);
        fault_wait_call(b->service, "check-sessions");
        kill_service(b);

        fault_make_port(b->service, BASE_NODE, 9, true, "127.0.0.1:9009\n");
        fake_add_lun(b->service->fault, BASE_NODE, 9);
        service_start(b->service);
        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 9));
        g_assert_true(object_exists(b->bus, foreign));
        text = get_property(b->bus, base, NODE_INTERFACE, "StatusDescriptions");
        g_test_message("%s", text);
        g_assert_nonnull(strstr(text, "Being deleted"));

        fault_remove_port(b->service, BASE_NODE, 9);
        end = g_get_monotonic_time() + 15 * G_USEC_PER_SEC;
        while (object_exists(b->bus, base)) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(20000);
        }
        memory = fault_memory(b->service);
        g_assert_cmpstr(memory, ==, "");
}

/* Killed while the commit is flushed: whole or gone. */
static void test_killed_in_store(gconstpointer data) {
        const Removal *r = data;
        g_autoptr(Base) b = base_new();

        service_stop(b->service);
        flush_control(b->service);
        add_contents(b);
        service_start(b->service);
        g_usleep(1200000); /* what is stored in passing is stored */
        flush_forget(b->service);
        flush_set_msec(b->service, 60000);
        begin(b, r);
        flush_wait(b->service, 1);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));
        kill_service(b);
        flush_set_msec(b->service, 0);
        service_start(b->service);
        if (!is_gone(b, r)) {
                g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));
                g_free(signals_take(b->signals));
                base_assert_untouched(b, r->name);
        }
        assert_consistent(b, r);
}

/* What was being made when the service was killed leaves nothing in the journal either. */
static void test_made(void) {
        static const char *const verbs[] = { "create-port", "bind-portal", "disable-port" };
        g_autofree char *tcp = tcp_path("127.0.0.1:3264"), *memory = NULL, *wanted = NULL;
        g_autoptr(Base) b = base_new();

        for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
                sd_bus_message *m = new_call(b->bus, i == 0   ? "CreateiSCSIProtocolEndpoint"
                                                     : i == 1 ? "BindiSCSIProtocolEndPoint"
                                                              : "RequestStateChange");

                if (i == 0)
                        g_assert_cmpint(sd_bus_message_append(m, "oqsao", base, 3, "", 1, tcp), >=, 0);
                else if (i == 1)
                        g_assert_cmpint(sd_bus_message_append(m, "oo", port, ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3265"), >=, 0);
                else
                        g_assert_cmpint(sd_bus_message_append(m, "oq", port, 3), >=, 0);
                fault_plan(b->service, "%s hang\n", verbs[i]);
                fault_log_clear(b->service);
                send_call(b->bus, m);
                fault_wait_call(b->service, verbs[i]);
                kill_service(b);
                service_start(b->service);
        }
        memory = fault_memory(b->service);
        g_assert_nonnull(strstr(memory, BASE_NODE " 4 enabled 127.0.0.1:3264\n"));
        g_assert_nonnull(strstr(memory, BASE_NODE " 1 disabled 127.0.0.1:3260 127.0.0.1:3261 127.0.0.1:3265\n"));
        service_stop(b->service);
        g_assert_cmpint(count_rows(b, "journal"), ==, 0);
        wanted = g_strdup(memory);
        fault_log_clear(b->service);
        service_start(b->service);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
}

/* A removal that waits for its turn in vain ends the call that waits for it: the one that came just before it, since the change
 * that has the lock was begun still earlier and asked about at length. */
static void test_in_vain(void) {
        g_autoptr(Base) b = base_new();
        sd_bus *root = caller_new("root"), *alice = caller_new("alice");
        Call *look, *other;

        fault_plan(b->service, "delete-port crash-before\n");
        must_refuse(b->bus, "Degraded", 32774, "DeleteiSCSIProtocolEndpoint", "o", port);
        rules_set("polkit.spawn(['sleep', '1']); return polkit.Result.YES;");
        loop_for(3000); /* it is not taken up again sooner than a moment after the last time */

        fault_plan(b->service, "Observe slow 3000\nbind-portal hang\ndelete-port fail Busy not-now\n");
        other = call_start(message_new(alice, "BindiSCSIProtocolEndPoint", "oo",
                                       ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000003",
                                       ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3265"));
        g_assert_cmpint(sd_bus_flush(alice), >=, 0);
        loop_for(200);
        look = call_start(message_new(root, "Reconcile", "o", base)); /* it has the lock before the other is granted */
        call_wait(look);
        g_test_message("%u ms", (unsigned) ((look->ended - look->started) / 1000));
        g_assert_cmpint(look->ended - look->started, >, 10 * G_USEC_PER_SEC); /* it did wait for the removal */
        g_assert_null(other->reply);
        g_assert_true(object_exists(b->bus, base)); /* the service is there */
        call_free(look);
        call_free(other);
        fault_plan(b->service, "%s", "");
        fault_kill_workers(b->service);
        caller_leave(root);
        caller_leave(alice);
}

/* A node of both roles: all backends are asked before one of them removes something. */
static void test_both_roles(void) {
        static const char name[] = "iqn.2026-11.org.example:both";
        Service *s = service_new("--initiator-backend=model", NULL);
        g_autofree char *node = node_path(name), *before = NULL, *after = NULL;
        sd_bus *bus;

        service_use_fault_backend(s);
        service_start(s);
        bus = connect_as("root");
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", name, "Roles", "aq", 2, 2, 3);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, LOOPBACK_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 2, "", 1, ROOT_PATH "/ip/_3127_2e0_2e0_2e1");
        fault_set_sessions(s, name, 1, true);
        before = view_objects(bus);

        fault_log_clear(s);
        must_refuse(bus, "SessionsActive", 4097, "DeleteiSCSINode", "o", node);
        g_assert_cmpuint(fault_log_count(s, "Check"), ==, 1);
        fault_plan(s, "Check fail Failed no-more\n");
        must_refuse(bus, "Failed", 4, "DeleteiSCSINode", "o", node);
        fault_plan(s, "Check crash-before\n");
        must_refuse(bus, "BackendUnavailable", 32773, "DeleteiSCSINode", "o", node);
        g_assert_cmpuint(fault_log_count(s, "Apply"), ==, 0);
        after = view_objects(bus);
        g_assert_cmpstr(before, ==, after);

        fault_plan(s, "%s", "");
        fault_set_sessions(s, name, 1, false);
        must_call(bus, "DeleteiSCSINode", "o", node);
        g_assert_false(object_exists(bus, node));
        service_stop(s);
        assert_store_is_sound(s);
        sd_bus_flush_close_unref(bus);
        service_free(s);
}

int main(int argc, char *argv[]) {
        static const struct {
                const char *name;
                GTestDataFunc test;
        } tests[] = {
                { "killed", test_killed },
                { "killed-twice", test_killed_twice },
                { "killed-and-busy", test_killed_and_busy },
                { "killed-and-failed", test_killed_and_failed },
                { "killed-in-store", test_killed_in_store },
        };

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/removal/full-disk", test_full_disk);
        g_test_add_data_func("/removal/foreign-inside/plain", "DeleteiSCSINode", test_foreign_inside);
        g_test_add_data_func("/removal/foreign-inside/forced", "DeleteiSCSINodeForced", test_foreign_inside);
        g_test_add_func("/removal/both-roles", test_both_roles);
        g_test_add_func("/removal/in-vain", test_in_vain);
        g_test_add_func("/removal/made-again", test_made_again);
        g_test_add_func("/removal/made", test_made);
        g_test_add_func("/removal/killed-and-foreign", test_killed_and_foreign);
        for (gsize k = 0; k < G_N_ELEMENTS(tests); k++)
                for (gsize i = 0; i < G_N_ELEMENTS(removals); i++) {
                        g_autofree char *name = g_strdup_printf("/removal/%s/%s", tests[k].name, removals[i].name);

                        g_test_add_data_func(name, removals + i, tests[k].test);
                }
        return g_test_run();
}
