/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* open-iscsi's lock: a hard link, lock.write beside lock. Who makes it has it, and removes it. It names no holder, so one that
 * was killed leaves it for ever.
 *
 * What we link is a file of our own, which we also hold locked with flock(2). So a lock.write of a worker that died can be told
 * from all others, and is removed by the next worker. */

#include "common/macro.h"
#include "workers/base/report.h"
#include "workers/base/watch.h"
#include "workers/open-iscsi/installation.h"

typedef struct DatabaseLock {
        int fd; /* our file behind lock.write; -1: not held */
        char *path;
} DatabaseLock;

/* The path of open-iscsi's lock: a fresh string or NULL. */
char *database_lock_path(const Installation *at);

/* Whether the directory of the lock is root's alone: who could write there could put links in the way of what is made and removed
 * in it. Returns 0, -ENOENT if it is not there, or a negative errno with the report filled. */
int database_lock_check_directory(const Installation *at, Report *report);

/* Takes the lock. WATCH (may be NULL) ends the wait early when the peer hangs up. Errors: Busy, whose message says how long the
 * lock has been there; Failed. */
int database_lock(const Installation *at, const Watch *watch, DatabaseLock *ret, Report *report);
void database_unlock(DatabaseLock *l);

/* Removes the lock if a worker that died left it. */
void database_lock_clean(const Installation *at);
