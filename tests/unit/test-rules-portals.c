/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rules for TCP endpoints and portal groups. */

#include <string.h>

#include "rules-answers.h"

#define CREATE &method_create_tcp_endpoint
#define DELETE &method_delete_tcp_endpoint
#define CREATE_GROUP &method_create_portal_group
#define DELETE_GROUP &method_delete_portal_group
#define ADD &method_add_member
#define REMOVE &method_remove_member

/* What is not of the wanted class. */
static const char *const no_address[] = { "/none", "/", "/ip/10.0.9.9", "/tcp/10.0.0.1:3260", "/group/0", "/node/" NODE_A };
static const char *const no_group[] = { "/none", "/", "/group/9", "/ip/10.0.0.1", "/tcp/10.0.0.1:3260", "/node/" NODE_A };
static const char *const no_endpoint[] = {
        "/none", "/", "/tcp/10.0.0.1:9", "/ip/10.0.0.1", "/group/0", "/node/" NODE_A, "/node/" NODE_A "/000000000001"
};

static int create(World *w, const char *ip_path, uint16_t number, const char *group_path, TcpEndpointPlan *ret, char **ret_why) {
        Reference i = reference(w, ip_path), g = reference(w, group_path);

        return check_create_tcp_endpoint(w->model, &i, number, &g, ret, ret_why);
}

static void test_create(void) {
        g_autoptr(World) w = world_new();
        static const uint16_t good[] = { 860, 1024, 3261, 65535 }, bad[] = { 0, 1, 22, 859, 861, 1023 };
        TcpEndpointPlan plan;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                char text[PORTAL_TEXT_MAX];
                g_autofree char *expected = g_strdup_printf("10.0.0.2:%u", good[i]);

                assert_allowed(create(w, "/ip/10.0.0.2", good[i], "/group/1", &plan, &why));
                g_assert_true(plan.ip == ip(w->r, "10.0.0.2"));
                g_assert_true(plan.group == group(w->r, 1));
                g_assert_cmpstr(portal_to_text(&plan.portal, text), ==, expected);
        }
        assert_allowed(create(w, "/ip/::", 5000, "/group/0", &plan, &why));

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autofree char *names = g_strdup_printf("PortNumber %u ", bad[i]);

                assert_refused(CREATE, REFUSAL_INVALID_PARAMETER, names,
                               create(w, "/ip/10.0.0.2", bad[i], "/group/0", &plan, &why));
                assert_refused(CREATE, REFUSAL_INVALID_PARAMETER, names, create(w, "/none", bad[i], "/none", &plan, &why));
        }
        for (size_t i = 0; i < ELEMENTSOF(no_address); i++) {
                assert_refused(CREATE, REFUSAL_ENDPOINT_NON_EXISTENT, no_address[i],
                               create(w, no_address[i], 5000, "/group/0", &plan, &why));
                assert_refused(CREATE, REFUSAL_ENDPOINT_NON_EXISTENT, no_address[i],
                               create(w, no_address[i], 5000, "/nothing", &plan, &why));
        }
        for (size_t i = 0; i < ELEMENTSOF(no_group); i++) {
                assert_refused(CREATE, REFUSAL_GROUP_NON_EXISTENT, no_group[i],
                               create(w, "/ip/10.0.0.2", 5000, no_group[i], &plan, &why));
                assert_refused(CREATE, REFUSAL_GROUP_NON_EXISTENT, no_group[i],
                               create(w, "/ip/10.0.0.2", 3260, no_group[i], &plan, &why));
        }

        /* The service's own, one made by method, and one that came with a port. */
        assert_refused(CREATE, REFUSAL_ENDPOINT_EXISTS, "10.0.0.2:3260",
                       create(w, "/ip/10.0.0.2", 3260, "/group/1", &plan, &why));
        assert_refused(CREATE, REFUSAL_ENDPOINT_EXISTS, "10.0.0.1:860", create(w, "/ip/10.0.0.1", 860, "/group/3", &plan, &why));
        add_port(w->r, node(w->r, NODE_A), ROLE_TARGET, 9, "10.0.0.2:7000");
        assert_refused(CREATE, REFUSAL_ENDPOINT_EXISTS, "10.0.0.2:7000",
                       create(w, "/ip/10.0.0.2", 7000, "/group/1", &plan, &why));
        assert_allowed(create(w, "/ip/10.0.0.1", 7000, "/group/1", &plan, &why)); /* another address */
}

static void test_delete(void) {
        g_autoptr(World) w = world_new();
        static const char *const automatic[] = { "/tcp/10.0.0.1:3260", "/tcp/10.0.0.2:3260" /* in use too */, "/tcp/[::]:3260" };
        static const char *const good[] = { "/tcp/10.0.0.1:860", "/tcp/10.0.0.1:5000", "/tcp/10.0.9.9:860" };
        TcpEndpoint *t = NULL;

        for (size_t i = 0; i < ELEMENTSOF(no_endpoint); i++) {
                Reference r = reference(w, no_endpoint[i]);

                assert_refused(DELETE, REFUSAL_ENDPOINT_NON_EXISTENT, no_endpoint[i],
                               check_delete_tcp_endpoint(w->model, &r, &t, &why));
        }
        for (size_t i = 0; i < ELEMENTSOF(automatic); i++) {
                Reference r = reference(w, automatic[i]);

                assert_refused(DELETE, REFUSAL_NOT_SUPPORTED, automatic[i] + strlen("/tcp/"),
                               check_delete_tcp_endpoint(w->model, &r, &t, &why));
        }
        {
                Reference r = reference(w, "/tcp/10.0.0.3:860");

                assert_refused(DELETE, REFUSAL_ENDPOINT_IN_USE, "10.0.0.3:860|000000000001|" NODE_U,
                               check_delete_tcp_endpoint(w->model, &r, &t, &why));
        }
        g_assert_null(t);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                Reference r = reference(w, good[i]);

                assert_allowed(check_delete_tcp_endpoint(w->model, &r, &t, &why));
                g_assert_true(&t->object == r.object);
        }
        {
                /* A port that is being put into force uses it as well. */
                Reference r = reference(w, "/tcp/10.0.0.1:860");
                Port *p;

                g_assert_cmpint(try_add_port(w->r, node(w->r, NODE_A), ROLE_TARGET, 9, "10.0.0.1:860", &p), ==, 0);
                assert_refused(DELETE, REFUSAL_ENDPOINT_IN_USE, "10.0.0.1:860|000000000009|" NODE_A,
                               check_delete_tcp_endpoint(w->model, &r, &t, &why));
        }
}

static void test_create_group(void) {
        g_autoptr(World) w = world_new();
        g_autoptr(GString) s = g_string_new("");

        assert_allowed(check_create_portal_group("fast", &why)); /* names need not be unique */
        assert_allowed(check_create_portal_group("日本", &why));
        assert_refused(CREATE_GROUP, REFUSAL_INVALID_PARAMETER, "ElementName|empty", check_create_portal_group("", &why));
        assert_refused(CREATE_GROUP, REFUSAL_INVALID_PARAMETER, "ElementName|control", check_create_portal_group("a\nb", &why));

        for (unsigned i = 0; i < LIMIT_TEXT; i++)
                g_string_append(s, "日");
        assert_allowed(check_create_portal_group(s->str, &why));
        g_string_append(s, "本");
        assert_refused(CREATE_GROUP, REFUSAL_INVALID_PARAMETER, "ElementName|129|128", check_create_portal_group(s->str, &why));
        w->abilities.max.portal_groups = 3;
        assert_refused(CREATE_GROUP, REFUSAL_LIMIT_REACHED, "3 portal groups",
                       check_limits(w->model, &w->abilities, OBJECT_PORTAL_GROUP, &why));
}

static void test_delete_group(void) {
        g_autoptr(World) w = world_new();
        PortalGroup *g = NULL;

        for (size_t i = 0; i < ELEMENTSOF(no_group); i++) {
                Reference r = reference(w, no_group[i]);

                assert_refused(DELETE_GROUP, REFUSAL_GROUP_NON_EXISTENT, no_group[i],
                               check_delete_portal_group(w->model, &r, &g, &why));
        }
        {
                Reference r = reference(w, "/group/0");

                assert_refused(DELETE_GROUP, REFUSAL_NOT_SUPPORTED, "default", check_delete_portal_group(w->model, &r, &g, &why));
        }
        {
                Reference r = reference(w, "/group/1");

                assert_refused(DELETE_GROUP, REFUSAL_GROUP_NOT_EMPTY, "\"fast\"|:860",
                               check_delete_portal_group(w->model, &r, &g, &why));
        }
        g_assert_null(g);
        {
                Reference r = reference(w, "/group/3");

                assert_allowed(check_delete_portal_group(w->model, &r, &g, &why));
                g_assert_true(g == group(w->r, 3));
        }
}

static int add_member(World *w, const char *group_path, const char *tcp_path, PortalGroup **ret_group, TcpEndpoint **ret,
                      char **ret_why) {
        Reference g = reference(w, group_path), t = reference(w, tcp_path);

        return check_add_member(w->model, &g, &t, ret_group, ret, ret_why);
}

static void test_add(void) {
        g_autoptr(World) w = world_new();
        PortalGroup *g;
        TcpEndpoint *t;

        for (size_t i = 0; i < ELEMENTSOF(no_group); i++) {
                assert_refused(ADD, REFUSAL_GROUP_NON_EXISTENT, no_group[i],
                               add_member(w, no_group[i], "/tcp/10.0.0.1:3260", &g, &t, &why));
                assert_refused(ADD, REFUSAL_GROUP_NON_EXISTENT, no_group[i],
                               add_member(w, no_group[i], "/nothing", &g, &t, &why));
        }
        for (size_t i = 0; i < ELEMENTSOF(no_endpoint); i++)
                assert_refused(ADD, REFUSAL_ENDPOINT_NON_EXISTENT, no_endpoint[i],
                               add_member(w, "/group/1", no_endpoint[i], &g, &t, &why));
        assert_refused(ADD, REFUSAL_INVALID_PARAMETER, "10.0.0.1:860|\"fast\"",
                       add_member(w, "/group/1", "/tcp/10.0.0.1:860", &g, &t, &why));
        assert_refused(ADD, REFUSAL_INVALID_PARAMETER, "10.0.0.1:3260|\"default\"",
                       add_member(w, "/group/0", "/tcp/10.0.0.1:3260", &g, &t, &why));

        assert_allowed(add_member(w, "/group/3", "/tcp/10.0.0.2:3260", &g, &t, &why)); /* in use: no matter */
        g_assert_true(g == group(w->r, 3) && t == tcp(w->r, "10.0.0.2:3260"));
        assert_allowed(add_member(w, "/group/0", "/tcp/10.0.0.1:5000", &g, &t, &why));
        assert_allowed(add_member(w, "/group/3", "/tcp/10.0.9.9:860", &g, &t, &why)); /* its address is not there: no matter */
}

static int remove_member(World *w, const char *group_path, const char *tcp_path, char **ret_why) {
        Reference g = reference(w, group_path), t = reference(w, tcp_path);
        PortalGroup *ret_group = NULL;
        TcpEndpoint *ret = NULL;
        int r;

        r = check_remove_member(w->model, &g, &t, &ret_group, &ret, ret_why);
        if (r == 0)
                g_assert_true(&ret_group->object == g.object && &ret->object == t.object);
        else
                g_assert_true(!ret_group && !ret);
        return r;
}

static void test_remove(void) {
        g_autoptr(World) w = world_new();

        for (size_t i = 0; i < ELEMENTSOF(no_group); i++) {
                assert_refused(REMOVE, REFUSAL_GROUP_NON_EXISTENT, no_group[i],
                               remove_member(w, no_group[i], "/tcp/10.0.0.1:3260", &why));
                assert_refused(REMOVE, REFUSAL_GROUP_NON_EXISTENT, no_group[i], remove_member(w, no_group[i], "/nothing", &why));
        }
        for (size_t i = 0; i < ELEMENTSOF(no_endpoint); i++)
                assert_refused(REMOVE, REFUSAL_ENDPOINT_NON_EXISTENT, no_endpoint[i],
                               remove_member(w, "/group/1", no_endpoint[i], &why));
        assert_refused(REMOVE, REFUSAL_INVALID_PARAMETER, "10.0.0.1:860|\"empty\"",
                       remove_member(w, "/group/3", "/tcp/10.0.0.1:860", &why));
        assert_refused(REMOVE, REFUSAL_NOT_SUPPORTED, "10.0.0.1:3260|\"default\"",
                       remove_member(w, "/group/0", "/tcp/10.0.0.1:3260", &why));

        assert_allowed(remove_member(w, "/group/1", "/tcp/10.0.0.1:860", &why));
        assert_allowed(remove_member(w, "/group/2", "/tcp/10.0.0.1:3260", &why));
        assert_allowed(remove_member(w, "/group/0", "/tcp/10.0.9.9:860", &why));
}

/* A port's portals are in one group, and stay so. */
static void test_remove_in_use(void) {
        g_autoptr(World) w = world_new();

        add_port(w->r, node(w->r, NODE_A), ROLE_TARGET, 7, "10.0.0.1:860 10.0.0.1:3260"); /* group 2 alone has both */
        assert_refused(REMOVE, REFUSAL_ENDPOINT_IN_USE, "10.0.0.1:860|000000000007|" NODE_A "|\"both\"",
                       remove_member(w, "/group/2", "/tcp/10.0.0.1:860", &why));
        assert_refused(REMOVE, REFUSAL_ENDPOINT_IN_USE, "10.0.0.1:3260|000000000007|" NODE_A "|\"both\"",
                       remove_member(w, "/group/2", "/tcp/10.0.0.1:3260", &why));
        assert_allowed(remove_member(w, "/group/1", "/tcp/10.0.0.1:860", &why)); /* does not hold them together */

        /* Another group takes them over. */
        g_assert_cmpint(model_add_member(w->model, group(w->r, 3), tcp(w->r, "10.0.0.1:860")), ==, 0);
        assert_refused(REMOVE, REFUSAL_ENDPOINT_IN_USE, "10.0.0.1:860|000000000007",
                       remove_member(w, "/group/2", "/tcp/10.0.0.1:860", &why));
        g_assert_cmpint(model_add_member(w->model, group(w->r, 3), tcp(w->r, "10.0.0.1:3260")), ==, 0);
        assert_allowed(remove_member(w, "/group/2", "/tcp/10.0.0.1:860", &why));
        assert_allowed(remove_member(w, "/group/3", "/tcp/10.0.0.1:860", &why));

        /* Of two ports one may depend on the group. */
        add_port(w->r, node(w->r, NODE_T), ROLE_TARGET, 8, "10.0.0.1:860 10.0.0.3:860");
        assert_refused(REMOVE, REFUSAL_ENDPOINT_IN_USE, "10.0.0.1:860|000000000008|" NODE_T "|\"fast\"",
                       remove_member(w, "/group/1", "/tcp/10.0.0.1:860", &why));
}

/* A port that another program made has portals that no group holds together: no group's member is kept for it. */
static void test_remove_of_foreign_port(void) {
        g_autoptr(World) w = world_new();

        assert_allowed(remove_member(w, "/group/1", "/tcp/10.0.0.3:860", &why));
        g_assert_cmpint(model_add_member(w->model, group(w->r, 1), tcp(w->r, "[::]:3260")), ==, 0);
        assert_refused(REMOVE, REFUSAL_ENDPOINT_IN_USE, "10.0.0.3:860|000000000001|" NODE_U "|\"fast\"",
                       remove_member(w, "/group/1", "/tcp/10.0.0.3:860", &why));
}

typedef struct DeclareCase {
        const char *address, *element_name;
        Refusal refusal;
        const char *names; /* or the address that results */
} DeclareCase;

static const DeclareCase declare_cases[] = {
        { "192.0.2.1", "", 0, "192.0.2.1" },
        { "192.0.2.1", "service address of the cluster", 0, "192.0.2.1" },
        { "2001:DB8::0001", "", 0, "2001:db8::1" },
        { "fe80::1%eth0", "", 0, "fe80::1%eth0" },
        { "10.0.0.1", "", 0, "10.0.0.1" }, /* is on this host: it stays known when it goes */
        { "192.0.2.1", "a\nb", REFUSAL_INVALID_PARAMETER, "ElementName|control" },
        { "x", "a\nb", REFUSAL_INVALID_PARAMETER, "ElementName|control" },
        { "", "", REFUSAL_INVALID_PARAMETER, "\"\"" },
        { "host.example.com", "", REFUSAL_INVALID_PARAMETER, "\"host.example.com\"" },
        { "192.0.2.1:3260", "", REFUSAL_INVALID_PARAMETER, "\"192.0.2.1:3260\"" },
        { "[2001:db8::1]", "", REFUSAL_INVALID_PARAMETER, "\"[2001:db8::1]\"|brackets" },
        { "fe80::1", "", REFUSAL_INVALID_PARAMETER, "\"fe80::1\"|%interface" },
        { "2001:db8::1%eth0", "", REFUSAL_INVALID_PARAMETER, "\"2001:db8::1%eth0\"" },
        { "192.0.2.1\n", "", REFUSAL_INVALID_PARAMETER, "\"192.0.2.1?\"" },
        { "0.0.0.0", "", REFUSAL_INVALID_PARAMETER, "0.0.0.0|all addresses" },
        { "::", "", REFUSAL_INVALID_PARAMETER, "::|all addresses" },
        { "192.0.2.9", "", REFUSAL_ADDRESS_EXISTS, "192.0.2.9" },
};

static void test_declare(void) {
        g_autoptr(World) w = world_new();
        IpAddress declared = address("192.0.2.9");

        g_assert_cmpint(model_declare_address(w->model, &declared, ""), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(declare_cases); i++) {
                const DeclareCase *c = declare_cases + i;
                char text[IP_ADDRESS_TEXT_MAX];
                IpAddress a;

                if (c->refusal != REFUSAL_NONE) {
                        assert_refused(&method_declare_address, c->refusal, c->names,
                                       check_declare_address(w->model, c->address, c->element_name, &a, &why));
                        continue;
                }
                assert_allowed(check_declare_address(w->model, c->address, c->element_name, &a, &why));
                g_assert_cmpstr(ip_address_to_text(&a, text), ==, c->names);
        }
}

static int retract(World *w, const char *path, char **ret_why) {
        Reference r = reference(w, path);
        IpEndpoint *i = NULL;
        int answer = check_retract_address(w->model, &r, &i, ret_why);

        g_assert_true(answer != 0 ? !i : &i->object == r.object);
        return answer;
}

static void test_retract(void) {
        static const char *const none[] = { "/none", "/ip/192.0.2.1", "/tcp/10.0.0.1:3260", "/group/0", "/node/" NODE_A };
        const Method *m = &method_retract_address;
        g_autoptr(World) w = world_new();
        IpAddress declared[] = { address("192.0.2.9"), address("10.0.0.2") };

        for (size_t i = 0; i < ELEMENTSOF(none); i++)
                assert_refused(m, REFUSAL_ENDPOINT_NON_EXISTENT, none[i], retract(w, none[i], &why));
        assert_refused(m, REFUSAL_NOT_SUPPORTED, "10.0.0.2|declared", retract(w, "/ip/10.0.0.2", &why));

        for (size_t i = 0; i < ELEMENTSOF(declared); i++)
                g_assert_cmpint(model_declare_address(w->model, declared + i, ""), ==, 0);
        assert_allowed(retract(w, "/ip/192.0.2.9", &why));
        assert_allowed(retract(w, "/ip/10.0.0.2", &why)); /* ports bind to it, and it is on this host */

        /* Ports in either role rely on the declaration. */
        add_port(w->r, node(w->r, NODE_T), ROLE_TARGET, 9, "192.0.2.9:3260");
        assert_refused(m, REFUSAL_ENDPOINT_IN_USE, "192.0.2.9|000000000009|" NODE_T, retract(w, "/ip/192.0.2.9", &why));
        remove_address(w->r, "10.0.0.2");
        assert_refused(m, REFUSAL_ENDPOINT_IN_USE, "10.0.0.2|" NODE_A, retract(w, "/ip/10.0.0.2", &why));
}

/* A port can bind to what is declared, until it is being taken back. */
static void test_declared_is_bound(void) {
        g_autoptr(World) w = world_new();
        IpAddress declared = address("192.0.2.9");
        Reference node_a = reference(w, "/node/" NODE_A), portal;
        CreatePortRequest q = { .node = node_a, .role = ROLE_TARGET, .identifier = "", .portals = &portal, .n_portals = 1 };
        CreatePortPlan plan;

        g_assert_cmpint(model_declare_address(w->model, &declared, ""), ==, 0);
        portal = reference(w, "/tcp/192.0.2.9:3260");
        assert_allowed(check_create_port(w->model, &w->abilities, &q, &plan, &why));
        ip(w->r, "192.0.2.9")->leaving = true;
        assert_refused(&method_create_port, REFUSAL_TCP_NOT_BOUND, "192.0.2.9:3260|CreateIPProtocolEndpoint",
                       check_create_port(w->model, &w->abilities, &q, &plan, &why));
        ip(w->r, "192.0.2.9")->leaving = false;
}

static void test_coverage(void) {
        assert_covered(CREATE, REFUSAL_NONE, (const Refusal[]){ REFUSAL_INVALID_PARAMETER, REFUSAL_NONE });
        assert_covered(DELETE, REFUSAL_NONE, (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_NONE });
        assert_covered(CREATE_GROUP, REFUSAL_NONE,
                       (const Refusal[]){ REFUSAL_INVALID_PARAMETER, REFUSAL_LIMIT_REACHED, REFUSAL_NONE });
        assert_covered(DELETE_GROUP, REFUSAL_NONE, (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_NONE });
        assert_covered(&method_declare_address, REFUSAL_NONE, (const Refusal[]){ REFUSAL_INVALID_PARAMETER, REFUSAL_NONE });
        assert_covered(&method_retract_address, REFUSAL_NONE, (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_NONE });
        assert_covered(ADD, REFUSAL_NONE, (const Refusal[]){ REFUSAL_INVALID_PARAMETER, REFUSAL_NONE });
        assert_covered(REMOVE, REFUSAL_NONE, (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_INVALID_PARAMETER, REFUSAL_NONE });
}

int main(int argc, char **argv) {
        bool all = argc == 1; /* not a selection of the tests */

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rules-portals/create", test_create);
        g_test_add_func("/rules-portals/delete", test_delete);
        g_test_add_func("/rules-portals/create-group", test_create_group);
        g_test_add_func("/rules-portals/delete-group", test_delete_group);
        g_test_add_func("/rules-portals/add", test_add);
        g_test_add_func("/rules-portals/remove", test_remove);
        g_test_add_func("/rules-portals/remove-in-use", test_remove_in_use);
        g_test_add_func("/rules-portals/remove-of-foreign-port", test_remove_of_foreign_port);
        g_test_add_func("/rules-portals/declare", test_declare);
        g_test_add_func("/rules-portals/retract", test_retract);
        g_test_add_func("/rules-portals/declared-is-bound", test_declared_is_bound);
        if (all)
                g_test_add_func("/rules-portals/coverage", test_coverage);
        return g_test_run();
}
