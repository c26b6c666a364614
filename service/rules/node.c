/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/node.h"

#include <errno.h>

#include "common/macro.h"
#include "common/name.h"
#include "common/text.h"
#include "rules/managed.h"
#include "rules/refuse.h"

int check_create_node(Model *m, const Abilities *a, const CreateNodeRequest *q, CreateNodePlan *ret, char **ret_why) {
        _cleanup_free_ char *name = NULL;
        unsigned roles = 0;
        const char *reason;
        Node *other;
        int r;

        if (!abilities_any_role(a))
                return refuse(REFUSAL_NODE_CREATION_NOT_SUPPORTED, ret_why,
                              "Nodes cannot be created: no backend is configured; iscsi-configd --help has the options");

        r = check_text("Alias", q->alias, ret_why);
        if (r != 0)
                return r;

        for (size_t i = 0; i < q->n_roles; i++) {
                if (!role_info(q->roles[i]))
                        return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                                      "Option Roles: %u is neither 2 (initiator) nor 3 (target)", q->roles[i]);
                if (roles & ROLE_BIT(q->roles[i]))
                        return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "Option Roles has %u twice", q->roles[i]);
                roles |= ROLE_BIT(q->roles[i]);
        }
        if (q->roles && !roles)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why,
                              "Option Roles is empty; a node is an initiator (2), a target (3) or both");
        if (!q->roles)
                roles = ROLE_BIT(ROLE_DEFAULT);

        r = iscsi_name_normalize(q->name ? q->name : q->generated, &name, &reason);
        if (r == -EINVAL)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "\"%.*s\" is not an iSCSI name: %s",
                              text_excerpt(q->name ? q->name : q->generated, 250), q->name ? q->name : q->generated, reason);
        if (r < 0)
                return r;

        FOR_EACH_ROLE(role)
                if ((roles & ROLE_BIT(role)) && !a->roles[role].available)
                        return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                                      "A node of the role %s cannot be created: no backend is configured for it; option Roles "
                                      "says which roles a "
                                      "node has",
                                      role_name(role));

        other = q->alias[0] ? model_find_node_by_alias(m, q->alias) : NULL;
        if (other)
                return refuse(REFUSAL_ALIAS_IN_USE, ret_why, "Alias \"%s\" is that of node %s; choose another, or none", q->alias,
                              other->name);

        other = model_find_node(m, name);
        if (other)
                return refuse(REFUSAL_NAME_IN_USE, ret_why, "A node with the name %s exists%s; choose another name", name,
                              other->managed ? "" : ", made by another program");

        *ret = (CreateNodePlan){ .name = TAKE_PTR(name), .roles = roles };
        return 0;
}

static int check_node(const Reference *node, Node **ret, char **ret_why) {
        *ret = reference_node(node);
        return *ret ? 0
                    : refuse(REFUSAL_NODE_NON_EXISTENT, ret_why, "%s is not an iSCSI node; busctl tree shows those that exist",
                             node->text);
}

/* The host's own node is there as long as the host is. */
static int check_not_host(const Node *n, char **ret_why) {
        if (!n->host)
                return 0;

        return refuse(
                REFUSAL_NOT_SUPPORTED, ret_why,
                "Node %s is this host's own as an initiator, named by /etc/iscsi/initiatorname.iscsi; its ports can be deleted, "
                "and it stays",
                n->name);
}

int check_modify_node(Model *m, const ModifyNodeRequest *q, ModifyNodePlan *ret, char **ret_why) {
        ModifyNodePlan plan = {};
        Node *other;
        int r;

        r = check_node(&q->node, &plan.node, ret_why);
        if (r != 0)
                return r;

        plan.alias = q->alias ? q->alias : plan.node->alias;
        plan.drift = plan.node->drift;
        if (q->drift && drift_policy_from_text(q->drift, &plan.drift) < 0)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "DriftPolicy \"%.*s\" is none of default, report and enforce",
                              text_excerpt(q->drift, 32), q->drift);
        r = check_text("Alias", plan.alias, ret_why);
        if (r != 0)
                return r;

        other = plan.alias[0] ? model_find_node_by_alias(m, plan.alias) : NULL;
        if (other && other != plan.node)
                return refuse(REFUSAL_ALIAS_IN_USE, ret_why, "Alias \"%s\" is that of node %s; choose another, or none",
                              plan.alias, other->name);
        r = check_node_managed(plan.node, ret_why);
        if (r == 0)
                r = check_node_stays(plan.node, ret_why);
        if (r != 0)
                return r;

        *ret = plan;
        return 0;
}

int check_adopt_node(Model *m, const Reference *node, Node **ret, char **ret_why) {
        _cleanup_free_ char *name = NULL;
        const char *reason = "it is not in the form that is compared, in lower case";
        Node *n;
        int r;

        r = check_node(node, &n, ret_why);
        if (r != 0)
                return r;
        if (n->host) { /* it is ours */
                *ret = n;
                return 0;
        }
        if (!n->managed && (n->roles & ROLE_BIT(ROLE_INITIATOR)))
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                              "Node %s is an initiator of another program, whose interface records keep their names; make a node "
                              "with ports here, and remove those with that program",
                              n->name);

        r = iscsi_name_normalize(n->name, &name, &reason);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || strcmp(name, n->name) != 0)
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why, "The name of node %s cannot be one of this service: %s", n->name,
                              reason ? reason : "it is not in the form that is compared, in lower case");
        for (const Port *p = n->ports; p; p = p->next_of_node)
                if (p->n_bindings == 0)
                        return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                                      "Port %012llX of node %s has no portal, and a port has at least one; give it one with the "
                                      "program that made it",
                                      (unsigned long long) p->key.identifier, n->name);

        *ret = n;
        return 0;
}

int check_release_node(Model *m, const Reference *node, Node **ret, char **ret_why) {
        int r;

        r = check_node(node, ret, ret_why);
        if (r == 0)
                r = check_not_host(*ret, ret_why);
        if (r != 0)
                return r;
        if ((*ret)->roles != ROLE_BIT(ROLE_TARGET))
                return refuse(REFUSAL_NOT_SUPPORTED, ret_why,
                              "Node %s acts as an initiator too; only target nodes can be given back", (*ret)->name);

        return check_node_stays(*ret, ret_why);
}

int check_delete_node(Model *m, const Reference *node, Node **ret, char **ret_why) {
        Node *n = reference_node(node);
        int r;

        if (!n)
                return refuse(REFUSAL_NODE_NON_EXISTENT, ret_why, "%s is not an iSCSI node; busctl tree shows those that exist",
                              node->text);
        r = check_not_host(n, ret_why);
        if (r == 0)
                r = check_node_managed(n, ret_why);
        if (r != 0)
                return r;
        for (Port *p = n->ports; p; p = p->next_of_node) {
                r = check_port_managed(p, ret_why);
                if (r != 0)
                        return r;
        }

        *ret = n;
        return 0;
}
