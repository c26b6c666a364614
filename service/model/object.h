/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What all objects are: a type, a path by which the outside knows them while they are published, a state. */

#include <stdbool.h>

#include "model/kinds.h"

/* uthash ends the process when memory ends, as everything in here that cannot go on does. */
#include <uthash.h>

typedef enum ObjectType {
        OBJECT_NODE,
        OBJECT_PORT,
        OBJECT_TCP_ENDPOINT,
        OBJECT_IP_ENDPOINT,
        OBJECT_PORTAL_GROUP,
} ObjectType;

/* The head of every object. PATH is the name by which the outside knows it while it is published, else NULL. */
typedef struct Object {
        ObjectType type;
        char *path;
        UT_hash_handle hh; /* in the model's index by path */
} Object;

/* Whether what is desired is in force. */
typedef enum ObjectState {
        STATE_STARTING, /* not looked at yet */
        STATE_IN_FORCE, /* as desired */
        STATE_DEGRADED, /* not in force, or not known to be; the description says why */
        STATE_DRIFTED,  /* in force, but other than desired */
        STATE_DISABLED, /* made by another program and not enabled */
} ObjectState;

/* Hears of published objects alone. ADDED: it can be found and read. REMOVING: it can still be. CHANGED: PROPERTIES is a NULL-terminated list of
 * names as CIM spells them. MAKE_PATH gives an object its outside name (malloc'ed; NULL: no memory). */
typedef struct ModelListener {
        char *(*make_path)(const Object *o, void *userdata);
        void (*added)(Object *o, void *userdata);
        void (*removing)(Object *o, void *userdata);
        void (*changed)(Object *o, const char *const *properties, void *userdata);
} ModelListener;

Object *model_find_object(Model *m, const char *path); /* published ones alone */
Object *model_first_object(Model *m);                  /* all published objects, through object->hh.next */

/* For the model's own files. */
int object_publish(Model *m, Object *o);  /* is published already: 0 */
void object_retract(Model *m, Object *o); /* is not published: nothing */
void object_tell(Model *m, Object *o, const char *const *properties);

#define object_tell_changed(m, o, ...) object_tell(m, o, (const char *const[]){ __VA_ARGS__, NULL })
