/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/authority.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/macro.h"
#include "common/refusal.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION 1u

/* Who is behind a unique name, which the bus gives to nobody else later. So a caller is asked about once. */
typedef struct Identity {
        char name[32]; /* "": none */
        uid_t uid;
} Identity;

struct Authority {
        sd_bus *bus;          /* for questions */
        sd_bus *callers;      /* their connection */
        sd_bus_slot *leaving; /* watches on it who leaves the bus */
        uint64_t deadline_usec;
        Question *questions;
        unsigned n_asking;  /* those for which polkit is being asked */
        unsigned n_unknown; /* those whose caller's uid is not known yet */
        sd_event *event;
        bool paused; /* nothing more is read from callers */
        uint64_t last_cookie;
        Identity identities[IDENTITIES_MAX];
        unsigned next_identity; /* the place that is used next */
};

struct Question {
        Authority *authority;
        sd_bus_message *message;
        const char *action;
        char **details;
        question_answered_t answered;
        void *userdata;

        uid_t uid;
        bool unknown;           /* the bus is being asked for it */
        uint64_t expires_usec;  /* UINT64_MAX: a person may be typing a password */
        sd_bus_slot *slot;      /* of the call under way */
        sd_event_source *later; /* brings REFUSAL, or a uid that was known before */
        sd_bus_error refusal;
        char cookie[32]; /* by which polkit is told to forget the question; "" unless it is asking */
        Question *next, **link;
};

static Identity *find_identity(Authority *a, const char *name) {
        for (size_t i = 0; i < IDENTITIES_MAX; i++)
                if (strcmp(a->identities[i].name, name) == 0)
                        return a->identities + i;

        return NULL;
}

static void keep_identity(Authority *a, const char *name, uid_t uid) {
        Identity *i = a->identities + a->next_identity;

        if (strlen(name) >= sizeof(i->name) || find_identity(a, name))
                return;
        strcpy(i->name, name);
        i->uid = uid;
        a->next_identity = (a->next_identity + 1) % IDENTITIES_MAX;
}

static void forget_identity(Authority *a, const char *name) {
        Identity *i = find_identity(a, name);

        if (i)
                i->name[0] = '\0';
}

uid_t question_uid(const Question *q) {
        return q->uid;
}

/* The bus may have many calls to carry before it comes to our questions. Until it does, they wait there, not here: or else there
 * would be no place left for anybody. The answers come on the other connection. */
static void authority_pace(Authority *a) {
        int r;

        if (sd_event_get_state(a->event) >= SD_EVENT_EXITING)
                return;
        if (a->paused ? a->n_unknown > UNKNOWN_MAX / 2 : a->n_unknown < UNKNOWN_MAX)
                return;

        r = a->paused ? sd_bus_attach_event(a->callers, a->event, SD_EVENT_PRIORITY_NORMAL) : sd_bus_detach_event(a->callers);
        if (r < 0) {
                log_error_errno(r, "Failed to %s callers", a->paused ? "go on with" : "pause");
                (void) sd_event_exit(a->event, EXIT_FAILURE);
                return;
        }
        a->paused = !a->paused;
}

static void question_set_known(Question *q) {
        if (!q->unknown)
                return;

        q->unknown = false;
        q->authority->n_unknown--;
        authority_pace(q->authority);
}

static bool is_asking(const Question *q) {
        return q->cookie[0] != '\0';
}

static void question_stop_asking(Question *q) {
        if (!is_asking(q))
                return;

        q->authority->n_asking--;
        q->cookie[0] = '\0';
}

/* Lets polkit take its password prompt away. It says nothing that we would wait for. */
static void question_cancel(Question *q) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        if (sd_bus_message_new_method_call(q->authority->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization") < 0 ||
            sd_bus_message_append(m, "s", q->cookie) < 0 || sd_bus_message_set_expect_reply(m, false) < 0 ||
            sd_bus_message_set_auto_start(m, false) < 0)
                return;

        (void) sd_bus_send(q->authority->bus, m, NULL);
}

Question *question_free(Question *q) {
        if (!q)
                return NULL;

        if (is_asking(q))
                question_cancel(q);
        question_stop_asking(q);
        question_set_known(q);

        *q->link = q->next;
        if (q->next)
                q->next->link = q->link;

        sd_event_source_disable_unref(q->later);
        sd_bus_error_free(&q->refusal);
        sd_bus_slot_unref(q->slot);
        sd_bus_message_unref(q->message);
        for (char **d = q->details; d && *d; d++)
                free(*d);
        free(q->details);
        free(q);
        return NULL;
}

static void question_answer(Question *q, Verdict verdict, const sd_bus_error *error) {
        question_stop_asking(q);
        q->slot = sd_bus_slot_unref(q->slot);

        q->answered(q, verdict, error, q->userdata);
}

static void question_refuse(Question *q, const char *name, const char *format, ...) _printf_(3, 4);
static void question_refuse(Question *q, const char *name, const char *format, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        va_list ap;

        va_start(ap, format);
        (void) sd_bus_error_setfv(&error, name, format, ap);
        va_end(ap);

        question_answer(q, VERDICT_REFUSED, &error);
}

static const char *refuse_limit(Question *q) {
        unsigned n = 0;

        if (q->authority->n_asking >= QUESTIONS_MAX)
                return "too many authorization questions are open";

        for (const Question *other = q->authority->questions; other; other = other->next)
                if (is_asking(other) && other->uid == q->uid)
                        n++;
        if (n >= QUESTIONS_PER_UID_MAX)
                return "too many authorization questions of this user are open";

        return NULL;
}

static int polkit_answered(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        Question *q = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int r, granted = 0, challenge = 0;

        if (e) {
                log_warning("Failed to ask polkit about %s for uid %u: %s", q->action, (unsigned) q->uid,
                            e->message ? e->message : e->name);

                /* The bus, too, says NoReply: when polkit ends without having answered. */
                if (monotonic_usec() >= q->expires_usec) {
                        question_cancel(q);
                        question_refuse(q, ERROR_NAME_PREFIX "Timeout",
                                        "polkit did not answer whether %s is allowed; see whether polkit.service is well (%u)",
                                        q->action, refusal_common_code(REFUSAL_TIMEOUT));
                } else
                        question_refuse(
                                q, SD_BUS_ERROR_ACCESS_DENIED,
                                "polkit could not be asked whether %s is allowed; until it can, root alone may change anything",
                                q->action);
                return 1;
        }

        r = sd_bus_message_has_signature(reply, "(bba{ss})");
        if (r > 0)
                r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r > 0)
                r = sd_bus_message_read(reply, "bb", &granted, &challenge);
        if (r <= 0 || (granted && challenge)) {
                log_error("polkit gave an answer of an unknown form about %s", q->action);
                question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "polkit gave an answer of an unknown form about %s", q->action);
                return 1;
        }

        if (granted)
                question_answer(q, VERDICT_GRANTED, NULL);
        else if (challenge && sd_bus_message_get_allow_interactive_authorization(q->message) <= 0)
                question_refuse(q, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                "%s needs a person to authenticate, and the call does not allow asking one", q->action);
        else
                question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow %s to uid %u", q->action,
                                (unsigned) q->uid);

        return 1;
}

static int question_ask_polkit(Question *q) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Authority *a = q->authority;
        bool interactive = sd_bus_message_get_allow_interactive_authorization(q->message) > 0;
        char cookie[sizeof(q->cookie)];
        int r;

        r = sd_bus_message_new_method_call(a->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s", sd_bus_message_get_sender(q->message),
                                  q->action);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r < 0)
                return r;
        for (char **d = q->details; d && *d; d += 2) {
                r = sd_bus_message_append(m, "{ss}", d[0], d[1]);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;

        (void) snprintf(cookie, sizeof(cookie), "iscsi-%" PRIu64, ++a->last_cookie);
        r = sd_bus_message_append(m, "us", interactive ? POLKIT_ALLOW_INTERACTION : 0u, cookie);
        if (r < 0)
                return r;

        q->expires_usec = interactive ? UINT64_MAX : monotonic_usec() + a->deadline_usec;
        r = sd_bus_call_async(a->bus, &q->slot, m, polkit_answered, q, interactive ? UINT64_MAX : a->deadline_usec);
        if (r < 0)
                return r;

        memcpy(q->cookie, cookie, sizeof(cookie));
        a->n_asking++;
        return 0;
}

/* Somebody, or a well-known name, left the bus. */
static int name_lost(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error) {
        Authority *a = userdata;
        const char *name;
        Question *next;

        if (sd_bus_message_read(m, "s", &name) <= 0)
                return 0;

        forget_identity(a, name);
        for (Question *q = a->questions; q; q = next) {
                next = q->next;
                if (strcmp(sd_bus_message_get_sender(q->message), name) != 0)
                        continue;
                if (is_asking(q))
                        question_cancel(q);
                question_answer(q, VERDICT_LEFT, NULL);
        }

        return 0;
}

int authority_new(sd_bus *bus, sd_bus *asking_bus, uint64_t deadline_usec, Authority **ret) {
        Authority *a;
        int r;

        a = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        a->bus = asking_bus;
        a->callers = bus;
        a->event = sd_bus_get_event(bus);
        a->deadline_usec = deadline_usec;

        /* One watch for all callers: dbus-daemon allows a connection 512, fewer than there may be questions. It is in force
         * before our name is ours, and on this connection a caller's leaving comes behind its calls: when it is told, the
         * question is there already. Without the watch sd-bus closes the connection, and the service ends. */
        r = sd_bus_add_match_async(bus, &a->leaving,
                                   "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                   "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                                   name_lost, NULL, a);
        if (r < 0) {
                free(a);
                return r;
        }

        *ret = a;
        return 0;
}

Authority *authority_free(Authority *a) {
        if (!a)
                return NULL;

        sd_bus_slot_unref(a->leaving);
        free(a);
        return NULL;
}

static int uid_answered(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        Question *q = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        uint32_t uid;
        int r;

        question_set_known(q);

        if (e) {
                /* The bus knows all who are on it: the caller is not, any more. */
                if (sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                        question_answer(q, VERDICT_LEFT, NULL);
                else
                        question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "The bus does not tell who is calling: %s",
                                        e->message ? e->message : e->name);
                return 1;
        }

        r = sd_bus_message_read(reply, "u", &uid);
        if (r <= 0 || uid == UINT32_MAX) {
                question_refuse(q, SD_BUS_ERROR_ACCESS_DENIED, "The bus does not tell who is calling");
                return 1;
        }

        q->uid = uid;
        keep_identity(q->authority, sd_bus_message_get_sender(q->message), uid);
        question_answer(q, VERDICT_GRANTED, NULL);
        return 1;
}

/* Whether the bus is still being asked for the caller of an earlier call: a later one must not overtake it. */
static bool question_has_predecessor(const Question *q) {
        for (const Question *other = q->authority->questions; other; other = other->next)
                if (other != q && other->unknown &&
                    strcmp(sd_bus_message_get_sender(other->message), sd_bus_message_get_sender(q->message)) == 0)
                        return true;

        return false;
}

static int question_ask_bus(Question *q) {
        return sd_bus_call_method_async(q->authority->bus, &q->slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "GetConnectionUnixUser", uid_answered, q, "s",
                                        sd_bus_message_get_sender(q->message));
}

/* Answers from the event loop, never from within question_ask(). */
static int refuse_later(_unused_ sd_event_source *s, void *userdata) {
        Question *q = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        q->later = sd_event_source_disable_unref(q->later);
        (void) sd_bus_error_move(&error, &q->refusal);
        question_answer(q, VERDICT_REFUSED, &error);
        return 0;
}

static int question_refuse_later(Question *q, const char *name, const char *format, ...) _printf_(3, 4);
static int question_refuse_later(Question *q, const char *name, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) sd_bus_error_setfv(&q->refusal, name, format, ap);
        va_end(ap);
        return sd_event_add_defer(q->authority->event, &q->later, refuse_later, q);
}

static int copy_details(Question *q, char *const *details) {
        size_t n = 0;

        while (details[n])
                n++;
        q->details = calloc(n + 1, sizeof(char *));
        if (!q->details)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                q->details[i] = strdup(details[i]);
                if (!q->details[i])
                        return -ENOMEM;
        }
        return 0;
}

int question_ask(Question *q, const char *action, char *const *details) {
        const char *limit;
        int r;

        q->action = action;
        r = copy_details(q, details);
        if (r < 0)
                return r;

        limit = refuse_limit(q);
        if (limit)
                return question_refuse_later(q, ERROR_NAME_PREFIX "LimitReached", "%s; answer or cancel one first (%u)", limit,
                                             refusal_common_code(REFUSAL_LIMIT_REACHED));

        q->slot = sd_bus_slot_unref(q->slot);
        r = question_ask_polkit(q);
        if (r < 0) {
                log_error_errno(r, "Failed to ask polkit about %s", q->action);
                return question_refuse_later(q, SD_BUS_ERROR_ACCESS_DENIED, "polkit could not be asked whether %s is allowed",
                                             q->action);
        }
        return 0;
}

int authority_identify(Authority *a, sd_bus_message *m, question_answered_t answered, void *userdata, Question **ret) {
        const Identity *known;
        Question *q;
        int r;

        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        q->authority = a;
        q->message = sd_bus_message_ref(m);
        q->answered = answered;
        q->userdata = userdata;
        q->uid = (uid_t) -1;
        q->next = a->questions;
        if (q->next)
                q->next->link = &q->next;
        q->link = &a->questions;
        a->questions = q;

        known = find_identity(a, sd_bus_message_get_sender(m));
        if (known && !question_has_predecessor(q)) {
                q->uid = known->uid;
                *ret = q;
                question_answer(q, VERDICT_GRANTED, NULL);
                return 0;
        }

        r = question_ask_bus(q);
        if (r < 0) {
                question_free(q);
                return r;
        }

        q->unknown = true;
        a->n_unknown++;
        authority_pace(a);

        *ret = q;
        return 0;
}
