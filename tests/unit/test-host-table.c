/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table behind host.h, without a kernel: full reads with notifications between their parts, and no memory. */

#include <errno.h>
#include <glib.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#include "host/table.h"
#include "common/address.h"

/* The table is compiled with this as its calloc(). */
void *test_calloc(size_t n, size_t size);

static int allocations_left = -1; /* negative: no limit */

void *test_calloc(size_t n, size_t size) {
        if (allocations_left == 0)
                return NULL;
        if (allocations_left > 0)
                allocations_left--;
        return calloc(n, size);
}

/* What was told, by the address' text; tree_text() makes one text of all. */
typedef struct Told {
        GTree *addresses;
        GTree *indices; /* of the same addresses: the interface's index as a pointer */
        GTree *links;   /* by name: the same */
        GString *link_events;
        unsigned events;
} Told;

static void on_changed(HostEvent event, const HostAddress *a, void *userdata) {
        char text[IP_ADDRESS_TEXT_MAX];
        Told *told = userdata;
        g_autofree char *line = g_strdup_printf("/%u %u %s", a->prefix_length, a->origin, a->interface);
        const char *before;
        void *index;

        (void) ip_address_to_text(&a->address, text);
        before = g_tree_lookup(told->addresses, text);
        index = g_tree_lookup(told->indices, text);
        told->events++;

        switch (event) {
        case HOST_ADDRESS_ADDED:
                g_assert_null(before);
                break;
        case HOST_ADDRESS_CHANGED:
                g_assert_nonnull(before);
                g_assert_true(strcmp(before, line) != 0 || GPOINTER_TO_INT(index) != a->ifindex);
                break;
        case HOST_ADDRESS_REMOVED:
                g_assert_cmpstr(before, ==, line);
                g_assert_cmpint(GPOINTER_TO_INT(index), ==, a->ifindex);
                g_tree_remove(told->addresses, text);
                g_tree_remove(told->indices, text);
                return;
        }
        g_tree_replace(told->indices, g_strdup(text), GINT_TO_POINTER(a->ifindex));
        g_tree_replace(told->addresses, g_strdup(text), g_steal_pointer(&line));
}

static void on_link(const char *name, int ifindex, void *userdata) {
        Told *told = userdata;
        int before = GPOINTER_TO_INT(g_tree_lookup(told->links, name));

        g_assert_cmpint(before, !=, ifindex);
        g_string_append_printf(told->link_events, "%s=%i ", name, ifindex);
        if (ifindex == 0)
                g_tree_remove(told->links, name);
        else
                g_tree_replace(told->links, g_strdup(name), GINT_TO_POINTER(ifindex));
}

static int compare_text(const void *a, const void *b, void *userdata) {
        return strcmp(a, b);
}

static void told_init(Told *told) {
        told->addresses = g_tree_new_full(compare_text, NULL, g_free, g_free);
        told->indices = g_tree_new_full(compare_text, NULL, g_free, NULL);
        told->links = g_tree_new_full(compare_text, NULL, g_free, NULL);
        told->link_events = g_string_new(NULL);
        told->events = 0;
}

static void told_done(Told *told) {
        g_tree_unref(told->addresses);
        g_tree_unref(told->indices);
        g_tree_unref(told->links);
        (void) g_string_free(told->link_events, TRUE);
}

/* What was told of links since the last such call. */
static void assert_links(Told *told, const char *expected) {
        g_assert_cmpstr(told->link_events->str, ==, expected);
        g_string_truncate(told->link_events, 0);
}

static gboolean append_line(void *key, void *value, void *userdata) {
        g_string_append_printf(userdata, "%s%s\n", (char *) key, (char *) value);
        return FALSE;
}

static char *tree_text(GTree *tree) {
        GString *s = g_string_new(NULL);

        g_tree_foreach(tree, append_line, s);
        return g_string_free(s, FALSE);
}

#define assert_told(told, expected)                                    \
        do {                                                           \
                g_autofree char *_text = tree_text((told)->addresses); \
                g_assert_cmpstr(_text, ==, expected);                  \
        } while (0)

static HostRow row_make(int ifindex, const char *text, uint8_t prefix, uint32_t flags) {
        HostRow row = { .ifindex = ifindex, .prefix_length = prefix, .flags = flags };
        char buf[INET6_ADDRSTRLEN + 4];
        IpAddress a;

        (void) g_strlcpy(buf, text, sizeof(buf));
        if (g_str_has_prefix(text, "fe80"))
                (void) g_strlcat(buf, "%x", sizeof(buf));
        g_assert_cmpint(ip_address_from_text(buf, &a), ==, 0);
        row.family = a.family;
        memcpy(row.local, &a.in6, a.family == AF_INET ? 4 : 16);
        memcpy(row.peer, row.local, 16);
        return row;
}

static void set_row(HostTable *t, HostSource source, int ifindex, const char *text, uint8_t prefix) {
        HostRow row = row_make(ifindex, text, prefix, IFA_F_PERMANENT);

        g_assert_cmpint(host_table_set_row(t, source, &row), ==, 0);
}

static void drop_row(HostTable *t, int ifindex, const char *text, uint8_t prefix) {
        HostRow row = row_make(ifindex, text, prefix, IFA_F_PERMANENT);

        g_assert_cmpint(host_table_drop_row(t, &row), ==, 0);
}

static void set_link(HostTable *t, HostSource source, int ifindex, const char *name) {
        g_assert_cmpint(host_table_set_link(t, source, ifindex, name), ==, 0);
}

typedef struct Fixture {
        Told told;
        HostTable *table;
} Fixture;

static void fixture_set_up(Fixture *f, const void *data) {
        told_init(&f->told);
        g_assert_cmpint(host_table_new(on_changed, &f->told, &f->table), ==, 0);
        host_table_follow_links(f->table, on_link, &f->told);
}

static void fixture_tear_down(Fixture *f, const void *data) {
        (void) host_table_free(f->table);
        told_done(&f->told);
}

static void read_two(HostTable *t) {
        host_table_begin(t);
        set_link(t, HOST_SOURCE_READ, 1, "lo");
        set_link(t, HOST_SOURCE_READ, 2, "eth0");
        set_row(t, HOST_SOURCE_READ, 1, "127.0.0.1", 8);
        set_row(t, HOST_SOURCE_READ, 2, "192.0.2.1", 24);
        host_table_end(t);
        host_table_tell(t);
}

static void test_nothing_told_during_read(Fixture *f, const void *data) {
        host_table_begin(f->table);
        set_link(f->table, HOST_SOURCE_READ, 1, "lo");
        set_row(f->table, HOST_SOURCE_READ, 1, "127.0.0.1", 8);
        host_table_tell(f->table);
        g_assert_cmpuint(f->told.events, ==, 0);

        host_table_end(f->table);
        host_table_tell(f->table);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n");
        host_table_tell(f->table);
        g_assert_cmpuint(f->told.events, ==, 1);
}

static void test_read_again_tells_difference(Fixture *f, const void *data) {
        read_two(f->table);
        g_assert_cmpuint(f->told.events, ==, 2);

        read_two(f->table);
        g_assert_cmpuint(f->told.events, ==, 2);

        host_table_begin(f->table);
        set_link(f->table, HOST_SOURCE_READ, 1, "lo");
        set_link(f->table, HOST_SOURCE_READ, 2, "eth0");
        set_row(f->table, HOST_SOURCE_READ, 1, "127.0.0.1", 8);
        set_row(f->table, HOST_SOURCE_READ, 2, "192.0.2.2", 24);
        host_table_end(f->table);
        host_table_tell(f->table);
        g_assert_cmpuint(f->told.events, ==, 4);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n192.0.2.2/24 3 eth0\n");
}

/* A read that was broken off says nothing by what it lacks, and the next one starts from nothing. */
static void test_read_broken_off(Fixture *f, const void *data) {
        read_two(f->table);

        host_table_begin(f->table);
        set_link(f->table, HOST_SOURCE_READ, 1, "lo");
        drop_row(f->table, 1, "127.0.0.1", 8);
        read_two(f->table);
        g_assert_cmpuint(f->told.events, ==, 2);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n192.0.2.1/24 3 eth0\n");
}

/* Notifications between the parts of a read; then the read still says what was before them. */
static void test_notification_outlives_read(Fixture *f, const void *data) {
        HostTable *t = f->table;

        read_two(t);

        host_table_begin(t);
        set_link(t, HOST_SOURCE_READ, 1, "lo");
        drop_row(t, 2, "192.0.2.1", 24);                      /* a known one */
        drop_row(t, 1, "203.0.113.1", 32);                    /* not known yet */
        set_link(t, HOST_SOURCE_NOTIFIED, 2, "lan0");         /* renamed */
        set_row(t, HOST_SOURCE_NOTIFIED, 1, "127.0.0.2", 16); /* new */
        g_assert_cmpint(host_table_drop_link(t, 3), ==, 0);   /* a link that is not known yet */
        set_link(t, HOST_SOURCE_READ, 2, "eth0");
        set_link(t, HOST_SOURCE_READ, 3, "eth1");
        set_row(t, HOST_SOURCE_READ, 1, "127.0.0.1", 8);
        set_row(t, HOST_SOURCE_READ, 2, "192.0.2.1", 24);
        set_row(t, HOST_SOURCE_READ, 1, "203.0.113.1", 32);
        set_row(t, HOST_SOURCE_READ, 3, "198.51.100.1", 24);
        set_row(t, HOST_SOURCE_NOTIFIED, 2, "fe80::1", 64);
        host_table_end(t);
        host_table_tell(t);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n127.0.0.2/16 3 lo\nfe80::1%lan0/64 10 lan0\n");

        /* What was notified as gone and came back is there. */
        host_table_begin(t);
        set_link(t, HOST_SOURCE_READ, 1, "lo");
        drop_row(t, 1, "127.0.0.1", 8);
        set_row(t, HOST_SOURCE_NOTIFIED, 1, "127.0.0.1", 8);
        host_table_end(t);
        host_table_tell(t);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n");
}

/* A link that goes without a word about its addresses takes them along, in a read and without. */
static void test_link_takes_rows(Fixture *f, const void *data) {
        read_two(f->table);
        g_assert_cmpint(host_table_drop_link(f->table, 2), ==, 0);
        g_assert_cmpint(host_table_drop_link(f->table, 77), ==, 0);
        host_table_tell(f->table);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n");

        read_two(f->table);
        host_table_begin(f->table);
        set_link(f->table, HOST_SOURCE_READ, 1, "lo");
        set_link(f->table, HOST_SOURCE_READ, 2, "eth0");
        set_row(f->table, HOST_SOURCE_READ, 2, "192.0.2.1", 24);
        g_assert_cmpint(host_table_drop_link(f->table, 2), ==, 0);
        set_row(f->table, HOST_SOURCE_READ, 1, "127.0.0.1", 8);
        host_table_end(f->table);
        host_table_tell(f->table);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n");

        /* An address that was read, on a link that was not. */
        host_table_begin(f->table);
        set_row(f->table, HOST_SOURCE_READ, 1, "127.0.0.1", 8);
        host_table_end(f->table);
        host_table_tell(f->table);
        assert_told(&f->told, "");
}

static void test_row_before_link(Fixture *f, const void *data) {
        read_two(f->table);
        set_row(f->table, HOST_SOURCE_NOTIFIED, 5, "fe80::5", 64);
        set_row(f->table, HOST_SOURCE_NOTIFIED, 6, "fe80::6", 64);
        drop_row(f->table, 6, "fe80::6", 64);
        drop_row(f->table, 6, "fe80::6", 64);
        host_table_tell(f->table);
        g_assert_cmpuint(f->told.events, ==, 2);

        set_link(f->table, HOST_SOURCE_NOTIFIED, 5, "eth5");
        host_table_tell(f->table);
        assert_told(&f->told, "127.0.0.1/8 3 lo\n192.0.2.1/24 3 eth0\nfe80::5%eth5/64 10 eth5\n");
}

/* An interface that is renamed, made again or swapped with another is told, and so are its addresses. */
static void test_links(Fixture *f, const void *data) {
        HostTable *t = f->table;
        const char *address = "fe80::1%eth0";

        read_two(t);
        assert_links(&f->told, "lo=1 eth0=2 ");
        g_assert_cmpint(host_table_find_link(t, "eth0"), ==, 2);
        g_assert_cmpint(host_table_find_link(t, "eth"), ==, 0);
        g_assert_cmpint(host_table_find_link(t, "a-name-that-is-longer-than-any"), ==, 0);
        read_two(t);
        assert_links(&f->told, "");

        /* renamed, and back before anybody was told */
        set_link(t, HOST_SOURCE_NOTIFIED, 2, "lan0");
        host_table_tell(t);
        assert_links(&f->told, "eth0=0 lan0=2 ");
        set_link(t, HOST_SOURCE_NOTIFIED, 2, "eth0");
        set_link(t, HOST_SOURCE_NOTIFIED, 2, "lan0");
        host_table_tell(t);
        assert_links(&f->told, "");
        set_link(t, HOST_SOURCE_NOTIFIED, 2, "eth0");
        host_table_tell(t);
        assert_links(&f->told, "lan0=0 eth0=2 ");

        /* made again under its name; the new one may be told first */
        set_row(t, HOST_SOURCE_NOTIFIED, 2, "fe80::1", 64);
        g_assert_cmpint(host_table_drop_link(t, 2), ==, 0);
        host_table_tell(t);
        set_link(t, HOST_SOURCE_NOTIFIED, 3, "eth0");
        set_row(t, HOST_SOURCE_NOTIFIED, 3, "fe80::1", 64);
        host_table_tell(t);
        assert_links(&f->told, "eth0=0 eth0=3 ");
        g_assert_cmpint(GPOINTER_TO_INT(g_tree_lookup(f->told.indices, address)), ==, 3);
        set_link(t, HOST_SOURCE_NOTIFIED, 4, "eth0");
        host_table_tell(t);
        g_assert_cmpint(host_table_drop_link(t, 3), ==, 0);
        host_table_tell(t);
        assert_links(&f->told, "eth0=4 ");

        /* two swapped, unseen: the addresses are the same, on other interfaces */
        set_row(t, HOST_SOURCE_NOTIFIED, 4, "fe80::1", 64);
        set_link(t, HOST_SOURCE_NOTIFIED, 5, "eth1");
        set_row(t, HOST_SOURCE_NOTIFIED, 5, "fe80::1", 64);
        host_table_tell(t);
        assert_links(&f->told, "eth1=5 ");
        f->told.events = 0;
        host_table_begin(t);
        set_link(t, HOST_SOURCE_READ, 4, "eth1");
        set_link(t, HOST_SOURCE_READ, 5, "eth0");
        set_row(t, HOST_SOURCE_READ, 4, "fe80::1", 64);
        set_row(t, HOST_SOURCE_READ, 5, "fe80::1", 64);
        host_table_tell(t);
        assert_links(&f->told, "");
        host_table_end(t);
        host_table_tell(t);
        assert_told(&f->told, "fe80::1%eth0/64 10 eth0\nfe80::1%eth1/64 10 eth1\n");
        g_assert_cmpint(GPOINTER_TO_INT(g_tree_lookup(f->told.indices, address)), ==, 5);
        g_assert_cmpint(GPOINTER_TO_INT(g_tree_lookup(f->told.indices, "fe80::1%eth1")), ==, 4);
        g_assert_cmpint(GPOINTER_TO_INT(g_tree_lookup(f->told.links, "eth0")), ==, 5);
        g_assert_cmpint(GPOINTER_TO_INT(g_tree_lookup(f->told.links, "eth1")), ==, 4);
        g_assert_cmpuint(f->told.events, ==, 3); /* both, and 127.0.0.1, which the read lacks */
        g_string_truncate(f->told.link_events, 0);

        /* made again, unseen */
        host_table_begin(t);
        set_link(t, HOST_SOURCE_READ, 9, "eth0");
        host_table_end(t);
        host_table_tell(t);
        g_assert_cmpint(GPOINTER_TO_INT(g_tree_lookup(f->told.links, "eth0")), ==, 9);
        g_assert_cmpint(g_tree_nnodes(f->told.links), ==, 1);
}

static void test_flags_and_origin(Fixture *f, const void *data) {
        static const struct {
                const char *address;
                uint32_t flags;
                uint8_t protocol;
                int origin; /* -1: not there */
        } cases[] = {
                { "0.0.0.0", IFA_F_PERMANENT, 0, -1 },
                { "192.0.2.1", IFA_F_PERMANENT, 0, 3 },
                { "192.0.2.1", 0, 0, 4 },
                { "192.0.2.1", IFA_F_SECONDARY, 0, 4 },
                { "169.254.3.4", IFA_F_PERMANENT, 0, 6 },
                { "169.254.3.4", 0, 0, 6 },
                { "169.253.3.4", IFA_F_PERMANENT, 0, 3 },
                { "fe80::1", IFA_F_PERMANENT, 0, 10 },
                { "fe80::1", 0, 3, 10 },
                { "2001:db8::1", IFA_F_PERMANENT, 0, 3 },
                { "2001:db8::1", IFA_F_PERMANENT, 2, 9 },
                { "2001:db8::1", IFA_F_PERMANENT, 1, 3 },
                { "2001:db8::1", IFA_F_PERMANENT | IFA_F_MANAGETEMPADDR, 0, 9 },
                { "2001:db8::1", IFA_F_TEMPORARY, 0, 9 },
                { "2001:db8::1", 0, 0, 9 },
                { "2001:db8::1", IFA_F_PERMANENT | IFA_F_DEPRECATED, 0, 3 },
                { "2001:db8::1", IFA_F_PERMANENT | IFA_F_TENTATIVE, 0, -1 },
                { "2001:db8::1", IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, 0, 3 },
                { "2001:db8::1", IFA_F_PERMANENT | IFA_F_DADFAILED, 0, -1 },
                { "2001:db8::1", IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_DADFAILED, 0, -1 },
                { "2001:db8::1", IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_DADFAILED, 0, -1 },
        };

        set_link(f->table, HOST_SOURCE_NOTIFIED, 2, "eth0");
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                HostRow row = row_make(2, cases[i].address, 24, cases[i].flags);
                g_autofree char *expected = NULL;

                row.protocol = cases[i].protocol;
                g_assert_cmpint(host_table_set_row(f->table, HOST_SOURCE_NOTIFIED, &row), ==, 0);
                host_table_tell(f->table);
                expected = cases[i].origin < 0 ? g_strdup("")
                                               : g_strdup_printf("%s%s/24 %i eth0\n", cases[i].address,
                                                                 cases[i].origin == 10 ? "%eth0" : "", cases[i].origin);
                assert_told(&f->told, expected);
                g_assert_cmpint(host_table_drop_row(f->table, &row), ==, 0);
                host_table_tell(f->table);
                assert_told(&f->told, "");
        }
}

/* A world of some links and addresses that changes at random, and a reader that gets reads as stale as they can be. */

#define WORLD_LINKS 5
#define WORLD_ADDRESSES 9

typedef struct World {
        int names[WORLD_LINKS];                      /* 0: no such link */
        uint32_t rows[WORLD_LINKS][WORLD_ADDRESSES]; /* flags, 0: not there */
} World;

static HostRow world_row(int link, int address, uint32_t flags) {
        static const char *const texts[WORLD_ADDRESSES] = { "10.0.0.1",    "10.0.0.1",    "10.0.0.2",    "fe80::1",  "fe80::2",
                                                            "2001:db8::1", "2001:db8::2", "169.254.1.1", "127.0.0.1" };

        return row_make(link + 1, texts[address], address == 1 ? 16 : 24, flags);
}

static char *world_name(int name) {
        return g_strdup_printf("if%i", name);
}

static char *world_text(const World *w) {
        g_autoptr(GTree) tree = g_tree_new_full(compare_text, NULL, g_free, g_free);

        for (int i = WORLD_LINKS - 1; i >= 0; i--) {
                g_autofree char *name = world_name(w->names[i]);

                if (!w->names[i])
                        continue;

                for (int n = WORLD_ADDRESSES - 1; n >= 0; n--) {
                        uint32_t flags = w->rows[i][n];
                        HostRow row = world_row(i, n, flags);
                        IpAddress a = { .family = row.family };
                        char text[IP_ADDRESS_TEXT_MAX];
                        int origin;

                        if (!flags || flags & IFA_F_TENTATIVE)
                                continue;

                        memcpy(&a.in6, row.local, 16);
                        if (ip_address_is_link_local(&a))
                                (void) g_strlcpy(a.zone, name, sizeof(a.zone));
                        (void) ip_address_to_text(&a, text);
                        origin = n == 3 || n == 4 ? 10 : n == 7 ? 6 : flags & IFA_F_PERMANENT ? 3 : row.family == AF_INET ? 4 : 9;

                        /* links from the last to the first, /16 of a link before /24: what comes last speaks for it */
                        g_tree_replace(tree, g_strdup(text), g_strdup_printf("/%u %i %s", row.prefix_length, origin, name));
                }
        }

        return tree_text(tree);
}

static void world_step(World *w, GRand *rand, HostTable *t) {
        static const uint32_t flags[] = { 0, 0, IFA_F_PERMANENT, IFA_F_PERMANENT | IFA_F_TENTATIVE, IFA_F_NOPREFIXROUTE };
        int i = g_rand_int_range(rand, 0, WORLD_LINKS), n = g_rand_int_range(rand, 0, WORLD_ADDRESSES);
        HostRow row;

        if (!w->names[i] || g_rand_int_range(rand, 0, 12) == 0) {
                g_autofree char *name = NULL;

                /* now and then a link goes, after its addresses */
                if (w->names[i] && g_rand_boolean(rand)) {
                        for (n = 0; t && n < WORLD_ADDRESSES; n++) {
                                row = world_row(i, n, w->rows[i][n]);
                                if (w->rows[i][n])
                                        g_assert_cmpint(host_table_drop_row(t, &row), ==, 0);
                        }
                        w->names[i] = 0;
                        memset(w->rows[i], 0, sizeof(w->rows[i]));
                        if (t)
                                g_assert_cmpint(host_table_drop_link(t, i + 1), ==, 0);
                        return;
                }

                do
                        w->names[i] = g_rand_int_range(rand, 1, 2 * WORLD_LINKS);
                while (({
                        bool twice = false;
                        for (int k = 0; k < WORLD_LINKS; k++)
                                twice = twice || (k != i && w->names[k] == w->names[i]);
                        twice;
                }));
                name = world_name(w->names[i]);
                if (t)
                        set_link(t, HOST_SOURCE_NOTIFIED, i + 1, name);
                return;
        }

        w->rows[i][n] = flags[g_rand_int_range(rand, 0, G_N_ELEMENTS(flags))];
        if (!t)
                return;
        row = world_row(i, n, w->rows[i][n]);
        if (w->rows[i][n])
                g_assert_cmpint(host_table_set_row(t, HOST_SOURCE_NOTIFIED, &row), ==, 0);
        else
                g_assert_cmpint(host_table_drop_row(t, &row), ==, 0);
}

static void world_read(World *w, GRand *rand, HostTable *t) {
        World stale = *w;

        host_table_begin(t);
        for (int i = 0; i < WORLD_LINKS; i++) {
                g_autofree char *name = world_name(stale.names[i]);

                for (int k = g_rand_int_range(rand, 0, 3); k > 0; k--)
                        world_step(w, rand, t);
                if (stale.names[i])
                        set_link(t, HOST_SOURCE_READ, i + 1, name);
        }
        for (int i = 0; i < WORLD_LINKS; i++)
                for (int n = 0; n < WORLD_ADDRESSES; n++) {
                        HostRow row = world_row(i, n, stale.rows[i][n]);

                        if (g_rand_int_range(rand, 0, 4) == 0)
                                world_step(w, rand, t);
                        if (stale.rows[i][n])
                                g_assert_cmpint(host_table_set_row(t, HOST_SOURCE_READ, &row), ==, 0);
                        host_table_tell(t);
                }
        host_table_end(t);
}

static gboolean check_index(void *key, void *value, void *userdata) {
        const char *interface = strrchr(value, ' ') + 1;
        Told *told = userdata;

        g_assert_true(g_tree_lookup(told->indices, key) == g_tree_lookup(told->links, interface));
        return FALSE;
}

/* Each name was told to stand for the interface that has it, and each address to be on the interface that is named with it. */
static void check_links(const World *w, Told *told, const HostTable *t) {
        for (int n = 1; n < 2 * WORLD_LINKS; n++) {
                g_autofree char *name = world_name(n);
                int index = 0;

                for (int i = 0; i < WORLD_LINKS; i++)
                        if (w->names[i] == n)
                                index = i + 1;
                g_assert_cmpint(GPOINTER_TO_INT(g_tree_lookup(told->links, name)), ==, index);
                g_assert_cmpint(host_table_find_link(t, name), ==, index);
        }
        g_tree_foreach(told->addresses, check_index, told);
}

static void test_random_world(Fixture *f, const void *data) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());
        World w = {};

        for (int round = 0; round < 3000; round++) {
                g_autofree char *expected = NULL;

                switch (g_rand_int_range(rand, 0, 10)) {
                case 0: /* notifications are lost, and read again */
                        for (int k = 0; k < 10; k++)
                                world_step(&w, rand, NULL);
                        world_read(&w, rand, f->table);
                        break;
                case 1:
                        world_read(&w, rand, f->table);
                        break;
                default:
                        world_step(&w, rand, f->table);
                }

                host_table_tell(f->table);
                expected = world_text(&w);
                assert_told(&f->told, expected);
                check_links(&w, &f->told, f->table);
        }
}

/* Each allocation fails once. After that a full read brings everything right. */

#define MANY 400

static int many_fill(HostTable *t, HostSource source, const char *first) {
        int r;

        for (int i = 0; i < MANY; i++) {
                HostRow row = row_make(i + 1, "fe80::1", 64, IFA_F_PERMANENT);
                g_autofree char *name = i == 0 ? g_strdup(first) : g_strdup_printf("if%i", i);

                r = host_table_set_row(t, source, &row);
                if (r < 0)
                        return r;
                r = host_table_set_link(t, source, i + 1, name);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int many_script(HostTable *t) {
        HostRow row = row_make(MANY + 10, "10.0.0.1", 24, IFA_F_PERMANENT);
        int r;

        r = many_fill(t, HOST_SOURCE_NOTIFIED, "if0");
        if (r < 0)
                return r;
        host_table_tell(t);

        host_table_begin(t);
        r = host_table_drop_link(t, MANY + 20);
        if (r < 0)
                return r;
        r = host_table_drop_row(t, &row);
        if (r < 0)
                return r;
        r = host_table_set_link(t, HOST_SOURCE_NOTIFIED, 1, "other");
        if (r < 0)
                return r;
        host_table_end(t);
        return 0;
}

static void test_no_memory(void) {
        unsigned failures = 0;
        int r = -ENOMEM;

        /* all of the first, then some: each is a run of the whole script */
        for (int n = 0; r < 0; n += n < 40 ? 1 : 17) {
                g_autofree char *expected = NULL, *text = NULL;
                HostTable *t = NULL;
                Told told;

                told_init(&told);
                allocations_left = n;
                r = host_table_new(on_changed, &told, &t);
                if (r >= 0)
                        r = many_script(t);
                allocations_left = -1;

                if (r < 0) {
                        failures++;
                        g_assert_cmpint(r, ==, -ENOMEM);
                }
                if (t) {
                        host_table_begin(t);
                        g_assert_cmpint(many_fill(t, HOST_SOURCE_READ, "other"), ==, 0);
                        host_table_end(t);
                        host_table_tell(t);
                        g_assert_cmpint(g_tree_nnodes(told.addresses), ==, MANY);
                        g_assert_nonnull(g_tree_lookup(told.addresses, "fe80::1%other"));
                        g_assert_cmpint(host_table_find_link(t, "other"), ==, 1);
                        g_assert_cmpint(host_table_find_link(t, "if0"), ==, 0);
                        for (int i = 1; i < MANY; i++) {
                                g_autofree char *name = g_strdup_printf("if%i", i);

                                g_assert_cmpint(host_table_find_link(t, name), ==, i + 1);
                        }
                }

                (void) host_table_free(t);
                told_done(&told);
        }

        g_assert_cmpuint(failures, >, 60);
}

#define ADD(path, func) g_test_add(path, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        ADD("/host-table/nothing-told-during-read", test_nothing_told_during_read);
        ADD("/host-table/read-again-tells-difference", test_read_again_tells_difference);
        ADD("/host-table/read-broken-off", test_read_broken_off);
        ADD("/host-table/notification-outlives-read", test_notification_outlives_read);
        ADD("/host-table/link-takes-rows", test_link_takes_rows);
        ADD("/host-table/row-before-link", test_row_before_link);
        ADD("/host-table/links", test_links);
        ADD("/host-table/flags-and-origin", test_flags_and_origin);
        ADD("/host-table/random-world", test_random_world);
        g_test_add_func("/host-table/no-memory", test_no_memory);

        return g_test_run();
}
