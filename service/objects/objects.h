/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kinds of objects that the service shows, each described once: where its objects stand, which interface they have, how
 * they are enumerated, and their properties. The bus, JSON and the tests of interfaces/ read these rows; model/kinds.def lists
 * them.
 *
 * Properties are written as neutral values (common/value.h). Nothing in here knows D-Bus. */

#include "common/value.h"
#include "model/model.h"
#include "rules/limits.h"

#define ROOT_PATH "/org/iscsi/ConfigurationService"

typedef struct ObjectClass ObjectClass;

/* What a getter may read beside its object. */
typedef struct ObjectContext {
        const Abilities *abilities;
        bool sessions_known; /* model_sessions_known() */
} ObjectContext;

/* What is told when a property changes, as EmitsChangedSignal of the D-Bus specification says it. A property that
 * EMITS_INVALIDATES is an array that grows with the number of objects: it is read one by one and left out where all properties
 * are read. */
typedef enum Emits {
        EMITS_CONST,       /* nothing: it never changes while the object lives */
        EMITS_CHANGE,      /* the new value */
        EMITS_INVALIDATES, /* only that it changed */
} Emits;

typedef struct Property {
        const char *name, *signature; /* the signature in D-Bus's letters */
        Emits emits;

        /* Writes the value: reads memory alone. 0 or a negative errno. */
        int (*get)(const Object *o, const ObjectContext *c, ValueWriter *w);
} Property;

struct ObjectClass {
        ObjectType type;
        const char *interface;

        /* Objects stand at <path of the parent>/<level>/<element>. PARENT NULL: the parent is the root. LEVEL NULL: the root
         * itself. */
        const ObjectClass *parent;
        const char *level;

        /* The path of an object that is not published yet; malloc'ed, NULL without memory. */
        char *(*make_path)(const Object *o);

        /* All objects below PARENT (NULL: the root), published or not, one by one. NULL: there is one, the service. */
        Object *(*first)(Model *m, Object *parent);
        Object *(*next)(Object *o);

        const Property *properties; /* in the order of the interface file, up to one without a name */
};

/* All kinds, by ObjectType. */
extern const ObjectClass *const object_classes[_OBJECT_TYPE_MAX];

static inline const ObjectClass *object_class(const Object *o) {
        return object_classes[o->type];
}

/* The property with that name, NULL if the class has none. */
const Property *object_class_find_property(const ObjectClass *k, const char *name);

/* Writes the object's properties as a{sv}, those that are told as invalidated only if ALL. */
int object_write_properties(const Object *o, const ObjectContext *c, bool all, ValueWriter *w);

/* "<PARENT>/<LEVEL>/<NAME>", with NAME encoded as sd_bus_path_encode() does it: letters stay, digits stay unless they come
 * first, every other byte becomes "_" and two lower-case hex digits, an empty name "_". Malloc'ed, NULL without memory. */
char *path_below(const char *parent, const char *level, const char *name);

/* The rows, one per file. */
extern const ObjectClass service_class;
#define KIND(ENUM, Type, name, ...) extern const ObjectClass name##_class;
#include "model/kinds.def"
