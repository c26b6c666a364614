/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/base.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "common/log.h"

static const char *const verb_names[_BACKEND_VERB_MAX] = {
        [BACKEND_CREATE_NODE] = "CreateNode",
        [BACKEND_DELETE_NODE] = "DeleteNode",
        [BACKEND_CREATE_TARGET_PORT] = "CreateTargetPort",
        [BACKEND_RESTORE_TARGET_PORT] = "RestoreTargetPort",
        [BACKEND_UNDO_TARGET_PORT] = "UndoTargetPort",
        [BACKEND_DELETE_TARGET_PORT] = "DeleteTargetPort",
        [BACKEND_BIND_PORTAL] = "BindPortal",
        [BACKEND_UNBIND_PORTAL] = "UnbindPortal",
        [BACKEND_CHECK_SESSIONS] = "CheckSessions",
        [BACKEND_OBSERVE] = "Observe",
};

const char *backend_verb_name(BackendVerb v) {
        return verb_names[v];
}

void observation_done(Observation *o) {
        for (size_t i = 0; i < o->n_nodes; i++) {
                for (size_t j = 0; j < o->nodes[i].n_ports; j++)
                        free(o->nodes[i].ports[j].portals);
                free(o->nodes[i].ports);
                free(o->nodes[i].name);
        }
        free(o->nodes);

        *o = (Observation){};
}

static int on_wake(sd_event_source *s, void *userdata) {
        Backend *b = userdata;

        b->ops->turn(b);
        return 0;
}

int backend_init(Backend *b, const BackendOps *ops, sd_event *event, const char *name, bool selects_identifiers) {
        int r;

        b->ops = ops;
        b->selects_identifiers = selects_identifiers;
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

bool backend_selects_identifiers(Backend *b) {
        return b->selects_identifiers;
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

        free(c->node);
        free(c->portals);
        free(c);

        return NULL;
}

int backend_call(Backend *b, const BackendRequest *request, backend_done_t done, void *userdata, BackendCall **ret) {
        _cleanup_(backend_call_freep) BackendCall *c = NULL;
        int r;

        assert(request->verb >= 0 && request->verb < _BACKEND_VERB_MAX);
        assert((request->verb != BACKEND_BIND_PORTAL && request->verb != BACKEND_UNBIND_PORTAL) || request->n_portals == 1);

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        c->done = done;
        c->userdata = userdata;
        c->verb = request->verb;
        c->tag = request->tag;

        c->node = strdup(request->node ?: "");
        if (!c->node)
                return -ENOMEM;

        if (request->n_portals > 0) {
                c->portals = reallocarray(NULL, request->n_portals, sizeof(Portal));
                if (!c->portals)
                        return -ENOMEM;
                memcpy(c->portals, request->portals, request->n_portals * sizeof(Portal));
                c->n_portals = request->n_portals;
        }

        r = backend_wake(b);
        if (r < 0)
                return r;

        DL_APPEND(b->queue, c);
        if (ret)
                *ret = c;

        TAKE_PTR(c);
        return 0;
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
                log_warning("%s, whose caller has gone, failed: %s", backend_verb_name(c->verb), result->message);

        backend_call_free(c);
}
