/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/text.h"

void report_done(Report *report) {
        free(report->message);
        *report = (Report){};
}

/* Takes a fresh message. Names of other programs' objects may be in it, of whatever bytes. The earlier message may have been
 * among the arguments, so it is freed only now. */
static void take_message(Report *report, char *message) {
        if (message && !text_is_utf8(message))
                text_mask_unprintable(message);

        free(report->message);
        report->message = message;
}

int report_refuse(Report *report, Refusal refusal, const char *format, ...) {
        char *message;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;
        va_end(ap);

        take_message(report, message);
        report->refusal = refusal;
        return -refusal_errno(refusal);
}

void report_note(Report *report, const char *format, ...) {
        char *message;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;
        va_end(ap);

        take_message(report, message);
}
