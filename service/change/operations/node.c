/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What happens to nodes: made, removed with all their ports, and changed in what people see. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "change/journal.h"
#include "change/operations/operations.h"
#include "common/log.h"
#include "model/host-node.h"
#include "model/state.h"

/* A node is known to the backend of each of its roles. */
static int add_item(const Operation *o, Context *c, BackendWork *w, const BackendItem *item, char **ret_why) {
        FOR_EACH_ROLE(role) {
                BackendBatch *b;
                Backend *backend;
                int r;

                if (!(o->node->roles & ROLE_BIT(role)))
                        continue;
                r = operation_backend(c, role, &backend, ret_why);
                if (r < 0)
                        return r;
                r = backend_work_batch(w, backend, node_known_as(o->node, role), &b);
                if (r < 0)
                        return r;
                r = backend_batch_add(b, item);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* The store writes the service's policy as an empty text. */
static const char *drift_policy_for_store(DriftPolicy d) {
        return d == DRIFT_DEFAULT ? "" : drift_policy_to_text(d);
}

static int store_node(const Node *n, const char *boot_id, StoreChange *change) {
        return store_change_add(change, &(StoreOperation){
                                                .verb = STORE_ADD_NODE,
                                                .node = node_stored_as(n),
                                                .alias = n->alias,
                                                .roles = n->roles,
                                                .drift_policy = drift_policy_for_store(n->drift),
                                                .boot_id = n->persistent ? "" : boot_id,
                                        });
}

static int store_no_node(const Node *n, StoreChange *change) {
        return store_change_add(change, &(StoreOperation){ .verb = STORE_REMOVE_NODE, .node = node_stored_as(n) });
}

static char *describe(const Operation *o, const char *what) {
        char *text;

        return asprintf(&text, "%s node %s", what, o->node->name) < 0 ? NULL : text;
}

static void degrade_node(Operation *o, Context *c, const char *why) {
        o->node->looked_at = false; /* what is missing of it is made when that is possible */
        model_set_node_state(c->model, o->node, STATE_DEGRADED, why);
}

/* Create */

static int create_store(const Operation *o, StoreChange *change) {
        return store_node(o->node, o->text, change);
}

static int create_unstore(const Operation *o, StoreChange *change) {
        return store_no_node(o->node, change);
}

static int create_request(const Operation *o, Context *c, BackendWork *w, char **ret_why) {
        return add_item(o, c, w, &(BackendItem){ .verb = VERB_CREATE_NODE }, ret_why);
}

static int create_undo(const Operation *o, Context *c, BackendWork *w) {
        _cleanup_free_ char *why = NULL;

        return add_item(o, c, w, &(BackendItem){ .verb = VERB_DELETE_NODE }, &why);
}

static void create_release(Operation *o, Context *c) {
        model_remove_node(c->model, TAKE_PTR(o->node));
}

static int create_settle(Operation *o, Context *c) {
        o->node->looked_at = true;
        model_set_node_state(c->model, o->node, STATE_IN_FORCE, NULL);
        return model_publish_node(c->model, o->node);
}

static void create_degrade(Operation *o, Context *c, const char *why) {
        degrade_node(o, c, why);
        if (model_publish_node(c->model, o->node) < 0)
                log_oom();
}

static char *create_describe(const Operation *o) {
        return describe(o, o->persistent ? "Create" : "Create, until the host restarts,");
}

static const char *create_result(const Operation *o) {
        return o->node->object.path;
}

static const OperationKind create_node = {
        .name = "create-node",
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

int plan_create_node(Plan *p, const char *name, const char *alias, unsigned roles, bool persistent) {
        Operation *o;
        Node *n;
        int r;

        r = model_add_node(p->context->model, name, alias, roles, true, &n);
        if (r < 0)
                return r;
        n->persistent = persistent;

        o = plan_append(p, &create_node);
        if (!o) {
                model_remove_node(p->context->model, n);
                return -ENOMEM;
        }
        o->node = n;
        o->persistent = persistent;
        o->text = strdup(p->context->boot_id);
        return o->text ? 0 : -ENOMEM;
}

/* Delete: node and ports go together, in one commit and one call of the backend. */

static int delete_store(const Operation *o, StoreChange *change) {
        if (o->node->removal) /* one that could not be finished took it out of the store before */
                return journal_drop(change, o->node->removal);

        for (const Port *p = o->node->ports; p; p = p->next_of_node) {
                int r = p->removal ? journal_drop(change, p->removal) : operation_drop_bindings(p, change);

                if (r < 0)
                        return r;
        }

        return store_no_node(o->node, change);
}

static int restore_port(const Port *p, StoreChange *change) {
        _cleanup_free_ Portal *portals = NULL;

        portals = calloc(p->n_bindings + 1, sizeof(Portal));
        if (!portals)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_bindings; i++)
                portals[i] = binding_portal(p->bindings[i]);

        return store_change_add(change, &(StoreOperation){
                                                .verb = STORE_ADD_PORT,
                                                .node = node_known_as(p->key.node, p->role),
                                                .role = p->role,
                                                .identifier = p->key.identifier,
                                                .portals = portals,
                                                .n_portals = p->n_bindings,
                                                .enabled = p->enabled,
                                        });
}

static int store_with_ports(const Operation *o, StoreChange *change, const char *boot_id) {
        int r;

        r = store_node(o->node, boot_id, change);
        for (const Port *p = o->node->ports; p && r >= 0; p = p->next_of_node)
                r = restore_port(p, change);
        return r;
}

static int delete_unstore(const Operation *o, StoreChange *change) {
        return store_with_ports(o, change, o->text);
}

static int delete_one_port(const Operation *o, const Port *p, BackendBatch *b) {
        uint64_t *expected;

        expected = reallocarray(b->expected, b->n_expected + 1, sizeof(uint64_t));
        if (!expected)
                return -ENOMEM;
        b->expected = expected;
        b->expected[b->n_expected++] = p->key.identifier;

        return backend_batch_add(b, &(BackendItem){
                                            .verb = VERB_DELETE_PORT,
                                            .identifier = p->key.identifier,
                                            .force = o->force,
                                    });
}

static int delete_from_backend(const Operation *o, Context *c, uint16_t role, BackendWork *w, char **ret_why) {
        BackendBatch *b;
        Backend *backend;
        int r;

        r = operation_backend(c, role, &backend, ret_why);
        if (r < 0)
                return r;
        r = backend_work_batch(w, backend, node_known_as(o->node, role), &b);
        if (r < 0)
                return r;

        /* What another program put into the node is found before anything is touched. */
        b->expected = malloc(sizeof(uint64_t));
        if (!b->expected)
                return -ENOMEM;

        /* Sessions on any port are found before the first is deleted. */
        if (!o->force) {
                r = backend_batch_add(b, &(BackendItem){ .verb = VERB_CHECK_SESSIONS, .all = true });
                if (r < 0)
                        return r;
        }
        for (const Port *p = o->node->ports; p; p = p->next_of_node)
                if (p->role == role) {
                        r = delete_one_port(o, p, b);
                        if (r < 0)
                                return r;
                }

        return backend_batch_add(b, &(BackendItem){ .verb = VERB_DELETE_NODE });
}

static int delete_request(const Operation *o, Context *c, BackendWork *w, char **ret_why) {
        FOR_EACH_ROLE(role)
                if (o->node->roles & ROLE_BIT(role)) {
                        int r = delete_from_backend(o, c, role, w, ret_why);

                        if (r < 0)
                                return r;
                }

        return 0;
}

static int delete_settle(Operation *o, Context *c) {
        model_remove_node(c->model, TAKE_PTR(o->node));
        return 0;
}

static void delete_degrade(Operation *o, Context *c, const char *why) {
        for (Port *p = o->node->ports; p; p = p->next_of_node)
                model_set_port_state(c->model, p, STATE_DEGRADED, why);
        degrade_node(o, c, why);
}

static char *delete_describe(const Operation *o) {
        unsigned n = 0;
        char *text;

        for (const Port *p = o->node->ports; p; p = p->next_of_node)
                n++;
        return asprintf(&text, "%s node %s with its %u port%s", o->force ? "End the sessions of and delete" : "Delete",
                        o->node->name, n, n == 1 ? "" : "s") < 0
                       ? NULL
                       : text;
}

static const OperationKind delete_node = {
        .name = "delete-node",
        .removes = true,
        .store = delete_store,
        .unstore = delete_unstore,
        .request = delete_request,
        .settle = delete_settle,
        .degrade = delete_degrade,
        .describe = delete_describe,
};

int plan_delete_node(Plan *p, Node *node, bool force) {
        Operation *o;

        o = plan_append(p, &delete_node);
        if (!o)
                return -ENOMEM;
        o->node = node;
        o->force = force;
        o->text = strdup(p->context->boot_id);
        return o->text ? 0 : -ENOMEM;
}

/* Adopt and release: what is in force stays as it is. */

/* From now on it is persistent. */
static int adopt_store(const Operation *o, StoreChange *change) {
        return store_with_ports(o, change, "");
}

static int release_unstore(const Operation *o, StoreChange *change) {
        return store_with_ports(o, change, o->text);
}

static int release_store(const Operation *o, StoreChange *change) {
        return store_no_node(o->node, change);
}

static int adopt_settle(Operation *o, Context *c) {
        o->node->looked_at = true;
        model_set_node_managed(c->model, o->node, true);
        return 0;
}

/* It is as any node of another program from now on: what only this service knew of it is gone. */
static int release_settle(Operation *o, Context *c) {
        int r;

        r = model_set_node_alias(c->model, o->node, "");
        if (r < 0)
                return r;
        model_set_node_drift_policy(c->model, o->node, DRIFT_DEFAULT);
        model_set_node_persistent(c->model, o->node, true);
        model_set_node_managed(c->model, o->node, false);
        return 0;
}

static char *adopt_describe(const Operation *o) {
        return describe(o, "Take into care");
}

static char *release_describe(const Operation *o) {
        return describe(o, "Give back");
}

static const OperationKind adopt = {
        .name = "adopt-node",
        .looks_after = true, /* it is adopted as it was last seen */
        .store = adopt_store,
        .unstore = release_store,
        .settle = adopt_settle,
        .describe = adopt_describe,
};

static const OperationKind release = {
        .name = "release-node",
        .store = release_store,
        .unstore = release_unstore,
        .settle = release_settle,
        .describe = release_describe,
};

static int plan_on_node(Plan *p, const OperationKind *kind, Node *node) {
        Operation *o;

        o = plan_append(p, kind);
        if (!o)
                return -ENOMEM;
        o->node = node;
        o->text = strdup(p->context->boot_id);
        return o->text ? 0 : -ENOMEM;
}

int plan_adopt_node(Plan *p, Node *node) {
        return plan_on_node(p, &adopt, node);
}

int plan_release_node(Plan *p, Node *node) {
        return plan_on_node(p, &release, node);
}

/* Modify: its alias is no business of the backend's. */

static int modify(const Operation *o, StoreChange *change, const char *alias, DriftPolicy drift) {
        return store_change_add(change, &(StoreOperation){
                                                .verb = STORE_SET_NODE,
                                                .node = node_stored_as(o->node),
                                                .alias = alias,
                                                .drift_policy = drift_policy_for_store(drift),
                                        });
}

static int modify_store(const Operation *o, StoreChange *change) {
        return modify(o, change, o->text, o->drift);
}

static int modify_unstore(const Operation *o, StoreChange *change) {
        return modify(o, change, o->before_text, o->before_drift);
}

static int modify_settle(Operation *o, Context *c) {
        int r;

        r = model_set_node_alias(c->model, o->node, o->text);
        if (r < 0)
                return r;
        model_set_node_drift_policy(c->model, o->node, o->drift);
        return 0;
}

static char *modify_describe(const Operation *o) {
        return describe(o, "Change the settings of");
}

static const OperationKind modify_node = {
        .name = "modify-node",
        .looks_after = true, /* with its new policy */
        .store = modify_store,
        .unstore = modify_unstore,
        .settle = modify_settle,
        .degrade = degrade_node,
        .describe = modify_describe,
};

int plan_modify_node(Plan *p, Node *node, const char *alias, DriftPolicy drift) {
        Operation *o;

        o = plan_append(p, &modify_node);
        if (!o)
                return -ENOMEM;
        o->node = node;
        o->drift = drift;
        o->before_drift = node->drift;
        o->text = strdup(alias);
        o->before_text = strdup(node->alias);
        return o->text && o->before_text ? 0 : -ENOMEM;
}
