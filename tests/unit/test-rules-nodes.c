/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rules for nodes, and the limits of all methods. */

#include <errno.h>
#include <string.h>

#include "rules-answers.h"

#define CREATE &method_create_node
#define DELETE &method_delete_node
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

/* At the limit it is refused, below it is not, and a limit says nothing of other kinds. */
static void test_limits(void) {
        static const struct {
                ObjectType kind;
                const Method *method;
                const char *what;
        } cases[] = {
                { OBJECT_PORT, &method_create_port, " ports" },
                { OBJECT_NODE, &method_create_node, " nodes" },
                { OBJECT_TCP_ENDPOINT, &method_create_tcp_endpoint, " TCP endpoints" },
                { OBJECT_PORTAL_GROUP, &method_create_portal_group, " portal groups" },
        };
        g_autoptr(World) w = world_new();
        const ModelCounts *c = model_counts(w->model);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Abilities a = w->abilities;
                unsigned *limits[] = { &a.max.ports, &a.max.nodes, &a.max.tcp_endpoints, &a.max.portal_groups };
                unsigned counts[] = { c->ports, c->nodes, c->tcp_endpoints, c->portal_groups };
                g_autofree char *names = g_strdup_printf(" %u |%s", counts[i], cases[i].what);

                g_assert_cmpuint(counts[i], >, 0);
                assert_allowed(check_limits(w->model, &a, cases[i].kind, &why));
                *limits[i] = counts[i] + 1;
                assert_allowed(check_limits(w->model, &a, cases[i].kind, &why));
                *limits[i] = counts[i];
                assert_refused(cases[i].method, REFUSAL_LIMIT_REACHED, names, check_limits(w->model, &a, cases[i].kind, &why));
                *limits[i] = 0; /* as after a change of the configuration */
                assert_refused(cases[i].method, REFUSAL_LIMIT_REACHED, names, check_limits(w->model, &a, cases[i].kind, &why));

                for (ObjectType k = 0; k < _OBJECT_TYPE_MAX; k++)
                        if (k != cases[i].kind)
                                assert_allowed(check_limits(w->model, &a, k, &why));
        }
}

/* The size of all objects together is a limit of every kind. */
static void test_limit_of_bytes(void) {
        g_autoptr(World) w = world_new();
        size_t bytes = model_counts(w->model)->bytes;

        g_assert_cmpuint(bytes, >, 0);
        for (ObjectType k = 0; k < _OBJECT_TYPE_MAX; k++) {
                w->abilities.max.bytes = bytes + 1;
                assert_allowed(check_limits(w->model, &w->abilities, k, &why));
                w->abilities.max.bytes = bytes;
                assert_refused(&method_bind_port, REFUSAL_LIMIT_REACHED, "KiB", check_limits(w->model, &w->abilities, k, &why));
                assert_refused(&method_bind_port, REFUSAL_LIMIT_REACHED, "KiB",
                               check_limit_of_bytes(w->model, &w->abilities, &why));
                w->abilities.max.bytes = 0; /* none */
                assert_allowed(check_limits(w->model, &w->abilities, k, &why));
        }
}

static void test_limit_of_addresses(void) {
        g_autoptr(World) w = world_new();

        for (unsigned i = 0; i < limits_default.ip_endpoints; i++) {
                g_autofree char *text = g_strdup_printf("10.1.%u.%u", i / 256, i % 256);
                IpAddress a = address(text);

                assert_allowed(check_limits(w->model, &w->abilities, OBJECT_IP_ENDPOINT, &why));
                g_assert_cmpint(model_declare_address(w->model, &a, ""), ==, 0);
        }
        assert_refused(&method_declare_address, REFUSAL_LIMIT_REACHED, "4096 declared addresses",
                       check_limits(w->model, &w->abilities, OBJECT_IP_ENDPOINT, &why));
        assert_allowed(check_limits(w->model, &w->abilities, OBJECT_TCP_ENDPOINT, &why));
}

/* N portals, none of which is there. */
static int create_with_portals(World *w, size_t n, char **ret_why) {
        g_autofree Reference *portals = g_new0(Reference, n);
        g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
        CreatePortRequest q = {
                .node = reference(w, "/node/" NODE_A), .role = ROLE_TARGET, .identifier = "", .portals = portals, .n_portals = n
        };
        CreatePortPlan plan;

        for (size_t i = 0; i < n; i++) {
                g_ptr_array_add(texts, g_strdup_printf("/none/%zu", i));
                portals[i].text = texts->pdata[i];
        }
        return check_create_port(w->model, &w->abilities, &q, &plan, ret_why);
}

static void test_limit_of_portals(void) {
        g_autoptr(World) w = world_new();
        const Method *m = &method_create_port;

        assert_refused(m, REFUSAL_INVALID_PARAMETER, "NetworkPortals is empty", create_with_portals(w, 0, &why));
        assert_refused(m, REFUSAL_ENDPOINT_NON_EXISTENT, "/none/0", create_with_portals(w, LIMIT_PORTALS_PER_PORT, &why));
        assert_refused(m, REFUSAL_LIMIT_REACHED, "65|64", create_with_portals(w, 65, &why));
        assert_refused(m, REFUSAL_LIMIT_REACHED, "NetworkPortals|10000", create_with_portals(w, 10000, &why));
        w->abilities.max.portals_per_port = 2;
        assert_refused(m, REFUSAL_ENDPOINT_NON_EXISTENT, "/none/0", create_with_portals(w, 2, &why));
        assert_refused(m, REFUSAL_LIMIT_REACHED, "NetworkPortals has 3|2", create_with_portals(w, 3, &why));
}

typedef struct ModifyCase {
        const char *node, *alias, *drift;
        Refusal refusal;
        const char *names; /* or the alias that results */
        DriftPolicy policy;
} ModifyCase;

static const ModifyCase modify_cases[] = {
        { "/node/" NODE_A, NULL, NULL, 0, "alias of a", DRIFT_DEFAULT },
        { "/node/" NODE_A, "", NULL, 0, "", DRIFT_DEFAULT },
        { "/node/" NODE_A, "alias of a", "enforce", 0, "alias of a", DRIFT_ENFORCE }, /* its own is no other's */
        { "/node/" NODE_T, "new", "report", 0, "new", DRIFT_REPORT },
        { "/node/" NODE_T, NULL, "default", 0, "", DRIFT_DEFAULT },
        { "/none", "\n", "x", REFUSAL_NODE_NON_EXISTENT, "/none" },
        { "/node/" NODE_A "/000000000001", NULL, NULL, REFUSAL_NODE_NON_EXISTENT, NODE_A "/000000000001" },
        { "/node/" NODE_A, NULL, "", REFUSAL_INVALID_PARAMETER, "DriftPolicy \"\"|default, report and enforce" },
        { "/node/" NODE_A, NULL, "inherit", REFUSAL_INVALID_PARAMETER, "\"inherit\"" },
        { "/node/" NODE_A, NULL, "Enforce", REFUSAL_INVALID_PARAMETER, "\"Enforce\"" },
        { "/node/" NODE_A, "\n", "Enforce", REFUSAL_INVALID_PARAMETER, "\"Enforce\"" },
        { "/node/" NODE_A, "a\nb", NULL, REFUSAL_INVALID_PARAMETER, "Alias|control" },
        { "/node/" NODE_A, TEXT_128 "a", NULL, REFUSAL_INVALID_PARAMETER, "Alias|129|128" },
        { "/node/" NODE_T, "alias of a", NULL, REFUSAL_ALIAS_IN_USE, "\"alias of a\"|" NODE_A },
        { "/node/" NODE_U, "alias of a", NULL, REFUSAL_ALIAS_IN_USE, "\"alias of a\"|" NODE_A },
        { "/node/" NODE_U, "free", NULL, REFUSAL_NOT_MANAGED, NODE_U },
};

static void test_modify(void) {
        g_autoptr(World) w = world_new();

        for (size_t i = 0; i < ELEMENTSOF(modify_cases); i++) {
                const ModifyCase *c = modify_cases + i;
                ModifyNodeRequest q = { reference(w, c->node), c->alias, c->drift };
                ModifyNodePlan plan = {};

                if (c->refusal != REFUSAL_NONE) {
                        assert_refused(&method_modify_node, c->refusal, c->names, check_modify_node(w->model, &q, &plan, &why));
                        g_assert_null(plan.node);
                        continue;
                }
                assert_allowed(check_modify_node(w->model, &q, &plan, &why));
                g_assert_true(&plan.node->object == q.node.object);
                g_assert_cmpstr(plan.alias, ==, c->names);
                g_assert_cmpint(plan.drift, ==, c->policy);
        }
}

static void test_modify_removal(void) {
        g_autoptr(World) w = world_new();
        ModifyNodeRequest q = { reference(w, "/node/" NODE_T), "x", NULL };
        ModifyNodePlan plan;

        node(w->r, NODE_T)->removal = 1;
        assert_refused(&method_modify_node, REFUSAL_BUSY, NODE_T "|deleted", check_modify_node(w->model, &q, &plan, &why));
}

static int adopt(World *w, const char *path, char **ret_why) {
        Reference r = reference(w, path);
        Node *n = NULL;
        int answer = check_adopt_node(w->model, &r, &n, ret_why);

        g_assert_true(answer != 0 ? !n : &n->object == r.object);
        return answer;
}

static void test_adopt(void) {
        g_autoptr(World) w = world_new();
        const Method *m = &method_adopt_node;
        Node *n;

        assert_refused(m, REFUSAL_NODE_NON_EXISTENT, "/none", adopt(w, "/none", &why));
        assert_refused(m, REFUSAL_NODE_NON_EXISTENT, "/group/0", adopt(w, "/group/0", &why));
        assert_refused(m, REFUSAL_NOT_SUPPORTED, NODE_U "|initiator", adopt(w, "/node/" NODE_U, &why));
        node(w->r, NODE_U)->roles = ROLE_BIT(ROLE_TARGET);
        assert_allowed(adopt(w, "/node/" NODE_U, &why));
        assert_allowed(adopt(w, "/node/" NODE_A, &why)); /* one of ours: nothing to do */

        /* What other programs make has any name, and ports without portals. */
        g_assert_cmpint(model_add_node(w->model, "iqn.2001-04.com.example:X", "", ROLE_BIT(3), false, &n), ==, 0);
        g_assert_cmpint(model_publish_node(w->model, n), ==, 0);
        assert_refused(m, REFUSAL_NOT_SUPPORTED, "iqn.2001-04.com.example:X|lower case",
                       adopt(w, "/node/iqn.2001-04.com.example:X", &why));
        g_assert_cmpint(model_add_node(w->model, "disk", "", ROLE_BIT(3), false, &n), ==, 0);
        g_assert_cmpint(model_publish_node(w->model, n), ==, 0);
        assert_refused(m, REFUSAL_NOT_SUPPORTED, "disk|iqn.", adopt(w, "/node/disk", &why));
        add_port(w->r, node(w->r, NODE_U), ROLE_TARGET, 9, "")->managed = false;
        assert_refused(m, REFUSAL_NOT_SUPPORTED, "000000000009|" NODE_U, adopt(w, "/node/" NODE_U, &why));
}

static int release(World *w, const char *path, char **ret_why) {
        Reference r = reference(w, path);
        Node *n = NULL;

        return check_release_node(w->model, &r, &n, ret_why);
}

static void test_release(void) {
        g_autoptr(World) w = world_new();
        const Method *m = &method_release_node;

        assert_refused(m, REFUSAL_NODE_NON_EXISTENT, "/none", release(w, "/none", &why));
        assert_refused(m, REFUSAL_NODE_NON_EXISTENT, "/ip/10.0.0.1", release(w, "/ip/10.0.0.1", &why));
        assert_refused(m, REFUSAL_NOT_SUPPORTED, NODE_A "|initiator", release(w, "/node/" NODE_A, &why));
        assert_refused(m, REFUSAL_NOT_SUPPORTED, NODE_I "|initiator", release(w, "/node/" NODE_I, &why));
        assert_allowed(release(w, "/node/" NODE_T, &why));
        node(w->r, NODE_T)->removal = 1;
        assert_refused(m, REFUSAL_BUSY, NODE_T "|deleted", release(w, "/node/" NODE_T, &why));
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
        assert_covered(&method_modify_node, REFUSAL_NONE,
                       (const Refusal[]){ REFUSAL_INVALID_PARAMETER, REFUSAL_NOT_MANAGED, REFUSAL_NONE });
        assert_covered(&method_adopt_node, REFUSAL_NONE, (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_NONE });
        assert_covered(&method_release_node, REFUSAL_NONE,
                       (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_BUSY, REFUSAL_NONE });
}

int main(int argc, char **argv) {
        bool all = argc == 1; /* not a selection of the tests */

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rules-nodes/create", test_create);
        g_test_add_func("/rules-nodes/create-generated", test_create_generated);
        g_test_add_func("/rules-nodes/create-abilities", test_create_abilities);
        g_test_add_func("/rules-nodes/delete", test_delete);
        g_test_add_func("/rules-nodes/limits", test_limits);
        g_test_add_func("/rules-nodes/limit-of-bytes", test_limit_of_bytes);
        g_test_add_func("/rules-nodes/limit-of-addresses", test_limit_of_addresses);
        g_test_add_func("/rules-nodes/limit-of-portals", test_limit_of_portals);
        g_test_add_func("/rules-nodes/modify", test_modify);
        g_test_add_func("/rules-nodes/modify-removal", test_modify_removal);
        g_test_add_func("/rules-nodes/adopt", test_adopt);
        g_test_add_func("/rules-nodes/release", test_release);
        g_test_add_func("/rules-nodes/counted", test_counted);
        if (all)
                g_test_add_func("/rules-nodes/coverage", test_coverage);
        return g_test_run();
}
