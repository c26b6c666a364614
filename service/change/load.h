/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the store holds, put into the model. */

#include "change/context.h"

/* Fills the model of C from IMAGE. Objects from an earlier image are taken out of the model first, what other programs have
 * stays; no change may be under way then. Returns 0 or a negative errno. */
int context_load(Context *c, const StoreImage *image);

/* Adds the host's own node, if there is a backend that has one; context_load() does so, too. */
int context_add_host(Context *c);

/* Has the store know it, if it does not yet: ports of it can be stored after that. What becomes of it is logged. */
int context_store_host(Context *c);
