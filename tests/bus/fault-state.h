/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The "kernel" of fault-backend: nodes and ports as files below the working directory. The layout is told in fault-backend.c.
 * A file that cannot be read or written, or has another content than it may have, ends the process: the test is wrong then. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"

#define FAULT_PORTALS_MAX 64

typedef struct FaultPort {
        bool enabled;
        bool sessions;
        size_t n_portals;
        Portal portals[FAULT_PORTALS_MAX];
        bool deaf[FAULT_PORTALS_MAX];
} FaultPort;

/* All workers of a state wait for each other here. Returns a descriptor; closing it lets the next one in. */
int state_lock(void);

bool state_has_node(const char *node);
void state_make_node(const char *node);
void state_remove_node(const char *node); /* it must have no ports */

bool state_load_port(const char *node, uint16_t tag, FaultPort *ret);        /* whether it is there */
void state_save_port(const char *node, uint16_t tag, const FaultPort *port); /* makes the node, too */
void state_remove_port(const char *node, uint16_t tag);

/* Names, in order; free with g_ptr_array_unref(). */
GPtrArray *state_list_nodes(void);
GArray *state_list_ports(const char *node); /* of uint16_t */

/* Replaces a file of the state at once, so that nobody sees half of it. */
void state_write_file(const char *path, const char *text);

/* The place of P in PORT, or PORT's n_portals if it is not there. */
size_t fault_port_find(const FaultPort *port, const Portal *p);
void fault_port_add(FaultPort *port, const Portal *p, bool deaf);
void fault_port_remove(FaultPort *port, size_t i);
