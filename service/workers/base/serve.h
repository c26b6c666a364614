/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One worker serves one connection and ends with it: systemd starts a process per connection (Accept=yes). */

#include <systemd/sd-bus.h>

/* Takes the connection that systemd passes, if its peer is root or ALLOW_USER. Returns its descriptor, or a negative errno that is logged. */
int worker_accept(const char *allow_user);

/* Puts a worker's objects on BUS. Returns 0 or a negative errno. */
typedef int (*worker_add_t)(sd_bus *bus, void *userdata);

/* Takes calls on the connection FD, one at a time, until the peer hangs up. ADD is called before the first one. Returns 0 or a negative
 * errno. */
int worker_serve(int fd, worker_add_t add, void *userdata);
