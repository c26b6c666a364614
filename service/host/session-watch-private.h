/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What only the tests of session-watch.h adjust. */

#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct SessionWatch SessionWatch;
typedef struct SessionWatchCallbacks SessionWatchCallbacks;

typedef struct SessionWatchTuning {
        uint64_t first_wait_usec, last_wait_usec; /* for a session that is not set up */
        uint64_t poll_usec;                       /* between two looks at all sessions */
        unsigned sessions_max;
        int (*open_events)(void); /* kernel_events_open() */
} SessionWatchTuning;

extern const SessionWatchTuning session_watch_tuning_default;

int session_watch_new_tuned(sd_event *event, const char *sysfs, const SessionWatchCallbacks *callbacks, void *userdata,
                            const SessionWatchTuning *tuning, SessionWatch **ret);
