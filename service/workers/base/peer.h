/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The other end of the connection: the service. */

#include <stdbool.h>

/* Only root and ALLOW_USER may call. The socket's mode says the same; this holds where the mode was changed. Returns 0, or a
 * negative errno that is logged. */
int peer_check(int fd, const char *allow_user);

/* Whether the other end of the connection is gone; waits up to MSEC for it to go. */
bool peer_has_hung_up(int fd, int msec);
