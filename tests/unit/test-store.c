/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store on a machine where all goes well: what goes in comes out, the file's own constraints, its modes, its paths. */

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-id128.h>

#include "store-fixture.h"
#include "store/migrations.h"

#define NODE "iqn.2024-01.org.example:a"

/* The fixture's sequence compared with what it means, written out. The other tests compare with the fixture. */
static void test_round_trip(void) {
        char *directory = directory_new();
        g_autofree char *all = NULL, *rest = NULL;

        for (unsigned i = 0; i < n_changes; i++) {
                TestStore *s = directory_open(directory);
                g_autofree char *before = NULL, *after = NULL;

                g_assert_cmpint(change_run(s, i), ==, 0);
                before = store_dump(s);
                test_store_close(s);

                after = directory_dump(directory);
                g_assert_cmpstr(before, ==, after);
                g_assert_cmpstr(after, ==, state_after(i + 1));
                if (i == 11)
                        all = g_steal_pointer(&after);
                if (i == 18)
                        rest = g_steal_pointer(&after);
        }

        g_assert_cmpstr(all, ==,
                        "group 1 'front'\n"
                        "group 2 ''\n"
                        "tcp [2001:db8::7]:3261\n"
                        "member 2 [2001:db8::7]:3261\n"
                        "member 1 10.0.0.1:3260\n"
                        "member 1 [2001:db8::7]:3261\n"
                        "node iqn.2024-01.org.example:disks '' 8\n"
                        "node iqn.2024-01.org.example:host 'the host' 12\n"
                        "port iqn.2024-01.org.example:disks 3 000000000001 10.0.0.1:3260 [2001:db8::7]:3261\n"
                        "port iqn.2024-01.org.example:disks 3 000000000002 10.0.0.3:3260 [::1]:860\n"
                        "port iqn.2024-01.org.example:host 2 00023D000001 [fe80::1%eth0]:0\n");
        g_assert_cmpstr(rest, ==,
                        "group 1 'front'\n"
                        "group 3 'third'\n"
                        "tcp 10.0.0.1:3260\n"
                        "member 0 10.0.0.1:3260\n"
                        "node iqn.2024-01.org.example:host 'the host' 12\n"
                        "port iqn.2024-01.org.example:host 2 00023D000001 [fe80::1%eth0]:0\n");

        directory_remove(directory);
}

/* Many portals, put in against the order of their addresses, and one bound, unbound and bound again. */
static void test_order(void) {
        char *directory = directory_new();
        g_autofree char *text = NULL;
        g_autoptr(GString) expected = g_string_new("node " NODE " '' 8\nport " NODE " 3 00000000FFFF");
        TestStore *s = directory_open(directory);
        Portal portals[40];

        for (unsigned i = 0; i < ELEMENTSOF(portals); i++) {
                g_autofree char *p = g_strdup_printf("10.0.%u.1:%u", 200 - i, 4000 - i);

                portals[i] = portal(p);
                if (i != 3)
                        g_string_append_printf(expected, " %s", p);
        }
        g_string_append(expected, " 10.0.197.1:3997\n");

        g_assert_cmpint(add_node(s, NODE, "", 8), ==, 0);
        g_assert_cmpint(add_port(s, &(StorePort){ .node = NODE,
                                                  .role = 3,
                                                  .identifier = 65535,
                                                  .portals = portals,
                                                  .n_portals = ELEMENTSOF(portals) }),
                        ==, 0);
        g_assert_cmpint(remove_binding(s, NODE, 65535, &portals[3]), ==, 0);
        g_assert_cmpint(add_binding(s, NODE, 65535, &portals[3]), ==, 0);

        text = store_dump(s);
        g_assert_cmpstr(text, ==, expected->str);

        test_store_close(s);
        directory_remove(directory);
}

static int count(const StoreOperation *op, void *userdata) {
        (*(unsigned *) userdata)++;
        return 0;
}

static int stop_at_node(const StoreOperation *op, void *userdata) {
        (void) count(op, userdata);
        return op->verb == STORE_ADD_NODE ? -ECANCELED : 0;
}

/* At the first node, behind which there are ports and more. */
static void test_visit_stops(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        Database d = { .db = raw_open(directory) };
        StoreImage *image = NULL;
        unsigned n = 0, n_all = 0;

        for (unsigned i = 0; i < n_changes - 1; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        g_assert_cmpint(database_load(&d, &image), ==, 0);
        g_assert_cmpint(store_image_visit(image, count, &n_all), ==, 0);
        g_assert_cmpuint(n_all, ==, image->objects->n);
        g_assert_cmpint(store_image_visit(image, stop_at_node, &n), ==, -ECANCELED);
        g_assert_cmpuint(n, <, n_all);
        g_assert_cmpint(image->objects->operations[n - 1]->verb, ==, STORE_ADD_NODE);

        image_free(image);
        database_disconnect(&d);
        test_store_close(s);
        directory_remove(directory);
}

static void assert_refused(TestStore *s, int r, int error, const char *before) {
        g_autofree char *after = NULL;

        g_assert_cmpint(r, ==, error);
        g_assert_nonnull(s->why);
        after = store_dump(s);
        g_assert_cmpstr(after, ==, before);
}

static void test_refusals(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3260"), b = portal("10.0.0.2:3260"), ip = ip_portal("10.0.0.1"), unusable = {},
               multicast = { .address = { .family = AF_INET, .in.s_addr = htonl(0xe0000001) }, .port = 3260 };
        Portal twice[] = { b, b }, new_and_used[] = { b, a };
        g_autofree char *before = NULL, *long_name = g_strnfill(224, 'x'), *longest_name = g_strnfill(223, 'x');

        g_assert_cmpint(add_node(s, NODE, "alias", 8), ==, 0);
        g_assert_cmpint(add_node(s, "other", "", 12), ==, 0);
        g_assert_cmpint(add_node(s, longest_name, "", 4), ==, 0); /* two nodes without an alias */
        g_assert_cmpint(add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 1, .portals = &a, .n_portals = 1 }), ==,
                        0);
        g_assert_cmpint(add_port(s, &(StorePort){ .node = "other", .role = 3, .identifier = 1, .portals = &a, .n_portals = 1 }),
                        ==, 0); /* same tag and portal, other node */
        g_assert_cmpint(
                add_port(
                        s,
                        &(StorePort){ .node = "other", .role = 2, .identifier = 0xFFFFFFFFFFFF, .portals = &ip, .n_portals = 1 }),
                ==, 0);
        g_assert_cmpint(add_port(s, &(StorePort){ .node = "other", .role = 2, .identifier = 0, .portals = &ip, .n_portals = 1 }),
                        ==, 0); /* initiator ports share */
        g_assert_cmpint(
                add_port(s, &(StorePort){ .node = "other", .role = 2, .identifier = 65536, .portals = NULL, .n_portals = 0 }), ==,
                0);
        g_assert_cmpint(add_portal_group(s, 1, "g"), ==, 0);
        g_assert_cmpint(add_tcp_endpoint(s, &a, 1), ==, 0);
        before = store_dump(s);

        assert_refused(s, add_node(s, NODE, "", 8), -EEXIST, before);
        assert_refused(s, add_node(s, "new", "alias", 8), -EEXIST, before);
        assert_refused(s, add_node(s, "", "", 8), -EEXIST, before);
        assert_refused(s, add_node(s, long_name, "", 8), -EEXIST, before);
        assert_refused(s, add_node(s, "new", "", 0), -EEXIST, before);
        assert_refused(s, add_node(s, "new", "", 1), -EEXIST, before);
        assert_refused(s, add_node(s, "new", "", 16 | 8), -EEXIST, before);
        assert_refused(s, remove_node(s, "new"), -ENOENT, before);

        assert_refused(s, add_port(s, &(StorePort){ .node = "new", .role = 3, .identifier = 2, .portals = &b, .n_portals = 1 }),
                       -ENOENT, before);
        assert_refused(s, add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 1, .portals = &b, .n_portals = 1 }),
                       -EEXIST, before);
        assert_refused(s,
                       add_port(s, &(StorePort){ .node = "other", .role = 2, .identifier = 1, .portals = &ip, .n_portals = 1 }),
                       -EEXIST, before); /* of both roles */
        assert_refused(s,
                       add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 65536, .portals = &b, .n_portals = 1 }),
                       -EEXIST, before);
        assert_refused(
                s, add_port(s, &(StorePort){ .node = NODE, .role = 2, .identifier = 1ull << 48, .portals = &ip, .n_portals = 1 }),
                -EEXIST, before);
        assert_refused(
                s, add_port(s, &(StorePort){ .node = NODE, .role = 2, .identifier = UINT64_MAX, .portals = &ip, .n_portals = 1 }),
                -EEXIST, before);
        assert_refused(s, add_port(s, &(StorePort){ .node = NODE, .role = 4, .identifier = 2, .portals = &b, .n_portals = 1 }),
                       -EEXIST, before);
        assert_refused(s, add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 2, .portals = &a, .n_portals = 1 }),
                       -EEXIST, before); /* portal of another port */
        assert_refused(
                s, add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 2, .portals = new_and_used, .n_portals = 2 }),
                -EEXIST, before);
        assert_refused(s, add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 2, .portals = twice, .n_portals = 2 }),
                       -EEXIST, before);
        assert_refused(s, add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 2, .portals = &ip, .n_portals = 1 }),
                       -EEXIST, before); /* no TCP port */
        assert_refused(s, add_port(s, &(StorePort){ .node = NODE, .role = 2, .identifier = 2, .portals = &b, .n_portals = 1 }),
                       -EEXIST, before); /* a TCP port */
        assert_refused(
                s, add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 2, .portals = &unusable, .n_portals = 1 }),
                -EINVAL, before);
        assert_refused(
                s, add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 2, .portals = &multicast, .n_portals = 1 }),
                -EINVAL, before);
        assert_refused(s, remove_port(s, NODE, 2), -ENOENT, before);
        assert_refused(s, remove_port(s, "new", 1), -ENOENT, before);

        assert_refused(s, add_binding(s, NODE, 2, &b), -ENOENT, before);
        assert_refused(s, add_binding(s, "new", 1, &b), -ENOENT, before);
        assert_refused(s, add_binding(s, NODE, 1, &a), -EEXIST, before);
        assert_refused(s, add_binding(s, NODE, 1, &ip), -EEXIST, before);
        assert_refused(s, add_binding(s, NODE, 1, &unusable), -EINVAL, before);
        assert_refused(s, add_binding(s, "other", 0, &ip), -EEXIST, before);
        assert_refused(s, remove_binding(s, NODE, 1, &b), -ENOENT, before);
        assert_refused(s, remove_binding(s, NODE, 2, &a), -ENOENT, before);
        assert_refused(s, remove_binding(s, NODE, 1, &unusable), -EINVAL, before);

        assert_refused(s, add_tcp_endpoint(s, &a, 0), -EEXIST, before);
        assert_refused(s, add_tcp_endpoint(s, &b, 2), -ENOENT, before);
        assert_refused(s, add_tcp_endpoint(s, &ip, 0), -EEXIST, before);
        assert_refused(s, add_tcp_endpoint(s, &unusable, 0), -EINVAL, before);
        assert_refused(s, remove_tcp_endpoint(s, &b), -ENOENT, before);

        assert_refused(s, add_member(s, 1, &a), -EEXIST, before);
        assert_refused(s, add_member(s, 2, &b), -ENOENT, before);
        assert_refused(s, add_member(s, 1, &ip), -EEXIST, before);
        assert_refused(s, add_member(s, 1, &unusable), -EINVAL, before);
        assert_refused(s, add_member(s, 0, &b), -ENOENT, before); /* not made by method */
        assert_refused(s, remove_member(s, 0, &a), -ENOENT, before);
        assert_refused(s, remove_member(s, 1, &b), -ENOENT, before);
        assert_refused(s, remove_portal_group(s, 1), -EEXIST, before); /* has a member */
        assert_refused(s, remove_portal_group(s, 2), -ENOENT, before);
        assert_refused(s, remove_portal_group(s, 0), -ENOENT, before); /* built in */
        assert_refused(s, add_portal_group(s, 0, "g"), -EEXIST, before);
        assert_refused(s, add_portal_group(s, 1, "g"), -EEXIST, before);
        assert_refused(s, add_portal_group(s, UINT64_MAX, "g"), -EEXIST, before);

        test_store_close(s);
        directory_remove(directory);
}

/* An endpoint on a default port is a member though it is not in the file; failing to remove it must not cost it its group. */
static void test_remove_automatic_endpoint(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3260");
        g_autofree char *before = NULL;

        g_assert_cmpint(add_portal_group(s, 1, "g"), ==, 0);
        g_assert_cmpint(add_member(s, 1, &a), ==, 0);
        before = store_dump(s);
        assert_refused(s, remove_tcp_endpoint(s, &a), -ENOENT, before);

        test_store_close(s);
        directory_remove(directory);
}

/* Endpoints made by method come to the built-in group and leave it as any other; it never shows as a group. */
static void test_built_in_group(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3261"), b = portal("10.0.0.2:3261");
        g_autofree char *text = NULL;

        g_assert_cmpint(add_portal_group(s, 1, "g"), ==, 0);
        g_assert_cmpint(add_tcp_endpoint(s, &a, 0), ==, 0);
        g_assert_cmpint(add_tcp_endpoint(s, &b, 1), ==, 0);
        g_assert_cmpint(remove_member(s, 0, &a), ==, 0);
        g_assert_cmpint(remove_member(s, 0, &a), ==, -ENOENT);
        g_assert_cmpint(add_member(s, 0, &b), ==, 0);
        g_assert_cmpint(add_member(s, 0, &b), ==, -EEXIST);
        test_store_close(s);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==,
                        "group 1 'g'\n"
                        "tcp 10.0.0.1:3261\n"
                        "tcp 10.0.0.2:3261\n"
                        "member 1 10.0.0.2:3261\n"
                        "member 0 10.0.0.2:3261\n");
        directory_remove(directory);
}

/* What of the new verbs the file refuses, and each with good values beside it. */
static void test_refusals_of_settings(void) {
        static const char boot[] = "00112233445566778899aabbccddeeff";
        const IpAddress address = ip_portal("10.0.0.1").address, other = ip_portal("10.0.0.2").address;
        const struct {
                int error;
                StoreOperation operation;
        } cases[] = {
                { -EINVAL, { .verb = _STORE_VERB_MAX } },
                { -EINVAL, { .verb = STORE_SET_PORTAL_GROUP, .id = 1, .element_name = "x" } }, /* there is no such verb */
                { -EINVAL, { .verb = STORE_REMOVE_SETTING, .key = "key" } },
                { -EINVAL, { .verb = STORE_ADD_ADDRESS } },
                { -EEXIST, { .verb = STORE_ADD_ADDRESS, .address = address } },
                { -EEXIST, { .verb = STORE_ADD_ADDRESS, .address = other, .boot_id = "x" } },
                { -EINVAL, { .verb = STORE_REMOVE_ADDRESS } },
                { -ENOENT, { .verb = STORE_REMOVE_ADDRESS, .address = other } },
                { -EEXIST, { .verb = STORE_ADD_NODE, .node = "new", .roles = 8, .boot_id = "x" } },
                { -EEXIST, { .verb = STORE_ADD_NODE, .node = "new", .roles = 8, .drift_policy = "x" } },
                { -EEXIST, { .verb = STORE_ADD_NODE, .roles = 8 } },
                { -ENOENT, { .verb = STORE_SET_NODE, .node = "new", .alias = "x" } },
                { -EEXIST, { .verb = STORE_SET_NODE, .node = NODE, .drift_policy = "x" } },
                { -EEXIST, { .verb = STORE_SET_NODE, .node = "other", .alias = "alias" } },
                { -ENOENT, { .verb = STORE_SET_PORT, .node = NODE, .identifier = 2, .enabled = true } },
                { -ENOENT, { .verb = STORE_SET_PORT, .node = "new", .identifier = 1, .enabled = true } },
                { -EEXIST, { .verb = STORE_ADD_JOURNAL, .id = 1, .action = "x", .before = "x" } },
                { -EEXIST, { .verb = STORE_ADD_JOURNAL, .id = 0, .action = "x", .before = "x" } },
                { -EEXIST, { .verb = STORE_ADD_JOURNAL, .id = 2, .action = "x" } },
                { -ENOENT, { .verb = STORE_REMOVE_JOURNAL, .id = 2 } },
                { -EEXIST, { .verb = STORE_ADD_SETTING, .key = "key" } },
                { -EEXIST, { .verb = STORE_ADD_SETTING, .value = "value" } },
                { 0, { .verb = STORE_ADD_ADDRESS, .address = other, .boot_id = boot } },
                { 0, { .verb = STORE_ADD_NODE, .node = "new", .roles = 8, .boot_id = boot, .drift_policy = "report" } },
                { 0, { .verb = STORE_SET_NODE, .node = NODE, .drift_policy = "enforce" } },
                { 0, { .verb = STORE_SET_PORT, .node = NODE, .identifier = 1 } },
                { 0, { .verb = STORE_ADD_JOURNAL, .id = 2, .action = "x", .before = "" } },
                { 0, { .verb = STORE_ADD_SETTING, .key = "key", .value = "" } },
        };
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3260");
        g_autofree char *before = NULL, *after = NULL;

        g_assert_cmpint(add_node(s, NODE, "alias", 8), ==, 0);
        g_assert_cmpint(add_node(s, "other", NULL, 8), ==, 0);
        g_assert_cmpint(add_port(s, &(StorePort){ .node = NODE, .role = 3, .identifier = 1, .portals = &a, .n_portals = 1 }), ==,
                        0);
        g_assert_cmpint(operation_commit(s, &(StoreOperation){ .verb = STORE_ADD_ADDRESS, .address = address }), ==, 0);
        g_assert_cmpint(
                operation_commit(s, &(StoreOperation){ .verb = STORE_ADD_JOURNAL, .id = 1, .action = "create", .before = "b" }),
                ==, 0);
        before = store_dump(s);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_test_message("case %zu", i);
                if (cases[i].error < 0)
                        assert_refused(s, operation_commit(s, &cases[i].operation), cases[i].error, before);
                else
                        g_assert_cmpint(operation_commit(s, &cases[i].operation), ==, 0);
        }

        after = store_dump(s);
        g_assert_cmpstr(after, ==,
                        "setting key ''\n"
                        "address 10.0.0.1 ''\n"
                        "address 10.0.0.2 '' boot 00112233445566778899aabbccddeeff\n"
                        "node " NODE " 'alias' 8 drift enforce\n"
                        "node other '' 8\n"
                        "node new '' 8 boot 00112233445566778899aabbccddeeff drift report\n"
                        "port " NODE " 3 000000000001 off 10.0.0.1:3260\n"
                        "journal 1 'create' 'b'\n"
                        "journal 2 'x' ''\n");

        test_store_close(s);
        directory_remove(directory);
}

/* All operations of a change set or none; and one without any costs nothing. */
static void test_change_sets(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        g_autofree char *before = NULL, *after = NULL;
        StoreChange *c = store_change_new();

        g_assert_cmpint(add_node(s, NODE, "", 8), ==, 0);
        before = store_dump(s);

        g_assert_cmpint(store_change_add(c, &(StoreOperation){ .verb = STORE_ADD_NODE, .node = "b", .roles = 8 }), ==, 0);
        g_assert_cmpint(store_change_add(c, &(StoreOperation){ .verb = STORE_REMOVE_NODE, .node = NODE }), ==, 0);
        g_assert_cmpint(store_change_add(c, &(StoreOperation){ .verb = STORE_REMOVE_NODE, .node = "c" }), ==, 0);
        assert_refused(s, change_commit(s, c), -ENOENT, before);
        g_assert_nonnull(strstr(s->why, "no such node"));

        g_assert_cmpint(change_commit(s, store_change_new()), ==, 0);
        after = store_dump(s);
        g_assert_cmpstr(after, ==, before);
        g_assert_null(store_change_free(NULL));
        g_assert_null(store_commit_cancel(NULL));

        test_store_close(s);
        directory_remove(directory);
}

/* What ends with a boot is there until then, also after a restart of the service. */
static void test_other_boot(void) {
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        Portal a = portal("10.0.0.1:3260");
        char boot[SD_ID128_STRING_MAX];
        const IpAddress address = ip_portal("10.0.0.1").address, other = ip_portal("10.0.0.2").address,
                        lasting = ip_portal("10.0.0.3").address;
        g_autofree char *text = NULL, *again = NULL, *expected = NULL, *here = NULL;
        sd_id128_t id;
        const StoreOperation operations[] = {
                { .verb = STORE_ADD_NODE, .node = "old", .roles = 8, .boot_id = "00112233445566778899aabbccddeeff" },
                { .verb = STORE_ADD_PORT, .node = "old", .role = 3, .identifier = 1, .portals = &a, .n_portals = 1 },
                { .verb = STORE_ADD_NODE, .node = "now", .roles = 8, .boot_id = boot },
                { .verb = STORE_ADD_NODE, .node = "lasting", .roles = 8 },
                { .verb = STORE_ADD_ADDRESS, .address = other, .boot_id = "00112233445566778899aabbccddeeff" },
                { .verb = STORE_ADD_ADDRESS, .address = address, .boot_id = boot },
                { .verb = STORE_ADD_ADDRESS, .address = lasting },
        };

        g_assert_cmpint(sd_id128_get_boot(&id), ==, 0);
        (void) sd_id128_to_string(id, boot);
        for (size_t i = 0; i < ELEMENTSOF(operations); i++)
                g_assert_cmpint(operation_commit(s, &operations[i]), ==, 0);
        test_store_close(s);

        expected = g_strdup_printf("address 10.0.0.1 '' boot %s\naddress 10.0.0.3 ''\nnode now '' 8 boot %s\nnode lasting '' 8\n",
                                   boot, boot);
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, expected);
        again = directory_dump(directory);
        g_assert_cmpstr(again, ==, expected);

        /* The name is free again in the file, too. */
        s = directory_open(directory);
        here = store_dump(s);
        g_assert_cmpstr(here, ==, expected);
        g_assert_cmpint(add_node(s, "old", "", 8), ==, 0);
        test_store_close(s);
        directory_remove(directory);
}

/* Ids of groups are never used again, those of journal rows are. */
static void test_ids(void) {
        char *directory = directory_new();
        uint64_t expected = 1;

        for (unsigned i = 0; i < 5; i++) {
                TestStore *s = directory_open(directory);

                g_assert_cmpuint(s->next_group_id, ==, expected);
                g_assert_cmpuint(s->next_journal_id, ==, 1);
                expected = s->next_group_id + 3; /* gaps are fine */
                g_assert_cmpint(add_portal_group(s, expected - 1, "g"), ==, 0);
                g_assert_cmpint(remove_portal_group(s, expected - 1), ==, 0);
                g_assert_cmpint(
                        operation_commit(s, &(StoreOperation){ .verb = STORE_ADD_JOURNAL, .id = 9, .action = "a", .before = "" }),
                        ==, 0);
                test_store_close(s);

                s = directory_open(directory);
                g_assert_cmpuint(s->next_journal_id, ==, 10);
                g_assert_cmpint(operation_commit(s, &(StoreOperation){ .verb = STORE_REMOVE_JOURNAL, .id = 9 }), ==, 0);
                test_store_close(s);
        }

        directory_remove(directory);
}

/* What no function of the store would write; the file itself refuses it. */
static void test_constraints(void) {
        static const char *const refused[] = {
                "INSERT INTO portal_group VALUES (0, 'x')",
                "INSERT INTO portal_group VALUES (-1, 'x')",
                "INSERT INTO portal_group VALUES (9, NULL)",
                "INSERT INTO portal_group VALUES (9, x'00')",
                "INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 0)",
                "INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 65536)",
                "INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 'http')",
                "INSERT INTO member VALUES (9, 77, '10.0.0.9', 3260)",
                "INSERT INTO member VALUES (9, 1, '10.0.0.9', 0)",
                "INSERT INTO member VALUES (9, 1, '10.0.0.9', 65536)",
                "INSERT INTO node VALUES (9, 'x', NULL, 8, '', '')",
                "INSERT INTO node VALUES (9, NULL, '', 8, '', '')",
                "INSERT INTO node VALUES (9, 'x', '', 8, 'short', '')",
                "INSERT INTO node VALUES (9, 'x', '', 8, '', 'never')",
                "UPDATE node SET roles = 2",
                "INSERT INTO port VALUES (77, 9, 3, 1)",
                "INSERT INTO port VALUES (1, 9, 3, 2)",
                "INSERT INTO port VALUES (1, -1, 3, 1)",
                "INSERT INTO binding VALUES (1, 77, 3, 9, '10.0.0.9', 3260)",
                "INSERT INTO binding VALUES (77, 1, 3, 9, '10.0.0.9', 3260)", /* another node than the port's */
                "INSERT INTO binding VALUES (1, 1, 2, 9, '10.0.0.9', 0)",     /* another role than the port's */
                "INSERT INTO binding VALUES (1, 1, 3, 1, '10.0.0.9', 3260)",  /* position taken */
                "INSERT INTO binding VALUES (1, 1, 3, 0, '10.0.0.9', 3260)",
                "INSERT INTO binding VALUES (1, 1, 3, 9, '10.0.0.9', 65536)",
                "DELETE FROM portal_group WHERE id = 1",
                "INSERT INTO meta VALUES (2, 2)",
                "INSERT INTO address VALUES (1, '10.0.0.9', '', 'short')",
                "INSERT INTO address VALUES (1, '10.0.0.9', NULL, '')",
                "INSERT INTO journal VALUES (-1, 'a', 'b')",
                "INSERT INTO journal VALUES (1, 'a', NULL)",
                "INSERT INTO setting VALUES ('a', NULL)",
        };
        char *directory = directory_new();
        TestStore *s = directory_open(directory);
        sqlite3 *db;

        for (unsigned i = 0; i < 9; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);

        db = raw_open(directory);
        raw_exec(db, "PRAGMA foreign_keys = ON");
        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                int code = sqlite3_exec(db, refused[i], NULL, NULL, NULL);

                g_test_message("%s: %s", refused[i], sqlite3_errmsg(db));
                g_assert_cmpint(code, ==, SQLITE_CONSTRAINT);
        }

        /* The same shape with good values, so that the refusals above are for their own reasons. */
        raw_exec(db, "BEGIN;"
                     "INSERT INTO portal_group VALUES (9, 'x'); INSERT INTO tcp_endpoint VALUES (9, '10.0.0.9', 1);"
                     "INSERT INTO member VALUES (9, 1, '10.0.0.9', 65535); INSERT INTO node VALUES (9, 'x', '', 8, '', '');"
                     "INSERT INTO address VALUES (1, '10.0.0.9', '', ''); INSERT INTO journal VALUES (1, 'a', 'b');"
                     "INSERT INTO port VALUES (1, 9, 3, 0); INSERT INTO binding VALUES (1, 9, 3, 9, '10.0.0.9', 3260);"
                     "ROLLBACK");
        sqlite3_close(db);

        {
                g_autofree char *text = directory_dump(directory);

                g_assert_cmpstr(text, ==, state_after(9));
        }
        directory_remove(directory);
}

static unsigned mode_of(const char *path) {
        struct stat st;

        g_assert_cmpint(stat(path, &st), ==, 0);
        return st.st_mode & 07777;
}

static void test_modes(void) {
        static const mode_t masks[] = { 0, 022, 0777 };

        for (size_t i = 0; i < ELEMENTSOF(masks); i++) {
                char *parent = directory_new();
                g_autofree char *directory = g_build_filename(parent, "state", NULL), *file = store_file(directory, ""),
                                *wal = store_file(directory, "-wal"), *shm = store_file(directory, "-shm");
                mode_t old = umask(masks[i]), now;
                TestStore *s = directory_open(directory);

                g_assert_cmpint(change_run(s, 0), ==, 0);
                now = umask(old);
                g_assert_cmpuint(now, ==, masks[i]);

                g_assert_cmpuint(mode_of(directory), ==, 0700);
                g_assert_cmpuint(mode_of(file), ==, 0600);
                g_assert_cmpuint(mode_of(wal), ==, 0600);
                g_assert_cmpuint(mode_of(shm), ==, 0600);

                test_store_close(s);
                directory_remove(parent);
        }
}

static void assert_unavailable(const char *directory, int error, const char *says) {
        g_autofree char *why = NULL;

        g_assert_cmpint(directory_try(directory, &why), ==, error);
        if (!strstr(why, says))
                g_error("\"%s\" does not say \"%s\"", why, says);
}

static void test_paths(void) {
        char *parent = directory_new();
        g_autofree char *real = g_build_filename(parent, "real", NULL), *link = g_build_filename(parent, "link", NULL),
                        *plain = g_build_filename(parent, "plain", NULL), *missing = g_build_filename(parent, "no", "such", NULL),
                        *file = store_file(real, ""), *elsewhere = g_build_filename(parent, "elsewhere", NULL);
        TestStore *s;

        /* A state directory is often reached through a link; the file in it never is. */
        g_assert_cmpint(g_mkdir(real, 0700), ==, 0);
        g_assert_cmpint(symlink("real", link), ==, 0);
        s = directory_open(link);
        g_assert_cmpint(change_run(s, 0), ==, 0);
        test_store_close(s);
        g_assert_true(g_file_test(file, G_FILE_TEST_IS_REGULAR));

        g_assert_cmpint(rename(file, elsewhere), ==, 0);
        g_assert_cmpint(symlink(elsewhere, file), ==, 0);
        assert_unavailable(real, -ELOOP, "symbolic link");
        g_assert_cmpint(g_unlink(file), ==, 0);
        g_assert_cmpint(symlink("/nonexistent/target", file), ==, 0);
        assert_unavailable(real, -ELOOP, "symbolic link");

        g_assert_cmpint(g_unlink(file), ==, 0);
        g_assert_cmpint(g_mkdir(file, 0700), ==, 0);
        assert_unavailable(real, -EISDIR, "put a regular file there");

        g_assert_cmpint(g_rmdir(file), ==, 0);
        g_assert_cmpint(mkfifo(file, 0600), ==, 0);
        assert_unavailable(real, -EINVAL, "put a regular file there");

        g_assert_true(g_file_set_contents(plain, "", 0, NULL));
        assert_unavailable(plain, -ENOTDIR, "Not a directory");
        assert_unavailable(missing, -ENOENT, "whose parent exists");

        directory_remove(parent);
}

static void test_close_nothing(void) {
        g_assert_null(store_close(NULL));
}

/* A file that is there is never begun anew, however little is in it: it may be all that a power cut left of a store. */
static void test_empty_file(void) {
        for (gssize n = 0; n <= 1; n++) {
                char *directory = directory_new();
                g_autofree char *file = store_file(directory, ""), *content = NULL;
                gsize n_after;

                g_assert_true(g_file_set_contents(file, "S", n, NULL));
                assert_unavailable(directory, -EUCLEAN, "it is empty");
                assert_unavailable(directory, -EUCLEAN, " --new-store --state-directory=");
                g_assert_true(g_file_get_contents(file, &content, &n_after, NULL));
                g_assert_cmpuint(n_after, ==, n);

                directory_remove(directory);
        }
}

/* A first start that was cut off leaves nothing that stands in the way, and nothing stays of it. */
static void test_unfinished_file(void) {
        char *directory = directory_new();
        g_autofree char *file = store_file(directory, ".new"), *text = NULL, *list = NULL;

        g_assert_true(g_file_set_contents(file, "half a store", -1, NULL));
        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, "");
        list = directory_list(directory);
        g_assert_cmpstr(list, ==, "ports.db ");

        directory_remove(directory);
}

/* No file, but something that shows that there was one. */
static void test_remains(void) {
        static const char *const names[] = { "-wal",
                                             "-shm",
                                             "-journal",
                                             ".damaged-20261101T000000.000000Z",
                                             ".before-v2",
                                             ".bak",
                                             ".old-20261101T000000.000000Z-wal" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char *directory = directory_new();
                g_autofree char *file = store_file(directory, names[i]), *name = g_path_get_basename(file), *list = NULL,
                                *text = NULL;

                g_assert_true(g_file_set_contents(file, "remains", -1, NULL));
                assert_unavailable(directory, -ENODATA, name);
                assert_unavailable(directory, -ENODATA, "put it back");
                list = directory_list(directory);
                g_assert_cmpstr(g_strchomp(list), ==, name);

                g_assert_cmpint(g_unlink(file), ==, 0);
                text = directory_dump(directory);
                g_assert_cmpstr(text, ==, "");
                directory_remove(directory);
        }
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/store/round-trip", test_round_trip);
        g_test_add_func("/store/order", test_order);
        g_test_add_func("/store/visit-stops", test_visit_stops);
        g_test_add_func("/store/refusals", test_refusals);
        g_test_add_func("/store/built-in-group", test_built_in_group);
        g_test_add_func("/store/remove-automatic-endpoint", test_remove_automatic_endpoint);
        g_test_add_func("/store/refusals-of-settings", test_refusals_of_settings);
        g_test_add_func("/store/change-sets", test_change_sets);
        g_test_add_func("/store/other-boot", test_other_boot);
        g_test_add_func("/store/ids", test_ids);
        g_test_add_func("/store/constraints", test_constraints);
        g_test_add_func("/store/modes", test_modes);
        g_test_add_func("/store/paths", test_paths);
        g_test_add_func("/store/close-nothing", test_close_nothing);
        g_test_add_func("/store/empty-file", test_empty_file);
        g_test_add_func("/store/unfinished-file", test_unfinished_file);
        g_test_add_func("/store/remains", test_remains);
        r = g_test_run();

        states_free();
        return r;
}
