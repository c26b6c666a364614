/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "objects/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const ObjectClass *const object_classes[_OBJECT_TYPE_MAX] = {
        [OBJECT_SERVICE] = &service_class,
#define KIND(ENUM, Type, name, ...) [OBJECT_##ENUM] = &name##_class,
#include "model/kinds.def"
};

const Property *object_class_find_property(const ObjectClass *k, const char *name) {
        for (const Property *p = k->properties; p->name; p++)
                if (strcmp(p->name, name) == 0)
                        return p;

        return NULL;
}

static int write_property(const Property *p, const Object *o, const ObjectContext *c, ValueWriter *w) {
        int r;

        r = value_open(w, 'e', "sv");
        if (r >= 0)
                r = value_text(w, p->name);
        if (r >= 0)
                r = value_open(w, 'v', p->signature);
        if (r >= 0)
                r = p->get(o, c, w);
        if (r >= 0)
                r = value_close(w);
        return r < 0 ? r : value_close(w);
}

int object_write_properties(const Object *o, const ObjectContext *c, bool all, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "{sv}");
        for (const Property *p = object_class(o)->properties; p->name && r >= 0; p++)
                if (all || p->emits != EMITS_INVALIDATES)
                        r = write_property(p, o, c, w);
        return r < 0 ? r : value_close(w);
}

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

char *path_below(const char *parent, const char *level, const char *name) {
        static const char hex[] = "0123456789abcdef";
        char *path, *q;

        path = malloc(strlen(parent) + strlen(level) + 3 * strlen(name) + sizeof("//_"));
        if (!path)
                return NULL;

        q = path + sprintf(path, "%s/%s/", parent, level);
        if (!name[0])
                *q++ = '_';
        for (const char *p = name; *p; p++)
                if (is_letter(*p) || (is_digit(*p) && p > name))
                        *q++ = *p;
                else {
                        *q++ = '_';
                        *q++ = hex[(unsigned char) *p >> 4];
                        *q++ = hex[(unsigned char) *p & 15];
                }
        *q = '\0';
        return path;
}
