/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who may change anything: asks the bus for the caller's uid and polkit for its permission, without ever waiting.
 *
 * Fails closed: whatever is not a clear yes is a no. The subject is the caller's unique bus name, which the bus never gives to
 * anybody else. Interaction is allowed if and only if the message says so; then a person may be typing a password and there is no
 * deadline. uid 0 is not asked about (polkit's own rule), so root works without polkit and ten times faster. */

#include <systemd/sd-bus.h>

typedef struct Authority Authority;
typedef struct Question Question;

/* Questions that may be open at once. dbus-daemon allows our connection 128 pending replies: an uncapped daemon would fail for
 * everybody. */
#define QUESTIONS_MAX 64u
#define QUESTIONS_PER_UID_MAX 8u

/* So many callers may be asked about at the bus at once; no more calls are read meanwhile. */
#define UNKNOWN_MAX 256u

/* So many callers are remembered, with their uids, until they leave the bus. */
#define IDENTITIES_MAX 64u

#define AUTHORITY_DEADLINE_USEC (25 * UINT64_C(1000000))

typedef enum Verdict {
        VERDICT_GRANTED,
        VERDICT_REFUSED, /* ERROR says why and is what the caller gets */
        VERDICT_LEFT,    /* the caller left the bus, before or after a grant: do not act, do not answer */
} Verdict;

/* Called once with the answer, and perhaps once more with VERDICT_LEFT as long as a granted question is kept. The callee may free
 * this question and no other. */
typedef void (*question_answered_t)(Question *q, Verdict verdict, const sd_bus_error *error, void *userdata);

/* BUS is the connection of the callers, where it is heard that they leave. ASKING_BUS is another one, so that questions and
 * answers do not wait behind callers' messages. Both are attached to an event loop. DEADLINE_USEC is for questions that no person
 * may answer. */
int authority_new(sd_bus *bus, sd_bus *asking_bus, uint64_t deadline_usec, Authority **ret);
Authority *authority_free(Authority *a); /* after all of its questions */

/* Finds out who the sender of M is; the bus is asked once for each caller that stays. ANSWERED is called with VERDICT_GRANTED
 * when question_uid() is known. That is from within, with *RET set, if the caller was known before. Returns 0, or a negative
 * errno when nothing was asked. */
int authority_identify(Authority *a, sd_bus_message *m, question_answered_t answered, void *userdata, Question **ret);

/* Asks polkit whether a caller that was identified may do ACTION. DETAILS are pairs of names and values for polkit's rules,
 * NULL-terminated, copied. Not for uid 0, which is not asked about. Returns 0, and ANSWERED is called again, never from within;
 * or a negative errno. */
int question_ask(Question *q, const char *action, char *const *details);

/* Withdraws the question: polkit is told to forget it. */
Question *question_free(Question *q);

uid_t question_uid(const Question *q); /* of the caller, from the first answer on; (uid_t) -1 if it is not known */
