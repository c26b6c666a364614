/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store on disks that are full or read-only, behind other processes' locks and other users' modes: all of them real.
 * Mounts are made in a mount namespace of the test's own. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store-fixture.h"

#define PAGE 4096
#define RETRY_USEC (30 * G_USEC_PER_SEC)
#define HOLD_OPTION "--hold" /* DIRECTORY SQL: run as the holder of a lock */

/* Only root, or whoever may be root in a user namespace, can mount. The process stays in its namespace: it ends with it. */
static bool have_mounts(void) {
        static int have = -1;

        if (have < 0) {
                have = unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) >= 0 &&
                       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) >= 0;
                if (!have)
                        g_test_message("no mount namespace: %s", g_strerror(errno));
        }

        if (!have)
                g_test_skip("needs a mount namespace: root, or user namespaces");
        return have;
}

/* A new directory that is a file system of SIZE bytes. */
static char *disk_new(const char *options) {
        char *path = directory_new();

        g_assert_cmpint(mount("tmpfs", path, "tmpfs", 0, options), ==, 0);
        return path;
}

static void disk_remove(char *path) {
        g_assert_cmpint(umount(path), ==, 0);
        directory_remove(path);
}

/* Takes all room but for N_PAGES pages. */
static void disk_fill(const char *path, unsigned n_pages) {
        g_autofree char *filler = g_build_filename(path, "filler", NULL), *page = g_malloc0(PAGE);
        off_t size = 0;
        int fd;

        fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        g_assert_cmpint(fd, >=, 0);
        while (write(fd, page, PAGE) == PAGE)
                size += PAGE;
        g_assert_cmpint(errno, ==, ENOSPC);
        g_assert_cmpint(ftruncate(fd, MAX2(size - (off_t) n_pages * PAGE, 0)), ==, 0);
        g_assert_cmpint(close(fd), ==, 0);
}

static void disk_empty(const char *path) {
        g_autofree char *filler = g_build_filename(path, "filler", NULL);

        g_assert_cmpint(g_unlink(filler), ==, 0);
}

/* Each change on a disk with each small number of pages left. */
static void test_full(void) {
        unsigned n_full = 0;

        if (!have_mounts())
                return;

        for (unsigned n_pages = 0; n_pages < 20; n_pages++) {
                char *disk = disk_new("size=1m,mode=0700");
                TestStore *s = directory_open(disk);
                g_autofree char *end = NULL;

                disk_fill(disk, n_pages);
                for (unsigned i = 0; i < n_changes; i++) {
                        g_autofree char *text = NULL;
                        int r;

                        r = change_run(s, i);
                        if (r < 0) {
                                g_autofree char *before = store_dump(s);

                                g_assert_cmpint(r, ==, -ENOSPC);
                                g_assert_nonnull(strstr(s->why, "free some space"));
                                g_assert_cmpstr(before, ==, state_after(i));
                                n_full++;

                                disk_empty(disk);
                                g_assert_cmpint(change_run(s, i), ==, 0);
                                disk_fill(disk, n_pages);
                        }

                        text = store_dump(s);
                        g_assert_cmpstr(text, ==, state_after(i + 1));
                }

                test_store_close(s); /* with no room for the WAL's content in the file */
                end = directory_dump(disk);
                g_assert_cmpstr(end, ==, state_after(n_changes));
                disk_remove(disk);
        }

        g_assert_cmpuint(n_full, >, 10);
}

/* The first start on a disk with each small number of pages left: no room is not damage, and the next attempt works. */
static void test_full_at_start(void) {
        unsigned n_full = 0, n_pages;

        if (!have_mounts())
                return;

        store_times.retry_usec = 20 * G_TIME_SPAN_MILLISECOND;
        for (n_pages = 0;; n_pages++) {
                char *disk = disk_new("size=1m,mode=0700");
                g_autofree char *text = NULL;
                TestStore *s;
                int r;

                disk_fill(disk, n_pages);
                s = test_store_new(disk);
                r = s->error;
                if (r < 0) {
                        g_assert_cmpint(r, ==, -ENOSPC);
                        g_assert_nonnull(strstr(s->fault, "make room"));
                        g_assert_cmpint(change_run(s, 0), ==, -ENOSPC);
                        n_full++;
                }

                disk_empty(disk);
                test_store_wait(s, &s->n_opened, 1);
                g_assert_cmpstr(s->image, ==, "");
                g_assert_cmpint(change_run(s, 0), ==, 0);
                test_store_close(s);

                text = directory_dump(disk);
                g_assert_cmpstr(text, ==, state_after(1));
                disk_remove(disk);
                if (r >= 0)
                        break;
        }
        store_times.retry_usec = RETRY_USEC;

        g_assert_cmpuint(n_full, >, 5);
        g_assert_cmpuint(n_pages, <, 100);
}

/* No room for one more file. */
static void test_no_inode(void) {
        char *disk;

        if (!have_mounts())
                return;

        disk = disk_new("nr_inodes=1,mode=0700"); /* that is the root directory */
        g_assert_cmpint(directory_try(disk, NULL), ==, -ENOSPC);
        disk_remove(disk);
}

/* The process may not write files that large (LimitFSIZE= of a unit). */
static void test_file_size_limit(void) {
        char *directory = directory_new();
        g_autofree char *text = NULL;
        TestStore *s = directory_open(directory);
        struct rlimit old, limit;
        unsigned n = 0;

        g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &old), ==, 0);
        g_assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);

        limit = (struct rlimit){ .rlim_cur = 32 * PAGE, .rlim_max = old.rlim_max };
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
        while (n < n_changes) {
                int r = change_run(s, n);

                if (r < 0) {
                        g_assert_cmpint(r, ==, -ENOSPC);
                        break;
                }
                n++;
        }
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &old), ==, 0);
        g_assert_cmpuint(n, <, n_changes);

        text = store_dump(s);
        g_assert_cmpstr(text, ==, state_after(n));
        for (; n < n_changes; n++)
                g_assert_cmpint(change_run(s, n), ==, 0);

        test_store_close(s);
        directory_remove(directory);
}

static void set_read_only(const char *path, bool read_only) {
        if (read_only) {
                g_assert_cmpint(mount(path, path, NULL, MS_BIND, NULL), ==, 0);
                g_assert_cmpint(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), ==, 0);
        } else
                g_assert_cmpint(umount(path), ==, 0);
}

static void test_read_only(void) {
        char *directory = directory_new();
        g_autofree char *inner = g_build_filename(directory, "state", NULL), *file = store_file(directory, ""), *list = NULL,
                        *list_after = NULL, *content = NULL, *content_after = NULL, *text = NULL;
        size_t n, n_after;
        TestStore *s;

        if (!have_mounts()) {
                directory_remove(directory);
                return;
        }

        /* Neither directory nor file can be made. */
        set_read_only(directory, true);
        g_assert_cmpint(directory_try(inner, NULL), ==, -EROFS);
        g_assert_cmpint(directory_try(directory, NULL), ==, -EROFS);
        set_read_only(directory, false);

        /* A good file that cannot be written. */
        s = directory_open(directory);
        for (unsigned i = 0; i < 5; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);
        list = directory_list(directory);
        g_assert_true(g_file_get_contents(file, &content, &n, NULL));

        set_read_only(directory, true);
        g_assert_cmpint(directory_try(directory, NULL), ==, -EROFS);
        set_read_only(directory, false);

        list_after = directory_list(directory);
        g_assert_cmpstr(list, ==, list_after);
        g_assert_true(g_file_get_contents(file, &content_after, &n_after, NULL));
        g_assert_cmpmem(content, n, content_after, n_after);

        /* A damaged one stays where it is, too. */
        g_assert_true(g_file_set_contents(file, "no database", -1, NULL));
        set_read_only(directory, true);
        g_assert_cmpint(directory_try(directory, NULL), ==, -EROFS);
        set_read_only(directory, false);
        g_assert_true(g_file_set_contents(file, content, (gssize) n, NULL));

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(5));
        directory_remove(directory);
}

static int open_as_nobody(const char *directory) {
        if (setgid(65534) < 0 || setuid(65534) < 0)
                return 255;
        return -directory_try(directory, NULL);
}

static void test_other_user(void) {
        g_autofree char *file = NULL, *text = NULL;
        char *directory;

        if (geteuid() != 0) {
                g_test_skip("needs root, to become someone else");
                return;
        }

        directory = directory_new();
        file = store_file(directory, "");
        test_store_close(directory_open(directory));

        g_assert_cmpint(in_child(open_as_nobody, directory), ==, EACCES); /* the directory's mode */
        g_assert_cmpint(chmod(directory, 0755), ==, 0);
        g_assert_cmpint(in_child(open_as_nobody, directory), ==, EACCES);
        g_assert_cmpint(chmod(directory, 0777), ==, 0);
        g_assert_cmpint(in_child(open_as_nobody, directory), ==, EACCES); /* the file's mode */
        g_assert_cmpint(chmod(file, 0444), ==, 0);
        g_assert_cmpint(in_child(open_as_nobody, directory), ==, EACCES);
        g_assert_cmpint(chmod(file, 0666), ==, 0);
        g_assert_cmpint(in_child(open_as_nobody, directory), ==, 0);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "");
        directory_remove(directory);
}

static void ignore_image(Store *s, const StoreImage *image, void *userdata) {
}

static void ignore_fault(Store *s, const StoreFault *fault, void *userdata) {
}

/* With fewer and fewer descriptors left, opening fails for want of them, and that is no damage. */
static int open_without_descriptors(const char *directory) {
        static const StoreCallbacks none = { ignore_image, ignore_fault };
        unsigned n_failures = 0;
        struct rlimit limit;
        int next;

        next = dup(0);
        if (next < 0 || close(next) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 255;

        /* The event loop and the eventfd take three; what comes after them is the store's. */
        for (rlim_t left = 0;; left++) {
                sd_event *event = NULL;
                TestStore *s;
                Store *store;
                int r;

                limit.rlim_cur = (rlim_t) next + left;
                if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                        return 255;

                r = sd_event_new(&event);
                if (r >= 0)
                        r = store_new(event, directory, &none, NULL, &store);
                if (r >= 0)
                        store_close(store);
                sd_event_unref(event);
                if (r == -EMFILE)
                        continue;
                if (r < 0)
                        return -r;

                s = test_store_new(directory);
                r = s->error;
                test_store_close(s);
                if (r >= 0)
                        return left >= 6 && n_failures >= 3 ? 0 : 253;
                if (r != -EMFILE)
                        return -r;
                n_failures++;
        }
}

static void test_no_descriptors(void) {
        char *directory = directory_new();
        g_autofree char *text = NULL;
        TestStore *s = directory_open(directory);

        g_assert_cmpint(change_run(s, 0), ==, 0);
        test_store_close(s);

        g_assert_cmpint(in_child(open_without_descriptors, directory), ==, 0);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(1));
        directory_remove(directory);
}

typedef struct Holder {
        pid_t pid;
        int fd; /* closing it ends the holder */
} Holder;

/* Another process that has run SQL on the file and keeps what it has locked. It is this program again, by exec: SQLite must
 * not be used on both sides of a fork. */
static Holder hold(const char *directory, const char *sql) {
        int ready[2], end[2];
        Holder h;
        char c;

        g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
        g_assert_cmpint(pipe2(end, O_CLOEXEC), ==, 0);
        h.pid = fork();
        g_assert_cmpint(h.pid, >=, 0);
        if (h.pid == 0) {
                if (dup2(end[0], STDIN_FILENO) >= 0 && dup2(ready[1], STDOUT_FILENO) >= 0)
                        (void) execl("/proc/self/exe", "test-store-disk", HOLD_OPTION, directory, sql, NULL);
                _exit(1);
        }

        g_assert_cmpint(close(ready[1]), ==, 0);
        g_assert_cmpint(close(end[0]), ==, 0);
        g_assert_cmpint(read(ready[0], &c, 1), ==, 1);
        g_assert_cmpint(close(ready[0]), ==, 0);
        h.fd = end[1];
        return h;
}

static int hold_main(const char *directory, const char *sql) {
        sqlite3 *db = raw_open(directory);
        char c;

        raw_exec(db, sql);
        if (write(STDOUT_FILENO, "x", 1) != 1 || read(STDIN_FILENO, &c, 1) != 0)
                return 1;

        return sqlite3_close(db) != SQLITE_OK;
}

static void release(Holder h) {
        int status;

        g_assert_cmpint(close(h.fd), ==, 0);
        g_assert_cmpint(waitpid(h.pid, &status, 0), ==, h.pid);
        g_assert_cmpint(status, ==, 0);
}

static void test_locked(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        g_autofree char *text = NULL, *why = NULL;
        gint64 start, waited;
        Holder h;

        for (unsigned i = 0; i < 5; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);

        h = hold(directory, "BEGIN EXCLUSIVE");
        start = g_get_monotonic_time();
        g_assert_cmpint(change_run(s, 5), ==, -EBUSY);
        waited = g_get_monotonic_time() - start;
        g_assert_cmpint(waited, >=, STORE_BUSY_MSEC * 1000 / 2);
        g_assert_cmpint(waited, <, STORE_BUSY_MSEC * 1000 * 5); /* on a busy machine, too */
        release(h);
        g_assert_cmpint(change_run(s, 5), ==, 0);
        test_store_close(s);

        /* A start next to someone who writes. */
        h = hold(directory, "BEGIN EXCLUSIVE");
        s = directory_open(directory);
        g_assert_cmpint(change_run(s, 6), ==, -EBUSY);
        release(h);
        g_assert_cmpint(change_run(s, 6), ==, 0);
        test_store_close(s);

        /* A start next to someone who lets nobody in; it works as soon as that one has ended. */
        h = hold(directory, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
        g_assert_cmpint(directory_try(directory, &why), ==, -EBUSY);
        g_assert_nonnull(strstr(why, "end the program"));
        store_times.retry_usec = 50 * G_TIME_SPAN_MILLISECOND;
        s = test_store_new(directory);
        g_assert_cmpint(s->error, ==, -EBUSY);
        release(h);
        test_store_wait(s, &s->n_opened, 1);
        store_times.retry_usec = RETRY_USEC;
        g_assert_cmpuint(s->n_unavailable, ==, 1); /* the same reason is told once */
        test_store_close(s);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(7));
        directory_remove(directory);
}

/* A new store is begun while another process still reads the old one: the new one has nothing to do with what that has mapped and
 * locked. The other process' lock keeps --new-store away, until it has ended. */
static void test_begin_new_in_use(void) {
        char *directory = directory_new(), *aside = NULL;
        g_autofree char *text = NULL, *why = NULL;
        TestStore *s = directory_open(directory);
        Holder h;

        g_assert_cmpint(change_run(s, 0), ==, 0);
        test_store_close(s);

        h = hold(directory, "BEGIN; SELECT count(*) FROM node");
        g_assert_cmpint(store_begin_new(directory, &aside, &why), ==, -EBUSY);
        g_assert_null(aside);
        {
                g_autofree char *pid = g_strdup_printf("process %d has it open", (int) h.pid);

                g_assert_nonnull(strstr(why, pid));
        }
        release(h);
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(1));

        g_clear_pointer(&why, g_free);
        g_assert_cmpint(store_begin_new(directory, &aside, &why), ==, 0);
        g_assert_nonnull(aside);
        free(aside);
        g_free(text);
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "");
        directory_remove(directory);
}

/* root begins a new store for the user who owns the directory. */
static void test_begin_new_owner(void) {
        char *directory, *aside = NULL, *why = NULL;
        g_autofree char *file = NULL;
        struct stat st;

        if (geteuid() != 0) {
                g_test_skip("needs root, to act for someone else");
                return;
        }

        directory = directory_new();
        file = store_file(directory, "");
        g_assert_cmpint(chown(directory, 65534, 65533), ==, 0);
        g_assert_cmpint(store_begin_new(directory, &aside, &why), ==, 0);
        g_assert_cmpint(stat(file, &st), ==, 0);
        g_assert_cmpuint(st.st_uid, ==, 65534);
        g_assert_cmpuint(st.st_gid, ==, 65533);
        g_assert_cmpuint(st.st_mode & 07777, ==, 0600);
        g_assert_cmpint(in_child(open_as_nobody, directory), ==, 0);
        directory_remove(directory);
}

/* SQLite's way of reaching files without shared memory, as on a network file system, has no WAL. */
static void test_no_wal(void) {
        char *directory = directory_new();
        g_autofree char *text = NULL;
        sqlite3_vfs *usual = sqlite3_vfs_find(NULL);

        g_assert_cmpint(sqlite3_vfs_register(sqlite3_vfs_find("unix-dotfile"), 1), ==, SQLITE_OK);
        g_assert_cmpint(directory_try(directory, NULL), ==, -EOPNOTSUPP);
        g_assert_cmpint(sqlite3_vfs_register(usual, 1), ==, SQLITE_OK);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "");
        directory_remove(directory);
}

int main(int argc, char **argv) {
        int r;

        if (argc == 4 && strcmp(argv[1], HOLD_OPTION) == 0)
                return hold_main(argv[2], argv[3]);

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/store-disk/full", test_full);
        g_test_add_func("/store-disk/full-at-start", test_full_at_start);
        g_test_add_func("/store-disk/no-inode", test_no_inode);
        g_test_add_func("/store-disk/file-size-limit", test_file_size_limit);
        g_test_add_func("/store-disk/read-only", test_read_only);
        g_test_add_func("/store-disk/other-user", test_other_user);
        g_test_add_func("/store-disk/no-descriptors", test_no_descriptors);
        g_test_add_func("/store-disk/locked", test_locked);
        g_test_add_func("/store-disk/begin-new-in-use", test_begin_new_in_use);
        g_test_add_func("/store-disk/begin-new-owner", test_begin_new_owner);
        g_test_add_func("/store-disk/no-wal", test_no_wal);
        r = g_test_run();

        states_free();
        return r;
}
