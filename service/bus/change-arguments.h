/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a call says: read from its sealed message, and put into words for polkit's rules. */

#include "bus/change.h"

/* Reads M from its beginning by KIND's signature and looks up the objects that it names. Returns 0, a Refusal with its sentence (an option that is not
 * defined, twice, or of a wrong type), or a negative errno. What A holds leads into M. */
int arguments_read(Arguments *a, const ChangeKind *kind, sd_bus_message *m, Model *model, char **ret_why);
void arguments_done(Arguments *a);

/* The details of the authorization question, as documented in docs/architecture.md: names and values, NULL-terminated, malloc'ed. They are made from
 * the message alone and not from the model, so that they are the same however long the question stays open. */
int arguments_describe(const Arguments *a, const ChangeKind *kind, char ***ret);
char **details_free(char **d);
DEFINE_TRIVIAL_CLEANUP(char **, details_free);

/* The name of the node that the call is about (malloc'ed), NULL if it is about none. Changes to one node run one after the other. */
int arguments_node_name(const Arguments *a, const ChangeKind *kind, char **ret);
