/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/iscsiadm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/macro.h"

#define DEADLINE_MSEC 8000u
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
static bool read_output(int fd, char text[static OUTPUT_MAX]) {
        uint64_t until = monotonic_msec() + DEADLINE_MSEC;
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

int iscsiadm_run(const Installation *at, const char *const *arguments, Report *report) {
        _cleanup_close_ int reading = -1, writing = -1;
        char *argv[ARGUMENTS_MAX + 2] = { (char *) at->iscsiadm };
        char text[OUTPUT_MAX];
        int fds[2], status = 0, r;
        bool ended;
        pid_t pid = -1;

        for (size_t i = 0; arguments[i] && i < ARGUMENTS_MAX; i++)
                argv[i + 1] = (char *) arguments[i];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot make a pipe: %s", strerror(errno));
        reading = fds[0];
        writing = fds[1];

        r = start(at, argv, writing, &pid);
        closep(&writing);
        writing = -1;
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot run %s: %s", at->iscsiadm, strerror(-r));

        ended = read_output(reading, text);
        if (!ended)
                (void) kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot wait for %s: %s", at->iscsiadm, strerror(errno));

        if (!ended)
                return report_refuse(report, REFUSAL_FAILED, "%s did not end within %u seconds; is iscsid running?", at->iscsiadm,
                                     DEADLINE_MSEC / 1000);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return report_refuse(report, REFUSAL_FAILED, "%s failed with status %d: %s", at->iscsiadm,
                                     WIFEXITED(status) ? WEXITSTATUS(status) : -1, last_line(text));
        return 0;
}
