/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/log.h"

typedef struct Place Place;

/* One lock: those that want it, in the order in which they asked. The first of them takes it, and holds it as soon as its set has
 * its turn everywhere. Those that follow are in the queue until nobody is before them who takes it. */
typedef struct Lock {
        char *name;
        Place *first, **end;
        size_t n_takers;
        UT_hash_handle hh;
} Lock;

/* A set's place in the queue of one lock. LOCK is NULL when it has left the queue. */
struct Place {
        LockSet *set;
        Lock *lock;
        Place *next, **link;
        bool follows;
};

typedef struct Wish {
        char *name;
        bool follows;
} Wish;

struct Locks {
        sd_event *event;
        Lock *locks; /* by name; only those that somebody wants */
};

struct LockSet {
        Locks *locks;
        locks_granted_t granted;
        void *userdata;
        Wish *wishes;
        Place *places; /* one for each wish, once asked for */
        size_t n;
        bool held;
        sd_event_source *wake;
};

int locks_new(sd_event *event, Locks **ret) {
        Locks *l;

        l = calloc(1, sizeof(*l));
        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);

        *ret = l;
        return 0;
}

Locks *locks_free(Locks *l) {
        if (!l)
                return NULL;

        sd_event_unref(l->event);
        free(l);
        return NULL;
}

LockSet *lock_set_new(Locks *l, locks_granted_t granted, void *userdata) {
        LockSet *s;

        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        s->locks = l;
        s->granted = granted;
        s->userdata = userdata;
        return s;
}

static int add_wish(LockSet *s, const char *name, bool follows) {
        Wish *wishes;

        for (size_t i = 0; i < s->n; i++)
                if (strcmp(s->wishes[i].name, name) == 0) {
                        s->wishes[i].follows &= follows;
                        return 0;
                }

        wishes = reallocarray(s->wishes, s->n + 1, sizeof(Wish));
        if (!wishes)
                return -ENOMEM;
        s->wishes = wishes;
        s->wishes[s->n] = (Wish){ .name = strdup(name), .follows = follows };
        if (!s->wishes[s->n].name)
                return -ENOMEM;
        s->n++;
        return 0;
}

int lock_set_add(LockSet *s, const char *name) {
        return add_wish(s, name, false);
}

int lock_set_follow(LockSet *s, const char *name) {
        return add_wish(s, name, true);
}

/* Nobody is before P who takes the lock: a follower has left the queue then. */
static bool place_has_turn(const Place *p) {
        return !p->lock || p->lock->first == p;
}

static bool has_turn_everywhere(const LockSet *s) {
        for (size_t i = 0; i < s->n; i++)
                if (!place_has_turn(s->places + i))
                        return false;

        return true;
}

static int woken(_unused_ sd_event_source *source, void *userdata) {
        LockSet *s = userdata;

        s->wake = sd_event_source_disable_unref(s->wake);
        s->granted(s->userdata);
        return 0;
}

/* Calls back from the event loop, so that whoever gives locks back is not called from within by those that get them. */
static void grant(LockSet *s) {
        if (s->held || !has_turn_everywhere(s))
                return;

        s->held = true;
        if (sd_event_add_defer(s->locks->event, &s->wake, woken, s) < 0)
                log_oom();
}

static Lock *lock_find(const Locks *l, const char *name) {
        Lock *lock;

        HASH_FIND_STR(l->locks, name, lock);
        return lock;
}

static Lock *lock_new(Locks *l, const char *name) {
        Lock *lock;

        lock = calloc(1, sizeof(*lock));
        if (!lock)
                return NULL;
        lock->name = strdup(name);
        if (!lock->name) {
                free(lock);
                return NULL;
        }
        lock->end = &lock->first;
        HASH_ADD_KEYPTR(hh, l->locks, lock->name, strlen(lock->name), lock);
        return lock;
}

static int place_take(Place *p, LockSet *s, const Wish *w) {
        Lock *lock = lock_find(s->locks, w->name);

        *p = (Place){ .set = s, .follows = w->follows };
        if (!lock && w->follows)
                return 0; /* nobody to follow */
        if (!lock)
                lock = lock_new(s->locks, w->name);
        if (!lock)
                return -ENOMEM;

        p->lock = lock;
        p->link = lock->end;
        *lock->end = p;
        lock->end = &p->next;
        lock->n_takers += !w->follows;
        return 0;
}

static void place_unlink(Place *p) {
        Lock *lock = p->lock;

        *p->link = p->next;
        if (p->next)
                p->next->link = p->link;
        else
                lock->end = p->link;
        lock->n_takers -= !p->follows;
        p->lock = NULL;
}

/* Those that come after P may have their turn now. A queue begins with one who takes the lock, or there is none. */
static void place_leave(Place *p) {
        Lock *lock = p->lock;

        if (!lock)
                return;

        place_unlink(p);
        while (lock->first && lock->first->follows) {
                Place *follower = lock->first;

                place_unlink(follower);
                grant(follower->set);
        }
        if (lock->first) {
                grant(lock->first->set);
                return;
        }

        HASH_DELETE(hh, p->set->locks->locks, lock);
        free(lock->name);
        free(lock);
}

int locks_acquire(LockSet *s) {
        int r;

        s->places = calloc(s->n + 1, sizeof(Place));
        if (!s->places)
                return -ENOMEM;

        for (size_t i = 0; i < s->n; i++) {
                r = place_take(s->places + i, s, s->wishes + i);
                if (r < 0)
                        return r;
        }

        s->held = has_turn_everywhere(s);
        return s->held;
}

LockSet *lock_set_free(LockSet *s) {
        if (!s)
                return NULL;

        sd_event_source_disable_unref(s->wake);
        for (size_t i = 0; s->places && i < s->n; i++)
                place_leave(s->places + i);

        for (size_t i = 0; i < s->n; i++)
                free(s->wishes[i].name);
        free(s->wishes);
        free(s->places);
        free(s);
        return NULL;
}

bool lock_set_is_held(const LockSet *s) {
        return s->held;
}

size_t lock_set_size(const LockSet *s) {
        return s->n;
}

size_t lock_set_longest_queue(const LockSet *s) {
        size_t longest = 0;

        for (size_t i = 0; i < s->n; i++) {
                const Lock *lock = lock_find(s->locks, s->wishes[i].name);

                if (lock && lock->n_takers > longest)
                        longest = lock->n_takers;
        }

        return longest;
}

const char *lock_set_blocker(const LockSet *s) {
        for (size_t i = 0; s->places && i < s->n; i++)
                if (!place_has_turn(s->places + i))
                        return s->wishes[i].name;

        return NULL;
}
