/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Host addresses, TCP endpoints and portal groups of the model.
 *
 * A TCP endpoint is there for any of these reasons: a method made it; it is on the default port of an address that the host has; a port
 * binds to it; somebody put it into a group. When the last one goes, so does the endpoint. Automatic ones are in the built-in group. */

#include <errno.h>
#include <string.h>

#include "model/model-internal.h"

TcpEndpoint *model_find_tcp_endpoint(Model *m, const Portal *portal) {
        char text[PORTAL_TEXT_MAX];
        TcpEndpoint *t;

        portal_to_text(portal, text);
        HASH_FIND_STR(m->tcp_endpoints, text, t);
        return t;
}

IpEndpoint *model_find_ip_endpoint(Model *m, const IpAddress *address) {
        char text[IP_ADDRESS_TEXT_MAX];
        IpEndpoint *ip;

        ip_address_to_text(address, text);
        HASH_FIND_STR(m->ip_endpoints, text, ip);
        return ip;
}

PortalGroup *model_find_portal_group(Model *m, uint64_t id) {
        PortalGroup *g;

        HASH_FIND(hh, m->portal_groups, &id, sizeof(id), g);
        return g;
}

static int membership_new(Model *m, PortalGroup *g, TcpEndpoint *t) {
        Membership *e;

        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        e->group = g;
        e->tcp = t;
        LIST_ADD(g->members, e, next_of_group, link_of_group);
        LIST_ADD(t->groups, e, next_of_tcp, link_of_tcp);
        m->counts.bytes += size_of_membership(e);
        return 0;
}

void membership_free(Model *m, Membership *e) {
        m->counts.bytes -= size_of_membership(e);
        LIST_REMOVE(e, next_of_group, link_of_group);
        LIST_REMOVE(e, next_of_tcp, link_of_tcp);
        free(e);
}

void tcp_endpoint_free(Model *m, TcpEndpoint *t) {
        object_retract(m, &t->object);
        while (t->groups) {
                PortalGroup *g = t->groups->group;

                membership_free(m, t->groups);
                object_changed(m, &g->object, "Members");
        }

        m->counts.bytes -= size_of_tcp_endpoint(t);
        HASH_DELETE(hh, m->tcp_endpoints, t);
        LIST_REMOVE(t, next_of_ip, link_of_ip);
        if (!t->automatic)
                m->counts.tcp_endpoints--;
        object_changed(m, &t->ip->object, "BoundBy");
        free(t->name);
        free(t);
}

void ip_endpoint_free(Model *m, IpEndpoint *ip) {
        object_retract(m, &ip->object);
        m->counts.bytes -= size_of_ip_endpoint(ip);
        HASH_DELETE(hh, m->ip_endpoints, ip);
        free(ip->name);
        free(ip);
}

void endpoint_release_ip(Model *m, IpEndpoint *ip) {
        if (!ip->present && !ip->tcp_endpoints && !ip->bound_by)
                ip_endpoint_free(m, ip);
}

void endpoint_release_tcp(Model *m, TcpEndpoint *t) {
        IpEndpoint *ip = t->ip;

        if (!t->automatic || t->bound_by || (ip->present && t->portal.port == ISCSI_PORT_DEFAULT))
                return;
        for (Membership *e = t->groups; e; e = e->next_of_tcp)
                if (e->group->id != 0)
                        return;

        tcp_endpoint_free(m, t);
        endpoint_release_ip(m, ip);
}

int endpoint_acquire_ip(Model *m, const IpAddress *a, IpEndpoint **ret) {
        char text[IP_ADDRESS_TEXT_MAX];
        IpEndpoint *ip;

        ip = model_find_ip_endpoint(m, a);
        if (!ip) {
                ip = calloc(1, sizeof(*ip));
                if (!ip)
                        return -ENOMEM;
                ip->object.type = OBJECT_IP_ENDPOINT;
                ip->address = *a;
                ip->name = strdup(ip_address_to_text(a, text));
                if (!ip->name) {
                        free(ip);
                        return -ENOMEM;
                }
                HASH_ADD_KEYPTR(hh, m->ip_endpoints, ip->name, strlen(ip->name), ip);
                m->counts.bytes += size_of_ip_endpoint(ip);
        }

        *ret = ip;
        return 0;
}

int endpoint_acquire_tcp(Model *m, const Portal *portal, bool automatic, PortalGroup *group, TcpEndpoint **ret) {
        char text[PORTAL_TEXT_MAX];
        TcpEndpoint *t;
        IpEndpoint *ip;
        int r;

        t = model_find_tcp_endpoint(m, portal);
        if (t) {
                *ret = t;
                return 0;
        }

        r = endpoint_acquire_ip(m, &portal->address, &ip);
        if (r < 0)
                return r;

        t = calloc(1, sizeof(*t));
        if (!t) {
                endpoint_release_ip(m, ip);
                return -ENOMEM;
        }
        t->object.type = OBJECT_TCP_ENDPOINT;
        t->portal = *portal;
        t->ip = ip;
        t->automatic = automatic;
        if (!automatic)
                m->counts.tcp_endpoints++;
        LIST_ADD(ip->tcp_endpoints, t, next_of_ip, link_of_ip);
        t->name = strdup(portal_to_text(portal, text));
        if (!t->name) {
                LIST_REMOVE(t, next_of_ip, link_of_ip);
                if (!automatic)
                        m->counts.tcp_endpoints--;
                free(t);
                endpoint_release_ip(m, ip);
                return -ENOMEM;
        }
        HASH_ADD_KEYPTR(hh, m->tcp_endpoints, t->name, strlen(t->name), t);
        m->counts.bytes += size_of_tcp_endpoint(t);

        r = group ? membership_new(m, group, t) : 0;
        if (r >= 0)
                r = object_publish(m, &t->object);
        if (r < 0) {
                tcp_endpoint_free(m, t);
                endpoint_release_ip(m, ip);
                return r;
        }
        if (group)
                object_changed(m, &group->object, "Members");
        object_changed(m, &ip->object, "BoundBy");

        *ret = t;
        return 0;
}

static bool is_first_on_ip(const Binding *b) {
        size_t i = 0;

        while (binding_ip(b->port->bindings[i]) != b->key.tcp->ip)
                i++;
        return b->port->bindings[i] == b;
}

/* What is read from ports and TCP endpoints when the host gains or loses their address. A port hears it once, on however many of
 * the address's TCP ports it is. */
static void ip_tell_users(Model *m, IpEndpoint *ip) {
        for (TcpEndpoint *t = ip->tcp_endpoints; t; t = t->next_of_ip) {
                object_changed(m, &t->object, "BindsTo");
                for (Binding *b = t->bound_by; b; b = b->next_of_endpoint)
                        if (is_first_on_ip(b))
                                object_changed(m, &b->port->object, "StatusDescriptions");
        }
        for (Binding *b = ip->bound_by; b; b = b->next_of_endpoint)
                object_changed(m, &b->port->object, "BindsTo", "StatusDescriptions");
}

int model_add_address(Model *m, const IpAddress *a, const IpAttributes *attributes) {
        Portal portal = { .address = *a, .port = ISCSI_PORT_DEFAULT };
        TcpEndpoint *t;
        IpEndpoint *ip;
        int r;

        r = endpoint_acquire_ip(m, a, &ip);
        if (r < 0)
                return r;

        if (ip->present) {
                model_change_address(m, a, attributes);
                return 0;
        }

        ip->attributes = *attributes;
        ip->present = true;
        r = object_publish(m, &ip->object);
        if (r < 0) {
                ip->present = false;
                endpoint_release_ip(m, ip);
                return r;
        }
        ip_tell_users(m, ip);

        r = endpoint_acquire_tcp(m, &portal, true, model_find_portal_group(m, 0), &t);
        if (r < 0)
                model_remove_address(m, a);
        return r;
}

void model_change_address(Model *m, const IpAddress *a, const IpAttributes *attributes) {
        const char *changed[5] = {};
        IpAttributes before;
        IpEndpoint *ip;
        size_t n = 0;

        ip = model_find_ip_endpoint(m, a);
        if (!ip || !ip->present)
                return;

        before = ip->attributes;
        ip->attributes = *attributes;

        if (before.prefix_length != attributes->prefix_length) {
                changed[n++] = a->family == AF_INET ? "SubnetMask" : "IPv6SubnetPrefixLength";
                changed[n++] = "PrefixLength";
        }
        if (before.origin != attributes->origin)
                changed[n++] = "AddressOrigin";
        if (strcmp(before.interface, attributes->interface) != 0)
                changed[n++] = "InterfaceName";
        if (n > 0)
                object_tell(m, &ip->object, changed);
}

void model_remove_address(Model *m, const IpAddress *a) {
        Portal portal = { .address = *a, .port = ISCSI_PORT_DEFAULT };
        TcpEndpoint *t;
        IpEndpoint *ip;

        ip = model_find_ip_endpoint(m, a);
        if (!ip || !ip->present)
                return;

        object_retract(m, &ip->object);
        ip->present = false;
        ip_tell_users(m, ip);

        t = model_find_tcp_endpoint(m, &portal);
        if (t)
                endpoint_release_tcp(m, t); /* takes the address with it, if that was its last user */
        else
                endpoint_release_ip(m, ip);
}

int model_add_tcp_endpoint(Model *m, const Portal *portal, PortalGroup *group, TcpEndpoint **ret) {
        if (model_find_tcp_endpoint(m, portal))
                return -EEXIST;

        return endpoint_acquire_tcp(m, portal, false, group, ret);
}

void model_remove_tcp_endpoint(Model *m, TcpEndpoint *t) {
        IpEndpoint *ip = t->ip;

        tcp_endpoint_free(m, t);
        endpoint_release_ip(m, ip);
}

int model_add_portal_group(Model *m, uint64_t id, const char *element_name, PortalGroup **ret) {
        PortalGroup *g;
        int r;

        if (model_find_portal_group(m, id))
                return -EEXIST;

        g = calloc(1, sizeof(*g));
        if (!g)
                return -ENOMEM;
        g->object.type = OBJECT_PORTAL_GROUP;
        g->id = id;
        g->element_name = strdup(element_name);
        if (!g->element_name) {
                free(g);
                return -ENOMEM;
        }

        HASH_ADD(hh, m->portal_groups, id, sizeof(g->id), g);
        m->counts.bytes += size_of_portal_group(g);
        if (id != 0)
                m->counts.portal_groups++;

        r = object_publish(m, &g->object);
        if (r < 0) {
                portal_group_free(m, g);
                return r;
        }

        *ret = g;
        return 0;
}

void portal_group_free(Model *m, PortalGroup *g) {
        object_retract(m, &g->object);
        while (g->members)
                membership_free(m, g->members);
        m->counts.bytes -= size_of_portal_group(g);
        HASH_DELETE(hh, m->portal_groups, g);
        if (g->id != 0)
                m->counts.portal_groups--;
        free(g->element_name);
        free(g);
}

void model_remove_portal_group(Model *m, PortalGroup *g) {
        while (g->members)
                model_remove_member(m, g, g->members->tcp);
        portal_group_free(m, g);
}

static Membership *membership_find(const PortalGroup *g, const TcpEndpoint *t) {
        /* An endpoint is in few groups; a group may have many endpoints. */
        for (Membership *e = t->groups; e; e = e->next_of_tcp)
                if (e->group == g)
                        return e;

        return NULL;
}

bool portal_group_has_member(const PortalGroup *g, const TcpEndpoint *t) {
        return membership_find(g, t);
}

int model_add_member(Model *m, PortalGroup *g, TcpEndpoint *t) {
        int r;

        if (membership_find(g, t))
                return 0;

        r = membership_new(m, g, t);
        if (r < 0)
                return r;

        object_changed(m, &t->object, "MemberOfCollection");
        object_changed(m, &g->object, "Members");
        return 0;
}

int model_add_member_by_portal(Model *m, PortalGroup *g, const Portal *portal) {
        TcpEndpoint *t;
        int r;

        if (!g)
                return -ENOENT;

        r = endpoint_acquire_tcp(m, portal, true, model_find_portal_group(m, 0), &t);
        if (r < 0)
                return r;

        r = model_add_member(m, g, t);
        if (r < 0)
                endpoint_release_tcp(m, t);
        return r;
}

void model_remove_member(Model *m, PortalGroup *g, TcpEndpoint *t) {
        Membership *e;

        e = membership_find(g, t);
        if (!e)
                return;

        membership_free(m, e);
        object_changed(m, &t->object, "MemberOfCollection");
        object_changed(m, &g->object, "Members");
        endpoint_release_tcp(m, t);
}
