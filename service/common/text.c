/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/text.h"

#include <string.h>

/* Bytes of the control character at TEXT, 0 if there is none. */
static size_t control_length(const char *text) {
        const unsigned char *p = (const unsigned char *) text;

        if (*p == '\0')
                return 0;
        if (*p < 0x20 || *p == 0x7f)
                return 1;
        return *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f ? 2 : 0;
}

bool text_has_controls(const char *text) {
        for (const char *p = text; *p; p++)
                if (control_length(p) > 0)
                        return true;

        return false;
}

void text_mask_controls(char *text, char with) {
        for (char *p = text; *p; p++)
                memset(p, with, control_length(p));
}

void text_mask_unprintable(char *text) {
        for (char *p = text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

int text_excerpt(const char *text, size_t max) {
        size_t n = strnlen(text, max + 1);

        /* The byte behind the end must not be one that continues a character. */
        if (n > max)
                for (n = max; n > 0 && ((unsigned char) text[n] & 0xc0) == 0x80; n--)
                        ;
        return (int) n;
}

/* Length of the UTF-8 sequence at P, 0 if it is none (RFC 3629: shortest form, no surrogates, at most U+10FFFF). */
static size_t utf8_length(const unsigned char *p) {
        size_t n = p[0] < 0x80                   ? 1
                   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                   : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                 : 0;

        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;

        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
            (p[0] == 0xf4 && p[1] >= 0x90))
                return 0;

        return n;
}

bool text_is_utf8(const char *text) {
        for (const unsigned char *p = (const unsigned char *) text; *p;) {
                size_t n = utf8_length(p);

                if (n == 0)
                        return false;
                p += n;
        }

        return true;
}
