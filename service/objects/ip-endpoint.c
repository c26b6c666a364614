/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.IPProtocolEndpoint: IPProtocolEndpoint, an address of this host. */

#include <arpa/inet.h>

#include "objects/getter.h"

static bool is_v4(const IpEndpoint *ip) {
        return ip->address.family == AF_INET;
}

/* An endpoint of the other version has no address, mask or prefix of this one; the dual-stack wildcard has both. */
static bool has_v4(const IpEndpoint *ip) {
        return is_v4(ip) || ip->attributes.dual_stack;
}

/* CIM_IPProtocolEndpoint.IPv6AddressType; 0, which CIM does not define, for an IPv4 address. */
static uint16_t ipv6_address_type(const IpEndpoint *ip) {
        const struct in6_addr *a = &ip->address.in6;

        if (is_v4(ip))
                return 0;
        if (IN6_IS_ADDR_UNSPECIFIED(a))
                return 2;
        if (IN6_IS_ADDR_LOOPBACK(a))
                return 3;
        if (IN6_IS_ADDR_LINKLOCAL(a))
                return 5;
        if (IN6_IS_ADDR_SITELOCAL(a))
                return 8;
        return 6; /* Global Unicast */
}

DEFINE_GETTER(get_name, IpEndpoint, value_text, o->name)
DEFINE_GETTER(get_element_name, IpEndpoint, value_text, o->element_name ? o->element_name : "")
DEFINE_GETTER(get_ipv4_address, IpEndpoint, value_text, is_v4(o) ? o->name : o->attributes.dual_stack ? "0.0.0.0" : "")
DEFINE_GETTER(get_ipv6_address, IpEndpoint, value_text, is_v4(o) ? "" : o->name)
DEFINE_GETTER(get_prefix_length, IpEndpoint, value_uint8, o->attributes.prefix_length)
DEFINE_GETTER(get_protocol_if_type, IpEndpoint, value_uint16, is_v4(o) ? 4096 : o->attributes.dual_stack ? 4098 : 4097)
DEFINE_GETTER(get_address_origin, IpEndpoint, value_uint16, o->attributes.origin)
DEFINE_GETTER(get_ipv6_address_type, IpEndpoint, value_uint16, ipv6_address_type(o))
DEFINE_GETTER(get_ipv6_prefix_length, IpEndpoint, value_uint16, is_v4(o) ? 0 : o->attributes.prefix_length)
DEFINE_GETTER(get_interface_name, IpEndpoint, value_text, o->attributes.interface)
DEFINE_GETTER(get_present, IpEndpoint, value_bool, o->present)
DEFINE_GETTER(get_declared, IpEndpoint, value_bool, o->declared)

static int get_subnet_mask(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        const IpEndpoint *ip = (const IpEndpoint *) o;
        unsigned length = ip->attributes.prefix_length;
        struct in_addr mask = { .s_addr = length == 0 ? 0 : htonl(0xFFFFFFFFu << (32 - MIN2(length, 32u))) };
        char text[INET_ADDRSTRLEN];

        return value_text(w, has_v4(ip) ? inet_ntop(AF_INET, &mask, text, sizeof(text)) : "");
}

static int get_bound_by(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        const IpEndpoint *ip = (const IpEndpoint *) o;
        int r;

        r = value_open(w, 'a', "o");
        for (const TcpEndpoint *t = ip->tcp_endpoints; t && r >= 0; t = t->next_of_ip)
                if (t->object.path)
                        r = value_path(w, t->object.path);
        if (r >= 0)
                r = write_bound_ports(w, ip->bound_by);
        return r < 0 ? r : value_close(w);
}

static char *make_path(const Object *o) {
        return path_below(ROOT_PATH, ip_endpoint_class.level, ((const IpEndpoint *) o)->name);
}

DEFINE_ENUMERATION(IpEndpoint, ip_endpoint)

static const Property properties[] = {
        { "Name", "s", EMITS_CONST, get_name },
        { "ElementName", "s", EMITS_CHANGE, get_element_name },
        { "IPv4Address", "s", EMITS_CONST, get_ipv4_address },
        { "IPv6Address", "s", EMITS_CONST, get_ipv6_address },
        { "SubnetMask", "s", EMITS_CHANGE, get_subnet_mask },
        { "PrefixLength", "y", EMITS_CHANGE, get_prefix_length },
        { "ProtocolIFType", "q", EMITS_CONST, get_protocol_if_type },
        { "AddressOrigin", "q", EMITS_CHANGE, get_address_origin },
        { "IPv6AddressType", "q", EMITS_CONST, get_ipv6_address_type },
        { "IPv6SubnetPrefixLength", "q", EMITS_CHANGE, get_ipv6_prefix_length },
        { "InterfaceName", "s", EMITS_CHANGE, get_interface_name },
        { "Present", "b", EMITS_CHANGE, get_present },
        { "Declared", "b", EMITS_CHANGE, get_declared },
        { "BoundBy", "ao", EMITS_INVALIDATES, get_bound_by },
        {},
};

const ObjectClass ip_endpoint_class = {
        .type = OBJECT_IP_ENDPOINT,
        .interface = "org.iscsi.IPProtocolEndpoint",
        .level = "ip",
        .make_path = make_path,
        .first = first,
        .next = next,
        .properties = properties,
};
