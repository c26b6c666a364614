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

/* Reads the record FILE, whatever is known of it, and its text (RET_TEXT may be NULL). Returns 1, 0 if there is none, or a
 * negative errno. */
int database_read(const Installation *at, const char *file, Record *ret, char **ret_text, Report *report);

typedef struct RecordChange {
        const char *file;
        const char *before; /* the text that was read when the change was decided; NULL: there was no record */
        const char *after;  /* the text that it gets; NULL: it goes */
        bool unused;        /* only if nobody uses it */
} RecordChange;

/* Changes a record, whole or not at all and durably, as a step that can be undone. open-iscsi's lock is taken, then it is looked
 * once more whether the change is still the right one: Busy if somebody changed the record meanwhile, SessionsActive and
 * RecordInUse if it is in use and must not be. That a record is gone already is success. The undo leaves alone what somebody
 * changed since. */
int database_change(const Installation *at, Steps *s, const RecordChange *change);
