/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

static int log_max_level = LOG_INFO;

void log_set_max_level(int level) {
        log_max_level = level;
}

static void log_line(int level, const char *text, const char *cause) {
        _cleanup_free_ char *line = NULL;
        bool journal = getenv("JOURNAL_STREAM");
        int n;

        n = journal ? asprintf(&line, "<%d>%s%s%s", level, text, cause ? ": " : "", cause ? cause : "")
                    : asprintf(&line, "%s%s%s", text, cause ? ": " : "", cause ? cause : "");
        if (n < 0) {
                line = NULL;
                return;
        }

        text_mask_controls(line, '?');

        /* One call per line: lines of several processes then do not mix. */
        (void) fprintf(stderr, "%s\n", line);
}

void log_full(int level, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        if (level > log_max_level)
                return;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }

        log_line(level, text, NULL);
}

int log_full_errno(int level, int error, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        error = abs(error);

        if (level <= log_max_level) {
                va_start(ap, format);
                n = vasprintf(&text, format, ap);
                va_end(ap);
                if (n < 0)
                        text = NULL;
                else
                        log_line(level, text, strerror(error));
        }

        return -error;
}
