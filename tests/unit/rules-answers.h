/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one way through which every answer of a rule goes in its tests. */

#include "change/methods/methods.h"
#include "rules-fixture.h"

/* CALL is a check that is given &why. It must refuse with EXPECTED; its sentence must have each of NAMES in it, which are
 * separated by '|'. And what holds for all refusals: the method has a code for it, and the sentence is fit for people. */
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

void answer_refused(const char *where, const Method *m, Refusal expected, const char *names, int answer, char *why);
void answer_allowed(const char *where, int answer, char *why);

/* Checks that each code of the method was answered through assert_refused() in this process, but for EXCEPT (REFUSAL_NONE: none),
 * and each of ALSO, which ends with REFUSAL_NONE. */
void assert_covered(const Method *m, Refusal except, const Refusal *also);
