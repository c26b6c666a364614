/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A SessionWatch on a directory like /sys that the test makes, and what it told. */

#include <glib.h>

#include "host/session-watch-private.h"
#include "host/session-watch.h"
#include "sysfs-tree.h"

#define INITIATOR "iqn.2026-11.org.example:ini"
#define RECORD "icd-1"
#define NEVER_USEC (3600 * (uint64_t) G_USEC_PER_SEC)

typedef struct Fixture {
        SysfsTree *tree;
        sd_event *event;
        SessionWatch *watch;
        SessionWatchTuning tuning;
        GString *told; /* "*1" changed, "-1" removed, "complete", "incomplete" and the text; one a line */
        unsigned n_changed;
} Fixture;

/* Nothing is there and nothing started: quick, and without the kernel's messages. */
void fixture_set_up(Fixture *f, gconstpointer data);
void fixture_tear_down(Fixture *f, gconstpointer data);
void start(Fixture *f);

/* Opens what the kernel's messages never come from. */
int silent_events(void);

/* Runs the loop until LINE was told; forgets all that was told up to there. */
void await(Fixture *f, const char *line);

void run_for(Fixture *f, gint64 usec);

/* It must be there. */
const HostSession *session(Fixture *f, unsigned number);

/* "" if it is not known. */
const char *text_of(const HostSession *s, SessionKey key);
void assert_text(Fixture *f, unsigned number, SessionKey key, const char *expected);

#define fixture_test(name, test) g_test_add((name), Fixture, NULL, fixture_set_up, (test), fixture_tear_down)
