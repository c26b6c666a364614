/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a whole plan asks of the store, its row in the journal included. */

#include "change/plan.h"

/* JOURNAL_ID: the row that is written, or dropped again; 0: none. Both return 0 or a negative errno. */
int plan_store(const Plan *p, StoreChange *change, uint64_t journal_id);
int plan_unstore(const Plan *p, StoreChange *change, uint64_t journal_id);
