/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a call says, read from its sealed message. */

#include "bus/change-kind.h"

/* Reads M from its beginning by KIND's signature and looks up the objects that it names. Returns 0, a Refusal with its sentence (an option that is not
 * defined, twice, or of a wrong type), or a negative errno. What A holds leads into M. */
int arguments_read(Arguments *a, const ChangeKind *kind, sd_bus_message *m, Model *model, char **ret_why);
void arguments_done(Arguments *a);

/* A longer text or path, or more than LIMIT_PORTALS_PER_PORT portals, is refused as it is read. */
#define ARGUMENT_LENGTH_MAX 1024u

/* The name of the node that the call is about (malloc'ed), NULL if it is about none. Changes to one node run one after the other. */
int arguments_node_name(const Arguments *a, const ChangeKind *kind, char **ret);

/* NAME as the service would store it, so that what compares names cannot be got round by spelling; else as it is. NULL: no memory. */
char *node_name_as_stored(const char *name);

/* The element of PATH behind PREFIX, decoded (malloc'ed); NULL if PATH is not below PREFIX, what it says has control characters, or memory is
 * short. */
char *path_decode_below(const char *path, const char *prefix);
