/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An object as a caller named it: TEXT for messages, OBJECT NULL if nothing published has that name. */

#include "model/model.h"

typedef struct Reference {
        const char *text;
        Object *object;
} Reference;

/* The object of a reference if it is of that class, else NULL. */
Node *reference_node(const Reference *r);
Port *reference_port(const Reference *r);
TcpEndpoint *reference_tcp(const Reference *r);
IpEndpoint *reference_ip(const Reference *r);
PortalGroup *reference_group(const Reference *r);
