/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a worker program gives to this framework: its operations. All else is the framework's: the connection, the reading of
 * messages, locks, the order of the operations, undo, reports.
 *
 * A call of Apply goes through these functions:
 *
 *     begin ─▶ decide each operation ─▶ act on each ─▶ settle ─▶ end
 *
 * Decisions are made against a plan, which each operation that was decided has changed as it is going to change the truth;
 * nothing is touched before all are made. Check ends there. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/verbs.h"
#include "workers/base/steps.h"

#define OPERATION_PORTALS_MAX 64u

typedef struct Operation {
        Verb verb;
        uint64_t identifier;
        Portal *portals; /* owned; all different */
        size_t n_portals;
        bool enabled, force, all;
        char *snapshot; /* owned */
        size_t snapshot_size;
} Operation;

typedef struct Request {
        const char *node;
        Operation *operations; /* owned, of N */
        size_t n;
        bool atomic;        /* all or nothing; else each operation on its own */
        bool expects;       /* the node has no ports but those in EXPECTED */
        uint64_t *expected; /* owned, of N_EXPECTED */
        size_t n_expected;
        int node_exists; /* 1 or 0: it must, or must not; -1: either */
        bool check;      /* nothing will be changed */
} Request;

typedef struct ObservedPortal {
        char *directory; /* owned */
        Portal portal;
        bool usable;    /* the portal has a valid spelling now */
        bool listening; /* a socket of the engine with exactly this address, zone and TCP port is there */
} ObservedPortal;

typedef struct ObservedPort {
        char *directory; /* owned */
        uint64_t identifier;
        bool enabled;
        ObservedPortal *portals; /* owned */
        size_t n_portals;
        char *interface;        /* owned: the network interface that it is bound to; NULL: engines that bind ports to none */
        bool interface_missing; /* that is not there */
        char *drift;            /* owned: what in it is other than this worker makes it, a clause for people; NULL: nothing */
} ObservedPort;

typedef struct ObservedNode {
        bool exists;
        ObservedPort *ports; /* owned */
        size_t n_ports;
        char *iscsi_name; /* owned: of the host's own node, HOST_NODE: the name that it has; NULL: none */
        char *why;        /* owned: then why */
} ObservedNode;

void observed_node_done(ObservedNode *n);

/* All functions return 0 or a negative errno with the report filled; without one only if memory ran out. ENGINE is what
 * worker_run() was given, CALL what begin() made. */
typedef struct WorkerEngine {
        const char *name;         /* what Describe answers */
        bool selects_identifiers; /* a caller may choose the Identifier of a port */
        bool on_addresses;        /* its portals are addresses, without a TCP port: that is 0 */
        uint64_t identifier_max;  /* of those that the engine knows */

        /* Whether NODE can be the name of a node that is changed; *RET_REASON ends the sentence "… is not ". */
        bool (*node_is_valid)(const char *node, const char **ret_reason);

        /* Begins a call: reads what is there of the node. */
        int (*begin)(void *engine, const Request *rq, Steps *steps, Report *report, void **ret_call);
        void (*end)(void *call);

        bool (*node_exists)(void *call);
        /* The port number I of the node as it is, counted from 0, and its directory. Returns false if there are no more. */
        bool (*nth_port)(void *call, size_t i, uint64_t *ret_identifier, const char **ret_directory);

        bool (*has_verb)(Verb verb);

        /* How two operations with the same verb that follow each other are best ordered; as for qsort(). */
        int (*compare)(const Operation *a, const Operation *b);

        /* Decides whether the operation can be done on the plan, and changes the plan. */
        int (*decide)(void *call, const Operation *op, Report *report, Texts *warnings);

        /* Does it: the steps know which one it is. */
        int (*act)(void *call, const Operation *op, Report *report);

        /* Verifies and completes what act() left open, of as many operations as possible at once: when all are done, and before
         * those for which settles_before() says so. On failure it tells one operation that failed in *RET_OPERATION, with its
         * report; it is called again when that one is undone. */
        int (*settle)(void *call, size_t *ret_operation, Report *report);
        bool (*settles_before)(void *call, const Operation *op);

        /* An operation was undone, and others go on: what is known of it holds no longer. */
        void (*undone)(void *call, size_t operation);

        int (*list_nodes)(void *engine, Texts *ret, Report *report);
        int (*observe)(void *engine, const char *node, ObservedNode *ret, Report *report);

        /* Waits until others may have changed what nodes have: see AwaitChange. The peer of PEER_FD may hang up meanwhile, which
         * is -ECANCELED. NULL: this engine's things are watched by the service itself. */
        int (*await_change)(void *engine, int peer_fd, Texts *nodes, Texts *notices, Report *report);

        /* What others gave a port, in a form of the engine's own, and what of it cannot be read. */
        int (*snapshot)(void *engine, const char *node, uint64_t identifier, char **ret, size_t *ret_size, Texts *unreadable,
                        Report *report);

        /* Whether this process can do no more work, so that it ends when its call is answered. NULL: never. */
        bool (*is_outdated)(void *engine);
} WorkerEngine;
