/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/removal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/plan.h"
#include "common/log.h"
#include "model/state.h"

/* The service as the caller of its own method. It is always allowed, and its answer goes to the log only. */
typedef struct Self {
        Caller caller;
        sd_event *event;
        sd_event_source *later;
        caller_answered_t answered;
        void *userdata;
        Model *model;
        char *path; /* of what is removed */
        void (*ended)(void *userdata);
        void *ended_userdata;
} Self;

static int self_identified(_unused_ sd_event_source *s, void *userdata) {
        Self *self = userdata;

        self->later = sd_event_source_disable_unref(self->later);
        self->answered(CALLER_GRANTED, 0, NULL, self->userdata);
        return 0;
}

static int self_identify(Caller *c, caller_answered_t answered, void *userdata) {
        Self *self = (Self *) c;

        self->answered = answered;
        self->userdata = userdata;
        return sd_event_add_defer(self->event, &self->later, self_identified, self);
}

static void self_begin(_unused_ Caller *c) {
}

/* What is still being removed shows why it is still there. */
static void show_refusal(Self *self, const char *message) {
        Object *o = model_find_object(self->model, self->path);
        _cleanup_free_ char *why = NULL;

        if (!o || asprintf(&why, REMOVAL_GOES_ON "%s", message) < 0)
                return;
        if (o->type == OBJECT_NODE && ((Node *) o)->removal)
                model_set_node_state(self->model, (Node *) o, STATE_DEGRADED, why);
        else if (o->type == OBJECT_PORT && ((Port *) o)->removal)
                model_set_port_state(self->model, (Port *) o, STATE_DEGRADED, why);
}

static void self_reply(Caller *c, const Outcome *o) {
        Self *self = (Self *) c;

        if (o->refusal != REFUSAL_NONE)
                show_refusal(self, o->message);
        self->ended(self->ended_userdata);
}

static void self_free(Caller *c) {
        Self *self = (Self *) c;

        sd_event_source_disable_unref(self->later);
        free(self->path);
        free(self);
}

static const CallerOps self_ops = {
        .identify = self_identify, /* as uid 0, which is not asked about */
        .begin = self_begin,
        .reply = self_reply,
        .free = self_free,
};

/* What each removal has in common. */
typedef struct Resumption {
        Engine *engine;
        Context *context;
        void (*ended)(void *userdata);
        void *userdata;
} Resumption;

static int run(const Resumption *r, const char *method, const char *first, const char *second) {
        _cleanup_(intent_freep) Intent *i = intent_new(method_find(method));
        _cleanup_free_ Self *self = calloc(1, sizeof(*self));
        Caller *caller;

        if (!i || !self)
                return -ENOMEM;
        i->arguments[0].text = intent_strdup(i, first);
        if (!i->arguments[0].text)
                return -ENOMEM;
        if (second) {
                i->arguments[1].text = intent_strdup(i, second);
                if (!i->arguments[1].text)
                        return -ENOMEM;
        }

        self->path = strdup(first);
        if (!self->path)
                return -ENOMEM;
        self->model = r->context->model;
        self->caller.ops = &self_ops;
        self->caller.name = "the service itself";
        self->caller.internal = true;
        self->event = r->context->event;
        self->ended = r->ended;
        self->ended_userdata = r->userdata;
        caller = &TAKE_PTR(self)->caller;
        engine_run(r->engine, TAKE_PTR(i), caller);
        return 0;
}

static size_t resume_bindings(const Resumption *r, const Port *p) {
        size_t n = 0;

        for (size_t i = 0; i < p->n_bindings; i++)
                if (p->bindings[i]->removal &&
                    run(r, "UnbindiSCSIProtocolEndPoint", p->object.path, binding_endpoint(p->bindings[i])->path) >= 0)
                        n++;

        return n;
}

bool removal_is_pending(const Node *node) {
        if (node->removal)
                return true;

        for (const Port *p = node->ports; p; p = p->next_of_node) {
                if (p->removal)
                        return true;
                for (size_t i = 0; i < p->n_bindings; i++)
                        if (p->bindings[i]->removal)
                                return true;
        }

        return false;
}

static size_t resume(const Resumption *r, const Node *node) {
        _cleanup_free_ Port **ports = NULL;
        size_t n = 0, n_ports = 0;

        if (node->removal)
                return run(r, node->forced ? "DeleteiSCSINodeForced" : "DeleteiSCSINode", node->object.path, NULL) >= 0;

        /* Each run may take its port out of the list. */
        for (const Port *p = node->ports; p; p = p->next_of_node)
                n_ports++;
        ports = calloc(n_ports + 1, sizeof(Port *));
        if (!ports)
                return 0;
        n_ports = 0;
        for (Port *p = node->ports; p; p = p->next_of_node)
                ports[n_ports++] = p;

        for (size_t i = 0; i < n_ports; i++)
                if (ports[i]->removal)
                        n += run(r, ports[i]->forced ? "DeleteiSCSIProtocolEndpointForced" : "DeleteiSCSIProtocolEndpoint",
                                 ports[i]->object.path, NULL) >= 0;
                else
                        n += resume_bindings(r, ports[i]);

        return n;
}

size_t removal_resume(Engine *e, Context *c, const Node *node, void (*ended)(void *userdata), void *userdata) {
        const Resumption r = { .engine = e, .context = c, .ended = ended, .userdata = userdata };

        return resume(&r, node);
}
