/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What iscsi-backend-lio asks the host: its sockets and who holds them, locks, the kernel's log, its peer. */

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "workers/base/kmsg.h"
#include "workers/base/lock.h"
#include "workers/base/peer.h"
#include "workers/lio/listen.h"
#include "workers/lio/probe.h"

static Portal portal(const char *text) {
        Portal p = {};

        if (portal_from_text(text, &p) < 0)
                g_error("%s", text);
        return p;
}

/* Which of the sockets is exactly there, whoever made it. */
static const Listener *find_any(const Listeners *l, const Portal *p) {
        for (size_t i = 0; i < l->n; i++)
                if (listener_is(l->items + i, p, 0))
                        return l->items + i;

        return NULL;
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
                l = find_any(&one, &p);
                g_assert_nonnull(l);
                g_assert_cmpint(l->inode, ==, st.st_ino);
                g_assert_cmpint(l->uid, ==, getuid());
                g_assert_cmpint(l->ifindex, ==, 0);
                g_assert_cmpint(l->v6_only, ==, rows[i].told_v6_only);
                g_assert_false(l->of_target);

                g_assert_cmpint(listeners_read(0, &all), ==, 0);
                g_assert_nonnull(find_any(&all, &p));
                g_assert_cmpint(all.n, >=, one.n);
                /* bound is not listening */
                g_assert_null(find_any(&all, &q));

                close(fd);
                close(bound);
                g_assert_cmpint(listeners_read(p.port, &after), ==, 0);
                g_assert_null(find_any(&after, &p));
        }
}

/* What tells the target's sockets from those of other programs: bound ahead, and with this backlog. */
static void test_of_target(void) {
        static const struct {
                bool freebind;
                int backlog;
                bool of_target;
        } rows[] = { { true, 256, true }, { false, 256, false }, { true, 128, false } };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(listeners_done) Listeners l = {};
                const int freebind = rows[i].freebind;
                Portal p;
                int fd;

                fd = open_socket("127.0.0.1", false, true, false, &p);
                g_assert_cmpint(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &freebind, sizeof(freebind)), ==, 0);
                g_assert_cmpint(listen(fd, rows[i].backlog), ==, 0);
                g_assert_cmpint(listeners_read(p.port, &l), ==, 0);
                g_assert_cmpint(l.n, ==, 1);
                g_assert_cmpint(l.items[0].of_target, ==, rows[i].of_target);
                g_assert_true((listeners_find(&l, &p, 0) != NULL) == rows[i].of_target);
                close(fd);
        }
}

/* More than fits into one part of a dump. */
static void test_many_listeners(void) {
        enum { N = 700 };
        _cleanup_(listeners_done) Listeners l = {};
        g_autofree int *fds = g_new(int, N);
        g_autofree Portal *portals = g_new(Portal, N);

        for (size_t i = 0; i < N; i++)
                fds[i] = open_socket("127.0.0.1", true, true, false, portals + i);
        g_assert_cmpint(listeners_read(0, &l), ==, 0);
        for (size_t i = 0; i < N; i++) {
                g_assert_nonnull(find_any(&l, portals + i));
                close(fds[i]);
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
                { "::ffff:10.0.0.1", 0, false, "10.0.0.1:3260", false, true },
                { "::ffff:10.0.0.1", 0, false, "10.0.0.2:3260", false, false },
                { "::ffff:10.0.0.1", 0, false, "0.0.0.0:3260", false, true },
                { "::ffff:10.0.0.1", 0, false, "[::1]:3260", false, false },
                { "::ffff:0.0.0.0", 0, false, "10.0.0.1:3260", false, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Listener l = { .port = 3260, .ifindex = rows[i].ifindex, .v6_only = rows[i].listener_v6_only };
                Portal p = portal(rows[i].wanted);
                IpAddress a;

                if (ip_address_from_text(rows[i].listener, &a) < 0) {
                        a = (IpAddress){ .family = AF_INET6 };
                        g_assert_cmpint(inet_pton(AF_INET6, rows[i].listener, &a.in6), ==, 1);
                }
                l.family = a.family;
                memcpy(&l.in6, &a.in6, sizeof(a.in6));
                g_assert_cmpint(listener_conflicts(&l, &p, p.address.zone[0] ? 1 : 0, rows[i].v6_only), ==, rows[i].conflict);
        }
}

static void test_probe(void) {
        Portal p, free_portal, scoped = portal("[fe80::1%nosuch0]:3260");
        int fd;

        g_assert_cmpint(portal_probe(&scoped, 0), ==, -ENODEV);

        fd = open_socket("127.0.0.1", true, true, false, &p);
        g_assert_cmpint(portal_probe(&p, 0), ==, -EADDRINUSE);
        close(fd);
        g_assert_cmpint(portal_probe(&p, 0), ==, 0);

        /* Not on this host: free-bind. */
        free_portal = p;
        g_assert_cmpint(ip_address_from_text("192.0.2.1", &free_portal.address), ==, 0);
        g_assert_cmpint(portal_probe(&free_portal, 0), ==, 0);

        /* Another probe, and a socket that shares with nobody. */
        fd = open_socket("127.0.0.1", false, true, false, &p);
        g_assert_cmpint(portal_probe(&p, 0), ==, 0);
        close(fd);
        fd = open_socket("127.0.0.1", false, false, false, &p);
        g_assert_cmpint(portal_probe(&p, 0), ==, -EADDRINUSE);
        close(fd);
}

static void test_holder(void) {
        g_autofree char *us = g_strdup_printf("held by process %d (", (int) getpid()), *text = NULL, *gone = NULL, *advice = NULL;
        _cleanup_(listeners_done) Listeners l = {};
        struct stat st;
        pid_t pid = 0;
        char comm[64];
        Portal p;
        int fd, r;

        fd = open_socket("127.0.0.1", true, true, false, &p);
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        g_assert_cmpint(socket_find_process("/proc", (uint32_t) st.st_ino, &pid, comm), ==, 0);
        g_assert_cmpint(pid, ==, getpid());
        g_assert_cmpstr(comm, ==, "test-lio-socket");
        g_assert_cmpint(listeners_read(p.port, &l), ==, 0);
        g_assert_cmpint(l.n, ==, 1);
        text = listener_describe_holder(l.items);
        g_assert_nonnull(strstr(text, us));
        g_assert_nonnull(strstr(text, "127.0.0.1:"));
        close(fd);

        /* Whether all processes can be looked into is a matter of the host; if not, people are told how to. */
        r = socket_find_process("/proc", (uint32_t) st.st_ino, &pid, comm);
        g_assert_true(r == -ESRCH || r == -EACCES);
        gone = listener_describe_holder(l.items);
        advice = g_strdup_printf("ss -ltnp 'sport = :%u'", p.port);
        g_assert_nonnull(strstr(gone, r == -ESRCH ? "the kernel itself" : advice));
        g_assert_cmpint(socket_find_process("/proc", 0, &pid, comm), ==, -ESRCH);
        g_assert_cmpint(socket_find_process("/no-such-directory", 1, &pid, comm), ==, -ENOENT);
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

/* Lines as the kernel writes them. */
static void test_lock_waiters(void) {
        static const char held[] = "1: FLOCK  ADVISORY  WRITE 731 00:19:567 0 EOF\n2: OFDLCK ADVISORY  WRITE -1 00:19:567 8 8\n",
                          waits[] = "1: FLOCK  ADVISORY  READ  731 00:19:567 0 EOF\n"
                                    "1: -> FLOCK  ADVISORY  WRITE 732 00:19:567 0 EOF\n";

        g_assert_false(locks_text_has_waiter("", makedev(0, 0x19), 567));
        g_assert_false(locks_text_has_waiter(held, makedev(0, 0x19), 567));
        g_assert_true(locks_text_has_waiter(waits, makedev(0, 0x19), 567));
        g_assert_false(locks_text_has_waiter(waits, makedev(0, 0x19), 67));
        g_assert_false(locks_text_has_waiter(waits, makedev(0, 0x1a), 567));
        g_assert_false(locks_text_has_waiter("1: -> FLOCK  ADVISORY  READ  732 00:19:567 0 EOF\n", makedev(0, 0x19), 567));
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
        g_test_add_func("/lio-sockets/listeners", test_listeners);
        g_test_add_func("/lio-sockets/of-target", test_of_target);
        g_test_add_func("/lio-sockets/many-listeners", test_many_listeners);
        g_test_add_func("/lio-sockets/conflicts", test_conflicts);
        g_test_add_func("/lio-sockets/probe", test_probe);
        g_test_add_func("/lio-sockets/holder", test_holder);
        g_test_add_func("/lio-sockets/holder-name", test_holder_name);
        g_test_add_func("/lio-sockets/kmsg", test_kmsg);
        g_test_add_func("/lio-sockets/lock-waiters", test_lock_waiters);
        g_test_add_func("/lio-sockets/peer-hang-up", test_peer_hang_up);
        return g_test_run();
}
