/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rules for nodes. */

#include <stdint.h>

#include "rules/limits.h"
#include "rules/reference.h"

typedef struct CreateNodeRequest {
        const char *alias;
        const char *name; /* NULL: generated is taken */
        const char *generated;
        const uint16_t *roles; /* NULL: target alone */
        size_t n_roles;
} CreateNodeRequest;

typedef struct CreateNodePlan {
        char *name; /* normalized; malloc'ed */
        unsigned roles;
} CreateNodePlan;

int check_create_node(Model *m, const Abilities *a, const CreateNodeRequest *q, CreateNodePlan *ret, char **ret_why);
typedef struct ModifyNodeRequest {
        Reference node;
        const char *alias; /* NULL: stays */
        const char *drift; /* "default", "report" or "enforce"; NULL: stays */
} ModifyNodeRequest;

typedef struct ModifyNodePlan {
        Node *node;
        const char *alias; /* the request's, or the node's own */
        DriftPolicy drift;
} ModifyNodePlan;

int check_modify_node(Model *m, const ModifyNodeRequest *q, ModifyNodePlan *ret, char **ret_why);
int check_adopt_node(Model *m, const Reference *node, Node **ret, char **ret_why);   /* one of ours: 0 */
int check_release_node(Model *m, const Reference *node, Node **ret, char **ret_why); /* one of others: 0 */
int check_delete_node(Model *m, const Reference *node, Node **ret, char **ret_why);
