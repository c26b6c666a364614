/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model's objects as objects on the bus. The kinds are the rows of objects/objects.h; nothing in here knows one of them. */

#include "bus/manager.h"

/* Told by the model; userdata is the Manager. Makes paths, and emits InterfacesAdded, InterfacesRemoved and PropertiesChanged. */
extern const ModelListener objects_listener;

/* Registers the root with its methods and its ObjectManager, and all other kinds of objects, on m->bus. *RET must live as long as
 * the bus. Returns 0 or a negative errno. */
int bus_objects_new(Manager *m, BusObjects **ret);
BusObjects *bus_objects_free(BusObjects *b);
