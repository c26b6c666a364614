/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What cannot be taken back is shown, can be deleted, and is put right by a restart. */

#include "fault-base.h"

#include <string.h>

/* What fails, and how the verb that takes it back fails as well. */
typedef struct Row {
        const Operation *operation;
        const char *plan; /* may have two lines */
        const char *causes[2];
        const char *path; /* of the object that is then shown as degraded, below its node */
        unsigned tag;     /* of that port; 0: the node itself */
        bool bound;       /* of port 1: 127.0.0.1:3264 too */
} Row;

static const Row rows[] = {
        { &operation_create_port,
          "once CreateTargetPort crash-half\nonce UndoTargetPort fail Failed cannot-undo",
          { "ended while it did CreateTargetPort", "cannot-undo" },
          BASE_NODE,
          4,
          false },
        { &operation_create_port,
          "once CreateTargetPort crash-after\nonce UndoTargetPort crash-before",
          { "ended while it did CreateTargetPort", "ended while it did UndoTargetPort" },
          BASE_NODE,
          4,
          false },
        { &operation_create_port,
          "once CreateTargetPort hang-half\nonce UndoTargetPort hang",
          { "did not answer CreateTargetPort", "did not answer UndoTargetPort" },
          BASE_NODE,
          4,
          false },
        { &operation_create_port,
          "once CreateTargetPort garbage\nonce UndoTargetPort unknown-error",
          { "in a form that this service does not know", "What nobody has heard of" },
          BASE_NODE,
          4,
          false },
        { &operation_create_port,
          "once CreateTargetPort fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          4,
          false },
        { &operation_delete_port,
          "once DeleteTargetPort crash-half\nonce RestoreTargetPort fail AddressInUse cannot-restore",
          { "ended while it did DeleteTargetPort", "cannot-restore" },
          BASE_NODE,
          1,
          false },
        { &operation_delete_port,
          "once DeleteTargetPort crash-after\nonce RestoreTargetPort crash-half",
          { "ended while it did DeleteTargetPort", "ended while it did RestoreTargetPort" },
          BASE_NODE,
          1,
          false },
        { &operation_delete_port,
          "once DeleteTargetPort fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          1,
          false },
        { &operation_bind,
          "once BindPortal crash-half\nonce UnbindPortal fail Busy cannot-unbind",
          { "ended while it did BindPortal", "cannot-unbind" },
          BASE_NODE,
          1,
          true },
        { &operation_bind,
          "once BindPortal fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          1,
          true },
        { &operation_unbind,
          "once UnbindPortal crash-after\nonce BindPortal fail AddressInUse cannot-bind",
          { "ended while it did UnbindPortal", "cannot-bind" },
          BASE_NODE,
          1,
          false },
        { &operation_unbind,
          "once UnbindPortal fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          1,
          false },
        { &operation_create_node,
          "once CreateNode crash-after\nonce DeleteNode fail Failed cannot-delete",
          { "ended while it did CreateNode", "cannot-delete" },
          NEW_NODE,
          0,
          false },
        { &operation_create_node,
          "once CreateNode fail-half Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          NEW_NODE,
          0,
          false },
        { &operation_delete_node,
          "once DeleteTargetPort slow 0\nonce DeleteTargetPort crash-after\nonce RestoreTargetPort fail AddressInUse "
          "cannot-restore",
          { "ended while it did DeleteTargetPort", "cannot-restore" },
          BASE_NODE,
          0,
          false },
        { &operation_delete_node,
          "once DeleteNode crash-before\nonce CreateNode fail Busy cannot-create",
          { "ended while it did DeleteNode", "cannot-create" },
          BASE_NODE,
          0,
          false },
        { &operation_delete_node,
          "once DeleteNode fail Degraded it-was-this-and-that",
          { "it-was-this-and-that", "the backend said so" },
          BASE_NODE,
          0,
          false },
};

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

/* The call fails and says so of both, and so does the object; everybody who listens has heard of it. */
static void fail_for_good(Base *b, const Row *row) {
        g_autofree char *path = degraded_path(row), *signals = NULL, *expected = NULL;
        bool existed = object_exists(b->bus, path);

        g_free(signals_take(b->signals));
        fault_plan(b->service, "%s\n", row->plan);
        base_assert_fails(b, row->operation, "Degraded", row->causes[0]);
        fault_plan(b->service, "%s", "");
        assert_degraded(b, row);

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

/* A restart puts into force what is desired. */
static void test_restart(gconstpointer data) {
        const Row *row = data;
        g_autofree char *path = degraded_path(row);
        g_autoptr(Base) b = strstr(row->plan, "hang") ? base_new_hasty() : base_new();

        fail_for_good(b, row);
        restart(b);
        g_assert_true(object_exists(b->bus, path));
        assert_all_in_force(b);
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
        if (sd_bus_error_is_set(&e))
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
                g_autofree char *to_restart = g_strdup_printf("/backend-degraded/%s-%zu/restart", rows[i].operation->name, i);
                g_autofree char *to_delete = g_strdup_printf("/backend-degraded/%s-%zu/delete", rows[i].operation->name, i);

                g_test_add_data_func(to_restart, rows + i, test_restart);
                g_test_add_data_func(to_delete, rows + i, test_delete);
        }

        return g_test_run();
}
