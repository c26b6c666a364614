/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/intent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef struct Block {
        struct Block *next;
        max_align_t data[];
} Block;

Intent *intent_new(const Method *method) {
        Intent *i;

        i = calloc(1, sizeof(*i));
        if (!i)
                return NULL;
        i->method = method;
        i->arguments = intent_alloc(i, (argument_specs_count(method->in) + 1) * sizeof(Argument));
        if (!i->arguments)
                return intent_free(i);
        for (size_t k = 0; method->in[k].name; k++)
                i->arguments[k].spec = method->in + k;

        return i;
}

Intent *intent_free(Intent *i) {
        if (!i)
                return NULL;

        for (Block *b = i->blocks, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        free(i);
        return NULL;
}

void *intent_alloc(Intent *i, size_t size) {
        Block *b;

        b = calloc(1, sizeof(Block) + size);
        if (!b)
                return NULL;
        b->next = i->blocks;
        i->blocks = b;
        return b->data;
}

char *intent_strdup(Intent *i, const char *text) {
        size_t size = strlen(text) + 1;
        char *copy;

        copy = intent_alloc(i, size);
        return copy ? memcpy(copy, text, size) : NULL;
}

const Argument *intent_argument(const Intent *i, const char *name) {
        for (const Argument *a = i->arguments; a->spec; a++)
                if (strcmp(a->spec->name, name) == 0)
                        return a;

        assert(!"a method's plan asks for an argument that its row does not have");
        return NULL;
}

const char *intent_text(const Intent *i, const char *name) {
        return intent_argument(i, name)->text;
}

uint64_t intent_number(const Intent *i, const char *name) {
        return intent_argument(i, name)->number;
}

const Argument *intent_option(const Intent *i, const char *key) {
        const Argument *options = intent_argument(i, "Options");

        for (size_t k = 0; options->members && options->members[k].spec; k++)
                if (strcmp(options->members[k].spec->name, key) == 0)
                        return options->members[k].given ? options->members + k : NULL;

        return NULL;
}

const Argument *argument_field(const Argument *a, size_t k, const char *name) {
        size_t n_fields = argument_specs_count(a->spec->members);

        for (size_t f = 0; f < n_fields; f++)
                if (strcmp(a->spec->members[f].name, name) == 0)
                        return a->members + k * n_fields + f;

        assert(!"no such field");
        return NULL;
}

static size_t members_count(const Argument *a) {
        size_t n = argument_specs_count(a->spec->members);

        if (!a->members)
                return 0;
        return a->spec->type[1] == '(' ? n * a->n : n;
}

int intent_walk(const Intent *i, int (*each)(const Argument *a, void *userdata), void *userdata) {
        for (const Argument *a = i->arguments; a->spec; a++) {
                int r;

                if (!a->spec->members) {
                        r = each(a, userdata);
                        if (r < 0)
                                return r;
                        continue;
                }
                for (size_t k = 0; k < members_count(a); k++) {
                        r = each(a->members + k, userdata);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}
