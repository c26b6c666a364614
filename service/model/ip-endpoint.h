/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Host addresses (IP endpoints), those that are declared too. What makes them come and go: see host-address.h. */

#include "model/kinds.h"

IpEndpoint *model_find_ip_endpoint(Model *m, const IpAddress *address);

/* For the model's own files. */

/* The endpoint of the address, made unless it exists; it lives until endpoint_release_ip() finds no reason for it. */
int endpoint_acquire_ip(Model *m, const IpAddress *a, IpEndpoint **ret);
void endpoint_release_ip(Model *m, IpEndpoint *ip);

size_t size_of_ip_endpoint(const IpEndpoint *ip);
