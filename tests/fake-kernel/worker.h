/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The operations of org.iscsi.Backend on the fake kernel: each decides beforehand what the kernel would only call EINVAL, does
 * its steps, looks whether they had their effect, and can take them back. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/refusal.h"
#include "common/verbs.h"

#define PORTALS_MAX 64u

typedef struct Operation {
        Verb verb;
        uint16_t tag;
        Portal portals[PORTALS_MAX];
        size_t n_portals;
        bool enabled, force, all;
        char *snapshot; /* g_free() it; may be NULL */
} Operation;

/* The work of one call on one node, and the steps that were done, so that they can be undone. */
typedef struct Work {
        const char *root;
        const char *node;
        GPtrArray *steps;
        GString *lost; /* what could not be given back */

        /* of the last operation */
        Refusal refusal;
        char *why;
} Work;

void work_init(Work *w, const char *root, const char *node);
void work_done(Work *w);

/* Does OPERATION; on failure nothing of it stays, and w->refusal and w->why tell the reason. HALF: stops half-way and leaves it
 * so: of create-port all but enabling it; of undo-port and delete-port the port disabled and without portals; of bind-portal a
 * portal that does not listen; of the others nothing. */
bool work_do(Work *w, const Operation *operation, bool half);

/* Takes back all that was done so far, the last step first. What is lost by that stands in w->lost. */
void work_undo(Work *w);

/* The order in which operations (of Operation) are done; g_free() it. */
size_t *work_order(const GArray *operations);

/* What others put into a port, as the text of a snapshot (g_free() it), or NULL if there is no such port. *RET_UNREADABLE names
 * what cannot be read. */
char *work_take_snapshot(Work *w, uint16_t tag, GStrv *ret_unreadable);

/* The directory of the node's first port that is not among the N expected Identifiers; NULL if there is none. */
char *work_find_unexpected(const Work *w, const uint64_t *expected, size_t n);
