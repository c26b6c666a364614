/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The operations of org.iscsi.Backend on LIO: each is a decision on the plan and an act on the tree. What each does and may
 * answer stands in interfaces/org.iscsi.Backend.xml. All return 0 or a negative errno with the report filled (without one only if
 * memory ran out). */

#include "workers/lio/call.h"

typedef int (*lio_decide_t)(LioCall *c, const Operation *op, Report *report, Texts *warnings);
typedef int (*lio_act_t)(LioCall *c, const Operation *op);

int lio_decide_create_node(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_create_node(LioCall *c, const Operation *op);

int lio_decide_create_port(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_create_port(LioCall *c, const Operation *op);

int lio_decide_make_port(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_make_port(LioCall *c, const Operation *op);

int lio_decide_bind_portal(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_bind_portal(LioCall *c, const Operation *op);

int lio_decide_enable_port(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_enable_port(LioCall *c, const Operation *op);

int lio_decide_disable_port(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_disable_port(LioCall *c, const Operation *op);

int lio_decide_unbind_portal(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_unbind_portal(LioCall *c, const Operation *op);

int lio_decide_delete_port(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_delete_port(LioCall *c, const Operation *op);

int lio_decide_undo_port(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_undo_port(LioCall *c, const Operation *op);

int lio_decide_delete_node(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_delete_node(LioCall *c, const Operation *op);

int lio_decide_check_sessions(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_check_sessions(LioCall *c, const Operation *op);

int lio_decide_restore_contents(LioCall *c, const Operation *op, Report *report, Texts *warnings);
int lio_act_restore_contents(LioCall *c, const Operation *op);
