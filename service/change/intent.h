/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a caller wants: a method and its arguments, read once into a value that nobody changes afterwards. Rules, the question to
 * polkit, locks and plan are all made from it. So what was authorised is what is checked and done. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "change/method.h"
#include "common/macro.h"

typedef struct Argument {
        const ArgumentSpec *spec;
        bool given;               /* of an option: it was there */
        const char *text;         /* s, o */
        uint64_t number;          /* q, b */
        const char **texts;       /* as, ao */
        const uint16_t *numbers;  /* aq */
        struct Argument *members; /* a{sv}: one for each key; a(…): one for each field of each item, item after item */
        size_t n;                 /* elements of an array */
} Argument;

typedef struct Intent {
        const Method *method;
        Argument *arguments;
        void *blocks; /* all memory of it */
} Intent;

#define ARGUMENT_LENGTH_MAX 2048u /* bytes of a text or path */
#define ARRAY_LENGTH_MAX 64u      /* elements, unless the argument says otherwise */

/* An intent without arguments. Returns NULL without memory. */
Intent *intent_new(const Method *method);
Intent *intent_free(Intent *i);
DEFINE_TRIVIAL_CLEANUP(Intent *, intent_free);

/* Zeroed memory, and a copy of TEXT, that live as long as the intent. NULL without memory. */
void *intent_alloc(Intent *i, size_t size);
char *intent_strdup(Intent *i, const char *text);

/* The argument with that name; it must be one of the method's. */
const Argument *intent_argument(const Intent *i, const char *name);
const char *intent_text(const Intent *i, const char *name);
uint64_t intent_number(const Intent *i, const char *name);

/* The option with that key, NULL if it was not given. OPTIONS is the name of the a{sv}; it is "Options" in all methods. */
const Argument *intent_option(const Intent *i, const char *key);

/* Field NAME of item K of the a(…) argument A. */
const Argument *argument_field(const Argument *a, size_t k, const char *name);

/* Calls EACH for every argument, given option and field of every item. Stops at the first negative return value and returns
 * it. */
int intent_walk(const Intent *i, int (*each)(const Argument *a, void *userdata), void *userdata);
