/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A delete that fails after ports were removed makes them again. What others had put into them does not come back, and the caller must be told. */

#include "fault-base.h"

#include <string.h>

#define REMADE "does not bring back a port's disk mappings and access lists"

static const struct {
        const Operation *operation;
        const char *plan, *error;
        bool remade;
} cases[] = {
        { &operation_delete_port, "DeleteTargetPort fail Failed cannot", "Failed", false },
        { &operation_delete_port, "DeleteTargetPort crash-after", "BackendUnavailable", true },
        { &operation_delete_node, "CheckSessions fail SessionsActive somebody", "SessionsActive", false },
        { &operation_delete_node, "DeleteNode fail Failed cannot", "Failed", true },
        { &operation_create_port, "CreateTargetPort crash-after", "BackendUnavailable", false },
        { &operation_unbind, "UnbindPortal crash-after", "BackendUnavailable", false },
};

static void test_failed_deletes(void) {
        g_autoptr(Base) b = base_new();

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *name = g_strconcat(ERROR_PREFIX, cases[i].error, NULL);
                sd_bus_error e = SD_BUS_ERROR_NULL;

                fault_plan(b->service, "once %s\n", cases[i].plan);
                g_assert_null(cases[i].operation->call(b, &e));
                g_assert_cmpstr(e.name, ==, name);
                if (!!strstr(e.message, REMADE) != cases[i].remade)
                        g_error("%s: %s", cases[i].plan, e.message);
                sd_bus_error_free(&e);
                base_assert_untouched(b, cases[i].plan);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/remade/failed-deletes", test_failed_deletes);

        return g_test_run();
}
