/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/netdevs.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/macro.h"

void netdevs_done(Netdevs *d) {
        for (size_t i = 0; i < d->n; i++)
                free(d->items[i].addresses);
        free(d->items);
        *d = (Netdevs){};
}

static Netdev *find_by_name(const Netdevs *d, const char *name) {
        for (size_t i = 0; i < d->n; i++)
                if (strcmp(d->items[i].name, name) == 0)
                        return d->items + i;

        return NULL;
}

/* LABEL: of an IPv4 address; it is the interface's name, with ':' and more behind it if it is that of an alias. */
static int get_netdev(Netdevs *d, const char *label, Netdev **ret) {
        char name[IF_NAMESIZE];

        (void) snprintf(name, sizeof(name), "%.*s", (int) strcspn(label, ":"), label);
        *ret = find_by_name(d, name);
        if (*ret)
                return 0;
        if (array_grow(&d->items, d->n, sizeof(*d->items)) < 0)
                return -ENOMEM;

        *ret = d->items + d->n++;
        **ret = (Netdev){};
        (void) snprintf((*ret)->name, sizeof((*ret)->name), "%s", name);
        return 0;
}

/* Returns whether it is an address that a port can be on. */
static bool take_address(const struct sockaddr *sa, const char *netdev, IpAddress *ret) {
        *ret = (IpAddress){ .family = sa->sa_family };
        if (sa->sa_family == AF_INET)
                ret->in = ((const struct sockaddr_in *) sa)->sin_addr;
        else if (sa->sa_family == AF_INET6)
                ret->in6 = ((const struct sockaddr_in6 *) sa)->sin6_addr;
        else
                return false;

        if (ip_address_is_link_local(ret))
                (void) snprintf(ret->zone, sizeof(ret->zone), "%s", netdev);
        return ip_address_is_usable(ret);
}

bool netdev_has(const Netdev *d, const IpAddress *address) {
        for (size_t i = 0; i < d->n_addresses; i++)
                if (ip_address_compare(d->addresses + i, address) == 0)
                        return true;

        return false;
}

static int compare(const void *a, const void *b) {
        return ip_address_compare(a, b);
}

int netdevs_read(Netdevs *ret) {
        _cleanup_(netdevs_done) Netdevs d = {};
        struct ifaddrs *list;
        int r = 0;

        if (getifaddrs(&list) < 0)
                return -errno;

        for (const struct ifaddrs *a = list; a && r >= 0; a = a->ifa_next) {
                IpAddress address;
                Netdev *netdev;

                r = get_netdev(&d, a->ifa_name, &netdev);
                if (r < 0 || !a->ifa_addr || !take_address(a->ifa_addr, netdev->name, &address) || netdev_has(netdev, &address))
                        continue;
                r = array_grow(&netdev->addresses, netdev->n_addresses, sizeof(address));
                if (r >= 0)
                        netdev->addresses[netdev->n_addresses++] = address;
        }
        freeifaddrs(list);
        if (r < 0)
                return r;

        for (size_t i = 0; i < d.n; i++)
                if (d.items[i].n_addresses > 1)
                        qsort(d.items[i].addresses, d.items[i].n_addresses, sizeof(IpAddress), compare);
        *ret = d;
        d = (Netdevs){};
        return 0;
}

const Netdev *netdevs_find(const Netdevs *d, const char *name) {
        const Netdev *found = find_by_name(d, name);
        char own[IF_NAMESIZE];
        unsigned index;

        if (found)
                return found;

        /* The kernel finds an interface by its alternative names, too. */
        index = if_nametoindex(name);
        return index > 0 && if_indextoname(index, own) ? find_by_name(d, own) : NULL;
}

const Netdev *netdevs_of_address(const Netdevs *d, const IpAddress *address) {
        for (size_t i = 0; i < d->n; i++)
                if (netdev_has(d->items + i, address))
                        return d->items + i;

        return NULL;
}
