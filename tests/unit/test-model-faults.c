/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model and the rules without memory: each single allocation of each change fails once. The change says so and has changed
 * nothing.
 *
 * The model is compiled for this with the functions below in place of the C library's. The tables of uthash are left alone:
 * without memory for them the process ends. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "model/state.h"
#include "rules-fixture.h"

#define BOTH_ROLES (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))

static int fails_in = -1; /* so many allocations more succeed, then one does not; negative: all do */

static bool fails(void) {
        return fails_in >= 0 && fails_in-- == 0;
}

void *test_malloc(size_t size);
void *test_calloc(size_t n, size_t size);
void *test_realloc(void *p, size_t size);
char *test_strdup(const char *s);
int test_asprintf(char **ret, const char *format, ...) _printf_(2, 3);
int test_vasprintf(char **ret, const char *format, va_list ap) _printf_(2, 0);

void *test_malloc(size_t size) {
        return fails() ? NULL : malloc(size);
}

void *test_calloc(size_t n, size_t size) {
        return fails() ? NULL : calloc(n, size);
}

void *test_realloc(void *p, size_t size) {
        return fails() ? NULL : realloc(p, size);
}

char *test_strdup(const char *s) {
        return fails() ? NULL : strdup(s);
}

int test_vasprintf(char **ret, const char *format, va_list ap) {
        return fails() ? -1 : vasprintf(ret, format, ap);
}

int test_asprintf(char **ret, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = test_vasprintf(ret, format, ap);
        va_end(ap);
        return n;
}

static int compare_lines(gconstpointer a, gconstpointer b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* All that can be seen from outside. */
static char *dump(Recorder *r) {
        const ModelCounts *c = model_counts(r->model);
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

        g_ptr_array_add(lines, g_strdup_printf("%u %u %u %u", c->nodes, c->ports, c->tcp_endpoints, c->portal_groups));
        for (Object *o = model_first_object(r->model); o; o = o->hh.next)
                for (const char *const *p = object_properties(o); *p; p++) {
                        g_autofree char *value = object_property(o, *p);

                        g_ptr_array_add(lines, g_strdup_printf("%s %s %s", o->path, *p, value));
                }
        g_ptr_array_sort(lines, compare_lines);
        g_ptr_array_add(lines, NULL);
        return g_strjoinv("\n", (char **) lines->pdata);
}

typedef int (*change_t)(Recorder *r);

/* Does CHANGE again and again, each time with the next of its allocations failing, until it has enough. */
static void fail_each(Recorder *r, change_t change, unsigned n_expected) {
        g_autofree char *before = dump(r);
        unsigned n = 0;

        for (;; n++) {
                int result;

                fails_in = (int) n;
                result = change(r);
                if (fails_in >= 0) {
                        fails_in = -1;
                        g_assert_cmpint(result, ==, 0);
                        break;
                }

                {
                        g_autofree char *after = dump(r);

                        g_test_message("allocation %u", n);
                        g_assert_cmpint(result, ==, -ENOMEM);
                        recorder_check(r);
                        g_assert_cmpstr(after, ==, before);
                }
        }

        g_assert_cmpuint(n, >=, n_expected);
        recorder_check(r);
}

static int change_add_node(Recorder *r) {
        Node *n;

        return model_add_node(r->model, "iqn.2001-04.com.example:new", "new", BOTH_ROLES, true, &n);
}

static int change_add_target_port(Recorder *r) {
        Port *p;

        return try_add_port(r, node(r, NODE_A), ROLE_TARGET, 50, "10.0.0.1:3260 10.0.0.1:7000 10.1.1.1:3260 10.1.1.1:3261", &p);
}

static int change_add_initiator_port(Recorder *r) {
        Port *p;

        return try_add_port(r, node(r, NODE_A), ROLE_INITIATOR, 51, "10.0.0.1 10.2.2.2", &p);
}

static int change_bind_target_port(Recorder *r) {
        Portal p = portal("10.3.3.3:860");

        return model_bind_port(r->model, port(r, NODE_A, 1), &p);
}

static int change_bind_initiator_port(Recorder *r) {
        Portal p = portal("10.4.4.4");

        return model_bind_port(r->model, port(r, NODE_A, 0x00023D000001), &p);
}

static int change_add_address(Recorder *r) {
        IpAddress a = address("10.5.5.5");

        return model_add_address(r->model, &a, &(IpAttributes){ .prefix_length = 8 });
}

/* One that has been waited for. */
static int change_add_awaited_address(Recorder *r) {
        IpAddress a = address("10.2.2.2");

        return model_add_address(r->model, &a, &(IpAttributes){ .prefix_length = 8 });
}

static int change_add_endpoint(Recorder *r) {
        Portal p = portal("10.6.6.6:860");
        TcpEndpoint *t;

        return model_add_tcp_endpoint(r->model, &p, group(r, 1), &t);
}

static int change_declare_address(Recorder *r) {
        IpAddress a = address("10.0.0.60");

        return model_declare_address(r->model, &a, "name");
}

static int change_alias(Recorder *r) {
        return model_set_node_alias(r->model, node(r, NODE_A), "another alias");
}

static int change_notice(Recorder *r) {
        return model_set_notice(r->model, NOTICE_STORE, "notice");
}

static int change_add_group(Recorder *r) {
        PortalGroup *g;

        return model_add_portal_group(r->model, 60, "new", &g);
}

static int change_add_member(Recorder *r) {
        return model_add_member(r->model, group(r, 3), tcp(r, "10.0.0.1:3260"));
}

static int change_record(Recorder *r) {
        return model_set_port_record(r->model, port(r, NODE_A, 0x00023D000001), "record");
}

/* 0 or -ENOMEM, as the others; the port has the record by then. */
static int change_session(Recorder *r) {
        int n = model_set_session(r->model, 1, "record", 0x00023D000001);

        return n > 0 ? 0 : n;
}

static void test_changes(void) {
        static const struct {
                change_t change;
                unsigned n_expected; /* at least so many things are allocated */
        } changes[] = {
                { change_add_node, 3 },           /* itself, name, alias */
                { change_add_target_port, 18 },   /* itself; per binding list and binding; three endpoints, an address */
                { change_add_initiator_port, 7 }, /* itself; per binding list and binding; an address */
                { change_bind_target_port, 7 },
                { change_bind_initiator_port, 4 },
                { change_add_address, 5 }, /* itself, name; endpoint, name, membership */
                { change_add_awaited_address, 3 },
                { change_add_endpoint, 5 },
                { change_add_group, 2 },
                { change_add_member, 1 },
                { change_declare_address, 6 }, /* element name; itself, name; endpoint, name, membership */
                { change_alias, 1 },
                { change_notice, 1 },
                { change_record, 1 },
                { change_session, 2 }, /* its record, itself */
        };
        g_autoptr(World) w = world_new();

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                g_test_message("change %zu", i);
                fail_each(w->r, changes[i].change, changes[i].n_expected);
        }
}

static void test_new(void) {
        static const ModelListener nobody = {};

        for (int i = 0; i < 3; i++) { /* the model, the group, its name: no path is asked for before them */
                fails_in = i;
                g_assert_null(model_new(&nobody, NULL));
                g_assert_cmpint(fails_in, ==, -1);
        }
}

/* A state stands without its text. */
static void test_states(void) {
        g_autoptr(World) w = world_new();
        Port *p = port(w->r, NODE_A, 1);
        Node *n = node(w->r, NODE_A);

        fails_in = 0;
        model_set_port_state(w->model, p, STATE_DEGRADED, "why");
        g_assert_cmpint(p->state, ==, STATE_DEGRADED);
        g_assert_null(p->description);
        fails_in = 0;
        model_set_node_state(w->model, n, STATE_DEGRADED, "why");
        g_assert_cmpint(n->state, ==, STATE_DEGRADED);
        g_assert_null(n->description);
        recorder_check(w->r);

        /* The next time it is there. */
        model_set_port_state(w->model, p, STATE_DEGRADED, "why");
        g_assert_cmpstr(p->description, ==, "why");

        /* Nor has a node the text of its worst port. */
        model_set_node_state(w->model, n, STATE_IN_FORCE, NULL);
        g_assert_nonnull(strstr(n->description, ": why"));
        model_set_port_state(w->model, p, STATE_IN_FORCE, NULL);
        fails_in = 1; /* behind the port's own */
        model_set_port_state(w->model, p, STATE_DEGRADED, "why");
        g_assert_cmpint(fails_in, ==, -1);
        g_assert_cmpint(n->state, ==, STATE_DEGRADED);
        g_assert_null(n->description);
        recorder_check(w->r);

        /* Nor has a port its drift. */
        fails_in = 0;
        model_set_port_observed(w->model, p, &(PortObservation){ .enabled = true, .why = "why" });
        g_assert_cmpint(p->state, ==, STATE_DEGRADED);
        g_assert_null(strstr(p->description, "why"));
        recorder_check(w->r);
}

static void test_rules(void) {
        g_autoptr(World) w = world_new();
        CreateNodeRequest q = { .alias = "", .name = "iqn.2001-04.com.example:new" };
        char untouched, *why = &untouched;
        CreateNodePlan plan = {};
        Reference none = { .text = "/none" };
        Port *p = NULL;

        fails_in = 0;
        g_assert_cmpint(check_delete_port(w->model, &none, &p, &why), ==, -ENOMEM);
        g_assert_null(why); /* nothing to be freed */
        g_assert_null(p);

        fails_in = 0;
        g_assert_cmpint(check_create_node(w->model, &w->abilities, &q, &plan, &why), ==, -ENOMEM);
        g_assert_null(plan.name);

        /* Behind the name that was made for the plan. */
        q.name = NODE_A;
        fails_in = 1;
        g_assert_cmpint(check_create_node(w->model, &w->abilities, &q, &plan, &why), ==, -ENOMEM);
        g_assert_cmpint(fails_in, ==, -1);
        g_assert_null(plan.name);
}

static void test_names(void) {
        const char *reason;
        char *name;

        fails_in = 0;
        g_assert_cmpint(iscsi_name_normalize(NODE_A, &name, &reason), ==, -ENOMEM);
        fails_in = 0;
        g_assert_cmpint(iscsi_name_generate("host", (const uint8_t[6]){}, &name), ==, -ENOMEM);
        fails_in = 0;
        g_assert_cmpint(iscsi_port_name(NODE_A, ROLE_TARGET, 1, &name), ==, -ENOMEM);
        fails_in = 0;
        g_assert_cmpint(iscsi_port_name(NODE_A, ROLE_INITIATOR, 1, &name), ==, -ENOMEM);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/model-faults/new", test_new);
        g_test_add_func("/model-faults/changes", test_changes);
        g_test_add_func("/model-faults/states", test_states);
        g_test_add_func("/model-faults/rules", test_rules);
        g_test_add_func("/model-faults/names", test_names);
        return g_test_run();
}
