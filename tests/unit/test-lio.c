/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The parts of iscsi-backend-lio that need no target in the kernel: names, the kernel's comparison, sockets and their holders. */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "workers/lio/enable.h"
#include "workers/lio/portals.h"
#include "workers/lio/sessions.h"
#include "workers/lio/names.h"
#include "workers/base/kmsg.h"
#include "workers/lio/listen.h"
#include "workers/base/lock.h"
#include "workers/lio/predict.h"
#include "workers/lio/probe.h"
#include "workers/base/peer.h"
#include "workers/lio/tree.h"

static Portal portal(const char *text) {
        Portal p = {};

        if (portal_from_text(text, &p) < 0)
                g_error("%s", text);
        return p;
}

static void test_tag(void) {
        static const struct {
                const char *name;
                int tag; /* -1: no tag */
        } rows[] = {
                { "tpgt_1", 1 },
                { "tpgt_01", 1 },
                { "tpgt_0x1", 1 },
                { "tpgt_0X1f", 31 },
                { "x_tpgt_1", 1 },
                { "tpgt_+2", 2 },
                { "tpgt_010", 8 },
                { "tpgt_0", 0 },
                { "tpgt_65535", 65535 },
                { "tpgt_0xffff", 65535 },
                { "tpgt_1\n", 1 },
                { "tpgt_00", 0 },
                { "tpgt_0177777", 65535 },
                { "tpgt_65536", -1 },
                { "tpgt_-1", -1 },
                { "tpgt_", -1 },
                { "tpgt_1x", -1 },
                { "tpgt_ 1", -1 },
                { "tpgt_0x", -1 },
                { "tpgt_08", -1 },
                { "tpgt_1\n\n", -1 },
                { "tpgt_++1", -1 },
                { "tpgt_a", -1 },
                { "tpgt_0xg", -1 },
                { "tpgt", -1 },
                { "", -1 },
                { "param", -1 },
                { "tpgt_99999999999999999999", -1 },
                { "tpgt_x_tpgt_1", -1 },
                { "TPGT_1", -1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint16_t tag = 4711;
                int r;

                r = lio_tag_from_name(rows[i].name, &tag);
                if (rows[i].tag < 0)
                        g_assert_cmpint(r, ==, -EINVAL);
                else {
                        g_assert_cmpint(r, ==, 0);
                        g_assert_cmpint(tag, ==, rows[i].tag);
                }
        }
}

static void test_portal_name(void) {
        static const struct {
                const char *name, *text; /* NULL: not taken; "": taken, but has no spelling of ours */
        } rows[] = {
                { "127.0.0.1:3260", "127.0.0.1:3260" },
                { "127.0.0.01:0xcbc", "127.0.0.1:3260" },
                { "000127.0.0.1:06274", "127.0.0.1:3260" },
                { "127.0.0.1:+3260", "127.0.0.1:3260" },
                { "[127.0.0.1]:3260", "127.0.0.1:3260" },
                { "[::1]:3260", "[::1]:3260" },
                { "[0:0:0:0:0:0:0:1]:3260", "[::1]:3260" },
                { "junk[::1]junk:3260", "[::1]:3260" },
                { "[2001:DB8::1]:3260", "[2001:db8::1]:3260" },
                { "[fe80::1%lo]:3260", "[fe80::1%lo]:3260" },
                { "[fe80::1%1]:3260", "[fe80::1%lo]:3260" },
                { "[::1%lo]:3260", "[::1]:3260" },
                { "[::]:3260", "[::]:3260" },
                { "0.0.0.0:3260", "0.0.0.0:3260" },
                { "[fe80::1]:3260", "" },
                { "[fe80::1%nosuch0]:3260", "" },
                { "[::ffff:1.2.3.4]:3260", "" },
                { "224.0.0.1:3260", "" },
                { "127.0.0.1:0", "" },
                { "::1:3260", NULL },
                { "127.1:3260", NULL },
                { "127.0.0.256:3260", NULL },
                { "127.0.0.1", NULL },
                { "127.0.0.1:", NULL },
                { "127.0.0.1:65536", NULL },
                { "127.0.0.:3260", NULL },
                { "127.0.0.1.:3260", NULL },
                { "[::1:3260", NULL },
                { "[::1]3260", NULL },
                { "[]:3260", NULL },
                { "host:3260", NULL },
                { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char text[PORTAL_TEXT_MAX];
                bool usable = true;
                Portal p;
                int r;

                r = lio_portal_from_name(rows[i].name, &p, &usable);
                if (!rows[i].text) {
                        g_assert_cmpint(r, ==, -EINVAL);
                        continue;
                }
                g_assert_cmpint(r, ==, 0);
                g_assert_cmpint(usable, ==, rows[i].text[0] != '\0');
                if (usable)
                        g_assert_cmpstr(portal_to_text(&p, text), ==, rows[i].text);
        }
}

static void test_node_name(void) {
        static const char *const good[] = { "iqn.2026-11.org.iscsi:a", "eui.02004567A425678D", "naa.52004567BA64678D",
                                            "iqn.2026-11.org.iscsi:..",
                                            "iqn.2026-11.org.iscsi:\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" };
        static const char *const bad[] = { "",
                                           ".",
                                           "..",
                                           "iqn",
                                           "iqn.",
                                           "IQN.2026-11.x",
                                           "x",
                                           "iqn.a/b",
                                           "iqn.a b",
                                           "iqn.a\tb",
                                           "iqn.a\x7f",
                                           "/iqn.a",
                                           "discovery_auth",
                                           "iqn.\xff",
                                           "iqn.\xc0\xaf",
                                           "iqn.\xed\xa0\x80",
                                           "iqn.\xf4\x90\x80\x80",
                                           "iqn.\xc3",
                                           "iqn.\xe0\x80\xaf",
                                           "iqn.\xf0\x80\x80\xaf",
                                           "iqn.\x80" };
        g_autofree char *name = g_strnfill(224, 'a');

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                g_assert_true(lio_node_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                g_assert_false(lio_node_name_is_valid(bad[i]));

        memcpy(name, "iqn.", 4);
        g_assert_false(lio_node_name_is_valid(name));
        name[223] = '\0';
        g_assert_true(lio_node_name_is_valid(name));
}

/* As measured on the kernel, in both directions. */
static void test_kernel_equal(void) {
        static const struct {
                const char *a, *b;
                bool a_new, b_new; /* equal when A is the new one, when B is */
        } rows[] = {
                { "10.0.0.1:3260", "10.0.0.1:3260", true, true },
                { "10.0.0.1:3260", "10.0.0.1:3261", false, false },
                { "10.0.0.1:3260", "10.0.0.2:3260", false, false },
                { "[::]:3260", "10.0.0.1:3260", true, false },
                { "[::]:3260", "0.0.0.0:3260", true, true },
                { "[::]:3260", "10.0.0.1:3261", false, false },
                { "0.0.0.0:3260", "[2001:db8::1]:3260", true, false },
                { "0.0.0.0:3260", "[fe80::1%lo]:3260", true, false },
                { "[fe80::1%eth0]:3260", "[fe80::1%eth1]:3260", true, true },
                { "[fe80::1%eth0]:3260", "[fe80::2%eth0]:3260", false, false },
                { "10.0.0.1:3260", "[2001:db8::1]:3260", false, false },
                { "[2001:db8::1]:3260", "0.0.0.0:3260", false, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Portal a = portal(rows[i].a), b = portal(rows[i].b);

                g_assert_cmpint(portal_kernel_equal(&a, &b), ==, rows[i].a_new);
                g_assert_cmpint(portal_kernel_equal(&b, &a), ==, rows[i].b_new);
        }
}

static void test_overlaps(void) {
        static const struct {
                const char *a, *b;
                bool v6_only, overlap;
        } rows[] = {
                { "0.0.0.0:3260", "10.0.0.1:3260", false, true }, { "0.0.0.0:3260", "10.0.0.1:3261", false, false },
                { "0.0.0.0:3260", "0.0.0.0:3260", false, false }, { "10.0.0.1:3260", "10.0.0.2:3260", false, false },
                { "[::]:3260", "[::1]:3260", true, true },        { "[::]:3260", "[fe80::1%lo]:3260", false, true },
                { "[::]:3260", "10.0.0.1:3260", false, true },    { "[::]:3260", "10.0.0.1:3260", true, false },
                { "[::]:3260", "0.0.0.0:3260", false, true },     { "[::]:3260", "0.0.0.0:3260", true, false },
                { "0.0.0.0:3260", "[::1]:3260", false, false },   { "[fe80::1%lo]:3260", "[fe80::1%eth0]:3260", false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Portal a = portal(rows[i].a), b = portal(rows[i].b);

                g_assert_cmpint(portal_overlaps(&a, rows[i].v6_only, &b, rows[i].v6_only), ==, rows[i].overlap);
                g_assert_cmpint(portal_overlaps(&b, rows[i].v6_only, &a, rows[i].v6_only), ==, rows[i].overlap);
        }
}

static void test_predict(void) {
        /* Existing portals: "<node letter> <tag> <portal> <+ or ->", the new one goes to node a, tag 9. */
        static const struct {
                const char *uses[3], *wanted;
                bool v6_only;
                Refusal refusal;
                int other; /* index of the one that is told, -1 for none */
        } rows[] = {
                { {}, "10.0.0.1:3260", false, REFUSAL_NONE, -1 },
                { { "b 1 10.0.0.1:3260 +" }, "10.0.0.1:3260", false, REFUSAL_NONE, 0 },
                { { "b 1 10.0.0.2:3260 +" }, "10.0.0.1:3260", false, REFUSAL_NONE, -1 },
                { { "a 1 10.0.0.1:3260 +" }, "10.0.0.1:3260", false, REFUSAL_TCP_IN_USE, 0 },
                { { "b 1 10.0.0.1:3260 +", "a 1 10.0.0.1:3260 +" }, "10.0.0.1:3260", false, REFUSAL_TCP_IN_USE, 1 },
                { { "b 1 10.0.0.1:3260 -" }, "10.0.0.1:3260", false, REFUSAL_PORTAL_SHADOWED, 0 },
                { { "b 1 10.0.0.1:3260 -", "c 1 10.0.0.1:3260 +" }, "10.0.0.1:3260", false, REFUSAL_NONE, 1 },
                { { "b 1 10.0.0.1:3260 +" }, "[::]:3260", false, REFUSAL_PORTAL_SHADOWED, 0 },
                { { "b 1 [::]:3260 -", "c 1 10.0.0.1:3260 +" }, "[::]:3260", false, REFUSAL_PORTAL_SHADOWED, 1 },
                /* its own socket is the older one */
                { { "b 1 [::]:3260 +", "c 1 10.0.0.1:3260 +" }, "[::]:3260", true, REFUSAL_NONE, 0 },
                /* but within the node the kernel looks no further */
                { { "b 1 [::]:3260 +", "a 1 10.0.0.1:3260 +" }, "[::]:3260", true, REFUSAL_PORTAL_SHADOWED, 1 },
                { { "b 1 [::1]:3260 +" }, "0.0.0.0:3260", false, REFUSAL_PORTAL_SHADOWED, 0 },
                { { "b 1 [::]:3260 +" }, "10.0.0.1:3260", false, REFUSAL_ADDRESS_OVERLAP, 0 },
                { { "b 1 [::]:3260 +" }, "10.0.0.1:3260", true, REFUSAL_NONE, -1 },
                { { "b 1 [::]:3260 -" }, "10.0.0.1:3260", false, REFUSAL_NONE, -1 },
                { { "b 1 0.0.0.0:3260 +" }, "10.0.0.1:3260", false, REFUSAL_ADDRESS_OVERLAP, 0 },
                { { "b 1 [fe80::1%eth0]:3260 +" }, "[fe80::1%eth1]:3260", false, REFUSAL_PORTAL_SHADOWED, 0 },
                { { "a 9 10.0.0.2:3260 +", "a 9 [::1]:3260 +" }, "10.0.0.1:3260", false, REFUSAL_NONE, -1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (int backwards = 0; backwards < 2; backwards++) {
                        PortalUse uses[ELEMENTSOF(rows[i].uses)] = {};
                        char names[ELEMENTSOF(rows[i].uses)][2] = {};
                        const PortalUse *other;
                        Portal wanted = portal(rows[i].wanted);
                        size_t n = 0;
                        int told;

                        while (n < ELEMENTSOF(rows[i].uses) && rows[i].uses[n])
                                n++;
                        for (size_t k = 0; k < n; k++) {
                                g_auto(GStrv) words = g_strsplit(rows[i].uses[k], " ", -1);
                                size_t at = backwards ? n - 1 - k : k;

                                names[at][0] = words[0][0];
                                uses[at] = (PortalUse){ .node = names[at],
                                                        .tag = (uint16_t) g_ascii_strtoull(words[1], NULL, 10),
                                                        .portal = portal(words[2]),
                                                        .listening = words[3][0] == '+',
                                                        .v6_only = rows[i].v6_only };
                        }

                        g_assert_cmpint(portal_predict(&wanted, "a", 9, rows[i].v6_only, uses, n, &other), ==, rows[i].refusal);
                        told = other ? (int) (other - uses) : -1;
                        if (told >= 0 && backwards)
                                told = (int) n - 1 - told;
                        g_assert_cmpint(told, ==, rows[i].other);
                }
}

static void test_making_order(void) {
        Portal portals[] = { portal("[::1]:3260"), portal("10.0.0.1:3261"), portal("0.0.0.0:3260") };

        qsort(portals, ELEMENTSOF(portals), sizeof(portals[0]), portal_compare_for_making);
        g_assert_true(ip_address_is_wildcard(&portals[0].address));
        g_assert_cmpint(portals[1].address.family, ==, AF_INET);
        g_assert_cmpint(portals[2].address.family, ==, AF_INET6);
}

/* A socket on a port that the kernel chooses. */
static int open_socket(const char *address, bool listening, bool reuse, bool v6_only, Portal *ret) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
        struct sockaddr_in in = { .sin_family = AF_INET };
        socklen_t size = sizeof(in6);
        int fd, r;

        *ret = (Portal){};
        g_assert_cmpint(ip_address_from_text(address, &ret->address), ==, 0);
        in.sin_addr = ret->address.in;
        in6.sin6_addr = ret->address.in6;
        in6.sin6_scope_id = ret->address.zone[0] ? if_nametoindex(ret->address.zone) : 0;

        fd = socket(ret->address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        r = reuse;
        g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &r, sizeof(r)), ==, 0);
        r = v6_only;
        if (ret->address.family == AF_INET6)
                g_assert_cmpint(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &r, sizeof(r)), ==, 0);
        r = ret->address.family == AF_INET ? bind(fd, (struct sockaddr *) &in, sizeof(in))
                                           : bind(fd, (struct sockaddr *) &in6, sizeof(in6));
        g_assert_cmpint(r, ==, 0);
        if (listening)
                g_assert_cmpint(listen(fd, 1), ==, 0);

        /* The port is at the same place in both. */
        g_assert_cmpint(getsockname(fd, (struct sockaddr *) &in6, &size), ==, 0);
        ret->port = ntohs(in6.sin6_port);
        return fd;
}

static bool have_ipv6(void) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool have = fd >= 0 && bind(fd, (struct sockaddr *) &in6, sizeof(in6)) == 0;

        if (fd >= 0)
                close(fd);
        return have;
}

static void test_listeners(void) {
        static const struct {
                const char *address;
                bool v6_only, told_v6_only;
        } rows[] = {
                { "127.0.0.1", false, false },
                { "0.0.0.0", false, false },
                { "::", false, false },
                { "::", true, true },
                /* the kernel says so of each socket that is bound to one IPv6 address */
                { "::1", false, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(listeners_done) Listeners one = {}, all = {}, after = {};
                const Listener *l;
                struct stat st;
                Portal p, q;
                int fd, bound;

                if (strchr(rows[i].address, ':') && !have_ipv6()) {
                        g_test_message("no IPv6 here: %s left out", rows[i].address);
                        continue;
                }

                bound = open_socket(rows[i].address, false, true, rows[i].v6_only, &q);
                fd = open_socket(rows[i].address, true, true, rows[i].v6_only, &p);
                g_assert_cmpint(fstat(fd, &st), ==, 0);

                g_assert_cmpint(listeners_read(p.port, &one), ==, 0);
                for (size_t k = 0; k < one.n; k++)
                        g_assert_cmpint(one.items[k].port, ==, p.port);
                l = listeners_find(&one, &p);
                g_assert_nonnull(l);
                g_assert_cmpint(l->inode, ==, st.st_ino);
                g_assert_cmpint(l->uid, ==, getuid());
                g_assert_cmpint(l->ifindex, ==, 0);
                g_assert_cmpint(l->v6_only, ==, rows[i].told_v6_only);

                g_assert_cmpint(listeners_read(0, &all), ==, 0);
                g_assert_nonnull(listeners_find(&all, &p));
                g_assert_cmpint(all.n, >=, one.n);
                /* bound is not listening */
                g_assert_null(listeners_find(&all, &q));

                close(fd);
                close(bound);
                g_assert_cmpint(listeners_read(p.port, &after), ==, 0);
                g_assert_null(listeners_find(&after, &p));
        }
}

static void test_conflicts(void) {
        static const struct {
                const char *listener;
                uint32_t ifindex;
                bool listener_v6_only;
                const char *wanted;
                bool v6_only, conflict;
        } rows[] = {
                { "10.0.0.1", 0, false, "10.0.0.1:3260", false, true },
                { "10.0.0.1", 0, false, "10.0.0.2:3260", false, false },
                { "10.0.0.1", 0, false, "10.0.0.1:3261", false, false },
                { "10.0.0.1", 0, false, "0.0.0.0:3260", false, true },
                { "0.0.0.0", 0, false, "10.0.0.1:3260", false, true },
                { "10.0.0.1", 0, false, "[::]:3260", false, true },
                { "10.0.0.1", 0, false, "[::]:3260", true, false },
                { "::", 0, false, "10.0.0.1:3260", false, true },
                { "::", 0, true, "10.0.0.1:3260", false, false },
                { "::1", 0, false, "10.0.0.1:3260", false, false },
                { "::1", 0, false, "0.0.0.0:3260", false, false },
                { "fe80::1%lo", 1, false, "[fe80::1%lo]:3260", false, true },
                { "fe80::1%lo", 77, false, "[fe80::1%lo]:3260", false, false },
                { "0.0.0.0", 77, false, "10.0.0.1:3260", false, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Listener l = { .port = 3260, .ifindex = rows[i].ifindex, .v6_only = rows[i].listener_v6_only };
                Portal p = portal(rows[i].wanted);
                IpAddress a;

                g_assert_cmpint(ip_address_from_text(rows[i].listener, &a), ==, 0);
                l.family = a.family;
                memcpy(&l.in6, &a.in6, sizeof(a.in6));
                g_assert_cmpint(listener_conflicts(&l, &p, rows[i].v6_only), ==, rows[i].conflict);
        }
}

static void test_probe(void) {
        Portal p, free_portal, scoped = portal("[fe80::1%nosuch0]:3260");
        int fd;

        g_assert_cmpint(portal_probe(&scoped), ==, -ENODEV);

        fd = open_socket("127.0.0.1", true, true, false, &p);
        g_assert_cmpint(portal_probe(&p), ==, -EADDRINUSE);
        close(fd);
        g_assert_cmpint(portal_probe(&p), ==, 0);

        /* Not on this host: free-bind. */
        free_portal = p;
        g_assert_cmpint(ip_address_from_text("192.0.2.1", &free_portal.address), ==, 0);
        g_assert_cmpint(portal_probe(&free_portal), ==, 0);

        /* Another probe, and a socket that shares with nobody. */
        fd = open_socket("127.0.0.1", false, true, false, &p);
        g_assert_cmpint(portal_probe(&p), ==, 0);
        close(fd);
        fd = open_socket("127.0.0.1", false, false, false, &p);
        g_assert_cmpint(portal_probe(&p), ==, -EADDRINUSE);
        close(fd);
}

static void test_holder(void) {
        g_autofree char *us = g_strdup_printf("held by process %d (", (int) getpid()), *text = NULL, *bound = NULL;
        struct stat st;
        pid_t pid = 0;
        char comm[64];
        Portal p;
        int fd, r;

        fd = open_socket("127.0.0.1", true, true, false, &p);
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        g_assert_cmpint(socket_find_process("/proc", (uint32_t) st.st_ino, &pid, comm), ==, 0);
        g_assert_cmpint(pid, ==, getpid());
        g_assert_cmpstr(comm, ==, "test-lio");
        text = portal_describe_holder(&p, &pid);
        g_assert_nonnull(strstr(text, us));
        g_assert_nonnull(strstr(text, "127.0.0.1:"));
        g_assert_cmpint(pid, ==, getpid());
        close(fd);

        /* Whether all processes can be looked into is a matter of the host. */
        r = socket_find_process("/proc", (uint32_t) st.st_ino, &pid, comm);
        g_assert_true(r == -ESRCH || r == -EACCES);
        g_assert_cmpint(socket_find_process("/proc", 0, &pid, comm), ==, -ESRCH);
        g_assert_cmpint(socket_find_process("/no-such-directory", 1, &pid, comm), ==, -ENOENT);

        fd = open_socket("127.0.0.1", false, false, false, &p);
        bound = portal_describe_holder(&p, &pid);
        g_assert_nonnull(strstr(bound, "without listening"));
        g_assert_cmpint(pid, ==, 0);
        close(fd);
}

/* A /proc of our own, with what a hostile program may call itself. */
static void test_holder_name(void) {
        g_autofree char *proc = g_dir_make_tmp("test-lio-XXXXXX", NULL);
        g_autofree char
                *command = g_strdup_printf(
                        "cd %s && mkdir -p self/fd 12/fd 34/fd 56 && ln -s socket:[8] 12/fd/0 && ln -s socket:[77] 34/fd/3 && "
                        "ln -s socket:[77] self/fd/0 && printf 'a\\033b\\001c\\n' >34/comm",
                        proc),
                *cleanup = g_strdup_printf("rm -r %s", proc);
        char comm[64];
        pid_t pid;

        g_assert_cmpint(system(command), ==, 0);
        g_assert_cmpint(socket_find_process(proc, 77, &pid, comm), ==, 0);
        g_assert_cmpint(pid, ==, 34);
        g_assert_cmpstr(comm, ==, "a?b?c");
        /* without a name */
        g_assert_cmpint(socket_find_process(proc, 8, &pid, comm), ==, 0);
        g_assert_cmpint(pid, ==, 12);
        g_assert_cmpstr(comm, ==, "");
        g_assert_cmpint(socket_find_process(proc, 7, &pid, comm), ==, -ESRCH);
        g_assert_cmpint(system(cleanup), ==, 0);
}

static void test_kmsg(void) {
        static const struct {
                const char *record, *text;
        } rows[] = {
                { "3,1234,5678,-;kernel_bind() failed: -98\n SUBSYSTEM=net\n", "kernel_bind() failed: -98" },
                { "4,1,2,-,caller=T1;warned\n", "warned" },
                { "6,1,2,-;informed\n", NULL },
                { "11,1,2,-;a program's own error\n", NULL },
                { "3,1,2,-;\n", NULL },
                { "3,1,2,-", NULL },
                { "x", NULL },
                { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autofree char *record = g_strdup(rows[i].record);

                g_assert_cmpstr(kmsg_complaint(record), ==, rows[i].text);
        }
        g_assert_null(kmsg_last_complaint(-1));
}

static void test_info(void) {
        char *name = NULL;

        g_assert_cmpint(lio_info_to_initiator("No active iSCSI Session for Initiator Endpoint: iqn.x\n", &name), ==, 0);
        g_assert_null(name);
        g_assert_cmpint(
                lio_info_to_initiator("InitiatorName: iqn.2026-11.org.iscsi:i\nInitiatorAlias: \nLIO Session ID: 1\n", &name), ==,
                1);
        g_assert_cmpstr(name, ==, "iqn.2026-11.org.iscsi:i");
        free(name);
        g_assert_cmpint(lio_info_to_initiator("", &name), ==, -EINVAL);
        g_assert_cmpint(lio_info_to_initiator("something new\n", &name), ==, -EINVAL);
}

/* Reading alone: any directories will do. */
static void test_tree(void) {
        g_autofree char *top = g_dir_make_tmp("test-lio-XXXXXX", NULL);
        g_autofree char *command = g_strdup_printf(
                                "cd %s && mkdir -p iqn.b/tpgt_2/np/127.0.0.1:3260 iqn.b/tpgt_01/np iqn.b/tpgt_1/np/[::1]:3260 "
                                "iqn.b/tpgt_1/np/127.0.0.01:3260 iqn.b/tpgt_1/np/junk iqn.b/param iqn.a discovery_auth && "
                                "touch lio_version && echo 1 >iqn.b/tpgt_1/enable",
                                top),
                        *cleanup = g_strdup_printf("rm -r %s", top), *port_dir = g_strdup_printf("%s/iqn.b/tpgt_1", top),
                        *missing = g_strdup_printf("%s/nothing", top);
        _cleanup_(lio_tree_done) LioTree tree = {}, none = {};
        _cleanup_(lio_node_done) LioNode node = {}, absent = {};
        Portal p = portal("127.0.0.1:3260");
        bool there = false, enabled = false;
        LioPort *port;
        size_t n;

        g_assert_cmpint(system(command), ==, 0);
        g_assert_cmpint(lio_tree_read(top, &tree), ==, 0);
        g_assert_cmpint(tree.n_nodes, ==, 2);
        g_assert_cmpstr(tree.nodes[0].name, ==, "iqn.a");
        g_assert_cmpint(tree.nodes[0].n_ports, ==, 0);
        g_assert_cmpint(tree.nodes[1].n_ports, ==, 3);

        port = lio_node_find_port(tree.nodes + 1, 1, &n);
        g_assert_cmpint(n, ==, 2);
        g_assert_cmpstr(port->dir, ==, "tpgt_1");
        g_assert_cmpint(port->n_portals, ==, 3);
        g_assert_cmpstr(lio_port_find_portal(port, &p)->dir, ==, "127.0.0.01:3260");
        p.port = 3261;
        g_assert_null(lio_port_find_portal(port, &p));
        g_assert_null(lio_node_find_port(tree.nodes + 1, 3, &n));
        g_assert_cmpint(n, ==, 0);

        g_assert_cmpint(lio_enable_read(port_dir, &enabled), ==, 0);
        g_assert_true(enabled);
        g_assert_cmpint(lio_enable_read(top, &enabled), ==, -ENOENT);

        g_assert_cmpint(lio_node_read(top, "iqn.b", &node, &there), ==, 0);
        g_assert_true(there);
        g_assert_cmpint(lio_node_read(top, "iqn.c", &absent, &there), ==, 0);
        g_assert_false(there);
        g_assert_cmpint(lio_tree_read(missing, &none), ==, 0);
        g_assert_cmpint(none.n_nodes, ==, 0);
        g_assert_cmpint(system(cleanup), ==, 0);
}

static void test_peer_hang_up(void) {
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
        g_assert_false(peer_has_hung_up(pair[0], 0));
        g_assert_cmpint(write(pair[1], "x", 1), ==, 1);
        g_assert_false(peer_has_hung_up(pair[0], 0));
        close(pair[1]);
        g_assert_true(peer_has_hung_up(pair[0], 0));
        close(pair[0]);
        g_assert_true(peer_has_hung_up(pair[0], 0));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/lio/tag", test_tag);
        g_test_add_func("/lio/portal-name", test_portal_name);
        g_test_add_func("/lio/node-name", test_node_name);
        g_test_add_func("/lio/kernel-equal", test_kernel_equal);
        g_test_add_func("/lio/overlaps", test_overlaps);
        g_test_add_func("/lio/predict", test_predict);
        g_test_add_func("/lio/making-order", test_making_order);
        g_test_add_func("/lio/listeners", test_listeners);
        g_test_add_func("/lio/conflicts", test_conflicts);
        g_test_add_func("/lio/probe", test_probe);
        g_test_add_func("/lio/holder", test_holder);
        g_test_add_func("/lio/holder-name", test_holder_name);
        g_test_add_func("/lio/kmsg", test_kmsg);
        g_test_add_func("/lio/info", test_info);
        g_test_add_func("/lio/tree", test_tree);
        g_test_add_func("/lio/peer-hang-up", test_peer_hang_up);
        return g_test_run();
}
