/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store without memory: each allocation of its own code fails in turn. A change is stored or it is not, everybody hears
 * which, and all goes on afterwards. What SQLite does without memory is tested by test-store-faults.c. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "store-fixture.h"

void *test_malloc(size_t size);
void *test_calloc(size_t n, size_t size);
void *test_reallocarray(void *p, size_t n, size_t size);
char *test_strdup(const char *text);
int test_asprintf(char **ret, const char *format, ...) _printf_(2, 3);

/* Counted in both threads. */
static _Atomic unsigned n_allocations, failing;

static bool fails(void) {
        return ++n_allocations == failing;
}

void *test_malloc(size_t size) {
        return fails() ? NULL : malloc(size);
}

void *test_calloc(size_t n, size_t size) {
        return fails() ? NULL : calloc(n, size);
}

void *test_reallocarray(void *p, size_t n, size_t size) {
        return fails() ? NULL : reallocarray(p, n, size);
}

char *test_strdup(const char *text) {
        return fails() ? NULL : strdup(text);
}

int test_asprintf(char **ret, const char *format, ...) {
        va_list ap;
        int n;

        if (fails())
                return -1;

        va_start(ap, format);
        n = vasprintf(ret, format, ap);
        va_end(ap);
        return n;
}

/* From now on, allocation number AT fails. */
static void fail_at(unsigned at) {
        n_allocations = 0;
        failing = at;
}

/* Returns whether there was such a one. */
static bool end_failing(void) {
        bool reached = n_allocations >= failing;

        failing = 0;
        return reached;
}

typedef struct State {
        unsigned n_opened, n_unavailable;
        int error;
} State;

static void opened(Store *s, const StoreImage *image, void *userdata) {
        State *state = userdata;

        state->n_opened++;
}

static void unavailable(Store *s, const StoreFault *fault, void *userdata) {
        State *state = userdata;

        g_assert_nonnull(fault->why);
        g_assert_cmpstr(fault->why, !=, "");
        state->n_unavailable++;
        state->error = fault->error;
}

static const StoreCallbacks callbacks = { opened, unavailable };

/* Opens a directory while allocation AT fails; the next attempt works. Returns whether there was such a one. */
static bool open_at(const char *directory, unsigned at, int error, unsigned *n_failures) {
        sd_event *event = NULL;
        State state = {};
        Store *s = NULL;
        bool reached;
        int r;

        g_assert_cmpint(sd_event_new(&event), ==, 0);
        fail_at(at);
        r = store_new(event, directory, &callbacks, &state, &s);
        if (r >= 0)
                while (state.n_opened + state.n_unavailable == 0)
                        g_assert_cmpint(sd_event_run(event, G_USEC_PER_SEC), >=, 0);
        reached = end_failing();

        if (r < 0)
                g_assert_cmpint(r, ==, -ENOMEM);
        else if (state.n_unavailable > 0 && state.error != error)
                g_assert_cmpint(state.error, ==, -ENOMEM);
        *n_failures += r < 0 || state.error == -ENOMEM;

        if (r >= 0 && error == 0)
                while (state.n_opened == 0)
                        g_assert_cmpint(sd_event_run(event, G_USEC_PER_SEC), >=, 0);
        store_close(s);
        sd_event_unref(event);
        return reached;
}

static void test_open(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        unsigned n_failures = 0, at;
        g_autofree char *text = NULL;

        for (unsigned i = 0; i < 20; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);

        for (at = 1; open_at(directory, at, 0, &n_failures); at++)
                ;
        g_test_message("%u allocations", at - 1);
        g_assert_cmpuint(n_failures, >, 10);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(20));
        directory_remove(directory);
}

static void test_first_start(void) {
        unsigned n_failures = 0;
        bool reached = true;

        for (unsigned at = 1; reached; at++) {
                char *directory = directory_new();
                g_autofree char *text = NULL;

                reached = open_at(directory, at, 0, &n_failures);
                text = directory_dump(directory);
                g_assert_cmpstr(text, ==, "");
                directory_remove(directory);
        }
        g_assert_cmpuint(n_failures, >, 5);
}

/* The reason cannot be told in full. */
static void test_open_damaged(void) {
        char *directory = directory_new();
        g_autofree char *file = store_file(directory, ""), *content = NULL;
        unsigned n_failures = 0;

        g_assert_true(g_file_set_contents(file, "no database", -1, NULL));
        for (unsigned at = 1; open_at(directory, at, -EUCLEAN, &n_failures); at++)
                ;
        g_assert_cmpuint(n_failures, >, 3);

        g_assert_true(g_file_get_contents(file, &content, NULL, NULL));
        g_assert_cmpstr(content, ==, "no database");
        directory_remove(directory);
}

typedef struct Outcome {
        unsigned n;
        int result;
} Outcome;

static void got(int r, const char *why, void *userdata) {
        Outcome *o = userdata;

        o->n++;
        o->result = r;
        g_assert_true((r < 0) == (why != NULL));
}

/* A change set of two operations, one of them with portals; or, if REFUSED, one that the file refuses. */
static int commit(TestStore *s, unsigned number, bool refused, Outcome *o) {
        g_autofree char *name = g_strdup_printf("node-%u", refused ? 0 : number);
        Portal portals[] = { portal("10.0.0.1:3260"), portal("10.0.0.2:3260") };
        _cleanup_(store_change_freep) StoreChange *c = store_change_new();
        int r;

        if (!c)
                return -ENOMEM;
        r = store_change_add(c, &(StoreOperation){ .verb = STORE_ADD_NODE, .node = name, .roles = 8 });
        if (r >= 0)
                r = store_change_add(c, &(StoreOperation){ .verb = STORE_ADD_PORT,
                                                           .node = name,
                                                           .role = 3,
                                                           .identifier = 1,
                                                           .enabled = true,
                                                           .portals = portals,
                                                           .n_portals = ELEMENTSOF(portals) });
        if (r < 0)
                return r;

        return store_commit(s->store, TAKE_PTR(c), STORE_NOW, got, o, NULL);
}

static void test_commit(void) {
        for (int refused = 0; refused <= 1; refused++) {
                char *directory = directory_new();
                TestStore *s = directory_open(directory);
                unsigned n_failures = 0, n_stored = 0;
                bool reached = true;
                Outcome first = {};
                sqlite3 *db;

                g_assert_cmpint(commit(s, 0, false, &first), ==, 0);
                test_store_wait(s, &first.n, 1);

                for (unsigned at = 1; reached; at++) {
                        Outcome o = {};
                        int r;

                        fail_at(at);
                        r = commit(s, at, refused, &o);
                        if (r >= 0)
                                test_store_wait(s, &o.n, 1);
                        reached = end_failing();

                        g_assert_cmpuint(o.n, ==, r >= 0);
                        if (r < 0)
                                g_assert_cmpint(r, ==, -ENOMEM);
                        else
                                g_assert_cmpint(o.result, ==, refused ? -EEXIST : 0);
                        n_failures += r < 0;
                        n_stored += r >= 0 && o.result >= 0;
                }
                g_assert_cmpuint(n_failures, >=, 5);
                g_assert_cmpint(s->error, ==, 0);

                db = raw_open(directory);
                g_assert_cmpint(raw_integer(db, "SELECT count(*) FROM node"), ==, (int) n_stored + 1);
                g_assert_cmpint(raw_integer(db, "SELECT count(*) FROM port"), ==, (int) n_stored + 1);
                sqlite3_close(db);
                test_store_close(s);
                directory_remove(directory);
        }
}

static void test_begin_new(void) {
        bool reached = true;
        unsigned n_failures = 0;

        for (unsigned at = 1; reached; at++) {
                char *directory = directory_new(), *aside = NULL, *why = NULL;
                g_autofree char *file = store_file(directory, ""), *list = NULL;
                int r;

                g_assert_true(g_file_set_contents(file, "no database", -1, NULL));
                fail_at(at);
                r = store_begin_new(directory, &aside, &why);
                reached = end_failing();
                if (r < 0) {
                        g_assert_cmpint(r, ==, -ENOMEM);
                        list = directory_list(directory);
                        g_assert_cmpstr(list, ==, "ports.db ");
                        n_failures++;
                }

                free(aside);
                free(why);
                directory_remove(directory);
        }
        g_assert_cmpuint(n_failures, >, 1);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        log_set_max_level(LOG_EMERG); /* there would be a line for each of many failures */
        store_times.retry_usec = 10 * G_TIME_SPAN_MILLISECOND;
        (void) state_after(0); /* made now, before anything fails */

        g_test_add_func("/store-memory/open", test_open);
        g_test_add_func("/store-memory/first-start", test_first_start);
        g_test_add_func("/store-memory/open-damaged", test_open_damaged);
        g_test_add_func("/store-memory/commit", test_commit);
        g_test_add_func("/store-memory/begin-new", test_begin_new);
        r = g_test_run();

        states_free();
        return r;
}
