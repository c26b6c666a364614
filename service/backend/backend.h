/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a role's ports are put into force by. A backend takes one typed verb at a time per call, answers later from the event loop,
 * and never blocks it. Two exist: backend_new_model() keeps nothing outside the model, backend_new_peer() speaks
 * org.iscsi.Backend (interfaces/org.iscsi.Backend.xml) to worker processes over a private socket. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/macro.h"
#include "common/address.h"
#include "common/refusal.h"

typedef struct Backend Backend;
typedef struct BackendCall BackendCall;

typedef enum BackendVerb {
        BACKEND_CREATE_NODE,         /* node */
        BACKEND_DELETE_NODE,         /* node; absent is success; its ports must be gone */
        BACKEND_CREATE_TARGET_PORT,  /* node, tag, portals; IdentifierInUse if the tag exists in the kernel */
        BACKEND_RESTORE_TARGET_PORT, /* node, tag, portals; makes what is missing of node, port and portals, and enables it */
        BACKEND_UNDO_TARGET_PORT,    /* node, tag, portals; removes what an interrupted CREATE left; absent is success */
        BACKEND_DELETE_TARGET_PORT,  /* node, tag; absent is success; SessionsActive if initiators are logged in */
        BACKEND_BIND_PORTAL,         /* node, tag, portals[0] */
        BACKEND_UNBIND_PORTAL,       /* node, tag, portals[0]; absent is success */
        BACKEND_CHECK_SESSIONS,      /* node; SessionsActive if initiators are logged in through any of its ports */
        BACKEND_OBSERVE,             /* nothing; answers with what is in force */
        _BACKEND_VERB_MAX,
} BackendVerb;

/* What a verb is done to. Nothing in it is kept by the backend after backend_call() returned. */
typedef struct BackendRequest {
        BackendVerb verb;
        const char *node; /* iSCSI name */
        uint16_t tag;     /* target portal group tag */
        const Portal *portals;
        size_t n_portals;
} BackendRequest;

typedef struct ObservedPortal {
        Portal portal;
        bool listening; /* a listening socket with exactly this address, zone and TCP port exists */
} ObservedPortal;

typedef struct ObservedPort {
        uint16_t tag;
        bool enabled;
        ObservedPortal *portals;
        size_t n_portals;
} ObservedPort;

typedef struct ObservedNode {
        char *name;
        ObservedPort *ports;
        size_t n_ports;
} ObservedNode;

typedef struct Observation {
        ObservedNode *nodes;
        size_t n_nodes;
} Observation;

/* Frees what is in *O, not O itself, and leaves it empty. */
void observation_done(Observation *o);

/* How a call ended. REFUSAL_NONE is success. MESSAGE is for people, without the return code's number; never NULL on failure.
 * OUTCOME_UNKNOWN: the worker was lost (deadline, crash) or answered nonsense after it got the request, so what it did must be undone
 * or looked up. It is false when the request is known never to have left. OBSERVATION: of a successful BACKEND_OBSERVE alone, else NULL; the
 * callee may move it out. All of it is gone once the callback has returned. */
typedef struct BackendResult {
        Refusal refusal;
        const char *message;
        bool outcome_unknown;
        Observation *observation;
} BackendResult;

typedef void (*backend_done_t)(const BackendResult *result, void *userdata);

/* Keeps nothing; every verb succeeds from the event loop's next turn, in the order of the calls. BACKEND_OBSERVE answers that nothing is
 * there, so all that is desired is missing and BACKEND_RESTORE_TARGET_PORT takes it as in force. */
int backend_new_model(sd_event *event, bool selects_identifiers, Backend **ret);

/* Talks to workers behind the unix socket SOCKET_PATH: one connection, that is one worker process, per call under way (at most
 * MAX_WORKERS; further calls wait), an idle one is used again. A call not answered within DEADLINE_USEC after it was sent ends as
 * REFUSAL_TIMEOUT, its connection is dropped and the next call gets a new worker. Nothing is connected before the first call.
 *
 * Calls begin in the order in which they were made. A worker that cannot be reached, or that ends before its answer, is
 * REFUSAL_BACKEND_UNAVAILABLE. Errors that the interface does not allow for the verb, unknown ones and answers of a wrong form are
 * REFUSAL_UNSPECIFIED with the cause in the log. An observation of more than OBSERVED_NODES_MAX, … is REFUSAL_LIMIT_REACHED as a whole;
 * single names, addresses and TCP ports in it that cannot be right are left out and logged.
 *
 * SELECTS_IDENTIFIERS is a fact about the kind of backend (LIO: true), told by whoever configures it: callers ask for it before the first
 * worker exists and must always get the same answer. Describe is therefore for people with busctl, not for this client.
 *
 * NAME stands in messages and in the names of the units that they point to (iscsi-backend-NAME.socket). Returns 0, -EINVAL (SOCKET_PATH is
 * not absolute, a number is 0 or the deadline is past all reason), -ENAMETOOLONG (SOCKET_PATH does not fit into a unix socket's
 * address) or -ENOMEM. */
int backend_new_peer(sd_event *event, const char *name, const char *socket_path, uint64_t deadline_usec, unsigned max_workers,
                     bool selects_identifiers, Backend **ret);

/* What a peer's observation may hold in all. */
#define OBSERVED_NODES_MAX 65536u
#define OBSERVED_PORTS_MAX 65536u
#define OBSERVED_PORTALS_MAX 262144u

/* Calls still under way end without their callback, those that wait are never sent; either kind's BackendCall is gone. May be called
 * from a callback. Returns NULL. */
Backend *backend_free(Backend *b);
DEFINE_TRIVIAL_CLEANUP(Backend *, backend_free);

const char *backend_name(Backend *b);

/* Whether a caller may choose a port's Identifier (CIM: IdentifierSelectionSupported). LIO: yes. */
bool backend_selects_identifiers(Backend *b);

/* Starts a verb. DONE is called exactly once, later, from the event loop (never from within this call), unless the returned call
 * is cancelled. It may call, cancel and free as it likes. *RET is valid until DONE has returned; RET may be NULL. Returns 0, or a negative
 * errno when nothing was started (-ENOMEM, or -ESTALE once the event loop has ended). */
int backend_call(Backend *b, const BackendRequest *request, backend_done_t done, void *userdata, BackendCall **ret);

/* Forgets the answer; what the verb does goes on, also when the call still waits for a worker. Returns NULL. */
BackendCall *backend_call_cancel(BackendCall *c);

const char *backend_verb_name(BackendVerb v); /* the D-Bus member of org.iscsi.Backend; never NULL */
