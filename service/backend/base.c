/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/base.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "common/log.h"

static const char *const call_kind_names[_CALL_KIND_MAX] = {
        [CALL_APPLY] = "Apply",
        [CALL_CHECK] = "Check",
        [CALL_OBSERVE] = "Observe",
        [CALL_LIST_NODES] = "ListNodes",
};

const char *call_kind_name(CallKind k) {
        return call_kind_names[k];
}

char **strings_free(char **strings) {
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);

        return NULL;
}

void observed_node_done(ObservedNode *n) {
        for (size_t i = 0; i < n->n_ports; i++) {
                ObservedPort *p = n->ports + i;

                for (size_t k = 0; k < p->n_portals; k++)
                        free(p->portals[k].directory);
                free(p->portals);
                free(p->directory);
                free(p->interface);
                free(p->drift);
        }
        free(n->ports);
        free(n->iscsi_name);
        free(n->why);
        free(n->name);

        *n = (ObservedNode){};
}

static int on_wake(sd_event_source *s, void *userdata) {
        Backend *b = userdata;

        b->ops->turn(b);
        return 0;
}

int backend_init(Backend *b, const BackendOps *ops, sd_event *event, const char *name, const BackendTraits *traits) {
        int r;

        b->ops = ops;
        b->traits = *traits;
        b->event = sd_event_ref(event);

        b->name = strdup(name);
        if (!b->name)
                return -ENOMEM;

        r = sd_event_add_defer(event, &b->wake, on_wake, b);
        if (r < 0)
                return r;

        return sd_event_source_set_enabled(b->wake, SD_EVENT_OFF);
}

Backend *backend_free(Backend *b) {
        BackendCall *c;

        if (!b)
                return NULL;

        while ((c = backend_take_call(b)))
                backend_call_free(c);

        sd_event_source_disable_unref(b->wake);
        sd_event_unref(b->event);
        free(b->name);
        b->ops->free(b);

        return NULL;
}

const char *backend_name(Backend *b) {
        return b->name;
}

const BackendTraits *backend_traits(Backend *b) {
        return &b->traits;
}

int backend_wake(Backend *b) {
        /* One-shot and armed anew each time: a source that is always on would be always the oldest one pending, and others of its
         * priority would never have a turn. */
        return sd_event_source_set_enabled(b->wake, SD_EVENT_ONESHOT);
}

BackendCall *backend_take_call(Backend *b) {
        BackendCall *c = b->queue;

        if (c)
                DL_DELETE(b->queue, c);

        return c;
}

BackendCall *backend_call_free(BackendCall *c) {
        if (!c)
                return NULL;

        /* The portals of all items are one array: the first item's. */
        if (c->request.items)
                free((void *) c->request.items[0].portals);
        for (size_t i = 0; i < c->request.n_items; i++)
                free((void *) c->request.items[i].snapshot);
        free((void *) c->request.items);
        free((void *) c->request.expected);
        free((void *) c->request.node);
        free(c->what);
        free(c);

        return NULL;
}

static int copy_snapshots(BackendItem *items, size_t n) {
        int r = 0;

        /* Each is a copy or nothing, whatever happens, so that they can be freed. */
        for (size_t i = 0; i < n; i++) {
                void *copy = items[i].snapshot_size > 0 && r == 0 ? malloc(items[i].snapshot_size) : NULL;

                if (copy)
                        memcpy(copy, items[i].snapshot, items[i].snapshot_size);
                else if (items[i].snapshot_size > 0)
                        r = -ENOMEM;
                items[i].snapshot = copy;
        }

        return r;
}

static int copy_items(BackendRequest *to, const BackendRequest *from) {
        BackendItem *items;
        Portal *portals;
        size_t n = 0;

        for (size_t i = 0; i < from->n_items; i++)
                n += from->items[i].n_portals;

        items = calloc(from->n_items, sizeof(BackendItem));
        portals = calloc(n + 1, sizeof(Portal));
        if (!items || !portals) {
                free(items);
                free(portals);
                return -ENOMEM;
        }

        for (size_t i = 0; i < from->n_items; i++) {
                items[i] = from->items[i];
                items[i].portals = portals;
                for (size_t k = 0; k < from->items[i].n_portals; k++)
                        *portals++ = from->items[i].portals[k];
        }

        to->items = items;
        to->n_items = from->n_items;
        return copy_snapshots(items, from->n_items);
}

static int copy_request(BackendRequest *to, const BackendRequest *from) {
        uint64_t *expected;

        to->keep_going = from->keep_going;
        to->check = from->check;

        if (from->expected) {
                expected = calloc(from->n_expected + 1, sizeof(uint64_t));
                if (!expected)
                        return -ENOMEM;
                for (size_t i = 0; i < from->n_expected; i++)
                        expected[i] = from->expected[i];
                to->expected = expected;
                to->n_expected = from->n_expected;
        }

        return copy_items(to, from);
}

static char *describe(CallKind kind, const BackendRequest *request) {
        const char *verb;
        char *what;
        int r;

        if (kind != CALL_APPLY && kind != CALL_CHECK)
                return strdup(call_kind_name(kind));

        verb = verb_info(request->items[0].verb)->name;
        r = request->n_items == 1 ? asprintf(&what, "%s%s", kind == CALL_CHECK ? "the check of " : "", verb)
                                  : asprintf(&what, "%s%s and %zu more operation%s", kind == CALL_CHECK ? "the check of " : "",
                                             verb, request->n_items - 1, request->n_items == 2 ? "" : "s");
        return r < 0 ? NULL : what;
}

static BackendCall *call_new(CallKind kind, const char *node, const BackendRequest *request) {
        _cleanup_(backend_call_freep) BackendCall *c = NULL;

        c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;

        c->kind = kind;
        c->request.node = strdup(node);
        if (!c->request.node)
                return NULL;
        if (request && copy_request(&c->request, request) < 0)
                return NULL;
        c->what = describe(kind, request);
        if (!c->what)
                return NULL;

        return TAKE_PTR(c);
}

/* Takes C over, also on failure. */
static int call_start(Backend *b, BackendCall *call, backend_done_t done, void *userdata, BackendCall **ret) {
        _cleanup_(backend_call_freep) BackendCall *c = call;
        int r;

        if (!c)
                return -ENOMEM;

        c->done = done;
        c->userdata = userdata;
        if (b->queue || !b->ops->begin || !b->ops->begin(b, c)) {
                r = backend_wake(b);
                if (r < 0)
                        return r;
                DL_APPEND(b->queue, c);
        }
        if (ret)
                *ret = c;

        TAKE_PTR(c);
        return 0;
}

int backend_apply(Backend *b, const BackendRequest *request, backend_done_t done, void *userdata, BackendCall **ret) {
        assert(request->n_items > 0);
        for (size_t i = 0; i < request->n_items; i++) {
                const BackendItem *item = request->items + i;

                assert(item->verb >= 0 && item->verb < _VERB_MAX);
                assert(!(verb_info(item->verb)->takes & TAKES_PORTAL) || item->n_portals == 1);
        }

        return call_start(b, call_new(request->check ? CALL_CHECK : CALL_APPLY, request->node, request), done, userdata, ret);
}

int backend_observe(Backend *b, const char *node, backend_done_t done, void *userdata, BackendCall **ret) {
        return call_start(b, call_new(CALL_OBSERVE, node, NULL), done, userdata, ret);
}

int backend_list_nodes(Backend *b, backend_done_t done, void *userdata, BackendCall **ret) {
        return call_start(b, call_new(CALL_LIST_NODES, "", NULL), done, userdata, ret);
}

BackendCall *backend_call_cancel(BackendCall *c) {
        if (c)
                c->done = NULL;

        return NULL;
}

void backend_call_finish(BackendCall *c, const BackendResult *result) {
        /* C lives until the callback has returned, so that it may cancel the very call that it is told about. */
        if (c->done)
                c->done(result, c->userdata);
        else if (result->refusal != REFUSAL_NONE)
                log_warning("%s, whose caller has gone, failed: %s", c->what, result->message);

        backend_call_free(c);
}
