/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.TCPProtocolEndpoint, org.iscsi.IPProtocolEndpoint and org.iscsi.PortalGroup. */

#include <arpa/inet.h>
#include <stdio.h>

#include "bus/objects.h"
#include "bus/property.h"

/* Ports that bind to an endpoint. */
static int append_bound_ports(sd_bus_message *reply, const Binding *list) {
        int r;

        for (const Binding *b = list; b; b = b->next_of_endpoint)
                if (b->port->object.path) {
                        r = sd_bus_message_append_basic(reply, 'o', b->port->object.path);
                        if (r < 0)
                                return r;
                }

        return 0;
}

DEFINE_PROPERTY_STRING(property_get_tcp_creation_class_name, "CIM_TCPProtocolEndpoint");
DEFINE_PROPERTY_STRING(property_get_tcp_name, ((TcpEndpoint *) userdata)->name);
DEFINE_PROPERTY_UINT32(property_get_port_number, (uint32_t) ((TcpEndpoint *) userdata)->portal.port);
DEFINE_PROPERTY_UINT16(property_get_tcp_protocol_if_type, 4111); /* TCP */
DEFINE_PROPERTY_BOOL(property_get_tcp_automatic, ((TcpEndpoint *) userdata)->automatic);

static int property_get_tcp_binds_to(PROPERTY_ARGUMENTS) {
        const TcpEndpoint *t = userdata;

        return t->ip->object.path ? sd_bus_message_append(reply, "ao", 1, t->ip->object.path)
                                  : sd_bus_message_append(reply, "ao", 0);
}

static int property_get_tcp_bound_by(PROPERTY_ARGUMENTS) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;
        r = append_bound_ports(reply, ((TcpEndpoint *) userdata)->bound_by);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

static int property_get_member_of_collection(PROPERTY_ARGUMENTS) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;
        for (const Membership *e = ((TcpEndpoint *) userdata)->groups; e; e = e->next_of_tcp) {
                r = sd_bus_message_append_basic(reply, 'o', e->group->object.path);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

const sd_bus_vtable tcp_endpoint_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("SystemCreationClassName", "s", property_get_system_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("SystemName", "s", property_get_system_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("CreationClassName", "s", property_get_tcp_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("Name", "s", property_get_tcp_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("PortNumber", "u", property_get_port_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ProtocolIFType", "q", property_get_tcp_protocol_if_type, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BindsTo", "ao", property_get_tcp_binds_to, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BoundBy", "ao", property_get_tcp_bound_by, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("MemberOfCollection", "ao", property_get_member_of_collection, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Automatic", "b", property_get_tcp_automatic, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

static bool ip_is_v4(const IpEndpoint *ip) {
        return ip->address.family == AF_INET;
}

/* An endpoint of the other version has no address, mask or prefix of this one; the dual-stack wildcard has both. */
static bool ip_has_v4(const IpEndpoint *ip) {
        return ip_is_v4(ip) || ip->attributes.dual_stack;
}

DEFINE_PROPERTY_STRING(property_get_ip_creation_class_name, "CIM_IPProtocolEndpoint");
DEFINE_PROPERTY_STRING(property_get_ip_name, ((IpEndpoint *) userdata)->name);
DEFINE_PROPERTY_STRING(property_get_ipv6_address, ip_is_v4(userdata) ? "" : ((IpEndpoint *) userdata)->name);
DEFINE_PROPERTY_STRING(property_get_interface_name, ((IpEndpoint *) userdata)->attributes.interface);
DEFINE_PROPERTY_BYTE(property_get_prefix_length, ((IpEndpoint *) userdata)->attributes.prefix_length);
DEFINE_PROPERTY_UINT16(property_get_address_origin, ((IpEndpoint *) userdata)->attributes.origin);
DEFINE_PROPERTY_UINT16(property_get_ipv6_prefix_length,
                       ip_is_v4(userdata) ? 0 : ((IpEndpoint *) userdata)->attributes.prefix_length);

static int property_get_ipv4_address(PROPERTY_ARGUMENTS) {
        const IpEndpoint *ip = userdata;

        return sd_bus_message_append(reply, "s", ip_is_v4(ip) ? ip->name : ip->attributes.dual_stack ? "0.0.0.0" : "");
}

static int property_get_subnet_mask(PROPERTY_ARGUMENTS) {
        const IpEndpoint *ip = userdata;
        unsigned length = ip->attributes.prefix_length;
        struct in_addr mask = { .s_addr = length == 0 ? 0 : htonl(0xFFFFFFFFu << (32 - MIN2(length, 32u))) };
        char text[INET_ADDRSTRLEN];

        if (!ip_has_v4(ip))
                return sd_bus_message_append(reply, "s", "");
        return sd_bus_message_append(reply, "s", inet_ntop(AF_INET, &mask, text, sizeof(text)));
}

static int property_get_ip_protocol_if_type(PROPERTY_ARGUMENTS) {
        const IpEndpoint *ip = userdata;

        /* IPv4, IPv6, IPv4/v6 */
        return sd_bus_message_append(reply, "q", ip_is_v4(ip) ? 4096 : ip->attributes.dual_stack ? 4098 : 4097);
}

/* CIM_IPProtocolEndpoint.IPv6AddressType; 0, which CIM does not define, for an IPv4 address. */
static int property_get_ipv6_address_type(PROPERTY_ARGUMENTS) {
        const IpEndpoint *ip = userdata;
        const struct in6_addr *a = &ip->address.in6;
        uint16_t type = 6; /* Global Unicast */

        if (ip_is_v4(ip))
                type = 0;
        else if (IN6_IS_ADDR_UNSPECIFIED(a))
                type = 2;
        else if (IN6_IS_ADDR_LOOPBACK(a))
                type = 3;
        else if (IN6_IS_ADDR_LINKLOCAL(a))
                type = 5;
        else if (IN6_IS_ADDR_SITELOCAL(a))
                type = 8;

        return sd_bus_message_append(reply, "q", type);
}

static int property_get_ip_bound_by(PROPERTY_ARGUMENTS) {
        const IpEndpoint *ip = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;
        for (const TcpEndpoint *t = ip->tcp_endpoints; t; t = t->next_of_ip)
                if (t->object.path) {
                        r = sd_bus_message_append_basic(reply, 'o', t->object.path);
                        if (r < 0)
                                return r;
                }
        r = append_bound_ports(reply, ip->bound_by);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

const sd_bus_vtable ip_endpoint_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("SystemCreationClassName", "s", property_get_system_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("SystemName", "s", property_get_system_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("CreationClassName", "s", property_get_ip_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("Name", "s", property_get_ip_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("IPv4Address", "s", property_get_ipv4_address, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("IPv6Address", "s", property_get_ipv6_address, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("SubnetMask", "s", property_get_subnet_mask, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("PrefixLength", "y", property_get_prefix_length, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ProtocolIFType", "q", property_get_ip_protocol_if_type, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("AddressOrigin", "q", property_get_address_origin, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("IPv6AddressType", "q", property_get_ipv6_address_type, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("IPv6SubnetPrefixLength", "q", property_get_ipv6_prefix_length, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("InterfaceName", "s", property_get_interface_name, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("BoundBy", "ao", property_get_ip_bound_by, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_VTABLE_END,
};

DEFINE_PROPERTY_STRING(property_get_group_creation_class_name, "CIM_SystemSpecificCollection");
DEFINE_PROPERTY_STRING(property_get_group_element_name, ((PortalGroup *) userdata)->element_name);
DEFINE_PROPERTY_BOOL(property_get_group_automatic, ((PortalGroup *) userdata)->id == 0);

static int property_get_instance_id(PROPERTY_ARGUMENTS) {
        const PortalGroup *g = userdata;
        char id[64];

        /* <OrgID>:<LocalID>, CIM_SystemSpecificCollection.InstanceID */
        if (g->id == 0)
                (void) snprintf(id, sizeof(id), "org.iscsi:default");
        else
                (void) snprintf(id, sizeof(id), "org.iscsi:%llu", (unsigned long long) g->id);
        return sd_bus_message_append(reply, "s", id);
}

static int property_get_members(PROPERTY_ARGUMENTS) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;
        for (const Membership *e = ((PortalGroup *) userdata)->members; e; e = e->next_of_group)
                if (e->tcp->object.path) {
                        r = sd_bus_message_append_basic(reply, 'o', e->tcp->object.path);
                        if (r < 0)
                                return r;
                }
        return sd_bus_message_close_container(reply);
}

const sd_bus_vtable portal_group_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("CreationClassName", "s", property_get_group_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("InstanceID", "s", property_get_instance_id, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_group_element_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Members", "ao", property_get_members, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("Automatic", "b", property_get_group_automatic, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
