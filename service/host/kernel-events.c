/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/kernel-events.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/macro.h"

/* Other programs may send to the group 2, where udevd repeats the messages; in this one the kernel does. */
#define GROUP_KERNEL 1u

/* A burst of some hundred messages fits; the kernel allows an unprivileged process net.core.rmem_max only. */
#define RECEIVE_BUFFER (1024 * 1024)

int kernel_events_open(void) {
        static const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = GROUP_KERNEL };
        static const int buffer = RECEIVE_BUFFER;
        _cleanup_close_ int fd = -1;

        fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
        if (fd < 0)
                return -errno;
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
        if (bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;

        return TAKE_FD(fd);
}

int kernel_events_receive(int fd, char buf[static KERNEL_EVENT_MAX], const char **ret_path) {
        struct sockaddr_nl from = {};
        socklen_t from_size = sizeof(from);
        const char *at;
        ssize_t n;

        n = recvfrom(fd, buf, KERNEL_EVENT_MAX, MSG_TRUNC, (struct sockaddr *) &from, &from_size);
        if (n < 0)
                return errno == EINTR ? -EAGAIN : -errno;

        /* The kernel's sockets alone have the port 0. Root's programs can send to the group too. */
        if (from_size != sizeof(from) || from.nl_pid != 0 || !(from.nl_groups & GROUP_KERNEL))
                return 0;
        if (n == 0 || (size_t) n > KERNEL_EVENT_MAX || buf[n - 1] != '\0')
                return 0;

        /* "add@/devices/…", and then the variables, which say the same. */
        at = strchr(buf, '@');
        if (!at)
                return 0;
        *ret_path = at + 1;
        return 1;
}
