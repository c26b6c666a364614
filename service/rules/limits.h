/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the service as a whole can do and take. */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/refusal.h"
#include "model/kinds.h"

#define LIMIT_PORTALS_PER_PORT 64u
/* One GetManagedObjects reply must stay under half of dbus-daemon's 32 MiB with 1 KiB per port. */
#define LIMIT_PORTS_CEILING 16384u

/* How many there may be of what callers make. */
typedef struct Limits {
#define KIND(ENUM, Type, name, names, ...) unsigned names; /* of those that ModelCounts counts; NO_LIMIT: any number */
#include "model/kinds.def"
        unsigned portals_per_port;
        size_t bytes; /* ModelCounts.bytes from which on nothing more is taken; 0: no limit */
} Limits;

#define NO_LIMIT UINT_MAX

extern const Limits limits_default; /* what kinds.def says, and half of what dbus-daemon takes on the system bus */

/* What the service as a whole can do, fixed at start. Roles are indexed by role. */
typedef struct Abilities {
        struct {
                bool available;           /* a backend serves it */
                bool selects_identifiers; /* a caller may choose the Identifier */
                bool hosts_identifiers;   /* those that the service chooses are this host's own: common/isid.h */
                bool one_interface;       /* the addresses of a port must be on one network interface */
                bool no_switch;           /* ports cannot be switched off */
        } roles[4];
        Limits max;
} Abilities;

/* Whether there is a backend for any role. */
bool abilities_any_role(const Abilities *a);

/* Whether there are as many of the kind as there may be. */
bool limit_is_reached(const Model *m, const Abilities *a, ObjectType type);

/* Whether there may be one more of the kind; and whether there may be anything more at all, which the first asks too. Objects
 * that the service makes unasked do not count. */
int check_limits(const Model *m, const Abilities *a, ObjectType type, char **ret_why);
int check_limit_of_bytes(const Model *m, const Abilities *a, char **ret_why);
