/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values as JSON text (RFC 8259). Arrays of dictionary entries become objects, structures become arrays, a variant is its
 * value. Text that is not UTF-8 is refused, so what comes out can be read by every parser. */

#include "common/macro.h"
#include "common/value.h"

typedef struct JsonWriter JsonWriter;

typedef enum JsonStyle {
        JSON_COMPACT,  /* one line */
        JSON_INDENTED, /* for people: one element a line, two blanks per level */
} JsonStyle;

/* 0 or -ENOMEM. */
int json_writer_new(JsonStyle style, JsonWriter **ret);
JsonWriter *json_writer_free(JsonWriter *j);
DEFINE_TRIVIAL_CLEANUP(JsonWriter *, json_writer_free);

/* What to write the document into: exactly one value. It lives as long as the JsonWriter. Its functions return -EILSEQ for
 * text that is not UTF-8, -EINVAL for values that are in the wrong place or of a type that has no JSON form, -E2BIG for more
 * than 32 containers in each other, -ENOMEM. */
ValueWriter *json_writer_value(JsonWriter *j);

/* The document, malloc'ed, with a newline behind it if it is indented. -EINVAL if it is not complete; -ENOMEM. May be called
 * once. */
int json_writer_finish(JsonWriter *j, char **ret);
