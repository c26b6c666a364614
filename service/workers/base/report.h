/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why a verb failed: the meaning and a message for people. It is filled at the point that knows, and travels up beside the errno. */

#include "common/macro.h"
#include "common/refusal.h"

typedef struct Report {
        Refusal refusal; /* REFUSAL_NONE as long as nothing is known to have failed */
        char *message;   /* owned; NULL if it could not be allocated */
} Report;

void report_done(Report *report);

/* Notes the failure and returns its negative errno, so that it can stand in a return. An earlier failure is replaced. */
int report_refuse(Report *report, Refusal refusal, const char *format, ...) _printf_(3, 4);
