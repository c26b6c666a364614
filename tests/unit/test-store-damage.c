/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files that are damaged: kept as they were, told of, and replaced by a store that works. */

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
        Store *s = directory_open(directory);
        sqlite3 *db;

        for (unsigned i = 0; i < 12; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        store_close(s);

        db = raw_open(directory);
        raw_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)"
                     "INSERT INTO node SELECT 100 + i, printf('iqn.2024-01.org.example:%0150d', i), '', 8 FROM n");
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

/* Opens a damaged store: the new one is empty and works. Returns where the old one went. */
static char *open_damaged(const char *directory) {
        g_autofree char *text = NULL, *name = NULL, *parent = NULL, *real = realpath(directory, NULL), *again = NULL;
        char *damaged = NULL;
        Store *s = NULL;
        struct stat st;

        g_assert_cmpint(store_open(directory, &s, &damaged), ==, 0);
        g_assert_nonnull(damaged);
        parent = g_path_get_dirname(damaged);
        name = g_path_get_basename(damaged);
        g_assert_cmpstr(parent, ==, real);
        g_assert_true(g_regex_match_simple("^ports\\.db\\.damaged-[0-9]{8}T[0-9]{6}\\.[0-9]{6}Z$", name, 0, 0));
        g_assert_cmpint(stat(damaged, &st), ==, 0);
        g_assert_cmpuint(st.st_mode & 07777, ==, 0600);

        text = store_dump(s);
        g_assert_cmpstr(text, ==, "");
        for (unsigned i = 0; i < n_changes; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        store_close(s);

        again = directory_dump(directory);
        g_assert_cmpstr(again, ==, state_after(n_changes));
        return damaged;
}

typedef struct Harm {
        const char *what;
        size_t offset; /* from here on, or SIZE_MAX: the middle page */
        size_t length; /* this many bytes, at most up to the end */
        int byte;      /* become this, or CUT: the file ends at OFFSET */
} Harm;

#define MIDDLE SIZE_MAX
#define CUT (-1)

static void test_bytes(void) {
        static const Harm harms[] = {
                { "garbage in the header", 0, 100, 'x' },
                { "garbage text all over", 0, SIZE_MAX, 'x' },
                { "zeros all over", 0, SIZE_MAX, 0 },
                { "another magic", 3, 1, 'X' },
                { "two bytes left", 2, 0, CUT }, /* one byte or none is a new file to SQLite */
                { "the header left", 100, 0, CUT },
                { "the first page left", PAGE, 0, CUT },
                { "half of a page missing", 10 * PAGE + PAGE / 2, 0, CUT },
                { "the last pages missing", 12 * PAGE, 0, CUT },
                { "garbage in a middle page", MIDDLE, PAGE, 0xa5 },
                { "zeros in a middle page", MIDDLE, PAGE, 0 },
                { "garbage in the tables' definitions", PAGE - 300, 100, 'x' },
                { "a negative version", 60, 1, 0xff },
                { "no version", 63, 1, 0 },
                { "an unknown schema format", 47, 1, 9 },
        };

        for (size_t i = 0; i < ELEMENTSOF(harms); i++) {
                char *directory = directory_new_filled();
                g_autofree char *file = store_file(directory, ""), *content = NULL, *kept = NULL, *damaged = NULL;
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

                damaged = open_damaged(directory);
                read_file(damaged, &kept, &n_kept);
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
        "PRAGMA user_version = 0",
        /* Only a comparison of the index with its table shows this. */
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = replace(sql, '!= ''''', '= ''nobody''') WHERE name = 'node_by_alias'",
};

static void test_sql(void) {
        for (size_t i = 0; i < ELEMENTSOF(sql_harms); i++) {
                char *directory = directory_new_filled();
                g_autofree char *file = store_file(directory, ""), *content = NULL, *kept = NULL, *damaged = NULL;
                size_t n, n_kept;
                sqlite3 *db = raw_open(directory);

                g_test_message("%s", sql_harms[i]);
                raw_exec(db, sql_harms[i]);
                sqlite3_close(db);
                read_file(file, &content, &n);

                damaged = open_damaged(directory);
                read_file(damaged, &kept, &n_kept);
                g_assert_cmpmem(kept, n_kept, content, n);

                directory_remove(directory);
        }
}

/* The damage is in the WAL that a crash left; together with it, it goes aside, and nothing writes it into the file. */
static void test_wal(void) {
        for (size_t i = 0; i < ELEMENTSOF(sql_harms); i++) {
                char *directory = directory_new_filled();
                g_autofree char *file = store_file(directory, ""), *wal = store_file(directory, "-wal"), *content = NULL,
                                *wal_content = NULL, *kept = NULL, *wal_kept = NULL, *damaged = NULL, *damaged_wal = NULL;
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

                damaged = open_damaged(directory);
                damaged_wal = g_strconcat(damaged, "-wal", NULL);
                read_file(damaged, &kept, &n_kept);
                g_assert_cmpmem(kept, n_kept, content, n);
                read_file(damaged_wal, &wal_kept, &n_wal_kept);
                g_assert_cmpmem(wal_kept, n_wal_kept, wal_content, n_wal);

                /* Nothing else is left. */
                list = directory_list(directory);
                g_assert_true(
                        g_regex_match_simple("^ports.db ports.db.damaged-[^ -]* ports.db.damaged-[^ -]*-wal $", list, 0, 0));

                directory_remove(directory);
        }
}

/* A WAL without its file: what a crash leaves in the middle of moving things aside, or a hand that removed the file alone. */
static void test_stray_wal(void) {
        for (int n_bytes = -1; n_bytes <= 1; n_bytes++) { /* -1: no file */
                char *directory = directory_new();
                g_autofree char *file = store_file(directory, ""), *wal = store_file(directory, "-wal"), *kept = NULL,
                                *damaged = NULL, *damaged_wal = NULL;
                size_t n_kept;

                g_assert_true(g_file_set_contents(wal, "a log", -1, NULL));
                if (n_bytes >= 0)
                        g_assert_true(g_file_set_contents_full(file, "S", n_bytes, G_FILE_SET_CONTENTS_NONE, 0600, NULL));

                damaged = open_damaged(directory);
                damaged_wal = g_strconcat(damaged, "-wal", NULL);
                read_file(damaged_wal, &kept, &n_kept);
                g_assert_cmpmem(kept, n_kept, "a log", 5);

                directory_remove(directory);
        }
}

/* Damage again, in the same second: the first one is not overwritten. */
static void test_twice(void) {
        char *directory = directory_new();
        g_autofree char *file = store_file(directory, "");
        char *damaged[3];

        for (unsigned i = 0; i < ELEMENTSOF(damaged); i++) {
                g_autofree char *content = g_strnfill(5000, (char) ('a' + (int) i));

                g_assert_true(g_file_set_contents_full(file, content, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
                damaged[i] = open_damaged(directory);
        }

        for (unsigned i = 0; i < ELEMENTSOF(damaged); i++) {
                g_autofree char *content = NULL;

                read_file(damaged[i], &content, &(size_t){ 0 });
                g_assert_cmpint(content[0], ==, (char) ('a' + (int) i));
                g_free(damaged[i]);
        }

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
                g_autofree char *path = store_file(copy, ""), *damaged = NULL, *flipped = g_memdup2(content, n);
                Store *s = NULL;
                int r;

                flipped[at] ^= 0x15;
                write_file(path, flipped, n);

                r = store_open(copy, &s, &damaged);
                if (r < 0) {
                        g_autofree char *after = NULL;
                        size_t n_after;

                        /* A newer version, a newer format of the file. */
                        g_assert_cmpint(r, ==, -EPROTONOSUPPORT);
                        read_file(path, &after, &n_after);
                        g_assert_cmpmem(after, n_after, flipped, n);
                        n_refused++;
                } else if (damaged) {
                        g_autofree char *kept = NULL;
                        size_t n_kept;

                        read_file(damaged, &kept, &n_kept);
                        g_assert_cmpmem(kept, n_kept, flipped, n);
                        n_damaged++;
                } else {
                        g_autofree char *text = store_dump(s);

                        g_assert_cmpuint(strlen(text), >, 100);
                        n_unnoticed++; /* a letter of a name, a byte that nothing uses */
                }

                store_close(s);
                directory_remove(copy);
        }

        g_test_message("%u damaged, %u refused, %u unnoticed", n_damaged, n_refused, n_unnoticed);
        g_assert_cmpuint(n_damaged, >, 30);
        g_assert_cmpuint(n_refused, >, 0);

        directory_remove(directory);
}

/* Somebody else's database: nothing in it is ours, and nothing of ours is put into it. */
static void test_foreign(void) {
        char *directory = directory_new();
        g_autofree char *file = store_file(directory, ""), *content = NULL, *kept = NULL, *damaged = NULL;
        sqlite3 *db = raw_open(directory);
        size_t n, n_kept;

        raw_exec(db, "CREATE TABLE photo (title TEXT); INSERT INTO photo VALUES ('sea')");
        sqlite3_close(db);
        g_assert_cmpint(chmod(file, 0600), ==, 0);
        read_file(file, &content, &n);

        damaged = open_damaged(directory);
        read_file(damaged, &kept, &n_kept);
        g_assert_cmpmem(kept, n_kept, content, n);

        directory_remove(directory);
}

/* A file that this SQLite may read but not write, by what its header says. */
static void test_newer_format(void) {
        char *directory = directory_new_filled();
        g_autofree char *file = store_file(directory, ""), *content = NULL, *after = NULL, *damaged = NULL;
        size_t n, n_after;
        Store *s = NULL;

        read_file(file, &content, &n);
        content[18] = 3;
        write_file(file, content, n);

        g_assert_cmpint(store_open(directory, &s, &damaged), ==, -EPROTONOSUPPORT);
        g_assert_null(damaged);
        read_file(file, &after, &n_after);
        g_assert_cmpmem(after, n_after, content, n);

        directory_remove(directory);
}

/* The disk goes bad while the service runs. */
static void test_while_open(void) {
        char *directory = directory_new_filled(), *damaged;
        g_autofree char *file = store_file(directory, ""), *garbage = g_strnfill(PAGE, (char) 0xa5);
        Store *s = directory_open(directory);
        static const StoreVisitor nothing = {};
        sqlite3 *db = raw_open(directory);
        struct stat st;
        int fd;

        raw_exec(db, "PRAGMA user_version = 1"); /* a change elsewhere: the store's cache does not count any more */

        fd = open(file, O_WRONLY | O_CLOEXEC);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        for (off_t at = PAGE; at < st.st_size; at += PAGE)
                g_assert_cmpint(pwrite(fd, garbage, PAGE, at), ==, PAGE);

        g_assert_cmpint(change_run(s, 12), ==, -EUCLEAN);
        g_assert_cmpstr(store_last_error(s), ==, "database disk image is malformed");
        g_assert_cmpint(store_load(s, &nothing, NULL), ==, -EUCLEAN);
        g_assert_cmpint(change_run(s, 13), ==, -EUCLEAN);

        sqlite3_close(db);
        store_close(s);
        close(fd); /* only now: it drops the process' locks */

        damaged = open_damaged(directory);
        g_free(damaged);
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
        g_test_add_func("/store-damage/twice", test_twice);
        g_test_add_func("/store-damage/flips", test_flips);
        g_test_add_func("/store-damage/foreign", test_foreign);
        g_test_add_func("/store-damage/newer-format", test_newer_format);
        g_test_add_func("/store-damage/while-open", test_while_open);
        r = g_test_run();

        states_free();
        return r;
}
