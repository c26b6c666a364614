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
#include "workers/open-iscsi/use.h"

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
        _cleanup_(report_done) Report report = {};
        int r;

        if (at->directory)
                clean_directory(at->directory);
        r = database_lock_check_directory(at, &report);
        if (r >= 0) {
                clean_directory(at->lock_directory);
                database_lock_clean(at);
        } else if (report.message)
                log_warning("%s", report.message);
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

/* RET_STATE as in read_text(); RET_TEXT may be NULL too. */
static int read_record(const char *path, const char *file, Record *ret, FileState *ret_state, char **ret_text) {
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
                if (!record.empty || i == EMPTY_RETRIES) {
                        if (ret_text)
                                *ret_text = TAKE_PTR(text);
                        break;
                }
                record_done(&record);
                (void) poll(NULL, 0, EMPTY_PAUSE_MSEC);
        }

        *ret = record;
        record = (Record){};
        return 0;
}

int database_read(const Installation *at, const char *file, Record *ret, char **ret_text, Report *report) {
        _cleanup_free_ char *path = record_path(at, file);
        int r;

        if (!path)
                return -ENOMEM;
        r = read_record(path, file, ret, NULL, ret_text);
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
        r = read_record(path, file, ret, &state, NULL);
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
                if (r == -ENOMEM || report->refusal != REFUSAL_NONE)
                        return r;
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s: %s", path, strerror(-r));
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

typedef struct Prepared {
        DatabaseLock lock;
        char *temporary; /* its path, as long as the file is there; NULL: none */
} Prepared;

static void prepared_done(Prepared *p) {
        if (p->temporary)
                (void) unlink(p->temporary);
        free(p->temporary);
        database_unlock(&p->lock);
}

/* Makes a file with TEXT (NULL: none), then takes the lock. */
static int prepare(const Installation *at, const Watch *watch, const char *text, Prepared *ret, Report *report) {
        _cleanup_free_ char *directory = record_path(at, "");
        int r;

        if (!directory)
                return -ENOMEM;
        if (text && mkdir(directory, 0700) < 0 && errno != EEXIST)
                return -errno;
        r = text ? make_temporary(at, text, &ret->temporary) : 0;
        return r < 0 ? r : database_lock(at, watch, &ret->lock, report);
}

/* Under the lock: as fast as it can be, since iscsiadm may wait for it. */
static int put_in_place(const Installation *at, Prepared *prepared, const char *path) {
        _cleanup_free_ char *directory = record_path(at, "");

        if (!directory)
                return -ENOMEM;
        if (prepared->temporary) {
                if (rename(prepared->temporary, path) < 0)
                        return -errno;
                free(TAKE_PTR(prepared->temporary));
        } else if (unlink(path) < 0)
                return errno == ENOENT ? 0 : -errno;
        return sync_directory(directory);
}

static bool same_text(const char *a, const char *b) {
        return a ? b && strcmp(a, b) == 0 : !b;
}

/* The text of the record at PATH; NULL: there is none. */
static int read_now(const char *path, char **ret) {
        int r;

        r = text_file_read(path, ret);
        return r == -ENOENT ? 0 : r;
}

/* What an undo needs to know: two texts, either of which may be none. */
static char *pack(const char *before, const char *after, size_t *ret_size) {
        char *data = NULL;
        FILE *f;

        f = open_memstream(&data, ret_size);
        if (!f)
                return NULL;
        (void) fprintf(f, "%c%s%c", before ? '+' : '-', before ? before : "", '\0');
        (void) fprintf(f, "%c%s", after ? '+' : '-', after ? after : "");
        if (fclose(f) == 0)
                return data;

        free(data);
        return NULL;
}

static void unpack(const char *data, const char **ret_before, const char **ret_after) {
        const char *second = data + strlen(data) + 1;

        *ret_before = *data == '+' ? data + 1 : NULL;
        *ret_after = *second == '+' ? second + 1 : NULL;
}

/* Looks whether PATH is to be set back. What stands there by now stays, unless it is what the step left. */
static int needs_undo(const char *path, const char *before, const char *after) {
        _cleanup_free_ char *now = NULL;
        int r;

        r = read_now(path, &now);
        if (r < 0 || same_text(now, before))
                return r;
        if (same_text(now, after))
                return 1;

        log_error("Interface record %s was changed by another program, so it is not set back", path);
        return -EBUSY;
}

/* DATA is what pack() made; USERDATA is the database. A step that failed may have changed nothing, as where nothing can be
 * written: then the undo writes nothing as well. */
static int undo_record(const Undo *u, Texts *lost) {
        _cleanup_(prepared_done) Prepared prepared = { .lock.fd = -1 };
        _cleanup_(report_done) Report report = {};
        const char *before, *after;
        int r;

        unpack(u->data, &before, &after);
        r = needs_undo(u->path, before, after);
        if (r <= 0)
                return r;
        r = prepare(u->userdata, NULL, before, &prepared, &report);
        if (report.message)
                log_error("%s", report.message);
        if (r >= 0)
                r = needs_undo(u->path, before, after);
        return r <= 0 ? r : put_in_place(u->userdata, &prepared, u->path);
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

/* Whether all that was decided on still holds. Only now, under the lock, it cannot change any more. Returns 0 if there is nothing
 * left to do. */
static int check_again(const Installation *at, const RecordChange *change, const char *path, Report *report) {
        _cleanup_free_ char *now = NULL;
        _cleanup_use_ Use use = {};
        int r;

        r = read_now(path, &now);
        if (r < 0)
                return r;
        if (!now && !change->after)
                return 0;
        if (!same_text(now, change->before))
                return report_refuse(report, REFUSAL_BUSY,
                                     "Interface record %s was changed by another program during this call, and left as it is: "
                                     "call again",
                                     path);
        if (!change->unused)
                return 1;

        r = use_read(at, change->file, &use, report);
        if (r >= 0)
                r = use_refuse(&use, change->file, report);
        return r < 0 ? r : 1;
}

static int change_locked(const Installation *at, Steps *s, const RecordChange *change, const char *path, Prepared *prepared) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = check_again(at, change, path, s->report);
        if (r <= 0)
                return r;
        data = pack(change->before, change->after, &size);
        if (!data)
                return -ENOMEM;
        r = steps_add(s, undo_record, path, data, size, at);
        return r < 0 ? r : put_in_place(at, prepared, path);
}

int database_change(const Installation *at, Steps *s, const RecordChange *change) {
        _cleanup_(prepared_done) Prepared prepared = { .lock.fd = -1 };
        _cleanup_free_ char *path = record_path(at, change->file);
        int r;

        if (!path)
                return -ENOMEM;
        r = steps_check_peer(s);
        if (r < 0)
                return r;

        r = prepare(at, s->watch, change->after, &prepared, s->report);
        if (r >= 0)
                r = change_locked(at, s, change, path, &prepared);
        return r < 0 ? refuse_write(s, path, r) : 0;
}
