/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An org.freedesktop.PolicyKit1 that answers as the test says, or not at all: for surroundings without polkitd. It lives in the
 * loop of concurrent.h. */

#include "fixture.h"

typedef enum Answer {
        ANSWER_LATER, /* by asked_answer(), or never */
        ANSWER_YES,
        ANSWER_NO,
        ANSWER_CHALLENGE,         /* a person would have to authenticate, and may not be asked or did not */
        ANSWER_YES_AND_CHALLENGE, /* this and the following are what no polkit says */
        ANSWER_ERROR,
        ANSWER_NOTHING,
        ANSWER_NO_STRUCT,
        ANSWER_TEXT,
        ANSWER_SHORT_STRUCT,
        ANSWER_LONG_STRUCT,
        ANSWER_OTHER_DETAILS,
        ANSWER_MORE_ARGUMENTS,
        ANSWER_ARRAY,
        _ANSWER_MAX,
} Answer;

/* A CheckAuthorization that came. */
typedef struct Asked {
        sd_bus_message *message;
        const char *subject_kind, *subject_name; /* the subject's only entry, "name" */
        const char *action, *cookie;
        uint32_t flags;
        char *details; /* "name=value" a line, in the order of the message */
        bool answered, cancelled;
} Asked;

typedef struct ScriptedAuthority {
        sd_bus *bus;
        Answer answer;    /* to what comes from now on */
        GPtrArray *asked; /* all of them, the oldest first */
        unsigned n_cancelled;
        unsigned n_open; /* neither answered nor cancelled */
} ScriptedAuthority;

ScriptedAuthority *scripted_authority_new(Answer answer);
ScriptedAuthority *scripted_authority_free(ScriptedAuthority *a); /* leaves the bus */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ScriptedAuthority, scripted_authority_free)

/* Turns the loop until N questions came in all, or are open. */
void wait_for_asked(ScriptedAuthority *a, unsigned n);
void wait_for_open(ScriptedAuthority *a, unsigned n);

Asked *last_asked(ScriptedAuthority *a);
void asked_answer(ScriptedAuthority *a, Asked *q, Answer answer);
void answer_all(ScriptedAuthority *a, Answer answer); /* those that are open */
