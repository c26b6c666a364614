/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the model share among themselves. */

#include <stdlib.h>

#include "model/model.h"

struct Model {
        const ModelListener *listener;
        void *userdata;
        bool telling;
        ModelCounts counts;

        Object *objects; /* published, by path */
        Node *nodes;     /* by name */
        Node *aliases;   /* those that have one */
        Port *ports;
        Binding *bindings; /* of target ports */
        TcpEndpoint *tcp_endpoints;
        IpEndpoint *ip_endpoints;
        PortalGroup *portal_groups;
};

/* Doubly linked lists: NEXT leads on, LINK is what points here. */
#define LIST_ADD(head, item, next, link)              \
        do {                                          \
                (item)->next = (head);                \
                if (head)                             \
                        (head)->link = &(item)->next; \
                (item)->link = &(head);               \
                (head) = (item);                      \
        } while (0)

#define LIST_REMOVE(item, next, link)                      \
        do {                                               \
                *(item)->link = (item)->next;              \
                if ((item)->next)                          \
                        (item)->next->link = (item)->link; \
        } while (0)

int object_publish(Model *m, Object *o);  /* is published already: 0 */
void object_retract(Model *m, Object *o); /* is not published: nothing */
void object_tell(Model *m, Object *o, const char *const *properties);

#define object_changed(m, o, ...) object_tell(m, o, (const char *const[]){ __VA_ARGS__, NULL })

/* The endpoint of PORTAL, made unless it exists: AUTOMATIC and a member of GROUP (NULL: of none) then. An automatic one lives until
 * endpoint_release_tcp() finds no reason for it. */
int endpoint_acquire_tcp(Model *m, const Portal *portal, bool automatic, PortalGroup *group, TcpEndpoint **ret);
int endpoint_acquire_ip(Model *m, const IpAddress *a, IpEndpoint **ret);
void endpoint_release_tcp(Model *m, TcpEndpoint *t);
void endpoint_release_ip(Model *m, IpEndpoint *ip);

const IpEndpoint *binding_ip(const Binding *b); /* the address below it, there or not */

/* What each adds at most to a message that tells of all objects, in bytes; constant while it lives. */
size_t size_of_node(const Node *n);
size_t size_of_port(const Port *p); /* without its bindings */
size_t size_of_binding(const Binding *b);
size_t size_of_tcp_endpoint(const TcpEndpoint *t); /* without its memberships */
size_t size_of_ip_endpoint(const IpEndpoint *ip);
size_t size_of_portal_group(const PortalGroup *g);
size_t size_of_membership(const Membership *e);

void tcp_endpoint_free(Model *m, TcpEndpoint *t);
void ip_endpoint_free(Model *m, IpEndpoint *ip);
void portal_group_free(Model *m, PortalGroup *g);
void membership_free(Model *m, Membership *e);
