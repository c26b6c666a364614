/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Group commit: many change sets, one transaction, one fsync. */

#include <errno.h>

#include "store/internal.h"

StoreCommit *commit_free(StoreCommit *c) {
        if (!c)
                return NULL;

        store_change_free(c->change);
        free(c->why);
        free(c);
        return NULL;
}

bool database_is_lost(int r) {
        return r == -EUCLEAN || r == -ESTALE;
}

static void commit_fail(Database *d, StoreCommit *c, int r) {
        free(c->why);
        c->result = r;
        c->why = explain_failed_change(r, d->error);
}

/* Returns an error that ends the whole transaction. */
static int apply_part(Database *d, StoreCommit *c) {
        int r;

        r = transaction_part_begin(d);
        if (r < 0)
                return r;

        r = transaction_part_end(d, change_apply(d, c->change));
        if (r < 0)
                commit_fail(d, c, r);

        /* A full disk and the like lose the whole transaction; a damaged file must not be written to. */
        return r < 0 && (transaction_is_lost(d) || database_is_lost(r)) ? r : 0;
}

/* A single change set is undone with its transaction. */
static int apply_group(Database *d, StoreCommit *first) {
        unsigned n_good = 0;

        if (!first->next)
                return change_apply(d, first->change);

        for (StoreCommit *c = first; c; c = c->next) {
                int r;

                r = apply_part(d, c);
                if (r < 0)
                        return r;
                n_good += c->result >= 0;
        }

        return n_good > 0 ? 0 : -ECANCELED;
}

int group_commit(Database *d, StoreCommit *first) {
        int r;

        for (StoreCommit *c = first; c; c = c->next)
                c->result = 0;

        r = transaction_begin(d, CONTROL_BEGIN_CHANGE);
        if (r >= 0)
                r = transaction_end(d, apply_group(d, first));
        if (r >= 0)
                return 0;
        if (r == -ECANCELED) /* each has failed for a reason of its own */
                return 0;

        for (StoreCommit *c = first; c; c = c->next)
                if (c->result >= 0)
                        commit_fail(d, c, r);

        return r;
}
