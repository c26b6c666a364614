/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/texts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"

void texts_done(Texts *t) {
        for (size_t i = 0; i < t->n; i++)
                free(t->items[i]);
        free(t->items);
        *t = (Texts){};
}

int texts_add(Texts *t, const char *format, ...) {
        char *text;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;

        if (array_grow(&t->items, t->n, sizeof(*t->items)) < 0) {
                free(text);
                return -ENOMEM;
        }

        t->items[t->n++] = text;
        return 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

void texts_sort(Texts *t) {
        if (t->n > 1)
                qsort(t->items, t->n, sizeof(*t->items), compare);
}

char *texts_join(const Texts *t) {
        size_t size = 1;
        char *text, *p;

        for (size_t i = 0; i < t->n; i++)
                size += strlen(t->items[i]) + 2;

        text = malloc(size);
        if (!text)
                return NULL;

        p = text;
        *p = '\0';
        for (size_t i = 0; i < t->n; i++)
                p = stpcpy(stpcpy(p, i > 0 ? ", " : ""), t->items[i]);

        return text;
}
