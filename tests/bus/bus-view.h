/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the service shows on the bus, as text that can be compared: its objects with all their properties, and its signals. */

#include "fixture.h"

/* All objects of GetManagedObjects with all of their properties, as managed_objects_text() gives them. */
char *view_objects(sd_bus *bus);

/* Ends the test unless both are the same; shows the first line that is not. */
#define assert_same_text(a, b, what) assert_same_text_at(G_STRLOC, (a), (b), (what))
void assert_same_text_at(const char *where, const char *a, const char *b, const char *what);

/* What the backend must have if all nodes and ports on the bus are in force, in the form of fault_memory(). Every one of them
 * must be managed and say that it is enabled (2) and well (2). */
char *view_in_force(sd_bus *bus);

/* "ROOT_PATH/tcp/…" of "127.0.0.1:3260". g_free it. */
char *tcp_path(const char *portal);
char *node_path(const char *name);
char *port_path(const char *node_name, unsigned tag);

/* Collects the service's signals that come on BUS. */
typedef struct Signals Signals;
Signals *signals_new(sd_bus *bus);
void signals_free(Signals *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Signals, signals_free)

/* Those since the last call, "MEMBER PATH" a line. All that the service sent before its last answer on BUS is in it. */
char *signals_take(Signals *s);
