/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Each verb that a method calls at the backend fails in each way in which it can: what the caller hears, and that nothing is left
 * of it. */

#include "fault-base.h"

#include <string.h>

#define ALWAYS "Busy Stuck BackendUnavailable Failed InvalidParameter Timeout ForeignObjectInside"
#define OF_PORTALS "TCPProtocolEndpointInUse AddressInUse AddressOverlap PortalShadowed ScopeMissing"

/* VERB's call number NTH of OPERATION, and the errors that org.iscsi.Backend lets it give (Degraded is told of elsewhere). */
typedef struct Step {
        const Operation *operation;
        const char *verb;
        unsigned nth;
        const char *errors;
} Step;

static const Step steps[] = {
        { &operation_create_port, "create-port", 1, ALWAYS " " OF_PORTALS " IdentifierInUse NameInUse" },
        { &operation_delete_port, "delete-port", 1, ALWAYS " SessionsActive" },
        { &operation_bind, "bind-portal", 1, ALWAYS " " OF_PORTALS " ProtocolEndpointNonExistent" },
        { &operation_unbind, "unbind-portal", 1, ALWAYS },
        { &operation_create_node, "create-node", 1, ALWAYS " NameInUse" },
        { &operation_delete_node, "check-sessions", 1, ALWAYS " SessionsActive" },
        { &operation_delete_node, "delete-port", 1, ALWAYS " SessionsActive" },
        { &operation_delete_node, "delete-port", 2, ALWAYS " SessionsActive" },
        { &operation_delete_node, "delete-port", 3, ALWAYS " SessionsActive" },
        { &operation_delete_node, "delete-node", 1, ALWAYS },
};

/* A worker is lost, or says what it may not. */
static const struct {
        const char *behaviour, *error;
        const char *text; /* in the message */
        const char *log;  /* in the service's log */
        bool lost;        /* nobody knows what was done */
} behaviours[] = {
        { "crash-before", "BackendUnavailable", "ended while it did", NULL, true },
        { "crash-half", "BackendUnavailable", "ended while it did", NULL, true },
        { "crash-after", "BackendUnavailable", "ended while it did", NULL, true },
        { "garbage", "UnspecifiedError", "in a form that this service does not know", "instead of", true },
        { "unknown-error", "UnspecifiedError", "What nobody has heard of", "org.example.Error.Unheard", false },
        /* a name that is the service's own, but no answer to this verb */
        { "fail LimitReached no-room-in-here", "UnspecifiedError", "no-room-in-here", "Error.LimitReached", false },
};

/* The call before the NTH go well. */
static void plan_step(Base *b, const Step *step, const char *behaviour) {
        g_autoptr(GString) plan = g_string_new(NULL);

        for (unsigned i = 1; i < step->nth; i++)
                g_string_append_printf(plan, "once %s slow 0\n", step->verb);
        g_string_append_printf(plan, "once %s %s\n", step->verb, behaviour);
        fault_plan(b->service, "%s", plan->str);
}

static void fail_once(Base *b, const Step *step, const char *behaviour, const char *error, const char *text) {
        g_autofree char *what = g_strdup_printf("%s, %s number %u: %s", step->operation->name, step->verb, step->nth, behaviour);

        plan_step(b, step, behaviour);
        base_assert_fails(b, step->operation, error, text);
        base_assert_untouched(b, what);
}

/* A removal is done by the next worker. */
static void go_on_once(Base *b, const Step *step, const char *behaviour) {
        plan_step(b, step, behaviour);
        base_assert_works_as_planned(b, step->operation);
}

static void assert_logged(Base *b, gsize from, const char *text) {
        g_autofree char *log = service_read_log(b->service);

        if (text && !strstr(log + from, text))
                g_error("The log does not tell \"%s\": %s", text, log + from);
}

static gsize log_length(Base *b) {
        g_autofree char *log = service_read_log(b->service);

        return strlen(log);
}

static void test_refused(gconstpointer data) {
        const Step *step = data;
        g_auto(GStrv) errors = g_strsplit(step->errors, " ", 0);
        g_autoptr(Base) b = base_new();

        for (char **error = errors; *error; error++) {
                g_autofree char *text = g_strconcat("reason-of-", *error, NULL);
                g_autofree char *behaviour = g_strdup_printf("fail %s %s", *error, text);

                fail_once(b, step, behaviour, *error, text);
        }

        base_assert_untouched_by_restart(b, step->operation->name);
        base_assert_works(b, step->operation);
}

static void test_lost(gconstpointer data) {
        const Step *step = data;
        g_autoptr(Base) b = base_new();

        for (gsize i = 0; i < G_N_ELEMENTS(behaviours); i++) {
                gsize from = log_length(b);

                if (behaviours[i].lost && step->operation->removes) {
                        go_on_once(b, step, behaviours[i].behaviour);
                        assert_logged(b, from, behaviours[i].log);
                        base_assert_untouched_by_restart(b, behaviours[i].behaviour);
                        continue;
                }

                /* Twice: what it is after a restart, and that the next call works without one. */
                fail_once(b, step, behaviours[i].behaviour, behaviours[i].error, behaviours[i].text);
                assert_logged(b, from, behaviours[i].log);
                base_assert_untouched_by_restart(b, behaviours[i].behaviour);

                fail_once(b, step, behaviours[i].behaviour, behaviours[i].error, behaviours[i].text);
                base_assert_works(b, step->operation);
        }
}

/* Another program's port appears on the bus once a change has come upon it. */
static void wait_until_shown(Base *b, unsigned tag) {
        g_autofree char *path = port_path(BASE_NODE, tag), *managed = NULL;

        for (int i = 0; i < 6000 && !object_exists(b->bus, path); i++)
                g_usleep(10000);
        managed = get_property(b->bus, path, "org.iscsi.ProtocolEndpoint", "Managed");
        g_assert_cmpstr(managed, ==, "false");
}

/* The other program takes it away again, and the service looks. */
static void take_away(Base *b, unsigned tag) {
        g_autofree char *node = node_path(BASE_NODE);
        sd_bus_error e = SD_BUS_ERROR_NULL;

        fault_remove_port(b->service, BASE_NODE, tag);
        sd_bus_message_unref(call_service(b->bus, &e, "Reconcile", "o", node));
        g_assert_false(sd_bus_error_is_set(&e));
        g_free(signals_take(b->signals));
}

/* The kernel has a tag that another program made after the service looked. */
static void test_identifier_taken(void) {
        g_autofree char *node = node_path(BASE_NODE), *tcp = tcp_path("127.0.0.1:3264"), *port = NULL, *expected = NULL,
                        *log = NULL;
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        fault_make_port(b->service, BASE_NODE, 4, true, "127.0.0.1:9004\n");
        fault_make_port(b->service, BASE_NODE, 5, true, "127.0.0.1:9005\n");

        /* The service chooses another one. */
        fault_log_clear(b->service);
        port = call_for_path(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, tcp);
        expected = port_path(BASE_NODE, 6);
        g_assert_cmpstr(port, ==, expected);
        log = fault_log(b->service);
        assert_same_text("create-port " BASE_NODE " 4 127.0.0.1:3264\ncreate-port " BASE_NODE
                         " 5 127.0.0.1:3264\ncreate-port " BASE_NODE " 6 127.0.0.1:3264\n",
                         log, "tags that were tried");

        sd_bus_message_unref(call_service(b->bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port));
        g_assert_false(sd_bus_error_is_set(&e));
        fault_remove_port(b->service, BASE_NODE, 5);

        /* The caller's is refused, and the reason can be seen then. */
        base_assert_fails(b, &operation_create_port, "IdentifierInUse", NULL);
        wait_until_shown(b, 4);
        take_away(b, 4);
        base_assert_untouched(b, "after both");
        base_assert_works(b, &operation_create_port);
}

/* There is an end to trying. */
static void test_all_identifiers_taken(void) {
        g_autofree char *node = node_path(BASE_NODE), *tcp = tcp_path("127.0.0.1:3264");
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        fault_plan(b->service, "create-port fail IdentifierInUse always-taken\n");
        g_assert_null(call_service(b->bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, tcp));
        assert_error(&e, "IdentifierInUse", 4098);
        base_assert_untouched(b, "no Identifier");
        base_assert_untouched_by_restart(b, "no Identifier");
        base_assert_works(b, &operation_create_port);
}

/* Another port of the same node, which another program made, has the portal. */
static void test_portal_taken(void) {
        static const Operation *const operations[] = { &operation_create_port, &operation_bind };
        g_autoptr(Base) b = base_new();

        for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
                fault_make_port(b->service, BASE_NODE, 40, true, "127.0.0.1:3264\n");

                /* The kernel knows it, and then the service. */
                base_assert_fails(b, operations[i], "TCPProtocolEndpointInUse", "127.0.0.1:3264");
                wait_until_shown(b, 40);
                fault_log_clear(b->service);
                base_assert_fails(b, operations[i], "TCPProtocolEndpointInUse", "127.0.0.1:3264");
                g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);

                take_away(b, 40);
                base_assert_untouched(b, operations[i]->name);
                base_assert_works(b, operations[i]);
        }
}

static void test_sessions(void) {
        g_autoptr(Base) b = base_new();

        fault_set_sessions(b->service, BASE_NODE, 1, true);
        base_assert_fails(b, &operation_delete_port, "SessionsActive", NULL);
        base_assert_untouched(b, "the port's");

        fault_set_sessions(b->service, BASE_NODE, 1, false);
        fault_set_sessions(b->service, BASE_NODE, 3, true);
        fault_log_clear(b->service);
        base_assert_fails(b, &operation_delete_node, "SessionsActive", NULL);
        base_assert_untouched(b, "the node's");
        g_assert_cmpuint(fault_log_count(b->service, "check-sessions"), ==, 1);
        g_assert_cmpuint(fault_log_count(b->service, "delete-port"), ==, 0);
        g_assert_cmpuint(fault_log_count(b->service, "delete-node"), ==, 0);

        fault_set_sessions(b->service, BASE_NODE, 3, false);
        base_assert_works(b, &operation_delete_port);
        base_assert_works(b, &operation_delete_node);
}

/* A worker that says yes and does nothing is believed until the next start looks at what is there. */
static void test_lies(void) {
        g_autofree char *port = port_path(BASE_NODE, 4), *deleted = port_path(BASE_NODE, 1), *managed = NULL, *memory = NULL;
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;

        fault_plan(b->service, "create-port lie\n");
        sd_bus_message_unref(operation_create_port.call(b, &e));
        g_assert_false(sd_bus_error_is_set(&e));
        fault_plan(b->service, "delete-port lie\n");
        sd_bus_message_unref(operation_delete_port.call(b, &e));
        g_assert_false(sd_bus_error_is_set(&e));
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "it did nothing");

        fault_plan(b->service, "%s", "");
        service_stop(b->service);
        fault_log_clear(b->service);
        service_start(b->service);

        g_assert_cmpuint(fault_log_count(b->service, "make-port"), ==, 1);
        managed = get_property(b->bus, port, "org.iscsi.ProtocolEndpoint", "Managed");
        g_assert_cmpstr(managed, ==, "true");
        g_free(managed);
        managed = get_property(b->bus, deleted, "org.iscsi.ProtocolEndpoint", "Managed");
        g_assert_cmpstr(managed, ==, "false"); /* what was not deleted belongs to nobody that we know */
}

static void wait_for_node_state(Base *b, const char *state) {
        gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
        g_autofree char *node = node_path(BASE_NODE), *now = get_property(b->bus, node, "org.iscsi.Node", "EnabledState");

        while (!g_str_equal(now, state)) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
                g_free(now);
                now = get_property(b->bus, node, "org.iscsi.Node", "EnabledState");
        }
}

/* What cannot be looked at is not said to be in force. Nothing else changes, and all is known again by itself once the backend
 * is there. */
static void test_unreachable(gconstpointer data) {
        static const Operation *const operations[] = { &operation_create_port, &operation_delete_port, &operation_bind,
                                                       &operation_unbind,      &operation_create_node, &operation_delete_node };
        FaultSocket how = (FaultSocket) GPOINTER_TO_INT(data);
        g_autoptr(Base) b = base_new();

        fault_set_socket(b->service, how);
        for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
                base_assert_fails(b, operations[i], "BackendUnavailable", "worker.socket");
                wait_for_node_state(b, "0");
        }

        fault_set_socket(b->service, FAULT_SOCKET_SERVED);
        wait_for_node_state(b, "2");
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "reachable again");
        for (gsize i = 0; i < G_N_ELEMENTS(operations); i++)
                base_assert_works(b, operations[i]);
        base_assert_untouched_by_restart(b, "unreachable");
}

/* A node in both roles: the backend of initiator ports has deleted its part when that of target ports refuses. All of it is
 * made again at once. */
static void test_second_backend_refuses(void) {
        const char *name = "iqn.2026-11.org.example:both", *ip = ROOT_PATH "/ip/_3127_2e0_2e0_2e1";
        g_autofree char *node = node_path(name), *port = NULL, *status = NULL, *before = NULL, *after = NULL;
        g_autoptr(Service) s = service_new("--initiator-backend=model", NULL);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        service_use_fault_backend(s);
        service_start(s);
        bus = connect_as("root");
        sd_bus_message_unref(
                call_service(bus, &e, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", name, "Roles", "aq", 2, 2, 3));
        g_assert_false(sd_bus_error_is_set(&e));
        port = call_for_path(bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 2, "", 1, ip);
        g_assert_nonnull(port);
        before = view_objects(bus);

        fault_plan(s, "once delete-node fail Failed cannot");
        g_assert_null(call_service(bus, &e, "DeleteiSCSINode", "o", node));
        assert_error(&e, "Failed", 4);
        sd_bus_message_unref(call_service(bus, &e, "Reconcile", "o", node)); /* ends after the look that the failure caused */
        g_assert_false(sd_bus_error_is_set(&e));
        after = view_objects(bus);
        assert_same_text(before, after, "the node and its initiator port");

        /* And that is what the backend has: it deletes what it does not have as well, but unbinds nothing from it. */
        sd_bus_message_unref(call_service(bus, &e, "BindiSCSIProtocolEndPoint", "oo", port, ROOT_PATH "/ip/_3a_3a1"));
        if (sd_bus_error_is_set(&e))
                g_error("%s", e.message);
        status = get_property(bus, port, "org.iscsi.ProtocolEndpoint", "OperationalStatus");
        g_assert_cmpstr(status, ==, "[2]");
        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
                const Step *step = steps + i;
                g_autofree char *refused =
                        g_strdup_printf("/backend-faults/%s/%s-%u/refused", step->operation->name, step->verb, step->nth);
                g_autofree char *lost =
                        g_strdup_printf("/backend-faults/%s/%s-%u/lost", step->operation->name, step->verb, step->nth);

                g_test_add_data_func(refused, step, test_refused);
                g_test_add_data_func(lost, step, test_lost);
        }
        g_test_add_func("/backend-faults/identifier-taken", test_identifier_taken);
        g_test_add_func("/backend-faults/all-identifiers-taken", test_all_identifiers_taken);
        g_test_add_func("/backend-faults/portal-taken", test_portal_taken);
        g_test_add_func("/backend-faults/sessions", test_sessions);
        g_test_add_func("/backend-faults/lies", test_lies);
        g_test_add_func("/backend-faults/second-backend-refuses", test_second_backend_refuses);
        g_test_add_data_func("/backend-faults/socket-absent", GINT_TO_POINTER(FAULT_SOCKET_ABSENT), test_unreachable);
        g_test_add_data_func("/backend-faults/socket-refused", GINT_TO_POINTER(FAULT_SOCKET_REFUSED), test_unreachable);

        return g_test_run();
}
