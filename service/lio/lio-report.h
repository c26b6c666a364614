/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why a verb failed: the meaning and a message for people. It is filled at the point that knows, and travels up beside the errno. */

#include "common/macro.h"
#include "common/refusal.h"

typedef struct LioReport {
        Refusal refusal; /* REFUSAL_NONE as long as nothing is known to have failed */
        char *message;   /* owned; NULL if it could not be allocated */
} LioReport;

void lio_report_done(LioReport *report);

/* Notes the failure and returns its negative errno, so that it can stand in a return. An earlier failure is replaced. */
int lio_refuse(LioReport *report, Refusal refusal, const char *format, ...) _printf_(3, 4);
