/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* IP addresses and portals: what is taken, and the one spelling that comes out. */

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "common/macro.h"
#include "common/address.h"

/* CANONICAL is NULL of what is refused. */
typedef struct Case {
        const char *text, *canonical;
} Case;

static const Case addresses[] = {
        { "10.0.0.1", "10.0.0.1" },
        { "0.0.0.0", "0.0.0.0" },
        { "127.0.0.1", "127.0.0.1" },
        { "169.254.1.1", "169.254.1.1" },
        { "223.255.255.255", "223.255.255.255" },
        { "255.255.255.254", "255.255.255.254" },
        { "::", "::" },
        { "0:0:0:0:0:0:0:0", "::" },
        { "::1", "::1" },
        { "0000:0000:0000:0000:0000:0000:0000:0001", "::1" },
        { "2001:db8::1", "2001:db8::1" },
        { "2001:DB8::A", "2001:db8::a" },
        { "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1" },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },    /* RFC 5952 §4.2.3: the first of equal runs */
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* §4.2.2: one group is not shortened */
        { "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },          /* §4.2.3: the longest run */
        { "2001:db8::192.0.2.1", "2001:db8::c000:201" },
        { "fe80::1%eth0", "fe80::1%eth0" },
        { "FE80::1%eth0", "fe80::1%eth0" },
        { "fe80:0::0:1%ETH0", "fe80::1%ETH0" }, /* interfaces' names have a case */
        { "fe80::1%2", "fe80::1%2" },
        { "fe80::1%eth0.100", "fe80::1%eth0.100" },
        { "fe80::1%abcdefghijklmno", "fe80::1%abcdefghijklmno" }, /* 15 bytes, the longest name there is */
        { "febf:ffff::1%eth0", "febf:ffff::1%eth0" },             /* the last of fe80::/10 */
        { "fec0::1", "fec0::1" },

        { "", NULL },
        { " ", NULL },
        { "10.0.0.1 ", NULL },
        { " 10.0.0.1", NULL },
        { "10.0.0.1\n", NULL },
        { "10.0.0", NULL },
        { "10.0.0.1.", NULL },
        { "10.0.0.1.1", NULL },
        { "10.0.0.256", NULL },
        { "010.0.0.1", NULL }, /* octal to some, decimal to others */
        { "0x0a.0.0.1", NULL },
        { "167772161", NULL },
        { "10.1", NULL },
        { "-1.0.0.1", NULL },
        { "10.0.0.1%eth0", NULL },
        { "10.0.0.1%", NULL },
        { "%eth0", NULL },
        { "255.255.255.255", NULL },
        { "224.0.0.1", NULL },
        { "239.255.255.255", NULL },
        { "localhost", NULL },
        { "[::1]", NULL },
        { "[::1", NULL },
        { "::1]", NULL },
        { ":", NULL },
        { ":::", NULL },
        { "::1::", NULL },
        { "1:2:3:4:5:6:7", NULL },
        { "1:2:3:4:5:6:7:8:9", NULL },
        { "12345::", NULL },
        { "::g", NULL },
        { "::1%lo", NULL },
        { "::1%", NULL },
        { "::%eth0", NULL },
        { "2001:db8::1%eth0", NULL },
        { "ff02::1", NULL },
        { "ff02::1%eth0", NULL },
        { "::ffff:10.0.0.1", NULL },
        { "::ffff:0:0", NULL },
        { "::ffff:a00:1", NULL },
        { "fe80::1", NULL },
        { "febf::1", NULL },
        { "fe80::1%", NULL },
        { "fe80::1%%", NULL },
        { "fe80::1%eth0%eth1", NULL },
        { "fe80::1%eth 0", NULL },
        { "fe80::1%eth/0", NULL },
        { "fe80::1%eth]0", NULL },
        { "fe80::1%eth0\n", NULL },
        { "fe80::1%\x1b[0m", NULL },
        { "fe80::1%\x7f", NULL },
        { "fe80::1%\xff", NULL },
        { "fe80::1%é", NULL },
        { "fe80::1%abcdefghijklmnop", NULL }, /* 16 bytes */
        { "0000:0000:0000:0000:0000:0000:0000:00001", NULL },
        { "1111:2222:3333:4444:5555:6666:123.123.123.1234", NULL },
        { "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001", NULL },
};

static const Case portals[] = {
        { "10.0.0.1:3260", "10.0.0.1:3260" },
        { "10.0.0.1:1", "10.0.0.1:1" },
        { "10.0.0.1:65535", "10.0.0.1:65535" },
        { "0.0.0.0:860", "0.0.0.0:860" },
        { "[::]:3260", "[::]:3260" },
        { "[2001:DB8:0:0::1]:3260", "[2001:db8::1]:3260" },
        { "[fe80::1%eth0]:3260", "[fe80::1%eth0]:3260" },
        { "[FE80::1%eth0]:3260", "[fe80::1%eth0]:3260" },
        { "[fe80::1%eth0:1]:3260", "[fe80::1%eth0:1]:3260" },

        { "", NULL },
        { ":", NULL },
        { ":3260", NULL },
        { "[]:3260", NULL },
        { "10.0.0.1", NULL },
        { "10.0.0.1:", NULL },
        { "10.0.0.1:0", NULL },
        { "10.0.0.1:03260", NULL },
        { "10.0.0.1:+1", NULL },
        { "10.0.0.1:-1", NULL },
        { "10.0.0.1: 1", NULL },
        { "10.0.0.1:1 ", NULL },
        { "10.0.0.1:0x10", NULL },
        { "10.0.0.1:65536", NULL },
        { "10.0.0.1:68796", NULL }, /* 3260 modulo 65536 */
        { "10.0.0.1:99999", NULL },
        { "10.0.0.1:100000", NULL },
        { "10.0.0.1:18446744073709554876", NULL },
        { "10.0.0.1:http", NULL },
        { "10.0.0.1:3260:1", NULL },
        { "10.0.0.1:3260,1", NULL },
        { "[10.0.0.1]:3260", NULL },
        { "10.0.0.1]:3260", NULL },
        { "10.0.0.1%eth0:3260", NULL },
        { "::1:3260", NULL },
        { "::", NULL },
        { "[::1]", NULL },
        { "[::1]3260", NULL },
        { "[::1]:", NULL },
        { "[::1]:0", NULL },
        { "[::1:3260", NULL },
        { "[[::1]]:3260", NULL },
        { "[::1] :3260", NULL },
        { " [::1]:3260", NULL },
        { "[fe80::1]:3260", NULL },
        { "[fe80::1%]:3260", NULL },
        { "[fe80::1%e]th]:3260", NULL },
        { "[::ffff:10.0.0.1]:3260", NULL },
        { "[ff02::1]:3260", NULL },
        { "localhost:3260", NULL },
        { "[000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000]:1", NULL },
        { "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000:1", NULL },
};

static void say(const char *text) {
        g_autofree char *escaped = g_strescape(text, NULL);

        g_test_message("\"%s\"", escaped);
}

static IpAddress address(const char *text) {
        IpAddress a;

        g_assert_cmpint(ip_address_from_text(text, &a), ==, 0);
        return a;
}

static Portal portal(const char *text) {
        Portal p;

        g_assert_cmpint(portal_from_text(text, &p), ==, 0);
        return p;
}

static void test_addresses(void) {
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                const Case *c = addresses + i;
                /* Its own piece of memory, so that the sanitizer sees a byte too much. */
                g_autofree char *buf = g_malloc(IP_ADDRESS_TEXT_MAX);
                IpAddress a, again;
                int r;

                memset(&a, 0x5A, sizeof(a));
                again = a;
                say(c->text);
                r = ip_address_from_text(c->text, &a);
                if (!c->canonical) {
                        g_assert_cmpint(r, ==, -EINVAL);
                        g_assert_cmpmem(&a, sizeof(a), &again, sizeof(again));
                        continue;
                }

                g_assert_cmpint(r, ==, 0);
                g_assert_true(ip_address_is_usable(&a));
                g_assert_true(ip_address_to_text(&a, buf) == buf);
                g_assert_cmpstr(buf, ==, c->canonical);

                again = address(buf);
                g_assert_cmpint(ip_address_compare(&a, &again), ==, 0);
                g_assert_cmpint(memcmp(&a, &again, sizeof(a)), ==, 0); /* the bytes past the value are zero */
        }
}

static void test_portals(void) {
        for (size_t i = 0; i < ELEMENTSOF(portals); i++) {
                const Case *c = portals + i;
                g_autofree char *buf = g_malloc(PORTAL_TEXT_MAX);
                Portal p, again;
                int r;

                memset(&p, 0x5A, sizeof(p));
                again = p;
                say(c->text);
                r = portal_from_text(c->text, &p);
                if (!c->canonical) {
                        g_assert_cmpint(r, ==, -EINVAL);
                        g_assert_cmpmem(&p, sizeof(p), &again, sizeof(again));
                        continue;
                }

                g_assert_cmpint(r, ==, 0);
                g_assert_true(portal_to_text(&p, buf) == buf);
                g_assert_cmpstr(buf, ==, c->canonical);

                again = portal(buf);
                g_assert_cmpint(portal_compare(&p, &again), ==, 0);
        }
}

static void test_port_numbers(void) {
        for (unsigned n = 0; n <= UINT16_MAX + 1u; n++) {
                g_autofree char *text = g_strdup_printf("10.0.0.1:%u", n);
                char buf[PORTAL_TEXT_MAX];
                Portal p;
                int r;

                r = portal_from_text(text, &p);
                g_assert_cmpint(r, ==, n >= 1 && n <= UINT16_MAX ? 0 : -EINVAL);
                if (r == 0) {
                        g_assert_cmpuint(p.port, ==, n);
                        g_assert_cmpstr(portal_to_text(&p, buf), ==, text);
                }
        }
}

/* The longest text fits and is not cut. No address that can be read is that long, but one that comes from the kernel is printed
 * too. */
static void test_longest(void) {
        g_autofree char *text = g_malloc(IP_ADDRESS_TEXT_MAX), *long_text = g_malloc(PORTAL_TEXT_MAX);
        static const char longest[] = "fe80:1111:2222:3333:4444:5555:6666:7777%abcdefghijklmno";
        Portal p = { .port = UINT16_MAX };

        p.address = address(longest);
        g_assert_cmpstr(ip_address_to_text(&p.address, text), ==, longest);
        g_assert_cmpstr(portal_to_text(&p, long_text), ==, "[fe80:1111:2222:3333:4444:5555:6666:7777%abcdefghijklmno]:65535");
        g_assert_cmpuint(strlen(long_text), <, PORTAL_TEXT_MAX);

        /* The longest that inet_ntop() may write, by its own limit: 45 bytes, a mapped address. */
        p.address = (IpAddress){ .family = AF_INET6, .zone = "abcdefghijklmno" };
        g_assert_cmpint(inet_pton(AF_INET6, "::ffff:255.255.255.255", &p.address.in6), ==, 1);
        g_assert_cmpstr(portal_to_text(&p, long_text), ==, "[::ffff:255.255.255.255%abcdefghijklmno]:65535");
        g_assert_cmpuint(INET6_ADDRSTRLEN - 1 + 1 + IF_NAMESIZE - 1, <, IP_ADDRESS_TEXT_MAX);
        g_assert_cmpuint(strlen("[]:65535") + IP_ADDRESS_TEXT_MAX - 1, <, PORTAL_TEXT_MAX);
}

static void test_kinds(void) {
        static const struct {
                const char *text;
                bool wildcard, loopback, link_local;
        } cases[] = {
                { "0.0.0.0", true, false, false },
                { "::", true, false, false },
                { "0.0.0.1", false, false, false },
                { "127.0.0.1", false, true, false },
                { "127.255.255.255", false, true, false },
                { "126.255.255.255", false, false, false },
                { "128.0.0.1", false, false, false },
                { "::1", false, true, false },
                { "::2", false, false, false },
                { "10.0.0.1", false, false, false },
                { "169.254.0.1", false, false, false },
                { "fe80::1%eth0", false, false, true },
                { "febf::1%eth0", false, false, true },
                { "fec0::1", false, false, false },
                { "2001:db8::1", false, false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                IpAddress a = address(cases[i].text);

                g_test_message("%s", cases[i].text);
                g_assert_cmpint(ip_address_is_wildcard(&a), ==, cases[i].wildcard);
                g_assert_cmpint(ip_address_is_loopback(&a), ==, cases[i].loopback);
                g_assert_cmpint(ip_address_is_link_local(&a), ==, cases[i].link_local);
        }
}

/* What does not come from a text. */
static void test_usable(void) {
        IpAddress a = address("10.0.0.1");

        strcpy(a.zone, "eth0");
        g_assert_false(ip_address_is_usable(&a));

        a = address("fe80::1%eth0");
        a.zone[0] = '\0';
        g_assert_false(ip_address_is_usable(&a));

        a = address("2001:db8::1");
        strcpy(a.zone, "eth0");
        g_assert_false(ip_address_is_usable(&a));

        a = (IpAddress){};
        g_assert_false(ip_address_is_usable(&a));
        a = (IpAddress){ .family = AF_UNIX };
        g_assert_false(ip_address_is_usable(&a));

        /* Each byte in a zone: printable ASCII but for those with a meaning in a portal's text. */
        for (unsigned c = 1; c <= 0xFF; c++) {
                bool good = c > ' ' && c <= '~' && c != ']' && c != '%' && c != '/';

                a = address("fe80::1%eth0");
                a.zone[1] = (char) c;
                g_assert_cmpint(ip_address_is_usable(&a), ==, good);
        }
}

/* Ascending, each different from all others. */
static const char *const ordered[] = {
        "0.0.0.0", "1.0.0.0", "10.0.0.1",    "10.0.0.2",    "10.0.1.0",     "127.0.0.1",    "128.0.0.1",    "255.255.255.254",
        "::",      "::1",     "2001:db8::1", "2001:db8::2", "fe80::1%eth0", "fe80::1%eth1", "fe80::2%eth0",
};

static int sign(int v) {
        return (v > 0) - (v < 0);
}

static void test_address_order(void) {
        for (size_t i = 0; i < ELEMENTSOF(ordered); i++)
                for (size_t j = 0; j < ELEMENTSOF(ordered); j++) {
                        IpAddress a = address(ordered[i]), b = address(ordered[j]);

                        g_assert_cmpint(sign(ip_address_compare(&a, &b)), ==, (i > j) - (i < j));
                }
}

static void test_portal_order(void) {
        static const uint16_t ports[] = { 1, 255, 256, 860, 3260, 32768, 65535 };

        for (size_t i = 0; i < ELEMENTSOF(ordered) * ELEMENTSOF(ports); i++)
                for (size_t j = 0; j < ELEMENTSOF(ordered) * ELEMENTSOF(ports); j++) {
                        Portal a = { address(ordered[i / ELEMENTSOF(ports)]), ports[i % ELEMENTSOF(ports)] };
                        Portal b = { address(ordered[j / ELEMENTSOF(ports)]), ports[j % ELEMENTSOF(ports)] };

                        g_assert_cmpint(sign(portal_compare(&a, &b)), ==, (i > j) - (i < j));
                }
}

/* Any value that is usable has a text that reads back as the same value. */
static void test_random_round_trip(void) {
        unsigned n_usable = 0;

        for (unsigned i = 0; i < 20000; i++) {
                Portal p = { .port = (uint16_t) g_test_rand_int_range(1, 65536) }, again;
                char text[PORTAL_TEXT_MAX];

                p.address.family = g_test_rand_bit() ? AF_INET : AF_INET6;
                if (p.address.family == AF_INET)
                        p.address.in.s_addr = (uint32_t) g_test_rand_int();
                else {
                        for (unsigned k = 0; k < 16; k++)
                                p.address.in6.s6_addr[k] = g_test_rand_bit() ? 0 : (uint8_t) g_test_rand_int();
                        if (g_test_rand_bit()) {
                                p.address.in6.s6_addr[0] = 0xFE;
                                p.address.in6.s6_addr[1] = 0x80;
                                g_snprintf(p.address.zone, sizeof(p.address.zone), "if%d", g_test_rand_int_range(0, 1000));
                        }
                }
                if (!ip_address_is_usable(&p.address))
                        continue;

                n_usable++;
                g_assert_cmpint(portal_from_text(portal_to_text(&p, text), &again), ==, 0);
                g_assert_cmpint(portal_compare(&p, &again), ==, 0);
        }
        g_assert_cmpuint(n_usable, >, 5000);
}

/* No text makes the readers run wild: good ones with a byte changed, left out or doubled. */
static void test_random_texts(void) {
        for (unsigned i = 0; i < 20000; i++) {
                const char *seed = portals[g_test_rand_int_range(0, ELEMENTSOF(portals))].text;
                size_t n = strlen(seed), at = n ? (size_t) g_test_rand_int_range(0, (gint32) n) : 0;
                g_autoptr(GString) s = g_string_new(seed);
                char text[PORTAL_TEXT_MAX];
                Portal p, again;

                switch (g_test_rand_int_range(0, 3)) {
                case 0:
                        g_string_insert_c(s, (gssize) at, (char) g_test_rand_int_range(1, 256));
                        break;
                case 1:
                        g_string_erase(s, (gssize) at, n ? 1 : 0);
                        break;
                default:
                        if (n)
                                s->str[at] = (char) g_test_rand_int_range(1, 256);
                }

                if (portal_from_text(s->str, &p) == 0) {
                        g_assert_true(ip_address_is_usable(&p.address));
                        g_assert_cmpint(portal_from_text(portal_to_text(&p, text), &again), ==, 0);
                        g_assert_cmpint(portal_compare(&p, &again), ==, 0);
                }
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/address/addresses", test_addresses);
        g_test_add_func("/address/portals", test_portals);
        g_test_add_func("/address/port-numbers", test_port_numbers);
        g_test_add_func("/address/longest", test_longest);
        g_test_add_func("/address/kinds", test_kinds);
        g_test_add_func("/address/usable", test_usable);
        g_test_add_func("/address/address-order", test_address_order);
        g_test_add_func("/address/portal-order", test_portal_order);
        g_test_add_func("/address/random-round-trip", test_random_round_trip);
        g_test_add_func("/address/random-texts", test_random_texts);
        return g_test_run();
}
