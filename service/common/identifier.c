/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/identifier.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t identifier_max(uint16_t role) {
        return role == ROLE_TARGET ? TAG_MAX : IDENTIFIER_MAX;
}

int identifier_from_text(const char *text, uint16_t role, uint64_t *ret, const char **ret_reason) {
        uint64_t v;

        if (strlen(text) != IDENTIFIER_DIGITS || strspn(text, "0123456789abcdefABCDEF") != IDENTIFIER_DIGITS) {
                *ret_reason = "it must have exactly 12 hexadecimal digits";
                return -EINVAL;
        }

        v = strtoull(text, NULL, 16);

        if (role == ROLE_TARGET) {
                if (v > TAG_MAX) {
                        *ret_reason = "a target port's holds a portal group tag of 16 bits, 000000000000 to 00000000FFFF";
                        return -EINVAL;
                }
        } else {
                unsigned t = (unsigned) (v >> 46), a = (unsigned) (v >> 40) & 0x3F;

                if (t == 3) {
                        *ret_reason = "an ISID whose T field is 11b (first digit C to F) is reserved";
                        return -EINVAL;
                }
                if (t != 0 && a != 0) {
                        *ret_reason =
                                "an ISID of the enterprise-number or random format begins with 40 or 80: its A field is reserved";
                        return -EINVAL;
                }
        }

        *ret = v;
        return 0;
}

const char *identifier_to_text(uint64_t identifier, char buf[static IDENTIFIER_DIGITS + 1]) {
        (void) snprintf(buf, IDENTIFIER_DIGITS + 1, "%012llX", (unsigned long long) identifier & 0xFFFFFFFFFFFFull);
        return buf;
}
