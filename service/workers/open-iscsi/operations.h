/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The operations of org.iscsi.Backend on open-iscsi: each is a decision on the plan and an act on the records. What each does
 * and may answer stands in interfaces/org.iscsi.Backend.xml. All return 0 or a negative errno with the report filled (without
 * one only if memory ran out). */

#include "workers/open-iscsi/call.h"

typedef int (*decide_t)(Call *c, const Operation *op, Report *report, Texts *warnings);
typedef int (*act_t)(Call *c, const Operation *op, Report *report);

int decide_create_node(Call *c, const Operation *op, Report *report, Texts *warnings);
int decide_create_port(Call *c, const Operation *op, Report *report, Texts *warnings);
int decide_make_port(Call *c, const Operation *op, Report *report, Texts *warnings);
int decide_bind_portal(Call *c, const Operation *op, Report *report, Texts *warnings);
int decide_enable_port(Call *c, const Operation *op, Report *report, Texts *warnings);

/* Writes the record of a port as it is in the plan, unless it is so already. For create-port, bind-portal and enable-port. */
int act_write_port(Call *c, const Operation *op, Report *report);

int decide_delete_node(Call *c, const Operation *op, Report *report, Texts *warnings);
int decide_delete_port(Call *c, const Operation *op, Report *report, Texts *warnings);
int act_delete_port(Call *c, const Operation *op, Report *report);
int decide_undo_port(Call *c, const Operation *op, Report *report, Texts *warnings);
int act_undo_port(Call *c, const Operation *op, Report *report);
int decide_check_sessions(Call *c, const Operation *op, Report *report, Texts *warnings);

/* Decides and does nothing: for make-port, which only begins a port, unbind-portal, since a record holds no addresses, and the
 * operations on nodes, which are in the names that records have. */
int decide_nothing(Call *c, const Operation *op, Report *report, Texts *warnings);
int act_nothing(Call *c, const Operation *op, Report *report);
