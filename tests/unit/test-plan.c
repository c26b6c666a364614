/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Plans of every method: what is reserved and given back, that the store's part and its inverse cancel out, what is asked of the
 * backends, and that the model after a change is what the store gives after a restart. */

#include <string.h>

#include "change-fixture.h"
#include "change/plan-store.h"
#include "common/verbs.h"

typedef struct PlanCase {
        const Method *method;
        const char *arguments;
        const char *requests;  /* of the backends, for each batch: "<node>: <verb> <identifier> … !<expected identifier>" */
        const char *undo;      /* the same of the inverse */
        const char *describes; /* parts of what it says, separated by '|', one for each operation */
        bool journalled;
} PlanCase;

static const PlanCase cases[] = {
        { &method_create_port, "('" PATH_A "', 3, '', ['" TCP("3", "3260") "'])", NAME_A ": create-port 2",
          NAME_A ": undo-port 2", "Create port 000000000002 of node " NAME_A " on 10.0.0.3:3260", true },
        { &method_create_port, "('" PATH_A "', 2, '', ['" IP("3") "'])", NAME_A ": create-port 140737488355329",
          NAME_A ": undo-port 140737488355329", "Create port 800000000001 of node " NAME_A " on 10.0.0.3", true },
        { &method_create_ports,
          "([('" PATH_A "', 3, '', ['" TCP("3", "3260") "']), ('" PATH_B "', 3, '', ['" TCP(
                  "3", "5000") "']), "
                               "('" PATH_A "', 3, '000000000009', ['" TCP("2", "3260") "'])], {})",
          NAME_A ": create-port 2 create-port 9; " NAME_B ": create-port 2",
          NAME_A ": undo-port 9 undo-port 2; " NAME_B ": undo-port 2",
          "000000000002 of node " NAME_A "|000000000002 of node " NAME_B "|000000000009 of node " NAME_A, true },
        { &method_create_ports, "([('" PATH_B "', 3, '', ['" TCP("3", "5000") "'])], {'Enabled': <false>})",
          NAME_B ": create-port 2", NAME_B ": undo-port 2", "switched off", true },
        { &method_delete_port, "('" PATH_A1 "',)", NAME_A ": delete-port 1", "", "Delete port 000000000001 of node " NAME_A,
          true },
        { &method_delete_port, "('" PATH_AI "',)", NAME_A ": delete-port 9613344769", "", "00023D000001", true },
        { &method_delete_port_forced, "('" PATH_B1 "',)", NAME_B ": delete-port 1 force", "", "End the sessions", true },
        { &method_request_state_change, "('" PATH_A1 "', 3)", NAME_A ": disable-port 1", NAME_A ": enable-port 1",
          "Switch off port 000000000001", true },
        { &method_request_state_change, "('" PATH_A1 "', 2)", "", "", "", false },                 /* is on */
        { &method_bind_port, "('" PATH_A1 "', '" TCP("3", "3260") "')", NULL, NULL, NULL, false }, /* 4099: see below */
        { &method_bind_port, "('" PATH_C1 "', '" TCP("2", "3260") "')", NAME_C ": bind-portal 1 10.0.0.2:3260",
          NAME_C ": unbind-portal 1 10.0.0.2:3260", "Bind port 000000000001 of node " NAME_C " to 10.0.0.2:3260", true },
        { &method_bind_port, "('" PATH_AI "', '" IP("3") "')", NAME_A ": bind-portal 9613344769 10.0.0.3",
          NAME_A ": unbind-portal 9613344769 10.0.0.3", "to 10.0.0.3", true },
        { &method_unbind_port, "('" PATH_B1 "', '" TCP("1", "3260") "')", NAME_B ": unbind-portal 1 10.0.0.1:3260", "",
          "Unbind port 000000000001 of node " NAME_B " from 10.0.0.1:3260", true },
        { &method_unbind_port, "('" PATH_B1 "', '" TCP("3", "3260") "')", NAME_B ": unbind-portal 1 10.0.0.3:3260", "",
          "10.0.0.3:3260", true },
        { &method_unbind_port, "('" PATH_AI "', '" IP("1") "')", NAME_A ": unbind-portal 9613344769 10.0.0.1", "", "10.0.0.1",
          true },
        { &method_create_node, "('new', {'Name': <'iqn.2001-04.com.example:new'>})", "iqn.2001-04.com.example:new: create-node 0",
          "iqn.2001-04.com.example:new: delete-node 0", "Create node iqn.2001-04.com.example:new", false },
        { &method_create_node, "('', {'Name': <'iqn.2001-04.com.example:new'>, 'Roles': <[uint16 2, 3]>, 'Persistent': <false>})",
          "iqn.2001-04.com.example:new: create-node 0; iqn.2001-04.com.example:new: create-node 0",
          "iqn.2001-04.com.example:new: delete-node 0; iqn.2001-04.com.example:new: delete-node 0", "until the host restarts",
          false },
        { &method_modify_node, "('" PATH_A "', {'Alias': <'other'>})", "", "", "Change the settings of node " NAME_A, false },
        { &method_modify_node, "('" PATH_A "', {'Alias': <''>, 'DriftPolicy': <'enforce'>})", "", "", NAME_A, false },
        { &method_modify_node, "('" PATH_A "', {'Alias': <'alias of a'>})", "", "", "", false }, /* is its own */
        { &method_delete_node, "('" PATH_A "',)",
          NAME_A ": check-sessions 0 delete-port 9613344769 delete-node 0 !9613344769; " NAME_A
                 ": check-sessions 0 delete-port 1 delete-node 0 !1",
          "", "Delete node " NAME_A " with its 2 ports", true },
        { &method_delete_node, "('" PATH_C "',)", NAME_C ": check-sessions 0 delete-port 1 delete-node 0 !1", "",
          "with its 1 port", true },
        { &method_delete_node_forced, "('" PATH_B "',)", NAME_B ": delete-port 1 force delete-node 0 !1", "",
          "End the sessions of and delete node " NAME_B, true },
        { &method_adopt_node, "('" PATH_U "',)", "", "", "Take into care node " NAME_U, false },
        { &method_adopt_node, "('" PATH_A "',)", "", "", "", false },
        { &method_release_node, "('" PATH_B "',)", "", "", "Give back node " NAME_B, false },
        { &method_release_node, "('" PATH_C "',)", "", "", "Give back node " NAME_C, false },
        { &method_release_node, "('" PATH_U "',)", "", "", "", false },
        { &method_reconcile, "('" PATH_B "',)", "", "", "", false },
        { &method_reconcile, "('" PATH_A1 "',)", "", "", "", false },
        { &method_reconcile, "('" ROOT "',)", "", "", "", false },
        { &method_create_tcp_endpoint, "('" IP("2") "', 7000, '" GROUP("2") "', {})", "", "", "Create TCP endpoint 10.0.0.2:7000",
          false },
        { &method_create_tcp_endpoint, "('" IP_DECLARED "', 860, '" GROUP("default") "', {})", "", "", "192.0.2.9:860", false },
        { &method_delete_tcp_endpoint, "('" TCP("3", "5000") "',)", "", "", "Delete TCP endpoint 10.0.0.3:5000", false },
        { &method_delete_tcp_endpoint, "('" TCP("3", "5001") "',)", "", "", "10.0.0.3:5001", false },
        { &method_declare_address, "('192.0.2.10', {})", "", "", "Declare address 192.0.2.10", false },
        { &method_declare_address, "('10.0.0.1', {'ElementName': <'x'>})", "", "", "10.0.0.1", false },
        { &method_retract_address, "('" IP_DECLARED "',)", "", "", "Take back the declared address 192.0.2.9", false },
        { &method_create_portal_group, "('fast', {})", "", "", "Create portal group fast", false },
        { &method_delete_portal_group, "('" GROUP("4") "',)", "", "", "Delete portal group empty", false },
        { &method_add_member, "('" GROUP("4") "', '" TCP("1", "3260") "')", "", "",
          "Put TCP endpoint 10.0.0.1:3260 into portal group \"empty\"", false },
        { &method_remove_member, "('" GROUP("1") "', '" TCP("1", "860") "')", "", "",
          "Take TCP endpoint 10.0.0.1:860 out of portal group \"fast\"", false },
};

/* The rows of a method that a world without more refuses. */
static bool is_refused(const PlanCase *c) {
        return !c->describes;
}

static char *work_text(const BackendWork *w) {
        g_autoptr(GString) s = g_string_new("");

        for (size_t i = 0; i < w->n; i++) {
                const BackendBatch *b = w->batches + i;

                g_string_append_printf(s, "%s%s:", i ? "; " : "", b->node);
                for (size_t k = 0; k < b->n_items; k++) {
                        const BackendItem *item = b->items + k;
                        char text[PORTAL_TEXT_MAX];

                        g_string_append_printf(s, " %s %" G_GUINT64_FORMAT "%s", verb_info(item->verb)->name, item->identifier,
                                               item->force ? " force" : "");
                        if (item->verb == VERB_BIND_PORTAL || item->verb == VERB_UNBIND_PORTAL) {
                                g_assert_cmpuint(item->n_portals, ==, 1);
                                g_string_append_printf(s, " %s",
                                                       item->portals->port ? portal_to_text(item->portals, text)
                                                                           : ip_address_to_text(&item->portals->address, text));
                        }
                        if (item->verb == VERB_CREATE_PORT)
                                g_assert_cmpuint(item->n_portals, >, 0);
                }
                for (size_t k = 0; k < b->n_expected; k++)
                        g_string_append_printf(s, " !%" G_GUINT64_FORMAT, b->expected[k]);
        }
        return g_string_free(g_steal_pointer(&s), false);
}

static void plan(Plan *p, ChangeWorld *w, const PlanCase *c) {
        g_autoptr(Intent) i = read_intent(c->method, c->arguments);
        char *why = NULL;
        int r;

        *p = (Plan){};
        r = plan_make(p, &w->context, i, &why);
        if (r != 0)
                g_error("%s%s: %d: %s", c->method->name, c->arguments, r, why);
}

static void check_descriptions(const Plan *p, const PlanCase *c) {
        g_auto(GStrv) parts = g_strsplit(c->describes, "|", -1);

        g_assert_cmpuint(p->n_operations, ==, g_strv_length(parts));
        for (size_t i = 0; i < p->n_operations; i++) {
                char *text = p->operations[i]->kind->describe(p->operations[i]);

                if (!text || !strstr(text, parts[i]))
                        g_error("\"%s\" is not in: %s", parts[i], text);
                free(text);
        }
}

static void check_work(Plan *p, const PlanCase *c) {
        g_autofree char *requests = NULL, *undo = NULL;
        BackendWork w = {}, u = {};
        char *why = NULL;

        g_assert_cmpint(plan_request(p, &w, &why), ==, 0);
        g_assert_cmpint(plan_undo_request(p, &u), ==, 0);
        g_assert_null(why);
        requests = work_text(&w);
        undo = work_text(&u);
        g_assert_cmpstr(requests, ==, c->requests);
        g_assert_cmpstr(undo, ==, c->undo);
        g_assert_cmpint(plan_is_journalled(p), ==, c->journalled);
        g_assert_cmpint(plan_removes(p), ==, c->journalled && !c->undo[0]);
        backend_work_done(&w);
        backend_work_done(&u);
}

/* Making a plan tells nobody anything, and releasing it leaves the model exactly as it was. */
static void test_release(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autofree char *before = model_dump(w->context.model, true);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *after = NULL;
                Plan p;

                if (is_refused(cases + i))
                        continue;
                g_test_message("%s%s", cases[i].method->name, cases[i].arguments);
                plan(&p, w, cases + i);
                check_descriptions(&p, cases + i);
                check_work(&p, cases + i);
                plan_release(&p);
                plan_done(&p);

                after = model_dump(w->context.model, true);
                g_assert_cmpstr(after, ==, before);
                g_assert_cmpstr(w->told->str, ==, "");
        }
}

/* The store's part and then its inverse, in commits of their own, leave the file as it was; the journal's row too. */
static void test_store_inverse(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autofree char *before = change_world_store_dump(w);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *between = NULL, *after = NULL;
                StoreChange *forth = store_change_new(), *back = store_change_new();
                uint64_t id = cases[i].journalled ? 100 + i : 0;
                Plan p;

                if (is_refused(cases + i)) {
                        store_change_free(forth);
                        store_change_free(back);
                        continue;
                }
                g_test_message("%s%s", cases[i].method->name, cases[i].arguments);
                plan(&p, w, cases + i);
                g_assert_cmpint(plan_store(&p, forth, id), ==, 0);
                g_assert_cmpint(change_world_commit(w, forth), ==, 0);
                between = change_world_store_dump(w);
                g_assert_cmpint(strcmp(between, before) != 0, ==, p.n_operations > 0);
                g_assert_cmpint(strstr(between, "journal") != NULL, ==, id != 0);

                g_assert_cmpint(plan_unstore(&p, back, id), ==, 0);
                g_assert_cmpint(change_world_commit(w, back), ==, 0);
                plan_release(&p);
                plan_done(&p);
                after = change_world_store_dump(w);
                g_assert_cmpstr(after, ==, before);
        }
}

static void forget_host(Model *m) {
        static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3" };

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                IpAddress a;

                g_assert_cmpint(ip_address_from_text(addresses[i], &a), ==, 0);
                model_remove_address(m, &a);
        }
}

/* Without what is not in the store: foreign nodes and the host's addresses. */
static char *desired_dump(Model *m) {
        for (Node *n = model_first_node(m), *next; n; n = next) {
                next = n->hh.next;
                if (!n->managed)
                        model_remove_node(m, n);
        }
        forget_host(m);
        return model_dump(m, false);
}

/* What a settled change has made of the model is what the store gives to a new one. */
static void test_settle(void) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(ChangeWorld) w = NULL, restarted = NULL;
                g_autofree char *now = NULL, *later = NULL;

                if (is_refused(cases + i))
                        continue;
                g_test_message("%s%s", cases[i].method->name, cases[i].arguments);
                w = change_world_new();
                change_world_do(w, cases[i].method, cases[i].arguments);
                if (cases[i].describes[0])
                        g_assert_cmpstr(w->told->str, !=, "");
                else
                        g_assert_cmpstr(w->told->str, ==, "");

                w->context.store = store_close(w->context.store);
                {
                        g_autofree char *copy = g_strdup(w->directory);

                        restarted = change_world_open(g_strdup(copy));
                }
                now = desired_dump(w->context.model);
                later = desired_dump(restarted->context.model);
                g_assert_cmpstr(now, ==, later);

                /* Both have the same directory: one of them removes it. */
                restarted->context.store = store_close(restarted->context.store);
                g_free(restarted->directory);
                restarted->directory = g_dir_make_tmp("test-plan-XXXXXX", NULL);
        }
}

/* Each method has a case here. */
static void test_all_methods(void) {
        for (const Method *const *m = methods; *m; m++) {
                bool found = false;

                for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                        found = found || cases[i].method == *m;
                if (!found)
                        g_error("%s is not in the table", (*m)->name);
        }
}

/* Calls that a rule refuses leave nothing behind either, wherever in a batch the refused item stands. */
static void test_refused(void) {
        static const struct {
                const Method *method;
                const char *arguments;
                Refusal refusal;
                const char *names;
        } refused[] = {
                { &method_bind_port, "('" PATH_A1 "', '" TCP("3", "3260") "')", REFUSAL_NOT_FROM_SAME_COLLECTION, "" },
                { &method_create_ports, "(@a(oqsao) [], {})", REFUSAL_INVALID_PARAMETER, "empty" },
                { &method_create_ports,
                  "([('" PATH_A "', 3, '', ['" TCP("3", "3260") "']), ('" PATH_A "', 3, '', ['" TCP("3", "3260") "'])], {})",
                  REFUSAL_TCP_IN_USE, "Item 2: " },
                { &method_create_ports,
                  "([('" PATH_A "', 3, '000000000007', ['" TCP(
                          "3", "3260") "']), "
                                       "('" PATH_B "', 3, '', ['" TCP("3", "5000") "']), "
                                                                                   "('" PATH_A "', 3, '000000000007', ['" TCP(
                                                                                           "2", "3260") "'])], {})",
                  REFUSAL_IDENTIFIER_IN_USE, "Item 3: " },
                { &method_create_ports,
                  "([('" PATH_U "', 3, '', ['" TCP("3", "3260") "']), ('" PATH_A "', 3, '', ['" TCP("3", "3260") "'])], {})",
                  REFUSAL_TCP_IN_USE, "Item 1: " },
                { &method_reconcile, "('" TCP("3", "3260") "',)", REFUSAL_NODE_NON_EXISTENT, TCP("3", "3260") },
                { &method_delete_node, "('" PATH_U "',)", REFUSAL_NOT_MANAGED, NAME_U },
        };
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autofree char *before = model_dump(w->context.model, true);

        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                g_autoptr(Intent) intent = read_intent(refused[i].method, refused[i].arguments);
                g_autofree char *after = NULL;
                char *why = NULL;
                Plan p = {};

                g_assert_cmpint(plan_make(&p, &w->context, intent, &why), ==, refused[i].refusal);
                if (!strstr(why, refused[i].names))
                        g_error("\"%s\" is not in: %s", refused[i].names, why);
                free(why);
                after = model_dump(w->context.model, true);
                g_assert_cmpstr(after, ==, before);
                g_assert_cmpstr(w->told->str, ==, "");
        }
}

/* What one plan has reserved or marked, the rules see while they make another. */
static void test_reserved(void) {
        static const struct {
                PlanCase first;
                const Method *second;
                const char *arguments;
                Refusal refusal;
        } pairs[] = {
                { { &method_create_port, "('" PATH_A "', 3, '', ['" TCP("3", "3260") "'])" },
                  &method_create_port,
                  "('" PATH_A "', 3, '', ['" TCP("3", "3260") "'])",
                  REFUSAL_TCP_IN_USE },
                { { &method_create_port, "('" PATH_A "', 3, '', ['" TCP("3", "5000") "'])" },
                  &method_delete_tcp_endpoint,
                  "('" TCP("3", "5000") "',)",
                  REFUSAL_ENDPOINT_IN_USE },
                { { &method_bind_port, "('" PATH_C1 "', '" TCP("3", "5000") "')" },
                  &method_delete_tcp_endpoint,
                  "('" TCP("3", "5000") "',)",
                  REFUSAL_ENDPOINT_IN_USE },
                { { &method_delete_tcp_endpoint, "('" TCP("3", "5000") "',)" },
                  &method_create_port,
                  "('" PATH_A "', 3, '', ['" TCP("3", "5000") "'])",
                  REFUSAL_ENDPOINT_NON_EXISTENT },
                { { &method_remove_member, "('" GROUP("default") "', '" TCP("3", "5000") "')" },
                  &method_create_port,
                  "('" PATH_A "', 3, '', ['" TCP("3", "5000") "'])",
                  REFUSAL_NOT_FROM_SAME_COLLECTION },
                { { &method_retract_address, "('" IP_DECLARED "',)" },
                  &method_create_port,
                  "('" PATH_A "', 3, '', ['" ROOT "/tcp/_3192_2e0_2e2_2e9_3a3260'])",
                  REFUSAL_TCP_NOT_BOUND },
                { { &method_create_node, "('new', {'Name': <'iqn.2001-04.com.example:new'>})" },
                  &method_create_node,
                  "('', {'Name': <'iqn.2001-04.com.example:new'>})",
                  REFUSAL_NAME_IN_USE },
                { { &method_create_node, "('new', {'Name': <'iqn.2001-04.com.example:new'>})" },
                  &method_modify_node,
                  "('" PATH_A "', {'Alias': <'new'>})",
                  REFUSAL_ALIAS_IN_USE },
        };
        g_autoptr(ChangeWorld) w = change_world_new();

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                g_autoptr(Intent) intent = read_intent(pairs[i].second, pairs[i].arguments);
                Plan first, second = {};
                char *why = NULL;

                g_test_message("%s, then %s", pairs[i].first.method->name, pairs[i].second->name);
                plan(&first, w, &pairs[i].first);
                g_assert_cmpint(plan_make(&second, &w->context, intent, &why), ==, pairs[i].refusal);
                free(why);
                plan_release(&first);
                plan_done(&first);

                g_assert_cmpint(plan_make(&second, &w->context, intent, &why), ==, 0);
                plan_release(&second);
                plan_done(&second);
        }
}

/* Another try after the kernel had the chosen Identifier: above it, and the same for all items of a batch. */
static void test_choose_again(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Intent) i = read_intent(&method_create_port, "('" PATH_A "', 3, '', ['" TCP("3", "3260") "'])");
        char *why = NULL;
        Plan p = { .minimum = 77, .attempt = 3 };

        for (unsigned k = 0; k < 3; k++) {
                g_assert_cmpint(plan_make(&p, &w->context, i, &why), ==, 0);
                g_assert_cmpuint(p.operations[0]->port->key.identifier, ==, 77 + k);
                g_assert_true(p.operations[0]->chosen);
                g_assert_cmpuint(p.attempt, ==, 3);
                plan_release(&p);
                p.minimum = 78 + k;
        }
        plan_done(&p);
}

/* Without a backend for the role. */
static void test_no_backend(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        Backend *backend = w->context.backends[ROLE_TARGET];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                bool needs;
                BackendWork work = {};
                char *why = NULL;
                Plan p;

                if (is_refused(cases + i))
                        continue;
                needs = cases[i].requests[0] && !strstr(cases[i].requests, "port 9613344769") &&
                        !strstr(cases[i].requests, "portal 9613344769") && !strstr(cases[i].requests, "140737488355329");
                if (cases[i].method == &method_delete_node)
                        needs = true;
                plan(&p, w, cases + i);
                w->context.backends[ROLE_TARGET] = NULL;
                g_assert_cmpint(plan_request(&p, &work, &why), ==, needs ? -ENXIO : 0);
                if (needs)
                        g_assert_nonnull(strstr(why, "target"));
                w->context.backends[ROLE_TARGET] = backend;
                free(why);
                backend_work_done(&work);
                plan_release(&p);
                plan_done(&p);
        }
}

static void test_warnings(void) {
        Plan p = {};

        for (int i = 0; i < 9; i++)
                g_assert_cmpint(plan_warn(&p, "warning %d of %s", i, "nine"), ==, 0);
        g_assert_cmpuint(p.n_warnings, ==, 9);
        g_assert_cmpstr(p.warnings[8], ==, "warning 8 of nine");
        plan_done(&p);
        g_assert_cmpuint(p.n_warnings, ==, 0);
}

/* Of several removals at once each object gets its mark, and loses it. */
static void test_marks(void) {
        static const struct {
                const Method *method;
                const char *arguments;
                size_t offset;
        } removals[] = {
                { &method_delete_port, "('" PATH_A1 "',)" },
                { &method_unbind_port, "('" PATH_B1 "', '" TCP("1", "3260") "')" },
                { &method_delete_node, "('" PATH_C "',)" },
        };
        g_autoptr(ChangeWorld) w = change_world_new();

        for (size_t i = 0; i < ELEMENTSOF(removals); i++) {
                PlanCase c = { removals[i].method, removals[i].arguments };
                g_autofree char *before = model_dump(w->context.model, true), *marked = NULL, *after = NULL;
                Plan p;

                plan(&p, w, &c);
                plan_mark_removal(p.operations[0], 42);
                marked = model_dump(w->context.model, true);
                g_assert_cmpstr(marked, !=, before);
                plan_mark_removal(p.operations[0], 0);
                after = model_dump(w->context.model, true);
                g_assert_cmpstr(after, ==, before);
                plan_release(&p);
                plan_done(&p);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/plan/release", test_release);
        g_test_add_func("/plan/store-inverse", test_store_inverse);
        g_test_add_func("/plan/settle", test_settle);
        g_test_add_func("/plan/all-methods", test_all_methods);
        g_test_add_func("/plan/refused", test_refused);
        g_test_add_func("/plan/reserved", test_reserved);
        g_test_add_func("/plan/choose-again", test_choose_again);
        g_test_add_func("/plan/no-backend", test_no_backend);
        g_test_add_func("/plan/warnings", test_warnings);
        g_test_add_func("/plan/marks", test_marks);
        return g_test_run();
}
