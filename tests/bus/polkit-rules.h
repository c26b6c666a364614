/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Rules of the real polkitd in the surroundings, and what it was asked. All functions end the test on failure. */

#include "fixture.h"

/* Puts a rule in force in place of the last one: BODY is JavaScript that sees `action` and `subject` for the questions about the
 * service's actions, and returns what it decides; "" leaves all to the policy file. Returns when polkitd goes by it. */
void rules_set(const char *body);

/* Puts a whole file into polkitd's directory, beside the rule. It is in force once rules_set() was called after it. */
void rules_add_file(const char *name, const char *text);
void rules_remove_file(const char *name);

/* What polkitd was asked about the service's actions since the last call of this, a line each:
 *      USER ACTION method=… node=… role=… identifier=… portals=… group=… count=…
 * with the action's last part, and those details that the question had. g_free it. */
char *rules_take_questions(void);
