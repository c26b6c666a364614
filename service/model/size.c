/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/size.h"

/* What is no letter and no digit takes three bytes, and so does a digit at the beginning. */
size_t size_of_element(const char *name) {
        size_t n = 2;

        for (const char *p = name; *p; p++)
                n += (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ? 1 : 3;

        return n;
}
