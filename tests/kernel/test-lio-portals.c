/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Portals of iscsi-backend-lio on the real kernel: what shares, what excludes, and what the kernel mistakes for another. */

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lio-fixture.h"

#define ZONE_LO "[fe80::1%lo]:3260"

static void remove_node(Worker *w, const char *node, uint16_t tag) {
        expect_success(call_port(w, "delete-port", node, tag));
        expect_success(call_node(w, "delete-node", node));
}

/* Each of these sets can be had, in any order. */
static void test_kinds(void) {
        static const struct {
                const char *portals, *seen;
        } sets[] = {
                { "127.0.0.1:3260", "[127.0.0.1:3260+]" },
                { "[::1]:3260", "[[::1]:3260+]" },
                { "0.0.0.0:3260", "[0.0.0.0:3260+]" },
                { "[::]:3260", "[[::]:3260+]" },
                { ZONE_LO, "[" ZONE_LO "+]" },
                /* not on this host: bound ahead */
                { "192.0.2.1:3260", "[192.0.2.1:3260+]" },
                { "[2001:db8::1]:3260", "[[2001:db8::1]:3260+]" },
                { "127.0.0.1:860", "[127.0.0.1:860+]" },
                { "127.0.0.1:65535", "[127.0.0.1:65535+]" },
                { "[::1]:3260 127.0.0.1:3261 127.0.0.1:3260 " ZONE_LO " 127.0.0.2:3260",
                  "[127.0.0.1:3260+ 127.0.0.1:3261+ 127.0.0.2:3260+ [::1]:3260+ " ZONE_LO "+]" },
                /* the kernel can do it in one order only, which is found */
                { "0.0.0.0:3260 [::1]:3260", "[0.0.0.0:3260+ [::1]:3260+]" },
                { "[::1]:3260 0.0.0.0:3260", "[0.0.0.0:3260+ [::1]:3260+]" },
        };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(sets); i++) {
                g_autofree char *seen = NULL, *expected = g_strdup_printf(NODE_A " 1:on%s", sets[i].seen), *whole = NULL;

                expect_success(call_portals(w, "create-port", NODE_A, 1, sets[i].portals));
                seen = observe(w);
                g_assert_cmpstr(seen, ==, expected);

                /* What can be made can be restored: as it is, and from nothing. */
                whole = tree_snapshot();
                expect_success(restore_port(w, NODE_A, 1, sets[i].portals));
                assert_tree(whole);
                expect_success(call_port(w, "delete-port", NODE_A, 1));
                expect_success(restore_port(w, NODE_A, 1, sets[i].portals));
                assert_tree(whole);
                remove_node(w, NODE_A, 1);
                assert_tree(before);
        }
}

static void test_shared(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        static const char *const portals[] = { "127.0.0.1:3260", "[::]:3260", "0.0.0.0:3260", ZONE_LO };

        for (size_t i = 0; i < ELEMENTSOF(portals); i++) {
                g_autofree char *both = NULL;

                expect_success(call_portals(w, "create-port", NODE_A, 1, portals[i]));
                expect_success(call_portals(w, "create-port", NODE_B, 1, portals[i]));
                g_free(g_steal_pointer(&seen));
                seen = observe(w);
                both = g_strdup_printf(NODE_A " 1:on[%s+] " NODE_B " 1:on[%s+]", portals[i], portals[i]);
                g_assert_cmpstr(seen, ==, both);

                /* The socket lives until its last user is gone. */
                remove_node(w, NODE_A, 1);
                g_free(g_steal_pointer(&seen));
                seen = observe(w);
                g_assert_nonnull(strstr(seen, "+]"));
                remove_node(w, NODE_B, 1);
        }
        assert_tree(before);
}

static void test_bind(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL, *one = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_ENDPOINT_NON_EXISTENT, "tag 1");
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.1:3260"));
        assert_tree(before);

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        one = tree_snapshot();
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "[::1]:3260"));
        g_assert_true(portal_accepts("[::1]:3260"));
        whole = tree_snapshot();
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "[::1]:3260"));
        assert_tree(whole);

        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "[::1]:3260"));
        g_assert_false(portal_accepts("[::1]:3260"));
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "[::1]:3260"));
        assert_tree(one);
        remove_node(w, NODE_A, 1);
        assert_tree(before);
}

/* 4102: within a node a portal belongs to one port, however it is spelled there. */
static void test_in_use(void) {
        static const char *const spellings[] = { "127.0.0.1:3260", "127.0.0.01:0xcbc", "[127.0.0.1]:3260" };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(spellings); i++) {
                g_autofree char *there = NULL;

                tree_mkdir(NODE_A);
                tree_mkdir(NODE_A "/tpgt_5");
                tree_mkdir(NODE_A "/tpgt_5/np/%s", spellings[i]);
                tree_mkdir(NODE_A "/tpgt_6");
                there = tree_snapshot();
                expect_refusal(call_portals(w, "create-port", NODE_A, 1, "[::1]:3260 127.0.0.1:3260"), REFUSAL_TCP_IN_USE,
                               "group 5");
                expect_refusal(restore_port(w, NODE_A, 1, "127.0.0.1:3260"), REFUSAL_TCP_IN_USE, "group 5");
                expect_refusal(call_portals(w, "bind-portal", NODE_A, 6, "127.0.0.1:3260"), REFUSAL_TCP_IN_USE, "group 5");
                assert_tree(there);
                tree_rmdir(NODE_A "/tpgt_5/np/%s", spellings[i]);
                tree_rmdir(NODE_A "/tpgt_5");
                tree_rmdir(NODE_A "/tpgt_6");
                tree_rmdir(NODE_A);
        }
        assert_tree(before);
}

/* With the first portal in the kernel, the second one gets this answer, be it in the same node or in another. */
static void test_refused(void) {
        static const struct {
                const char *existing, *wanted;
                Refusal refusal;
        } rows[] = {
                { "127.0.0.1:3260", "[::]:3260", REFUSAL_PORTAL_SHADOWED },
                { "192.0.2.1:3260", "[::]:3260", REFUSAL_PORTAL_SHADOWED },
                { "0.0.0.0:3260", "[::]:3260", REFUSAL_PORTAL_SHADOWED },
                { "[::]:3260", "0.0.0.0:3260", REFUSAL_PORTAL_SHADOWED },
                { "[::1]:3260", "0.0.0.0:3260", REFUSAL_PORTAL_SHADOWED },
                { "[::]:3260", "127.0.0.1:3260", REFUSAL_ADDRESS_OVERLAP },
                { "[::]:3260", "[::1]:3260", REFUSAL_ADDRESS_OVERLAP },
                { "[::1]:3260", "[::]:3260", REFUSAL_ADDRESS_OVERLAP },
                { "0.0.0.0:3260", "127.0.0.1:3260", REFUSAL_ADDRESS_OVERLAP },
                { "127.0.0.1:3260", "0.0.0.0:3260", REFUSAL_ADDRESS_OVERLAP },
                { "[::]:3260", ZONE_LO, REFUSAL_ADDRESS_OVERLAP },
                { ZONE_LO, "[::]:3260", REFUSAL_ADDRESS_OVERLAP },
        };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autofree char *pair = g_strdup_printf("%s %s", rows[i].existing, rows[i].wanted), *there = NULL;

                expect_success(call_portals(w, "create-port", NODE_A, 1, rows[i].existing));
                there = tree_snapshot();
                expect_refusal(call_portals(w, "create-port", NODE_A, 2, rows[i].wanted), rows[i].refusal, rows[i].existing);
                expect_refusal(call_portals(w, "create-port", NODE_B, 2, rows[i].wanted), rows[i].refusal, NODE_A);
                expect_refusal(restore_port(w, NODE_B, 2, rows[i].wanted), rows[i].refusal, NODE_A);
                expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, rows[i].wanted), rows[i].refusal, rows[i].existing);
                assert_tree(there);

                /* Another TCP port is no trouble. */
                if (strcmp(rows[i].wanted, "[::]:3260") == 0) {
                        expect_success(call_portals(w, "create-port", NODE_B, 2, "[::]:3261"));
                        remove_node(w, NODE_B, 2);
                }
                remove_node(w, NODE_A, 1);
                assert_tree(before);

                /* Both in one request: there the order is ours, and one of the pairs can be had in the other order. */
                if (strcmp(pair, "[::1]:3260 0.0.0.0:3260") == 0) {
                        expect_success(call_portals(w, "create-port", NODE_A, 1, pair));
                        remove_node(w, NODE_A, 1);
                } else {
                        Answer a = call_portals(w, "create-port", NODE_A, 1, pair);

                        g_assert_true(a.refusal == REFUSAL_PORTAL_SHADOWED || a.refusal == REFUSAL_ADDRESS_OVERLAP);
                        answer_done(&a);
                }
                assert_tree(before);
        }
}

/* These the kernel can have side by side, in this order. */
static void test_beside(void) {
        static const struct {
                const char *existing, *wanted;
        } rows[] = {
                { "0.0.0.0:3260", "[::1]:3260" }, { "127.0.0.1:3260", "[::1]:3260" }, { "127.0.0.1:3260", "127.0.0.2:3260" },
                { "[::1]:3260", ZONE_LO },        { "[::]:3260", "127.0.0.1:3261" },
        };
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autofree char *seen = NULL, *expected = g_strdup_printf(NODE_A " 1:on[%s+] " NODE_B " 1:on[%s+]",
                                                                          rows[i].existing, rows[i].wanted);

                expect_success(call_portals(w, "create-port", NODE_A, 1, rows[i].existing));
                expect_success(call_portals(w, "create-port", NODE_B, 1, rows[i].wanted));
                seen = observe(w);
                g_assert_cmpstr(seen, ==, expected);
                remove_node(w, NODE_A, 1);
                remove_node(w, NODE_B, 1);
        }
        assert_tree(before);
}

/* The comparator's model against the kernel itself: what we call shadowed, it takes and binds nothing. */
static void test_kernel_lies(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        tree_mkdir(NODE_B);
        tree_mkdir(NODE_B "/tpgt_1");
        tree_mkdir(NODE_B "/tpgt_1/np/[::]:3260");
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 1:on[127.0.0.1:3260+] " NODE_B " 1:off[[::]:3260-]");

        /* Whoever finds it there is told, be it to keep or to share. */
        expect_refusal(restore_port(w, NODE_B, 1, "[::]:3260"), REFUSAL_PORTAL_SHADOWED, "127.0.0.1:3260");
        assert_enabled(NODE_B "/tpgt_1", false);
        expect_refusal(call_portals(w, "bind-portal", NODE_B, 1, "[::]:3260"), REFUSAL_PORTAL_SHADOWED, "127.0.0.1:3260");
        expect_refusal(call_portals(w, "create-port", "iqn.2026-11.org.iscsi:c", 1, "[::]:3260"), REFUSAL_PORTAL_SHADOWED,
                       "127.0.0.1:3260");
        assert_absent("iqn.2026-11.org.iscsi:c");

        /* The portal that it was taken for goes; its socket stays, since the mistaken one uses it. Who wants the same is told,
         * and the mistaken one can be made again: then it is right. */
        remove_node(w, NODE_A, 1);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "[::]:3260"), REFUSAL_PORTAL_SHADOWED, "127.0.0.1:3260");
        expect_success(restore_port(w, NODE_B, 1, "[::]:3260"));
        g_free(g_steal_pointer(&seen));
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_B " 1:on[[::]:3260+]");
        remove_node(w, NODE_B, 1);
        assert_tree(before);
}

static void test_zones(void) {
        const char *second = second_interface();
        g_autofree char *before = tree_snapshot(), *portal = NULL, *both = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        if (!second)
                return;
        portal = g_strdup_printf("[fe80::1%%%s]:3260", second);
        both = g_strdup_printf("%s %s", ZONE_LO, portal);

        expect_success(call_portals(w, "create-port", NODE_A, 1, ZONE_LO));
        expect_refusal(call_portals(w, "create-port", NODE_B, 1, portal), REFUSAL_PORTAL_SHADOWED, ZONE_LO);
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, portal), REFUSAL_PORTAL_SHADOWED, ZONE_LO);
        remove_node(w, NODE_A, 1);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, both), REFUSAL_PORTAL_SHADOWED, "fe80::1");
        expect_success(call_portals(w, "create-port", NODE_A, 1, portal));
        remove_node(w, NODE_A, 1);

        /* Numbers are names of interfaces too. */
        tree_mkdir(NODE_A);
        tree_mkdir(NODE_A "/tpgt_1");
        tree_mkdir(NODE_A "/tpgt_1/np/[fe80::1%%1]:3260");
        expect_success(restore_port(w, NODE_A, 1, ZONE_LO));
        assert_absent(NODE_A "/tpgt_1/np/"
                             "[fe80::1%%lo]:3260");
        remove_node(w, NODE_A, 1);
        assert_tree(before);
}

static void test_scope_missing(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [fe80::1%nosuch0]:3260"), REFUSAL_SCOPE_MISSING,
                       "nosuch0");
        assert_tree(before);
}

static int take_port(int family, uint16_t port, bool listening, bool reuse) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const int one = reuse;
        int fd;

        fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), ==, 0);
        g_assert_cmpint(family == AF_INET ? bind(fd, (struct sockaddr *) &in, sizeof(in))
                                          : bind(fd, (struct sockaddr *) &in6, sizeof(in6)),
                        ==, 0);
        if (listening)
                g_assert_cmpint(listen(fd, 1), ==, 0);
        return fd;
}

static void test_address_in_use(void) {
        g_autofree char *before = tree_snapshot(), *us = g_strdup_printf("process %d (", (int) getpid());
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        int fd;

        fd = take_port(AF_INET, 3260, true, true);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.2:3260 127.0.0.1:3260"), REFUSAL_ADDRESS_IN_USE, us);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "0.0.0.0:3260"), REFUSAL_ADDRESS_IN_USE, us);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "[::]:3260"), REFUSAL_ADDRESS_IN_USE, us);
        assert_tree(before);
        expect_success(call_portals(w, "create-port", NODE_A, 1, "[::1]:3260"));
        expect_refusal(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_ADDRESS_IN_USE, us);
        remove_node(w, NODE_A, 1);
        close(fd);

        fd = take_port(AF_INET6, 3260, true, true);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "[::1]:3260"), REFUSAL_ADDRESS_IN_USE, us);
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        remove_node(w, NODE_A, 1);
        close(fd);

        /* Bound alone, it is in the way too, if it does not share. */
        fd = take_port(AF_INET, 3260, false, false);
        expect_refusal(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"), REFUSAL_ADDRESS_IN_USE, "without listening");
        close(fd);

        /* As a probe of another worker is bound. */
        fd = take_port(AF_INET, 3260, false, true);
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        remove_node(w, NODE_A, 1);
        close(fd);
        assert_tree(before);
}

/* With IPv6 sockets that take no IPv4 the two wildcards' worlds are apart, but for the kernel's comparison. */
static void test_v6_only(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        file_write("/proc/sys/net/ipv6/bindv6only", "1");
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::]:3260"));
        g_assert_true(portal_accepts("127.0.0.1:3260"));
        g_assert_true(portal_accepts("[::1]:3260"));

        /* The socket of its own is the older one, so the kernel finds it first. */
        expect_success(call_portals(w, "create-port", NODE_B, 1, "[::]:3260"));
        remove_node(w, NODE_B, 1);
        remove_node(w, NODE_A, 1);

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        expect_refusal(call_portals(w, "create-port", NODE_B, 1, "[::]:3260"), REFUSAL_PORTAL_SHADOWED, "127.0.0.1:3260");
        remove_node(w, NODE_A, 1);
        file_write("/proc/sys/net/ipv6/bindv6only", "0");
        assert_tree(before);
}

#define N_CALLERS 6
#define N_ROUNDS 8

typedef struct Caller {
        Worker *worker;
        char *node;
        Answer answer; /* the first that was not success, else the last */
} Caller;

static gpointer make_and_remove(gpointer userdata) {
        Caller *c = userdata;

        for (unsigned i = 0; i < N_ROUNDS; i++) {
                c->answer = call_portals(c->worker, "create-port", c->node, 1, "127.0.0.1:3260");
                if (c->answer.lost || c->answer.refusal != REFUSAL_NONE)
                        return NULL;
                c->answer = call_port(c->worker, "delete-port", c->node, 1);
                if (c->answer.lost || c->answer.refusal != REFUSAL_NONE)
                        return NULL;
        }

        return NULL;
}

/* Nodes that share a portal, made and removed at the same time: while one port goes, the kernel resets the thread of the portal,
 * and another port that comes in this moment does not find the socket. */
static void test_parallel(void) {
        g_autofree char *before = tree_snapshot();
        Caller callers[N_CALLERS] = {};
        GThread *threads[N_CALLERS];

        for (size_t i = 0; i < N_CALLERS; i++) {
                callers[i].worker = worker_new(NULL, "--lock-timeout=60");
                callers[i].node = g_strdup_printf(NODE_A "-%zu", i);
        }
        for (size_t i = 0; i < N_CALLERS; i++)
                threads[i] = g_thread_new("caller", make_and_remove, callers + i);
        for (size_t i = 0; i < N_CALLERS; i++)
                g_thread_join(threads[i]);
        for (size_t i = 0; i < N_CALLERS; i++) {
                expect_success(callers[i].answer);
                expect_success(call_node(callers[i].worker, "delete-node", callers[i].node));
                worker_free(callers[i].worker);
                g_free(callers[i].node);
        }
        assert_tree(before);
}

static void add_tests(void) {
        g_test_add_func("/lio/portals/kinds", test_kinds);
        g_test_add_func("/lio/portals/shared", test_shared);
        g_test_add_func("/lio/portals/bind", test_bind);
        g_test_add_func("/lio/portals/in-use", test_in_use);
        g_test_add_func("/lio/portals/refused", test_refused);
        g_test_add_func("/lio/portals/beside", test_beside);
        g_test_add_func("/lio/portals/kernel-lies", test_kernel_lies);
        g_test_add_func("/lio/portals/zones", test_zones);
        g_test_add_func("/lio/portals/scope-missing", test_scope_missing);
        g_test_add_func("/lio/portals/address-in-use", test_address_in_use);
        g_test_add_func("/lio/portals/v6-only", test_v6_only);
        g_test_add_func("/lio/portals/parallel", test_parallel);
}

int main(int argc, char **argv) {
        return lio_test_main(argc, argv, add_tests);
}
