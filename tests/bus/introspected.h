/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the running service says of itself, by introspection. */

#include "fixture.h"

typedef struct Member {
        char *interface, *name, *signature; /* signature: of the arguments in */
} Member;

/* All methods of the object at PATH (of Member), in the order of the XML. g_ptr_array_unref() it. */
GPtrArray *introspect_methods(sd_bus *bus, const char *path);

/* The methods of the service's own interface: all that can change something. */
GPtrArray *introspect_service_methods(sd_bus *bus);
