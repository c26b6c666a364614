/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The first pass: what is desired (the store) against what is there (the backend), before the service takes its name. */

#include "bus/manager.h"

/* Reads the store into the model. Returns 0 or a negative errno, which it has logged. */
int startup_load(Manager *m);

/* Looks at what is there and brings up what is missing:
 *   equal → taken as it is;  missing, or not yet in force → made;  more than desired → Drifted;
 *   there and not desired → shown as not managed, read-only.
 * A failure is shown in the object's state and does not end the pass; after a time-out of the backend, or when it cannot be reached, nothing
 * more is tried. DONE is called once, from the event loop. */
int startup_begin(Manager *m, void (*done)(Manager *m));

Startup *startup_free(Startup *s);
