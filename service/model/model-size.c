/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How large the objects can be when all of them are told at once.
 *
 * Anybody may ask for that, in one GetManagedObjects. If the reply is larger than the bus takes, the bus throws the service off: so what
 * callers can make is bounded in bytes, not only in objects. The sizes are upper bounds made from what never changes in an object (names), so
 * that what is added when it comes is what is taken off when it goes. Not in them are the reasons in StatusDescriptions when something is wrong:
 * the limit is half of what the bus takes, which leaves room for those. */

#include <string.h>

#include "model/model-internal.h"

#define SIZE_OF_PATH_ROOT 48u  /* "/org/iscsi/ConfigurationService/portal_group/", and the array's padding */
#define SIZE_OF_PORT 450u      /* interfaces, property names, numbers, short texts and all paddings of a port */
#define SIZE_OF_OBJECT 700u    /* the same of the others */
#define SIZE_OF_PORT_PATH 24u  /* "/endpoint/000000000001" */
#define SIZE_OF_GROUP_PATH 72u /* a number, or "default" */

/* Of a name as an element of an object path: what is no letter and no digit takes three bytes, and so does a digit at the beginning. */
static size_t size_of_element(const char *name) {
        size_t n = 2;

        for (const char *p = name; *p; p++)
                n += (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ? 1 : 3;

        return n;
}

static size_t size_of_node_path(const Node *n) {
        return SIZE_OF_PATH_ROOT + size_of_element(n->name);
}

static size_t size_of_port_path(const Port *p) {
        return size_of_node_path(p->key.node) + SIZE_OF_PORT_PATH;
}

size_t size_of_node(const Node *n) {
        return SIZE_OF_OBJECT + size_of_node_path(n) + strlen(n->name) + strlen(n->alias);
}

/* Its own path, in its node's ProtocolEndpoints, and SAPAvailableForElement. */
size_t size_of_port(const Port *p) {
        return SIZE_OF_PORT + 2 * size_of_port_path(p) + size_of_node_path(p->key.node) + strlen(p->key.node->name);
}

/* BindsTo of the port, and BoundBy of the endpoint. */
size_t size_of_binding(const Binding *b) {
        const char *name = b->key.tcp ? b->key.tcp->name : b->ip->name;

        return SIZE_OF_PATH_ROOT + size_of_element(name) + size_of_port_path(b->port);
}

/* Its own path, in its address' BoundBy, and BindsTo. */
size_t size_of_tcp_endpoint(const TcpEndpoint *t) {
        return SIZE_OF_OBJECT + 2 * (SIZE_OF_PATH_ROOT + size_of_element(t->name)) + SIZE_OF_PATH_ROOT +
               size_of_element(t->ip->name);
}

size_t size_of_ip_endpoint(const IpEndpoint *ip) {
        return SIZE_OF_OBJECT + SIZE_OF_PATH_ROOT + size_of_element(ip->name);
}

size_t size_of_portal_group(const PortalGroup *g) {
        return SIZE_OF_OBJECT + SIZE_OF_GROUP_PATH + strlen(g->element_name);
}

/* Members of the group, MemberOfCollection of the endpoint. */
size_t size_of_membership(const Membership *e) {
        return SIZE_OF_PATH_ROOT + size_of_element(e->tcp->name) + SIZE_OF_GROUP_PATH;
}
