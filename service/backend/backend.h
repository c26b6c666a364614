/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What puts a role's ports into force. A backend takes a list of operations on one node per call, answers later from the event
 * loop, and never blocks it. Two exist: backend_new_model() keeps nothing outside the process but refuses what the kernel
 * refuses; backend_new_peer() speaks org.iscsi.Backend (interfaces/org.iscsi.Backend.xml) to worker processes over a private
 * socket. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/address.h"
#include "common/macro.h"
#include "common/refusal.h"
#include "common/verbs.h"

typedef struct Backend Backend;
typedef struct BackendCall BackendCall;

/* Facts about a kind of backend, told by whoever configures it: callers ask for them before the first worker exists and must
 * always get the same answer. */
typedef struct BackendTraits {
        bool selects_identifiers; /* a caller may choose a port's Identifier (CIM: IdentifierSelectionSupported) */
        bool on_addresses;        /* ports are on addresses, all of one network interface, and not on TCP ports */
        bool no_switch;           /* ports cannot be switched off */
        bool shows_others;        /* other programs make nodes and ports in it, which are shown */
        bool reads_all;           /* a worker that looks at a node reads all nodes, and remembers them */
        bool has_host_node;       /* the host itself is a node, HOST_NODE (common/name.h) */
        bool nodes_are_names;     /* a node has nothing in the backend but its ports */
} BackendTraits;

/* One operation. The verbs are described in common/verbs.def, which also says what each takes: what a verb does not take is not
 * looked at. Nothing in it is kept by the backend after the call that took it has returned. */
typedef struct BackendItem {
        Verb verb;
        uint64_t identifier; /* of the port; of a target port its portal group tag */
        const Portal *portals;
        size_t n_portals;     /* exactly 1 if the verb takes one portal */
        bool enabled;         /* create-port: switch it on */
        bool force;           /* delete-port, disable-port: end sessions */
        bool all;             /* check-sessions: of all ports of the node; IDENTIFIER is then unused */
        const void *snapshot; /* restore-contents: what the worker's Snapshot gave */
        size_t snapshot_size;
} BackendItem;

typedef struct BackendRequest {
        const char *node; /* iSCSI name */
        const BackendItem *items;
        size_t n_items;           /* at least 1 */
        bool keep_going;          /* each item on its own, whatever became of those before it; else all or nothing */
        bool check;               /* decide only, change nothing: org.iscsi.Backend.Check */
        const uint64_t *expected; /* Identifiers of the ports that the node may have, and no others; NULL: any */
        size_t n_expected;
} BackendRequest;

/* How an item ended. REFUSAL_NONE is success, and then MESSAGE is NULL or something that people should know nevertheless. An item
 * of an all-or-nothing call that was undone, or not begun, because of another one is REFUSAL_FAILED with a message that says
 * so. */
typedef struct BackendItemResult {
        Refusal refusal;
        const char *message;
} BackendItemResult;

typedef struct ObservedPortal {
        char *directory; /* what the backend calls it; control characters are masked */
        Portal portal;   /* valid if USABLE */
        bool usable;     /* the name can be understood now: it has a valid form, and the interface in it exists */
        bool listening;  /* a listening socket with exactly this address, interface (by its index) and TCP port exists */
} ObservedPortal;

/* Several ports may have one Identifier: then another program has made all but one of them. */
typedef struct ObservedPort {
        char *directory;
        uint64_t identifier;
        bool enabled;
        ObservedPortal *portals;
        size_t n_portals;
        char *interface;        /* of a port on addresses: the network interface that it is bound to, "" none; else NULL */
        bool interface_missing; /* that is not there */
        char *drift;            /* what in it is other than the backend makes it, a clause for people; NULL: nothing */
} ObservedPort;

typedef struct ObservedNode {
        char *name;
        bool exists;       /* if not, it has no ports */
        bool on_addresses; /* as the backend's traits say */
        ObservedPort *ports;
        size_t n_ports;
        char *iscsi_name; /* of HOST_NODE: the name that it has now; NULL: none */
        char *why;        /* then why, for people */
} ObservedNode;

/* Frees what is in *N, not N itself, and leaves it empty. */
void observed_node_done(ObservedNode *n);

/* How a call ended. All of it is gone once the callback has returned.
 *
 * REFUSAL is of the call as a whole or, of backend_apply(), of the first item that failed for a reason of its own: FAILED_ITEM
 * says which (SIZE_MAX: none, it is the call itself). REFUSAL_NONE is success of every item. MESSAGE is for people, without the
 * return code's number; never NULL on failure.
 *
 * OUTCOME_UNKNOWN: the worker was lost (deadline, crash) or answered nonsense after it got the request, so what it did must be
 * undone or looked up. It is false when the request is known never to have left, and when the worker said itself how it ended.
 *
 * OBSERVED, NODES: of a successful backend_observe() and backend_list_nodes() alone, else NULL. The callee may move them out: it
 * copies *OBSERVED and empties it; it takes the strings out of NODES and sets NODES[0] to NULL. */
typedef struct BackendResult {
        Refusal refusal;
        const char *message;
        bool outcome_unknown;
        size_t failed_item;
        const BackendItemResult
                *items; /* of apply: one per item, in their order, if the backend went as far as the items; else NULL */
        size_t n_items;
        char **warnings; /* of a check: what would be done, but perhaps not as wanted; NULL-terminated; NULL: none */
        ObservedNode *observed;
        char **nodes; /* NULL-terminated, in the order of strcmp() */
} BackendResult;

typedef void (*backend_done_t)(const BackendResult *result, void *userdata);

/* Keeps its nodes and ports in the process; when that starts nothing is there, so all that is desired is missing and is made
 * again. Every call is answered from the event loop's next turn, in the order of the calls. ROLE: ROLE_TARGET or ROLE_INITIATOR.
 *
 * It refuses what the kernel's target refuses: an Identifier that exists, a node's name that is taken by a node with ports, a
 * portal that another port of the node has, and within the process, on one TCP port, a wildcard beside an address that it covers,
 * or one link-local address on two interfaces. For ROLE_INITIATOR portals are not looked at. Nobody logs in, so that there are no
 * sessions. */
int backend_new_model(sd_event *event, uint16_t role, bool selects_identifiers, Backend **ret);

/* Talks to workers behind the unix socket SOCKET_PATH: one connection, that is one worker process, per call under way (at most
 * MAX_WORKERS; further calls wait), an idle one is used again. A call not answered within DEADLINE_USEC after it was sent ends as
 * REFUSAL_TIMEOUT, its connection is dropped and the next call gets a new worker. Nothing is connected before the first call.
 * Connections can pass file descriptors.
 *
 * Calls begin in the order in which they were made. A worker that cannot be reached, or that ends before its answer, is
 * REFUSAL_BACKEND_UNAVAILABLE. An error that the verb may not answer (common/verbs.def) is REFUSAL_UNSPECIFIED for its item, with
 * the cause in the log. An answer of a wrong form is so for the call, and its outcome is unknown: another signature, a wrong
 * number of results, or a mixture that all-or-nothing cannot end in.
 * More than OBSERVED_NODES_MAX nodes, … is REFUSAL_LIMIT_REACHED for the call; single names of nodes that cannot be right are
 * left out and logged, and a portal with an address that cannot be read is logged and not usable.
 *
 * TRAITS are copied. Describe is for people with busctl, not for this client.
 *
 * NAME stands in messages and in the names of the units that they point to (iscsi-backend-NAME.socket). Returns 0, -EINVAL
 * (SOCKET_PATH is not absolute, a number is 0 or the deadline is past all reason), -ENAMETOOLONG (SOCKET_PATH does not fit into a
 * unix socket's address) or -ENOMEM. */
int backend_new_peer(sd_event *event, const char *name, const char *socket_path, uint64_t deadline_usec, unsigned max_workers,
                     const BackendTraits *traits, Backend **ret);

/* What a peer may know: nodes in all, and of one node ports and portals. */
#define OBSERVED_NODES_MAX 65536u
#define OBSERVED_PORTS_MAX 65536u
#define OBSERVED_PORTALS_MAX 262144u

/* How many warnings of a check are kept. */
#define BACKEND_WARNINGS_MAX 64u

/* Calls still under way end without their callback, those that wait are never sent; either kind's BackendCall is gone. May be
 * called from a callback. Returns NULL. */
Backend *backend_free(Backend *b);
DEFINE_TRIVIAL_CLEANUP(Backend *, backend_free);

const char *backend_name(Backend *b);

const BackendTraits *backend_traits(Backend *b);

/* Each of these starts a call: does, or checks, operations on a node; tells what is in force of a node; tells the names of all
 * nodes that are there, whoever made them. DONE is called exactly once, later, from the event loop (never from within this call),
 * unless the returned call is cancelled. It may call, cancel and free as it likes. *RET is valid until DONE has returned; RET may
 * be NULL. Returns 0, or a negative errno when nothing was started (-ENOMEM, or -ESTALE once the event loop has ended). */
int backend_apply(Backend *b, const BackendRequest *request, backend_done_t done, void *userdata, BackendCall **ret);
int backend_observe(Backend *b, const char *node, backend_done_t done, void *userdata, BackendCall **ret);
int backend_list_nodes(Backend *b, backend_done_t done, void *userdata, BackendCall **ret);

/* Forgets the answer; what the call does goes on, also when it still waits for a worker. Returns NULL. */
BackendCall *backend_call_cancel(BackendCall *c);
