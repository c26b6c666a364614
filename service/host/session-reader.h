/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The sessions of this host as an initiator, as the kernel shows them in sysfs: /sys/class/iscsi_session, iscsi_connection,
 * iscsi_host. Any user may read them.
 *
 * Attributes that are read here are values in the kernel's memory: to read one does not wait. Others, such as the addresses of
 * network cards that are initiators themselves, can wait for the hardware, and are left alone. */

#include "common/macro.h"
#include "common/session.h"

/* Of one session. Linux makes one. */
#define SESSION_CONNECTIONS_MAX 16u

/* What was read of a session. */
typedef struct SessionReading {
        SessionInfo info;
        bool settled; /* it is logged in or was: what it consists of is known */
        char *fault;  /* a clause that says why something that should be known is not; NULL: nothing is amiss */
} SessionReading;

void session_reading_done(SessionReading *r);

/* Calls FOUND for the number of each session that is there. SYSFS: a directory like /sys, open. Returns 0, also if the kernel has
 * no sessions at all, the first negative value that FOUND returned, or a negative errno. */
int session_list(int sysfs, int (*found)(uint32_t number, void *userdata), void *userdata);

/* Reads all of a session. Returns 0, -ENOENT if it is not there (any more), or another negative errno. */
int session_read(int sysfs, uint32_t number, SessionReading *ret);

/* Reads what tells whether S is as it was when it was read. Returns 1 if it is, 0 if it is not, -ENOENT if it is gone. */
int session_is_unchanged(int sysfs, uint32_t number, const SessionInfo *s);

/* "session5", also in the path of something below it: /devices/platform/host2/session5/target2:0:0. Returns whether there is
 * one. */
bool session_number_in_path(const char *path, uint32_t *ret);
