/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/log.h"
#include "workers/base/kmsg.h"

#define FILE_SIZE_MAX 4096u /* configfs shows at most one page */

void steps_begin(Steps *s, const Watch *watch, Locks *locks) {
        *s = (Steps){ .watch = watch, .locks = locks, .kmsg_fd = -1 };
}

static void undo_done(Undo *u) {
        free(u->path);
        free(u->data);
}

void steps_done(Steps *s) {
        for (size_t i = 0; i < s->n_undo; i++)
                undo_done(s->undo + i);
        free(s->undo);
        closep(&s->kmsg_fd);
        *s = (Steps){ .kmsg_fd = -1 };
}

void steps_set_operation(Steps *s, size_t operation, Report *report) {
        s->operation = operation;
        s->report = report;
}

int steps_check_peer(Steps *s) {
        if (!s->watch || !watch_peer_is_gone(s->watch))
                return 0;

        (void) report_refuse(s->report, REFUSAL_FAILED, "The caller hung up");
        return -ECANCELED;
}

int steps_add(Steps *s, undo_t undo, const char *path, const void *data, size_t size, const void *userdata) {
        Undo u = { .undo = undo, .operation = s->operation, .size = size, .userdata = userdata };
        int r;

        r = array_grow(&s->undo, s->n_undo, sizeof(*s->undo));
        if (r < 0)
                return r;

        u.path = strdup(path);
        u.data = data ? malloc(size + 1) : NULL;
        if (!u.path || (data && !u.data)) {
                undo_done(&u);
                return -ENOMEM;
        }
        if (data) {
                memcpy(u.data, data, size);
                u.data[size] = '\0';
        }

        s->undo[s->n_undo++] = u;
        return 0;
}

static void drop_undo(Steps *s) {
        undo_done(s->undo + --s->n_undo);
}

static int begin_step(Steps *s, undo_t undo, const char *path, const void *data, size_t size) {
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;
        return undo ? steps_add(s, undo, path, data, size, NULL) : 0;
}

static int undo_mkdir(const Undo *u, Texts *lost) {
        if (rmdir(u->path) < 0 && errno != ENOENT)
                return -errno;
        return access(u->path, F_OK) == 0 ? -EBUSY : 0;
}

int step_mkdir_undone_by(Steps *s, const char *path, undo_t undo) {
        int r;

        r = begin_step(s, undo, path, NULL, 0);
        if (r < 0)
                return r;

        if (mkdir(path, 0755) < 0) {
                r = -errno;
                drop_undo(s);
                return r == -EEXIST ? 0 : r;
        }

        return 1;
}

int step_mkdir(Steps *s, const char *path) {
        return step_mkdir_undone_by(s, path, undo_mkdir);
}

static int undo_rmdir(const Undo *u, Texts *lost) {
        if (mkdir(u->path, 0755) < 0 && errno != EEXIST)
                return -errno;
        return access(u->path, F_OK) < 0 ? -errno : 0;
}

int step_rmdir(Steps *s, const char *path) {
        int r;

        r = begin_step(s, undo_rmdir, path, NULL, 0);
        if (r < 0)
                return r;

        if (rmdir(path) < 0) {
                r = -errno;
                drop_undo(s);
                return r == -ENOENT ? 0 : r;
        }

        return 1;
}

int step_drop_dir(Steps *s, const char *path) {
        int r;

        r = begin_step(s, NULL, path, NULL, 0);
        if (r < 0)
                return r;

        return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

int step_drop_link(Steps *s, const char *path) {
        int r;

        r = begin_step(s, NULL, path, NULL, 0);
        if (r < 0)
                return r;

        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int undo_symlink(const Undo *u, Texts *lost) {
        struct stat st;

        if (unlink(u->path) < 0 && errno != ENOENT)
                return -errno;
        return lstat(u->path, &st) == 0 ? -EBUSY : 0;
}

int step_symlink(Steps *s, const char *target, const char *path) {
        int r;

        r = begin_step(s, undo_symlink, path, NULL, 0);
        if (r < 0)
                return r;

        if (symlink(target, path) < 0) {
                r = -errno;
                drop_undo(s);
                return r == -EEXIST ? 0 : r;
        }

        return 1;
}

/* Configfs gives all that it shows in one piece. *RET is malloc'ed, with a NUL behind its *RET_SIZE bytes. */
static int fd_read(int fd, char **ret, size_t *ret_size) {
        _cleanup_free_ char *buf = NULL;
        ssize_t n;

        buf = malloc(FILE_SIZE_MAX + 1);
        if (!buf)
                return -ENOMEM;

        n = read(fd, buf, FILE_SIZE_MAX);
        if (n < 0)
                return -errno;

        buf[n] = '\0';
        *ret = TAKE_PTR(buf);
        *ret_size = (size_t) n;
        return 0;
}

static int file_open(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd;
}

int file_read(const char *path, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = file_open(path, O_RDONLY);
        size_t size;

        return fd < 0 ? fd : fd_read(fd, ret, ret_size ? ret_size : &size);
}

/* Reads the value of an attribute, without the newline at its end. */
static int value_read(int fd, char **ret) {
        size_t n = 0;
        int r;

        r = fd_read(fd, ret, &n);
        if (r < 0)
                return r;

        if (n > 0 && (*ret)[n - 1] == '\n')
                (*ret)[n - 1] = '\0';
        return 0;
}

static int value_write(int fd, const char *value) {
        return pwrite(fd, value, strlen(value), 0) < 0 ? -errno : 0;
}

static int undo_write(const Undo *u, Texts *lost) {
        _cleanup_close_ int fd = file_open(u->path, O_RDWR), again = -1;
        _cleanup_free_ char *now = NULL, *after = NULL;
        int r;

        if (fd == -ENOENT) /* it went with its directory */
                return 0;
        r = fd < 0 ? fd : value_read(fd, &now);
        if (r < 0 || strcmp(now, u->data) == 0)
                return r;

        r = value_write(fd, u->data);
        if (r < 0)
                return r;

        again = file_open(u->path, O_RDONLY);
        r = again < 0 ? again : value_read(again, &after);
        return r < 0 ? r : strcmp(after, u->data) != 0 ? -EBUSY : 0;
}

int step_write(Steps *s, const char *path, const char *value) {
        _cleanup_free_ char *before = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;
        fd = file_open(path, O_RDWR);
        r = fd < 0 ? fd : value_read(fd, &before);
        if (r < 0)
                return r;
        if (strcmp(before, value) == 0)
                return 0;

        /* A write that failed may have done its work before: the undo stays, and looks first. */
        r = steps_add(s, undo_write, path, before, strlen(before), NULL);
        if (r < 0)
                return r;

        r = value_write(fd, value);
        return r < 0 ? r : 1;
}

int step_write_only(Steps *s, const char *path, const char *value) {
        _cleanup_close_ int fd = -1;
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;
        fd = file_open(path, O_WRONLY);
        return fd < 0 ? fd : value_write(fd, value);
}

static void report_left(Report *report, const char *path, int error) {
        _cleanup_free_ char *cause = report->message ? strdup(report->message) : NULL;

        (void) report_refuse(report, REFUSAL_DEGRADED, "%s; and %s could not be undone: %s", cause ? cause : "It failed", path,
                             strerror(-error));
        log_error("%s", report->message ? report->message : "Out of memory");
}

static void report_lost(Report *report, const Texts *lost) {
        _cleanup_free_ char *cause = report->message ? strdup(report->message) : NULL, *names = texts_join(lost);

        (void) report_refuse(report, report->refusal, "%s; all is as it was before, but what cannot be read is lost: %s",
                             cause ? cause : "It failed", names ? names : "…");
        log_warning("%s", report->message ? report->message : "Out of memory");
}

void steps_undo(Steps *s, size_t operation, Report *report) {
        _cleanup_(texts_done) Texts lost = {};
        _cleanup_free_ char *left = NULL;
        size_t kept = 0;
        int error = 0;

        if (s->n_undo > 0 && s->locks)
                locks_resume(s->locks);

        for (size_t i = s->n_undo; i > 0; i--) {
                Undo *u = s->undo + i - 1;
                int r;

                if (operation != SIZE_MAX && u->operation != operation)
                        continue;

                r = u->undo(u, &lost);
                if (r < 0 && error == 0) {
                        error = r;
                        left = TAKE_PTR(u->path);
                }
                undo_done(u);
                u->undo = NULL;
        }

        for (size_t i = 0; i < s->n_undo; i++)
                if (s->undo[i].undo)
                        s->undo[kept++] = s->undo[i];
        s->n_undo = kept;

        if (error != 0)
                report_left(report, left ? left : "a step", error);
        else if (lost.n > 0)
                report_lost(report, &lost);
}

void steps_listen(Steps *s) {
        if (s->kmsg_fd < 0)
                s->kmsg_fd = kmsg_open();
}

int steps_refuse(Steps *s, Refusal refusal, const char *what, const char *path, int error) {
        _cleanup_free_ char *hint = kmsg_last_complaint(s->kmsg_fd);

        /* Hung up: already told. */
        if (error == -ECANCELED)
                return error;

        if (error == -EROFS)
                return report_refuse(s->report, REFUSAL_BACKEND_UNAVAILABLE,
                                     "Cannot %s %s: configfs is mounted read-only here; mount it with write access (\"mount -o "
                                     "remount,rw /sys/kernel/config\")",
                                     what, path);

        return report_refuse(s->report, refusal, "Cannot %s %s: %s%s%s%s", what, path, strerror(-error),
                             hint ? " (the kernel says: " : "", hint ? hint : "", hint ? ")" : "");
}
