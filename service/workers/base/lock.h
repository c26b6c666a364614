/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may change what a worker changes at the same time.
 *
 * Another program may take flock(LOCK_EX) on a file before it does anything. A worker takes the same lock shared: workers exclude that program,
 * but not each other.
 *
 * Two workers must not change one node at the same time, be it that one of them hangs in the kernel, was given up and wakes later. So
 * each also locks one byte of that file, at an offset made from the node's name, with an open file description lock; those know
 * nothing of flock. (Two names with the same offset wait for each other without need, that is all.) Both locks go with the process. */

#include "workers/base/report.h"

typedef struct LockFile {
        const char *path;
        unsigned timeout;  /* seconds to wait for each of the two locks */
        const char *other; /* for people: what of the other program holds it, "an open targetcli session" */
} LockFile;

/* Takes both locks for NODE, creating the file (0600) if missing. The wait ends early when the peer of PEER_FD hangs up. On success *RET_FD
 * holds the locks until it is closed. Errors: Busy (the message names the file or the node), Failed. */
int lock_take(const LockFile *file, const char *node, int peer_fd, Report *report, int *ret_fd);
