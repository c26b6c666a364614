/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why a call was refused.
 *
 * A refusal is a meaning with one D-Bus error name and one errno. Its number is the CIM return code. From 4096 on those are
 * numbered for each method (CIM_iSCSIConfigurationService, schema 2.51): each method's row says its own (change/method.h). The
 * error names on the bus, the errno map and docs/return-codes.md are made from these tables. */

#include <stddef.h>
#include <stdint.h>

#define ERROR_NAME_PREFIX "org.iscsi.ConfigurationService.Error."

typedef enum Refusal {
        REFUSAL_NONE,

        /* common to all methods: 1…5 */
        REFUSAL_NOT_SUPPORTED,
        REFUSAL_UNSPECIFIED,
        REFUSAL_TIMEOUT,
        REFUSAL_FAILED,
        REFUSAL_INVALID_PARAMETER,

        /* CIM's, numbered per method from 4096 */
        REFUSAL_NODE_NON_EXISTENT,
        REFUSAL_ROLE_NOT_SUPPORTED,
        REFUSAL_IDENTIFIER_IN_USE,
        REFUSAL_IDENTIFIER_SELECTION_NOT_SUPPORTED,
        REFUSAL_ENDPOINT_NON_EXISTENT,
        REFUSAL_TCP_NOT_BOUND,
        REFUSAL_TCP_IN_USE,
        REFUSAL_NOT_FROM_SAME_COLLECTION,
        REFUSAL_NODE_CREATION_NOT_SUPPORTED,
        REFUSAL_ALIAS_IN_USE,
        REFUSAL_SESSIONS_ACTIVE,

        /* of the methods that CIM lacks, numbered in the same way */
        REFUSAL_GROUP_NON_EXISTENT,
        REFUSAL_ENDPOINT_EXISTS,
        REFUSAL_ENDPOINT_IN_USE,
        REFUSAL_GROUP_NOT_EMPTY,
        REFUSAL_INVALID_STATE_TRANSITION,
        REFUSAL_ADDRESS_EXISTS,

        /* vendor codes, the same in all methods: 32768… */
        REFUSAL_ADDRESS_IN_USE,
        REFUSAL_ADDRESS_OVERLAP,
        REFUSAL_PORTAL_SHADOWED,
        REFUSAL_SCOPE_MISSING,
        REFUSAL_BUSY,
        REFUSAL_BACKEND_UNAVAILABLE,
        REFUSAL_DEGRADED,
        REFUSAL_LIMIT_REACHED,
        REFUSAL_NOT_MANAGED,
        REFUSAL_NAME_IN_USE,
        REFUSAL_LAST_PORTAL,
        REFUSAL_RECORD_IN_USE,
        REFUSAL_STORE_UNAVAILABLE,
        REFUSAL_STUCK,
        REFUSAL_FOREIGN_OBJECT_INSIDE,

        _REFUSAL_MAX,
} Refusal;

/* The D-Bus error name of R, complete with its prefix; of REFUSAL_NONE: NULL. */
const char *refusal_error_name(Refusal r);

/* The refusal with that complete D-Bus error name; REFUSAL_NONE if there is none. */
Refusal refusal_from_error_name(const char *name);

/* A positive errno, as the standard error map gives it to callers. */
int refusal_errno(Refusal r);

/* What R means, for people, without regard to the method. */
const char *refusal_meaning(Refusal r);

/* The vendor code (32768…) or common code (1…5) of R, 0 if R is numbered per method. */
uint32_t refusal_common_code(Refusal r);
