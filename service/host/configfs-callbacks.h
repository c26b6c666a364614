/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What configfs-watch.h tells, and to whom. */

/* Something changed in the directory of NODE, which may be gone or be no iSCSI name at all; with NODE NULL: anything may have
 * changed. What counts: nodes, their portal groups ("…tpgt_…") and portals that come and go, and each write to "enable", also of
 * the value that is there already. The change has happened when this is called. NODE is valid during the call only. */
typedef void (*configfs_watch_changed_t)(const char *node, void *userdata);

/* TEXT is a sentence for people that says why changes may be told late, and what can be done; NULL: they are told in time again.
 * Called once per difference. While there is a text, CHANGED is called with NULL every ten seconds, unless the only reason is
 * that the kernel has no target yet, when nothing can have changed. TEXT is valid during the call only. */
typedef void (*configfs_watch_status_t)(const char *text, void *userdata);

typedef struct ConfigfsWatchCallbacks {
        configfs_watch_changed_t changed;
        configfs_watch_status_t status;
} ConfigfsWatchCallbacks;
