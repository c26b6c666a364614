/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/host-node.h"
#include "rules/refuse.h"

int backend_work_batch(BackendWork *w, Backend *backend, const char *node, BackendBatch **ret) {
        BackendBatch *batches;

        for (size_t i = 0; i < w->n; i++)
                if (w->batches[i].backend == backend && strcmp(w->batches[i].node, node) == 0) {
                        *ret = w->batches + i;
                        return 0;
                }

        batches = reallocarray(w->batches, w->n + 1, sizeof(BackendBatch));
        if (!batches)
                return -ENOMEM;
        w->batches = batches;
        w->batches[w->n] = (BackendBatch){ .backend = backend, .node = strdup(node) };
        if (!w->batches[w->n].node)
                return -ENOMEM;

        *ret = w->batches + w->n++;
        return 0;
}

int backend_batch_add(BackendBatch *b, const BackendItem *item) {
        BackendItem *items;

        items = reallocarray(b->items, b->n_items + 1, sizeof(BackendItem));
        if (!items)
                return -ENOMEM;
        b->items = items;
        b->items[b->n_items++] = *item;
        return 0;
}

BackendRequest backend_batch_request(const BackendBatch *b) {
        return (BackendRequest){
                .node = b->node,
                .items = b->items,
                .n_items = b->n_items,
                .expected = b->expected,
                .n_expected = b->n_expected,
        };
}

void backend_work_done(BackendWork *w) {
        for (size_t i = 0; i < w->n; i++) {
                free(w->batches[i].node);
                free(w->batches[i].items);
                free(w->batches[i].expected);
        }
        free(w->batches);
        *w = (BackendWork){};
}

static void operation_free(Operation *o) {
        free(o->portals);
        free(o->text);
        free(o->before_text);
        free(o);
}

Operation *plan_append(Plan *p, const OperationKind *kind) {
        Operation **operations;

        /* Doubled at powers of two: a batch has a thousand. */
        if ((p->n_operations & (p->n_operations + 1)) == 0) {
                operations = reallocarray(p->operations, 2 * (p->n_operations + 1), sizeof(Operation *));
                if (!operations)
                        return NULL;
                p->operations = operations;
        }

        p->operations[p->n_operations] = calloc(1, sizeof(Operation));
        if (!p->operations[p->n_operations])
                return NULL;
        p->operations[p->n_operations]->kind = kind;
        return p->operations[p->n_operations++];
}

static int append_text(char ***list, size_t *n, char *text) {
        char **l;

        if (!text)
                return -ENOMEM;
        l = reallocarray(*list, *n + 1, sizeof(char *));
        if (!l) {
                free(text);
                return -ENOMEM;
        }
        *list = l;
        l[(*n)++] = text;
        return 0;
}

int plan_warn(Plan *p, const char *format, ...) {
        char *text;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        return n < 0 ? -ENOMEM : append_text(&p->warnings, &p->n_warnings, text);
}

Reference plan_reference(const Plan *p, const char *path) {
        Reference r = { .text = path, .object = model_find_object(p->context->model, path) };

        if (r.object && r.object->type == OBJECT_TCP_ENDPOINT && ((const TcpEndpoint *) r.object)->leaving)
                r.object = NULL;
        return r;
}

static void texts_free(char **texts, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(texts[i]);
        free(texts);
}

void plan_release(Plan *p) {
        while (p->n_operations > 0) {
                Operation *o = p->operations[--p->n_operations];

                if (!o->done && o->kind->release)
                        o->kind->release(o, p->context);
                operation_free(o);
        }
}

void plan_done(Plan *p) {
        for (size_t i = 0; i < p->n_operations; i++)
                operation_free(p->operations[i]);
        free(p->operations);
        texts_free(p->warnings, p->n_warnings);
        free(p->node);
        *p = (Plan){};
}

int plan_make(Plan *p, Context *c, const Intent *intent, char **ret_why) {
        unsigned attempt = p->attempt;
        uint64_t minimum = p->minimum;
        int r;

        plan_done(p);
        *p = (Plan){ .context = c, .attempt = attempt, .minimum = minimum };
        r = intent->method->plan(p, intent, ret_why);
        if (r != 0) {
                plan_release(p);
                plan_done(p);
        }
        return r;
}

int plan_request(const Plan *p, BackendWork *w, char **ret_why) {
        int r;

        for (size_t i = 0; i < p->n_operations; i++)
                if (p->operations[i]->kind->request) {
                        r = p->operations[i]->kind->request(p->operations[i], p->context, w, ret_why);
                        if (r < 0)
                                return r;
                }

        return 0;
}

int plan_undo_request(const Plan *p, BackendWork *w) {
        int r;

        for (size_t i = p->n_operations; i > 0; i--)
                if (p->operations[i - 1]->kind->undo_request) {
                        r = p->operations[i - 1]->kind->undo_request(p->operations[i - 1], p->context, w);
                        if (r < 0)
                                return r;
                }

        return 0;
}

int plan_number_items(const Plan *p, const BackendBatch *b, size_t **ret) {
        size_t *numbers, n = 0;

        *ret = NULL;
        if (!p->numbered)
                return 0;
        numbers = calloc(b->n_items + 1, sizeof(size_t));
        if (!numbers)
                return -ENOMEM;

        for (size_t i = 0; i < p->n_operations && n < b->n_items; i++) {
                const Operation *o = p->operations[i];

                if (o->port && p->context->backends[o->port->role] == b->backend &&
                    strcmp(node_known_as(o->node, o->port->role), b->node) == 0)
                        numbers[n++] = i + 1;
        }

        *ret = numbers;
        return 0;
}

char *backend_batch_explain(const BackendBatch *b, const size_t *numbers, size_t item, const char *message) {
        char *text;

        if (!numbers || item >= b->n_items)
                return strdup(message);
        return asprintf(&text, "Item %zu: %s", numbers[item], message) < 0 ? NULL : text;
}

bool plan_removes(const Plan *p) {
        for (size_t i = 0; i < p->n_operations; i++)
                if (p->operations[i]->kind->removes)
                        return true;

        return false;
}

uint64_t plan_highest_chosen(const Plan *p) {
        uint64_t highest = 0;

        for (size_t i = 0; i < p->n_operations; i++) {
                const Operation *o = p->operations[i];

                if (o->chosen && o->port->key.identifier > highest)
                        highest = o->port->key.identifier;
        }

        return highest;
}

bool plan_is_journalled(const Plan *p) {
        for (size_t i = 0; i < p->n_operations; i++)
                if (p->operations[i]->kind->removes || p->operations[i]->port)
                        return true;

        return false;
}

/* The rows of single bindings, and of single ports of a node, go with the commit of what they are in. */
static void mark_port(Port *p, uint64_t journal_id) {
        p->removal = journal_id;
        for (size_t i = 0; i < p->n_bindings; i++)
                p->bindings[i]->removal = 0;
}

void plan_mark_removal(Operation *o, uint64_t journal_id) {
        if (!o->kind->removes)
                return;
        if (o->binding)
                o->binding->removal = journal_id;
        else if (o->port) {
                mark_port(o->port, journal_id);
                o->port->forced = o->force;
        } else if (o->node) {
                o->node->removal = journal_id;
                o->node->forced = o->force;
                for (Port *p = o->node->ports; p; p = p->next_of_node) {
                        mark_port(p, journal_id);
                        p->forced = o->force;
                }
        }
}

static void port_mark_owed(Port *p) {
        p->owed = true;
        for (size_t i = 0; i < p->n_bindings; i++)
                p->bindings[i]->owed = true;
}

void plan_mark_owed(Operation *o) {
        if (!o->kind->removes)
                return;
        if (o->binding)
                o->binding->owed = true;
        else if (o->port)
                port_mark_owed(o->port);
        else if (o->node) {
                o->node->owed = true;
                for (Port *p = o->node->ports; p; p = p->next_of_node)
                        port_mark_owed(p);
        }
}
