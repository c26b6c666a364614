/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iscsi-backend-lio on hosts with a life of their own: interfaces that go, come back and change names, other programs' sockets
 * and targets, many nodes, locks that others want, kernels that hang. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/address.h"
#include "lio-fixture.h"

#define NODE_C "iqn.2026-11.org.iscsi:c"
#define D0 "[fe80::1%d0]:3260"
#define D1 "[fe80::1%d1]:3260"

static void remove_node(Worker *w, const char *node) {
        expect_success(call_port(w, "delete-port", node, 1));
        expect_success(call_node(w, "delete-node", node));
}

static void assert_seen(Worker *w, const char *expected) {
        g_autofree char *seen = observe(w);

        g_assert_cmpstr(seen, ==, expected);
}

static bool link_make(const char *name) {
        if (shell("ip link add %s type dummy && ip link set %s up && ip addr add fe80::1/64 dev %s nodad", name, name, name) == 0)
                return true;

        g_test_skip("this kernel cannot make an interface (module dummy)");
        return false;
}

static void link_remove(const char *name) {
        g_assert_cmpint(shell("ip link del %s", name), ==, 0);
}

static void link_rename(const char *from, const char *to) {
        g_assert_cmpint(shell("ip link set %s down && ip link set %s name %s && ip link set %s up", from, from, to, to), ==, 0);
}

/* An interface is made again under its name: the socket stays on an index that is dead. */
static void test_interface_remade(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        if (!link_make("d0"))
                return;
        expect_success(call_portals(w, "create-port", NODE_A, 1, D0));
        assert_seen(w, NODE_A " 1:on[" D0 "+]");
        whole = tree_snapshot();

        link_remove("d0");
        assert_seen(w, NODE_A " 1:on[" D0 "!]");
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, D0), REFUSAL_SCOPE_MISSING, "d0");
        assert_tree(whole);

        g_assert_true(link_make("d0"));
        assert_seen(w, NODE_A " 1:on[" D0 "-]");
        g_autoptr(Results) r = request(w, "Check", NODE_A, NULL, (const Item[]){ { "bind-portal", 1, D0 }, {} });
        g_assert_cmpint(r->items[0].refusal, ==, REFUSAL_NONE);
        g_assert_nonnull(strstr(r->warnings, "made again"));
        assert_seen(w, NODE_A " 1:on[" D0 "-]");

        expect_success(call_portals(w, "bind-portal", NODE_A, 1, D0));
        assert_seen(w, NODE_A " 1:on[" D0 "+]");
        g_assert_true(portal_accepts(D0));
        assert_tree(whole);
        remove_node(w, NODE_A);

        /* Shared by two nodes: the first that lets go cannot have it back at once, the second can, and then the first. */
        expect_success(call_portals(w, "create-port", NODE_A, 1, D0));
        expect_success(call_portals(w, "create-port", NODE_B, 1, D0));
        link_remove("d0");
        g_assert_true(link_make("d0"));
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, D0), REFUSAL_PORTAL_SHADOWED, "let go of it");
        assert_seen(w, NODE_A " 1:on[] " NODE_B " 1:on[" D0 "-]");
        expect_success(call_portals(w, "bind-portal", NODE_B, 1, D0));
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, D0));
        assert_seen(w, NODE_A " 1:on[" D0 "+] " NODE_B " 1:on[" D0 "+]");

        remove_node(w, NODE_A);
        remove_node(w, NODE_B);
        link_remove("d0");
        assert_tree(before);
}

/* A portal whose interface is gone, or has another name now, is still ours and can be removed. */
static void test_interface_renamed(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        if (!link_make("d0"))
                return;

        for (unsigned i = 0; i < 4; i++) {
                expect_success(call_portals(w, "create-port", NODE_A, 1, D0 " 127.0.0.1:3260"));
                if (i % 2 == 0)
                        link_rename("d0", "d1");
                else
                        link_remove("d0");
                assert_there(NODE_A "/tpgt_1/np/[fe80::1%%d0]:3260");

                if (i < 2) {
                        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, D0));
                        assert_absent(NODE_A "/tpgt_1/np/[fe80::1%%d0]:3260");
                        assert_there(NODE_A "/tpgt_1/np/127.0.0.1:3260");
                        expect_success(call_port(w, "delete-port", NODE_A, 1));
                } else {
                        expect_success(call_portals(w, "undo-port", NODE_A, 1, D0 " 127.0.0.1:3260"));
                        assert_absent(NODE_A "/tpgt_1");
                }
                expect_success(call_node(w, "delete-node", NODE_A));

                if (i % 2 == 0)
                        link_rename("d1", "d0");
                else
                        g_assert_true(link_make("d0"));
        }

        /* Renamed away and back: nothing has happened. */
        expect_success(call_portals(w, "create-port", NODE_A, 1, D0));
        link_rename("d0", "d1");
        assert_seen(w, NODE_A " 1:on[" D0 "!]");
        link_rename("d1", "d0");
        assert_seen(w, NODE_A " 1:on[" D0 "+]");
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, D0));
        remove_node(w, NODE_A);
        link_remove("d0");
        assert_tree(before);
}

/* Two interfaces swap their names: the portal listens on the wrong network until it is made again. */
static void test_interfaces_swapped(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        if (!link_make("d0") || !link_make("d1"))
                return;
        expect_success(call_portals(w, "create-port", NODE_A, 1, D0));
        link_rename("d0", "d2");
        link_rename("d1", "d0");
        link_rename("d2", "d1");
        assert_seen(w, NODE_A " 1:on[" D0 "-]");

        /* For d1 this socket is the right one. As long as it is used, the kernel makes no other for the same address. */
        expect_success(call_portals(w, "create-port", NODE_B, 1, D1));
        assert_seen(w, NODE_A " 1:on[" D0 "-] " NODE_B " 1:on[" D1 "+]");
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, D0), REFUSAL_PORTAL_SHADOWED, NODE_B);
        remove_node(w, NODE_B);
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, D0));
        assert_seen(w, NODE_A " 1:on[" D0 "+]");

        remove_node(w, NODE_A);
        link_remove("d0");
        link_remove("d1");
        assert_tree(before);
}

/* What an interface is called does not matter, which one it is does. */
static void test_alternative_names(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        if (!link_make("d0"))
                return;
        if (shell("ip link property add dev d0 altname alt0") != 0) {
                link_remove("d0");
                g_test_skip("no alternative names of interfaces here");
                return;
        }

        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_1");
        tree_mkdir(NODE_A "/tpgt_1/np/[fe80::1%%alt0]:3260");
        assert_seen(w, NODE_A " 1:off[" D0 "+]");
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, D0));
        assert_absent(NODE_A "/tpgt_1/np/[fe80::1%%d0]:3260");
        expect_refusal(call_portals(w, "create-port", NODE_A, 2, D0), REFUSAL_TCP_IN_USE, "group 1");
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, D0));
        assert_absent(NODE_A "/tpgt_1/np/[fe80::1%%alt0]:3260");
        remove_node(w, NODE_A);

        expect_success(call_portals(w, "create-port", NODE_A, 1, "[fe80::1%alt0]:3260"));
        assert_seen(w, NODE_A " 1:on[" D0 "+]");
        remove_node(w, NODE_A);
        link_remove("d0");
        assert_tree(before);
}

/* The kernel takes 48 characters of an address with its interface. */
static void test_long_zone(void) {
        static const char longest[] = "[fe80:1111:1111:1111:1111:1:1:111%abcdefghijklmno]:3260",
                          too_long[] = "[fe80:1111:1111:1111:1111:1:1:1111%abcdefghijklmno]:3260";
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        if (!link_make("abcdefghijklmno"))
                return;
        expect_success(call_portals(w, "create-port", NODE_A, 1, longest));
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, too_long), REFUSAL_INVALID_PARAMETER, "48 characters");
        remove_node(w, NODE_A);
        link_remove("abcdefghijklmno");
        assert_tree(before);
}

/* Beside the portal that targetcli makes by itself. */
static void test_foreign_wildcard(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        static const char *const wildcards[] = { "0.0.0.0:3260", "[::]:3260" };

        for (size_t i = 0; i < ELEMENTSOF(wildcards); i++) {
                g_autofree char *both = g_strdup_printf(NODE_A " 1:on[%s+] " NODE_B " 1:off[%s+]", wildcards[i], wildcards[i]);

                tree_mkdir(NODE_B);
                tree_mkdir(NODE_B "/tpgt_1");
                tree_mkdir(NODE_B "/tpgt_1/np/%s", wildcards[i]);
                expect_success(call_portals(w, "create-port", NODE_A, 1, wildcards[i]));
                assert_seen(w, both);
                expect_refusal(call_portals(w, "create-port", NODE_C, 1, "127.0.0.1:3260"), REFUSAL_ADDRESS_OVERLAP, NODE_A);
                remove_node(w, NODE_A);
                expect_refusal(call_portals(w, "create-port", NODE_C, 1, "127.0.0.1:3260"), REFUSAL_ADDRESS_OVERLAP, NODE_B);
                remove_node(w, NODE_B);
                assert_tree(before);
        }
}

static int listen_on(const char *address, uint16_t port, bool freebind, int backlog) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        bool v4 = !strchr(address, ':');
        const int on = freebind;
        int fd;

        g_assert_cmpint(inet_pton(v4 ? AF_INET : AF_INET6, address, v4 ? (void *) &in.sin_addr : &in6.sin6_addr), ==, 1);
        fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)), ==, 0);
        g_assert_cmpint(v4 ? bind(fd, (struct sockaddr *) &in, sizeof(in)) : bind(fd, (struct sockaddr *) &in6, sizeof(in6)), ==,
                        0);
        g_assert_cmpint(listen(fd, backlog), ==, 0);
        return fd;
}

/* Another program's socket in all its forms; the last is made just as the target makes its own, so only the kernel can tell. */
static void test_foreign_sockets(void) {
        static const struct {
                const char *address;
                bool freebind;
                int backlog;
                const char *wanted;
        } rows[] = {
                { "127.0.0.1", false, 5, "127.0.0.1:3271" },
                { "::ffff:127.0.0.1", false, 50, "127.0.0.1:3271" },
                { "::ffff:127.0.0.1", false, 50, "0.0.0.0:3271" },
                { "::", false, 128, "127.0.0.1:3271" },
                { "127.0.0.1", true, 5, "127.0.0.1:3271" },
                { "127.0.0.1", false, 256, "127.0.0.1:3271" },
                { "::1", true, 256, "[::1]:3271" },
        };
        g_autofree char *before = tree_snapshot(), *us = g_strdup_printf("process %d (", (int) getpid());
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                int fd = listen_on(rows[i].address, 3271, rows[i].freebind, rows[i].backlog);

                g_test_message("%s", rows[i].address);
                expect_refusal(call_portals(w, "create-port", NODE_A, 1, rows[i].wanted), REFUSAL_ADDRESS_IN_USE, us);
                assert_tree(before);
                close(fd);
        }

        /* Nor is it taken for the socket of a portal that does not listen. */
        int fd = listen_on("0.0.0.0", 3272, false, 5);
        tree_mkdir(NODE_B);
        tree_mkdir(NODE_B "/tpgt_1");
        tree_mkdir(NODE_B "/tpgt_1/np/[::1]:3272");
        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_1");
        tree_mkdir(NODE_A "/tpgt_1/np/0.0.0.0:3272");
        assert_seen(w, NODE_A " 1:off[0.0.0.0:3272-] " NODE_B " 1:off[[::1]:3272+]");
        remove_node(w, NODE_A);
        remove_node(w, NODE_B);
        close(fd);
        assert_tree(before);
}

/* The kernel finds a tag behind a dot, so we do. */
static void test_hidden_names(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/.tpgt_1");
        tree_mkdir(NODE_A "/.tpgt_1/np/.[::1]:3260");
        whole = tree_snapshot();
        assert_seen(w, NODE_A " 1:off[[::1]:3260+]");
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_IDENTIFIER_IN_USE, ".tpgt_1");
        expect_refusal(call_portals(w, "create-port", NODE_A, 2, "[::1]:3260"), REFUSAL_TCP_IN_USE, "group 1");
        expect_refusal(call_node(w, "delete-node", NODE_A), REFUSAL_FOREIGN_OBJECT_INSIDE, ".tpgt_1");
        assert_tree(whole);
        remove_node(w, NODE_A);
        assert_tree(before);
}

/* Names of other programs may be any bytes; what the bus carries is UTF-8. */
static void test_odd_bytes(void) {
        static const char *const made[] = { NODE_B "\xff", NODE_B "\xff/tpgt_1", NODE_B "\xff/tpgt_1/np/0.0.0.0:3260", NODE_A,
                                            NODE_A "/x\xfe_tpgt_1" };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(made); i++)
                tree_mkdir("%s", made[i]);
        assert_seen(w, NODE_A " 1:off[]");
        expect_refusal(call_portals(w, "create-port", NODE_A, 2, "127.0.0.1:3260"), REFUSAL_ADDRESS_OVERLAP, NODE_B "?");
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3261"), REFUSAL_IDENTIFIER_IN_USE, "x?_tpgt_1");
        for (size_t i = ELEMENTSOF(made); i > 0; i--)
                tree_rmdir("%s", made[i - 1]);
        assert_tree(before);
}

/* For initiators names that differ in case alone are one. */
static void test_folded_twin(void) {
        static const char *const twins[] = { "iqn.2026-11.org.iscsi:A", "IQN.2026-11.ORG.ISCSI:a",
                                             "iqn.2026-11.org.iscsi:\xc3\x84" };
        static const char *const names[] = { NODE_A, NODE_A, "iqn.2026-11.org.iscsi:\xc3\xa4" };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(twins); i++) {
                tree_mkdir("%s", twins[i]);
                expect_refusal(call_node(w, "create-node", names[i]), REFUSAL_NAME_IN_USE, twins[i]);
                expect_refusal(call_portals(w, "create-port", names[i], 1, "127.0.0.1:3260"), REFUSAL_NAME_IN_USE, twins[i]);
                expect_refusal(call_port(w, "make-port", names[i], 1), REFUSAL_NAME_IN_USE, twins[i]);
                assert_absent("%s", names[i]);

                /* Another one is no hindrance, and what is there stays usable. */
                expect_success(call_node(w, "create-node", NODE_B));
                tree_mkdir("%s", names[i]);
                expect_success(call_node(w, "create-node", names[i]));
                expect_success(call_node(w, "delete-node", names[i]));
                expect_success(call_node(w, "delete-node", NODE_B));
                tree_rmdir("%s", twins[i]);
        }
        assert_tree(before);
}

/* A file that says what is wrong better than "Failed". */
static void test_read_only(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = NULL;

        g_assert_true(g_file_set_contents("/run/read-only",
                                          "#!/bin/sh\nmount --bind /sys/kernel/config /sys/kernel/config && "
                                          "mount -o remount,bind,ro /sys/kernel/config && exec \"$@\"\n",
                                          -1, NULL));
        g_assert_cmpint(chmod("/run/read-only", 0755), ==, 0);
        tree_mkdir(NODE_B);
        w = worker_new("unshare --mount /run/read-only", NULL);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_BACKEND_UNAVAILABLE, "read-only");
        expect_refusal(call_node(w, "delete-node", NODE_B), REFUSAL_BACKEND_UNAVAILABLE, "read-only");
        expect_success(check_sessions(w, NODE_B));
        tree_rmdir(NODE_B);
        g_assert_cmpint(unlink("/run/read-only"), ==, 0);
        assert_tree(before);
}

static void try_lock(bool free) {
        int fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(flock(fd, LOCK_EX | LOCK_NB) == 0, ==, free);
        close(fd);
}

/* The kernel does not come back. Once the caller has given up, targetcli need not wait for it, and other workers know what is
 * wrong. */
static void test_hung_worker(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) other = worker_new(NULL, "--lock-timeout=0");
        Worker *w = worker_new("inject=mkdir:delay_exit=7000000:when=2", NULL);

        expect_success(worker_call(w, "Describe", NULL));
        g_assert_cmpint(sd_bus_set_method_call_timeout(w->bus, 1000000), >=, 0);
        expect_success(call_node(other, "create-node", NODE_B));
        expect_lost(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));

        /* The caller is still there. */
        try_lock(false);
        expect_refusal(call_node(other, "delete-node", NODE_A), REFUSAL_BUSY, NODE_A);
        sd_bus_close_unref(g_steal_pointer(&w->bus));
        (void) usleep(3000000);

        try_lock(true);
        g_assert_cmpint(waitpid(w->pid, NULL, WNOHANG), ==, 0);
        expect_refusal(call_node(other, "delete-node", NODE_A), REFUSAL_STUCK, NODE_A);
        expect_success(call_node(other, "delete-node", NODE_B));

        /* It wakes, and clears away what it made. */
        g_assert_true(WIFEXITED(worker_end(w)));
        assert_tree(before);
        expect_success(call_node(other, "delete-node", NODE_A));
}

typedef struct Caller {
        Worker *worker;
        char *node;
        const bool *stop;
        unsigned n;
} Caller;

static gpointer make_and_remove(gpointer userdata) {
        Caller *c = userdata;

        for (; !*(volatile const bool *) c->stop; c->n++) {
                expect_success(call_portals(c->worker, "create-port", c->node, 1, "127.0.0.1:3260"));
                expect_success(call_port(c->worker, "delete-port", c->node, 1));
        }

        return NULL;
}

#define N_CALLERS 4

/* Workers whose calls overlap without end: targetcli gets its turn nevertheless. */
static void test_stream(void) {
        g_autofree char *before = tree_snapshot();
        Caller callers[N_CALLERS] = {};
        GThread *threads[N_CALLERS];
        bool stop = false;

        for (size_t i = 0; i < N_CALLERS; i++)
                callers[i] = (Caller){ .worker = worker_new(NULL, "--lock-timeout=60"),
                                       .node = g_strdup_printf(NODE_A "-%zu", i),
                                       .stop = &stop };
        for (size_t i = 0; i < N_CALLERS; i++)
                threads[i] = g_thread_new("caller", make_and_remove, callers + i);
        (void) usleep(1000000);

        for (unsigned i = 0; i < 5; i++) {
                int fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC);
                gint64 since = g_get_monotonic_time();

                g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
                g_test_message("had to wait for %u ms", (unsigned) ((g_get_monotonic_time() - since) / 1000));
                /* It would never come if the workers did not give way. */
                g_assert_cmpint(g_get_monotonic_time() - since, <, 20 * G_USEC_PER_SEC);
                close(fd);
                (void) usleep(200000);
        }

        stop = true;
        for (size_t i = 0; i < N_CALLERS; i++)
                g_thread_join(threads[i]);
        for (size_t i = 0; i < N_CALLERS; i++) {
                g_assert_cmpint(callers[i].n, >, 5);
                expect_success(call_node(callers[i].worker, "delete-node", callers[i].node));
                worker_free(callers[i].worker);
                g_free(callers[i].node);
        }
        assert_tree(before);
}

#define TRACE "/run/lio-trace"

/* What a worker does between having received a call that makes a port and answering it. */
typedef struct Calls {
        unsigned configfs, others;
} Calls;

static Calls count_calls(void) {
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;
        Calls now = {}, found = {};
        bool makes = false;

        g_assert_true(g_file_get_contents(TRACE, &text, NULL, NULL));
        lines = g_strsplit(text, "\n", -1);
        for (size_t i = 0; lines[i]; i++) {
                if (strstr(lines[i], " recvmsg(3<")) {
                        now = (Calls){};
                        makes = false;
                } else if (strstr(lines[i], " sendmsg(3<")) {
                        if (makes)
                                found = now;
                        makes = false;
                } else if (strstr(lines[i], "/sys/kernel/config")) {
                        now.configfs++;
                        makes = makes || strstr(lines[i], "/np/");
                } else if (strchr(lines[i], '('))
                        now.others++;
        }

        g_test_message("on configfs %u, others %u", found.configfs, found.others);
        g_assert_cmpint(found.configfs, >, 4);
        return found;
}

/* The calls of a create in NODE_A, which is there; the second of the connection. */
static Calls trace_create(const char *portals) {
        Worker *w = worker_new("strace -D -f -y -s 256 -qqq -o " TRACE, NULL);
        Calls calls;

        expect_success(call_node(w, "create-node", NODE_A));
        expect_success(call_portals(w, "create-port", NODE_A, 2, "127.0.0.1:3999"));
        expect_success(call_portals(w, "create-port", NODE_A, 1, portals));
        g_assert_true(WIFEXITED(worker_end(w)));
        (void) usleep(200000); /* strace stands behind the worker, and writes the last lines after its end */
        calls = count_calls();

        w = worker_new(NULL, NULL);
        expect_success(call_port(w, "delete-port", NODE_A, 2));
        remove_node(w, NODE_A);
        worker_free(w);
        return calls;
}

static void others_make(unsigned from, unsigned to) {
        for (unsigned i = from; i < to; i++) {
                tree_mkdir("iqn.2026-11.org.example:%03u", i);
                tree_mkdir("iqn.2026-11.org.example:%03u/tpgt_1", i);
                tree_mkdir("iqn.2026-11.org.example:%03u/tpgt_1/np/127.0.0.9:%u", i, i == 0 ? 3260 : 5000 + i);
        }
}

static void others_remove(unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                tree_rmdir("iqn.2026-11.org.example:%03u/tpgt_1/np/127.0.0.9:%u", i, i == 0 ? 3260 : 5000 + i);
                tree_rmdir("iqn.2026-11.org.example:%03u/tpgt_1", i);
                tree_rmdir("iqn.2026-11.org.example:%03u", i);
        }
}

/* A create makes few calls, and not one more beside many nodes: with an address of its own, with one that is shared with another
 * node, and with several of them. */
static void test_calls(void) {
        static const char *const portals[] = { "127.0.0.1:3260", "127.0.0.9:3260", "127.0.0.1:3260 [::1]:3260 127.0.0.2:3260" };
        static const unsigned others[] = { 16, 16, 32 };
        Calls few[ELEMENTSOF(portals)];
        g_autofree char *before = tree_snapshot();

        others_make(0, 1);
        for (size_t i = 0; i < ELEMENTSOF(portals); i++) {
                few[i] = trace_create(portals[i]);
                g_assert_cmpint(few[i].others, <=, others[i]);
        }

        others_make(1, 401);
        for (size_t i = 0; i < ELEMENTSOF(portals); i++) {
                Calls many = trace_create(portals[i]);

                g_assert_cmpint(many.configfs, ==, few[i].configfs);
                g_assert_cmpint(many.others, ==, few[i].others);
        }
        others_remove(401);
        g_assert_cmpint(unlink(TRACE), ==, 0);
        assert_tree(before);
}

static void add_tests(void) {
        g_test_add_func("/lio/host/interface-remade", test_interface_remade);
        g_test_add_func("/lio/host/interface-renamed", test_interface_renamed);
        g_test_add_func("/lio/host/interfaces-swapped", test_interfaces_swapped);
        g_test_add_func("/lio/host/alternative-names", test_alternative_names);
        g_test_add_func("/lio/host/long-zone", test_long_zone);
        g_test_add_func("/lio/host/foreign-wildcard", test_foreign_wildcard);
        g_test_add_func("/lio/host/foreign-sockets", test_foreign_sockets);
        g_test_add_func("/lio/host/hidden-names", test_hidden_names);
        g_test_add_func("/lio/host/odd-bytes", test_odd_bytes);
        g_test_add_func("/lio/host/folded-twin", test_folded_twin);
        g_test_add_func("/lio/host/read-only", test_read_only);
        g_test_add_func("/lio/host/hung-worker", test_hung_worker);
        g_test_add_func("/lio/host/stream", test_stream);
        g_test_add_func("/lio/host/calls", test_calls);
}

int main(int argc, char **argv) {
        return lio_test_main(argc, argv, add_tests);
}
