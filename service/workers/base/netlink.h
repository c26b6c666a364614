/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Dumps of the kernel's tables by netlink. The sockets stay open between calls: one dump is two system calls. */

#include <libmnl/libmnl.h>

/* Sends REQUEST, whose header has all but the sequence number, to the netlink PROTOCOL and hands each message of the answer to
 * CALLBACK. A dump that the kernel calls inconsistent is repeated: then RESTART is called before. Returns 0 or a negative errno.
 * */
int netlink_dump(int protocol, struct nlmsghdr *request, mnl_cb_t callback, void (*restart)(void *userdata), void *userdata);
