/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Starts workers of the fake kernel for a test: a unix socket in a directory of its own, served from the test's event loop. Each
 * connection gets a process, as systemd would start it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

typedef enum HostMode {
        HOST_SERVES,
        HOST_IS_SILENT, /* accepts and says nothing */
        HOST_HANGS_UP,  /* accepts and closes */
        HOST_IGNORES,   /* does not accept */
} HostMode;

typedef struct WorkerHost {
        sd_event *event;
        HostMode mode;
        char *directory;
        char *path;
        int fd;
        sd_event_source *accept;
        char *root; /* of the fake kernel */
        /* run this as worker instead, with its connection as file descriptor 3; not owned; NULL: the fake kernel's */
        char **command;
        int *silent;
        unsigned n_silent;
        pid_t *workers; /* those alive */
        unsigned n_workers, n_workers_max, n_accepted;
} WorkerHost;

/* Listens on a socket with NAME in a new directory, with room for BACKLOG connections. SIGCHLD must be blocked. */
WorkerHost *worker_host_new(sd_event *event, const char *name, int backlog);

/* Ends all workers. The event loop must not run any more after this. */
void worker_host_free(WorkerHost *h);
