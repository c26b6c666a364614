/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the rules ask of initiator ports where the backend binds each to one network interface, and of this host's own node. */

#include <string.h>

#include "change/methods/methods.h"
#include "common/isid.h"
#include "common/name.h"
#include "model/host-node.h"
#include "rules-answers.h"
#include "rules-fixture.h"

#define CREATE (&method_create_port)
#define BIND (&method_bind_port)
#define PORT_AI "/node/" NODE_A "/00023D000001" /* on 10.0.0.2 */

/* 10.0.0.1 and 10.0.0.2 are on eth0, 10.0.0.3 is on eth1; 10.0.9.9 is on none. */
static World *bound_world(void) {
        IpAddress absent = address("10.0.9.9");
        World *w = world_new();

        (void) strcpy(ip(w->r, "10.0.0.1")->attributes.interface, "eth0");
        (void) strcpy(ip(w->r, "10.0.0.2")->attributes.interface, "eth0");
        (void) strcpy(ip(w->r, "10.0.0.3")->attributes.interface, "eth1");
        g_assert_cmpint(model_declare_address(w->model, &absent, ""), ==, 0);
        w->abilities.roles[ROLE_INITIATOR].one_interface = true;
        w->abilities.roles[ROLE_INITIATOR].no_switch = true;
        return w;
}

static int create(World *w, const char *first, const char *second, CreatePortPlan *ret, char **ret_why) {
        Reference portals[] = { reference(w, first), reference(w, second ? second : "") };
        CreatePortRequest q = {
                .node = reference(w, "/node/" NODE_A),
                .role = ROLE_INITIATOR,
                .identifier = "",
                .portals = portals,
                .n_portals = second ? 2 : 1,
        };

        return check_create_port(w->model, &w->abilities, &q, ret, ret_why);
}

static int bind_port(World *w, const char *portal, char **ret_why) {
        Reference port = reference(w, PORT_AI), endpoint = reference(w, portal);
        Port *p;

        return check_bind_port(w->model, &w->abilities, &port, &endpoint, &p, ret_why);
}

static void test_interfaces(void) {
        g_autoptr(World) w = bound_world();
        CreatePortPlan plan;

        assert_allowed(create(w, "/ip/10.0.0.1", NULL, &plan, &why));
        assert_allowed(create(w, "/ip/10.0.0.1", "/ip/10.0.0.2", &plan, &why));
        assert_refused(CREATE, REFUSAL_NOT_FROM_SAME_COLLECTION, "10.0.0.1|eth0|10.0.0.3|eth1",
                       create(w, "/ip/10.0.0.1", "/ip/10.0.0.3", &plan, &why));
        assert_refused(CREATE, REFUSAL_SCOPE_MISSING, "10.0.9.9", create(w, "/ip/10.0.9.9", NULL, &plan, &why));
        assert_refused(CREATE, REFUSAL_SCOPE_MISSING, "10.0.9.9", create(w, "/ip/10.0.0.1", "/ip/10.0.9.9", &plan, &why));

        assert_allowed(bind_port(w, "/ip/10.0.0.1", &why));
        assert_refused(BIND, REFUSAL_NOT_FROM_SAME_COLLECTION, "10.0.0.2|eth0|10.0.0.3|eth1", bind_port(w, "/ip/10.0.0.3", &why));
        assert_refused(BIND, REFUSAL_SCOPE_MISSING, "10.0.9.9", bind_port(w, "/ip/10.0.9.9", &why));

        /* Another backend has no such bounds. */
        w->abilities.roles[ROLE_INITIATOR].one_interface = false;
        assert_allowed(create(w, "/ip/10.0.0.1", "/ip/10.0.0.3", &plan, &why));
        assert_allowed(bind_port(w, "/ip/10.0.0.3", &why));
        assert_allowed(create(w, "/ip/10.0.9.9", NULL, &plan, &why));
}

static void test_switch(void) {
        g_autoptr(World) w = bound_world();

        assert_allowed(check_switch(&w->abilities, ROLE_INITIATOR, true, &why));
        assert_allowed(check_switch(&w->abilities, ROLE_TARGET, false, &why));
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "initiator", check_switch(&w->abilities, ROLE_INITIATOR, false, &why));
}

/* Identifiers of this host: another one with the same names has others. */
static void test_identifiers(void) {
        g_autoptr(World) w = bound_world();
        CreatePortPlan plan;

        w->abilities.roles[ROLE_INITIATOR].hosts_identifiers = true;
        assert_allowed(create(w, "/ip/10.0.0.1", NULL, &plan, &why));
        g_assert_cmpuint(plan.identifier, ==, isid_first(NODE_A, ""));
        (void) add_port(w->r, node(w->r, NODE_A), ROLE_INITIATOR, plan.identifier, "10.0.0.1");
        assert_allowed(create(w, "/ip/10.0.0.1", NULL, &plan, &why));
        g_assert_cmpuint(plan.identifier, ==, isid_first(NODE_A, "") + 1);

        w->abilities.roles[ROLE_INITIATOR].hosts_identifiers = false;
        assert_allowed(create(w, "/ip/10.0.0.1", NULL, &plan, &why));
        g_assert_cmpuint(plan.identifier, ==, 0x800000000001);
}

static void test_host(void) {
        g_autoptr(World) w = bound_world();
        Reference ref;
        Node *n;

        g_assert_cmpint(model_add_host_node(w->model, &n), ==, 0);
        g_assert_cmpint(model_publish_node(w->model, n), ==, 0);
        ref = reference(w, "/node/" HOST_NODE);
        assert_refused(&method_delete_node, REFUSAL_NOT_SUPPORTED, HOST_NODE, check_delete_node(w->model, &ref, &n, &why));
        assert_refused(&method_release_node, REFUSAL_NOT_SUPPORTED, HOST_NODE, check_release_node(w->model, &ref, &n, &why));
        assert_allowed(check_adopt_node(w->model, &ref, &n, &why)); /* it is ours */
        g_assert_true(n == model_host_node(w->model));
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rules-initiator/interfaces", test_interfaces);
        g_test_add_func("/rules-initiator/switch", test_switch);
        g_test_add_func("/rules-initiator/identifiers", test_identifiers);
        g_test_add_func("/rules-initiator/host", test_host);
        return g_test_run();
}
