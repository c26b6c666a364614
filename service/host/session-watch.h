/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Follows the sessions of this host as an initiator (session-reader.h), read only.
 *
 * The kernel tells that a session comes or goes, and nothing of what it does in between; and when it comes it is empty. So
 *
 * - a message of the kernel about a session, or about something below it, has it read at once,
 * - a session that is not set up yet is read again after 50 ms, and after twice as long each time, 2 s at most,
 * - while there are sessions all of them are looked at every 5 s: three small reads each, and all of it if it changed.
 *
 * What can be read in one turn of the event loop is bounded, so that a thousand sessions do not keep others waiting. */

#include <systemd/sd-event.h>

/* uthash ends the process when memory ends. */
#include <uthash.h>

#include "common/macro.h"
#include "host/session-reader.h"

/* More are not followed. */
#define SESSIONS_MAX 4096u

/* So many sessions are read in one turn of the event loop. */
#define SESSIONS_PER_TURN 16u

typedef struct SessionWatch SessionWatch;

typedef struct HostSession {
        uint32_t number; /* the kernel's */
        SessionReading reading;

        /* For session-watch.c. */
        bool told;          /* CHANGED was called for it */
        bool whole;         /* is to be read whole, not only looked at */
        bool listed;        /* was in the last list */
        uint64_t due_usec;  /* CLOCK_MONOTONIC; UINT64_MAX: not at all */
        uint64_t wait_usec; /* until it is read again, while it is not set up */
        UT_hash_handle hh;
} HostSession;

typedef struct SessionWatchCallbacks {
        /* It is new, or other than it was. What is in it is valid until the next call. */
        void (*changed)(const HostSession *s, void *userdata);

        /* It was told, and is gone. */
        void (*removed)(uint32_t number, void *userdata);

        /* COMPLETE: all sessions of the host are known and followed. TEXT: why not, or why changes are seen late, a sentence for
         * people; NULL when all is well, and before the first look is over. Called when one of them changes. */
        void (*status)(bool complete, const char *text, void *userdata);
} SessionWatchCallbacks;

/* Follows what is below SYSFS, normally "/sys". Nothing of it need exist. Callbacks are called from the event loop alone, and
 * must not call session_watch_free(). Returns 0 or a negative errno. */
int session_watch_new(sd_event *event, const char *sysfs, const SessionWatchCallbacks *callbacks, void *userdata,
                      SessionWatch **ret);

/* Looks at everything again, soon. */
void session_watch_look(SessionWatch *w);

/* The sessions by number, through hh.next. Those that were not read yet have nothing but their number. */
const HostSession *session_watch_first(const SessionWatch *w);

/* As STATUS told it. */
bool session_watch_is_complete(const SessionWatch *w);
const char *session_watch_text(const SessionWatch *w);

/* Nothing is called any more. Returns NULL; NULL is fine. */
SessionWatch *session_watch_free(SessionWatch *w);
DEFINE_TRIVIAL_CLEANUP(SessionWatch *, session_watch_free);
