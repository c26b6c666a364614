/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Locks: first come, first served at each of them, and all at once. */

#include <glib.h>
#include <string.h>

#include "change/locks.h"

typedef struct Fixture {
        sd_event *event;
        Locks *locks;
        GString *granted; /* names of the sets that were told, in order */
} Fixture;

typedef struct Set {
        Fixture *f;
        LockSet *set;
        const char *name;
} Set;

static void setup(Fixture *f, gconstpointer data) {
        g_assert_cmpint(sd_event_new(&f->event), >=, 0);
        g_assert_cmpint(locks_new(f->event, &f->locks), ==, 0);
        f->granted = g_string_new("");
}

static void teardown(Fixture *f, gconstpointer data) {
        locks_free(f->locks);
        sd_event_unref(f->event);
        g_string_free(f->granted, true);
}

static void on_granted(void *userdata) {
        Set *s = userdata;

        g_assert_true(lock_set_is_held(s->set));
        g_string_append(s->f->granted, s->name);
}

/* NAMES: one letter for each lock, a capital one for a lock to follow. Returns what locks_acquire() does. */
static int want(Fixture *f, Set *s, const char *name, const char *names) {
        int r;

        *s = (Set){ .f = f, .name = name };
        g_assert_nonnull(s->set = lock_set_new(f->locks, on_granted, s));
        for (const char *p = names; *p; p++)
                g_assert_cmpint(
                        (g_ascii_isupper(*p) ? lock_set_follow : lock_set_add)(s->set, (char[]){ g_ascii_tolower(*p), '\0' }), ==,
                        0);
        r = locks_acquire(s->set);
        g_assert_cmpint(lock_set_is_held(s->set), ==, r);
        return r;
}

static void run(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

/* Gives back from outside the event loop; whoever gets the locks is told by the loop, not from within. */
static void release(Fixture *f, Set *s, const char *then_granted) {
        s->set = lock_set_free(s->set);
        g_assert_cmpstr(f->granted->str, ==, "");
        run(f);
        g_assert_cmpstr(f->granted->str, ==, then_granted);
        g_string_truncate(f->granted, 0);
}

static void test_free_at_once(Fixture *f, gconstpointer data) {
        Set a, b, none;

        g_assert_cmpint(want(f, &a, "a", "xy"), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "z"), ==, 1);
        g_assert_cmpint(want(f, &none, "n", ""), ==, 1);
        g_assert_null(lock_set_blocker(a.set));
        run(f);
        g_assert_cmpstr(f->granted->str, ==, ""); /* who holds them at once is not told again */
        release(f, &none, "");
        release(f, &b, "");
        release(f, &a, "");
        g_assert_null(lock_set_free(NULL));
}

static void test_fifo(Fixture *f, gconstpointer data) {
        Set s[6];

        g_assert_cmpint(want(f, s + 0, "0", "x"), ==, 1);
        for (unsigned i = 1; i < G_N_ELEMENTS(s); i++) {
                static const char *const names[] = { "0", "1", "2", "3", "4", "5" };

                g_assert_cmpint(want(f, s + i, names[i], "x"), ==, 0);
                g_assert_cmpuint(lock_set_longest_queue(s[i].set), ==, i + 1);
                g_assert_cmpstr(lock_set_blocker(s[i].set), ==, "x");
        }
        release(f, s + 0, "1");
        release(f, s + 3, ""); /* leaves the queue */
        release(f, s + 1, "2");
        release(f, s + 2, "4");
        release(f, s + 4, "5");
        release(f, s + 5, "");
}

/* A set waits for all of its locks, and holds its place in each queue meanwhile. */
static void test_all_at_once(Fixture *f, gconstpointer data) {
        Set a, b, c, d, e;

        g_assert_cmpint(want(f, &a, "a", "x"), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "y"), ==, 1);
        g_assert_cmpint(want(f, &c, "c", "xyz"), ==, 0);
        g_assert_cmpint(want(f, &d, "d", "z"), ==, 0); /* behind c, though nobody holds z */
        g_assert_cmpint(want(f, &e, "e", "q"), ==, 1);
        g_assert_cmpstr(lock_set_blocker(d.set), ==, "z");

        release(f, &a, "");
        g_assert_cmpstr(lock_set_blocker(c.set), ==, "y");
        release(f, &e, "");
        release(f, &b, "c");
        release(f, &c, "d");
        release(f, &d, "");
}

/* One that gives several locks back lets several go on; one that leaves while it waits unblocks those behind it. */
static void test_release_order(Fixture *f, gconstpointer data) {
        Set a, b, c, d;

        g_assert_cmpint(want(f, &a, "a", "xyz"), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "x"), ==, 0);
        g_assert_cmpint(want(f, &c, "c", "zy"), ==, 0);
        g_assert_cmpint(want(f, &d, "d", "yz"), ==, 0);
        a.set = lock_set_free(a.set);
        run(f);
        g_assert_true(g_str_equal(f->granted->str, "bc") || g_str_equal(f->granted->str, "cb"));
        g_string_truncate(f->granted, 0);
        release(f, &c, "d");
        release(f, &b, "");
        release(f, &d, "");

        g_assert_cmpint(want(f, &a, "a", "x"), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "xy"), ==, 0);
        g_assert_cmpint(want(f, &c, "c", "y"), ==, 0);
        release(f, &b, "c");
        release(f, &a, "");
        release(f, &c, "");
}

/* Those that follow a lock wait for all that asked for it before, go side by side, and hold up nobody. */
static void test_follow(Fixture *f, gconstpointer data) {
        Set a, b, c, d, e, g;

        g_assert_cmpint(want(f, &a, "a", "X"), ==, 1); /* nobody to follow */
        g_assert_cmpint(want(f, &b, "b", "x"), ==, 1); /* which does not wait for a */
        g_assert_cmpint(want(f, &c, "c", "pX"), ==, 0);
        g_assert_cmpint(want(f, &d, "d", "Xq"), ==, 0);
        g_assert_cmpint(want(f, &e, "e", "x"), ==, 0);
        g_assert_cmpint(want(f, &g, "g", "X"), ==, 0);
        g_assert_cmpstr(lock_set_blocker(c.set), ==, "x");
        g_assert_cmpuint(lock_set_longest_queue(g.set), ==, 2); /* b and e: followers do not count */

        b.set = lock_set_free(b.set);
        run(f);
        g_assert_cmpuint(f->granted->len, ==, 3); /* c, d and e at once */
        g_assert_cmpint(lock_set_is_held(c.set) && lock_set_is_held(d.set) && lock_set_is_held(e.set), ==, true);
        g_string_truncate(f->granted, 0);
        release(f, &c, "");
        release(f, &e, "g");
        release(f, &d, "");
        release(f, &a, "");
        release(f, &g, "");
}

/* One that leaves while others follow it; one that follows and waits elsewhere; and one that both follows and takes a lock. */
static void test_follow_and_leave(Fixture *f, gconstpointer data) {
        Set a, b, c, d, e;

        g_assert_cmpint(want(f, &a, "a", "x"), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "x"), ==, 0);
        g_assert_cmpint(want(f, &c, "c", "X"), ==, 0);
        release(f, &b, ""); /* c still follows a */
        g_assert_cmpstr(lock_set_blocker(c.set), ==, "x");
        g_assert_cmpint(want(f, &d, "d", "y"), ==, 1);
        g_assert_cmpint(want(f, &e, "e", "Xy"), ==, 0);
        release(f, &a, "c");
        g_assert_cmpstr(lock_set_blocker(e.set), ==, "y");
        release(f, &c, "");
        release(f, &d, "e");
        release(f, &e, "");

        g_assert_cmpint(want(f, &a, "a", "XxX"), ==, 1);
        g_assert_cmpuint(lock_set_size(a.set), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "X"), ==, 0); /* so it takes it */
        g_assert_cmpint(want(f, &c, "c", "X"), ==, 0);
        release(f, &b, "");
        release(f, &a, "c");
        release(f, &c, "");
}

/* Granted, but given back before the loop told it. */
static void test_freed_before_told(Fixture *f, gconstpointer data) {
        Set a, b, c;

        g_assert_cmpint(want(f, &a, "a", "x"), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "x"), ==, 0);
        g_assert_cmpint(want(f, &c, "c", "x"), ==, 0);
        a.set = lock_set_free(a.set);
        g_assert_true(lock_set_is_held(b.set));
        b.set = lock_set_free(b.set);
        run(f);
        g_assert_cmpstr(f->granted->str, ==, "c");
        c.set = lock_set_free(c.set);

        g_assert_null(lock_set_free(lock_set_new(f->locks, on_granted, &a))); /* never asked for */
}

/* A name twice is one lock: nobody waits for itself. */
static void test_twice(Fixture *f, gconstpointer data) {
        Set a, b;

        g_assert_cmpint(want(f, &a, "a", "xyxxy"), ==, 1);
        g_assert_cmpuint(lock_set_longest_queue(a.set), ==, 1);
        g_assert_cmpint(want(f, &b, "b", "yy"), ==, 0);
        g_assert_cmpuint(lock_set_longest_queue(b.set), ==, 2);
        release(f, &a, "b");
        release(f, &b, "");
}

/* Told of the longest queue, also before it stands in it: that is how a bound is kept. */
static void test_longest_queue(Fixture *f, gconstpointer data) {
        LockSet *late = lock_set_new(f->locks, NULL, NULL);
        Set s[8];

        for (unsigned i = 0; i < G_N_ELEMENTS(s); i++)
                (void) want(f, s + i, "s", i % 2 ? "xy" : "x");
        g_assert_cmpint(lock_set_add(late, "q"), ==, 0);
        g_assert_cmpuint(lock_set_longest_queue(late), ==, 0);
        g_assert_cmpint(lock_set_add(late, "y"), ==, 0);
        g_assert_cmpuint(lock_set_longest_queue(late), ==, 4);
        g_assert_cmpint(lock_set_add(late, "x"), ==, 0);
        g_assert_cmpuint(lock_set_longest_queue(late), ==, 8);
        g_assert_null(lock_set_blocker(late)); /* does not wait */
        lock_set_free(late);
        for (unsigned i = 0; i < G_N_ELEMENTS(s); i++)
                lock_set_free(s[i].set);
}

#define N_SETS 200u
#define N_NAMES 12u

typedef struct Random {
        Fixture *f;
        LockSet *set;
        unsigned names; /* a bit for each */
        unsigned number;
        bool held;
} Random;

static unsigned held_names, n_granted;
static Random all[N_SETS];

static void random_granted(void *userdata) {
        Random *r = userdata;

        g_assert_true(lock_set_is_held(r->set));
        g_assert_cmpuint(held_names & r->names, ==, 0); /* nobody else has any of them */
        /* Nobody who asked before and shares a lock still waits. */
        for (unsigned i = 0; i < r->number; i++)
                g_assert_true(!all[i].set || all[i].held || !(all[i].names & r->names));
        held_names |= r->names;
        r->held = true;
        n_granted++;
}

/* Random sets, asked for and given back in any order: each is served, none twice, no two at a time that share a lock. */
static void test_random(Fixture *f, gconstpointer data) {
        unsigned n_done = 0, n = 0;

        held_names = n_granted = 0;
        memset(all, 0, sizeof(all));
        while (n_done < N_SETS) {
                Random *r;

                if (n < N_SETS && g_test_rand_int_range(0, 2) == 0) {
                        r = all + n;
                        *r = (Random){ .f = f, .number = n };
                        g_assert_nonnull(r->set = lock_set_new(f->locks, random_granted, r));
                        for (int k = g_test_rand_int_range(0, 5); k > 0; k--) {
                                unsigned name = (unsigned) g_test_rand_int_range(0, N_NAMES);
                                g_autofree char *text = g_strdup_printf("node/%u", name);

                                r->names |= 1u << name;
                                g_assert_cmpint(lock_set_add(r->set, text), ==, 0);
                        }
                        n++;
                        if (locks_acquire(r->set) == 1)
                                random_granted(r);
                        continue;
                }

                (void) sd_event_run(f->event, 0);
                /* Somebody holds its locks as long as somebody wants some: there is no deadlock. */
                if (n == N_SETS && n_granted == n_done)
                        g_assert_cmpint(sd_event_run(f->event, 0), >, 0);
                r = all + g_test_rand_int_range(0, (int) N_SETS);
                if (!r->held || !r->set)
                        continue;
                held_names &= ~r->names;
                r->set = lock_set_free(r->set);
                n_done++;
        }
        g_assert_cmpuint(n_granted, ==, N_SETS);
        g_assert_cmpuint(held_names, ==, 0);
}

#define ADD(name, function) g_test_add("/locks/" name, Fixture, NULL, setup, function, teardown)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        ADD("free-at-once", test_free_at_once);
        ADD("fifo", test_fifo);
        ADD("all-at-once", test_all_at_once);
        ADD("release-order", test_release_order);
        ADD("follow", test_follow);
        ADD("follow-and-leave", test_follow_and_leave);
        ADD("freed-before-told", test_freed_before_told);
        ADD("twice", test_twice);
        ADD("longest-queue", test_longest_queue);
        ADD("random", test_random);
        return g_test_run();
}
