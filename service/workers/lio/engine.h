/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's target as a verb finds it: whether it is there, the lock on a node, the node as it is. */

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "workers/base/lock.h"
#include "workers/base/report.h"
#include "workers/lio/listen.h"
#include "workers/lio/tree.h"

#define LIO_PORTALS_MAX 64u /* portals of one request */

typedef struct Lio {
        const char *target_dir; /* …/config/target */
        const char *iscsi_dir;  /* the directory of the iSCSI fabric in it */
        LockFile lock;
        int peer_fd; /* the connection; when its peer is gone the verb under way stops */
} Lio;

typedef struct LioRequest {
        const char *node; /* a valid name: see lio_node_name_is_valid() */
        uint16_t tag;
        Portal portals[LIO_PORTALS_MAX]; /* all different, in the order of portal_compare_for_making() */
        size_t n_portals;
} LioRequest;

/* BackendUnavailable unless the kernel's target is there. MAKE: makes the iSCSI fabric's directory if it is missing, which loads its
 * module; that is never undone, since a module must not be unloaded while its threads may still run. */
int lio_check_engine(const Lio *lio, bool make, Report *report);

/* As listeners_read(), with the report filled. */
int lio_load_listeners(uint16_t port, Listeners *ret, Report *report);

/* As lio_node_read(), with the report filled. */
int lio_load_node(const Lio *lio, const char *name, LioNode *ret, Report *report);

/* The one directory of NODE with this tag, NULL if there is none. Failed if several have it: which one an initiator reaches is then a
 * matter of chance, and only whoever made them knows which one to take away. */
int lio_find_port(const LioNode *node, uint16_t tag, LioPort **ret, Report *report);

/* How every verb that changes NODE begins: takes its locks, checks the engine (MAKE: as there), reads the node. *RET_LOCK_FD is -1 before; the
 * caller closes it, on failure too. */
int lio_begin(const Lio *lio, const char *node, bool make, Report *report, int *ret_lock_fd, LioNode *ret);
