/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store on a machine where all goes well: what goes in comes out, the file's own constraints, its modes, its versions. */

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store-fixture.h"
#include "store/migrations.h"
#include "store/sql.h"

#define NODE "iqn.2024-01.org.example:a"

/* The fixture's sequence compared with what it means, written out. The other tests compare with the fixture. */
static void test_round_trip(void) {
        char *directory = directory_new();
        g_autofree char *all = NULL, *rest = NULL;

        for (unsigned i = 0; i < n_changes; i++) {
                Store *s = directory_open(directory);
                g_autofree char *before = NULL, *after = NULL;

                g_assert_cmpint(change_run(s, i), ==, 0);
                before = store_dump(s);
                store_close(s);

                after = directory_dump(directory);
                g_assert_cmpstr(before, ==, after);
                g_assert_cmpstr(after, ==, state_after(i + 1));
                if (i == 11)
                        all = g_steal_pointer(&after);
                if (i == 18)
                        rest = g_steal_pointer(&after);
        }

        g_assert_cmpstr(all, ==,
                        "group 1 'front'\n"
                        "group 2 ''\n"
                        "tcp [2001:db8::7]:3261\n"
                        "member 2 [2001:db8::7]:3261\n"
                        "member 1 10.0.0.1:3260\n"
                        "member 1 [2001:db8::7]:3261\n"
                        "node iqn.2024-01.org.example:disks '' 8\n"
                        "node iqn.2024-01.org.example:host 'the host' 12\n"
                        "port iqn.2024-01.org.example:disks 3 000000000001 10.0.0.1:3260 [2001:db8::7]:3261\n"
                        "port iqn.2024-01.org.example:disks 3 000000000002 10.0.0.3:3260 [::1]:860\n"
                        "port iqn.2024-01.org.example:host 2 00023D000001 [fe80::1%eth0]:0\n");
        g_assert_cmpstr(rest, ==,
                        "group 1 'front'\n"
                        "group 3 'third'\n"
                        "tcp 10.0.0.1:3260\n"
                        "member 0 10.0.0.1:3260\n"
                        "node iqn.2024-01.org.example:host 'the host' 12\n"
                        "port iqn.2024-01.org.example:host 2 00023D000001 [fe80::1%eth0]:0\n");

        directory_remove(directory);
}

/* Many portals, put in against the order of their addresses, and one bound, unbound and bound again. */
static void test_order(void) {
        char *directory = directory_new();
        g_autofree char *text = NULL;
        g_autoptr(GString) expected = g_string_new("node " NODE " '' 8\nport " NODE " 3 00000000FFFF");
        Store *s = directory_open(directory);
        Portal portals[40];

        for (unsigned i = 0; i < ELEMENTSOF(portals); i++) {
                g_autofree char *p = g_strdup_printf("10.0.%u.1:%u", 200 - i, 4000 - i);

                portals[i] = portal(p);
                if (i != 3)
                        g_string_append_printf(expected, " %s", p);
        }
        g_string_append(expected, " 10.0.197.1:3997\n");

        g_assert_cmpint(store_add_node(s, NODE, "", 8), ==, 0);
        g_assert_cmpint(store_add_port(s, &(StorePort){ NODE, 3, 65535, portals, ELEMENTSOF(portals) }), ==, 0);
        g_assert_cmpint(store_remove_binding(s, NODE, 65535, &portals[3]), ==, 0);
        g_assert_cmpint(store_add_binding(s, NODE, 65535, &portals[3]), ==, 0);

        text = store_dump(s);
        g_assert_cmpstr(text, ==, expected->str);

        store_close(s);
        directory_remove(directory);
}

static int stop_at_node(const char *name, const char *alias, unsigned roles, void *userdata) {
        (*(unsigned *) userdata)++;
        return -ECANCELED;
}

static void test_load_stops(void) {
        static const StoreVisitor stop = { .node = stop_at_node };
        char *directory = directory_new();
        Store *s = directory_open(directory);
        unsigned n = 0;

        g_assert_cmpint(change_run(s, 0), ==, 0);
        g_assert_cmpint(change_run(s, 1), ==, 0);
        g_assert_cmpint(store_load(s, &stop, &n), ==, -ECANCELED);
        g_assert_cmpuint(n, ==, 1);

        /* No read transaction is left over. */
        g_assert_cmpint(change_run(s, 2), ==, 0);

        store_close(s);
        directory_remove(directory);
}

static void assert_refused(Store *s, int r, int error, const char *before) {
        g_autofree char *after = NULL;

        g_assert_cmpint(r, ==, error);
        g_assert_cmpstr(store_last_error(s), !=, "");
        after = store_dump(s);
        g_assert_cmpstr(after, ==, before);
}

static void test_refusals(void) {
        char *directory = directory_new();
        Store *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3260"), b = portal("10.0.0.2:3260"), ip = ip_portal("10.0.0.1"), unusable = {},
               multicast = { .address = { .family = AF_INET, .in.s_addr = htonl(0xe0000001) }, .port = 3260 };
        Portal twice[] = { b, b }, new_and_used[] = { b, a };
        g_autofree char *before = NULL, *long_name = g_strnfill(224, 'x'), *longest_name = g_strnfill(223, 'x');
        uint64_t id = 0;

        g_assert_cmpstr(store_last_error(s), ==, "");

        g_assert_cmpint(store_add_node(s, NODE, "alias", 8), ==, 0);
        g_assert_cmpint(store_add_node(s, "other", "", 12), ==, 0);
        g_assert_cmpint(store_add_node(s, longest_name, "", 4), ==, 0); /* two nodes without an alias */
        g_assert_cmpint(store_add_port(s, &(StorePort){ NODE, 3, 1, &a, 1 }), ==, 0);
        g_assert_cmpint(store_add_port(s, &(StorePort){ "other", 3, 1, &a, 1 }), ==, 0); /* same tag and portal, other node */
        g_assert_cmpint(store_add_port(s, &(StorePort){ "other", 2, 0xFFFFFFFFFFFF, &ip, 1 }), ==, 0);
        g_assert_cmpint(store_add_port(s, &(StorePort){ "other", 2, 0, &ip, 1 }), ==, 0); /* initiator ports share */
        g_assert_cmpint(store_add_port(s, &(StorePort){ "other", 2, 65536, NULL, 0 }), ==, 0);
        g_assert_cmpint(store_add_portal_group(s, "g", &id), ==, 0);
        g_assert_cmpuint(id, ==, 1);
        g_assert_cmpint(store_add_tcp_endpoint(s, &a, id), ==, 0);
        before = store_dump(s);

        assert_refused(s, store_add_node(s, NODE, "", 8), -EEXIST, before);
        assert_refused(s, store_add_node(s, "new", "alias", 8), -EEXIST, before);
        assert_refused(s, store_add_node(s, "", "", 8), -EEXIST, before);
        assert_refused(s, store_add_node(s, long_name, "", 8), -EEXIST, before);
        assert_refused(s, store_add_node(s, "new", "", 0), -EEXIST, before);
        assert_refused(s, store_add_node(s, "new", "", 1), -EEXIST, before);
        assert_refused(s, store_add_node(s, "new", "", 16 | 8), -EEXIST, before);
        assert_refused(s, store_remove_node(s, "new"), -ENOENT, before);

        assert_refused(s, store_add_port(s, &(StorePort){ "new", 3, 2, &b, 1 }), -ENOENT, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 1, &b, 1 }), -EEXIST, before);
        assert_refused(s, store_add_port(s, &(StorePort){ "other", 2, 1, &ip, 1 }), -EEXIST, before); /* of both roles */
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 65536, &b, 1 }), -EEXIST, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 2, 1ull << 48, &ip, 1 }), -EEXIST, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 2, UINT64_MAX, &ip, 1 }), -EEXIST, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 4, 2, &b, 1 }), -EEXIST, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 2, &a, 1 }), -EEXIST, before); /* portal of another port */
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 2, new_and_used, 2 }), -EEXIST, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 2, twice, 2 }), -EEXIST, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 2, &ip, 1 }), -EEXIST, before); /* no TCP port */
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 2, 2, &b, 1 }), -EEXIST, before);  /* a TCP port */
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 2, &unusable, 1 }), -EINVAL, before);
        assert_refused(s, store_add_port(s, &(StorePort){ NODE, 3, 2, &multicast, 1 }), -EINVAL, before);
        assert_refused(s, store_remove_port(s, NODE, 2), -ENOENT, before);
        assert_refused(s, store_remove_port(s, "new", 1), -ENOENT, before);

        assert_refused(s, store_add_binding(s, NODE, 2, &b), -ENOENT, before);
        assert_refused(s, store_add_binding(s, "new", 1, &b), -ENOENT, before);
        assert_refused(s, store_add_binding(s, NODE, 1, &a), -EEXIST, before);
        assert_refused(s, store_add_binding(s, NODE, 1, &ip), -EEXIST, before);
        assert_refused(s, store_add_binding(s, NODE, 1, &unusable), -EINVAL, before);
        assert_refused(s, store_add_binding(s, "other", 0, &ip), -EEXIST, before);
        assert_refused(s, store_remove_binding(s, NODE, 1, &b), -ENOENT, before);
        assert_refused(s, store_remove_binding(s, NODE, 2, &a), -ENOENT, before);
        assert_refused(s, store_remove_binding(s, NODE, 1, &unusable), -EINVAL, before);

        assert_refused(s, store_add_tcp_endpoint(s, &a, 0), -EEXIST, before);
        assert_refused(s, store_add_tcp_endpoint(s, &b, 2), -ENOENT, before);
        assert_refused(s, store_add_tcp_endpoint(s, &ip, 0), -EEXIST, before);
        assert_refused(s, store_add_tcp_endpoint(s, &unusable, 0), -EINVAL, before);
        assert_refused(s, store_remove_tcp_endpoint(s, &b), -ENOENT, before);

        assert_refused(s, store_add_member(s, 1, &a), -EEXIST, before);
        assert_refused(s, store_add_member(s, 2, &b), -ENOENT, before);
        assert_refused(s, store_add_member(s, 1, &ip), -EEXIST, before);
        assert_refused(s, store_add_member(s, 1, &unusable), -EINVAL, before);
        assert_refused(s, store_add_member(s, 0, &b), -ENOENT, before); /* not made by method */
        assert_refused(s, store_remove_member(s, 0, &a), -ENOENT, before);
        assert_refused(s, store_remove_member(s, 1, &b), -ENOENT, before);
        assert_refused(s, store_remove_portal_group(s, 1), -EEXIST, before); /* has a member */
        assert_refused(s, store_remove_portal_group(s, 2), -ENOENT, before);
        assert_refused(s, store_remove_portal_group(s, 0), -ENOENT, before); /* built in */

        store_close(s);
        directory_remove(directory);
}

/* An endpoint on a default port is a member though it is not in the file; failing to remove it must not cost it its group. */
static void test_remove_automatic_endpoint(void) {
        char *directory = directory_new();
        Store *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3260");
        g_autofree char *before = NULL;
        uint64_t id = 0;

        g_assert_cmpint(store_add_portal_group(s, "g", &id), ==, 0);
        g_assert_cmpint(store_add_member(s, id, &a), ==, 0);
        before = store_dump(s);
        assert_refused(s, store_remove_tcp_endpoint(s, &a), -ENOENT, before);

        store_close(s);
        directory_remove(directory);
}

/* Endpoints made by method come to the built-in group and leave it as any other; it never shows as a group. */
static void test_built_in_group(void) {
        char *directory = directory_new();
        Store *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3261"), b = portal("10.0.0.2:3261");
        g_autofree char *text = NULL;
        uint64_t id = 0;

        g_assert_cmpint(store_add_portal_group(s, "g", &id), ==, 0);
        g_assert_cmpint(store_add_tcp_endpoint(s, &a, 0), ==, 0);
        g_assert_cmpint(store_add_tcp_endpoint(s, &b, id), ==, 0);
        g_assert_cmpint(store_remove_member(s, 0, &a), ==, 0);
        g_assert_cmpint(store_remove_member(s, 0, &a), ==, -ENOENT);
        g_assert_cmpint(store_add_member(s, 0, &b), ==, 0);
        g_assert_cmpint(store_add_member(s, 0, &b), ==, -EEXIST);
        store_close(s);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==,
                        "group 1 'g'\n"
                        "tcp 10.0.0.1:3261\n"
                        "tcp 10.0.0.2:3261\n"
                        "member 1 10.0.0.2:3261\n"
                        "member 0 10.0.0.2:3261\n");
        directory_remove(directory);
}

static void test_group_ids(void) {
        char *directory = directory_new();
        uint64_t last = 0;

        for (unsigned i = 0; i < 5; i++) {
                Store *s = directory_open(directory);
                uint64_t id = 0;

                g_assert_cmpint(store_add_portal_group(s, "g", &id), ==, 0);
                g_assert_cmpuint(id, >, last);
                last = id;
                g_assert_cmpint(store_remove_portal_group(s, id), ==, 0);
                store_close(s);
        }

        directory_remove(directory);
}

/* What no function of the store would write; the file itself refuses it. */
static void test_constraints(void) {
        static const char *const refused[] = {
                "INSERT INTO portal_group VALUES (0, 'x')",
                "INSERT INTO portal_group VALUES (-1, 'x')",
                "INSERT INTO portal_group VALUES (9, NULL)",
                "INSERT INTO portal_group VALUES (9, x'00')",
                "INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 0)",
                "INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 65536)",
                "INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 'http')",
                "INSERT INTO member VALUES (9, 77, '10.0.0.9', 3260)",
                "INSERT INTO member VALUES (9, 1, '10.0.0.9', 0)",
                "INSERT INTO member VALUES (9, 1, '10.0.0.9', 65536)",
                "INSERT INTO node VALUES (9, 'x', NULL, 8)",
                "INSERT INTO node VALUES (9, NULL, '', 8)",
                "UPDATE node SET roles = 2",
                "INSERT INTO port VALUES (77, 9, 3)",
                "INSERT INTO port VALUES (1, -1, 3)",
                "INSERT INTO binding VALUES (1, 77, 3, 9, '10.0.0.9', 3260)",
                "INSERT INTO binding VALUES (77, 1, 3, 9, '10.0.0.9', 3260)", /* another node than the port's */
                "INSERT INTO binding VALUES (1, 1, 2, 9, '10.0.0.9', 0)",     /* another role than the port's */
                "INSERT INTO binding VALUES (1, 1, 3, 1, '10.0.0.9', 3260)",  /* position taken */
                "INSERT INTO binding VALUES (1, 1, 3, 0, '10.0.0.9', 3260)",
                "INSERT INTO binding VALUES (1, 1, 3, 9, '10.0.0.9', 65536)",
                "DELETE FROM portal_group WHERE id = 1",
        };
        char *directory = directory_new();
        Store *s = directory_open(directory);
        sqlite3 *db;

        for (unsigned i = 0; i < 9; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        store_close(s);

        db = raw_open(directory);
        raw_exec(db, "PRAGMA foreign_keys = ON");
        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                int code = sqlite3_exec(db, refused[i], NULL, NULL, NULL);

                g_test_message("%s: %s", refused[i], sqlite3_errmsg(db));
                g_assert_cmpint(code, ==, SQLITE_CONSTRAINT);
        }

        /* The same shape with good values, so that the refusals above are for their own reasons. */
        raw_exec(db, "BEGIN;"
                     "INSERT INTO portal_group VALUES (9, 'x'); INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 1);"
                     "INSERT INTO member VALUES (9, 1, '10.0.0.9', 65535); INSERT INTO node VALUES (9, 'x', '', 8);"
                     "INSERT INTO port VALUES (1, 9, 3); INSERT INTO binding VALUES (1, 9, 3, 9, '10.0.0.9', 3260);"
                     "ROLLBACK");
        sqlite3_close(db);

        {
                g_autofree char *text = directory_dump(directory);

                g_assert_cmpstr(text, ==, state_after(9));
        }
        directory_remove(directory);
}

static unsigned mode_of(const char *path) {
        struct stat st;

        g_assert_cmpint(stat(path, &st), ==, 0);
        return st.st_mode & 07777;
}

static void test_modes(void) {
        static const mode_t masks[] = { 0, 022, 0777 };

        for (size_t i = 0; i < ELEMENTSOF(masks); i++) {
                char *parent = directory_new();
                g_autofree char *directory = g_build_filename(parent, "state", NULL), *file = store_file(directory, ""),
                                *wal = store_file(directory, "-wal"), *shm = store_file(directory, "-shm");
                mode_t old = umask(masks[i]), now;
                Store *s = directory_open(directory);

                g_assert_cmpint(change_run(s, 0), ==, 0);
                now = umask(old);
                g_assert_cmpuint(now, ==, masks[i]);

                g_assert_cmpuint(mode_of(directory), ==, 0700);
                g_assert_cmpuint(mode_of(file), ==, 0600);
                g_assert_cmpuint(mode_of(wal), ==, 0600);
                g_assert_cmpuint(mode_of(shm), ==, 0600);

                store_close(s);
                directory_remove(parent);
        }
}

static void test_paths(void) {
        char *parent = directory_new();
        g_autofree char *real = g_build_filename(parent, "real", NULL), *link = g_build_filename(parent, "link", NULL),
                        *plain = g_build_filename(parent, "plain", NULL), *missing = g_build_filename(parent, "no", "such", NULL),
                        *file = store_file(real, ""), *elsewhere = g_build_filename(parent, "elsewhere", NULL), *damaged = NULL;
        Store *s = NULL;

        /* A state directory is often reached through a link; the file in it never is. */
        g_assert_cmpint(g_mkdir(real, 0700), ==, 0);
        g_assert_cmpint(symlink("real", link), ==, 0);
        s = directory_open(link);
        g_assert_cmpint(change_run(s, 0), ==, 0);
        s = store_close(s);
        g_assert_true(g_file_test(file, G_FILE_TEST_IS_REGULAR));

        g_assert_cmpint(rename(file, elsewhere), ==, 0);
        g_assert_cmpint(symlink(elsewhere, file), ==, 0);
        g_assert_cmpint(store_open(real, &s, &damaged), ==, -ELOOP);
        g_assert_cmpint(g_unlink(file), ==, 0);
        g_assert_cmpint(symlink("/nonexistent/target", file), ==, 0);
        g_assert_cmpint(store_open(real, &s, &damaged), ==, -ELOOP);

        g_assert_cmpint(g_unlink(file), ==, 0);
        g_assert_cmpint(g_mkdir(file, 0700), ==, 0);
        g_assert_cmpint(store_open(real, &s, &damaged), ==, -EISDIR);

        g_assert_cmpint(g_rmdir(file), ==, 0);
        g_assert_cmpint(mkfifo(file, 0600), ==, 0);
        g_assert_cmpint(store_open(real, &s, &damaged), ==, -EINVAL);

        g_assert_true(g_file_set_contents(plain, "", 0, NULL));
        g_assert_cmpint(store_open(plain, &s, &damaged), ==, -ENOTDIR);
        g_assert_cmpint(store_open(missing, &s, &damaged), ==, -ENOENT);
        g_assert_null(damaged);
        g_assert_null(s);

        directory_remove(parent);
}

static void test_close_nothing(void) {
        g_assert_null(store_close(NULL));
}

/* An empty file counts as none: touch(1), or a crash at the first start. */
static void test_empty_file(void) {
        char *directory = directory_new();
        g_autofree char *file = store_file(directory, ""), *text = NULL;

        g_assert_true(g_file_set_contents(file, "", 0, NULL));
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "");

        directory_remove(directory);
}

static void test_migrations(void) {
        for (int version = 1; version <= STORE_VERSION; version++) {
                char *directory = directory_new();
                Store s = { .db = raw_open(directory) };

                /* In one go, and by single steps. */
                g_assert_cmpint(store_migrate(&s, 0, version - 1), ==, 0);
                g_assert_cmpint(raw_integer(s.db, "PRAGMA user_version"), ==, version - 1);
                g_assert_cmpint(store_migrate(&s, version - 1, version), ==, 0);
                g_assert_cmpint(raw_integer(s.db, "PRAGMA user_version"), ==, version);
                g_assert_cmpint(store_check(&s), ==, 0);
                sqlite3_close(s.db);

                /* Every older file becomes a current one, with nothing lost of what it could hold. */
                {
                        Store *opened = directory_open(directory);
                        sqlite3 *db;

                        for (unsigned i = 0; i < n_changes; i++)
                                g_assert_cmpint(change_run(opened, i), ==, 0);
                        store_close(opened);

                        db = raw_open(directory);
                        g_assert_cmpint(raw_integer(db, "PRAGMA user_version"), ==, STORE_VERSION);
                        sqlite3_close(db);
                }

                directory_remove(directory);
        }
}

/* The last table of a migration is in the way: none of the others stays, and without it the migration works. */
static void test_migration_fails(void) {
        char *directory = directory_new();
        Store s = { .db = raw_open(directory) };

        raw_exec(s.db, "CREATE TABLE binding (x)");
        g_assert_cmpint(store_migrate(&s, 0, 1), ==, -EUCLEAN);
        g_assert_nonnull(strstr(s.error, "binding"));
        g_assert_cmpint(raw_integer(s.db, "PRAGMA user_version"), ==, 0);
        g_assert_cmpint(raw_integer(s.db, "SELECT count(*) FROM sqlite_schema"), ==, 1);
        g_assert_cmpint(sqlite3_get_autocommit(s.db), !=, 0);

        raw_exec(s.db, "DROP TABLE binding");
        g_assert_cmpint(store_migrate(&s, 0, 1), ==, 0);

        sqlite3_close(s.db);
        directory_remove(directory);
}

/* With WITH_WAL, the newer version stands in a WAL that a crash left, and nowhere else. */
static void make_newer(const char *directory, bool with_wal) {
        store_close(directory_open(directory));

        if (with_wal) {
                pid_t pid = fork();
                int status;

                g_assert_cmpint(pid, >=, 0);
                if (pid == 0) {
                        raw_exec(raw_open(directory),
                                 "PRAGMA user_version = " G_STRINGIFY(STORE_VERSION) "1; CREATE TABLE news (x)");
                        _exit(0);
                }
                g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
                g_assert_cmpint(status, ==, 0);
        } else {
                sqlite3 *db = raw_open(directory);

                raw_exec(db, "PRAGMA user_version = " G_STRINGIFY(STORE_VERSION) "1; CREATE TABLE news (x)");
                sqlite3_close(db);
        }
}

static void test_newer_version(void) {
        for (int with_wal = 0; with_wal <= 1; with_wal++) {
                char *directory = directory_new();
                g_autofree char *file = store_file(directory, ""), *wal = store_file(directory, "-wal"), *before = NULL,
                                *wal_before = NULL, *list_before = NULL, *damaged = NULL;
                size_t n_before, n_wal_before = 0;
                Store *s = NULL;

                make_newer(directory, with_wal);
                g_assert_true(g_file_get_contents(file, &before, &n_before, NULL));
                g_assert_cmpint(g_file_get_contents(wal, &wal_before, &n_wal_before, NULL), ==, with_wal);
                g_assert_true((n_wal_before > 0) == with_wal);
                list_before = directory_list(directory);

                for (unsigned i = 0; i < 3; i++) {
                        g_autofree char *after = NULL, *wal_after = NULL, *list_after = NULL;
                        size_t n_after, n_wal_after = 0;

                        g_assert_cmpint(store_open(directory, &s, &damaged), ==, -EPROTONOSUPPORT);
                        g_assert_null(s);
                        g_assert_null(damaged);

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

/* A backup made with SQL's VACUUM INTO has no WAL mode; it becomes a store like any other. */
static void test_restored_backup(void) {
        char *directory = directory_new(), *other = directory_new();
        g_autofree char *copy = store_file(other, ""), *sql = g_strdup_printf("VACUUM INTO '%s'", copy), *text = NULL;
        Store *s = directory_open(directory);
        sqlite3 *db;

        for (unsigned i = 0; i < 12; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);

        db = raw_open(directory); /* while the service runs */
        raw_exec(db, sql);
        sqlite3_close(db);
        g_assert_cmpint(change_run(s, 12), ==, 0);
        store_close(s);

        text = directory_dump(other);
        g_assert_cmpstr(text, ==, state_after(12));

        directory_remove(directory);
        directory_remove(other);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/store/round-trip", test_round_trip);
        g_test_add_func("/store/order", test_order);
        g_test_add_func("/store/load-stops", test_load_stops);
        g_test_add_func("/store/refusals", test_refusals);
        g_test_add_func("/store/built-in-group", test_built_in_group);
        g_test_add_func("/store/remove-automatic-endpoint", test_remove_automatic_endpoint);
        g_test_add_func("/store/group-ids", test_group_ids);
        g_test_add_func("/store/constraints", test_constraints);
        g_test_add_func("/store/modes", test_modes);
        g_test_add_func("/store/paths", test_paths);
        g_test_add_func("/store/close-nothing", test_close_nothing);
        g_test_add_func("/store/empty-file", test_empty_file);
        g_test_add_func("/store/migrations", test_migrations);
        g_test_add_func("/store/migration-fails", test_migration_fails);
        g_test_add_func("/store/newer-version", test_newer_version);
        g_test_add_func("/store/restored-backup", test_restored_backup);
        r = g_test_run();

        states_free();
        return r;
}
