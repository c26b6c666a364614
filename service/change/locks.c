/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/log.h"

typedef struct Place Place;

/* One lock: those that want it, in the order in which they asked. The first holds it as soon as it is first everywhere. */
typedef struct Lock {
        char *name;
        Place *first, **end;
        size_t n;
        UT_hash_handle hh;
} Lock;

/* A set's place in the queue of one lock. */
struct Place {
        LockSet *set;
        Lock *lock;
        Place *next, **link;
};

struct Locks {
        sd_event *event;
        Lock *locks; /* by name; only those that somebody wants */
};

struct LockSet {
        Locks *locks;
        locks_granted_t granted;
        void *userdata;
        char **names;
        Place *places; /* one for each name, once asked for */
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

int lock_set_add(LockSet *s, const char *name) {
        char **names;

        for (size_t i = 0; i < s->n; i++)
                if (strcmp(s->names[i], name) == 0)
                        return 0;

        names = reallocarray(s->names, s->n + 1, sizeof(char *));
        if (!names)
                return -ENOMEM;
        s->names = names;
        s->names[s->n] = strdup(name);
        if (!s->names[s->n])
                return -ENOMEM;
        s->n++;
        return 0;
}

static bool is_first_everywhere(const LockSet *s) {
        for (size_t i = 0; i < s->n; i++)
                if (s->places[i].lock->first != s->places + i)
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
        if (s->held || !is_first_everywhere(s))
                return;

        s->held = true;
        if (sd_event_add_defer(s->locks->event, &s->wake, woken, s) < 0)
                log_oom();
}

static int place_take(Place *p, LockSet *s, const char *name) {
        Lock *lock;

        HASH_FIND_STR(s->locks->locks, name, lock);
        if (!lock) {
                lock = calloc(1, sizeof(*lock));
                if (!lock)
                        return -ENOMEM;
                lock->name = strdup(name);
                if (!lock->name) {
                        free(lock);
                        return -ENOMEM;
                }
                lock->end = &lock->first;
                HASH_ADD_KEYPTR(hh, s->locks->locks, lock->name, strlen(lock->name), lock);
        }

        *p = (Place){ .set = s, .lock = lock, .link = lock->end };
        *lock->end = p;
        lock->end = &p->next;
        lock->n++;
        return 0;
}

/* Returns the one who is first now, if that changed. */
static LockSet *place_leave(Place *p) {
        Lock *lock = p->lock;
        bool was_first = lock->first == p;

        if (!lock)
                return NULL;

        *p->link = p->next;
        if (p->next)
                p->next->link = p->link;
        else
                lock->end = p->link;
        lock->n--;
        p->lock = NULL;

        if (!lock->first) {
                HASH_DELETE(hh, ((LockSet *) p->set)->locks->locks, lock);
                free(lock->name);
                free(lock);
                return NULL;
        }

        return was_first ? lock->first->set : NULL;
}

int locks_acquire(LockSet *s) {
        int r;

        s->places = calloc(s->n + 1, sizeof(Place));
        if (!s->places)
                return -ENOMEM;

        for (size_t i = 0; i < s->n; i++) {
                r = place_take(s->places + i, s, s->names[i]);
                if (r < 0)
                        return r;
        }

        s->held = is_first_everywhere(s);
        return s->held;
}

LockSet *lock_set_free(LockSet *s) {
        if (!s)
                return NULL;

        sd_event_source_disable_unref(s->wake);
        for (size_t i = 0; s->places && i < s->n; i++) {
                LockSet *next = s->places[i].lock ? place_leave(s->places + i) : NULL;

                if (next)
                        grant(next);
        }

        for (size_t i = 0; i < s->n; i++)
                free(s->names[i]);
        free(s->names);
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
                const Lock *lock;

                HASH_FIND_STR(s->locks->locks, s->names[i], lock);
                if (lock && lock->n > longest)
                        longest = lock->n;
        }

        return longest;
}

const char *lock_set_blocker(const LockSet *s) {
        for (size_t i = 0; s->places && i < s->n; i++)
                if (s->places[i].lock && s->places[i].lock->first != s->places + i)
                        return s->names[i];

        return NULL;
}
