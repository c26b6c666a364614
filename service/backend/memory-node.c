/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/memory-node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/identifier.h"

static Refusal _printf_(3, 4) refuse(Refusal refusal, char **ret_why, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_why, format, ap) < 0)
                *ret_why = NULL;
        va_end(ap);

        return refusal;
}

static Refusal refuse_oom(char **ret_why) {
        return refuse(REFUSAL_FAILED, ret_why, "Out of memory");
}

static MemoryPort *find_port(const MemoryNode *n, uint64_t identifier) {
        MemoryPort *p;

        HASH_FIND(hh, n->ports, &identifier, sizeof(identifier), p);
        return p;
}

static MemoryPort *add_port(MemoryNode *n, uint64_t identifier, bool enabled) {
        MemoryPort *p;

        p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        p->identifier = identifier;
        p->enabled = enabled;
        HASH_ADD(hh, n->ports, identifier, sizeof(p->identifier), p);
        return p;
}

static MemoryPortal *find_portal(const MemoryPort *p, const Portal *portal) {
        MemoryPortal *q;

        LL_FOREACH(p->portals, q)
        if (portal_compare(&q->portal, portal) == 0)
                return q;

        return NULL;
}

static MemoryPortal *add_portal(MemoryPort *p, const Portal *portal) {
        MemoryPortal *q;

        q = calloc(1, sizeof(*q));
        if (!q)
                return NULL;
        q->portal = *portal;
        LL_APPEND(p->portals, q);
        return q;
}

/* At the front: the next one that is asked for is likely to be equal. */
static void list_portal(Memory *m, MemoryPortal *q) {
        DL_PREPEND2(m->listed[q->portal.port], q, prev_listed, next_listed);
}

static void unlist_portal(Memory *m, MemoryPortal *q) {
        DL_DELETE2(m->listed[q->portal.port], q, prev_listed, next_listed);
}

static void free_port(MemoryNode *n, MemoryPort *p) {
        MemoryPortal *q, *next;

        LL_FOREACH_SAFE(p->portals, q, next)
        free(q);
        HASH_DEL(n->ports, p);
        free(p);
}

static void unlist_port(Memory *m, MemoryPort *p) {
        MemoryPortal *q;

        LL_FOREACH(p->portals, q)
        unlist_portal(m, q);
}

static void remove_port(Memory *m, MemoryNode *n, MemoryPort *p) {
        unlist_port(m, p);
        free_port(n, p);
}

MemoryNode *memory_forget(MemoryNode *n) {
        MemoryPort *p, *next;

        if (!n)
                return NULL;

        HASH_ITER(hh, n->ports, p, next) {
                free_port(n, p);
        }
        free(n->name);
        free(n);

        return NULL;
}

void memory_done(Memory *m) {
        MemoryNode *n, *next;

        HASH_ITER(hh, m->nodes, n, next) {
                HASH_DEL(m->nodes, n);
                memory_forget(n);
        }
}

MemoryNode *memory_find_node(Memory *m, const char *name) {
        MemoryNode *n;

        HASH_FIND_STR(m->nodes, name, n);
        return n && n->exists ? n : NULL;
}

MemoryNode *memory_enter_node(Memory *m, const char *name) {
        MemoryNode *n;

        HASH_FIND_STR(m->nodes, name, n);
        if (n)
                return n;

        n = calloc(1, sizeof(*n));
        if (!n)
                return NULL;
        n->name = strdup(name);
        if (!n->name) {
                free(n);
                return NULL;
        }
        HASH_ADD_KEYPTR(hh, m->nodes, n->name, strlen(n->name), n);
        return n;
}

void memory_leave_node(Memory *m, MemoryNode *n) {
        if (n->exists)
                return;

        HASH_DEL(m->nodes, n);
        memory_forget(n);
}

MemoryNode *memory_save(const MemoryNode *n) {
        MemoryNode *saved;

        saved = calloc(1, sizeof(*saved));
        if (!saved)
                return NULL;
        saved->exists = n->exists;

        for (const MemoryPort *p = n->ports; p; p = p->hh.next) {
                MemoryPort *copy = add_port(saved, p->identifier, p->enabled);

                if (!copy)
                        return memory_forget(saved);
                for (const MemoryPortal *q = p->portals; q; q = q->next)
                        if (!add_portal(copy, &q->portal))
                                return memory_forget(saved);
        }

        return saved;
}

void memory_restore(Memory *m, MemoryNode *n, MemoryNode *saved) {
        MemoryPort *given_up = n->ports;

        for (MemoryPort *p = n->ports; p; p = p->hh.next)
                unlist_port(m, p);
        for (MemoryPort *p = saved->ports; p; p = p->hh.next)
                for (MemoryPortal *q = p->portals; q; q = q->next)
                        list_portal(m, q);

        n->exists = saved->exists;
        n->ports = saved->ports;
        saved->ports = given_up;
        memory_forget(saved);
}

/* What the kernel has against making A beside B, which is there already, on the same TCP port. It compares so that a wildcard
 * equals any address of the other family, and zones do not count; and the IPv6 wildcard takes IPv4 connections, too. */
static Refusal conflict(const Portal *a, const Portal *b) {
        bool any_a = ip_address_is_wildcard(&a->address), any_b = ip_address_is_wildcard(&b->address);
        bool of_one_family = a->address.family == b->address.family;

        if (portal_compare(a, b) == 0)
                return REFUSAL_NONE;
        if (!of_one_family && any_a)
                return REFUSAL_PORTAL_SHADOWED;
        if (!of_one_family)
                return any_b && b->address.family == AF_INET6 ? REFUSAL_ADDRESS_OVERLAP : REFUSAL_NONE;
        if (a->address.family == AF_INET6 && memcmp(&a->address.in6, &b->address.in6, sizeof(a->address.in6)) == 0)
                return REFUSAL_PORTAL_SHADOWED;
        return any_a || any_b ? REFUSAL_ADDRESS_OVERLAP : REFUSAL_NONE;
}

static Refusal tell_conflict(Refusal refusal, const Portal *portal, const Portal *other, char **ret_why) {
        char text[PORTAL_TEXT_MAX], text2[PORTAL_TEXT_MAX];

        return refuse(refusal, ret_why, "Portal %s cannot be made beside portal %s: %s", portal_to_text(portal, text),
                      portal_to_text(other, text2), refusal_meaning(refusal));
}

/* Within the node: another port has it, or any port has one that it would be mistaken for. */
static Refusal check_portal_in_node(const MemoryNode *n, const MemoryPort *port, const Portal *portal, char **ret_why) {
        char text[PORTAL_TEXT_MAX];

        for (const MemoryPort *p = n->ports; p; p = p->hh.next)
                for (const MemoryPortal *q = p->portals; q; q = q->next) {
                        if (q->portal.port != portal->port)
                                continue;
                        if (p != port && portal_compare(&q->portal, portal) == 0)
                                return refuse(REFUSAL_TCP_IN_USE, ret_why, "Portal %s belongs to port %012llX of node %s",
                                              portal_to_text(portal, text), (unsigned long long) p->identifier, n->name);
                        if (conflict(portal, &q->portal) == REFUSAL_PORTAL_SHADOWED)
                                return tell_conflict(REFUSAL_PORTAL_SHADOWED, portal, &q->portal, ret_why);
                }

        return REFUSAL_NONE;
}

static Refusal check_portal(Memory *m, const MemoryNode *n, const MemoryPort *port, const Portal *portal, char **ret_why) {
        const MemoryPortal *q;
        Refusal r;

        r = check_portal_in_node(n, port, portal, ret_why);
        if (r != REFUSAL_NONE)
                return r;

        /* One that is there is shared; what excludes it was refused when it was made. */
        DL_FOREACH2(m->listed[portal->port], q, next_listed)
        if (portal_compare(&q->portal, portal) == 0)
                return REFUSAL_NONE;

        DL_FOREACH2(m->listed[portal->port], q, next_listed) {
                r = conflict(portal, &q->portal);
                if (r != REFUSAL_NONE)
                        return tell_conflict(r, portal, &q->portal, ret_why);
        }

        return REFUSAL_NONE;
}

static Refusal add_new_portal(Memory *m, MemoryNode *n, MemoryPort *p, const Portal *portal, char **ret_why) {
        MemoryPortal *q;
        Refusal r;

        if (find_portal(p, portal))
                return REFUSAL_NONE;

        r = role_info(m->role)->listens ? check_portal(m, n, p, portal, ret_why) : REFUSAL_NONE;
        if (r != REFUSAL_NONE)
                return r;

        q = add_portal(p, portal);
        if (!q)
                return refuse_oom(ret_why);
        list_portal(m, q);
        return REFUSAL_NONE;
}

/* Adds those that P has not yet, wildcards first: after an address of the other family they would be mistaken for that. On
 * failure some may have been added. */
static Refusal add_portals(Memory *m, MemoryNode *n, MemoryPort *p, const BackendItem *item, char **ret_why) {
        for (unsigned specific = 0; specific < 2; specific++)
                for (size_t i = 0; i < item->n_portals; i++)
                        if (ip_address_is_wildcard(&item->portals[i].address) == !specific) {
                                Refusal r = add_new_portal(m, n, p, item->portals + i, ret_why);

                                if (r != REFUSAL_NONE)
                                        return r;
                        }

        return REFUSAL_NONE;
}

static Refusal create_node(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        if (n->ports)
                return refuse(REFUSAL_NAME_IN_USE, ret_why, "Node %s exists and has ports", n->name);

        n->exists = true;
        return REFUSAL_NONE;
}

static Refusal delete_node(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        if (n->ports)
                return refuse(REFUSAL_FOREIGN_OBJECT_INSIDE, ret_why, "Node %s still has port %012llX", n->name,
                              (unsigned long long) n->ports->identifier);

        n->exists = false;
        return REFUSAL_NONE;
}

static Refusal create_port(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        MemoryPort *p;
        Refusal r;

        if (find_port(n, item->identifier))
                return refuse(REFUSAL_IDENTIFIER_IN_USE, ret_why, "Node %s has port %012llX", n->name,
                              (unsigned long long) item->identifier);

        p = add_port(n, item->identifier, item->enabled);
        if (!p)
                return refuse_oom(ret_why);
        r = add_portals(m, n, p, item, ret_why);
        if (r != REFUSAL_NONE)
                remove_port(m, n, p);
        else
                n->exists = true;
        return r;
}

static Refusal make_port(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        if (!find_port(n, item->identifier) && !add_port(n, item->identifier, false))
                return refuse_oom(ret_why);

        n->exists = true;
        return REFUSAL_NONE;
}

/* A port with another portal than the given ones was not made by what is undone. */
static Refusal undo_port(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        MemoryPort *p = find_port(n, item->identifier);
        MemoryPortal *q;

        if (!p)
                return REFUSAL_NONE;

        LL_FOREACH(p->portals, q) {
                size_t i;

                for (i = 0; i < item->n_portals; i++)
                        if (portal_compare(item->portals + i, &q->portal) == 0)
                                break;
                if (i == item->n_portals)
                        return REFUSAL_NONE;
        }

        remove_port(m, n, p);
        return REFUSAL_NONE;
}

static Refusal delete_port(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        MemoryPort *p = find_port(n, item->identifier);

        if (p)
                remove_port(m, n, p);
        return REFUSAL_NONE;
}

static Refusal find_port_for(MemoryNode *n, const BackendItem *item, MemoryPort **ret, char **ret_why) {
        *ret = find_port(n, item->identifier);
        return *ret ? REFUSAL_NONE
                    : refuse(REFUSAL_ENDPOINT_NON_EXISTENT, ret_why, "Node %s has no port %012llX", n->name,
                             (unsigned long long) item->identifier);
}

static Refusal bind_portal(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        MemoryPort *p;
        Refusal r;

        r = find_port_for(n, item, &p, ret_why);
        return r != REFUSAL_NONE ? r : add_portals(m, n, p, item, ret_why);
}

static Refusal unbind_portal(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        MemoryPort *p = find_port(n, item->identifier);
        MemoryPortal *q = p ? find_portal(p, item->portals) : NULL;

        if (q) {
                unlist_portal(m, q);
                LL_DELETE(p->portals, q);
                free(q);
        }
        return REFUSAL_NONE;
}

static Refusal switch_port(MemoryNode *n, const BackendItem *item, bool enabled, char **ret_why) {
        MemoryPort *p;
        Refusal r;

        r = find_port_for(n, item, &p, ret_why);
        if (r == REFUSAL_NONE)
                p->enabled = enabled;
        return r;
}

static Refusal enable_port(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        return switch_port(n, item, true, ret_why);
}

static Refusal disable_port(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        return switch_port(n, item, false, ret_why);
}

static Refusal check_sessions(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        return REFUSAL_NONE;
}

/* Nothing but this service puts anything into a port. */
static Refusal restore_contents(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        MemoryPort *p;

        return find_port_for(n, item, &p, ret_why);
}

static Refusal (*const operations[_VERB_MAX])(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) = {
#define VERB(id, function, ...) [VERB_##id] = function,
#include "common/verbs.def"
};

Refusal memory_do(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why) {
        return operations[item->verb](m, n, item, ret_why);
}
