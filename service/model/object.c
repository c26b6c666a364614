/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/object.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "model/private.h"

int object_publish(Model *m, Object *o) {
        if (o->path)
                return 0;

        o->path = m->listener->make_path(o, m->userdata);
        if (!o->path)
                return -ENOMEM;

        HASH_ADD_KEYPTR(hh, m->objects, o->path, strlen(o->path), o);

        if (m->telling)
                m->listener->added(o, m->userdata);

        return 0;
}

void object_retract(Model *m, Object *o) {
        if (!o->path)
                return;

        if (m->telling)
                m->listener->removing(o, m->userdata);

        HASH_DELETE(hh, m->objects, o);
        free(TAKE_PTR(o->path));
}

void object_tell(Model *m, Object *o, const char *const *properties) {
        if (m->telling && o->path)
                m->listener->changed(o, properties, m->userdata);
}

Object *model_find_object(Model *m, const char *path) {
        Object *o;

        HASH_FIND(hh, m->objects, path, strlen(path), o);
        return o;
}

Object *model_first_object(Model *m) {
        return m->objects;
}

#define KIND(ENUM, Type, name, names, ...)   \
        Type *model_first_##name(Model *m) { \
                return m->names;             \
        }
#include "model/kinds.def"
