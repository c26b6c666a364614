/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A list of texts that grows. */

#include <stddef.h>

#include "common/macro.h"

typedef struct Texts {
        char **items; /* owned */
        size_t n;
} Texts;

void texts_done(Texts *t);

/* Appends a text. Returns 0 or -ENOMEM. */
int texts_add(Texts *t, const char *format, ...) _printf_(2, 3);

/* By the bytes of the texts. */
void texts_sort(Texts *t);

/* All in one text with ", " between them. Returns a fresh string or NULL. */
char *texts_join(const Texts *t);
