/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "host/private.h"
#include "host/table.h"

/* Attempts at a full read that may fail one after the other without a pause between. */
#define ATTEMPTS_MAX 3u

/* One datagram. The kernel cuts a dump to the size of the reader's buffer, up to 32 KiB. */
#define DATAGRAM_MAX 32768u

/* A socket serves one full read and the notifications from then on:
 *
 *         open, subscribe      all links read     all addresses read
 *   CLOSED ─────────────▶ LINKS ───────────▶ ADDRESSES ───────────▶ FOLLOWING
 *     ▲                     │                    │                      │
 *     └─────────────────────┴────────────────────┴──────────────────────┘
 *          notifications lost, dump interrupted or failed
 *
 * After any of these failures the socket is closed with all that is queued in it, and a new one begins with a new read. So there
 * are no remains of an old dump to be told apart from the new one. */
typedef enum HostState {
        HOST_CLOSED,
        HOST_LINKS,
        HOST_ADDRESSES,
        HOST_FOLLOWING,
} HostState;

struct Host {
        sd_event *event;
        sd_event_source *io;
        sd_event_source *retry;
        struct mnl_socket *socket;
        HostTuning tuning;
        HostState state;
        bool dump_done;
        unsigned attempts; /* failed in a row */
        bool in_trouble;   /* a failure was logged, and no read has come to its end since */
        HostTable *table;
        HostStatistics statistics;
};

/* A megabyte holds more than a thousand notifications. The kernel allows an unprivileged process net.core.rmem_max only. */
const HostTuning host_tuning_default = {
        .receive_buffer = 1024 * 1024,
        .start_timeout_msec = 5000,
        .retry_msec = 1000,
};

static int host_on_readable(sd_event_source *s, int fd, uint32_t revents, void *userdata);

static int on_link(Host *h, const struct nlmsghdr *message, HostSource source) {
        const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute;
        const char *name = NULL;

        /* The same message types tell of ports of a bridge (AF_BRIDGE), where a removal is not one of the link. */
        if (mnl_nlmsg_get_payload_len(message) < sizeof(*info) || info->ifi_family != AF_UNSPEC)
                return 0;

        if (message->nlmsg_type == RTM_DELLINK)
                return host_table_drop_link(h->table, info->ifi_index);

        mnl_attr_for_each(attribute, message, sizeof(*info)) {
                if (mnl_attr_get_type(attribute) == IFLA_IFNAME && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
                        name = mnl_attr_get_str(attribute);
        }

        return name ? host_table_set_link(h->table, source, info->ifi_index, name) : 0;
}

static int on_address(Host *h, const struct nlmsghdr *message, HostSource source) {
        const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
        const struct nlattr *attribute, *local = NULL, *address = NULL;
        HostRow row = {};
        size_t size;

        if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
                return 0;
        if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
                return 0;

        size = info->ifa_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
        row.ifindex = (int) info->ifa_index;
        row.family = info->ifa_family;
        row.prefix_length = info->ifa_prefixlen;
        row.flags = info->ifa_flags;

        mnl_attr_for_each(attribute, message, sizeof(*info)) {
                uint16_t n = mnl_attr_get_payload_len(attribute);

                switch (mnl_attr_get_type(attribute)) {
                case IFA_LOCAL:
                        if (n == size)
                                local = attribute;
                        break;
                case IFA_ADDRESS:
                        if (n == size)
                                address = attribute;
                        break;
                case IFA_FLAGS: /* the header has room for the first eight only */
                        if (n == sizeof(uint32_t))
                                row.flags = mnl_attr_get_u32(attribute);
                        break;
                case IFA_PROTO:
                        if (n == sizeof(uint8_t))
                                row.protocol = mnl_attr_get_u8(attribute);
                        break;
                }
        }

        /* IPv6 has no IFA_LOCAL unless there is a peer. */
        if (!local)
                local = address;
        if (!local)
                return 0;
        memcpy(row.local, mnl_attr_get_payload(local), size);
        memcpy(row.peer, mnl_attr_get_payload(address ?: local), size);

        if (message->nlmsg_type == RTM_DELADDR)
                return host_table_drop_row(h->table, &row);
        return host_table_set_row(h->table, source, &row);
}

static int on_message(const struct nlmsghdr *message, void *userdata) {
        HostSource source = message->nlmsg_flags & NLM_F_MULTI ? HOST_SOURCE_READ : HOST_SOURCE_NOTIFIED;
        Host *h = userdata;
        int r = 0;

        switch (message->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
                r = on_link(h, message, source);
                break;
        case RTM_NEWADDR:
        case RTM_DELADDR:
                r = on_address(h, message, source);
                break;
        }

        if (r < 0) {
                errno = -r;
                return MNL_CB_ERROR;
        }
        return MNL_CB_OK;
}

static int on_dump_done(const struct nlmsghdr *message, void *userdata) {
        Host *h = userdata;
        int error = 0;

        /* A dump that failed half-way ends like any other, but for the errno in the last message. */
        if (mnl_nlmsg_get_payload_len(message) >= sizeof(error))
                memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
        if (error < 0) {
                errno = -error;
                return MNL_CB_ERROR;
        }

        h->dump_done = true;
        return MNL_CB_STOP;
}

/* A refused request; no acknowledgement is ever asked for. */
static int on_error(const struct nlmsghdr *message, void *userdata) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(message);

        errno = mnl_nlmsg_get_payload_len(message) >= sizeof(*e) && e->error < 0 ? -e->error : EBADMSG;
        return MNL_CB_ERROR;
}

static mnl_cb_t on_control[] = {
        [NLMSG_ERROR] = on_error,
        [NLMSG_DONE] = on_dump_done,
};

static int host_request_dump(Host *h, uint16_t type) {
        _Alignas(struct nlmsghdr) char buf[128] = {};
        struct nlmsghdr *message = mnl_nlmsg_put_header(buf);

        message->nlmsg_type = type;
        message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        message->nlmsg_seq = type;
        if (type == RTM_GETLINK) {
                (void) mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
                mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        } else
                (void) mnl_nlmsg_put_extra_header(message, sizeof(struct ifaddrmsg));

        if (mnl_socket_sendto(h->socket, message, message->nlmsg_len) < 0)
                return -errno;

        h->dump_done = false;
        return 0;
}

static void host_close(Host *h) {
        h->io = sd_event_source_disable_unref(h->io);
        if (h->socket)
                (void) mnl_socket_close(h->socket);
        h->socket = NULL;
        h->state = HOST_CLOSED;
}

static int host_open(Host *h) {
        int fd, r;

        h->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (!h->socket)
                return -errno;

        fd = mnl_socket_get_fd(h->socket);
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &h->tuning.receive_buffer, sizeof(h->tuning.receive_buffer));

        /* Subscribed before the read is asked for, so that nothing falls between the two. */
        if (mnl_socket_bind(h->socket, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, MNL_SOCKET_AUTOPID) < 0)
                return -errno;

        r = sd_event_add_io(h->event, &h->io, fd, EPOLLIN, host_on_readable, h);
        if (r < 0)
                return r;

        (void) sd_event_source_set_description(h->io, "host-rtnetlink");
        return 0;
}

/* Begins a full read on a new socket. On failure the socket is closed again. */
static int host_begin(Host *h) {
        int r;

        host_close(h);

        r = host_open(h);
        if (r >= 0)
                r = host_request_dump(h, RTM_GETLINK);
        if (r < 0) {
                host_close(h);
                return r;
        }

        host_table_begin(h->table);
        h->state = HOST_LINKS;
        return 0;
}

/* Reads one datagram and takes the step that it leads to. After an error a new full read is due. */
static int host_receive(Host *h) {
        _Alignas(struct nlmsghdr) char buf[DATAGRAM_MAX];
        struct sockaddr_nl from = {};
        socklen_t from_size = sizeof(from);
        ssize_t n;

        n = recvfrom(mnl_socket_get_fd(h->socket), buf, sizeof(buf), MSG_TRUNC, (struct sockaddr *) &from, &from_size);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (from_size != sizeof(from) || from.nl_pid != 0) {
                h->statistics.forgeries++;
                return 0;
        }
        if ((size_t) n > sizeof(buf))
                return -EMSGSIZE;

        if (mnl_cb_run2(buf, (size_t) n, 0, 0, on_message, h, on_control, ELEMENTSOF(on_control)) < 0)
                return -errno;

        if (h->dump_done && h->state == HOST_LINKS) {
                h->state = HOST_ADDRESSES;
                return host_request_dump(h, RTM_GETADDR);
        }

        if (h->dump_done && h->state == HOST_ADDRESSES) {
                host_table_end(h->table);
                h->state = HOST_FOLLOWING;
                h->attempts = 0;
                h->in_trouble = false;
                h->statistics.passes++;
        }

        return 0;
}

static void host_count_error(Host *h, int error) {
        switch (-error) {
        case ENOBUFS:
                h->statistics.overruns++;
                log_debug("Notifications about addresses were lost, reading all of them again");
                break;
        case EINTR: /* NLM_F_DUMP_INTR */
                h->statistics.interruptions++;
                log_debug("The addresses changed while they were read, reading all of them again");
                break;
        default:
                /* One line per trouble, not per attempt. */
                h->statistics.failures++;
                (void) log_full_errno(h->in_trouble ? LOG_DEBUG : LOG_WARNING, error,
                                      "Failed to read the addresses of this host");
                h->in_trouble = true;
        }
}

static void host_arm_retry(Host *h) {
        uint64_t now;
        int r;

        r = sd_event_now(h->event, CLOCK_MONOTONIC, &now);
        if (r >= 0)
                r = sd_event_source_set_time(h->retry, now + h->tuning.retry_msec * UINT64_C(1000));
        if (r >= 0)
                r = sd_event_source_set_enabled(h->retry, SD_EVENT_ONESHOT);
        if (r < 0)
                (void) log_error_errno(r, "Failed to set a timer, addresses are not followed any more");
}

/* After ERROR: begins a new full read, at once or, after some attempts that failed in a row, once per pause. */
static void host_begin_again(Host *h, int error) {
        host_count_error(h, error);

        while (++h->attempts < ATTEMPTS_MAX) {
                error = host_begin(h);
                if (error >= 0)
                        return;
                host_count_error(h, error);
        }

        host_close(h);
        host_arm_retry(h);
}

static int host_on_readable(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Host *h = userdata;
        int r;

        r = host_receive(h);
        if (r < 0)
                host_begin_again(h, r);
        else
                host_table_tell(h->table);
        return 0;
}

static int host_on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        Host *h = userdata;
        int r;

        r = host_begin(h);
        if (r < 0)
                host_begin_again(h, r);
        return 0;
}

/* The first full read, for which the caller waits. */
static int host_read(Host *h) {
        uint64_t end = monotonic_msec() + h->tuning.start_timeout_msec;
        int r;

        r = host_begin(h);
        if (r < 0)
                return r;

        while (h->state != HOST_FOLLOWING) {
                struct pollfd p = { .fd = mnl_socket_get_fd(h->socket), .events = POLLIN };
                uint64_t now = monotonic_msec();

                if (now >= end)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int) (end - now)) < 0 && errno != EINTR)
                        return -errno;

                r = host_receive(h);
                if (r < 0) {
                        host_count_error(h, r);
                        if (r != -ENOBUFS && r != -EINTR)
                                return r;

                        r = host_begin(h);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

/* The setting is there exactly where IPv6 sockets are. A socket would tell as well, but the service's unit allows it none. */
static int wildcard_get(HostAddress *ret) {
        HostAddress a = { .address.family = AF_INET };
        _cleanup_close_ int fd = -1;
        char v6only = '1';

        fd = open("/proc/sys/net/ipv6/bindv6only", O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
                return -errno;
        if (fd >= 0 && read(fd, &v6only, 1) < 0)
                return -errno;
        if (v6only == '0') {
                a.address.family = AF_INET6;
                a.dual_stack = true;
        }

        *ret = a;
        return 0;
}

int host_new_tuned(sd_event *event, host_changed_t changed, void *userdata, const HostTuning *tuning, Host **ret) {
        _cleanup_(host_freep) Host *h = NULL;
        HostAddress wildcard;
        int r;

        r = wildcard_get(&wildcard);
        if (r < 0)
                return r;

        h = calloc(1, sizeof(*h));
        if (!h)
                return -ENOMEM;
        h->event = sd_event_ref(event);
        h->tuning = *tuning;

        r = host_table_new(changed, userdata, &h->table);
        if (r < 0)
                return r;

        r = sd_event_add_time(event, &h->retry, CLOCK_MONOTONIC, 0, 0, host_on_retry, h);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(h->retry, "host-retry");
        r = sd_event_source_set_enabled(h->retry, SD_EVENT_OFF);
        if (r < 0)
                return r;

        r = host_read(h);
        if (r < 0)
                return r;

        changed(HOST_ADDRESS_ADDED, &wildcard, userdata);
        host_table_tell(h->table);

        *ret = TAKE_PTR(h);
        return 0;
}

int host_new(sd_event *event, host_changed_t changed, void *userdata, Host **ret) {
        return host_new_tuned(event, changed, userdata, &host_tuning_default, ret);
}

void host_follow_links(Host *h, host_link_changed_t changed, void *userdata) {
        host_table_follow_links(h->table, changed, userdata);
}

int host_find_link(const Host *h, const char *name) {
        return host_table_find_link(h->table, name);
}

bool host_find_interface(const char *zone, char ret[static IF_NAMESIZE]) {
        unsigned index = if_nametoindex(zone);
        unsigned long number;
        char *end;

        if (index == 0) {
                number = strtoul(zone, &end, 0);
                if (zone[0] >= '0' && zone[0] <= '9' && !*end && number <= INT32_MAX)
                        index = (unsigned) number;
        }

        return index > 0 && if_indextoname(index, ret);
}

Host *host_free(Host *h) {
        if (!h)
                return NULL;

        host_close(h);
        (void) sd_event_source_disable_unref(h->retry);
        (void) sd_event_unref(h->event);
        (void) host_table_free(h->table);
        free(h);
        return NULL;
}

const HostStatistics *host_statistics(const Host *h) {
        return &h->statistics;
}

uint32_t host_netlink_port(const Host *h) {
        return mnl_socket_get_portid(h->socket);
}
