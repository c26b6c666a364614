/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/port.h"

#include <string.h>

#include "common/isid.h"
#include "common/macro.h"
#include "common/text.h"
#include "model/host-node.h"
#include "rules/managed.h"
#include "rules/refuse.h"

/* For people: "10.0.0.1:3260" rather than the path. */
static const char *endpoint_name(const Object *o) {
        switch (o->type) {
        case OBJECT_TCP_ENDPOINT:
                return ((const TcpEndpoint *) o)->name;
        case OBJECT_IP_ENDPOINT:
                return ((const IpEndpoint *) o)->name;
        default:
                return o->path;
        }
}

/* The shape of NetworkPortals: neither empty nor with a path twice. */
static int check_portal_list(const Abilities *a, const CreatePortRequest *q, char **ret_why) {
        size_t max = a->max.portals_per_port < LIMIT_PORTALS_PER_PORT ? a->max.portals_per_port : LIMIT_PORTALS_PER_PORT;

        if (q->n_portals == 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "NetworkPortals is empty; a port needs at least one portal");

        if (q->n_portals > max)
                return refuse(REFUSAL_LIMIT_REACHED, ret_why, "NetworkPortals has %zu portals; a port may have %zu", q->n_portals,
                              max);

        for (size_t i = 0; i < q->n_portals; i++)
                for (size_t j = 0; j < i; j++)
                        if (strcmp(q->portals[i].text, q->portals[j].text) == 0)
                                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                                              "NetworkPortals has %s twice; name each portal once", q->portals[i].text);

        return 0;
}

/* The class that a portal must have for a role. */
static int check_portal_class(uint16_t role, const Reference *portal, char **ret_why) {
        IpEndpoint *ip = reference_ip_endpoint(portal);

        if (role == ROLE_TARGET && !reference_tcp_endpoint(portal))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "%s is not a TCP endpoint; a target port binds to TCP endpoints (…/tcp/…)", portal->text);
        if (role == ROLE_INITIATOR && !ip)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "%s is not a host address; an initiator port binds to IP endpoints (…/ip/…)", portal->text);
        if (role == ROLE_INITIATOR && ip_address_is_wildcard(&ip->address))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "%s is the wildcard; an initiator port binds to addresses of this host", portal->text);

        return 0;
}

static int check_portal_bound(const Reference *portal, char **ret_why) {
        TcpEndpoint *t = reference_tcp_endpoint(portal);

        if (!t || t->ip->present || (t->ip->declared && !t->ip->leaving))
                return 0;

        return refuse(REFUSAL_TCP_NOT_BOUND, ret_why,
                      "TCP endpoint %s is bound to no host address: %s is not on this host; add the address first, or declare "
                      "it with CreateIPProtocolEndpoint if it will come",
                      t->name, t->ip->name);
}

static int check_portal_unused(Model *m, Node *n, const Reference *portal, char **ret_why) {
        TcpEndpoint *t = reference_tcp_endpoint(portal);
        Port *user;

        user = t ? model_find_user_of_portal(m, n, t) : NULL;
        if (!user)
                return 0;

        return refuse(REFUSAL_TCP_IN_USE, ret_why,
                      "TCP endpoint %s is used by port %012llX of the same node %s; a portal serves one port of "
                      "a node, take another portal",
                      t->name, (unsigned long long) user->key.identifier, n->name);
}

/* Whether one portal group has all of the TCP endpoints as members. */
static bool collection_holds_all(TcpEndpoint *const *tcp, size_t n) {
        if (n == 0)
                return true;

        for (Membership *e = tcp[0]->groups; e; e = e->next_of_tcp) {
                size_t i;

                if (e->leaving)
                        continue;
                for (i = 1; i < n; i++)
                        if (!portal_group_has_member(e->group, tcp[i]))
                                break;
                if (i == n)
                        return true;
        }

        return false;
}

/* Which interface has the address; an address that two have counts for one of them. The backend decides again. */
static int check_interface(const IpEndpoint *ip, const IpEndpoint **first, char **ret_why) {
        if (!ip->present)
                return refuse(REFUSAL_SCOPE_MISSING, ret_why,
                              "No network interface of this host has the address %s now, and an initiator port is bound to the "
                              "interface that has its addresses; add the address first",
                              ip->name);
        if (!*first)
                *first = ip;
        if (strcmp(ip->attributes.interface, (*first)->attributes.interface) == 0)
                return 0;

        return refuse(
                REFUSAL_NOT_FROM_SAME_COLLECTION, ret_why,
                "Address %s is on network interface %s and address %s is on %s; an initiator port is bound to one interface, "
                "so make one port for each",
                (*first)->name, (*first)->attributes.interface, ip->name, ip->attributes.interface);
}

static int check_interfaces(const Abilities *a, const CreatePortRequest *q, char **ret_why) {
        const IpEndpoint *first = NULL;

        for (size_t i = 0; a->roles[q->role].one_interface && i < q->n_portals; i++) {
                int r = check_interface(reference_ip_endpoint(q->portals + i), &first, ret_why);

                if (r != 0)
                        return r;
        }

        return 0;
}

/* The port is where its addresses are that are on this host. */
static int check_bound_interface(const Abilities *a, const Port *p, const Reference *portal, char **ret_why) {
        const IpEndpoint *first = NULL;

        if (!a->roles[p->role].one_interface)
                return 0;
        for (size_t i = 0; i < p->n_bindings && !first; i++)
                if (p->bindings[i]->ip->present)
                        first = p->bindings[i]->ip;

        return check_interface(reference_ip_endpoint(portal), &first, ret_why);
}

static int check_identifier(Model *m, const CreatePortRequest *q, Node *n, uint64_t *ret, char **ret_why) {
        const char *reason;
        int r;

        r = identifier_from_text(q->identifier, q->role, ret, &reason);
        if (r < 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "\"%.*s\" cannot be an Identifier: %s",
                              text_excerpt(q->identifier, 32), q->identifier, reason);

        if (model_find_port(m, n, *ret))
                return refuse(
                        REFUSAL_IDENTIFIER_IN_USE, ret_why,
                        "Node %s has a port with Identifier %012llX; choose another, or leave it empty and the service chooses",
                        n->name, (unsigned long long) *ret);

        return 0;
}

static uint64_t minimum_identifier(const Abilities *a, const CreatePortRequest *q, const Node *n) {
        return a->roles[q->role].hosts_identifiers ? MAX2(q->minimum, isid_first(node_known_as(n, q->role), "")) : q->minimum;
}

int check_create_port(Model *m, const Abilities *a, const CreatePortRequest *q, CreatePortPlan *ret, char **ret_why) {
        bool role_valid = q->role == ROLE_INITIATOR || q->role == ROLE_TARGET;
        TcpEndpoint *tcp[LIMIT_PORTALS_PER_PORT];
        uint64_t identifier = 0;
        Node *n;
        int r;

        if (!abilities_any_role(a) || (role_valid && !a->roles[q->role].available))
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                              "Ports of the role %s cannot be created: no backend is configured for it; iscsi-configd --help has "
                              "the options",
                              role_valid ? role_name(q->role) : "wanted");

        if (!role_valid)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Role %u is neither 2 (initiator) nor 3 (target)", q->role);
        r = check_portal_list(a, q, ret_why);
        if (r != 0)
                return r;

        n = reference_node(&q->node);
        if (!n)
                return refuse(REFUSAL_NODE_NON_EXISTENT, ret_why, "%s is not an iSCSI node; create one with CreateiSCSINode",
                              q->node.text);

        if (!(n->roles & ROLE_BIT(q->role)))
                return refuse(REFUSAL_ROLE_NOT_SUPPORTED, ret_why,
                              "Node %s was not created for the role %s; its Roles property says which", n->name,
                              role_name(q->role));

        if (q->identifier[0] && !a->roles[q->role].selects_identifiers)
                return refuse(REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED, ret_why,
                              "The Identifiers of %s ports are chosen by the service; leave it empty", role_name(q->role));
        if (q->identifier[0]) {
                r = check_identifier(m, q, n, &identifier, ret_why);
                if (r != 0)
                        return r;
        }

        for (size_t i = 0; i < q->n_portals; i++)
                if (!q->portals[i].object)
                        return refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why,
                                      "%s names no endpoint; busctl tree shows those that exist", q->portals[i].text);

        for (size_t i = 0; i < q->n_portals; i++) {
                r = check_portal_class(q->role, q->portals + i, ret_why);
                if (r != 0)
                        return r;
        }

        for (size_t i = 0; i < q->n_portals; i++) {
                r = check_portal_bound(q->portals + i, ret_why);
                if (r != 0)
                        return r;
        }

        for (size_t i = 0; i < q->n_portals; i++) {
                r = check_portal_unused(m, n, q->portals + i, ret_why);
                if (r != 0)
                        return r;
        }

        if (q->role == ROLE_TARGET) {
                for (size_t i = 0; i < q->n_portals; i++)
                        tcp[i] = reference_tcp_endpoint(q->portals + i);
                if (!collection_holds_all(tcp, q->n_portals))
                        return q->n_portals == 1
                                       ? refuse(REFUSAL_NOT_FROM_SAME_COLLECTION, ret_why,
                                                "TCP endpoint %s is in no portal group; put it into one with AddToPortalGroup",
                                                tcp[0]->name)
                                       : refuse(REFUSAL_NOT_FROM_SAME_COLLECTION, ret_why,
                                                "No portal group holds TCP endpoint %s and all of the others in NetworkPortals; "
                                                "put "
                                                "them into one with AddToPortalGroup",
                                                tcp[0]->name);
        }

        r = check_interfaces(a, q, ret_why);
        if (r == 0)
                r = check_node_managed(n, ret_why);
        if (r == 0)
                r = check_node_stays(n, ret_why);
        if (r != 0)
                return r;

        if (!q->identifier[0] && model_choose_identifier(m, n, q->role, minimum_identifier(a, q, n), &identifier) < 0)
                return refuse(REFUSAL_LIMIT_REACHED, ret_why, "Node %s has no free Identifier left; delete a port of it",
                              n->name);

        *ret = (CreatePortPlan){ .node = n, .identifier = identifier };
        return 0;
}

int check_delete_port(Model *m, const Reference *port, Port **ret, char **ret_why) {
        Port *p = reference_port(port);
        int r;

        if (!p)
                return refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why,
                              "%s is not an iSCSI port; busctl tree shows those that exist", port->text);
        r = check_port_managed(p, ret_why);
        if (r == 0)
                r = check_node_stays(p->key.node, ret_why);
        if (r != 0)
                return r;

        *ret = p;
        return 0;
}

int check_request_state(Model *m, const Reference *port, uint16_t state, Port **ret, bool *ret_enable, char **ret_why) {
        int r;

        if (state != 2 && state != 3)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "RequestedState %u is not offered: a port can be 2 (Enabled) or 3 (Disabled)", state);
        r = check_delete_port(m, port, ret, ret_why);
        if (r != 0)
                return r;
        if ((*ret)->removal)
                return refuse(REFUSAL_INVALID_STATE_TRANSITION, ret_why,
                              "Port %012llX of node %s is being deleted; delete it again to finish that",
                              (unsigned long long) (*ret)->key.identifier, (*ret)->key.node->name);

        *ret_enable = state == 2;
        return 0;
}

int check_switch(const Abilities *a, uint16_t role, bool enable, char **ret_why) {
        if (enable || !a->roles[role].no_switch)
                return 0;

        return refuse(
                REFUSAL_NOT_SUPPORTED, ret_why,
                "A port of the role %s has no switch in the backend that is configured: it is there and enabled, or deleted",
                role_name(role));
}

int check_bind_port(Model *m, const Abilities *a, const Reference *port, const Reference *portal, Port **ret, char **ret_why) {
        TcpEndpoint *tcp[LIMIT_PORTALS_PER_PORT + 1];
        Port *p = reference_port(port);
        size_t n = 0;
        int r;

        if (!p)
                return refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why,
                              "%s is not an iSCSI port; busctl tree shows those that exist", port->text);
        if (!portal->object)
                return refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why, "%s names no endpoint; busctl tree shows those that exist",
                              portal->text);
        if (!a->roles[p->role].available)
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                              "No backend is configured for the role %s; iscsi-configd --help has the options",
                              role_name(p->role));

        r = check_portal_class(p->role, portal, ret_why);
        if (r != 0)
                return r;
        if (port_find_binding(p, portal->object))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Port %012llX of node %s is bound to %s already",
                              (unsigned long long) p->key.identifier, p->key.node->name, endpoint_name(portal->object));

        r = check_portal_bound(portal, ret_why);
        if (r != 0)
                return r;
        r = check_portal_unused(m, p->key.node, portal, ret_why);
        if (r != 0)
                return r;

        if (p->role == ROLE_TARGET) {
                for (size_t i = 0; i < p->n_bindings && i < LIMIT_PORTALS_PER_PORT; i++)
                        tcp[n++] = p->bindings[i]->key.tcp;
                tcp[n++] = reference_tcp_endpoint(portal);
                if (!collection_holds_all(tcp, n))
                        return refuse(REFUSAL_NOT_FROM_SAME_COLLECTION, ret_why,
                                      "No portal group holds %s and the portals of port %012llX; put it into their group with "
                                      "AddToPortalGroup",
                                      portal->text, (unsigned long long) p->key.identifier);
        }

        r = check_bound_interface(a, p, portal, ret_why);
        if (r == 0)
                r = check_port_managed(p, ret_why);
        if (r == 0)
                r = check_port_stays(p, ret_why);
        if (r != 0)
                return r;
        if (p->n_bindings >= a->max.portals_per_port)
                return refuse(REFUSAL_LIMIT_REACHED, ret_why, "Port %012llX of node %s has %u portals, which is the limit",
                              (unsigned long long) p->key.identifier, p->key.node->name, a->max.portals_per_port);

        *ret = p;
        return 0;
}

/* One that is being unbound does not count. */
static bool is_last_portal(const Port *p, const Binding *b) {
        for (size_t i = 0; i < p->n_bindings; i++)
                if (p->bindings[i] != b && !p->bindings[i]->removal)
                        return false;

        return true;
}

int check_unbind_port(Model *m, const Reference *port, const Reference *portal, Port **ret, Binding **ret_binding,
                      char **ret_why) {
        Port *p = reference_port(port);
        Binding *b;
        int r;

        if (!p)
                return refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why,
                              "%s is not an iSCSI port; busctl tree shows those that exist", port->text);
        if (!portal->object)
                return refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why, "%s names no endpoint; busctl tree shows those that exist",
                              portal->text);

        b = port_find_binding(p, portal->object);
        if (!b)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "Port %012llX of node %s is not bound to %s; its BindsTo property says to which",
                              (unsigned long long) p->key.identifier, p->key.node->name, endpoint_name(portal->object));
        r = check_port_managed(p, ret_why);
        if (r == 0)
                r = check_port_stays(p, ret_why);
        if (r != 0)
                return r;
        if (!b->removal && is_last_portal(p, b))
                return refuse(
                        REFUSAL_LAST_PORTAL, ret_why,
                        "Portal %s is the last one of port %012llX of node %s, and a port has at least one; bind another first, "
                        "or delete the port",
                        endpoint_name(portal->object), (unsigned long long) p->key.identifier, p->key.node->name);

        *ret = p;
        *ret_binding = b;
        return 0;
}
