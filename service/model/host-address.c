/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/host-address.h"

#include <string.h>

#include "model/binding.h"
#include "model/port.h"
#include "model/portal-group.h"
#include "model/private.h"

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
                object_tell_changed(m, &t->object, "BindsTo");
                for (Binding *b = t->bound_by; b; b = b->next_of_endpoint)
                        if (is_first_on_ip(b))
                                object_tell_changed(m, &b->port->object, "StatusDescriptions");
        }
        for (Binding *b = ip->bound_by; b; b = b->next_of_endpoint)
                object_tell_changed(m, &b->port->object, "BindsTo", "StatusDescriptions");
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
