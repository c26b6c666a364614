/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What another program made is read-only here, and what is being removed can only be removed. */

#include "model/model.h"

int check_node_managed(const Node *n, char **ret_why);
int check_port_managed(const Port *p, char **ret_why);

/* A removal that could not be finished goes on by itself, or when it is called again. */
int check_node_stays(const Node *n, char **ret_why);
int check_port_stays(const Port *p, char **ret_why); /* its node too */
