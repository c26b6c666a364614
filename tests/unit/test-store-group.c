/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Commits beside the event loop: many in one transaction, in order, each with a result of its own, on disks that are slow,
 * fail, or do not answer at all. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
#include "store-faults.h"
#include "store-fixture.h"

#define N_MAX 1200

/* The results of numbered commits, in the order in which they came. */
typedef struct Results {
        unsigned n;
        unsigned order[N_MAX];
        int result[N_MAX];
        char *why[N_MAX];
} Results;

typedef struct Slot {
        Results *results;
        unsigned number;
} Slot;

static Results results;
static Slot slots[N_MAX];

static void results_clear(void) {
        for (unsigned i = 0; i < N_MAX; i++)
                g_clear_pointer(&results.why[i], g_free);
        results = (Results){};
}

static void got(int r, const char *why, void *userdata) {
        const Slot *slot = userdata;

        g_assert_true((r < 0) == (why != NULL));
        g_assert_cmpuint(slot->results->n, <, N_MAX);
        slot->results->order[slot->results->n++] = slot->number;
        slot->results->result[slot->number] = r;
        slot->results->why[slot->number] = g_strdup(why);
}

static StoreCommit *queue_change(TestStore *s, StoreChange *c, unsigned number, StoreUrgency urgency) {
        StoreCommit *commit = NULL;

        slots[number] = (Slot){ .results = &results, .number = number };
        g_assert_cmpint(store_commit(s->store, c, urgency, got, &slots[number], &commit), ==, 0);
        g_assert_nonnull(commit);
        return commit;
}

static StoreCommit *queue_node(TestStore *s, const char *name, unsigned number, StoreUrgency urgency) {
        return queue_change(s, change_of(&(StoreOperation){ .verb = STORE_ADD_NODE, .node = name, .roles = 8 }), number, urgency);
}

static StoreCommit *queue_numbered(TestStore *s, unsigned number) {
        g_autofree char *name = g_strdup_printf("node-%u", number);

        return queue_node(s, name, number, STORE_NOW);
}

static unsigned count_nodes(TestStore *s) {
        sqlite3 *db = raw_open(s->directory);
        unsigned n = (unsigned) raw_integer(db, "SELECT count(*) FROM node");

        sqlite3_close(db);
        return n;
}

/* The thread is in an fsync, which lasts until release(). The first commit after a start also syncs the header of the WAL:
 * that is over by then. */
static void hold_thread(TestStore *s, unsigned number) {
        StoreChange *c = change_of(&(StoreOperation){ .verb = STORE_ADD_PORTAL_GROUP, .id = 9 });
        unsigned before;

        g_assert_cmpint(store_change_add(c, &(StoreOperation){ .verb = STORE_REMOVE_PORTAL_GROUP, .id = 9 }), ==, 0);
        g_assert_cmpint(change_commit(s, c), ==, 0);
        before = faults.n_syncs;
        faults.hang = true;
        (void) queue_numbered(s, number);
        while (faults.n_syncs == before)
                g_usleep(500);
}

static void release(void) {
        faults.hang = false;
}

/* What waits during an fsync shares the next one, and the loop is free meanwhile. */
static void test_shared_sync(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        gint64 start, longest = 0, last;

        g_assert_cmpint(change_run(s, 0), ==, 0); /* the first one also syncs the header of the WAL */
        faults = (Faults){ .no_sync = true, .sync_msec = 100 };
        start = last = g_get_monotonic_time();
        for (unsigned i = 0; i < 64; i++)
                (void) queue_numbered(s, i);
        longest = g_get_monotonic_time() - start;

        while (results.n < 64)
                g_assert_cmpint(sd_event_run(s->event, G_USEC_PER_SEC), >=, 0);
        g_test_message("%u fsyncs, %d us to queue, %d us in all", faults.n_syncs, (int) longest,
                       (int) (g_get_monotonic_time() - last));
        g_assert_cmpuint(faults.n_syncs, <=, 8);
        g_assert_cmpint(longest, <, 100 * G_TIME_SPAN_MILLISECOND);
        for (unsigned i = 0; i < 64; i++) {
                g_assert_cmpuint(results.order[i], ==, i);
                g_assert_cmpint(results.result[i], ==, 0);
        }
        faults = (Faults){ .no_sync = true };
        g_assert_cmpuint(count_nodes(s), ==, 65);

        results_clear();
        test_store_close(s);
        directory_remove(directory);
}

/* A fsync that does not return delays nothing in the loop. */
static void test_loop_is_free(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        gint64 start;

        hold_thread(s, 0);
        start = g_get_monotonic_time();
        for (unsigned i = 1; i < 1000; i++)
                (void) queue_numbered(s, i);
        g_assert_true(store_is_open(s->store));
        g_assert_null(store_fault(s->store));
        store_try_again(s->store);
        g_assert_cmpint(sd_event_run(s->event, 0), ==, 0);
        g_assert_cmpint(g_get_monotonic_time() - start, <, G_USEC_PER_SEC);
        g_assert_cmpuint(results.n, ==, 0);

        release();
        faults.n_syncs = 0;
        test_store_wait(s, &results.n, 1000);
        g_assert_cmpuint(faults.n_syncs, <=, 6); /* 999 in groups of at most STORE_GROUP_MAX, and a checkpoint */
        for (unsigned i = 0; i < 1000; i++)
                g_assert_cmpuint(results.order[i], ==, i);

        results_clear();
        test_store_close(s);
        directory_remove(directory);
}

/* One change that the file refuses, in every place of a group, and in one with others of its kind. */
static void test_one_refused(void) {
        for (unsigned bad = 1; bad <= 5; bad++) {
                char *directory = directory_new();
                TestStore *s = directory_open(directory);
                g_autofree char *text = NULL, *expected = NULL;
                g_autoptr(GString) nodes = g_string_new("node node-0 '' 8\n");

                hold_thread(s, 0);
                for (unsigned i = 1; i <= 5; i++)
                        if (i == bad) {
                                StoreChange *c = store_change_new();

                                /* It has done something by the time it fails. */
                                g_assert_cmpint(
                                        store_change_add(c,
                                                         &(StoreOperation){ .verb = STORE_ADD_NODE, .node = "gone", .roles = 8 }),
                                        ==, 0);
                                g_assert_cmpint(
                                        store_change_add(
                                                c, &(StoreOperation){ .verb = STORE_ADD_NODE, .node = "node-0", .roles = 8 }),
                                        ==, 0);
                                (void) queue_change(s, c, i, STORE_NOW);
                        } else {
                                (void) queue_numbered(s, i);
                                g_string_append_printf(nodes, "node node-%u '' 8\n", i);
                        }
                faults.n_syncs = 0;
                release();
                test_store_wait(s, &results.n, 6);
                g_assert_cmpuint(faults.n_syncs, ==, 1);

                for (unsigned i = 0; i <= 5; i++) {
                        g_assert_cmpuint(results.order[i], ==, i);
                        g_assert_cmpint(results.result[i], ==, i == bad ? -EEXIST : 0);
                }
                g_assert_nonnull(strstr(results.why[bad], "UNIQUE constraint failed: node.name"));
                text = store_dump(s);
                g_assert_cmpstr(text, ==, nodes->str);

                results_clear();
                test_store_close(s);
                directory_remove(directory);
        }
}

/* All of a group are refused: nothing is written, and there is nothing to flush. */
static void test_all_refused(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);

        hold_thread(s, 0);
        for (unsigned i = 1; i <= 3; i++)
                (void) queue_node(s, "node-0", i, STORE_NOW);
        (void) queue_change(s, change_of(&(StoreOperation){ .verb = STORE_REMOVE_NODE, .node = "none" }), 4, STORE_NOW);
        faults.n_syncs = 0;
        release();
        test_store_wait(s, &results.n, 5);
        g_assert_cmpuint(faults.n_syncs, ==, 0);
        for (unsigned i = 1; i <= 4; i++)
                g_assert_cmpint(results.result[i], ==, i == 4 ? -ENOENT : -EEXIST);
        g_assert_cmpint(change_run(s, 0), ==, 0);

        results_clear();
        test_store_close(s);
        directory_remove(directory);
}

/* Each write and flush of a group's commit fails in turn: all of it fail, none is there, also not after a crash, and the next
 * group works. */
static void test_commit_fails(void) {
        static const int errors[] = { EIO, ENOSPC };
        unsigned n_failures = 0;

        for (size_t k = 0; k < ELEMENTSOF(errors); k++)
                for (unsigned at = 1;; at++) {
                        char *directory = directory_new(), *crashed;
                        TestStore *s = directory_open(directory);
                        g_autofree char *after_crash = NULL;
                        bool reached;

                        hold_thread(s, 0);
                        for (unsigned i = 1; i <= 4; i++)
                                (void) queue_numbered(s, i);
                        (void) queue_node(s, "node-0", 5, STORE_NOW); /* this one would fail anyway */

                        faults.kind = FAULT_FAIL;
                        faults.at = at;
                        faults.n_calls = 0;
                        faults.error = errors[k];
                        release();
                        test_store_wait(s, &results.n, 6);
                        reached = faults.n_calls >= at;
                        faults = (Faults){ .no_sync = true };

                        if (results.result[1] < 0) {
                                for (unsigned i = 1; i <= 4; i++) {
                                        g_assert_cmpint(results.result[i], ==, errors[k] == EIO ? -EIO : -ENOSPC);
                                        g_assert_cmpstr(results.why[i], ==, results.why[1]);
                                }
                                g_assert_cmpuint(count_nodes(s), ==, 1);
                                crashed = directory_copy(directory);
                                after_crash = directory_dump(crashed);
                                g_assert_cmpstr(after_crash, ==, "node node-0 '' 8\n");
                                directory_remove(crashed);
                                n_failures++;
                        }
                        g_assert_cmpint(results.result[0], ==, 0);
                        g_assert_cmpint(results.result[5], <, 0);
                        if (results.result[1] < 0)
                                g_assert_cmpint(add_node(s, "node-1", "", 8), ==, 0);

                        results_clear();
                        test_store_close(s);
                        directory_remove(directory);
                        if (!reached)
                                break;
                }

        g_assert_cmpuint(n_failures, >=, 4);
}

/* A group too large for SQLite's cache is written to the WAL before its end; that fails, and SQLite has lost the whole
 * transaction. */
static void test_transaction_is_lost(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);

        hold_thread(s, 0);
        for (unsigned i = 1; i < 9; i++) {
                StoreChange *c = store_change_new();

                for (unsigned k = 0; k < 400; k++) {
                        g_autofree char *name = g_strdup_printf("%u-%0200u", i, k);

                        g_assert_cmpint(
                                store_change_add(c, &(StoreOperation){ .verb = STORE_ADD_NODE, .node = name, .roles = 8 }), ==,
                                0);
                }
                (void) queue_change(s, c, i, STORE_NOW);
        }
        faults.kind = FAULT_FAIL;
        faults.at = 20;
        faults.n_calls = 0;
        faults.error = ENOSPC;
        release();
        test_store_wait(s, &results.n, 9);
        g_assert_cmpuint(faults.n_calls, >=, 20);
        faults = (Faults){ .no_sync = true };

        for (unsigned i = 1; i < 9; i++)
                g_assert_cmpint(results.result[i], ==, -ENOSPC);
        g_assert_cmpuint(count_nodes(s), ==, 1);
        g_assert_cmpint(add_node(s, "next", "", 8), ==, 0);

        results_clear();
        test_store_close(s);
        directory_remove(directory);
}

/* Groups are bounded by their operations, too; a single change set may be larger. */
static void test_bounds(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);

        hold_thread(s, 0);
        for (unsigned i = 1; i <= 3; i++) {
                g_autofree char *value = g_strdup_printf("%u", i); /* the same again would write nothing */
                StoreChange *c = store_change_new();

                for (unsigned k = 0; k < STORE_GROUP_OPERATIONS_MAX + 1; k++)
                        g_assert_cmpint(
                                store_change_add(c, &(StoreOperation){ .verb = STORE_ADD_SETTING, .key = "k", .value = value }),
                                ==, 0);
                (void) queue_change(s, c, i, STORE_NOW);
        }
        for (unsigned i = 4; i < 4 + STORE_GROUP_MAX + 1; i++)
                (void) queue_numbered(s, i);
        faults.n_syncs = 0;
        release();
        test_store_wait(s, &results.n, 4 + STORE_GROUP_MAX + 1);
        g_assert_cmpuint(faults.n_syncs, ==, 5);

        results_clear();
        test_store_close(s);
        directory_remove(directory);
}

/* A lazy commit costs no flush of its own when another one comes; else it goes after a while, or with the end. */
static void test_lazy(void) {
        char *directory = directory_new();
        g_autofree char *text = NULL;
        TestStore *s;
        gint64 start;

        store_times.lazy_usec = 300 * G_TIME_SPAN_MILLISECOND;
        s = directory_open(directory);
        g_assert_cmpint(change_run(s, 0), ==, 0);

        faults.n_syncs = 0;
        (void) queue_node(s, "lazy", 0, STORE_LAZY);
        g_assert_cmpint(sd_event_run(s->event, 100 * G_TIME_SPAN_MILLISECOND), ==, 0);
        g_assert_cmpuint(results.n, ==, 0);
        (void) queue_numbered(s, 1);
        test_store_wait(s, &results.n, 2);
        g_assert_cmpuint(faults.n_syncs, ==, 1);
        g_assert_cmpuint(results.order[0], ==, 0);

        start = g_get_monotonic_time();
        (void) queue_node(s, "alone", 2, STORE_LAZY);
        test_store_wait(s, &results.n, 3);
        g_assert_cmpint(g_get_monotonic_time() - start, >=, 290 * G_TIME_SPAN_MILLISECOND);
        g_assert_cmpuint(faults.n_syncs, ==, 2);

        store_times.lazy_usec = 60 * G_USEC_PER_SEC;
        (void) queue_node(s, "last", 3, STORE_LAZY);
        (void) queue_node(s, "last", 4, STORE_LAZY);
        test_store_close(s);
        store_times.lazy_usec = G_USEC_PER_SEC;
        g_assert_cmpuint(results.n, ==, 5); /* results of what goes with the end are told, too */
        g_assert_cmpint(results.result[3], ==, 0);
        g_assert_cmpint(results.result[4], ==, -EEXIST);

        text = directory_dump(directory);
        g_assert_nonnull(strstr(text, "node last"));
        g_assert_nonnull(strstr(text, "node alone"));
        results_clear();
        directory_remove(directory);
}

static void queue_inside(int r, const char *why, void *userdata) {
        TestStore *s = userdata;

        /* A callback may queue the next change. */
        g_assert_cmpint(r, ==, 0);
        (void) queue_numbered(s, 2);
}

/* A callback is called once, or not at all once it is cancelled; the change is stored all the same. */
static void test_cancel(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        StoreCommit *c;

        hold_thread(s, 0);
        c = queue_numbered(s, 1);
        g_assert_null(store_commit_cancel(c));
        g_assert_cmpint(store_commit(s->store, change_of(&(StoreOperation){ .verb = STORE_ADD_NODE, .node = "c", .roles = 8 }),
                                     STORE_NOW, queue_inside, s, NULL),
                        ==, 0);
        g_assert_cmpint(store_commit(s->store, change_of(&(StoreOperation){ .verb = STORE_ADD_NODE, .node = "d", .roles = 8 }),
                                     STORE_NOW, NULL, NULL, NULL),
                        ==, 0);
        release();
        test_store_wait(s, &results.n, 2);
        g_assert_cmpuint(results.order[1], ==, 2);
        g_assert_cmpuint(count_nodes(s), ==, 5);

        results_clear();
        test_store_close(s);
        directory_remove(directory);
}

static void ignore_image(Store *s, const StoreImage *image, void *userdata) {
}

static void ignore_fault(Store *s, const StoreFault *fault, void *userdata) {
}

/* Queued before the file is open, by one who leaves at once: stored all the same. */
static void test_before_open(void) {
        char *directory = directory_new();
        static const StoreCallbacks callbacks = { ignore_image, ignore_fault };
        g_autofree char *text = NULL;
        sd_event *event = NULL;
        Store *store = NULL;

        for (unsigned i = 0; i < 20; i++) {
                g_autofree char *name = g_strdup_printf("node-%u", i);
                TestStore s = { .directory = directory };

                g_assert_cmpint(sd_event_new(&event), ==, 0);
                g_assert_cmpint(store_new(event, directory, &callbacks, &s, &store), ==, 0);
                s.store = store;
                (void) queue_node(&s, name, i, STORE_NOW);
                store_close(store);
                g_assert_cmpuint(results.n, ==, i + 1);
                g_assert_cmpint(results.result[i], ==, 0);
                event = sd_event_unref(event);
        }

        text = directory_dump(directory);
        g_assert_nonnull(strstr(text, "node node-0 "));
        g_assert_nonnull(strstr(text, "node node-19 "));
        results_clear();
        directory_remove(directory);
}

/* The disk does not answer: the end does not wait for it for ever, and everybody hears that the outcome is unknown. */
static void test_close_while_hung(void) {
        char *directory = directory_new();
        g_autofree char *text = NULL;
        gint64 start, waited;
        TestStore *s;
        StoreCommit *c;

        store_times.close_usec = 200 * G_TIME_SPAN_MILLISECOND;
        s = directory_open(directory);
        hold_thread(s, 0);
        (void) queue_numbered(s, 1);
        c = queue_numbered(s, 2);
        (void) store_commit_cancel(c);

        start = g_get_monotonic_time();
        test_store_close(s);
        waited = g_get_monotonic_time() - start;
        g_assert_cmpint(waited, >=, 190 * G_TIME_SPAN_MILLISECOND);
        g_assert_cmpint(waited, <, 5 * G_USEC_PER_SEC);
        g_assert_cmpuint(results.n, ==, 2);
        for (unsigned i = 0; i < 2; i++) {
                g_assert_cmpint(results.result[i], ==, -ETIMEDOUT);
                g_assert_nonnull(strstr(results.why[i], "not known"));
        }

        /* The thread that was left behind wakes, ends what it had begun, and clears up. */
        release();
        for (;;) {
                g_autofree char *wal = store_file(directory, "-wal");

                if (!g_file_test(wal, G_FILE_TEST_EXISTS))
                        break;
                g_usleep(1000);
        }
        store_times.close_usec = 5 * G_USEC_PER_SEC;
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "node node-0 '' 8\n");

        results_clear();
        directory_remove(directory);
}

/* Killed in the middle of groups: what was reported is there, and of each change set all or nothing. */
static void test_killed(void) {
        for (unsigned at = 1; at < 40; at += 3) {
                char *directory = directory_new();
                TestStore *s;
                int fds[2], status;
                unsigned n_reported = 0, n_found;
                g_autofree char *text = NULL;
                sqlite3 *db;
                pid_t pid;
                char byte;

                test_store_close(directory_open(directory));
                g_assert_cmpint(pipe(fds), ==, 0);
                pid = fork();
                g_assert_cmpint(pid, >=, 0);
                if (pid == 0) {
                        s = directory_open(directory);
                        faults = (Faults){ .kind = FAULT_TEAR, .at = at, .no_sync = true, .sync_msec = 2 };
                        for (unsigned i = 0; i < 300; i++) {
                                g_autofree char *one = g_strdup_printf("one-%u", i), *two = g_strdup_printf("two-%u", i);
                                StoreChange *c = change_of(&(StoreOperation){ .verb = STORE_ADD_NODE, .node = one, .roles = 8 });

                                g_assert_cmpint(
                                        store_change_add(c, &(StoreOperation){ .verb = STORE_ADD_NODE, .node = two, .roles = 8 }),
                                        ==, 0);
                                (void) queue_change(s, c, i, STORE_NOW);
                                g_usleep(200);
                                while (sd_event_run(s->event, 0) > 0)
                                        ;
                                while (i > results.n + 5) /* of larger groups there would be too few on a machine that is busy */
                                        g_assert_cmpint(sd_event_run(s->event, UINT64_MAX), >=, 0);
                                for (; n_reported < results.n; n_reported++)
                                        if (write(fds[1], "x", 1) != 1)
                                                _exit(1);
                        }
                        _exit(0);
                }
                g_assert_cmpint(close(fds[1]), ==, 0);
                while (read(fds[0], &byte, 1) == 1)
                        n_reported++;
                g_assert_cmpint(close(fds[0]), ==, 0);
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

                text = directory_dump(directory);
                db = raw_open(directory);
                n_found = (unsigned) raw_integer(db, "SELECT count(*) FROM node WHERE name LIKE 'one-%'");
                g_assert_cmpint(raw_integer(db, "SELECT count(*) FROM node WHERE name LIKE 'two-%'"), ==, (int) n_found);
                g_assert_cmpint(raw_integer(db, "SELECT IFNULL(MAX(CAST(substr(name, 5) AS INTEGER)), -1) + 1 FROM node"), ==,
                                (int) n_found);
                sqlite3_close(db);
                g_assert_cmpuint(n_found, >=, n_reported);

                directory_remove(directory);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        log_set_max_level(LOG_EMERG); /* what is logged is known */
        faults_install();
        faults.no_sync = true;

        g_test_add_func("/store-group/shared-sync", test_shared_sync);
        g_test_add_func("/store-group/loop-is-free", test_loop_is_free);
        g_test_add_func("/store-group/one-refused", test_one_refused);
        g_test_add_func("/store-group/all-refused", test_all_refused);
        g_test_add_func("/store-group/commit-fails", test_commit_fails);
        g_test_add_func("/store-group/transaction-is-lost", test_transaction_is_lost);
        g_test_add_func("/store-group/bounds", test_bounds);
        g_test_add_func("/store-group/lazy", test_lazy);
        g_test_add_func("/store-group/cancel", test_cancel);
        g_test_add_func("/store-group/before-open", test_before_open);
        g_test_add_func("/store-group/close-while-hung", test_close_while_hung);
        g_test_add_func("/store-group/killed", test_killed);
        return g_test_run();
}
