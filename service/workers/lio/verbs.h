/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs of org.iscsi.Backend, each a row of steps in configfs. The contract of each is in interfaces/org.iscsi.Backend.xml.
 * All return 0 on success, else a negative errno with the report filled (without one only if memory ran out). */

#include "workers/lio/engine.h"

int lio_create_node(const Lio *lio, const LioRequest *rq, Report *report);
int lio_create_target_port(const Lio *lio, const LioRequest *rq, Report *report);
int lio_restore_target_port(const Lio *lio, const LioRequest *rq, Report *report);
int lio_bind_portal(const Lio *lio, const LioRequest *rq, Report *report);

int lio_delete_node(const Lio *lio, const LioRequest *rq, Report *report);
int lio_delete_target_port(const Lio *lio, const LioRequest *rq, Report *report);
int lio_undo_target_port(const Lio *lio, const LioRequest *rq, Report *report);
int lio_unbind_portal(const Lio *lio, const LioRequest *rq, Report *report);

int lio_check_sessions(const Lio *lio, const LioRequest *rq, Report *report);

/* Everything in the tree and all listening sockets, to be matched by the caller. */
int lio_observe(const Lio *lio, LioTree *ret_tree, Listeners *ret_listeners, Report *report);
