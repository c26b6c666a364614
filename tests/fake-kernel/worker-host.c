/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "worker-host.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "serve.h"

/* As systemd starts one. */
static _Noreturn void run_command(int fd, char **command) {
        char pid[16];

        (void) g_snprintf(pid, sizeof(pid), "%d", (int) getpid());
        if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "1", 1) < 0 ||
            (fd == 3 ? fcntl(3, F_SETFD, 0) : dup2(fd, 3)) < 0)
                _exit(EXIT_FAILURE);
        (void) execv(command[0], command);
        _exit(127);
}

static _Noreturn void work(int fd, const WorkerHost *h) {
        sigset_t none;

        /* The test's own ends of the connections must not live on here. */
        if (close_range(3, (unsigned) fd - 1, 0) < 0 || close_range((unsigned) fd + 1, ~0U, 0) < 0 ||
            prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                _exit(EXIT_FAILURE);

        /* What it says must not end up in the test's protocol. */
        if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
                _exit(EXIT_FAILURE);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);

        if (h->command)
                run_command(fd, h->command);
        fake_kernel_serve(fd, h->root);
        _exit(EXIT_SUCCESS);
}

static int on_worker_ended(sd_event_source *s, const siginfo_t *si, void *userdata) {
        WorkerHost *h = userdata;

        for (unsigned i = 0; i < h->n_workers; i++)
                if (h->workers[i] == si->si_pid) {
                        h->workers[i] = h->workers[--h->n_workers];

                        /* Else it would keep a descriptor of the process until the event loop ends. */
                        g_assert_cmpint(sd_event_source_set_floating(s, false), >=, 0);
                        return 0;
                }

        g_assert_not_reached();
}

static int on_accept(sd_event_source *s, int listen_fd, uint32_t events, void *userdata) {
        WorkerHost *h = userdata;
        pid_t pid;
        int fd;

        if (h->mode == HOST_IGNORES) {
                g_assert_cmpint(sd_event_source_set_enabled(s, SD_EVENT_OFF), >=, 0);
                return 0;
        }

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
                g_assert_true(errno == EAGAIN || errno == ECONNABORTED);
                return 0;
        }
        h->n_accepted++;

        if (h->mode == HOST_IS_SILENT) {
                h->silent = g_renew(int, h->silent, h->n_silent + 1);
                h->silent[h->n_silent++] = fd;
                return 0;
        }

        if (h->mode == HOST_SERVES) {
                pid = fork();
                g_assert_cmpint(pid, >=, 0);
                if (pid == 0)
                        work(fd, h);

                h->workers = g_renew(pid_t, h->workers, h->n_workers + 1);
                h->workers[h->n_workers++] = pid;
                h->n_workers_max = MAX(h->n_workers_max, h->n_workers);
                g_assert_cmpint(sd_event_add_child(h->event, NULL, pid, WEXITED, on_worker_ended, h), >=, 0);
        }

        (void) close(fd);
        return 0;
}

WorkerHost *worker_host_new(sd_event *event, const char *name, int backlog) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        WorkerHost *h = g_new0(WorkerHost, 1);

        h->event = sd_event_ref(event);
        h->directory = g_dir_make_tmp("test-backend-XXXXXX", NULL);
        g_assert_nonnull(h->directory);
        h->path = g_build_filename(h->directory, name, NULL);

        h->root = g_build_filename(h->directory, "kernel", NULL);
        g_assert_no_errno(g_mkdir(h->root, 0700));

        h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        g_assert_cmpint(h->fd, >=, 0);
        g_assert_cmpuint(g_strlcpy(address.sun_path, h->path, sizeof(address.sun_path)), <, sizeof(address.sun_path));
        g_assert_no_errno(bind(h->fd, (struct sockaddr *) &address, sizeof(address)));
        g_assert_no_errno(listen(h->fd, backlog));
        g_assert_cmpint(sd_event_add_io(event, &h->accept, h->fd, EPOLLIN, on_accept, h), >=, 0);

        return h;
}

void worker_host_free(WorkerHost *h) {
        /* Not by way of the event loop: it may have ended. */
        for (unsigned i = 0; i < h->n_workers; i++) {
                g_assert_no_errno(kill(h->workers[i], SIGKILL));
                g_assert_cmpint(waitpid(h->workers[i], NULL, 0), ==, h->workers[i]);
        }

        for (unsigned i = 0; i < h->n_silent; i++)
                (void) close(h->silent[i]);

        sd_event_source_disable_unref(h->accept);
        sd_event_unref(h->event);
        (void) close(h->fd);
        kernel_remove_tree(h->directory);
        g_free(h->workers);
        g_free(h->silent);
        g_free(h->directory);
        g_free(h->path);
        g_free(h->root);
        g_free(h);
}
