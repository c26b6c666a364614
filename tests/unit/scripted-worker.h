/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Workers that do as a test says: a unix socket in a directory of its own, served from the test's event loop. Each connection
 * gets a process, as systemd would start it, that serves D-Bus on it with sd-bus and reads from shared memory what to do. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

typedef enum Behaviour {
        WORKER_SUCCEEDS,
        WORKER_SUCCEEDS_AND_EXITS,
        WORKER_FAILS,       /* with Script.error_name and .error_message */
        WORKER_HANGS,       /* does not even notice that its peer hangs up */
        WORKER_CRASHES,     /* with the call taken and not answered */
        WORKER_WAITS,       /* until Script.n_released exceeds its call's tag */
        WORKER_SLOW,        /* 150 ms */
        WORKER_MISREPLIES,  /* with arguments that no verb has */
        WORKER_MAKES_NOISE, /* answers with bytes that are no D-Bus */
        WORKER_OBSERVES,    /* nodes, ports and portals of every kind */
        WORKER_OBSERVES_ODDITIES,
        WORKER_OBSERVES_MANY_NODES,
        WORKER_OBSERVES_MANY_PORTS,
        WORKER_OBSERVES_MANY_PORTALS,
} Behaviour;

typedef enum HostMode {
        HOST_SERVES,
        HOST_IS_SILENT, /* accepts and says nothing */
        HOST_HANGS_UP,  /* accepts and closes */
        HOST_IGNORES,   /* does not accept */
} HostMode;

#define SCRIPT_SEEN_MAX 64

typedef struct Script {
        Behaviour behaviour;
        char error_name[256];
        char error_message[4096];
        unsigned n_released;
        unsigned n_many;  /* how many the WORKER_OBSERVES_MANY_… tell of */
        unsigned n_taken; /* calls that workers took */
        unsigned n_seen;  /* those of them that are written down, as far as there is room */
        char seen[SCRIPT_SEEN_MAX][512];
} Script;

typedef struct WorkerHost {
        sd_event *event;
        HostMode mode;
        char *directory;
        char *path;
        int fd;
        sd_event_source *accept;
        Script *script; /* shared with the workers */
        int *silent;
        unsigned n_silent;
        pid_t *workers; /* those alive */
        unsigned n_workers, n_workers_max, n_accepted;
} WorkerHost;

/* Listens on a socket with NAME in a new directory, with room for BACKLOG connections. SIGCHLD must be blocked. */
WorkerHost *worker_host_new(sd_event *event, const char *name, int backlog);

/* Ends all workers. The event loop must not run any more after this. */
void worker_host_free(WorkerHost *h);
