/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/database.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/array.h"
#include "common/log.h"
#include "workers/open-iscsi/database-lock.h"
#include "workers/open-iscsi/text-file.h"

#define TEMPORARY_PREFIX ".iscsi-configd-"
#define TEMPORARY_AGE_MAX_SEC 3600

/* How often, and with which pause, a record that is empty is read again. */
#define EMPTY_RETRIES 5u
#define EMPTY_PAUSE_MSEC 10

static bool is_directory(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *database_find(void) {
        static const char *const places[] = { "/etc/iscsi", "/var/lib/iscsi" };
        char path[64];

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                (void) snprintf(path, sizeof(path), "%s/ifaces", places[i]);
                if (is_directory(path))
                        return places[i];
        }
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (is_directory(places[i]))
                        return places[i];

        return NULL;
}

static char *record_path(const Installation *at, const char *file) {
        char *path;

        return asprintf(&path, "%s/ifaces/%s", at->directory, file) < 0 ? NULL : path;
}

/* Temporary files are named after the process that makes them. */
static bool is_left_over(int dir, const char *name) {
        struct stat st;
        long pid;

        if (strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) != 0)
                return false;
        pid = strtol(name + strlen(TEMPORARY_PREFIX), NULL, 10);
        if (pid > 0 && kill((pid_t) pid, 0) < 0 && errno == ESRCH)
                return true;
        return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && time(NULL) - st.st_mtime > TEMPORARY_AGE_MAX_SEC;
}

static void clean_directory(const char *path) {
        _cleanup_closedir_ DIR *d = opendir(path);
        struct dirent *e;

        while (d && (e = readdir(d)))
                if (is_left_over(dirfd(d), e->d_name) && unlinkat(dirfd(d), e->d_name, 0) == 0)
                        log_warning("Removed %s/%s, which a worker of ours that was killed had left", path, e->d_name);
}

void database_clean(const Installation *at) {
        if (at->directory)
                clean_directory(at->directory);
        clean_directory(at->lock_directory);
        database_lock_clean(at);
}

void records_done(Records *r) {
        for (size_t i = 0; i < r->n; i++)
                record_done(r->items + i);
        free(r->items);
        texts_done(&r->problems);
        *r = (Records){};
}

/* Reads the text of a record. *RET_STATE, which may be NULL, is what the file was in before. */
static int read_text(const char *path, char **ret, FileState *ret_state) {
        _cleanup_close_ int fd = text_file_open(path);
        int r;

        if (fd < 0)
                return fd;
        r = ret_state ? file_state_read(fd, "", ret_state) : 0;
        return r < 0 ? r : text_file_read_fd(fd, ret);
}

/* RET_STATE as in read_text(). */
static int read_record(const char *path, const char *file, Record *ret, FileState *ret_state) {
        _cleanup_record_ Record record = {};

        for (unsigned i = 0;; i++) {
                _cleanup_free_ char *text = NULL;
                int r;

                r = read_text(path, &text, ret_state);
                if (r < 0)
                        return r;
                r = record_parse(file, text, &record);
                if (r < 0)
                        return r;
                if (!record.empty || i == EMPTY_RETRIES)
                        break;
                record_done(&record);
                (void) poll(NULL, 0, EMPTY_PAUSE_MSEC);
        }

        *ret = record;
        record = (Record){};
        return 0;
}

int database_read(const Installation *at, const char *file, Record *ret, Report *report) {
        _cleanup_free_ char *path = record_path(at, file);
        int r;

        if (!path)
                return -ENOMEM;
        r = read_record(path, file, ret, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0 && r != -ENOMEM)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read the interface record %s: %s", path, strerror(-r));
        return r < 0 ? r : 1;
}

static int note_problem(Records *records, const char *path, const Record *record, int error) {
        struct stat st;

        if (error == -ENOENT && lstat(path, &st) < 0) /* it went away meanwhile */
                return 0;
        if (error == -EISDIR) /* open-iscsi warns, and goes on */
                return 0;
        if (error == -ENOENT)
                return texts_add(&records->problems,
                                 "%s is a link that leads nowhere: open-iscsi lists no interface at all until it is removed",
                                 path);
        if (error < 0)
                return texts_add(&records->problems, "%s cannot be read: %s", path, strerror(-error));
        return texts_add(
                &records->problems,
                "%s has a key that open-iscsi 2.1.8 does not know, %s; it then lists no interface at all: take the line out",
                path, record->unknown);
}

/* A look at all records. */
typedef struct Look {
        const Installation *at;
        int dir; /* of the records */
        RecordCache *cache;
        Records records;
} Look;

/* Takes a record from the cache, or reads it and keeps it there. The state is that of the file which is read; what is in the
 * directory is looked at besides, since that may be a link. */
static int take_record(Look *l, const char *path, const char *file, Record *ret) {
        const Record *known = NULL;
        FileState listed, state;
        struct timespec now;
        int r;

        r = file_state_read(l->dir, file, &listed);
        if (r < 0)
                listed = (FileState){};
        known = record_cache_find(l->cache, file, &listed);
        if (known)
                return record_copy(known, ret);

        (void) clock_gettime(CLOCK_REALTIME, &now);
        r = read_record(path, file, ret, &state);
        if (r < 0 || ret->empty || !listed.regular || !file_state_is_settled(&state, &now))
                return r;
        return record_cache_add(l->cache, ret, &state);
}

static int take_entry(Look *l, const char *file) {
        _cleanup_free_ char *path = record_path(l->at, file);
        _cleanup_record_ Record record = {};
        Records *records = &l->records;
        int r;

        if (!path)
                return -ENOMEM;
        r = take_record(l, path, file, &record);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || record.unknown) {
                r = note_problem(records, path, &record, r);
                if (r < 0 || !record.file)
                        return r;
        }

        r = array_grow(&records->items, records->n, sizeof(*records->items));
        if (r < 0)
                return r;
        records->items[records->n++] = record;
        record = (Record){};
        return 0;
}

static int compare_records(const void *a, const void *b) {
        return strcmp(((const Record *) a)->file, ((const Record *) b)->file);
}

static int look(Look *l, DIR *d) {
        struct dirent *e;
        int r = 0;

        while (r >= 0 && (errno = 0, (e = readdir(d))))
                if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
                        r = take_entry(l, e->d_name);
        return r >= 0 && errno != 0 ? -errno : r;
}

int database_read_all(const Installation *at, RecordCache *cache, Records *ret, Report *report) {
        _cleanup_free_ char *path = record_path(at, "");
        _cleanup_closedir_ DIR *d = NULL;
        Look l = { .at = at, .cache = cache };
        int r = 0;

        if (!path)
                return -ENOMEM;
        d = opendir(path);
        if (!d && errno != ENOENT)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s: %s", path, strerror(errno));

        if (d) {
                l.dir = dirfd(d);
                r = look(&l, d);
        }
        record_cache_end_look(cache);
        if (r < 0) {
                records_done(&l.records);
                return r;
        }

        if (l.records.n > 1)
                qsort(l.records.items, l.records.n, sizeof(Record), compare_records);
        texts_sort(&l.records.problems);
        *ret = l.records;
        return 0;
}

/* Writing */

static int sync_directory(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int make_temporary(const Installation *at, const char *text, char **ret_path) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        size_t size = strlen(text);
        ssize_t n;
        int r = 0;

        if (asprintf(&path, "%s/" TEMPORARY_PREFIX "%d-XXXXXX", at->directory, (int) getpid()) < 0)
                return -ENOMEM;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
                return -errno;

        n = write(fd, text, size);
        if (n != (ssize_t) size)
                r = n < 0 ? -errno : -ENOSPC;
        else if (fsync(fd) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlink(path);
                return r;
        }

        *ret_path = TAKE_PTR(path);
        return 0;
}

/* Under the lock: as fast as it can be, since iscsiadm may wait for it. */
static int put_in_place(const char *temporary, const char *path, const char *directory) {
        if (rename(temporary, path) < 0) {
                int r = -errno;

                (void) unlink(temporary);
                return r;
        }
        return sync_directory(directory);
}

/* Puts TEXT in place of the record at PATH; NULL: none. */
static int replace_record(const Installation *at, const Watch *watch, const char *path, const char *text, Report *report) {
        _cleanup_free_ char *temporary = NULL, *directory = record_path(at, "");
        _cleanup_unlock_ DatabaseLock lock = { .fd = -1 };
        int r;

        if (!directory)
                return -ENOMEM;
        if (text && mkdir(directory, 0700) < 0 && errno != EEXIST)
                return -errno;
        r = text ? make_temporary(at, text, &temporary) : 0;
        if (r < 0)
                return r;

        r = database_lock(at, watch, &lock, report);
        if (r < 0) {
                if (temporary)
                        (void) unlink(temporary);
                return r;
        }

        if (text)
                return put_in_place(temporary, path, directory);
        if (unlink(path) < 0)
                return errno == ENOENT ? 0 : -errno;
        return sync_directory(directory);
}

/* DATA is what was there before; NULL: nothing. USERDATA is the database. */
static int undo_record(const Undo *u, Texts *lost) {
        _cleanup_(report_done) Report report = {};
        _cleanup_free_ char *now = NULL;
        int r;

        r = text_file_read(u->path, &now);
        if (r < 0 && r != -ENOENT)
                return r;
        if (now ? u->data && strcmp(now, u->data) == 0 : !u->data)
                return 0;

        r = replace_record(u->userdata, NULL, u->path, u->data, &report);
        if (report.message)
                log_error("%s", report.message);
        return r;
}

static int refuse_write(Steps *s, const char *path, int error) {
        if (error == -ECANCELED || error == -ENOMEM || s->report->refusal != REFUSAL_NONE)
                return error;
        if (error == -EROFS)
                return report_refuse(s->report, REFUSAL_BACKEND_UNAVAILABLE,
                                     "Cannot write the interface record %s: the file system is mounted read-only here", path);
        if (error == -ENOSPC || error == -EDQUOT)
                return report_refuse(s->report, REFUSAL_FAILED,
                                     "Cannot write the interface record %s: %s; make room on its file system", path,
                                     strerror(-error));
        return report_refuse(s->report, REFUSAL_FAILED, "Cannot write the interface record %s: %s", path, strerror(-error));
}

static int change_record(const Installation *at, Steps *s, const char *file, const char *text) {
        _cleanup_free_ char *path = record_path(at, file), *before = NULL;
        int r;

        if (!path)
                return -ENOMEM;
        r = steps_check_peer(s);
        if (r < 0)
                return r;
        r = text_file_read(path, &before);
        if (r == -ENOENT && !text)
                return 0;
        if (r < 0 && r != -ENOENT)
                return refuse_write(s, path, r);

        r = steps_add(s, undo_record, path, before, before ? strlen(before) : 0, at);
        if (r >= 0)
                r = replace_record(at, s->watch, path, text, s->report);
        return r < 0 ? refuse_write(s, path, r) : 0;
}

int database_write(const Installation *at, Steps *s, const char *file, const char *text) {
        return change_record(at, s, file, text);
}

int database_remove(const Installation *at, Steps *s, const char *file) {
        return change_record(at, s, file, NULL);
}
