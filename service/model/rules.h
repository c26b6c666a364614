/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rules of every mutating method: what a request must satisfy, in which order it is asked, and what a refusal says.
 *
 * Order of CreateiSCSIProtocolEndpoint, decided over all portals at each step so that the array's order never matters:
 *   creation supported (1) → shape of the arguments (5) → node (4096) → role (4097) → Identifier selectable (4099) → its form (5)
 *   → its uniqueness (4098) → portals exist (4100) → their class fits the role (5) → TCP endpoints bound to an address (4101)
 *   → in use by another port of this node (4102) → one collection holds them all (4103) → what only we know (vendor codes).
 *
 * Each check returns 0 with a plan in *RET, or a Refusal (positive) with a sentence for people in *RET_WHY (malloc'ed), or a negative errno. A
 * plan holds pointers into the model and is good until the model changes. */

#include "common/refusal.h"
#include "model/model.h"

/* What the service as a whole can do, fixed at start. Indexed by role. */
typedef struct Abilities {
        struct {
                bool available;           /* a backend serves it */
                bool selects_identifiers; /* a caller may choose the Identifier */
        } roles[4];
        struct {
                unsigned nodes, ports, portals_per_port, tcp_endpoints, portal_groups;
                size_t bytes; /* ModelCounts.bytes from which on nothing more is taken; 0: no limit */
        } max;
} Abilities;

#define LIMIT_PORTS_DEFAULT 4096u
/* One GetManagedObjects reply must stay under half of dbus-daemon's 32 MiB with 1 KiB per port. */
#define LIMIT_PORTS_CEILING 16384u
/* Half of what dbus-daemon takes on the system bus. */
#define LIMIT_BYTES ((size_t) 16 * 1024 * 1024)
#define LIMIT_NODES 4096u
#define LIMIT_PORTALS_PER_PORT 64u
#define LIMIT_TCP_ENDPOINTS 4096u
#define LIMIT_PORTAL_GROUPS 1024u
#define LIMIT_TEXT 128u /* characters of an alias or an ElementName: CreateiSCSINode's MaxLen(128) */

/* An object as a caller named it: TEXT for messages, OBJECT NULL if nothing published has that name. */
typedef struct Reference {
        const char *text;
        Object *object;
} Reference;

typedef struct CreatePortRequest {
        Reference node;
        uint16_t role;
        const char *identifier; /* "": the service chooses */
        const Reference *portals;
        size_t n_portals;
        uint64_t minimum; /* of a chosen Identifier; 0 at the first try */
} CreatePortRequest;

typedef struct CreatePortPlan {
        Node *node;
        uint64_t identifier;
} CreatePortPlan;

int check_create_port(Model *m, const Abilities *a, const CreatePortRequest *q, CreatePortPlan *ret, char **ret_why);
int check_delete_port(Model *m, const Reference *port, Port **ret, char **ret_why);
int check_bind_port(Model *m, const Abilities *a, const Reference *port, const Reference *portal, Port **ret, char **ret_why);
int check_unbind_port(Model *m, const Reference *port, const Reference *portal, Port **ret, Binding **ret_binding,
                      char **ret_why);

typedef struct CreateNodeRequest {
        const char *alias;
        const char *name; /* NULL: generated is taken */
        const char *generated;
        const uint16_t *roles; /* NULL: target alone */
        size_t n_roles;
} CreateNodeRequest;

typedef struct CreateNodePlan {
        char *name; /* normalized; malloc'ed */
        unsigned roles;
} CreateNodePlan;

int check_create_node(Model *m, const Abilities *a, const CreateNodeRequest *q, CreateNodePlan *ret, char **ret_why);
int check_delete_node(Model *m, const Reference *node, Node **ret, char **ret_why);

typedef struct TcpEndpointPlan {
        IpEndpoint *ip;
        PortalGroup *group;
        Portal portal;
} TcpEndpointPlan;

int check_create_tcp_endpoint(Model *m, const Abilities *a, const Reference *ip, uint16_t port, const Reference *group,
                              TcpEndpointPlan *ret, char **ret_why);
int check_delete_tcp_endpoint(Model *m, const Reference *endpoint, TcpEndpoint **ret, char **ret_why);
int check_create_portal_group(Model *m, const Abilities *a, const char *element_name, char **ret_why);
int check_delete_portal_group(Model *m, const Reference *group, PortalGroup **ret, char **ret_why);
int check_add_member(Model *m, const Reference *group, const Reference *endpoint, PortalGroup **ret_group, TcpEndpoint **ret,
                     char **ret_why);
int check_remove_member(Model *m, const Reference *group, const Reference *endpoint, PortalGroup **ret_group, TcpEndpoint **ret,
                        char **ret_why);

/* What is refused before anybody is asked for a password: counts at their limit, more portals than a port may have. */
int check_limits(Model *m, const Abilities *a, Method method, size_t n_portals, char **ret_why);

/* Of a sentence with more bytes the middle is left out. */
#define REFUSAL_TEXT_MAX 2000u

/* For a refusal with its sentence: sets *RET_WHY, returns R, or -ENOMEM. Control characters become '?'. */
int refuse(Refusal r, char **ret_why, const char *format, ...) _printf_(3, 4);
