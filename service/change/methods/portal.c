/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods for TCP endpoints, portal groups and declared addresses. */

#include <errno.h>

#include "change/method.h"
#include "change/methods/methods.h"
#include "change/operations/operations.h"

static const ArgumentSpec no_options[] = { {} };

static const ArgumentSpec create_tcp_in[] = {
        { "IPEndpoint", "o", .means = MEANS_ADDRESS },
        { "PortNumber", "q", .means = MEANS_TCP_PORT },
        { "PortalGroup", "o", .means = MEANS_PORTAL_GROUP },
        { "Options", "a{sv}", .members = no_options },
        {},
};

static const ArgumentSpec tcp_in[] = { { "TCPEndpoint", "o", .means = MEANS_TCP_ENDPOINT }, {} };
static const ArgumentSpec tcp_out[] = { { "TCPEndpoint", "o" }, {} };

static const MethodCode create_tcp_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "IPEndpoint names no host address" },
        { 4097, REFUSAL_GROUP_NON_EXISTENT, "PortalGroup names no portal group" },
        { 4098, REFUSAL_ENDPOINT_EXISTS, "the address has an endpoint on PortNumber" },
};

static int create_tcp(Plan *p, const Intent *i, char **ret_why) {
        Reference ip = plan_reference(p, intent_text(i, "IPEndpoint")), group = plan_reference(p, intent_text(i, "PortalGroup"));
        TcpEndpointPlan plan;
        int r;

        r = check_limits(p->context->model, &p->context->abilities, OBJECT_TCP_ENDPOINT, ret_why);
        if (r == 0)
                r = check_create_tcp_endpoint(p->context->model, &ip, (uint16_t) intent_number(i, "PortNumber"), &group, &plan,
                                              ret_why);
        if (r != 0)
                return r;
        return plan_create_tcp_endpoint(p, &plan.portal, plan.group);
}

const Method method_create_tcp_endpoint = {
        .name = "CreateTCPProtocolEndpoint",
        .in = create_tcp_in,
        .out = tcp_out,
        .action = ACTION("manage-portals"),
        METHOD_CODES(create_tcp_codes),
        .plan = create_tcp,
};

static const MethodCode delete_tcp_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "the path names no TCP endpoint" },
        { 4097, REFUSAL_ENDPOINT_IN_USE, "a port binds to the endpoint" },
};

static int delete_tcp(Plan *p, const Intent *i, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "TCPEndpoint"));
        TcpEndpoint *t;
        int r;

        r = check_delete_tcp_endpoint(p->context->model, &ref, &t, ret_why);
        if (r != 0)
                return r;
        return plan_delete_tcp_endpoint(p, t);
}

const Method method_delete_tcp_endpoint = {
        .name = "DeleteTCPProtocolEndpoint",
        .in = tcp_in,
        .action = ACTION("manage-portals"),
        METHOD_CODES(delete_tcp_codes),
        .plan = delete_tcp,
};

static const ArgumentSpec create_group_in[] = {
        { "ElementName", "s", .means = MEANS_PORTAL_GROUP_NAME },
        { "Options", "a{sv}", .members = no_options },
        {},
};

static const ArgumentSpec group_in[] = { { "PortalGroup", "o", .means = MEANS_PORTAL_GROUP }, {} };
static const ArgumentSpec group_out[] = { { "PortalGroup", "o" }, {} };

static int create_group(Plan *p, const Intent *i, char **ret_why) {
        const char *name = intent_text(i, "ElementName");
        int r;

        r = check_limits(p->context->model, &p->context->abilities, OBJECT_PORTAL_GROUP, ret_why);
        if (r == 0)
                r = check_create_portal_group(name, ret_why);
        if (r != 0)
                return r;
        return plan_create_portal_group(p, name);
}

const Method method_create_portal_group = {
        .name = "CreatePortalGroup",
        .in = create_group_in,
        .out = group_out,
        .action = ACTION("manage-portals"),
        .plan = create_group,
};

static const MethodCode delete_group_codes[] = {
        { 4096, REFUSAL_GROUP_NON_EXISTENT, "the path names no portal group" },
        { 4097, REFUSAL_GROUP_NOT_EMPTY, "the portal group has members" },
};

static int delete_group(Plan *p, const Intent *i, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "PortalGroup"));
        PortalGroup *g;
        int r;

        r = check_delete_portal_group(p->context->model, &ref, &g, ret_why);
        if (r != 0)
                return r;
        return plan_delete_portal_group(p, g);
}

const Method method_delete_portal_group = {
        .name = "DeletePortalGroup",
        .in = group_in,
        .action = ACTION("manage-portals"),
        METHOD_CODES(delete_group_codes),
        .plan = delete_group,
};

static const ArgumentSpec member_in[] = {
        { "PortalGroup", "o", .means = MEANS_PORTAL_GROUP },
        { "TCPEndpoint", "o", .means = MEANS_TCP_ENDPOINT },
        {},
};

static const MethodCode add_member_codes[] = {
        { 4096, REFUSAL_GROUP_NON_EXISTENT, "PortalGroup names no portal group" },
        { 4097, REFUSAL_ENDPOINT_NON_EXISTENT, "TCPEndpoint names no TCP endpoint" },
};

static int add_member(Plan *p, const Intent *i, char **ret_why) {
        Reference group = plan_reference(p, intent_text(i, "PortalGroup")),
                  tcp = plan_reference(p, intent_text(i, "TCPEndpoint"));
        PortalGroup *g;
        TcpEndpoint *t;
        int r;

        r = check_limit_of_bytes(p->context->model, &p->context->abilities, ret_why);
        if (r == 0)
                r = check_add_member(p->context->model, &group, &tcp, &g, &t, ret_why);
        if (r != 0)
                return r;
        return plan_add_member(p, g, t);
}

const Method method_add_member = {
        .name = "AddToPortalGroup",
        .in = member_in,
        .action = ACTION("manage-portals"),
        METHOD_CODES(add_member_codes),
        .plan = add_member,
};

static const MethodCode remove_member_codes[] = {
        { 4096, REFUSAL_GROUP_NON_EXISTENT, "PortalGroup names no portal group" },
        { 4097, REFUSAL_ENDPOINT_NON_EXISTENT, "TCPEndpoint names no TCP endpoint" },
        { 4098, REFUSAL_ENDPOINT_IN_USE,
          "a port binds to the endpoint and to others of this group, and no other group holds them all" },
};

static int remove_member(Plan *p, const Intent *i, char **ret_why) {
        Reference group = plan_reference(p, intent_text(i, "PortalGroup")),
                  tcp = plan_reference(p, intent_text(i, "TCPEndpoint"));
        PortalGroup *g;
        TcpEndpoint *t;
        int r;

        r = check_remove_member(p->context->model, &group, &tcp, &g, &t, ret_why);
        if (r != 0)
                return r;
        return plan_remove_member(p, g, t);
}

const Method method_remove_member = {
        .name = "RemoveFromPortalGroup",
        .in = member_in,
        .action = ACTION("manage-portals"),
        METHOD_CODES(remove_member_codes),
        .plan = remove_member,
};

static const ArgumentSpec address_options[] = { { "ElementName", "s" }, {} };

static const ArgumentSpec declare_in[] = {
        { "Address", "s", .means = MEANS_ADDRESS_TEXT },
        { "Options", "a{sv}", .members = address_options },
        {},
};

static const ArgumentSpec ip_in[] = { { "IPEndpoint", "o", .means = MEANS_ADDRESS }, {} };
static const ArgumentSpec ip_out[] = { { "IPEndpoint", "o" }, {} };

static const MethodCode declare_codes[] = {
        { 4096, REFUSAL_ADDRESS_EXISTS, "the address is declared already" },
};

static int declare_address(Plan *p, const Intent *i, char **ret_why) {
        const Argument *name = intent_option(i, "ElementName");
        char interface[IF_NAMESIZE];
        IpAddress address;
        int r;

        r = check_limits(p->context->model, &p->context->abilities, OBJECT_IP_ENDPOINT, ret_why);
        if (r == 0)
                r = check_declare_address(p->context->model, intent_text(i, "Address"), name ? name->text : "", &address,
                                          ret_why);
        if (r == 0 && address.zone[0] && p->context->find_interface && p->context->find_interface(address.zone, interface))
                r = check_zone(&address, interface, ret_why);
        if (r != 0)
                return r;
        return plan_declare_address(p, &address, name ? name->text : "");
}

const Method method_declare_address = {
        .name = "CreateIPProtocolEndpoint",
        .in = declare_in,
        .out = ip_out,
        .action = ACTION("manage-portals"),
        METHOD_CODES(declare_codes),
        .plan = declare_address,
};

static const MethodCode retract_codes[] = {
        { 4096, REFUSAL_ENDPOINT_NON_EXISTENT, "IPEndpoint names no address" },
        { 4097, REFUSAL_ENDPOINT_IN_USE, "a port binds to the address, which is not on this host" },
};

static int retract_address(Plan *p, const Intent *i, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "IPEndpoint"));
        IpEndpoint *ip;
        int r;

        r = check_retract_address(p->context->model, &ref, &ip, ret_why);
        if (r != 0)
                return r;
        return plan_retract_address(p, ip);
}

const Method method_retract_address = {
        .name = "DeleteIPProtocolEndpoint",
        .in = ip_in,
        .action = ACTION("manage-portals"),
        METHOD_CODES(retract_codes),
        .plan = retract_address,
};
