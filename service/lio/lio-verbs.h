/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of org.iscsi.Backend, each a row of steps in configfs. The contract of each is in interfaces/org.iscsi.Backend.xml.
 * All return 0 on success, else a negative errno with the report filled (without one only if memory ran out). */

#include <stdbool.h>
#include <stdint.h>

#include "lio/lio-listen.h"
#include "lio/lio-report.h"
#include "lio/lio-tree.h"

#define LIO_PORTALS_MAX 64u /* portals of one request */

typedef struct Lio {
        char *target_dir; /* …/config/target */
        char *iscsi_dir;  /* the directory of the iSCSI fabric in it */
        const char *lock_path;
        unsigned lock_timeout; /* seconds */
        int peer_fd;           /* the connection; when its peer is gone the verb under way stops */
} Lio;

typedef struct LioRequest {
        const char *node; /* a valid name: see lio_node_name_is_valid() */
        uint16_t tag;
        Portal portals[LIO_PORTALS_MAX]; /* all different, in the order of portal_compare_for_making() */
        size_t n_portals;
} LioRequest;

int lio_create_node(const Lio *lio, const LioRequest *rq, LioReport *report);
int lio_create_target_port(const Lio *lio, const LioRequest *rq, LioReport *report);
int lio_restore_target_port(const Lio *lio, const LioRequest *rq, LioReport *report);
int lio_bind_portal(const Lio *lio, const LioRequest *rq, LioReport *report);

int lio_delete_node(const Lio *lio, const LioRequest *rq, LioReport *report);
int lio_delete_target_port(const Lio *lio, const LioRequest *rq, LioReport *report);
int lio_undo_target_port(const Lio *lio, const LioRequest *rq, LioReport *report);
int lio_unbind_portal(const Lio *lio, const LioRequest *rq, LioReport *report);

int lio_check_sessions(const Lio *lio, const LioRequest *rq, LioReport *report);

/* Everything in the tree and all listening sockets, to be matched by the caller. */
int lio_observe(const Lio *lio, LioTree *ret_tree, Listeners *ret_listeners, LioReport *report);
