/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* FNV-1a with 64 bits: a number made from a text, the same on every host and in every version. Not for secrets: whoever chooses
 * the text can choose the number. */

#include <stdint.h>

static inline uint64_t hash_text(const char *text) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (const unsigned char *p = (const unsigned char *) text; *p; p++)
                hash = (hash ^ *p) * UINT64_C(0x100000001b3);

        return hash;
}
