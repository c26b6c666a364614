/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of the backends share: an event loop, a host of workers, a backend that uses them, and calls whose end is
 * kept. */

#include <glib.h>

#include "backend/backend.h"
#include "fake-kernel.h"
#include "worker-host.h"

#define MSEC UINT64_C(1000)
#define LONG_DEADLINE (60000 * MSEC) /* nothing waits for it */
#define SHORT_DEADLINE (100 * MSEC)
#define NODE "iqn.2024-01.org.example:disk"
#define OTHER_NODE "iqn.2024-01.org.example:other"

/* Runs the event loop until CONDITION holds, also when another process makes it hold. */
#define wait_for(f, condition)                                                      \
        do {                                                                        \
                gint64 _end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;         \
                while (!(condition)) {                                              \
                        g_assert_cmpint(g_get_monotonic_time(), <, _end);           \
                        g_assert_cmpint(sd_event_run((f)->event, 5 * MSEC), >=, 0); \
                }                                                                   \
        } while (0)

typedef struct Fixture {
        sd_event *event;
        WorkerHost *host;
        Backend *backend;
        unsigned n_fds; /* open before the test */
} Fixture;

typedef struct Answer {
        Fixture *fixture;
        unsigned n;    /* how often the callback came */
        unsigned turn; /* which callback of all it was */
        BackendCall *call;
        Refusal refusal;
        char *message;
        bool outcome_unknown;
        size_t failed_item;
        Refusal items[8]; /* as many as there are */
        char *item_messages[8];
        size_t n_items;
        char **warnings;
        ObservedNode *observed; /* NULL: nothing was */
        char **nodes;
        void (*then)(struct Answer *a); /* what the callback does last */
        struct Answer *other;           /* for THEN */
} Answer;

void answer_done(Answer *a);

/* For g_test_add(): a backend of at most 4 workers with LONG_DEADLINE. The end checks that nothing was left open. */
void set_up(Fixture *f, gconstpointer data);
void tear_down(Fixture *f, gconstpointer data);

/* As set_up(), with another name and backlog for the socket. */
void set_up_named(Fixture *f, const char *socket_name, int backlog);

/* Puts another backend for the same host into the place of the fixture's. */
void set_up_peer(Fixture *f, uint64_t deadline, unsigned max_workers);

void start(Fixture *f, const BackendRequest *request, Answer *a);
void start_tag(Fixture *f, uint16_t tag, Answer *a); /* a delete-port of that tag, in a node that no other tag has */
void call(Fixture *f, const BackendRequest *request, Answer *a);
void call_item(Fixture *f, const BackendItem *item, Answer *a); /* in NODE */
void observe(Fixture *f, const char *node, Answer *a);
void list_nodes(Fixture *f, Answer *a);

/* The operations that workers have begun, and the number of looks. */
unsigned n_seen(Fixture *f);

/* That the backend does its work, be it with a new worker and while a node is locked. */
void assert_succeeds(Fixture *f);

/* Runs the event loop for that long. */
void run_idle(Fixture *f, unsigned msec);

unsigned count_fds(void);
