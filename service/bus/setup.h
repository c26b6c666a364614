/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The order in which the parts of the service come and go. */

#include "bus/manager.h"

/* Sets everything up and begins the first look; the bus gives us our name when that is over. OPTIONS must live as long as M.
 * Returns 0, or a negative errno that was logged. */
int manager_setup(Manager *m, const ManagerOptions *options);
void manager_done(Manager *m);

/* Looks at everything again. */
void manager_look_again(Manager *m);
