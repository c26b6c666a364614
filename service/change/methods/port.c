/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods for iSCSI ports. */

#include <errno.h>

#include "change/method.h"
#include "change/methods/methods.h"
#include "change/operations/operations.h"

static const ArgumentSpec create_in[] = {
        { "iSCSINode", "o", .means = MEANS_NODE },
        { "Role", "q", .means = MEANS_ROLE },
        { "Identifier", "s", .means = MEANS_IDENTIFIER },
        { "NetworkPortals", "ao", .means = MEANS_NETWORK_PORTAL, .max = LIMIT_PORTALS_PER_PORT },
        {},
};

static const ArgumentSpec port_in[] = { { "iSCSIPort", "o", .means = MEANS_PORT }, {} };
static const ArgumentSpec port_out[] = { { "iSCSIPort", "o" }, {} };

static const MethodCode create_codes[] = {
        { 4096, REFUSAL_NODE_NON_EXISTENT, "iSCSINode names no node" },
        { 4097, REFUSAL_ROLE_NOT_SUPPORTED, "the node does not have this Role" },
        { 4098, REFUSAL_IDENTIFIER_IN_USE,
          "another port of the node, in either role, has this Identifier (compared as numbers)" },
        { 4099, REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED, "Identifier is not empty and the backend of the role chooses it" },
        { 4100, REFUSAL_ENDPOINT_NON_EXISTENT, "a path in NetworkPortals names nothing" },
        { 4101, REFUSAL_TCP_NOT_BOUND, "the address of a TCP endpoint is neither on this host nor declared" },
        { 4102, REFUSAL_TCP_IN_USE, "another port of the same target node uses a TCP endpoint" },
        { 4103, REFUSAL_NOT_FROM_SAME_COLLECTION,
          "no portal group holds all of NetworkPortals, or the addresses are on several network interfaces" },
};

/* What one create asks for, alone or as an item of a batch. */
typedef struct CreateArguments {
        const char *node;
        uint16_t role;
        const char *identifier;
        const Argument *portals;
        bool enabled;
} CreateArguments;

static Portal endpoint_portal(const Object *o) {
        return o->type == OBJECT_TCP_ENDPOINT ? ((const TcpEndpoint *) o)->portal
                                              : (Portal){ .address = ((const IpEndpoint *) o)->address };
}

static int create_one(Plan *p, const CreateArguments *a, char **ret_why) {
        Reference references[LIMIT_PORTALS_PER_PORT];
        Portal portals[LIMIT_PORTALS_PER_PORT];
        CreatePortRequest q = {
                .node = plan_reference(p, a->node),
                .role = a->role,
                .identifier = a->identifier,
                .portals = references,
                .n_portals = a->portals->n,
                .minimum = p->minimum,
        };
        CreatePortPlan plan;
        int r;

        for (size_t i = 0; i < q.n_portals; i++)
                references[i] = plan_reference(p, a->portals->texts[i]);

        r = check_limits(p->context->model, &p->context->abilities, OBJECT_PORT, ret_why);
        if (r == 0)
                r = check_create_port(p->context->model, &p->context->abilities, &q, &plan, ret_why);
        if (r == 0)
                r = check_switch(&p->context->abilities, a->role, a->enabled, ret_why);
        if (r != 0)
                return r;

        for (size_t i = 0; i < q.n_portals; i++)
                portals[i] = endpoint_portal(references[i].object);
        return plan_create_port(p, &(NewPort){
                                           .node = plan.node,
                                           .role = a->role,
                                           .identifier = plan.identifier,
                                           .chosen = a->identifier[0] == '\0',
                                           .portals = portals,
                                           .n_portals = q.n_portals,
                                           .enabled = a->enabled,
                                   });
}

static int create_port(Plan *p, const Intent *i, char **ret_why) {
        return create_one(p,
                          &(CreateArguments){
                                  .node = intent_text(i, "iSCSINode"),
                                  .role = (uint16_t) intent_number(i, "Role"),
                                  .identifier = intent_text(i, "Identifier"),
                                  .portals = intent_argument(i, "NetworkPortals"),
                                  .enabled = true,
                          },
                          ret_why);
}

const Method method_create_port = {
        .name = "CreateiSCSIProtocolEndpoint",
        .in = create_in,
        .out = port_out,
        .action = ACTION("create-port"),
        METHOD_CODES(create_codes),
        .plan = create_port,
};

static const ArgumentSpec batch_options[] = { { "Enabled", "b" }, {} };

static const ArgumentSpec batch_in[] = {
        { "iSCSIProtocolEndpoints", "a(oqsao)", .members = create_in, .max = BATCH_MAX },
        { "Options", "a{sv}", .members = batch_options },
        {},
};

static const ArgumentSpec batch_out[] = { { "iSCSIPorts", "ao" }, {} };

/* Each item is planned with the ones before it in the model, so that two that exclude each other are found. */
static int create_ports(Plan *p, const Intent *i, char **ret_why) {
        const Argument *items = intent_argument(i, "iSCSIProtocolEndpoints"), *enabled = intent_option(i, "Enabled");

        if (items->n == 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "iSCSIProtocolEndpoints is empty; name at least one port");

        p->numbered = true;
        for (size_t k = 0; k < items->n; k++) {
                _cleanup_free_ char *why = NULL;
                int r;

                r = create_one(p,
                               &(CreateArguments){
                                       .node = argument_field(items, k, "iSCSINode")->text,
                                       .role = (uint16_t) argument_field(items, k, "Role")->number,
                                       .identifier = argument_field(items, k, "Identifier")->text,
                                       .portals = argument_field(items, k, "NetworkPortals"),
                                       .enabled = !enabled || enabled->number,
                               },
                               &why);
                if (r > 0)
                        return refuse((Refusal) r, ret_why, "Item %zu: %s", k + 1, why);
                if (r < 0)
                        return r;
        }

        return 0;
}

const Method method_create_ports = {
        .name = "CreateiSCSIProtocolEndpoints",
        .in = batch_in,
        .out = batch_out,
        .action = ACTION("create-port"),
        METHOD_CODES(create_codes),
        .plan = create_ports,
};

static const MethodCode delete_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "iSCSIPort names no port" },
        { 32779, REFUSAL_SESSIONS_ACTIVE, "sessions use the port (CIM has no code for it)" },
};

static int delete_port_as(Plan *p, const Intent *i, bool force, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "iSCSIPort"));
        Port *port;
        int r;

        r = check_delete_port(p->context->model, &ref, &port, ret_why);
        if (r != 0)
                return r;
        return plan_delete_port(p, port, force);
}

static int delete_port(Plan *p, const Intent *i, char **ret_why) {
        return delete_port_as(p, i, false, ret_why);
}

const Method method_delete_port = {
        .name = "DeleteiSCSIProtocolEndpoint",
        .in = port_in,
        .action = ACTION("delete-port"),
        METHOD_CODES(delete_codes),
        .plan = delete_port,
};

static const MethodCode port_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "iSCSIPort names no port" },
};

static int delete_port_forced(Plan *p, const Intent *i, char **ret_why) {
        return delete_port_as(p, i, true, ret_why);
}

const Method method_delete_port_forced = {
        .name = "DeleteiSCSIProtocolEndpointForced",
        .in = port_in,
        .action = ACTION("force"),
        METHOD_CODES(port_codes),
        .plan = delete_port_forced,
};

static const ArgumentSpec state_in[] = {
        { "ManagedElement", "o", .means = MEANS_PORT },
        { "RequestedState", "q" },
        {},
};

static const MethodCode state_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "ManagedElement names no port" },
        { 4097, REFUSAL_INVALID_STATE_TRANSITION, "the port cannot go into this state now" },
        { 32779, REFUSAL_SESSIONS_ACTIVE, "initiators are logged in through the port; the kernel would end their sessions" },
};

static int request_state_change(Plan *p, const Intent *i, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "ManagedElement"));
        bool enable;
        Port *port;
        int r;

        r = check_request_state(p->context->model, &ref, (uint16_t) intent_number(i, "RequestedState"), &port, &enable, ret_why);
        if (r == 0)
                r = check_switch(&p->context->abilities, port->role, enable, ret_why);
        if (r != 0 || (port->enabled == enable && (port->state == STATE_IN_FORCE || port->state == STATE_DISABLED)))
                return r;
        return plan_enable_port(p, port, enable);
}

const Method method_request_state_change = {
        .name = "RequestStateChange",
        .in = state_in,
        .action = ACTION("modify-port"),
        METHOD_CODES(state_codes),
        .plan = request_state_change,
};

static const ArgumentSpec bind_in[] = {
        { "iSCSIPort", "o", .means = MEANS_PORT },
        { "NetworkPortal", "o", .means = MEANS_NETWORK_PORTAL },
        {},
};

static const MethodCode bind_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "iSCSIPort or NetworkPortal names nothing" },
        { 4097, REFUSAL_TCP_NOT_BOUND, "the address of the TCP endpoint is neither on this host nor declared" },
        { 4098, REFUSAL_TCP_IN_USE, "another port of the same target node uses the TCP endpoint" },
        { 4099, REFUSAL_NOT_FROM_SAME_COLLECTION,
          "no portal group holds the portal and those already bound, or the address is on another interface" },
};

static int bind_port(Plan *p, const Intent *i, char **ret_why) {
        Reference port = plan_reference(p, intent_text(i, "iSCSIPort")),
                  portal = plan_reference(p, intent_text(i, "NetworkPortal"));
        Portal bound;
        Port *found;
        int r;

        r = check_limit_of_bytes(p->context->model, &p->context->abilities, ret_why);
        if (r == 0)
                r = check_bind_port(p->context->model, &p->context->abilities, &port, &portal, &found, ret_why);
        if (r != 0)
                return r;

        bound = endpoint_portal(portal.object);
        return plan_bind_portal(p, found, &bound);
}

const Method method_bind_port = {
        .name = "BindiSCSIProtocolEndPoint",
        .in = bind_in,
        .action = ACTION("bind-port"),
        METHOD_CODES(bind_codes),
        .plan = bind_port,
};

static const MethodCode unbind_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "iSCSIPort or NetworkPortal names nothing" },
};

static int unbind_port(Plan *p, const Intent *i, char **ret_why) {
        Reference port = plan_reference(p, intent_text(i, "iSCSIPort")),
                  portal = plan_reference(p, intent_text(i, "NetworkPortal"));
        Binding *binding;
        Port *found;
        int r;

        r = check_unbind_port(p->context->model, &port, &portal, &found, &binding, ret_why);
        if (r != 0)
                return r;
        return plan_unbind_portal(p, found, binding);
}

const Method method_unbind_port = {
        .name = "UnbindiSCSIProtocolEndPoint",
        .in = bind_in,
        .action = ACTION("bind-port"),
        METHOD_CODES(unbind_codes),
        .plan = unbind_port,
};
