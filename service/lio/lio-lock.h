/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may change the tree at the same time.
 *
 * targetcli takes flock(LOCK_EX) on /run/targetcli.lock before it does anything and waits for it without limit; an interactive
 * targetcli keeps it until its user leaves. targetclid, targetctl and programs that use rtslib directly take no lock. We take the same
 * lock shared: our workers exclude targetcli, but not each other.
 *
 * Two workers must not change one node at the same time, be it that one of them hangs in the kernel, was given up and wakes later. So
 * each also locks one byte of that file, at an offset made from the node's name, with an open file description lock; those know
 * nothing of flock. (Two names with the same offset wait for each other without need, that is all.) Both locks go with the process. */

#include "lio/lio-report.h"

/* Takes both locks for NODE, creating the file PATH (0600) if missing, waiting at most TIMEOUT seconds for each. The wait ends early
 * when the peer of PEER_FD hangs up. On success *RET_FD holds the locks until it is closed. Errors: Busy (the message names the file
 * or the node), Failed. */
int lio_lock_take(const char *path, unsigned timeout, const char *node, int peer_fd, LioReport *report, int *ret_fd);
