/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Many callers at once: what can be given once is given once, and in the end bus, store and backend agree. */

#include "bus-view.h"
#include "concurrent.h"
#include "fault-control.h"

#include <string.h>

#define CALLERS 8u

typedef struct World {
        Service *service;
        sd_bus *callers[CALLERS];
} World;

static void world_open(World *w, Service *s) {
        *w = (World){ .service = s };
        service_start(s);
        for (unsigned i = 0; i < CALLERS; i++)
                w->callers[i] = caller_new("root");
}

/* What is on the bus is in force at the backend, nothing else is, and a restart finds it all again. */
static void world_close(World *w) {
        g_autofree char *before = view_objects(w->callers[0]), *after = NULL;

        if (w->service->fault) {
                g_autofree char *there = fault_memory(w->service), *wanted = view_in_force(w->callers[0]);

                assert_same_text(there, wanted, "backend and bus");
        }

        service_stop(w->service);
        if (w->service->fault)
                fault_remove_all(w->service); /* so that what comes back was in the store */
        service_start(w->service);
        after = view_objects(w->callers[0]);
        assert_same_text(before, after, "objects after a restart");

        for (unsigned i = 0; i < CALLERS; i++)
                caller_leave(w->callers[i]);
        service_free(w->service);
}

static void create_portals(World *w, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                g_autoptr(Call) c = call_start(message_new(w->callers[0], "CreateTCPProtocolEndpoint", "oqoa{sv}",
                                                           ROOT_PATH "/ip/_3127_2e0_2e0_2e1", 4000 + i, DEFAULT_GROUP, 0));

                assert_call_succeeds(c);
        }
}

static char *nth_portal(unsigned i) {
        g_autofree char *portal = g_strdup_printf("127.0.0.1:%u", 4000 + i);

        return tcp_path(portal);
}

/* Starts N creates in NODE from all callers in turn, and waits for them. */
static void race(World *w, Call **calls, unsigned n, const char *node, const char *identifier, bool same_portal) {
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *portal = nth_portal(same_portal ? 0 : i);

                calls[i] = call_start(message_new_create_port(w->callers[i % CALLERS], node, identifier, portal));
        }
        for (unsigned i = 0; i < n; i++)
                call_wait(calls[i]);
}

static void calls_free(Call **calls, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                call_free(calls[i]);
}

static void assert_one_wins(Call **calls, unsigned n, const char *error, unsigned code) {
        unsigned won = 0;

        for (unsigned i = 0; i < n; i++)
                if (call_succeeded(calls[i]))
                        won++;
                else
                        assert_call_fails(calls[i], error, code);
        g_assert_cmpuint(won, ==, 1);
}

static Service *service_with_slow_backend(const char *plan) {
        Service *s = service_new("--backend-deadline=4", NULL);

        service_use_fault_backend(s);
        fault_plan(s, "%s", plan);
        return s;
}

static void test_one_identifier(void) {
        enum { N = 40 };
        g_autofree char *node = NULL;
        Call *calls[N];
        World w;

        world_open(&w, service_with_slow_backend("once create-port slow 100"));
        node = create_node(w.callers[0], "iqn.2026-11.org.example:a");
        create_portals(&w, N);
        race(&w, calls, N, node, "00000000002A", false);
        assert_one_wins(calls, N, "IdentifierInUse", 4098);
        calls_free(calls, N);
        world_close(&w);
}

static void test_one_portal(void) {
        enum { N = 40 };
        g_autofree char *node = NULL;
        Call *calls[N];
        World w;

        world_open(&w, service_with_slow_backend("once create-port slow 100"));
        node = create_node(w.callers[0], "iqn.2026-11.org.example:a");
        create_portals(&w, 1);
        race(&w, calls, N, node, "", true);
        assert_one_wins(calls, N, "TCPProtocolEndpointInUse", 4102);
        calls_free(calls, N);
        world_close(&w);
}

/* Who leaves the choice to the service gets a tag of its own: 1 to N, each once. */
static void test_any_identifier(void) {
        enum { N = 40 };
        g_autofree char *node = NULL;
        bool seen[N + 1] = {};
        Call *calls[N];
        World w;

        world_open(&w, service_with_slow_backend("once create-port slow 100"));
        node = create_node(w.callers[0], "iqn.2026-11.org.example:a");
        create_portals(&w, N);
        race(&w, calls, N, node, "", false);
        for (unsigned i = 0; i < N; i++) {
                const char *path = assert_call_gives_path(calls[i]);
                guint64 tag;

                g_assert_true(g_ascii_string_to_unsigned(strrchr(path, '/') + 1, 16, 1, N, &tag, NULL));
                g_assert_false(seen[tag]);
                seen[tag] = true;
        }
        calls_free(calls, N);
        world_close(&w);
}

/* The same name, or the same alias, for several new nodes; an alias is not a matter of one node's queue. */
static void test_one_node(void) {
        Call *calls[CALLERS];
        World w;

        world_open(&w, service_with_slow_backend("once create-node slow 100"));
        for (unsigned i = 0; i < CALLERS; i++)
                calls[i] = call_start(
                        message_new_create_node(w.callers[i], i % 2 ? "iqn.2026-11.org.example:a" : "IQN.2026-11.org.example:A"));
        for (unsigned i = 0; i < CALLERS; i++)
                call_wait(calls[i]);
        assert_one_wins(calls, CALLERS, "NameInUse", 32777);
        calls_free(calls, CALLERS);

        for (unsigned i = 0; i < CALLERS; i++)
                calls[i] = call_start(message_new(w.callers[i], "CreateiSCSINode", "sa{sv}", "alias", 0));
        for (unsigned i = 0; i < CALLERS; i++)
                call_wait(calls[i]);
        assert_one_wins(calls, CALLERS, "AliasInUse", 4097);
        calls_free(calls, CALLERS);
        world_close(&w);
}

/* A node is deleted while ports are made in it: each create comes before it, and its port goes with the node, or after, and finds
 * no node. */
static void test_delete_node(void) {
        enum { N = 8, ROUNDS = 10 };
        unsigned n_before = 0, n_after = 0;
        World w;

        world_open(&w, service_with_slow_backend(""));
        create_portals(&w, N);
        for (unsigned round = 0; round < ROUNDS; round++) {
                g_autofree char *node = create_node(w.callers[0], "iqn.2026-11.org.example:a");
                g_autoptr(Call) delete = NULL;
                Call *calls[N];

                for (unsigned i = 0; i < N; i++) {
                        g_autofree char *portal = nth_portal(i);

                        if (i == round % N)
                                delete = call_start(message_new(w.callers[i], "DeleteiSCSINode", "o", node));
                        calls[i] = call_start(message_new_create_port(w.callers[i], node, "", portal));
                }

                assert_call_succeeds(delete);
                for (unsigned i = 0; i < N; i++) {
                        call_wait(calls[i]);
                        if (call_succeeded(calls[i])) {
                                n_before++;
                                g_assert_false(object_exists(w.callers[0], assert_call_gives_path(calls[i])));
                        } else {
                                n_after++;
                                assert_call_fails(calls[i], "SCSIProtocolControllerNonExistent", 4096);
                        }
                        call_free(calls[i]);
                }
                g_assert_false(object_exists(w.callers[0], node));
        }
        g_assert_cmpuint(n_before, >, 0);
        g_assert_cmpuint(n_after, >, 0);
        world_close(&w);
}

/* A call that hangs in the kernel holds up its own node and no other, neither its ports nor what belongs to no node. */
static void test_nodes_apart(void) {
        g_autofree char *a = NULL, *b = NULL, *portal = NULL, *portal2 = NULL;
        g_autoptr(Call) hangs = NULL, waits = NULL, goes = NULL, group = NULL, node = NULL;
        World w;

        world_open(&w, service_with_slow_backend(""));
        a = create_node(w.callers[0], "iqn.2026-11.org.example:a");
        b = create_node(w.callers[0], "iqn.2026-11.org.example:b");
        create_portals(&w, 2);
        portal = nth_portal(0);
        portal2 = nth_portal(1);

        fault_plan(w.service, "once create-port hang");
        hangs = call_start(message_new_create_port(w.callers[0], a, "", portal));
        fault_wait_call(w.service, "create-port");
        waits = call_start(message_new_create_port(w.callers[1], a, "", portal2));
        goes = call_start(message_new_create_port(w.callers[2], b, "", portal));
        group = call_start(message_new(w.callers[3], "CreatePortalGroup", "sa{sv}", "group", 0));
        node = call_start(message_new_create_node(w.callers[4], "iqn.2026-11.org.example:c"));
        assert_call_succeeds(goes);
        assert_call_succeeds(group);
        assert_call_succeeds(node);
        g_assert_null(hangs->reply);
        g_assert_null(waits->reply);

        assert_call_fails(hangs, "Timeout", 3);
        assert_call_succeeds(waits);
        world_close(&w);
}

/* Nobody need wait for an answer before the next call: one that stands behind another change of the node finds what that
 * has made. */
static void test_one_after_the_other(void) {
        g_autofree char *node = node_path("iqn.2026-11.org.example:a"), *port = port_path("iqn.2026-11.org.example:a", 1),
                        *portal = NULL;
        Call *calls[6];
        World w;

        world_open(&w, service_with_slow_backend("once create-node slow 100\nonce create-port slow 100\n"));
        create_portals(&w, 1);
        portal = nth_portal(0);
        calls[0] = call_start(message_new_create_node(w.callers[0], "iqn.2026-11.org.example:a"));
        calls[1] = call_start(message_new_create_port(w.callers[0], node, "000000000001", portal));
        calls[2] = call_start(message_new(w.callers[0], "RequestStateChange", "oq", port, 3));
        calls[3] = call_start(message_new(w.callers[0], "DeleteiSCSIProtocolEndpoint", "o", port));
        calls[4] = call_start(message_new_create_port(w.callers[0], node, "000000000001", portal));
        calls[5] = call_start(message_new(w.callers[0], "DeleteiSCSINode", "o", node));
        for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
                assert_call_succeeds(calls[i]);
                call_free(calls[i]);
        }
        g_assert_false(object_exists(w.callers[0], node));
        world_close(&w);
}

static bool backend_binds(void *userdata) {
        return fault_log_count(userdata, "bind-portal") > 0;
}

/* Portals and groups belong to no node and do not wait for one: while a port is being bound to a portal, somebody wants to
 * delete the portal, or to take it or the others out of the group that holds them. They are in use from the moment that the
 * bind began. */
static void test_portal_while_bound(void) {
        static const struct {
                const char *member;
                unsigned portal; /* the port is on portal 0 and is being bound to portal 1; only group 1 holds both */
                unsigned code;
        } cases[] = {
                { "DeleteTCPProtocolEndpoint", 1, 4097 },
                { "RemoveFromPortalGroup", 1, 4098 },
                { "RemoveFromPortalGroup", 0, 4098 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *node = NULL, *port = NULL, *binds_to = NULL, *expected = NULL, *p0 = nth_portal(0),
                                *p1 = nth_portal(1);
                g_autoptr(Call) group = NULL, remove = NULL, bind = NULL, goes = NULL;
                World w;

                world_open(&w, service_with_slow_backend(""));
                node = create_node(w.callers[0], "iqn.2026-11.org.example:a");
                create_portals(&w, 2);
                group = call_start(message_new(w.callers[0], "CreatePortalGroup", "sa{sv}", "both", 0));
                assert_call_succeeds(group);
                for (unsigned k = 0; k < 2; k++) {
                        g_autoptr(Call) add = call_start(
                                message_new(w.callers[0], "AddToPortalGroup", "oo", ROOT_PATH "/portal_group/1", k ? p1 : p0));

                        assert_call_succeeds(add);
                }
                remove = call_start(message_new(w.callers[0], "RemoveFromPortalGroup", "oo", DEFAULT_GROUP, p1));
                assert_call_succeeds(remove);
                port = create_target_port(w.callers[0], node, "", (const char *[]){ p0, NULL });

                fault_plan(w.service, "once bind-portal slow 500");
                bind = call_start(message_new(w.callers[1], "BindiSCSIProtocolEndPoint", "oo", port, p1));
                loop_until(backend_binds, w.service);
                goes = call_start(g_str_equal(cases[i].member, "RemoveFromPortalGroup")
                                          ? message_new(w.callers[2], cases[i].member, "oo", ROOT_PATH "/portal_group/1",
                                                        cases[i].portal ? p1 : p0)
                                          : message_new(w.callers[2], cases[i].member, "o", p1));
                assert_call_fails(goes, "EndpointInUse", cases[i].code);
                g_assert_null(bind->reply);
                assert_call_succeeds(bind);

                binds_to = get_property(w.callers[0], port, "org.iscsi.ProtocolEndpoint", "BindsTo");
                expected = g_strdup_printf("[%s %s]", p0, p1);
                g_assert_cmpstr(binds_to, ==, expected);
                world_close(&w);
        }
}

/* A random one of the methods, with arguments that may or may not be right at the time. */
static sd_bus_message *random_call(sd_bus *bus) {
        g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:%c", 'a' + g_test_rand_int_range(0, 4));
        g_autofree char *node = node_path(name), *port = port_path(name, (unsigned) g_test_rand_int_range(1, 5));
        g_autofree char *portal = nth_portal((unsigned) g_test_rand_int_range(0, 8));
        g_autofree char *identifier = g_strdup_printf("%012X", g_test_rand_int_range(1, 5));
        g_autofree char *group = g_test_rand_int_range(0, 3) > 0
                                         ? g_strdup_printf(ROOT_PATH "/portal_group/%d", g_test_rand_int_range(1, 5))
                                         : g_strdup(DEFAULT_GROUP);

        switch (g_test_rand_int_range(0, 14)) {
        case 0:
        case 1:
                return message_new_create_node(bus, name);
        case 2:
                return message_new(bus, "DeleteiSCSINode", "o", node);
        case 3:
        case 4:
        case 5:
                return message_new_create_port(bus, node, g_test_rand_bit() ? identifier : "", portal);
        case 6:
                return message_new(bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        case 7:
        case 8:
                return message_new(bus, "BindiSCSIProtocolEndPoint", "oo", port, portal);
        case 9:
                return message_new(bus, "UnbindiSCSIProtocolEndPoint", "oo", port, portal);
        case 10:
                return message_new(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1",
                                   4000 + g_test_rand_int_range(0, 8), group, 0);
        case 11:
                return message_new(bus, "DeleteTCPProtocolEndpoint", "o", portal);
        case 12:
                return message_new(bus, g_test_rand_bit() ? "AddToPortalGroup" : "RemoveFromPortalGroup", "oo", group, portal);
        default:
                return g_test_rand_bit() ? message_new(bus, "CreatePortalGroup", "sa{sv}", "group", 0)
                                         : message_new(bus, "DeletePortalGroup", "o", group);
        }
}

/* What may be refused in a storm. Not among it: what cannot happen (2), and what would leave something half done. */
static void assert_refused_well(Call *c) {
        static const char *const never[] = { "UnspecifiedError", "Degraded", "Failed",       "BackendUnavailable",
                                             "Timeout",          "Busy",     "LimitReached", NULL };
        const sd_bus_error *e = sd_bus_message_get_error(c->reply);

        g_assert_true(g_str_has_prefix(e->name, ERROR_PREFIX));
        if (g_strv_contains(never, e->name + strlen(ERROR_PREFIX)))
                g_error("%s: %s", e->name, e->message);
}

static void test_storm(void) {
        enum { N = 400, AT_ONCE = 40 };
        unsigned n_done = 0;
        World w;

        world_open(&w,
                   service_with_slow_backend("once create-port slow 50\nonce delete-node slow 50\nonce bind-portal slow 50\n"
                                             "once delete-port slow 50\nonce create-port slow 20\nonce unbind-portal slow 20\n"
                                             "* slow 2"));
        create_portals(&w, 6);

        for (unsigned round = 0; round < N / AT_ONCE; round++) {
                Call *calls[AT_ONCE];

                for (unsigned i = 0; i < AT_ONCE; i++)
                        calls[i] = call_start(random_call(w.callers[i % CALLERS]));
                for (unsigned i = 0; i < AT_ONCE; i++) {
                        call_wait(calls[i]);
                        if (call_succeeded(calls[i]))
                                n_done++;
                        else
                                assert_refused_well(calls[i]);
                }
                calls_free(calls, AT_ONCE);
        }
        g_test_message("%u of %d calls succeeded", n_done, N);
        g_assert_cmpuint(n_done, >, N / 10);
        world_close(&w);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/race/one-identifier", test_one_identifier);
        g_test_add_func("/race/one-portal", test_one_portal);
        g_test_add_func("/race/any-identifier", test_any_identifier);
        g_test_add_func("/race/one-node", test_one_node);
        g_test_add_func("/race/delete-node", test_delete_node);
        g_test_add_func("/race/nodes-apart", test_nodes_apart);
        g_test_add_func("/race/one-after-the-other", test_one_after_the_other);
        g_test_add_func("/race/portal-while-bound", test_portal_while_bound);
        g_test_add_func("/race/storm", test_storm);
        return g_test_run();
}
