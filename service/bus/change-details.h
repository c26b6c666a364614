/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What polkit's rules see of a call: the details that org.iscsi.ConfigurationService.xml documents ("Authorization"). */

#include "bus/change-kind.h"

/* Names and values in turn, NULL-terminated, malloc'ed: each detail of KIND once, with an empty value where there is nothing to say. They are
 * made from the message alone and not from the model, so that they are the same however long the question stays open. Whatever the
 * message holds, they are UTF-8 without control characters, and not longer than it. Returns 0 or -ENOMEM. */
int details_new(const Arguments *a, const ChangeKind *kind, char ***ret);
char **details_free(char **d);
DEFINE_TRIVIAL_CLEANUP(char **, details_free);
