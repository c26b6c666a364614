/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The file `plan` in fault-backend's working directory: which call goes wrong, and how. Its lines are told in fault-backend.c. */

#include <glib.h>

typedef enum PlanAction {
        PLAN_WORK, /* nothing goes wrong */
        PLAN_FAIL,
        PLAN_UNKNOWN_ERROR,
        PLAN_HANG,
        PLAN_CRASH,
        PLAN_LIE,
        PLAN_GARBAGE,
} PlanAction;

typedef enum PlanPoint {
        PLAN_BEFORE,
        PLAN_HALF,
        PLAN_AFTER,
} PlanPoint;

typedef struct Plan {
        PlanAction action;
        PlanPoint point; /* of PLAN_FAIL, PLAN_HANG and PLAN_CRASH */
        guint64 msec;    /* wait so long first */
        char *error;     /* of PLAN_FAIL: the last part of its name, and the message */
        char *text;
} Plan;

/* What is planned for a call of VERB. Takes a `once` line out of the file; call it with the state locked. A line that cannot be
 * understood ends the process. */
void plan_take(const char *verb, Plan *ret);
void plan_done(Plan *p);
