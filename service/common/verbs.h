/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The operations of org.iscsi.Backend as both of its sides know them; each is described in verbs.def. */

#include <stdint.h>

#include "common/refusal.h"

#define BACKEND_PATH "/org/iscsi/Backend"
#define BACKEND_INTERFACE "org.iscsi.Backend"

/* In an atomic Apply of which an operation failed, the result of each other one: undone, or not begun. */
#define BACKEND_ERROR_NOT_DONE BACKEND_INTERFACE ".Error.NotDone"

#define BACKEND_OPERATIONS_TYPE "a(sta(sq)a{sv})"
#define BACKEND_RESULTS_TYPE "a(ss)"
#define BACKEND_PORT_TYPE "stba(ssqbb)a{sv}" /* of a port in it */
#define BACKEND_OBSERVED_TYPE "ba(" BACKEND_PORT_TYPE ")a{sv}"

/* What a verb takes beside the node. */
#define TAKES_IDENTIFIER (1u << 0)
#define TAKES_PORTALS (1u << 1)  /* 1 to 64, all different */
#define TAKES_PORTAL (1u << 2)   /* exactly one */
#define TAKES_ENABLED (1u << 3)  /* option Enabled b, default true */
#define TAKES_FORCE (1u << 4)    /* option Force b, default false: end sessions */
#define TAKES_ALL (1u << 5)      /* option All b, default false: of all ports, the Identifier is then unused */
#define TAKES_SNAPSHOT (1u << 6) /* option Snapshot ay: what org.iscsi.Backend.Snapshot gave */

typedef enum Verb {
#define VERB(id, ...) VERB_##id,
#include "common/verbs.def"
        _VERB_MAX,
} Verb;

#define REFUSAL_BIT(r) (UINT64_C(1) << (r))

/* What any verb may answer. */
#define VERB_REFUSALS_ANY                                                                                      \
        (REFUSAL_BIT(REFUSAL_BUSY) | REFUSAL_BIT(REFUSAL_STUCK) | REFUSAL_BIT(REFUSAL_BACKEND_UNAVAILABLE) |   \
         REFUSAL_BIT(REFUSAL_FAILED) | REFUSAL_BIT(REFUSAL_INVALID_PARAMETER) | REFUSAL_BIT(REFUSAL_TIMEOUT) | \
         REFUSAL_BIT(REFUSAL_DEGRADED) | REFUSAL_BIT(REFUSAL_FOREIGN_OBJECT_INSIDE))

/* What a verb does to the node. */
typedef enum VerbEffect {
        EFFECT_LOOKS,   /* nothing: it needs no lock */
        EFFECT_MAKES,   /* it adds to what is there, and changes nothing of that */
        EFFECT_CHANGES, /* anything */
} VerbEffect;

typedef struct VerbInfo {
        const char *name;
        unsigned takes;
        VerbEffect effect;
        uint64_t refusals; /* that it may answer, those that any may included */
} VerbInfo;

const VerbInfo *verb_info(Verb v);

/* The verb of that name; _VERB_MAX if there is none. */
Verb verb_from_name(const char *name);
