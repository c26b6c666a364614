/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The life of a change. It is the same for every method:
 *
 *   intent ─▶ who? ─▶ plan ─▶ may the caller? ─▶ locks ─▶ plan ─▶ store, one commit ─▶ backend ─▶ settle: model, signals ─▶ reply
 *               └ refused: nobody was        │ 10 s        └ failed: nothing      └ failed: undone, the inverse is stored, error
 *                 asked for a password       └ Busy          was touched
 *
 * The plan is made twice: before anybody is asked, so that a call that is refused anyway costs nobody a password, and again when
 * the locks are held, since the model may have changed. The intent is the same both times.
 *
 * A removal is journalled: the commit takes the object out of the desired state and writes down what it was. So a full disk
 * refuses before anything is touched, and after a crash the removal goes on (journal.h).
 *
 * Every change answers within 24 s of its grant. One that is not done by then answers Timeout and goes on without its caller: a
 * removal to its end, anything else is taken back. */

#include "change/caller.h"
#include "change/context.h"
#include "change/intent.h"
#include "change/locks.h"

typedef struct Engine Engine;

#define CHANGES_MAX 1024u         /* under way or waiting, of all callers but root */
#define CHANGES_RESERVE 128u      /* beyond that, for uid 0 */
#define CHANGES_PER_USER_MAX 256u /* of one uid but 0 */
#define CHANGES_PER_LOCK_MAX 256u /* waiting for one lock; uid 0: CHANGES_RESERVE more */

int engine_new(Context *c, Engine **ret);
Engine *engine_free(Engine *e); /* ends what is under way without an answer */
DEFINE_TRIVIAL_CLEANUP(Engine *, engine_free);

/* Ends all changes that have begun, without undoing anything: the store was opened again and may hold something else. */
void engine_drop_all(Engine *e);

/* Carries INTENT out for CALLER. Takes both. Always answers, sooner or later, but for callers that left. */
void engine_run(Engine *e, Intent *intent, Caller *caller);

/* SUSPECT is called when a node may differ from what is desired. The reconciler sets it. */
void engine_set_suspicion(Engine *e, void (*suspect)(const char *node, void *userdata), void *userdata);

/* How a plan that looks at nodes has it done. */
void engine_set_look(Engine *e, engine_look_t look, void *userdata);

/* The locks, for those who work on nodes beside the changes. */
Locks *engine_locks(Engine *e);
