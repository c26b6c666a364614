/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The dry run: what a change would do, and whether it would be refused. The plan is made and released, and the backends are asked
 * to decide without acting. As in the call itself, another Identifier is tried if the one that the service chose is another
 * program's. Nothing is written, locked or reserved, and polkit is not asked. */

#include "change/context.h"
#include "change/intent.h"

typedef struct Check Check;

typedef struct CheckResult {
        Refusal refusal;
        const char *why;
        char *const *effects; /* a sentence for each operation */
        size_t n_effects;
        char *const *warnings;
        size_t n_warnings;
        const char *identifier; /* of the first port that would be made; "" if none would */
} CheckResult;

typedef void (*check_done_t)(const CheckResult *result, void *userdata);

/* Starts to check INTENT, which stays the caller's and must live as long as the check. DONE is called once, perhaps from within.
 * Returns 0 or a negative errno; *RET is NULL when it is done already. */
int check_begin(Context *c, const Intent *intent, check_done_t done, void *userdata, Check **ret);
Check *check_free(Check *c); /* forgets the answer */
