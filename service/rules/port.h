/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rules for ports.
 *
 * Order of CreateiSCSIProtocolEndpoint, decided over all portals at each step so that the array's order never matters:
 *   creation supported (1) → shape of the arguments (5) → node (4096) → role (4097) → Identifier selectable (4099) → its form (5)
 *   → its uniqueness (4098) → portals exist (4100) → their class fits the role (5) → TCP endpoints bound to an address (4101)
 *   → in use by another port of this node (4102) → one collection holds them all (4103) → what only we know (vendor codes). */

#include <stdint.h>

#include "rules/limits.h"
#include "rules/reference.h"

typedef struct CreatePortRequest {
        Reference node;
        uint16_t role;
        const char *identifier; /* "": the service chooses */
        const Reference *portals;
        size_t n_portals;
        uint64_t minimum; /* of a chosen Identifier; 0 at the first try */
} CreatePortRequest;

typedef struct CreatePortPlan {
        Node *node;
        uint64_t identifier;
} CreatePortPlan;

int check_create_port(Model *m, const Abilities *a, const CreatePortRequest *q, CreatePortPlan *ret, char **ret_why);
int check_delete_port(Model *m, const Reference *port, Port **ret, char **ret_why);

/* RequestStateChange: 2 Enabled, 3 Disabled. */
int check_request_state(Model *m, const Reference *port, uint16_t state, Port **ret, bool *ret_enable, char **ret_why);

/* Whether a port of ROLE, which is 2 or 3, can be so. */
int check_switch(const Abilities *a, uint16_t role, bool enable, char **ret_why);

int check_bind_port(Model *m, const Abilities *a, const Reference *port, const Reference *portal, Port **ret, char **ret_why);
int check_unbind_port(Model *m, const Reference *port, const Reference *portal, Port **ret, Binding **ret_binding,
                      char **ret_why);
