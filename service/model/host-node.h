/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The node that this host itself is as an initiator. Its name is the business of another program and may change; so the store and
 * the backend know it, in this role, as HOST_NODE (common/name.h), and so it is called while it has no valid name. If a managed
 * target node has its name, both are one node in two roles. */

#include "model/kinds.h"

/* Of that node as long as no target has its name. */
#define HOST_NODE_ROLES ROLE_BIT(ROLE_INITIATOR)

/* NULL: there is none. */
Node *model_host_node(const Model *m);

/* Adds it, unpublished and without a name. 0, -EEXIST (there is one, or a node is called HOST_NODE) or -ENOMEM. */
int model_add_host_node(Model *m, Node **ret);

/* Gives it NAME; NULL: none. Its initiator ports go with it, at once: it is another object afterwards, and the old one is gone
 * unless it is a target, too. 0, -EEXIST (an initiator node is called so), -EBUSY (one that is called so is being made) or
 * -ENOMEM. */
int model_name_host_node(Model *m, const char *name);

/* By which name the store and the backend of ROLE know N. */
const char *node_known_as(const Node *n, uint16_t role);

/* By which name the store knows what it has of N as a node. */
const char *node_stored_as(const Node *n);

/* The node that they mean by NAME; NULL: there is none. */
Node *model_find_known_node(Model *m, const char *name);
