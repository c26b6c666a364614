/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The journal: what was begun and cut short by a crash comes back from the store, marked; a row that no version wrote is
 * damage. */

#include <errno.h>
#include <string.h>

#include "change-fixture.h"
#include "change/journal.h"
#include "change/plan-store.h"

#define ROW 77u

/* Does the store's part of a change, as row ID, and no more: as if a crash had followed. */
static void begin(ChangeWorld *w, const Method *m, const char *arguments, uint64_t id) {
        g_autoptr(Intent) i = read_intent(m, arguments);
        StoreChange *change = store_change_new();
        char *why = NULL;
        Plan p = {};

        if (plan_make(&p, &w->context, i, &why) != 0)
                g_error("%s%s: %s", m->name, arguments, why);
        g_assert_true(plan_is_journalled(&p));
        g_assert_cmpint(plan_store(&p, change, id), ==, 0);
        g_assert_cmpint(change_world_commit(w, change), ==, 0);
        plan_release(&p);
        plan_done(&p);
}

/* The same directory in a new process, so to say. */
static ChangeWorld *restart(ChangeWorld *w) {
        char *directory = w->directory;

        w->context.store = store_close(w->context.store);
        w->directory = g_dir_make_tmp("test-journal-XXXXXX", NULL);
        return change_world_open(directory);
}

static char *desired(ChangeWorld *w) {
        static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3" };

        for (Node *n = model_first_node(w->context.model), *next; n; n = next) {
                next = n->hh.next;
                if (!n->managed)
                        model_remove_node(w->context.model, n);
        }
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                IpAddress a;

                g_assert_cmpint(ip_address_from_text(addresses[i], &a), ==, 0);
                model_remove_address(w->context.model, &a);
        }
        return model_dump(w->context.model, false);
}

/* "<object> <row>" of all that is marked, and "owed" ports. */
static char *marks(ChangeWorld *w) {
        GString *s = g_string_new("");

        for (Node *n = model_first_node(w->context.model); n; n = n->hh.next) {
                if (n->removal)
                        g_string_append_printf(s, "%s %" G_GUINT64_FORMAT "\n", n->name, n->removal);
                for (Port *p = n->ports; p; p = p->next_of_node) {
                        if (p->removal)
                                g_string_append_printf(s, "%s/%" G_GINT64_MODIFIER "X %" G_GUINT64_FORMAT "\n", n->name,
                                                       p->key.identifier, p->removal);
                        if (p->owed)
                                g_string_append_printf(s, "%s/%" G_GINT64_MODIFIER "X owed\n", n->name, p->key.identifier);
                        for (size_t i = 0; i < p->n_bindings; i++) {
                                Portal portal = binding_portal(p->bindings[i]);
                                char text[PORTAL_TEXT_MAX];

                                if (p->bindings[i]->removal)
                                        g_string_append_printf(s, "%s %" G_GUINT64_FORMAT "\n",
                                                               portal.port ? portal_to_text(&portal, text)
                                                                           : ip_address_to_text(&portal.address, text),
                                                               p->bindings[i]->removal);
                        }
                }
        }
        return g_string_free(s, false);
}

/* A removal that was cut short: everything is there again as it was, and what was being removed is marked. */
static void test_removals(void) {
        static const struct {
                const Method *method;
                const char *arguments, *marks;
        } cases[] = {
                { &method_delete_port, "('" PATH_A1 "',)", NAME_A "/1 77\n" },
                { &method_delete_port, "('" PATH_AI "',)", NAME_A "/23D000001 77\n" },
                { &method_delete_port_forced, "('" PATH_B1 "',)", NAME_B "/1 77\n" },
                { &method_unbind_port, "('" PATH_B1 "', '" TCP("3", "3260") "')", "10.0.0.3:3260 77\n" },
                { &method_unbind_port, "('" PATH_AI "', '" IP("2") "')", "10.0.0.2 77\n" },
                { &method_delete_node, "('" PATH_B "',)", NAME_B " 77\n" NAME_B "/1 77\n" },
                { &method_delete_node_forced, "('" PATH_C "',)", NAME_C " 77\n" NAME_C "/1 77\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(ChangeWorld) w = change_world_new(), later = NULL;
                g_autofree char *before = NULL, *after = NULL, *marked = NULL;

                g_test_message("%s%s", cases[i].method->name, cases[i].arguments);
                begin(w, cases[i].method, cases[i].arguments, ROW);
                later = restart(w);
                before = desired(w);
                after = desired(later);
                g_assert_cmpstr(after, ==, before);
                marked = marks(later);
                g_assert_cmpstr(marked, ==, cases[i].marks);
                g_assert_cmpuint(later->context.next_ids[STORED_JOURNAL], >, ROW);

                /* It can be begun again, under another row, and then taken out of the store for good. */
                g_assert_true(later->context.next_ids[STORED_JOURNAL] == ROW + 1);
        }
}

/* A whole node with all settings, one without ports too. */
static void test_node(void) {
        g_autoptr(ChangeWorld) w = change_world_new(), later = NULL;
        g_autofree char *before = NULL, *after = NULL, *marked = NULL;

        change_world_do(w, &method_modify_node,
                        "('" PATH_A "', {'Alias': <'  two  blanks and \u65e5 '>, 'DriftPolicy': <'enforce'>})");
        change_world_do(w, &method_request_state_change, "('" PATH_A1 "', 3)");
        change_world_do(w, &method_create_node, "('', {'Name': <'iqn.2001-04.com.example:z'>, 'Persistent': <false>})");
        begin(w, &method_delete_node, "('" PATH_A "',)", 5);
        begin(w, &method_delete_node, "('" ROOT "/node/iqn_2e2001_2d04_2ecom_2eexample_3az',)", 6);
        later = restart(w);
        before = desired(w);
        after = desired(later);
        g_assert_cmpstr(after, ==, before);
        marked = marks(later);
        g_assert_nonnull(strstr(marked, NAME_A " 5\n"));
        g_assert_nonnull(strstr(marked, NAME_A "/1 5\n"));
        g_assert_nonnull(strstr(marked, "iqn.2001-04.com.example:z 6\n"));
        g_assert_cmpstr(world_node(later, NAME_A)->alias, ==, "  two  blanks and \u65e5 ");
        g_assert_false(world_port(later, NAME_A, 1)->enabled);
        g_assert_false(world_node(later, "iqn.2001-04.com.example:z")->persistent);
}

/* What was made, switched or bound is desired, and owed. */
static void test_owed(void) {
        static const struct {
                const Method *method;
                const char *arguments, *marks;
        } cases[] = {
                { &method_create_port, "('" PATH_A "', 3, '', ['" TCP("3", "3260") "'])", NAME_A "/2 owed\n" },
                { &method_create_ports,
                  "([('" PATH_B
                  "', 3, '000000000007', ['" TCP("3", "5000") "']), "
                                                              "('" PATH_B "', 3, '000000000008', ['" TCP("1", "860") "'])], {})",
                  NAME_B "/8 owed\n" NAME_B "/7 owed\n" },
                { &method_request_state_change, "('" PATH_A1 "', 3)", NAME_A "/1 owed\n" },
                { &method_bind_port, "('" PATH_C1 "', '" TCP("2", "3260") "')", NAME_C "/1 owed\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(ChangeWorld) w = change_world_new(), later = NULL;
                g_autofree char *marked = NULL;

                g_test_message("%s%s", cases[i].method->name, cases[i].arguments);
                begin(w, cases[i].method, cases[i].arguments, ROW);
                later = restart(w);
                marked = marks(later);
                g_assert_cmpstr(marked, ==, cases[i].marks);
        }
}

/* A removal that is begun again drops the row of the first time, and those of what is in it. */
static void test_again(void) {
        g_autoptr(ChangeWorld) w = change_world_new(), second = NULL, third = NULL, fourth = NULL;
        g_autofree char *marked = NULL, *dump = NULL, *before = NULL, *after = NULL;

        begin(w, &method_unbind_port, "('" PATH_B1 "', '" TCP("3", "3260") "')", 5);
        second = restart(w);
        begin(second, &method_delete_port, "('" PATH_B1 "',)", 6);
        dump = change_world_store_dump(second);
        g_assert_null(strstr(dump, "journal 5"));

        third = restart(second);
        marked = marks(third);
        g_assert_cmpstr(marked, ==, NAME_B "/1 6\n");
        begin(third, &method_delete_node, "('" PATH_B "',)", 7);
        fourth = restart(third);
        g_free(marked);
        marked = marks(fourth);
        g_assert_cmpstr(marked, ==, NAME_B " 7\n" NAME_B "/1 7\n");
        before = desired(w);
        after = desired(fourth);
        g_assert_cmpstr(after, ==, before);

        /* And once more: the row of the node is the only one. */
        begin(fourth, &method_delete_node, "('" PATH_B "',)", 8);
        g_free(dump);
        dump = change_world_store_dump(fourth);
        g_assert_null(strstr(dump, "journal 7"));
        g_assert_nonnull(strstr(dump, "journal 8"));
}

/* Refused at last, it is desired again: without a mark, and without a row. */
static void test_refused(void) {
        g_autoptr(ChangeWorld) w = change_world_new(), second = NULL, third = NULL;
        g_autoptr(Intent) i = read_intent(&method_delete_node, "('" PATH_A "',)");
        g_autofree char *marked = NULL, *before = NULL, *after = NULL, *dump = NULL;
        StoreChange *forth = store_change_new(), *back = store_change_new();
        char *why = NULL;
        Plan p = {};

        begin(w, &method_delete_port, "('" PATH_A1 "',)", 5);
        second = restart(w);
        g_assert_cmpint(plan_make(&p, &second->context, i, &why), ==, 0);
        g_assert_cmpint(plan_store(&p, forth, 6), ==, 0);
        g_assert_cmpint(change_world_commit(second, forth), ==, 0);
        g_assert_cmpint(plan_unstore(&p, back, 6), ==, 0);
        g_assert_cmpint(change_world_commit(second, back), ==, 0);
        plan_mark_removal(p.operations[0], 0);
        plan_release(&p);
        plan_done(&p);
        marked = marks(second);
        g_assert_cmpstr(marked, ==, "");
        dump = change_world_store_dump(second);
        g_assert_null(strstr(dump, "journal"));
        third = restart(second);
        before = desired(w);
        after = desired(third);
        g_assert_cmpstr(after, ==, before);
}

/* Texts that no version wrote. Nothing crashes on any of them, and all are damage. */
static void test_damaged(void) {
        static const char *const texts[] = {
                "",
                "\n",
                "thing 1",
                "node",
                "node ",
                "node 8",
                "node 8 1 0",
                "node 8 1 0 iqn.2001-04.com.example:x", /* the blank before the alias is missing */
                "node 0 1 0 iqn.2001-04.com.example:x ",
                "node 3 1 0 iqn.2001-04.com.example:x ",
                "node 16 1 0 iqn.2001-04.com.example:x ",
                "node -8 1 0 iqn.2001-04.com.example:x ",
                "node 8x 1 0 iqn.2001-04.com.example:x ",
                "node  1 0 iqn.2001-04.com.example:x ",
                "node 8 2 0 iqn.2001-04.com.example:x ",
                "node 8 1 3 iqn.2001-04.com.example:x ",
                "node 8 1 0 IQN.2001-04.com.example:x ",
                "node 8 1 0 x ",
                "node 8 1 0  ",
                "node 8 1 0 " NAME_A " ",                          /* is there */
                "node 8 1 0 iqn.2001-04.com.example:x alias of a", /* so is the alias */
                "node 99999999999999999999 1 0 iqn.2001-04.com.example:x ",
                "port",
                "port 3 7 1 " NAME_A,
                "port 3 7 1 " NAME_A " ",
                "port 3 7 1 iqn.2001-04.com.example:x 10.0.0.3:3260", /* no such node */
                "port 3 7 1 " NAME_U " 10.0.0.1:3260",
                "port 1 7 1 " NAME_A " 10.0.0.3:3260",
                "port 4 7 1 " NAME_A " 10.0.0.3:3260",
                "port 3 65536 1 " NAME_A " 10.0.0.3:3260",
                "port 2 281474976710656 1 " NAME_A " 10.0.0.3",
                "port 3 7 2 " NAME_A " 10.0.0.3:3260",
                "port 3 7 1 " NAME_A " 10.0.0.3",
                "port 3 7 1 " NAME_A " nonsense",
                "port 2 7 1 " NAME_A " 10.0.0.3:3260",
                "port 3 7 1 " NAME_A " 10.0.0.3:3260 10.0.0.3:3260",
                "port 3 1 1 " NAME_A " 10.0.0.3:3260", /* is there */
                "port 3 7 1 " NAME_A " 10.0.0.1:860",  /* another port of the node has it */
                "port 3 7 1 " NAME_A " 10.0.0.3:3260\nthing",
                "binding 3 1 " NAME_A,
                "binding 3 1 " NAME_A " ",
                "binding 3 9 " NAME_A " 10.0.0.3:3260",
                "binding 2 1 " NAME_A " 10.0.0.3",
                "binding 3 1 " NAME_A " 10.0.0.3:3260 10.0.0.3:860",
                "binding 3 1 " NAME_A " 10.0.0.1:860", /* is there */
                "binding 3 1 " NAME_A " nonsense",
                "binding 3 x " NAME_A " 10.0.0.3:3260",
                "owed",
                "owed ",
                "owed x " NAME_A,
                "owed 1",
                "owed 1 ",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                g_autoptr(ChangeWorld) w = change_world_new();
                g_autofree char *before = model_dump(w->context.model, true), *after = NULL;

                g_test_message("%s", texts[i]);
                g_assert_cmpint(journal_load(&w->context, ROW, "delete-port", texts[i]), ==, 0);
                after = model_dump(w->context.model, true);
                if (!strstr(texts[i], "\nthing")) /* a good line before a bad one counts */
                        g_assert_cmpstr(after, ==, before);
        }
}

/* What an earlier process owed to an object that is gone is no damage. */
static void test_owed_of_what_is_gone(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autofree char *before = model_dump(w->context.model, true), *after = NULL;

        g_assert_cmpint(journal_load(&w->context, ROW, "create-port", "owed 1 iqn.2001-04.com.example:x"), ==, 0);
        g_assert_cmpint(journal_load(&w->context, ROW, "create-port", "owed 99 " NAME_A "\nowed 98 " NAME_A "\n"), ==, 0);
        after = model_dump(w->context.model, true);
        g_assert_cmpstr(after, ==, before);
}

/* Another program has put a node under the name meanwhile. */
static void test_foreign_node(void) {
        g_autoptr(ChangeWorld) w = change_world_new();

        g_assert_cmpint(
                journal_load(&w->context, ROW, "delete-node", "node 8 1 0 " NAME_U " \nport 3 1 1 " NAME_U " 10.0.0.3:3260\n"),
                ==, 0);
        g_assert_true(world_node(w, NAME_U)->managed);
        g_assert_cmpuint(world_node(w, NAME_U)->removal, ==, ROW);
}

/* Random bytes and random cuts of good rows: an answer, and no crash. */
static void test_random(void) {
        static const char good[] =
                "node 8 1 0 iqn.2001-04.com.example:x an alias\n"
                "port 3 1 1 iqn.2001-04.com.example:x 10.0.0.1:3260 [fe80::1%eth0]:860\n"
                "port 2 1099511627776 0 " NAME_A " 10.0.0.1\nbinding 3 1 " NAME_A " 10.0.0.3:3260\nowed 1 " NAME_B "\n";

        for (unsigned i = 0; i < 100; i++) {
                g_autoptr(ChangeWorld) w = change_world_new();
                g_autofree char *text = g_strdup(good);
                int r;

                for (int k = g_test_rand_int_range(0, 4); k > 0; k--)
                        text[g_test_rand_int_range(0, (int) strlen(good))] = (char) g_test_rand_int_range(1, 256);
                if (g_test_rand_int_range(0, 2))
                        text[g_test_rand_int_range(0, (int) strlen(good))] = 0;
                r = journal_load(&w->context, ROW, "delete-port", text);
                g_assert_true(r == 0 || r == -EUCLEAN);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/journal/removals", test_removals);
        g_test_add_func("/journal/node", test_node);
        g_test_add_func("/journal/owed", test_owed);
        g_test_add_func("/journal/again", test_again);
        g_test_add_func("/journal/refused", test_refused);
        g_test_add_func("/journal/damaged", test_damaged);
        g_test_add_func("/journal/owed-of-what-is-gone", test_owed_of_what_is_gone);
        g_test_add_func("/journal/foreign-node", test_foreign_node);
        g_test_add_func("/journal/random", test_random);
        return g_test_run();
}
