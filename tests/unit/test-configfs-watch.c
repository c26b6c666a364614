/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* configfs-watch.h on plain directories that look like configfs. What only the kernel's does is in tests/kernel/test-watch.c. */

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "watch-fixture.h"

#define A "iqn.2026-11.org.iscsi:a"
#define B "iqn.2026-11.org.iscsi:b"

/* Everything that counts, at each level, and who is told. */
static void test_changes(Fixture *f, const void *data) {
        make(f, A "/tpgt_1");
        make(f, "discovery_auth");
        watch_start_quietly(f, NULL);
        g_assert_null(f->status);

        put(f, A "/tpgt_1/enable", "1\n");
        expect(f, A);
        put(f, A "/tpgt_1/enable", "1\n"); /* the same value */
        expect(f, A);
        make(f, A "/tpgt_1/np/127.0.0.1:3260");
        expect(f, A);
        drop(f, A "/tpgt_1/np/127.0.0.1:3260");
        expect(f, A);
        make(f, A "/tpgt_2");
        expect(f, A);
        make(f, A "/tpgt_2/np/[::1]:3260");
        expect(f, A);
        make(f, A "/.tpgt_0x3"); /* a tag for the kernel, whatever stands before it */
        expect(f, A);
        put(f, A "/.tpgt_0x3/enable", "0\n");
        expect(f, A);
        make(f, B);
        expect(f, B);
        make(f, B "/tpgt_1");
        make(f, A "/tpgt_3");
        expect(f, A " " B);
        drop(f, A "/tpgt_1");
        expect(f, A);
        drop(f, A);
        expect(f, A);
        drop(f, B);
        expect(f, B);
        make(f, "no-iscsi-name");
        expect(f, "no-iscsi-name");
}

/* What happens in the tree without changing a node's ports, portals or their states. */
static void test_nothing_told(Fixture *f, const void *data) {
        make(f, A "/tpgt_1/np/127.0.0.1:3260");
        make(f, A "/tpgt_1");
        make(f, A "/param");
        watch_start_quietly(f, NULL);

        make(f, "discovery_auth");
        put(f, "discovery_auth/userid", "u\n");
        put(f, "lio_version", "v\n");
        make(f, "../loopback/naa.1/tpgt_1");
        make(f, A "/fabric_statistics");
        put(f, A "/param/x", "1\n");
        put(f, A "/tpgt_1/dynamic_sessions", "x\n");
        put(f, A "/tpgt_1/attrib/authentication", "1\n");
        put(f, A "/tpgt_1/np/127.0.0.1:3260/iser", "0\n");
        make(f, A "/tpgt_1/acls/iqn.x");
        make(f, A "/tpgt_1/lun/lun_0");
        watch_run(f, 300);
        g_assert_cmpstr(f->told->str, ==, "");
}

/* What was there before is followed like what came later. */
static void test_initial(Fixture *f, const void *data) {
        for (unsigned i = 0; i < 200; i++)
                make(f, "iqn.2026-11.org.iscsi:n%u/tpgt_%u", i, i + 1);
        watch_start(f, NULL);
        expect(f, "*");
        g_assert_cmpuint(configfs_watch_statistics(f->watch)->jobs, ==, 2 + 3 * 200);

        make(f, "iqn.2026-11.org.iscsi:n0/tpgt_1/np/127.0.0.1:3260");
        put(f, "iqn.2026-11.org.iscsi:n199/tpgt_200/enable", "1\n");
        expect(f, "iqn.2026-11.org.iscsi:n0 iqn.2026-11.org.iscsi:n199");
}

/* A burst is told once; so it costs one look at the node. */
static void test_burst(Fixture *f, const void *data) {
        make(f, A "/tpgt_1");
        f->tuning.quiet_msec = 200;
        f->tuning.late_msec = 10000;
        watch_start_quietly(f, NULL);

        for (unsigned i = 0; i < 1000; i++)
                put(f, A "/tpgt_1/enable", i % 2 == 0 ? "1\n" : "0\n");
        for (unsigned i = 0; i < 200; i++)
                make(f, A "/tpgt_1/np/127.0.0.1:%u", i + 1);
        watch_wait_for(f, f->calls > 0);
        watch_run(f, 600);
        g_assert_cmpstr(f->told->str, ==, A " ");
        g_assert_cmpuint(configfs_watch_statistics(f->watch)->reads, <=, 20);
}

/* Changes that never pause are told in time all the same, other nodes' too. */
static void test_never_quiet(Fixture *f, const void *data) {
        gint64 begin, first = 0;

        make(f, A "/tpgt_1");
        make(f, B "/tpgt_1");
        f->tuning.quiet_msec = 100;
        f->tuning.late_msec = 300;
        watch_start_quietly(f, NULL);

        begin = g_get_monotonic_time();
        put(f, B "/tpgt_1/enable", "1\n");
        while (g_get_monotonic_time() < begin + 2 * G_USEC_PER_SEC) {
                put(f, A "/tpgt_1/enable", "1\n");
                watch_run(f, 10);
                if (first == 0 && f->calls > 0)
                        first = f->told_at - begin;
        }
        g_test_message("first told after %i ms, %u calls", (int) (first / 1000), f->calls);
        g_assert_cmpint(first, >=, 280 * 1000);
        g_assert_cmpint(first, <, 900 * 1000);
        g_assert_cmpuint(f->calls, >=, 3);
        g_assert_cmpuint(f->calls, <=, 9);
        g_assert_nonnull(strstr(f->told->str, B " "));
}

static void test_many_nodes(Fixture *f, const void *data) {
        GString *all = g_string_new(NULL);

        make(f, ".");
        f->tuning.quiet_msec = 300;
        f->tuning.late_msec = 10000;
        watch_start_quietly(f, NULL);

        /* More than are told in one turn of the loop. */
        for (unsigned i = 0; i < 300; i++) {
                make(f, "iqn.2026-11.org.iscsi:n%u", i);
                g_string_append_printf(all, "iqn.2026-11.org.iscsi:n%u ", i);
        }
        expect(f, all->str);
        (void) g_string_free(all, TRUE);

        /* More than are kept. */
        for (unsigned i = 300; i < 1400; i++)
                make(f, "iqn.2026-11.org.iscsi:n%u", i);
        expect(f, "*");
}

/* One more node costs the same whether there are few or many others: the fabric's directory is not read again. */
static void test_cost(Fixture *f, const void *data) {
        const ConfigfsWatchStatistics *s;
        unsigned jobs, listings;

        for (unsigned i = 0; i < 500; i++)
                make(f, "iqn.2026-11.org.iscsi:n%u", i);
        watch_start_quietly(f, NULL);
        s = configfs_watch_statistics(f->watch);
        listings = s->listings;
        jobs = s->jobs;

        make(f, A "/tpgt_1");
        expect(f, A);
        g_assert_cmpuint(s->listings - listings, ==, 1); /* of the node */
        g_assert_cmpuint(s->jobs - jobs, <=, 5);
}

/* The fabric's directory comes, goes and comes again while its parent stays. */
static void test_fabric_comes(Fixture *f, const void *data) {
        make(f, "..");
        watch_start_quietly(f, NULL);
        g_assert_null(f->status);

        make(f, ".");
        expect(f, "*");
        make(f, A "/tpgt_1");
        expect(f, A);
        drop(f, ".");
        expect_among(f, "*");
        watch_run(f, 100);
        forget_told(f);
        make(f, A "/tpgt_1");
        expect(f, "*");
        put(f, A "/tpgt_1/enable", "1\n");
        expect(f, A);
        g_assert_cmpuint(f->said, ==, 0);
}

/* So does the parent, which nothing tells. */
static void test_engine_comes(Fixture *f, const void *data) {
        watch_start_quietly(f, NULL);
        expect_status(f, "target_core_mod");
        watch_run(f, 1000);
        g_assert_cmpuint(f->said, ==, 1);
        g_assert_cmpstr(f->told->str, ==, ""); /* there is nothing that could have changed */

        make(f, A "/tpgt_1");
        expect_status(f, NULL);
        expect(f, "*");
        put(f, A "/tpgt_1/enable", "1\n");
        expect(f, A);

        drop(f, "..");
        expect_status(f, "/target does not exist");
        expect_among(f, "*");
        make(f, B "/tpgt_1");
        expect_status(f, NULL);
        expect_among(f, "*");
        watch_run(f, 100);
        forget_told(f);
        put(f, B "/tpgt_1/enable", "1\n");
        expect(f, B);
        g_assert_cmpuint(f->said, ==, 4);
}

/* Taken away and made again before anybody looks: what is followed is what is there now. */
static void test_made_again(Fixture *f, const void *data) {
        static const char *const what[] = { A "/tpgt_1/np", A "/tpgt_1", A, "." };

        make(f, A "/tpgt_1");
        watch_start_quietly(f, NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(what); i++) {
                drop(f, "%s", what[i]);
                make(f, A "/tpgt_1");
                expect_among(f, strcmp(what[i], ".") == 0 ? "*" : A);
                watch_run(f, 100);
                forget_told(f);
                make(f, A "/tpgt_1/np/127.0.0.1:3260");
                expect(f, A);
                put(f, A "/tpgt_1/enable", "1\n");
                expect(f, A);
                make(f, A "/tpgt_2");
                expect(f, A);
                drop(f, A "/tpgt_2");
                expect(f, A);
                make(f, B);
                expect(f, B);
                drop(f, B);
                expect(f, B);
        }

        /* The parent itself, of which no other directory is told. */
        drop(f, "..");
        make(f, A "/tpgt_1");
        expect(f, "*");
        make(f, A "/tpgt_1/np/127.0.0.1:3260");
        expect(f, A);
}

/* Names that are no directories where ones are expected, and links. */
static void test_no_directories(Fixture *f, const void *data) {
        g_autofree char *link = path_of(f, B), *node = path_of(f, A);

        make(f, A);
        put(f, A "/tpgt_1", "x");
        put(f, "iqn.2026-11.org.iscsi:file", "x");
        g_assert_cmpint(symlink(node, link), ==, 0);
        watch_start_quietly(f, NULL);
        g_assert_null(f->status);

        drop(f, A "/tpgt_1");
        make(f, A "/tpgt_1");
        expect(f, A);
        put(f, A "/tpgt_1/enable", "1\n");
        expect(f, A);
}

static void ignore_changed(const char *node, void *userdata) {
}

static void test_paths(Fixture *f, const void *data) {
        static const char *const bad[] = { "", "iscsi", "target/iscsi", "/iscsi", "/target/" };
        static const ConfigfsWatchCallbacks callbacks = { .changed = ignore_changed, .status = ignore_changed };
        g_autofree char *base = g_strnfill(300, 'x'), *long_name = g_strdup_printf("/target/%s", base);
        ConfigfsWatch *w = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                g_assert_cmpint(configfs_watch_new(f->event, bad[i], &callbacks, NULL, &w), ==, -EINVAL);
        g_assert_cmpint(configfs_watch_new(f->event, long_name, &callbacks, NULL, &w), ==, -EINVAL);
        g_assert_null(w);
        g_assert_null(configfs_watch_free(NULL));

        /* Freed before it began. */
        g_assert_cmpint(configfs_watch_new(f->event, "/target/iscsi", &callbacks, NULL, &w), ==, 0);
        g_assert_null(configfs_watch_free(w));
}

/* The nodes and ports of the random test, and which nodes were changed since they were told. */
#define NODES 6u
#define PORTS 3u

static char *random_step(Fixture *f, GRand *rand) {
        unsigned n = (unsigned) g_rand_int_range(rand, 0, NODES), p = (unsigned) g_rand_int_range(rand, 0, PORTS);
        g_autofree char *node = g_strdup_printf("iqn.2026-11.org.iscsi:n%u", n);
        g_autofree char *port = g_strdup_printf("%s/tpgt_%u", node, p);
        g_autofree char *portal = g_strdup_printf("%s/np/127.0.0.1:%i", port, g_rand_int_range(rand, 1, 4));
        g_autofree char *enable = g_strdup_printf("%s/enable", port);
        const char *subject = g_rand_boolean(rand) ? port : g_rand_boolean(rand) ? portal : node;
        g_autofree char *absolute = path_of(f, subject), *port_absolute = path_of(f, port);
        bool port_there = g_file_test(port_absolute, G_FILE_TEST_EXISTS);

        if (port_there && g_rand_int_range(rand, 0, 4) == 0)
                put(f, enable, "1\n");
        else if (g_file_test(absolute, G_FILE_TEST_EXISTS))
                drop(f, "%s", subject);
        else if (subject == portal && !port_there)
                return NULL; /* no portal without its port */
        else
                make(f, "%s", subject);
        return g_steal_pointer(&node);
}

/* Each port that is there is followed: what happens to it is told. On a busy machine what happened before may be told once more
 * meanwhile. */
static void check_followed(Fixture *f) {
        for (unsigned n = 0; n < NODES; n++) {
                g_autofree char *node = g_strdup_printf("iqn.2026-11.org.iscsi:n%u", n);

                for (unsigned p = 0; p < PORTS; p++) {
                        g_autofree char *port = g_strdup_printf("%s/tpgt_%u", node, p), *absolute = path_of(f, port);

                        if (!g_file_test(absolute, G_FILE_TEST_EXISTS))
                                continue;
                        make(f, "%s/np/[::1]:1", port);
                        expect_among(f, node);
                        watch_run(f, 40);
                        forget_told(f);
                        drop(f, "%s/np/[::1]:1", port);
                        expect_among(f, node);
                }
        }
}

/* Whatever happens, each node that changed is told afterwards. */
static void test_random(Fixture *f, const void *data) {
        g_autoptr(GRand) rand = g_rand_new_with_seed((guint32) g_test_rand_int());

        make(f, ".");
        watch_start_quietly(f, NULL);

        for (unsigned round = 0; round < 20; round++) {
                g_autoptr(GHashTable) changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
                int steps = g_rand_int_range(rand, 1, 60);
                GHashTableIter i;
                void *node;

                for (int s = 0; s < steps; s++) {
                        char *name = random_step(f, rand);

                        if (name)
                                (void) g_hash_table_add(changed, name);
                        if (g_rand_int_range(rand, 0, 4) == 0)
                                (void) sd_event_run(f->event, 1000);
                }

                g_hash_table_iter_init(&i, changed);
                while (g_hash_table_iter_next(&i, &node, NULL))
                        watch_wait_for(f, strstr(f->told->str, node) || strchr(f->told->str, '*'));
                watch_run(f, 40);
                forget_told(f);
                if (round % 10 == 9)
                        check_followed(f);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

#define ADD(path, func) g_test_add(path, Fixture, NULL, watch_set_up, func, watch_tear_down)
        ADD("/configfs-watch/changes", test_changes);
        ADD("/configfs-watch/nothing-told", test_nothing_told);
        ADD("/configfs-watch/initial", test_initial);
        ADD("/configfs-watch/burst", test_burst);
        ADD("/configfs-watch/never-quiet", test_never_quiet);
        ADD("/configfs-watch/many-nodes", test_many_nodes);
        ADD("/configfs-watch/cost", test_cost);
        ADD("/configfs-watch/fabric-comes", test_fabric_comes);
        ADD("/configfs-watch/engine-comes", test_engine_comes);
        ADD("/configfs-watch/made-again", test_made_again);
        ADD("/configfs-watch/no-directories", test_no_directories);
        ADD("/configfs-watch/paths", test_paths);
        ADD("/configfs-watch/random", test_random);

        return g_test_run();
}
