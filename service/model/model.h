/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The objects of the configuration service and how they are associated: nodes, ports, TCP endpoints, host addresses and portal groups.
 *
 *      Node ◀─SAPAvailableForElement─ Port ─BindsTo─▶ TcpEndpoint ─BindsTo─▶ IpEndpoint        (target)
 *                                     Port ─BindsTo───────────────────────▶ IpEndpoint        (initiator)
 *                        PortalGroup ◀─MemberOfCollection─ TcpEndpoint
 *
 * Pure: no I/O, no D-Bus, no SQL. Whoever wants to follow what happens sets a listener. An object that is still being put into
 * force is in the model, so that the rules see it, but not published: nobody outside finds it or hears of it. */

#include <stdbool.h>
#include <stdint.h>

#include "common/macro.h"
#include "common/address.h"
#include "common/identifier.h"

/* uthash ends the process when memory ends, as everything in here that cannot go on does. */
#include <uthash.h>

typedef struct Model Model;
typedef struct Node Node;
typedef struct Port Port;
typedef struct TcpEndpoint TcpEndpoint;
typedef struct IpEndpoint IpEndpoint;
typedef struct PortalGroup PortalGroup;
typedef struct Binding Binding;
typedef struct Membership Membership;

typedef enum ObjectType {
        OBJECT_NODE,
        OBJECT_PORT,
        OBJECT_TCP_ENDPOINT,
        OBJECT_IP_ENDPOINT,
        OBJECT_PORTAL_GROUP,
} ObjectType;

/* The head of every object. PATH is the name by which the outside knows it while it is published, else NULL. */
typedef struct Object {
        ObjectType type;
        char *path;
        UT_hash_handle hh; /* in the model's index by path */
} Object;

/* Whether what is desired is in force. */
typedef enum ObjectState {
        STATE_STARTING, /* not looked at yet */
        STATE_IN_FORCE, /* as desired */
        STATE_DEGRADED, /* not in force, or not known to be; the description says why */
        STATE_DRIFTED,  /* in force, but other than desired */
        STATE_DISABLED, /* made by another program and not enabled */
} ObjectState;

/* SCSIProtocolController */
struct Node {
        Object object;
        char *name;     /* normalized iSCSI name */
        char *alias;    /* "" if it has none */
        unsigned roles; /* set of ROLE_BIT() */
        bool managed;
        ObjectState state;
        char *description; /* of the state; NULL: nothing to say */
        Port *ports;       /* list through next_of_node */
        uint64_t tag_hint; /* no tag below is free, except 0 */
        uint64_t isid_hint;
        UT_hash_handle hh_name, hh_alias;
};

/* iSCSIProtocolEndpoint */
struct Port {
        Object object;
        struct {
                Node *node;
                uint64_t identifier;
        } key;
        uint16_t role;
        bool managed;
        ObjectState state;
        char *description;
        Binding **bindings; /* in the order in which they were made */
        size_t n_bindings;
        Port *next_of_node, **link_of_node;
        UT_hash_handle hh; /* by key */
};

/* BindsTo between a port and its portal: a TCP endpoint (target) or a host address (initiator). */
struct Binding {
        struct {
                Node *node;
                TcpEndpoint *tcp; /* NULL of an initiator's */
        } key;
        Port *port;
        IpEndpoint *ip; /* of an initiator's */
        Binding *next_of_endpoint, **link_of_endpoint;
        UT_hash_handle hh; /* by key; initiators' are not in it, since they may share addresses */
};

/* TCPProtocolEndpoint: a target's network portal */
struct TcpEndpoint {
        Object object;
        Portal portal;
        char *name; /* canonical text */
        IpEndpoint *ip;
        bool automatic; /* made by the service: for a host address, or because a port binds to it */
        Binding *bound_by;
        Membership *groups;
        TcpEndpoint *next_of_ip, **link_of_ip;
        UT_hash_handle hh;
};

/* What is known of a host address besides the address. */
typedef struct IpAttributes {
        bool dual_stack; /* the wildcard "::" that stands for IPv4 too */
        uint8_t prefix_length;
        uint16_t origin; /* CIM_IPProtocolEndpoint.AddressOrigin */
        char interface[IF_NAMESIZE];
} IpAttributes;

/* IPProtocolEndpoint: lives while the host has the address, and unpublished while something refers to it. */
struct IpEndpoint {
        Object object;
        IpAddress address;
        char *name; /* canonical text */
        bool present;
        IpAttributes attributes;
        TcpEndpoint *tcp_endpoints;
        Binding *bound_by; /* initiator ports */
        UT_hash_handle hh;
};

/* SystemSpecificCollection: a portal group */
struct PortalGroup {
        Object object;
        uint64_t id; /* 0: the built-in group "default" */
        char *element_name;
        Membership *members;
        UT_hash_handle hh;
};

/* MemberOfCollection */
struct Membership {
        PortalGroup *group;
        TcpEndpoint *tcp;
        Membership *next_of_group, **link_of_group;
        Membership *next_of_tcp, **link_of_tcp;
};

/* Hears of published objects alone. ADDED: it can be found and read. REMOVING: it can still be. CHANGED: PROPERTIES is a NULL-terminated list of
 * names as CIM spells them. MAKE_PATH gives an object its outside name (malloc'ed; NULL: no memory). */
typedef struct ModelListener {
        char *(*make_path)(const Object *o, void *userdata);
        void (*added)(Object *o, void *userdata);
        void (*removing)(Object *o, void *userdata);
        void (*changed)(Object *o, const char *const *properties, void *userdata);
} ModelListener;

typedef struct ModelCounts {
        unsigned nodes, ports, tcp_endpoints /* made by method */, portal_groups /* made by method */;
        size_t bytes; /* what all objects take at most when they are told in one message */
} ModelCounts;

/* A new model has the built-in portal group. Returns NULL without memory. */
Model *model_new(const ModelListener *listener, void *userdata);
Model *model_free(Model *m);
DEFINE_TRIVIAL_CLEANUP(Model *, model_free);

/* Until it is called with true, nothing but MAKE_PATH of the listener is called. */
void model_set_telling(Model *m, bool telling);

const ModelCounts *model_counts(const Model *m);

Object *model_find_object(Model *m, const char *path); /* published ones alone */
Node *model_find_node(Model *m, const char *name);
Node *model_find_node_by_alias(Model *m, const char *alias);
Port *model_find_port(Model *m, Node *node, uint64_t identifier);
TcpEndpoint *model_find_tcp_endpoint(Model *m, const Portal *portal);
IpEndpoint *model_find_ip_endpoint(Model *m, const IpAddress *address);
PortalGroup *model_find_portal_group(Model *m, uint64_t id);
Port *model_find_user_of_portal(Model *m, Node *node, TcpEndpoint *tcp); /* the target port of NODE that binds to TCP */

Object *model_first_object(Model *m); /* all published objects, through object->hh.next */

/* All of a class, published or not: the next one is in hh.next, a node's in hh_name.next. */
Node *model_first_node(Model *m);
TcpEndpoint *model_first_tcp_endpoint(Model *m);
IpEndpoint *model_first_ip_endpoint(Model *m);
PortalGroup *model_first_portal_group(Model *m);

/* Nodes. Name and alias are copied. 0, -EEXIST or -ENOMEM. */
int model_add_node(Model *m, const char *name, const char *alias, unsigned roles, bool managed, Node **ret);
int model_publish_node(Model *m, Node *n);
void model_remove_node(Model *m, Node *n); /* its ports go first */
void model_set_node_state(Model *m, Node *n, ObjectState state, const char *description);

/* Ports. A target's portals become TCP endpoints where there are none yet. 0, -EEXIST (identifier, portal used by another port of the
 * node, or the same twice) or -ENOMEM, with nothing changed. */
int model_add_port(Model *m, Node *n, uint16_t role, uint64_t identifier, const Portal *portals, size_t n_portals, bool managed,
                   Port **ret);
int model_publish_port(Model *m, Port *p);
void model_remove_port(Model *m, Port *p);
void model_set_port_state(Model *m, Port *p, ObjectState state, const char *description);
int model_bind_port(Model *m, Port *p, const Portal *portal); /* as model_add_port() */
void model_unbind_port(Model *m, Port *p, Binding *b);
Binding *port_find_binding(Port *p, const Object *endpoint);
Portal binding_portal(const Binding *b); /* port 0 of an initiator's */
Object *binding_endpoint(const Binding *b);

/* The lowest Identifier of the node that is free and not below MINIMUM. Tags are tried from 1 (0 is never chosen), ISIDs of the random format
 * from 800000000001. Returns 0, or -ERANGE if none is free. */
int model_choose_identifier(Model *m, Node *n, uint16_t role, uint64_t minimum, uint64_t *ret);

/* Host addresses. Each gets, unasked, a TCP endpoint on ISCSI_PORT_DEFAULT in the built-in group. */
int model_add_address(Model *m, const IpAddress *a, const IpAttributes *attributes);
void model_change_address(Model *m, const IpAddress *a, const IpAttributes *attributes);
void model_remove_address(Model *m, const IpAddress *a);

/* TCP endpoints made by method; they survive their address. */
int model_add_tcp_endpoint(Model *m, const Portal *portal, PortalGroup *group /* NULL: in none */, TcpEndpoint **ret);
void model_remove_tcp_endpoint(Model *m, TcpEndpoint *t);

int model_add_portal_group(Model *m, uint64_t id, const char *element_name, PortalGroup **ret);
void model_remove_portal_group(Model *m, PortalGroup *g);       /* its members leave it first */
int model_add_member(Model *m, PortalGroup *g, TcpEndpoint *t); /* is one already: 0 */
int model_add_member_by_portal(Model *m, PortalGroup *g,
                               const Portal *portal); /* which becomes an automatic endpoint if there is none */
void model_remove_member(Model *m, PortalGroup *g, TcpEndpoint *t);
bool portal_group_has_member(const PortalGroup *g, const TcpEndpoint *t);
