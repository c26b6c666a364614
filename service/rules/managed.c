/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/managed.h"

#include "rules/refuse.h"

int check_node_managed(const Node *n, char **ret_why) {
        if (n->managed)
                return 0;

        return refuse(
                REFUSAL_NOT_MANAGED, ret_why,
                "Node %s is not managed by this service and can only be read here; change it with the program that made it, "
                "or take it over with AdoptiSCSINode",
                n->name);
}

int check_port_managed(const Port *p, char **ret_why) {
        if (p->managed)
                return 0;

        return refuse(
                REFUSAL_NOT_MANAGED, ret_why,
                "Port %012llX of node %s is not managed by this service and can only be read here; change it with the program "
                "that made it%s",
                (unsigned long long) p->key.identifier, p->key.node->name,
                p->key.node->managed ? "" : ", or take its node over with AdoptiSCSINode");
}

int check_node_stays(const Node *n, char **ret_why) {
        if (!n->removal)
                return 0;

        return refuse(REFUSAL_BUSY, ret_why, "Node %s is being deleted; delete it again to finish that", n->name);
}

int check_port_stays(const Port *p, char **ret_why) {
        if (p->key.node->removal)
                return check_node_stays(p->key.node, ret_why);
        if (!p->removal)
                return 0;

        return refuse(REFUSAL_BUSY, ret_why, "Port %012llX of node %s is being deleted; delete it again to finish that",
                      (unsigned long long) p->key.identifier, p->key.node->name);
}
