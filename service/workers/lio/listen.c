/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/listen.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/array.h"

/* A netlink dump comes in parts of up to 32 KiB when the reader offers that much. */
#define DUMP_BUFFER_SIZE 32768u

static inline void mnl_socket_closep(struct mnl_socket **s) {
        if (*s)
                (void) mnl_socket_close(*s);
}

void listeners_done(Listeners *l) {
        free(l->items);
        *l = (Listeners){};
}

static int on_message(const struct nlmsghdr *nlh, void *userdata) {
        const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
        Listeners *l = userdata;
        const struct nlattr *attribute;
        Listener item = {};

        if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m) || m->idiag_state != TCP_LISTEN)
                return MNL_CB_OK;

        item.family = m->idiag_family;
        item.port = ntohs(m->id.idiag_sport);
        item.ifindex = m->id.idiag_if;
        item.uid = m->idiag_uid;
        item.inode = m->idiag_inode;
        if (item.family == AF_INET)
                memcpy(&item.in, m->id.idiag_src, sizeof(item.in));
        else if (item.family == AF_INET6)
                memcpy(&item.in6, m->id.idiag_src, sizeof(item.in6));
        else
                return MNL_CB_OK;

        mnl_attr_for_each(attribute, nlh, sizeof(*m)) {
                if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY && mnl_attr_get_payload_len(attribute) >= 1)
                        item.v6_only = mnl_attr_get_u8(attribute);
        }

        if (array_grow(&l->items, l->n, sizeof(item)) < 0) {
                errno = ENOMEM;
                return MNL_CB_ERROR;
        }
        l->items[l->n++] = item;
        return MNL_CB_OK;
}

static int on_error(const struct nlmsghdr *nlh, void *userdata _unused_) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

        errno = mnl_nlmsg_get_payload_len(nlh) < sizeof(*e) ? EBADMSG : -e->error;
        return errno == 0 ? MNL_CB_STOP : MNL_CB_ERROR;
}

/* A dump that failed ends like any other, only that a negative errno comes with its end; libmnl's own handler does not look. */
static int on_done(const struct nlmsghdr *nlh, void *userdata _unused_) {
        int error = 0;

        if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
                memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));

        errno = error < 0 ? -error : 0;
        return error < 0 ? MNL_CB_ERROR : MNL_CB_STOP;
}

static int dump_family(struct mnl_socket *socket, int family, uint16_t port, Listeners *l) {
        _cleanup_free_ char *buf = NULL;
        static mnl_cb_t control[] = { [NLMSG_ERROR] = on_error, [NLMSG_DONE] = on_done };
        struct inet_diag_req_v2 *request;
        struct nlmsghdr *nlh;
        unsigned seq = (unsigned) family;
        int r;

        buf = malloc(DUMP_BUFFER_SIZE);
        if (!buf)
                return -ENOMEM;

        nlh = mnl_nlmsg_put_header(buf);
        nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
        nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        nlh->nlmsg_seq = seq;
        request = mnl_nlmsg_put_extra_header(nlh, sizeof(*request));
        request->sdiag_family = (uint8_t) family;
        request->sdiag_protocol = IPPROTO_TCP;
        request->idiag_states = 1u << TCP_LISTEN;
        request->id.idiag_sport = htons(port);

        if (mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
                return -errno;

        do {
                ssize_t n;

                n = mnl_socket_recvfrom(socket, buf, DUMP_BUFFER_SIZE);
                if (n < 0)
                        return -errno;
                r = mnl_cb_run2(buf, (size_t) n, seq, mnl_socket_get_portid(socket), on_message, l, control, ELEMENTSOF(control));
        } while (r > MNL_CB_STOP);

        return r < 0 ? -errno : 0;
}

int listeners_read(uint16_t port, Listeners *ret) {
        _cleanup_(mnl_socket_closep) struct mnl_socket *socket = NULL;
        _cleanup_(listeners_done) Listeners l = {};
        int r;

        socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
        if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return -errno;

        r = dump_family(socket, AF_INET, port, &l);
        if (r < 0)
                return r;

        r = dump_family(socket, AF_INET6, port, &l);
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

const Listener *listeners_find(const Listeners *l, const Portal *portal) {
        uint32_t ifindex = 0;

        if (portal->address.zone[0]) {
                ifindex = if_nametoindex(portal->address.zone);
                if (ifindex == 0)
                        return NULL;
        }

        for (size_t i = 0; i < l->n; i++)
                if (l->items[i].port == portal->port && l->items[i].ifindex == ifindex &&
                    same_address(l->items + i, &portal->address))
                        return l->items + i;

        return NULL;
}

bool listener_conflicts(const Listener *l, const Portal *portal, bool v6_only) {
        IpAddress existing = listener_address(l);
        bool any_existing = ip_address_is_wildcard(&existing), any_new = ip_address_is_wildcard(&portal->address);
        uint32_t ifindex;

        if (l->port != portal->port)
                return false;

        /* Sockets bound to two interfaces never meet. */
        ifindex = portal->address.zone[0] ? if_nametoindex(portal->address.zone) : 0;
        if (l->ifindex != 0 && ifindex != 0 && l->ifindex != ifindex)
                return false;

        if (l->family == portal->address.family)
                return any_existing || any_new || same_address(l, &portal->address);

        /* An IPv6 socket that is not v6-only owns the port on IPv4 too, if it is a wildcard. */
        if (l->family == AF_INET6)
                return any_existing && !l->v6_only;
        return any_new && !v6_only;
}

IpAddress listener_address(const Listener *l) {
        IpAddress a = { .family = l->family };

        if (l->family == AF_INET)
                a.in = l->in;
        else
                a.in6 = l->in6;
        if (ip_address_is_link_local(&a) && l->ifindex != 0 && !if_indextoname(l->ifindex, a.zone))
                a.zone[0] = '\0';

        return a;
}
