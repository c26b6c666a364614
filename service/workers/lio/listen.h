/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The listening TCP sockets of our network namespace, from the kernel's sock_diag. configfs cannot tell whether a portal listens:
 * the kernel may accept a portal and bind nothing. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/address.h"
#include "common/macro.h"

typedef struct Listener {
        int family; /* AF_INET or AF_INET6 */
        union {
                struct in_addr in;
                struct in6_addr in6;
        };
        uint16_t port;    /* host byte order */
        uint32_t ifindex; /* the interface it is bound to (a link-local address's zone), 0 for none */
        bool v6_only;     /* of an IPv6 socket: it takes no IPv4 connections */
        bool of_target;   /* made as the kernel's target makes its own: bound ahead (free-bind) and with its backlog. Any other
                           * socket belongs to another program; of these, one by chance may too */
        bool ignored;     /* to be taken as gone: the caller's mark */
        uid_t uid;        /* of who made it */
        uint32_t inode;   /* of the socket, as /proc/<pid>/fd shows it; 0 if it has none */
} Listener;

typedef struct Listeners {
        Listener *items;
        size_t n;
} Listeners;

/* Reads all listening TCP sockets, of both families, with this TCP port; PORT 0: with any. Returns 0 or a negative errno; -ENOENT
 * means that the kernel lacks its module tcp_diag. */
int listeners_read(uint16_t port, Listeners *ret);
void listeners_done(Listeners *l);

/* Whether L has exactly this address, TCP port and zone: IFINDEX is the zone's interface now, 0 for none. */
bool listener_is(const Listener *l, const Portal *portal, uint32_t ifindex);

/* The listener of the target with exactly this address, zone and port, NULL if there is none. A zone without an interface has
 * none. */
const Listener *listeners_find(const Listeners *l, const Portal *portal, uint32_t ifindex);

/* Whether L and a new listener on PORTAL would exclude each other: the same address, or a wildcard against any address of the
 * same family, or across families if the wildcard's socket is dual-stack. V6_ONLY is of the new socket. */
bool listener_conflicts(const Listener *l, const Portal *portal, uint32_t ifindex, bool v6_only);

/* Address and TCP port of L, for texts and for comparing bytes. ZONE, the name of its interface or NULL, is set where it belongs
 * to the address. */
Portal listener_portal(const Listener *l, const char *zone);
