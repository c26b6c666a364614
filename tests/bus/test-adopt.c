/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* AdoptiSCSINode, ReleaseiSCSINode and Reconcile. */

#include "calls.h"
#include "fault-base.h"
#include "flush-control.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <string.h>

#define FOREIGN "iqn.2026-11.org.example:foreign"

static const char foreign[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aforeign";
static const char base[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";

static void assert_property(Base *b, const char *path, const char *interface, const char *property, const char *expected) {
        g_autofree char *value = get_property(b->bus, path, interface, property);

        if (!g_str_equal(value, expected))
                g_error("%s: %s is %s, not %s", path, property, value, expected);
}

static void remember(Base *b) {
        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
}

/* A base with a node of another program: a port with contents, and one that is off. */
static Base *base_with_foreign(void) {
        Base *b = base_new();

        fault_make_port(b->service, FOREIGN, 1, true, "127.0.0.1:3260\n127.0.0.1:7000\n");
        fault_make_port(b->service, FOREIGN, 7, false, "127.0.0.1:3261\n");
        fake_add_lun(b->service->fault, FOREIGN, 1);
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        assert_property(b, foreign, NODE_INTERFACE, "Managed", "false");
        remember(b);
        fault_log_clear(b->service);
        return b;
}

static void assert_no_operations(Base *b) {
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        g_assert_true(fake_has_contents(b->service->fault, FOREIGN, 1));
}

/* Nothing changes in the kernel; from then on it is kept. */
static void test_adopted(void) {
        g_autofree char *first = port_path(FOREIGN, 1), *second = port_path(FOREIGN, 7), *memory = NULL;
        g_autoptr(Base) b = base_with_foreign();

        must_call(b->bus, "AdoptiSCSINode", "o", foreign);
        assert_no_operations(b);
        assert_property(b, foreign, NODE_INTERFACE, "Managed", "true");
        assert_property(b, foreign, NODE_INTERFACE, "Persistent", "true");
        assert_property(b, first, PORT_INTERFACE, "Managed", "true");
        assert_property(b, first, PORT_INTERFACE, "RequestedState", "2");
        assert_property(b, first, PORT_INTERFACE, "EnabledState", "2");
        assert_property(b, second, PORT_INTERFACE, "RequestedState", "3");
        assert_property(b, second, PORT_INTERFACE, "EnabledState", "3");
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "adopted");

        /* Again: it is so already. */
        remember(b);
        must_call(b->bus, "AdoptiSCSINode", "o", foreign);
        base_assert_untouched(b, "adopted twice");
        base_assert_untouched_by_restart(b, "adopted");

        service_stop(b->service);
        fault_remove_all(b->service);
        service_start(b->service);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "restored");

        must_call(b->bus, "RequestStateChange", "oq", second, 2);
        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", foreign, 1, "Alias", "s", "adopted");
        must_call(b->bus, "DeleteiSCSINode", "o", foreign);
        g_assert_false(object_exists(b->bus, foreign));
}

/* Given back: the kernel keeps it, the service does not. */
static void test_released(void) {
        static const char passing[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3anew";
        g_autofree char *port = port_path(BASE_NODE, 1), *memory = NULL;
        g_autoptr(Base) b = base_with_foreign();

        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", base, 2, "Alias", "s", "mine", "DriftPolicy", "s", "enforce");
        fault_log_clear(b->service);
        must_call(b->bus, "ReleaseiSCSINode", "o", base);
        assert_no_operations(b);
        assert_property(b, base, NODE_INTERFACE, "Managed", "false");
        assert_property(b, port, PORT_INTERFACE, "Managed", "false");
        assert_property(b, port, PORT_INTERFACE, "RequestedState", "12");
        assert_property(b, port, PORT_INTERFACE, "EnabledState", "2");
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "released");
        must_refuse(b->bus, "NotManaged", 32776, "DeleteiSCSIProtocolEndpoint", "o", port);
        must_refuse(b->bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", BASE_NODE);

        /* What the service alone knew of it is gone, so that it is the same before and after a restart. */
        remember(b);
        base_assert_untouched_by_restart(b, "released");
        must_call(b->bus, "ReleaseiSCSINode", "o", base);
        must_call(b->bus, "ReleaseiSCSINode", "o", foreign); /* of others: it is so already */
        base_assert_untouched(b, "released twice");

        must_call(b->bus, "AdoptiSCSINode", "o", base);
        must_call(b->bus, "ReleaseiSCSINode", "o", base);
        must_call(b->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", NEW_NODE, "Persistent", "b", 0);
        must_call(b->bus, "ReleaseiSCSINode", "o", passing);
        remember(b);
        base_assert_untouched_by_restart(b, "a node of this boot");
        must_call(b->bus, "AdoptiSCSINode", "o", passing);
        assert_property(b, passing, NODE_INTERFACE, "Persistent", "true");
        must_call(b->bus, "ReleaseiSCSINode", "o", passing);

        service_stop(b->service);
        fault_remove_all(b->service);
        service_start(b->service);
        g_assert_false(object_exists(b->bus, base));
        memory = (g_free(memory), fault_memory(b->service));
        g_assert_cmpstr(memory, ==, "");
}

static void test_refused(void) {
        static const char upper[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aUPPER";
        static const char odd[] = ROOT_PATH "/node/an_20odd_20name";
        static const char bare[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abare";
        g_autoptr(Base) b = base_with_foreign();
        sd_bus *alice = connect_as("alice"), *mallory = connect_as("mallory");
        g_autofree char *questions = NULL, *port = port_path(BASE_NODE, 1);
        sd_bus_error e = SD_BUS_ERROR_NULL;

        fault_make_port(b->service, "iqn.2026-11.org.example:UPPER", 1, true, "127.0.0.1:7001\n");
        fault_make_port(b->service, "an odd name", 1, true, "127.0.0.1:7002\n");
        fault_make_port(b->service, "iqn.2026-11.org.example:bare", 1, true, "");
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        remember(b);

        must_refuse(b->bus, "NotSupported", 1, "AdoptiSCSINode", "o", upper);
        must_refuse(b->bus, "NotSupported", 1, "AdoptiSCSINode", "o", odd);
        must_refuse(b->bus, "NotSupported", 1, "AdoptiSCSINode", "o", bare);
        for (unsigned i = 0; i < 2; i++) {
                const char *method = i == 0 ? "AdoptiSCSINode" : "ReleaseiSCSINode";

                must_refuse(b->bus, "SCSIProtocolControllerNonExistent", 4096, method, "o", ROOT_PATH);
                must_refuse(b->bus, "SCSIProtocolControllerNonExistent", 4096, method, "o", port);
                must_refuse(b->bus, "SCSIProtocolControllerNonExistent", 4096, method, "o", ROOT_PATH "/node/none");
        }

        rules_set("return subject.user === \"alice\" && action.id.endsWith(\".adopt-node\") && action.lookup(\"method\") === "
                  "\"AdoptiSCSINode\" ? polkit.Result.YES : polkit.Result.NO;");
        g_free(rules_take_questions());
        g_assert_null(call_service(mallory, &e, "AdoptiSCSINode", "o", foreign));
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
        g_assert_null(call_service(alice, &e, "ReleaseiSCSINode", "o", base));
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
        base_assert_untouched(b, "refused");
        must_call(alice, "AdoptiSCSINode", "o", foreign);
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==,
                        "mallory adopt-node method=AdoptiSCSINode node=" FOREIGN
                        "\nalice adopt-node method=ReleaseiSCSINode node=" BASE_NODE
                        "\nalice adopt-node method=AdoptiSCSINode node=" FOREIGN "\n");
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(mallory);
}

/* Killed while the adoption is flushed: it is the one or the other, and never a part of the node. */
static void test_killed(void) {
        g_autofree char *first = port_path(FOREIGN, 1), *second = port_path(FOREIGN, 7), *managed = NULL;
        g_autoptr(Base) b = base_with_foreign();
        sd_bus_message *m = new_call(b->bus, "AdoptiSCSINode");

        service_stop(b->service);
        flush_control(b->service);
        service_start(b->service);
        g_usleep(1200000); /* what is stored in passing is stored */
        flush_forget(b->service);
        flush_set_msec(b->service, 60000);
        g_assert_cmpint(sd_bus_message_append(m, "o", foreign), >=, 0);
        send_call(b->bus, m);
        flush_wait(b->service, 1);
        service_kill(b->service);
        flush_set_msec(b->service, 0);

        fault_log_clear(b->service);
        service_start(b->service);
        assert_no_operations(b);
        managed = get_property(b->bus, foreign, NODE_INTERFACE, "Managed");
        assert_property(b, first, PORT_INTERFACE, "Managed", managed);
        assert_property(b, second, PORT_INTERFACE, "Managed", managed);
        service_stop(b->service);
        assert_store_is_sound(b->service);
}

/* Everything of ours that is other than desired is put right before the answer, and nothing of others. */
static void test_reconcile(gconstpointer path) {
        g_autoptr(Base) b = base_with_foreign();

        fault_make_port(b->service, BASE_NODE, 1, true, "127.0.0.1:3261\n");
        fault_remove_port(b->service, BASE_NODE, 2);
        fake_enable_port(b->service->fault, BASE_NODE, 3, false);
        must_call(b->bus, "Reconcile", "o", path);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "reconciled");

        fake_remove_node(b->service->fault, BASE_NODE);
        must_call(b->bus, "Reconcile", "o", path);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "the whole node");

        /* Nothing to do: one look at each node that is asked for, and no operation. */
        fault_log_clear(b->service);
        must_call(b->bus, "Reconcile", "o", path);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        g_assert_cmpuint(fault_log_count(b->service, "Observe"), ==, g_str_equal(path, ROOT_PATH) ? 2 : 1);
        base_assert_untouched(b, "nothing to do");
}

/* What cannot be put right is the answer; the rest is done. */
static void test_reconcile_refused(void) {
        g_autofree char *port_1 = port_path(BASE_NODE, 1), *port_2 = port_path(BASE_NODE, 2), *text = NULL;
        g_autoptr(Base) b = base_with_foreign();

        fault_remove_port(b->service, BASE_NODE, 1);
        fault_remove_port(b->service, BASE_NODE, 2);
        fake_set_listeners(b->service->fault, "127.0.0.1:3262 nginx\n");
        must_refuse(b->bus, "AddressInUse", 32768, "Reconcile", "o", base);
        assert_property(b, port_1, PORT_INTERFACE, "EnabledState", "2");
        assert_property(b, port_2, PORT_INTERFACE, "EnabledState", "6");
        text = get_property(b->bus, port_2, PORT_INTERFACE, "StatusDescriptions");
        if (!strstr(text, "127.0.0.1:3262"))
                g_error("%s", text);
        fake_set_listeners(b->service->fault, "");
        must_call(b->bus, "Reconcile", "o", base);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "put right");

        must_refuse(b->bus, "SCSIProtocolControllerNonExistent", 4096, "Reconcile", "o", "/");
        must_refuse(b->bus, "SCSIProtocolControllerNonExistent", 4096, "Reconcile", "o", LOOPBACK_PORTAL);
        must_refuse(b->bus, "SCSIProtocolControllerNonExistent", 4096, "Reconcile", "o", ROOT_PATH "/node/none");

        fault_plan(b->service, "once Observe crash-before\n");
        must_refuse(b->bus, "BackendUnavailable", 32773, "Reconcile", "o", base);
        fault_plan(b->service, "once Observe fail Busy targetcli\n");
        must_refuse(b->bus, "Busy", 32772, "Reconcile", "o", base);
        fault_plan(b->service, "%s", "");
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "seen again");
}

/* The list of nodes cannot be had: whoever asked for all nodes hears it. */
static void test_reconcile_unlisted(void) {
        g_autoptr(Base) b = base_with_foreign();

        fault_plan(b->service, "once ListNodes crash-before\nonce Observe crash-before\nonce Observe crash-before\n");
        must_refuse(b->bus, "BackendUnavailable", 32773, "Reconcile", "o", ROOT_PATH);
        fault_plan(b->service, "once ListNodes fail Busy targetcli\n");
        must_refuse(b->bus, "Busy", 32772, "Reconcile", "o", ROOT_PATH);
        fault_plan(b->service, "%s", "");
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "listed again");
}

static void test_reconcile_authorized(void) {
        g_autofree char *questions = NULL, *port = port_path(BASE_NODE, 2);
        g_autoptr(Base) b = base_new();
        sd_bus *alice = connect_as("alice"), *mallory = connect_as("mallory");
        sd_bus_error e = SD_BUS_ERROR_NULL;

        rules_set("return subject.user === \"alice\" && action.id.endsWith(\".modify-node\") && action.lookup(\"node\") === "
                  "\"" BASE_NODE "\" ? polkit.Result.YES : polkit.Result.NO;");
        g_free(rules_take_questions());
        must_call(alice, "Reconcile", "o", base);
        must_call(alice, "Reconcile", "o", port);
        g_assert_null(call_service(alice, &e, "Reconcile", "o", ROOT_PATH)); /* a rule for one node is none for all */
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
        g_assert_null(call_service(mallory, &e, "Reconcile", "o", base));
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
        must_call(alice, "ModifyiSCSINode", "oa{sv}", base, 1, "Alias", "s", "alice's");
        questions = rules_take_questions();
        g_test_message("%s", questions);
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(mallory);
}

int main(int argc, char *argv[]) {
        static const char port[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000002";

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/adopt/adopted", test_adopted);
        g_test_add_func("/adopt/released", test_released);
        g_test_add_func("/adopt/refused", test_refused);
        g_test_add_func("/adopt/killed", test_killed);
        g_test_add_data_func("/adopt/reconcile/node", base, test_reconcile);
        g_test_add_data_func("/adopt/reconcile/port", port, test_reconcile);
        g_test_add_data_func("/adopt/reconcile/all", ROOT_PATH, test_reconcile);
        g_test_add_func("/adopt/reconcile-refused", test_reconcile_refused);
        g_test_add_func("/adopt/reconcile-unlisted", test_reconcile_unlisted);
        g_test_add_func("/adopt/reconcile-authorized", test_reconcile_authorized);
        return g_test_run();
}
