/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Records that were read before. Each is read again only if its file may be another one, or may have been changed: a record that
 * is kept is what a read would give now.
 *
 * There are as many as there are records in the directory, at most: what was not seen by the last look is dropped. */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "workers/open-iscsi/record.h"

/* How old the last change of a file has to be when the file is read. Until then one more change can leave all as it is that is
 * compared, the size too: the kernel takes the times of files from a clock that counts on once per tick, which is at most 10 ms
 * (HZ=100). Ten ticks, to be on the safe side. */
#define SETTLED_MSEC 100

/* The same where the file system counts whole seconds, or two (ext4 with small inodes, NFS on such, FAT). */
#define SETTLED_COARSE_MSEC 3000

/* By what it is known that a file is the same, unchanged. */
typedef struct FileState {
        uint32_t device_major, device_minor;
        uint64_t inode, size;
        struct timespec modified, changed; /* mtime and ctime: nobody can set the latter */
        bool regular;                      /* else nothing follows from all this */
} FileState;

/* Reads the state of NAME in the directory DIR, or with NAME "" of the open file DIR. Does not follow a link. A file system
 * elsewhere on the network is asked, not what is remembered of it here. Returns 0 or a negative errno. */
int file_state_read(int dir, const char *name, FileState *ret);

bool file_state_is_same(const FileState *a, const FileState *b);

/* Whether each change from NOW (CLOCK_REALTIME) on leaves another state than S. */
bool file_state_is_settled(const FileState *s, const struct timespec *now);

typedef struct KnownRecord {
        Record record; /* owned */
        FileState state;
        bool seen; /* by the look that goes on */
} KnownRecord;

typedef struct RecordCache {
        KnownRecord *items; /* owned; those of earlier looks first, sorted by file */
        size_t n, n_sorted;
} RecordCache;

void record_cache_done(RecordCache *c);

/* The record of FILE that was read when it was in STATE; NULL: there is none. It is then seen. It stays the cache's and is valid
 * until the next call. */
const Record *record_cache_find(RecordCache *c, const char *file, const FileState *state);

/* Keeps a copy of a record that was read. Returns 0 or -ENOMEM. */
int record_cache_add(RecordCache *c, const Record *record, const FileState *state);

/* Ends a look: drops what it has not seen. */
void record_cache_end_look(RecordCache *c);
