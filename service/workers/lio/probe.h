/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Asks the kernel whether a portal could be bound, by binding a socket as LIO would, and finds out who is in the way. */

#include <stdbool.h>
#include <stdint.h>

#include "workers/lio/listen.h"
#include "common/address.h"

/* Binds a socket with the options of LIO's own (SO_REUSEADDR, free-bind, v6-only as the host's default says) to PORTAL, whose
 * zone's interface is IFINDEX, and closes it again. It never listens, so that probes of several workers, and LIO's sockets
 * meanwhile, do not get in each other's way: with SO_REUSEADDR only listening sockets exclude others. Returns 0 if it could be
 * bound, or the negative errno of LIO's bind: -EADDRINUSE, -EACCES (no right to a port below 1024), -ENODEV (the zone's interface
 * does not exist), -EAFNOSUPPORT. */
int portal_probe(const Portal *portal, uint32_t ifindex);

/* Whether a new IPv6 socket of this host is v6-only (net.ipv6.bindv6only); true if there is no IPv6. */
bool host_is_v6_only(void);

/* Describes for people who holds the socket L, e.g. `[::]:3260, held by process 712 (tgtd), user id 0`. Looks through all
 * processes. Returns a fresh string, NULL if there is no memory for it. */
char *listener_describe_holder(const Listener *l);

/* The process that has the socket with this inode open, and its program's name. Returns 0, -ESRCH if no process has it (the
 * kernel's own sockets), -EACCES if none was found but not all could be looked into (that takes CAP_SYS_PTRACE), or another
 * negative errno. */
int socket_find_process(const char *proc, uint32_t inode, pid_t *ret_pid, char ret_comm[static 64]);
