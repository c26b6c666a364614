/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* iSCSI ports (iSCSIProtocolEndpoint), each of a node, with what they bind to. */

#include <stdbool.h>
#include <stdint.h>

#include "model/kinds.h"

Port *model_find_port(Model *m, Node *node, uint64_t identifier);

/* A target's portals become TCP endpoints where there are none yet. 0, -EEXIST (identifier, portal used by another port of the
 * node, or the same twice) or -ENOMEM, with nothing changed. */
int model_add_port(Model *m, Node *n, uint16_t role, uint64_t identifier, const Portal *portals, size_t n_portals, bool managed,
                   Port **ret);
int model_publish_port(Model *m, Port *p);

/* Makes an initiator port one of another node, with all that is known of it. 0, -EEXIST (that has its Identifier) or -ENOMEM. */
int model_move_port(Model *m, Port *p, Node *to);

int model_bind_port(Model *m, Port *p, const Portal *portal); /* as model_add_port() */

/* The same in two steps: the rules see a reserved binding at once, the outside when it is confirmed. model_unbind_port() takes
 * either back. */
int model_reserve_binding(Model *m, Port *p, const Portal *portal, Binding **ret);
void model_confirm_binding(Model *m, Binding *b);

void model_unbind_port(Model *m, Port *p, Binding *b);
Binding *port_find_binding(Port *p, const Object *endpoint);

/* The lowest Identifier of the node that is free and not below MINIMUM. Tags are tried from 1 (0 is never chosen), ISIDs of the
 * random format from 800000000001. Returns 0, or -ERANGE if none is free. */
int model_choose_identifier(Model *m, Node *n, uint16_t role, uint64_t minimum, uint64_t *ret);
