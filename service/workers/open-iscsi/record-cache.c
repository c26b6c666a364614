/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/record-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"

#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_SEC 1000000000L
#define MSEC_PER_SEC 1000L

/* State */

static struct timespec to_timespec(const struct statx_timestamp *t) {
        return (struct timespec){ .tv_sec = t->tv_sec, .tv_nsec = (long) t->tv_nsec };
}

int file_state_read(int dir, const char *name, FileState *ret) {
        const unsigned wanted = STATX_TYPE | STATX_INO | STATX_SIZE | STATX_MTIME | STATX_CTIME;
        struct statx st;

        if (statx(dir, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, wanted, &st) < 0)
                return -errno;

        *ret = (FileState){
                .device_major = st.stx_dev_major,
                .device_minor = st.stx_dev_minor,
                .inode = st.stx_ino,
                .size = st.stx_size,
                .modified = to_timespec(&st.stx_mtime),
                .changed = to_timespec(&st.stx_ctime),
                .regular = (st.stx_mask & wanted) == wanted && S_ISREG(st.stx_mode),
        };
        return 0;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b) {
        return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_state_is_same(const FileState *a, const FileState *b) {
        return a->regular && b->regular && a->device_major == b->device_major && a->device_minor == b->device_minor &&
               a->inode == b->inode && a->size == b->size && is_same_time(&a->modified, &b->modified) &&
               is_same_time(&a->changed, &b->changed);
}

/* Whether T is more than MSEC before NOW; never one that is ahead of it. */
static bool is_past(const struct timespec *t, const struct timespec *now, long msec) {
        time_t limit_sec = now->tv_sec - msec / MSEC_PER_SEC;
        long limit_nsec = now->tv_nsec - msec % MSEC_PER_SEC * NSEC_PER_MSEC;

        if (limit_nsec < 0) {
                limit_nsec += NSEC_PER_SEC;
                limit_sec--;
        }
        return t->tv_sec < limit_sec || (t->tv_sec == limit_sec && t->tv_nsec < limit_nsec);
}

bool file_state_is_settled(const FileState *s, const struct timespec *now) {
        /* A full second by chance costs a read more, no more. */
        long msec = s->changed.tv_nsec == 0 ? SETTLED_COARSE_MSEC : SETTLED_MSEC;

        return is_past(&s->changed, now, msec) && is_past(&s->modified, now, msec);
}

/* Records */

static int compare(const void *a, const void *b) {
        return strcmp(((const KnownRecord *) a)->record.file, ((const KnownRecord *) b)->record.file);
}

void record_cache_done(RecordCache *c) {
        for (size_t i = 0; i < c->n; i++)
                record_done(&c->items[i].record);
        free(c->items);
        *c = (RecordCache){};
}

const Record *record_cache_find(RecordCache *c, const char *file, const FileState *state) {
        KnownRecord wanted = { .record.file = (char *) file }, *k;

        k = c->n_sorted > 0 ? bsearch(&wanted, c->items, c->n_sorted, sizeof(*c->items), compare) : NULL;
        if (!k || !file_state_is_same(&k->state, state))
                return NULL;

        k->seen = true;
        return &k->record;
}

int record_cache_add(RecordCache *c, const Record *record, const FileState *state) {
        KnownRecord *k;
        int r;

        r = array_grow(&c->items, c->n, sizeof(*c->items));
        if (r < 0)
                return r;
        k = c->items + c->n;
        r = record_copy(record, &k->record);
        if (r < 0)
                return r;

        k->state = *state;
        k->seen = true;
        c->n++;
        return 0;
}

void record_cache_end_look(RecordCache *c) {
        size_t n = 0;

        for (size_t i = 0; i < c->n; i++) {
                KnownRecord k = c->items[i];

                if (!k.seen) {
                        record_done(&k.record);
                        continue;
                }
                k.seen = false;
                c->items[n++] = k;
        }

        c->n = c->n_sorted = n;
        if (n > 1)
                qsort(c->items, n, sizeof(*c->items), compare);
}
