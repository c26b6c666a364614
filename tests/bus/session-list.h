/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What ListSessions answers, as texts. All functions end the test on failure. */

#include "fixture.h"

typedef struct SessionList {
        GPtrArray *sessions; /* of GHashTable: key → value as text */
        bool complete;
        GPtrArray *reasons;
} SessionList;

/* The call must succeed. */
SessionList *list_sessions(sd_bus *bus, const char *path);
void session_list_free(SessionList *l);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SessionList, session_list_free)

/* The value of KEY of the I-th session: a number in decimal, "true" or "false", a text as it is, connections as
 * "{State=up Address=…}{…}"; "" if it has no such key. */
const char *session_value(const SessionList *l, unsigned i, const char *key);

/* The sessions' numbers: "1 3". g_free it. */
char *session_numbers(const SessionList *l);

/* Waits until the answer lacks nothing: a session that was just made is not set up for a moment, and a port not looked at. */
void await_complete(sd_bus *bus, const char *path);

/* ListSessions of PATH has the sessions NUMBERS, and is complete. */
void assert_sessions(sd_bus *bus, const char *path, const char *numbers);
