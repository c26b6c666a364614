/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the benches share: clocks, medians, and the table of figures. */

#include <glib.h>
#include <sqlite3.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

double measure_now(void); /* microseconds */
double measure_median(double *values, size_t n);

/* A row of the table. LIMIT 0: only told. Counts the rows that exceed their limit. */
void measure_row(const char *what, double value, const char *unit, double limit);
unsigned measure_exceeded(void);

/* A database with the durability that the store has, and an INSERT into it. */
sqlite3 *measure_open_database(const char *path, sqlite3_stmt **ret_insert);

/* How long one commit of that INSERT takes, in microseconds. */
double measure_commit(sqlite3_stmt *insert);

/* How long a call takes, in microseconds. It must succeed. */
double measure_call(sd_bus *bus, sd_bus_message *m);
