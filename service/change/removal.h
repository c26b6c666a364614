/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Removals that a crash or a hung backend cut short are called again by the service itself. */

#include "change/engine.h"

/* Whether something of NODE, the node included, is being removed and was not finished. */
bool removal_is_pending(const Node *node);

/* Starts what is left of the removals of NODE, its ports and their bindings. Returns how many were started; ENDED is called
 * later, once for each, however it ended. */
size_t removal_resume(Engine *e, Context *c, const Node *node, void (*ended)(void *userdata), void *userdata);
