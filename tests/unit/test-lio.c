/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The parts of iscsi-backend-lio that need no target in the kernel: names, the kernel's comparison, the tree, snapshots. */

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "workers/lio/lio.h"
#include "workers/lio/listen.h"
#include "workers/lio/names.h"
#include "workers/lio/predict.h"
#include "workers/lio/sessions.h"
#include "workers/lio/snapshot.h"
#include "workers/lio/switch.h"
#include "workers/lio/tree.h"

static Portal portal(const char *text) {
        Portal p = {};

        if (portal_from_text(text, &p) < 0)
                g_error("%s", text);
        return p;
}

/* The same for what has no spelling of ours. */
static Portal portal_unchecked(const char *text) {
        Portal p = {};

        if (lio_portal_from_name(text, &p) < 0)
                g_error("%s", text);
        return p;
}

static void test_tag(void) {
        static const struct {
                const char *name;
                int tag; /* -1: no tag */
        } rows[] = {
                { "tpgt_1", 1 },
                { "tpgt_01", 1 },
                { "tpgt_0x1", 1 },
                { "tpgt_0X1f", 31 },
                { "x_tpgt_1", 1 },
                { "tpgt_+2", 2 },
                { "tpgt_010", 8 },
                { "tpgt_0", 0 },
                { "tpgt_65535", 65535 },
                { "tpgt_0xffff", 65535 },
                { "tpgt_1\n", 1 },
                { "tpgt_00", 0 },
                { "tpgt_0177777", 65535 },
                { "tpgt_65536", -1 },
                { "tpgt_-1", -1 },
                { "tpgt_", -1 },
                { "tpgt_1x", -1 },
                { "tpgt_ 1", -1 },
                { "tpgt_0x", -1 },
                { "tpgt_08", -1 },
                { "tpgt_1\n\n", -1 },
                { "tpgt_++1", -1 },
                { "tpgt_a", -1 },
                { "tpgt_0xg", -1 },
                { "tpgt", -1 },
                { "", -1 },
                { "param", -1 },
                { "tpgt_99999999999999999999", -1 },
                { "tpgt_x_tpgt_1", -1 },
                { "TPGT_1", -1 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint16_t tag = 4711;
                int r;

                r = lio_tag_from_name(rows[i].name, &tag);
                if (rows[i].tag < 0)
                        g_assert_cmpint(r, ==, -EINVAL);
                else {
                        g_assert_cmpint(r, ==, 0);
                        g_assert_cmpint(tag, ==, rows[i].tag);
                }
        }
}

static void test_portal_name(void) {
        static const struct {
                const char *name, *text; /* NULL: not taken; "": taken, but has no spelling of ours */
        } rows[] = {
                { "127.0.0.1:3260", "127.0.0.1:3260" },
                { "127.0.0.01:0xcbc", "127.0.0.1:3260" },
                { "000127.0.0.1:06274", "127.0.0.1:3260" },
                { "127.0.0.1:+3260", "127.0.0.1:3260" },
                { "[127.0.0.1]:3260", "127.0.0.1:3260" },
                { "[::1]:3260", "[::1]:3260" },
                { "[0:0:0:0:0:0:0:1]:3260", "[::1]:3260" },
                { "junk[::1]junk:3260", "[::1]:3260" },
                { "[2001:DB8::1]:3260", "[2001:db8::1]:3260" },
                { "[fe80::1%lo]:3260", "[fe80::1%lo]:3260" },
                { "[fe80::1%1]:3260", "[fe80::1%lo]:3260" },
                { "[::1%lo]:3260", "[::1]:3260" },
                { "[::]:3260", "[::]:3260" },
                { "0.0.0.0:3260", "0.0.0.0:3260" },
                { "[fe80::1]:3260", "" },
                { "[fe80::1%nosuch0]:3260", "" },
                { "[fe80::1%4711]:3260", "" },
                { "[fe80::1%]:3260", "" },
                { "[fe80:1111:2222:3333:4444:5555:6666:7777%lo]:3260", "[fe80:1111:2222:3333:4444:5555:6666:7777%lo]:3260" },
                /* 48 characters, and one more */
                { "[fe80:1111:2222:3333:4444:5555:6666:7777%x1234567]:3260", "" },
                { "[fe80:1111:2222:3333:4444:5555:6666:7777%x12345678]:3260", NULL },
                { "[::ffff:1.2.3.4]:3260", "" },
                { "224.0.0.1:3260", "" },
                { "127.0.0.1:0", "" },
                { "::1:3260", NULL },
                { "127.1:3260", NULL },
                { "127.0.0.256:3260", NULL },
                { "127.0.0.1", NULL },
                { "127.0.0.1:", NULL },
                { "127.0.0.1:65536", NULL },
                { "127.0.0.:3260", NULL },
                { "127.0.0.1.:3260", NULL },
                { "[::1:3260", NULL },
                { "[::1]3260", NULL },
                { "[]:3260", NULL },
                { "host:3260", NULL },
                { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_(interfaces_done) Interfaces interfaces = {};
                char text[PORTAL_TEXT_MAX];
                bool usable = true;
                uint32_t ifindex;
                Portal p;
                int r;

                r = lio_portal_from_name(rows[i].name, &p);
                if (!rows[i].text) {
                        g_assert_cmpint(r, ==, -EINVAL);
                        continue;
                }
                g_assert_cmpint(r, ==, 0);
                ifindex = lio_portal_resolve(&p, &interfaces, &usable);
                g_assert_cmpint(ifindex, ==, usable && p.address.zone[0] ? if_nametoindex("lo") : 0);
                /* Who has no zone asks for no interface. */
                g_assert_true(interfaces.loaded == (p.address.zone[0] != '\0'));
                g_assert_cmpint(usable, ==, rows[i].text[0] != '\0');
                if (usable)
                        g_assert_cmpstr(portal_to_text(&p, text), ==, rows[i].text);
        }
}

static void test_node_name(void) {
        static const char *const good[] = { "iqn.2026-11.org.iscsi:a", "eui.02004567A425678D", "naa.52004567BA64678D",
                                            "iqn.2026-11.org.iscsi:..",
                                            "iqn.2026-11.org.iscsi:\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" };
        static const char *const bad[] = { "",
                                           ".",
                                           "..",
                                           "iqn",
                                           "iqn.",
                                           "IQN.2026-11.x",
                                           "x",
                                           "iqn.a/b",
                                           "iqn.a b",
                                           "iqn.a\tb",
                                           "iqn.a\x7f",
                                           "/iqn.a",
                                           "discovery_auth",
                                           "iqn.\xff",
                                           "iqn.\xc0\xaf",
                                           "iqn.\xed\xa0\x80",
                                           "iqn.\xf4\x90\x80\x80",
                                           "iqn.\xc3",
                                           "iqn.\xe0\x80\xaf",
                                           "iqn.\xf0\x80\x80\xaf",
                                           "iqn.\x80" };
        g_autofree char *name = g_strnfill(224, 'a');

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                g_assert_true(lio_node_name_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                g_assert_false(lio_node_name_is_valid(bad[i]));

        memcpy(name, "iqn.", 4);
        g_assert_false(lio_node_name_is_valid(name));
        name[223] = '\0';
        g_assert_true(lio_node_name_is_valid(name));
}

/* As measured on the kernel, in both directions. */
static void test_kernel_equal(void) {
        static const struct {
                const char *a, *b;
                bool a_new, b_new; /* equal when A is the new one, when B is */
        } rows[] = {
                { "10.0.0.1:3260", "10.0.0.1:3260", true, true },
                { "10.0.0.1:3260", "10.0.0.1:3261", false, false },
                { "10.0.0.1:3260", "10.0.0.2:3260", false, false },
                { "[::]:3260", "10.0.0.1:3260", true, false },
                { "[::]:3260", "0.0.0.0:3260", true, true },
                { "[::]:3260", "10.0.0.1:3261", false, false },
                { "0.0.0.0:3260", "[2001:db8::1]:3260", true, false },
                { "0.0.0.0:3260", "[fe80::1%lo]:3260", true, false },
                { "[fe80::1%eth0]:3260", "[fe80::1%eth1]:3260", true, true },
                { "[fe80::1%eth0]:3260", "[fe80::2%eth0]:3260", false, false },
                { "10.0.0.1:3260", "[2001:db8::1]:3260", false, false },
                { "[2001:db8::1]:3260", "0.0.0.0:3260", false, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Portal a = portal(rows[i].a), b = portal(rows[i].b);

                g_assert_cmpint(portal_kernel_equal(&a, &b), ==, rows[i].a_new);
                g_assert_cmpint(portal_kernel_equal(&b, &a), ==, rows[i].b_new);
        }
}

static void test_overlaps(void) {
        static const struct {
                const char *a, *b;
                bool v6_only, overlap;
        } rows[] = {
                { "0.0.0.0:3260", "10.0.0.1:3260", false, true }, { "0.0.0.0:3260", "10.0.0.1:3261", false, false },
                { "0.0.0.0:3260", "0.0.0.0:3260", false, false }, { "10.0.0.1:3260", "10.0.0.2:3260", false, false },
                { "[::]:3260", "[::1]:3260", true, true },        { "[::]:3260", "[fe80::1%lo]:3260", false, true },
                { "[::]:3260", "10.0.0.1:3260", false, true },    { "[::]:3260", "10.0.0.1:3260", true, false },
                { "[::]:3260", "0.0.0.0:3260", false, true },     { "[::]:3260", "0.0.0.0:3260", true, false },
                { "0.0.0.0:3260", "[::1]:3260", false, false },   { "[fe80::1%lo]:3260", "[fe80::1%eth0]:3260", false, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Portal a = portal(rows[i].a), b = portal(rows[i].b);

                g_assert_cmpint(portal_overlaps(&a, rows[i].v6_only, &b, rows[i].v6_only), ==, rows[i].overlap);
                g_assert_cmpint(portal_overlaps(&b, rows[i].v6_only, &a, rows[i].v6_only), ==, rows[i].overlap);
        }
}

/* What is there: of the node itself "<tag> <portal> <mark>", where the mark is '+' for one with its socket, '-' for one without,
 * '*' for one that is to be made before; of others their sockets: "target <portal>", "program <portal>", "gone <portal>" for one
 * that counts as gone. */
typedef struct Surroundings {
        LioNode node;
        Listeners listeners;
} Surroundings;

static void surroundings_done(Surroundings *s) {
        lio_node_done(&s->node);
        listeners_done(&s->listeners);
}

/* Interfaces are told by the digit at the end of their names: "alt0" is another name of eth0. */
static uint32_t zone_index(const Portal *p) {
        return p->address.zone[0] ? (uint32_t) (p->address.zone[strlen(p->address.zone) - 1] - '0') + 1 : 0;
}

static void add_listener(Surroundings *s, const char *kind, const Portal *p, bool v6_only) {
        Listener l = { .family = p->address.family, .port = p->port, .ifindex = zone_index(p), .v6_only = v6_only };

        memcpy(&l.in6, &p->address.in6, sizeof(l.in6));
        l.of_target = strcmp(kind, "program") != 0;
        l.ignored = strcmp(kind, "gone") == 0;
        s->listeners.items = g_renew(Listener, s->listeners.items, s->listeners.n + 1);
        s->listeners.items[s->listeners.n++] = l;
}

static void add_thing(Surroundings *s, const char *text, bool v6_only) {
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        Portal p = portal_unchecked(words[1]);
        LioPort *port;

        if (!g_ascii_isdigit(words[0][0])) {
                add_listener(s, words[0], &p, v6_only);
                return;
        }

        g_assert_cmpint(lio_node_add_port(&s->node, (uint16_t) atoi(words[0]), &port), ==, 0);
        g_assert_cmpint(lio_port_add_portal(port, &p, zone_index(&p)), ==, 0);
        port->portals[0].fresh = words[2][0] == '*';
        if (words[2][0] == '+')
                add_listener(s, "target", &p, v6_only);
}

/* The new portal goes to tag 9. */
static void test_predict(void) {
        static const struct {
                const char *things[3], *wanted;
                bool v6_only;
                Refusal refusal;
                const char *other; /* the portal or socket that is told, "" for none */
        } rows[] = {
                { {}, "10.0.0.1:3260", false, REFUSAL_NONE, "" },
                { { "target 10.0.0.1:3260" }, "10.0.0.1:3260", false, REFUSAL_NONE, "shared" },
                { { "target 10.0.0.2:3260" }, "10.0.0.1:3260", false, REFUSAL_NONE, "" },
                { { "program 10.0.0.1:3260" }, "10.0.0.1:3260", false, REFUSAL_ADDRESS_IN_USE, "10.0.0.1:3260" },
                { { "program 10.0.0.2:3260" }, "10.0.0.1:3260", false, REFUSAL_NONE, "" },
                { { "1 10.0.0.1:3260 +" }, "10.0.0.1:3260", false, REFUSAL_TCP_IN_USE, "10.0.0.1:3260" },
                { { "1 10.0.0.1:3260 -" }, "10.0.0.1:3260", false, REFUSAL_TCP_IN_USE, "10.0.0.1:3260" },
                { { "1 10.0.0.1:3260 *" }, "10.0.0.1:3260", false, REFUSAL_TCP_IN_USE, "10.0.0.1:3260" },
                { { "target 10.0.0.1:3260", "1 10.0.0.1:3260 +" }, "10.0.0.1:3260", false, REFUSAL_TCP_IN_USE, "10.0.0.1:3260" },
                { { "target 10.0.0.1:3260" }, "[::]:3260", false, REFUSAL_PORTAL_SHADOWED, "10.0.0.1:3260" },
                { { "gone 10.0.0.1:3260" }, "[::]:3260", false, REFUSAL_NONE, "" },
                { { "gone 10.0.0.1:3260" }, "10.0.0.1:3260", false, REFUSAL_NONE, "" },
                { { "program 10.0.0.1:3260" }, "[::]:3260", false, REFUSAL_ADDRESS_IN_USE, "10.0.0.1:3260" },
                { { "program 10.0.0.1:3260" }, "[::]:3260", true, REFUSAL_NONE, "" },
                { { "program 10.0.0.1:3260", "target 10.0.0.2:3260" },
                  "[::]:3260",
                  false,
                  REFUSAL_PORTAL_SHADOWED,
                  "10.0.0.2:3260" },
                /* its own socket is the older one */
                { { "target [::]:3260", "target 10.0.0.1:3260" }, "[::]:3260", true, REFUSAL_NONE, "shared" },
                /* but within the node the kernel looks no further */
                { { "target [::]:3260", "1 10.0.0.1:3260 +" }, "[::]:3260", true, REFUSAL_PORTAL_SHADOWED, "10.0.0.1:3260" },
                { { "1 10.0.0.1:3260 -" }, "[::]:3260", true, REFUSAL_PORTAL_SHADOWED, "10.0.0.1:3260" },
                { { "target [::1]:3260" }, "0.0.0.0:3260", false, REFUSAL_PORTAL_SHADOWED, "[::1]:3260" },
                { { "target 0.0.0.0:3260" }, "0.0.0.0:3260", false, REFUSAL_NONE, "shared" },
                { { "target [::]:3260" }, "10.0.0.1:3260", false, REFUSAL_ADDRESS_OVERLAP, "[::]:3260" },
                { { "target [::]:3260" }, "10.0.0.1:3260", true, REFUSAL_NONE, "" },
                { { "1 [::]:3260 *" }, "10.0.0.1:3260", false, REFUSAL_ADDRESS_OVERLAP, "[::]:3260" },
                { { "1 [::]:3260 *" }, "10.0.0.1:3260", true, REFUSAL_NONE, "" },
                { { "1 [::]:3260 -" }, "10.0.0.1:3260", false, REFUSAL_NONE, "" },
                { { "target 0.0.0.0:3260" }, "10.0.0.1:3260", false, REFUSAL_ADDRESS_OVERLAP, "0.0.0.0:3260" },
                { { "program [::ffff:10.0.0.1]:3260" },
                  "10.0.0.1:3260",
                  false,
                  REFUSAL_ADDRESS_IN_USE,
                  "[::ffff:10.0.0.1]:3260" },
                { { "target [fe80::1%eth0]:3260" }, "[fe80::1%eth1]:3260", false, REFUSAL_PORTAL_SHADOWED, "[fe80::1]:3260" },
                { { "target [fe80::1%eth0]:3260" }, "[fe80::1%eth0]:3260", false, REFUSAL_NONE, "shared" },
                { { "program [fe80::1%eth0]:3260" }, "[fe80::1%eth1]:3260", false, REFUSAL_NONE, "" },
                /* another name of the same interface */
                { { "1 [fe80::1%alt0]:3260 +" }, "[fe80::1%eth0]:3260", false, REFUSAL_TCP_IN_USE, "[fe80::1%alt0]:3260" },
                { { "9 10.0.0.2:3260 +", "9 [::1]:3260 +" }, "10.0.0.1:3260", false, REFUSAL_NONE, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                for (int backwards = 0; backwards < 2; backwards++) {
                        _cleanup_(surroundings_done) Surroundings s = {};
                        char text[PORTAL_TEXT_MAX] = "";
                        Portal wanted = portal_unchecked(rows[i].wanted), other;
                        Prediction p;
                        size_t n = 0;

                        while (n < ELEMENTSOF(rows[i].things) && rows[i].things[n])
                                n++;
                        for (size_t k = 0; k < n; k++)
                                add_thing(&s, rows[i].things[backwards ? n - 1 - k : k], rows[i].v6_only);

                        p = portal_predict(&wanted, zone_index(&wanted), 9, rows[i].v6_only, &s.node, NULL, &s.listeners);
                        g_test_message("%zu: %s", i, rows[i].wanted);
                        g_assert_cmpint(p.refusal, ==, rows[i].refusal);
                        g_assert_cmpint(p.shared, ==, strcmp(rows[i].other, "shared") == 0);
                        if (p.refusal == REFUSAL_NONE)
                                continue;
                        if (p.listener) {
                                other = listener_portal(p.listener, NULL);
                                (void) portal_to_text(&other, text);
                        }
                        g_assert_cmpstr(p.portal ? p.portal->dir : text, ==, rows[i].other);
                }
}

/* A portal that is made again does not stand in its own way, nor its dead socket. */
static void test_predict_again(void) {
        _cleanup_(surroundings_done) Surroundings s = {};
        Portal wanted = portal_unchecked("[fe80::1%eth1]:3260");
        const LioPortal *own;
        Prediction p;

        add_thing(&s, "9 [fe80::1%eth1]:3260 -", false);
        add_thing(&s, "target [fe80::1%eth0]:3260", false);
        own = s.node.ports[0].portals;

        p = portal_predict(&wanted, 2, 9, false, &s.node, own, &s.listeners);
        g_assert_cmpint(p.refusal, ==, REFUSAL_PORTAL_SHADOWED);
        g_assert_true(p.listener == s.listeners.items);
        s.listeners.items[0].ignored = true;
        p = portal_predict(&wanted, 2, 9, false, &s.node, own, &s.listeners);
        g_assert_cmpint(p.refusal, ==, REFUSAL_NONE);
}

static void test_making_order(void) {
        Portal portals[] = { portal("[::1]:3260"), portal("10.0.0.1:3261"), portal("0.0.0.0:3260") };

        qsort(portals, ELEMENTSOF(portals), sizeof(portals[0]), portal_compare_for_making);
        g_assert_true(ip_address_is_wildcard(&portals[0].address));
        g_assert_cmpint(portals[1].address.family, ==, AF_INET);
        g_assert_cmpint(portals[2].address.family, ==, AF_INET6);
}

static void test_info(void) {
        char *name = NULL;

        g_assert_cmpint(lio_info_to_initiator("No active iSCSI Session for Initiator Endpoint: iqn.x\n", &name), ==, 0);
        g_assert_null(name);
        g_assert_cmpint(
                lio_info_to_initiator("InitiatorName: iqn.2026-11.org.iscsi:i\nInitiatorAlias: \nLIO Session ID: 1\n", &name), ==,
                1);
        g_assert_cmpstr(name, ==, "iqn.2026-11.org.iscsi:i");
        free(name);
        g_assert_cmpint(lio_info_to_initiator("", &name), ==, -EINVAL);
        g_assert_cmpint(lio_info_to_initiator("something new\n", &name), ==, -EINVAL);
}

/* Reading alone: any directories will do. */
static void test_tree(void) {
        g_autofree char *top = g_dir_make_tmp("test-lio-XXXXXX", NULL);
        g_autofree char *command = g_strdup_printf(
                                "cd %s && mkdir -p iqn.b/tpgt_2/np/127.0.0.1:3260 iqn.b/tpgt_01/np iqn.b/tpgt_1/np/[::1]:3260 "
                                "iqn.b/tpgt_1/np/127.0.0.01:3260 iqn.b/tpgt_1/np/junk iqn.b/param iqn.a discovery_auth "
                                "iqn.b/.tpgt_7/np/.[::1]:3261 .hidden && touch lio_version && echo 1 >iqn.b/tpgt_1/enable",
                                top),
                        *cleanup = g_strdup_printf("rm -r %s", top), *port_dir = g_strdup_printf("%s/iqn.b/tpgt_1", top),
                        *missing = g_strdup_printf("%s/nothing", top);
        _cleanup_(texts_done) Texts names = {}, none = {};
        _cleanup_(interfaces_done) Interfaces interfaces = {};
        _cleanup_(lio_node_done) LioNode node = {}, copy = {}, absent = {};
        Portal p = portal("127.0.0.1:3260");
        bool enabled = false;
        LioPort *port;
        size_t n;

        g_assert_cmpint(system(command), ==, 0);
        g_assert_cmpint(lio_tree_names(top, &names), ==, 0);
        g_assert_cmpint(names.n, ==, 3);
        g_assert_cmpstr(names.items[0], ==, ".hidden");
        g_assert_cmpstr(names.items[1], ==, "iqn.a");
        g_assert_cmpint(lio_tree_names(missing, &none), ==, 0);
        g_assert_cmpint(none.n, ==, 0);

        g_assert_cmpint(lio_node_read(top, "iqn.b", &interfaces, &node), ==, 0);
        g_assert_true(node.exists);
        g_assert_cmpint(node.n_ports, ==, 4);
        g_assert_false(interfaces.loaded);

        port = lio_node_find_port(&node, 1, &n);
        g_assert_cmpint(n, ==, 2);
        g_assert_cmpstr(port->dir, ==, "tpgt_1");
        g_assert_cmpint(port->n_portals, ==, 3);
        g_assert_cmpstr(lio_port_find_portal(port, &p, 0)->dir, ==, "127.0.0.01:3260");
        p.port = 3261;
        g_assert_null(lio_port_find_portal(port, &p, 0));
        g_assert_null(lio_node_find_port(&node, 3, &n));
        g_assert_cmpint(n, ==, 0);
        port = lio_node_find_port(&node, 7, &n);
        g_assert_cmpstr(port->dir, ==, ".tpgt_7");
        p = portal("[::1]:3261");
        g_assert_cmpstr(lio_port_find_portal(port, &p, 0)->dir, ==, ".[::1]:3261");

        /* A plan goes its own way. */
        g_assert_cmpint(lio_node_copy(&node, &copy), ==, 0);
        lio_port_remove_portal(lio_node_find_port(&copy, 7, NULL), lio_node_find_port(&copy, 7, NULL)->portals);
        lio_node_remove_port(&copy, lio_node_find_port(&copy, 2, NULL));
        g_assert_cmpint(lio_node_add_port(&copy, 9, &port), ==, 0);
        g_assert_cmpint(lio_port_add_portal(port, &p, 0), ==, 0);
        g_assert_true(lio_port_find_portal(port, &p, 0)->fresh);
        g_assert_cmpint(copy.n_ports, ==, 4);
        g_assert_null(lio_node_find_port(&copy, 2, NULL));
        g_assert_nonnull(lio_node_find_port(&node, 2, NULL));
        g_assert_null(lio_node_find_port(&node, 9, NULL));
        g_assert_cmpint(lio_node_find_port(&node, 7, NULL)->n_portals, ==, 1);

        g_assert_cmpint(lio_switch_read(port_dir, &enabled), ==, 0);
        g_assert_true(enabled);
        g_assert_cmpint(lio_switch_read(top, &enabled), ==, -ENOENT);

        g_assert_cmpint(lio_node_read(top, "iqn.c", &interfaces, &absent), ==, 0);
        g_assert_false(absent.exists);
        g_assert_cmpint(system(cleanup), ==, 0);
}

/* The portal that we wrote is found by its name, whatever has become of its interface. */
static void test_own_portals(void) {
        _cleanup_(lio_node_done) LioNode node = {};
        Portal old = portal_unchecked("[fe80::1%old0]:3260"), other = portal_unchecked("[fe80::1%new0]:3260");
        LioPort *port;

        g_assert_cmpint(lio_node_add_port(&node, 1, &port), ==, 0);
        g_assert_cmpint(lio_port_add_portal(port, &old, 0), ==, 0);
        g_assert_nonnull(lio_port_find_portal(port, &old, 0));
        g_assert_nonnull(lio_port_find_portal(port, &old, 5));
        g_assert_null(lio_port_find_portal(port, &other, 5));
        g_assert_null(lio_port_find_portal(port, &other, 0));

        /* Another name of the same interface. */
        port->portals[0].ifindex = 5;
        g_assert_nonnull(lio_port_find_portal(port, &other, 5));
        g_assert_null(lio_port_find_portal(port, &other, 6));
}

static void test_snapshot_is_valid(void) {
#define BYTES(s) s, sizeof(s) - 1
        static const struct {
                const char *bytes;
                size_t size;
                bool valid;
        } rows[] = {
                { BYTES("L1\0"), true },
                { BYTES("L1\0aattrib/authentication\0"
                        "0\0"),
                  true },
                { BYTES("L1\0aparam/MaxConnections\0"
                        "\0"),
                  true },
                { BYTES("L1\0dlun/lun_0\0llun/lun_0/x\0core/iblock_0/d\0"), true },
                { BYTES("L1\0dacls/iqn.i\0dacls/iqn.i/lun_0\0lacls/iqn.i/lun_0/x\0lun/lun_0\0uacls/iqn.i/auth\0"), true },
                { BYTES("L1\0artpi\0"
                        "7\0"),
                  true },
                { BYTES(""), false },
                { BYTES("L1"), false },
                { BYTES("L2\0"), false },
                { BYTES("L1\0x"), false },
                { BYTES("L1\0zwhat\0"), false },
                { BYTES("L1\0aattrib/authentication\0"), false },
                { BYTES("L1\0aattrib/authentication\0"
                        "0"),
                  false },
                { BYTES("L1\0aattrib/../enable\0"
                        "1\0"),
                  false },
                { BYTES("L1\0aenable\0"
                        "1\0"),
                  false },
                { BYTES("L1\0a/etc/passwd\0"
                        "1\0"),
                  false },
                { BYTES("L1\0aattrib//x\0"
                        "1\0"),
                  false },
                { BYTES("L1\0aauth/password\0"
                        "x\0"),
                  false },
                { BYTES("L1\0aacls/iqn.i/auth/password\0"
                        "x\0"),
                  false },
                { BYTES("L1\0dnp/127.0.0.1:3260\0"), false },
                { BYTES("L1\0d../tpgt_2\0"), false },
                { BYTES("L1\0llun/lun_0/x\0../../core\0"), false },
                { BYTES("L1\0llun/lun_0/x\0core/../iscsi\0"), false },
                { BYTES("L1\0llun/lun_0/x\0/core/x\0"), false },
                { BYTES("L1\0llun/lun_0/x\0iscsi/iqn.a\0"), false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                /* as the worker keeps it: with a NUL behind it */
                g_autofree char *copy = g_malloc0(rows[i].size + 1);

                memcpy(copy, rows[i].bytes, rows[i].size);
                g_test_message("%zu", i);
                g_assert_cmpint(lio_snapshot_is_valid(copy, rows[i].size), ==, rows[i].valid);
        }
}

/* Each verb has its functions here, and what the worker does not know it does not take. */
static void test_verbs(void) {
        for (Verb v = 0; v < _VERB_MAX; v++)
                g_assert_true(lio_engine.has_verb(v));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/lio/tag", test_tag);
        g_test_add_func("/lio/portal-name", test_portal_name);
        g_test_add_func("/lio/node-name", test_node_name);
        g_test_add_func("/lio/kernel-equal", test_kernel_equal);
        g_test_add_func("/lio/overlaps", test_overlaps);
        g_test_add_func("/lio/predict", test_predict);
        g_test_add_func("/lio/predict-again", test_predict_again);
        g_test_add_func("/lio/making-order", test_making_order);
        g_test_add_func("/lio/info", test_info);
        g_test_add_func("/lio/tree", test_tree);
        g_test_add_func("/lio/own-portals", test_own_portals);
        g_test_add_func("/lio/snapshot-is-valid", test_snapshot_is_valid);
        g_test_add_func("/lio/verbs", test_verbs);
        return g_test_run();
}
