/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store is opened again while the service runs: when, and that what it does not hold is as before. */

#include "calls.h"
#include "fault-base.h"
#include "mirror.h"
#include "store-check.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#define FOREIGN "iqn.2026-11.org.example:foreign"
#define OUTSIDE "127.0.0.1:7000" /* an endpoint that is there because of another program's port */
#define MADE "127.0.0.1:7001"    /* another one, which a method makes as well */
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"

static char *store_file(Base *b) {
        return g_build_filename(b->service->state, "ports.db", NULL);
}

static void take_away(Base *b) {
        g_autofree char *file = store_file(b), *away = g_strconcat(file, ".away", NULL);

        g_assert_cmpint(g_rename(file, away), ==, 0);
}

static void bring_back(Base *b) {
        g_autofree char *file = store_file(b), *away = g_strconcat(file, ".away", NULL);

        g_assert_cmpint(g_rename(away, file), ==, 0);
}

/* The service finds out with the first change that it cannot store. */
static void assert_unavailable(Base *b) {
        must_refuse(b->bus, "Failed", 4, "CreatePortalGroup", "sa{sv}", "more", 0);
        must_refuse(b->bus, "StoreUnavailable", 32781, "CreatePortalGroup", "sa{sv}", "more", 0);
        g_free(signals_take(b->signals));
}

static void wait_opened(Base *b) {
        gint64 end = g_get_monotonic_time() + 15 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *status = get_property(b->bus, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions");

                if (g_str_equal(status, "[]"))
                        break;
                if (g_get_monotonic_time() > end)
                        g_error("The store is not opened again: %s", status);
                g_usleep(10000);
        }
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
}

static void remember(Base *b) {
        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
}

/* Nobody tells the service that the file is there again. */
static void test_by_itself(void) {
        g_autoptr(Base) b = base_new();
        gint64 begun;

        service_stop(b->service);
        service_add_option(b->service, g_strdup("--store-retry=1"));
        service_start(b->service);
        take_away(b);
        assert_unavailable(b);
        bring_back(b);
        begun = g_get_monotonic_time();
        wait_opened(b);
        g_assert_cmpint(g_get_monotonic_time() - begun, <, 5 * G_USEC_PER_SEC);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "opened again");
        base_assert_works(b, &operation_create_port);
}

/* Not before its time: that is what the option sets. */
static void test_not_sooner(void) {
        g_autoptr(Base) b = base_new();

        service_stop(b->service);
        service_add_option(b->service, g_strdup("--store-retry=3600"));
        service_start(b->service);
        take_away(b);
        assert_unavailable(b);
        bring_back(b);
        g_usleep(1500000);
        must_refuse(b->bus, "StoreUnavailable", 32781, "CreatePortalGroup", "sa{sv}", "more", 0);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_opened(b);
}

static void test_bad_interval(void) {
        static const char *const bad[] = { "--store-retry=0", "--store-retry=", "--store-retry=3601", "--store-retry=soon" };

        for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
                const char *argv[] = { g_getenv("ISCSI_CONFIGD"), bad[i], NULL };
                g_autofree char *errors = NULL;
                int status;

                g_assert_true(g_spawn_sync(NULL, (char **) argv, NULL, 0, NULL, NULL, NULL, &errors, &status, NULL));
                g_assert_cmpint(status, !=, 0);
                g_assert_nonnull(strstr(errors, "a number from 1 to 3600 is wanted"));
        }
}

static void make_endpoint(Base *b) {
        must_call(b->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 7001, DEFAULT_GROUP, 0);
}

static void make_foreign(Base *b) {
        fault_make_port(b->service, FOREIGN, 1, true, "127.0.0.1:3260\n" OUTSIDE "\n");
        fault_make_port(b->service, FOREIGN, 7, false, MADE "\n");
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
}

/* Nothing of the other program's node has left the bus or come, nor the endpoint that is there for it alone. MADE_STAYS: the
 * other one neither. */
static void assert_stayed(Base *b, bool made_stays) {
        g_autofree char *node = node_path(FOREIGN), *outside = tcp_path(OUTSIDE), *made = tcp_path(MADE), *signals = NULL;
        g_autofree char *made_came = g_strdup_printf("InterfacesAdded %s\n", made);

        signals = signals_take(b->signals);
        g_test_message("%s", signals);
        g_assert_nonnull(strstr(signals, "InterfacesAdded")); /* what is ours came back: the store was read */
        g_assert_null(strstr(signals, node));
        g_assert_null(strstr(signals, outside));
        g_assert_cmpint(made_stays, ==, strstr(signals, made_came) == NULL);
}

/* The store is opened late: what is of others was on the bus before, and stays. */
static void test_opened_late(void) {
        g_autoptr(Base) b = base_new();

        make_foreign(b);
        remember(b);
        service_stop(b->service);
        take_away(b);
        service_add_option(b->service, g_strdup("--store-retry=3600"));
        service_start(b->service);
        must_refuse(b->bus, "StoreUnavailable", 32781, "CreatePortalGroup", "sa{sv}", "more", 0);
        g_free(signals_take(b->signals));
        bring_back(b);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_opened(b);
        assert_stayed(b, true);
        base_assert_untouched(b, "opened late");
        base_assert_untouched_by_restart(b, "opened late");
}

/* It goes and comes back as it was. */
static void test_same_store(gconstpointer data) {
        bool made = GPOINTER_TO_INT(data);
        g_autoptr(Base) b = base_new();

        if (made)
                make_endpoint(b);
        make_foreign(b);
        remember(b);
        take_away(b);
        assert_unavailable(b);
        bring_back(b);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_opened(b);
        assert_stayed(b, true);
        base_assert_untouched(b, "opened again");
        base_assert_untouched_by_restart(b, "opened again");
}

static void copy_aside(Base *b) {
        g_autofree char *copy = g_strconcat(b->service->state, ".copy", NULL);

        service_stop(b->service);
        run_command("cp", "-a", b->service->state, copy, NULL);
        service_start(b->service);
}

static void put_copy(Base *b) {
        g_autofree char *copy = g_strconcat(b->service->state, ".copy", NULL);

        run_command("rm", "-rf", b->service->state, NULL);
        run_command("mv", copy, b->service->state, NULL);
}

/* What comes is a backup, and differs in who made the endpoint that the other program's port binds to: in it or in what it
 * replaces, a method did. */
static void test_other_store(gconstpointer data) {
        bool made_in_backup = GPOINTER_TO_INT(data);
        g_autofree char *made = tcp_path(MADE), *automatic = NULL;
        g_autoptr(Base) b = base_new();

        if (made_in_backup)
                make_endpoint(b);
        copy_aside(b);
        if (made_in_backup)
                must_call(b->bus, "DeleteTCPProtocolEndpoint", "o", made);
        else
                make_endpoint(b);
        make_foreign(b);
        take_away(b);
        assert_unavailable(b);
        put_copy(b);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_opened(b);
        assert_stayed(b, false);
        automatic = get_property(b->bus, made, TCP_INTERFACE, "Automatic");
        g_assert_cmpstr(automatic, ==, made_in_backup ? "false" : "true");
        remember(b);
        base_assert_untouched_by_restart(b, "a backup was opened");

        /* An automatic one goes with the port. */
        fault_remove_port(b->service, FOREIGN, 7);
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        g_assert_cmpint(object_exists(b->bus, made), ==, made_in_backup);
        service_stop(b->service);
        assert_store_is_sound(b->service);
}

/* In the backup the other program's node is ours, without the port that binds to an endpoint that nobody has made there. */
static void test_ours_in_backup(void) {
        g_autofree char *made = tcp_path(MADE), *node = node_path(FOREIGN), *managed = NULL;
        g_autoptr(Base) b = base_new();

        fault_make_port(b->service, FOREIGN, 1, true, OUTSIDE "\n");
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        must_call(b->bus, "AdoptiSCSINode", "o", node);
        copy_aside(b);
        must_call(b->bus, "ReleaseiSCSINode", "o", node);
        make_endpoint(b);
        make_foreign(b);
        take_away(b);
        assert_unavailable(b);
        fault_remove_port(b->service, FOREIGN, 7);
        put_copy(b);
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_opened(b);
        managed = get_property(b->bus, node, NODE_INTERFACE, "Managed");
        g_assert_cmpstr(managed, ==, "true");
        g_assert_false(object_exists(b->bus, made));
        remember(b);
        base_assert_untouched_by_restart(b, "a backup was opened");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/store-again/by-itself", test_by_itself);
        g_test_add_func("/store-again/not-sooner", test_not_sooner);
        g_test_add_func("/store-again/bad-interval", test_bad_interval);
        g_test_add_func("/store-again/opened-late", test_opened_late);
        g_test_add_data_func("/store-again/same-store", GINT_TO_POINTER(false), test_same_store);
        g_test_add_data_func("/store-again/same-store-with-endpoint", GINT_TO_POINTER(true), test_same_store);
        g_test_add_data_func("/store-again/backup-without-endpoint", GINT_TO_POINTER(false), test_other_store);
        g_test_add_data_func("/store-again/backup-with-endpoint", GINT_TO_POINTER(true), test_other_store);
        g_test_add_func("/store-again/ours-in-backup", test_ours_in_backup);
        return g_test_run();
}
