/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/refuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

int refuse(Refusal r, char **ret_why, const char *format, ...) {
        char *why;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&why, format, ap);
        va_end(ap);
        if (n < 0) {
                *ret_why = NULL;
                return -ENOMEM;
        }

        /* Callers' texts are in it. Whatever they hold, it becomes one line that is shorter than what the bus carries: of a long
         * one the middle is left out. */
        if ((size_t) n > REFUSAL_TEXT_MAX) {
                char *cut = why + text_excerpt(why, REFUSAL_TEXT_MAX / 2), *tail = why + n - REFUSAL_TEXT_MAX / 4;

                while (((unsigned char) *tail & 0xC0) == 0x80)
                        tail++;
                memcpy(cut, "…", strlen("…"));
                memmove(cut + strlen("…"), tail, strlen(tail) + 1);
        }
        text_mask_controls(why, '?');

        *ret_why = why;
        return (int) r;
}

int check_text(const char *what, const char *text, char **ret_why) {
        size_t n = 0;

        if (text_has_controls(text))
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "%s holds a control character; leave it out", what);

        for (const char *p = text; *p; p++)
                n += ((unsigned char) *p & 0xC0) != 0x80; /* counts characters, not bytes, of valid UTF-8 */

        if (n > LIMIT_TEXT)
                return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "%s has %zu characters; %u are allowed", what, n, LIMIT_TEXT);

        return 0;
}
