/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the host's addresses, as they come and go, do to the model. */

#include "model/endpoint.h"

/* Each address gets, unasked, a TCP endpoint on ISCSI_PORT_DEFAULT in the built-in group. */
int model_add_address(Model *m, const IpAddress *a, const IpAttributes *attributes);
void model_change_address(Model *m, const IpAddress *a, const IpAttributes *attributes);
void model_remove_address(Model *m, const IpAddress *a);
