/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model against a second, simpler one: after each of many random operations both say the same. */

#include <errno.h>
#include <string.h>

#include "model/state.h"
#include "model-fixture.h"

#define BOTH_ROLES (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))
#define N_OPERATIONS 20000u

static const char *const address_texts[] = { "10.0.0.1",    "10.0.0.2",     "127.0.0.1",   "::",
                                             "2001:db8::1", "fe80::1%eth0", "fe80::1%eth1" };
static const uint16_t port_numbers[] = { ISCSI_PORT_DEFAULT, 860, 5000 };

#define N_ADDRESSES ELEMENTSOF(address_texts)
#define N_NUMBERS ELEMENTSOF(port_numbers)
#define N_PORTALS (N_ADDRESSES * N_NUMBERS)
#define N_NODES 4u
#define N_IDENTIFIERS 8u /* 0 to 7, of both roles */
#define N_GROUPS 4u

/* A set of portals (bit: address * N_NUMBERS + number) or of addresses is a number. */
typedef struct Simple {
        unsigned present, declared;
        uint32_t made;
        uint32_t members[N_GROUPS]; /* [0]: of the built-in group */
        bool groups[N_GROUPS];
        struct {
                bool exists;
                struct {
                        uint16_t role; /* 0: no port */
                        uint32_t portals;
                } ports[N_IDENTIFIERS];
        } nodes[N_NODES];
} Simple;

static Portal portal_at(unsigned i) {
        static Portal all[N_PORTALS];

        if (all[i].port == 0)
                all[i] = (Portal){ .address = address(address_texts[i / N_NUMBERS]), .port = port_numbers[i % N_NUMBERS] };
        return all[i];
}

static uint32_t default_portals(unsigned known) {
        uint32_t set = 0;

        for (unsigned a = 0; a < N_ADDRESSES; a++)
                if (known & (1u << a))
                        set |= 1u << (a * N_NUMBERS);
        return set;
}

static uint32_t bound_portals(const Simple *s) {
        uint32_t set = 0;

        for (unsigned n = 0; n < N_NODES; n++)
                for (unsigned i = 0; i < N_IDENTIFIERS; i++)
                        if (s->nodes[n].ports[i].role == ROLE_TARGET)
                                set |= s->nodes[n].ports[i].portals;
        return set;
}

/* All that have a reason to be. */
static uint32_t existing_portals(const Simple *s) {
        uint32_t set = s->made | default_portals(s->present | s->declared) | bound_portals(s);

        for (unsigned g = 1; g < N_GROUPS; g++)
                set |= s->members[g];
        return set;
}

/* After something went: what has no reason to be is in no group either, and what has come is in the built-in one. */
static void settle(Simple *s, uint32_t before) {
        uint32_t now = existing_portals(s);

        s->members[0] = (s->members[0] & now) | (now & ~before & ~s->made);
}

static char *node_name(unsigned n) {
        return g_strdup_printf("iqn.2001-04.com.example:%u", n);
}

static Node *node_at(Recorder *r, unsigned n) {
        g_autofree char *name = node_name(n);

        return model_find_node(r->model, name);
}

/* What the model has at each place; NULL: nothing. */
typedef struct Found {
        TcpEndpoint *tcp[N_PORTALS];
        IpEndpoint *ip[N_PORTALS];
} Found;

static void compare_ports(Recorder *r, const Simple *s, const Found *f, unsigned n, Node *node_object) {
        for (unsigned i = 0; i < N_IDENTIFIERS; i++) {
                Port *p = model_find_port(r->model, node_object, i);
                uint32_t portals = 0;

                g_assert_cmpuint(p ? p->role : 0, ==, s->nodes[n].ports[i].role);
                if (!p)
                        continue;

                for (unsigned k = 0; k < N_PORTALS; k++)
                        if (p->role == ROLE_TARGET ? f->tcp[k] && port_find_binding(p, &f->tcp[k]->object)
                                                   : k % N_NUMBERS == 0 && f->ip[k] && port_find_binding(p, &f->ip[k]->object))
                                portals |= 1u << k;
                g_assert_cmpuint(portals, ==, s->nodes[n].ports[i].portals);
                g_assert_cmpuint(p->n_bindings, ==, (unsigned) __builtin_popcount(portals));
        }
}

static void compare(Recorder *r, const Simple *s) {
        uint32_t existing = existing_portals(s);
        unsigned n_nodes = 0, n_groups = 0;
        Found f = {};

        for (unsigned k = 0; k < N_PORTALS; k++) {
                Portal p = portal_at(k);
                TcpEndpoint *t = model_find_tcp_endpoint(r->model, &p);
                IpEndpoint *e = model_find_ip_endpoint(r->model, &p.address);

                f.tcp[k] = t;
                f.ip[k] = e;
                g_assert_cmpint(t != NULL, ==, !!(existing & (1u << k)));
                g_assert_cmpint(e && e->present, ==, !!(s->present & (1u << (k / N_NUMBERS))));
                g_assert_cmpint(e && e->declared, ==, !!(s->declared & (1u << (k / N_NUMBERS))));
                if (!t)
                        continue;

                g_assert_cmpint(!t->automatic, ==, !!(s->made & (1u << k)));
                for (unsigned g = 0; g < N_GROUPS; g++) {
                        PortalGroup *group_object = model_find_portal_group(r->model, g);

                        g_assert_cmpint(group_object != NULL, ==, g == 0 || s->groups[g]);
                        g_assert_cmpint(group_object && portal_group_has_member(group_object, t), ==,
                                        !!(s->members[g] & (1u << k)));
                }
        }

        for (unsigned n = 0; n < N_NODES; n++) {
                Node *node_object = node_at(r, n);

                g_assert_cmpint(node_object != NULL, ==, s->nodes[n].exists);
                n_nodes += s->nodes[n].exists;
                if (node_object)
                        compare_ports(r, s, &f, n, node_object);
        }
        for (unsigned g = 1; g < N_GROUPS; g++)
                n_groups += s->groups[g];
        g_assert_cmpuint(model_counts(r->model)->nodes, ==, n_nodes);
        g_assert_cmpuint(model_counts(r->model)->portal_groups, ==, n_groups);
        g_assert_cmpuint(model_counts(r->model)->tcp_endpoints, ==, (unsigned) __builtin_popcount(s->made));
}

static unsigned pick(unsigned n) {
        return (unsigned) g_test_rand_int_range(0, (gint32) n);
}

static uint32_t portals_of_target(const Simple *s, unsigned n) {
        uint32_t set = 0;

        for (unsigned i = 0; i < N_IDENTIFIERS; i++)
                if (s->nodes[n].ports[i].role == ROLE_TARGET)
                        set |= s->nodes[n].ports[i].portals;
        return set;
}

/* What was done, to see that nothing is missing among the random operations. */
enum {
        OP_NODE,
        OP_PORT,
        OP_PORT_TAKEN,
        OP_PORT_NO_MEMORY,
        OP_REMOVE_PORT,
        OP_REMOVE_NODE,
        OP_PUBLISH_PORT,
        OP_BIND,
        OP_UNBIND,
        OP_ADDRESS,
        OP_REMOVE_ADDRESS,
        OP_MAKE,
        OP_REMOVE_MADE,
        OP_GROUP,
        OP_REMOVE_GROUP,
        OP_MEMBER,
        OP_REMOVE_MEMBER,
        OP_CHOOSE,
        OP_STATE,
        OP_OBSERVE,
        OP_ENABLE,
        OP_DECLARE,
        _OP_MAX,
};

static int add_random_port(Recorder *r, Simple *s, unsigned n, unsigned i) {
        uint16_t role = g_test_rand_bit() ? ROLE_TARGET : ROLE_INITIATOR;
        uint32_t set = 0, before = existing_portals(s);
        size_t n_portals = 1 + pick(3);
        bool taken = s->nodes[n].ports[i].role != 0, no_memory;
        Portal portals[3];
        Port *p;
        int result;

        for (size_t k = 0; k < n_portals; k++) {
                unsigned at = role == ROLE_TARGET ? pick(N_PORTALS) : pick(N_ADDRESSES) * N_NUMBERS;

                portals[k] = portal_at(at);
                taken = taken || (set & (1u << at)) || (role == ROLE_TARGET && (portals_of_target(s, n) & (1u << at)));
                set |= 1u << at;
        }

        no_memory = !taken && role == ROLE_TARGET && (set & ~before) && pick(8) == 0;
        if (no_memory)
                r->path_fails_in = (int) pick((unsigned) __builtin_popcount(set & ~before));

        result = model_add_port(r->model, node_at(r, n), role, i, portals, n_portals, true, &p);
        g_assert_cmpint(result, ==, taken ? -EEXIST : no_memory ? -ENOMEM : 0);
        if (result < 0)
                return taken ? OP_PORT_TAKEN : OP_PORT_NO_MEMORY;

        s->nodes[n].ports[i].role = role;
        s->nodes[n].ports[i].portals = set;
        settle(s, before);
        if (g_test_rand_bit())
                g_assert_cmpint(model_publish_port(r->model, p), ==, 0);
        return OP_PORT;
}

static int bind_or_unbind(Recorder *r, Simple *s, unsigned n, unsigned i) {
        Port *p = model_find_port(r->model, node_at(r, n), i);
        unsigned at = p->role == ROLE_TARGET ? pick(N_PORTALS) : pick(N_ADDRESSES) * N_NUMBERS;
        uint32_t *set = &s->nodes[n].ports[i].portals, bit = 1u << at, before = existing_portals(s);
        Portal portal_value = portal_at(at);

        if (*set & bit) {
                Object *endpoint = p->role == ROLE_TARGET ? &model_find_tcp_endpoint(r->model, &portal_value)->object
                                                          : &model_find_ip_endpoint(r->model, &portal_value.address)->object;

                model_unbind_port(r->model, p, port_find_binding(p, endpoint));
                *set &= ~bit;
                settle(s, before);
                return OP_UNBIND;
        }

        if (p->role == ROLE_TARGET && (portals_of_target(s, n) & bit)) {
                g_assert_cmpint(model_bind_port(r->model, p, &portal_value), ==, -EEXIST);
                return OP_BIND;
        }
        g_assert_cmpint(model_bind_port(r->model, p, &portal_value), ==, 0);
        *set |= bit;
        settle(s, before);
        return OP_BIND;
}

static void choose(Recorder *r, const Simple *s, unsigned n) {
        uint64_t minimum = pick(N_IDENTIFIERS + 1), v;
        unsigned expected = 1;

        while (expected < minimum || (expected < N_IDENTIFIERS && s->nodes[n].ports[expected].role != 0))
                expected++;
        g_assert_cmpint(model_choose_identifier(r->model, node_at(r, n), ROLE_TARGET, minimum, &v), ==, 0);
        g_assert_cmpuint(v, ==, expected);
}

/* One that is set, one that is seen, or what is desired. */
static int set_state(Model *m, Port *p) {
        bool listening[N_PORTALS];
        PortObservation o = {
                .enabled = pick(4),
                .listening = listening,
                .drift = pick(3) ? NULL : "drift",
                .why = pick(3) ? NULL : "why",
        };

        switch (pick(4)) {
        case 0:
                model_set_port_state(m, p, (ObjectState) pick(_STATE_MAX), g_test_rand_bit() ? "why" : NULL);
                return OP_STATE;
        case 1:
                model_set_port_enabled(m, p, !p->enabled);
                return OP_ENABLE;
        default:
                for (unsigned i = 0; i < p->n_bindings; i++)
                        listening[i] = pick(4);
                model_set_port_observed(m, p, &o);
                return OP_OBSERVE;
        }
}

static int change_node(Recorder *r, Simple *s, unsigned n) {
        uint32_t before = existing_portals(s);
        unsigned i = pick(N_IDENTIFIERS);
        Node *node_object = node_at(r, n);
        Port *p;

        if (!node_object) {
                g_autofree char *name = node_name(n);

                add_node(r, name, BOTH_ROLES);
                s->nodes[n].exists = true;
                return OP_NODE;
        }

        p = model_find_port(r->model, node_object, i);
        switch (pick(10)) {
        case 0:
                if (pick(4) > 0)
                        break;
                model_remove_node(r->model, node_object);
                memset(s->nodes + n, 0, sizeof(s->nodes[n]));
                settle(s, before);
                return OP_REMOVE_NODE;
        case 1 ... 2:
                choose(r, s, n);
                return OP_CHOOSE;
        case 3:
                if (p) {
                        model_remove_port(r->model, p);
                        memset(s->nodes[n].ports + i, 0, sizeof(s->nodes[n].ports[i]));
                        settle(s, before);
                        return OP_REMOVE_PORT;
                }
                break;
        case 4 ... 6:
                if (p)
                        return bind_or_unbind(r, s, n, i);
                break;
        case 7:
                if (p) {
                        g_assert_cmpint(model_publish_port(r->model, p), ==, 0);
                        return OP_PUBLISH_PORT;
                }
                break;
        case 8:
                if (p)
                        return set_state(r->model, p);
                model_set_node_state(r->model, node_object, (ObjectState) pick(_STATE_MAX), g_test_rand_bit() ? "why" : NULL);
                return OP_STATE;
        }
        return add_random_port(r, s, n, i);
}

static int declare_address(Recorder *r, Simple *s, unsigned a) {
        IpAddress value = address(address_texts[a]);
        uint32_t before = existing_portals(s);

        if (s->declared & (1u << a))
                model_undeclare_address(r->model, ip(r, address_texts[a]));
        else
                g_assert_cmpint(model_declare_address(r->model, &value, g_test_rand_bit() ? "name" : ""), ==, 0);
        s->declared ^= 1u << a;
        settle(s, before);
        return OP_DECLARE;
}

static int change_portals(Recorder *r, Simple *s) {
        unsigned at = pick(N_PORTALS), a = pick(N_ADDRESSES), g = pick(N_GROUPS);
        uint32_t bit = 1u << at, before = existing_portals(s);
        Portal portal_value = portal_at(at);
        TcpEndpoint *t = model_find_tcp_endpoint(r->model, &portal_value);
        PortalGroup *group_object = model_find_portal_group(r->model, g);

        switch (pick(9)) {
        case 8:
                return declare_address(r, s, a);
        case 0 ... 1:
                if (s->present & (1u << a) && g_test_rand_bit()) {
                        remove_address(r, address_texts[a]);
                        s->present &= ~(1u << a);
                        settle(s, before);
                        return OP_REMOVE_ADDRESS;
                }
                add_address(r, address_texts[a]);
                s->present |= 1u << a;
                settle(s, before);
                return OP_ADDRESS;
        case 2:
                if (!t) {
                        add_tcp(r, portal_to_text(&portal_value, (char[PORTAL_TEXT_MAX]){}), group_object);
                        s->made |= bit;
                        if (group_object)
                                s->members[g] |= bit;
                        return OP_MAKE;
                }
                /* What the rules let pass: not while it is in use, and not the one that every address has. */
                if ((s->made & bit) && !t->bound_by && !(ip_endpoint_is_known(t->ip) && t->portal.port == ISCSI_PORT_DEFAULT)) {
                        model_remove_tcp_endpoint(r->model, t);
                        s->made &= ~bit;
                        for (unsigned k = 0; k < N_GROUPS; k++)
                                s->members[k] &= ~bit;
                        return OP_REMOVE_MADE;
                }
                g_assert_cmpint(model_add_tcp_endpoint(r->model, &portal_value, NULL, &t), ==, -EEXIST);
                return OP_MAKE;
        case 3:
                if (!group_object) {
                        add_group(r, g, "group");
                        s->groups[g] = true;
                        return OP_GROUP;
                }
                if (g != 0 && pick(3) == 0) {
                        model_remove_portal_group(r->model, group_object);
                        s->groups[g] = false;
                        s->members[g] = 0;
                        settle(s, before);
                        return OP_REMOVE_GROUP;
                }
                break;
        case 4:
                if (group_object && t && (g != 0 || !t->automatic)) {
                        model_remove_member(r->model, group_object, t);
                        s->members[g] &= ~bit;
                        settle(s, before);
                        return OP_REMOVE_MEMBER;
                }
                break;
        }

        if (group_object && t) {
                g_assert_cmpint(model_add_member(r->model, group_object, t), ==, 0);
                s->members[g] |= bit;
        }
        return OP_MEMBER;
}

static void test_random(void) {
        g_autoptr(Recorder) r = recorder_new();
        unsigned n_done[_OP_MAX] = {};
        Simple s = {};

        for (unsigned i = 0; i < N_OPERATIONS; i++) {
                recorder_forget(r);
                n_done[pick(3) ? change_node(r, &s, pick(N_NODES)) : change_portals(r, &s)]++;
                r->path_fails_in = -1;
                model_check(r->model);
                compare(r, &s);
                if (i % 4 == 0) /* costs more than all the rest */
                        recorder_check(r);
        }

        for (unsigned op = 0; op < _OP_MAX; op++) {
                g_test_message("operation %u: %u", op, n_done[op]);
                g_assert_cmpuint(n_done[op], >, 0);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/model-random/operations", test_random);
        return g_test_run();
}
