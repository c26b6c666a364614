/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first pass: what the store wants against what the backend has, in every combination. */

#include "batch.h"
#include "calls.h"
#include "fault-base.h"

#include <stdlib.h>
#include <string.h>

#define PORT_INTERFACE "org.iscsi.ProtocolEndpoint"
#define NODE_INTERFACE "org.iscsi.Node"

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The lines of a text in order, because the order of independent verbs is nobody's business. */
static char *sort_lines(const char *text) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", 0);

        qsort(lines, g_strv_length(lines), sizeof(char *), compare_strings);
        return g_strjoinv("\n", lines);
}

static void stop(Base *b) {
        service_stop(b->service);
        fault_log_clear(b->service);
}

static void start(Base *b) {
        service_start(b->service);
        g_free(signals_take(b->signals));
}

static void assert_log(Base *b, const char *expected) {
        g_autofree char *log = fault_log(b->service), *sorted = sort_lines(log), *wanted = sort_lines(expected);

        assert_same_text(wanted, sorted, "the verbs");
}

static void assert_property(Base *b, const char *path, const char *interface, const char *property, const char *expected) {
        g_autofree char *value = get_property(b->bus, path, interface, property);

        if (!g_str_equal(value, expected))
                g_error("%s: %s is %s, not %s", path, property, value, expected);
}

static void assert_description(Base *b, const char *path, const char *interface, const char *part) {
        g_autofree char *value = get_property(b->bus, path, interface, "StatusDescriptions");

        if (!strstr(value, part))
                g_error("%s: \"%s\" does not tell \"%s\"", path, value, part);
}

static void assert_port_state(Base *b, unsigned tag, const char *enabled, const char *status, const char *part) {
        g_autofree char *path = port_path(BASE_NODE, tag);

        assert_property(b, path, PORT_INTERFACE, "EnabledState", enabled);
        assert_property(b, path, PORT_INTERFACE, "OperationalStatus", status);
        assert_description(b, path, PORT_INTERFACE, part);
}

static void assert_node_state(Base *b, const char *enabled, const char *status, const char *part) {
        g_autofree char *path = node_path(BASE_NODE);

        assert_property(b, path, NODE_INTERFACE, "EnabledState", enabled);
        assert_property(b, path, NODE_INTERFACE, "OperationalStatus", status);
        assert_description(b, path, NODE_INTERFACE, part);
}

#define MAKE(tag) "make-port " BASE_NODE " " tag "\n"
#define BIND(tag, portal) "bind-portal " BASE_NODE " " tag " " portal "\n"
#define ENABLE(tag) "enable-port " BASE_NODE " " tag "\n"
#define RESTORE_1 MAKE("1") BIND("1", "127.0.0.1:3260") BIND("1", "127.0.0.1:3261") ENABLE("1")
#define RESTORE_2 MAKE("2") BIND("2", "127.0.0.1:3262") ENABLE("2")
#define RESTORE_3 MAKE("3") BIND("3", "127.0.0.1:3263") ENABLE("3")
#define LOOK "ListNodes\nObserve " BASE_NODE "\n"

static void lose_everything(Service *s) {
        fault_remove_all(s);
}

static void lose_ports(Service *s) {
        fault_remove_all(s);
        fault_make_node(s, BASE_NODE);
}

static void lose_port(Service *s) {
        fault_remove_port(s, BASE_NODE, 2);
}

static void lose_portal(Service *s) {
        fault_make_port(s, BASE_NODE, 1, true, "127.0.0.1:3261\n");
}

static void lose_socket(Service *s) {
        fault_make_port(s, BASE_NODE, 1, true, "127.0.0.1:3260 deaf\n127.0.0.1:3261\n");
}

static void disable_port(Service *s) {
        fault_make_port(s, BASE_NODE, 3, false, "127.0.0.1:3263\n");
}

static void lose_a_bit_of_each(Service *s) {
        lose_port(s);
        lose_portal(s);
}

static void lose_nothing(Service *s) {
}

/* What is missing is made, by the verbs that it takes and no others. */
static const struct {
        const char *name;
        void (*lose)(Service *s);
        const char *verbs;
} losses[] = {
        { "nothing", lose_nothing, "" },
        { "everything", lose_everything, "create-node " BASE_NODE "\n" RESTORE_1 RESTORE_2 RESTORE_3 },
        { "ports", lose_ports, RESTORE_1 RESTORE_2 RESTORE_3 },
        { "port", lose_port, RESTORE_2 },
        { "portal", lose_portal, BIND("1", "127.0.0.1:3260") },
        { "socket", lose_socket, BIND("1", "127.0.0.1:3260") },
        { "a-bit-of-each", lose_a_bit_of_each, BIND("1", "127.0.0.1:3260") RESTORE_2 },
};

static void test_missing(gconstpointer data) {
        gsize i = GPOINTER_TO_SIZE(data);
        g_autofree char *expected = g_strconcat(losses[i].lose == lose_everything ? "ListNodes\n" : LOOK, losses[i].verbs, NULL);
        g_autoptr(Base) b = base_new();

        stop(b);
        losses[i].lose(b->service);
        start(b);

        assert_log(b, expected);
        base_assert_untouched(b, losses[i].name);
}

static void reconcile(Base *b) {
        g_autofree char *node = node_path(BASE_NODE);
        sd_bus_error e = SD_BUS_ERROR_NULL;

        sd_bus_message_unref(call_service(b->bus, &e, "Reconcile", "o", node));
        g_assert_false(sd_bus_error_is_set(&e));
        g_free(signals_take(b->signals));
}

/* Another administrator may have had a reason to switch a port off: it is shown, and put right on request. */
static void test_disabled(void) {
        g_autoptr(Base) b = base_new();

        stop(b);
        disable_port(b->service);
        start(b);
        assert_log(b, LOOK);
        assert_port_state(b, 3, "6", "[3]", "Not in force: it was switched off by another program");
        assert_port_state(b, 1, "2", "[2]", "In force");

        fault_log_clear(b->service);
        reconcile(b);
        assert_log(b, "Observe " BASE_NODE "\n" ENABLE("3"));
        base_assert_untouched(b, "switched on again");
}

/* More than is wanted is told, and left alone. */
static void test_surplus(void) {
        g_autofree char *before = NULL, *after = NULL;
        g_autoptr(Base) b = base_new();

        stop(b);
        fault_make_port(b->service, BASE_NODE, 1, true, "127.0.0.1:3260\n127.0.0.1:3261\n127.0.0.1:9999\n");
        before = fault_memory(b->service);
        start(b);

        assert_log(b, LOOK);
        assert_port_state(b, 1, "2", "[3]", "Drifted");
        assert_port_state(b, 1, "2", "[3]", "127.0.0.1:9999");
        assert_port_state(b, 2, "2", "[2]", "In force");
        after = fault_memory(b->service);
        assert_same_text(before, after, "a surplus portal");
}

/* A portal more and another one less. */
static void test_surplus_and_missing(void) {
        g_autofree char *memory = NULL;
        g_autoptr(Base) b = base_new();

        stop(b);
        fault_make_port(b->service, BASE_NODE, 1, true, "127.0.0.1:3261\n127.0.0.1:9999\n");
        start(b);

        assert_log(b, LOOK BIND("1", "127.0.0.1:3260"));
        assert_port_state(b, 1, "2", "[3]", "Drifted");
        memory = fault_memory(b->service);
        g_assert_nonnull(strstr(memory, BASE_NODE " 1 enabled 127.0.0.1:3260 127.0.0.1:3261 127.0.0.1:9999\n"));
}

#define UPPER "iqn.2026-11.org.example:UPPER"
#define ODD "Not_an iSCSI näme!"

static void assert_not_managed(Base *b, const char *what, sd_bus_message *reply, sd_bus_error *e) {
        if (reply)
                g_error("%s of what another program made succeeded", what);
        assert_error(e, "NotManaged", 32776);
}

/* All that could change it. PORT is one of NODE's, bound to PORTAL and another one. */
static void assert_read_only(Base *b, const char *node, const char *port, const char *portal) {
        g_autofree char *tcp = tcp_path(portal), *other = tcp_path("127.0.0.1:3264");
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *r;

        r = call_service(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, other);
        assert_not_managed(b, "create", r, &e);
        r = call_service(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000063", 1, other);
        assert_not_managed(b, "create", r, &e);
        r = call_service(b->bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port);
        assert_not_managed(b, "delete", r, &e);
        r = call_service(b->bus, &e, "BindiSCSIProtocolEndPoint", "oo", port, other);
        assert_not_managed(b, "bind", r, &e);
        r = call_service(b->bus, &e, "UnbindiSCSIProtocolEndPoint", "oo", port, tcp);
        assert_not_managed(b, "unbind", r, &e);
        r = call_service(b->bus, &e, "DeleteiSCSINode", "o", node);
        assert_not_managed(b, "delete node", r, &e);
}

static void test_foreign(void) {
        static const char *const nodes[] = { UPPER, ODD };
        static const unsigned tags[] = { 0, 65535 };
        g_autofree char *before = NULL, *after = NULL;
        g_autoptr(Base) b = base_new();

        stop(b);
        for (gsize i = 0; i < G_N_ELEMENTS(nodes); i++) {
                fault_make_port(b->service, nodes[i], tags[0], true, "127.0.0.1:7000\n127.0.0.1:7001\n");
                fault_make_port(b->service, nodes[i], tags[1], false, "127.0.0.1:7002\n127.0.0.1:7003\n");
        }
        before = fault_memory(b->service);
        start(b);

        assert_log(b, LOOK "Observe " UPPER "\nObserve " ODD "\n");
        for (gsize i = 0; i < G_N_ELEMENTS(nodes); i++) {
                g_autofree char *node = node_path(nodes[i]);

                assert_property(b, node, NODE_INTERFACE, "Managed", "false");
                assert_property(b, node, NODE_INTERFACE, "Name", nodes[i]);
                for (gsize k = 0; k < G_N_ELEMENTS(tags); k++) {
                        g_autofree char *port = port_path(nodes[i], tags[k]);

                        assert_property(b, port, PORT_INTERFACE, "Managed", "false");
                        assert_property(b, port, PORT_INTERFACE, "RequestedState", "12");
                        assert_property(b, port, PORT_INTERFACE, "EnabledState", k == 0 ? "2" : "3");
                        assert_property(b, port, PORT_INTERFACE, "OperationalStatus", k == 0 ? "[2]" : "[10]");
                        assert_read_only(b, node, port, k == 0 ? "127.0.0.1:7000" : "127.0.0.1:7002");
                }
        }

        after = fault_memory(b->service);
        assert_same_text(before, after, "what other programs made");
        assert_log(b, LOOK "Observe " UPPER "\nObserve " ODD "\n");
}

/* Another program put a port into a node of ours. */
static void test_foreign_port_in_managed_node(void) {
        g_autofree char *node = node_path(BASE_NODE), *port = port_path(BASE_NODE, 4), *used = tcp_path("127.0.0.1:3264");
        g_autofree char *unused = tcp_path("127.0.0.1:3265"), *made = NULL, *expected = port_path(BASE_NODE, 5);
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        stop(b);
        fault_make_port(b->service, BASE_NODE, 4, true, "127.0.0.1:3264\n");
        start(b);
        assert_property(b, node, NODE_INTERFACE, "Managed", "true");
        assert_property(b, port, PORT_INTERFACE, "Managed", "false");

        g_assert_null(call_service(b->bus, &e, "DeleteiSCSINode", "o", node));
        assert_error(&e, "NotManaged", 32776);
        g_assert_null(call_service(b->bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port));
        assert_error(&e, "NotManaged", 32776);
        g_assert_null(call_service(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000004", 1, unused));
        assert_error(&e, "IdentifierInUse", 4098);
        g_assert_null(call_service(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, used));
        assert_error(&e, "TCPProtocolEndpointInUse", 4102);
        made = call_for_path(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, unused);
        g_assert_cmpstr(made, ==, expected);
}

/* Nobody answers, or not in time, or nonsense: the service is there all the same, and says of each object why it is not known
 * whether it is in force. */
static void assert_all_unknown(Base *b, const char *part) {
        assert_node_state(b, "0", "[0]", part);
        for (unsigned tag = 1; tag <= 3; tag++)
                assert_port_state(b, tag, "0", "[0]", part);
}

static void restart_well(Base *b) {
        fault_plan(b->service, "%s", "");
        stop(b);
        start(b);
        base_assert_untouched(b, "a good start after a bad one");
}

/* A thousand ports that are as they should be: one list, one look at each node, and nothing is done. */
static void test_thousand_unchanged(void) {
        g_autoptr(Base) b = base_new();
        g_autofree char *before = NULL, *after = NULL;

        for (unsigned port = 4000; port < 4100; port++)
                must_call(b->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1", (int) port,
                          DEFAULT_GROUP, 0);
        for (unsigned i = 0; i < 10; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i);
                sd_bus_message *m = batch_new(b->bus);

                must_call(b->bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", name);
                for (unsigned port = 4000; port < 4100; port++) {
                        g_autofree char *portal = g_strdup_printf("127.0.0.1:%u", port);

                        batch_add(m, name, "", portal);
                }
                g_strfreev(batch_call(b->bus, batch_end(m, BATCH_DEFAULT)));
        }

        before = fault_memory(b->service);
        stop(b);
        start(b);
        after = fault_memory(b->service);
        g_assert_cmpstr(after, ==, before);
        g_assert_cmpuint(fault_log_count(b->service, "ListNodes"), ==, 1);
        g_assert_cmpuint(fault_log_count(b->service, "Observe"), ==, 11); /* and the base's own node */
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
}

/* The other role's backend is away: a node that has nothing to do with it is as it is, is said to be so, and drifts as ever. */
static void test_other_role_absent(void) {
        g_autofree char *node = node_path(BASE_NODE), *port = port_path(BASE_NODE, 1), *status = NULL, *text = NULL,
                        *after = NULL;
        g_autoptr(Base) b = base_new();

        stop(b);
        fault_watch(b->service);
        service_add_option(b->service, g_strdup("--initiator-backend=open-iscsi"));
        service_add_option(b->service, g_strdup("--open-iscsi-socket=/run/nobody-is-here"));
        start(b);
        status = get_property(b->bus, node, NODE_INTERFACE, "OperationalStatus");
        g_assert_cmpstr(status, ==, "[2]");
        must_call(b->bus, "Reconcile", "o", node);

        fault_remove_port(b->service, BASE_NODE, 1);
        for (unsigned i = 0; i < 200; i++) {
                g_free(text);
                text = get_property(b->bus, port, PORT_INTERFACE, "StatusDescriptions");
                if (strstr(text, "removed by another program"))
                        break;
                g_usleep(20000);
        }
        g_assert_nonnull(strstr(text, "removed by another program"));
        after = fault_memory(b->service);
        g_assert_null(strstr(after, BASE_NODE " 1 "));
}

static void test_backend_absent(void) {
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        stop(b);
        fault_set_socket(b->service, FAULT_SOCKET_ABSENT);
        start(b);
        assert_all_unknown(b, "cannot be reached");
        base_assert_fails(b, &operation_create_port, "BackendUnavailable", "worker.socket");
        base_assert_fails(b, &operation_create_node, "BackendUnavailable", "worker.socket");

        fault_set_socket(b->service, FAULT_SOCKET_SERVED);
        sd_bus_message_unref(operation_create_port.call(b, &e));
        g_assert_false(sd_bus_error_is_set(&e));
        operation_create_port.revert(b);
        restart_well(b);
}

static const struct {
        const char *behaviour, *part;
} bad_observations[] = {
        { "fail Busy the-lock-is-held", "the-lock-is-held" },
        { "crash-before", "ended while it did Observe" },
        { "garbage", "in a form that this service does not know" },
        { "unknown-error", "What nobody has heard of" },
        { "hang", "did not answer Observe within 1 s" },
};

static void test_bad_observation(void) {
        g_autoptr(Base) b = base_new_hasty();

        for (gsize i = 0; i < G_N_ELEMENTS(bad_observations); i++) {
                gint64 begun = g_get_monotonic_time();

                stop(b);
                fault_plan(b->service, "Observe %s\n", bad_observations[i].behaviour);
                start(b);
                g_assert_cmpint(g_get_monotonic_time() - begun, <, 10 * G_USEC_PER_SEC);
                assert_log(b, LOOK);
                assert_all_unknown(b, bad_observations[i].part);
                restart_well(b);
        }
}

/* An empty observation that is not true: ports are made that are there already, which does no harm. A node with ports is nobody's
 * to make. */
static void test_observation_that_lies(void) {
        g_autoptr(Base) b = base_new();

        stop(b);
        fault_plan(b->service, "Observe lie\n");
        start(b);
        assert_log(b, LOOK "create-node " BASE_NODE "\n" RESTORE_1 RESTORE_2 RESTORE_3);
        assert_node_state(b, "6", "[3]", "exists and has ports");
        for (unsigned tag = 1; tag <= 3; tag++)
                assert_port_state(b, tag, "2", "[2]", "In force");
        restart_well(b);
}

/* One call that hangs costs one deadline; what comes after it is not tried. */
static void test_restore_hangs(void) {
        g_autoptr(Base) b = base_new_hasty();
        gint64 begun;

        stop(b);
        lose_ports(b->service);
        fault_plan(b->service, "make-port hang\n");
        begun = g_get_monotonic_time();
        start(b);
        g_assert_cmpint(g_get_monotonic_time() - begun, <, 10 * G_USEC_PER_SEC);

        g_assert_cmpuint(fault_log_count(b->service, "make-port"), ==, 1);
        assert_node_state(b, "6", "[3]", "Port 000000000001: Not in force: ");
        assert_node_state(b, "6", "[3]", "; 2 more ports are not as desired");
        for (unsigned tag = 1; tag <= 3; tag++)
                assert_port_state(b, tag, "6", "[3]", "did not answer make-port and");
        restart_well(b);
}

/* Nor is more tried when the backend says that there is nothing behind it. */
static void test_restore_unavailable(void) {
        g_autoptr(Base) b = base_new();

        stop(b);
        lose_ports(b->service);
        fault_plan(b->service, "Apply fail BackendUnavailable no-such-module\n");
        start(b);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 1);
        for (unsigned tag = 1; tag <= 3; tag++)
                assert_port_state(b, tag, "6", "[3]", "no-such-module");
        restart_well(b);
}

/* What a port of ours needs has another program's port of the same node: the log tells of that one, and ours says who has it. */
static void test_portal_taken(void) {
        g_autofree char *other = port_path(BASE_NODE, 40), *log = NULL, *node = node_path(BASE_NODE), *before = NULL,
                        *after = NULL;
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        stop(b);
        lose_port(b->service);
        fault_make_port(b->service, BASE_NODE, 40, true, "127.0.0.1:3262\n");
        start(b);
        before = fault_memory(b->service);

        assert_port_state(b, 1, "2", "[2]", "In force");
        assert_port_state(b, 2, "6", "[3]", "belongs to tpgt_40");
        g_assert_false(object_exists(b->bus, other));
        log = service_read_log(b->service);
        g_assert_nonnull(strstr(log, "Port 40 of node " BASE_NODE ", made by another program, is not shown"));

        /* The node cannot go while it is there; what was in force before is so again. */
        g_assert_null(call_service(b->bus, &e, "DeleteiSCSINode", "o", node));
        g_assert_nonnull(strstr(e.message, "tpgt_40"));
        assert_error(&e, "ForeignObjectInside", 32793);
        assert_port_state(b, 2, "6", "[3]", "belongs to tpgt_40");
        after = fault_memory(b->service);
        assert_same_text(before, after, "the node");
}

static const struct {
        const char *behaviour, *part;
        unsigned n_down;
} bad_restores[] = {
        { "fail NameInUse somebody-else-has-it", "somebody-else-has-it", 1 },
        { "fail-half Degraded half-of-it-is-there", "half-of-it-is-there", 1 },
        { "crash-before", "ended while it did make-port", 3 },
        { "crash-half", "ended while it did make-port", 3 },
        { "garbage", "in a form that this service does not know", 3 },
};

static void wait_until_in_force(Base *b) {
        gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
        g_autofree char *node = node_path(BASE_NODE), *status = get_property(b->bus, node, NODE_INTERFACE, "OperationalStatus");

        while (!g_str_equal(status, "[2]")) {
                if (g_get_monotonic_time() > end) {
                        g_autofree char *log = service_read_log(b->service);

                        g_error("Not in force by itself: %s", log);
                }
                g_usleep(10000);
                g_free(status);
                status = get_property(b->bus, node, NODE_INTERFACE, "OperationalStatus");
        }
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "in force by itself");
}

/* One that cannot be brought up does not keep the others down. A worker that is lost takes the node's whole call with it, and
 * all that is missing is made by itself a little later. */
static void test_one_restore_fails(void) {
        g_autoptr(Base) b = base_new();

        for (gsize i = 0; i < G_N_ELEMENTS(bad_restores); i++) {
                unsigned n_degraded = 0;

                stop(b);
                lose_ports(b->service);
                fault_plan(b->service, "once make-port %s\n", bad_restores[i].behaviour);
                start(b);

                for (unsigned tag = 1; tag <= 3; tag++) {
                        g_autofree char *path = port_path(BASE_NODE, tag);
                        g_autofree char *state = get_property(b->bus, path, PORT_INTERFACE, "EnabledState");

                        if (g_str_equal(state, "2"))
                                continue;
                        n_degraded++;
                        assert_port_state(b, tag, "6", "[3]", bad_restores[i].part);
                }
                if (n_degraded != bad_restores[i].n_down)
                        g_error("%s: %u ports are down", bad_restores[i].behaviour, n_degraded);
                wait_until_in_force(b);
                restart_well(b);
        }
}

static void set_backend(Service *s, const char *option) {
        for (char **o = s->options; *o; o++)
                if (g_str_has_prefix(*o, "--target-backend=")) {
                        g_free(*o);
                        *o = g_strdup(option);
                }
}

static void test_no_backend(void) {
        g_autofree char *node = node_path(BASE_NODE), *tcp = tcp_path("127.0.0.1:3264"), *memory = NULL;
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        stop(b);
        set_backend(b->service, "--target-backend=none");
        start(b);
        assert_all_unknown(b, "no backend is configured");

        g_assert_null(call_service(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, tcp));
        assert_error(&e, "NotSupported", 1);
        g_assert_null(operation_bind.call(b, &e));
        assert_error(&e, "NotSupported", 1);
        g_assert_null(operation_create_node.call(b, &e));
        assert_error(&e, "NodeCreationNotSupported", 4096);
        g_assert_null(operation_delete_port.call(b, &e));
        assert_error(&e, "BackendUnavailable", 32773);
        g_assert_null(operation_delete_node.call(b, &e));
        assert_error(&e, "BackendUnavailable", 32773);
        assert_all_unknown(b, "no backend is configured");

        set_backend(b->service, "--target-backend=lio");
        restart_well(b);
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "no backend");
}

/* The kernel binds ahead: a port is made without its address, and says that nobody can reach it yet. */
static void test_address_absent(void) {
        g_autofree char *node = node_path(BASE_NODE), *tcp = tcp_path("10.9.9.9:3260"), *port = NULL;
        const char *tcp_address = ROOT_PATH "/ip/_310_2e9_2e9_2e9";
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        run_command("ip", "address", "add", "10.9.9.9/32", "dev", "lo", NULL);
        for (unsigned i = 0; i < 2000 && !object_exists(b->bus, tcp); i++)
                g_usleep(2000);
        port = call_for_path(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000004", 1, tcp);
        if (!port)
                g_error("%s", e.message);
        assert_description(b, port, PORT_INTERFACE, "In force");

        stop(b);
        run_command("ip", "address", "del", "10.9.9.9/32", "dev", "lo", NULL);
        fault_remove_port(b->service, BASE_NODE, 4);
        start(b);
        assert_log(b, LOOK MAKE("4") BIND("4", "10.9.9.9:3260") ENABLE("4"));
        assert_port_state(b, 4, "6", "[3]", "Not in force: portal 10.9.9.9:3260 waits for its address");
        assert_property(b, port, PORT_INTERFACE, "ListeningOn", "[]");
        assert_node_state(b, "6", "[3]", "Port 000000000004: Not in force: portal 10.9.9.9:3260 waits for its address");

        run_command("ip", "address", "add", "10.9.9.9/32", "dev", "lo", NULL);
        for (unsigned i = 0; i < 2000 && !object_exists(b->bus, tcp_address); i++)
                g_usleep(2000);
        assert_port_state(b, 4, "2", "[2]", "In force");
        assert_node_state(b, "2", "[2]", "In force");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        for (gsize i = 0; i < G_N_ELEMENTS(losses); i++) {
                g_autofree char *path = g_strdup_printf("/startup/missing/%s", losses[i].name);

                g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_missing);
        }
        g_test_add_func("/startup/missing/disabled", test_disabled);
        g_test_add_func("/startup/surplus", test_surplus);
        g_test_add_func("/startup/surplus-and-missing", test_surplus_and_missing);
        g_test_add_func("/startup/foreign", test_foreign);
        g_test_add_func("/startup/foreign-port-in-managed-node", test_foreign_port_in_managed_node);
        g_test_add_func("/startup/thousand-unchanged", test_thousand_unchanged);
        g_test_add_func("/startup/other-role-absent", test_other_role_absent);
        g_test_add_func("/startup/backend-absent", test_backend_absent);
        g_test_add_func("/startup/bad-observation", test_bad_observation);
        g_test_add_func("/startup/observation-that-lies", test_observation_that_lies);
        g_test_add_func("/startup/restore-hangs", test_restore_hangs);
        g_test_add_func("/startup/restore-unavailable", test_restore_unavailable);
        g_test_add_func("/startup/portal-taken", test_portal_taken);
        g_test_add_func("/startup/one-restore-fails", test_one_restore_fails);
        g_test_add_func("/startup/no-backend", test_no_backend);
        g_test_add_func("/startup/address-absent", test_address_absent);

        return g_test_run();
}
