/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Steers the fault backend of a service from a test: its plan, its memory, its log and its processes (see fault-backend.c). While a call
 * is under way at a worker, nothing but the log is to be touched. */

#include "fixture.h"

/* Writes the plan, lines separated by "\n"; "" for nothing that goes wrong. */
void fault_plan(Service *s, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The memory as text: nodes and ports sorted, portals of a port sorted.
 *      NODE
 *      NODE TAG enabled 127.0.0.1:3260 127.0.0.1:3261 deaf
 *      NODE TAG disabled */
char *fault_memory(Service *s);

/* Puts a port (and its node) into the memory, as another program or an earlier run would have. PORTALS: separated by "\n". */
void fault_make_port(Service *s, const char *node, unsigned tag, bool enabled, const char *portals);
void fault_make_node(Service *s, const char *node);
void fault_remove_port(Service *s, const char *node, unsigned tag);
void fault_remove_all(Service *s);
void fault_set_sessions(Service *s, const char *node, unsigned tag, bool sessions);

/* The calls since the log was cleared, a line each. */
char *fault_log(Service *s);
void fault_log_clear(Service *s);
unsigned fault_log_count(Service *s, const char *verb);

/* Waits until the log has a call of VERB. */
void fault_wait_call(Service *s, const char *verb);

/* Waits until no worker runs: those of a service that has gone may be at work still. */
void fault_wait_workers_gone(Service *s);

/* SIGKILL to all workers that run now. Returns how many there were. */
unsigned fault_kill_workers(Service *s);

/* Makes the workers unreachable, and reachable again. The worker that the service has kept for its next call is ended. */
typedef enum FaultSocket {
        FAULT_SOCKET_SERVED,
        FAULT_SOCKET_ABSENT,  /* no such file */
        FAULT_SOCKET_REFUSED, /* the file of a socket that nobody listens on */
} FaultSocket;
void fault_set_socket(Service *s, FaultSocket how);
