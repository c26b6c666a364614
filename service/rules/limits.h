/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the service as a whole can do and take. */

#include <stdbool.h>
#include <stddef.h>

#include "common/refusal.h"
#include "model/kinds.h"

/* What the service as a whole can do, fixed at start. Indexed by role. */
typedef struct Abilities {
        struct {
                bool available;           /* a backend serves it */
                bool selects_identifiers; /* a caller may choose the Identifier */
        } roles[4];
        struct {
                unsigned nodes, ports, portals_per_port, tcp_endpoints, portal_groups;
                size_t bytes; /* ModelCounts.bytes from which on nothing more is taken; 0: no limit */
        } max;
} Abilities;

#define LIMIT_PORTS_DEFAULT 4096u
/* One GetManagedObjects reply must stay under half of dbus-daemon's 32 MiB with 1 KiB per port. */
#define LIMIT_PORTS_CEILING 16384u
/* Half of what dbus-daemon takes on the system bus. */
#define LIMIT_BYTES ((size_t) 16 * 1024 * 1024)
#define LIMIT_NODES 4096u
#define LIMIT_PORTALS_PER_PORT 64u
#define LIMIT_TCP_ENDPOINTS 4096u
#define LIMIT_PORTAL_GROUPS 1024u
#define LIMIT_DECLARED_ADDRESSES 4096u

/* Whether there is a backend for any role. */
bool abilities_any_role(const Abilities *a);

/* What there is a limit of. */
typedef enum LimitKind {
        LIMIT_OF_BYTES, /* of all objects together, which every other kind includes */
        LIMIT_OF_NODES,
        LIMIT_OF_PORTS,
        LIMIT_OF_TCP_ENDPOINTS,
        LIMIT_OF_PORTAL_GROUPS,
        LIMIT_OF_ADDRESSES, /* declared */
} LimitKind;

/* Whether there may be one more. Objects that the service makes unasked do not count. */
int check_limits(Model *m, const Abilities *a, LimitKind kind, char **ret_why);
