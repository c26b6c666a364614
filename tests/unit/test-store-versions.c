/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files of other versions, and files that come back from a backup: brought to this version with nothing lost, or refused as
 * they are. And the statements on the tables of this version. */

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/log.h"
#include "store-faults.h"
#include "store-fixture.h"
#include "store/migrations.h"
#include "store/stored.h"

/* What a service of version 1 may have left, and what it is to a service of today. */
static const char version_1_content[] =
        "INSERT INTO portal_group VALUES (1, 'front'), (2, ''), (5, 'gone');"
        "DELETE FROM portal_group WHERE id = 5;"
        "INSERT INTO tcp_endpoint VALUES (1, '2001:db8::7', 3261);"
        "INSERT INTO member VALUES (1, 2, '2001:db8::7', 3261), (2, 1, '10.0.0.1', 3260);"
        "INSERT INTO node VALUES (3, 'iqn.2024-01.org.example:disks', '', 8), (7, 'iqn.2024-01.org.example:host', 'the host', "
        "12);"
        "INSERT INTO port VALUES (3, 2, 3), (3, 1, 3), (7, 145250058241, 2);"
        "INSERT INTO binding VALUES (3, 1, 3, 2, '10.0.0.1', 3260), (3, 1, 3, 1, '10.0.0.2', 3260), (3, 2, 3, 1, '::1', 860),"
        "                           (7, 145250058241, 2, 1, 'fe80::1%eth0', 0);";

static const char version_1_image[] = "group 1 'front'\n"
                                      "group 2 ''\n"
                                      "tcp [2001:db8::7]:3261\n"
                                      "member 2 [2001:db8::7]:3261\n"
                                      "member 1 10.0.0.1:3260\n"
                                      "node iqn.2024-01.org.example:disks '' 8\n"
                                      "node iqn.2024-01.org.example:host 'the host' 12\n"
                                      "port iqn.2024-01.org.example:disks 3 000000000001 10.0.0.2:3260 10.0.0.1:3260\n"
                                      "port iqn.2024-01.org.example:disks 3 000000000002 [::1]:860\n"
                                      "port iqn.2024-01.org.example:host 2 0021D1940001 [fe80::1%eth0]:0\n";

static sqlite3 *make_version_1(const char *directory) {
        sqlite3 *db = raw_open(directory);
        g_autofree char *file = store_file(directory, "");

        raw_exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON");
        raw_exec(db, store_migrations[0]);
        raw_exec(db, "PRAGMA user_version = 1");
        raw_exec(db, version_1_content);
        g_assert_cmpint(chmod(file, 0600), ==, 0);
        return db;
}

static char *directory_new_version_1(void) {
        char *directory = directory_new();

        sqlite3_close(make_version_1(directory));
        return directory;
}

static int query(const char *directory, const char *sql) {
        sqlite3 *db = raw_open(directory);
        int n = raw_integer(db, sql);

        sqlite3_close(db);
        return n;
}

static void assert_current(const char *directory) {
        g_assert_cmpint(query(directory, "PRAGMA user_version"), ==, STORE_VERSION);
        g_assert_cmpint(query(directory, "PRAGMA application_id"), ==, STORE_APPLICATION_ID);
        g_assert_cmpint(query(directory, "SELECT version FROM meta"), ==, STORE_VERSION);
        g_assert_cmpint(query(directory, "SELECT count(*) FROM pragma_foreign_key_check"), ==, 0);
}

static void assert_version_1(const char *directory) {
        g_assert_cmpint(query(directory, "PRAGMA user_version"), ==, 1);
        g_assert_cmpint(query(directory, "SELECT count(*) FROM port"), ==, 3);
        g_assert_cmpint(query(directory, "SELECT count(*) FROM binding"), ==, 4);
        g_assert_cmpint(query(directory, "SELECT count(*) FROM pragma_foreign_key_check"), ==, 0);
}

/* Opens a file of version 1, and uses it. */
static void assert_migrates(const char *directory) {
        TestStore *s = directory_open(directory);
        g_autofree char *text = NULL;

        g_assert_cmpstr(s->image, ==, version_1_image);
        g_assert_cmpuint(s->next_group_id, ==, 6);
        assert_current(directory);

        /* The new tables refer to each other as the old ones did. */
        g_assert_cmpint(add_node(s, "iqn.2024-01.org.example:disks", "", 8), ==, -EEXIST);
        g_assert_cmpint(add_node(s, "another", "the host", 8), ==, -EEXIST);
        g_assert_cmpint(remove_node(s, "iqn.2024-01.org.example:disks"), ==, 0);
        g_assert_cmpint(remove_node(s, "iqn.2024-01.org.example:host"), ==, 0);
        text = store_dump(s);
        g_assert_null(strstr(text, "port "));
        g_assert_cmpint(query(directory, "SELECT count(*) FROM binding"), ==, 0);
        test_store_close(s);
}

static void test_migrates(void) {
        char *directory = directory_new_version_1(), *other = directory_new();
        g_autofree char *copy = store_file(directory, ".before-v2"), *restored = store_file(other, ""), *list = NULL;
        struct stat st;

        assert_migrates(directory);

        /* The copy is the old store, and becomes a current one as that did. */
        list = directory_list(directory);
        g_assert_cmpstr(list, ==, "ports.db ports.db.before-v2 ");
        g_assert_cmpint(stat(copy, &st), ==, 0);
        g_assert_cmpuint(st.st_mode & 07777, ==, 0600);
        g_assert_cmpint(rename(copy, restored), ==, 0);
        assert_version_1(other);
        assert_migrates(other);

        directory_remove(directory);
        directory_remove(other);
}

/* What was last written stands only in a WAL that a crash left. */
static void test_migrates_with_wal(void) {
        char *directory = directory_new();
        int status;
        pid_t pid;

        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                (void) make_version_1(directory);
                _exit(0);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
        {
                g_autofree char *wal = store_file(directory, "-wal");

                g_assert_true(g_file_test(wal, G_FILE_TEST_EXISTS));
        }

        assert_migrates(directory);
        directory_remove(directory);
}

/* The usual way to make a table anew, with foreign keys on, loses every port. This is the trap that database_migrate() goes
 * around. */
static void test_cascade(void) {
        static const char *const harmful[] = {
                NULL,
                "DROP TABLE node; CREATE TABLE node (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO node VALUES (3, 'a'), (7, "
                "'b');"
                "CREATE TABLE meta (id INTEGER PRIMARY KEY, version INTEGER)",
        };
        char *directory = directory_new_version_1();
        Database d = { .db = raw_open(directory), .directory_fd = -1 };

        raw_exec(d.db, "PRAGMA foreign_keys = ON; BEGIN");
        raw_exec(d.db, harmful[1]);
        g_assert_cmpint(raw_integer(d.db, "SELECT count(*) FROM port"), ==, 0);
        g_assert_cmpint(raw_integer(d.db, "SELECT count(*) FROM pragma_foreign_key_check"), ==, 0);
        raw_exec(d.db, "ROLLBACK");
        g_assert_cmpint(raw_integer(d.db, "SELECT count(*) FROM port"), ==, 3);

        g_assert_cmpint(database_migrate(&d, harmful, 1, 2, NULL), ==, 0);
        g_assert_cmpint(raw_integer(d.db, "SELECT count(*) FROM port"), ==, 3);
        g_assert_cmpint(raw_integer(d.db, "PRAGMA foreign_keys"), ==, 1);

        database_disconnect(&d);
        directory_remove(directory);
}

static int refuse(Database *d) {
        return database_fail_text(d, -EUCLEAN, "refused");
}

/* Migrations that are wrong: each is a failure of its own kind, and leaves the file as it was. */
static void test_wrong_migrations(void) {
        static const struct {
                const char *sql;
                int (*accept)(Database *d);
                int error;
        } wrong[] = {
                { "SELECT no_such_column FROM node", NULL, -ENOTRECOVERABLE },
                { "DROP TABLE member; CREATE TABEL x (y)", NULL, -ENOTRECOVERABLE },
                { "INSERT INTO node SELECT * FROM node", NULL, -ENOTRECOVERABLE },
                { "CREATE TABLE meta (id INTEGER PRIMARY KEY, version TEXT NOT NULL CHECK (version < 2)) STRICT", NULL,
                  -ENOTRECOVERABLE },
                { "DROP TABLE port", NULL, -ENOTRECOVERABLE }, /* there is no table meta */
                { "DELETE FROM node; CREATE TABLE meta (id INTEGER PRIMARY KEY, version INTEGER)", NULL, -ENOTRECOVERABLE },
                { "CREATE TABLE meta (id INTEGER PRIMARY KEY, version INTEGER)", refuse, -EUCLEAN },
        };

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                const char *const migrations[] = { NULL, wrong[i].sql };
                char *directory = directory_new_version_1();
                Database d = { .db = raw_open(directory), .directory_fd = -1 };

                g_test_message("%s", wrong[i].sql);
                g_assert_cmpint(database_migrate(&d, migrations, 1, 2, wrong[i].accept), ==, wrong[i].error);
                g_test_message("%s", d.error);
                g_assert_cmpstr(d.error, !=, "");
                g_assert_cmpint(sqlite3_get_autocommit(d.db), !=, 0);
                database_disconnect(&d);

                assert_version_1(directory);
                assert_migrates(directory);
                directory_remove(directory);
        }
}

/* Something in the file is in the way of a migration that is good. That is not damage, and the way out is another one. */
static void test_migration_fails(void) {
        char *directory = directory_new_version_1();
        g_autofree char *file = store_file(directory, ""), *before = NULL, *after = NULL, *list = NULL, *why = NULL;
        gsize n_before, n_after;
        sqlite3 *db = raw_open(directory);

        raw_exec(db, "CREATE TABLE journal (what TEXT)");
        sqlite3_close(db);
        g_assert_true(g_file_get_contents(file, &before, &n_before, NULL));

        g_assert_cmpint(directory_try(directory, &why), ==, -ENOTRECOVERABLE);
        g_assert_nonnull(strstr(why, "is as it was"));
        g_assert_nonnull(strstr(why, "table journal already exists"));
        g_assert_null(strstr(why, "damaged"));
        list = directory_list(directory);
        g_assert_cmpstr(list, ==, "ports.db ");
        g_assert_true(g_file_get_contents(file, &after, &n_after, NULL));
        g_assert_cmpmem(before, n_before, after, n_after);

        db = raw_open(directory);
        raw_exec(db, "DROP TABLE journal");
        sqlite3_close(db);
        assert_migrates(directory);
        directory_remove(directory);
}

/* A value that version 1 cannot have written is damage, and is found before anything is changed. */
static void test_damaged_version_1(void) {
        char *directory = directory_new_version_1();
        g_autofree char *list = NULL;
        sqlite3 *db = raw_open(directory);

        raw_exec(db, "UPDATE tcp_endpoint SET address = 'garbage'");
        sqlite3_close(db);
        g_assert_cmpint(directory_try(directory, NULL), ==, -EUCLEAN);
        assert_version_1(directory);
        list = directory_list(directory);
        g_assert_cmpstr(list, ==, "ports.db ");

        directory_remove(directory);
}

/* Every call of a migration fails, or the process is killed at it: nothing is lost, and the next start gets through. */
static void test_interrupted(void) {
        static const FaultKind kinds[] = { FAULT_FAIL, FAULT_KILL, FAULT_TEAR };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                unsigned n_faults = 0;

                for (unsigned at = 1;; at++) {
                        char *directory = directory_new_version_1();
                        int status;
                        pid_t pid;

                        pid = fork();
                        g_assert_cmpint(pid, >=, 0);
                        if (pid == 0) {
                                int r;

                                faults = (Faults){ .kind = kinds[i], .at = at, .error = ENOSPC, .no_sync = true };
                                r = directory_try(directory, NULL);
                                if (r < 0)
                                        _exit(r == -ENOSPC ? 3 : 4);
                                _exit(faults.n_calls >= at ? 1 : 2);
                        }
                        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                        g_assert_true(WIFSIGNALED(status) ? kinds[i] != FAULT_FAIL : WEXITSTATUS(status) < 4);

                        assert_migrates(directory);
                        directory_remove(directory);
                        if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
                                break;
                        n_faults++;
                }

                g_test_message("%u faults", n_faults);
                g_assert_cmpuint(n_faults, >, 10);
        }
}

/* With WITH_WAL, the newer version stands in a WAL that a crash left, and nowhere else. */
static void make_newer(const char *directory, bool with_wal) {
        static const char newer[] = "PRAGMA user_version = " G_STRINGIFY(STORE_VERSION) "1; CREATE TABLE news (x)";

        test_store_close(directory_open(directory));

        if (with_wal) {
                pid_t pid = fork();
                int status;

                g_assert_cmpint(pid, >=, 0);
                if (pid == 0) {
                        raw_exec(raw_open(directory), newer);
                        _exit(0);
                }
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                g_assert_cmpint(status, ==, 0);
        } else {
                sqlite3 *db = raw_open(directory);

                raw_exec(db, newer);
                sqlite3_close(db);
        }
}

static void test_newer(void) {
        for (int with_wal = 0; with_wal <= 1; with_wal++) {
                char *directory = directory_new();
                g_autofree char *file = store_file(directory, ""), *wal = store_file(directory, "-wal"), *before = NULL,
                                *wal_before = NULL, *list_before = NULL;
                size_t n_before, n_wal_before = 0;

                make_newer(directory, with_wal);
                g_assert_true(g_file_get_contents(file, &before, &n_before, NULL));
                g_assert_cmpint(g_file_get_contents(wal, &wal_before, &n_wal_before, NULL), ==, with_wal);
                g_assert_true((n_wal_before > 0) == with_wal);
                list_before = directory_list(directory);

                for (unsigned i = 0; i < 3; i++) {
                        g_autofree char *after = NULL, *wal_after = NULL, *list_after = NULL, *why = NULL;
                        size_t n_after, n_wal_after = 0;

                        g_assert_cmpint(directory_try(directory, &why), ==, -EPROTONOSUPPORT);
                        g_assert_nonnull(strstr(why, "version 21"));
                        g_assert_nonnull(strstr(why, "install the version that wrote it"));

                        list_after = directory_list(directory);
                        g_assert_cmpstr(list_before, ==, list_after);
                        g_assert_true(g_file_get_contents(file, &after, &n_after, NULL));
                        g_assert_cmpmem(before, n_before, after, n_after);
                        g_assert_cmpint(g_file_get_contents(wal, &wal_after, &n_wal_after, NULL), ==, with_wal);
                        g_assert_cmpmem(wal_before, n_wal_before, wal_after, n_wal_after);
                }

                directory_remove(directory);
        }
}

/* The same, restored from SQL text: the version stands in table meta alone. */
static void test_newer_in_meta(void) {
        char *directory = directory_new();
        sqlite3 *db;

        test_store_close(directory_open(directory));
        db = raw_open(directory);
        raw_exec(db, "PRAGMA user_version = 0; PRAGMA application_id = 0; UPDATE meta SET version = 21; DROP TABLE setting");
        sqlite3_close(db);
        g_assert_cmpint(directory_try(directory, NULL), ==, -EPROTONOSUPPORT);

        directory_remove(directory);
}

static void run(const char *script, const char *from, const char *to) {
        g_autoptr(GError) error = NULL;
        const char *argv[] = { "sh", "-c", script, "sh", from, to, NULL };
        int status;

        g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error);
        g_assert_no_error(error);
        g_assert_cmpint(status, ==, 0);
}

/* The ways to back up that README names, while the service runs. */
static const char *const backups[] = {
        "sqlite3 \"$1\" \".backup '$2'\"",
        "sqlite3 \"$1\" \"VACUUM INTO '$2'\"",
        "sqlite3 \"$1\" .dump | sqlite3 \"$2\"",
};

static void test_restored_backup(void) {
        for (size_t i = 0; i < ELEMENTSOF(backups); i++) {
                char *directory = directory_new(), *other = directory_new();
                g_autofree char *file = store_file(directory, ""), *copy = store_file(other, "");
                TestStore *s = directory_open(directory), *restored;

                g_test_message("%s", backups[i]);
                for (unsigned k = 0; k < 20; k++)
                        g_assert_cmpint(change_run(s, k), ==, 0);
                run(backups[i], file, copy);
                g_assert_cmpint(change_run(s, 20), ==, 0);
                test_store_close(s);

                restored = directory_open(other);
                g_assert_cmpstr(restored->image, ==, state_after(20));
                g_assert_cmpuint(restored->next_group_id, ==, 4);
                g_assert_cmpint(change_run(restored, 20), ==, 0);
                test_store_close(restored);
                assert_current(other);

                directory_remove(directory);
                directory_remove(other);
        }
}

static void test_restored_version_1(void) {
        for (size_t i = 0; i < ELEMENTSOF(backups); i++) {
                char *directory = directory_new_version_1(), *other = directory_new();
                g_autofree char *file = store_file(directory, ""), *copy = store_file(other, "");

                g_test_message("%s", backups[i]);
                run(backups[i], file, copy);
                assert_migrates(other);

                directory_remove(directory);
                directory_remove(other);
        }
}

/* A header that lost what tells it from other databases gets it back; one that lost nothing is not written to. */
static void test_marks(void) {
        static const char *const losses[] = { "PRAGMA user_version = 0", "PRAGMA application_id = 0", "DELETE FROM meta",
                                              "SELECT 1" };

        for (size_t i = 0; i < ELEMENTSOF(losses); i++) {
                char *directory = directory_new();
                sqlite3 *db;

                test_store_close(directory_open(directory));
                db = raw_open(directory);
                raw_exec(db, losses[i]);
                sqlite3_close(db);

                faults.n_syncs = 0;
                test_store_close(directory_open(directory));
                g_assert_true((faults.n_syncs == 0) == (i == ELEMENTSOF(losses) - 1));
                assert_current(directory);
                directory_remove(directory);
        }
}

/* A file that cannot be used is looked at again, and read again only when it has changed. */
static void test_looked_at_again(void) {
        char *directory = directory_new();
        TestStore *s;
        sqlite3 *db;

        test_store_close(directory_open(directory));
        db = raw_open(directory);
        raw_exec(db, "PRAGMA user_version = 99");
        sqlite3_close(db);

        store_times.retry_usec = 20 * G_TIME_SPAN_MILLISECOND;
        s = test_store_new(directory);
        g_assert_cmpint(s->error, ==, -EPROTONOSUPPORT);
        g_assert_cmpint(sd_event_run(s->event, 200 * G_TIME_SPAN_MILLISECOND), ==, 0);

        db = raw_open(directory);
        raw_exec(db, "PRAGMA user_version = 98");
        test_store_wait(s, &s->n_unavailable, 2); /* another reason */
        raw_exec(db, "PRAGMA user_version = " G_STRINGIFY(STORE_VERSION));
        sqlite3_close(db);
        test_store_wait(s, &s->n_opened, 1);
        store_times.retry_usec = 30 * G_USEC_PER_SEC;
        g_assert_cmpint(change_run(s, 0), ==, 0);

        test_store_close(s);
        directory_remove(directory);
}

static void assert_values_known(Database *d, const char *sql) {
        Prepared p;
        int n = 0;

        if (!sql)
                return;

        g_test_message("%s", sql);
        g_assert_cmpint(prepared_new(d, sql, 0, &p), ==, 0);
        for (size_t v = 0; v < STORE_VALUES; v++)
                n += (p.parameters[v] > 0) + (p.columns[v] > 0);
        g_assert_cmpint(n, ==, sqlite3_bind_parameter_count(p.statement) + sqlite3_column_count(p.statement));
        g_assert_cmpint(sqlite3_finalize(p.statement), ==, SQLITE_OK);
}

/* What the statements of stored.def name, in parameters and columns, are values of an operation: others would be NULL or left. */
static void test_statements(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        Database d = { .db = raw_open(directory) };

        for (StoreVerb v = 0; v < _STORE_VERB_MAX; v++)
                for (size_t i = 0; verb_steps(v) && i < STORE_STEPS_MAX; i++)
                        assert_values_known(&d, verb_steps(v)[i].sql);
        for (StoredType t = 0; t < _STORED_MAX; t++) {
                g_assert_true(!stored_kinds[t].load || stored_kinds[t].add->sql); /* an image is what would make it */
                assert_values_known(&d, stored_kinds[t].load);
                assert_values_known(&d, stored_kinds[t].load_portals);
        }

        database_disconnect(&d);
        test_store_close(s);
        directory_remove(directory);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        log_set_max_level(LOG_EMERG); /* what is logged is known */
        faults_install();
        faults.no_sync = true;

        g_test_add_func("/store-versions/migrates", test_migrates);
        g_test_add_func("/store-versions/migrates-with-wal", test_migrates_with_wal);
        g_test_add_func("/store-versions/cascade", test_cascade);
        g_test_add_func("/store-versions/wrong-migrations", test_wrong_migrations);
        g_test_add_func("/store-versions/migration-fails", test_migration_fails);
        g_test_add_func("/store-versions/damaged-version-1", test_damaged_version_1);
        g_test_add_func("/store-versions/interrupted", test_interrupted);
        g_test_add_func("/store-versions/newer", test_newer);
        g_test_add_func("/store-versions/newer-in-meta", test_newer_in_meta);
        g_test_add_func("/store-versions/restored-backup", test_restored_backup);
        g_test_add_func("/store-versions/restored-version-1", test_restored_version_1);
        g_test_add_func("/store-versions/marks", test_marks);
        g_test_add_func("/store-versions/looked-at-again", test_looked_at_again);
        g_test_add_func("/store-versions/statements", test_statements);
        r = g_test_run();

        states_free();
        return r;
}
