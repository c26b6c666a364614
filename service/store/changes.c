/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Change sets, and how they are run. */

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "store/internal.h"
#include "store/stored.h"

StoreChange *store_change_new(void) {
        return calloc(1, sizeof(StoreChange));
}

StoreChange *store_change_free(StoreChange *c) {
        if (!c)
                return NULL;

        for (size_t i = 0; i < c->n; i++)
                free(c->operations[i]);
        free(c->operations);
        free(c);
        return NULL;
}

int store_change_add(StoreChange *c, const StoreOperation *op) {
        StoreOperation *copy;
        int r;

        /* What is written must be what reading accepts; the file cannot check that. */
        if (!verb_steps(op->verb) || (verb_kind(op->verb)->has_address && !ip_address_is_usable(&op->address)))
                return -EINVAL;
        for (size_t i = 0; i < op->n_portals; i++)
                if (!ip_address_is_usable(&op->portals[i].address))
                        return -EINVAL;

        r = array_grow(&c->operations, c->n, sizeof(StoreOperation *));
        if (r < 0)
                return r;

        copy = operation_copy(op);
        if (!copy)
                return -ENOMEM;

        c->operations[c->n++] = copy;
        return 0;
}

int changes_prepare(Database *d) {
        for (StoreVerb verb = 0; verb < _STORE_VERB_MAX; verb++) {
                const Step *steps = verb_steps(verb);

                for (size_t i = 0; steps && i < STORE_STEPS_MAX && steps[i].sql; i++) {
                        int r;

                        r = prepared_new(d, steps[i].sql, SQLITE_PREPARE_PERSISTENT, &d->steps[verb][i]);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

/* PORTAL: NULL for a statement without one. */
static int step_run(Database *d, size_t number, const StoreOperation *op, const Portal *portal) {
        const Step *step = verb_steps(op->verb) + number;
        const Prepared *p = &d->steps[op->verb][number];
        BindRoom room;
        int r;

        r = prepared_bind(d, p, op, portal, &room);
        if (r < 0)
                return r;

        r = statement_run(d, p->statement);
        if (r == 0 && step->missing)
                return database_fail_text(d, -ENOENT, "no such %s", step->missing);

        return r < 0 ? r : 0;
}

static int operation_run(Database *d, const StoreOperation *op) {
        for (size_t i = 0; i < STORE_STEPS_MAX && d->steps[op->verb][i].statement; i++) {
                bool takes_portal = d->steps[op->verb][i].takes_portal;
                size_t n = takes_portal ? op->n_portals : 1;

                for (size_t k = 0; k < n; k++) {
                        int r;

                        r = step_run(d, i, op, takes_portal ? &op->portals[k] : NULL);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

int change_apply(Database *d, const StoreChange *c) {
        for (size_t i = 0; i < c->n; i++) {
                int r;

                r = operation_run(d, c->operations[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}
