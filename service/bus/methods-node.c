/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Create and delete iSCSI nodes. */

#include <errno.h>
#include <sys/random.h>

#include "common/log.h"
#include "bus/methods.h"
#include "common/name.h"

static bool is_target(unsigned roles) {
        return roles & ROLE_BIT(ROLE_TARGET);
}

static int create_node_check(Change *c, char **ret_why) {
        const Arguments *a = &c->arguments;
        _cleanup_free_ char *generated = NULL;
        CreateNodePlan plan;
        CreateNodeRequest q = {
                .alias = a->text,
                .name = a->name,
                .roles = a->roles,
                .n_roles = a->n_roles,
        };
        uint8_t random[6];
        int r;

        if (!q.name) {
                if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                        return refuse(REFUSAL_FAILED, ret_why,
                                      "The kernel has no random numbers for a name yet; give one with option Name");
                r = iscsi_name_generate(c->manager->system_name, random, &generated);
                if (r < 0)
                        return r;
                q.generated = generated;
        }

        r = check_create_node(c->manager->model, &c->manager->abilities, &q, &plan, ret_why);
        if (r != 0)
                return r;

        c->plan.name = plan.name;
        c->plan.roles = plan.roles;
        return 0;
}

static int create_node_enter(Change *c) {
        return model_add_node(c->manager->model, c->plan.name, c->arguments.text, c->plan.roles, true, &c->plan.node);
}

static void create_node_leave(Change *c) {
        model_remove_node(c->manager->model, TAKE_PTR(c->plan.node));
}

static int create_node_save(Change *c) {
        return store_add_node(c->manager->store, c->plan.name, c->arguments.text, c->plan.roles);
}

static int create_node_unsave(Change *c) {
        return store_remove_node(c->manager->store, c->plan.name);
}

static int create_node_request(Change *c, unsigned step, BackendRequest *ret) {
        if (step > 0 || !is_target(c->plan.roles))
                return 0;

        *ret = change_request(c, BACKEND_CREATE_NODE);
        return 1;
}

static int create_node_undo(Change *c, unsigned step, BackendRequest *ret) {
        *ret = change_request(c, BACKEND_DELETE_NODE);
        return 1;
}

static int create_node_finish(Change *c, const char **ret_path) {
        int r;

        model_set_node_state(c->manager->model, c->plan.node, STATE_IN_FORCE, NULL);
        r = model_publish_node(c->manager->model, c->plan.node);
        if (r < 0)
                return r;

        *ret_path = c->plan.node->object.path;
        return 0;
}

static void create_node_degrade(Change *c, const char *why) {
        model_set_node_state(c->manager->model, c->plan.node, STATE_DEGRADED, why);
        if (model_publish_node(c->manager->model, c->plan.node) < 0)
                log_oom();
}

static const char *const create_node_options[] = { "Name", "Roles", NULL };
static const char *const create_node_details[] = { "node", "role", NULL };

const ChangeKind change_create_node = {
        .method = METHOD_CREATE_ISCSI_NODE,
        .in = "sa{sv}",
        .out = "o",
        .names = "Alias\0Options\0iSCSINode\0",
        .options = create_node_options,
        .action = ACTION("create-node"),
        .details = create_node_details,
        .check = create_node_check,
        .enter = create_node_enter,
        .leave = create_node_leave,
        .save = create_node_save,
        .unsave = create_node_unsave,
        .request = create_node_request,
        .undo_request = create_node_undo,
        .finish = create_node_finish,
        .degrade = create_node_degrade,
};

static int delete_node_check(Change *c, char **ret_why) {
        return check_delete_node(c->manager->model, c->arguments.paths, &c->plan.node, ret_why);
}

static int delete_node_save(Change *c) {
        return store_remove_node(c->manager->store, c->plan.node->name);
}

/* The target port that is the K-th of the node, NULL past the last. The list does not change while the node's queue is ours. */
static Port *nth_target_port(const Node *n, unsigned k) {
        for (Port *p = n->ports; p; p = p->next_of_node)
                if (p->role == ROLE_TARGET && k-- == 0)
                        return p;

        return NULL;
}

static int plan_nth_port(Change *c, const Port *p) {
        free(c->plan.portals);
        c->plan.portals = calloc(p->n_bindings, sizeof(Portal));
        if (!c->plan.portals)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_bindings; i++)
                c->plan.portals[i] = binding_portal(p->bindings[i]);
        c->plan.n_portals = p->n_bindings;
        c->plan.identifier = p->key.identifier;
        return 0;
}

/* Step 0 asks for sessions on any port, so that none is deleted if one of them has some; then a step per port; then the node. */
static int delete_node_request(Change *c, unsigned step, BackendRequest *ret) {
        const Port *p;
        int r;

        if (!is_target(c->plan.node->roles))
                return 0;

        if (step == 0) {
                *ret = change_request(c, BACKEND_CHECK_SESSIONS);
                return 1;
        }

        p = nth_target_port(c->plan.node, step - 1);
        if (p) {
                r = plan_nth_port(c, p);
                if (r < 0)
                        return r;
                *ret = change_request(c, BACKEND_DELETE_TARGET_PORT);
                return 1;
        }

        if (step > 1 && !nth_target_port(c->plan.node, step - 2))
                return 0;
        *ret = change_request(c, BACKEND_DELETE_NODE);
        return 1;
}

static int delete_node_undo(Change *c, unsigned step, BackendRequest *ret) {
        const Port *p;
        int r;

        if (step == 0)
                return 0;

        p = nth_target_port(c->plan.node, step - 1);
        if (!p) {
                *ret = change_request(c, BACKEND_CREATE_NODE);
                return 1;
        }

        r = plan_nth_port(c, p);
        if (r < 0)
                return r;
        *ret = change_request(c, BACKEND_RESTORE_TARGET_PORT);
        return 1;
}

static int delete_node_finish(Change *c, const char **ret_path) {
        model_remove_node(c->manager->model, TAKE_PTR(c->plan.node));
        return 0;
}

static void delete_node_degrade(Change *c, const char *why) {
        model_set_node_state(c->manager->model, c->plan.node, STATE_DEGRADED, why);
        for (Port *p = c->plan.node->ports; p; p = p->next_of_node)
                model_set_port_state(c->manager->model, p, STATE_DEGRADED, why);
}

static const char *const delete_node_details[] = { "node", NULL };

const ChangeKind change_delete_node = {
        .method = METHOD_DELETE_ISCSI_NODE,
        .in = "o",
        .out = "",
        .names = "iSCSINode\0",
        .action = ACTION("delete-node"),
        .details = delete_node_details,
        .check = delete_node_check,
        .saves_last = true,
        .save = delete_node_save,
        .request = delete_node_request,
        .undo_request = delete_node_undo,
        .finish = delete_node_finish,
        .degrade = delete_node_degrade,
};
