/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Identifiers that initiator ports get unasked: ISIDs of the random format (RFC 7143 §11.12.5).
 *
 * The 24 random bits are made from this machine's id, the node and, if it has any, the name of what the port is. Two hosts that
 * share a node's name then have different ones, and each keeps its own. The last 16 bits are counted up from 1. */

#include <stdint.h>

/* The first Identifier for ports of NODE; RECORD: the name of one that another program made, "" for ours. */
uint64_t isid_first(const char *node, const char *record);
