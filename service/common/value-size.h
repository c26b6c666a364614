/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How large values are on the bus: a writer that counts in place of writing. Each is counted with all the padding that it can
 * need, so the sum is at least what a message takes. */

#include <stddef.h>

#include "common/value.h"

typedef struct SizeWriter {
        ValueWriter writer;
        size_t bytes;
} SizeWriter;

/* A writer that has counted nothing. It owns nothing and needs no end. */
SizeWriter size_writer(void);
