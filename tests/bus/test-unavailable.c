/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store cannot be used when the service starts: it shows what the kernel has, answers every change with the reason, and
 * touches nothing. When the file is put right, it goes on. */

#include "batch.h"
#include "calls.h"
#include "fault-base.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static const char base[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";
static const char port[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000001";

static char *store_file(Base *b) {
        return g_build_filename(b->service->state, "ports.db", NULL);
}

static void run_sql(Base *b, const char *sql) {
        g_autofree char *path = store_file(b);
        sqlite3 *db = NULL;

        g_assert_cmpint(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), ==, SQLITE_OK);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                g_error("%s: %s", sql, sqlite3_errmsg(db));
        g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
}

static void write_over(Base *b, gsize offset, const char *bytes) {
        g_autofree char *path = store_file(b);
        FILE *f = fopen(path, "r+e");

        g_assert_nonnull(f);
        g_assert_cmpint(fseek(f, (long) offset, SEEK_SET), ==, 0);
        g_assert_cmpuint(fwrite(bytes, strlen(bytes), 1, f), ==, 1);
        g_assert_cmpint(fclose(f), ==, 0);
}

static void damage_header(Base *b) {
        write_over(b, 0, "XQLite");
}

static void damage_pages(Base *b) {
        for (gsize i = 1; i < 12; i++)
                write_over(b, 4096 * i, "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX");
}

static void make_newer(Base *b) {
        run_sql(b, "PRAGMA user_version = 99; UPDATE meta SET version = 99");
}

static void make_foreign(Base *b) {
        run_sql(b, "PRAGMA application_id = 1234567");
}

static void make_unreadable(Base *b) {
        g_autofree char *path = store_file(b);

        g_assert_cmpint(chown(path, 0, 0), ==, 0);
        g_assert_cmpint(g_chmod(path, 0600), ==, 0);
}

static void lock_directory(Base *b) {
        g_assert_cmpint(chown(b->service->state, 0, 0), ==, 0);
}

static void move_away(Base *b) {
        g_autofree char *away = g_strconcat(b->service->state, ".away", NULL);

        g_assert_cmpint(g_rename(b->service->state, away), ==, 0);
        g_assert_cmpint(g_file_set_contents(b->service->state, "", 0, NULL), ==, TRUE);
}

static const struct {
        const char *name;
        void (*spoil)(Base *b);
        const char *says;
} faults[] = {
        { "header", damage_header, "" }, { "pages", damage_pages, "damaged" },  { "newer", make_newer, "newer" },
        { "foreign", make_foreign, "" }, { "unreadable", make_unreadable, "" }, { "directory", lock_directory, "" },
        { "moved-away", move_away, "" },
};

static void copy_aside(Base *b) {
        g_autofree char *copy = g_strconcat(b->service->state, ".copy", NULL);

        run_command("cp", "-a", b->service->state, copy, NULL);
}

static void put_right(Base *b) {
        g_autofree char *copy = g_strconcat(b->service->state, ".copy", NULL);

        run_command("rm", "-rf", b->service->state, NULL);
        run_command("mv", copy, b->service->state, NULL);
}

static char *store_digest(Base *b) {
        g_autofree char *path = store_file(b), *data = NULL;
        gsize n;

        return g_file_get_contents(path, &data, &n, NULL) ? g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *) data, n)
                                                          : g_strdup("none");
}

static void assert_refused(sd_bus *bus) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3260");
        sd_bus_message *m;

        must_refuse(bus, "StoreUnavailable", 32781, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NEW_NODE);
        must_refuse(bus, "StoreUnavailable", 32781, "ModifyiSCSINode", "oa{sv}", base, 1, "Alias", "s", "x");
        must_refuse(bus, "StoreUnavailable", 32781, "DeleteiSCSINode", "o", base);
        must_refuse(bus, "StoreUnavailable", 32781, "DeleteiSCSINodeForced", "o", base);
        must_refuse(bus, "StoreUnavailable", 32781, "AdoptiSCSINode", "o", base);
        must_refuse(bus, "StoreUnavailable", 32781, "ReleaseiSCSINode", "o", base);
        must_refuse(bus, "StoreUnavailable", 32781, "CreateiSCSIProtocolEndpoint", "oqsao", base, 3, "", 1, tcp);
        must_refuse(bus, "StoreUnavailable", 32781, "DeleteiSCSIProtocolEndpoint", "o", port);
        must_refuse(bus, "StoreUnavailable", 32781, "DeleteiSCSIProtocolEndpointForced", "o", port);
        must_refuse(bus, "StoreUnavailable", 32781, "RequestStateChange", "oq", port, 3);
        must_refuse(bus, "StoreUnavailable", 32781, "BindiSCSIProtocolEndPoint", "oo", port, tcp);
        must_refuse(bus, "StoreUnavailable", 32781, "UnbindiSCSIProtocolEndPoint", "oo", port, tcp);
        must_refuse(bus, "StoreUnavailable", 32781, "CreateIPProtocolEndpoint", "sa{sv}", "192.0.2.7", 0);
        must_refuse(bus, "StoreUnavailable", 32781, "DeleteIPProtocolEndpoint", "o", ROOT_PATH "/ip/_3127_2e0_2e0_2e1");
        must_refuse(bus, "StoreUnavailable", 32781, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1",
                    4000, DEFAULT_GROUP, 0);
        must_refuse(bus, "StoreUnavailable", 32781, "DeleteTCPProtocolEndpoint", "o", tcp);
        must_refuse(bus, "StoreUnavailable", 32781, "CreatePortalGroup", "sa{sv}", "x", 0);
        must_refuse(bus, "StoreUnavailable", 32781, "DeletePortalGroup", "o", DEFAULT_GROUP);
        must_refuse(bus, "StoreUnavailable", 32781, "AddToPortalGroup", "oo", DEFAULT_GROUP, tcp);
        must_refuse(bus, "StoreUnavailable", 32781, "RemoveFromPortalGroup", "oo", DEFAULT_GROUP, tcp);
        must_refuse(bus, "StoreUnavailable", 32781, "CheckCall", "ssv", SERVICE_INTERFACE, "DeleteiSCSINode", "(o)", base);
        must_refuse(bus, "StoreUnavailable", 32781, "CheckiSCSIProtocolEndpoint", "oqsao", base, 3, "", 1, tcp);
        m = batch_new(bus);
        batch_add(m, BASE_NODE, "", "127.0.0.1:3264");
        must_refuse_message(bus, "StoreUnavailable", 32781, batch_end(m, BATCH_DEFAULT));
}

static void assert_property(Base *b, const char *path, const char *interface, const char *property, const char *expected) {
        g_autofree char *value = get_property(b->bus, path, interface, property);

        if (!g_str_equal(value, expected))
                g_error("%s: %s is %s, not %s", path, property, value, expected);
}

/* What can be read, what is said, and that nothing is touched. */
static void assert_read_only(Base *b, gsize i, const char *digest) {
        g_autofree char *status = get_property(b->bus, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions");
        g_autofree char *memory = NULL, *path = store_file(b), *now = NULL, *questions = NULL;
        sd_bus *mallory = connect_as("mallory");

        g_test_message("%s", status);
        g_assert_nonnull(strstr(status, b->service->state));
        g_assert_nonnull(strstr(status, faults[i].says));
        assert_property(b, base, NODE_INTERFACE, "Managed", "false");
        assert_property(b, port, PORT_INTERFACE, "Managed", "false");
        assert_property(b, port, PORT_INTERFACE, "EnabledState", "2");

        assert_refused(b->bus);
        g_free(rules_take_questions());
        assert_refused(mallory); /* nobody is asked for a password first */
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==, "");
        sd_bus_flush_close_unref(mallory);

        must_refuse(b->bus, "StoreUnavailable", 32781, "Reconcile", "o", ROOT_PATH);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "the kernel was touched");
        now = store_digest(b);
        g_assert_cmpstr(now, ==, digest);
}

static void wait_well(Base *b) {
        gint64 end = g_get_monotonic_time() + 15 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *objects = view_objects(b->bus);

                if (g_str_equal(objects, b->objects))
                        break;
                if (g_get_monotonic_time() > end)
                        assert_same_text(b->objects, objects, "it does not come back");
                g_usleep(10000);
        }
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "back");
}

static void test_at_start(gconstpointer data) {
        gsize i = GPOINTER_TO_SIZE(data);
        g_autofree char *digest = NULL;
        g_autoptr(Base) b = base_new();

        rules_set("");
        service_stop(b->service);
        copy_aside(b);
        faults[i].spoil(b);
        digest = store_digest(b);
        fault_log_clear(b->service);
        service_start(b->service);
        assert_read_only(b, i, digest);

        /* A restart is no way out, and does no harm. */
        service_kill(b->service);
        service_start(b->service);
        assert_read_only(b, i, digest);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        g_usleep(300000);
        assert_read_only(b, i, digest);

        put_right(b);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_well(b);
        base_assert_works(b, &operation_create_port);
        base_assert_works(b, &operation_delete_node);
        service_stop(b->service);
        assert_store_is_sound(b->service);
}

/* What the store says is put into force when it is back: also what has happened meanwhile. */
static void test_drifted_meanwhile(void) {
        g_autofree char *digest = NULL;
        g_autoptr(Base) b = base_new();

        service_stop(b->service);
        copy_aside(b);
        damage_pages(b);
        digest = store_digest(b);
        service_start(b->service);
        fault_remove_all(b->service);
        put_right(b);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_well(b);
}

/* The way out that the message names. */
static void test_new_store(void) {
        g_autofree char *program = g_build_filename(g_getenv("SURROUNDINGS_DIR"), "iscsi-configd", NULL), *status = NULL;
        g_autoptr(Base) b = base_new();
        g_autofree char *directory = g_strconcat("--state-directory=", b->service->state, NULL);
        gint64 end = g_get_monotonic_time() + 15 * G_USEC_PER_SEC;

        service_stop(b->service);
        damage_pages(b);
        service_start(b->service);
        must_refuse(b->bus, "StoreUnavailable", 32781, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NEW_NODE);
        service_stop(b->service);
        run_command(program, directory, "--new-store", NULL);
        service_start(b->service);
        status = get_property(b->bus, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions");
        g_assert_cmpstr(status, ==, "[]");

        /* What was ours is somebody's, and can be adopted. */
        assert_property(b, base, NODE_INTERFACE, "Managed", "false");
        must_call(b->bus, "AdoptiSCSINode", "o", base);
        assert_property(b, base, NODE_INTERFACE, "Managed", "true");
        assert_property(b, port, PORT_INTERFACE, "Managed", "true");
        service_stop(b->service);
        fault_remove_all(b->service);
        service_start(b->service);
        while (!g_str_equal(b->memory, (status = (g_free(status), fault_memory(b->service))))) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
}

/* SIGHUP never ends the service, SIGTERM does, whatever the store is like. */
static void test_signals(void) {
        g_autoptr(Base) b = base_new();

        for (unsigned i = 0; i < 10; i++)
                g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        g_free(view_objects(b->bus));
        base_assert_works(b, &operation_create_node);
        service_stop(b->service);
        damage_pages(b);
        service_start(b->service);
        for (unsigned i = 0; i < 10; i++)
                g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        g_free(view_objects(b->bus));
        service_stop(b->service);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
                g_autofree char *name = g_strconcat("/unavailable/at-start/", faults[i].name, NULL);

                g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_at_start);
        }
        g_test_add_func("/unavailable/drifted-meanwhile", test_drifted_meanwhile);
        g_test_add_func("/unavailable/new-store", test_new_store);
        g_test_add_func("/unavailable/signals", test_signals);
        return g_test_run();
}
