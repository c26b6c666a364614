/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/iscsiadm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/macro.h"
#include "workers/open-iscsi/database-lock.h"
#include "workers/open-iscsi/text-file.h"

#define TERM_MSEC 1000u /* from SIGTERM to SIGKILL */
#define POLL_MSEC 10
#define QUIET_MSEC 300 /* nobody but the dead has the lock for so long */
#define ARGUMENTS_MAX 12u
#define OUTPUT_MAX 1024u

/* Only what it needs; no caller's environment gets there. */
static char *const environment[] = { (char *) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *) "LC_ALL=C.UTF-8", NULL };

/* Signals are blocked in a worker; what it starts must not inherit that. */
static int start(const Installation *at, char *const *argv, int output, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        int r;

        (void) sigemptyset(&none);
        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r == 0) {
                r = posix_spawnattr_setsigmask(&attributes, &none);
                if (r == 0)
                        r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
                if (r == 0)
                        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
                if (r == 0)
                        r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
                if (r == 0)
                        r = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
                if (r == 0)
                        r = posix_spawn(ret, at->iscsiadm, &actions, &attributes, argv, environment);
                (void) posix_spawnattr_destroy(&attributes);
        }
        (void) posix_spawn_file_actions_destroy(&actions);
        return -r;
}

/* Reads until the end or the deadline. What is too much is dropped. Returns whether the end came. */
static bool read_output(int fd, unsigned msec, char text[static OUTPUT_MAX]) {
        uint64_t until = monotonic_msec() + msec;
        size_t n = 0;

        for (;;) {
                struct pollfd pollfd = { .fd = fd, .events = POLLIN };
                uint64_t now = monotonic_msec();
                char rest[256];
                ssize_t k;

                if (now >= until || poll(&pollfd, 1, (int) (until - now)) <= 0) {
                        text[n] = '\0';
                        return false;
                }
                k = n < OUTPUT_MAX - 1 ? read(fd, text + n, OUTPUT_MAX - 1 - n) : read(fd, rest, sizeof(rest));
                if (k <= 0)
                        break;
                if (n < OUTPUT_MAX - 1)
                        n += (size_t) k;
        }

        text[n] = '\0';
        return true;
}

/* The last line, which says why it failed. */
static const char *last_line(char *text) {
        size_t n = strlen(text);
        char *line;

        while (n > 0 && text[n - 1] == '\n')
                text[--n] = '\0';
        line = strrchr(text, '\n');
        return line ? line + 1 : text;
}

/* Ends what does not end by itself; SIGTERM lets it tidy up. */
static int end(pid_t pid) {
        uint64_t until = monotonic_msec() + TERM_MSEC;
        pid_t r;

        (void) kill(pid, SIGTERM);
        while ((r = waitpid(pid, NULL, WNOHANG)) == 0 && monotonic_msec() < until)
                (void) poll(NULL, 0, POLL_MSEC);
        if (r != 0)
                return r < 0 ? -errno : 0;

        (void) kill(pid, SIGKILL);
        return waitpid(pid, NULL, 0) < 0 ? -errno : 0;
}

static bool is_iscsiadm(const Installation *at, const char *pid) {
        _cleanup_free_ char *path = NULL, *name = NULL;

        return asprintf(&path, "%s/%s/comm", at->proc, pid) >= 0 && text_file_read(path, &name) >= 0 &&
               strcmp(name, "iscsiadm\n") == 0;
}

/* Whether another iscsiadm may be running. */
static bool another_runs(const Installation *at) {
        _cleanup_(texts_done) Texts processes = {};

        if (directory_list(at->proc, &processes) < 0)
                return true;
        for (size_t i = 0; i < processes.n; i++)
                if (is_iscsiadm(at, processes.items[i]))
                        return true;

        return false;
}

/* The lock as it is when iscsiadm is started, or has not ended in time. */
typedef struct LockState {
        bool there;
        struct stat st;
} LockState;

static LockState look_at_lock(const Installation *at) {
        _cleanup_free_ char *path = database_lock_path(at);
        LockState s = {};

        s.there = path && lstat(path, &s.st) >= 0;
        return s;
}

/* Each taking and giving back changes the inode, which is the same each time. */
static bool same_lock(const LockState *a, const LockState *b) {
        return a->there && b->there && a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev &&
               a->st.st_ctim.tv_sec == b->st.st_ctim.tv_sec && a->st.st_ctim.tv_nsec == b->st.st_ctim.tv_nsec;
}

/* Removes the lock if the process that was ended has left it. STUCK is the lock as it was before the end. Without a mark in it,
 * whose it is can only be concluded: it came after the start, nothing has touched it since, and no other iscsiadm is there.
 * Returns whether the lock is still there. */
static bool lock_remains(const Installation *at, const char *path, const LockState *started, const LockState *stuck) {
        LockState now;

        if (!stuck->there)
                return false;
        if (!started->there)
                (void) poll(NULL, 0, QUIET_MSEC);
        now = look_at_lock(at);
        if (!now.there || started->there || !same_lock(stuck, &now) || another_runs(at) || unlink(path) < 0)
                return now.there;

        log_warning("Removed %s, which %s had left that did not end in time", path, at->iscsiadm);
        return false;
}

static int refuse_late(const Installation *at, const Errand *errand, const LockState *started, const LockState *stuck,
                       Report *report) {
        _cleanup_free_ char *lock = database_lock_path(at);
        const double seconds = at->iscsiadm_msec / 1000.0;

        if (!lock)
                return -ENOMEM;
        if (lock_remains(at, lock, started, stuck))
                return report_refuse(
                        report, REFUSAL_BUSY,
                        "Cannot %s: %s did not end within %g seconds, and open-iscsi's lock %s is there; if no iscsiadm "
                        "is running, remove the file",
                        errand->what, at->iscsiadm, seconds, lock);
        return report_refuse(report, REFUSAL_FAILED, "Cannot %s: %s did not end within %g seconds%s", errand->what, at->iscsiadm,
                             seconds, errand->asks_iscsid && !stuck->there ? "; is iscsid running?" : "");
}

int iscsiadm_run(const Installation *at, const Errand *errand, Report *report) {
        _cleanup_close_ int reading = -1, writing = -1;
        char *argv[ARGUMENTS_MAX + 2] = { (char *) at->iscsiadm };
        LockState started = look_at_lock(at), stuck;
        char text[OUTPUT_MAX];
        int fds[2], status = 0, r;
        pid_t pid = -1;

        for (size_t i = 0; errand->arguments[i] && i < ARGUMENTS_MAX; i++)
                argv[i + 1] = (char *) errand->arguments[i];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot make a pipe: %s", strerror(errno));
        reading = fds[0];
        writing = fds[1];

        r = start(at, argv, writing, &pid);
        closep(&writing);
        writing = -1;
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot %s: cannot run %s: %s", errand->what, at->iscsiadm,
                                     strerror(-r));

        if (!read_output(reading, at->iscsiadm_msec, text)) {
                stuck = look_at_lock(at);
                r = end(pid);
                return r < 0 ? report_refuse(report, REFUSAL_FAILED, "Cannot wait for %s: %s", at->iscsiadm, strerror(-r))
                             : refuse_late(at, errand, &started, &stuck, report);
        }

        if (waitpid(pid, &status, 0) < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot wait for %s: %s", at->iscsiadm, strerror(errno));
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot %s: %s failed with status %d: %s", errand->what,
                                     at->iscsiadm, WIFEXITED(status) ? WEXITSTATUS(status) : -1, last_line(text));
        return 0;
}
