/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the engine needs from outside: the caller, and the part that looks at nodes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/refusal.h"

typedef struct Caller Caller;

typedef enum CallerVerdict {
        CALLER_GRANTED,
        CALLER_REFUSED, /* was answered already */
        CALLER_LEFT,    /* is not there any more */
} CallerVerdict;

/* WHY is for the log. Called once, and perhaps once more with CALLER_LEFT until begin() of CallerOps. */
typedef void (*caller_answered_t)(CallerVerdict verdict, uid_t uid, const char *why, void *userdata);

/* How a change ended. */
typedef struct Outcome {
        Refusal refusal; /* REFUSAL_NONE: success */
        uint32_t code;
        const char *message;
        char *const *results; /* paths */
        size_t n_results;
} Outcome;

/* Whoever called, over whichever connection. */
typedef struct CallerOps {
        /* Asks who the caller is; CALLER_GRANTED is the answer when its uid is known. Never answers from within. */
        int (*identify)(Caller *c, caller_answered_t answered, void *userdata);

        /* Asks whether the caller, which was identified and is not uid 0, may do ACTION. Never answers from within. DETAILS are
         * pairs of names and values, NULL-terminated. */
        int (*authorize)(Caller *c, const char *action, char *const *details, caller_answered_t answered, void *userdata);
        void (*begin)(Caller *c); /* from here on it is done to the end, whether or not the caller stays */
        void (*reply)(Caller *c, const Outcome *o);
        void (*free)(Caller *c);
} CallerOps;

struct Caller {
        const CallerOps *ops;
        const char *name; /* for the log: its unique bus name */
        bool internal;    /* the service itself, which does not wait until it takes changes of others */
};

/* Looks at NODE (NULL: at all nodes) and puts it right. DONE must be called once, later. */
typedef void (*engine_looked_t)(Refusal refusal, const char *why, void *userdata);
typedef int (*engine_look_t)(const char *node, engine_looked_t done, void *done_userdata, void *userdata);
