/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the store holds, put into the model. */

#include "change/context.h"

/* Fills the model of C from IMAGE. Objects from an earlier image are taken out of the model first; no change may be under way
 * then. Returns 0 or a negative errno. */
int context_load(Context *c, const StoreImage *image);
