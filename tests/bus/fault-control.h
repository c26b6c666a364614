/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The fake kernel of a service (tests/fake-kernel/fake-kernel.h), from a test of the service, and the processes of its
 * workers. */

#include "fake-kernel.h"
#include "fixture.h"

/* Writes the plan, lines separated by "\n"; "" for nothing that goes wrong. */
void fault_plan(Service *s, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Has the service watch the fake kernel as it watches configfs. After service_use_fault_backend(). */
void fault_watch(Service *s);

/* What is in force, as fake_state() tells it. */
char *fault_memory(Service *s);

/* What another program does. PORTALS: separated by "\n". */
void fault_make_port(Service *s, const char *node, unsigned tag, bool enabled, const char *portals);
void fault_make_node(Service *s, const char *node);
void fault_remove_port(Service *s, const char *node, unsigned tag);
void fault_remove_all(Service *s);
void fault_set_sessions(Service *s, const char *node, unsigned tag, bool sessions);

/* The operations and looks since the log was cleared, a line each. */
char *fault_log(Service *s);
void fault_log_clear(Service *s);
unsigned fault_log_count(Service *s, const char *word); /* of an operation or a call, also "Apply" */

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
