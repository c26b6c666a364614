/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is in a port: read out, and brought back.
 *
 * A snapshot is a row of records, each a letter and texts with a NUL behind each, with paths relative to the port's directory:
 *
 *     L1                     the form's version, first
 *     d path                 a directory: a LUN, an ACL, a LUN's mapping, a portal
 *     l path target          a link: relative to the port's directory if it leads into the port, else to the kernel's target
 *     a path value           an attribute
 *     u name                 something that could not be read
 *
 * In this order: everything comes after what it needs. Secrets are never in it; what of them is set, or cannot be looked at, is
 * named as unreadable. */

#include "workers/lio/call.h"

/* Whether the snapshot holds the port's portals and its switch too. */
typedef enum SnapshotScope {
        SNAPSHOT_CONTENTS, /* what others gave to the port */
        SNAPSHOT_WHOLE,
} SnapshotScope;

/* Reads what is in PORT_DIR. Returns 0 or a negative errno with the report filled. */
int lio_snapshot_take(const Lio *lio, const char *port_dir, SnapshotScope scope, char **ret, size_t *ret_size, Texts *unreadable,
                      Report *report);

/* Whether it is a snapshot that may be applied: it comes from the service, which is not trusted. Secrets, portals and the switch
 * may not be in it, nor a path that leads elsewhere. */
bool lio_snapshot_is_valid(const char *snapshot, size_t size);

/* Makes what is missing of it in PORT_DIR, which is there, step by step. What cannot be made, since the disk is gone or the
 * kernel refuses a value, is named in LOST with what was unreadable. Returns 0, or a negative errno if the caller hung up or
 * memory ran out. */
int lio_snapshot_apply(const Lio *lio, Steps *s, const char *port_dir, const char *snapshot, size_t size, Texts *lost);

/* Makes a port again as it was when the snapshot of its whole was taken. Returns 0 or the negative errno of what must not fail:
 * the port, its portals, its switch. */
int lio_snapshot_revive(const Lio *lio, const char *port_dir, const char *snapshot, size_t size, Texts *lost);

/* Makes the directory of a portal that was just removed, so that its socket may be going still. Returns 0 or a negative errno. */
int lio_portal_dir_revive(const char *path);
