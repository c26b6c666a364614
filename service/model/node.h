/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* iSCSI nodes (SCSIProtocolController). */

#include <stdbool.h>
#include <stdint.h>

#include "model/object.h"

struct Node {
        Object object;
        char *name;     /* normalized iSCSI name */
        char *alias;    /* "" if it has none */
        unsigned roles; /* set of ROLE_BIT() */
        bool managed;
        ObjectState state;
        char *description; /* of the state; NULL: nothing to say */
        Port *ports;       /* list through next_of_node */
        uint64_t tag_hint; /* no tag below is free, except 0 */
        uint64_t isid_hint;
        UT_hash_handle hh_name, hh_alias;
};

Node *model_find_node(Model *m, const char *name);
Node *model_find_node_by_alias(Model *m, const char *alias);
Node *model_first_node(Model *m); /* all, published or not: the next one is in hh_name.next */

/* Name and alias are copied. 0, -EEXIST or -ENOMEM. */
int model_add_node(Model *m, const char *name, const char *alias, unsigned roles, bool managed, Node **ret);
int model_publish_node(Model *m, Node *n);
void model_set_node_state(Model *m, Node *n, ObjectState state, const char *description);

/* For the model's own files: takes out a node that has no ports, and what its path adds to the size of a message. */
void node_free(Model *m, Node *n);
size_t size_of_node_path(const Node *n);
