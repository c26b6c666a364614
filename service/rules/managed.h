/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What another program made is read-only here. */

#include "model/model.h"

int check_node_managed(const Node *n, char **ret_why);
int check_port_managed(const Port *p, char **ret_why);
