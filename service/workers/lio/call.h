/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One call of Apply or Check on LIO: the view of the host that it has, and what is still to be verified. */

#include <stdbool.h>
#include <stdint.h>

#include "workers/base/engine.h"
#include "workers/lio/listen.h"
#include "workers/lio/tree.h"

typedef struct Lio {
        const char *target_dir; /* …/config/target */
        const char *iscsi_dir;  /* the directory of the iSCSI fabric in it */
} Lio;

/* A portal that was made, or a port that is to be switched on when all its portals are known to listen. */
typedef struct LioPending {
        size_t operation;
        uint16_t tag;
        char *port_dir; /* path, owned */
        bool is_portal; /* else a port to be switched on */
        bool verified;  /* it listens */
        Portal portal;
        uint32_t ifindex;
        bool healed;   /* it was there before, without listening */
        bool new_port; /* its port is of the same operation, and goes with it */
} LioPending;

/* The sockets on one TCP port as they were when it was first asked about. */
typedef struct LioListeners {
        uint16_t port;
        Listeners listeners;
} LioListeners;

typedef struct LioCall {
        const Lio *lio;
        Steps *steps;
        bool check;

        LioNode now;  /* the node as it is */
        LioNode plan; /* as it will be after the operations that are decided */
        Interfaces interfaces;
        LioListeners *listeners;
        size_t n_listeners;
        Listeners all; /* of all TCP ports, if ALL_LOADED */
        bool all_loaded;
        LioPortal *leaving; /* portals that the plan removes; their DIR is NULL */
        size_t n_leaving;
        int v6_only; /* of a new IPv6 socket; -1 until it is asked about */

        LioPending *pending;
        size_t n_pending;
} LioCall;

/* BackendUnavailable unless the kernel's target is there. MAKE: makes the iSCSI fabric's directory if it is missing, which loads
 * its module; that is never undone, since a module must not be unloaded while its threads may still run. */
int lio_check_fabric(const Lio *lio, bool make, Report *report);

/* As listeners_read(), with the report filled. */
int lio_load_listeners(uint16_t port, Listeners *ret, Report *report);

/* The sockets on this TCP port, read once in a call. */
int lio_call_listeners(LioCall *c, uint16_t port, Listeners **ret, Report *report);

bool lio_call_v6_only(LioCall *c);

/* The one directory of NODE with this tag, NULL if there is none. Failed if several have it: which one an initiator reaches is
 * then a matter of chance, and only whoever made them knows which one to take away. */
int lio_find_port(const LioNode *node, uint64_t tag, LioPort **ret, Report *report);

/* The same, and ProtocolEndpointNonExistent if there is none. */
int lio_need_port(const LioNode *node, uint64_t tag, LioPort **ret, Report *report);

/* The path of the port's directory; a fresh string or NULL. */
char *lio_port_path(const LioCall *c, const LioPort *port);
