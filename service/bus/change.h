/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The life of a change: the one way through the house for every mutating method.
 *
 *   parse ─▶ limits ─▶ authorize ─▶ the node's queue ─▶ rules ─┬▶ save ─▶ backend ─▶ model, signals ─▶ reply         (creates)
 *     ▲                   │ granted                            │  │ failed      │ failed: undo, un-save, error
 *     └───────────────────┘                                    └▶ backend ─▶ save ─▶ model, signals ─▶ reply         (deletes)
 *
 * All that the client sent is read from its sealed message, anew on each pass; between the passes nothing of it is kept. After a grant the
 * whole way is gone again from its first step, so what is allowed is what is checked and what is done.
 *
 * A create saves first: if the service dies in between, start-up brings up what was desired. A delete saves last: if the service dies in
 * between, it is still desired. In both, a success reply means durable and in force. */

#include "bus/change-kind.h"

/* Changes that may be under way or waiting at once. */
#define CHANGES_MAX 1024u

/* How often another Identifier is tried when the service chose one that the kernel turns out to have. */
#define CHOICES_MAX 32u

/* All rows, in the order of the interface file. */
extern const ChangeKind *const change_kinds[];
extern const size_t n_change_kinds;

int changes_new(Manager *m, Changes **ret);
Changes *changes_free(Changes *s); /* ends what is under way without an answer */

/* The handler of every method in the table. */
int method_change(sd_bus_message *message, void *userdata, sd_bus_error *error);
