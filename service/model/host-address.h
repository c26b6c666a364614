/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the host's addresses, as they come and go, do to the model. */

#include "model/kinds.h"

/* Each gets, unasked, a TCP endpoint on ISCSI_PORT_DEFAULT in the built-in group, a declared one too. Declaring an address that
 * is declared already is -EEXIST. */
int model_add_address(Model *m, const IpAddress *a, const IpAttributes *attributes);
void model_change_address(Model *m, const IpAddress *a, const IpAttributes *attributes);
void model_remove_address(Model *m, const IpAddress *a);
int model_declare_address(Model *m, const IpAddress *a, const char *element_name /* "": none */);
void model_undeclare_address(Model *m, IpEndpoint *ip);
