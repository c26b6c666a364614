/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happens to ports: made, removed, switched, bound and unbound. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/journal.h"
#include "change/operations/operations.h"
#include "common/log.h"
#include "model/host-node.h"
#include "model/state.h"
#include "rules/refuse.h"

int operation_backend(const Context *c, uint16_t role, Backend **ret, char **ret_why) {
        *ret = c->backends[role];
        if (*ret)
                return 0;

        (void) refuse(REFUSAL_BACKEND_UNAVAILABLE, ret_why,
                      "No backend is configured for %s ports; iscsi-configd --help has the options", role_name(role));
        return -ENXIO;
}

int operation_drop_bindings(const Port *p, StoreChange *change) {
        for (size_t i = 0; i < p->n_bindings; i++)
                if (p->bindings[i]->removal) {
                        int r = journal_drop(change, p->bindings[i]->removal);

                        if (r < 0)
                                return r;
                }

        return 0;
}

/* Adds one item for the port of O to the work of its node. */
static int add_item(const Operation *o, Context *c, BackendWork *w, const BackendItem *item, char **ret_why) {
        BackendBatch *b;
        Backend *backend;
        int r;

        r = operation_backend(c, o->port->role, &backend, ret_why);
        if (r < 0)
                return r;
        r = backend_work_batch(w, backend, node_known_as(o->port->key.node, o->port->role), &b);
        if (r < 0)
                return r;

        return backend_batch_add(b, item);
}

static int add_port_item(const Operation *o, Context *c, BackendWork *w, Verb verb, char **ret_why) {
        return add_item(o, c, w,
                        &(BackendItem){
                                .verb = verb,
                                .identifier = o->port->key.identifier,
                                .portals = o->portals,
                                .n_portals = o->n_portals,
                                .enabled = o->enabled,
                                .force = o->force,
                        },
                        ret_why);
}

/* Portals of the port as it is now. */
static int copy_portals(Operation *o) {
        o->n_portals = 0;
        o->portals = calloc(o->port->n_bindings + 1, sizeof(Portal));
        if (!o->portals)
                return -ENOMEM;
        for (size_t i = 0; i < o->port->n_bindings; i++)
                if (!o->port->bindings[i]->pending)
                        o->portals[o->n_portals++] = binding_portal(o->port->bindings[i]);
        return 0;
}

static void describe_portals(FILE *f, const Operation *o) {
        char text[PORTAL_TEXT_MAX];

        for (size_t i = 0; i < o->n_portals; i++)
                (void) fprintf(f, "%s%s", i == 0 ? "" : ", ",
                               o->portals[i].port ? portal_to_text(o->portals + i, text)
                                                  : ip_address_to_text(&o->portals[i].address, text));
}

static char *describe(const Operation *o, const char *what, const char *preposition) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        (void) fprintf(f, "%s port %012llX of node %s", what, (unsigned long long) o->port->key.identifier,
                       o->port->key.node->name);
        if (preposition) {
                (void) fprintf(f, " %s ", preposition);
                describe_portals(f, o);
        }
        return fclose(f) == 0 ? TAKE_PTR(text) : NULL;
}

static StoreOperation store_operation(const Operation *o, StoreVerb verb) {
        return (StoreOperation){
                .verb = verb,
                .node = node_known_as(o->port->key.node, o->port->role),
                .role = o->port->role,
                .identifier = o->port->key.identifier,
                .portals = o->portals,
                .n_portals = o->n_portals,
                .enabled = o->enabled,
        };
}

static int store(const Operation *o, StoreChange *change, StoreVerb verb) {
        StoreOperation s = store_operation(o, verb);

        return store_change_add(change, &s);
}

/* It stays desired, and what is missing of it is made when that is possible. */
static void degrade_port(Operation *o, Context *c, const char *why) {
        o->port->owed = !o->kind->removes;
        model_set_port_state(c->model, o->port, STATE_DEGRADED, why);
}

/* Create */

static int create_store(const Operation *o, StoreChange *change) {
        return store(o, change, STORE_ADD_PORT);
}

static int create_unstore(const Operation *o, StoreChange *change) {
        return store(o, change, STORE_REMOVE_PORT);
}

static int create_request(const Operation *o, Context *c, BackendWork *w, char **ret_why) {
        return add_port_item(o, c, w, VERB_CREATE_PORT, ret_why);
}

static int create_undo(const Operation *o, Context *c, BackendWork *w) {
        _cleanup_free_ char *why = NULL;

        return add_port_item(o, c, w, VERB_UNDO_PORT, &why);
}

static void create_release(Operation *o, Context *c) {
        model_remove_port(c->model, TAKE_PTR(o->port));
}

/* The backend answered only when each portal was seen to listen, also those of a port that is not switched on. */
static int create_settle(Operation *o, Context *c) {
        _cleanup_free_ bool *listening = calloc(o->port->n_bindings + 1, sizeof(bool));

        if (!listening)
                return -ENOMEM;
        memset(listening, true, o->port->n_bindings);

        model_set_port_observed(c->model, o->port, &(PortObservation){ .enabled = o->enabled, .listening = listening });
        return model_publish_port(c->model, o->port);
}

static void create_degrade(Operation *o, Context *c, const char *why) {
        degrade_port(o, c, why);
        if (model_publish_port(c->model, o->port) < 0)
                log_oom();
}

static char *create_describe(const Operation *o) {
        return describe(o, o->enabled ? "Create" : "Create, switched off,", "on");
}

static const char *create_result(const Operation *o) {
        return o->port->object.path;
}

static const OperationKind create_port = {
        .name = "create-port",
        .store = create_store,
        .unstore = create_unstore,
        .request = create_request,
        .undo_request = create_undo,
        .release = create_release,
        .settle = create_settle,
        .degrade = create_degrade,
        .result = create_result,
        .describe = create_describe,
};

int plan_create_port(Plan *p, const NewPort *new) {
        Operation *o;
        Port *port;
        int r;

        r = model_add_port(p->context->model, new->node, new->role, new->identifier, new->portals, new->n_portals, true, &port);
        if (r < 0)
                return r;
        port->enabled = new->enabled;

        o = plan_append(p, &create_port);
        if (!o) {
                model_remove_port(p->context->model, port);
                return -ENOMEM;
        }
        o->port = port;
        o->node = new->node;
        o->chosen = new->chosen;
        o->enabled = new->enabled;
        return copy_portals(o);
}

/* Delete. The port stays in the model and on the bus, with its lock held, until it is gone. */

/* An unfinished removal has already taken the port, or a binding of it, out of the store. */
static int delete_store(const Operation *o, StoreChange *change) {
        int r;

        if (o->port->removal)
                return journal_drop(change, o->port->removal);
        r = operation_drop_bindings(o->port, change);
        return r < 0 ? r : store(o, change, STORE_REMOVE_PORT);
}

static int delete_unstore(const Operation *o, StoreChange *change) {
        return store(o, change, STORE_ADD_PORT);
}

static int delete_request(const Operation *o, Context *c, BackendWork *w, char **ret_why) {
        return add_port_item(o, c, w, VERB_DELETE_PORT, ret_why);
}

static int delete_settle(Operation *o, Context *c) {
        model_remove_port(c->model, TAKE_PTR(o->port));
        return 0;
}

static char *delete_describe(const Operation *o) {
        return describe(o, o->force ? "End the sessions of and delete" : "Delete", NULL);
}

static const OperationKind delete_port = {
        .name = "delete-port",
        .removes = true,
        .store = delete_store,
        .unstore = delete_unstore,
        .request = delete_request,
        .settle = delete_settle,
        .degrade = degrade_port,
        .describe = delete_describe,
};

static int plan_on_port(Plan *p, const OperationKind *kind, Port *port, Operation **ret) {
        Operation *o;

        o = plan_append(p, kind);
        if (!o)
                return -ENOMEM;
        o->port = port;
        o->node = port->key.node;
        o->enabled = o->before_enabled = port->enabled;

        *ret = o;
        return 0;
}

int plan_delete_port(Plan *p, Port *port, bool force) {
        Operation *o;
        int r;

        r = plan_on_port(p, &delete_port, port, &o);
        if (r < 0)
                return r;
        o->force = force;
        return copy_portals(o);
}

/* Switch on and off */

static int enable_store(const Operation *o, StoreChange *change) {
        return store(o, change, STORE_SET_PORT);
}

static int enable_unstore(const Operation *o, StoreChange *change) {
        StoreOperation s = store_operation(o, STORE_SET_PORT);

        s.enabled = o->before_enabled;
        return store_change_add(change, &s);
}

static int enable_request(const Operation *o, Context *c, BackendWork *w, char **ret_why) {
        return add_port_item(o, c, w, o->enabled ? VERB_ENABLE_PORT : VERB_DISABLE_PORT, ret_why);
}

static int enable_undo(const Operation *o, Context *c, BackendWork *w) {
        _cleanup_free_ char *why = NULL;

        if (o->enabled == o->before_enabled) /* it was to be put right: nothing of it is taken back */
                return 0;
        return add_port_item(o, c, w, o->before_enabled ? VERB_ENABLE_PORT : VERB_DISABLE_PORT, &why);
}

static int enable_settle(Operation *o, Context *c) {
        o->port->owed = false;
        model_switch_port(c->model, o->port, o->enabled);
        return 0;
}

static char *enable_describe(const Operation *o) {
        return describe(o, o->enabled ? "Switch on" : "Switch off", NULL);
}

static const OperationKind enable_port = {
        .name = "enable-port",
        .store = enable_store,
        .unstore = enable_unstore,
        .request = enable_request,
        .undo_request = enable_undo,
        .settle = enable_settle,
        .degrade = degrade_port,
        .describe = enable_describe,
};

int plan_enable_port(Plan *p, Port *port, bool enable) {
        Operation *o;
        int r;

        r = plan_on_port(p, &enable_port, port, &o);
        if (r < 0)
                return r;
        o->enabled = enable;
        return 0;
}

/* Bind. The binding is in the model from the start, so that its portal cannot be deleted or taken out of its group meanwhile. */

static int bind_store(const Operation *o, StoreChange *change) {
        return store(o, change, STORE_ADD_BINDING);
}

static int bind_unstore(const Operation *o, StoreChange *change) {
        return store(o, change, STORE_REMOVE_BINDING);
}

static int bind_request(const Operation *o, Context *c, BackendWork *w, char **ret_why) {
        return add_port_item(o, c, w, VERB_BIND_PORTAL, ret_why);
}

static int bind_undo(const Operation *o, Context *c, BackendWork *w) {
        _cleanup_free_ char *why = NULL;

        return add_port_item(o, c, w, VERB_UNBIND_PORTAL, &why);
}

static void bind_release(Operation *o, Context *c) {
        model_unbind_port(c->model, o->port, TAKE_PTR(o->binding));
}

static int bind_settle(Operation *o, Context *c) {
        model_confirm_binding(c->model, o->binding);
        return 0;
}

static void bind_degrade(Operation *o, Context *c, const char *why) {
        o->binding->owed = true;
        model_confirm_binding(c->model, o->binding);
        degrade_port(o, c, why);
}

static char *bind_describe(const Operation *o) {
        return describe(o, "Bind", "to");
}

static const OperationKind bind_portal = {
        .name = "bind-portal",
        .store = bind_store,
        .unstore = bind_unstore,
        .request = bind_request,
        .undo_request = bind_undo,
        .release = bind_release,
        .settle = bind_settle,
        .degrade = bind_degrade,
        .describe = bind_describe,
};

static int set_portal(Operation *o, const Portal *portal) {
        o->portals = malloc(sizeof(Portal));
        if (!o->portals)
                return -ENOMEM;
        o->portals[0] = *portal;
        o->n_portals = 1;
        return 0;
}

int plan_bind_portal(Plan *p, Port *port, const Portal *portal) {
        Operation *o;
        Binding *b;
        int r;

        r = model_reserve_binding(p->context->model, port, portal, &b);
        if (r < 0)
                return r;

        r = plan_on_port(p, &bind_portal, port, &o);
        if (r < 0) {
                model_unbind_port(p->context->model, port, b);
                return r;
        }
        o->binding = b;
        return set_portal(o, portal);
}

/* Unbind */

static int unbind_store(const Operation *o, StoreChange *change) {
        if (o->binding->removal)
                return journal_drop(change, o->binding->removal);
        return store(o, change, STORE_REMOVE_BINDING);
}

/* An added binding becomes the port's last. The bindings that followed this one are added again too, so that the order is as
 * before. */
static int unbind_unstore(const Operation *o, StoreChange *change) {
        _cleanup_free_ Portal *portals = calloc(o->port->n_bindings, sizeof(Portal));
        StoreOperation s = store_operation(o, STORE_REMOVE_BINDING);
        size_t n = 0;
        int r = 0;

        if (!portals)
                return -ENOMEM;
        for (size_t i = 0; i < o->port->n_bindings; i++) {
                const Binding *b = o->port->bindings[i];

                if (b == o->binding || (n > 0 && !b->removal && !b->pending))
                        portals[n++] = binding_portal(b);
        }

        s.portals = portals + 1;
        s.n_portals = n - 1;
        if (s.n_portals > 0)
                r = store_change_add(change, &s);
        if (r < 0)
                return r;

        s.verb = STORE_ADD_BINDING;
        s.portals = portals;
        s.n_portals = n;
        return store_change_add(change, &s);
}

static int unbind_request(const Operation *o, Context *c, BackendWork *w, char **ret_why) {
        return add_port_item(o, c, w, VERB_UNBIND_PORTAL, ret_why);
}

static int unbind_settle(Operation *o, Context *c) {
        model_unbind_port(c->model, o->port, TAKE_PTR(o->binding));
        return 0;
}

static char *unbind_describe(const Operation *o) {
        return describe(o, "Unbind", "from");
}

static const OperationKind unbind_portal = {
        .name = "unbind-portal",
        .removes = true,
        .store = unbind_store,
        .unstore = unbind_unstore,
        .request = unbind_request,
        .settle = unbind_settle,
        .degrade = degrade_port,
        .describe = unbind_describe,
};

int plan_unbind_portal(Plan *p, Port *port, Binding *binding) {
        Portal portal = binding_portal(binding);
        Operation *o;
        int r;

        r = plan_on_port(p, &unbind_portal, port, &o);
        if (r < 0)
                return r;
        o->binding = binding;
        return set_portal(o, &portal);
}
