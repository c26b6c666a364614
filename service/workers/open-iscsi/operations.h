/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The operations of org.iscsi.Backend on open-iscsi: each is a decision on the plan and an act on the records. What each does
 * and may answer stands in interfaces/org.iscsi.Backend.xml. All return 0 or a negative errno with the report filled (without
 * one only if memory ran out). */

#include "workers/open-iscsi/call.h"

typedef int (*decide_t)(Call *c, const Operation *op, Report *report, Texts *warnings);
typedef int (*act_t)(Call *c, const Operation *op, Report *report);

/* decide_create_node() and act_create_node(), and so on for each verb but those of targets. */
#define TARGET_VERB(...)
#define VERB(id, function, ...)                                                               \
        int decide_##function(Call *c, const Operation *op, Report *report, Texts *warnings); \
        int act_##function(Call *c, const Operation *op, Report *report);
#include "common/verbs.def"

/* Writes the record of a port as it is in the plan, unless it is so already. */
int write_planned_port(Call *c, const Operation *op, Report *report);
