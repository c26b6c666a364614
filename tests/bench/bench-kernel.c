/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Measures the service on the real kernel and holds the figures against what is promised in docs/performance.md. Both sides of
 * each ratio are measured in the same run, by turns. Runs inside the throw-away machine: see tests/bench/run. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench-service.h"
#include "measure.h"

#define FABRIC "/sys/kernel/config/target/iscsi"
#define NODE "iqn.2026-11.org.example:bench"
#define BARE "iqn.2026-11.org.example:bare"
#define N_SAMPLES 200
#define N_MANY 4000 /* nodes of other programs */
#define N_FEW 10
#define N_BATCH 256
#define N_START 1000
#define N_STARTS 3
#define FIRST_TCP_PORT 5000

/* The bare kernel calls, as a program would make them that knows everything beforehand. */

static void make_directory(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void make_directory(const char *format, ...) {
        g_autofree char *path = NULL;
        va_list ap;

        va_start(ap, format);
        path = g_strdup_vprintf(format, ap);
        va_end(ap);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                g_error("mkdir %s: %s", path, g_strerror(errno));
}

static void remove_directory(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void remove_directory(const char *format, ...) {
        g_autofree char *path = NULL;
        va_list ap;

        va_start(ap, format);
        path = g_strdup_vprintf(format, ap);
        va_end(ap);
        if (rmdir(path) < 0)
                g_error("rmdir %s: %s", path, g_strerror(errno));
}

static void bare_enable(const char *node, unsigned tag) {
        g_autofree char *path = g_strdup_printf(FABRIC "/%s/tpgt_%u/enable", node, tag);
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, "1", 1), ==, 1);
        (void) close(fd);
}

static void bare_create(const char *node, unsigned tag, unsigned tcp_port) {
        make_directory(FABRIC "/%s/tpgt_%u", node, tag);
        make_directory(FABRIC "/%s/tpgt_%u/np/127.0.0.1:%u", node, tag, tcp_port);
        bare_enable(node, tag);
}

static void bare_delete(const char *node, unsigned tag, unsigned tcp_port) {
        remove_directory(FABRIC "/%s/tpgt_%u/np/127.0.0.1:%u", node, tag, tcp_port);
        remove_directory(FABRIC "/%s/tpgt_%u", node, tag);
}

/* The service */

static Service *new_service(const char *directory) {
        const char *command[] = { g_getenv("ISCSI_BACKEND_LIO"), NULL };
        Service *s = bench_service_new(directory, "--max-ports=4096");

        g_assert_nonnull(command[0]);
        service_use_worker(s, command, NULL);
        return s;
}

static char *portal_path(unsigned tcp_port) {
        return g_strdup_printf(ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a%u", tcp_port);
}

static void make_portals(sd_bus *bus, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                g_autofree char *path = call_for_path(bus, &e, "CreateTCPProtocolEndpoint", "oqoa{sv}", BENCH_LOOPBACK,
                                                      (int) (FIRST_TCP_PORT + i), DEFAULT_GROUP, 0);

                g_assert_nonnull(path);
        }
}

typedef struct Figures {
        double ping[N_SAMPLES], worker[N_SAMPLES], commit[N_SAMPLES], kernel[N_SAMPLES], create[N_SAMPLES];
} Figures;

/* All figures by turns, so that what else the machine does falls on all of them. */
static void sample(Figures *f, Service *s, sd_bus *bus) {
        g_autofree char *node = bench_node_path(NODE), *portal = portal_path(FIRST_TCP_PORT),
                        *path = g_build_filename(s->state, "bench.db", NULL);
        sd_bus *worker = bench_connect_to_worker(s, "--lio-socket=");
        sqlite3_stmt *insert;
        sqlite3 *db = measure_open_database(path, &insert);

        make_directory(FABRIC "/" BARE);
        for (size_t i = 0; i < N_SAMPLES; i++) {
                double begin;

                f->ping[i] = bench_time_ping(bus);
                f->worker[i] = bench_time_worker_call(worker);
                f->commit[i] = measure_commit(insert);
                f->create[i] = bench_time_create(bus, node, 3, portal);

                begin = measure_now();
                bare_create(BARE, 1, FIRST_TCP_PORT + 1000);
                f->kernel[i] = measure_now() - begin;
                bare_delete(BARE, 1, FIRST_TCP_PORT + 1000);
        }
        remove_directory(FABRIC "/" BARE);

        sqlite3_finalize(insert);
        sqlite3_close(db);
        sd_bus_close_unref(worker);
}

static double floor_of(Figures *f) {
        return measure_median(f->ping, N_SAMPLES) + measure_median(f->worker, N_SAMPLES) + measure_median(f->commit, N_SAMPLES) +
               measure_median(f->kernel, N_SAMPLES);
}

static void make_other_nodes(unsigned n) {
        for (unsigned i = 0; i < n; i++)
                make_directory(FABRIC "/iqn.2026-11.org.other:%04u", i);
}

static void remove_other_nodes(unsigned n) {
        for (unsigned i = 0; i < n; i++)
                remove_directory(FABRIC "/iqn.2026-11.org.other:%04u", i);
}

/* One create beside few other nodes and beside many. Returns the floor. */
static double bench_create(const char *directory) {
        static Figures few, many;
        Service *s = new_service(directory);
        double floor, create;
        sd_bus *bus;

        make_other_nodes(N_FEW);
        service_start(s);
        bus = connect_as("root");
        g_free(create_node(bus, NODE));
        make_portals(bus, 1);
        sample(&few, s, bus);
        sd_bus_flush_close_unref(bus);
        service_stop(s);

        make_other_nodes(N_MANY);
        service_start(s);
        bus = connect_as("root");
        sample(&many, s, bus);
        sd_bus_flush_close_unref(bus);
        service_stop(s);
        remove_other_nodes(N_MANY);
        remove_directory(FABRIC "/" NODE);
        service_free(s);

        floor = floor_of(&few);
        create = measure_median(few.create, N_SAMPLES);
        measure_row("An empty call of the service", measure_median(few.ping, N_SAMPLES), "us", 0);
        measure_row("An empty call of a worker", measure_median(few.worker, N_SAMPLES), "us", 0);
        measure_row("One SQLite commit with fsync", measure_median(few.commit, N_SAMPLES), "us", 0);
        measure_row("The bare kernel calls of a port", measure_median(few.kernel, N_SAMPLES), "us", 0);
        measure_row("Create of a target port by uid 0, real kernel", create, "us", 0);
        measure_row("Create / floor (the four above)", create / floor, "times", 1.5);
        measure_row("Create beside 4000 other nodes / beside 10",
                    measure_median(many.create, N_SAMPLES) / measure_median(few.create, N_SAMPLES), "times", 1.1);
        return floor;
}

/* N ports of NODE in one call, on the portals from number FIRST on. */
static void append_batch(sd_bus_message *m, const char *node, unsigned first, unsigned n) {
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "(oqsao)"), >=, 0);
        for (unsigned i = first; i < first + n; i++) {
                g_autofree char *portal = portal_path(FIRST_TCP_PORT + i);

                g_assert_cmpint(sd_bus_message_append(m, "(oqsao)", node, 3, "", 1, portal), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "a{sv}", 0), >=, 0);
}

static double time_batch(sd_bus *bus, const char *node, unsigned first, unsigned n) {
        sd_bus_message *m = NULL;
        double t;

        g_assert_cmpint(
                sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, "CreateiSCSIProtocolEndpoints"),
                >=, 0);
        append_batch(m, node, first, n);
        t = measure_call(bus, m);
        sd_bus_message_unref(m);
        return t;
}

static double time_singles(sd_bus *bus, const char *node) {
        double begin = measure_now();

        for (unsigned i = 0; i < N_BATCH; i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                g_autofree char *portal = portal_path(FIRST_TCP_PORT + i),
                                *port = call_for_path(bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, portal);

                if (!port)
                        g_error("CreateiSCSIProtocolEndpoint: %s", e.message);
        }
        return measure_now() - begin;
}

static void empty_node(sd_bus *bus, const char *node) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = call_service(bus, &e, "DeleteiSCSINode", "o", node);

        if (!reply)
                g_error("DeleteiSCSINode: %s", e.message);
        sd_bus_message_unref(reply);
        g_free(create_node(bus, NODE));
}

static double time_bare(unsigned n) {
        double begin;

        make_directory(FABRIC "/" BARE);
        begin = measure_now();
        for (unsigned i = 0; i < n; i++)
                bare_create(BARE, i + 1, FIRST_TCP_PORT + 1000 + i);
        begin = measure_now() - begin;
        for (unsigned i = 0; i < n; i++)
                bare_delete(BARE, i + 1, FIRST_TCP_PORT + 1000 + i);
        remove_directory(FABRIC "/" BARE);
        return begin;
}

static void allow_alice(void) {
        g_autofree char *path = g_build_filename(g_getenv("POLKIT_RULES_DIR"), "10-bench.rules", NULL);

        g_assert_true(g_file_set_contents(path,
                                          "polkit.addRule(function (action, subject) {\n"
                                          "  return subject.user === 'alice' ? polkit.Result.YES : polkit.Result.NOT_HANDLED;\n"
                                          "});\n",
                                          -1, NULL));
        g_usleep(G_USEC_PER_SEC * 3); /* polkitd notices by itself */
}

/* 256 ports in one call, and in 256 calls, by a plain user with a rule. */
static void bench_batch(const char *directory, double floor) {
        Service *s = new_service(directory);
        g_autofree char *node = bench_node_path(NODE);
        double batch[3], singles[3], bare[3], ratio, share;
        sd_bus *root, *alice;

        service_start(s);
        root = connect_as("root");
        alice = connect_as("alice");
        g_free(create_node(root, NODE));
        make_portals(root, N_BATCH);
        for (size_t i = 0; i < G_N_ELEMENTS(batch); i++) {
                batch[i] = time_batch(alice, node, 0, N_BATCH);
                empty_node(root, node);
                singles[i] = time_singles(alice, node);
                empty_node(root, node);
                bare[i] = time_bare(N_BATCH);
        }
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(root);
        service_stop(s);
        remove_directory(FABRIC "/" NODE);
        service_free(s);

        ratio = measure_median(singles, 3) / measure_median(batch, 3);
        share = measure_median(batch, 3) / (measure_median(bare, 3) + floor);
        measure_row("256 ports by a plain user: 256 calls", measure_median(singles, 3) / 1000, "ms", 0);
        measure_row("256 ports by a plain user: one call", measure_median(batch, 3) / 1000, "ms", 0);
        measure_row("One call is faster by", ratio, "times", 0);
        /* Promised is one of the two: 8 times as fast, or close to what the kernel itself takes. */
        measure_row("One call / (the bare kernel calls + one floor), unless 8 times as fast", ratio >= 8 ? 0 : share, "times",
                    1.5);
}

static void wipe(unsigned n) {
        if (n == 0)
                return;
        for (unsigned i = 0; i < n; i++)
                bare_delete(NODE, i + 1, FIRST_TCP_PORT + i);
        remove_directory(FABRIC "/" NODE);
}

static double time_start(Service *s) {
        double begin = measure_now();

        service_start(s);
        return measure_now() - begin;
}

/* Ports brought up at start, when the kernel has nothing. */
typedef struct Start {
        double service, bare;
} Start;

static Start time_starts(Service *s, unsigned n) {
        double service[N_STARTS], bare[N_STARTS];

        for (unsigned i = 0; i < N_STARTS; i++) {
                wipe(n);
                bare[i] = time_bare(n);
                service[i] = time_start(s);
                service_stop(s);
        }
        return (Start){ measure_median(service, N_STARTS), measure_median(bare, N_STARTS) };
}

static void bench_start(const char *directory) {
        static const unsigned sizes[] = { N_START / 2, N_START };
        Service *s = new_service(directory);
        g_autofree char *node = bench_node_path(NODE);
        Start starts[2];
        double empty;

        (void) time_start(s); /* it makes the store, and what a first start loads is loaded */
        service_stop(s);
        empty = time_starts(s, 0).service;
        service_start(s);
        for (size_t k = 0, n = 0; k < G_N_ELEMENTS(sizes); n = sizes[k++]) {
                sd_bus *bus = connect_as("root");

                if (k == 0) {
                        g_free(create_node(bus, NODE));
                        make_portals(bus, N_START);
                }
                (void) time_batch(bus, node, (unsigned) n, sizes[k] - (unsigned) n);
                sd_bus_flush_close_unref(bus);
                service_stop(s);
                starts[k] = time_starts(s, sizes[k]);
                starts[k].service -= empty;
                if (k + 1 < G_N_ELEMENTS(sizes))
                        service_start(s);
        }
        wipe(N_START);
        service_free(s);

        measure_row("500 ports brought up at start", starts[0].service / 1000, "ms", 0);
        measure_row("The bare kernel calls of 1000 ports", starts[1].bare / 1000, "ms", 0);
        measure_row("1000 ports brought up at start", starts[1].service / 1000, "ms", 0);
        measure_row("1000 ports at start / the bare kernel calls", starts[1].service / starts[1].bare, "times", 2);
        measure_row("A port at start among 1000 / among 500, against the bare kernel calls",
                    (starts[1].service / starts[1].bare) / (starts[0].service / starts[0].bare), "times", 1.2);
}

int main(int argc, char *argv[]) {
        const char *directory = argc > 1 ? argv[1] : "/var/tmp";

        make_directory(FABRIC);
        allow_alice();
        if (!g_getenv("BENCH_START_ONLY")) /* set by who works on the start alone */
                bench_batch(directory, bench_create(directory));
        bench_start(directory);
        return measure_exceeded() > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
