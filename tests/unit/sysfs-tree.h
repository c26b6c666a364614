/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A directory like /sys with iSCSI sessions, laid out as the kernel does it for open-iscsi over TCP, with the values that it
 * shows. All functions end the test on failure. */

#include <glib.h>

typedef struct SysfsTree {
        char *path;
} SysfsTree;

/* There is no session in it, and no directory of any. All users can read it. */
SysfsTree *sysfs_tree_new(void);
void sysfs_tree_free(SysfsTree *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SysfsTree, sysfs_tree_free)

/* What the kernel has when it tells of a session: its state is FREE and no name is set. */
void sysfs_add_session(SysfsTree *t, unsigned number);

/* It is logged in through RECORD, from INITIATOR to a target at 192.0.2.1. */
void sysfs_log_in(SysfsTree *t, unsigned number, const char *initiator, const char *record);

/* Both at once. */
void sysfs_add_logged_in(SysfsTree *t, unsigned number, const char *initiator, const char *record);

/* The links in class/ go first, as in the kernel. */
void sysfs_remove_session(SysfsTree *t, unsigned number);

/* The file of an attribute: g_free it. PLACE: "session", "connection", "host" or "scsi_host". */
char *sysfs_attribute(SysfsTree *t, unsigned number, const char *place, const char *attribute);

/* Sets an attribute; VALUE NULL: the kernel has no such attribute. */
void sysfs_set(SysfsTree *t, unsigned number, const char *place, const char *attribute, const char *value);
