/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Create, delete, bind and unbind iSCSI ports. */

#include <errno.h>

#include "common/log.h"
#include "bus/methods.h"

static bool port_has_backend_steps(uint16_t role) {
        /* org.iscsi.Backend has no verbs for initiator ports; what serves them keeps nothing outside the model. */
        return role == ROLE_TARGET;
}

static StorePort store_port(const Plan *p) {
        return (StorePort){
                .node = p->node->name,
                .role = p->port->role,
                .identifier = p->identifier,
                .portals = p->portals,
                .n_portals = p->n_portals,
        };
}

static int create_port_check(Change *c, char **ret_why) {
        const Arguments *a = &c->arguments;
        CreatePortRequest q = {
                .node = a->paths[0],
                .role = a->number,
                .identifier = a->text,
                .portals = a->portals,
                .n_portals = a->n_portals,
                .minimum = c->minimum,
        };
        CreatePortPlan plan;
        int r;

        r = check_create_port(c->manager->model, &c->manager->abilities, &q, &plan, ret_why);
        if (r != 0)
                return r;

        c->plan.node = plan.node;
        c->plan.identifier = plan.identifier;
        c->plan.portals = calloc(a->n_portals, sizeof(Portal));
        if (!c->plan.portals)
                return -ENOMEM;
        for (size_t i = 0; i < a->n_portals; i++) {
                const Object *o = a->portals[i].object;

                if (o->type == OBJECT_TCP_ENDPOINT)
                        c->plan.portals[i] = ((const TcpEndpoint *) o)->portal;
                else
                        c->plan.portals[i].address = ((const IpEndpoint *) o)->address;
        }
        c->plan.n_portals = a->n_portals;
        return 0;
}

static int create_port_enter(Change *c) {
        return model_add_port(c->manager->model, c->plan.node, c->arguments.number, c->plan.identifier, c->plan.portals,
                              c->plan.n_portals, true, &c->plan.port);
}

static void create_port_leave(Change *c) {
        model_remove_port(c->manager->model, TAKE_PTR(c->plan.port));
}

static int create_port_save(Change *c) {
        StorePort p = store_port(&c->plan);

        return store_add_port(c->manager->store, &p);
}

static int create_port_unsave(Change *c) {
        return store_remove_port(c->manager->store, c->plan.node->name, c->plan.identifier);
}

static int create_port_request(Change *c, unsigned step, BackendRequest *ret) {
        if (step > 0 || !port_has_backend_steps(c->arguments.number))
                return 0;

        *ret = change_request(c, BACKEND_CREATE_TARGET_PORT);
        return 1;
}

static int create_port_undo(Change *c, unsigned step, BackendRequest *ret) {
        *ret = change_request(c, BACKEND_UNDO_TARGET_PORT);
        return 1;
}

static int create_port_finish(Change *c, const char **ret_path) {
        int r;

        model_set_port_state(c->manager->model, c->plan.port, STATE_IN_FORCE, NULL);
        r = model_publish_port(c->manager->model, c->plan.port);
        if (r < 0)
                return r;

        *ret_path = c->plan.port->object.path;
        return 0;
}

static void create_port_degrade(Change *c, const char *why) {
        model_set_port_state(c->manager->model, c->plan.port, STATE_DEGRADED, why);
        if (model_publish_port(c->manager->model, c->plan.port) < 0)
                log_oom();
}

static const char *const create_port_details[] = { "node", "role", "identifier", "portals", NULL };

const ChangeKind change_create_port = {
        .method = METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT,
        .in = "oqsao",
        .out = "o",
        .names = "iSCSINode\0Role\0Identifier\0NetworkPortals\0iSCSIPort\0",
        .action = ACTION("create-port"),
        .details = create_port_details,
        .check = create_port_check,
        .enter = create_port_enter,
        .leave = create_port_leave,
        .save = create_port_save,
        .unsave = create_port_unsave,
        .request = create_port_request,
        .undo_request = create_port_undo,
        .finish = create_port_finish,
        .degrade = create_port_degrade,
};

/* Fills in what the plans of delete, bind and unbind have in common: the port as it is, and its portals. */
static int plan_port(Change *c, Port *p) {
        c->plan.node = p->key.node;
        c->plan.port = p;
        c->plan.identifier = p->key.identifier;
        c->plan.portals = calloc(p->n_bindings, sizeof(Portal));
        if (!c->plan.portals)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_bindings; i++)
                c->plan.portals[i] = binding_portal(p->bindings[i]);
        c->plan.n_portals = p->n_bindings;
        return 0;
}

static int delete_port_check(Change *c, char **ret_why) {
        Port *p;
        int r;

        r = check_delete_port(c->manager->model, c->arguments.paths, &p, ret_why);
        if (r != 0)
                return r;

        return plan_port(c, p);
}

static int delete_port_save(Change *c) {
        return store_remove_port(c->manager->store, c->plan.node->name, c->plan.identifier);
}

static int delete_port_request(Change *c, unsigned step, BackendRequest *ret) {
        if (step > 0 || !port_has_backend_steps(c->plan.port->role))
                return 0;

        *ret = change_request(c, BACKEND_DELETE_TARGET_PORT);
        return 1;
}

static int delete_port_undo(Change *c, unsigned step, BackendRequest *ret) {
        *ret = change_request(c, BACKEND_RESTORE_TARGET_PORT);
        return 1;
}

static int delete_port_finish(Change *c, const char **ret_path) {
        model_remove_port(c->manager->model, TAKE_PTR(c->plan.port));
        return 0;
}

static void port_degrade(Change *c, const char *why) {
        model_set_port_state(c->manager->model, c->plan.port, STATE_DEGRADED, why);
}

/* Not the role: a port's path does not tell it. */
static const char *const port_details[] = { "node", "identifier", NULL };

const ChangeKind change_delete_port = {
        .method = METHOD_DELETE_ISCSI_PROTOCOL_ENDPOINT,
        .in = "o",
        .out = "",
        .names = "iSCSIPort\0",
        .action = ACTION("delete-port"),
        .details = port_details,
        .check = delete_port_check,
        .saves_last = true,
        .save = delete_port_save,
        .request = delete_port_request,
        .undo_request = delete_port_undo,
        .finish = delete_port_finish,
        .degrade = port_degrade,
};

/* Bind and unbind: the plan's portals are the one that is bound or unbound. */
static int plan_portal(Change *c, Port *p, const Object *endpoint) {
        c->plan.node = p->key.node;
        c->plan.port = p;
        c->plan.identifier = p->key.identifier;
        c->plan.portals = calloc(1, sizeof(Portal));
        if (!c->plan.portals)
                return -ENOMEM;
        if (endpoint->type == OBJECT_TCP_ENDPOINT)
                c->plan.portals[0] = ((const TcpEndpoint *) endpoint)->portal;
        else
                c->plan.portals[0].address = ((const IpEndpoint *) endpoint)->address;
        c->plan.n_portals = 1;
        return 0;
}

static int save_binding(Change *c) {
        return store_add_binding(c->manager->store, c->plan.node->name, c->plan.identifier, c->plan.portals);
}

static int save_no_binding(Change *c) {
        return store_remove_binding(c->manager->store, c->plan.node->name, c->plan.identifier, c->plan.portals);
}

static int request_binding(Change *c, unsigned step, BackendVerb verb, BackendRequest *ret) {
        if (step > 0 || !port_has_backend_steps(c->plan.port->role))
                return 0;

        *ret = change_request(c, verb);
        return 1;
}

static int bind_port_check(Change *c, char **ret_why) {
        const Arguments *a = &c->arguments;
        Port *p;
        int r;

        r = check_bind_port(c->manager->model, &c->manager->abilities, a->paths, a->paths + 1, &p, ret_why);
        if (r != 0)
                return r;

        return plan_portal(c, p, a->paths[1].object);
}

static int bind_port_request(Change *c, unsigned step, BackendRequest *ret) {
        return request_binding(c, step, BACKEND_BIND_PORTAL, ret);
}

static int bind_port_undo(Change *c, unsigned step, BackendRequest *ret) {
        return request_binding(c, step, BACKEND_UNBIND_PORTAL, ret);
}

/* Portals and groups wait in no node's queue, and the model has the binding only once it is in force. */
static int bind_port_check_again(Change *c, char **ret_why) {
        Reference port = c->arguments.paths[0], portal = c->arguments.paths[1];
        Port *p;

        port.object = model_find_object(c->manager->model, port.text);
        portal.object = model_find_object(c->manager->model, portal.text);
        return check_bind_port(c->manager->model, &c->manager->abilities, &port, &portal, &p, ret_why);
}

static int bind_port_finish(Change *c, const char **ret_path) {
        return model_bind_port(c->manager->model, c->plan.port, c->plan.portals);
}

static void bind_port_degrade(Change *c, const char *why) {
        /* It is desired still, since it could not be taken back. */
        if (model_bind_port(c->manager->model, c->plan.port, c->plan.portals) < 0)
                log_oom();
        port_degrade(c, why);
}

static const char *const bind_details[] = { "node", "identifier", "portals", NULL };

const ChangeKind change_bind_port = {
        .method = METHOD_BIND_ISCSI_PROTOCOL_ENDPOINT,
        .in = "oo",
        .out = "",
        .names = "iSCSIPort\0NetworkPortal\0",
        .action = ACTION("bind-port"),
        .details = bind_details,
        .check = bind_port_check,
        .save = save_binding,
        .unsave = save_no_binding,
        .request = bind_port_request,
        .undo_request = bind_port_undo,
        .check_again = bind_port_check_again,
        .finish = bind_port_finish,
        .degrade = bind_port_degrade,
};

static int unbind_port_check(Change *c, char **ret_why) {
        const Arguments *a = &c->arguments;
        Port *p;
        int r;

        r = check_unbind_port(c->manager->model, a->paths, a->paths + 1, &p, &c->plan.binding, ret_why);
        if (r != 0)
                return r;

        return plan_portal(c, p, a->paths[1].object);
}

static int unbind_port_request(Change *c, unsigned step, BackendRequest *ret) {
        return request_binding(c, step, BACKEND_UNBIND_PORTAL, ret);
}

static int unbind_port_undo(Change *c, unsigned step, BackendRequest *ret) {
        return request_binding(c, step, BACKEND_BIND_PORTAL, ret);
}

static int unbind_port_finish(Change *c, const char **ret_path) {
        model_unbind_port(c->manager->model, c->plan.port, TAKE_PTR(c->plan.binding));
        return 0;
}

const ChangeKind change_unbind_port = {
        .method = METHOD_UNBIND_ISCSI_PROTOCOL_ENDPOINT,
        .in = "oo",
        .out = "",
        .names = "iSCSIPort\0NetworkPortal\0",
        .action = ACTION("bind-port"),
        .details = bind_details,
        .check = unbind_port_check,
        .saves_last = true,
        .save = save_no_binding,
        .request = unbind_port_request,
        .undo_request = unbind_port_undo,
        .finish = unbind_port_finish,
        .degrade = port_degrade,
};
