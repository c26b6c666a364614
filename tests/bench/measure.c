/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned n_exceeded;

double measure_now(void) {
        return (double) g_get_monotonic_time();
}

static int compare_doubles(const void *a, const void *b) {
        double x = *(const double *) a, y = *(const double *) b;

        return x < y ? -1 : x > y;
}

double measure_median(double *values, size_t n) {
        qsort(values, n, sizeof(double), compare_doubles);
        return values[n / 2];
}

void measure_row(const char *what, double value, const char *unit, double limit) {
        gboolean exceeded = limit > 0 && value > limit;

        if (limit > 0)
                printf("%-76s %10.2f %-8s at most %8.2f  %s\n", what, value, unit, limit, exceeded ? "EXCEEDED" : "kept");
        else
                printf("%-76s %10.2f %s\n", what, value, unit);
        (void) fflush(stdout);
        n_exceeded += exceeded;
}

unsigned measure_exceeded(void) {
        return n_exceeded;
}

sqlite3 *measure_open_database(const char *path, sqlite3_stmt **ret_insert) {
        sqlite3 *db;

        g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(db,
                                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                     "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
                                     NULL, NULL, NULL),
                        ==, SQLITE_OK);
        g_assert_cmpint(
                sqlite3_prepare_v2(db, "INSERT INTO t (text) VALUES ('iqn.2026-11.org.example:bench')", -1, ret_insert, NULL), ==,
                SQLITE_OK);
        return db;
}

double measure_commit(sqlite3_stmt *insert) {
        double begin = measure_now();

        g_assert_cmpint(sqlite3_step(insert), ==, SQLITE_DONE);
        g_assert_cmpint(sqlite3_reset(insert), ==, SQLITE_OK);
        return measure_now() - begin;
}

double measure_call(sd_bus *bus, sd_bus_message *m) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        double begin = measure_now();

        if (sd_bus_call(bus, m, 0, &e, &reply) < 0)
                g_error("%s: %s", sd_bus_message_get_member(m), e.message);
        begin = measure_now() - begin;
        sd_bus_message_unref(reply);
        return begin;
}
