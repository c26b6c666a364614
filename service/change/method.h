/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The methods that change something, one row each. The vtable on the bus, argument names, the question to polkit, the locks, the
 * return codes and docs/return-codes.md are made from the row. A row cannot lack its polkit action: methods_check() refuses to
 * start without. */

#include <stddef.h>
#include <stdint.h>

#include "common/macro.h"
#include "common/refusal.h"

typedef struct Intent Intent;
typedef struct Method Method;
typedef struct Plan Plan;

#define ACTION(name) "org.iscsi.ConfigurationService." name

/* What an argument means. The details for polkit and the locks of a call follow from it. */
typedef enum ArgumentMeaning {
        MEANS_VALUE, /* the default: nothing that others need to know */
        MEANS_NODE,  /* path of a node */
        MEANS_NODE_NAME,
        MEANS_ALIAS,
        MEANS_PORT,           /* path of a port */
        MEANS_NETWORK_PORTAL, /* path of a TCP endpoint or an address that a port binds to */
        MEANS_TCP_ENDPOINT,   /* path */
        MEANS_TCP_PORT,
        MEANS_ADDRESS,      /* path */
        MEANS_ADDRESS_TEXT, /* "192.0.2.1" */
        MEANS_PORTAL_GROUP, /* path */
        MEANS_PORTAL_GROUP_NAME,
        MEANS_ROLE,
        MEANS_IDENTIFIER,
} ArgumentMeaning;

/* One argument of a method as it is announced. TYPE is its D-Bus signature: s, o, q, b, as, ao, aq, a{sv} or a(…). MEMBERS are
 * the keys that an a{sv} may have, or the fields of an a(…); both end with an entry without a name. MAX bounds an array (0:
 * 64). */
typedef struct ArgumentSpec {
        const char *name;
        const char *type;
        ArgumentMeaning means;
        const struct ArgumentSpec *members;
        size_t max;
} ArgumentSpec;

size_t argument_specs_count(const ArgumentSpec *specs);

typedef struct MethodCode {
        uint32_t code; /* from 4096 on, numbered for each method */
        Refusal refusal;
        const char *when; /* for people: when this method answers so */
} MethodCode;

struct Method {
        const char *name;       /* the D-Bus member of org.iscsi.ConfigurationService */
        const ArgumentSpec *in; /* end with an entry without a name */
        const ArgumentSpec *out;
        const char *action; /* polkit's */
        const MethodCode *codes;
        size_t n_codes;

        /* The rules and what follows from them. Appends operations, each with its reservation in the model, to P. Returns 0, a
         * Refusal with its sentence in *RET_WHY, or a negative errno. What P holds then is taken back by the caller. */
        int (*plan)(Plan *p, const Intent *i, char **ret_why);
};

#define METHOD_CODES(table) .codes = (table), .n_codes = ELEMENTSOF(table)

/* All rows, in the order of the interface file, NULL-terminated. They are in methods/. */
extern const Method *const methods[];

const Method *method_find(const char *name);

/* The return code of R when M answers with it. A refusal that neither M's row nor the common table lists is a bug here: 2,
 * Unspecified Error. */
uint32_t method_code(const Method *m, Refusal r);
