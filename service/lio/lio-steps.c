/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "lio/lio-steps.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/log.h"
#include "lio/lio-kmsg.h"
#include "lio/lio-tree.h"

bool peer_has_hung_up(int fd, int msec) {
        struct pollfd p = { .fd = fd, .events = POLLRDHUP };

        return poll(&p, 1, msec) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

void steps_begin(Steps *s, int peer_fd, LioReport *report, bool undoing) {
        *s = (Steps){ .peer_fd = peer_fd, .report = report, .undoing = undoing, .kmsg_fd = kmsg_open() };
}

void steps_done(Steps *s) {
        for (size_t i = 0; i < s->n_undo; i++)
                free(s->undo[i].path);
        free(s->undo);
        closep(&s->kmsg_fd);
        *s = (Steps){ .kmsg_fd = -1 };
}

int steps_check_peer(Steps *s) {
        if (!peer_has_hung_up(s->peer_fd, 0))
                return 0;

        (void) lio_refuse(s->report, REFUSAL_FAILED, "The caller hung up");
        return -ECANCELED;
}

/* Makes room for one undo before the step is done, so that no step is left without. */
static int reserve_undo(Steps *s, const char *path, bool disable) {
        char *copy;
        int r;

        if (!s->undoing)
                return 0;

        r = array_grow(&s->undo, s->n_undo, sizeof(*s->undo));
        if (r < 0)
                return r;

        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        s->undo[s->n_undo++] = (Undo){ .path = copy, .disable = disable };
        return 0;
}

static void drop_undo(Steps *s) {
        if (s->undoing)
                free(s->undo[--s->n_undo].path);
}

int step_mkdir(Steps *s, const char *path) {
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;
        r = reserve_undo(s, path, false);
        if (r < 0)
                return r;

        if (mkdir(path, 0755) < 0) {
                r = -errno;
                drop_undo(s);
                return r == -EEXIST ? 0 : r;
        }

        return 1;
}

int step_rmdir(Steps *s, const char *path) {
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;

        return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

int step_unlink(Steps *s, const char *path) {
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;

        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int enable_write(const char *path, bool enable) {
        _cleanup_close_ int fd = -1;

        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;

        return pwrite(fd, enable ? "1" : "0", 1, 0) < 0 ? -errno : 0;
}

int step_enable(Steps *s, const char *port_dir, bool enable) {
        _cleanup_free_ char *path = NULL;
        bool is_enabled;
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;
        r = lio_enable_read(port_dir, &is_enabled);
        if (r < 0 || is_enabled == enable)
                return r;

        path = lio_path(port_dir, "enable", NULL);
        if (!path)
                return -ENOMEM;
        r = reserve_undo(s, port_dir, true);
        if (r < 0)
                return r;

        /* A write that failed may have done its work before: the undo stays, and looks first. */
        return enable_write(path, enable);
}

static int undo_one(const Undo *u) {
        _cleanup_free_ char *path = NULL;
        bool is_enabled;
        int r;

        if (!u->disable) {
                if (rmdir(u->path) < 0 && errno != ENOENT)
                        return -errno;
                return access(u->path, F_OK) == 0 ? -EBUSY : 0;
        }

        path = lio_path(u->path, "enable", NULL);
        if (!path)
                return -ENOMEM;

        r = lio_enable_read(u->path, &is_enabled);
        if (r == -ENOENT)
                return 0;
        if (r >= 0 && is_enabled)
                r = enable_write(path, false);
        if (r < 0)
                return r;

        r = lio_enable_read(u->path, &is_enabled);
        return r < 0 ? r : is_enabled ? -EBUSY : 0;
}

int steps_undo(Steps *s, int reason) {
        _cleanup_free_ char *cause = NULL, *left = NULL;
        int error = 0;

        for (size_t i = s->n_undo; i > 0; i--) {
                const Undo *u = s->undo + i - 1;
                int r;

                r = undo_one(u);
                if (r < 0 && error == 0) {
                        error = r;
                        left = strdup(u->path);
                }
                free(s->undo[i - 1].path);
        }
        s->n_undo = 0;

        if (error == 0)
                return reason;

        cause = s->report->message ? strdup(s->report->message) : NULL;
        (void) lio_refuse(s->report, REFUSAL_DEGRADED, "%s; and %s could not be undone: %s", cause ? cause : strerror(-reason),
                          left ? left : "a step", strerror(-error));
        log_error("%s", s->report->message ? s->report->message : "Out of memory");
        return -refusal_errno(REFUSAL_DEGRADED);
}

int steps_refuse(Steps *s, Refusal refusal, const char *what, const char *path, int error) {
        _cleanup_free_ char *hint = kmsg_last_complaint(s->kmsg_fd);

        /* Hung up: already told. */
        if (error == -ECANCELED)
                return error;

        return lio_refuse(s->report, refusal, "Cannot %s %s: %s%s%s%s", what, path, strerror(-error),
                          hint ? " (the kernel says: " : "", hint ? hint : "", hint ? ")" : "");
}
