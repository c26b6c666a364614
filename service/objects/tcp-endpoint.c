/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.TCPProtocolEndpoint: TCPProtocolEndpoint, a target's network portal. */

#include "objects/getter.h"

DEFINE_GETTER(get_name, TcpEndpoint, value_text, o->name)
DEFINE_GETTER(get_port_number, TcpEndpoint, value_uint16, o->portal.port)
DEFINE_GETTER(get_binds_to, TcpEndpoint, value_optional_path, o->ip->object.path)
DEFINE_GETTER(get_automatic, TcpEndpoint, value_bool, o->automatic)

static int get_bound_by(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "o");
        if (r >= 0)
                r = write_bound_ports(w, ((const TcpEndpoint *) o)->bound_by);
        return r < 0 ? r : value_close(w);
}

static int get_member_of_collection(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "o");
        for (const Membership *e = ((const TcpEndpoint *) o)->groups; e && r >= 0; e = e->next_of_tcp)
                r = value_path(w, e->group->object.path);
        return r < 0 ? r : value_close(w);
}

static char *make_path(const Object *o) {
        return path_below(ROOT_PATH, tcp_endpoint_class.level, ((const TcpEndpoint *) o)->name);
}

DEFINE_ENUMERATION(TcpEndpoint, tcp_endpoint)

static const Property properties[] = {
        { "Name", "s", EMITS_CONST, get_name },
        { "PortNumber", "q", EMITS_CONST, get_port_number },
        { "BindsTo", "ao", EMITS_CHANGE, get_binds_to },
        { "BoundBy", "ao", EMITS_INVALIDATES, get_bound_by },
        { "MemberOfCollection", "ao", EMITS_CHANGE, get_member_of_collection },
        { "Automatic", "b", EMITS_CONST, get_automatic },
        {},
};

const ObjectClass tcp_endpoint_class = {
        .type = OBJECT_TCP_ENDPOINT,
        .interface = "org.iscsi.TCPProtocolEndpoint",
        .level = "tcp",
        .make_path = make_path,
        .first = first,
        .next = next,
        .properties = properties,
};
