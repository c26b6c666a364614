/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Texts of callers and other programs in lines that people read. */

/* Replaces control characters, those of Unicode's second set (U+0080 to U+009F, two bytes of UTF-8) too, with '?' for each byte: a terminal obeys
 * both, and the journal shows a line that has any as a blob. */
static inline void text_mask_controls(char *text) {
        for (unsigned char *p = (unsigned char *) text; *p; p++)
                if (*p < 0x20 || *p == 0x7f)
                        *p = '?';
                else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
                        p[0] = p[1] = '?';
}
