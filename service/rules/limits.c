/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/limits.h"

#include "model/model.h"
#include "rules/refuse.h"

bool abilities_any_role(const Abilities *a) {
        return a->roles[ROLE_INITIATOR].available || a->roles[ROLE_TARGET].available;
}

int check_limits(Model *m, const Abilities *a, LimitKind kind, char **ret_why) {
        const ModelCounts *c = model_counts(m);
        const struct {
                const char *what;
                unsigned count, max;
        } limits[] = {
                [LIMIT_OF_BYTES] = { NULL, 0, 1 },
                [LIMIT_OF_NODES] = { "nodes", c->nodes, a->max.nodes },
                [LIMIT_OF_PORTS] = { "ports", c->ports, a->max.ports },
                [LIMIT_OF_TCP_ENDPOINTS] = { "TCP endpoints", c->tcp_endpoints, a->max.tcp_endpoints },
                [LIMIT_OF_PORTAL_GROUPS] = { "portal groups", c->portal_groups, a->max.portal_groups },
                [LIMIT_OF_ADDRESSES] = { "declared addresses", c->declared_addresses, LIMIT_DECLARED_ADDRESSES },
        };

        if (a->max.bytes > 0 && c->bytes >= a->max.bytes)
                return refuse(REFUSAL_LIMIT_REACHED, ret_why,
                              "The list of all objects has reached its limit of %zu KiB; delete some objects first",
                              c->bytes / 1024);

        if (limits[kind].count < limits[kind].max)
                return 0;

        return refuse(REFUSAL_LIMIT_REACHED, ret_why, "There are %u %s, which is the limit; delete one first", limits[kind].count,
                      limits[kind].what);
}
