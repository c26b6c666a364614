/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One worker serves one connection and ends with it: systemd starts a process per connection (Accept=yes). */

#include "workers/base/engine.h"
#include "workers/base/options.h"

/* Takes the connection that systemd passes, if its peer is root or the user that may call. Returns its descriptor, or a negative
 * errno that is logged. */
int worker_accept(const WorkerOptions *o);

/* Takes calls on the connection FD, one at a time, until the peer hangs up. USERDATA is handed to ENGINE's functions. The
 * connection can pass file descriptors. Returns 0 or a negative errno. */
int worker_serve(int fd, const WorkerOptions *o, const WorkerEngine *engine, void *userdata);
