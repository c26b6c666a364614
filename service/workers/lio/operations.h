/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The operations of org.iscsi.Backend on LIO: each is a decision on the plan and an act on the tree. What each does and may
 * answer stands in interfaces/org.iscsi.Backend.xml. All return 0 or a negative errno with the report filled (without one only if
 * memory ran out). */

#include "workers/lio/call.h"

typedef int (*lio_decide_t)(LioCall *c, const Operation *op, Report *report, Texts *warnings);
typedef int (*lio_act_t)(LioCall *c, const Operation *op);

/* lio_decide_create_node() and lio_act_create_node(), and so on for each verb. */
#define VERB(id, function, ...)                                                                      \
        int lio_decide_##function(LioCall *c, const Operation *op, Report *report, Texts *warnings); \
        int lio_act_##function(LioCall *c, const Operation *op);
#include "common/verbs.def"
