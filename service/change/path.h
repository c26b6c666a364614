/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an object's path tells without asking the model. */

#include "objects/objects.h" /* ROOT_PATH */

#define NODE_PATH ROOT_PATH "/node"
#define TCP_PATH ROOT_PATH "/tcp"
#define IP_PATH ROOT_PATH "/ip"
#define GROUP_PATH ROOT_PATH "/portal_group"

/* The element of PATH after PREFIX, decoded (malloc'ed). NULL if PATH is not below PREFIX, if the element has control characters,
 * or without memory. */
char *path_decode_below(const char *path, const char *prefix);
