/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/role.h"

#include <stddef.h>

static const RoleInfo roles[] = {
        [ROLE_INITIATOR] = { .name = "initiator" },
        [ROLE_TARGET] = { .name = "target", .listens = true },
};

const RoleInfo *role_info(uint64_t role) {
        return role >= ROLE_FIRST && role <= ROLE_LAST ? roles + role : NULL;
}

const char *role_name(uint16_t role) {
        return roles[role].name;
}
