/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/reference.h"

Node *reference_node(const Reference *r) {
        return r->object && r->object->type == OBJECT_NODE ? (Node *) r->object : NULL;
}

Port *reference_port(const Reference *r) {
        return r->object && r->object->type == OBJECT_PORT ? (Port *) r->object : NULL;
}

TcpEndpoint *reference_tcp(const Reference *r) {
        return r->object && r->object->type == OBJECT_TCP_ENDPOINT ? (TcpEndpoint *) r->object : NULL;
}

IpEndpoint *reference_ip(const Reference *r) {
        return r->object && r->object->type == OBJECT_IP_ENDPOINT ? (IpEndpoint *) r->object : NULL;
}

PortalGroup *reference_group(const Reference *r) {
        return r->object && r->object->type == OBJECT_PORTAL_GROUP ? (PortalGroup *) r->object : NULL;
}
