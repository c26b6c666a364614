/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of the rules share: a small host with something of everything, and the one way through which every answer of a rule goes. */

#include "model-fixture.h"

#define NODE_A "iqn.2001-04.com.example:a" /* both roles */
#define NODE_T "iqn.2001-04.com.example:t" /* a target alone */
#define NODE_I "iqn.2001-04.com.example:i" /* an initiator alone */
#define NODE_U "iqn.2001-04.com.example:u" /* both roles, made by another program */

/* Addresses       10.0.0.1, 10.0.0.2, 10.0.0.3 and ::, each with its portal on 3260 in group 0
 * made portals    10.0.0.1:860 in groups 1 and 2; 10.0.0.3:860 in group 1; 10.0.0.1:5000 in none; 10.0.0.1:5001 in group 0
 *                 10.0.9.9:860 and 10.0.9.9:861 in group 0, whose address is not there
 * groups          0 "default"; 1 "fast"; 2 "both" with 10.0.0.1:3260 too; 3 "empty"
 * ports of A      1 on 10.0.0.2:3260; an initiator's, 00023D000001, on 10.0.0.2
 * ports of T      2 on 10.0.0.2:3260 and 10.0.0.3:3260
 * port of U       1 on [::]:3260 and 10.0.0.3:860, an initiator's, 00023D000002, on 10.0.0.3 */
typedef struct World {
        Recorder *r;
        Model *model;
        Abilities abilities; /* all of them */
} World;

World *world_new(void);
void world_free(World *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

/* What a caller named; TEXT must outlive it. */
Reference reference(World *w, const char *text);

/* CALL is a check that is given &why. It must refuse with EXPECTED; its sentence must have each of NAMES in it, which are separated by '|'. And
 * what holds for all refusals: the method has a code for it, and the sentence is fit for people. */
#define assert_refused(method, expected, names, call)                            \
        do {                                                                     \
                char *why = NULL;                                                \
                int _answer = (call);                                            \
                answer_refused(G_STRLOC, method, expected, names, _answer, why); \
        } while (0)

#define assert_allowed(call)                            \
        do {                                            \
                char *why = NULL;                       \
                int _answer = (call);                   \
                answer_allowed(G_STRLOC, _answer, why); \
        } while (0)

void answer_refused(const char *where, Method m, Refusal expected, const char *names, int answer, char *why);
void answer_allowed(const char *where, int answer, char *why);

/* Checks that each code of the method was answered through assert_refused() in this process, but for EXCEPT (REFUSAL_NONE: none), and each of
 * ALSO, which ends with REFUSAL_NONE. */
void assert_covered(Method m, Refusal except, const Refusal *also);
