/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* configfs-watch.h on the configfs of the kernel's real target, with the times that the service uses. */

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lio-fixture.h"
#include "watch-fixture.h"

static void start(Fixture *f, const void *data) {
        watch_set_up(f, data);
        f->tuning = configfs_watch_tuning_default;
        if (access(ISCSI, F_OK) < 0)
                g_assert_cmpint(mkdir(ISCSI, 0755), ==, 0);
}

/* Runs the loop until NODE alone was told; that must be within a second of BEGIN. */
static void expect_in_time(Fixture *f, const char *node, gint64 begin) {
        g_autofree char *text = g_strdup_printf("%s ", node);

        watch_wait_for(f, f->calls > 0);
        g_test_message("told after %i ms", (int) ((f->told_at - begin) / 1000));
        g_assert_cmpint(f->told_at - begin, <, G_USEC_PER_SEC);
        g_assert_cmpstr(f->told->str, ==, text);
        watch_run(f, 300);
        g_assert_cmpstr(f->told->str, ==, text);
        forget_told(f);
}

#define within_a_second(f, node, what)                  \
        do {                                            \
                gint64 _begin = g_get_monotonic_time(); \
                what;                                   \
                expect_in_time(f, node, _begin);        \
        } while (0)

/* A port is made, disabled, emptied, filled and removed by somebody else, and so is its node. */
static void test_changes(Fixture *f, const void *data) {
        watch_start_quietly(f, TARGET);
        g_assert_null(f->status);

        within_a_second(f, NODE_A, tree_mkdir("%s", NODE_A));
        within_a_second(f, NODE_A, tree_mkdir("%s/tpgt_1", NODE_A));
        within_a_second(f, NODE_A, tree_mkdir("%s/tpgt_1/np/127.0.0.1:3260", NODE_A));
        within_a_second(f, NODE_A, tree_write(NODE_A "/tpgt_1/enable", "1"));
        within_a_second(f, NODE_A, tree_write(NODE_A "/tpgt_1/enable", "0"));
        within_a_second(f, NODE_A, tree_rmdir("%s/tpgt_1/np/127.0.0.1:3260", NODE_A));
        within_a_second(f, NODE_A, tree_rmdir("%s/tpgt_1", NODE_A));
        within_a_second(f, NODE_A, tree_rmdir("%s", NODE_A));

        /* All at once, by another program. */
        within_a_second(f, NODE_A,
                        g_assert_cmpint(shell("mkdir -p %s/%s/tpgt_7/np/127.0.0.1:3260 && echo 1 >%s/%s/tpgt_7/enable", ISCSI,
                                              NODE_A, ISCSI, NODE_A),
                                        ==, 0));
        within_a_second(f, NODE_A, tree_write(NODE_A "/tpgt_7/enable", "0"));

        /* What was there before the watch. */
        f->watch = configfs_watch_free(f->watch);
        watch_start_quietly(f, TARGET);
        within_a_second(f, NODE_A, tree_rmdir("%s/tpgt_7/np/127.0.0.1:3260", NODE_A));
        within_a_second(f, NODE_A, g_assert_cmpint(shell("rmdir %s/%s/tpgt_7 %s/%s", ISCSI, NODE_A, ISCSI, NODE_A), ==, 0));
        g_assert_cmpuint(f->said, ==, 0);
}

/* The worker's own changes come as one for each call. */
static void test_worker(Fixture *f, const void *data) {
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        watch_start_quietly(f, TARGET);
        within_a_second(f, NODE_A, expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260")));
        within_a_second(f, NODE_B, expect_success(call_portals(w, "create-port", NODE_B, 1, "127.0.0.1:3260")));
        within_a_second(f, NODE_A, expect_success(call_port(w, "delete-port", NODE_A, 1)));
        within_a_second(f, NODE_A, expect_success(call_node(w, "delete-node", NODE_A)));
        expect_success(call_port(w, "delete-port", NODE_B, 1));
        within_a_second(f, NODE_B, expect_success(call_node(w, "delete-node", NODE_B)));
}

/* What others do with a port but to its portals and its state. */
static void test_nothing_told(Fixture *f, const void *data) {
        tree_mkdir("%s", NODE_A);
        tree_mkdir("%s/tpgt_1", NODE_A);
        tree_mkdir("%s/tpgt_1/np/127.0.0.1:3260", NODE_A);
        watch_start_quietly(f, TARGET);

        tree_write(NODE_A "/tpgt_1/attrib/generate_node_acls", "1");
        tree_write(NODE_A "/tpgt_1/param/MaxBurstLength", "65536");
        tree_mkdir("%s/tpgt_1/acls/iqn.2026-11.org.iscsi:initiator", NODE_A);
        tree_mkdir("%s/tpgt_1/lun/lun_0", NODE_A);
        tree_rmdir("%s/tpgt_1/lun/lun_0", NODE_A);
        tree_rmdir("%s/tpgt_1/acls/iqn.2026-11.org.iscsi:initiator", NODE_A);
        g_assert_cmpint(shell("cat %s/%s/tpgt_1/enable %s/%s/tpgt_1/dynamic_sessions >/dev/null", ISCSI, NODE_A, ISCSI, NODE_A),
                        ==, 0);
        watch_run(f, 1500);
        g_assert_cmpstr(f->told->str, ==, "");

        tree_rmdir("%s/tpgt_1/np/127.0.0.1:3260", NODE_A);
        tree_rmdir("%s/tpgt_1", NODE_A);
        within_a_second(f, NODE_A, tree_rmdir("%s", NODE_A));
}

static void test_fabric(Fixture *f, const void *data) {
        watch_start_quietly(f, TARGET);

        within_a_second(f, "*", g_assert_cmpint(rmdir(ISCSI), ==, 0));
        within_a_second(f, "*", g_assert_cmpint(mkdir(ISCSI, 0755), ==, 0));
        within_a_second(f, NODE_A, tree_mkdir("%s", NODE_A));
        within_a_second(f, NODE_A, tree_rmdir("%s", NODE_A));
        g_assert_cmpuint(f->said, ==, 0);
}

/* The target's modules are taken out of the kernel and come back. The kernel tells the going, not the coming. */
static void test_modules(Fixture *f, const void *data) {
        g_autofree char *modules = NULL;

        f->tuning.list_msec = 1000;
        watch_start_quietly(f, TARGET);
        g_assert_cmpint(rmdir(ISCSI), ==, 0);
        if (shell("cd /sys/module && modprobe -r iscsi_target_mod && "
                  "modprobe -r $(ls -d target_core_[!m]*) target_core_mod") != 0) {
                g_assert_cmpint(mkdir(ISCSI, 0755), ==, 0);
                g_test_skip("the target cannot be taken out of this kernel");
                return;
        }
        expect_status(f, "/sys/kernel/config/target does not exist");
        expect_among(f, "*");

        g_assert_cmpint(shell("modprobe -a target_core_mod iscsi_target_mod"), ==, 0);
        expect_status(f, NULL);
        expect_among(f, "*");
        g_assert_cmpint(mkdir(ISCSI, 0755), ==, 0);
        expect_among(f, "*");
        watch_run(f, 300);
        forget_told(f);
        within_a_second(f, NODE_A, tree_mkdir("%s", NODE_A));
        within_a_second(f, NODE_A, tree_rmdir("%s", NODE_A));
}

/* Returns a process in which the kernel reads the directory PATH and comes no further than to the page that it would put the
 * names in, until the process is killed. As long it keeps the directory locked, as it does while it makes or removes something
 * there. */
static pid_t lock_directory(const char *path) {
        int ready[2];
        char c;
        pid_t pid;

        g_assert_cmpint(pipe(ready), ==, 0);
        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                struct uffdio_api api = { .api = UFFD_API };
                int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), faults = (int) syscall(SYS_userfaultfd, O_CLOEXEC);
                size_t size = (size_t) sysconf(_SC_PAGESIZE);
                void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                struct uffdio_register range = { .range = { .start = (uintptr_t) page, .len = size },
                                                 .mode = UFFDIO_REGISTER_MODE_MISSING };

                (void) alarm(30); /* lest a test that failed never ends */
                if (fd < 0 || faults < 0 || page == MAP_FAILED || ioctl(faults, UFFDIO_API, &api) < 0 ||
                    ioctl(faults, UFFDIO_REGISTER, &range) < 0 || write(ready[1], "", 1) != 1)
                        _exit(1);
                (void) syscall(SYS_getdents64, fd, page, size);
                _exit(2);
        }
        g_assert_cmpint(close(ready[1]), ==, 0);
        g_assert_cmpint(read(ready[0], &c, 1), ==, 1);
        g_assert_cmpint(close(ready[0]), ==, 0);
        g_usleep(200 * 1000); /* it says so before it does so */
        return pid;
}

static void unlock_directory(pid_t pid) {
        int status;

        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFSIGNALED(status)); /* else it had come further, and nothing was locked */
}

/* Runs the loop until the status has TEXT in it, and checks that nothing holds the loop up. */
static void expect_status_of_free_loop(Fixture *f, const char *text) {
        gint64 begin = g_get_monotonic_time(), before = begin, now, longest = 0;

        while (!f->status || !strstr(f->status, text)) {
                g_assert_cmpint(sd_event_run(f->event, 20000), >=, 0);
                now = g_get_monotonic_time();
                g_assert_cmpint(now - begin, <, 10 * G_USEC_PER_SEC);
                longest = MAX(longest, now - before);
                before = now;
        }
        g_test_message("longest turn %i ms", (int) (longest / 1000));
        g_assert_cmpint(longest, <, 500 * 1000);
}

/* A node's directory stays locked, as when a removal in it hangs: it is said, the loop runs, and what was followed still is. */
static void test_locked(Fixture *f, const void *data) {
        g_autofree char *text = g_strdup_printf("The kernel does not answer about %s/%s", ISCSI, NODE_B);
        gint64 begin;
        pid_t pid;

        g_assert_cmpint(shell("mkdir -p %s/%s/tpgt_1", ISCSI, NODE_A), ==, 0);
        watch_start_quietly(f, TARGET);
        g_assert_cmpint(shell("mkdir -p %s/%s/tpgt_1", ISCSI, NODE_B), ==, 0);
        pid = lock_directory(ISCSI "/" NODE_B);
        expect_status_of_free_loop(f, text);
        expect_among(f, "*");
        watch_run(f, 300);
        forget_told(f);
        within_a_second(f, NODE_A, tree_write(NODE_A "/tpgt_1/enable", "0"));
        within_a_second(f, NODE_A, tree_mkdir("%s/tpgt_1/np/127.0.0.1:3260", NODE_A));
        within_a_second(f, NODE_A, tree_rmdir("%s/tpgt_1/np/127.0.0.1:3260", NODE_A));

        unlock_directory(pid);
        expect_status(f, NULL);
        watch_run(f, 300);
        forget_told(f);
        within_a_second(f, NODE_B, tree_write(NODE_B "/tpgt_1/enable", "0"));

        /* At the start, and until the end. */
        f->watch = configfs_watch_free(f->watch);
        pid = lock_directory(ISCSI "/" NODE_B);
        watch_start(f, TARGET);
        expect_status_of_free_loop(f, text);
        expect_among(f, "*");
        begin = g_get_monotonic_time();
        f->watch = configfs_watch_free(f->watch);
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC);
        unlock_directory(pid);
        g_assert_cmpint(shell("cd %s && rmdir %s/tpgt_1 %s/tpgt_1 %s %s", ISCSI, NODE_A, NODE_B, NODE_A, NODE_B), ==, 0);
}

/* Many nodes with a port each: all are followed, and one more costs no more than among few. */
static void test_many(Fixture *f, const void *data) {
        const ConfigfsWatchStatistics *s;
        unsigned jobs, listings;

        for (unsigned i = 0; i < 300; i++)
                g_assert_cmpint(shell("cd %s && mkdir -p iqn.2026-11.org.iscsi:n%u/tpgt_1", ISCSI, i), ==, 0);
        watch_start_quietly(f, TARGET);
        s = configfs_watch_statistics(f->watch);
        jobs = s->jobs;
        listings = s->listings;
        g_assert_cmpuint(jobs, ==, 2 + 3 * 300);

        within_a_second(f, "iqn.2026-11.org.iscsi:n299", tree_mkdir("iqn.2026-11.org.iscsi:n299/tpgt_1/np/127.0.0.1:3260"));
        within_a_second(f, NODE_A, g_assert_cmpint(shell("mkdir -p %s/%s/tpgt_1", ISCSI, NODE_A), ==, 0));
        g_assert_cmpuint(s->listings - listings, ==, 1);
        g_assert_cmpuint(s->jobs - jobs, <=, 6);

        tree_rmdir("iqn.2026-11.org.iscsi:n299/tpgt_1/np/127.0.0.1:3260");
        g_assert_cmpint(shell("cd %s && rmdir iqn.2026-11.org.iscsi:*/tpgt_1 && rmdir iqn.2026-11.org.iscsi:*", ISCSI), ==, 0);
        watch_run(f, 1500);
        g_assert_cmpuint(f->calls, >=, 1);
        forget_told(f);
        within_a_second(f, NODE_A, tree_mkdir("%s", NODE_A));
        within_a_second(f, NODE_A, tree_rmdir("%s", NODE_A));
}

static void add_tests(void) {
#define ADD(path, func) g_test_add(path, Fixture, NULL, start, func, watch_tear_down)
        ADD("/watch/changes", test_changes);
        ADD("/watch/worker", test_worker);
        ADD("/watch/nothing-told", test_nothing_told);
        ADD("/watch/fabric", test_fabric);
        ADD("/watch/many", test_many);
        ADD("/watch/locked", test_locked);
        ADD("/watch/modules", test_modules);
}

int main(int argc, char **argv) {
        return lio_test_main(argc, argv, add_tests);
}
