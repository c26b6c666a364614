/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The operations that plans are made of. Each function checks nothing: the rules have. It reserves what it needs in the model and
 * appends the operation to P, or returns a negative errno with nothing changed. Pointers into the model stay good while the locks
 * of the change are held. */

#include "change/plan.h"

/* The rights to a name: a new node, its removal with all its ports, other settings of it. */
int plan_create_node(Plan *p, const char *name, const char *alias, unsigned roles, bool persistent);
int plan_delete_node(Plan *p, Node *node, bool force);
int plan_adopt_node(Plan *p, Node *node);   /* with its ports, as they are */
int plan_release_node(Plan *p, Node *node); /* what is in force stays so */
int plan_modify_node(Plan *p, Node *node, const char *alias, DriftPolicy drift);

/* Ports. PORTALS are copied. */
typedef struct NewPort {
        Node *node;
        uint16_t role;
        uint64_t identifier;
        bool chosen; /* the Identifier is the service's choice, so another will do */
        const Portal *portals;
        size_t n_portals;
        bool enabled;
} NewPort;

int plan_create_port(Plan *p, const NewPort *new);
int plan_delete_port(Plan *p, Port *port, bool force);
int plan_enable_port(Plan *p, Port *port, bool enable);
int plan_bind_portal(Plan *p, Port *port, const Portal *portal);
int plan_unbind_portal(Plan *p, Port *port, Binding *binding);

/* Portals and groups: desired only, no backend has to do anything for them until a port binds. */
int plan_create_tcp_endpoint(Plan *p, const Portal *portal, PortalGroup *group);
int plan_delete_tcp_endpoint(Plan *p, TcpEndpoint *tcp);
int plan_create_portal_group(Plan *p, const char *element_name);
int plan_delete_portal_group(Plan *p, PortalGroup *group);
int plan_add_member(Plan *p, PortalGroup *group, TcpEndpoint *tcp);
int plan_remove_member(Plan *p, PortalGroup *group, TcpEndpoint *tcp);
int plan_declare_address(Plan *p, const IpAddress *address, const char *element_name);
int plan_retract_address(Plan *p, IpEndpoint *ip);

/* The backend that serves the ports of ROLE, or -ENXIO with a sentence. *RET NULL: the role's ports need none. */
int operation_backend(const Context *c, uint16_t role, Backend **ret, char **ret_why);

/* Drops the journal's rows of bindings of P that are being removed: all of P is. */
int operation_drop_bindings(const Port *p, StoreChange *change);
