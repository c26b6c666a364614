/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The signals that say no more than that a property has another value now. They come after the answer of the call that changed
 * it, before that of the next call, and each is sent once however many changes came together: two hundred ports that are made in
 * one node are one signal about the list of the node's ports. */

#include <systemd/sd-bus.h>

#include "common/macro.h"
#include "objects/objects.h"

typedef struct Invalidations Invalidations;

/* MODEL is where the objects are. Both live longer. Returns 0 or a negative errno. */
int invalidations_new(sd_bus *bus, Model *model, Invalidations **ret);
Invalidations *invalidations_free(Invalidations *i); /* what is not sent yet is forgotten */
DEFINE_TRIVIAL_CLEANUP(Invalidations *, invalidations_free);

/* Takes PROPERTIES of O if all of them are of the kind that is only told as invalidated. Returns false if they are not, or
 * without memory: then the caller tells them now. */
bool invalidations_take(Invalidations *i, const Object *o, const char *const *properties);
