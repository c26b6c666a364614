/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/limits.h"

#include <limits.h>

#include "model/model.h"
#include "rules/refuse.h"

bool abilities_any_role(const Abilities *a) {
        return a->roles[ROLE_INITIATOR].available || a->roles[ROLE_TARGET].available;
}

int check_limits(Model *m, const Abilities *a, Method method, size_t n_portals, char **ret_why) {
        const ModelCounts *c = model_counts(m);
        unsigned count = 0, max = 0;
        const char *what = NULL;

        switch (method) {
        case METHOD_CREATE_ISCSI_PROTOCOL_ENDPOINT:
                if (n_portals > a->max.portals_per_port)
                        return refuse(REFUSAL_LIMIT_REACHED, ret_why, "NetworkPortals has %zu portals; a port may have %u",
                                      n_portals, a->max.portals_per_port);
                what = "ports", count = c->ports, max = a->max.ports;
                break;
        case METHOD_CREATE_ISCSI_NODE:
                what = "nodes", count = c->nodes, max = a->max.nodes;
                break;
        case METHOD_CREATE_TCP_PROTOCOL_ENDPOINT:
                what = "TCP endpoints", count = c->tcp_endpoints, max = a->max.tcp_endpoints;
                break;
        case METHOD_CREATE_PORTAL_GROUP:
                what = "portal groups", count = c->portal_groups, max = a->max.portal_groups;
                break;
        case METHOD_BIND_ISCSI_PROTOCOL_ENDPOINT:
        case METHOD_ADD_TO_PORTAL_GROUP:
                max = UINT_MAX;
                break;
        default:
                return 0;
        }

        if (a->max.bytes > 0 && c->bytes >= a->max.bytes)
                return refuse(REFUSAL_LIMIT_REACHED, ret_why,
                              "All objects together take %zu KiB in one message to those who ask for them, which is the limit; "
                              "delete some first",
                              c->bytes / 1024);

        if (count < max)
                return 0;

        return refuse(REFUSAL_LIMIT_REACHED, ret_why, "There are %u %s, which is the limit; delete one first", count, what);
}
