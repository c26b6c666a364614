/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The verbs of iscsi-backend-lio against the real target of the kernel. Runs as root in a throw-away machine. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lio-fixture.h"

/* Runs first: nobody has made the fabric's directory yet, the worker makes it, which loads the module, and leaves it. */
static void test_fabric(void) {
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        g_autofree char *seen = NULL;

        if (access(ISCSI, F_OK) == 0)
                g_assert_cmpint(rmdir(ISCSI), ==, 0);

        seen = observe(w);
        g_assert_cmpstr(seen, ==, "");
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_node(w, "delete-node", NODE_A));
        expect_success(check_sessions(w, NODE_A));
        g_assert_cmpint(access(ISCSI, F_OK), <, 0);

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_there("discovery_auth");
}

static void test_unavailable(void) {
        g_autoptr(Worker) w = worker_new(NULL, "--configfs=/run/no-such-directory");
        Worker *spoilt;

        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_BACKEND_UNAVAILABLE,
                       "modprobe target_core_mod");
        expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_BACKEND_UNAVAILABLE, "mount configfs");
        expect_refusal(worker_call(w, "Observe", "s", NODE_A), REFUSAL_BACKEND_UNAVAILABLE, "mount configfs");
        expect_refusal(worker_call(w, "ListNodes", NULL), REFUSAL_BACKEND_UNAVAILABLE, "mount configfs");

        /* The kernel has target_core_mod, but not the module of the fabric. */
        g_assert_cmpint(rmdir(ISCSI), ==, 0);
        spoilt = worker_new("inject=mkdir:error=EINVAL:when=1", NULL);
        expect_refusal(call_node(spoilt, "create-node", NODE_A), REFUSAL_BACKEND_UNAVAILABLE, "modprobe iscsi_target_mod");
        worker_free(spoilt);
        g_assert_cmpint(access(ISCSI, F_OK), <, 0);
        g_assert_cmpint(mkdir(ISCSI, 0755), ==, 0);
}

/* Without the module that tells which sockets listen nothing can be verified, so nothing is made. */
static void test_no_tcp_diag(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        if (shell("! grep -q /tcp_diag.ko /lib/modules/$(uname -r)/modules.builtin && "
                  "echo 'install tcp_diag /bin/false' >/etc/modprobe.d/test-lio.conf && { ! test -d /sys/module/tcp_diag || "
                  "rmmod tcp_diag; }") != 0) {
                g_test_skip("the module tcp_diag cannot be taken out of this kernel");
                return;
        }
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_BACKEND_UNAVAILABLE,
                       "modprobe tcp_diag");
        tree_mkdir(NODE_B);
        tree_mkdir(NODE_B "/tpgt_1");
        tree_mkdir(NODE_B "/tpgt_1/np/127.0.0.1:3261");
        expect_refusal(worker_call(w, "Observe", "s", NODE_B), REFUSAL_BACKEND_UNAVAILABLE, "modprobe tcp_diag");
        tree_rmdir(NODE_B "/tpgt_1/np/127.0.0.1:3261");
        tree_rmdir(NODE_B "/tpgt_1");
        tree_rmdir(NODE_B);
        assert_tree(before);
        g_assert_cmpint(unlink("/etc/modprobe.d/test-lio.conf"), ==, 0);

        /* The kernel loads it by itself when it is asked. */
        g_free(observe(w));
        assert_tree(before);
}

static void test_describe(void) {
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *name;
        int selects;

        g_assert_cmpint(
                sd_bus_call_method(w->bus, NULL, "/org/iscsi/Backend", "org.iscsi.Backend", "Describe", &error, &reply, NULL), >=,
                0);
        g_assert_cmpint(sd_bus_message_read(reply, "sb", &name, &selects), >, 0);
        g_assert_cmpstr(name, ==, "lio");
        g_assert_true(selects);
        sd_bus_message_unref(reply);
}

static void test_create_delete(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL, *empty = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_success(call_portals(w, "create-port", NODE_A, 7, "127.0.0.1:3260"));
        assert_there(NODE_A "/tpgt_7/np/127.0.0.1:3260");
        assert_enabled(NODE_A "/tpgt_7", true);
        g_assert_true(portal_accepts("127.0.0.1:3260"));
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 7:on[127.0.0.1:3260+]");

        /* A real initiator finds it. */
        g_assert_cmpint(shell("iscsi-ls iscsi://127.0.0.1:3260 | grep -q 'Target:%s Portal:127.0.0.1:3260,7'", NODE_A), ==, 0);

        expect_success(call_port(w, "delete-port", NODE_A, 7));
        g_assert_false(portal_accepts("127.0.0.1:3260"));
        assert_there(NODE_A);
        expect_success(call_port(w, "delete-port", NODE_A, 7));
        empty = observe(w);
        g_assert_cmpstr(empty, ==, NODE_A);

        expect_success(call_node(w, "delete-node", NODE_A));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);
}

static void test_tags(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_success(call_portals(w, "create-port", NODE_A, 0, "127.0.0.1:3260"));
        expect_success(call_portals(w, "create-port", NODE_A, 65535, "127.0.0.1:3261"));
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 0:on[127.0.0.1:3260+] 65535:on[127.0.0.1:3261+]");
        expect_success(call_port(w, "delete-port", NODE_A, 0));
        expect_success(call_port(w, "delete-port", NODE_A, 65535));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);
}

static void test_nodes(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_success(call_node(w, "create-node", NODE_A));
        expect_success(call_node(w, "create-node", NODE_A));
        tree_mkdir(NODE_A "/tpgt_9");
        expect_refusal(call_node(w, "create-node", NODE_A), REFUSAL_NAME_IN_USE, "another program");
        tree_rmdir(NODE_A "/tpgt_9");
        expect_success(call_node(w, "create-node", "eui.02004567a425678d"));
        seen = observe(w);
        g_assert_cmpstr(seen, ==, "eui.02004567a425678d " NODE_A);

        expect_success(call_portals(w, "create-port", NODE_A, 3, "127.0.0.1:3260"));
        expect_refusal(call_node(w, "delete-node", NODE_A), REFUSAL_FOREIGN_OBJECT_INSIDE, "tpgt_3");
        assert_there(NODE_A "/tpgt_3");
        expect_success(call_port(w, "delete-port", NODE_A, 3));
        expect_success(call_node(w, "delete-node", NODE_A));
        expect_success(call_node(w, "delete-node", "eui.02004567a425678d"));
        assert_tree(before);
}

/* What the kernel takes and we cannot name is told as it is, and nothing stumbles over it. */
static void test_observe_foreign(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        static const char *const made[] = {
                "no-iscsi-name",
                "iqn.2026-11.org.iscsi:\xff\xfe",
                NODE_A,
                NODE_A "/tpgt_0x10",
                NODE_A "/tpgt_16",
                NODE_A "/x_tpgt_2",
                NODE_A "/x_tpgt_2/np/127.0.0.01:0xcbc",
                NODE_A "/x_tpgt_2/np/[::ffff:127.0.0.1]:3261",
                NODE_A "/x_tpgt_2/np/[0:0::1]:03264",
        };

        for (size_t i = 0; i < ELEMENTSOF(made); i++)
                tree_mkdir("%s", made[i]);

        seen = observe(w);
        g_assert_cmpstr(seen, ==,
                        NODE_A " 2:off[127.0.0.1:3260+ [::1]:1716+ [::ffff:127.0.0.1]:3261!] 16:off[] 16:off[] no-iscsi-name");

        for (size_t i = ELEMENTSOF(made); i > 0; i--)
                tree_rmdir("%s", made[i - 1]);
        assert_tree(before);
}

static void test_restore(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        /* Everything is missing. */
        expect_success(restore_port(w, NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        whole = tree_snapshot();
        assert_enabled(NODE_A "/tpgt_1", true);

        /* Nothing is missing. */
        expect_success(restore_port(w, NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        assert_tree(whole);

        /* A portal, and it is disabled. */
        tree_rmdir(NODE_A "/tpgt_1/np/[::1]:3260");
        tree_write(NODE_A "/tpgt_1/enable", "0");
        expect_success(restore_port(w, NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        assert_tree(whole);

        /* One that was not asked for stays. */
        expect_success(restore_port(w, NODE_A, 1, "[::1]:3260"));
        assert_tree(whole);

        expect_success(call_port(w, "delete-port", NODE_A, 1));

        /* A port under another spelling of the tag is used as it is, its portals too. */
        tree_mkdir(NODE_A "/tpgt_01");
        tree_mkdir(NODE_A "/tpgt_01/np/127.0.0.01:0xcbc");
        expect_success(restore_port(w, NODE_A, 1, "127.0.0.1:3260 127.0.0.1:3261"));
        assert_absent(NODE_A "/tpgt_1");
        assert_absent(NODE_A "/tpgt_01/np/127.0.0.1:3260");
        assert_there(NODE_A "/tpgt_01/np/127.0.0.1:3261");
        assert_enabled(NODE_A "/tpgt_01", true);
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.1:3260"));
        assert_absent(NODE_A "/tpgt_01/np/127.0.0.01:0xcbc");
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        assert_absent(NODE_A "/tpgt_01");

        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);
}

static void test_identifier_in_use(void) {
        static const char *const spellings[] = { "tpgt_1", "tpgt_01", "tpgt_0x1", "x_tpgt_1", "tpgt_+1" };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(spellings); i++) {
                g_autofree char *there = NULL;

                tree_mkdir(NODE_A);
                tree_mkdir(NODE_A "/%s", spellings[i]);
                there = tree_snapshot();
                expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_IDENTIFIER_IN_USE,
                               spellings[i]);
                assert_tree(there);
                tree_rmdir(NODE_A "/%s", spellings[i]);
                tree_rmdir(NODE_A);
        }
        assert_tree(before);
}

/* Two directories with one tag: only who made them can tell which one is meant. */
static void test_ambiguous_tag(void) {
        g_autofree char *before = tree_snapshot(), *there = NULL, *seen = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_01");
        tree_mkdir(NODE_A "/tpgt_1");
        there = tree_snapshot();
        expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_FAILED, "tpgt_1, tpgt_01");
        expect_refusal(restore_port(w, NODE_A, 1, "127.0.0.1:3260"), REFUSAL_FAILED, "tpgt_1, tpgt_01");
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_FAILED, "tpgt_1, tpgt_01");
        expect_refusal(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_FAILED, "tpgt_1, tpgt_01");
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_IDENTIFIER_IN_USE, "tpgt_1");
        assert_tree(there);
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 1:off[] 1:off[]");

        /* Undo knows which one it may have made. */
        expect_success(call_portals(w, "undo-port", NODE_A, 1, "127.0.0.1:3260"));
        assert_absent(NODE_A "/tpgt_1");
        assert_there(NODE_A "/tpgt_01");
        tree_rmdir(NODE_A "/tpgt_01");
        tree_rmdir(NODE_A);
        assert_tree(before);
}

static void test_undo(void) {
        g_autofree char *before = tree_snapshot(), *there = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_success(call_portals(w, "undo-port", NODE_A, 1, "127.0.0.1:3260"));
        assert_tree(before);

        /* All of it, and in force. */
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        there = tree_snapshot();

        /* Another portal, an ACL, a LUN: not left by a lost call with these portals. */
        expect_success(call_portals(w, "undo-port", NODE_A, 1, "127.0.0.1:3260"));
        assert_tree(there);
        tree_mkdir(NODE_A "/tpgt_1/acls/iqn.2026-11.org.iscsi:initiator");
        expect_success(call_portals(w, "undo-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        assert_there(NODE_A "/tpgt_1/np/[::1]:3260");
        tree_rmdir(NODE_A "/tpgt_1/acls/iqn.2026-11.org.iscsi:initiator");
        tree_mkdir(NODE_A "/tpgt_1/lun/lun_0");
        expect_success(call_portals(w, "undo-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        assert_there(NODE_A "/tpgt_1/np/[::1]:3260");
        tree_rmdir(NODE_A "/tpgt_1/lun/lun_0");
        assert_tree(there);

        expect_success(call_portals(w, "undo-port", NODE_A, 1, "[::1]:3260 127.0.0.1:3260 127.0.0.1:3261"));
        assert_absent(NODE_A "/tpgt_1");

        /* Not our spelling, so not ours. */
        tree_mkdir(NODE_A "/tpgt_01");
        expect_success(call_portals(w, "undo-port", NODE_A, 1, "127.0.0.1:3260"));
        tree_rmdir(NODE_A "/tpgt_01");

        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);
}

/* One operation with one portal at most. */
#define ONE_PORTAL "sa(sta(sq)a{sv})a{sv}"

static void test_invalid(void) {
        g_autofree char *before = tree_snapshot(), *long_name = NULL, *longest = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        static const char *const names[] = { "",   "x", "iqn.",    "iqn.a/b", "iqn.a/../../core", "../core",
                                             "..", "/", "iqn.a b", "iqn.\n",  "discovery_auth" };
        static const char *const addresses[] = { "",
                                                 "host",
                                                 "127.1",
                                                 "127.0.0.01",
                                                 "[::1]",
                                                 "fe80::1",
                                                 "::1%lo",
                                                 "10.0.0.1%lo",
                                                 "::ffff:1.2.3.4",
                                                 "224.0.0.1",
                                                 "ff02::1",
                                                 "255.255.255.255",
                                                 "127.0.0.1:1",
                                                 "../x",
                                                 "fe80::1%a/b" };
        static const char *const verbs[] = { "create-port", "undo-port", "bind-portal", "unbind-portal" };
        g_autoptr(Results) results = NULL;
        char many[LINE_MAX];
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                expect_refusal(call_node(w, "create-node", names[i]), REFUSAL_INVALID_PARAMETER, "is not an iSCSI name");
                expect_refusal(call_node(w, "delete-node", names[i]), REFUSAL_INVALID_PARAMETER, "is not an iSCSI name");
                expect_refusal(call_portals(w, "create-port", names[i], 1, "127.0.0.1:3260"), REFUSAL_INVALID_PARAMETER,
                               "is not an iSCSI name");
        }

        longest = g_strnfill(223, 'x');
        memcpy(longest, "iqn.", 4);
        long_name = g_strconcat(longest, "x", NULL);
        expect_refusal(call_node(w, "create-node", long_name), REFUSAL_INVALID_PARAMETER, "223 bytes");
        expect_success(call_node(w, "create-node", longest));
        expect_success(call_node(w, "delete-node", longest));

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                for (size_t k = 0; k < ELEMENTSOF(verbs); k++)
                        expect_refusal(worker_call(w, "Apply", ONE_PORTAL, NODE_A, 1, verbs[k], UINT64_C(1), 1, addresses[i],
                                                   3260, 0, 0),
                                       REFUSAL_INVALID_PARAMETER, "is not the address of a portal");
        }
        for (size_t k = 0; k < ELEMENTSOF(verbs); k++) {
                expect_refusal(worker_call(w, "Apply", ONE_PORTAL, NODE_A, 1, verbs[k], UINT64_C(1), 1, "127.0.0.1", 0, 0, 0),
                               REFUSAL_INVALID_PARAMETER, "port 0");
                expect_refusal(worker_call(w, "Apply", ONE_PORTAL, NODE_A, 1, verbs[k], UINT64_C(1), 0, 0, 0),
                               REFUSAL_INVALID_PARAMETER, "No portal");
        }
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260 127.0.0.1:3261"), REFUSAL_INVALID_PARAMETER,
                       "More than 1");
        expect_refusal(call_portals(w, "delete-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_INVALID_PARAMETER, "More than 0");
        expect_refusal(
                worker_call(w, "Apply", ONE_PORTAL, NODE_A, 1, "create-port", UINT64_C(1), 2, "::1", 3260, "0::1", 3260, 0, 0),
                REFUSAL_INVALID_PARAMETER, "twice");
        expect_refusal(call_portals(w, "create-port", NODE_A, 65536, "127.0.0.1:3260"), REFUSAL_INVALID_PARAMETER, "65535");
        expect_refusal(call_node(w, "make-tea", NODE_A), REFUSAL_INVALID_PARAMETER, "\"make-tea\"");
        expect_refusal(call_force(w, "create-node", NODE_A, 0), REFUSAL_INVALID_PARAMETER, "\"Force\"");
        results = request(w, "Apply", NODE_A, "Atomic=1 Hurry=1", (const Item[]){ { .verb = "create-node" }, {} });
        expect_refusal(results_answer(g_steal_pointer(&results)), REFUSAL_INVALID_PARAMETER, "\"Hurry\"");
        results = request(w, "Apply", NODE_A, NULL,
                          (const Item[]){ { .verb = "create-node" }, { .verb = "make-port", .tag = 65536 }, {} });
        expect_refusal(results_answer(g_steal_pointer(&results)), REFUSAL_INVALID_PARAMETER, "Operation 2: ");

        /* TCP ports that are not offered can be removed, should somebody have made them, but not made. */
        expect_success(call_node(w, "create-node", NODE_A));
        expect_success(call_port(w, "make-port", NODE_A, 1));
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:80"), REFUSAL_INVALID_PARAMETER, "1024 to 65535");
        tree_mkdir(NODE_A "/tpgt_1/np/127.0.0.1:80");
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:80"));
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.1:80"));
        assert_absent(NODE_A "/tpgt_1/np/127.0.0.1:80");
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);

        many[0] = '\0';
        for (size_t i = 0; i < 65; i++)
                n += (size_t) snprintf(many + n, sizeof(many) - n, "%s127.0.0.1:%zu", i > 0 ? " " : "", 4000 + i);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, many), REFUSAL_INVALID_PARAMETER, "More than 64");
        assert_tree(before);

        *strrchr(many, ' ') = '\0';
        expect_success(call_portals(w, "create-port", NODE_A, 1, many));
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);
}

/* As targetcli takes it. */
static void test_lock(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, "--lock-timeout=0"), patient = worker_new(NULL, NULL);
        gint64 since;
        int fd, pid;

        fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_BUSY, LOCK_FILE);
        expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_BUSY, LOCK_FILE);
        assert_tree(before);

        /* The patient one gives up in its time, and gets it if it comes free meanwhile. */
        since = g_get_monotonic_time();
        expect_refusal(call_node(patient, "create-node", NODE_A), REFUSAL_BUSY, LOCK_FILE);
        g_assert_cmpint(g_get_monotonic_time() - since, >=, 1900000);
        pid = fork();
        if (pid == 0) {
                (void) usleep(500000);
                (void) flock(fd, LOCK_UN);
                _exit(0);
        }
        expect_success(call_node(patient, "create-node", NODE_A));
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);

        /* Reading needs no lock. */
        g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
        g_free(observe(w));
        expect_success(check_sessions(w, NODE_A));

        /* A shared lock is another worker's, and no hindrance; while it is held, targetcli would wait. */
        g_assert_cmpint(flock(fd, LOCK_SH), ==, 0);
        expect_success(call_node(w, "delete-node", NODE_A));
        close(fd);

        /* The lock was given back with the answer. */
        fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC);
        g_assert_cmpint(flock(fd, LOCK_EX | LOCK_NB), ==, 0);
        close(fd);

        /* It is made if it is missing, private, and never followed elsewhere. */
        g_assert_cmpint(unlink(LOCK_FILE), ==, 0);
        expect_success(call_node(w, "create-node", NODE_A));
        expect_success(call_node(w, "delete-node", NODE_A));
        g_assert_cmpint(shell("test \"$(stat -c %%a %s)\" = 600", LOCK_FILE), ==, 0);
        g_assert_cmpint(unlink(LOCK_FILE), ==, 0);
        g_assert_cmpint(symlink("/run/elsewhere", LOCK_FILE), ==, 0);
        expect_refusal(call_node(w, "create-node", NODE_A), REFUSAL_FAILED, LOCK_FILE);
        g_assert_cmpint(unlink(LOCK_FILE), ==, 0);
        g_assert_cmpint(mkdir(LOCK_FILE, 0755), ==, 0);
        expect_refusal(call_node(w, "create-node", NODE_A), REFUSAL_FAILED, LOCK_FILE);
        g_assert_cmpint(rmdir(LOCK_FILE), ==, 0);
        g_assert_cmpint(mkfifo(LOCK_FILE, 0600), ==, 0);
        expect_refusal(call_node(w, "create-node", NODE_A), REFUSAL_FAILED, "not a regular file");
        g_assert_cmpint(unlink(LOCK_FILE), ==, 0);
        assert_tree(before);
}

static void test_delete_all(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        disk_make();
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        tree_mkdir(NODE_A "/tpgt_1/acls/iqn.2026-11.org.iscsi:initiator");
        lun_make(NODE_A "/tpgt_1", 0, "iqn.2026-11.org.iscsi:initiator");
        tree_mkdir(NODE_A "/tpgt_1/lun/lun_5");

        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);

        /* The disk behind it is nobody's business. */
        g_assert_cmpint(access(TARGET "/" DISK, F_OK), ==, 0);
        disk_remove();
}

/* The worker ends with its connection, by whichever hand. */
static void test_ends(void) {
        Worker *w = worker_new(NULL, NULL);
        int status;

        g_free(observe(w));
        status = worker_end(w);
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

        /* Started by hand, it says so. */
        g_assert_cmpint(shell("%s", worker_path), ==, 1);
        g_assert_cmpint(shell("%s --no-such-option", worker_path), ==, 1);
        g_assert_cmpint(shell("%s --lock-timeout=soon", worker_path), ==, 1);
        g_assert_cmpint(shell("%s superfluous", worker_path), ==, 1);
        g_assert_cmpint(shell("%s --help | grep -q -- --lock-timeout", worker_path), ==, 0);
        g_assert_cmpint(shell("%s --version", worker_path), ==, 0);
}

/* Calls Describe as user UID; returns the worker's exit status. */
static int ask_as(uid_t uid, const char *option, bool answered) {
        Answer a;
        Worker *w;
        int status;

        g_assert_cmpint(seteuid(uid), ==, 0);
        w = worker_new(NULL, option);
        a = worker_call(w, "Describe", NULL);
        g_assert_cmpint(seteuid(0), ==, 0);

        g_assert_cmpint(a.lost, ==, !answered);
        answer_done(&a);
        status = worker_end(w);
        g_assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* Another user than root and the service's is sent away, whatever the socket's mode. */
static void test_peer(void) {
        g_assert_cmpint(ask_as(0, "--allow-user=daemon", true), ==, 0);
        g_assert_cmpint(ask_as(1, "--allow-user=daemon", true), ==, 0);
        g_assert_cmpint(ask_as(1, "--allow-user=bin", false), ==, 1);
        g_assert_cmpint(ask_as(1, "--allow-user=no-such-user", false), ==, 1);
        g_assert_cmpint(ask_as(65534, "--allow-user=daemon", false), ==, 1);
        g_assert_cmpint(ask_as(0, "--allow-user=no-such-user", true), ==, 0);
}

/* The worker needs uid 0 for configfs, but none of root's capabilities save the one for low ports. */
static void test_few_rights(void) {
        static const struct {
                const char *command;
                bool low_ports;
        } rows[] = {
                { "setpriv --bounding-set=-all --inh-caps=-all --no-new-privs", false },
                { "setpriv --bounding-set=-all,+net_bind_service --inh-caps=-all --no-new-privs", true },
        };
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(3262), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        g_autofree char *before = tree_snapshot();
        int fd;

        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(bind(fd, (struct sockaddr *) &in, sizeof(in)), ==, 0);
        g_assert_cmpint(listen(fd, 1), ==, 0);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Worker) w = worker_new(rows[i].command, NULL);

                expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
                if (rows[i].low_ports)
                        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:860"));
                else
                        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:860"), REFUSAL_FAILED,
                                       "CAP_NET_BIND_SERVICE");
                expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3262"), REFUSAL_ADDRESS_IN_USE,
                               "cannot be looked into");
                expect_success(call_port(w, "delete-port", NODE_A, 1));
                expect_success(call_node(w, "delete-node", NODE_A));
                assert_tree(before);
        }
        close(fd);
}

static void add_tests(void) {
        g_test_add_func("/lio/fabric", test_fabric);
        g_test_add_func("/lio/unavailable", test_unavailable);
        g_test_add_func("/lio/no-tcp-diag", test_no_tcp_diag);
        g_test_add_func("/lio/describe", test_describe);
        g_test_add_func("/lio/create-delete", test_create_delete);
        g_test_add_func("/lio/tags", test_tags);
        g_test_add_func("/lio/nodes", test_nodes);
        g_test_add_func("/lio/observe-foreign", test_observe_foreign);
        g_test_add_func("/lio/restore", test_restore);
        g_test_add_func("/lio/undo", test_undo);
        g_test_add_func("/lio/identifier-in-use", test_identifier_in_use);
        g_test_add_func("/lio/ambiguous-tag", test_ambiguous_tag);
        g_test_add_func("/lio/invalid", test_invalid);
        g_test_add_func("/lio/lock", test_lock);
        g_test_add_func("/lio/delete-all", test_delete_all);
        g_test_add_func("/lio/few-rights", test_few_rights);
        g_test_add_func("/lio/ends", test_ends);
        g_test_add_func("/lio/peer", test_peer);
}

int main(int argc, char **argv) {
        return lio_test_main(argc, argv, add_tests);
}
