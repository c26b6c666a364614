/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's messages about devices that come and go (uevents, NETLINK_KOBJECT_UEVENT). Any user may listen. They come from the
 * kernel itself, so no udevd is needed. */

#include <stddef.h>

/* The longest message that the kernel sends is a little over 2 KiB. */
#define KERNEL_EVENT_MAX 8192u

/* Opens a socket that gets the messages. Returns the file descriptor, not blocking, or a negative errno. */
int kernel_events_open(void);

/* Takes one message out of the socket. *RET_PATH is the device's path below /sys, inside BUF. Returns 1, 0 if what came is no
 * message of the kernel, or a negative errno: -EAGAIN nothing is left, -ENOBUFS messages were lost. */
int kernel_events_receive(int fd, char buf[static KERNEL_EVENT_MAX], const char **ret_path);
