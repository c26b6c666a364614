/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers of iscsi-backend-lio whose system calls fail, lie, hang or kill them, at each step in turn. strace(1) spoils the calls.
 * */

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lio-fixture.h"

#define PORTALS "127.0.0.1:3260 [::1]:3260"

/* A worker that is up already, so that a deadline counts for its call alone. */
static Worker *slow_worker(const char *inject, uint64_t deadline_usec) {
        Worker *w = worker_new(inject, NULL);

        expect_success(worker_call(w, "Describe", NULL));
        g_assert_cmpint(sd_bus_set_method_call_timeout(w->bus, deadline_usec), >=, 0);
        return w;
}

/* The steps of a create with two portals in a new node. */
static const char *const create_steps[] = { "mkdir:when=1", "mkdir:when=2", "mkdir:when=3", "mkdir:when=4", "pwrite64:when=1" };

/* "mkdir:when=2" and "error=EIO" make "inject=mkdir:error=EIO:when=2". */
static char *spoil(const char *step, const char *how) {
        g_auto(GStrv) parts = g_strsplit(step, ":", 2);

        return g_strdup_printf("inject=%s:%s:%s", parts[0], how, parts[1]);
}

static void clean_node(const char *node, const char *portals) {
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_success(call_portals(w, "undo-port", node, 1, portals));
        expect_success(call_node(w, "delete-node", node));
}

static void test_create_fails(void) {
        g_autofree char *before = tree_snapshot();

        for (size_t i = 0; i < ELEMENTSOF(create_steps); i++) {
                g_autofree char *inject = spoil(create_steps[i], "error=EIO");
                g_autoptr(Worker) w = worker_new(inject, NULL);

                g_test_message("%s", inject);
                expect_refusal(call_portals(w, "create-port", NODE_A, 1, PORTALS), REFUSAL_FAILED, "Input/output error");
                assert_tree(before);

                /* The same worker does it next. */
                expect_success(call_portals(w, "create-port", NODE_A, 1, PORTALS));
                expect_success(call_port(w, "delete-port", NODE_A, 1));
                expect_success(call_node(w, "delete-node", NODE_A));
                assert_tree(before);
        }
}

/* What was there before the call stays. */
static void test_restore_fails(void) {
        static const char *const steps[] = { "mkdir:when=1", "pwrite64:when=1" };
        g_autofree char *before = tree_snapshot(), *there = NULL;

        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_1");
        tree_mkdir(NODE_A "/tpgt_1/np/127.0.0.1:3260");
        there = tree_snapshot();

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                g_autofree char *inject = spoil(steps[i], "error=EIO");
                g_autoptr(Worker) w = worker_new(inject, NULL);

                expect_refusal(restore_port(w, NODE_A, 1, PORTALS), REFUSAL_FAILED, "Input/output error");
                assert_tree(there);
        }

        clean_node(NODE_A, PORTALS);
        assert_tree(before);
}

static void test_bind_fails(void) {
        g_autofree char *before = tree_snapshot(), *there = NULL;
        g_autoptr(Worker) w = worker_new("inject=mkdir:error=EIO:when=1", NULL);

        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_1");
        there = tree_snapshot();
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_FAILED, "127.0.0.1:3260");
        assert_tree(there);
        clean_node(NODE_A, PORTALS);
        assert_tree(before);
}

/* When no reason can be found, the kernel's own words are in the message: here the probe is told that it could bind. */
static void test_kernel_hint(void) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(3260), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new("inject=bind:retval=0:when=2+", NULL);
        int fd;

        /* Bound without listening, it is in no list. The first bind() is that of netlink. */
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(bind(fd, (struct sockaddr *) &in, sizeof(in)), ==, 0);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_FAILED,
                       "Invalid argument (the kernel says: kernel_bind() failed: -98)");
        close(fd);
        assert_tree(before);
}

/* A portal of another port goes just now: the kernel fails once, and then not again. */
static void test_portal_in_reset(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new("inject=mkdir:error=EINVAL:when=3", NULL),
                          never = worker_new("inject=mkdir:error=EINVAL:when=3+", NULL);

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);

        expect_refusal(call_portals(never, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_FAILED, "Invalid argument");
        assert_tree(before);
}

/* The kernel says that it made the portal, and did not. */
static void test_kernel_lies(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new("inject=mkdir:retval=0:when=4", NULL);

        expect_refusal(call_portals(w, "create-port", NODE_A, 1, PORTALS), REFUSAL_FAILED, "nothing listens");
        assert_tree(before);
}

/* Somebody else makes the same port between the look and the step. */
static void test_race(void) {
        g_autofree char *before = tree_snapshot(), *there = NULL;
        g_autoptr(Worker) w = worker_new("inject=mkdir:delay_enter=3000000:when=1", NULL);
        pid_t pid;

        tree_mkdir(NODE_A);
        pid = fork();
        if (pid == 0) {
                (void) usleep(1000000);
                tree_mkdir(NODE_A "/tpgt_1");
                _exit(0);
        }
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, PORTALS), REFUSAL_IDENTIFIER_IN_USE, "tpgt_1");
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        there = tree_snapshot();
        g_assert_cmpstr(strstr(there, "/tpgt_1/np/"), ==, NULL);
        tree_rmdir(NODE_A "/tpgt_1");
        tree_rmdir(NODE_A);
        assert_tree(before);
}

/* The same with a portal: the answer is the reason, found by a second look. */
static void test_portal_race(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new("inject=mkdir:delay_enter=3000000:when=2", NULL);
        pid_t pid;

        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_2");
        pid = fork();
        if (pid == 0) {
                (void) usleep(1000000);
                tree_mkdir(NODE_A "/tpgt_2/np/127.0.0.1:3260");
                _exit(0);
        }
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_TCP_IN_USE, "group 2");
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        assert_absent(NODE_A "/tpgt_1");
        tree_rmdir(NODE_A "/tpgt_2/np/127.0.0.1:3260");
        tree_rmdir(NODE_A "/tpgt_2");
        tree_rmdir(NODE_A);
        assert_tree(before);
}

static void test_degraded(void) {
        g_autofree char *before = tree_snapshot();
        Worker *w;
        Answer a;

        /* The portals can be removed, the group and the node cannot. */
        w = worker_new("inject=pwrite64:error=EIO:when=1 inject=rmdir:error=EBUSY:when=3+", NULL);
        a = call_portals(w, "create-port", NODE_A, 1, PORTALS);
        g_assert_nonnull(strstr(a.message, "Input/output error"));
        expect_refusal(a, REFUSAL_DEGRADED, "tpgt_1 could not be undone: Device or resource busy");
        worker_free(w);
        assert_there(NODE_A "/tpgt_1");
        assert_absent(NODE_A "/tpgt_1/np/127.0.0.1:3260");
        clean_node(NODE_A, PORTALS);
        assert_tree(before);

        /* The first portal cannot: what is around it stays too. */
        w = worker_new("inject=mkdir:error=EIO:when=4 inject=rmdir:error=EPERM:when=1", NULL);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, PORTALS), REFUSAL_DEGRADED,
                       "np/127.0.0.1:3260 could not be undone");
        worker_free(w);
        assert_there(NODE_A "/tpgt_1/np/127.0.0.1:3260");
        clean_node(NODE_A, PORTALS);
        assert_tree(before);

        /* The kernel says that it removed the portal, and did not. */
        w = worker_new("inject=mkdir:error=EIO:when=4 inject=rmdir:retval=0:when=1", NULL);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, PORTALS), REFUSAL_DEGRADED,
                       "np/127.0.0.1:3260 could not be undone");
        worker_free(w);
        clean_node(NODE_A, PORTALS);
        assert_tree(before);

        /* An unbind that fails has changed nothing, so it is no more than a failure. */
        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_1");
        w = worker_new("inject=rmdir:error=EIO:when=1", NULL);
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"));
        expect_refusal(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_FAILED, "Input/output error");
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"));
        worker_free(w);
        clean_node(NODE_A, PORTALS);
        assert_tree(before);
}

/* Killed before each step; a fresh worker clears away, or completes, what is there. */
static void test_create_killed(void) {
        g_autofree char *before = tree_snapshot();

        for (size_t i = 0; i < ELEMENTSOF(create_steps); i++)
                for (size_t k = 0; k < 2; k++) {
                        g_autofree char *inject = spoil(create_steps[i], "signal=SIGKILL");
                        g_autoptr(Worker) fresh = worker_new(NULL, NULL);
                        Worker *w = worker_new(inject, NULL);
                        g_autofree char *seen = NULL;
                        int status;

                        g_test_message("%s, then %s", inject, k == 0 ? "undo" : "restore");
                        expect_lost(call_portals(w, "create-port", NODE_A, 1, PORTALS));
                        status = worker_end(w);
                        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

                        expect_success(k == 0 ? call_portals(fresh, "undo-port", NODE_A, 1, PORTALS)
                                              : restore_port(fresh, NODE_A, 1, PORTALS));
                        seen = observe(fresh);
                        if (k == 0)
                                g_assert_true(strcmp(seen, NODE_A) == 0 || strcmp(seen, "") == 0);
                        else {
                                g_assert_cmpstr(seen, ==, NODE_A " 1:on[127.0.0.1:3260+ [::1]:3260+]");
                                expect_success(call_portals(fresh, "undo-port", NODE_A, 1, PORTALS));
                        }
                        expect_success(call_node(fresh, "delete-node", NODE_A));
                        assert_tree(before);
                }
}

static void test_delete_killed(void) {
        static const char *const steps[] = { "pwrite64:when=1", "rmdir:when=1", "rmdir:when=2", "rmdir:when=3" };
        g_autofree char *before = tree_snapshot();

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                g_autofree char *inject = spoil(steps[i], "signal=SIGKILL");
                g_autoptr(Worker) fresh = worker_new(NULL, NULL);
                Worker *w;

                expect_success(call_portals(fresh, "create-port", NODE_A, 1, PORTALS));
                w = worker_new(inject, NULL);
                expect_lost(call_port(w, "delete-port", NODE_A, 1));
                g_assert_true(WIFSIGNALED(worker_end(w)));

                expect_success(call_port(fresh, "delete-port", NODE_A, 1));
                expect_success(call_node(fresh, "delete-node", NODE_A));
                assert_tree(before);
        }
}

/* A delete that fails leaves all as it was, wherever it fails. */
static void test_delete_fails(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL;
        g_autoptr(Worker) fresh = worker_new(NULL, NULL);
        Worker *w;

        expect_success(call_portals(fresh, "create-port", NODE_A, 1, PORTALS));
        whole = tree_snapshot();

        w = worker_new("inject=pwrite64:error=EIO:when=1", NULL);
        expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_FAILED, "Input/output error");
        worker_free(w);
        assert_tree(whole);

        for (unsigned i = 1; i <= 3; i++) {
                g_autofree char *inject = g_strdup_printf("inject=rmdir:error=EIO:when=%u", i);

                w = worker_new(inject, NULL);
                expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_FAILED, "Input/output error");
                worker_free(w);
                assert_tree(whole);
        }

        /* What is left when it cannot be made again. */
        w = worker_new("inject=rmdir:error=EIO:when=2 inject=mkdir:error=EPERM", NULL);
        expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_DEGRADED, "could not be undone: Operation not permitted");
        worker_free(w);
        assert_absent(NODE_A "/tpgt_1/np/127.0.0.1:3260");
        expect_success(restore_port(fresh, NODE_A, 1, PORTALS));
        assert_tree(whole);

        tree_mkdir(NODE_B);
        w = worker_new("inject=rmdir:error=EIO:when=1", NULL);
        expect_refusal(call_node(w, "delete-node", NODE_B), REFUSAL_FAILED, NODE_B);
        worker_free(w);
        tree_rmdir(NODE_B);

        expect_success(call_port(fresh, "delete-port", NODE_A, 1));
        expect_success(call_node(fresh, "delete-node", NODE_A));
        assert_tree(before);
}

/* The kernel hangs in a step, the caller gives up and hangs up; when the worker wakes it removes what it made. */
static void test_abandoned(void) {
        g_autofree char *before = tree_snapshot(), *there = NULL;

        for (size_t i = 0; i < ELEMENTSOF(create_steps); i++) {
                g_autofree char *inject = spoil(create_steps[i], "delay_exit=2000000");
                Worker *w = slow_worker(inject, 1000000);
                int status;

                g_test_message("%s", inject);
                expect_lost(call_portals(w, "create-port", NODE_A, 1, PORTALS));
                status = worker_end(w);
                g_assert_true(WIFEXITED(status));
                assert_tree(before);
        }

        /* A restore that had to enable the port alone, and a bind. */
        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_1");
        there = tree_snapshot();
        for (size_t i = 0; i < 2; i++) {
                Worker *w = slow_worker(
                        i == 0 ? "inject=pwrite64:delay_exit=2000000:when=1" : "inject=mkdir:delay_exit=2000000:when=1", 1000000);

                expect_lost(i == 0 ? restore_port(w, NODE_A, 1, "127.0.0.1:3260")
                                   : call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"));
                g_assert_true(WIFEXITED(worker_end(w)));
                assert_tree(there);
        }
        clean_node(NODE_A, PORTALS);
        assert_tree(before);
}

/* While a worker hangs, another one cannot meddle with the same node, but with any other. When the first one has given up, it
 * can. */
static void test_stuck_node(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) other = worker_new(NULL, "--lock-timeout=0"), patient = worker_new(NULL, "--lock-timeout=30");
        Worker *w = slow_worker("inject=mkdir:delay_exit=6000000:when=3", 1000000);

        expect_lost(call_portals(w, "create-port", NODE_A, 1, PORTALS));
        expect_refusal(call_portals(other, "undo-port", NODE_A, 1, PORTALS), REFUSAL_BUSY, NODE_A);
        expect_success(call_portals(other, "create-port", NODE_B, 1, PORTALS));
        expect_success(call_port(other, "delete-port", NODE_B, 1));
        expect_success(call_node(other, "delete-node", NODE_B));

        sd_bus_close_unref(g_steal_pointer(&w->bus));
        expect_success(restore_port(patient, NODE_A, 1, PORTALS));
        g_assert_true(WIFEXITED(worker_end(w)));
        assert_there(NODE_A "/tpgt_1/np/127.0.0.1:3260");
        expect_success(call_port(patient, "delete-port", NODE_A, 1));
        expect_success(call_node(patient, "delete-node", NODE_A));
        assert_tree(before);
}

/* A caller that hangs up while the worker waits for the lock gets nothing made. */
static void test_abandoned_in_queue(void) {
        g_autofree char *before = tree_snapshot();
        Worker *first = slow_worker("inject=mkdir:delay_exit=4000000:when=2", 1000000),
               *second = worker_new(NULL, "--lock-timeout=30");

        g_assert_cmpint(sd_bus_set_method_call_timeout(second->bus, 1000000), >=, 0);
        expect_lost(call_portals(first, "create-port", NODE_A, 1, PORTALS));
        expect_lost(call_portals(second, "create-port", NODE_A, 2, "127.0.0.1:3261"));
        g_assert_true(WIFEXITED(worker_end(second)));
        g_assert_true(WIFEXITED(worker_end(first)));
        assert_tree(before);
}

/* A signal waits for the verb's end, so that what was done is answered for. */
static void test_signal(void) {
        g_autofree char *before = tree_snapshot();
        Worker *w = worker_new("inject=mkdir:signal=SIGTERM:when=3", NULL);
        g_autoptr(Worker) fresh = worker_new(NULL, NULL);
        int status;

        expect_success(call_portals(w, "create-port", NODE_A, 1, PORTALS));
        status = worker_end(w);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        assert_there(NODE_A "/tpgt_1/np/[::1]:3260");
        expect_success(call_port(fresh, "delete-port", NODE_A, 1));
        expect_success(call_node(fresh, "delete-node", NODE_A));
        assert_tree(before);
}

static void add_tests(void) {
        (void) mkdir(ISCSI, 0755); /* the steps are counted from there on */
        g_test_add_func("/lio/faults/create-fails", test_create_fails);
        g_test_add_func("/lio/faults/restore-fails", test_restore_fails);
        g_test_add_func("/lio/faults/bind-fails", test_bind_fails);
        g_test_add_func("/lio/faults/kernel-hint", test_kernel_hint);
        g_test_add_func("/lio/faults/portal-in-reset", test_portal_in_reset);
        g_test_add_func("/lio/faults/kernel-lies", test_kernel_lies);
        g_test_add_func("/lio/faults/race", test_race);
        g_test_add_func("/lio/faults/portal-race", test_portal_race);
        g_test_add_func("/lio/faults/degraded", test_degraded);
        g_test_add_func("/lio/faults/create-killed", test_create_killed);
        g_test_add_func("/lio/faults/delete-killed", test_delete_killed);
        g_test_add_func("/lio/faults/delete-fails", test_delete_fails);
        g_test_add_func("/lio/faults/abandoned", test_abandoned);
        g_test_add_func("/lio/faults/stuck-node", test_stuck_node);
        g_test_add_func("/lio/faults/abandoned-in-queue", test_abandoned_in_queue);
        g_test_add_func("/lio/faults/signal", test_signal);
}

int main(int argc, char **argv) {
        return lio_test_main(argc, argv, add_tests);
}
