/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/binding.h"

#include <errno.h>
#include <string.h>

#include "model/ip-endpoint.h"
#include "model/node.h"
#include "model/private.h"
#include "model/tcp-endpoint.h"

/* BindsTo and ListeningOn of the port. */
static size_t size_of_binding(const Binding *b) {
        const char *name = b->key.tcp ? b->key.tcp->name : b->ip->name;

        return 2 * (SIZE_OF_PATH_ROOT + size_of_element(name));
}

Port *model_find_user_of_portal(Model *m, Node *node, TcpEndpoint *tcp) {
        typeof(((Binding *) NULL)->key) key;
        Binding *b;

        memset(&key, 0, sizeof(key));
        key.node = node;
        key.tcp = tcp;
        HASH_FIND(hh, m->bindings, &key, sizeof(key), b);
        return b ? b->port : NULL;
}

Object *binding_endpoint(const Binding *b) {
        return b->key.tcp ? &b->key.tcp->object : &b->ip->object;
}

const IpEndpoint *binding_ip(const Binding *b) {
        return b->key.tcp ? b->key.tcp->ip : b->ip;
}

Portal binding_portal(const Binding *b) {
        return b->key.tcp ? b->key.tcp->portal : (Portal){ .address = b->ip->address };
}

int binding_new(Model *m, Node *node, Port *port, TcpEndpoint *tcp, IpEndpoint *ip, Binding **ret) {
        Binding *b;

        b = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;
        b->key.node = node;
        b->key.tcp = tcp;
        b->port = port;
        b->ip = ip;

        if (tcp) {
                LIST_ADD(tcp->bound_by, b, next_of_endpoint, link_of_endpoint);
                HASH_ADD(hh, m->bindings, key, sizeof(b->key), b);
        } else
                LIST_ADD(ip->bound_by, b, next_of_endpoint, link_of_endpoint);
        m->counts.bytes += size_of_binding(b);

        *ret = b;
        return 0;
}

void binding_free(Model *m, Binding *b) {
        LIST_REMOVE(b, next_of_endpoint, link_of_endpoint);
        m->counts.bytes -= size_of_binding(b);

        if (b->key.tcp) {
                HASH_DELETE(hh, m->bindings, b);
                endpoint_release_tcp(m, b->key.tcp);
        } else
                endpoint_release_ip(m, b->ip);

        free(b);
}
