/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Texts of callers and other programs in lines that people read.
 *
 * Control characters are those of ASCII and Unicode's second set, U+0080 to U+009F: a terminal obeys both, and the journal shows
 * a line that has any as a blob. */

#include <stdbool.h>
#include <stddef.h>

bool text_has_controls(const char *text);

/* Replaces each byte of a control character with WITH. */
void text_mask_controls(char *text, char with);

/* Replaces every byte that is not printable ASCII with '?'. */
void text_mask_unprintable(char *text);

/* How many bytes of TEXT to print with "%.*s": at most MAX, and no part of a character, since the bus carries whole ones
 * alone. */
int text_excerpt(const char *text, size_t max);

/* Whether TEXT is UTF-8, the only texts that the bus carries. */
bool text_is_utf8(const char *text);
