/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CheckCall and CheckiSCSIProtocolEndpoint: they answer what the call would, and change nothing. */

#include "batch.h"
#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "mirror.h"
#include "polkit-rules.h"

#include <stdarg.h>
#include <string.h>

#define IP_PATH ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define GROUP_PATH ROOT_PATH "/portal_group/1"
#define EMPTY_GROUP_PATH ROOT_PATH "/portal_group/2"
#define DECLARED ROOT_PATH "/ip/_3192_2e0_2e2_2e7"
#define FOREIGN "iqn.2026-11.org.example:foreign"
#define NONE ROOT_PATH "/node/none"

/* Paths of what is there. */
#define PORT_1 ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000001"
#define NODE ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase"
#define FOREIGN_NODE ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aforeign"
#define TCP(port) ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a" port

/* A call with the arguments of METHOD in it, as a structure. */
static void append_arguments(sd_bus_message *m, const char *types, va_list ap) {
        g_autofree char *structure = g_strdup_printf("(%s)", types);

        g_assert_cmpint(sd_bus_message_open_container(m, 'v', structure), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'r', types), >=, 0);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static sd_bus_message *check_new(sd_bus *bus, const char *method, const char *types, ...) {
        sd_bus_message *m = new_call(bus, "CheckCall");
        va_list ap;

        g_assert_cmpint(sd_bus_message_append(m, "ss", SERVICE_INTERFACE, method), >=, 0);
        va_start(ap, types);
        append_arguments(m, types, ap);
        va_end(ap);
        return m;
}

static sd_bus_message *call_new(sd_bus *bus, const char *method, const char *types, ...) {
        sd_bus_message *m = new_call(bus, method);
        va_list ap;

        va_start(ap, types);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        return m;
}

/* Sends M, which is unref'ed. The answer as text: "ERROR: MESSAGE", or "effects: …; warnings: …" with one sentence each. */
static char *answer_of(sd_bus *bus, sd_bus_message *m) {
        g_auto(GStrv) effects = NULL, warnings = NULL;
        g_autofree char *effect_text = NULL, *warning_text = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        char *text;

        if (sd_bus_call(bus, m, 60 * G_USEC_PER_SEC, &e, &reply) < 0) {
                text = g_strdup_printf("%s: %s", e.name, e.message);
                sd_bus_error_free(&e);
                sd_bus_message_unref(m);
                return text;
        }
        if (g_str_equal(sd_bus_message_get_signature(reply, true), "asas")) {
                g_assert_cmpint(sd_bus_message_read_strv(reply, &effects), >=, 0);
                g_assert_cmpint(sd_bus_message_read_strv(reply, &warnings), >=, 0);
                effect_text = g_strjoinv("; ", effects ? effects : (char *[]){ NULL });
                warning_text = g_strjoinv("; ", warnings ? warnings : (char *[]){ NULL });
                text = g_strdup_printf("effects: %s, warnings: %s", effect_text, warning_text);
        } else
                text = g_strdup("success");
        sd_bus_message_unref(reply);
        sd_bus_message_unref(m);
        return text;
}

/* A base with an object of each kind for each method. */
static Base *base_with_all(void) {
        Base *b = base_new();

        fault_make_port(b->service, FOREIGN, 1, true, "127.0.0.1:7000\n");
        must_call(b->bus, "CreatePortalGroup", "sa{sv}", "first", 0);
        must_call(b->bus, "CreatePortalGroup", "sa{sv}", "second", 0);
        must_call(b->bus, "AddToPortalGroup", "oo", GROUP_PATH, TCP("3265"));
        must_call(b->bus, "CreateIPProtocolEndpoint", "sa{sv}", "192.0.2.7", 0);
        must_call(b->bus, "Reconcile", "o", ROOT_PATH);
        g_assert_true(object_exists(b->bus, FOREIGN_NODE));

        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
        return b;
}

static char *store_bytes(Base *b) {
        static const char *const names[] = { "ports.db", "ports.db-wal" };
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_build_filename(b->service->state, names[i], NULL), *data = NULL;
                g_autoptr(GError) error = NULL;
                gsize n;

                g_file_get_contents(path, &data, &n, &error);
                g_assert_no_error(error);
                g_checksum_update(sum, (const guchar *) data, (gssize) n);
        }
        return g_strdup(g_checksum_get_string(sum));
}

/* Each method: a call that succeeds with what is said of it, and how it is taken back (NULL: the next row does, or it leaves
 * nothing). */
typedef struct Row {
        const char *method, *effect;
        sd_bus_message *(*check)(sd_bus *bus);
        sd_bus_message *(*call)(sd_bus *bus);
} Row;

#define DEFINE_ROW(id, method, types, ...)                         \
        static sd_bus_message *check_##id(sd_bus *bus) {           \
                return check_new(bus, method, types, __VA_ARGS__); \
        }                                                          \
        static sd_bus_message *call_##id(sd_bus *bus) {            \
                return call_new(bus, method, types, __VA_ARGS__);  \
        }

DEFINE_ROW(create_port, "CreateiSCSIProtocolEndpoint", "oqsao", NODE, 3, "", 1, TCP("3264"))
DEFINE_ROW(create_ports, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, NODE, 3, "0000000000AA", 1, TCP("3265"), NODE, 3, "",
           1, ROOT_PATH "/tcp/_3192_2e0_2e2_2e7_3a3260", 1, "Enabled", "b", 0)
DEFINE_ROW(state, "RequestStateChange", "oq", PORT_1, 3)
DEFINE_ROW(bind, "BindiSCSIProtocolEndPoint", "oo", PORT_1, TCP("4000"))
DEFINE_ROW(unbind, "UnbindiSCSIProtocolEndPoint", "oo", PORT_1, TCP("4000"))
DEFINE_ROW(delete_port, "DeleteiSCSIProtocolEndpoint", "o", PORT_1)
DEFINE_ROW(delete_port_forced, "DeleteiSCSIProtocolEndpointForced", "o", NODE "/endpoint/0000000000AA")
DEFINE_ROW(create_node, "CreateiSCSINode", "sa{sv}", "checked", 1, "Name", "s", NEW_NODE)
DEFINE_ROW(modify_node, "ModifyiSCSINode", "oa{sv}", NODE, 2, "Alias", "s", "modified", "DriftPolicy", "s", "enforce")
DEFINE_ROW(delete_node, "DeleteiSCSINode", "o", ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3anew")
DEFINE_ROW(adopt, "AdoptiSCSINode", "o", FOREIGN_NODE)
DEFINE_ROW(release, "ReleaseiSCSINode", "o", FOREIGN_NODE)
DEFINE_ROW(reconcile, "Reconcile", "o", NODE)
DEFINE_ROW(delete_node_forced, "DeleteiSCSINodeForced", "o", NODE)
DEFINE_ROW(create_tcp, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 4000, DEFAULT_GROUP, 0)
DEFINE_ROW(delete_tcp, "DeleteTCPProtocolEndpoint", "o", TCP("4000"))
DEFINE_ROW(declare, "CreateIPProtocolEndpoint", "sa{sv}", "192.0.2.8", 1, "ElementName", "s", "service address")
DEFINE_ROW(retract, "DeleteIPProtocolEndpoint", "o", ROOT_PATH "/ip/_3192_2e0_2e2_2e8")
DEFINE_ROW(create_group, "CreatePortalGroup", "sa{sv}", "third", 0)
DEFINE_ROW(delete_group, "DeletePortalGroup", "o", EMPTY_GROUP_PATH)
DEFINE_ROW(add, "AddToPortalGroup", "oo", GROUP_PATH, TCP("3264"))
DEFINE_ROW(remove, "RemoveFromPortalGroup", "oo", GROUP_PATH, TCP("3264"))

/* In an order in which all of them succeed one after the other. */
static const Row rows[] = {
        { "CreateTCPProtocolEndpoint", "Create TCP endpoint 127.0.0.1:4000", check_create_tcp, call_create_tcp },
        { "CreateiSCSIProtocolEndpoint", "Create port 000000000004 of node " BASE_NODE " on 127.0.0.1:3264", check_create_port,
          call_create_port },
        { "CreateiSCSIProtocolEndpoints",
          "Create, switched off, port 0000000000AA of node " BASE_NODE " on 127.0.0.1:3265; Create, switched off, port "
          "000000000005 of node " BASE_NODE " on 192.0.2.7:3260",
          check_create_ports, call_create_ports },
        { "RequestStateChange", "Switch off port 000000000001 of node " BASE_NODE, check_state, call_state },
        { "BindiSCSIProtocolEndPoint", "Bind port 000000000001 of node " BASE_NODE " to 127.0.0.1:4000", check_bind, call_bind },
        { "UnbindiSCSIProtocolEndPoint", "Unbind port 000000000001 of node " BASE_NODE " from 127.0.0.1:4000", check_unbind,
          call_unbind },
        { "DeleteiSCSIProtocolEndpoint", "Delete port 000000000001 of node " BASE_NODE, check_delete_port, call_delete_port },
        { "DeleteiSCSIProtocolEndpointForced", "End the sessions of and delete port 0000000000AA of node " BASE_NODE,
          check_delete_port_forced, call_delete_port_forced },
        { "CreateiSCSINode", "Create node " NEW_NODE, check_create_node, call_create_node },
        { "ModifyiSCSINode", "Change the settings of node " BASE_NODE, check_modify_node, call_modify_node },
        { "DeleteiSCSINode", "Delete node " NEW_NODE " with its 0 ports", check_delete_node, call_delete_node },
        { "AdoptiSCSINode", "Take into care node " FOREIGN, check_adopt, call_adopt },
        { "ReleaseiSCSINode", "Give back node " FOREIGN, check_release, call_release },
        { "Reconcile", "Look at node " BASE_NODE " and put right what is other than desired", check_reconcile, call_reconcile },
        { "CreateIPProtocolEndpoint", "Declare address 192.0.2.8", check_declare, call_declare },
        { "DeleteIPProtocolEndpoint", "Take back the declared address 192.0.2.8", check_retract, call_retract },
        { "CreatePortalGroup", "Create portal group third", check_create_group, call_create_group },
        { "DeletePortalGroup", "Delete portal group second", check_delete_group, call_delete_group },
        { "AddToPortalGroup", "Put TCP endpoint 127.0.0.1:3264 into portal group \"first\"", check_add, call_add },
        { "RemoveFromPortalGroup", "Take TCP endpoint 127.0.0.1:3264 out of portal group \"first\"", check_remove, call_remove },
        { "DeleteTCPProtocolEndpoint", "Delete TCP endpoint 127.0.0.1:4000", check_delete_tcp, call_delete_tcp },
        { "DeleteiSCSINodeForced", "End the sessions of and delete node " BASE_NODE " with its 4 ports", check_delete_node_forced,
          call_delete_node_forced },
};

static void remember(Base *b) {
        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
}

static void check_row(Base *b, sd_bus *bus, const Row *row) {
        g_autofree char *wanted = g_strdup_printf("effects: %s, warnings: ", row->effect);

        /* Something that an earlier call left for later can be stored meanwhile, once. */
        for (unsigned i = 0;; i++) {
                g_autofree char *before = store_bytes(b), *answer = answer_of(bus, row->check(bus)), *after = store_bytes(b);

                g_assert_cmpstr(answer, ==, wanted);
                if (g_str_equal(before, after))
                        break;
                g_assert_cmpuint(i, <, 2);
        }
        base_assert_untouched(b, row->method);
}

/* Every method: the check tells what would be done and does nothing, and the call succeeds after it. As root, and as a user
 * without rights. */
static void test_every_method(void) {
        g_autoptr(Base) b = base_with_all();
        sd_bus *mallory = connect_as("mallory");

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *called = NULL;

                check_row(b, b->bus, rows + i);
                check_row(b, mallory, rows + i);
                called = answer_of(b->bus, rows[i].call(b->bus));
                if (!g_str_equal(called, "success"))
                        g_error("%s: %s", rows[i].method, called);
                remember(b);
        }
        sd_bus_flush_close_unref(mallory);
}

/* What each method refuses by its rules, it refuses in a check by the same words. */
static void test_same_refusals(void) {
        g_autoptr(Base) b = base_with_all();

        struct {
                sd_bus_message *check, *call;
        } pairs[] = {
#define PAIR(method, ...) { check_new(b->bus, method, __VA_ARGS__), call_new(b->bus, method, __VA_ARGS__) }
                PAIR("CreateiSCSIProtocolEndpoint", "oqsao", NONE, 3, "", 1, TCP("3264")),
                PAIR("CreateiSCSIProtocolEndpoint", "oqsao", NODE, 9, "", 1, TCP("3264")),
                PAIR("CreateiSCSIProtocolEndpoint", "oqsao", NODE, 3, "000000000001", 1, TCP("3264")),
                PAIR("CreateiSCSIProtocolEndpoint", "oqsao", NODE, 3, "", 1, TCP("3260")),
                PAIR("CreateiSCSIProtocolEndpoint", "oqsao", FOREIGN_NODE, 3, "", 1, TCP("3264")),
                PAIR("CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, NODE, 3, "", 1, TCP("3264"), NODE, 3, "", 1, TCP("3264"),
                     0),
                PAIR("CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 0, 0),
                PAIR("DeleteiSCSIProtocolEndpoint", "o", NONE),
                PAIR("DeleteiSCSIProtocolEndpointForced", "o", NONE),
                PAIR("DeleteiSCSIProtocolEndpoint", "o", FOREIGN_NODE "/endpoint/000000000001"),
                PAIR("RequestStateChange", "oq", PORT_1, 4),
                PAIR("RequestStateChange", "oq", NODE, 2),
                PAIR("BindiSCSIProtocolEndPoint", "oo", PORT_1, TCP("3262")),
                PAIR("UnbindiSCSIProtocolEndPoint", "oo", PORT_1, TCP("3262")),
                PAIR("CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", BASE_NODE),
                PAIR("CreateiSCSINode", "sa{sv}", "", 1, "Nonsense", "s", BASE_NODE),
                PAIR("CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "nonsense"),
                PAIR("ModifyiSCSINode", "oa{sv}", NODE, 1, "DriftPolicy", "s", "nonsense"),
                PAIR("ModifyiSCSINode", "oa{sv}", FOREIGN_NODE, 1, "Alias", "s", "mine"),
                PAIR("DeleteiSCSINode", "o", FOREIGN_NODE),
                PAIR("DeleteiSCSINodeForced", "o", FOREIGN_NODE),
                PAIR("AdoptiSCSINode", "o", NONE),
                PAIR("ReleaseiSCSINode", "o", NONE),
                PAIR("Reconcile", "o", NONE),
                PAIR("CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3264, DEFAULT_GROUP, 0),
                PAIR("DeleteTCPProtocolEndpoint", "o", TCP("3262")),
                PAIR("CreateIPProtocolEndpoint", "sa{sv}", "192.0.2.7", 0),
                PAIR("CreateIPProtocolEndpoint", "sa{sv}", "nonsense", 0),
                PAIR("DeleteIPProtocolEndpoint", "o", IP_PATH),
                PAIR("CreatePortalGroup", "sa{sv}", "", 0),
                PAIR("DeletePortalGroup", "o", DEFAULT_GROUP),
                PAIR("AddToPortalGroup", "oo", GROUP_PATH, TCP("3265")),
                PAIR("RemoveFromPortalGroup", "oo", GROUP_PATH, TCP("3264")),
        };

        for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
                g_autofree char *method = g_strdup(sd_bus_message_get_member(pairs[i].call));
                g_autofree char *checked = answer_of(b->bus, pairs[i].check), *called = answer_of(b->bus, pairs[i].call);

                if (!g_str_has_prefix(checked, ERROR_PREFIX))
                        g_error("%zu, %s: %s", i, method, checked);
                g_assert_cmpstr(checked, ==, called);
        }
        base_assert_untouched(b, "refusals");
}

/* What only the backend knows: the check is answered as the call is, and nothing is changed by it. */
static void test_backend_refuses(void) {
        static const struct {
                const char *listeners, *error;
                unsigned code;
        } refusals[] = { { "127.0.0.1:3264 dnsmasq\n", "AddressInUse", 32768 }, { "0.0.0.0:3264\n", "AddressInUse", 32768 } };
        g_autoptr(Base) b = base_with_all();

        for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++) {
                g_autofree char *checked = NULL, *called = NULL;

                fake_set_listeners(b->service->fault, refusals[i].listeners);
                must_refuse_message(b->bus, refusals[i].error, refusals[i].code, check_create_port(b->bus));
                must_refuse_message(b->bus, refusals[i].error, refusals[i].code,
                                    call_new(b->bus, "CheckiSCSIProtocolEndpoint", "oqsao", NODE, 3, "", 1, TCP("3264")));
                checked = answer_of(b->bus, check_create_port(b->bus));
                called = answer_of(b->bus, call_create_port(b->bus));
                g_assert_cmpstr(checked, ==, called);
                base_assert_untouched(b, refusals[i].error);
        }
        fake_set_listeners(b->service->fault, "");

        fault_set_sessions(b->service, BASE_NODE, 1, true);
        must_refuse_message(b->bus, "SessionsActive", 32779, check_delete_port(b->bus));
        must_refuse_message(b->bus, "SessionsActive", 32779, check_state(b->bus));
        must_refuse_message(b->bus, "SessionsActive", 4097, check_new(b->bus, "DeleteiSCSINode", "o", NODE));
        g_free(answer_of(b->bus, check_delete_node_forced(b->bus)));
        base_assert_untouched(b, "sessions");

        /* An item that only the backend refuses is named in a batch. */
        fake_set_listeners(b->service->fault, "127.0.0.1:3265\n");
        batch_refuse(b->bus,
                     check_new(b->bus, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, NODE, 3, "", 1, TCP("3264"), NODE, 3,
                               "", 1, TCP("3265"), 0),
                     "AddressInUse", 32768, "Item 2: ");
        fake_set_listeners(b->service->fault, "");

        fault_plan(b->service, "once Check crash-before\n");
        must_refuse_message(b->bus, "BackendUnavailable", 32773, check_create_port(b->bus));
        fault_plan(b->service, "once Check fail Busy targetcli-is-open\n");
        must_refuse_message(b->bus, "Busy", 32772, check_create_port(b->bus));
        base_assert_untouched(b, "a worker that fails");
}

/* Another program has the Identifier that the service would choose, and the service has not seen it: the next one is told. */
static void test_identifier(void) {
        g_autoptr(Base) b = base_with_all();
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply;
        const char *text;

        reply = call_service(b->bus, &e, "CheckiSCSIProtocolEndpoint", "oqsao", NODE, 3, "", 1, TCP("3264"));
        g_assert_nonnull(reply);
        g_assert_cmpstr(sd_bus_message_get_signature(reply, true), ==, "sas");
        g_assert_cmpint(sd_bus_message_read(reply, "s", &text), >, 0);
        g_assert_cmpstr(text, ==, "000000000004");
        sd_bus_message_unref(reply);

        reply = call_service(b->bus, &e, "CheckiSCSIProtocolEndpoint", "oqsao", NODE, 3, "0000000000ab", 1, TCP("3264"));
        g_assert_nonnull(reply);
        g_assert_cmpint(sd_bus_message_read(reply, "s", &text), >, 0);
        g_assert_cmpstr(text, ==, "0000000000AB");
        sd_bus_message_unref(reply);
        must_refuse(b->bus, "IdentifierInUse", 4098, "CheckiSCSIProtocolEndpoint", "oqsao", NODE, 3, "000000000002", 1,
                    TCP("3264"));

        fault_make_port(b->service, BASE_NODE, 4, true, "127.0.0.1:9004\n");
        fault_make_port(b->service, BASE_NODE, 5, true, "127.0.0.1:9005\n");
        reply = call_service(b->bus, &e, "CheckiSCSIProtocolEndpoint", "oqsao", NODE, 3, "", 1, TCP("3264"));
        if (!reply)
                g_error("%s", e.message);
        g_assert_cmpint(sd_bus_message_read(reply, "s", &text), >, 0);
        g_assert_cmpstr(text, ==, "000000000006");
        sd_bus_message_unref(reply);
        must_refuse(b->bus, "IdentifierInUse", 4098, "CheckiSCSIProtocolEndpoint", "oqsao", NODE, 3, "000000000004", 1,
                    TCP("3264"));
}

static void test_wrong_input(void) {
        g_autoptr(Base) b = base_new();
        sd_bus_message *m;

        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", "org.iscsi.Node", "DeleteiSCSINode", "(o)", NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", "", "DeleteiSCSINode", "(o)", NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "deleteiSCSINode", "(o)", NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "CheckCall", "(o)", NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "CheckiSCSIProtocolEndpoint", "(o)",
                    NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "Introspect", "s", "");
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "DeleteiSCSINode", "o", NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "DeleteiSCSINode", "(s)", NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "DeleteiSCSINode", "(oo)", NODE, NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "DeleteiSCSINode", "((o))", NODE);
        must_refuse(b->bus, "InvalidParameter", 5, "CheckCall", "ssv", SERVICE_INTERFACE, "DeleteiSCSINode", "v", "(o)", NODE);

        m = new_call(b->bus, "CheckCall");
        g_assert_cmpint(sd_bus_message_append(m, "ss", SERVICE_INTERFACE, "DeleteiSCSINode"), >=, 0);
        {
                sd_bus_error e = SD_BUS_ERROR_NULL;

                g_assert_cmpint(sd_bus_call(b->bus, m, 0, &e, NULL), <, 0);
                assert_error(&e, "org.freedesktop.DBus.Error.InvalidArgs", 0);
        }
        sd_bus_message_unref(m);
        base_assert_untouched(b, "wrong input");
}

/* A check takes no lock and waits for none, and polkit is not asked. */
static void test_no_lock_no_question(void) {
        g_autofree char *questions = NULL;
        g_autoptr(Base) b = base_with_all();
        sd_bus *root = caller_new("root"), *alice = caller_new("alice");
        Call *change, *check;

        rules_set("");
        g_free(rules_take_questions());
        fault_plan(b->service, "create-port wait\n");
        change = call_start(call_create_port(root));
        g_assert_cmpint(sd_bus_flush(root), >=, 0);
        fault_wait_call(b->service, "create-port");

        check = call_start(check_new(alice, "DeleteiSCSIProtocolEndpoint", "o", PORT_1));
        assert_call_succeeds(check);
        g_assert_null(change->reply);
        call_free(check);

        fake_release(b->service->fault, 100);
        assert_call_succeeds(change);
        call_free(change);
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==, "");
        caller_leave(root);
        caller_leave(alice);
}

/* One check of a user and two in all may be under way; root is not bound. One whose caller left still counts until it has
 * ended. */
static void test_bounds(void) {
        g_autoptr(Base) b = base_with_all();
        sd_bus *alice = caller_new("alice"), *mallory = caller_new("mallory"), *other = caller_new_uid(64200),
               *root = caller_new("root");
        Call *first, *second, *c, *of_root[4];

        fault_plan(b->service, "Check wait\n");
        fault_log_clear(b->service);
        first = call_start(check_delete_port(alice));
        loop_for(100);
        c = call_start(check_delete_port(alice));
        assert_call_fails(c, "LimitReached", 32775);
        call_free(c);
        c = call_start(message_new(alice, "CheckiSCSIProtocolEndpoint", "oqsao", NODE, 3, "", 1, TCP("3264")));
        assert_call_fails(c, "LimitReached", 32775);
        call_free(c);

        second = call_start(check_delete_port(mallory));
        loop_for(100);
        c = call_start(check_delete_port(other));
        assert_call_fails(c, "LimitReached", 32775);
        call_free(c);

        for (gsize i = 0; i < G_N_ELEMENTS(of_root); i++)
                of_root[i] = call_start(check_delete_port(root));
        loop_for(100);
        for (gsize i = 0; i < G_N_ELEMENTS(of_root); i++)
                g_assert_null(of_root[i]->reply);

        fake_release(b->service->fault, 100);
        assert_call_succeeds(first);
        assert_call_succeeds(second);
        for (gsize i = 0; i < G_N_ELEMENTS(of_root); i++) {
                assert_call_succeeds(of_root[i]);
                call_free(of_root[i]);
        }
        call_free(first);
        call_free(second);

        /* There is room again. */
        c = call_start(check_delete_port(alice));
        assert_call_succeeds(c);
        call_free(c);
        base_assert_untouched(b, "many checks");
        caller_leave(alice);
        caller_leave(mallory);
        caller_leave(other);
        caller_leave(root);
}

/* The service ends, or is killed, while checks are under way. */
static void test_end_of_service(void) {
        g_autoptr(Base) b = base_with_all();
        sd_bus *alice = caller_new("alice");
        Call *c;

        fault_plan(b->service, "Check hang\n");
        fault_log_clear(b->service);
        c = call_start(check_delete_port(alice));
        g_assert_cmpint(sd_bus_flush(alice), >=, 0);
        while (fault_log_count(b->service, "Check") == 0)
                g_usleep(1000);
        call_free(c);
        caller_leave(alice);
        base_assert_untouched_by_restart(b, "a check that never ended");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/check/every-method", test_every_method);
        g_test_add_func("/check/same-refusals", test_same_refusals);
        g_test_add_func("/check/backend-refuses", test_backend_refuses);
        g_test_add_func("/check/identifier", test_identifier);
        g_test_add_func("/check/wrong-input", test_wrong_input);
        g_test_add_func("/check/no-lock-no-question", test_no_lock_no_question);
        g_test_add_func("/check/bounds", test_bounds);
        g_test_add_func("/check/end-of-service", test_end_of_service);
        return g_test_run();
}
