/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/change-kind.h"

BackendRequest change_request(const Change *c, BackendVerb verb) {
        return (BackendRequest){
                .verb = verb,
                .node = c->plan.node ? c->plan.node->name : c->plan.name,
                .tag = (uint16_t) c->plan.identifier,
                .portals = c->plan.portals,
                .n_portals = c->plan.n_portals,
        };
}
