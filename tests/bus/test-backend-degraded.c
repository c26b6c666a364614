/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What cannot be taken back is shown, can be deleted, and is put right by a restart. */

#include "fault-base.h"

#include <string.h>

/* What fails, and how what takes it back, or goes on with it, fails as well. */
typedef struct Row {
        const Operation *operation;
        const char *plan; /* may have two lines */
        const char *causes[2];
        const char *path; /* of the object that is then shown as degraded, below its node */
        unsigned tag;     /* of that port; 0: the node itself */
        bool bound;       /* of port 1: 127.0.0.1:3264 too */
        bool goes;        /* it is being deleted, and disappears */
} Row;

#define GOES_ON "the removal is tried again by itself"

static const Row rows[] = {
        { &operation_create_port,
          "once create-port crash-half\nonce undo-port fail Failed cannot-undo",
          { "ended while it did create-port", "cannot-undo" },
          BASE_NODE,
          4 },
        { &operation_create_port,
          "once create-port crash-after\nonce undo-port crash-before",
          { "ended while it did create-port", "ended while it did undo-port" },
          BASE_NODE,
          4 },
        { &operation_create_port,
          "once create-port hang-half\nonce undo-port hang",
          { "did not answer create-port", "did not answer undo-port" },
          BASE_NODE,
          4 },
        { &operation_create_port,
          "once create-port garbage\nonce undo-port unknown-error",
          { "in a form that this service does not know", "What nobody has heard of" },
          BASE_NODE,
          4 },
        { &operation_create_port,
          "once create-port fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          4 },
        { &operation_delete_port,
          "once delete-port crash-half\nonce delete-port crash-before",
          { "ended while it did delete-port", GOES_ON },
          BASE_NODE,
          1,
          .goes = true },
        { &operation_delete_port,
          "once delete-port hang-half\nonce delete-port hang",
          { "did not answer delete-port", GOES_ON },
          BASE_NODE,
          1,
          .goes = true },
        { &operation_delete_port,
          "once delete-port garbage\nonce delete-port crash-after",
          { "ended while it did delete-port", GOES_ON },
          BASE_NODE,
          1,
          .goes = true },
        { &operation_delete_port,
          "once delete-port fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          1,
          .goes = true },
        { &operation_bind,
          "once bind-portal crash-half\nonce unbind-portal fail Busy cannot-unbind",
          { "ended while it did bind-portal", "cannot-unbind" },
          BASE_NODE,
          1,
          .bound = true },
        { &operation_bind,
          "once bind-portal fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          1,
          .bound = true },
        { &operation_unbind,
          "once unbind-portal crash-after\nonce unbind-portal crash-before",
          { "ended while it did unbind-portal", GOES_ON },
          BASE_NODE,
          1 },
        { &operation_unbind,
          "once unbind-portal fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          1 },
        { &operation_create_node,
          "once create-node crash-after\nonce delete-node fail Failed cannot-delete",
          { "ended while it did create-node", "cannot-delete" },
          NEW_NODE,
          0 },
        { &operation_create_node,
          "once create-node fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          NEW_NODE,
          0 },
        { &operation_delete_node,
          "once delete-port slow 0\nonce delete-port crash-after\nonce delete-port crash-before",
          { "ended while it did check-sessions and 4 more operations", GOES_ON },
          BASE_NODE,
          0,
          .goes = true },
        { &operation_delete_node,
          "once delete-node crash-before\nonce delete-node crash-after",
          { "ended while it did check-sessions and 4 more operations", GOES_ON },
          BASE_NODE,
          0,
          .goes = true },
        { &operation_delete_node,
          "once delete-node fail Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          0,
          .goes = true },
};

#define HOLD_UP_MSEC 800u /* shorter than the deadline of the hasty */

static char *degraded_path(const Row *row) {
        return row->tag > 0 ? port_path(row->path, row->tag) : node_path(row->path);
}

static void assert_degraded(Base *b, const Row *row) {
        const char *interface = row->tag > 0 ? "org.iscsi.ProtocolEndpoint" : "org.iscsi.Node";
        g_autofree char *path = degraded_path(row);
        g_autofree char *enabled = get_property(b->bus, path, interface, "EnabledState");
        g_autofree char *status = get_property(b->bus, path, interface, "OperationalStatus");
        g_autofree char *text = get_property(b->bus, path, interface, "StatusDescriptions");
        g_autofree char *managed = get_property(b->bus, path, interface, "Managed");

        g_assert_cmpstr(enabled, ==, "6");
        g_assert_cmpstr(status, ==, "[3]");
        g_assert_cmpstr(managed, ==, "true");
        for (gsize i = 0; i < G_N_ELEMENTS(row->causes); i++)
                if (!strstr(text, row->causes[i]))
                        g_error("%s does not tell \"%s\": %s", path, row->causes[i], text);

        if (row->bound) {
                g_autofree char *binds = get_property(b->bus, path, interface, "BindsTo"), *tcp = tcp_path("127.0.0.1:3264");

                g_assert_nonnull(strstr(binds, tcp));
        }
}

/* The call fails and says so of both, and so does the object; everybody who listens has heard of it. The service looks at the
 * node at once, and is held up in that until the object was seen. */
static void fail_for_good(Base *b, const Row *row) {
        g_autofree char *path = degraded_path(row), *signals = NULL, *expected = NULL;
        bool existed = object_exists(b->bus, path);

        g_free(signals_take(b->signals));
        fault_plan(b->service, "%s\nObserve slow %u\n", row->plan, HOLD_UP_MSEC);
        base_assert_fails(b, row->operation, "Degraded", row->causes[0]);
        assert_degraded(b, row);
        fault_plan(b->service, "%s", "");

        signals = signals_take(b->signals);
        expected = g_strdup_printf("%s %s\n", existed ? "PropertiesChanged" : "InterfacesAdded", path);
        if (!strstr(signals, expected))
                g_error("No signal \"%s\" but: %s", expected, signals);
}

static void assert_all_in_force(Base *b) {
        g_autofree char *wanted = view_in_force(b->bus), *memory = fault_memory(b->service);

        assert_same_text(wanted, memory, "what is on the bus, and in the backend");
}

static void restart(Base *b) {
        service_stop(b->service);
        service_start(b->service);
}

/* Of an unbind: whether the portal is not the port's any more. The port is in force with it for a moment, before it goes. */
static bool is_unbound(Base *b, const Row *row) {
        g_autofree char *path = degraded_path(row), *binds = NULL, *tcp = tcp_path("127.0.0.1:3261");

        if (row->operation != &operation_unbind)
                return true;
        binds = get_property(b->bus, path, "org.iscsi.ProtocolEndpoint", "BindsTo");
        return !strstr(binds, tcp);
}

/* What was to be taken away is gone, and all else is in force. */
static void assert_settled(Base *b, const Row *row) {
        g_autofree char *path = degraded_path(row);

        g_assert_cmpint(object_exists(b->bus, path), ==, !row->goes);
        g_assert_true(is_unbound(b, row));
        assert_all_in_force(b);
}

static bool is_settled(Base *b, const Row *row) {
        const char *interface = row->tag > 0 ? "org.iscsi.ProtocolEndpoint" : "org.iscsi.Node";
        g_autofree char *path = degraded_path(row), *state = NULL;

        if (row->goes || !object_exists(b->bus, path))
                return !object_exists(b->bus, path);
        state = get_property(b->bus, path, interface, "OperationalStatus");
        return g_str_equal(state, "[2]") && is_unbound(b, row);
}

/* It is put right without anybody's doing. */
static void test_by_itself(gconstpointer data) {
        const Row *row = data;
        g_autoptr(Base) b = strstr(row->plan, "hang") ? base_new_hasty() : base_new();
        gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

        fail_for_good(b, row);
        while (!is_settled(b, row)) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(20000);
        }
        assert_settled(b, row);
        restart(b);
        assert_settled(b, row);
}

/* A restart puts into force what is desired. */
static void test_restart(gconstpointer data) {
        const Row *row = data;
        g_autoptr(Base) b = strstr(row->plan, "hang") ? base_new_hasty() : base_new();

        fail_for_good(b, row);
        restart(b);
        assert_settled(b, row);
}

/* It is deleted by the normal method, and nothing is left of it, also after a restart. */
static void test_delete(gconstpointer data) {
        const Row *row = data;
        g_autofree char *path = degraded_path(row);
        g_autoptr(Base) b = strstr(row->plan, "hang") ? base_new_hasty() : base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        fail_for_good(b, row);
        sd_bus_message_unref(
                call_service(b->bus, &e, row->tag > 0 ? "DeleteiSCSIProtocolEndpoint" : "DeleteiSCSINode", "o", path));
        if (row->goes && sd_bus_error_is_set(&e)) /* it was faster */
                assert_error(&e, row->tag > 0 ? "ProtocolEndpointNonExistent" : "SCSIProtocolControllerNonExistent", 4096);
        else if (sd_bus_error_is_set(&e))
                g_error("%s: %s", path, e.message);
        g_assert_false(object_exists(b->bus, path));
        assert_all_in_force(b);

        restart(b);
        g_assert_false(object_exists(b->bus, path));
        assert_all_in_force(b);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *by_itself = g_strdup_printf("/backend-degraded/%s-%zu/by-itself", rows[i].operation->name, i);
                g_autofree char *to_restart = g_strdup_printf("/backend-degraded/%s-%zu/restart", rows[i].operation->name, i);
                g_autofree char *to_delete = g_strdup_printf("/backend-degraded/%s-%zu/delete", rows[i].operation->name, i);

                g_test_add_data_func(by_itself, rows + i, test_by_itself);
                g_test_add_data_func(to_restart, rows + i, test_restart);
                g_test_add_data_func(to_delete, rows + i, test_delete);
        }

        return g_test_run();
}
