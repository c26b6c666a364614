/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The network interfaces of the host and their addresses. open-iscsi hides behind a timeout that an interface is missing or has
 * no address, so that is looked at before a record is written. */

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"

typedef struct Netdev {
        int index;
        char name[IF_NAMESIZE];
        IpAddress *addresses; /* owned, sorted, each once */
        size_t n_addresses;
} Netdev;

typedef struct Netdevs {
        Netdev *items; /* owned */
        size_t n;
} Netdevs;

/* Reads all of them as they are now. Returns 0 or a negative errno. */
int netdevs_read(Netdevs *ret);
void netdevs_done(Netdevs *d);

/* The interface with this name, which may be an alternative one; NULL if there is none now. */
const Netdev *netdevs_find(const Netdevs *d, const char *name);

bool netdev_has(const Netdev *d, const IpAddress *address);

/* The first interface that has ADDRESS, or NULL. */
const Netdev *netdevs_of_address(const Netdevs *d, const IpAddress *address);
