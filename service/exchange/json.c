/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "exchange/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32u

/* An open container. */
typedef struct Level {
        char type;      /* 'a', 'r', 'e', 'v'; '{' for an array of dictionary entries */
        size_t n_items; /* written into it so far */
} Level;

struct JsonWriter {
        ValueWriter writer;
        JsonStyle style;
        FILE *file; /* open on TEXT */
        char *text;
        size_t size;
        Level levels[DEPTH_MAX]; /* [0] is the document itself, which takes one value as a variant does */
        size_t depth;
};

static void new_line(JsonWriter *j, size_t depth) {
        if (j->style != JSON_INDENTED)
                return;

        (void) fputc('\n', j->file);
        for (size_t i = 0; i < depth; i++)
                (void) fputs("  ", j->file);
}

/* How many levels of braces and brackets are open: entries and variants have none. */
static size_t indentation(const JsonWriter *j) {
        size_t n = 0;

        for (size_t i = 1; i <= j->depth; i++)
                n += j->levels[i].type == '{' || j->levels[i].type == 'a' || j->levels[i].type == 'r';
        return n;
}

/* Writes what stands before the next value. IS_KEY: of an entry. */
static int begin_item(JsonWriter *j, char type, bool *ret_is_key) {
        Level *l = j->levels + j->depth;

        *ret_is_key = false;
        switch (l->type) {
        case 'v':
                if (l->n_items > 0)
                        return -EINVAL;
                break;
        case 'e':
                if (l->n_items > 1)
                        return -EINVAL;
                *ret_is_key = l->n_items == 0;
                if (l->n_items == 1)
                        (void) fputs(j->style == JSON_INDENTED ? ": " : ":", j->file);
                break;
        case '{':
                if (type != 'e')
                        return -EINVAL;
                __attribute__((fallthrough));
        default:
                if (l->n_items > 0)
                        (void) fputc(',', j->file);
                new_line(j, indentation(j));
                break;
        }

        if (type == 'e' && l->type != '{')
                return -EINVAL;
        l->n_items++;
        return 0;
}

/* The length of the character at P, 0 if there is none in UTF-8: no surrogates, none beyond U+10FFFF, none in a longer form
 * than its shortest. */
static size_t utf8_length(const unsigned char *p) {
        static const struct {
                unsigned char first, last; /* of the first byte */
                unsigned char low, high;   /* of the second */
                size_t length;
        } forms[] = {
                { 0x01, 0x7F, 0, 0, 1 },       { 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 },
                { 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
                { 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
        };

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                if (p[0] < forms[i].first || p[0] > forms[i].last)
                        continue;
                if (forms[i].length > 1 && (p[1] < forms[i].low || p[1] > forms[i].high))
                        return 0;
                for (size_t k = 2; k < forms[i].length; k++)
                        if ((p[k] & 0xC0) != 0x80)
                                return 0;
                return forms[i].length;
        }

        return 0;
}

static int write_text(JsonWriter *j, const char *text) {
        static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs of a character and its letter */

        (void) fputc('"', j->file);
        for (const unsigned char *p = (const unsigned char *) text; *p;) {
                size_t n = utf8_length(p);
                const char *form = NULL;

                if (n == 0)
                        return -EILSEQ;
                for (const char *s = short_forms; *s && !form; s += 2)
                        if ((unsigned char) *s == *p)
                                form = s;

                if (form)
                        (void) fprintf(j->file, "\\%c", form[1]);
                else if (*p < 0x20 || *p == 0x7F)
                        (void) fprintf(j->file, "\\u%04x", *p);
                else
                        (void) fwrite(p, 1, n, j->file);
                p += n;
        }
        (void) fputc('"', j->file);
        return 0;
}

static int write_number(JsonWriter *j, uint64_t v, bool is_key) {
        /* A name in a JSON object is always text. */
        (void) fprintf(j->file, is_key ? "\"%" PRIu64 "\"" : "%" PRIu64, v);
        return 0;
}

static int write_bool(JsonWriter *j, bool v, bool is_key) {
        const char *text = v ? "true" : "false";

        (void) fprintf(j->file, is_key ? "\"%s\"" : "%s", text);
        return 0;
}

static int json_basic(ValueWriter *w, char type, const void *value) {
        JsonWriter *j = (JsonWriter *) w;
        bool is_key;
        int r;

        r = begin_item(j, type, &is_key);
        if (r < 0)
                return r;

        switch (type) {
        case 's':
        case 'o':
                return write_text(j, value);
        case 'b':
                return write_bool(j, *(const bool *) value, is_key);
        case 'y':
                return write_number(j, *(const uint8_t *) value, is_key);
        case 'q':
                return write_number(j, *(const uint16_t *) value, is_key);
        case 'u':
                return write_number(j, *(const uint32_t *) value, is_key);
        case 't':
                return write_number(j, *(const uint64_t *) value, is_key);
        default:
                return -EINVAL;
        }
}

static int json_open(ValueWriter *w, char type, const char *contents) {
        JsonWriter *j = (JsonWriter *) w;
        bool is_key;
        int r;

        if (!strchr("arev", type) || type == '\0')
                return -EINVAL;
        if (j->depth + 1 >= DEPTH_MAX)
                return -E2BIG;
        r = begin_item(j, type, &is_key);
        if (r < 0)
                return r;
        if (is_key)
                return -EINVAL;

        j->levels[++j->depth] = (Level){ .type = type == 'a' && contents[0] == '{' ? '{' : type };
        if (j->levels[j->depth].type == '{')
                (void) fputc('{', j->file);
        else if (type == 'a' || type == 'r')
                (void) fputc('[', j->file);
        return 0;
}

static int json_close(ValueWriter *w) {
        JsonWriter *j = (JsonWriter *) w;
        Level l = j->levels[j->depth];

        if (j->depth == 0 || (l.type == 'e' && l.n_items != 2) || (l.type == 'v' && l.n_items != 1))
                return -EINVAL;

        j->depth--;
        if (l.type == 'e' || l.type == 'v')
                return 0;
        if (l.n_items > 0)
                new_line(j, indentation(j));
        (void) fputc(l.type == '{' ? '}' : ']', j->file);
        return 0;
}

int json_writer_new(JsonStyle style, JsonWriter **ret) {
        static const ValueSink sink = { json_basic, json_open, json_close };
        _cleanup_(json_writer_freep) JsonWriter *j = NULL;

        j = calloc(1, sizeof(*j));
        if (!j)
                return -ENOMEM;
        j->writer.sink = &sink;
        j->style = style;
        j->levels[0].type = 'v';
        j->file = open_memstream(&j->text, &j->size);
        if (!j->file)
                return -ENOMEM;

        *ret = TAKE_PTR(j);
        return 0;
}

JsonWriter *json_writer_free(JsonWriter *j) {
        if (!j)
                return NULL;

        if (j->file)
                (void) fclose(j->file);
        free(j->text);
        free(j);
        return NULL;
}

ValueWriter *json_writer_value(JsonWriter *j) {
        return &j->writer;
}

int json_writer_finish(JsonWriter *j, char **ret) {
        bool failed;

        if (!j->file || j->depth > 0 || j->levels[0].n_items != 1)
                return -EINVAL;

        if (j->style == JSON_INDENTED)
                (void) fputc('\n', j->file);

        /* The stream's memory is what can run out; fclose() says so if a write before has not. */
        failed = ferror(j->file);
        if (fclose(TAKE_PTR(j->file)) != 0 || failed)
                return -ENOMEM;

        *ret = TAKE_PTR(j->text);
        return 0;
}
