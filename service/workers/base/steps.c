/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/steps.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/log.h"
#include "workers/base/kmsg.h"
#include "workers/base/peer.h"

void steps_begin(Steps *s, int peer_fd, Report *report, bool undoing) {
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

        (void) report_refuse(s->report, REFUSAL_FAILED, "The caller hung up");
        return -ECANCELED;
}

int steps_reserve(Steps *s, const char *path, undo_t undo) {
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
        s->undo[s->n_undo++] = (Undo){ .path = copy, .undo = undo };
        return 0;
}

static void drop_undo(Steps *s) {
        if (s->undoing)
                free(s->undo[--s->n_undo].path);
}

static int undo_mkdir(const char *path) {
        if (rmdir(path) < 0 && errno != ENOENT)
                return -errno;
        return access(path, F_OK) == 0 ? -EBUSY : 0;
}

int step_mkdir(Steps *s, const char *path) {
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;
        r = steps_reserve(s, path, undo_mkdir);
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

int steps_undo(Steps *s, int reason) {
        _cleanup_free_ char *cause = NULL, *left = NULL;
        int error = 0;

        for (size_t i = s->n_undo; i > 0; i--) {
                const Undo *u = s->undo + i - 1;
                int r;

                r = u->undo(u->path);
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
        (void) report_refuse(s->report, REFUSAL_DEGRADED, "%s; and %s could not be undone: %s", cause ? cause : strerror(-reason),
                             left ? left : "a step", strerror(-error));
        log_error("%s", s->report->message ? s->report->message : "Out of memory");
        return -refusal_errno(REFUSAL_DEGRADED);
}

int steps_refuse(Steps *s, Refusal refusal, const char *what, const char *path, int error) {
        _cleanup_free_ char *hint = kmsg_last_complaint(s->kmsg_fd);

        /* Hung up: already told. */
        if (error == -ECANCELED)
                return error;

        return report_refuse(s->report, refusal, "Cannot %s %s: %s%s%s%s", what, path, strerror(-error),
                             hint ? " (the kernel says: " : "", hint ? hint : "", hint ? ")" : "");
}
