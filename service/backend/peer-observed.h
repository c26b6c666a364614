/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The answers that tell what is in force. */

#include <systemd/sd-bus.h>

#include "backend/base.h"

/* Each reads the arguments of M, whose signature is right, and returns 0, -E2BIG (more than OBSERVED_…_MAX) or another negative
 * errno. *RET is to be freed also on failure: with observed_node_done(), and with strings_free(). */
int peer_read_observed(sd_bus_message *m, const char *backend, const char *node, ObservedNode *ret);
int peer_read_nodes(sd_bus_message *m, const char *backend, char ***ret);
