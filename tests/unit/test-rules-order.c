/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The order of the rules: of two wrongs the one that comes earlier in the documented order is answered, wherever in
 * NetworkPortals its cause stands. */

#include <string.h>

#include "rules-answers.h"

#define CREATE &method_create_port
#define BIND &method_bind_port
#define PORTALS_MAX 80u

/* A request of CreateiSCSIProtocolEndpoint in a world of its own, right until something is done to it. */
typedef struct Request {
        World *w;
        const char *node;
        uint16_t role;
        const char *identifier;
        const char *portals[PORTALS_MAX];
        size_t n_portals;
        uint64_t minimum;
} Request;

static void add_portal(Request *q, const char *path) {
        g_assert_cmpuint(q->n_portals, <, PORTALS_MAX);
        q->portals[q->n_portals++] = path;
}

static void break_backend(Request *q) {
        q->w->abilities.roles[ROLE_INITIATOR].available = false;
        q->w->abilities.roles[ROLE_TARGET].available = false;
}

static void break_role(Request *q) {
        q->role = 7;
}

static void break_no_portals(Request *q) {
        q->n_portals = 0;
}

static void break_many_portals(Request *q) {
        static char paths[LIMIT_PORTALS_PER_PORT][16];

        for (unsigned i = 0; i < LIMIT_PORTALS_PER_PORT; i++) {
                (void) g_snprintf(paths[i], sizeof(paths[i]), "/none/%u", i);
                add_portal(q, paths[i]);
        }
}

static void break_portal_twice(Request *q) {
        add_portal(q, q->n_portals ? q->portals[0] : "/tcp/10.0.0.1:3260");
        if (q->n_portals == 1)
                add_portal(q, q->portals[0]);
}

static void break_node(Request *q) {
        q->node = "/node/none";
}

static void break_node_class(Request *q) {
        q->node = "/group/0";
}

static void break_node_role(Request *q) {
        node(q->w->r, NODE_A)->roles = ROLE_BIT(ROLE_INITIATOR);
}

static void break_selection(Request *q) {
        q->w->abilities.roles[ROLE_TARGET].selects_identifiers = false;
        if (!q->identifier[0])
                q->identifier = "000000000005";
}

static void break_identifier(Request *q) {
        q->identifier = "five";
}

static void break_identifier_range(Request *q) {
        q->identifier = "000000010000";
}

static void break_unique(Request *q) {
        q->identifier = "000000000001";
}

static void break_unique_over_roles(Request *q) {
        add_port(q->w->r, node(q->w->r, NODE_A), ROLE_INITIATOR, 6, "10.0.0.1");
        q->identifier = "000000000006";
}

static void break_portal(Request *q) {
        add_portal(q, "/tcp/none");
}

static void break_portal_class(Request *q) {
        add_portal(q, "/ip/10.0.0.1");
}

static void break_portal_class_node(Request *q) {
        add_portal(q, "/node/" NODE_A);
}

static void break_bound(Request *q) {
        add_portal(q, "/tcp/10.0.9.9:860");
}

static void break_in_use(Request *q) {
        add_portal(q, "/tcp/10.0.0.2:3260");
}

static void break_collection(Request *q) {
        add_portal(q, "/tcp/10.0.0.1:5000");
}

static void break_managed(Request *q) {
        node(q->w->r, NODE_A)->managed = false;
}

static void break_exhausted(Request *q) {
        q->minimum = TAG_MAX + 1;
}

typedef struct Wrong {
        unsigned step; /* of the documented order; those of one step are answered in any order */
        void (*commit)(Request *q);
        Refusal refusal;
        bool gives_identifier; /* it cannot be wrong at the same time as another that does, or as IS_CHOSEN */
        bool is_chosen;
} Wrong;

static const Wrong wrongs[] = {
        { 0, break_backend, REFUSAL_NOT_SUPPORTED },
        { 1, break_role, REFUSAL_INVALID_PARAMETER },
        { 1, break_no_portals, REFUSAL_INVALID_PARAMETER },
        { 1, break_portal_twice, REFUSAL_INVALID_PARAMETER },
        { 1, break_many_portals, REFUSAL_LIMIT_REACHED },
        { 2, break_node, REFUSAL_NODE_NON_EXISTENT },
        { 2, break_node_class, REFUSAL_NODE_NON_EXISTENT },
        { 3, break_node_role, REFUSAL_ROLE_NOT_SUPPORTED },
        { 4, break_selection, REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED },
        { 5, break_identifier, REFUSAL_INVALID_PARAMETER, .gives_identifier = true },
        { 5, break_identifier_range, REFUSAL_INVALID_PARAMETER, .gives_identifier = true },
        { 6, break_unique, REFUSAL_IDENTIFIER_IN_USE, .gives_identifier = true },
        { 6, break_unique_over_roles, REFUSAL_IDENTIFIER_IN_USE, .gives_identifier = true },
        { 7, break_portal, REFUSAL_ENDPOINT_NON_EXISTENT },
        { 8, break_portal_class, REFUSAL_INVALID_PARAMETER },
        { 8, break_portal_class_node, REFUSAL_INVALID_PARAMETER },
        { 9, break_bound, REFUSAL_TCP_NOT_BOUND },
        { 10, break_in_use, REFUSAL_TCP_IN_USE },
        { 11, break_collection, REFUSAL_NOT_FROM_SAME_COLLECTION },
        { 12, break_managed, REFUSAL_NOT_MANAGED },
        { 13, break_exhausted, REFUSAL_LIMIT_REACHED, .is_chosen = true },
};

static bool are_possible(const Wrong *a, const Wrong *b) {
        return !(a->gives_identifier && (b->gives_identifier || b->is_chosen)) && !(b->gives_identifier && a->is_chosen) &&
               !(a->commit == break_selection && b->is_chosen);
}

static void request_init(Request *q, World *w) {
        *q = (Request){
                .w = w, .node = "/node/" NODE_A, .role = ROLE_TARGET, .identifier = "", .portals = { "/tcp/10.0.0.1:3260" }
        };
        q->n_portals = 1;
}

static int request_check(const Request *q, bool reversed, CreatePortPlan *ret, char **ret_why) {
        Reference portals[PORTALS_MAX];
        CreatePortRequest c = {
                .node = reference(q->w, q->node),
                .role = q->role,
                .identifier = q->identifier,
                .portals = portals,
                .n_portals = q->n_portals,
                .minimum = q->minimum,
        };

        for (size_t i = 0; i < q->n_portals; i++)
                portals[reversed ? q->n_portals - 1 - i : i] = reference(q->w, q->portals[i]);
        return check_create_port(q->w->model, &q->w->abilities, &c, ret, ret_why);
}

static void expect(const Wrong *first, const Wrong *second, const Wrong *answered) {
        for (int reversed = 0; reversed < 2; reversed++) {
                g_autoptr(World) w = world_new();
                CreatePortPlan plan;
                Request q;

                request_init(&q, w);
                first->commit(&q);
                if (second)
                        second->commit(&q);
                assert_refused(CREATE, answered->refusal, "", request_check(&q, reversed, &plan, &why));
        }
}

static void test_right(void) {
        g_autoptr(World) w = world_new();
        CreatePortPlan plan;
        Request q;

        request_init(&q, w);
        assert_allowed(request_check(&q, false, &plan, &why));
}

static void test_alone(void) {
        for (size_t i = 0; i < ELEMENTSOF(wrongs); i++)
                expect(wrongs + i, NULL, wrongs + i);
}

/* All pairs. The later wrong is done first, so that what is done for the earlier cannot undo it, and the other way round. */
static void test_pairs(void) {
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(wrongs); i++)
                for (size_t k = i + 1; k < ELEMENTSOF(wrongs); k++) {
                        if (wrongs[i].step == wrongs[k].step || !are_possible(wrongs + i, wrongs + k))
                                continue;

                        g_test_message("%zu and %zu", i, k);
                        expect(wrongs + k, wrongs + i, wrongs + i);
                        if (wrongs[i].commit != break_no_portals) /* it would have some again */
                                expect(wrongs + i, wrongs + k, wrongs + i);
                        n++;
                }
        g_assert_cmpuint(n, >, 180);
}

/* Three portals of which each is right or wrong in its own way: the earliest wrong is answered, in all six orders. */
static void test_permutations(void) {
        static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
        static const struct {
                const char *path;
                unsigned step; /* 0: right */
                Refusal refusal;
        } portals[] = {
                { "/tcp/10.0.0.1:3260", 0 },
                { "/tcp/10.0.0.3:3260", 0 },
                { "/tcp/[::]:3260", 0 },
                { "/none", 7, REFUSAL_ENDPOINT_NON_EXISTENT },
                { "/nothing", 7, REFUSAL_ENDPOINT_NON_EXISTENT },
                { "/ip/10.0.0.1", 8, REFUSAL_INVALID_PARAMETER },
                { "/group/1", 8, REFUSAL_INVALID_PARAMETER },
                { "/tcp/10.0.9.9:860", 9, REFUSAL_TCP_NOT_BOUND },
                { "/tcp/10.0.9.9:861", 9, REFUSAL_TCP_NOT_BOUND },
                { "/tcp/10.0.0.2:3260", 10, REFUSAL_TCP_IN_USE },
                { "/tcp/10.0.0.1:5000", 11, REFUSAL_NOT_FROM_SAME_COLLECTION },
                { "/tcp/10.0.0.3:860", 11, REFUSAL_NOT_FROM_SAME_COLLECTION },
        };
        g_autoptr(World) w = world_new();
        unsigned n = 0;

        for (size_t a = 0; a < ELEMENTSOF(portals); a++)
                for (size_t b = a + 1; b < ELEMENTSOF(portals); b++)
                        for (size_t c = b + 1; c < ELEMENTSOF(portals); c++) {
                                size_t three[] = { a, b, c };
                                Refusal expected = REFUSAL_NONE;
                                unsigned step = 99;

                                for (unsigned i = 0; i < 3; i++)
                                        if (portals[three[i]].step && portals[three[i]].step < step) {
                                                step = portals[three[i]].step;
                                                expected = portals[three[i]].refusal;
                                        }

                                for (unsigned o = 0; o < ELEMENTSOF(orders); o++) {
                                        CreatePortPlan plan;
                                        Request q;

                                        request_init(&q, w);
                                        q.n_portals = 0;
                                        for (unsigned i = 0; i < 3; i++)
                                                add_portal(&q, portals[three[orders[o][i]]].path);
                                        if (expected == REFUSAL_NONE)
                                                assert_allowed(request_check(&q, false, &plan, &why));
                                        else
                                                assert_refused(CREATE, expected, "", request_check(&q, false, &plan, &why));
                                        n++;
                                }
                        }
        g_assert_cmpuint(n, ==, 6 * 220);
}

/* The same of an initiator's portals, which can be wrong in fewer ways. */
static void test_initiator_permutations(void) {
        static const char *const portals[] = { "/ip/10.0.0.1", "/ip/10.0.9.9", "/ip/::", "/tcp/10.0.0.1:3260" };

        for (size_t a = 0; a < ELEMENTSOF(portals); a++)
                for (size_t b = 0; b < ELEMENTSOF(portals); b++) {
                        g_autoptr(World) w = world_new();
                        Refusal expected = a == 1 || b == 1 ? REFUSAL_ENDPOINT_NON_EXISTENT : REFUSAL_INVALID_PARAMETER;
                        CreatePortPlan plan;
                        Request q;

                        if (a == b)
                                continue;
                        request_init(&q, w);
                        q.role = ROLE_INITIATOR;
                        q.n_portals = 0;
                        add_portal(&q, portals[a]);
                        add_portal(&q, portals[b]);
                        assert_refused(CREATE, expected, "", request_check(&q, false, &plan, &why));
                }
}

/* Bind: port, portal (4096) → backend (1) → class (5) → not bound (4097) → in use (4098) → collection (4099) → managed →
 * limit. */
static void test_bind(void) {
        static const struct {
                const char *portal;
                Refusal refusal;
        } portals[] = {
                { "/none", REFUSAL_ENDPOINT_NON_EXISTENT },
                { "/ip/10.0.0.1", REFUSAL_INVALID_PARAMETER },
                { "/tcp/10.0.9.9:860", REFUSAL_TCP_NOT_BOUND },
                { "/tcp/10.0.0.1:3260", REFUSAL_TCP_IN_USE },
                { "/tcp/10.0.0.1:5000", REFUSAL_NOT_FROM_SAME_COLLECTION },
                { "/tcp/10.0.0.3:3260", REFUSAL_NONE },
        };

        for (size_t i = 0; i < ELEMENTSOF(portals); i++)
                for (unsigned more = 0; more < 8; more++) {
                        g_autoptr(World) w = world_new();
                        Port *p = port(w->r, NODE_A, 1), *ret;
                        Reference port_reference = reference(w, "/node/" NODE_A "/000000000001");
                        Reference portal_reference = reference(w, portals[i].portal);
                        Refusal expected = portals[i].refusal;

                        add_port(w->r, p->key.node, ROLE_TARGET, 7, "10.0.0.1:3260");
                        if (more & 1)
                                w->abilities.max.portals_per_port = 1;
                        if (more & 2)
                                p->managed = false;
                        if (more & 4)
                                w->abilities.roles[ROLE_TARGET].available = false;

                        if ((more & 4) && expected != REFUSAL_ENDPOINT_NON_EXISTENT)
                                expected = REFUSAL_NOT_SUPPORTED;
                        else if (expected == REFUSAL_NONE && (more & 3))
                                expected = more & 2 ? REFUSAL_NOT_MANAGED : REFUSAL_LIMIT_REACHED;

                        if (expected == REFUSAL_NONE)
                                assert_allowed(
                                        check_bind_port(w->model, &w->abilities, &port_reference, &portal_reference, &ret, &why));
                        else
                                assert_refused(
                                        BIND, expected, "",
                                        check_bind_port(w->model, &w->abilities, &port_reference, &portal_reference, &ret, &why));
                }

        {
                /* Wrong in two of these ways at once: one whose address is gone, that another port has, and that is in no
                 * group. */
                g_autoptr(World) w = world_new();
                Reference p = reference(w, "/node/" NODE_A "/000000000001"), e;
                Port *ret;

                add_port(w->r, node(w->r, NODE_A), ROLE_TARGET, 7, "10.0.0.1:5000");
                e = reference(w, "/tcp/10.0.0.1:5000");
                assert_refused(BIND, REFUSAL_TCP_IN_USE, "", check_bind_port(w->model, &w->abilities, &p, &e, &ret, &why));
                remove_address(w->r, "10.0.0.1");
                assert_refused(BIND, REFUSAL_TCP_NOT_BOUND, "", check_bind_port(w->model, &w->abilities, &p, &e, &ret, &why));
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/rules-order/right", test_right);
        g_test_add_func("/rules-order/alone", test_alone);
        g_test_add_func("/rules-order/pairs", test_pairs);
        g_test_add_func("/rules-order/permutations", test_permutations);
        g_test_add_func("/rules-order/initiator-permutations", test_initiator_permutations);
        g_test_add_func("/rules-order/bind", test_bind);
        return g_test_run();
}
