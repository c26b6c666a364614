/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* host.h when the kernel refuses, loses, forges or interrupts. */

#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host-fixture.h"

/* The two calls through which host.c and the library below it talk to the kernel, so that they can be made to fail. */

static int recvfrom_error; /* errno of the next recvfrom(), which reads nothing; 0: none */
static int sendto_error;   /* errno of each sendto() from now on; 0: none */
static ssize_t (*recvfrom_hook)(void *buf, size_t size, ssize_t n); /* called after each recvfrom(); its value is returned */

ssize_t sendto(int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_size) {
        ssize_t (*next)(int, const void *, size_t, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "sendto");

        if (sendto_error != 0) {
                errno = sendto_error;
                return -1;
        }
        return next(fd, buf, n, flags, to.__sockaddr__, to_size);
}

ssize_t recvfrom(int fd, void *restrict buf, size_t size, int flags, __SOCKADDR_ARG from, socklen_t *restrict from_size) {
        ssize_t (*next)(int, void *, size_t, int, void *, socklen_t *) = dlsym(RTLD_NEXT, "recvfrom");
        ssize_t n;

        if (recvfrom_error != 0) {
                errno = recvfrom_error;
                recvfrom_error = 0;
                return -1;
        }
        n = next(fd, buf, size, flags, from.__sockaddr__, from_size);
        return recvfrom_hook ? recvfrom_hook(buf, size, n) : n;
}

static void faults_tear_down(Fixture *f, const void *data) {
        recvfrom_error = sendto_error = 0;
        recvfrom_hook = NULL;
        fixture_tear_down(f, data);
}

/* Makes each call of NR (of socket(): for FAMILY) fail with ERROR, for good: in a child process only. */
static void deny(unsigned nr, unsigned family, unsigned error) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, family, 1, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr == SYS_socket ? family : 0, 0, nr == SYS_socket ? 1 : 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = G_N_ELEMENTS(code), .filter = code };

        g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
        g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

/* Runs FUNC in a child process, which must come to its end. */
static void in_child(Fixture *f, void (*func)(Fixture *f)) {
        pid_t pid = fork();
        int status;

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                /* A process has an event loop of its own. */
                sd_event *event = NULL;

                g_assert_cmpint(sd_event_new(&event), ==, 0);
                f->event = event;
                func(f);
                _exit(0);
        }

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
}

static void child_no_ipv6(Fixture *f) {
        g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
        g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
        g_assert_cmpint(mount("tmpfs", "/proc/sys/net/ipv6", "tmpfs", 0, NULL), ==, 0);
        start(f);
        g_assert_true(is_told(f, "0.0.0.0"));
        g_assert_false(is_told(f, "::"));
}

static void assert_start_fails(Fixture *f, int error) {
        g_assert_cmpint(host_new_tuned(f->event, on_changed, f, &f->tuning, &f->host), ==, error);
        g_assert_null(f->host);
        g_assert_cmpstr(f->events->str, ==, "");
}

static void child_no_netlink(Fixture *f) {
        deny(SYS_socket, AF_NETLINK, EAFNOSUPPORT);
        assert_start_fails(f, -EAFNOSUPPORT);
}

/* As the service's unit has it: this says nothing about the host. */
static void child_no_ipv6_sockets(Fixture *f) {
        deny(SYS_socket, AF_INET6, EAFNOSUPPORT);
        start(f);
        g_assert_true(is_told(f, "::"));
}

static void child_no_files(Fixture *f) {
        deny(SYS_openat, 0, EMFILE);
        assert_start_fails(f, -EMFILE);
}

static void child_no_bind(Fixture *f) {
        deny(SYS_bind, 0, EPERM);
        assert_start_fails(f, -EPERM);
}

static void child_no_epoll(Fixture *f) {
        deny(SYS_epoll_ctl, 0, ENOSPC);
        assert_start_fails(f, -ENOSPC);
}

static void child_no_poll(Fixture *f) {
#ifdef SYS_poll
        deny(SYS_poll, 0, ENOMEM);
#else /* newer architectures have this one only */
        deny(SYS_ppoll, 0, ENOMEM);
#endif
        assert_start_fails(f, -ENOMEM);
}

static void test_start_fails(Fixture *f, const void *data) {
        in_child(f, child_no_ipv6);
        in_child(f, child_no_ipv6_sockets);
        in_child(f, child_no_netlink);
        in_child(f, child_no_files);
        in_child(f, child_no_bind);
        in_child(f, child_no_epoll);
        in_child(f, child_no_poll);

        f->tuning.start_timeout_msec = 0;
        assert_start_fails(f, -ETIMEDOUT);
        f->tuning = host_tuning_default;

        sendto_error = ENOBUFS;
        assert_start_fails(f, -ENOBUFS);
        sendto_error = 0;

        g_assert_cmpint(sd_event_exit(f->event, 0), >=, 0);
        g_assert_cmpint(sd_event_loop(f->event), ==, 0);
        assert_start_fails(f, -ESTALE);
}

/* Answers of the kernel that do not occur at will. */

static ssize_t hook_failed_dump(void *buf, size_t size, ssize_t n) {
        int left = (int) n;

        for (struct nlmsghdr *m = buf; n > 0 && mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left))
                if (m->nlmsg_type == NLMSG_DONE)
                        memcpy(mnl_nlmsg_get_payload(m), &(int){ -EIO }, sizeof(int));
        return n;
}

static ssize_t hook_refused(void *buf, size_t size, ssize_t n) {
        struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
        struct nlmsgerr *e = mnl_nlmsg_put_extra_header(m, sizeof(*e));

        m->nlmsg_type = NLMSG_ERROR;
        e->error = -EBUSY;
        return m->nlmsg_len;
}

static ssize_t hook_refused_briefly(void *buf, size_t size, ssize_t n) {
        struct nlmsghdr *m = mnl_nlmsg_put_header(buf);

        m->nlmsg_type = NLMSG_ERROR;
        return m->nlmsg_len;
}

static ssize_t hook_too_long(void *buf, size_t size, ssize_t n) {
        return (ssize_t) size + 1;
}

/* Cuts each message to its header. */
static ssize_t hook_short(void *buf, size_t size, ssize_t n) {
        struct nlmsghdr *m = buf;

        if (n > 0 && (m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_NEWLINK)) {
                m->nlmsg_len = NLMSG_HDRLEN;
                return NLMSG_HDRLEN;
        }
        return n;
}

static ssize_t hook_no_attributes(void *buf, size_t size, ssize_t n) {
        struct nlmsghdr *m = buf;

        if (n > 0 && (m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_NEWLINK)) {
                m->nlmsg_len = NLMSG_LENGTH(m->nlmsg_type == RTM_NEWADDR ? sizeof(struct ifaddrmsg) : sizeof(struct ifinfomsg));
                return m->nlmsg_len;
        }
        return n;
}

static void test_bad_answers(Fixture *f, const void *data) {
        static const int harmless[] = { EAGAIN, EINTR };

        recvfrom_hook = hook_failed_dump;
        assert_start_fails(f, -EIO);
        recvfrom_hook = hook_refused;
        assert_start_fails(f, -EBUSY);
        recvfrom_hook = hook_refused_briefly;
        assert_start_fails(f, -EBADMSG);
        recvfrom_hook = hook_too_long;
        assert_start_fails(f, -EMSGSIZE);

        recvfrom_hook = NULL;
        recvfrom_error = ENOBUFS;
        start(f);
        g_assert_cmpuint(host_statistics(f->host)->overruns, ==, 1);
        assert_as_ip_says(f);
        g_string_truncate(f->events, 0);

        /* Nothing there after all. */
        for (size_t i = 0; i < G_N_ELEMENTS(harmless); i++) {
                recvfrom_error = harmless[i];
                ip("addr add 192.0.2.%zu/24 dev v0", i + 10);
                settle(f);
                g_assert_cmpint(recvfrom_error, ==, 0);
        }
        g_assert_cmpuint(host_statistics(f->host)->passes, ==, 1);
        assert_events(f, "+192.0.2.10/24 v0 3\n+192.0.2.11/24 v0 3\n");

        /* Messages that lack what they should have say nothing. */
        recvfrom_hook = hook_short;
        ip("addr add 192.0.2.1/24 dev v0");
        ip("link set v1 name v2");
        assert_events(f, "");
        recvfrom_hook = hook_no_attributes;
        ip("addr add 192.0.2.2/24 dev v0");
        ip("link set v2 name v1");
        assert_events(f, "");
}

/* Anyone with the right capability could send to the socket; only the kernel is believed. */
static void test_forged(Fixture *f, const void *data) {
        _Alignas(struct nlmsghdr) char buf[256] = {};
        struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
        struct sockaddr_nl to = { .nl_family = AF_NETLINK };
        struct ifaddrmsg *info;
        int fd;

        start_quietly(f);

        m->nlmsg_type = RTM_NEWADDR;
        info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
        info->ifa_family = AF_INET;
        info->ifa_prefixlen = 24;
        info->ifa_index = 10;
        mnl_attr_put_u32(m, IFA_LOCAL, htonl(0xc0000201));
        mnl_attr_put_u32(m, IFA_ADDRESS, htonl(0xc0000201));
        to.nl_pid = host_netlink_port(f->host);

        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(sendto(fd, m, m->nlmsg_len, 0, (struct sockaddr *) &to, sizeof(to)), ==, (ssize_t) m->nlmsg_len);
        g_assert_cmpint(close(fd), ==, 0);
        assert_events(f, "");
        g_assert_cmpuint(host_statistics(f->host)->forgeries, ==, 1);
}

/* The table changes between two parts of a read: the kernel says so, and all is read again. */

static unsigned changes_left, changes_made;

static ssize_t hook_change(void *buf, size_t size, ssize_t n) {
        const struct nlmsghdr *m = buf;

        if (n > 0 && m->nlmsg_type == RTM_NEWADDR && m->nlmsg_flags & NLM_F_MULTI && changes_left > 0) {
                changes_left--;
                ip("addr del 10.1.0.%u/32 dev lo", 1 + changes_made++);
        }
        return n;
}

static void fill(void) {
        g_autoptr(GString) s = g_string_new(NULL);

        for (unsigned i = 0; i < 1500; i++)
                g_string_append_printf(s, "addr add 10.1.%u.%u/32 dev lo\n", i / 250, i % 250 + 1);
        ip_batch(s->str);
}

static void test_interrupted(Fixture *f, const void *data) {
        fill();
        recvfrom_hook = hook_change;
        changes_left = 1;
        start(f);
        g_assert_cmpuint(host_statistics(f->host)->interruptions, ==, 1);
        g_assert_cmpuint(host_statistics(f->host)->passes, ==, 1);
        assert_as_ip_says(f);
        stop(f);

        /* the same from the loop, more often than it is tried in a row */
        f->tuning.retry_msec = 100;
        start_quietly(f);
        changes_left = 200;
        recvfrom_error = ENOBUFS;
        ip("addr add 192.0.2.1/24 dev v0");
        settle(f);
        g_assert_cmpuint(host_statistics(f->host)->interruptions, ==, 2);
        g_assert_cmpuint(host_statistics(f->host)->passes, ==, 1);
        g_assert_cmpstr(f->events->str, ==, "");
        wait_for(f, host_statistics(f->host)->interruptions == 5);
        g_assert_cmpuint(host_statistics(f->host)->passes, ==, 1);
        changes_left = 0;
        wait_for(f, host_statistics(f->host)->passes == 2);
        assert_as_ip_says(f);
}

/* Puts the notification that the first address of a read is gone before that part of the read: it was copied before it went. */
static ssize_t hook_late_part(void *buf, size_t size, ssize_t n) {
        struct nlmsghdr *m = buf;
        size_t first;

        if (n <= 0 || m->nlmsg_type != RTM_NEWADDR || !(m->nlmsg_flags & NLM_F_MULTI))
                return n;

        first = NLMSG_ALIGN(m->nlmsg_len);
        g_assert_cmpuint((size_t) n + first, <=, size);
        memmove((char *) buf + first, buf, (size_t) n);
        m->nlmsg_type = RTM_DELADDR;
        m->nlmsg_flags = 0;
        return n + (ssize_t) first;
}

static void test_late_part(Fixture *f, const void *data) {
        recvfrom_hook = hook_late_part;
        ip("addr add 192.0.2.1/24 dev v0");
        start(f);
        g_assert_false(is_told(f, "127.0.0.1")); /* of lo, hence first */
        g_assert_true(is_told(f, "192.0.2.1"));

        recvfrom_hook = NULL;
        recvfrom_error = ENOBUFS;
        ip("addr add 192.0.2.2/24 dev v0");
        assert_as_ip_says(f);
        g_assert_true(is_told(f, "127.0.0.1"));
}

/* For a while nothing can be sent: what was told stays, and a later attempt brings all that was missed. */
static void test_retry(Fixture *f, const void *data) {
        g_auto(GStrv) log = NULL;

        f->tuning.receive_buffer = 4096;
        f->tuning.retry_msec = 20;
        start_quietly(f);

        log_capture();
        sendto_error = ENOMEM;
        ip("addr add 192.0.2.1/24 dev v0");
        ip("addr del 127.0.0.1/8 dev lo");
        overrun(f);
        wait_for(f, host_statistics(f->host)->failures >= 6);
        g_assert_cmpuint(host_statistics(f->host)->passes, ==, 1);

        ip("addr add 192.0.2.2/24 dev v0");
        sendto_error = 0;
        wait_for(f, host_statistics(f->host)->passes == 2);
        settle(f);
        assert_as_ip_says(f);

        /* one line for all attempts, and one for the next trouble */
        sendto_error = ENOMEM;
        overrun(f);
        sendto_error = 0;
        wait_for(f, host_statistics(f->host)->passes == 3);
        log = log_captured();
        g_assert_cmpuint(g_strv_length(log), ==, 2);
        g_assert_nonnull(strstr(log[0], "Failed to read the addresses"));
        g_assert_cmpstr(log[0], ==, log[1]);

        /* and the number of attempts starts from nothing */
        overrun(f);
        settle(f);
        g_assert_cmpuint(host_statistics(f->host)->passes, ==, 4);
        ip("addr add 192.0.2.3/24 dev v0");
        settle(f);
        assert_as_ip_says(f);
}

static void test_free_with_pending(Fixture *f, const void *data) {
        /* notifications in the queue */
        start_quietly(f);
        ip("addr add 192.0.2.1/24 dev v0");
        f->host = host_free(f->host);
        assert_events(f, "");
        stop(f);

        /* in the middle of a read */
        f->tuning.receive_buffer = 4096;
        start_quietly(f);
        overrun(f);
        g_string_truncate(f->events, 0);
        f->host = host_free(f->host);
        assert_events(f, "");
        stop(f);

        /* in the pause before the next attempt */
        f->tuning.retry_msec = 1;
        start_quietly(f);
        sendto_error = ENOMEM;
        overrun(f);
        g_string_truncate(f->events, 0);
        f->host = host_free(f->host);
        sendto_error = 0;
        g_usleep(5000);
        assert_events(f, "");
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, fixture_set_up, func, faults_tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        if (geteuid() != 0) {
                g_print("1..0 # SKIP making network namespaces takes root\n");
                return 0;
        }

        ADD("/host-faults/start-fails", test_start_fails);
        ADD("/host-faults/bad-answers", test_bad_answers);
        ADD("/host-faults/forged", test_forged);
        ADD("/host-faults/interrupted", test_interrupted);
        ADD("/host-faults/late-part", test_late_part);
        ADD("/host-faults/retry", test_retry);
        ADD("/host-faults/free-with-pending", test_free_with_pending);

        return g_test_run();
}
