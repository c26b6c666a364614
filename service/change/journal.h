/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The journal: what is being removed. A row is written in the same commit that takes the object out of the desired state, with
 * the image of what was there before, and dropped when the object is gone. A row that is still there at start is a removal that a
 * crash cut short: the object comes back into the model, marked, and is removed again; or, if that is refused, becomes desired
 * again.
 *
 * A row's text has a line for each object:
 *      node <roles> <persistent> <drift> <name> <alias>
 *      port <role> <identifier> <enabled> <node> <portal> …
 *      binding <role> <identifier> <node> <portal>
 *      owed <identifier> <node>
 *
 * Its action is what was begun, with " forced" behind it if sessions are to be ended.
 *
 * The last kind of line is no removal: the port was being made, switched or bound, and may not be in force as it is desired. */

#include "change/plan.h"

/* Adds the row of plan P, which asks something of a backend, to CHANGE. Returns 0 or a negative errno. */
int journal_add(const Plan *p, StoreChange *change, uint64_t id);
int journal_drop(StoreChange *change, uint64_t id);

/* Puts what row ID tells of back into the model, marked with the row. Called for each row while the store is loaded, after all
 * objects. A row of which nothing is left is dropped; a line that no version wrote is logged and passed over, since it must not
 * keep the service from its work. Returns 0 or -ENOMEM. */
int journal_load(Context *c, uint64_t id, const char *action, const char *image);

/* What PORT was owed when the service started is in force: drops the row that said so, once nothing of it is owed any more. */
void journal_paid(Context *c, Port *port);
