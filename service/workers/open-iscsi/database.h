/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The records of interfaces in open-iscsi's database, and their changes. Reading waits for no lock; changes take open-iscsi's. */

#include "workers/base/steps.h"
#include "workers/open-iscsi/installation.h"
#include "workers/open-iscsi/record-cache.h"
#include "workers/open-iscsi/record.h"

/* The directory of the records: that of Debian, or that of newer versions of open-iscsi, whichever is there; NULL if neither
 * is. */
const char *database_find(void);

/* Removes what workers that were killed have left: temporary files and the lock. Done when a worker starts. */
void database_clean(const Installation *at);

typedef struct Records {
        Record *items; /* owned, sorted by file */
        size_t n;
        Texts problems; /* entries that keep open-iscsi from listing any record, one sentence each */
} Records;

void records_done(Records *r);

/* Looks at all records: reads those that CACHE does not have as they are now. One that is empty is read again for a moment:
 * iscsiadm empties a file before it writes it. A missing directory has none. Kept are regular files with a content alone.
 * Returns 0 or a negative errno with the report filled, without one if memory ran out. */
int database_read_all(const Installation *at, RecordCache *cache, Records *ret, Report *report);

/* Reads the record FILE, whatever is known of it. Returns 1, 0 if there is none, or a negative errno. */
int database_read(const Installation *at, const char *file, Record *ret, Report *report);

/* Puts a record with this TEXT in place, whole or not at all and durably, as a step that can be undone. */
int database_write(const Installation *at, Steps *s, const char *file, const char *text);

/* Removes a record in the same way. Absent is success. */
int database_remove(const Installation *at, Steps *s, const char *file);
