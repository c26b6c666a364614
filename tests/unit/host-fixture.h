/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A Host in a network namespace of its own, what it told, and ip(8) to compare with. */

#include <glib.h>
#include <systemd/sd-event.h>

#include "host/host.h"
#include "host/private.h"

typedef struct Fixture {
        sd_event *event;
        Host *host;
        HostTuning tuning;
        GTree *told;          /* text of the address → HostAddress */
        GString *events;      /* since the last assert_events() */
        GTree *links;         /* name of an interface → its index as a pointer, for those told since the start */
        GString *link_events; /* since the last assert_links() */
} Fixture;

/* lo is up; v0 and v1, with the indices 10 and 11, are the ends of a cable, down; none of them makes addresses by itself. */
void fixture_set_up(Fixture *f, const void *data);
void fixture_tear_down(Fixture *f, const void *data);

/* Notes what is told, and checks that nothing comes twice, goes twice or changes to what it is. USERDATA is the fixture. */
void on_changed(HostEvent event, const HostAddress *a, void *userdata);

/* start_quietly() goes past what is told at once. */
void start(Fixture *f);
void start_quietly(Fixture *f);
void stop(Fixture *f);

/* Runs ip(8) with arguments, or with a batch file of INPUT, which it tries to the last line. All but ip_try_batch() insist on
 * success. */
char *ip_output(const char *arguments);
void ip(const char *format, ...) G_GNUC_PRINTF(1, 2);
void ip_batch(const char *input);
bool ip_try_batch(const char *input);

/* Writes to NAME below net.ipv6. */
void sysctl(const char *name, const char *value);

/* From log_capture() to log_captured() standard error goes aside; the latter returns its lines. */
void log_capture(void);
char **log_captured(void);

/* Handles all that is due now. What ip(8) did to IPv4 addresses and links is in the socket's queue when it has ended. */
void settle(Fixture *f);

/* Runs the loop until CONDITION holds. */
#define wait_for(f, condition)                                                   \
        do {                                                                     \
                gint64 _end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;      \
                while (!(condition)) {                                           \
                        g_assert_cmpint(g_get_monotonic_time(), <, _end);        \
                        g_assert_cmpint(sd_event_run((f)->event, 20000), >=, 0); \
                }                                                                \
        } while (0)

bool is_told(Fixture *f, const char *address);

/* Index of the interface that ADDRESS was told to be on. */
int told_index(Fixture *f, const char *address);

/* Runs the loop until EXPECTED has been told since the last such call, and nothing else: lines of "+", "*" or "-", address, "/",
 * prefix length, interface, origin. The kernel brings an IPv6 address into force after ip(8) has ended, hence the wait. */
void assert_events(Fixture *f, const char *expected);

/* Handles all that is due now; EXPECTED is what was told of interfaces since the last such call: lines of name, "=", index. */
void assert_links(Fixture *f, const char *expected);

/* Runs the loop until all that ip(8) lists has been told, and nothing else. */
void assert_as_ip_says(Fixture *f);

/* Changes so much, without the loop, that the small buffer set by the test runs over. */
void overrun(Fixture *f);
