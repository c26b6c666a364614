/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/report.h"

#include <stdarg.h>
#include <stdio.h>

void report_done(Report *report) {
        free(report->message);
        *report = (Report){};
}

int report_refuse(Report *report, Refusal refusal, const char *format, ...) {
        char *message = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;
        va_end(ap);

        /* The earlier message may be among the arguments, so it is freed last. */
        free(report->message);
        report->message = message;
        report->refusal = refusal;
        return -refusal_errno(refusal);
}
