/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What it costs to look at many records of open-iscsi: how often each of them is opened. */

#include <glib/gstdio.h>
#include <string.h>
#include <sys/mount.h>

#include "batch.h"
#include "initiator.h"

#define RECORDS 500u
#define OURS 50u
#define HOST_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3ahost"
#define TRACES "/run/traces"
#define WAIT_USEC (20 * G_USEC_PER_SEC)

/* What the workers have opened since the service was started. */
typedef struct Opened {
        GHashTable *by_lookers;  /* record → how often, by the workers that list and observe */
        GHashTable *by_watchers; /* the same, by those that wait for changes */
        unsigned lookers;        /* workers of the former kind that opened any */
        unsigned most;           /* that one worker opened one record */
} Opened;

static void opened_free(Opened *o) {
        g_hash_table_unref(o->by_lookers);
        g_hash_table_unref(o->by_watchers);
        g_free(o);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Opened, opened_free)

static void add(GHashTable *t, const char *record, guint n) {
        n += GPOINTER_TO_UINT(g_hash_table_lookup(t, record));
        g_hash_table_insert(t, g_strdup(record), GUINT_TO_POINTER(n));
}

static guint most_of(GHashTable *t) {
        GHashTableIter i;
        gpointer n;
        guint most = 0;

        for (g_hash_table_iter_init(&i, t); g_hash_table_iter_next(&i, NULL, &n);)
                most = MAX(most, GPOINTER_TO_UINT(n));
        return most;
}

static void add_trace(Opened *o, const char *trace) {
        g_autoptr(GHashTable) own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        GHashTable *all = strstr(trace, "inotify_init1(") ? o->by_watchers : o->by_lookers;
        GHashTableIter i;
        gpointer record, n;

        for (const char *p = trace; (p = strstr(p, "\"" IFACES "/"));) {
                g_autofree char *name = NULL;

                p += strlen("\"" IFACES "/");
                name = g_strndup(p, strcspn(p, "\""));
                if (*name) /* else it is the directory */
                        add(own, name, 1);
        }
        o->most = MAX(o->most, most_of(own));
        if (all == o->by_lookers && g_hash_table_size(own) > 0)
                o->lookers++;
        for (g_hash_table_iter_init(&i, own); g_hash_table_iter_next(&i, &record, &n);)
                add(all, record, GPOINTER_TO_UINT(n));
}

static Opened *read_opened(void) {
        g_autoptr(GDir) d = g_dir_open(TRACES, 0, NULL);
        Opened *o = g_new0(Opened, 1);
        const char *name;

        o->by_lookers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        o->by_watchers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        while ((name = g_dir_read_name(d))) {
                g_autofree char *path = g_build_filename(TRACES, name, NULL), *trace = NULL;

                g_assert_true(g_file_get_contents(path, &trace, NULL, NULL));
                add_trace(o, trace);
        }
        return o;
}

static void wait_for_watcher(void) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        for (;;) {
                g_autoptr(Opened) o = read_opened();

                if (g_hash_table_size(o->by_watchers) == RECORDS)
                        return;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
}

static guint count_ports(Initiator *i, const char *node) {
        g_autofree char *prefix = g_strconcat(node, "/endpoint/", NULL);
        g_auto(GStrv) objects = list_objects(i->bus);
        guint n = 0;

        for (char **o = objects; *o; o++)
                n += g_str_has_prefix(*o, prefix);
        return n;
}

/* A record that another program made; NODE NULL: of the host's node. */
static void make_record(guint number, const char *node) {
        g_autofree char *path = g_strdup_printf(IFACES "/hers%u", number),
                        *name = node ? g_strdup_printf("iface.initiatorname = %s\n", node) : g_strdup(""),
                        *text = g_strdup_printf("iface.iscsi_ifacename = hers%u\niface.net_ifacename = v0\n"
                                                "iface.transport_name = tcp\n%s",
                                                number, name);

        g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* Room for a page for each record. */
static void make_room(void) {
        g_assert_cmpint(mount(NULL, "/etc/iscsi", NULL, MS_REMOUNT, "size=8m"), ==, 0);
        g_assert_cmpint(g_mkdir_with_parents(IFACES, 0700), ==, 0);
}

/* Starts the service anew, with all its workers traced, when the records are old enough to be kept. The first worker, which lists
 * the nodes, is slow: by then the one that waits for changes has told of them all. */
static void restart_traced(Initiator *i) {
        initiator_disconnect(i);
        service_stop(i->service);
        initiator_kill_workers(i);
        g_usleep(G_USEC_PER_SEC / 5);
        g_assert_cmpint(g_mkdir_with_parents(TRACES, 0700), ==, 0);
        g_assert_true(g_file_set_contents(INITIATOR_WRAPPER_OF_ALL,
                                          "env ASAN_OPTIONS=detect_leaks=0 strace -D -ff -qqq -o " TRACES
                                          "/worker -e trace=open,openat,getdents64,inotify_init1 ",
                                          -1, NULL));
        g_assert_true(g_file_set_contents(INITIATOR_WRAPPER, "-e inject=getdents64:delay_exit=200000:when=1+2 ", -1, NULL));
        service_start(i->service);
        initiator_connect(i);
}

static void end_traces(void) {
        g_assert_cmpint(g_unlink(INITIATOR_WRAPPER_OF_ALL), ==, 0);
        run_command("rm", "-rf", TRACES, NULL);
}

/* The host's node has all of them: the one worker that lists and observes opens each once. The worker that waits for changes
 * knows nothing of that one, and opens each once as well. */
static void test_one_node(Initiator *i, gconstpointer data) {
        g_autoptr(Opened) first = NULL, again = NULL;
        sd_bus_message *m = batch_new(i->bus);
        g_auto(GStrv) ports = NULL;

        make_room();
        must_call(i->bus, "DeleteiSCSINode", "o", NODE_PATH);
        for (guint k = 0; k < OURS; k++)
                batch_add_raw(m, HOST_PATH, 2, "", IP_A);
        ports = batch_call(i->bus, batch_end(m, BATCH_DEFAULT));
        for (guint k = OURS; k < RECORDS; k++)
                make_record(k, NULL);

        restart_traced(i);
        g_assert_cmpuint(count_ports(i, HOST_PATH), ==, RECORDS + 2); /* default and iser */
        initiator_wait_property(i, ports[0], PORT_INTERFACE, "StatusDescriptions", "[In force]");
        wait_for_watcher();
        first = read_opened();
        g_assert_cmpuint(g_hash_table_size(first->by_lookers), ==, RECORDS);
        g_assert_cmpuint(most_of(first->by_lookers), ==, 1);
        g_assert_cmpuint(most_of(first->by_watchers), ==, 1);

        /* That may be beside a look that the watcher has asked for, and so be another worker's. */
        must_call(i->bus, "Reconcile", "o", ROOT_PATH);
        again = read_opened();
        g_assert_cmpuint(again->most, ==, 1);
        end_traces();
}

/* Nodes are looked at beside each other, by workers that know nothing of each other. Each opens each record once. */
static void test_many_nodes(Initiator *i, gconstpointer data) {
        g_autoptr(Opened) o = NULL;

        make_room();
        for (guint k = 0; k < RECORDS; k++) {
                g_autofree char *node = g_strdup_printf("iqn.2026-11.org.example:n%u", k % 10);

                make_record(k, node);
        }

        restart_traced(i);
        for (guint k = 0; k < 10; k++) {
                g_autofree char *node = g_strdup_printf(ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3an%u", k);

                g_assert_cmpuint(count_ports(i, node), ==, RECORDS / 10);
        }
        wait_for_watcher();
        must_call(i->bus, "Reconcile", "o", ROOT_PATH);
        o = read_opened();
        g_test_message("%u workers looked; a record was opened %u times by them, at most", o->lookers, most_of(o->by_lookers));
        g_assert_cmpuint(o->most, ==, 1);
        end_traces();
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        INITIATOR_TEST("/initiator-many/one-node", test_one_node);
        INITIATOR_TEST("/initiator-many/many-nodes", test_many_nodes);
        return g_test_run();
}
