/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may change what a worker changes at the same time.
 *
 * Another program may take flock(LOCK_EX) on a file before it does anything. A worker takes the same lock shared: workers exclude
 * that program, but not each other. It holds the lock during a call and not longer. A worker that hangs in the kernel cannot give
 * it back itself, so another thread does that once the caller has given up (watch.h).
 *
 * Two workers must not change one node at the same time, be it that one of them hangs in the kernel, was given up and wakes
 * later. So each also locks one byte of that file, at an offset made from the node's name, with an open file description lock;
 * those know nothing of flock. (Two names with the same offset wait for each other without need, that is all.) This lock stays
 * with a worker that hangs. A second byte beside it says that the worker hangs, so that others can tell it from one that is busy.
 *
 * The kernel lets shared locks pass an exclusive one that waits. Workers that follow each other closely would keep the other
 * program out for ever, so a worker looks now and then whether somebody waits, and lets him go first. */

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "workers/base/report.h"

typedef struct LockFile {
        const char *path;
        unsigned timeout;  /* seconds to wait for each of the two locks */
        const char *other; /* for people: what of the other program holds it, "an open targetcli session" */
} LockFile;

typedef struct Locks {
        LockFile file;
        pthread_mutex_t mutex; /* for what follows; never held while something is waited for */
        int fd;                /* the file, -1 before the first use; it stays open between calls */
        dev_t device;          /* what is open */
        ino_t inode;
        off_t node; /* the byte of the node, while HELD */
        bool held;
        bool abandoned; /* the shared lock was given back while the call goes on */

        int proc_fd;          /* /proc/locks, -1 before the first look and where it cannot be read */
        uint64_t looked_msec; /* when somebody who waits was looked for last */
        bool waited_for;      /* what was seen then */
} Locks;

void locks_init(Locks *l, const LockFile *file);
void locks_done(Locks *l);

/* Takes both locks for NODE, creating the file (0600) if missing. The wait ends early when the peer of PEER_FD hangs up. Errors:
 * Busy (the message names the file or the node), Stuck (a worker hangs in the kernel with this node), Failed. */
int locks_take(Locks *l, const char *node, int peer_fd, Report *report);

/* Gives both back. */
void locks_give_back(Locks *l);

/* For another thread, while the one that took the locks hangs: gives the shared one back and marks the node as stuck. */
void locks_abandon(Locks *l);

/* Takes the shared lock again if it was abandoned, or goes on without it when its time is over. */
void locks_resume(Locks *l);

/* To be called between two calls: looks whether somebody waits for the exclusive lock. The next locks_take() then lets him pass.
 * */
void locks_look(Locks *l);

/* Whether the lines of /proc/locks in TEXT tell of somebody who waits for flock(LOCK_EX) on this file. */
bool locks_text_has_waiter(const char *text, dev_t device, ino_t inode);
