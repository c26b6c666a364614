/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A delete that fails takes back what it had done before anybody sees it: ports are as they were, with what others put into
 * them. A worker that is lost does not stop it: what it left is deleted by the next one. */

#include "fault-base.h"

#include <string.h>

static const struct {
        const Operation *operation;
        const char *plan, *error; /* error NULL: it succeeds */
} cases[] = {
        { &operation_delete_port, "delete-port fail Failed cannot", "Failed" },
        { &operation_delete_port, "delete-port crash-after", NULL },
        { &operation_delete_node, "check-sessions fail SessionsActive somebody", "SessionsActive" },
        { &operation_delete_node, "delete-node fail Failed cannot", "Failed" },
        { &operation_delete_node, "delete-node crash-after", NULL },
        { &operation_create_port, "create-port crash-after", "BackendUnavailable" },
        { &operation_unbind, "unbind-portal fail Failed cannot", "Failed" },
        { &operation_unbind, "unbind-portal crash-after", NULL },
};

static void test_failed_deletes(void) {
        g_autoptr(Base) b = base_new();

        fake_add_lun(b->service->fault, BASE_NODE, 1);
        fake_add_acl(b->service->fault, BASE_NODE, 1, "iqn.2026-11.org.example:initiator", "");
        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                fault_plan(b->service, "once %s\n", cases[i].plan);
                if (!cases[i].error) {
                        base_assert_works_as_planned(b, cases[i].operation);
                        continue;
                }

                base_assert_fails(b, cases[i].operation, cases[i].error, NULL);
                base_assert_untouched(b, cases[i].plan);
        }
}

/* The disks and initiators that others gave a port are in it after every delete that failed. */
static void test_contents(void) {
        static const char *const plans[] = { "delete-port fail Failed cannot", "delete-node fail Failed cannot",
                                             "after 1 delete-port fail Failed cannot" };
        g_autoptr(Base) b = base_new();

        fake_add_lun(b->service->fault, BASE_NODE, 1);
        for (gsize i = 0; i < G_N_ELEMENTS(plans); i++) {
                fault_plan(b->service, "%s\n", plans[i]);
                base_assert_fails(b, &operation_delete_node, "Failed", "cannot");
                base_assert_untouched(b, plans[i]);
                g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/remade/failed-deletes", test_failed_deletes);
        g_test_add_func("/remade/contents", test_contents);

        return g_test_run();
}
