/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kinds of backend share: the queue of calls that have not begun, and the turn of the event loop that begins them. */

#include "backend/backend.h"

typedef struct BackendOps {
        /* Begins at most one call: the head of B's queue, if there is one and room for it. Runs the call's callback last, or not
         * at all, for that may free B. Called after backend_wake(). */
        void (*turn)(Backend *b);

        /* Begins C, which is in no list, if that can be done at once; else nothing has happened to it. Never runs a callback. May
         * be NULL. */
        bool (*begin)(Backend *b, BackendCall *c);

        /* Frees what the kind of backend has beyond a Backend, and B itself. */
        void (*free)(Backend *b);
} BackendOps;

/* The first member of each kind's own structure. */
struct Backend {
        const BackendOps *ops;
        char *name;
        BackendTraits traits;
        sd_event *event;
        sd_event_source *wake;
        BackendCall *queue; /* oldest first */
};

typedef enum CallKind {
        CALL_APPLY,
        CALL_CHECK,
        CALL_OBSERVE,
        CALL_LIST_NODES,
        _CALL_KIND_MAX,
} CallKind;

struct BackendCall {
        backend_done_t done; /* NULL once cancelled */
        void *userdata;
        CallKind kind;
        BackendRequest request; /* a copy with all that is in it; of the other kinds empty, but for the node */
        char *what;             /* for people: "create-port and 2 more operations", "Observe" */
        BackendCall *prev, *next;
};

/* Fills the common part. B is zeroed memory; on failure the caller frees it with backend_free(). */
int backend_init(Backend *b, const BackendOps *ops, sd_event *event, const char *name, const BackendTraits *traits);

/* Has ops->turn() called from the event loop, once. */
int backend_wake(Backend *b);

/* Takes the oldest call off the queue; NULL if none waits. */
BackendCall *backend_take_call(Backend *b);

BackendCall *backend_call_free(BackendCall *c);
DEFINE_TRIVIAL_CLEANUP(BackendCall *, backend_call_free);

/* Tells the caller and frees C, which is in no list any more. The backend may be gone when this returns. */
void backend_call_finish(BackendCall *c, const BackendResult *result);

const char *call_kind_name(CallKind k); /* the D-Bus member of org.iscsi.Backend */

/* Frees a NULL-terminated array with its strings; NULL is fine. Returns NULL. */
char **strings_free(char **strings);
