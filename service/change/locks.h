/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may change what now. A change takes all of its locks at once, each a name such as "node/iqn.…". It holds them when it is
 * the first of those that asked for each. Since every change enters all of its queues in one step, changes can never wait for
 * each other in a circle.
 *
 * A set can also follow a lock: it waits until all that asked for it before are done, and holds up nobody. So what was sent after
 * a change sees that change, while any number of followers go side by side. */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct Locks Locks;
typedef struct LockSet LockSet;

typedef void (*locks_granted_t)(void *userdata);

/* Returns 0 or a negative errno. */
int locks_new(sd_event *event, Locks **ret);
Locks *locks_free(Locks *l); /* after all of its sets */

/* The locks of one change. GRANTED is called from the event loop, once, if locks_acquire() answered 0 and the turn comes. */
LockSet *lock_set_new(Locks *l, locks_granted_t granted, void *userdata);

/* Gives back or leaves the queues. NULL is fine. Returns NULL. */
LockSet *lock_set_free(LockSet *s);
DEFINE_TRIVIAL_CLEANUP(LockSet *, lock_set_free);

/* Adds a lock, once. Only before locks_acquire(). Returns 0 or -ENOMEM. */
int lock_set_add(LockSet *s, const char *name);

/* Follows a lock, unless it is added as well. As lock_set_add() otherwise. */
int lock_set_follow(LockSet *s, const char *name);

/* Returns 1 if the locks are held at once, 0 if they have to be waited for. */
int locks_acquire(LockSet *s);

bool lock_set_is_held(const LockSet *s);

/* How many locks are in S, with those that it follows. */
size_t lock_set_size(const LockSet *s);

/* How many hold or wait for a lock of S, at the lock where they are most. Followers do not count. */
size_t lock_set_longest_queue(const LockSet *s);

/* The name of a lock of S that another change holds or wants earlier; NULL if there is none. */
const char *lock_set_blocker(const LockSet *s);
