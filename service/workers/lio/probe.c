/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/text.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* linux/in6.h; not every C library has it */
#endif

int portal_probe(const Portal *portal, uint32_t ifindex) {
        const IpAddress *a = &portal->address;
        _cleanup_close_ int fd = -1;
        static const int one = 1;
        union {
                struct sockaddr sa;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } sa = {};
        socklen_t size;

        if (a->family == AF_INET) {
                sa.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(portal->port), .sin_addr = a->in };
                size = sizeof(sa.in);
        } else {
                sa.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(portal->port), .sin6_addr = a->in6 };
                size = sizeof(sa.in6);
                if (a->zone[0] && ifindex == 0)
                        return -ENODEV;
                sa.in6.sin6_scope_id = ifindex;
        }

        fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
        if (fd < 0)
                return -errno;

        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
                return -errno;
        if (a->family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) < 0
                                 : setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one)) < 0)
                return -errno;

        if (bind(fd, &sa.sa, size) < 0)
                return -errno;

        return 0;
}

bool host_is_v6_only(void) {
        _cleanup_close_ int fd = -1;
        int value = 1;
        socklen_t size = sizeof(value);

        fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
        if (fd < 0 || getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size) < 0)
                return true;

        return value;
}

/* Whether the process has the socket that LINK ("socket:[4711]") tells among its descriptors: 1, 0, or a negative errno. */
static int process_has_socket(int proc_fd, const char *pid, const char *link) {
        _cleanup_closedir_ DIR *d = NULL;
        char path[64], target[64];
        struct dirent *de;
        int fd;

        (void) snprintf(path, sizeof(path), "%s/fd", pid);
        fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        d = fdopendir(fd);
        if (!d) {
                (void) close(fd);
                return -ENOMEM;
        }

        while ((de = readdir(d))) {
                ssize_t n;

                n = readlinkat(fd, de->d_name, target, sizeof(target) - 1);
                if (n < 0) {
                        if (errno == EACCES || errno == EPERM)
                                return -errno;
                        continue;
                }
                target[n] = '\0';
                if (strcmp(target, link) == 0)
                        return 1;
        }

        return 0;
}

int socket_find_process(const char *proc, uint32_t inode, pid_t *ret_pid, char ret_comm[static 64]) {
        _cleanup_closedir_ DIR *d = NULL;
        struct dirent *de;
        char link[32];
        int r = -ESRCH;

        if (inode == 0)
                return -ESRCH;
        (void) snprintf(link, sizeof(link), "socket:[%u]", inode);

        d = opendir(proc);
        if (!d)
                return -errno;

        while ((de = readdir(d))) {
                _cleanup_close_ int fd = -1;
                char path[64];
                ssize_t n;
                int q;

                if (strspn(de->d_name, "0123456789") != strlen(de->d_name) || strlen(de->d_name) > 10)
                        continue;
                q = process_has_socket(dirfd(d), de->d_name, link);
                if (q == -EACCES || q == -EPERM)
                        r = -EACCES;
                if (q <= 0)
                        continue;

                (void) snprintf(path, sizeof(path), "%.10s/comm", de->d_name);
                fd = openat(dirfd(d), path, O_RDONLY | O_CLOEXEC);
                n = fd < 0 ? -1 : read(fd, ret_comm, 63);
                ret_comm[MAX2(n, 0)] = '\0';

                /* A program chooses its name itself; it goes into messages and logs. */
                ret_comm[strcspn(ret_comm, "\n")] = '\0';
                text_mask_unprintable(ret_comm);

                *ret_pid = (pid_t) strtol(de->d_name, NULL, 10);
                return 0;
        }

        return r;
}

char *listener_describe_holder(const Listener *l) {
        Portal holder = listener_portal(l, NULL);
        char portal_text[PORTAL_TEXT_MAX], comm[64];
        char *text = NULL;
        pid_t process = 0;
        int r;

        (void) portal_to_text(&holder, portal_text);
        r = socket_find_process("/proc", l->inode, &process, comm);
        if (r >= 0)
                r = asprintf(&text, "%s, held by process %d (%s), user id %u", portal_text, (int) process, comm, l->uid);
        else if (r == -ESRCH)
                r = asprintf(&text, "%s, held by the kernel itself (no process has it), user id %u", portal_text, l->uid);
        else
                r = asprintf(&text,
                             "%s, held by a process that cannot be looked into, or by the kernel, user id %u (root sees it with "
                             "\"ss -ltnp 'sport = :%u'\")",
                             portal_text, l->uid, l->port);

        return r < 0 ? NULL : text;
}
