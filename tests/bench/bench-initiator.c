/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Measures the creation of initiator ports with the real worker of open-iscsi, and holds it against what is promised in
 * docs/performance.md. The records are on the same disk as the store. Runs inside the throw-away machine: see tests/bench/run. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench-service.h"
#include "measure.h"

#define NODE "iqn.2026-11.org.example:bench"
#define LOCK "/run/lock/iscsi/lock"
#define WRITE_LOCK LOCK ".write"
#define N_SAMPLES 200
#define INITIATOR_ROLE 2

static void must(int result, const char *what) {
        if (result < 0)
                g_error("%s: %s", what, g_strerror(errno));
}

static char *make_directory(const char *parent, const char *name) {
        char *path = g_build_filename(parent, name, NULL);

        must(g_mkdir_with_parents(path, 0755), path);
        return path;
}

/* Open-iscsi's directories, empty and below DIRECTORY. Only this bench and what it starts sees them in their place. */
static void prepare_open_iscsi(const char *directory) {
        g_autofree char *real = make_directory(directory, "open-iscsi"), *lock = make_directory("/run/lock", "iscsi"),
                        *place = make_directory("/etc", "iscsi"), *ifaces = NULL;

        run_command("find", real, "-mindepth", "1", "-delete", NULL);
        must(mount(real, place, NULL, MS_BIND, NULL), "mount");
        ifaces = make_directory(place, "ifaces");
        g_assert_true(
                g_file_set_contents("/etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.2026-11.org.example:host\n", -1, NULL));
}

/* The bare program, which knows everything beforehand. It has directories of its own beside open-iscsi's, so that the service
 * does not see its record; the lock is open-iscsi's. */

typedef struct Bare {
        char *directory, *ifaces, *temporary, *record;
} Bare;

static Bare bare_new(const char *parent) {
        Bare b = { .directory = make_directory(parent, "bare") };

        b.ifaces = make_directory(b.directory, "ifaces");
        b.temporary = g_build_filename(b.directory, ".temporary", NULL);
        b.record = g_build_filename(b.ifaces, "record", NULL);
        return b;
}

static void bare_done(Bare *b) {
        g_free(b->directory);
        g_free(b->ifaces);
        g_free(b->temporary);
        g_free(b->record);
}

/* As open-iscsi takes it. */
static void bare_lock(void) {
        int fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

        must(fd, LOCK);
        (void) close(fd);
        must(link(LOCK, WRITE_LOCK), WRITE_LOCK);
}

static double time_bare(const Bare *b) {
        static const char text[] = "# BEGIN RECORD 2.1.8\n"
                                   "# of iscsi-configd, port 80521D2C0001 of " NODE "; changes of it show there as drift\n"
                                   "iface.iscsi_ifacename = icd-1f6d2a90c47be835-80521d2c0001\n"
                                   "iface.net_ifacename = lo\n"
                                   "iface.transport_name = tcp\n"
                                   "iface.initiatorname = " NODE "\n"
                                   "# END RECORD\n";
        double begin = measure_now();
        int fd, dir;

        fd = open(b->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        must(fd, b->temporary);
        g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
        must(fsync(fd), "fsync");
        (void) close(fd);

        bare_lock();
        must(rename(b->temporary, b->record), b->record);
        dir = open(b->ifaces, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        must(dir, b->ifaces);
        must(fsync(dir), "fsync");
        (void) close(dir);
        must(unlink(WRITE_LOCK), WRITE_LOCK);
        return measure_now() - begin;
}

/* Takes the record away again, as the deletion of a port does. */
static void bare_remove(const Bare *b) {
        int dir = open(b->ifaces, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        must(dir, b->ifaces);
        must(unlink(b->record), b->record);
        must(fsync(dir), "fsync");
        (void) close(dir);
}

static Service *new_service(const char *directory) {
        const char *command[] = { g_getenv("ISCSI_BACKEND_OPEN_ISCSI"), NULL };
        Service *s = bench_service_new(directory, "--target-backend=model");

        g_assert_nonnull(command[0]);
        service_use_open_iscsi(s, command);
        return s;
}

static char *create_initiator_node(sd_bus *bus) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char *path =
                call_for_path(bus, &e, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", NODE, "Roles", "aq", 1, INITIATOR_ROLE);

        if (!path)
                g_error("CreateiSCSINode: %s", e.message);
        return path;
}

typedef struct Figures {
        double ping[N_SAMPLES], worker[N_SAMPLES], commit[N_SAMPLES], bare[N_SAMPLES], create[N_SAMPLES];
} Figures;

/* All figures by turns, so that what else the machine does falls on all of them. */
static void sample(Figures *f, Service *s, sd_bus *bus, const Bare *bare) {
        g_autofree char *node = create_initiator_node(bus), *path = g_build_filename(s->state, "bench.db", NULL);
        sd_bus *worker = bench_connect_to_worker(s, "--open-iscsi-socket=");
        sqlite3_stmt *insert;
        sqlite3 *db = measure_open_database(path, &insert);

        for (size_t i = 0; i < N_SAMPLES; i++) {
                f->ping[i] = bench_time_ping(bus);
                f->worker[i] = bench_time_worker_call(worker);
                f->commit[i] = measure_commit(insert);
                f->create[i] = bench_time_create(bus, node, INITIATOR_ROLE, BENCH_LOOPBACK);
                f->bare[i] = time_bare(bare);
                bare_remove(bare);
        }

        sqlite3_finalize(insert);
        sqlite3_close(db);
        sd_bus_close_unref(worker);
}

int main(int argc, char *argv[]) {
        static Figures f;
        const char *directory = argc > 1 ? argv[1] : "/var/tmp";
        double ping, worker, commit, bare, create;
        Bare b = bare_new(directory);
        Service *s;
        sd_bus *bus;

        prepare_open_iscsi(directory);
        s = new_service(directory);
        service_start(s);
        bus = connect_as("root");
        sample(&f, s, bus, &b);
        sd_bus_flush_close_unref(bus);
        service_free(s);
        bare_done(&b);

        ping = measure_median(f.ping, N_SAMPLES);
        worker = measure_median(f.worker, N_SAMPLES);
        commit = measure_median(f.commit, N_SAMPLES);
        bare = measure_median(f.bare, N_SAMPLES);
        create = measure_median(f.create, N_SAMPLES);
        measure_row("An empty call of the service", ping, "us", 0);
        measure_row("An empty call of a worker of open-iscsi", worker, "us", 0);
        measure_row("One SQLite commit with fsync", commit, "us", 0);
        measure_row("A record written, fsynced and renamed by a bare program", bare, "us", 0);
        measure_row("Create of an initiator port by uid 0, service and worker", create, "us", 0);
        measure_row("Create of an initiator port / the sum of the four above it", create / (ping + worker + commit + bare),
                    "times", 1.5);
        return measure_exceeded() > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
