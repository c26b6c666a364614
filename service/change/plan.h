/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a change consists of: operations, in order. Each has a part in the store, one in the backend and one in the model, and
 * each of them its inverse, made from what was there before. Making a plan asks nothing of the outside and blocks nothing. It
 * puts reservations into the model, which the rules of other changes see and nobody on the bus does; plan_release() takes them
 * back. So a dry run is a plan that is released at once. */

#include "change/context.h"
#include "change/intent.h"

typedef struct Operation Operation;

/* How often another Identifier is tried when the kernel has the one that the service chose. */
#define CHOICES_MAX 32u

/* What a plan asks of the backend, one call for each node. */
typedef struct BackendBatch {
        Backend *backend;
        char *node;
        BackendItem *items;
        size_t n_items;
        uint64_t *expected; /* Identifiers of the ports that the node may have; NULL: any */
        size_t n_expected;
} BackendBatch;

typedef struct BackendWork {
        BackendBatch *batches;
        size_t n;
} BackendWork;

/* The batch of that node, made if there is none yet. Returns 0, or -ENOMEM. */
int backend_work_batch(BackendWork *w, Backend *backend, const char *node, BackendBatch **ret);
int backend_batch_add(BackendBatch *b, const BackendItem *item);
BackendRequest backend_batch_request(const BackendBatch *b); /* all or nothing; valid as long as B is */
void backend_work_done(BackendWork *w);

/* One kind of operation. A function that is NULL has nothing to do. Negative return values are errnos. */
typedef struct OperationKind {
        const char *name; /* in the journal */
        bool removes;     /* it is journalled: after a crash it is carried to its end */
        bool looks_after; /* once it is done, what the kernel has of the node may count as something else: it is looked at */

        /* Makes it durable, and the inverse. */
        int (*store)(const Operation *o, StoreChange *change);
        int (*unstore)(const Operation *o, StoreChange *change);

        /* Puts it into force, and the inverse for when another batch of the same plan failed or it is not known what became of
         * this one. Returns -ENXIO with a sentence in *RET_WHY if there is no backend that could. */
        int (*request)(const Operation *o, Context *c, BackendWork *w, char **ret_why);
        int (*undo_request)(const Operation *o, Context *c, BackendWork *w);

        /* Takes the reservation back. */
        void (*release)(Operation *o, Context *c);

        /* It is done: shows the outcome to the world. */
        int (*settle)(Operation *o, Context *c);

        /* It failed and could not be taken back: shows the object with the reason. */
        void (*degrade)(Operation *o, Context *c, const char *why);

        /* The path of what it made, for the reply, once it is settled. NULL: it makes nothing. */
        const char *(*result)(const Operation *o);

        /* What it does, for people: "Create port 000000000001 of node iqn.… on 192.0.2.1:3260". */
        char *(*describe)(const Operation *o);
} OperationKind;

struct Operation {
        const OperationKind *kind;
        Node *node;
        Port *port;
        TcpEndpoint *tcp;
        IpEndpoint *ip;
        PortalGroup *group;
        Binding *binding;
        Portal *portals; /* malloc'ed */
        size_t n_portals;
        uint64_t number;   /* of a new group */
        char *text;        /* malloc'ed: a new alias or name */
        char *before_text; /* malloc'ed: the one before */
        DriftPolicy drift, before_drift;
        bool chosen;  /* the service chose the Identifier */
        bool enabled; /* the state wanted of a port */
        bool before_enabled;
        bool force; /* end sessions */
        bool persistent;
        bool done; /* settled: nothing to release */
};

typedef struct Plan {
        Context *context;
        Operation **operations;
        size_t n_operations;
        char **warnings;
        size_t n_warnings;
        bool numbered;    /* each operation is an item of the call, and a message about one begins with its number */
        bool looks;       /* NODE (NULL: every node) is to be looked at and put right; there are no operations then */
        char *node;       /* malloc'ed */
        unsigned attempt; /* how many times the kernel turned down a chosen Identifier */
        uint64_t minimum; /* of a chosen Identifier */
} Plan;

/* Makes the plan of INTENT in *P, which is all zero or was released; its attempt and minimum are kept. Returns 0, a Refusal with
 * its sentence, or a negative errno; only after 0 is there something to release. */
int plan_make(Plan *p, Context *c, const Intent *intent, char **ret_why);

/* Takes all reservations back, the last one first, and forgets the operations. */
void plan_release(Plan *p);

/* Frees the plan; what was settled stays. */
void plan_done(Plan *p);

/* A new operation at the end of P; NULL without memory. */
Operation *plan_append(Plan *p, const OperationKind *kind);
int plan_warn(Plan *p, const char *format, ...) _printf_(2, 3);

/* The object that ARGUMENT names, as the rules take it. One that is being removed is not there any more. */
Reference plan_reference(const Plan *p, const char *path);

/* What the whole plan asks of the backends. What it asks of the store is in plan-store.h. */
int plan_request(const Plan *p, BackendWork *w, char **ret_why);
int plan_undo_request(const Plan *p, BackendWork *w);

/* Of a numbered plan: from which operation, counted from 1, each item of B comes. *RET is malloc'ed; NULL if the plan is not
 * numbered. Returns 0 or -ENOMEM. */
int plan_number_items(const Plan *p, const BackendBatch *b, size_t **ret);

/* What the backend said about item ITEM of B, with the number of its operation in front. ITEM SIZE_MAX: about the call as a
 * whole. Malloc'ed, NULL without memory. */
char *backend_batch_explain(const BackendBatch *b, const size_t *numbers, size_t item, const char *message);
bool plan_removes(const Plan *p);

/* The highest Identifier that the service chose; 0: it chose none. If the kernel has one of them already, a plan with a higher
 * `minimum` avoids it. */
uint64_t plan_highest_chosen(const Plan *p);

/* Whether P writes a row into the journal: it removes something, or concerns a port. After a crash between store and backend the
 * row says what is still to be done. */
bool plan_is_journalled(const Plan *p);

/* Marks the object that O removes, with all that is in it: its removal was begun and is in row JOURNAL_ID of the journal; 0: it
 * is not being removed any more. */
void plan_mark_removal(Operation *o, uint64_t journal_id);

/* What people read of an object whose removal could not be finished, before the reason. */
#define REMOVAL_GOES_ON "Being deleted, which is tried again by itself: "

/* What O was to remove is desired again, and an attempt that was cut short may have taken some of it out of force. */
void plan_mark_owed(Operation *o);
