/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model's objects as objects on the bus. */

#include "bus/manager.h"

/* Told by the model; userdata is the Manager. Makes paths, and emits InterfacesAdded, InterfacesRemoved and PropertiesChanged. */
extern const ModelListener objects_listener;

/* Registers the root, its ObjectManager and the fallback vtables of all classes on m->bus. Returns 0 or a negative errno. */
int objects_register(Manager *m);

/* One per class, in object-*.c. */
extern const sd_bus_vtable node_vtable[];
extern const sd_bus_vtable port_vtable[];
extern const sd_bus_vtable tcp_endpoint_vtable[];
extern const sd_bus_vtable ip_endpoint_vtable[];
extern const sd_bus_vtable portal_group_vtable[];

/* The service's own properties; the methods come from the table in methods.h. The caller frees *RET, which must live as long as the bus. */
int service_vtable_new(sd_bus_vtable **ret);
