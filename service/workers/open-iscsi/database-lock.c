/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/database-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"

#define MARK "lock of a worker of iscsi-configd\n"
#define POLL_MSEC 10     /* as open-iscsi */
#define PATIENCE_SEC 30L /* of open-iscsi: who holds the lock for longer is dead */

char *database_lock_path(const Installation *at) {
        char *path;

        return asprintf(&path, "%s/lock.write", at->lock_directory) < 0 ? NULL : path;
}

/* Whether FD is what PATH is now. */
static bool is_still(int fd, const char *path) {
        struct stat a, b;

        return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Removes PATH if it is a lock of a worker that died: it bears our mark, and nobody has it locked. Returns whether it was
 * removed. */
static bool remove_dead(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        char mark[sizeof(MARK)];

        if (fd < 0 || pread(fd, mark, sizeof(mark), 0) != sizeof(MARK) - 1 || memcmp(mark, MARK, sizeof(MARK) - 1) != 0)
                return false;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_still(fd, path) || unlink(path) < 0)
                return false;

        log_warning("Removed %s, which a worker of ours that was killed had left", path);
        return true;
}

void database_lock_clean(const Installation *at) {
        _cleanup_free_ char *path = database_lock_path(at);

        if (path)
                (void) remove_dead(path);
}

/* Makes our file, locked. Its name is gone once it is linked. */
static int make_file(const Installation *at, char **ret_path) {
        _cleanup_free_ char *path = NULL;
        int fd;

        if (asprintf(&path, "%s/.iscsi-configd-%d-XXXXXX", at->lock_directory, (int) getpid()) < 0)
                return -ENOMEM;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, MARK, strlen(MARK)) != (ssize_t) strlen(MARK)) {
                int r = errno ? -errno : -EIO;

                (void) unlink(path);
                (void) close(fd);
                return r;
        }

        *ret_path = TAKE_PTR(path);
        return fd;
}

static long age_of(const char *path) {
        struct stat st;

        return lstat(path, &st) < 0 ? 0 : (long) (time(NULL) - st.st_ctime);
}

static int refuse_busy(const char *path, Report *report) {
        long age = age_of(path);

        if (age <= PATIENCE_SEC)
                return report_refuse(report, REFUSAL_BUSY,
                                     "Another program has had open-iscsi's lock %s for %ld seconds, probably iscsiadm; try again "
                                     "when it is done",
                                     path, age);
        return report_refuse(report, REFUSAL_BUSY,
                             "open-iscsi's lock %s has been there for %ld seconds. No program waits for it longer than %ld, so "
                             "the one that made it was probably killed: if no iscsiadm is running, remove the file",
                             path, age, PATIENCE_SEC);
}

/* Links FILE as PATH, and waits while that is there. */
static int wait_for_link(const Installation *at, const char *file, const char *path, const Watch *watch, Report *report) {
        uint64_t until = monotonic_msec() + (uint64_t) at->lock_timeout * 1000;

        while (link(file, path) < 0) {
                if (errno != EEXIST)
                        return report_refuse(report, REFUSAL_FAILED, "Cannot take open-iscsi's lock %s: %s", path,
                                             strerror(errno));
                if (remove_dead(path))
                        continue;
                if (watch && watch_peer_is_gone(watch)) {
                        (void) report_refuse(report, REFUSAL_FAILED, "The caller hung up");
                        return -ECANCELED;
                }
                if (monotonic_msec() >= until)
                        return refuse_busy(path, report);
                (void) poll(NULL, 0, POLL_MSEC);
        }

        return 0;
}

int database_lock_check_directory(const Installation *at, Report *report) {
        _cleanup_close_ int fd = open(at->lock_directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 && errno == ENOENT)
                return -ENOENT;
        if (fd < 0 || fstat(fd, &st) < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot use %s, the directory of open-iscsi's lock: %s",
                                     at->lock_directory, errno == ELOOP ? "it is a link; remove it" : strerror(errno));
        if (st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
                return 0;

        return report_refuse(
                report, REFUSAL_FAILED,
                "Cannot use %s, the directory of open-iscsi's lock: %s, so others could put files there; remove it, it "
                "is made again",
                at->lock_directory, st.st_uid != 0 ? "it does not belong to root" : "not only root may write there");
}

int database_lock(const Installation *at, const Watch *watch, DatabaseLock *ret, Report *report) {
        _cleanup_free_ char *file = NULL, *path = database_lock_path(at);
        _cleanup_close_ int fd = -1;
        int r;

        if (!path)
                return -ENOMEM;

        /* As open-iscsi makes it. */
        if (mkdir(at->lock_directory, 0700) < 0 && errno != EEXIST)
                return report_refuse(report, REFUSAL_FAILED, "Cannot make the directory %s of open-iscsi's lock: %s",
                                     at->lock_directory, strerror(errno));
        r = database_lock_check_directory(at, report);
        if (r < 0)
                return r;
        fd = make_file(at, &file);
        if (fd < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot make a file for open-iscsi's lock in %s: %s",
                                     at->lock_directory, strerror(-fd));

        r = wait_for_link(at, file, path, watch, report);
        (void) unlink(file);
        if (r < 0)
                return r;

        *ret = (DatabaseLock){ .fd = TAKE_FD(fd), .path = TAKE_PTR(path) };
        return 0;
}

void database_unlock(DatabaseLock *l) {
        if (l->fd >= 0 && is_still(l->fd, l->path))
                (void) unlink(l->path);
        closep(&l->fd);
        free(TAKE_PTR(l->path));
        l->fd = -1;
}
