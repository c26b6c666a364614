/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files that are damaged, or no store at all: told of, left as they were, and replaced only by somebody who asks for it. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store-faults.h"
#include "store-fixture.h"

#define PAGE 4096u

/* With enough in it for interior pages, so that there is a middle to hit. */
static char *directory_new_filled(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        sqlite3 *db;

        for (unsigned i = 0; i < 12; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);

        db = raw_open(directory);
        raw_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)"
                     "INSERT INTO node SELECT 100 + i, printf('iqn.2024-01.org.example:%0150d', i), '', 8, '', '' FROM n");
        sqlite3_close(db);
        return directory;
}

static void read_file(const char *path, char **ret, size_t *ret_n) {
        g_assert_true(g_file_get_contents(path, ret, ret_n, NULL));
}

/* g_file_set_contents() would make a new file, with another mode. */
static void write_file(const char *path, const char *content, size_t n) {
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, content, n), ==, (gssize) n);
        g_assert_cmpint(close(fd), ==, 0);
}

/* The way out is a command that can be typed as it stands there. */
static void assert_names_command(const char *why, const char *directory) {
        g_autofree char *real = realpath(directory, NULL);
        g_autofree char *command = g_strdup_printf("\"%s --new-store --state-directory=%s\"", program_invocation_name, real);

        if (!strstr(why, command))
                g_error("\"%s\" does not name %s", why, command);
}

/* Opens a store that must not open, twice: what is in the directory stays as it is. */
static void assert_untouched(const char *directory, int error) {
        g_autofree char *file = store_file(directory, ""), *wal = store_file(directory, "-wal"), *before = NULL, *after = NULL,
                        *wal_before = NULL, *wal_after = NULL, *list_before = directory_list(directory), *list_after = NULL;
        size_t n_before, n_after, n_wal_before = 0, n_wal_after = 0;

        read_file(file, &before, &n_before);
        (void) g_file_get_contents(wal, &wal_before, &n_wal_before, NULL);

        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *why = NULL;

                g_assert_cmpint(directory_try(directory, &why), ==, error);
                g_assert_nonnull(strstr(why, "ports.db"));
                assert_names_command(why, directory);
                g_assert_true(g_utf8_validate(why, -1, NULL));
        }

        read_file(file, &after, &n_after);
        g_assert_cmpmem(before, n_before, after, n_after);
        (void) g_file_get_contents(wal, &wal_after, &n_wal_after, NULL);
        g_assert_cmpmem(wal_before, n_wal_before, wal_after, n_wal_after);
        list_after = directory_list(directory);
        g_assert_cmpstr(list_before, ==, list_after);
}

/* Asks for a new store, which is empty and works. Returns where the old one went. */
static char *begin_new(const char *directory) {
        g_autofree char *name = NULL, *parent = NULL, *real = realpath(directory, NULL), *text = NULL, *again = NULL, *why = NULL;
        char *aside = NULL;
        TestStore *s;
        struct stat st;

        g_assert_cmpint(store_begin_new(directory, &aside, &why), ==, 0);
        g_assert_null(why);
        g_assert_nonnull(aside);
        parent = g_path_get_dirname(aside);
        name = g_path_get_basename(aside);
        g_assert_cmpstr(parent, ==, real);
        g_assert_true(g_regex_match_simple("^ports\\.db\\.old-[0-9]{8}T[0-9]{6}\\.[0-9]{6}Z$", name, 0, 0));
        g_assert_cmpint(stat(aside, &st), ==, 0);
        g_assert_cmpuint(st.st_mode & 07777, ==, 0600);

        s = directory_open(directory);
        text = store_dump(s);
        g_assert_cmpstr(text, ==, "");
        for (unsigned i = 0; i < n_changes; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);

        again = directory_dump(directory);
        g_assert_cmpstr(again, ==, state_after(n_changes));
        return aside;
}

typedef struct Harm {
        const char *what;
        size_t offset; /* from here on, or SIZE_MAX: the middle page */
        size_t length; /* this many bytes, at most up to the end */
        int byte;      /* become this, or CUT: the file ends at OFFSET */
        int error;     /* 0: -EUCLEAN */
} Harm;

#define MIDDLE SIZE_MAX
#define CUT (-1)

static void test_bytes(void) {
        static const Harm harms[] = {
                { "garbage in the header", 0, 100, 'x' },
                { "garbage text all over", 0, SIZE_MAX, 'x' },
                { "zeros all over", 0, SIZE_MAX, 0 },
                { "another magic", 3, 1, 'X' },
                { "nothing left", 0, 0, CUT },
                { "a byte left", 1, 0, CUT },
                { "two bytes left", 2, 0, CUT },
                { "the header left", 100, 0, CUT },
                { "the first page left", PAGE, 0, CUT },
                { "half of a page missing", 10 * PAGE + PAGE / 2, 0, CUT },
                { "the last pages missing", 12 * PAGE, 0, CUT },
                { "garbage in a middle page", MIDDLE, PAGE, 0xa5 },
                { "zeros in a middle page", MIDDLE, PAGE, 0 },
                { "garbage in the tables' definitions", PAGE - 300, 100, 'x' },
                { "a negative version", 60, 1, 0xff },
                { "another version than in its tables", 63, 1, 1 },
                { "somebody else's application_id", 68, 1, 0x11, -EMEDIUMTYPE },
                { "an unknown schema format", 47, 1, 9 },
        };

        for (size_t i = 0; i < ELEMENTSOF(harms); i++) {
                char *directory = directory_new_filled();
                g_autofree char *file = store_file(directory, ""), *content = NULL, *kept = NULL, *aside = NULL;
                size_t n, n_kept, offset;

                g_test_message("%s", harms[i].what);
                read_file(file, &content, &n);
                g_assert_cmpuint(n, >, 20 * PAGE);
                offset = harms[i].offset == MIDDLE ? n / PAGE / 2 * PAGE : harms[i].offset;
                if (harms[i].byte == CUT)
                        n = offset;
                else
                        memset(content + offset, harms[i].byte, MIN2(harms[i].length, n - offset));
                write_file(file, content, n);

                assert_untouched(directory, harms[i].error < 0 ? harms[i].error : -EUCLEAN);
                aside = begin_new(directory);
                read_file(aside, &kept, &n_kept);
                g_assert_cmpmem(kept, n_kept, content, n);

                directory_remove(directory);
        }
}

/* Damage that SQL can do: each statement on a file that is a good database before and after. */
static const char *const sql_harms[] = {
        "UPDATE tcp_endpoint SET address = 'garbage'",
        "UPDATE tcp_endpoint SET address = ''",
        "UPDATE tcp_endpoint SET address = '2001:DB8::7'", /* the same address, but UNIQUE does not know */
        "UPDATE member SET address = '010.0.0.1' WHERE id = 2",
        "UPDATE binding SET address = 'fe80::1' WHERE tcp_port = 0",
        "UPDATE binding SET address = '::ffff:10.0.0.1' WHERE address = '10.0.0.1'",
        "UPDATE node SET name = 'a' || char(0) || 'b' WHERE id = 1",
        "UPDATE node SET alias = 'a' || char(0) || 'b' WHERE id = 1",
        "UPDATE portal_group SET element_name = char(0)",
        "PRAGMA ignore_check_constraints = ON; UPDATE node SET roles = 0 WHERE id = 1",
        "PRAGMA ignore_check_constraints = ON; UPDATE port SET identifier = 70000 WHERE role = 3 AND identifier = 1",
        "PRAGMA foreign_keys = OFF; DELETE FROM node WHERE id = 1",
        "PRAGMA foreign_keys = OFF; UPDATE member SET portal_group = 77 WHERE id = 1",
        "DROP TABLE member",
        "ALTER TABLE node RENAME COLUMN alias TO nickname",
        "DROP INDEX binding_of_target", /* no statement needs it, but it is a constraint */
        "PRAGMA user_version = 1",
        "PRAGMA user_version = 0; UPDATE meta SET version = -1",
        "ALTER TABLE setting ADD COLUMN x TEXT",
        /* Only a comparison of the index with its table shows this. */
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = replace(sql, '!= ''''', '= ''nobody''') WHERE name = 'node_by_alias'",
};

static void test_sql(void) {
        for (size_t i = 0; i < ELEMENTSOF(sql_harms); i++) {
                char *directory = directory_new_filled();
                sqlite3 *db = raw_open(directory);

                g_test_message("%s", sql_harms[i]);
                raw_exec(db, sql_harms[i]);
                sqlite3_close(db);

                assert_untouched(directory, -EUCLEAN);
                directory_remove(directory);
        }
}

/* The damage is in the WAL that a crash left: nothing writes it into the file, and it goes aside together with it. */
static void test_wal(void) {
        for (size_t i = 0; i < ELEMENTSOF(sql_harms); i++) {
                char *directory = directory_new_filled();
                g_autofree char *file = store_file(directory, ""), *wal = store_file(directory, "-wal"), *content = NULL,
                                *wal_content = NULL, *kept = NULL, *wal_kept = NULL, *aside = NULL, *aside_wal = NULL;
                size_t n, n_wal, n_kept, n_wal_kept;
                g_autofree char *list = NULL;
                int status;
                pid_t pid;

                pid = fork();
                g_assert_cmpint(pid, >=, 0);
                if (pid == 0) {
                        raw_exec(raw_open(directory), sql_harms[i]);
                        _exit(0);
                }
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                g_assert_cmpint(status, ==, 0);
                read_file(file, &content, &n);
                read_file(wal, &wal_content, &n_wal);
                g_assert_cmpuint(n_wal, >, 0);

                assert_untouched(directory, -EUCLEAN);
                aside = begin_new(directory);
                aside_wal = g_strconcat(aside, "-wal", NULL);
                read_file(aside, &kept, &n_kept);
                g_assert_cmpmem(kept, n_kept, content, n);
                read_file(aside_wal, &wal_kept, &n_wal_kept);
                g_assert_cmpmem(wal_kept, n_wal_kept, wal_content, n_wal);

                /* Nothing else is left. */
                list = directory_list(directory);
                g_assert_true(g_regex_match_simple(
                        "^ports.db ports.db.old-[^ -]* ports.db.old-[^ -]*-shm ports.db.old-[^ -]*-wal $", list, 0, 0));

                directory_remove(directory);
        }
}

/* A WAL without its file: what a crash leaves in the middle of moving things aside, or a hand that removed the file alone. */
static void test_stray_wal(void) {
        char *directory = directory_new();
        g_autofree char *wal = store_file(directory, "-wal"), *kept = NULL, *aside = NULL, *aside_wal = NULL, *why = NULL,
                        *text = NULL;
        size_t n_kept;

        g_assert_true(g_file_set_contents(wal, "a log", -1, NULL));
        g_assert_cmpint(directory_try(directory, NULL), ==, -ENODATA);

        g_assert_cmpint(store_begin_new(directory, &aside, &why), ==, 0);
        aside_wal = g_strconcat(aside, "-wal", NULL);
        read_file(aside_wal, &kept, &n_kept);
        g_assert_cmpmem(kept, n_kept, "a log", 5);
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "");

        directory_remove(directory);
}

/* A new store where none was, where none can be, and again in the same second: the first one aside is not overwritten. */
static void test_begin_new(void) {
        char *directory = directory_new();
        g_autofree char *file = store_file(directory, ""), *plain = g_build_filename(directory, "plain", NULL), *why = NULL,
                        *text = NULL, *target = NULL;
        char *aside[4] = {};

        g_assert_cmpint(store_begin_new(directory, &aside[0], &why), ==, 0);
        g_assert_null(aside[0]);
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "");

        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *content = g_strnfill(5000, (char) ('a' + (int) i));

                g_assert_true(g_file_set_contents_full(file, content, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
                aside[i] = begin_new(directory);
        }
        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *content = NULL;

                read_file(aside[i], &content, &(size_t){ 0 });
                g_assert_cmpint(content[0], ==, (char) ('a' + (int) i));
        }

        /* Whatever else is there goes aside, too. */
        g_assert_cmpint(g_unlink(file), ==, 0);
        g_assert_cmpint(symlink("/nonexistent/target", file), ==, 0);
        g_assert_cmpint(store_begin_new(directory, &aside[3], &why), ==, 0);
        target = g_file_read_link(aside[3], NULL);
        g_assert_cmpstr(target, ==, "/nonexistent/target");
        for (unsigned i = 0; i < ELEMENTSOF(aside); i++)
                free(aside[i]);

        g_assert_true(g_file_set_contents(plain, "", 0, NULL));
        g_assert_cmpint(store_begin_new(plain, &aside[0], &why), ==, -ENOTDIR);
        g_assert_nonnull(strstr(why, plain));

        directory_remove(directory);
}

/* The service runs: nobody takes its file away. */
static void test_begin_new_in_use(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        g_autofree char *text = NULL, *list = directory_list(directory), *after = NULL;
        int status;
        pid_t pid;

        /* A process does not see locks of its own. */
        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                char *aside = NULL, *why = NULL;
                int r = store_begin_new(directory, &aside, &why);

                _exit(r == -EBUSY && strstr(why, "stop it first") ? 7 : 1);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 7);
        after = directory_list(directory);
        g_assert_cmpstr(list, ==, after);

        for (unsigned i = 0; i < n_changes; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(n_changes));
        directory_remove(directory);
}

/* One byte after the other: whatever it hits, the service starts, or says why not and touches nothing. */
static void test_flips(void) {
        char *directory = directory_new_filled();
        g_autofree char *file = store_file(directory, ""), *content = NULL;
        unsigned n_damaged = 0, n_refused = 0, n_unnoticed = 0;
        size_t n;

        read_file(file, &content, &n);
        for (size_t at = 0; at < n; at += at < 108 ? 1 : 911) {
                char *copy = directory_copy(directory);
                g_autofree char *path = store_file(copy, ""), *flipped = g_memdup2(content, n), *after = NULL;
                size_t n_after;
                int r;

                flipped[at] ^= 0x15;
                write_file(path, flipped, n);

                r = directory_try(copy, NULL);
                read_file(path, &after, &n_after);
                if (r < 0)
                        g_assert_cmpmem(after, n_after, flipped, n);

                if (r == -EUCLEAN)
                        n_damaged++;
                else if (r == -EPROTONOSUPPORT || r == -EMEDIUMTYPE)
                        n_refused++;
                else {
                        g_autofree char *text = NULL;

                        g_assert_cmpint(r, ==, 0);
                        text = directory_dump(copy);
                        g_assert_cmpuint(strlen(text), >, 100);
                        n_unnoticed++; /* a letter of a name, a byte that nothing uses */
                }

                directory_remove(copy);
        }

        g_test_message("%u damaged, %u refused, %u unnoticed", n_damaged, n_refused, n_unnoticed);
        g_assert_cmpuint(n_damaged, >, 30);
        g_assert_cmpuint(n_refused, >, 0);

        directory_remove(directory);
}

/* Somebody else's database: nothing in it is ours, and nothing of ours is put into it. */
static void test_foreign(void) {
        static const char *const others[] = {
                "CREATE TABLE photo (title TEXT); INSERT INTO photo VALUES ('sea')",
                "CREATE TABLE meta (version INTEGER); INSERT INTO meta VALUES (2)",
                "CREATE TABLE meta (id INTEGER, name TEXT)",
                "PRAGMA application_id = 7; PRAGMA user_version = 99; CREATE TABLE photo (title TEXT)",
                "CREATE TABLE photo (title TEXT); DROP TABLE photo", /* a database without tables */
        };

        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                char *directory = directory_new();
                g_autofree char *file = store_file(directory, ""), *aside = NULL;
                sqlite3 *db = raw_open(directory);

                raw_exec(db, others[i]);
                sqlite3_close(db);
                g_assert_cmpint(chmod(file, 0600), ==, 0);

                assert_untouched(directory, -EMEDIUMTYPE);
                aside = begin_new(directory);
                directory_remove(directory);
        }
}

/* A file that this SQLite may read but not write, by what its header says. */
static void test_newer_format(void) {
        char *directory = directory_new_filled();
        g_autofree char *file = store_file(directory, ""), *content = NULL;
        size_t n;

        read_file(file, &content, &n);
        content[18] = 3;
        write_file(file, content, n);

        assert_untouched(directory, -EPROTONOSUPPORT);
        directory_remove(directory);
}

/* The disk goes bad while the service runs: it says so, and writes nothing more. */
static void test_while_open(void) {
        char *directory = directory_new_filled();
        g_autofree char *file = store_file(directory, ""), *garbage = g_strnfill(PAGE, (char) 0xa5), *aside = NULL;
        TestStore *s = directory_open(directory);
        sqlite3 *db = raw_open(directory);
        struct stat st;
        int fd;

        raw_exec(db, "UPDATE setting SET value = 'x'"); /* a change elsewhere: the store's cache does not count any more */
        raw_exec(db, "PRAGMA user_version = 2");

        fd = open(file, O_WRONLY | O_CLOEXEC);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        for (off_t at = PAGE; at < st.st_size; at += PAGE)
                g_assert_cmpint(pwrite(fd, garbage, PAGE, at), ==, PAGE);

        g_assert_cmpint(change_run(s, 12), ==, -EUCLEAN);
        g_assert_nonnull(strstr(s->why, "database disk image is malformed"));
        test_store_wait(s, &s->n_unavailable, 1);
        g_assert_cmpint(s->error, ==, -EUCLEAN);
        g_assert_false(store_is_open(s->store));
        g_assert_cmpint(change_run(s, 13), ==, -EUCLEAN);
        g_assert_cmpstr(s->why, ==, s->fault);
        g_assert_cmpuint(s->n_opened, ==, 1);

        sqlite3_close(db);
        test_store_close(s);
        close(fd); /* only now: it drops the process' locks */

        assert_untouched(directory, -EUCLEAN);
        aside = begin_new(directory);
        directory_remove(directory);
}

/* Somebody takes a table away while the service runs, and puts it back. */
static void test_mended(void) {
        char *directory = directory_new();
        sqlite3_stmt *statement = NULL;
        TestStore *s;
        sqlite3 *db;

        store_times.retry_usec = 30 * G_TIME_SPAN_MILLISECOND;
        s = directory_open(directory);
        for (unsigned i = 0; i < 5; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        db = raw_open(directory);
        raw_exec(db, "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'setting'; DROP TABLE setting");
        g_assert_cmpint(change_run(s, 19), ==, -EUCLEAN);
        test_store_wait(s, &s->n_unavailable, 1);
        g_assert_cmpint(s->error, ==, -EUCLEAN);
        test_store_wait(s, &s->n_unavailable, 2); /* the reason that opening it finds is another one */
        g_assert_cmpint(s->error, ==, -EUCLEAN);

        g_assert_cmpint(sqlite3_prepare_v2(db, "SELECT sql FROM kept", -1, &statement, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
        raw_exec(db, (const char *) sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
        sqlite3_close(db);
        test_store_wait(s, &s->n_opened, 2);
        g_assert_cmpstr(s->image, ==, state_after(5));
        g_assert_cmpint(change_run(s, 5), ==, 0);
        test_store_close(s);
        store_times.retry_usec = 30 * G_USEC_PER_SEC;
        directory_remove(directory);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        faults.no_sync = true; /* nothing here depends on what reaches the disk */

        g_test_add_func("/store-damage/bytes", test_bytes);
        g_test_add_func("/store-damage/sql", test_sql);
        g_test_add_func("/store-damage/wal", test_wal);
        g_test_add_func("/store-damage/stray-wal", test_stray_wal);
        g_test_add_func("/store-damage/begin-new", test_begin_new);
        g_test_add_func("/store-damage/begin-new-in-use", test_begin_new_in_use);
        g_test_add_func("/store-damage/flips", test_flips);
        g_test_add_func("/store-damage/foreign", test_foreign);
        g_test_add_func("/store-damage/newer-format", test_newer_format);
        g_test_add_func("/store-damage/while-open", test_while_open);
        g_test_add_func("/store-damage/mended", test_mended);
        r = g_test_run();

        states_free();
        return r;
}
