/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/netdevs.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/macro.h"
#include "workers/base/netlink.h"

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

static Netdev *find_by_index(const Netdevs *d, int index) {
        for (size_t i = 0; i < d->n; i++)
                if (d->items[i].index == index)
                        return d->items + i;

        return NULL;
}

static int on_link(const struct nlmsghdr *nlh, void *userdata) {
        const struct ifinfomsg *m = mnl_nlmsg_get_payload(nlh);
        const struct nlattr *a;
        Netdevs *d = userdata;

        if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
                return MNL_CB_OK;
        if (array_grow(&d->items, d->n, sizeof(*d->items)) < 0) {
                errno = ENOMEM;
                return MNL_CB_ERROR;
        }

        d->items[d->n] = (Netdev){ .index = m->ifi_index };
        mnl_attr_for_each(a, nlh, sizeof(*m)) {
                if (mnl_attr_get_type(a) == IFLA_IFNAME)
                        (void) snprintf(d->items[d->n].name, sizeof(d->items[d->n].name), "%s", mnl_attr_get_str(a));
        }
        d->n++;
        return MNL_CB_OK;
}

/* Returns whether it is an address that a port can be on. */
static bool take_address(const struct ifaddrmsg *m, const struct nlattr *a, const char *netdev, IpAddress *ret) {
        size_t size = m->ifa_family == AF_INET ? sizeof(ret->in) : sizeof(ret->in6);

        *ret = (IpAddress){ .family = m->ifa_family };
        if ((m->ifa_family != AF_INET && m->ifa_family != AF_INET6) || mnl_attr_get_payload_len(a) != size)
                return false;
        memcpy(m->ifa_family == AF_INET ? (void *) &ret->in : (void *) &ret->in6, mnl_attr_get_payload(a), size);

        if (ip_address_is_link_local(ret))
                (void) snprintf(ret->zone, sizeof(ret->zone), "%s", netdev);
        return ip_address_is_usable(ret);
}

/* Where the two differ, IFA_ADDRESS is the other end's. */
static const struct nlattr *own_address(const struct nlmsghdr *nlh) {
        const struct nlattr *a, *address = NULL;

        mnl_attr_for_each(a, nlh, sizeof(struct ifaddrmsg)) {
                if (mnl_attr_get_type(a) == IFA_LOCAL)
                        return a;
                if (mnl_attr_get_type(a) == IFA_ADDRESS)
                        address = a;
        }
        return address;
}

static int on_address(const struct nlmsghdr *nlh, void *userdata) {
        const struct ifaddrmsg *m = mnl_nlmsg_get_payload(nlh);
        const struct nlattr *a;
        IpAddress address;
        Netdev *netdev;

        if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
                return MNL_CB_OK;
        a = own_address(nlh);
        netdev = find_by_index(userdata, (int) m->ifa_index); /* NULL: it was made after the interfaces were read */
        if (!a || !netdev || !take_address(m, a, netdev->name, &address) || netdev_has(netdev, &address))
                return MNL_CB_OK;
        if (array_grow(&netdev->addresses, netdev->n_addresses, sizeof(address)) < 0) {
                errno = ENOMEM;
                return MNL_CB_ERROR;
        }

        netdev->addresses[netdev->n_addresses++] = address;
        return MNL_CB_OK;
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

static void restart_links(void *userdata) {
        netdevs_done(userdata);
}

static void restart_addresses(void *userdata) {
        Netdevs *d = userdata;

        for (size_t i = 0; i < d->n; i++)
                d->items[i].n_addresses = 0;
}

static int read_links(Netdevs *d) {
        char buf[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct ifinfomsg)) + 64];
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
        struct ifinfomsg *m;

        nlh->nlmsg_type = RTM_GETLINK;
        nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));
        m->ifi_family = AF_UNSPEC;
        mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return netlink_dump(NETLINK_ROUTE, nlh, on_link, restart_links, d);
}

static int read_addresses(Netdevs *d) {
        char buf[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct ifaddrmsg))];
        struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
        struct ifaddrmsg *m;

        nlh->nlmsg_type = RTM_GETADDR;
        nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));
        m->ifa_family = AF_UNSPEC;
        return netlink_dump(NETLINK_ROUTE, nlh, on_address, restart_addresses, d);
}

int netdevs_read(Netdevs *ret) {
        _cleanup_(netdevs_done) Netdevs d = {};
        int r;

        r = read_links(&d);
        if (r >= 0)
                r = read_addresses(&d);
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
