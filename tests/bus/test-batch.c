/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CreateiSCSIProtocolEndpoints: several ports, all or none of them. */

#include "batch.h"
#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "flush-control.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <string.h>

#define NODE_A "iqn.2026-11.org.example:a"
#define NODE_B "iqn.2026-11.org.example:b"
#define IP_PATH ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define BATCH_MAX 1024u

/* Two more nodes without ports beside the base's. */
static Base *base_with_nodes(void) {
        Base *b = base_new();

        g_free(create_node(b->bus, NODE_A));
        g_free(create_node(b->bus, NODE_B));
        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
        return b;
}

static void remember(Base *b) {
        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
}

/* Four ports in two nodes, which take turns. */
static sd_bus_message *four_ports(Base *b, BatchEnabled enabled) {
        sd_bus_message *m = batch_new(b->bus);

        batch_add(m, NODE_B, "", "127.0.0.1:3260");
        batch_add(m, NODE_A, "00000000000a", "127.0.0.1:3261 127.0.0.1:3260");
        batch_add(m, NODE_B, "", "127.0.0.1:3261");
        batch_add(m, NODE_A, "", "127.0.0.1:3262");
        return batch_end(m, enabled);
}

static const struct {
        const char *node;
        unsigned tag;
} four[] = { { NODE_B, 1 }, { NODE_A, 10 }, { NODE_B, 2 }, { NODE_A, 1 } };

static void assert_four_paths(char **paths) {
        g_assert_cmpuint(g_strv_length(paths), ==, G_N_ELEMENTS(four));
        for (gsize i = 0; i < G_N_ELEMENTS(four); i++) {
                g_autofree char *expected = port_path(four[i].node, four[i].tag);

                g_assert_cmpstr(paths[i], ==, expected);
        }
}

static void assert_in_force(Base *b) {
        g_autofree char *wanted = view_in_force(b->bus), *memory = fault_memory(b->service);

        assert_same_text(wanted, memory, "what is in force");
}

/* The ports come in the order of the items; one call of the backend for each node, one commit. */
static void test_created(void) {
        g_autofree char *log = NULL;
        g_auto(GStrv) paths = NULL;
        g_autoptr(Base) b = base_with_nodes();

        fault_log_clear(b->service);
        paths = batch_call(b->bus, four_ports(b, BATCH_DEFAULT));
        assert_four_paths(paths);
        assert_in_force(b);

        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 2);
        log = fault_log(b->service);
        assert_same_text("create-port " NODE_B " 1 127.0.0.1:3260\ncreate-port " NODE_B " 2 127.0.0.1:3261\n"
                         "create-port " NODE_A " 10 127.0.0.1:3261 127.0.0.1:3260\ncreate-port " NODE_A " 1 127.0.0.1:3262\n",
                         log, "the operations");

        remember(b);
        base_assert_untouched_by_restart(b, "a batch");
}

static void assert_property(Base *b, const char *path, const char *property, const char *expected) {
        g_autofree char *value = get_property(b->bus, path, PORT_INTERFACE, property);

        if (!g_str_equal(value, expected))
                g_error("%s: %s is %s, not %s", path, property, value, expected);
}

/* Made, and not switched on, until somebody does. */
static void test_disabled(void) {
        g_autofree char *memory = NULL, *first = tcp_path("127.0.0.1:3261"), *second = tcp_path("127.0.0.1:3260"), *both = NULL;
        g_auto(GStrv) paths = NULL;
        g_autoptr(Base) b = base_with_nodes();

        both = g_strdup_printf("[%s %s]", first, second);
        paths = batch_call(b->bus, four_ports(b, BATCH_DISABLED));
        for (char **path = paths; *path; path++) {
                assert_property(b, *path, "RequestedState", "3");
                assert_property(b, *path, "EnabledState", "3");
                assert_property(b, *path, "OperationalStatus", "[10]");
                assert_property(b, *path, "ListeningOn", "[]");
        }
        memory = fault_memory(b->service);
        g_assert_nonnull(strstr(memory, NODE_A " 10 disabled 127.0.0.1:3260 127.0.0.1:3261\n"));
        remember(b);
        base_assert_untouched_by_restart(b, "disabled ports");

        /* One that was looked at by the restart, and one that was not. */
        for (unsigned i = 0; i < 2; i++) {
                must_call(b->bus, "RequestStateChange", "oq", paths[1], 2);
                assert_property(b, paths[1], "RequestedState", "2");
                assert_property(b, paths[1], "EnabledState", "2");
                assert_property(b, paths[1], "OperationalStatus", "[2]");
                assert_property(b, paths[1], "ListeningOn", both);
                must_call(b->bus, "DeleteiSCSIProtocolEndpoint", "o", paths[1]);
                if (i == 0) {
                        sd_bus_message *m = batch_new(b->bus);
                        g_auto(GStrv) again = NULL;

                        batch_add(m, NODE_A, "00000000000A", "127.0.0.1:3261 127.0.0.1:3260");
                        again = batch_call(b->bus, batch_end(m, BATCH_DISABLED));
                        g_assert_cmpstr(again[0], ==, paths[1]);
                }
        }
}

static void test_enabled(void) {
        g_auto(GStrv) paths = NULL;
        g_autoptr(Base) b = base_with_nodes();

        paths = batch_call(b->bus, four_ports(b, BATCH_ENABLED));
        assert_four_paths(paths);
        assert_in_force(b);
}

/* A good item, then BAD, then another good one: nothing is done. */
static void refuse_second(Base *b, const char *node, unsigned role, const char *identifier, const char *portal, const char *error,
                          unsigned code) {
        sd_bus_message *m = batch_new(b->bus);

        batch_add(m, NODE_A, "", "127.0.0.1:3260");
        batch_add_raw(m, node, role, identifier, portal);
        batch_add(m, NODE_B, "", "127.0.0.1:3260");
        batch_refuse(b->bus, batch_end(m, BATCH_DEFAULT), error, code, "Item 2: ");
}

static void test_refused(void) {
        g_autofree char *a = node_path(NODE_A), *base = node_path(BASE_NODE), *other = node_path("iqn.2026-11.org.example:none");
        g_autofree char *first = tcp_path("127.0.0.1:3260"), *free_one = tcp_path("127.0.0.1:3264"),
                        *none = tcp_path("127.0.0.1:9999");
        g_autoptr(Base) b = base_with_nodes();
        sd_bus_message *m;

        fault_log_clear(b->service);
        refuse_second(b, other, 3, "", first, "SCSIProtocolControllerNonExistent", 4096);
        refuse_second(b, a, 2, "", first, "NotSupported", 1);
        refuse_second(b, a, 7, "", first, "InvalidParameter", 5);
        refuse_second(b, base, 3, "000000000002", free_one, "IdentifierInUse", 4098);
        refuse_second(b, base, 3, "nonsense", free_one, "InvalidParameter", 5);
        refuse_second(b, base, 3, "", none, "ProtocolEndpointNonExistent", 4100);
        refuse_second(b, base, 3, "", first, "TCPProtocolEndpointInUse", 4102);

        /* Two that exclude each other: the later one is named. */
        m = batch_new(b->bus);
        batch_add(m, NODE_A, "000000000005", "127.0.0.1:3260");
        batch_add(m, NODE_B, "000000000005", "127.0.0.1:3260");
        batch_add(m, NODE_A, "000000000005", "127.0.0.1:3261");
        batch_refuse(b->bus, batch_end(m, BATCH_DEFAULT), "IdentifierInUse", 4098, "Item 3: ");
        m = batch_new(b->bus);
        batch_add(m, NODE_A, "", "127.0.0.1:3260");
        batch_add(m, NODE_A, "", "127.0.0.1:3261 127.0.0.1:3260");
        batch_refuse(b->bus, batch_end(m, BATCH_DEFAULT), "TCPProtocolEndpointInUse", 4102, "Item 2: ");

        /* The service chooses for the first what the second asks for. */
        m = batch_new(b->bus);
        batch_add(m, NODE_A, "", "127.0.0.1:3260");
        batch_add(m, NODE_A, "000000000001", "127.0.0.1:3261");
        batch_refuse(b->bus, batch_end(m, BATCH_DEFAULT), "IdentifierInUse", 4098, "Item 2: ");

        batch_refuse(b->bus, batch_end(batch_new(b->bus), BATCH_DEFAULT), "InvalidParameter", 5, "iSCSIProtocolEndpoints");

        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        base_assert_untouched(b, "refused batches");
}

static void test_options(void) {
        g_autofree char *a = node_path(NODE_A), *first = tcp_path("127.0.0.1:3260");
        g_autoptr(Base) b = base_with_nodes();

        must_refuse(b->bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 1, a, 3, "", 1, first, 1,
                    "Persistent", "b", 1);
        must_refuse(b->bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 1, a, 3, "", 1, first, 1,
                    "Enabled", "s", "yes");
        must_refuse(b->bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 1, a, 3, "", 1, first, 2,
                    "Enabled", "b", 1, "Enabled", "b", 1);
        must_refuse(b->bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 1, a, 3, "", 0, 0);
        base_assert_untouched(b, "wrong options");
}

/* The kernel refuses an item: those before it are taken back, in its node and in the others, and the item is named. */
static void test_backend_refuses(void) {
        static const char *const numbers[] = { "Item 1: ", "Item 3: ", "Item 2: ", "Item 4: " }; /* in the order of the work */
        g_autoptr(Base) b = base_with_nodes();

        for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
                fault_plan(b->service, "after %u once create-port fail AddressInUse taken-by-somebody\n", i);
                batch_refuse(b->bus, four_ports(b, BATCH_DEFAULT), "AddressInUse", 32768, numbers[i]);
                base_assert_untouched(b, numbers[i]);
        }
        base_assert_untouched_by_restart(b, "a refusal of the kernel");
}

/* A worker is lost in the first node, or in the second. */
static void test_worker_lost(void) {
        static const char *const behaviours[] = { "crash-before", "crash-half", "crash-after", "garbage" };
        g_autoptr(Base) b = base_with_nodes();

        for (gsize i = 0; i < G_N_ELEMENTS(behaviours); i++)
                for (unsigned k = 0; k < G_N_ELEMENTS(four); k++) {
                        bool garbage = g_str_equal(behaviours[i], "garbage");

                        fault_plan(b->service, "after %u once create-port %s\n", k, behaviours[i]);
                        batch_refuse(b->bus, four_ports(b, BATCH_DEFAULT), garbage ? "UnspecifiedError" : "BackendUnavailable",
                                     garbage ? 2 : 32773, "");
                        base_assert_untouched(b, behaviours[i]);
                }
        base_assert_untouched_by_restart(b, "a lost worker");
}

/* If the first node's part cannot be taken back, the ports stay desired: they are made after all, and can be deleted. */
static void test_degraded(void) {
        g_autofree char *state = NULL, *path = port_path(NODE_B, 1), *other = port_path(NODE_A, 1), *memory = NULL;
        g_autoptr(Base) b = base_with_nodes();
        sd_bus_message *m = batch_new(b->bus);

        batch_add(m, NODE_B, "", "127.0.0.1:3260");
        batch_add(m, NODE_A, "", "127.0.0.1:3260");
        fault_plan(b->service, "after 1 once create-port fail AddressInUse taken\nonce undo-port fail Failed stuck\n");
        batch_refuse(b->bus, batch_end(m, BATCH_DEFAULT), "Degraded", 32774, "");
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        state = get_property(b->bus, path, PORT_INTERFACE, "EnabledState");
        g_assert_cmpstr(state, ==, "2");
        memory = fault_memory(b->service);
        g_assert_nonnull(strstr(memory, NODE_B " 1 enabled 127.0.0.1:3260\n"));

        must_call(b->bus, "DeleteiSCSIProtocolEndpoint", "o", path);
        must_call(b->bus, "DeleteiSCSIProtocolEndpoint", "o", other);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "degraded ports that were deleted");
}

/* As many as there may be, over several nodes: one call for each node, one flush. */
static void test_many(void) {
        enum { NODES = 16, PORTS = 64 };
        g_autoptr(Service) s = service_new("--backend-deadline=60", NULL);
        g_autofree char *wanted = NULL, *memory = NULL;
        g_auto(GStrv) paths = NULL;
        sd_bus_message *m;
        sd_bus *bus;

        service_use_fault_backend(s);
        flush_control(s);
        service_start(s);
        bus = connect_as("root");
        for (unsigned i = 0; i < PORTS; i++)
                must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 5000 + i, DEFAULT_GROUP, 0);
        for (unsigned i = 0; i < NODES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%02u", i);

                g_free(create_node(bus, name));
        }

        m = batch_new(bus);
        for (unsigned i = 0; i < BATCH_MAX; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%02u", i % NODES);
                g_autofree char *portal = g_strdup_printf("127.0.0.1:%u", 5000 + i / NODES);

                batch_add(m, name, "", portal);
        }
        fault_log_clear(s);
        flush_forget(s);
        paths = batch_call(bus, batch_end(m, BATCH_DEFAULT));
        g_assert_cmpuint(flush_count(s), ==, 1);
        g_assert_cmpuint(fault_log_count(s, "Apply"), ==, NODES);
        g_assert_cmpuint(g_strv_length(paths), ==, BATCH_MAX);
        for (unsigned i = 0; i < BATCH_MAX; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%02u", i % NODES);
                g_autofree char *expected = port_path(name, 1 + i / NODES);

                g_assert_cmpstr(paths[i], ==, expected);
        }
        wanted = view_in_force(bus);
        memory = fault_memory(s);
        assert_same_text(wanted, memory, "1,024 ports");

        /* One more is too many, before anything else is looked at. */
        m = batch_new(bus);
        for (unsigned i = 0; i < BATCH_MAX + 1; i++)
                batch_add_raw(m, "/nothing", 3, "", "/nothing");
        batch_refuse(bus, batch_end(m, BATCH_DEFAULT), "LimitReached", 32775, "Argument iSCSIProtocolEndpoints");
        sd_bus_flush_close_unref(bus);
}

static sd_bus_message *costly_batch(sd_bus *bus) {
        sd_bus_message *m = batch_new(bus);

        for (unsigned i = 0; i < BATCH_MAX; i++) {
                g_autoptr(GString) portals = g_string_new(NULL);

                for (unsigned k = 0; k < 64; k++)
                        g_string_append_printf(portals, "%s10.%u.%u.%u:3260", k ? " " : "", k, i / 256, i % 256);
                batch_add(m, NODE_A, "", portals->str);
        }
        return batch_end(m, BATCH_DEFAULT);
}

/* The largest call that a user without any right can send holds up nobody for long. */
static void test_costly(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);
        sd_bus *mallory, *alice;
        gint64 begun;
        Call *c, *other;

        service_start(s);
        mallory = caller_new("mallory");
        alice = caller_new("alice");
        c = call_start(costly_batch(mallory));
        g_assert_cmpint(sd_bus_flush(mallory), >=, 0);
        begun = g_get_monotonic_time();
        other = call_start(message_new(alice, "DeleteiSCSINode", "o", "/nothing"));
        assert_call_fails(other, "SCSIProtocolControllerNonExistent", 4096);
        assert_call_fails(c, "SCSIProtocolControllerNonExistent", 4096);
        g_test_message("%u ms", (unsigned) ((g_get_monotonic_time() - begun) / 1000));
        g_assert_cmpint(g_get_monotonic_time() - begun, <, 3 * G_USEC_PER_SEC);

        call_free(c);
        call_free(other);
        caller_leave(mallory);
        caller_leave(alice);
}

static sd_bus_message *two_ports(sd_bus *bus, const char *first, const char *second) {
        sd_bus_message *m = batch_new(bus);

        batch_add(m, first, "", "127.0.0.1:3264 127.0.0.1:3265");
        batch_add(m, second, "0000000000aa", g_str_equal(first, second) ? "127.0.0.1:3263" : "127.0.0.1:3265");
        return batch_end(m, BATCH_DEFAULT);
}

static void assert_denied(sd_bus *bus, sd_bus_message *m) {
        batch_refuse(bus, m, "org.freedesktop.DBus.Error.AccessDenied", 0, "");
}

/* One question, whose details name a node and a role only if all items agree. A rule for one node opens no batch over two. */
static void test_authorized(void) {
        g_autofree char *questions = NULL;
        g_autoptr(Base) b = base_with_nodes();
        sd_bus *alice = connect_as("alice"), *mallory = connect_as("mallory");

        rules_set("return subject.user === \"alice\" && action.id.endsWith(\".create-port\") && action.lookup(\"node\") === "
                  "\"" NODE_A "\" && action.lookup(\"role\") === \"target\" && action.lookup(\"identifier\") === \"\" && "
                  "action.lookup(\"count\") === \"2\" && action.lookup(\"method\") === \"CreateiSCSIProtocolEndpoints\" && "
                  "action.lookup(\"group\") === undefined ? polkit.Result.YES : polkit.Result.NO;");
        g_free(rules_take_questions());
        assert_denied(mallory, two_ports(mallory, NODE_A, NODE_A));
        assert_denied(alice, two_ports(alice, NODE_A, NODE_B));
        assert_denied(alice, two_ports(alice, NODE_B, NODE_A));
        assert_denied(alice, two_ports(alice, NODE_B, NODE_B));
        base_assert_untouched(b, "denied");
        g_strfreev(batch_call(alice, two_ports(alice, NODE_A, NODE_A)));
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==,
                        "mallory create-port method=CreateiSCSIProtocolEndpoints node=" NODE_A
                        " role=target identifier= portals=127.0.0.1:3264 127.0.0.1:3265 127.0.0.1:3263 count=2\n"
                        "alice create-port method=CreateiSCSIProtocolEndpoints node= role=target identifier= "
                        "portals=127.0.0.1:3264 127.0.0.1:3265 count=2\n"
                        "alice create-port method=CreateiSCSIProtocolEndpoints node= role=target identifier= "
                        "portals=127.0.0.1:3264 127.0.0.1:3265 count=2\n"
                        "alice create-port method=CreateiSCSIProtocolEndpoints node=" NODE_B
                        " role=target identifier= portals=127.0.0.1:3264 127.0.0.1:3265 127.0.0.1:3263 count=2\n"
                        "alice create-port method=CreateiSCSIProtocolEndpoints node=" NODE_A
                        " role=target identifier= portals=127.0.0.1:3264 127.0.0.1:3265 127.0.0.1:3263 count=2\n");

        /* What is refused anyway asks nobody. */
        batch_refuse(mallory, two_ports(mallory, NODE_A, NODE_A), "TCPProtocolEndpointInUse", 4102, "Item 1: ");
        g_free(g_steal_pointer(&questions));
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==, "");
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(mallory);
}

/* Ports of both roles: the details name neither. */
static void test_two_roles(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", "--initiator-backend=model", NULL);
        g_autofree char *node = NULL, *questions = NULL;
        g_auto(GStrv) paths = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *root, *alice;
        sd_bus_message *m;

        service_start(s);
        root = connect_as("root");
        alice = connect_as("alice");
        node = call_for_path(root, &e, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", NODE_A, "Roles", "aq", 2, 2, 3);
        g_assert_nonnull(node);

        rules_set("return action.lookup(\"role\") === \"\" ? polkit.Result.YES : polkit.Result.NO;");
        g_free(rules_take_questions());
        m = batch_new(alice);
        batch_add(m, NODE_A, "", "127.0.0.1:3260");
        batch_add_raw(m, node, 2, "", IP_PATH);
        paths = batch_call(alice, batch_end(m, BATCH_DEFAULT));
        g_assert_cmpuint(g_strv_length(paths), ==, 2);
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==,
                        "alice create-port method=CreateiSCSIProtocolEndpoints node=" NODE_A
                        " role= identifier= portals=127.0.0.1:3260 127.0.0.1 count=2\n");
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(root);
}

static unsigned count_of_four(Base *b) {
        unsigned n = 0;

        for (gsize i = 0; i < G_N_ELEMENTS(four); i++) {
                g_autofree char *path = port_path(four[i].node, four[i].tag);

                n += object_exists(b->bus, path);
        }
        return n;
}

/* The service is killed when the commit is made, at each operation: afterwards all ports are there. */
static void test_killed_in_backend(void) {
        for (unsigned i = 0; i < G_N_ELEMENTS(four); i++) {
                g_autoptr(Base) b = base_with_nodes();

                fault_plan(b->service, "after %u once create-port hang-half\n", i);
                fault_log_clear(b->service);
                send_call(b->bus, four_ports(b, BATCH_DEFAULT));
                while (fault_log_count(b->service, "create-port") < i + 1)
                        g_usleep(1000);
                service_kill(b->service);
                fault_wait_workers_gone(b->service);
                fault_plan(b->service, "%s", "");

                service_start(b->service);
                g_assert_cmpuint(count_of_four(b), ==, G_N_ELEMENTS(four));
                assert_in_force(b);
                service_stop(b->service);
                assert_store_is_sound(b->service);
        }
}

/* The service is killed while the commit is flushed: all or none. */
static void test_killed_in_store(void) {
        g_autoptr(Base) b = NULL;
        unsigned n;

        b = base_new();
        service_stop(b->service);
        flush_control(b->service);
        service_start(b->service);
        g_free(create_node(b->bus, NODE_A));
        g_free(create_node(b->bus, NODE_B));
        g_usleep(1500000); /* what is stored in passing is stored */

        flush_forget(b->service);
        flush_set_msec(b->service, 60000);
        send_call(b->bus, four_ports(b, BATCH_DEFAULT));
        flush_wait(b->service, 1);
        service_kill(b->service);
        flush_set_msec(b->service, 0);

        service_start(b->service);
        n = count_of_four(b);
        g_assert_true(n == 0 || n == G_N_ELEMENTS(four));
        assert_in_force(b);
        service_stop(b->service);
        assert_store_is_sound(b->service);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/batch/created", test_created);
        g_test_add_func("/batch/disabled", test_disabled);
        g_test_add_func("/batch/enabled", test_enabled);
        g_test_add_func("/batch/refused", test_refused);
        g_test_add_func("/batch/options", test_options);
        g_test_add_func("/batch/backend-refuses", test_backend_refuses);
        g_test_add_func("/batch/worker-lost", test_worker_lost);
        g_test_add_func("/batch/degraded", test_degraded);
        g_test_add_func("/batch/many", test_many);
        g_test_add_func("/batch/costly", test_costly);
        g_test_add_func("/batch/authorized", test_authorized);
        g_test_add_func("/batch/two-roles", test_two_roles);
        g_test_add_func("/batch/killed-in-backend", test_killed_in_backend);
        g_test_add_func("/batch/killed-in-store", test_killed_in_store);
        return g_test_run();
}
