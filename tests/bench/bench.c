/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Measures the service on the `model` backend and holds the figures against what is promised in docs/performance.md. Everything
 * is measured in one run on one machine, and where a promise is a ratio, both of its sides are. Started by tests/bench/run. */

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "bench-service.h"
#include "measure.h"

#define N_NODES 64
#define N_ENDPOINTS 64 /* a port per node and endpoint: 4096 */
#define N_PORTS (N_NODES * N_ENDPOINTS)
#define N_SAMPLES 40
#define N_ROUNDS 9
#define N_BULK 15

/* The median over the rounds of a round's two medians' ratio: what else the machine does in a while falls on both sides of a
 * round. */
static double ratio_by_round(const double *a, const double *b) {
        double ratios[N_ROUNDS], x[N_SAMPLES], y[N_SAMPLES];

        for (size_t i = 0; i < N_ROUNDS; i++) {
                memcpy(x, a + i * N_SAMPLES, sizeof(x));
                memcpy(y, b + i * N_SAMPLES, sizeof(y));
                ratios[i] = measure_median(x, N_SAMPLES) / measure_median(y, N_SAMPLES);
        }

        return measure_median(ratios, N_ROUNDS);
}

static double time_simple_call(sd_bus *bus, const char *path, const char *interface, const char *member) {
        sd_bus_message *m = NULL;
        double t;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, path, interface, member), >=, 0);
        t = measure_call(bus, m);
        sd_bus_message_unref(m);
        return t;
}

static sd_bus_message *new_create_port(sd_bus *bus, const char *node, const char *endpoint) {
        sd_bus_message *m = NULL;

        g_assert_cmpint(
                sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, "CreateiSCSIProtocolEndpoint"),
                >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "oqsao", node, 3, "", 1, endpoint), >=, 0);
        return m;
}

/* In KiB. */
static double read_resident(GPid pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/status", (int) pid), *text = NULL;
        const char *line;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        line = strstr(text, "VmRSS:");
        g_assert_nonnull(line);
        return g_ascii_strtod(line + strlen("VmRSS:"), NULL);
}

static double measure_managed_objects(sd_bus *bus) {
        double v[N_BULK];

        for (size_t i = 0; i < N_BULK; i++)
                v[i] = time_simple_call(bus, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
        return measure_median(v, N_BULK);
}

typedef struct Figures {
        double call[N_ROUNDS * N_SAMPLES], commit[N_ROUNDS * N_SAMPLES], create[N_ROUNDS * N_SAMPLES], leaf[N_ROUNDS * N_SAMPLES];
        size_t n;
} Figures;

/* A service of its own, on a disk (a commit to memory would say nothing), with N_NODES nodes and N_ENDPOINTS TCP endpoints. */
static Service *prepare(const char *directory, double *ret_idle) {
        Service *s = bench_service_new(directory, "--max-ports=4200");
        sd_bus *bus;

        service_add_option(s, g_strdup("--target-backend=model"));
        service_start(s);
        bus = connect_as("root");
        g_usleep(G_USEC_PER_SEC / 5);
        *ret_idle = read_resident(s->pid);

        for (size_t i = 0; i < N_NODES; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:bench-%02zu", i), *path = create_node(bus, name);
        }
        for (size_t i = 0; i < N_ENDPOINTS; i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                g_autofree char *path = call_for_path(bus, &e, "CreateTCPProtocolEndpoint", "oqoa{sv}", BENCH_LOOPBACK,
                                                      (int) (5000 + i), DEFAULT_GROUP, 0);

                g_assert_nonnull(path);
        }

        sd_bus_flush_close_unref(bus);
        return s;
}

static char *node_path(size_t i) {
        return g_strdup_printf(ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abench_2d%02zu", i);
}

static char *endpoint_path(size_t i) {
        return g_strdup_printf(ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a%zu", 5000 + i);
}

/* Makes N ports: on the endpoints of the second node, of the third, …, and of the first one last. */
static void fill(sd_bus *bus, size_t n) {
        for (size_t k = 0; k < n; k++) {
                g_autofree char *node = node_path((k / N_ENDPOINTS + 1) % N_NODES), *endpoint = endpoint_path(k % N_ENDPOINTS);
                sd_bus_message *m = new_create_port(bus, node, endpoint);

                (void) measure_call(bus, m);
                sd_bus_message_unref(m);
        }
}

/* Samples of all figures by turns, so that what else the machine does falls on all of them. Each port is deleted again: their
 * number stays. */
static void sample(Figures *f, sd_bus *bus, const char *directory) {
        g_autofree char *node = node_path(0), *endpoint = endpoint_path(N_ENDPOINTS - 1), *first = node_path(1),
                        *leaf = g_strconcat(first, "/endpoint/000000000001", NULL),
                        *path = g_build_filename(directory, "bench.db", NULL);
        sqlite3_stmt *insert;
        sqlite3 *db = measure_open_database(path, &insert);

        for (size_t i = 0; i < N_SAMPLES; i++, f->n++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                g_autofree char *port = NULL;
                double begin;

                f->call[f->n] = bench_time_ping(bus);

                f->commit[f->n] = measure_commit(insert);

                begin = measure_now();
                port = call_for_path(bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "", 1, endpoint);
                f->create[f->n] = measure_now() - begin;
                g_assert_nonnull(port);
                sd_bus_message_unref(call_service(bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port));
                g_assert_false(sd_bus_error_is_set(&e));

                f->leaf[f->n] = time_simple_call(bus, leaf, "org.freedesktop.DBus.Introspectable", "Introspect");
        }

        sqlite3_finalize(insert);
        sqlite3_close(db);
}

int main(int argc, char *argv[]) {
        static Figures few, many;
        const char *directory = argc > 1 ? argv[1] : "/var/tmp";
        double idle, full, usec, bytes, ignored, create, growth, leaf, pair[N_ROUNDS * N_SAMPLES];
        Service *s[2];
        sd_bus *bus;

        s[0] = prepare(directory, &idle);
        bus = connect_as("root");
        fill(bus, 10);
        sd_bus_flush_close_unref(bus);
        service_stop(s[0]);

        s[1] = prepare(directory, &ignored);
        bus = connect_as("root");
        fill(bus, N_PORTS - 1);
        full = read_resident(s[1]->pid);
        sd_bus_flush_close_unref(bus);
        service_stop(s[1]);

        for (size_t round = 0; round < N_ROUNDS; round++)
                for (size_t i = 0; i < 2; i++) {
                        service_start(s[i]);
                        bus = connect_as("root");
                        sample(i == 0 ? &few : &many, bus, s[i]->state);
                        sd_bus_flush_close_unref(bus);
                        service_stop(s[i]);
                }

        service_start(s[1]);
        bus = connect_as("root");
        {
                g_autofree char *node = node_path(0), *endpoint = endpoint_path(N_ENDPOINTS - 1);
                sd_bus_message *m = new_create_port(bus, node, endpoint);

                (void) measure_call(bus, m);
                sd_bus_message_unref(m);
        }
        usec = measure_managed_objects(bus);
        bytes = (double) managed_objects_size();

        for (size_t i = 0; i < few.n; i++)
                pair[i] = few.call[i] + few.commit[i];
        create = ratio_by_round(few.create, pair);
        growth = ratio_by_round(many.create, few.create);
        leaf = ratio_by_round(many.leaf, few.leaf);

        measure_row("An empty method call on the service (Peer.Ping)", measure_median(few.call, few.n), "us", 0);
        measure_row("One SQLite commit with fsync", measure_median(few.commit, few.n), "us", 0);
        measure_row("Create of a target port by uid 0, with 10 others", measure_median(few.create, few.n), "us", 0);
        measure_row("Create / (empty call + commit)", create, "times", 2);
        measure_row("Create with 4095 others", measure_median(many.create, many.n), "us", 0);
        measure_row("Create with 4095 others / with 10", growth, "times", 1.2);
        measure_row("GetManagedObjects with 4096 ports, per port", usec / N_PORTS, "us", 15);
        measure_row("GetManagedObjects with 4096 ports, on the wire, per port", bytes / N_PORTS, "bytes", 1024);
        measure_row("Introspect of a port, with 10 ports", measure_median(few.leaf, few.n), "us", 0);
        measure_row("Introspect of a port, with 4096 / with 10", leaf, "times", 1.2);
        measure_row("Resident memory when idle", idle / 1024, "MiB", 10);
        measure_row("Resident memory per port, with 4096 ports", (full - idle) / N_PORTS, "KiB", 1.5);
        measure_row("Resident memory after GetManagedObjects of 4096 ports", read_resident(s[1]->pid) / 1024, "MiB", 0);

        sd_bus_flush_close_unref(bus);
        for (size_t i = 0; i < 2; i++) {
                g_autofree char *state = g_strdup(s[i]->state);

                service_free(s[i]);
                run_command("rm", "-rf", state, NULL);
        }

        return measure_exceeded() > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
