/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The methods for iSCSI nodes. */

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "change/method.h"
#include "change/methods/methods.h"
#include "change/operations/operations.h"
#include "change/path.h"
#include "common/name.h"

static const ArgumentSpec create_options[] = {
        { "Name", "s", .means = MEANS_NODE_NAME },
        { "Roles", "aq", .means = MEANS_ROLE, .max = 2 },
        { "Persistent", "b" },
        {},
};

static const ArgumentSpec create_in[] = {
        { "Alias", "s", .means = MEANS_ALIAS },
        { "Options", "a{sv}", .members = create_options },
        {},
};

static const ArgumentSpec node_out[] = { { "iSCSINode", "o" }, {} };
static const ArgumentSpec node_in[] = { { "iSCSINode", "o", .means = MEANS_NODE }, {} };

static const MethodCode create_codes[] = {
        { 4096, REFUSAL_NODE_CREATION_NOT_SUPPORTED, "no backend is configured" },
        { 4097, REFUSAL_ALIAS_IN_USE, "another node has this Alias" },
};

static int generate_name(const Context *c, char **ret, char **ret_why) {
        uint8_t random[6];

        if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                return refuse(REFUSAL_FAILED, ret_why,
                              "The kernel has no random numbers for a name yet; give one with option Name");

        return iscsi_name_generate(c->system_name, random, ret);
}

static int create_node(Plan *p, const Intent *i, char **ret_why) {
        const Argument *name = intent_option(i, "Name"), *roles = intent_option(i, "Roles"),
                       *persistent = intent_option(i, "Persistent");
        _cleanup_free_ char *generated = NULL, *checked = NULL;
        static const uint16_t none[1];
        CreateNodePlan plan;
        CreateNodeRequest q = {
                .alias = intent_text(i, "Alias"),
                .name = name ? name->text : NULL,
                .roles = roles ? roles->n > 0 ? roles->numbers : none : NULL,
                .n_roles = roles ? roles->n : 0,
        };
        int r;

        if (!q.name) {
                r = generate_name(p->context, &generated, ret_why);
                if (r != 0)
                        return r;
                q.generated = generated;
        }

        r = check_create_node(p->context->model, &p->context->abilities, &q, &plan, ret_why);
        if (r != 0)
                return r;

        checked = plan.name;
        return plan_create_node(p, checked, q.alias, plan.roles, !persistent || persistent->number);
}

const Method method_create_node = {
        .name = "CreateiSCSINode",
        .in = create_in,
        .out = node_out,
        .action = ACTION("create-node"),
        METHOD_CODES(create_codes),
        .plan = create_node,
};

static const MethodCode delete_codes[] = {
        { 4096, REFUSAL_NODE_NON_EXISTENT, "iSCSINode names no node" },
        { 4097, REFUSAL_SESSIONS_ACTIVE, "initiators are logged in through ports of the node" },
};

static int delete_node_as(Plan *p, const Intent *i, bool force, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "iSCSINode"));
        Node *n;
        int r;

        r = check_delete_node(p->context->model, &ref, &n, ret_why);
        if (r != 0)
                return r;
        return plan_delete_node(p, n, force);
}

static int delete_node(Plan *p, const Intent *i, char **ret_why) {
        return delete_node_as(p, i, false, ret_why);
}

const Method method_delete_node = {
        .name = "DeleteiSCSINode",
        .in = node_in,
        .action = ACTION("delete-node"),
        METHOD_CODES(delete_codes),
        .plan = delete_node,
};

static const MethodCode node_codes[] = {
        { 4096, REFUSAL_NODE_NON_EXISTENT, "iSCSINode names no node" },
};

static int delete_node_forced(Plan *p, const Intent *i, char **ret_why) {
        return delete_node_as(p, i, true, ret_why);
}

const Method method_delete_node_forced = {
        .name = "DeleteiSCSINodeForced",
        .in = node_in,
        .action = ACTION("force"),
        METHOD_CODES(node_codes),
        .plan = delete_node_forced,
};

static const ArgumentSpec modify_options[] = {
        { "Alias", "s", .means = MEANS_ALIAS },
        { "DriftPolicy", "s" },
        {},
};

static const ArgumentSpec modify_in[] = {
        { "iSCSINode", "o", .means = MEANS_NODE },
        { "Options", "a{sv}", .members = modify_options },
        {},
};

static const MethodCode modify_codes[] = {
        { 4096, REFUSAL_NODE_NON_EXISTENT, "iSCSINode names no node" },
        { 4097, REFUSAL_ALIAS_IN_USE, "another node has this Alias" },
};

static int modify_node(Plan *p, const Intent *i, char **ret_why) {
        const Argument *alias = intent_option(i, "Alias"), *drift = intent_option(i, "DriftPolicy");
        Reference ref = plan_reference(p, intent_text(i, "iSCSINode"));
        ModifyNodeRequest q = {
                .node = ref,
                .alias = alias ? alias->text : NULL,
                .drift = drift ? drift->text : NULL,
        };
        ModifyNodePlan plan;
        int r;

        r = check_modify_node(p->context->model, &q, &plan, ret_why);
        if (r != 0)
                return r;
        if (strcmp(plan.alias, plan.node->alias) == 0 && plan.drift == plan.node->drift)
                return 0; /* nothing to do */
        return plan_modify_node(p, plan.node, plan.alias, plan.drift);
}

const Method method_modify_node = {
        .name = "ModifyiSCSINode",
        .in = modify_in,
        .action = ACTION("modify-node"),
        METHOD_CODES(modify_codes),
        .plan = modify_node,
};

static int adopt_node(Plan *p, const Intent *i, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "iSCSINode"));
        Node *n;
        int r;

        r = check_adopt_node(p->context->model, &ref, &n, ret_why);
        if (r != 0 || n->managed)
                return r;
        return plan_adopt_node(p, n);
}

const Method method_adopt_node = {
        .name = "AdoptiSCSINode",
        .in = node_in,
        .action = ACTION("adopt-node"),
        METHOD_CODES(node_codes),
        .plan = adopt_node,
};

static int release_node(Plan *p, const Intent *i, char **ret_why) {
        Reference ref = plan_reference(p, intent_text(i, "iSCSINode"));
        Node *n;
        int r;

        r = check_release_node(p->context->model, &ref, &n, ret_why);
        if (r != 0 || !n->managed)
                return r;
        return plan_release_node(p, n);
}

const Method method_release_node = {
        .name = "ReleaseiSCSINode",
        .in = node_in,
        .action = ACTION("adopt-node"),
        METHOD_CODES(node_codes),
        .plan = release_node,
};

static const ArgumentSpec reconcile_in[] = { { "ManagedElement", "o", .means = MEANS_NODE }, {} };

static const MethodCode reconcile_codes[] = {
        { 4096, REFUSAL_NODE_NON_EXISTENT, "ManagedElement names neither a node, nor a port, nor the service" },
};

static int reconcile(Plan *p, const Intent *i, char **ret_why) {
        const char *path = intent_text(i, "ManagedElement");
        Reference ref = plan_reference(p, path);
        const Node *n = reference_node(&ref);
        const Port *port = reference_port(&ref);

        if (port)
                n = port->key.node;
        if (!n && strcmp(path, ROOT_PATH) != 0)
                return refuse(REFUSAL_NODE_NON_EXISTENT, ret_why,
                              "%s is neither a node, nor a port, nor the service; busctl tree shows those that exist", path);

        p->looks = true;
        p->node = n ? strdup(n->name) : NULL;
        return n && !p->node ? -ENOMEM : 0;
}

const Method method_reconcile = {
        .name = "Reconcile",
        .in = reconcile_in,
        .action = ACTION("modify-node"),
        METHOD_CODES(reconcile_codes),
        .plan = reconcile,
};
