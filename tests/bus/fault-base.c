/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fault-base.h"

#include <string.h>

#define IP_PATH ROOT_PATH "/ip/_3127_2e0_2e0_2e1"

static const char *const endpoints[] = { "127.0.0.1:3260", "127.0.0.1:3261", "127.0.0.1:3262",
                                         "127.0.0.1:3263", "127.0.0.1:3264", "127.0.0.1:3265" };

static void succeed(sd_bus_message *reply, sd_bus_error *e, const char *what) {
        if (!reply)
                g_error("%s: %s: %s", what, e->name, e->message);
        sd_bus_message_unref(reply);
}

static void create_port(Base *b, const char *identifier, const char *portal, const char *other) {
        g_autofree char *node = node_path(BASE_NODE), *first = tcp_path(portal), *second = other ? tcp_path(other) : NULL;
        const char *const portals[] = { first, second, NULL };

        g_free(create_target_port(b->bus, node, identifier, portals));
}

static void build(Base *b) {
        g_free(create_node(b->bus, BASE_NODE));
        create_port(b, "000000000001", "127.0.0.1:3260", "127.0.0.1:3261");
        create_port(b, "000000000002", "127.0.0.1:3262", NULL);
        create_port(b, "000000000003", "127.0.0.1:3263", NULL);
}

static sd_bus_message *call_create_port(Base *b, sd_bus_error *e) {
        g_autofree char *node = node_path(BASE_NODE), *first = tcp_path("127.0.0.1:3264"), *second = tcp_path("127.0.0.1:3265");

        return call_service(b->bus, e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000004", 2, first, second);
}

static void revert_create_port(Base *b) {
        g_autofree char *port = port_path(BASE_NODE, 4);
        sd_bus_error e = SD_BUS_ERROR_NULL;

        succeed(call_service(b->bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port), &e, "delete");
}

static sd_bus_message *call_delete_port(Base *b, sd_bus_error *e) {
        g_autofree char *port = port_path(BASE_NODE, 1);

        return call_service(b->bus, e, "DeleteiSCSIProtocolEndpoint", "o", port);
}

static void revert_delete_port(Base *b) {
        create_port(b, "000000000001", "127.0.0.1:3260", "127.0.0.1:3261");
}

static sd_bus_message *call_port_and_portal(Base *b, sd_bus_error *e, const char *member, const char *portal) {
        g_autofree char *port = port_path(BASE_NODE, 1), *tcp = tcp_path(portal);

        return call_service(b->bus, e, member, "oo", port, tcp);
}

static sd_bus_message *call_bind(Base *b, sd_bus_error *e) {
        return call_port_and_portal(b, e, "BindiSCSIProtocolEndPoint", "127.0.0.1:3264");
}

static void revert_bind(Base *b) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        succeed(call_port_and_portal(b, &e, "UnbindiSCSIProtocolEndPoint", "127.0.0.1:3264"), &e, "unbind");
}

static sd_bus_message *call_unbind(Base *b, sd_bus_error *e) {
        return call_port_and_portal(b, e, "UnbindiSCSIProtocolEndPoint", "127.0.0.1:3261");
}

static void revert_unbind(Base *b) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        succeed(call_port_and_portal(b, &e, "BindiSCSIProtocolEndPoint", "127.0.0.1:3261"), &e, "bind");
}

static sd_bus_message *call_create_node(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "CreateiSCSINode", "sa{sv}", "new", 1, "Name", "s", NEW_NODE);
}

static void revert_create_node(Base *b) {
        g_autofree char *node = node_path(NEW_NODE);
        sd_bus_error e = SD_BUS_ERROR_NULL;

        succeed(call_service(b->bus, &e, "DeleteiSCSINode", "o", node), &e, "delete node");
}

static sd_bus_message *call_delete_node(Base *b, sd_bus_error *e) {
        g_autofree char *node = node_path(BASE_NODE);

        return call_service(b->bus, e, "DeleteiSCSINode", "o", node);
}

const Operation operation_create_port = { "create-port", call_create_port, revert_create_port,
                                          "IdentifierInUse:4098 TCPProtocolEndpointInUse:4102" };
const Operation operation_delete_port = { "delete-port", call_delete_port, revert_delete_port, "SessionsActive:32779", true };
const Operation operation_bind = { "bind", call_bind, revert_bind,
                                   "ProtocolEndpointNonExistent:4096 TCPProtocolEndpointInUse:4098" };
const Operation operation_unbind = { "unbind", call_unbind, revert_unbind, "", true };
const Operation operation_create_node = { "create-node", call_create_node, revert_create_node, "NameInUse:32777" };
const Operation operation_delete_node = { "delete-node", call_delete_node, build, "SessionsActive:4097", true };

unsigned operation_code(const Operation *o, const char *name) {
        static const char common[] =
                "UnspecifiedError:2 Timeout:3 Failed:4 InvalidParameter:5 AddressInUse:32768 "
                "AddressOverlap:32769 PortalShadowed:32770 ScopeMissing:32771 Busy:32772 "
                "BackendUnavailable:32773 Degraded:32774 NotManaged:32776 Stuck:32782 ForeignObjectInside:32793 "
                "NameInUse:32777 StoreUnavailable:32781";
        g_autofree char *all = g_strconcat(o->codes, " ", common, NULL), *prefix = g_strconcat(name, ":", NULL);
        g_auto(GStrv) fields = g_strsplit(all, " ", 0);

        for (char **f = fields; *f; f++)
                if (g_str_has_prefix(*f, prefix))
                        return (unsigned) g_ascii_strtoull(*f + strlen(prefix), NULL, 10);

        g_error("%s has no code for %s", o->name, name);
}

void base_assert_untouched(Base *b, const char *what) {
        g_autofree char *objects = view_objects(b->bus), *memory = fault_memory(b->service), *signals = NULL;

        assert_same_text(b->objects, objects, what);
        assert_same_text(b->memory, memory, what);
        signals = signals_take(b->signals);
        if (*signals)
                g_error("%s: signals were sent: %s", what, signals);
}

static void assert_only_looks(const char *log, const char *what) {
        g_auto(GStrv) lines = g_strsplit(log, "\n", 0);

        for (char **line = lines; *line; line++)
                if (**line && !g_str_equal(*line, "ListNodes") && !g_str_has_prefix(*line, "Observe "))
                        g_error("%s: the start had something to do: %s", what, log);
}

void base_assert_untouched_by_restart(Base *b, const char *what) {
        g_autofree char *log = NULL, *signals = NULL;

        fault_plan(b->service, "%s", "");
        service_stop(b->service);
        fault_log_clear(b->service);
        service_start(b->service);
        log = fault_log(b->service);
        assert_only_looks(log, what);
        signals = signals_take(b->signals);
        base_assert_untouched(b, what);
}

void base_assert_works(Base *b, const Operation *o) {
        fault_plan(b->service, "%s", "");
        base_assert_works_as_planned(b, o);
}

void base_assert_works_as_planned(Base *b, const Operation *o) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *signals = NULL;

        succeed(o->call(b, &e), &e, o->name);
        o->revert(b);
        signals = signals_take(b->signals);
        base_assert_untouched(b, o->name);
}

void base_assert_fails(Base *b, const Operation *o, const char *name, const char *text) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = o->call(b, &e);

        if (reply)
                g_error("%s succeeded and had to fail with %s", o->name, name);
        if (text && !strstr(e.message, text))
                g_error("%s: \"%s\" does not tell \"%s\"", o->name, e.message, text);
        assert_error(&e, name, operation_code(o, name));
}

static Base *base_new_with(const char *option) {
        Base *b = g_new0(Base, 1);

        b->service = service_new(option, NULL);
        service_use_fault_backend(b->service);
        service_start(b->service);
        b->bus = connect_as("root");

        for (gsize i = 1; i < G_N_ELEMENTS(endpoints); i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                const char *port = strchr(endpoints[i], ':') + 1;

                succeed(call_service(b->bus, &e, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH,
                                     (int) g_ascii_strtoull(port, NULL, 10), DEFAULT_GROUP, 0),
                        &e, endpoints[i]);
        }
        build(b);

        b->signals = signals_new(b->bus);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);
        return b;
}

Base *base_new(void) {
        return base_new_with("--backend-deadline=100");
}

Base *base_new_hasty(void) {
        return base_new_with("--backend-deadline=1");
}

void base_free(Base *b) {
        service_free(b->service);
        signals_free(b->signals);
        sd_bus_flush_close_unref(b->bus);
        g_free(b->objects);
        g_free(b->memory);
        g_free(b);
}
