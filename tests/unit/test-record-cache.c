/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Records that are read once as long as their files stay as they are. What is read is seen by inotify: each open of a file in the
 * directory is an event. */

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/open-iscsi/database.h"

#define RECORD(interface) "iface.transport_name = tcp\niface.net_ifacename = " interface "\n"

typedef struct Fixture {
        char *directory, *ifaces;
        Installation at;
        RecordCache cache;
        Records records; /* of the last look */
        int opened;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
        f->directory = g_dir_make_tmp("record-cache-XXXXXX", NULL);
        f->ifaces = g_build_filename(f->directory, "ifaces", NULL);
        f->at.directory = f->directory;
        g_assert_cmpint(g_mkdir(f->ifaces, 0700), ==, 0);
        f->opened = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        /* That it is closed as well keeps two opens of one file from being told as one. */
        g_assert_cmpint(inotify_add_watch(f->opened, f->ifaces, IN_OPEN | IN_CLOSE), >=, 0);
        g_assert_cmpint(inotify_add_watch(f->opened, f->directory, IN_OPEN | IN_CLOSE), >=, 0);
}

static char *path_of(Fixture *f, const char *name) {
        return g_build_filename(f->ifaces, name, NULL);
}

/* In place, as iscsiadm. */
static void put(Fixture *f, const char *name, const char *text) {
        g_autofree char *path = path_of(f, name);
        FILE *file = fopen(path, "we");

        g_assert_nonnull(file);
        g_assert_cmpint(fputs(text, file), >=, 0);
        g_assert_cmpint(fclose(file), ==, 0);
}

static void take_away(Fixture *f, const char *name) {
        g_autofree char *path = path_of(f, name);

        g_assert_cmpint(g_remove(path), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer data) {
        g_autoptr(GDir) d = g_dir_open(f->ifaces, 0, NULL);
        const char *name;

        records_done(&f->records);
        record_cache_done(&f->cache);
        while ((name = g_dir_read_name(d)))
                take_away(f, name);
        g_assert_cmpint(g_rmdir(f->ifaces), ==, 0);
        g_assert_cmpint(g_rmdir(f->directory), ==, 0);
        (void) close(f->opened);
        g_free(f->ifaces);
        g_free(f->directory);
}

/* Until a change would be seen by the times of files. */
static void wait_until_settled(void) {
        g_usleep((SETTLED_MSEC + 50) * 1000);
}

/* The names of files that were opened since the last call, with blanks between them; g_free it. */
static char *drain_opened(Fixture *f) {
        char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        ssize_t n;

        while ((n = read(f->opened, buf, sizeof(buf))) > 0)
                for (char *p = buf; p < buf + n;) {
                        const struct inotify_event *e = (const struct inotify_event *) p;

                        if ((e->mask & IN_OPEN) && e->len > 0 && strcmp(e->name, "ifaces") != 0)
                                g_ptr_array_add(names, g_strdup(e->name));
                        p += sizeof(*e) + e->len;
                }
        g_ptr_array_add(names, NULL);
        return g_strjoinv(" ", (char **) names->pdata);
}

/* One look at all, which must open OPENED and nothing else. */
static void look(Fixture *f, const char *opened) {
        g_autofree char *before = drain_opened(f), *now = NULL;
        Report report = {};

        records_done(&f->records);
        g_assert_cmpint(database_read_all(&f->at, &f->cache, &f->records, &report), ==, 0);
        now = drain_opened(f);
        g_assert_cmpstr(now, ==, opened);
        g_assert_cmpuint(f->cache.n, <=, f->records.n);
}

static const Record *find(Fixture *f, const char *name) {
        for (size_t i = 0; i < f->records.n; i++)
                if (strcmp(f->records.items[i].file, name) == 0)
                        return f->records.items + i;
        return NULL;
}

static void assert_netdev(Fixture *f, const char *name, const char *netdev) {
        const Record *r = find(f, name);

        g_assert_nonnull(r);
        g_assert_cmpstr(r->netdev, ==, netdev);
}

/* A record that is in the cache. */
static void put_and_keep(Fixture *f, const char *name, const char *text) {
        put(f, name, text);
        wait_until_settled();
        look(f, name);
        look(f, "");
}

static void test_read_once(Fixture *f, gconstpointer data) {
        put(f, "a", RECORD("a0"));
        put(f, "b", RECORD("b0"));
        put(f, "c", RECORD("c0"));
        wait_until_settled();
        records_done(&f->records);
        g_assert_cmpint(database_read_all(&f->at, &f->cache, &f->records, &(Report){}), ==, 0);
        g_assert_cmpuint(f->cache.n, ==, 3);

        for (int i = 0; i < 3; i++) {
                look(f, "");
                g_assert_cmpuint(f->records.n, ==, 3);
                for (const char *const *n = (const char *const[]){ "a", "b", "c", NULL }; *n; n++) {
                        g_autofree char *netdev = g_strconcat(*n, "0", NULL);

                        assert_netdev(f, *n, netdev);
                }
        }

        /* One that came, and one that changed, leave the others alone. */
        put(f, "aa", RECORD("aa0"));
        put(f, "c", RECORD("c1"));
        wait_until_settled();
        records_done(&f->records);
        g_free(drain_opened(f));
        g_assert_cmpint(database_read_all(&f->at, &f->cache, &f->records, &(Report){}), ==, 0);
        {
                g_autofree char *opened = drain_opened(f);

                g_assert_null(strchr(opened, 'b'));
                g_assert_cmpuint(strlen(opened), ==, strlen("aa c"));
        }
        look(f, "");
        assert_netdev(f, "aa", "aa0");
        assert_netdev(f, "c", "c1");
}

/* All that is told of a record, and of what it does to others, is told again. */
static void test_same_result(Fixture *f, gconstpointer data) {
        g_autofree char *problem = NULL;
        const Record *r;

        put_and_keep(f, "odd",
                     "iface.iscsi_ifacename = other\niface.net_ifacename = i0\niface.hwaddress = aa:bb\n"
                     "iface.transport_name = iser\niface.initiatorname = iqn.2026-11.org.example:x\niface.colour = red\n");
        r = find(f, "odd");
        g_assert_cmpstr(r->name, ==, "other");
        g_assert_cmpstr(r->netdev, ==, "i0");
        g_assert_cmpstr(r->hwaddress, ==, "aa:bb");
        g_assert_cmpstr(r->transport, ==, "iser");
        g_assert_cmpstr(r->initiator, ==, "iqn.2026-11.org.example:x");
        g_assert_cmpstr(r->unknown, ==, "iface.colour");
        g_assert_false(r->empty);
        g_assert_cmpuint(f->records.problems.n, ==, 1);
        problem = g_strdup(f->records.problems.items[0]);
        g_assert_nonnull(strstr(problem, "iface.colour"));
        look(f, "");
        g_assert_cmpuint(f->records.problems.n, ==, 1);
        g_assert_cmpstr(f->records.problems.items[0], ==, problem);
}

/* Of the same size, and with the time of its last change set back. */
static void test_same_size(Fixture *f, gconstpointer data) {
        g_autofree char *path = path_of(f, "a");
        struct stat before, after;

        put_and_keep(f, "a", RECORD("a0"));
        g_assert_cmpint(stat(path, &before), ==, 0);
        put(f, "a", RECORD("a1"));
        g_assert_cmpint(utimensat(AT_FDCWD, path, (struct timespec[]){ before.st_atim, before.st_mtim }, 0), ==, 0);
        g_assert_cmpint(stat(path, &after), ==, 0);
        g_assert_cmpint(after.st_size, ==, before.st_size);
        g_assert_cmpint(after.st_mtim.tv_nsec, ==, before.st_mtim.tv_nsec);
        look(f, "a");
        assert_netdev(f, "a", "a1");
}

static void test_replaced(Fixture *f, gconstpointer data) {
        g_autofree char *path = path_of(f, "a"), *other = g_build_filename(f->directory, "other", NULL);

        put_and_keep(f, "a", RECORD("a0"));
        g_assert_true(g_file_set_contents(other, RECORD("a1"), -1, NULL));
        wait_until_settled();
        g_assert_cmpint(g_rename(other, path), ==, 0);
        look(f, "a");
        assert_netdev(f, "a", "a1");
}

static void test_removed(Fixture *f, gconstpointer data) {
        put(f, "b", RECORD("b0"));
        put(f, "a", RECORD("a0"));
        wait_until_settled();
        records_done(&f->records);
        g_assert_cmpint(database_read_all(&f->at, &f->cache, &f->records, &(Report){}), ==, 0);
        g_assert_cmpuint(f->cache.n, ==, 2);

        take_away(f, "a");
        look(f, "");
        g_assert_null(find(f, "a"));
        g_assert_cmpuint(f->cache.n, ==, 1);

        /* Made again, perhaps with the inode that it had. */
        put(f, "a", RECORD("a1"));
        look(f, "a");
        assert_netdev(f, "a", "a1");

        take_away(f, "a");
        take_away(f, "b");
        look(f, "");
        g_assert_cmpuint(f->records.n, ==, 0);
        g_assert_cmpuint(f->cache.n, ==, 0);
}

/* What was changed just now is read each time: the next change may have the same times. */
static void test_racy(Fixture *f, gconstpointer data) {
        put(f, "a", RECORD("a0"));
        look(f, "a");
        g_assert_cmpuint(f->cache.n, ==, 0);
        look(f, "a");

        for (int i = 0; i < 200; i++) {
                const char *netdev = i % 2 ? "a1" : "a2";

                put(f, "a", i % 2 ? RECORD("a1") : RECORD("a2"));
                look(f, "a");
                assert_netdev(f, "a", netdev);
        }
        wait_until_settled();
        look(f, "a");
        g_assert_cmpuint(f->cache.n, ==, 1);
        look(f, "");
}

/* An empty one may be written this very moment. */
static void test_empty(Fixture *f, gconstpointer data) {
        const char *many = "a a a a a a"; /* as it is read until it is believed to be empty */

        put(f, "a", "# nothing\n");
        wait_until_settled();
        for (int i = 0; i < 2; i++) {
                look(f, many);
                g_assert_true(find(f, "a")->empty);
                g_assert_cmpuint(f->cache.n, ==, 0);
        }
        put_and_keep(f, "a", RECORD("a0"));
        assert_netdev(f, "a", "a0");
        put(f, "a", "");
        look(f, many);
        g_assert_true(find(f, "a")->empty);
        g_assert_cmpuint(f->cache.n, ==, 0);
}

/* The link stays as it is when the file behind it changes. */
static void test_link(Fixture *f, gconstpointer data) {
        g_autofree char *path = path_of(f, "a"), *behind = g_build_filename(f->directory, "behind", NULL);

        g_assert_true(g_file_set_contents(behind, RECORD("a0"), -1, NULL));
        g_assert_cmpint(symlink("../behind", path), ==, 0);
        wait_until_settled();
        for (int i = 0; i < 2; i++) {
                look(f, "behind");
                assert_netdev(f, "a", "a0");
                g_assert_cmpuint(f->cache.n, ==, 0);
        }
        g_assert_true(g_file_set_contents(behind, RECORD("a1"), -1, NULL));
        look(f, "behind");
        assert_netdev(f, "a", "a1");

        /* One that leads nowhere is told each time. */
        g_assert_cmpint(g_remove(behind), ==, 0);
        for (int i = 0; i < 2; i++) {
                look(f, "");
                g_assert_cmpuint(f->records.problems.n, ==, 1);
        }

        /* A file that becomes a link to the same content. */
        take_away(f, "a");
        put_and_keep(f, "a", RECORD("a0"));
        g_assert_cmpint(g_rename(path, behind), ==, 0);
        g_assert_cmpint(symlink("../behind", path), ==, 0);
        wait_until_settled();
        look(f, "behind");
        g_assert_cmpuint(f->cache.n, ==, 0);
        g_assert_cmpint(g_remove(behind), ==, 0);
}

static void test_directory(Fixture *f, gconstpointer data) {
        g_autofree char *path = path_of(f, "a");

        put_and_keep(f, "a", RECORD("a0"));
        take_away(f, "a");
        g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
        wait_until_settled();
        for (int i = 0; i < 2; i++) {
                look(f, "a");
                g_assert_cmpuint(f->records.n, ==, 0);
                g_assert_cmpuint(f->cache.n, ==, 0);
        }
        take_away(f, "a");
}

/* The single read is a real one. */
static void test_single(Fixture *f, gconstpointer data) {
        g_autofree char *opened = NULL;
        Report report = {};
        Record record;

        put_and_keep(f, "a", RECORD("a0"));
        g_assert_cmpint(database_read(&f->at, "a", &record, NULL, &report), ==, 1);
        opened = drain_opened(f);
        g_assert_cmpstr(opened, ==, "a");
        g_assert_cmpstr(record.netdev, ==, "a0");
        record_done(&record);
}

/* Each of what is compared counts. */
static void test_state(void) {
        const FileState a = { 1, 2, 3, 4, { 5, 6 }, { 7, 8 }, true };
        const FileState others[] = {
                { 9, 2, 3, 4, { 5, 6 }, { 7, 8 }, true },  { 1, 9, 3, 4, { 5, 6 }, { 7, 8 }, true },
                { 1, 2, 9, 4, { 5, 6 }, { 7, 8 }, true },  { 1, 2, 3, 9, { 5, 6 }, { 7, 8 }, true },
                { 1, 2, 3, 4, { 9, 6 }, { 7, 8 }, true },  { 1, 2, 3, 4, { 5, 9 }, { 7, 8 }, true },
                { 1, 2, 3, 4, { 5, 6 }, { 9, 8 }, true },  { 1, 2, 3, 4, { 5, 6 }, { 7, 9 }, true },
                { 1, 2, 3, 4, { 5, 6 }, { 7, 8 }, false },
        };

        g_assert_true(file_state_is_same(&a, &a));
        for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
                g_test_message("other %zu", i);
                g_assert_false(file_state_is_same(&a, others + i));
                g_assert_false(file_state_is_same(others + i, &a));
        }
        g_assert_false(file_state_is_same(&others[8], &others[8]));
}

static void test_settled(void) {
        static const struct {
                struct timespec modified, changed, now;
                bool settled;
        } cases[] = {
                { { 10, 500000000 }, { 10, 500000000 }, { 10, 500000000 }, false },
                { { 10, 500000000 }, { 10, 500000000 }, { 10, 599000000 }, false },
                { { 10, 500000000 }, { 10, 500000000 }, { 10, 601000000 }, true },
                { { 10, 950000000 }, { 10, 950000000 }, { 11, 49000000 }, false },
                { { 10, 950000000 }, { 10, 950000000 }, { 11, 51000000 }, true },
                { { 1, 0 }, { 10, 500000000 }, { 10, 550000000 }, false }, /* copied with its old time */
                { { 1, 0 }, { 10, 500000000 }, { 10, 700000000 }, true },
                { { 20, 0 }, { 10, 500000000 }, { 15, 0 }, false }, /* with a time that is to come */
                { { 10, 0 }, { 20, 500000000 }, { 15, 0 }, false }, /* the clock was set back */
                { { 10, 0 }, { 10, 0 }, { 11, 500000000 }, false }, /* whole seconds */
                { { 10, 0 }, { 10, 0 }, { 12, 900000000 }, false },
                { { 10, 0 }, { 10, 0 }, { 13, 100000000 }, true },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                const FileState s = { .modified = cases[i].modified, .changed = cases[i].changed, .regular = true };

                g_test_message("case %zu", i);
                g_assert_cmpint(file_state_is_settled(&s, &cases[i].now), ==, cases[i].settled);
        }
}

#define CASE(name, function) g_test_add("/record-cache/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        CASE("read-once", test_read_once);
        CASE("same-result", test_same_result);
        CASE("same-size", test_same_size);
        CASE("replaced", test_replaced);
        CASE("removed", test_removed);
        CASE("racy", test_racy);
        CASE("empty", test_empty);
        CASE("link", test_link);
        CASE("directory", test_directory);
        CASE("single", test_single);
        g_test_add_func("/record-cache/state", test_state);
        g_test_add_func("/record-cache/settled", test_settled);
        return g_test_run();
}
