/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* iSCSI ports (iSCSIProtocolEndpoint), each of a node, with what they bind to. */

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/identifier.h"
#include "model/object.h"

struct Port {
        Object object;
        struct {
                Node *node;
                uint64_t identifier;
        } key;
        uint16_t role;
        bool managed;
        ObjectState state;
        char *description;
        Binding **bindings; /* in the order in which they were made */
        size_t n_bindings;
        Port *next_of_node, **link_of_node;
        UT_hash_handle hh; /* by key */
};

Port *model_find_port(Model *m, Node *node, uint64_t identifier);

/* A target's portals become TCP endpoints where there are none yet. 0, -EEXIST (identifier, portal used by another port of the
 * node, or the same twice) or -ENOMEM, with nothing changed. */
int model_add_port(Model *m, Node *n, uint16_t role, uint64_t identifier, const Portal *portals, size_t n_portals, bool managed,
                   Port **ret);
int model_publish_port(Model *m, Port *p);
void model_remove_port(Model *m, Port *p);
void model_set_port_state(Model *m, Port *p, ObjectState state, const char *description);
int model_bind_port(Model *m, Port *p, const Portal *portal); /* as model_add_port() */
void model_unbind_port(Model *m, Port *p, Binding *b);
Binding *port_find_binding(Port *p, const Object *endpoint);

/* The lowest Identifier of the node that is free and not below MINIMUM. Tags are tried from 1 (0 is never chosen), ISIDs of the random format
 * from 800000000001. Returns 0, or -ERANGE if none is free. */
int model_choose_identifier(Model *m, Node *n, uint16_t role, uint64_t minimum, uint64_t *ret);
