/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A ConfigfsWatch, and what it told. */

#include <glib.h>
#include <systemd/sd-event.h>

#include "host/configfs-watch-private.h"
#include "host/configfs-watch.h"

typedef struct Fixture {
        sd_event *event;
        ConfigfsWatch *watch;
        ConfigfsWatchTuning tuning;
        char *base;     /* a directory of the test's own */
        GString *told;  /* since the last expect…(): names of nodes, "*" for NULL, each with a blank behind it */
        unsigned calls; /* since then */
        gint64 told_at; /* the last of them, g_get_monotonic_time() */
        char *status;   /* told last */
        unsigned said;  /* how often a status was told */
} Fixture;

/* The base exists and is empty. The times are short: 15 ms of quiet, 150 ms at the latest, a listing every 300 ms. */
void watch_set_up(Fixture *f, const void *data);
void watch_tear_down(Fixture *f, const void *data);

/* Follows "iscsi" in PARENT (NULL: "target" in the base). start_quietly() goes past the first NULL. */
void watch_start(Fixture *f, const char *parent);
void watch_start_quietly(Fixture *f, const char *parent);

/* Runs the loop for that long. */
void watch_run(Fixture *f, unsigned msec);

/* Runs the loop until CONDITION holds. */
#define watch_wait_for(f, condition)                                             \
        do {                                                                     \
                gint64 _end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;      \
                while (!(condition)) {                                           \
                        g_assert_cmpint(g_get_monotonic_time(), <, _end);        \
                        g_assert_cmpint(sd_event_run((f)->event, 20000), >=, 0); \
                }                                                                \
        } while (0)

/* Runs the loop until EXPECTED, names with blanks between them, was told since the last such call, in any order, and then for a
 * while, in which nothing else may come. */
void expect(Fixture *f, const char *expected);
/* Runs the loop until NODE (or "*") was told, perhaps among others. */
void expect_among(Fixture *f, const char *node);
void forget_told(Fixture *f);

/* Runs the loop until the status has TEXT in it; NULL: until nothing is wrong. */
void expect_status(Fixture *f, const char *text);

/* What somebody does below "target/iscsi" in the base; "." is that directory itself. make() makes what is missing above, and for
 * a path "…/tpgt_N" all that the kernel makes in it. */
void make(Fixture *f, const char *format, ...) G_GNUC_PRINTF(2, 3);
void drop(Fixture *f, const char *format, ...) G_GNUC_PRINTF(2, 3); /* with all that is in it */
void put(Fixture *f, const char *path, const char *text);           /* writes a file that may be there */
char *path_of(Fixture *f, const char *path);
