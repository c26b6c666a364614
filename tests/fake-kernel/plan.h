/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The file `plan` in the fake kernel's directory: which call or operation goes wrong, and how. Its lines are told in
 * fake-kernel.h. */

#include <glib.h>

typedef enum PlanAction {
        PLAN_WORK, /* nothing goes wrong */
        PLAN_FAIL,
        PLAN_HANG,
        PLAN_HANG_FOREVER,
        PLAN_CRASH,
        PLAN_LIE,
        PLAN_GARBAGE,
        PLAN_ANSWER,
        PLAN_NOISE,
        PLAN_EXIT,
        PLAN_WAIT,
        PLAN_MANY,
        PLAN_MANY_PORTALS,
} PlanAction;

typedef enum PlanPoint {
        PLAN_BEFORE,
        PLAN_HALF,
        PLAN_AFTER,
} PlanPoint;

typedef struct Plan {
        PlanAction action;
        PlanPoint point; /* of PLAN_FAIL, PLAN_HANG and PLAN_CRASH */
        guint64 number;  /* wait so many milliseconds first; of PLAN_MANY…: how many */
        char *error;     /* of PLAN_FAIL: its complete name, and the message */
        char *text;      /* … or of PLAN_ANSWER */
} Plan;

/* What is planned for WORD, a call or an operation. Takes a `once` line out of the file; call it with the kernel locked. A line
 * that cannot be understood ends the process. */
void plan_take(const char *root, const char *word, Plan *ret);
void plan_done(Plan *p);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Plan, plan_done)
