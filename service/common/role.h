/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The roles of ports and nodes, and in what their ports differ. Who works on ports of any role asks here instead of naming
 * one. */

#include <stdbool.h>
#include <stdint.h>

/* CIM_iSCSIProtocolEndpoint.Role */
#define ROLE_INITIATOR 2u
#define ROLE_TARGET 3u
#define ROLE_BIT(role) (1u << (role))

#define ROLE_FIRST ROLE_INITIATOR
#define ROLE_LAST ROLE_TARGET
#define FOR_EACH_ROLE(role) for (uint16_t role = ROLE_FIRST; (role) <= ROLE_LAST; (role)++)
#define ROLE_DEFAULT ROLE_TARGET /* of a node that is made without Roles */
#define ROLES_ALL (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))

typedef struct RoleInfo {
        const char *name; /* for people, and in the questions to polkit */
        bool listens;     /* its ports bind to TCP endpoints and listen there; else they bind to addresses */
} RoleInfo;

/* NULL: there is no such role. */
const RoleInfo *role_info(uint64_t role);

/* Of a role that there is. */
const char *role_name(uint16_t role);
