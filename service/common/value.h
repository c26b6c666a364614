/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Writing typed values without knowing what becomes of them: a D-Bus message (bus/bus-value.h), JSON text (exchange/json.h).
 *
 * Types are D-Bus's: 'b' bool, 'y' uint8_t, 'q' uint16_t, 'u' uint32_t, 't' uint64_t, 's' text in UTF-8, 'o' an object's path;
 * containers are 'a' array, 'r' structure, 'e' dictionary entry (only inside an array, whose contents are then "{…}") and 'v'
 * variant.
 *
 * All functions return 0 or a negative errno. After an error the writer must not be used any more. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ValueWriter ValueWriter;

typedef struct ValueSink {
        /* VALUE points to the value; of 's' and 'o' it is the text itself. */
        int (*basic)(ValueWriter *w, char type, const void *value);

        /* CONTENTS: the types inside, without the container's own brackets, e.g. "{sv}" for the array of a{sv}, "sv" for its
         * entries. */
        int (*open)(ValueWriter *w, char type, const char *contents);
        int (*close)(ValueWriter *w);
} ValueSink;

/* The head of every writer. */
struct ValueWriter {
        const ValueSink *sink;
};

static inline int value_open(ValueWriter *w, char type, const char *contents) {
        return w->sink->open(w, type, contents);
}

static inline int value_close(ValueWriter *w) {
        return w->sink->close(w);
}

static inline int value_text(ValueWriter *w, const char *text) {
        return w->sink->basic(w, 's', text);
}

static inline int value_path(ValueWriter *w, const char *path) {
        return w->sink->basic(w, 'o', path);
}

static inline int value_bool(ValueWriter *w, bool v) {
        return w->sink->basic(w, 'b', &v);
}

static inline int value_uint8(ValueWriter *w, uint8_t v) {
        return w->sink->basic(w, 'y', &v);
}

static inline int value_uint16(ValueWriter *w, uint16_t v) {
        return w->sink->basic(w, 'q', &v);
}

static inline int value_uint32(ValueWriter *w, uint32_t v) {
        return w->sink->basic(w, 'u', &v);
}

static inline int value_uint64(ValueWriter *w, uint64_t v) {
        return w->sink->basic(w, 't', &v);
}

/* Whole arrays. */
int value_texts(ValueWriter *w, const char *const *texts, size_t n);
int value_uint16s(ValueWriter *w, const uint16_t *values, size_t n);

/* An array of one text, or of none if TEXT is NULL. */
int value_optional_text(ValueWriter *w, const char *text);

/* An array of one path, or of none if PATH is NULL. */
int value_optional_path(ValueWriter *w, const char *path);
