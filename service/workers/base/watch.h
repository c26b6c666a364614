/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A thread that notices when the peer hangs up, also while the worker is in the kernel.
 *
 * A call that is under way then stops at its next step. If it does not get there in time, because the kernel does not come back,
 * the lock that is shared with another program is given back. */

#include <stdatomic.h>
#include <stdbool.h>

#include "workers/base/lock.h"

typedef struct Watch {
        int peer_fd;
        Locks *locks; /* not owned */
        atomic_bool gone;
} Watch;

/* Starts the thread, which lives as long as the process; W and LOCKS must as well. Returns 0 or a negative errno. */
int watch_start(Watch *w, int peer_fd, Locks *locks);

/* Whether the peer has hung up. */
bool watch_peer_is_gone(const Watch *w);
