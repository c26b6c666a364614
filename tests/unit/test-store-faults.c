/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store while its disk, its memory or its process fails at every single step: a change is there or it is not, one that was
 * reported is there, one that failed is not, and the next one works. */

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
#include "store-faults.h"
#include "store-fixture.h"

/* A store with the first N changes, closed. */
static char *directory_new_after(unsigned n) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);

        for (unsigned i = 0; i < n; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);
        return directory;
}

/* What a crash right now would leave is in the state after N changes. */
static void assert_crash_leaves(const char *directory, unsigned n) {
        char *copy = directory_copy(directory);
        g_autofree char *text = directory_dump(copy);

        g_assert_cmpstr(text, ==, state_after(n));
        directory_remove(copy);
}

/* Fails each call of each change (or of every STEPth one) in turn, once, and looks at the store as it is and as a crash would
 * leave it. */
static void fail_each_call(int error, int expected, bool syncs_only, unsigned step) {
        unsigned n_failures = 0;

        for (unsigned i = 0; i < n_changes; i += step) {
                char *origin = directory_new_after(i);

                for (unsigned at = 1;; at++) {
                        char *directory = directory_copy(origin);
                        TestStore *s = directory_open(directory);
                        g_autofree char *text = NULL;
                        bool reached;
                        int r;

                        faults = (Faults){
                                .kind = FAULT_FAIL, .at = at, .error = error, .syncs_only = syncs_only, .no_sync = true
                        };
                        r = change_run(s, i);
                        reached = faults.n_calls >= at;
                        faults = (Faults){ .no_sync = true };

                        if (r < 0) {
                                g_assert_cmpint(r, ==, expected);
                                g_assert_nonnull(s->why);
                                text = store_dump(s);
                                g_assert_cmpstr(text, ==, state_after(i));
                                assert_crash_leaves(directory, i);
                                n_failures++;

                                g_assert_cmpint(change_run(s, i), ==, 0);
                        }
                        assert_crash_leaves(directory, i + 1);

                        test_store_close(s);
                        directory_remove(directory);
                        if (!reached)
                                break;
                }

                directory_remove(origin);
        }

        g_assert_cmpuint(n_failures, >=, n_changes / step);
}

static void test_write_error(void) {
        fail_each_call(EIO, -EIO, false, 1);
}

static void test_no_space(void) {
        fail_each_call(EDQUOT, -ENOSPC, false, 4);
}

/* The flush alone fails: all of the change stands in the WAL, and must not come back after a crash. */
static void test_sync_error(void) {
        fail_each_call(EIO, -EIO, true, 1);
}

/* The disk stays broken until all calls have been tried; then it works again. */
static void test_lasting_error(void) {
        char *directory = directory_new_after(4);
        TestStore *s = directory_open(directory);
        g_autofree char *text = NULL;

        faults = (Faults){ .kind = FAULT_FAIL, .at = 1, .lasting = true, .error = EIO, .no_sync = true };
        for (unsigned i = 0; i < 3; i++)
                g_assert_cmpint(change_run(s, 4), ==, -EIO);
        text = store_dump(s);
        g_assert_cmpstr(text, ==, state_after(4));
        faults = (Faults){ .no_sync = true };

        for (unsigned i = 4; i < n_changes; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        assert_crash_leaves(directory, n_changes);

        test_store_close(s);
        directory_remove(directory);
}

/* Every call of opening fails in turn: of a first start, of a start after a crash. What was there stays. */
static void test_open_error(void) {
        static const unsigned filled[] = { 0, 12 };
        unsigned n_failures = 0;

        for (size_t i = 0; i < ELEMENTSOF(filled); i++) {
                for (unsigned at = 1;; at++) {
                        char *directory = directory_new();
                        g_autofree char *text = NULL;
                        bool reached;
                        int r;

                        if (filled[i] > 0) {
                                char *origin = directory_new();
                                TestStore *s = directory_open(origin);

                                directory_remove(directory);
                                for (unsigned k = 0; k < filled[i]; k++)
                                        g_assert_cmpint(change_run(s, k), ==, 0);
                                directory = directory_copy(origin); /* with its WAL */
                                test_store_close(s);
                                directory_remove(origin);
                        }

                        faults = (Faults){ .kind = FAULT_FAIL, .at = at, .error = EIO, .no_sync = true };
                        r = directory_try(directory, NULL);
                        reached = faults.n_calls >= at;
                        faults = (Faults){ .no_sync = true };

                        if (r < 0) {
                                g_assert_cmpint(r, ==, -EIO);
                                n_failures++;
                        }

                        text = directory_dump(directory);
                        g_assert_cmpstr(text, ==, state_after(filled[i]));
                        directory_remove(directory);
                        if (!reached)
                                break;
                }
        }

        g_assert_cmpuint(n_failures, >, 10);
}

static void make_damaged(const char *directory) {
        g_autofree char *file = store_file(directory, ""), *wal = store_file(directory, "-wal");

        g_assert_true(g_file_set_contents_full(file, "this is no database file", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
        g_assert_true(g_file_set_contents_full(wal, "and this is no log", -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* Both parts of the damaged store can be found under some name. */
static void assert_nothing_lost(const char *directory) {
        g_autoptr(GDir) d = g_dir_open(directory, 0, NULL);
        unsigned n_files = 0, n_wals = 0;
        const char *name;

        while ((name = g_dir_read_name(d))) {
                g_autofree char *path = g_build_filename(directory, name, NULL), *content = NULL;

                g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
                n_files += strcmp(content, "this is no database file") == 0;
                n_wals += strcmp(content, "and this is no log") == 0;
        }

        g_assert_cmpuint(n_files, ==, 1);
        g_assert_cmpuint(n_wals, ==, 1);
}

/* Beginning a new store fails, or the process is killed, at each step of it. No service begins one by itself in what is left. */
static void test_begin_new(void) {
        static const FaultKind kinds[] = { FAULT_FAIL, FAULT_KILL };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                unsigned n_faults = 0;

                for (unsigned at = 1;; at++) {
                        char *directory = directory_new(), *aside = NULL, *why = NULL;
                        g_autofree char *text = NULL, *list = NULL;
                        int status, r;
                        pid_t pid;

                        make_damaged(directory);

                        pid = fork();
                        g_assert_cmpint(pid, >=, 0);
                        if (pid == 0) {
                                faults = (Faults){ .kind = kinds[i], .at = at, .error = EIO, .no_sync = true };
                                if (store_begin_new(directory, &aside, &why) >= 0)
                                        _exit(faults.n_calls >= at ? 1 : 2); /* whether the fault was reached */
                                _exit(3);
                        }
                        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                        assert_nothing_lost(directory);

                        /* A failure that is reported leaves the old one in its place, and nothing beside it. */
                        if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
                                g_assert_cmpint(kinds[i], ==, FAULT_FAIL);
                                list = directory_list(directory);
                                g_assert_cmpstr(list, ==, "ports.db ports.db-wal ");
                        }
                        r = directory_try(directory, NULL);
                        if (r == 0) /* the new one is in place, at the latest when all was done */
                                g_assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 3);
                        else
                                g_assert_true(r == -EUCLEAN || r == -ENODATA);
                        assert_nothing_lost(directory);

                        /* Asking once more works. */
                        if (r < 0)
                                g_assert_cmpint(store_begin_new(directory, &aside, &why), ==, 0);
                        free(aside);
                        text = directory_dump(directory);
                        g_assert_cmpstr(text, ==, "");
                        assert_nothing_lost(directory);

                        directory_remove(directory);
                        if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
                                break;
                        if (WIFSIGNALED(status))
                                g_assert_cmpint(kinds[i], ==, FAULT_KILL);
                        n_faults++;
                }

                g_assert_cmpuint(n_faults, >, 5);
        }
}

/* In the child: opens, changes, closes, and writes a byte to FD for each change that was reported as done. */
static _Noreturn void run_changes(const char *directory, int fd, bool wait) {
        TestStore *s = test_store_new(directory);

        if (s->error < 0)
                _exit(1);
        for (unsigned i = 0; i < n_changes; i++)
                if (change_run(s, i) < 0 || write(fd, "x", 1) != 1)
                        _exit(1);
        test_store_close(s);

        if (wait)
                for (;;)
                        (void) pause();
        _exit(0);
}

/* Every reported change is there, and at most one more. Opening also checks the file's integrity. */
static void assert_reported_is_there(const char *directory, unsigned n_reported) {
        g_autofree char *text = directory_dump(directory);

        if (n_reported == n_changes || strcmp(text, state_after(n_reported)) == 0)
                g_assert_cmpstr(text, ==, state_after(n_reported));
        else
                g_assert_cmpstr(text, ==, state_after(n_reported + 1));
}

static unsigned count_reports(int fd) {
        unsigned n = 0;
        char c;

        while (read(fd, &c, 1) == 1)
                n++;
        return n;
}

/* Killed before each system call that writes, and in the middle of each write, from the first start to the last close. */
static void test_kill_each_call(void) {
        static const FaultKind kinds[] = { FAULT_KILL, FAULT_TEAR };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                unsigned at;
                int status = -1;

                for (at = 1; status != 0; at++) {
                        char *directory = directory_new();
                        int fds[2];
                        pid_t pid;

                        g_assert_cmpint(pipe(fds), ==, 0);
                        pid = fork();
                        g_assert_cmpint(pid, >=, 0);
                        if (pid == 0) {
                                faults = (Faults){ .kind = kinds[i], .at = at, .no_sync = true };
                                run_changes(directory, fds[1], false);
                        }
                        g_assert_cmpint(close(fds[1]), ==, 0);
                        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                        g_assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));

                        assert_reported_is_there(directory, count_reports(fds[0]));
                        g_assert_cmpint(close(fds[0]), ==, 0);
                        directory_remove(directory);
                }

                g_test_message("killed at %u calls", at - 2);
                g_assert_cmpuint(at, >, 100);
        }
}

/* Killed from outside, right after the Kth report. */
static void test_kill_each_change(void) {
        for (unsigned k = 0; k <= n_changes; k++) {
                char *directory = directory_new();
                unsigned n_reported = k;
                int fds[2], status;
                pid_t pid;
                char c;

                g_assert_cmpint(pipe(fds), ==, 0);
                pid = fork();
                g_assert_cmpint(pid, >=, 0);
                if (pid == 0)
                        run_changes(directory, fds[1], true);
                g_assert_cmpint(close(fds[1]), ==, 0);

                for (unsigned i = 0; i < k; i++)
                        g_assert_cmpint(read(fds[0], &c, 1), ==, 1);
                g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                g_assert_true(WIFSIGNALED(status));
                n_reported += count_reports(fds[0]); /* it may have got further before the signal */

                assert_reported_is_there(directory, n_reported);
                g_assert_cmpint(close(fds[0]), ==, 0);
                directory_remove(directory);
        }
}

/* After each reported change the power goes: of each file there is what was last synced, and it holds the change. */
static void test_power_cut(void) {
        char *directory = directory_new(), *durable = directory_new();
        TestStore *s;

        faults = (Faults){ .no_sync = true, .sync = durable };
        s = directory_open(directory);
        for (unsigned i = 0; i < n_changes; i++) {
                g_assert_cmpint(change_run(s, i), ==, 0);
                faults.sync = NULL;
                assert_crash_leaves(durable, i + 1);
                faults.sync = durable;

                /* Closing writes the WAL back into the file. */
                if (i % 3 == 2) {
                        test_store_close(s);
                        faults.sync = NULL;
                        assert_crash_leaves(durable, i + 1);
                        faults.sync = durable;
                        s = directory_open(directory);
                }
        }

        test_store_close(s);
        faults = (Faults){ .no_sync = true };
        directory_remove(directory);
        directory_remove(durable);
}

/* The price of a change. The first one after a start also syncs the WAL's header. */
static void test_one_sync(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);

        g_assert_cmpint(change_run(s, 0), ==, 0);
        for (unsigned i = 1; i < n_changes; i++) {
                faults = (Faults){ .no_sync = true };
                g_assert_cmpint(change_run(s, i), ==, 0);
                g_assert_cmpuint(faults.n_syncs, ==, 1);
        }

        test_store_close(s);
        directory_remove(directory);
}

/* As many ports as the service ever has do not cost memory here. */
static void test_memory(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        sqlite3 *db = raw_open(directory);

        raw_exec(db,
                 "BEGIN; INSERT INTO node VALUES (1, 'n', '', 8, '', '');"
                 "INSERT INTO port (node, role, identifier, enabled)"
                 "  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16384) SELECT 1, 3, i, 1 FROM n;"
                 "INSERT INTO binding SELECT node, identifier, 3, 1, printf('10.0.%d.%d', identifier / 200, identifier % 200), "
                 "3260 FROM port; COMMIT");
        sqlite3_close(db);
        test_store_close(s);

        (void) sqlite3_memory_highwater(1);
        s = directory_open(directory);
        for (unsigned i = 0; i < 4; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        g_test_message("%d bytes at most", (int) sqlite3_memory_highwater(0));
        g_assert_cmpint(sqlite3_memory_highwater(0), <, 512 * 1024);

        test_store_close(s);
        directory_remove(directory);
}

static sqlite3_mem_methods real_memory;
static unsigned n_allocations, failing_allocation;

static bool allocation_fails(void) {
        return ++n_allocations == failing_allocation;
}

static void *hooked_malloc(int n) {
        return allocation_fails() ? NULL : real_memory.xMalloc(n);
}

static void *hooked_realloc(void *p, int n) {
        return allocation_fails() ? NULL : real_memory.xRealloc(p, n);
}

/* Each allocation of SQLite's fails in turn. It gets along without some of them; then all is as if nothing had been. */
static void test_no_memory(void) {
        sqlite3_mem_methods hooked;
        unsigned n_failures = 0;
        bool reached;
        char *origin;

        g_assert_cmpint(sqlite3_shutdown(), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), ==, SQLITE_OK);
        hooked = real_memory;
        hooked.xMalloc = hooked_malloc;
        hooked.xRealloc = hooked_realloc;
        g_assert_cmpint(sqlite3_config(SQLITE_CONFIG_MALLOC, &hooked), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_initialize(), ==, SQLITE_OK);

        for (unsigned i = 0; i < n_changes; i++) {
                char *directory = directory_new_after(i);
                TestStore *s = directory_open(directory);

                for (unsigned at = 1;; at++) {
                        g_autofree char *text = NULL;
                        int r;

                        n_allocations = 0;
                        failing_allocation = at;
                        r = change_run(s, i);
                        reached = n_allocations >= at;
                        failing_allocation = 0;

                        text = store_dump(s);
                        g_assert_cmpstr(text, ==, state_after(r < 0 ? i : i + 1));
                        if (r >= 0)
                                break;
                        g_assert_cmpint(r, ==, -ENOMEM);
                        n_failures++;
                }

                test_store_close(s);
                directory_remove(directory);
        }
        g_assert_cmpuint(n_failures, >=, n_changes);

        n_failures = 0;
        origin = directory_new_after(12);
        for (unsigned at = 1;; at += 11) {
                char *directory = directory_copy(origin);
                g_autofree char *text = NULL;
                int r;

                n_allocations = 0;
                failing_allocation = at;
                r = directory_try(directory, NULL);
                reached = n_allocations >= at;
                failing_allocation = 0;

                if (r < 0) {
                        g_assert_cmpint(r, ==, -ENOMEM);
                        n_failures++;
                }

                text = directory_dump(directory);
                g_assert_cmpstr(text, ==, state_after(12));
                directory_remove(directory);
                if (!reached)
                        break;
        }
        g_assert_cmpuint(n_failures, >, 20);
        directory_remove(origin);

        g_assert_cmpint(sqlite3_shutdown(), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_config(SQLITE_CONFIG_MALLOC, &real_memory), ==, SQLITE_OK);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        log_set_max_level(LOG_EMERG); /* there would be a line for each of many hundred failures */
        faults_install();
        faults.no_sync = true;
        (void) state_after(0); /* made now, before anything fails */

        g_test_add_func("/store-faults/write-error", test_write_error);
        g_test_add_func("/store-faults/no-space", test_no_space);
        g_test_add_func("/store-faults/sync-error", test_sync_error);
        g_test_add_func("/store-faults/lasting-error", test_lasting_error);
        g_test_add_func("/store-faults/open-error", test_open_error);
        g_test_add_func("/store-faults/begin-new", test_begin_new);
        g_test_add_func("/store-faults/kill-each-call", test_kill_each_call);
        g_test_add_func("/store-faults/kill-each-change", test_kill_each_change);
        g_test_add_func("/store-faults/power-cut", test_power_cut);
        g_test_add_func("/store-faults/one-sync", test_one_sync);
        g_test_add_func("/store-faults/memory", test_memory);
        g_test_add_func("/store-faults/no-memory", test_no_memory);
        r = g_test_run();

        states_free();
        return r;
}
