/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an intent tells to others: the details of the question to polkit, the locks that it needs, the name of its object for the
 * log. All are made from the arguments alone, never from the model, so they cannot change while somebody types a password. */

#include "change/intent.h"
#include "change/locks.h"

/* Pairs of names and values, NULL-terminated. Freed with details_free(). Returns 0 or -ENOMEM. */
int details_new(const Intent *i, char ***ret);
char **details_free(char **d);
DEFINE_TRIVIAL_CLEANUP(char **, details_free);

/* Adds the locks that INTENT needs. Returns 0 or -ENOMEM. */
int details_locks(const Intent *i, LockSet *locks);

/* What INTENT is about, for people: "node iqn.…, port 000000000001". Malloc'ed; NULL without memory. */
char *details_subject(char *const *details);

#define LOCK_NODE "node/"
#define LOCK_ALIAS "alias/"
#define LOCK_PORTALS "portals" /* TCP endpoints, portal groups, declared addresses */
