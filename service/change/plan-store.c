/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/plan-store.h"

#include "change/journal.h"

int plan_store(const Plan *p, StoreChange *change, uint64_t journal_id) {
        int r;

        for (size_t i = 0; i < p->n_operations; i++)
                if (p->operations[i]->kind->store) {
                        r = p->operations[i]->kind->store(p->operations[i], change);
                        if (r < 0)
                                return r;
                }

        return journal_id ? journal_add(p, change, journal_id) : 0;
}

int plan_unstore(const Plan *p, StoreChange *change, uint64_t journal_id) {
        int r;

        for (size_t i = p->n_operations; i > 0; i--)
                if (p->operations[i - 1]->kind->unstore) {
                        r = p->operations[i - 1]->kind->unstore(p->operations[i - 1], change);
                        if (r < 0)
                                return r;
                }

        return journal_id ? journal_drop(change, journal_id) : 0;
}
