/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/base.h"
#include "backend/memory-node.h"
#include "common/log.h"
#include "common/role.h"

typedef struct ModelBackend {
        Backend backend;
        Memory memory;
} ModelBackend;

/* The items of a call and what became of them. */
typedef struct Results {
        BackendItemResult *items;
        size_t n;
        char *call_message; /* why none was begun */
} Results;

static void results_done(Results *r) {
        for (size_t i = 0; i < r->n; i++)
                free((void *) r->items[i].message);
        free(r->items);
        free(r->call_message);
}

/* A port that the request does not expect; NULL if there is none, or any may be there. */
static const MemoryPort *unexpected_port(const MemoryNode *n, const BackendRequest *request) {
        for (const MemoryPort *p = n->ports; p && request->expected; p = p->hh.next) {
                size_t i;

                for (i = 0; i < request->n_expected; i++)
                        if (request->expected[i] == p->identifier)
                                break;
                if (i == request->n_expected)
                        return p;
        }

        return NULL;
}

static void tell_not_done(Results *results, size_t failed) {
        for (size_t i = 0; i < results->n; i++) {
                BackendItemResult *item = results->items + i;
                char *message;

                if (i == failed)
                        continue;
                if (asprintf(&message, "%s because of operation %zu", i < failed ? "undone" : "not begun", failed + 1) < 0)
                        message = NULL;
                *item = (BackendItemResult){ REFUSAL_FAILED, message };
        }
}

static bool binds_wildcard(const BackendItem *item) {
        return item->verb == VERB_BIND_PORTAL && ip_address_is_wildcard(&item->portals[0].address);
}

/* The order in which items are done: of portals that are bound one after the other wildcards come first, since after an address
 * of the other family they would be mistaken for that. */
static void put_in_order(const BackendRequest *request, size_t *order) {
        for (size_t i = 0; i < request->n_items; i++) {
                size_t k = i;

                for (; k > 0 && binds_wildcard(request->items + i) && request->items[order[k - 1]].verb == VERB_BIND_PORTAL &&
                       !binds_wildcard(request->items + order[k - 1]);
                     k--)
                        order[k] = order[k - 1];
                order[k] = i;
        }
}

/* Does the items of REQUEST one after the other. Returns the first that failed, SIZE_MAX if none did. */
static size_t do_items(Memory *m, MemoryNode *n, const BackendRequest *request, const size_t *order, Results *results) {
        size_t failed = SIZE_MAX;

        for (size_t k = 0; k < request->n_items; k++) {
                size_t i = order[k];
                char *why = NULL;

                results->items[i].refusal = memory_do(m, n, request->items + i, &why);
                results->items[i].message = why;
                if (results->items[i].refusal == REFUSAL_NONE)
                        continue;
                failed = MIN2(failed, i);
                if (!request->keep_going && !request->check)
                        break;
        }

        return failed;
}

/* A copy is needed where more than the item that failed must be taken back: one alone is done as a whole or not at all. */
static bool needs_copy(const BackendRequest *request) {
        return request->check || (!request->keep_going && request->n_items > 1);
}

static int apply_to_node(Memory *m, MemoryNode *n, const BackendRequest *request, Results *results, size_t *ret_failed) {
        _cleanup_free_ size_t *order = NULL;
        MemoryNode *saved = NULL;

        order = calloc(request->n_items, sizeof(*order));
        if (!order)
                return -ENOMEM;
        put_in_order(request, order);

        results->items = calloc(request->n_items, sizeof(BackendItemResult));
        if (!results->items)
                return -ENOMEM;
        results->n = request->n_items;

        if (needs_copy(request)) {
                saved = memory_save(n);
                if (!saved)
                        return -ENOMEM;
        }

        *ret_failed = do_items(m, n, request, order, results);

        if (saved && (request->check || *ret_failed != SIZE_MAX))
                memory_restore(m, n, saved);
        else
                memory_forget(saved);
        if (*ret_failed != SIZE_MAX && !request->keep_going && !request->check)
                tell_not_done(results, *ret_failed);
        return 0;
}

static void apply(Memory *m, const BackendRequest *request, Results *results, BackendResult *ret) {
        const MemoryPort *unexpected;
        MemoryNode *n;
        int r = -ENOMEM;

        n = memory_enter_node(m, request->node);
        unexpected = n ? unexpected_port(n, request) : NULL;
        if (unexpected) {
                ret->refusal = REFUSAL_FOREIGN_OBJECT_INSIDE;
                if (asprintf(&results->call_message, "Node %s has port %012llX, which is not expected there", n->name,
                             (unsigned long long) unexpected->identifier) < 0)
                        results->call_message = NULL;
                ret->message = results->call_message;
                return;
        }

        if (n) {
                r = apply_to_node(m, n, request, results, &ret->failed_item);
                memory_leave_node(m, n);
        }
        if (r < 0) {
                ret->refusal = REFUSAL_FAILED;
                ret->message = "Out of memory";
                return;
        }

        ret->items = results->items;
        ret->n_items = results->n;
        if (ret->failed_item != SIZE_MAX) {
                ret->refusal = results->items[ret->failed_item].refusal;
                ret->message = results->items[ret->failed_item].message;
        }
}

static char *directory_of_portal(const Portal *portal) {
        char text[PORTAL_TEXT_MAX];

        return strdup(portal_to_text(portal, text));
}

/* What a port is called is unique in the backend, as the names of records are. */
static int observe_port(const char *node, const MemoryPort *p, ObservedPort *ret) {
        size_t n = 0;

        ret->identifier = p->identifier;
        ret->enabled = p->enabled;
        if (asprintf(&ret->directory, "%s-%012llX", node, (unsigned long long) p->identifier) < 0) {
                ret->directory = NULL;
                return -ENOMEM;
        }

        for (const MemoryPortal *q = p->portals; q; q = q->next)
                n++;
        ret->portals = calloc(n + 1, sizeof(ObservedPortal));
        if (!ret->portals)
                return -ENOMEM;

        for (const MemoryPortal *q = p->portals; q; q = q->next) {
                ObservedPortal *o = ret->portals + ret->n_portals++;

                *o = (ObservedPortal){ .portal = q->portal, .usable = true, .listening = true };
                o->directory = directory_of_portal(&q->portal);
                if (!o->directory)
                        return -ENOMEM;
        }

        return 0;
}

static int compare_ports(const void *a, const void *b) {
        const ObservedPort *x = a, *y = b;

        return x->identifier < y->identifier ? -1 : x->identifier > y->identifier;
}

static int observe(Memory *m, const char *name, ObservedNode *ret) {
        MemoryNode *n = memory_find_node(m, name);
        int r;

        ret->name = strdup(name);
        if (!ret->name)
                return -ENOMEM;
        if (!n)
                return 0;

        ret->exists = true;
        ret->ports = calloc(HASH_COUNT(n->ports) + 1, sizeof(ObservedPort));
        if (!ret->ports)
                return -ENOMEM;

        for (const MemoryPort *p = n->ports; p; p = p->hh.next) {
                r = observe_port(name, p, ret->ports + ret->n_ports++);
                if (r < 0)
                        return r;
        }

        qsort(ret->ports, ret->n_ports, sizeof(ObservedPort), compare_ports);
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int list_nodes(Memory *m, char ***ret) {
        size_t n = 0;

        *ret = calloc(HASH_COUNT(m->nodes) + 1, sizeof(char *));
        if (!*ret)
                return -ENOMEM;

        for (const MemoryNode *node = m->nodes; node; node = node->hh.next) {
                (*ret)[n] = strdup(node->name);
                if (!(*ret)[n++])
                        return -ENOMEM;
        }

        qsort(*ret, n, sizeof(char *), compare_names);
        return 0;
}

static void model_turn(Backend *b) {
        Memory *m = &((ModelBackend *) b)->memory;
        BackendResult result = { .failed_item = SIZE_MAX };
        ObservedNode observed = {};
        Results results = {};
        char **nodes = NULL;
        BackendCall *c;
        int r = 0;

        c = backend_take_call(b);
        if (!c)
                return;

        if (b->queue && backend_wake(b) < 0)
                (void) log_oom();

        switch (c->kind) {
        case CALL_APPLY:
        case CALL_CHECK:
                apply(m, &c->request, &results, &result);
                break;
        case CALL_OBSERVE:
                r = observe(m, c->request.node, &observed);
                result.observed = &observed;
                break;
        case CALL_LIST_NODES:
                r = list_nodes(m, &nodes);
                result.nodes = nodes;
                break;
        case _CALL_KIND_MAX:
                break;
        }
        if (r < 0)
                result = (BackendResult){ .refusal = REFUSAL_FAILED, .message = "Out of memory", .failed_item = SIZE_MAX };
        if (result.refusal != REFUSAL_NONE && !result.message)
                result.message = refusal_meaning(result.refusal);

        backend_call_finish(c, &result);
        results_done(&results);
        observed_node_done(&observed);
        strings_free(nodes);
}

static void model_free(Backend *b) {
        ModelBackend *m = (ModelBackend *) b;

        memory_done(&m->memory);
        free(m);
}

static const BackendOps model_ops = {
        .turn = model_turn,
        .free = model_free,
};

int backend_new_model(sd_event *event, uint16_t role, bool selects_identifiers, Backend **ret) {
        _cleanup_(backend_freep) Backend *b = NULL;
        ModelBackend *m;
        int r;

        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        m->memory.role = role;
        b = &m->backend;

        r = backend_init(
                b, &model_ops, event, "model",
                &(BackendTraits){ .selects_identifiers = selects_identifiers, .shows_others = role_info(role)->listens });
        if (r < 0)
                return r;

        *ret = TAKE_PTR(b);
        return 0;
}
