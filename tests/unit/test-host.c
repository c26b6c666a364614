/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* host.h against the kernel, each test in a network namespace of its own. */

#include <arpa/inet.h>
#include <glib.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host-fixture.h"

static void test_initial(Fixture *f, const void *data) {
        ip("addr add 192.0.2.1/24 dev v0");
        ip("addr add fe80::1/64 dev v1 nodad");
        ip("addr add 2001:db8::1/48 dev v0 nodad");
        start(f);
        g_assert_true(g_str_has_prefix(f->events->str, "+::/0  0\n"));
        g_assert_cmpint(g_tree_nnodes(f->told), ==, 6);
        g_assert_true(is_told(f, "127.0.0.1"));
        g_assert_true(is_told(f, "::1"));
        g_assert_true(is_told(f, "fe80::1%v1"));
        assert_as_ip_says(f);

        g_string_truncate(f->events, 0);
        assert_events(f, "");
}

static void test_public_call(Fixture *f, const void *data) {
        g_assert_cmpint(host_new(f->event, on_changed, f, &f->host), ==, 0);
        assert_as_ip_says(f);
        g_assert_cmpuint(host_statistics(f->host)->passes, ==, 1);
        g_assert_null(host_free(NULL));
}

static void test_add_and_remove(Fixture *f, const void *data) {
        start_quietly(f);

        ip("addr add 192.0.2.1/24 dev v0");
        assert_events(f, "+192.0.2.1/24 v0 3\n");
        ip("addr add 192.0.2.2/24 dev v0");
        assert_events(f, "+192.0.2.2/24 v0 3\n");
        ip("addr add 2001:db8::1/64 dev v0 nodad");
        assert_events(f, "+2001:db8::1/64 v0 3\n");
        ip("addr del 2001:db8::1/64 dev v0");
        assert_events(f, "-2001:db8::1/64 v0 3\n");
        ip("addr del 192.0.2.1/24 dev v0");
        settle(f); /* with the first of a subnet the kernel takes the others */
        g_assert_false(is_told(f, "192.0.2.1"));
        g_assert_false(is_told(f, "192.0.2.2"));
        g_string_truncate(f->events, 0);
        assert_as_ip_says(f);

        /* Each step is told, also if the loop comes late. */
        ip_batch("addr add 192.0.2.3/24 dev v0\naddr del 192.0.2.3/24 dev v0\naddr add 192.0.2.3/24 dev v0\n");
        assert_events(f, "+192.0.2.3/24 v0 3\n-192.0.2.3/24 v0 3\n+192.0.2.3/24 v0 3\n");
}

static void test_not_addresses(Fixture *f, const void *data) {
        start_quietly(f);

        ip("addr add ::ffff:192.0.2.1/128 dev lo nodad");
        ip("addr add 255.255.255.255/32 dev lo");
        assert_events(f, "");
        ip("addr flush dev lo");
        assert_events(f, "-127.0.0.1/8 lo 3\n-::1/128 lo 3\n");
}

static void test_point_to_point(Fixture *f, const void *data) {
        start_quietly(f);

        ip("addr add 192.0.2.1 peer 192.0.2.2/32 dev v0");
        ip("addr add 2001:db8::1 peer 2001:db8::2/128 dev v0 nodad");
        assert_events(f, "+192.0.2.1/32 v0 3\n+2001:db8::1/128 v0 3\n");

        /* the same local address twice, with different peers */
        ip("addr add 192.0.2.1 peer 192.0.2.3/32 dev v0");
        ip("addr del 192.0.2.1 peer 192.0.2.2/32 dev v0");
        ip("addr change 2001:db8::1 peer 2001:db8::3/128 dev v0");
        assert_events(f, "");
        ip("addr del 192.0.2.1 peer 192.0.2.3/32 dev v0");
        ip("addr del 2001:db8::1 peer 2001:db8::3/128 dev v0");
        assert_events(f, "-192.0.2.1/32 v0 3\n-2001:db8::1/128 v0 3\n");
}

static void test_prefix(Fixture *f, const void *data) {
        start_quietly(f);

        ip("addr add 192.0.2.1/24 dev v0");
        ip("addr add 192.0.2.1/16 dev v0");
        ip("addr del 192.0.2.1/24 dev v0");
        ip("addr add 192.0.2.1/28 dev v0");
        ip("addr del 192.0.2.1/16 dev v0");
        ip("addr del 192.0.2.1/28 dev v0");
        assert_events(f, "+192.0.2.1/24 v0 3\n*192.0.2.1/16 v0 3\n*192.0.2.1/28 v0 3\n-192.0.2.1/28 v0 3\n");
}

static void test_origin(Fixture *f, const void *data) {
        start_quietly(f);

        ip("addr add 192.0.2.1/24 dev v0");
        ip("addr change 192.0.2.1/24 dev v0 valid_lft 1000 preferred_lft 1000");
        ip("addr change 192.0.2.1/24 dev v0 valid_lft 900 preferred_lft 900");
        assert_events(f, "+192.0.2.1/24 v0 3\n*192.0.2.1/24 v0 4\n");
        ip("addr add 169.254.1.1/16 dev v0");
        ip("addr add fe80::1/64 dev v0 nodad");
        assert_events(f, "+169.254.1.1/16 v0 6\n+fe80::1%v0/64 v0 10\n");
        ip("addr add 2001:db8::1/64 dev v0 nodad valid_lft 1000 preferred_lft 0"); /* deprecated */
        assert_events(f, "+2001:db8::1/64 v0 9\n");
        ip("addr add 2001:db8::2/64 dev v0 nodad mngtmpaddr");
        assert_events(f, "+2001:db8::2/64 v0 9\n");
        assert_as_ip_says(f);
}

/* Adds ADDRESS to v0 as the kernel itself does after a router's announcement. */
static void add_as_announced(const char *address) {
        _Alignas(struct nlmsghdr) char buf[256] = {};
        struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
        struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
        const struct nlmsgerr *answer = (void *) (buf + NLMSG_HDRLEN);
        struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        struct in6_addr in6;

        g_assert_cmpint(inet_pton(AF_INET6, address, &in6), ==, 1);
        m->nlmsg_type = RTM_NEWADDR;
        m->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
        info->ifa_family = AF_INET6;
        info->ifa_prefixlen = 64;
        info->ifa_index = 10;
        info->ifa_flags = IFA_F_NODAD;
        mnl_attr_put(m, IFA_LOCAL, sizeof(in6), &in6);
        mnl_attr_put_u8(m, IFA_PROTO, IFAPROT_KERNEL_RA);

        g_assert_nonnull(s);
        g_assert_cmpint(mnl_socket_sendto(s, m, m->nlmsg_len), ==, (ssize_t) m->nlmsg_len);
        g_assert_cmpint(mnl_socket_recvfrom(s, buf, sizeof(buf)), >, 0);
        g_assert_cmpint(m->nlmsg_type, ==, NLMSG_ERROR);
        g_assert_cmpint(answer->error, ==, 0);
        g_assert_cmpint(mnl_socket_close(s), ==, 0);
}

/* A router's announcement on the cable, from which the kernel makes an address by itself. */
static void test_router_announcement(Fixture *f, const void *data) {
        struct {
                struct nd_router_advert ra;
                struct nd_opt_prefix_info prefix;
        } packet = {
                .ra.nd_ra_type = ND_ROUTER_ADVERT,
                .ra.nd_ra_router_lifetime = htons(100),
                .prefix.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION,
                .prefix.nd_opt_pi_len = 4,
                .prefix.nd_opt_pi_prefix_len = 64,
                .prefix.nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO,
                .prefix.nd_opt_pi_valid_time = UINT32_MAX, /* no lifetime, yet not set by hand */
                .prefix.nd_opt_pi_preferred_time = UINT32_MAX,
                .prefix.nd_opt_pi_prefix.s6_addr = { 0x20, 0x01, 0x0d, 0xb8 },
        };
        struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_scope_id = 11 };
        struct sockaddr_in6 from = to;
        const HostAddress *a;
        int fd, hops = 255;

        to.sin6_addr = (struct in6_addr){ .s6_addr = { 0xff, 0x02, [15] = 1 } };
        from.sin6_addr = (struct in6_addr){ .s6_addr = { 0xfe, 0x80, [15] = 1 } };
        sysctl("conf/v0/accept_dad", "0");
        sysctl("conf/v0/accept_ra_from_local", "1");
        ip("link set v0 up address 02:00:00:00:00:01 addrgenmode eui64");
        ip("link set v1 up");
        ip("addr add fe80::1/64 dev v1 nodad");
        start(f);
        wait_for(f, is_told(f, "fe80::ff:fe00:1%v0") && is_told(f, "fe80::1%v1")); /* before, announcements are ignored */
        g_string_truncate(f->events, 0);

        fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)), ==, 0);
        g_assert_cmpint(bind(fd, (struct sockaddr *) &from, sizeof(from)), ==, 0);
        g_assert_cmpint(sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *) &to, sizeof(to)), ==, sizeof(packet));
        g_assert_cmpint(close(fd), ==, 0);

        wait_for(f, is_told(f, "2001:db8::ff:fe00:1"));
        g_assert_nonnull(strstr(f->events->str, "+2001:db8::ff:fe00:1/64 v0 9\n"));
        stop(f);

        /* Said to be from an announcement (IFA_PROTO), and without a lifetime. */
        add_as_announced("2001:db8:1::1");
        start_quietly(f);
        a = g_tree_lookup(f->told, "2001:db8:1::1");
        g_assert_nonnull(a);
        g_assert_cmpuint(a->origin, ==, HOST_ORIGIN_STATELESS);
}

static void test_duplicate_detection(Fixture *f, const void *data) {
        g_autofree char *output = NULL;

        sysctl("neigh/v0/retrans_time_ms", "100");
        sysctl("conf/v0/router_solicitation_delay", "0");
        ip("link set v0 up");
        ip("link set v1 up");
        start_quietly(f);

        ip("addr add 2001:db8::1/64 dev v0");
        output = ip_output("-o addr show dev v0 tentative");
        g_assert_nonnull(strstr(output, "2001:db8::1/64"));
        settle(f);
        g_assert_cmpstr(f->events->str, ==, "");
        wait_for(f, is_told(f, "2001:db8::1"));
        assert_events(f, "+2001:db8::1/64 v0 3\n");

        /* The other end has this one already: the one of v0 never is there. */
        ip("addr add 2001:db8::9/64 dev v1 nodad");
        ip("addr add 2001:db8::9/64 dev v0");
        assert_events(f, "+2001:db8::9/64 v1 3\n");
        wait_for(f, ({
                         g_autofree char *failed = ip_output("-o addr show dev v0 dadfailed");
                         strstr(failed, "2001:db8::9/64");
                 }));
        ip("addr del 2001:db8::9/64 dev v1");
        assert_events(f, "-2001:db8::9/64 v1 3\n");
}

static void test_optimistic(Fixture *f, const void *data) {
        g_autofree char *output = NULL;

        sysctl("neigh/v0/retrans_time_ms", "60000");
        sysctl("conf/v0/optimistic_dad", "1");
        sysctl("conf/v0/use_optimistic", "1"); /* without it the kernel tells only when detection has ended */
        ip("link set v0 up");
        ip("link set v1 up");
        start_quietly(f);

        ip("addr add 2001:db8::1/64 dev v0 optimistic");
        wait_for(f, is_told(f, "2001:db8::1"));
        output = ip_output("-o addr show dev v0");
        g_assert_nonnull(strstr(output, "optimistic"));
        assert_events(f, "+2001:db8::1/64 v0 3\n");
}

static void test_several_interfaces(Fixture *f, const void *data) {
        start_quietly(f);

        ip("addr add fe80::1/64 dev v0 nodad");
        assert_events(f, "+fe80::1%v0/64 v0 10\n");
        ip("addr add fe80::1/64 dev v1 nodad");
        assert_events(f, "+fe80::1%v1/64 v1 10\n");

        ip("addr add 192.0.2.1/24 dev v1");
        ip("addr add 192.0.2.1/32 dev v0");
        assert_events(f, "+192.0.2.1/24 v1 3\n*192.0.2.1/32 v0 3\n");
        ip("addr del 192.0.2.1/24 dev v1");
        ip("addr add 192.0.2.1/24 dev v1");
        assert_events(f, "");
        ip("addr del 192.0.2.1/32 dev v0");
        assert_events(f, "*192.0.2.1/24 v1 3\n");

        ip("addr del fe80::1/64 dev v0");
        ip("addr del 192.0.2.1/24 dev v1");
        assert_events(f, "-fe80::1%v0/64 v0 10\n-192.0.2.1/24 v1 3\n");
        assert_as_ip_says(f);
}

static void test_rename(Fixture *f, const void *data) {
        ip("addr add fe80::1/64 dev v0 nodad");
        ip("addr add 192.0.2.1/24 dev v0");
        start_quietly(f);

        ip("link set v0 name lan0");
        assert_events(f, "*192.0.2.1/24 lan0 3\n-fe80::1%v0/64 v0 10\n+fe80::1%lan0/64 lan0 10\n");
        assert_as_ip_says(f);
}

static void test_unusable_name(Fixture *f, const void *data) {
        g_auto(GStrv) log = NULL;

        start_quietly(f);
        ip("addr add fe80::1/64 dev v0 nodad");
        assert_events(f, "+fe80::1%v0/64 v0 10\n");
        ip("addr add fe80::2/64 dev v0 nodad");
        assert_events(f, "+fe80::2%v0/64 v0 10\n");
        ip("addr add 192.0.2.1/24 dev v0");
        assert_events(f, "+192.0.2.1/24 v0 3\n");

        log_capture();
        ip("link set v0 name v]1");
        settle(f);
        ip("link set v]1 name v]0");
        settle(f);
        log = log_captured();
        g_assert_cmpuint(g_strv_length(log), ==, 2); /* one line for both addresses */
        g_assert_nonnull(strstr(log[0], "v]1"));
        g_assert_nonnull(strstr(log[1], "v]0"));
        assert_events(f, "-fe80::1%v0/64 v0 10\n-fe80::2%v0/64 v0 10\n*192.0.2.1/24 v]1 3\n*192.0.2.1/24 v]0 3\n");

        ip("link set v]0 name v\303\2650");
        assert_events(f, "*192.0.2.1/24 v??0 3\n");
        ip("link set v\303\2650 name v0");
        assert_events(f, "+fe80::1%v0/64 v0 10\n+fe80::2%v0/64 v0 10\n*192.0.2.1/24 v0 3\n");
}

static void test_deleted_interface(Fixture *f, const void *data) {
        ip("addr add fe80::1/64 dev v0 nodad");
        ip("addr add 192.0.2.1/24 dev v0");
        ip("addr add 192.0.2.2/24 dev v1");
        start_quietly(f);
        g_assert_cmpint(g_tree_nnodes(f->told), ==, 6);

        ip("link del v0");
        settle(f);
        g_assert_cmpint(g_tree_nnodes(f->told), ==, 3);
        assert_as_ip_says(f);

        /* A new one with the same index and another name. */
        ip("link add w0 index 10 type veth peer name w1");
        ip("addr add 192.0.2.1/24 dev w0");
        settle(f);
        g_assert_true(g_str_has_suffix(f->events->str, "+192.0.2.1/24 w0 3\n"));
}

/* A port that leaves its bridge is told by RTM_DELLINK too. */
static void test_bridge(Fixture *f, const void *data) {
        ip("link add br0 type bridge");
        ip("addr add 192.0.2.1/24 dev v0");
        start_quietly(f);

        ip("link set v0 master br0");
        ip("link set v0 up");
        ip("link set v0 nomaster");
        assert_events(f, "");
        ip("addr del 192.0.2.1/24 dev v0");
        assert_events(f, "-192.0.2.1/24 v0 3\n");
}

static void test_wildcard(Fixture *f, const void *data) {
        const HostAddress *a;

        start(f);
        a = g_tree_lookup(f->told, "::");
        g_assert_nonnull(a);
        g_assert_true(a->dual_stack);
        g_assert_cmpstr(a->interface, ==, "");
        stop(f);

        sysctl("bindv6only", "1");
        start(f);
        g_assert_true(g_str_has_prefix(f->events->str, "+0.0.0.0/0  0\n"));
        g_assert_false(is_told(f, "::"));
        a = g_tree_lookup(f->told, "0.0.0.0");
        g_assert_false(a->dual_stack);
}

static void test_burst(Fixture *f, const void *data) {
        g_autoptr(GString) add = g_string_new(NULL), del = g_string_new(NULL);
        unsigned overruns;

        f->tuning.receive_buffer = 4096;
        start_quietly(f);

        for (unsigned i = 0; i < 2000; i++) {
                g_string_append_printf(add,
                                       i % 4 ? "addr add 10.1.%u.%u/32 dev lo\n" : "addr add 2001:db8::%x:%x/128 dev v0 nodad\n",
                                       i / 250, i % 250 + 1);
                if (i % 2)
                        g_string_append_printf(del, "addr del 10.1.%u.%u/32 dev lo\n", i / 250, i % 250 + 1);
        }

        ip_batch(add->str);
        assert_as_ip_says(f);
        overruns = host_statistics(f->host)->overruns;
        g_assert_cmpuint(overruns, >=, 1);
        g_assert_cmpint(g_tree_nnodes(f->told), ==, 2003);

        ip_batch(del->str);
        assert_as_ip_says(f);
        g_assert_cmpuint(host_statistics(f->host)->overruns, >, overruns);
        overruns = host_statistics(f->host)->overruns;
        g_assert_cmpint(g_tree_nnodes(f->told), ==, 1003);

        /* all gone and some back, in one go */
        g_string_truncate(add, 0);
        g_string_append(add, "addr flush dev v0\n");
        for (unsigned i = 0; i < 300; i++)
                g_string_append_printf(add, "addr add 2001:db8::%x/128 dev v0 nodad\n", i + 1);
        ip_batch(add->str);
        assert_as_ip_says(f);
        g_assert_cmpuint(host_statistics(f->host)->overruns, >, overruns);
        g_assert_cmpint(g_tree_nnodes(f->told), ==, 803);

        g_assert_cmpuint(host_statistics(f->host)->failures, ==, 0);
}

/* With the buffer as it is in the service, the same burst is followed without loss or by reading again: equal in the end. */
static void test_burst_default_buffer(Fixture *f, const void *data) {
        g_autoptr(GString) s = g_string_new(NULL);

        start_quietly(f);
        for (unsigned i = 0; i < 2000; i++)
                g_string_append_printf(s, "addr add 10.1.%u.%u/32 dev lo\n", i / 250, i % 250 + 1);
        ip_batch(s->str);
        settle(f);
        g_test_message("overruns: %u", host_statistics(f->host)->overruns);
        g_assert_cmpint(g_tree_nnodes(f->told), ==, 2003);
        assert_as_ip_says(f);
}

/* Two interfaces change names while notifications are lost: only what differs afterwards is told. */
static void test_swap_unseen(Fixture *f, const void *data) {
        f->tuning.receive_buffer = 4096;
        ip("addr add fe80::1/64 dev v0 nodad");
        ip("addr add fe80::1/64 dev v1 nodad");
        ip("addr add 192.0.2.1/24 dev v0");
        start_quietly(f);

        ip("link set v0 name v");
        ip("link set v1 name v0");
        ip("link set v name v1");
        overrun(f);
        settle(f);
        g_assert_nonnull(strstr(f->events->str, "192.0.2.1/24 v1 3\n"));
        g_assert_null(strstr(f->events->str, "+fe80::1%v0"));
        g_assert_cmpint(told_index(f, "fe80::1%v0"), ==, 11);
        g_assert_cmpint(told_index(f, "fe80::1%v1"), ==, 10);
        g_assert_nonnull(strstr(f->events->str, "*fe80::1%v0/64 v0 10\n"));
        g_assert_nonnull(strstr(f->events->str, "*fe80::1%v1/64 v1 10\n"));
        assert_as_ip_says(f);
}

/* An interface that is made again under its name, with an address that comes later or never. */
static void test_made_again(Fixture *f, const void *data) {
        ip("addr add fe80::1/64 dev v0 nodad");
        start_quietly(f);
        g_assert_cmpint(host_find_link(f->host, "v0"), ==, 10);
        g_assert_cmpint(told_index(f, "fe80::1%v0"), ==, 10);
        g_assert_cmpint(told_index(f, "::"), ==, 0);
        assert_links(f, "");

        ip("link del v0");
        ip("link add v0 index 20 type veth peer name v1 index 21");
        settle(f);
        g_assert_false(is_told(f, "fe80::1%v0"));
        g_assert_cmpint(host_find_link(f->host, "v0"), ==, 20);
        g_assert_nonnull(strstr(f->link_events->str, "v0=0\n"));
        g_assert_nonnull(strstr(f->link_events->str, "v0=20\n"));
        g_assert_nonnull(strstr(f->link_events->str, "v1=21\n"));
        g_string_truncate(f->link_events, 0);
        ip("link set v0 addrgenmode none");
        ip("addr add fe80::1/64 dev v0 nodad");
        wait_for(f, is_told(f, "fe80::1%v0"));
        g_assert_cmpint(told_index(f, "fe80::1%v0"), ==, 20);

        ip("link set v0 name lan0");
        assert_links(f, "v0=0\nlan0=20\n");
        ip("link set v1 name v0");
        assert_links(f, "v1=0\nv0=21\n");
        ip("link set lan0 up");
        ip("link set lan0 down");
        assert_links(f, "");
        ip("link del lan0");
        settle(f);
        g_assert_cmpint(host_find_link(f->host, "lan0"), ==, 0);
        assert_as_ip_says(f);
}

/* The same while notifications are lost: the address never went, but is on another interface. */
static void test_made_again_unseen(Fixture *f, const void *data) {
        f->tuning.receive_buffer = 4096;
        ip("addr add fe80::1/64 dev v0 nodad");
        start_quietly(f);

        ip_batch("link del v0\nlink add v0 index 20 type veth peer name v1 index 21\nlink set v0 addrgenmode none\n"
                 "link set v1 addrgenmode none\naddr add fe80::1/64 dev v0 nodad\n");
        overrun(f);
        settle(f);
        g_assert_cmpint(told_index(f, "fe80::1%v0"), ==, 20);
        g_assert_cmpint(host_find_link(f->host, "v0"), ==, 20);
        g_assert_nonnull(strstr(f->link_events->str, "v0=20\n"));
        assert_as_ip_says(f);
}

/* Anything, in any order, seen at once, late or not at all. */
static void test_random(Fixture *f, const void *data) {
        static const char *const addresses[] = { "10.0.0.1/24",    "10.0.0.2/24", "2001:db8::1/64",
                                                 "2001:db8::2/64", "fe80::1/64",  "fe80::2/64" };

        f->tuning.receive_buffer = 4096;
        start_quietly(f);

        for (unsigned round = 0; round < 60; round++) {
                g_autoptr(GString) s = g_string_new(NULL);

                for (int n = g_test_rand_int_range(1, 12); n > 0; n--) {
                        int i = g_test_rand_int_range(0, 2);

                        switch (g_test_rand_int_range(0, 12)) {
                        case 0: /* -force goes on if there is none of that name */
                                g_string_append_printf(s, "link set v%i name w%i\n", i, i);
                                break;
                        case 1:
                                g_string_append_printf(s, "link set w%i name v%i\n", i, i);
                                break;
                        case 2:
                                g_string_append_printf(s, "link del v0\nlink add v0 type veth peer name v1\n"
                                                          "link set v0 addrgenmode none\nlink set v1 addrgenmode none\n");
                                break;
                        default:
                                g_string_append_printf(s, "addr %s %s dev %c%i\n",
                                                       g_test_rand_int_range(0, 3) ? "replace" : "del",
                                                       addresses[g_test_rand_int_range(0, G_N_ELEMENTS(addresses))],
                                                       g_test_rand_bit() ? 'v' : 'w', i);
                        }
                }

                (void) ip_try_batch(s->str); /* some lines fail, as they may */
                if (g_test_rand_int_range(0, 4) == 0)
                        overrun(f);
                settle(f);
                assert_as_ip_says(f);
        }
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        if (geteuid() != 0) {
                g_print("1..0 # SKIP making network namespaces takes root\n");
                return 0;
        }

        ADD("/host/initial", test_initial);
        ADD("/host/public-call", test_public_call);
        ADD("/host/add-and-remove", test_add_and_remove);
        ADD("/host/not-addresses", test_not_addresses);
        ADD("/host/point-to-point", test_point_to_point);
        ADD("/host/prefix", test_prefix);
        ADD("/host/origin", test_origin);
        ADD("/host/router-announcement", test_router_announcement);
        ADD("/host/duplicate-detection", test_duplicate_detection);
        ADD("/host/optimistic", test_optimistic);
        ADD("/host/several-interfaces", test_several_interfaces);
        ADD("/host/rename", test_rename);
        ADD("/host/unusable-name", test_unusable_name);
        ADD("/host/deleted-interface", test_deleted_interface);
        ADD("/host/bridge", test_bridge);
        ADD("/host/wildcard", test_wildcard);
        ADD("/host/burst", test_burst);
        ADD("/host/burst-default-buffer", test_burst_default_buffer);
        ADD("/host/swap-unseen", test_swap_unseen);
        ADD("/host/made-again", test_made_again);
        ADD("/host/made-again-unseen", test_made_again_unseen);
        ADD("/host/random", test_random);

        return g_test_run();
}
