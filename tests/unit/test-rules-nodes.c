/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rules for nodes, and the limits of all methods. */

#include <errno.h>
#include <string.h>

#include "rules-fixture.h"

#define CREATE METHOD_CREATE_ISCSI_NODE
#define DELETE METHOD_DELETE_ISCSI_NODE
#define NEW "iqn.2001-04.com.example:new"
#define GENERATED "iqn.2003-01.org.linux-iscsi.host:sn.000000000001"

static const uint16_t target[] = { 3 }, initiator[] = { 2 }, both[] = { 2, 3 }, twice[] = { 3, 2, 3 }, zero[] = { 3, 0 },
                      four[] = { 4 };

typedef struct CreateCase {
        const char *alias, *name;
        const uint16_t *roles;
        size_t n_roles;
        Refusal refusal;
        const char *result; /* the name, or what the sentence names */
        unsigned result_roles;
} CreateCase;

#define TEXT_128                                                                                                                 \
        "abcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdef" \
        "ghijklmnop"
#define UMLAUTS_32 "äöüßäöüßäöüßäöüßäöüßäöüßäöüßäöüß"

static const CreateCase create_cases[] = {
        { "", NULL, NULL, 0, 0, GENERATED, ROLE_BIT(3) },
        { "", NEW, NULL, 0, 0, NEW, ROLE_BIT(3) },
        { "", "IQN.2001-04.COM.EXAMPLE:New", target, 1, 0, NEW, ROLE_BIT(3) },
        { "an alias", NEW, initiator, 1, 0, NEW, ROLE_BIT(2) },
        { "Alias of A", NEW, both, 2, 0, NEW, ROLE_BIT(2) | ROLE_BIT(3) }, /* another case, another alias */
        { TEXT_128, NEW, NULL, 0, 0, NEW, ROLE_BIT(3) },
        { UMLAUTS_32 UMLAUTS_32 UMLAUTS_32 UMLAUTS_32, NEW, NULL, 0, 0, NEW, ROLE_BIT(3) }, /* 128 characters, 256 bytes */
        { "naïve \"quoted\" 日本 \U0001F600", NEW, NULL, 0, 0, NEW, ROLE_BIT(3) },

        { TEXT_128 "a", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|129|128" },
        { UMLAUTS_32 UMLAUTS_32 UMLAUTS_32 UMLAUTS_32 "ä", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|129|128" },
        { "a\nb", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|control character" },
        { "\x1b[31m", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|control character" },
        { "a\x7f", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|control character" },
        { "a\x01", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|control character" },
        { "a\xc2\x80", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|control character" },
        { "a\xc2\x9f", NEW, NULL, 0, REFUSAL_INVALID_PARAMETER, "Alias|control character" },
        { "a\xc2\xa0", NEW, NULL, 0, 0, NEW, ROLE_BIT(3) }, /* the first that is none */

        { "", NEW, target, 0, REFUSAL_INVALID_PARAMETER, "Roles|empty" },
        { "", NEW, twice, 3, REFUSAL_INVALID_PARAMETER, "Roles|3 twice" },
        { "", NEW, zero, 2, REFUSAL_INVALID_PARAMETER, "Roles|0" },
        { "", NEW, four, 1, REFUSAL_INVALID_PARAMETER, "Roles|4" },

        { "", "", NULL, 0, REFUSAL_INVALID_PARAMETER, "\"\"|iqn." },
        { "", "disk", NULL, 0, REFUSAL_INVALID_PARAMETER, "\"disk\"|iqn." },
        { "", "iqn.2001-13.com.example:a", NULL, 0, REFUSAL_INVALID_PARAMETER, "\"iqn.2001-13.com.example:a\"|01 to 12" },
        { "", "iqn.2001-04.com.example:a,b", NULL, 0, REFUSAL_INVALID_PARAMETER, "\"iqn.2001-04.com.example:a,b\"|RFC 3722" },
        { "", "iqn.\n\x1b", NULL, 0, REFUSAL_INVALID_PARAMETER, "\"iqn.??\"" },
        /* cut at a whole character: 250 bytes would end within the last ä */
        { "", "a" UMLAUTS_32 UMLAUTS_32 UMLAUTS_32 UMLAUTS_32, NULL, 0, REFUSAL_INVALID_PARAMETER, "\"aäöüßä|äöüß\" is not" },

        { "alias of a", NEW, NULL, 0, REFUSAL_ALIAS_IN_USE, "\"alias of a\"|" NODE_A },
        { "", NODE_A, NULL, 0, REFUSAL_NAME_IN_USE, NODE_A },
        { "", "IQN.2001-04.com.example:A", NULL, 0, REFUSAL_NAME_IN_USE, NODE_A },
        { "", NODE_U, NULL, 0, REFUSAL_NAME_IN_USE, NODE_U "|another program" },

        /* order: alias, roles, name, the alias' use, the name's */
        { "\n", "", zero, 2, REFUSAL_INVALID_PARAMETER, "Alias" },
        { "alias of a", "", zero, 2, REFUSAL_INVALID_PARAMETER, "Roles" },
        { "alias of a", "disk", NULL, 0, REFUSAL_INVALID_PARAMETER, "\"disk\"" },
        { "alias of a", NODE_A, NULL, 0, REFUSAL_ALIAS_IN_USE, "\"alias of a\"" },
};

static int create_node(World *w, const char *alias, const char *name, const uint16_t *roles, size_t n_roles, CreateNodePlan *ret,
                       char **ret_why) {
        CreateNodeRequest q = { .alias = alias, .name = name, .generated = GENERATED, .roles = roles, .n_roles = n_roles };

        return check_create_node(w->model, &w->abilities, &q, ret, ret_why);
}

static void test_create(void) {
        g_autoptr(World) w = world_new();

        for (size_t i = 0; i < ELEMENTSOF(create_cases); i++) {
                const CreateCase *c = create_cases + i;
                g_autofree char *alias = g_strescape(c->alias, NULL), *name = g_strescape(c->name ? c->name : "", NULL);
                CreateNodePlan plan = {};

                g_test_message("\"%s\" \"%s\"", alias, name);
                if (c->refusal != REFUSAL_NONE) {
                        assert_refused(CREATE, c->refusal, c->result,
                                       create_node(w, c->alias, c->name, c->roles, c->n_roles, &plan, &why));
                        g_assert_null(plan.name);
                        continue;
                }
                assert_allowed(create_node(w, c->alias, c->name, c->roles, c->n_roles, &plan, &why));
                g_assert_cmpstr(plan.name, ==, c->result);
                g_assert_cmpuint(plan.roles, ==, c->result_roles);
                free(plan.name);
        }
}

/* A name that the service made may be taken, by whatever accident. */
static void test_create_generated(void) {
        g_autoptr(World) w = world_new();
        CreateNodePlan plan;

        add_node(w->r, GENERATED, ROLE_BIT(3));
        assert_refused(CREATE, REFUSAL_NAME_IN_USE, GENERATED, create_node(w, "", NULL, NULL, 0, &plan, &why));
}

static void test_create_abilities(void) {
        g_autoptr(World) w = world_new();
        CreateNodePlan plan = {};

        w->abilities.roles[ROLE_INITIATOR].available = false;
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "initiator", create_node(w, "", NEW, initiator, 1, &plan, &why));
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "initiator", create_node(w, "", NEW, both, 2, &plan, &why));
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "initiator", create_node(w, "alias of a", NODE_A, both, 2, &plan, &why));
        assert_refused(CREATE, REFUSAL_INVALID_PARAMETER, "\"x\"", create_node(w, "", "x", both, 2, &plan, &why));
        assert_allowed(create_node(w, "", NEW, NULL, 0, &plan, &why));
        free(plan.name);

        w->abilities.roles[ROLE_INITIATOR].available = true;
        w->abilities.roles[ROLE_TARGET].available = false;
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "target", create_node(w, "", NEW, NULL, 0, &plan, &why));
        assert_allowed(create_node(w, "", NEW, initiator, 1, &plan, &why));
        free(plan.name);

        w->abilities.roles[ROLE_INITIATOR].available = false;
        assert_refused(CREATE, REFUSAL_NODE_CREATION_NOT_SUPPORTED, "backend", create_node(w, "\n", "x", zero, 2, &plan, &why));
}

static void test_delete(void) {
        g_autoptr(World) w = world_new();
        static const char *const none[] = {
                "/none", "/", "/node/" NODE_A "/000000000001", "/group/0", "/ip/10.0.0.1", "/tcp/10.0.0.1:3260"
        };
        static const char *const good[] = { "/node/" NODE_A, "/node/" NODE_T, "/node/" NODE_I };
        Node *n = NULL;

        for (size_t i = 0; i < ELEMENTSOF(none); i++) {
                Reference r = reference(w, none[i]);

                assert_refused(DELETE, REFUSAL_NODE_NON_EXISTENT, none[i], check_delete_node(w->model, &r, &n, &why));
        }
        {
                Reference r = reference(w, "/node/" NODE_U);

                assert_refused(DELETE, REFUSAL_NOT_MANAGED, NODE_U, check_delete_node(w->model, &r, &n, &why));
        }
        g_assert_null(n);

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                Reference r = reference(w, good[i]);

                assert_allowed(check_delete_node(w->model, &r, &n, &why));
                g_assert_true(&n->object == r.object);
        }
        {
                /* A port of another program in a node of ours, and not the first of its ports. */
                Reference r = reference(w, "/node/" NODE_A);

                port(w->r, NODE_A, 1)->managed = false;
                assert_refused(DELETE, REFUSAL_NOT_MANAGED, "000000000001|" NODE_A, check_delete_node(w->model, &r, &n, &why));
        }
}

/* At the limit it is refused, below it is not, and a limit says nothing of other methods. */
static void test_limits(void) {
        static const struct {
                Method method;
                const char *what;
        } cases[] = {
                { METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT, " ports" },
                { METHOD_CREATE_ISCSI_NODE, " nodes" },
                { METHOD_CREATE_TCP_PROTOCOL_ENDPOINT, " TCP endpoints" },
                { METHOD_CREATE_PORTAL_GROUP, " portal groups" },
        };
        g_autoptr(World) w = world_new();
        const ModelCounts *c = model_counts(w->model);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Abilities a = w->abilities;
                unsigned *limits[] = { &a.max.ports, &a.max.nodes, &a.max.tcp_endpoints, &a.max.portal_groups };
                unsigned counts[] = { c->ports, c->nodes, c->tcp_endpoints, c->portal_groups };
                g_autofree char *names = g_strdup_printf(" %u |%s", counts[i], cases[i].what);

                g_assert_cmpuint(counts[i], >, 0);
                assert_allowed(check_limits(w->model, &a, cases[i].method, 1, &why));
                *limits[i] = counts[i] + 1;
                assert_allowed(check_limits(w->model, &a, cases[i].method, 1, &why));
                *limits[i] = counts[i];
                assert_refused(cases[i].method, REFUSAL_LIMIT_REACHED, names,
                               check_limits(w->model, &a, cases[i].method, 1, &why));
                *limits[i] = 0; /* as after a change of the configuration */
                assert_refused(cases[i].method, REFUSAL_LIMIT_REACHED, names,
                               check_limits(w->model, &a, cases[i].method, 1, &why));

                for (Method m = 0; m < _METHOD_MAX; m++)
                        if (m != cases[i].method)
                                assert_allowed(check_limits(w->model, &a, m, 1, &why));
        }
}

static void test_limit_of_portals(void) {
        g_autoptr(World) w = world_new();
        Method m = METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT;

        assert_allowed(check_limits(w->model, &w->abilities, m, 0, &why));
        assert_allowed(check_limits(w->model, &w->abilities, m, LIMIT_PORTALS_PER_PORT, &why));
        assert_refused(m, REFUSAL_LIMIT_REACHED, "65|64", check_limits(w->model, &w->abilities, m, 65, &why));
        assert_refused(m, REFUSAL_LIMIT_REACHED, "NetworkPortals|1000000",
                       check_limits(w->model, &w->abilities, m, 1000000, &why));
        w->abilities.max.portals_per_port = 2;
        assert_allowed(check_limits(w->model, &w->abilities, m, 2, &why));
        assert_refused(m, REFUSAL_LIMIT_REACHED, "NetworkPortals has 3|2", check_limits(w->model, &w->abilities, m, 3, &why));
}

/* What counts: everything that a caller can make, whoever made it; not what comes with the host. */
static void test_counted(void) {
        g_autoptr(Recorder) r = recorder_new();
        const ModelCounts *c = model_counts(r->model);
        Port *unpublished;

        add_address(r, "10.0.0.1");
        g_assert_cmpuint(c->tcp_endpoints, ==, 0);
        g_assert_cmpuint(c->portal_groups, ==, 0); /* the built-in one is none */
        g_assert_cmpint(try_add_port(r, add_node(r, NODE_A, ROLE_BIT(3)), ROLE_TARGET, 1, "10.0.0.1:5000", &unpublished), ==, 0);
        g_assert_cmpuint(c->ports, ==, 1); /* under way: else many at once would pass */
        g_assert_cmpuint(c->tcp_endpoints, ==, 0);
}

static void test_coverage(void) {
        assert_covered(CREATE, REFUSAL_NONE,
                       (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_INVALID_PARAMETER, REFUSAL_NAME_IN_USE,
                                          REFUSAL_LIMIT_REACHED, REFUSAL_NONE });
        /* Only the backend knows of sessions. */
        assert_covered(DELETE, REFUSAL_SESSIONS_ACTIVE, (const Refusal[]){ REFUSAL_NOT_MANAGED, REFUSAL_NONE });
}

int main(int argc, char **argv) {
        bool all = argc == 1; /* not a selection of the tests */

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rules-nodes/create", test_create);
        g_test_add_func("/rules-nodes/create-generated", test_create_generated);
        g_test_add_func("/rules-nodes/create-abilities", test_create_abilities);
        g_test_add_func("/rules-nodes/delete", test_delete);
        g_test_add_func("/rules-nodes/limits", test_limits);
        g_test_add_func("/rules-nodes/limit-of-portals", test_limit_of_portals);
        g_test_add_func("/rules-nodes/counted", test_counted);
        if (all)
                g_test_add_func("/rules-nodes/coverage", test_coverage);
        return g_test_run();
}
