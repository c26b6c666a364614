/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/listen.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "workers/base/netlink.h"

#define TARGET_BACKLOG 256u /* ISCSIT_TCP_BACKLOG */

void listeners_done(Listeners *l) {
        free(l->items);
        *l = (Listeners){};
}

static int on_socket(const struct nlmsghdr *nlh, void *userdata) {
        const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
        Listeners *l = userdata;
        const struct nlattr *a;
        Listener item = {};

        if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || m->idiag_state != TCP_LISTEN)
                return MNL_CB_OK;

        item.family = m->idiag_family;
        item.port = ntohs(m->id.idiag_sport);
        item.ifindex = m->id.idiag_if;
        item.uid = m->idiag_uid;
        item.inode = m->idiag_inode;
        item.of_target = m->idiag_wqueue == TARGET_BACKLOG;
        if (item.family == AF_INET)
                memcpy(&item.in, m->id.idiag_src, sizeof(item.in));
        else if (item.family == AF_INET6)
                memcpy(&item.in6, m->id.idiag_src, sizeof(item.in6));
        else
                return MNL_CB_OK;

        mnl_attr_for_each(a, nlh, sizeof(*m)) {
                const struct inet_diag_sockopt *options = mnl_attr_get_payload(a);

                if (mnl_attr_get_type(a) == INET_DIAG_SKV6ONLY && mnl_attr_get_payload_len(a) >= 1)
                        item.v6_only = mnl_attr_get_u8(a);
                if (mnl_attr_get_type(a) == INET_DIAG_SOCKOPT && mnl_attr_get_payload_len(a) >= sizeof(*options) &&
                    !options->freebind)
                        item.of_target = false;
        }

        if (array_grow(&l->items, l->n, sizeof(item)) < 0) {
                errno = ENOMEM;
                return MNL_CB_ERROR;
        }
        l->items[l->n++] = item;
        return MNL_CB_OK;
}

static void restart(void *userdata) {
        listeners_done(userdata);
}

/* The older of the kernel's two requests: it alone tells both families in one dump. */
int listeners_read(uint16_t port, Listeners *ret) {
        char buf[MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct inet_diag_req))];
        _cleanup_(listeners_done) Listeners l = {};
        struct inet_diag_req *request;
        struct nlmsghdr *nlh;
        int r;

        nlh = mnl_nlmsg_put_header(buf);
        nlh->nlmsg_type = TCPDIAG_GETSOCK;
        nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
        request->idiag_states = 1u << TCP_LISTEN;
        request->id.idiag_sport = htons(port);

        r = netlink_dump(NETLINK_SOCK_DIAG, nlh, on_socket, restart, &l);
        if (r < 0)
                return r;

        *ret = l;
        l = (Listeners){};
        return 0;
}

static bool same_address(const Listener *l, const IpAddress *a) {
        if (l->family != a->family)
                return false;

        return l->family == AF_INET ? l->in.s_addr == a->in.s_addr : memcmp(&l->in6, &a->in6, sizeof(l->in6)) == 0;
}

bool listener_is(const Listener *l, const Portal *portal, uint32_t ifindex) {
        if (portal->address.zone[0] && ifindex == 0)
                return false;

        return l->port == portal->port && l->ifindex == ifindex && same_address(l, &portal->address);
}

const Listener *listeners_find(const Listeners *l, const Portal *portal, uint32_t ifindex) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].of_target && listener_is(l->items + i, portal, ifindex))
                        return l->items + i;

        return NULL;
}

bool listener_conflicts(const Listener *l, const Portal *portal, uint32_t ifindex, bool v6_only) {
        Portal existing = listener_portal(l, NULL);
        Listener v4 = { .family = AF_INET, .port = l->port, .ifindex = l->ifindex };
        bool any_existing, any_new = ip_address_is_wildcard(&portal->address);

        if (l->port != portal->port)
                return false;

        /* Sockets bound to two interfaces never meet. */
        if (l->ifindex != 0 && ifindex != 0 && l->ifindex != ifindex)
                return false;

        /* An IPv6 socket that is bound to an IPv4 address is one of IPv4 in all but its name. */
        if (l->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&l->in6)) {
                memcpy(&v4.in, l->in6.s6_addr + 12, sizeof(v4.in));
                return listener_conflicts(&v4, portal, ifindex, v6_only);
        }

        any_existing = ip_address_is_wildcard(&existing.address);
        if (l->family == portal->address.family)
                return any_existing || any_new || same_address(l, &portal->address);

        /* An IPv6 socket that is not v6-only owns the port on IPv4 too, if it is a wildcard. */
        if (l->family == AF_INET6)
                return any_existing && !l->v6_only;
        return any_new && !v6_only;
}

Portal listener_portal(const Listener *l, const char *zone) {
        Portal p = { .address.family = l->family, .port = l->port };

        if (l->family == AF_INET)
                p.address.in = l->in;
        else
                p.address.in6 = l->in6;
        if (zone && ip_address_is_link_local(&p.address))
                (void) snprintf(p.address.zone, sizeof(p.address.zone), "%s", zone);

        return p;
}
