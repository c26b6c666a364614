/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Choosing Identifiers: which, until when, and that it does not become slow. */

#include <errno.h>

#include "model-fixture.h"

#define A "iqn.2001-04.com.example:a"
#define B "iqn.2001-04.com.example:b"
#define BOTH_ROLES (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))
#define ISID_FIRST 0x800000000001ull
#define ISID_LAST 0x80FFFFFFFFFFull

static uint64_t choose(Recorder *r, Node *n, uint16_t role, uint64_t minimum) {
        uint64_t v = UINT64_MAX;

        g_assert_cmpint(model_choose_identifier(r->model, n, role, minimum, &v), ==, 0);
        g_assert_null(model_find_port(r->model, n, v));
        return v;
}

/* A port without portals: they do not matter here. */
static Port *add(Recorder *r, Node *n, uint16_t role, uint64_t identifier) {
        Port *p;

        g_assert_cmpint(model_add_port(r->model, n, role, identifier, NULL, 0, true, &p), ==, 0);
        return p;
}

static void add_chosen(Recorder *r, Node *n, uint16_t role, uint64_t expected) {
        uint64_t v = choose(r, n, role, 0);

        g_assert_cmpuint(v, ==, expected);
        add(r, n, role, v);
}

static void drop(Recorder *r, Node *n, uint64_t identifier) {
        Port *p = model_find_port(r->model, n, identifier);

        g_assert_nonnull(p);
        model_remove_port(r->model, p);
}

static void test_tags(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *a = add_node(r, A, BOTH_ROLES), *b = add_node(r, B, BOTH_ROLES);

        g_assert_cmpuint(choose(r, a, ROLE_TARGET, 0), ==, 1);
        g_assert_cmpuint(choose(r, a, ROLE_TARGET, 0), ==, 1); /* choosing takes nothing */
        for (uint64_t tag = 1; tag <= 10; tag++)
                add_chosen(r, a, ROLE_TARGET, tag);
        g_assert_cmpuint(choose(r, b, ROLE_TARGET, 0), ==, 1); /* each node has its own */

        /* The lowest that is free, in whichever order they were let go of. */
        drop(r, a, 7);
        drop(r, a, 3);
        drop(r, a, 9);
        add_chosen(r, a, ROLE_TARGET, 3);
        add_chosen(r, a, ROLE_TARGET, 7);
        drop(r, a, 1);
        add_chosen(r, a, ROLE_TARGET, 1);
        add_chosen(r, a, ROLE_TARGET, 9);
        add_chosen(r, a, ROLE_TARGET, 11);

        /* Those that were given are stepped over. */
        add(r, a, ROLE_TARGET, 12);
        add(r, a, ROLE_TARGET, 14);
        add_chosen(r, a, ROLE_TARGET, 13);
        add_chosen(r, a, ROLE_TARGET, 15);

        /* Not below the minimum, and what is below it is not forgotten. */
        drop(r, a, 2);
        g_assert_cmpuint(choose(r, a, ROLE_TARGET, 3), ==, 16);
        g_assert_cmpuint(choose(r, a, ROLE_TARGET, 20), ==, 20);
        g_assert_cmpuint(choose(r, a, ROLE_TARGET, 2), ==, 2);
        g_assert_cmpuint(choose(r, a, ROLE_TARGET, 0), ==, 2);
        g_assert_cmpuint(choose(r, a, ROLE_TARGET, TAG_MAX), ==, TAG_MAX);
        recorder_check(r);
}

/* Tag 0 is legal when it is given, and never chosen. */
static void test_tag_zero(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *n = add_node(r, A, BOTH_ROLES);

        add(r, n, ROLE_TARGET, 0);
        g_assert_cmpuint(choose(r, n, ROLE_TARGET, 0), ==, 1);
        add(r, n, ROLE_TARGET, 1);
        drop(r, n, 0);
        g_assert_cmpuint(choose(r, n, ROLE_TARGET, 0), ==, 2);
        drop(r, n, 1);
        g_assert_cmpuint(choose(r, n, ROLE_TARGET, 0), ==, 1);
        recorder_check(r);
}

static void test_isids(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *n = add_node(r, A, BOTH_ROLES);
        const char *reason;
        char text[IDENTIFIER_DIGITS + 1];
        uint64_t v;

        for (uint64_t i = 0; i < 5; i++)
                add_chosen(r, n, ROLE_INITIATOR, ISID_FIRST + i);
        drop(r, n, ISID_FIRST + 1);
        add_chosen(r, n, ROLE_INITIATOR, ISID_FIRST + 1);

        /* Those of other formats are not in the way, nor is one before the first. */
        add(r, n, ROLE_INITIATOR, 0x00023D000001);
        add(r, n, ROLE_INITIATOR, ISID_FIRST - 1);
        drop(r, n, ISID_FIRST - 1);
        drop(r, n, 0x00023D000001);
        v = choose(r, n, ROLE_INITIATOR, 0);
        g_assert_cmpuint(v, ==, ISID_FIRST + 5);

        /* What is chosen is one that could be given. */
        g_assert_cmpint(identifier_from_text(identifier_to_text(v, text), ROLE_INITIATOR, &v, &reason), ==, 0);

        g_assert_cmpuint(choose(r, n, ROLE_INITIATOR, ISID_LAST), ==, ISID_LAST);
        add(r, n, ROLE_INITIATOR, ISID_LAST);
        g_assert_cmpint(model_choose_identifier(r->model, n, ROLE_INITIATOR, ISID_LAST, &v), ==, -ERANGE);
        g_assert_cmpint(model_choose_identifier(r->model, n, ROLE_INITIATOR, ISID_LAST + 1, &v), ==, -ERANGE);
        recorder_check(r);
}

/* Both roles share the Identifiers of a node: an ISID of the OUI format may be the number of a tag. */
static void test_both_roles(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *n = add_node(r, A, BOTH_ROLES);

        add(r, n, ROLE_INITIATOR, 1);
        g_assert_cmpuint(choose(r, n, ROLE_TARGET, 0), ==, 2);
        add_chosen(r, n, ROLE_TARGET, 2);
        drop(r, n, 1);
        g_assert_cmpuint(choose(r, n, ROLE_TARGET, 0), ==, 1);

        add_chosen(r, n, ROLE_INITIATOR, ISID_FIRST);
        g_assert_cmpuint(choose(r, n, ROLE_TARGET, 0), ==, 1);
        recorder_check(r);
}

/* All tags there are. Were each choice to walk over the ports before it, this would be 2·10⁹ lookups: more than a minute. */
static void test_exhaustion(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *n = add_node(r, A, BOTH_ROLES), *other = add_node(r, B, BOTH_ROLES);
        const uint64_t untouched = UINT64_MAX;
        uint64_t v = untouched;

        g_test_timer_start();
        for (uint64_t tag = 1; tag <= TAG_MAX; tag++)
                add_chosen(r, n, ROLE_TARGET, tag);
        for (unsigned i = 0; i < 10000; i++)
                g_assert_cmpint(model_choose_identifier(r->model, n, ROLE_TARGET, 0, &v), ==, -ERANGE);
        g_assert_cmpfloat(g_test_timer_elapsed(), <, 20);

        g_assert_cmpuint(v, ==, untouched);
        g_assert_cmpuint(model_counts(r->model)->ports, ==, TAG_MAX);
        g_assert_cmpint(model_choose_identifier(r->model, n, ROLE_TARGET, TAG_MAX, &v), ==, -ERANGE);
        g_assert_cmpint(model_choose_identifier(r->model, n, ROLE_TARGET, TAG_MAX + 1, &v), ==, -ERANGE);
        g_assert_cmpint(model_choose_identifier(r->model, n, ROLE_TARGET, UINT64_MAX, &v), ==, -ERANGE);

        /* Tag 0 would be free, and is not chosen. */
        g_assert_null(model_find_port(r->model, n, 0));
        g_assert_cmpuint(choose(r, other, ROLE_TARGET, 0), ==, 1);
        g_assert_cmpuint(choose(r, n, ROLE_INITIATOR, 0), ==, ISID_FIRST);

        /* One that becomes free is found, also the last. */
        drop(r, n, TAG_MAX);
        add_chosen(r, n, ROLE_TARGET, TAG_MAX);
        drop(r, n, 40000);
        add_chosen(r, n, ROLE_TARGET, 40000);
        g_assert_cmpint(model_choose_identifier(r->model, n, ROLE_TARGET, 0, &v), ==, -ERANGE);

        g_test_timer_start();
        model_remove_node(r->model, n);
        g_assert_cmpfloat(g_test_timer_elapsed(), <, 20);
        g_assert_cmpuint(model_counts(r->model)->ports, ==, 0);
        recorder_check(r);
}

/* As many nodes and ports as the service lets be, each with a portal of its own and one that all nodes share, published and told.
 * The listener hears as much of the last as of the first. */
static void test_many(void) {
        enum { N_NODES = 64, N_PORTS = 64 };
        g_autoptr(Recorder) r = recorder_new();
        size_t first = 0;

        r->reads = false;
        add_address(r, "10.0.0.1");
        g_test_timer_start();
        for (unsigned i = 0; i < N_NODES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2001-04.com.example:%03u", i);
                Node *n = add_node(r, name, BOTH_ROLES);

                for (unsigned k = 0; k < N_PORTS; k++) {
                        g_autofree char *portals = g_strdup_printf("10.0.0.1:%u", k ? 20000 + k : 3260);
                        uint64_t tag = choose(r, n, ROLE_TARGET, 0);

                        recorder_forget(r);
                        g_assert_cmpuint(tag, ==, k + 1);
                        add_port(r, n, ROLE_TARGET, tag, portals);
                        if (i == 1 && k == 0)
                                first = r->text->len;
                        if (i >= 1)
                                g_assert_cmpuint(r->text->len, <=, first + 4); /* 3260 became 20001 */
                }
        }
        g_assert_cmpfloat(g_test_timer_elapsed(), <, 20);
        g_assert_cmpuint(model_counts(r->model)->ports, ==, N_NODES * N_PORTS);

        /* Every one of them is found. */
        for (unsigned i = 0; i < N_NODES; i++)
                for (unsigned k = 1; k <= N_PORTS; k++) {
                        g_autofree char *path = g_strdup_printf("/node/iqn.2001-04.com.example:%03u/%012X", i, k);

                        g_assert_nonnull(model_find_object(r->model, path));
                }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/model-choose/tags", test_tags);
        g_test_add_func("/model-choose/tag-zero", test_tag_zero);
        g_test_add_func("/model-choose/isids", test_isids);
        g_test_add_func("/model-choose/both-roles", test_both_roles);
        g_test_add_func("/model-choose/exhaustion", test_exhaustion);
        g_test_add_func("/model-choose/many", test_many);
        return g_test_run();
}
