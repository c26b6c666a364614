/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names of our records: "icd-", 16 hex digits made from the node's name (or "host"), "-", the Identifier in 12 hex digits.
 *
 * The host's own node is known by the name HOST_NODE and not by its iSCSI name, which is the business of open-iscsi's file: its
 * records carry no name, so they and what they are called stay when that changes. */

#include <stdbool.h>
#include <stdint.h>

#include "workers/open-iscsi/record.h"

/* Writes the name of the record of a port. */
void record_name_make(const char *node, uint64_t identifier, char ret[static RECORD_NAME_MAX + 1]);

/* Whether FILE is the name of a record of NODE, and of which port; RET_IDENTIFIER may be NULL. */
bool record_name_is_of(const char *file, const char *node, uint64_t *ret_identifier);

/* Whether FILE has the form of our names at all. */
bool record_name_is_ours(const char *file);
