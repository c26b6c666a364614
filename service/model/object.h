/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What all objects are: a type, a path by which the outside knows them while they are published, a state. */

#include "model/kinds.h"

/* Hears of published objects alone. ADDED: it can be found and read. REMOVING: it can still be. CHANGED: PROPERTIES is a
 * NULL-terminated list of names as CIM spells them. MAKE_PATH gives an object its outside name (malloc'ed; NULL: no memory). */
typedef struct ModelListener {
        char *(*make_path)(const Object *o, void *userdata);
        void (*added)(Object *o, void *userdata);
        void (*removing)(Object *o, void *userdata);
        void (*changed)(Object *o, const char *const *properties, void *userdata);
} ModelListener;

Object *model_find_object(Model *m, const char *path); /* published ones alone */
Object *model_first_object(Model *m);                  /* all published objects, through object->hh.next */

/* model_first_node() and so on for each kind: all of it, published or not; the next one is in hh.next. model_remove_node(): takes
 * one out, with all that is in it and what it alone was the reason for. Nothing else may refer to it any more. */
#define KIND(ENUM, Type, name, ...)         \
        Type *model_first_##name(Model *m); \
        void model_remove_##name(Model *m, Type *o);
#include "model/kinds.def"

/* For the model's own files. */
int object_publish(Model *m, Object *o);  /* is published already: 0 */
void object_retract(Model *m, Object *o); /* is not published: nothing */
void object_tell(Model *m, Object *o, const char *const *properties);

#define object_tell_changed(m, o, ...) object_tell(m, o, (const char *const[]){ __VA_ARGS__, NULL })
