/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rules for nodes and ports, one by one; their order is in test-rules-order.c. */

#include <errno.h>
#include <string.h>

#include "rules-answers.h"

#define CREATE &method_create_port
#define DELETE &method_delete_port
#define BIND &method_bind_port
#define UNBIND &method_unbind_port
#define PORT_A1 "/node/" NODE_A "/000000000001"
#define PORT_AI "/node/" NODE_A "/00023D000001"
#define PORT_T2 "/node/" NODE_T "/000000000002"
#define PORT_U1 "/node/" NODE_U "/000000000001"
#define PORT_UI "/node/" NODE_U "/00023D000002"

/* PORTALS: separated by blanks. */
static int create_port(World *w, const char *node_path, uint16_t role, const char *identifier, const char *portals,
                       CreatePortPlan *ret, char **ret_why) {
        g_auto(GStrv) texts = g_strsplit(portals, " ", -1);
        size_t n = g_strv_length(texts);
        g_autofree Reference *references = g_new(Reference, n);
        CreatePortRequest q = {
                .node = reference(w, node_path),
                .role = role,
                .identifier = identifier,
                .portals = references,
                .n_portals = n,
        };

        for (size_t i = 0; i < n; i++)
                references[i] = reference(w, texts[i]);
        return check_create_port(w->model, &w->abilities, &q, ret, ret_why);
}

typedef struct CreateCase {
        const char *node;
        uint16_t role;
        const char *identifier, *portals;
        Refusal refusal;
        const char *names;
        uint64_t chosen; /* of what is allowed */
} CreateCase;

#define GOOD(node, role, identifier, portals, chosen) \
        { "/node/" node, role, identifier, portals, REFUSAL_NONE, NULL, chosen }

static const CreateCase create_cases[] = {
        GOOD(NODE_A, 3, "", "/tcp/10.0.0.1:3260", 2),
        GOOD(NODE_A, 3, "000000000000", "/tcp/10.0.0.1:3260", 0), /* legal: RFC 7143 §13.9 */
        GOOD(NODE_A, 3, "00000000FFFF", "/tcp/10.0.0.1:3260", 0xFFFF),
        GOOD(NODE_A, 3, "00000000000a", "/tcp/10.0.0.1:3260 /tcp/10.0.0.3:3260 /tcp/[::]:3260", 0xA),
        GOOD(NODE_T, 3, "000000000001", "/tcp/10.0.0.1:3260", 1), /* A has the tag too */
        GOOD(NODE_T, 3, "", "/tcp/10.0.0.1:3260", 1),
        GOOD(NODE_A, 3, "", "/tcp/10.0.0.3:3260", 2),        /* T has the portal too */
        GOOD(NODE_A, 2, "", "/ip/10.0.0.2", 0x800000000001), /* another initiator port of A has the address */
        GOOD(NODE_A, 2, "00023d000002", "/ip/10.0.0.1 /ip/10.0.0.2", 0x00023D000002),
        GOOD(NODE_I, 2, "00023D000001", "/ip/10.0.0.1", 0x00023D000001), /* A has the ISID too */
        /* several groups: one that holds all is enough, and the group of another port of the node may be used again */
        GOOD(NODE_A, 3, "", "/tcp/10.0.0.1:860", 2),
        GOOD(NODE_A, 3, "", "/tcp/10.0.0.1:860 /tcp/10.0.0.3:860", 2),
        GOOD(NODE_A, 3, "", "/tcp/10.0.0.1:860 /tcp/10.0.0.1:3260", 2),
        GOOD(NODE_A, 3, "", "/tcp/10.0.0.1:5001 /tcp/10.0.0.1:3260", 2),

        /* 5: shape */
        { "/node/" NODE_A, 0, "", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "Role 0" },
        { "/node/" NODE_A, 1, "", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "Role 1" },
        { "/node/" NODE_A, 4, "", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "Role 4" },
        { "/node/" NODE_A, 65535, "", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "Role 65535" },
        { "/node/" NODE_A, 3, "", "", REFUSAL_INVALID_PARAMETER, "NetworkPortals" },
        { "/node/" NODE_A, 2, "", "", REFUSAL_INVALID_PARAMETER, "NetworkPortals" },
        { "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:3260 /tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "/tcp/10.0.0.1:3260" },
        { "/node/" NODE_A, 2, "", "/ip/10.0.0.1 /ip/10.0.0.3 /ip/10.0.0.1", REFUSAL_INVALID_PARAMETER, "/ip/10.0.0.1" },
        { "/node/" NODE_A, 3, "", "/none /tcp/10.0.0.1:3260 /none", REFUSAL_INVALID_PARAMETER, "/none" },

        /* 4096 */
        { "/node/none", 3, "", "/tcp/10.0.0.1:3260", REFUSAL_NODE_NON_EXISTENT, "/node/none" },
        { "/", 3, "", "/tcp/10.0.0.1:3260", REFUSAL_NODE_NON_EXISTENT, "/ " },
        { PORT_A1, 3, "", "/tcp/10.0.0.1:3260", REFUSAL_NODE_NON_EXISTENT, PORT_A1 },
        { "/tcp/10.0.0.1:3260", 3, "", "/tcp/10.0.0.1:3260", REFUSAL_NODE_NON_EXISTENT, "/tcp/10.0.0.1:3260" },

        /* 4097 */
        { "/node/" NODE_I, 3, "", "/tcp/10.0.0.1:3260", REFUSAL_ROLE_NOT_SUPPORTED, NODE_I "|target" },
        { "/node/" NODE_T, 2, "", "/ip/10.0.0.1", REFUSAL_ROLE_NOT_SUPPORTED, NODE_T "|initiator" },

        /* 5: form of the Identifier */
        { "/node/" NODE_A, 3, "1", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "\"1\"|12 hexadecimal digits" },
        { "/node/" NODE_A, 3, " ", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "\" \"|12 hexadecimal digits" },
        { "/node/" NODE_A, 3, "000000010000", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "\"000000010000\"|16 bits" },
        { "/node/" NODE_A, 2, "C00000000000", "/ip/10.0.0.1", REFUSAL_INVALID_PARAMETER, "\"C00000000000\"|T field" },
        { "/node/" NODE_A, 2, "410000000000", "/ip/10.0.0.1", REFUSAL_INVALID_PARAMETER, "\"410000000000\"|A field" },
        /* a message holds neither half a character nor a control character, and not all of an endless text */
        { "/node/" NODE_A, 3, "1234567890123456789012345678901ä", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER,
          "\"1234567890123456789012345678901\"" },
        { "/node/" NODE_A, 3, "123456789012345678901234567890ä", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER,
          "\"123456789012345678901234567890ä\"" },
        { "/node/" NODE_A, 3, "12345678901234567890123456789\U0001F600", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER,
          "\"12345678901234567890123456789\"" },
        { "/node/" NODE_A, 3, "1\n\x1b[31m2\x7f", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "\"1??[31m2?\"" },
        { "/node/" NODE_A, 3,
          "1\xc2\x9b"
          "31m\xc2\xa0",
          "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "\"1??31m\xc2\xa0\"" },

        /* 4098: numbers are compared, and over both roles */
        { "/node/" NODE_A, 3, "000000000001", "/tcp/10.0.0.1:3260", REFUSAL_IDENTIFIER_IN_USE, NODE_A "|000000000001" },
        { "/node/" NODE_A, 2, "000000000001", "/ip/10.0.0.1", REFUSAL_IDENTIFIER_IN_USE, NODE_A "|000000000001" },
        { "/node/" NODE_A, 2, "00023D000001", "/ip/10.0.0.1", REFUSAL_IDENTIFIER_IN_USE, NODE_A "|00023D000001" },
        { "/node/" NODE_A, 2, "00023d000001", "/ip/10.0.0.1", REFUSAL_IDENTIFIER_IN_USE, NODE_A "|00023D000001" },

        /* 4100 */
        { "/node/" NODE_A, 3, "", "/tcp/none", REFUSAL_ENDPOINT_NON_EXISTENT, "/tcp/none" },
        { "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:3260 /tcp/none", REFUSAL_ENDPOINT_NON_EXISTENT, "/tcp/none" },
        { "/node/" NODE_A, 2, "", "/ip/10.0.9.9", REFUSAL_ENDPOINT_NON_EXISTENT, "/ip/10.0.9.9" }, /* is not on the host */

        /* 5: class */
        { "/node/" NODE_A, 3, "", "/ip/10.0.0.1", REFUSAL_INVALID_PARAMETER, "/ip/10.0.0.1 |TCP endpoint" },
        { "/node/" NODE_A, 3, "", "/node/" NODE_A, REFUSAL_INVALID_PARAMETER, "/node/" NODE_A },
        { "/node/" NODE_A, 3, "", "/group/1", REFUSAL_INVALID_PARAMETER, "/group/1" },
        { "/node/" NODE_A, 3, "", PORT_A1, REFUSAL_INVALID_PARAMETER, PORT_A1 },
        { "/node/" NODE_A, 2, "", "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "/tcp/10.0.0.1:3260|host address" },
        { "/node/" NODE_A, 2, "", "/group/1", REFUSAL_INVALID_PARAMETER, "/group/1" },
        { "/node/" NODE_A, 2, "", "/ip/::", REFUSAL_INVALID_PARAMETER, "/ip/::|wildcard" },

        /* 4101 */
        { "/node/" NODE_A, 3, "", "/tcp/10.0.9.9:860", REFUSAL_TCP_NOT_BOUND, "10.0.9.9:860" },

        /* 4102 */
        { "/node/" NODE_A, 3, "", "/tcp/10.0.0.2:3260", REFUSAL_TCP_IN_USE, "10.0.0.2:3260|000000000001|" NODE_A },
        { "/node/" NODE_T, 3, "", "/tcp/10.0.0.1:3260 /tcp/10.0.0.3:3260", REFUSAL_TCP_IN_USE,
          "10.0.0.3:3260|000000000002|" NODE_T },

        /* 4103 */
        { "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:5000", REFUSAL_NOT_FROM_SAME_COLLECTION, "10.0.0.1:5000" },
        { "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:3260 /tcp/10.0.0.1:5000", REFUSAL_NOT_FROM_SAME_COLLECTION, "10.0.0.1:3260" },
        { "/node/" NODE_A, 3, "", "/tcp/10.0.0.3:3260 /tcp/10.0.0.3:860", REFUSAL_NOT_FROM_SAME_COLLECTION, "10.0.0.3:3260" },
        /* in pairs they share a group, all three do not */
        { "/node/" NODE_A, 3, "", "/tcp/10.0.0.3:860 /tcp/10.0.0.1:860 /tcp/10.0.0.1:3260", REFUSAL_NOT_FROM_SAME_COLLECTION,
          "10.0.0.3:860" },

        /* vendor codes */
        { "/node/" NODE_U, 3, "", "/tcp/10.0.0.1:3260", REFUSAL_NOT_MANAGED, NODE_U },
        { "/node/" NODE_U, 2, "", "/ip/10.0.0.1", REFUSAL_NOT_MANAGED, NODE_U },
};

static void test_create_port(void) {
        g_autoptr(World) w = world_new();

        for (size_t i = 0; i < ELEMENTSOF(create_cases); i++) {
                const CreateCase *c = create_cases + i;
                g_autofree char *identifier = g_strescape(c->identifier, NULL);
                CreatePortPlan plan = {};

                g_test_message("%s %u \"%s\" %s", c->node, c->role, identifier, c->portals);
                if (c->refusal != REFUSAL_NONE) {
                        assert_refused(CREATE, c->refusal, c->names,
                                       create_port(w, c->node, c->role, c->identifier, c->portals, &plan, &why));
                        g_assert_null(plan.node);
                        continue;
                }
                assert_allowed(create_port(w, c->node, c->role, c->identifier, c->portals, &plan, &why));
                g_assert_true(&plan.node->object == model_find_object(w->model, c->node));
                g_assert_cmpuint(plan.identifier, ==, c->chosen);
        }
}

static void test_create_port_abilities(void) {
        g_autoptr(World) w = world_new();
        CreatePortPlan plan;

        w->abilities.roles[ROLE_INITIATOR].available = false;
        assert_allowed(create_port(w, "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:3260", &plan, &why));
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "initiator",
                       create_port(w, "/node/" NODE_A, 2, "", "/ip/10.0.0.1", &plan, &why));
        assert_refused(CREATE, REFUSAL_INVALID_PARAMETER, "Role 9",
                       create_port(w, "/node/" NODE_A, 9, "", "/ip/10.0.0.1", &plan, &why));
        w->abilities.roles[ROLE_TARGET].available = false;
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "target",
                       create_port(w, "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:3260", &plan, &why));
        assert_refused(CREATE, REFUSAL_NOT_SUPPORTED, "role",
                       create_port(w, "/node/" NODE_A, 9, "", "/ip/10.0.0.1", &plan, &why));

        /* Selection is a matter of the role. */
        w->abilities.roles[ROLE_INITIATOR].available = w->abilities.roles[ROLE_TARGET].available = true;
        w->abilities.roles[ROLE_INITIATOR].selects_identifiers = false;
        assert_refused(CREATE, REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED, "initiator|empty",
                       create_port(w, "/node/" NODE_A, 2, "00023D000009", "/ip/10.0.0.1", &plan, &why));
        assert_allowed(create_port(w, "/node/" NODE_A, 2, "", "/ip/10.0.0.1", &plan, &why));
        assert_allowed(create_port(w, "/node/" NODE_A, 3, "000000000009", "/tcp/10.0.0.1:3260", &plan, &why));
        w->abilities.roles[ROLE_TARGET].selects_identifiers = false;
        assert_refused(CREATE, REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED, "target|empty",
                       create_port(w, "/node/" NODE_A, 3, "not even one", "/tcp/10.0.0.1:3260", &plan, &why));
}

/* The Identifier may have been taken by something else: the next try is above it. */
static void test_create_port_minimum(void) {
        g_autoptr(World) w = world_new();
        Reference portals[] = { reference(w, "/tcp/10.0.0.1:3260") };
        CreatePortRequest q = { .node = reference(w, "/node/" NODE_A),
                                .role = 3,
                                .identifier = "",
                                .portals = portals,
                                .n_portals = 1,
                                .minimum = 5 };
        CreatePortPlan plan;

        assert_allowed(check_create_port(w->model, &w->abilities, &q, &plan, &why));
        g_assert_cmpuint(plan.identifier, ==, 5);
        q.minimum = TAG_MAX;
        assert_allowed(check_create_port(w->model, &w->abilities, &q, &plan, &why));
        g_assert_cmpuint(plan.identifier, ==, TAG_MAX);
        q.minimum = TAG_MAX + 1;
        assert_refused(CREATE, REFUSAL_LIMIT_REACHED, NODE_A, check_create_port(w->model, &w->abilities, &q, &plan, &why));
        q.identifier = "000000000005"; /* given: then it does not matter */
        assert_allowed(check_create_port(w->model, &w->abilities, &q, &plan, &why));
        g_assert_cmpuint(plan.identifier, ==, 5);
}

static void test_create_port_many_portals(void) {
        g_autoptr(World) w = world_new();
        g_autoptr(GString) s = g_string_new("");
        CreatePortPlan plan;

        for (unsigned i = 0; i < LIMIT_PORTALS_PER_PORT; i++) {
                g_autofree char *text = g_strdup_printf("10.0.0.1:%u", 20000 + i);

                add_tcp(w->r, text, group(w->r, 0));
                g_string_append_printf(s, "%s/tcp/%s", i ? " " : "", text);
        }
        assert_allowed(create_port(w, "/node/" NODE_A, 3, "", s->str, &plan, &why));

        /* One more, which is good itself. */
        g_string_append(s, " /tcp/10.0.0.1:3260");
        assert_refused(CREATE, REFUSAL_LIMIT_REACHED, "65|64", create_port(w, "/node/" NODE_A, 3, "", s->str, &plan, &why));
        for (unsigned i = 0; i < 1000; i++)
                g_string_append(s, " /x");
        assert_refused(CREATE, REFUSAL_LIMIT_REACHED, "1065|64", create_port(w, "/node/" NODE_A, 3, "", s->str, &plan, &why));
}

/* A path may be as long as a message. The answer to it is not. */
static void test_endless_path(void) {
        g_autoptr(World) w = world_new();
        g_autoptr(GString) s = g_string_new("/node");
        CreatePortPlan plan;

        for (unsigned i = 0; i < 100000; i++)
                g_string_append(s, "/äöü");
        assert_refused(CREATE, REFUSAL_NODE_NON_EXISTENT, "/node/äöü/|…|äöü is not an iSCSI node",
                       create_port(w, s->str, 3, "", "/tcp/10.0.0.1:3260", &plan, &why));
        g_string_insert(s, 0, "/"); /* cuts at another byte of a character */
        assert_refused(CREATE, REFUSAL_NODE_NON_EXISTENT, "//node/äöü/|…|äöü is not an iSCSI node",
                       create_port(w, s->str, 3, "", "/tcp/10.0.0.1:3260", &plan, &why));
}

static void test_delete_port(void) {
        g_autoptr(World) w = world_new();
        static const char *const none[] = { "/none", "/", "/node/" NODE_A, "/tcp/10.0.0.1:3260", "/ip/10.0.0.1", "/group/0" };
        Port *p = NULL;

        for (size_t i = 0; i < ELEMENTSOF(none); i++) {
                Reference r = reference(w, none[i]);

                assert_refused(DELETE, REFUSAL_ENDPOINT_NON_EXISTENT, none[i], check_delete_port(w->model, &r, &p, &why));
        }
        {
                Reference r = reference(w, PORT_U1);

                assert_refused(DELETE, REFUSAL_NOT_MANAGED, "000000000001|" NODE_U, check_delete_port(w->model, &r, &p, &why));
        }
        g_assert_null(p);
        {
                Reference r = reference(w, PORT_AI);

                assert_allowed(check_delete_port(w->model, &r, &p, &why));
                g_assert_true(&p->object == r.object);
        }
}

typedef struct BindCase {
        const char *port, *portal;
        Refusal refusal;
        const char *names;
} BindCase;

static const BindCase bind_cases[] = {
        { PORT_A1, "/tcp/10.0.0.1:3260" },
        { PORT_A1, "/tcp/10.0.0.3:3260" }, /* T has it too */
        { PORT_A1, "/tcp/10.0.0.1:5001" },
        { PORT_AI, "/ip/10.0.0.1" },
        { PORT_T2, "/tcp/[::]:3260" },

        { "/none", "/tcp/10.0.0.1:3260", REFUSAL_ENDPOINT_NON_EXISTENT, "/none" },
        { "/node/" NODE_A, "/tcp/10.0.0.1:3260", REFUSAL_ENDPOINT_NON_EXISTENT, "/node/" NODE_A },
        { "/tcp/10.0.0.1:3260", "/tcp/10.0.0.1:3260", REFUSAL_ENDPOINT_NON_EXISTENT, "/tcp/10.0.0.1:3260" },
        { PORT_A1, "/none", REFUSAL_ENDPOINT_NON_EXISTENT, "/none" },
        { "/none", "/nothing", REFUSAL_ENDPOINT_NON_EXISTENT, "/none" },
        { PORT_AI, "/ip/10.0.9.9", REFUSAL_ENDPOINT_NON_EXISTENT, "/ip/10.0.9.9" },

        { PORT_A1, "/ip/10.0.0.1", REFUSAL_INVALID_PARAMETER, "/ip/10.0.0.1" },
        { PORT_A1, "/group/0", REFUSAL_INVALID_PARAMETER, "/group/0" },
        { PORT_A1, PORT_A1, REFUSAL_INVALID_PARAMETER, PORT_A1 },
        { PORT_AI, "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "/tcp/10.0.0.1:3260" },
        { PORT_AI, "/ip/::", REFUSAL_INVALID_PARAMETER, "/ip/::|wildcard" },
        { PORT_A1, "/tcp/10.0.0.2:3260", REFUSAL_INVALID_PARAMETER, "to 10.0.0.2:3260|000000000001|" NODE_A "|already" },
        { PORT_AI, "/ip/10.0.0.2", REFUSAL_INVALID_PARAMETER, "to 10.0.0.2|00023D000001|" NODE_A "|already" },

        { PORT_A1, "/tcp/10.0.9.9:860", REFUSAL_TCP_NOT_BOUND, "10.0.9.9:860" },
        { PORT_A1, "/tcp/10.0.0.1:860", REFUSAL_NOT_FROM_SAME_COLLECTION, "/tcp/10.0.0.1:860|000000000001" },
        { PORT_A1, "/tcp/10.0.0.1:5000", REFUSAL_NOT_FROM_SAME_COLLECTION, "/tcp/10.0.0.1:5000|000000000001" },

        { PORT_UI, "/ip/10.0.0.1", REFUSAL_NOT_MANAGED, "00023D000002|" NODE_U },
};

static int bind_port(World *w, const char *port_path, const char *portal_path, Port **ret, char **ret_why) {
        Reference p = reference(w, port_path), e = reference(w, portal_path);

        return check_bind_port(w->model, &w->abilities, &p, &e, ret, ret_why);
}

static void test_bind(void) {
        g_autoptr(World) w = world_new();
        Port *ret = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bind_cases); i++) {
                const BindCase *c = bind_cases + i;

                ret = NULL;
                g_test_message("%s %s", c->port, c->portal);
                if (c->refusal != REFUSAL_NONE) {
                        assert_refused(BIND, c->refusal, c->names, bind_port(w, c->port, c->portal, &ret, &why));
                        g_assert_null(ret);
                } else {
                        assert_allowed(bind_port(w, c->port, c->portal, &ret, &why));
                        g_assert_true(&ret->object == model_find_object(w->model, c->port));
                }
        }

        /* Another port of the node has it. */
        add_port(w->r, node(w->r, NODE_A), ROLE_TARGET, 7, "10.0.0.1:3260");
        assert_refused(BIND, REFUSAL_TCP_IN_USE, "10.0.0.1:3260|000000000007|" NODE_A,
                       bind_port(w, PORT_A1, "/tcp/10.0.0.1:3260", &ret, &why));

        /* One that is not published yet counts too. */
        g_assert_cmpint(try_add_port(w->r, node(w->r, NODE_A), ROLE_TARGET, 8, "10.0.0.3:3260", &ret), ==, 0);
        assert_refused(BIND, REFUSAL_TCP_IN_USE, "10.0.0.3:3260|000000000008|" NODE_A,
                       bind_port(w, PORT_A1, "/tcp/10.0.0.3:3260", &ret, &why));

        /* The portal goes with a group that holds those already bound, whichever that is. */
        g_assert_cmpint(model_add_member(w->model, group(w->r, 3), tcp(w->r, "10.0.0.2:3260")), ==, 0);
        g_assert_cmpint(model_add_member(w->model, group(w->r, 3), tcp(w->r, "10.0.0.1:5000")), ==, 0);
        assert_allowed(bind_port(w, PORT_A1, "/tcp/10.0.0.1:5000", &ret, &why));

        w->abilities.roles[ROLE_INITIATOR].available = false;
        assert_refused(BIND, REFUSAL_NOT_SUPPORTED, "initiator", bind_port(w, PORT_AI, "/ip/10.0.0.1", &ret, &why));
        assert_allowed(bind_port(w, PORT_A1, "/tcp/[::]:3260", &ret, &why));
}

static void test_bind_limit(void) {
        g_autoptr(World) w = world_new();
        Port *p = port(w->r, NODE_A, 1), *ret;

        w->abilities.max.portals_per_port = 2;
        assert_allowed(bind_port(w, PORT_A1, "/tcp/10.0.0.1:3260", &ret, &why));
        g_assert_cmpint(model_bind_port(w->model, p, &(Portal){ address("10.0.0.1"), 3260 }), ==, 0);
        assert_refused(BIND, REFUSAL_LIMIT_REACHED, "000000000001|" NODE_A "|2 portals",
                       bind_port(w, PORT_A1, "/tcp/10.0.0.3:3260", &ret, &why));

        /* One that another program made may have more than a port of ours can have. */
        w->abilities.max.portals_per_port = LIMIT_PORTALS_PER_PORT;
        for (uint16_t i = 0; i < LIMIT_PORTALS_PER_PORT + 10; i++)
                g_assert_cmpint(model_bind_port(w->model, p, &(Portal){ address("10.0.0.1"), (uint16_t) (20000 + i) }), ==, 0);
        assert_refused(BIND, REFUSAL_LIMIT_REACHED, "000000000001|" NODE_A "|64",
                       bind_port(w, PORT_A1, "/tcp/10.0.0.3:3260", &ret, &why));
}

static const BindCase unbind_cases[] = {
        { PORT_T2, "/tcp/10.0.0.2:3260" },
        { PORT_T2, "/tcp/10.0.0.3:3260" },
        { "/none", "/tcp/10.0.0.2:3260", REFUSAL_ENDPOINT_NON_EXISTENT, "/none" },
        { "/group/0", "/tcp/10.0.0.2:3260", REFUSAL_ENDPOINT_NON_EXISTENT, "/group/0" },
        { PORT_T2, "/none", REFUSAL_ENDPOINT_NON_EXISTENT, "/none" },
        { PORT_T2, "/tcp/10.0.0.1:3260", REFUSAL_INVALID_PARAMETER, "to 10.0.0.1:3260|000000000002|" NODE_T },
        { PORT_T2, "/ip/10.0.0.2", REFUSAL_INVALID_PARAMETER, "to 10.0.0.2|000000000002" },
        { PORT_T2, "/group/0", REFUSAL_INVALID_PARAMETER, "/group/0|000000000002" },
        { PORT_T2, PORT_T2, REFUSAL_INVALID_PARAMETER, PORT_T2 },
        { PORT_A1, "/tcp/10.0.0.2:3260", REFUSAL_LAST_PORTAL, "10.0.0.2:3260|000000000001|" NODE_A },
        { PORT_AI, "/ip/10.0.0.2", REFUSAL_LAST_PORTAL, "10.0.0.2|00023D000001|" NODE_A },
        { PORT_U1, "/tcp/10.0.0.3:860", REFUSAL_NOT_MANAGED, "000000000001|" NODE_U },
        { PORT_UI, "/ip/10.0.0.3", REFUSAL_NOT_MANAGED, "00023D000002|" NODE_U },
};

static void test_unbind(void) {
        g_autoptr(World) w = world_new();

        for (size_t i = 0; i < ELEMENTSOF(unbind_cases); i++) {
                const BindCase *c = unbind_cases + i;
                Reference p = reference(w, c->port), e = reference(w, c->portal);
                Binding *b = NULL;
                Port *ret = NULL;

                g_test_message("%s %s", c->port, c->portal);
                if (c->refusal != REFUSAL_NONE) {
                        assert_refused(UNBIND, c->refusal, c->names, check_unbind_port(w->model, &p, &e, &ret, &b, &why));
                        g_assert_true(!ret && !b);
                        continue;
                }
                assert_allowed(check_unbind_port(w->model, &p, &e, &ret, &b, &why));
                g_assert_true(&ret->object == p.object && binding_endpoint(b) == e.object && b->port == ret);
        }
}

/* What is being removed can only be removed. */
static void test_removal(void) {
        g_autoptr(World) w = world_new();
        Port *a1 = port(w->r, NODE_A, 1), *t2 = port(w->r, NODE_T, 2), *ret;
        Node *a = node(w->r, NODE_A);
        CreatePortPlan plan;
        Binding *b;

        a1->removal = 7;
        assert_refused(BIND, REFUSAL_BUSY, "000000000001|" NODE_A "|deleted",
                       bind_port(w, PORT_A1, "/tcp/10.0.0.1:3260", &ret, &why));
        {
                Reference r = reference(w, PORT_A1);

                assert_allowed(check_delete_port(w->model, &r, &ret, &why));
        }
        assert_allowed(create_port(w, "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:3260", &plan, &why));

        a->removal = 8;
        assert_refused(CREATE, REFUSAL_BUSY, NODE_A "|deleted",
                       create_port(w, "/node/" NODE_A, 3, "", "/tcp/10.0.0.1:3260", &plan, &why));
        assert_refused(BIND, REFUSAL_BUSY, "Node " NODE_A, bind_port(w, PORT_AI, "/ip/10.0.0.1", &ret, &why));
        {
                Reference r = reference(w, PORT_A1);

                assert_refused(DELETE, REFUSAL_BUSY, "Node " NODE_A, check_delete_port(w->model, &r, &ret, &why));
        }

        /* Of two portals one is being unbound: that goes on, and the other one stays. */
        t2->bindings[0]->removal = 9;
        {
                Reference p = reference(w, PORT_T2), first = reference(w, "/tcp/10.0.0.2:3260"),
                          second = reference(w, "/tcp/10.0.0.3:3260");

                assert_allowed(check_unbind_port(w->model, &p, &first, &ret, &b, &why));
                assert_refused(UNBIND, REFUSAL_LAST_PORTAL, "10.0.0.3:3260",
                               check_unbind_port(w->model, &p, &second, &ret, &b, &why));
                t2->removal = 10;
                assert_refused(UNBIND, REFUSAL_BUSY, "000000000002", check_unbind_port(w->model, &p, &first, &ret, &b, &why));
        }
}

static int request_state(World *w, const char *path, uint16_t state, Port **ret, bool *ret_enable, char **ret_why) {
        Reference r = reference(w, path);

        return check_request_state(w->model, &r, state, ret, ret_enable, ret_why);
}

static void test_request_state(void) {
        static const uint16_t bad[] = { 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 32768, 65535 };
        const Method *m = &method_request_state_change;
        g_autoptr(World) w = world_new();
        bool enable = false;
        Port *p = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autofree char *names = g_strdup_printf("RequestedState %u ", bad[i]);

                assert_refused(m, REFUSAL_INVALID_PARAMETER, names, request_state(w, PORT_A1, bad[i], &p, &enable, &why));
                assert_refused(m, REFUSAL_INVALID_PARAMETER, names, request_state(w, "/none", bad[i], &p, &enable, &why));
        }
        assert_refused(m, REFUSAL_ENDPOINT_NON_EXISTENT, "/none", request_state(w, "/none", 2, &p, &enable, &why));
        assert_refused(m, REFUSAL_ENDPOINT_NON_EXISTENT, "/node/" NODE_A,
                       request_state(w, "/node/" NODE_A, 3, &p, &enable, &why));
        assert_refused(m, REFUSAL_NOT_MANAGED, "000000000001|" NODE_U, request_state(w, PORT_U1, 3, &p, &enable, &why));
        g_assert_null(p);

        assert_allowed(request_state(w, PORT_A1, 2, &p, &enable, &why));
        g_assert_true(p == port(w->r, NODE_A, 1) && enable);
        assert_allowed(request_state(w, PORT_AI, 3, &p, &enable, &why));
        g_assert_true(p == port(w->r, NODE_A, 0x00023D000001) && !enable);

        p->removal = 7;
        assert_refused(m, REFUSAL_INVALID_STATE_TRANSITION, "00023D000001|" NODE_A "|deleted",
                       request_state(w, PORT_AI, 2, &p, &enable, &why));
}

static void test_coverage(void) {
        assert_covered(CREATE, REFUSAL_NONE,
                       (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_INVALID_PARAMETER, REFUSAL_NOT_MANAGED,
                                          REFUSAL_LIMIT_REACHED, REFUSAL_NONE });
        /* Only the backend knows of sessions. */
        assert_covered(DELETE, REFUSAL_SESSIONS_ACTIVE, (const Refusal[]){ REFUSAL_NOT_MANAGED, REFUSAL_NONE });
        assert_covered(BIND, REFUSAL_NONE,
                       (const Refusal[]){ REFUSAL_NOT_SUPPORTED, REFUSAL_INVALID_PARAMETER, REFUSAL_NOT_MANAGED,
                                          REFUSAL_LIMIT_REACHED, REFUSAL_NONE });
        assert_covered(&method_request_state_change, REFUSAL_SESSIONS_ACTIVE,
                       (const Refusal[]){ REFUSAL_INVALID_PARAMETER, REFUSAL_NOT_MANAGED, REFUSAL_NONE });
        assert_covered(UNBIND, REFUSAL_NONE,
                       (const Refusal[]){ REFUSAL_INVALID_PARAMETER, REFUSAL_NOT_MANAGED, REFUSAL_LAST_PORTAL, REFUSAL_NONE });
}

int main(int argc, char **argv) {
        bool all = argc == 1; /* not a selection of the tests */

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rules/create-port", test_create_port);
        g_test_add_func("/rules/create-port-abilities", test_create_port_abilities);
        g_test_add_func("/rules/create-port-minimum", test_create_port_minimum);
        g_test_add_func("/rules/create-port-many-portals", test_create_port_many_portals);
        g_test_add_func("/rules/endless-path", test_endless_path);
        g_test_add_func("/rules/delete-port", test_delete_port);
        g_test_add_func("/rules/bind", test_bind);
        g_test_add_func("/rules/bind-limit", test_bind_limit);
        g_test_add_func("/rules/unbind", test_unbind);
        g_test_add_func("/rules/removal", test_removal);
        g_test_add_func("/rules/request-state", test_request_state);
        if (all)
                g_test_add_func("/rules/coverage", test_coverage);
        return g_test_run();
}
