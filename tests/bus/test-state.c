/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* RequestStateChange, and the deletions that end sessions. */

#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <string.h>

static const char port_1[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000001";
static const char node_1[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";

static void assert_property(Base *b, const char *property, const char *expected) {
        g_autofree char *value = get_property(b->bus, port_1, PORT_INTERFACE, property);

        if (!g_str_equal(value, expected))
                g_error("%s is %s, not %s", property, value, expected);
}

static void assert_line(Base *b, const char *line) {
        g_autofree char *memory = fault_memory(b->service);

        if (!strstr(memory, line))
                g_error("The kernel does not have \"%s\": %s", line, memory);
}

#define OFF BASE_NODE " 1 disabled 127.0.0.1:3260 127.0.0.1:3261\n"
#define ON BASE_NODE " 1 enabled 127.0.0.1:3260 127.0.0.1:3261\n"

static void assert_off(Base *b) {
        assert_property(b, "RequestedState", "3");
        assert_property(b, "EnabledState", "3");
        assert_property(b, "OperationalStatus", "[10]");
        assert_property(b, "StatusDescriptions", "[Switched off on request]");
        assert_property(b, "ListeningOn", "[]");
        assert_line(b, OFF);
}

/* Off and on again, with what is said on the way; and twice, which changes nothing. */
static void test_switched(void) {
        g_autoptr(Base) b = base_new();
        g_autoptr(Mirror) mirror = mirror_new(b->bus);
        g_autofree char *node_status = NULL, *before = NULL;

        fault_log_clear(b->service);
        before = get_property(b->bus, port_1, PORT_INTERFACE, "ListeningOn");
        must_call(b->bus, "RequestStateChange", "oq", port_1, 3);
        assert_signals(mirror, "~ node/iqn.2026-11.org.example:base/endpoint/000000000001 RequestedState EnabledState "
                               "OperationalStatus StatusDescriptions ListeningOn");
        assert_off(b);
        node_status = get_property(b->bus, node_1, NODE_INTERFACE, "OperationalStatus");
        g_assert_cmpstr(node_status, ==, "[2]"); /* it is as desired */

        must_call(b->bus, "RequestStateChange", "oq", port_1, 3);
        assert_signals(mirror, NULL);
        g_assert_cmpuint(fault_log_count(b->service, "disable-port"), ==, 1);

        must_call(b->bus, "RequestStateChange", "oq", port_1, 2);
        assert_signals(mirror, "~ node/iqn.2026-11.org.example:base/endpoint/000000000001 RequestedState EnabledState "
                               "OperationalStatus StatusDescriptions ListeningOn");
        assert_property(b, "ListeningOn", before);
        must_call(b->bus, "RequestStateChange", "oq", port_1, 2);
        g_assert_cmpuint(fault_log_count(b->service, "enable-port"), ==, 1);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "off and on");
}

/* It stays off over restarts, also when the kernel has lost all, and what is in it stays. */
static void test_durable(void) {
        g_autoptr(Base) b = base_new();

        fake_add_lun(b->service->fault, BASE_NODE, 1);
        must_call(b->bus, "RequestStateChange", "oq", port_1, 3);
        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));

        service_stop(b->service);
        service_start(b->service);
        assert_off(b);
        g_assert_true(fake_has_contents(b->service->fault, BASE_NODE, 1));
        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_remove_port(b->service, BASE_NODE, 1);
        service_start(b->service);
        assert_off(b);

        must_call(b->bus, "RequestStateChange", "oq", port_1, 2);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "durable");
}

/* Portals can be bound while it is off; they listen when it is on. */
static void test_bound_while_off(void) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3264"), *listening = NULL;
        g_autoptr(Base) b = base_new();

        must_call(b->bus, "RequestStateChange", "oq", port_1, 3);
        must_call(b->bus, "BindiSCSIProtocolEndPoint", "oo", port_1, tcp);
        assert_property(b, "EnabledState", "3");
        must_call(b->bus, "RequestStateChange", "oq", port_1, 2);
        assert_property(b, "EnabledState", "2");
        listening = get_property(b->bus, port_1, PORT_INTERFACE, "ListeningOn");
        g_assert_nonnull(strstr(listening, tcp));
        must_call(b->bus, "UnbindiSCSIProtocolEndPoint", "oo", port_1, tcp);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "bound while off");
}

static void test_wrong_input(void) {
        static const unsigned states[] = { 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 32768, 65535 };
        g_autofree char *foreign = port_path("iqn.2026-11.org.example:f", 1), *absent = port_path(BASE_NODE, 77);
        g_autoptr(Base) b = base_new();

        for (gsize i = 0; i < G_N_ELEMENTS(states); i++)
                must_refuse(b->bus, "InvalidParameter", 5, "RequestStateChange", "oq", port_1, states[i]);
        must_refuse(b->bus, "ProtocolEndpointNonExistent", 4096, "RequestStateChange", "oq", absent, 2);
        must_refuse(b->bus, "ProtocolEndpointNonExistent", 4096, "RequestStateChange", "oq", node_1, 3);
        must_refuse(b->bus, "ProtocolEndpointNonExistent", 4096, "RequestStateChange", "oq", "/", 3);
        base_assert_untouched(b, "wrong input");

        fault_make_port(b->service, "iqn.2026-11.org.example:f", 1, true, "127.0.0.1:7000\n");
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        must_refuse(b->bus, "NotManaged", 32776, "RequestStateChange", "oq", foreign, 3);
        must_refuse(b->bus, "NotManaged", 32776, "DeleteiSCSIProtocolEndpointForced", "o", foreign);
}

/* A port that is to be on and is not, since another program switched it off: that it could not be put right does not mean that it
 * is to be off from now on. */
static void test_not_put_right(void) {
        static const char *const faults[] = { "fail Failed no-more", "crash-before", "crash-after" };

        for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                g_autoptr(Base) b = base_new();

                fake_enable_port(b->service->fault, BASE_NODE, 1, false);
                must_call(b->bus, "Reconcile", "o", node_1);
                fake_enable_port(b->service->fault, BASE_NODE, 1, false);
                service_stop(b->service);
                service_start(b->service);
                assert_property(b, "RequestedState", "2");
                assert_property(b, "EnabledState", "6");

                fault_plan(b->service, "once enable-port %s\n", faults[i]);
                g_assert_null(call_service(b->bus, &e, "RequestStateChange", "oq", port_1, 2));
                g_test_message("%s: %s", faults[i], e.message);
                sd_bus_error_free(&e);
                g_assert_cmpuint(fault_log_count(b->service, "disable-port"), ==, 0);
                fault_plan(b->service, "%s", "");
                service_stop(b->service);
                service_start(b->service);
                assert_property(b, "RequestedState", "2");
        }
}

/* Sessions keep it on. */
static void test_sessions(void) {
        g_autoptr(Base) b = base_new();

        fault_set_sessions(b->service, BASE_NODE, 1, true);
        must_refuse(b->bus, "SessionsActive", 32779, "RequestStateChange", "oq", port_1, 3);
        base_assert_untouched(b, "sessions");
        base_assert_untouched_by_restart(b, "sessions");
        fault_set_sessions(b->service, BASE_NODE, 1, false);
        must_call(b->bus, "RequestStateChange", "oq", port_1, 3);
        assert_off(b);
}

/* The backend fails, or is lost half-way: it is as it was. */
static void test_undone(gconstpointer data) {
        static const struct {
                const char *behaviour, *error;
                unsigned code;
        } faults[] = {
                { "fail Failed no-reason", "Failed", 4 },        { "fail Busy targetcli", "Busy", 32772 },
                { "crash-before", "BackendUnavailable", 32773 }, { "crash-half", "BackendUnavailable", 32773 },
                { "crash-after", "BackendUnavailable", 32773 },  { "garbage", "UnspecifiedError", 2 },
        };
        bool on = GPOINTER_TO_INT(data) == 2;
        g_autoptr(Base) b = base_new();

        if (on) {
                must_call(b->bus, "RequestStateChange", "oq", port_1, 3);
                g_free(signals_take(b->signals));
                g_free(b->objects);
                g_free(b->memory);
                b->objects = view_objects(b->bus);
                b->memory = fault_memory(b->service);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
                fault_plan(b->service, "once %s %s\n", on ? "enable-port" : "disable-port", faults[i].behaviour);
                must_refuse(b->bus, faults[i].error, faults[i].code, "RequestStateChange", "oq", port_1, on ? 2 : 3);
                base_assert_untouched(b, faults[i].behaviour);
        }
        base_assert_untouched_by_restart(b, "undone");
}

/* Killed when the state is stored: afterwards it is the one that was asked for. */
static void test_killed(gconstpointer data) {
        const char *behaviour = data;

        for (unsigned state = 3; state >= 2; state--) {
                g_autoptr(Base) b = base_new();
                const char *verb = state == 2 ? "enable-port" : "disable-port";
                sd_bus_message *m = new_call(b->bus, "RequestStateChange");

                if (state == 2)
                        must_call(b->bus, "RequestStateChange", "oq", port_1, 3);
                g_assert_cmpint(sd_bus_message_append(m, "oq", port_1, state), >=, 0);
                fault_plan(b->service, "once %s %s\n", verb, behaviour);
                fault_log_clear(b->service);
                send_call(b->bus, m);
                fault_wait_call(b->service, verb);
                service_kill(b->service);
                fault_wait_workers_gone(b->service);
                fault_plan(b->service, "%s", "");

                service_start(b->service);
                if (state == 3)
                        assert_off(b);
                else {
                        assert_property(b, "RequestedState", "2");
                        assert_property(b, "EnabledState", "2");
                        assert_line(b, ON);
                }
                service_stop(b->service);
                assert_store_is_sound(b->service);
        }
}

/* A deletion that is under way, or was begun and could not be ended, is not undone by a change of the state. */
static void test_being_deleted(void) {
        g_autoptr(Base) b = base_new();
        g_autofree char *text = NULL;

        fault_plan(b->service, "delete-port crash-half\n");
        must_refuse(b->bus, "Degraded", 32774, "DeleteiSCSIProtocolEndpoint", "o", port_1);
        text = get_property(b->bus, port_1, PORT_INTERFACE, "StatusDescriptions");
        g_test_message("%s", text);
        must_refuse(b->bus, "InvalidStateTransition", 4097, "RequestStateChange", "oq", port_1, 2);
        must_refuse(b->bus, "InvalidStateTransition", 4097, "RequestStateChange", "oq", port_1, 3);

        fault_plan(b->service, "%s", "");
        for (unsigned i = 0; i < 2000 && object_exists(b->bus, port_1); i++)
                g_usleep(10000);
        g_assert_false(object_exists(b->bus, port_1)); /* by itself */
}

static void assert_denied(sd_bus *bus, const char *method, const char *path) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        g_assert_null(call_service(bus, &e, method, "o", path));
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
}

/* A user with the right, and one without. The right to delete is not the right to end sessions, nor the other way round. */
static void test_authorized(void) {
        g_autofree char *questions = NULL, *port_2 = port_path(BASE_NODE, 2);
        g_autoptr(Base) b = base_new();
        sd_bus *alice = connect_as("alice"), *mallory = connect_as("mallory");
        sd_bus_error e = SD_BUS_ERROR_NULL;

        rules_set("if (subject.user === \"alice\" && action.id.endsWith(\".modify-port\") && action.lookup(\"method\") === "
                  "\"RequestStateChange\") return polkit.Result.YES; return polkit.Result.NO;");
        g_free(rules_take_questions());
        must_call(alice, "RequestStateChange", "oq", port_1, 3);
        must_call(alice, "RequestStateChange", "oq", port_1, 2);
        g_assert_null(call_service(mallory, &e, "RequestStateChange", "oq", port_1, 3));
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==,
                        "alice modify-port method=RequestStateChange node=" BASE_NODE " identifier=000000000001\n"
                        "alice modify-port method=RequestStateChange node=" BASE_NODE " identifier=000000000001\n"
                        "mallory modify-port method=RequestStateChange node=" BASE_NODE " identifier=000000000001\n");
        g_free(g_steal_pointer(&questions));

        /* What is refused anyway asks nobody. */
        must_refuse(mallory, "InvalidParameter", 5, "RequestStateChange", "oq", port_1, 9);
        must_refuse(mallory, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpointForced", "o", node_1);

        rules_set("return action.id.endsWith(\".delete-port\") || action.id.endsWith(\".delete-node\") ? polkit.Result.YES : "
                  "polkit.Result.NO;");
        g_free(rules_take_questions());
        assert_denied(alice, "DeleteiSCSIProtocolEndpointForced", port_1);
        assert_denied(alice, "DeleteiSCSINodeForced", node_1);
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==,
                        "alice force method=DeleteiSCSIProtocolEndpointForced node=" BASE_NODE
                        " identifier=000000000001\nalice force method=DeleteiSCSINodeForced node=" BASE_NODE "\n");
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "denied");

        rules_set("return action.id.endsWith(\".force\") && subject.user === \"alice\" ? polkit.Result.YES : polkit.Result.NO;");
        g_free(g_steal_pointer(&questions));
        g_free(rules_take_questions());
        fault_set_sessions(b->service, BASE_NODE, 1, true);
        assert_denied(alice, "DeleteiSCSIProtocolEndpoint", port_1);
        assert_denied(mallory, "DeleteiSCSIProtocolEndpointForced", port_1);
        g_free(rules_take_questions());
        must_call(alice, "DeleteiSCSIProtocolEndpointForced", "o", port_1);
        must_call(alice, "DeleteiSCSIProtocolEndpointForced", "o", port_2);
        must_call(alice, "DeleteiSCSINodeForced", "o", node_1);
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==,
                        "alice force method=DeleteiSCSIProtocolEndpointForced node=" BASE_NODE " identifier=000000000001\n"
                        "alice force method=DeleteiSCSIProtocolEndpointForced node=" BASE_NODE
                        " identifier=000000000002\nalice force method=DeleteiSCSINodeForced node=" BASE_NODE "\n");
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(mallory);
}

/* Sessions on two ports: the plain deletions refuse, the forced ones do not. */
static void test_forced(void) {
        g_autofree char *memory = NULL;
        g_autoptr(Base) b = base_new();

        fault_set_sessions(b->service, BASE_NODE, 1, true);
        fault_set_sessions(b->service, BASE_NODE, 2, true);
        must_refuse(b->bus, "SessionsActive", 32779, "DeleteiSCSIProtocolEndpoint", "o", port_1);
        must_refuse(b->bus, "SessionsActive", 4097, "DeleteiSCSINode", "o", node_1);
        base_assert_untouched(b, "sessions");

        must_call(b->bus, "DeleteiSCSIProtocolEndpointForced", "o", port_1);
        g_assert_false(object_exists(b->bus, port_1));
        must_call(b->bus, "DeleteiSCSINodeForced", "o", node_1);
        g_assert_false(object_exists(b->bus, node_1));
        memory = fault_memory(b->service);
        g_assert_cmpstr(memory, ==, "");

        service_stop(b->service);
        service_start(b->service);
        g_assert_false(object_exists(b->bus, node_1));
}

/* A forced deletion that is cut short goes on, although there are sessions, when the service is back. */
static void test_forced_killed(void) {
        g_autoptr(Base) b = base_new();
        sd_bus_message *m = new_call(b->bus, "DeleteiSCSINodeForced");
        g_autofree char *memory = NULL;

        for (unsigned tag = 1; tag <= 3; tag++)
                fault_set_sessions(b->service, BASE_NODE, tag, true);
        g_assert_cmpint(sd_bus_message_append(m, "o", node_1), >=, 0);
        fault_plan(b->service, "after 1 once delete-port hang\n");
        fault_log_clear(b->service);
        send_call(b->bus, m);
        while (fault_log_count(b->service, "delete-port") < 2)
                g_usleep(1000);
        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_plan(b->service, "%s", "");

        service_start(b->service);
        g_assert_false(object_exists(b->bus, node_1));
        memory = fault_memory(b->service);
        g_assert_cmpstr(memory, ==, "");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/state/switched", test_switched);
        g_test_add_func("/state/durable", test_durable);
        g_test_add_func("/state/bound-while-off", test_bound_while_off);
        g_test_add_func("/state/wrong-input", test_wrong_input);
        g_test_add_func("/state/not-put-right", test_not_put_right);
        g_test_add_func("/state/sessions", test_sessions);
        g_test_add_data_func("/state/undone/off", GINT_TO_POINTER(3), test_undone);
        g_test_add_data_func("/state/undone/on", GINT_TO_POINTER(2), test_undone);
        g_test_add_data_func("/state/killed/before", "hang", test_killed);
        g_test_add_data_func("/state/killed/after", "hang-after", test_killed);
        g_test_add_func("/state/being-deleted", test_being_deleted);
        g_test_add_func("/state/authorized", test_authorized);
        g_test_add_func("/state/forced", test_forced);
        g_test_add_func("/state/forced-killed", test_forced_killed);
        return g_test_run();
}
