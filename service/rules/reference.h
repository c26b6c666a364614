/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An object as a caller named it: TEXT for messages, OBJECT NULL if nothing published has that name. */

#include "model/model.h"

typedef struct Reference {
        const char *text;
        Object *object;
} Reference;

/* reference_node() and so on for each kind: the object of a reference if it is of that kind, else NULL. */
#define KIND(ENUM, Type, name, ...)                                                               \
        static inline Type *reference_##name(const Reference *r) {                                \
                return r->object && r->object->type == OBJECT_##ENUM ? (Type *) r->object : NULL; \
        }
#include "model/kinds.def"
