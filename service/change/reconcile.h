/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Compares what is there with what is desired, node by node: observe, compare, make what is missing where the policy says so, set
 * the states. This is done at start, when something changed in the kernel or on the host, after a change that failed, when
 * somebody asks for it, and again after a pause for what could not be made. There is no other start-up code. */

#include "change/context.h"
#include "change/engine.h"

typedef struct Reconciler Reconciler;

/* Nodes that are looked at at the same time. */
#define RECONCILE_PARALLEL 4u

/* The pause before another attempt: doubled each time, from the first to the last. */
#define RECONCILE_RETRY_USEC (2 * UINT64_C(1000000))
#define RECONCILE_RETRY_MAX_USEC (60 * UINT64_C(1000000))

int reconciler_new(Context *c, Engine *e, Reconciler **ret);
Reconciler *reconciler_free(Reconciler *r);

/* Looks at everything for the first time. DONE is called from the event loop when each node was looked at, or the backend could
 * not be reached; what could not be seen is tried again by itself. */
int reconciler_start(Reconciler *r, void (*done)(void *userdata), void *userdata);

/* What is desired is about to be replaced: forgets all that was derived from it. Before the model is changed. */
void reconciler_forget(Reconciler *r);

/* NODE may be other than it was (NULL: any node may). Does nothing before reconciler_start() is done. */
void reconciler_suspect(Reconciler *r, const char *node);

/* Looks at NODE (NULL: at all nodes) and puts everything right that is other than desired, whatever the policy is. DONE is called
 * once, with REFUSAL_NONE and NULL, or with the first thing that could not be done. Returns 0 or a negative errno. */
typedef void (*reconciled_t)(Refusal refusal, const char *why, void *userdata);
int reconciler_ask(Reconciler *r, const char *node, reconciled_t done, void *userdata);
