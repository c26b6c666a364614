/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why a verb failed: the meaning and a message for people. It is filled at the point that knows, and travels up beside the errno.
 * */

#include <stdbool.h>

#include "common/macro.h"
#include "common/refusal.h"

typedef struct Report {
        Refusal refusal; /* REFUSAL_NONE as long as nothing is known to have failed */
        char *message;   /* owned; NULL if it could not be allocated */
        bool not_done;   /* nothing is wrong with this operation: it was undone, or not begun, because of another one */
} Report;

void report_done(Report *report);

/* Notes the failure and returns its negative errno, for use in a return statement. An earlier failure is replaced. In a message
 * that is not UTF-8, bytes that are not printable ASCII become '?'. */
int report_refuse(Report *report, Refusal refusal, const char *format, ...) _printf_(3, 4);

/* Notes something beside a success. */
void report_note(Report *report, const char *format, ...) _printf_(2, 3);
