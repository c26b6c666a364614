/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* iSCSI nodes (SCSIProtocolController). */

#include <stdbool.h>
#include <stdint.h>

#include "model/kinds.h"

Node *model_find_node(Model *m, const char *name);
Node *model_find_node_by_alias(Model *m, const char *alias);

/* Name and alias are copied. 0, -EEXIST or -ENOMEM. */
int model_add_node(Model *m, const char *name, const char *alias, unsigned roles, bool managed, Node **ret);
int model_publish_node(Model *m, Node *n);
int model_set_node_alias(Model *m, Node *n, const char *alias); /* 0, -EEXIST or -ENOMEM */
void model_set_node_drift_policy(Model *m, Node *n, DriftPolicy policy);
void model_set_node_roles(Model *m, Node *n, unsigned roles);
void model_set_node_persistent(Model *m, Node *n, bool persistent);

/* For the model's own files: what its path adds to the size of a message. */
size_t size_of_node_path(const Node *n);
