/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Nodes and ports of the model: what each change does, what the listener hears, and that a change which fails leaves nothing
 * behind. Addresses, portals and groups are in test-model-endpoints.c. */

#include <errno.h>
#include <string.h>

#include "model/state.h"
#include "model-fixture.h"

#define A "iqn.2001-04.com.example:a"
#define B "iqn.2001-04.com.example:b"
#define BOTH_ROLES (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))

static void test_new(void) {
        g_autoptr(Recorder) r = recorder_new();
        const ModelCounts *c = model_counts(r->model);

        g_assert_cmpuint(c->nodes + c->ports + c->tcp_endpoints + c->portal_groups, ==, 0);
        g_assert_cmpstr(group(r, 0)->element_name, ==, "default");
        g_assert_true(model_find_object(r->model, "/group/0") == &group(r, 0)->object);
        g_assert_true(model_first_object(r->model) == &group(r, 0)->object);
        g_assert_null(model_first_node(r->model));
        recorder_check(r);
        g_assert_null(model_free(NULL));
}

static char *no_path(_unused_ const Object *o, _unused_ void *userdata) {
        return NULL;
}

static void test_new_without_memory(void) {
        static const ModelListener nobody = { .make_path = no_path };

        g_assert_null(model_new(&nobody, NULL));
}

static void test_nodes(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Node *a, *b, *other = NULL;

        g_assert_cmpint(model_add_node(m, A, "first", ROLE_BIT(ROLE_TARGET), true, &a), ==, 0);
        recorder_assert_told(r);
        recorder_check(r);
        g_assert_true(model_find_node(m, A) == a);
        g_assert_true(model_find_node_by_alias(m, "first") == a);
        g_assert_null(model_find_node(m, B));
        g_assert_null(model_find_node(m, "iqn.2001-04.com.example:"));
        g_assert_null(model_find_node_by_alias(m, "firs"));
        g_assert_null(model_find_object(m, "/node/" A)); /* not published */
        g_assert_null(a->object.path);
        g_assert_cmpint(a->state, ==, STATE_STARTING);
        g_assert_true(a->managed);
        g_assert_cmpuint(a->roles, ==, ROLE_BIT(ROLE_TARGET));

        g_assert_cmpint(model_publish_node(m, a), ==, 0);
        recorder_assert_told(r, "+ /node/" A);
        g_assert_true(model_find_object(m, "/node/" A) == &a->object);
        g_assert_cmpint(model_publish_node(m, a), ==, 0); /* once is enough */
        recorder_assert_told(r);
        recorder_check(r);

        /* Name and alias are unique; a missing alias is not. */
        g_assert_cmpint(model_add_node(m, A, "", BOTH_ROLES, true, &other), ==, -EEXIST);
        g_assert_cmpint(model_add_node(m, B, "first", BOTH_ROLES, true, &other), ==, -EEXIST);
        g_assert_null(other);
        g_assert_cmpuint(model_counts(m)->nodes, ==, 1);
        g_assert_cmpint(model_add_node(m, B, "", BOTH_ROLES, false, &b), ==, 0);
        g_assert_cmpint(model_add_node(m, "iqn.2001-04.com.example:c", "", BOTH_ROLES, false, &other), ==, 0);
        g_assert_null(model_find_node_by_alias(m, ""));
        g_assert_false(b->managed);
        g_assert_cmpuint(model_counts(m)->nodes, ==, 3);
        recorder_assert_told(r);
        recorder_check(r);

        /* One that was never published goes unheard. */
        model_remove_node(m, b);
        recorder_assert_told(r);
        g_assert_null(model_find_node(m, B));
        model_remove_node(m, a);
        recorder_assert_told(r, "- /node/" A);
        g_assert_null(model_find_object(m, "/node/" A));
        g_assert_null(model_find_node_by_alias(m, "first"));
        g_assert_cmpuint(model_counts(m)->nodes, ==, 1);
        recorder_check(r);

        /* What is gone may come again. */
        g_assert_cmpint(model_add_node(m, A, "first", BOTH_ROLES, true, &a), ==, 0);
        recorder_check(r);
}

static void test_target_port(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Node *n;
        Port *p;

        add_address(r, "10.0.0.1");
        n = add_node(r, A, BOTH_ROLES);
        recorder_forget(r);

        g_assert_cmpint(try_add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260 10.0.0.1:3261 10.0.0.9:3260", &p), ==, 0);
        recorder_assert_told(r, "+ /tcp/10.0.0.1:3261", "~ /group/0 Members", "~ /ip/10.0.0.1 BoundBy", "+ /tcp/10.0.0.9:3260",
                             "~ /group/0 Members");
        recorder_check(r);

        /* The rules see it, nobody outside does. */
        g_assert_true(port(r, A, 1) == p);
        g_assert_true(model_find_user_of_portal(m, n, tcp(r, "10.0.0.1:3261")) == p);
        g_assert_null(model_find_object(m, "/node/" A "/000000000001"));
        g_assert_cmpuint(model_counts(m)->ports, ==, 1);
        g_assert_cmpuint(model_counts(m)->tcp_endpoints, ==, 0);
        g_assert_true(tcp(r, "10.0.0.1:3261")->automatic);
        g_assert_cmpuint(p->n_bindings, ==, 3);
        g_assert_cmpstr(p->bindings[2]->key.tcp->name, ==, "10.0.0.9:3260");
        g_assert_cmpint(p->state, ==, STATE_STARTING);

        g_assert_cmpint(model_publish_port(m, p), ==, 0);
        recorder_assert_told(r, "+ /node/" A "/000000000001", "~ /node/" A " ProtocolEndpoints", "~ /tcp/10.0.0.1:3260 BoundBy",
                             "~ /tcp/10.0.0.1:3261 BoundBy", "~ /tcp/10.0.0.9:3260 BoundBy");
        g_assert_cmpint(model_publish_port(m, p), ==, 0);
        recorder_assert_told(r);
        recorder_check(r);

        model_remove_port(m, p);
        recorder_assert_told(r, "- /node/" A "/000000000001", "~ /node/" A " ProtocolEndpoints", "~ /tcp/10.0.0.1:3260 BoundBy",
                             "~ /tcp/10.0.0.1:3261 BoundBy", "~ /tcp/10.0.0.9:3260 BoundBy", "- /tcp/10.0.0.9:3260",
                             "~ /group/0 Members", "- /tcp/10.0.0.1:3261", "~ /group/0 Members", "~ /ip/10.0.0.1 BoundBy");
        g_assert_cmpuint(model_counts(m)->ports, ==, 0);
        g_assert_null(n->ports);
        recorder_check(r);

        /* One that did not come into force. */
        g_assert_cmpint(try_add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260 10.0.0.1:3261", &p), ==, 0);
        recorder_forget(r);
        model_remove_port(m, p);
        recorder_assert_told(r, "- /tcp/10.0.0.1:3261", "~ /group/0 Members", "~ /ip/10.0.0.1 BoundBy");
        recorder_check(r);
}

static void test_initiator_port(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Port *p, *q;
        Node *n;

        add_address(r, "10.0.0.1");
        n = add_node(r, A, BOTH_ROLES);
        recorder_forget(r);

        g_assert_cmpint(try_add_port(r, n, ROLE_INITIATOR, 0x00023D000001, "10.0.0.1 10.0.0.9", &p), ==, 0);
        recorder_assert_told(r); /* an address that the host does not have is not published */
        recorder_check(r);
        g_assert_false(ip(r, "10.0.0.9")->present);
        g_assert_null(ip(r, "10.0.0.9")->object.path);

        g_assert_cmpint(model_publish_port(m, p), ==, 0);
        recorder_assert_told(r, "+ /node/" A "/00023D000001", "~ /node/" A " ProtocolEndpoints", "~ /ip/10.0.0.1 BoundBy");

        /* Initiator ports share addresses, in one node too. */
        q = add_port(r, n, ROLE_INITIATOR, 0x00023D000002, "10.0.0.1");
        g_assert_true(port_find_binding(p, &ip(r, "10.0.0.1")->object)->ip ==
                      port_find_binding(q, &ip(r, "10.0.0.1")->object)->ip);
        g_assert_cmpuint(binding_portal(p->bindings[0]).port, ==, 0);
        recorder_check(r);

        /* The absent address has no other reason to be than the port. */
        recorder_forget(r);
        model_remove_port(m, p);
        recorder_assert_told(r, "- /node/" A "/00023D000001", "~ /node/" A " ProtocolEndpoints", "~ /ip/10.0.0.1 BoundBy");
        g_assert_null(model_find_ip_endpoint(m, &(IpAddress){ .family = AF_INET, .in.s_addr = htonl(0x0A000009) }));
        recorder_check(r);
}

/* Identifiers are unique in a node over both roles, portals among its target ports. */
static void test_unique(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Port *p = NULL;
        Node *a, *b;

        add_address(r, "10.0.0.1");
        add_address(r, "10.0.0.2");
        a = add_node(r, A, BOTH_ROLES);
        b = add_node(r, B, BOTH_ROLES);
        add_port(r, a, ROLE_TARGET, 1, "10.0.0.1:3260");
        recorder_forget(r);

        g_assert_cmpint(try_add_port(r, a, ROLE_TARGET, 1, "10.0.0.2:3260", &p), ==, -EEXIST);
        g_assert_cmpint(try_add_port(r, a, ROLE_INITIATOR, 1, "10.0.0.2", &p), ==, -EEXIST);
        recorder_assert_told(r);
        recorder_check(r);

        /* The last portal is taken: those before it are let go of. */
        g_assert_cmpint(try_add_port(r, a, ROLE_TARGET, 2, "10.0.0.2:3260 10.0.0.2:5000 10.0.0.1:3260", &p), ==, -EEXIST);
        recorder_check(r);
        g_assert_cmpint(try_add_port(r, a, ROLE_TARGET, 2, "10.0.0.2:5000 10.0.0.2:5000", &p), ==, -EEXIST);
        recorder_check(r);
        g_assert_cmpint(try_add_port(r, a, ROLE_INITIATOR, 2, "10.0.0.2 10.0.0.9 10.0.0.2", &p), ==, -EEXIST);
        recorder_check(r);
        g_assert_null(p);
        g_assert_cmpuint(model_counts(m)->ports, ==, 1);
        g_assert_null(tcp(r, "10.0.0.2:3260")->bound_by);
        g_assert_null(model_find_port(m, a, 2));
        g_assert_null(model_find_object(m, "/tcp/10.0.0.2:5000"));

        /* Another node has the same tag and the same portal. */
        p = add_port(r, b, ROLE_TARGET, 1, "10.0.0.1:3260");
        g_assert_true(model_find_user_of_portal(m, b, tcp(r, "10.0.0.1:3260")) == p);
        g_assert_true(model_find_user_of_portal(m, a, tcp(r, "10.0.0.1:3260")) == port(r, A, 1));
        recorder_check(r);
        {
                g_autofree char *bound_by = object_property(&tcp(r, "10.0.0.1:3260")->object, "BoundBy");

                g_assert_cmpstr(bound_by, ==, "/node/" A "/000000000001 /node/" B "/000000000001");
        }

        /* One goes, the other stays. */
        model_remove_port(m, port(r, A, 1));
        g_assert_true(model_find_user_of_portal(m, b, tcp(r, "10.0.0.1:3260")) == p);
        g_assert_null(model_find_user_of_portal(m, a, tcp(r, "10.0.0.1:3260")));
        recorder_check(r);
}

static void test_bind(void) {
        g_autoptr(Recorder) r = recorder_new();
        Portal taken = portal("10.0.0.1:3261"), other = portal("10.0.0.1:3262"), absent = portal("10.0.0.9:3260");
        Portal first = portal("10.0.0.1"), second = portal("10.0.0.2");
        Model *m = r->model;
        Port *p, *q, *i;
        Node *n;

        add_address(r, "10.0.0.1");
        add_address(r, "10.0.0.2");
        n = add_node(r, A, BOTH_ROLES);
        p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260");
        q = add_port(r, n, ROLE_TARGET, 2, "10.0.0.1:3261");
        i = add_port(r, n, ROLE_INITIATOR, 0x00023D000001, "10.0.0.1");
        recorder_forget(r);

        g_assert_cmpint(model_bind_port(m, p, &other), ==, 0);
        recorder_assert_told(r, "+ /tcp/10.0.0.1:3262", "~ /group/0 Members", "~ /ip/10.0.0.1 BoundBy",
                             "~ /node/" A "/000000000001 BindsTo", "~ /tcp/10.0.0.1:3262 BoundBy");
        recorder_check(r);

        g_assert_cmpint(model_bind_port(m, p, &absent), ==, 0);
        recorder_assert_told(r, "+ /tcp/10.0.0.9:3260", "~ /group/0 Members", "~ /node/" A "/000000000001 BindsTo",
                             "~ /tcp/10.0.0.9:3260 BoundBy");
        recorder_check(r);

        g_assert_cmpint(model_bind_port(m, i, &second), ==, 0);
        recorder_assert_told(r, "~ /node/" A "/00023D000001 BindsTo", "~ /ip/10.0.0.2 BoundBy");
        recorder_check(r);

        /* Refused: another port's, and what the port has already. */
        g_assert_cmpint(model_bind_port(m, p, &taken), ==, -EEXIST);
        g_assert_cmpint(model_bind_port(m, p, &other), ==, -EEXIST);
        g_assert_cmpint(model_bind_port(m, i, &first), ==, -EEXIST);
        recorder_assert_told(r);
        g_assert_cmpuint(p->n_bindings, ==, 3);
        g_assert_cmpuint(q->n_bindings, ==, 1);
        g_assert_cmpuint(i->n_bindings, ==, 2);
        recorder_check(r);

        /* The order of the others stays. */
        model_unbind_port(m, p, port_find_binding(p, &tcp(r, "10.0.0.1:3262")->object));
        recorder_assert_told(r, "~ /node/" A "/000000000001 BindsTo", "~ /tcp/10.0.0.1:3262 BoundBy", "- /tcp/10.0.0.1:3262",
                             "~ /group/0 Members", "~ /ip/10.0.0.1 BoundBy");
        {
                g_autofree char *binds_to = object_property(&p->object, "BindsTo");

                g_assert_cmpstr(binds_to, ==, "/tcp/10.0.0.1:3260 /tcp/10.0.0.9:3260");
        }
        recorder_check(r);

        /* The default portal of an address that is there stays. */
        model_unbind_port(m, p, port_find_binding(p, &tcp(r, "10.0.0.1:3260")->object));
        recorder_assert_told(r, "~ /node/" A "/000000000001 BindsTo", "~ /tcp/10.0.0.1:3260 BoundBy");
        g_assert_null(tcp(r, "10.0.0.1:3260")->bound_by);
        recorder_check(r);

        model_unbind_port(m, i, port_find_binding(i, &ip(r, "10.0.0.1")->object));
        recorder_assert_told(r, "~ /node/" A "/00023D000001 BindsTo", "~ /ip/10.0.0.1 BoundBy");
        g_assert_null(port_find_binding(i, &ip(r, "10.0.0.1")->object));
        recorder_check(r);

        /* What was let go of can be had by another. */
        g_assert_cmpint(model_bind_port(m, q, &(Portal){ .address = first.address, .port = 3260 }), ==, 0);
        recorder_check(r);
}

static void test_remove_node(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *n;

        add_address(r, "10.0.0.1");
        n = add_node(r, A, BOTH_ROLES);
        add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260");
        add_port(r, n, ROLE_INITIATOR, 2, "10.0.0.1");
        recorder_forget(r);

        model_remove_node(r->model, n);
        recorder_assert_told(r, "- /node/" A "/000000000002", "~ /node/" A " ProtocolEndpoints", "~ /ip/10.0.0.1 BoundBy",
                             "- /node/" A "/000000000001", "~ /node/" A " ProtocolEndpoints", "~ /tcp/10.0.0.1:3260 BoundBy",
                             "- /node/" A);
        g_assert_cmpuint(model_counts(r->model)->ports, ==, 0);
        g_assert_cmpuint(model_counts(r->model)->nodes, ==, 0);
        recorder_check(r);
}

static void test_states(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Port *p;
        Node *n;

        n = add_node(r, A, BOTH_ROLES);
        g_assert_cmpint(try_add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260", &p), ==, 0);
        recorder_forget(r);

        model_set_port_state(m, p, STATE_DEGRADED, "why"); /* unpublished: silently */
        recorder_assert_told(r);
        g_assert_cmpstr(p->description, ==, "why");
        g_assert_cmpint(model_publish_port(m, p), ==, 0);
        recorder_forget(r);

        model_set_port_state(m, p, STATE_DEGRADED, "why"); /* no news */
        recorder_assert_told(r);
        model_set_port_state(m, p, STATE_DEGRADED, "why else");
        recorder_assert_told(r, "~ /node/" A "/000000000001 StatusDescriptions", "~ /node/" A " StatusDescriptions");
        model_set_port_state(m, p, STATE_DRIFTED, "why else"); /* as degraded, for OperationalStatus */
        recorder_assert_told(r, "~ /node/" A "/000000000001 EnabledState", "~ /node/" A " EnabledState");
        model_set_port_state(m, p, STATE_DRIFTED, NULL);
        recorder_assert_told(r, "~ /node/" A "/000000000001 StatusDescriptions", "~ /node/" A " StatusDescriptions");
        g_assert_null(p->description);
        model_set_port_state(m, p, STATE_DRIFTED, NULL);
        recorder_assert_told(r);
        recorder_check(r);

        model_set_port_state(m, p, STATE_DISABLED, NULL); /* leaves the node's own state, STARTING */
        recorder_assert_told(r, "~ /node/" A "/000000000001 EnabledState OperationalStatus StatusDescriptions",
                             "~ /node/" A " EnabledState OperationalStatus StatusDescriptions");
        g_assert_cmpint(n->state, ==, STATE_STARTING);
        model_set_node_state(m, n, STATE_STARTING, NULL);
        recorder_assert_told(r);
        model_set_node_state(m, n, STATE_DISABLED, "why");
        recorder_assert_told(r, "~ /node/" A " EnabledState OperationalStatus StatusDescriptions");
        g_assert_cmpint(n->state, ==, STATE_DISABLED);
        g_assert_cmpstr(n->description, ==, "why");
        model_set_node_state(m, n, STATE_IN_FORCE, NULL);
        recorder_assert_told(r, "~ /node/" A " EnabledState OperationalStatus StatusDescriptions");
        recorder_check(r);
}

static void test_not_telling(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *n;

        model_set_telling(r->model, false);
        add_address(r, "10.0.0.1");
        n = add_node(r, A, BOTH_ROLES);
        model_remove_port(r->model, add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260"));
        recorder_assert_told(r);
        g_assert_nonnull(model_find_object(r->model, "/node/" A)); /* published nevertheless */

        model_set_telling(r->model, true);
        add_node(r, B, BOTH_ROLES);
        recorder_assert_told(r, "+ /node/" B);
}

/* No path for an object, that is no memory: at each place where one is made. */
static void test_without_memory(void) {
        g_autoptr(Recorder) r = recorder_new();
        Portal made = portal("10.0.0.1:860"), elsewhere = portal("10.0.0.9:860");
        IpAddress a = address("10.0.0.2");
        PortalGroup *g = NULL;
        TcpEndpoint *t = NULL;
        Model *m = r->model;
        Node *n, *other;
        Port *p, *q;

        add_address(r, "10.0.0.1");
        n = add_node(r, A, BOTH_ROLES);
        p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260");

        for (int i = 0; i < 2; i++) { /* the address, its portal */
                r->path_fails_in = i;
                g_assert_cmpint(model_add_address(m, &a, &(IpAttributes){}), ==, -ENOMEM);
                g_assert_null(model_find_ip_endpoint(m, &a));
                recorder_check(r);
        }

        r->path_fails_in = 0;
        g_assert_cmpint(model_add_tcp_endpoint(m, &made, group(r, 0), &t), ==, -ENOMEM);
        recorder_check(r);
        r->path_fails_in = 0;
        g_assert_cmpint(model_add_tcp_endpoint(m, &elsewhere, NULL, &t), ==, -ENOMEM);
        g_assert_null(t);
        g_assert_null(model_find_ip_endpoint(m, &elsewhere.address));
        recorder_check(r);

        r->path_fails_in = 0;
        g_assert_cmpint(model_add_portal_group(m, 5, "g", &g), ==, -ENOMEM);
        g_assert_null(g);
        g_assert_null(model_find_portal_group(m, 5));
        recorder_check(r);

        for (int i = 0; i < 2; i++) {
                r->path_fails_in = i;
                g_assert_cmpint(try_add_port(r, n, ROLE_TARGET, 2, "10.0.0.1:5000 10.0.0.9:860", &q), ==, -ENOMEM);
                g_assert_null(model_find_port(m, n, 2));
                recorder_check(r);
        }

        r->path_fails_in = 0;
        g_assert_cmpint(model_bind_port(m, p, &elsewhere), ==, -ENOMEM);
        g_assert_cmpuint(p->n_bindings, ==, 1);
        recorder_check(r);

        /* In the model, but not published; then it works. */
        g_assert_cmpint(model_add_node(m, B, "", BOTH_ROLES, true, &other), ==, 0);
        g_assert_cmpint(try_add_port(r, n, ROLE_TARGET, 2, "10.0.0.1:5000", &q), ==, 0);
        recorder_forget(r);
        r->path_fails_in = 0;
        g_assert_cmpint(model_publish_node(m, other), ==, -ENOMEM);
        r->path_fails_in = 0;
        g_assert_cmpint(model_publish_port(m, q), ==, -ENOMEM);
        recorder_assert_told(r);
        recorder_check(r);
        g_assert_cmpint(model_publish_node(m, other), ==, 0);
        g_assert_cmpint(model_publish_port(m, q), ==, 0);
        recorder_check(r);
}

/* Populated with everything, published and not: nothing is left of it. The leak checker speaks up if this is not so. */
static void test_free_populated(void) {
        g_autoptr(Recorder) r = recorder_new();
        Node *n, *unpublished;
        Port *p;

        add_address(r, "10.0.0.1");
        add_address(r, "fe80::1%eth0");
        add_address(r, "::");
        n = add_node(r, A, BOTH_ROLES);
        g_assert_cmpint(model_add_node(r->model, B, "alias", BOTH_ROLES, false, &unpublished), ==, 0);
        add_tcp(r, "10.0.0.1:860", add_group(r, 1, "g"));
        add_tcp(r, "10.0.0.9:860", NULL);
        add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260 10.0.0.1:860 10.0.0.8:5000");
        add_port(r, n, ROLE_INITIATOR, 2, "10.0.0.1 10.0.0.7");
        g_assert_cmpint(try_add_port(r, unpublished, ROLE_TARGET, 1, "[::]:3260", &p), ==, 0);
        model_set_port_state(r->model, p, STATE_DEGRADED, "why");
        model_set_node_state(r->model, n, STATE_DRIFTED, "why");
        remove_address(r, "10.0.0.1");
        recorder_check(r);
        recorder_forget(r);

        /* The end is not told: the bus connection may be gone. */
        r->model = model_free(r->model);
        recorder_assert_told(r);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/model/new", test_new);
        g_test_add_func("/model/new-without-memory", test_new_without_memory);
        g_test_add_func("/model/nodes", test_nodes);
        g_test_add_func("/model/target-port", test_target_port);
        g_test_add_func("/model/initiator-port", test_initiator_port);
        g_test_add_func("/model/unique", test_unique);
        g_test_add_func("/model/bind", test_bind);
        g_test_add_func("/model/remove-node", test_remove_node);
        g_test_add_func("/model/states", test_states);
        g_test_add_func("/model/not-telling", test_not_telling);
        g_test_add_func("/model/without-memory", test_without_memory);
        g_test_add_func("/model/free-populated", test_free_populated);
        return g_test_run();
}
