/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/port.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "model/binding.h"
#include "model/ip-endpoint.h"
#include "model/node.h"
#include "model/object.h"
#include "model/portal-group.h"
#include "model/private.h"
#include "model/session.h"
#include "model/state.h"
#include "model/tcp-endpoint.h"

#define ISID_FIRST 0x800000000001ull /* T = 10b (random), A = 0, the rest a number that the service counts up */
#define ISID_LAST 0x80FFFFFFFFFFull

static size_t size_of_port_path(const Port *p) {
        return size_of_node_path(p->key.node) + SIZE_OF_PORT_PATH;
}

/* Its own path, and SAPAvailableForElement; without its bindings. */
static size_t size_of_port(const Port *p) {
        return SIZE_OF_PORT + size_of_port_path(p) + size_of_node_path(p->key.node) + strlen(p->key.node->name);
}

Port *model_find_port(Model *m, Node *node, uint64_t identifier) {
        typeof(((Port *) NULL)->key) key;
        Port *p;

        memset(&key, 0, sizeof(key)); /* padding is compared too */
        key.node = node;
        key.identifier = identifier;
        HASH_FIND(hh, m->ports, &key, sizeof(key), p);
        return p;
}

Binding *port_find_binding(Port *p, const Object *endpoint) {
        for (size_t i = 0; i < p->n_bindings; i++)
                if (binding_endpoint(p->bindings[i]) == endpoint)
                        return p->bindings[i];

        return NULL;
}

static int port_add_binding(Model *m, Port *p, const Portal *portal) {
        TcpEndpoint *tcp = NULL;
        IpEndpoint *ip = NULL;
        Binding *b, **array;
        int r;

        r = p->role == ROLE_TARGET ? endpoint_acquire_tcp(m, portal, true, model_find_portal_group(m, 0), &tcp)
                                   : endpoint_acquire_ip(m, &portal->address, &ip);
        if (r < 0)
                return r;

        if (tcp ? model_find_user_of_portal(m, p->key.node, tcp) != NULL : port_find_binding(p, &ip->object) != NULL) {
                r = -EEXIST;
                goto fail;
        }

        array = realloc(p->bindings, (p->n_bindings + 1) * sizeof(Binding *));
        if (!array) {
                r = -ENOMEM;
                goto fail;
        }
        p->bindings = array;

        r = binding_new(m, p->key.node, p, tcp, ip, &b);
        if (r < 0)
                goto fail;

        p->bindings[p->n_bindings++] = b;
        return 0;

fail:
        if (tcp)
                endpoint_release_tcp(m, tcp);
        if (ip)
                endpoint_release_ip(m, ip);
        return r;
}

static void port_free(Model *m, Port *p) {
        while (p->n_bindings > 0)
                binding_free(m, p->bindings[--p->n_bindings]);

        port_forget_record(m, p);
        LIST_REMOVE(p, next_of_node, link_of_node);
        HASH_DELETE(hh, m->ports, p);
        m->counts.ports--;
        m->counts.bytes -= size_of_port(p);

        free(p->bindings);
        free(p->evidence.drift);
        free(p->evidence.why);
        free(p->description);
        free(p);
}

int model_add_port(Model *m, Node *n, uint16_t role, uint64_t identifier, const Portal *portals, size_t n_portals, bool managed,
                   Port **ret) {
        Port *p;
        int r;

        if (model_find_port(m, n, identifier))
                return -EEXIST;

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->object.type = OBJECT_PORT;
        p->key.node = n;
        p->key.identifier = identifier;
        p->role = role;
        p->managed = managed;
        p->enabled = true;

        LIST_ADD(n->ports, p, next_of_node, link_of_node);
        HASH_ADD(hh, m->ports, key, sizeof(p->key), p);
        m->counts.ports++;
        m->counts.bytes += size_of_port(p);

        for (size_t i = 0; i < n_portals; i++) {
                r = port_add_binding(m, p, portals + i);
                if (r < 0) {
                        port_free(m, p);
                        return r;
                }
        }

        *ret = p;
        return 0;
}

static void port_tell_neighbours(Model *m, Port *p) {
        node_derive_state(m, p->key.node, "ProtocolEndpoints");
        for (size_t i = 0; i < p->n_bindings; i++)
                object_tell_changed(m, binding_endpoint(p->bindings[i]), "BoundBy");
}

int model_publish_port(Model *m, Port *p) {
        int r;

        if (p->object.path)
                return 0;

        r = object_publish(m, &p->object);
        if (r < 0)
                return r;

        node_count_port(m, p);
        port_tell_neighbours(m, p);
        return 0;
}

int model_move_port(Model *m, Port *p, Node *to) {
        Node *from = p->key.node;
        bool published = p->object.path;

        if (p->role != ROLE_INITIATOR || model_find_port(m, to, p->key.identifier))
                return -EEXIST;

        if (published) {
                object_retract(m, &p->object);
                node_discount_port(m, p);
        }
        LIST_REMOVE(p, next_of_node, link_of_node);
        HASH_DELETE(hh, m->ports, p);
        m->counts.bytes -= size_of_port(p);
        if (published)
                node_derive_state(m, from, "ProtocolEndpoints");

        p->key.node = to;
        for (size_t i = 0; i < p->n_bindings; i++)
                p->bindings[i]->key.node = to;
        LIST_ADD(to->ports, p, next_of_node, link_of_node);
        HASH_ADD(hh, m->ports, key, sizeof(p->key), p);
        m->counts.bytes += size_of_port(p);

        return published ? model_publish_port(m, p) : 0;
}

void model_remove_port(Model *m, Port *p) {
        Node *n = p->key.node;
        uint64_t id = p->key.identifier;

        /* Whatever its role: an initiator port may have the number of a tag, and both roles share the Identifiers of a node. */
        if (id >= 1 && id < n->tag_hint)
                n->tag_hint = id;
        if (id >= ISID_FIRST && id < n->isid_hint)
                n->isid_hint = id;

        if (p->object.path) {
                object_retract(m, &p->object);
                node_discount_port(m, p);
                port_tell_neighbours(m, p);
        }

        port_free(m, p);
}

/* In a node of another program there is none of ours. */
void port_reset(Model *m, Port *p) {
        if (p->managed)
                model_remove_port(m, p);
}

int model_reserve_binding(Model *m, Port *p, const Portal *portal, Binding **ret) {
        int r;

        r = port_add_binding(m, p, portal);
        if (r < 0)
                return r;

        *ret = p->bindings[p->n_bindings - 1];
        (*ret)->pending = true;
        return 0;
}

void model_confirm_binding(Model *m, Binding *b) {
        b->pending = false;
        b->listening = b->port->evidence.valid; /* until it is seen */
        port_derive_state(m, b->port, "BindsTo");
        object_tell_changed(m, binding_endpoint(b), "BoundBy");
}

int model_bind_port(Model *m, Port *p, const Portal *portal) {
        Binding *b;
        int r;

        r = model_reserve_binding(m, p, portal, &b);
        if (r < 0)
                return r;

        model_confirm_binding(m, b);
        return 0;
}

void model_unbind_port(Model *m, Port *p, Binding *b) {
        Object *endpoint = binding_endpoint(b);

        for (size_t i = 0; i < p->n_bindings; i++)
                if (p->bindings[i] == b) {
                        memmove(p->bindings + i, p->bindings + i + 1, (p->n_bindings - i - 1) * sizeof(Binding *));
                        p->n_bindings--;
                        break;
                }

        if (b->pending) { /* nobody has heard of it */
                binding_free(m, b);
                return;
        }

        port_derive_state(m, p, "BindsTo");
        LIST_REMOVE(b, next_of_endpoint, link_of_endpoint);
        object_tell_changed(m, endpoint, "BoundBy");

        /* Listed nowhere now; binding_free() takes it out of a list once more. */
        LIST_ADD(*(b->key.tcp ? &b->key.tcp->bound_by : &b->ip->bound_by), b, next_of_endpoint, link_of_endpoint);
        binding_free(m, b);
}

int model_choose_identifier(Model *m, Node *n, uint16_t role, uint64_t minimum, uint64_t *ret) {
        uint64_t first = role == ROLE_TARGET ? 1 : ISID_FIRST, last = role == ROLE_TARGET ? TAG_MAX : ISID_LAST;
        uint64_t *hint = role == ROLE_TARGET ? &n->tag_hint : &n->isid_hint;
        uint64_t v;

        if (*hint < first)
                *hint = first;

        /* The hint only grows here and falls when a port is removed: so this does not walk over all ports again and again. */
        while (*hint <= last && model_find_port(m, n, *hint))
                (*hint)++;

        for (v = MAX2(*hint, minimum); v <= last; v++)
                if (!model_find_port(m, n, v)) {
                        *ret = v;
                        return 0;
                }

        return -ERANGE;
}
