/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/host-address.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "model/ip-endpoint.h"
#include "model/object.h"
#include "model/portal-group.h"
#include "model/private.h"
#include "model/state.h"
#include "model/tcp-endpoint.h"

static void port_follow_address(Model *m, Port *p, const char *also) {
        ObjectState before = p->state;

        port_derive_state(m, p, also);
        if (p->state != before)
                p->moved_by_address = true;
}

/* What is read from ports and TCP endpoints when the host gains or loses their address, or its object comes or goes. */
static void ip_tell_users(Model *m, IpEndpoint *ip, bool path_changed) {
        for (TcpEndpoint *t = ip->tcp_endpoints; t; t = t->next_of_ip) {
                if (path_changed)
                        object_tell_changed(m, &t->object, "BindsTo");
                for (Binding *b = t->bound_by; b; b = b->next_of_endpoint)
                        port_follow_address(m, b->port, NULL);
        }
        for (Binding *b = ip->bound_by; b; b = b->next_of_endpoint)
                port_follow_address(m, b->port, path_changed ? "BindsTo" : NULL);
}

/* Tells what is different, with ALSO (NULL: nothing) in front. */
static void ip_set_attributes(Model *m, IpEndpoint *ip, const IpAttributes *attributes, const char *also) {
        IpAttributes before = ip->attributes;
        const char *changed[6] = {};
        size_t n = 0;

        ip->attributes = *attributes;

        if (also)
                changed[n++] = also;
        if (before.prefix_length != attributes->prefix_length) {
                changed[n++] = ip->address.family == AF_INET ? "SubnetMask" : "IPv6SubnetPrefixLength";
                changed[n++] = "PrefixLength";
        }
        if (before.origin != attributes->origin)
                changed[n++] = "AddressOrigin";
        if (strcmp(before.interface, attributes->interface) != 0)
                changed[n++] = "InterfaceName";
        if (n > 0)
                object_tell(m, &ip->object, changed);
}

/* The object of an address that became known, and its endpoint on the default port. */
static int ip_appear(Model *m, IpEndpoint *ip) {
        Portal portal = { .address = ip->address, .port = ISCSI_PORT_DEFAULT };
        TcpEndpoint *t;
        int r;

        r = object_publish(m, &ip->object);
        if (r < 0)
                return r;
        ip_tell_users(m, ip, true);

        return endpoint_acquire_tcp(m, &portal, true, model_find_portal_group(m, 0), &t);
}

/* The address is not known any more: its object goes, and with it what nobody needs. */
static void ip_disappear(Model *m, IpEndpoint *ip) {
        Portal portal = { .address = ip->address, .port = ISCSI_PORT_DEFAULT };
        bool was_published = ip->object.path;
        TcpEndpoint *t;

        object_retract(m, &ip->object);
        ip->attributes = (IpAttributes){};
        if (was_published)
                ip_tell_users(m, ip, true);

        t = model_find_tcp_endpoint(m, &portal);
        if (t)
                endpoint_release_tcp(m, t); /* takes the address with it, if that was its last user */
        else
                endpoint_release_ip(m, ip);
}

int model_add_address(Model *m, const IpAddress *a, const IpAttributes *attributes) {
        IpEndpoint *ip;
        int r;

        r = endpoint_acquire_ip(m, a, &ip);
        if (r < 0)
                return r;

        if (ip->present) {
                ip_set_attributes(m, ip, attributes, NULL);
                return 0;
        }

        ip->present = true;
        ip_set_attributes(m, ip, attributes, "Present");
        if (ip->declared) {
                ip_tell_users(m, ip, false);
                return 0;
        }

        r = ip_appear(m, ip);
        if (r < 0)
                model_remove_address(m, a);
        return r;
}

void model_change_address(Model *m, const IpAddress *a, const IpAttributes *attributes) {
        IpEndpoint *ip;

        ip = model_find_ip_endpoint(m, a);
        if (ip && ip->present)
                ip_set_attributes(m, ip, attributes, NULL);
}

void model_remove_address(Model *m, const IpAddress *a) {
        static const IpAttributes none = {};
        IpEndpoint *ip;

        ip = model_find_ip_endpoint(m, a);
        if (!ip || !ip->present)
                return;

        ip->present = false;
        if (ip->declared) {
                ip_set_attributes(m, ip, &none, "Present");
                ip_tell_users(m, ip, false);
                return;
        }

        ip_disappear(m, ip);
}

static void ip_set_element_name(Model *m, IpEndpoint *ip, char *name /* taken */) {
        m->counts.automatic_bytes -= size_of_ip_endpoint(ip);
        free(ip->element_name);
        ip->element_name = name;
        m->counts.automatic_bytes += size_of_ip_endpoint(ip);
}

static void ip_tell_declared(Model *m, IpEndpoint *ip, bool named) {
        object_tell(m, &ip->object, (const char *const[]){ "Declared", named ? "ElementName" : NULL, NULL });
}

int model_declare_address(Model *m, const IpAddress *a, const char *element_name) {
        _cleanup_free_ char *name = NULL;
        IpEndpoint *ip;
        int r;

        ip = model_find_ip_endpoint(m, a);
        if (ip && ip->declared)
                return -EEXIST;

        if (element_name[0]) {
                name = strdup(element_name);
                if (!name)
                        return -ENOMEM;
        }

        r = endpoint_acquire_ip(m, a, &ip);
        if (r < 0)
                return r;

        ip->declared = true;
        m->counts.ip_endpoints++;
        if (name)
                ip_set_element_name(m, ip, TAKE_PTR(name));
        if (ip->present) {
                ip_tell_declared(m, ip, ip->element_name);
                return 0;
        }

        r = ip_appear(m, ip);
        if (r < 0)
                model_undeclare_address(m, ip);
        return r;
}

void model_undeclare_address(Model *m, IpEndpoint *ip) {
        bool named = ip->element_name;

        ip->declared = false;
        m->counts.ip_endpoints--;
        ip_set_element_name(m, ip, NULL);

        if (ip->present)
                ip_tell_declared(m, ip, named);
        else
                ip_disappear(m, ip);
}

void ip_endpoint_reset(Model *m, IpEndpoint *ip) {
        if (ip->declared)
                model_undeclare_address(m, ip);
}
