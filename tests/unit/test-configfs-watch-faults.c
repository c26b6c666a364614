/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* configfs-watch.h when the kernel loses events, refuses watches or does not answer, and when there is no memory. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch-faults.h"
#include "watch-fixture.h"

#define A "iqn.2026-11.org.iscsi:a"
#define B "iqn.2026-11.org.iscsi:b"

static void tear_down(Fixture *f, const void *data) {
        faults_end();
        watch_tear_down(f, data);
}

/* A and B have a port each; all is told and in order. */
static void start_with_two(Fixture *f) {
        make(f, A "/tpgt_1");
        make(f, B "/tpgt_1");
        watch_start_quietly(f, NULL);
        g_assert_null(f->status);
}

/* What happens at each level of both nodes is told. */
static void check_followed(Fixture *f) {
        watch_run(f, 50);
        forget_told(f);
        put(f, A "/tpgt_1/enable", "1\n");
        expect(f, A);
        make(f, B "/tpgt_1/np/127.0.0.1:9");
        expect(f, B);
        drop(f, B "/tpgt_1/np/127.0.0.1:9");
        make(f, A "/tpgt_9");
        expect(f, A " " B);
        drop(f, A "/tpgt_9");
        make(f, "iqn.2026-11.org.iscsi:z");
        expect(f, A " iqn.2026-11.org.iscsi:z");
        drop(f, "iqn.2026-11.org.iscsi:z");
        expect(f, "iqn.2026-11.org.iscsi:z");
}

/* More changes than the kernel keeps; the last of them took away what was followed and put something else there. */
static void flood(Fixture *f) {
        g_autofree char *node = path_of(f, "iqn.2026-11.org.iscsi:flood");

        for (unsigned i = 0; i < 9000; i++) {
                g_assert_cmpint(mkdir(node, 0755), ==, 0);
                g_assert_cmpint(rmdir(node), ==, 0);
        }
        drop(f, A);
        make(f, A "/tpgt_1");
        drop(f, B "/tpgt_1");
        make(f, B "/tpgt_1");
}

static void test_overflow(Fixture *f, const void *data) {
        f->tuning.list_msec = 3000;
        start_with_two(f);

        flood(f);
        expect_status(f, "max_queued_events");
        g_assert_cmpuint(configfs_watch_statistics(f->watch)->overflows, ==, 1);
        expect_among(f, "*");
        check_followed(f); /* at once, not with the next listing */
        expect_status(f, NULL);
        check_followed(f);
        g_assert_cmpuint(f->said, ==, 2);
}

/* Again and again: each listing tells that anything may have changed, until the storm is over. */
static void test_overflow_again(Fixture *f, const void *data) {
        f->tuning.list_msec = 1500;
        start_with_two(f);

        for (unsigned i = 0; i < 3; i++) {
                faults.read_overflow = true;
                put(f, A "/tpgt_1/enable", "1\n");
                watch_wait_for(f, configfs_watch_statistics(f->watch)->overflows == i + 1);
                watch_run(f, 100);
                forget_told(f);
                if (i > 0)
                        expect_among(f, "*"); /* the listing, with which all directories are looked at again */
                g_assert_cmpuint(f->said, ==, 1);
        }
        check_followed(f);
        expect_status(f, NULL);
        check_followed(f);
        g_assert_cmpuint(f->said, ==, 2);
}

/* Runs FUNC in a child process that is root of a user namespace of its own, whose limits it may set. */
static void in_namespace(Fixture *f, void (*func)(Fixture *f)) {
        pid_t pid = fork();
        int status;

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                if (unshare(CLONE_NEWUSER) < 0)
                        _exit(77);
                sd_event_unref(f->event); /* it does not work in a child */
                g_assert_cmpint(sd_event_new(&f->event), ==, 0);
                func(f);
                (void) configfs_watch_free(f->watch);
                _exit(0);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                g_test_skip("user namespaces cannot be made here");
                return;
        }
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void set_limit(const char *name, const char *value) {
        g_autofree char *path = g_strdup_printf("/proc/sys/user/%s", name);
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, value, strlen(value)), ==, (ssize_t) strlen(value));
        g_assert_cmpint(close(fd), ==, 0);
}

/* target, iscsi, both nodes and their ports can be watched, what is in the ports cannot. */
static void limit_of_watches(Fixture *f) {
        set_limit("max_inotify_watches", "6");
        watch_start(f, NULL);
        expect_status(f, "max_user_watches");
        for (unsigned i = 0; i < 3; i++)
                expect_among(f, "*"); /* the listings */
        g_assert_cmpuint(f->said, ==, 1);

        /* What is followed is told in its time. */
        watch_wait_for(f, ({
                               put(f, A "/tpgt_1/enable", "1\n");
                               strstr(f->told->str, A);
                       }));

        set_limit("max_inotify_watches", "100");
        expect_status(f, NULL);
        check_followed(f);

        /* It is reached later, and watches are given back. */
        set_limit("max_inotify_watches", "8");
        make(f, "iqn.2026-11.org.iscsi:c/tpgt_1");
        expect_status(f, "max_user_watches");
        drop(f, "iqn.2026-11.org.iscsi:c");
        expect_status(f, NULL);
        set_limit("max_inotify_watches", "100");
        check_followed(f);
}

static void test_limit_of_watches(Fixture *f, const void *data) {
        make(f, A "/tpgt_1");
        make(f, B "/tpgt_1");
        in_namespace(f, limit_of_watches);
}

static void limit_of_instances(Fixture *f) {
        set_limit("max_inotify_instances", "0");
        watch_start(f, NULL);
        expect_status(f, "max_user_instances");
        for (unsigned i = 0; i < 3; i++)
                expect_among(f, "*");
        g_assert_cmpuint(f->said, ==, 1);

        set_limit("max_inotify_instances", "1");
        expect_status(f, NULL);
        check_followed(f);
}

static void test_limit_of_instances(Fixture *f, const void *data) {
        make(f, A "/tpgt_1");
        make(f, B "/tpgt_1");
        in_namespace(f, limit_of_instances);
}

/* A directory that cannot be watched, at each level. */
static void test_refused_watch(Fixture *f, const void *data) {
        static const char *const places[] = { "/target", "/iscsi", A, B "/tpgt_1", A "/tpgt_1/np" };

        start_with_two(f);
        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                (void) configfs_watch_free(f->watch);
                faults.place = places[i];
                faults.add_watch_error = EACCES;
                watch_start(f, NULL);
                expect_status(f, "Permission denied");
                forget_told(f);
                expect_among(f, "*");
                expect_among(f, "*");

                faults.add_watch_error = 0;
                expect_status(f, NULL);
                check_followed(f);
        }
}

/* A directory that cannot be read, at the start and when it comes. */
static void test_refused_listing(Fixture *f, const void *data) {
        static const char *const places[] = { "/iscsi", A };

        start_with_two(f);
        for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
                (void) configfs_watch_free(f->watch);
                faults.place = places[i];
                faults.opendir_error = EMFILE;
                watch_start(f, NULL);
                expect_status(f, "Too many open files");
                expect_among(f, "*");
                faults.opendir_error = 0;
                expect_status(f, NULL);
                check_followed(f);

                faults.opendir_error = ENOMEM;
                drop(f, A);
                make(f, A "/tpgt_1");
                if (i == 0) {
                        drop(f, ".");
                        make(f, A "/tpgt_1");
                        make(f, B "/tpgt_1");
                }
                expect_status(f, "Cannot allocate memory");
                faults.opendir_error = 0;
                expect_status(f, NULL);
                check_followed(f);
        }
}

static void test_refused_instance(Fixture *f, const void *data) {
        start_with_two(f);

        /* In the middle of its life. */
        faults.init_error = EMFILE;
        faults.read_error = EIO;
        put(f, A "/tpgt_1/enable", "1\n");
        expect_status(f, "Input/output error");
        expect_among(f, "*");
        expect_status(f, "Too many open files");
        faults.init_error = 0;
        expect_status(f, NULL);
        check_followed(f);

        /* Nothing to read is no error. */
        faults.read_error = EAGAIN;
        put(f, A "/tpgt_1/enable", "1\n");
        expect(f, A);
        g_assert_null(f->status);
}

static void set_file_limit(rlim_t n) {
        struct rlimit limit;

        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        limit.rlim_cur = n;
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

/* Each file descriptor that is needed cannot be had, and then the thread. */
static void test_refused_files(Fixture *f, const void *data) {
        struct rlimit before;
        rlim_t first_free;

        start_with_two(f);
        f->watch = configfs_watch_free(f->watch);
        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
        first_free = (rlim_t) dup(STDERR_FILENO);
        g_assert_cmpint(close((int) first_free), ==, 0);

        for (rlim_t n = 0; n < 4; n++) {
                watch_start(f, NULL);
                if (n == 3)
                        faults.thread_error = EAGAIN;
                else
                        set_file_limit(first_free + n);
                expect_status(f, n == 3 ? "Resource temporarily unavailable" : "Too many open files");
                set_file_limit(before.rlim_cur);
                faults.thread_error = 0;
                expect_status(f, NULL);
                check_followed(f);
                f->watch = configfs_watch_free(f->watch);
        }
}

/* A directory that the kernel keeps locked: all others are told, and the loop runs. */
static void test_hang(Fixture *f, const void *data) {
        f->tuning.stuck_msec = 200;
        start_with_two(f);

        faults.place = "iqn.2026-11.org.iscsi:c";
        faults_hang(true);
        make(f, "iqn.2026-11.org.iscsi:c/tpgt_1");
        expect(f, "iqn.2026-11.org.iscsi:c");
        expect_status(f, "iqn.2026-11.org.iscsi:c, as when");
        expect_among(f, "*");
        expect_among(f, "*");
        watch_wait_for(f, ({
                               put(f, A "/tpgt_1/enable", "1\n");
                               strstr(f->told->str, A);
                       }));

        /* What comes meanwhile waits. */
        make(f, "iqn.2026-11.org.iscsi:d/tpgt_1");
        watch_run(f, 100);
        drop(f, "iqn.2026-11.org.iscsi:d");
        make(f, "iqn.2026-11.org.iscsi:d/tpgt_1");
        make(f, "iqn.2026-11.org.iscsi:e/tpgt_1");
        watch_run(f, 100);
        drop(f, "iqn.2026-11.org.iscsi:e");
        watch_run(f, 100);
        faults_hang(false);
        expect_status(f, NULL);
        check_followed(f);
        put(f, "iqn.2026-11.org.iscsi:c/tpgt_1/enable", "1\n");
        put(f, "iqn.2026-11.org.iscsi:d/tpgt_1/enable", "1\n");
        expect(f, "iqn.2026-11.org.iscsi:c iqn.2026-11.org.iscsi:d");

        /* Taken away while the kernel does not answer about it. */
        faults_hang(true);
        drop(f, "iqn.2026-11.org.iscsi:c");
        make(f, "iqn.2026-11.org.iscsi:c");
        watch_wait_for(f, faults_is_hanging());
        drop(f, "iqn.2026-11.org.iscsi:c");
        watch_run(f, 50);
        faults_hang(false);
        expect_status(f, NULL);
        check_followed(f);
}

/* One that hangs among others: those that were done before it are followed all the same. */
static void test_hang_among(Fixture *f, const void *data) {
        f->tuning.stuck_msec = 200;
        f->tuning.gather_msec = 200;
        start_with_two(f);

        faults.place = "iqn.2026-11.org.iscsi:c";
        faults_hang(true);
        make(f, "iqn.2026-11.org.iscsi:before/tpgt_1");
        make(f, "iqn.2026-11.org.iscsi:c/tpgt_1");
        expect_status(f, "iqn.2026-11.org.iscsi:c, as when");
        g_string_truncate(f->told, 0);
        make(f, "iqn.2026-11.org.iscsi:before/tpgt_2");
        watch_wait_for(f, strstr(f->told->str, "iqn.2026-11.org.iscsi:before"));
        g_assert_true(faults_is_hanging());
        faults_hang(false);
        expect_status(f, NULL);
        check_followed(f);
}

/* The first look hangs: that anything may have changed is told nevertheless. */
static void test_hang_at_start(Fixture *f, const void *data) {
        f->tuning.stuck_msec = 200;
        make(f, A "/tpgt_1");
        make(f, B "/tpgt_1");
        faults.place = "/iscsi";
        faults_hang(true);
        watch_start(f, NULL);
        expect_status(f, "/target/iscsi, as when");
        expect_among(f, "*");
        faults_hang(false);
        expect_status(f, NULL);
        check_followed(f);
        f->watch = configfs_watch_free(f->watch);

        /* At one of the nodes: what was read before it is followed. */
        faults.place = B;
        faults_hang(true);
        watch_start(f, NULL);
        expect_status(f, B ", as when");
        watch_wait_for(f, ({
                               make(f, "iqn.2026-11.org.iscsi:c");
                               drop(f, "iqn.2026-11.org.iscsi:c");
                               strstr(f->told->str, "iqn.2026-11.org.iscsi:c");
                       }));
        faults_hang(false);
        expect_status(f, NULL);
        check_followed(f);
}

static unsigned count_in(const char *path) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) d = g_dir_open(path, 0, &error);
        unsigned n = 0;

        g_assert_no_error(error);
        while (g_dir_read_name(d))
                n++;
        return n;
}

/* The end does not wait for a kernel that does not answer, and the thread that is left behind cleans up if it ever comes back. */
static void test_free_while_hanging(Fixture *f, const void *data) {
        unsigned files = count_in("/proc/self/fd");
        gint64 begin;

        make(f, A "/tpgt_1");
        faults.place = A;
        faults_hang(true);
        watch_start(f, NULL);
        watch_wait_for(f, faults_is_hanging());

        begin = g_get_monotonic_time();
        f->watch = configfs_watch_free(f->watch);
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 3 * G_USEC_PER_SEC);
        g_assert_true(faults_is_hanging());
        g_assert_cmpuint(count_in("/proc/self/fd"), ==, files + 1); /* the loop has a timer now */
        g_assert_cmpuint(count_in("/proc/self/task"), ==, 2);

        faults_hang(false);
        watch_wait_for(f, count_in("/proc/self/task") == 1);
}

/* The thread holds nothing of the process: whatever hangs in it keeps no lock, socket or file of the service open. */
static void test_files_of_thread(Fixture *f, const void *data) {
        g_autofree char *files = NULL, *own = g_strdup_printf("%i", (int) getpid());
        g_autoptr(GDir) d = NULL;
        const char *name;

        make(f, A "/tpgt_1");
        watch_start_quietly(f, NULL);
        watch_wait_for(f, count_in("/proc/self/task") == 2);

        d = g_dir_open("/proc/self/task", 0, NULL);
        while ((name = g_dir_read_name(d)))
                if (strcmp(name, own) != 0)
                        files = g_strdup_printf("/proc/self/task/%s/fd", name);
        g_assert_nonnull(files);
        g_assert_cmpuint(count_in(files), <=, 3 + 2);
        g_assert_cmpuint(count_in("/proc/self/fd"), >=, 3 + 4);

        f->watch = configfs_watch_free(f->watch);
        watch_wait_for(f, count_in("/proc/self/task") == 1); /* joined, it may be listed a moment longer */
}

static Fixture *overtaken;

static void make_portal(const char *path) {
        make(overtaken, A "/tpgt_1/np/127.0.0.1:7");
}

static void make_port(const char *path) {
        make(overtaken, A "/tpgt_1");
}

static void make_port_again(const char *path) {
        drop(overtaken, A "/tpgt_1");
        make(overtaken, A "/tpgt_1");
}

static void make_all_again(const char *path) {
        drop(overtaken, "..");
        make(overtaken, A "/tpgt_1");
        make(overtaken, B "/tpgt_1");
}

/* Something happens to a directory between its watch and the moment when the loop learns of that; LATE: the loop reads the
 * event before. */
static void test_overtaken(Fixture *f, const void *data) {
        static const struct {
                const char *place;
                void (*call)(const char *path);
                bool late;
                const char *without; /* is not there yet */
        } cases[] = {
                { A "/tpgt_1/np", make_portal },  { A "/tpgt_1", make_portal },       { A "/tpgt_1", make_port_again },
                { A, make_port_again },           { "/iscsi", make_port_again },      { "/iscsi", make_all_again },
                { "/target", make_all_again },    { A "/tpgt_1/np", make_all_again }, { A, make_port, true, A "/tpgt_1" },
                { "/iscsi", make_port, true, A }, { "/iscsi", make_all_again, true },
        };

        overtaken = f;
        start_with_two(f);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                (void) configfs_watch_free(f->watch);
                faults.place = cases[i].place;
                faults.overtake_late = cases[i].late;
                faults.overtake = cases[i].call;
                if (cases[i].without)
                        drop(f, "%s", cases[i].without);
                watch_start(f, NULL);
                expect_among(f, "*");
                expect_status(f, NULL);
                check_followed(f);
                g_assert_null(faults.overtake);
        }
}

/* The same while a directory that is followed is looked at again. */
static void test_overtaken_again(Fixture *f, const void *data) {
        overtaken = f;
        start_with_two(f);
        faults.place = "/iscsi";
        faults.overtake_late = true;
        faults.overtake = make_all_again;
        faults.read_overflow = true;
        put(f, A "/tpgt_1/enable", "1\n");
        expect_status(f, "max_queued_events");
        expect_status(f, NULL);
        g_assert_null(faults.overtake);
        check_followed(f);
}

/* Fails the N-th allocation and all after it for a while, in which CHANGE is made; returns whether there were as many. What was
 * lost is found again with a listing: the port of A and the portals of B are followed. */
static bool starve(Fixture *f, int n, void (*change)(Fixture *f)) {
        int left;

        forget_told(f);
        faults.allocations_left = n;
        change(f);
        watch_wait_for(f, f->calls > 0); /* what there is no memory for is told as a change of all */
        watch_run(f, 15);
        left = faults.allocations_left;

        faults.allocations_left = -1;
        watch_run(f, f->tuning.list_msec);
        expect_status(f, NULL);
        watch_wait_for(f, ({
                               put(f, A "/tpgt_1/enable", "1\n");
                               strstr(f->told->str, A);
                       }));
        watch_wait_for(f, ({
                               make(f, B "/tpgt_1/np/127.0.0.1:1");
                               drop(f, B "/tpgt_1/np/127.0.0.1:1");
                               strstr(f->told->str, B);
                       }));
        forget_told(f);
        f->watch = configfs_watch_free(f->watch);
        return left <= 0;
}

static void make_b(Fixture *f) {
        make(f, B "/tpgt_1");
        make(f, B "/tpgt_2");
}

static void start_now(Fixture *f) {
        int left = faults.allocations_left;

        faults.allocations_left = -1; /* of this there would be an error */
        watch_start(f, NULL);
        faults.allocations_left = left;
}

static void test_memory(Fixture *f, const void *data) {
        static const ConfigfsWatchCallbacks callbacks = {};
        ConfigfsWatch *w = NULL;
        int n = 0;

        for (faults.allocations_left = 0; configfs_watch_new(f->event, "/target/iscsi", &callbacks, NULL, &w) < 0; n++)
                faults.allocations_left = n + 1;
        g_assert_cmpint(n, >=, 2);
        w = configfs_watch_free(w);
        faults.allocations_left = -1;

        f->tuning.gather_msec = 1;
        f->tuning.quiet_msec = 3;
        f->tuning.late_msec = 6;
        f->tuning.list_msec = 15;
        make(f, A "/tpgt_1");
        for (n = 0;; n++) {
                watch_start_quietly(f, NULL);
                if (!starve(f, n, make_b))
                        break;
                drop(f, B);
        }
        g_assert_cmpint(n, >, 10);

        for (n = 0; starve(f, n, start_now); n++)
                ;
        g_assert_cmpint(n, >, 10);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

#define ADD(path, func) g_test_add(path, Fixture, NULL, watch_set_up, func, tear_down)
        ADD("/configfs-watch/overflow", test_overflow);
        ADD("/configfs-watch/overflow-again", test_overflow_again);
        ADD("/configfs-watch/limit-of-watches", test_limit_of_watches);
        ADD("/configfs-watch/limit-of-instances", test_limit_of_instances);
        ADD("/configfs-watch/refused-watch", test_refused_watch);
        ADD("/configfs-watch/refused-listing", test_refused_listing);
        ADD("/configfs-watch/refused-instance", test_refused_instance);
        ADD("/configfs-watch/refused-files", test_refused_files);
        ADD("/configfs-watch/hang", test_hang);
        ADD("/configfs-watch/hang-among", test_hang_among);
        ADD("/configfs-watch/hang-at-start", test_hang_at_start);
        ADD("/configfs-watch/free-while-hanging", test_free_while_hanging);
        ADD("/configfs-watch/files-of-thread", test_files_of_thread);
        ADD("/configfs-watch/overtaken", test_overtaken);
        ADD("/configfs-watch/overtaken-again", test_overtaken_again);
        ADD("/configfs-watch/memory", test_memory);

        return g_test_run();
}
