/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/portal.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "rules/refuse.h"

static int check_group(const Reference *group, PortalGroup **ret, char **ret_why) {
        *ret = reference_portal_group(group);
        return *ret ? 0
                    : refuse(REFUSAL_GROUP_NON_EXISTENT, ret_why, "%s is not a portal group; create one with CreatePortalGroup",
                             group->text);
}

static int check_tcp_endpoint(const Reference *endpoint, TcpEndpoint **ret, char **ret_why) {
        *ret = reference_tcp_endpoint(endpoint);
        return *ret ? 0
                    : refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why,
                             "%s is not a TCP endpoint; busctl tree shows those that exist", endpoint->text);
}

int check_create_tcp_endpoint(Model *m, const Reference *ip, uint16_t port, const Reference *group, TcpEndpointPlan *ret,
                              char **ret_why) {
        TcpEndpointPlan plan = { .ip = reference_ip_endpoint(ip) };
        TcpEndpoint *other;
        int r;

        if (port != ISCSI_PORT_SYSTEM && port < 1024)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "PortNumber %u is not offered: take 1024 to 65535 (3260 is iSCSI's), or 860, iSCSI's system port",
                              port);
        if (!plan.ip)
                return refuse(
                        REFUSAL_ENDPOINT_NON_EXISTENT, ret_why,
                        "%s is not a host address (…/ip/…); busctl tree shows those that exist, and CreateIPProtocolEndpoint "
                        "declares one that will come",
                        ip->text);
        r = check_group(group, &plan.group, ret_why);
        if (r != 0)
                return r;

        plan.portal = (Portal){ .address = plan.ip->address, .port = port };
        other = model_find_tcp_endpoint(m, &plan.portal);
        if (other)
                return refuse(REFUSAL_ENDPOINT_EXISTS, ret_why, "TCP endpoint %s exists; use it, or take another PortNumber",
                              other->name);

        *ret = plan;
        return 0;
}

int check_delete_tcp_endpoint(Model *m, const Reference *endpoint, TcpEndpoint **ret, char **ret_why) {
        TcpEndpoint *t;
        int r;

        r = check_tcp_endpoint(endpoint, &t, ret_why);
        if (r != 0)
                return r;
        if (t->automatic)
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                              "TCP endpoint %s was made by the service and goes with its address; only those made by "
                              "CreateTCPProtocolEndpoint "
                              "can be deleted",
                              t->name);
        if (t->bound_by)
                return refuse(REFUSAL_ENDPOINT_IN_USE, ret_why,
                              "TCP endpoint %s is in use by port %012llX of node %s; unbind or delete that first", t->name,
                              (unsigned long long) t->bound_by->port->key.identifier, t->bound_by->port->key.node->name);

        *ret = t;
        return 0;
}

int check_create_portal_group(const char *element_name, char **ret_why) {
        if (!element_name[0])
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "ElementName is empty; give the portal group a name");

        return check_text("ElementName", element_name, ret_why);
}

int check_delete_portal_group(Model *m, const Reference *group, PortalGroup **ret, char **ret_why) {
        PortalGroup *g;
        int r;

        r = check_group(group, &g, ret_why);
        if (r != 0)
                return r;
        if (g->id == 0)
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why, "The portal group \"default\" is built in and cannot be deleted");
        if (g->members)
                return refuse(REFUSAL_GROUP_NOT_EMPTY, ret_why,
                              "Portal group \"%s\" has TCP endpoint %s; remove its members first", g->element_name,
                              g->members->tcp->name);

        *ret = g;
        return 0;
}

int check_add_member(Model *m, const Reference *group, const Reference *endpoint, PortalGroup **ret_group, TcpEndpoint **ret,
                     char **ret_why) {
        int r;

        r = check_group(group, ret_group, ret_why);
        if (r != 0)
                return r;
        r = check_tcp_endpoint(endpoint, ret, ret_why);
        if (r != 0)
                return r;
        if (portal_group_has_member(*ret_group, *ret))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "TCP endpoint %s is in portal group \"%s\" already",
                              (*ret)->name, (*ret_group)->element_name);

        return 0;
}

static bool group_holds_portals(const PortalGroup *g, const Port *p) {
        for (size_t i = 0; i < p->n_bindings; i++)
                if (!portal_group_has_member(g, p->bindings[i]->key.tcp))
                        return false;

        return true;
}

/* Whether G holds all portals of P, of which T is one, and no other group does. A port that another program made may have portals
 * that no group holds together. */
static bool only_group_holds_portals(const PortalGroup *g, const TcpEndpoint *t, const Port *p) {
        if (!group_holds_portals(g, p))
                return false;

        for (const Membership *e = t->groups; e; e = e->next_of_tcp)
                if (e->group != g && group_holds_portals(e->group, p))
                        return false;

        return true;
}

int check_remove_member(Model *m, const Reference *group, const Reference *endpoint, PortalGroup **ret_group, TcpEndpoint **ret,
                        char **ret_why) {
        PortalGroup *g;
        TcpEndpoint *t;
        int r;

        r = check_group(group, &g, ret_why);
        if (r != 0)
                return r;
        r = check_tcp_endpoint(endpoint, &t, ret_why);
        if (r != 0)
                return r;
        if (!portal_group_has_member(g, t))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "TCP endpoint %s is not in portal group \"%s\"", t->name,
                              g->element_name);
        if (t->automatic && g->id == 0)
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                              "TCP endpoint %s was made by the service and stays in the portal group \"default\"", t->name);

        for (Binding *b = t->bound_by; b; b = b->next_of_endpoint)
                if (only_group_holds_portals(g, t, b->port))
                        return refuse(REFUSAL_ENDPOINT_IN_USE, ret_why,
                                      "TCP endpoint %s is in use by port %012llX of node %s, whose portals only portal group "
                                      "\"%s\" holds together; unbind it from that port first",
                                      t->name, (unsigned long long) b->port->key.identifier, b->port->key.node->name,
                                      g->element_name);

        *ret_group = g;
        *ret = t;
        return 0;
}

int check_declare_address(Model *m, const char *address, const char *element_name, IpAddress *ret, char **ret_why) {
        const IpEndpoint *ip;
        int r;

        r = check_text("Option ElementName", element_name, ret_why);
        if (r != 0)
                return r;
        if (ip_address_from_text(address, ret) < 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "\"%.*s\" is not an address that can be declared: give a unicast IPv4 or IPv6 address without "
                              "brackets, and "
                              "%%interface behind a link-local one and only there",
                              text_excerpt(address, 64), address);
        if (ip_address_is_wildcard(ret))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Address %s stands for all addresses and is always there",
                              address);

        ip = model_find_ip_endpoint(m, ret);
        if (ip && ip->declared)
                return refuse(REFUSAL_ADDRESS_EXISTS, ret_why, "Address %s is declared already", ip->name);

        return 0;
}

int check_zone(const IpAddress *address, const char *interface, char **ret_why) {
        char text[IP_ADDRESS_TEXT_MAX], own_text[IP_ADDRESS_TEXT_MAX];
        IpAddress own = *address;

        if (strcmp(address->zone, interface) == 0)
                return 0;

        (void) snprintf(own.zone, sizeof(own.zone), "%s", interface);
        return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                      "\"%s\" in %s is a number or an alternative name of interface %s; declare %s", address->zone,
                      ip_address_to_text(address, text), interface, ip_address_to_text(&own, own_text));
}

int check_retract_address(Model *m, const Reference *address, IpEndpoint **ret, char **ret_why) {
        IpEndpoint *ip = reference_ip_endpoint(address);
        const Binding *b = NULL;

        if (!ip)
                return refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why,
                              "%s is not an address (…/ip/…); busctl tree shows those that exist", address->text);
        if (!ip->declared)
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                              "Address %s was not declared: it is on this host, and goes when the host loses it", ip->name);

        if (!ip->present) {
                b = ip->bound_by;
                for (const TcpEndpoint *t = ip->tcp_endpoints; t && !b; t = t->next_of_ip)
                        b = t->bound_by;
        }
        if (b)
                return refuse(
                        REFUSAL_ENDPOINT_IN_USE, ret_why,
                        "Address %s is in use by port %012llX of node %s and is not on this host; unbind or delete that first",
                        ip->name, (unsigned long long) b->port->key.identifier, b->port->key.node->name);

        *ret = ip;
        return 0;
}
