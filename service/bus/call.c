/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/call.h"

#include <errno.h>
#include <string.h>

#include "bus/authority.h"
#include "bus/read-intent.h"
#include "change/check.h"
#include "change/engine.h"
#include "common/log.h"
#include "rules/refuse.h"

/* A caller on the bus. */
typedef struct Call {
        Caller caller;
        Manager *manager;
        sd_bus_message *message;
        Question *question;
        caller_answered_t answered;
        void *userdata;
} Call;

static void answered(Question *q, Verdict verdict, const sd_bus_error *error, void *userdata) {
        Call *c = userdata;

        switch (verdict) {
        case VERDICT_GRANTED:
                c->answered(CALLER_GRANTED, question_uid(q), NULL, c->userdata);
                return;
        case VERDICT_LEFT:
                c->answered(CALLER_LEFT, question_uid(q), NULL, c->userdata);
                return;
        case VERDICT_REFUSED:
                if (sd_bus_reply_method_error(c->message, error) < 0)
                        log_warning("Failed to answer %s", sd_bus_message_get_member(c->message));
                c->answered(CALLER_REFUSED, question_uid(q), error->message, c->userdata);
                return;
        }
}

static int call_identify(Caller *caller, caller_answered_t callback, void *userdata) {
        Call *c = (Call *) caller;

        c->answered = callback;
        c->userdata = userdata;
        return authority_identify(c->manager->authority, c->message, answered, c, &c->question);
}

static int call_authorize(Caller *caller, const char *action, char *const *details, caller_answered_t callback, void *userdata) {
        Call *c = (Call *) caller;

        c->answered = callback;
        c->userdata = userdata;
        return question_ask(c->question, action, details);
}

static void call_begin(Caller *caller) {
        Call *c = (Call *) caller;

        c->question = question_free(c->question);
}

static int reply_results(Call *c, const Outcome *o) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const Method *m = method_find(sd_bus_message_get_member(c->message));
        int r;

        r = sd_bus_message_new_method_return(c->message, &reply);
        if (r < 0)
                return r;
        if (m->out && strcmp(m->out[0].type, "ao") == 0) {
                r = sd_bus_message_open_container(reply, 'a', "o");
                for (size_t i = 0; i < o->n_results && r >= 0; i++)
                        r = sd_bus_message_append_basic(reply, 'o', o->results[i]);
                if (r >= 0)
                        r = sd_bus_message_close_container(reply);
        } else if (m->out)
                r = sd_bus_message_append_basic(reply, 'o', o->results[0]);
        if (r < 0)
                return r;

        return sd_bus_message_send(reply);
}

static int reply_refusal(sd_bus_message *message, Refusal refusal, uint32_t code, const char *why) {
        return sd_bus_reply_method_errorf(message, refusal_error_name(refusal), "%s (%u)", why, code);
}

static void call_reply(Caller *caller, const Outcome *o) {
        Call *c = (Call *) caller;
        int r;

        r = o->refusal == REFUSAL_NONE ? reply_results(c, o) : reply_refusal(c->message, o->refusal, o->code, o->message);
        if (r < 0)
                log_warning_errno(r, "Failed to answer %s", sd_bus_message_get_member(c->message));
}

static void call_free(Caller *caller) {
        Call *c = (Call *) caller;

        question_free(c->question);
        sd_bus_message_unref(c->message);
        free(c);
}

static const CallerOps call_ops = {
        .identify = call_identify,
        .authorize = call_authorize,
        .begin = call_begin,
        .reply = call_reply,
        .free = call_free,
};

static Call *call_new(Manager *m, sd_bus_message *message) {
        Call *c;

        c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;
        c->caller.ops = &call_ops;
        c->caller.name = sd_bus_message_get_sender(message);
        c->manager = m;
        c->message = sd_bus_message_ref(message);
        return c;
}

int call_refuse(sd_bus_message *message, const char *method, int r, const char *why) {
        if (r < 0)
                return r;

        log_debug("%s for %s: %s", method, sd_bus_message_get_sender(message), why);
        r = reply_refusal(message, (Refusal) r, refusal_common_code((Refusal) r), why);
        return r < 0 ? r : 1;
}

int call_change(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const Method *method = method_find(sd_bus_message_get_member(message));
        _cleanup_(intent_freep) Intent *intent = NULL;
        _cleanup_free_ char *why = NULL;
        Manager *m = userdata;
        Call *c;
        int r;

        if (!method)
                return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_METHOD, "No such method");
        r = intent_read(message, method, &intent, &why);
        if (r != 0)
                return call_refuse(message, method->name, r, why);

        c = call_new(m, message);
        if (!c)
                return -ENOMEM;
        engine_run(m->engine, TAKE_PTR(intent), &c->caller);
        return 1;
}

/* A check under way. */
struct CheckCall {
        Manager *manager;
        sd_bus_message *message;
        const Method *method;
        Intent *intent;
        bool typed; /* CheckiSCSIProtocolEndpoint, which answers with the Identifier */
        Question *question;
        Check *check;
        uid_t uid;
        bool counted; /* against the bound */
        struct CheckCall *next, **link;
};

typedef struct CheckCall CheckCall;

static void check_call_free(CheckCall *c) {
        question_free(c->question);
        check_free(c->check);
        sd_bus_message_unref(c->message);
        intent_free(c->intent);
        *c->link = c->next;
        if (c->next)
                c->next->link = c->link;
        free(c);
}

void call_checks_free(Manager *m) {
        while (m->checks)
                check_call_free(m->checks);
}

static int append_texts(sd_bus_message *reply, char *const *texts, size_t n) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < n && r >= 0; i++)
                r = sd_bus_message_append_basic(reply, 's', texts[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply_check(const CheckCall *c, const CheckResult *result) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (result->refusal != REFUSAL_NONE)
                return reply_refusal(c->message, result->refusal, method_code(c->method, result->refusal), result->why);

        r = sd_bus_message_new_method_return(c->message, &reply);
        if (r < 0)
                return r;
        r = c->typed ? sd_bus_message_append_basic(reply, 's', result->identifier)
                     : append_texts(reply, result->effects, result->n_effects);
        if (r >= 0)
                r = append_texts(reply, result->warnings, result->n_warnings);
        return r < 0 ? r : sd_bus_message_send(reply);
}

static void check_call_done(const CheckResult *result, void *userdata) {
        CheckCall *c = userdata;
        int r;

        c->check = NULL;
        r = reply_check(c, result);
        if (r < 0)
                log_warning_errno(r, "Failed to answer %s", sd_bus_message_get_member(c->message));
        check_call_free(c);
}

static const char *check_room(const CheckCall *c) {
        unsigned of_user = 0, all = 0;

        if (c->uid == 0)
                return NULL;
        for (const CheckCall *other = c->manager->checks; other; other = other->next)
                if (other->counted) {
                        all++;
                        of_user += other->uid == c->uid;
                }
        return of_user >= CHECKS_PER_USER_MAX ? "a check of this user is under way"
               : all >= CHECKS_MAX            ? "other checks are under way"
                                              : NULL;
}

/* The caller is known now. A check needs no right. */
static void check_call_known(Question *q, Verdict verdict, const sd_bus_error *error, void *userdata) {
        _cleanup_free_ char *why = NULL;
        CheckCall *c = userdata;
        const char *room;
        int r;

        c->uid = question_uid(q);
        if (verdict != VERDICT_GRANTED) {
                if (verdict == VERDICT_REFUSED)
                        (void) sd_bus_reply_method_error(c->message, error);
                check_call_free(c);
                return;
        }
        c->question = question_free(c->question);

        room = check_room(c);
        if (room) {
                (void) refuse(REFUSAL_LIMIT_REACHED, &why, "Not checked: %s; call again in a moment", room);
                (void) call_refuse(c->message, c->method->name, (int) REFUSAL_LIMIT_REACHED, why);
                check_call_free(c);
                return;
        }
        c->counted = c->uid != 0;

        r = check_begin(&c->manager->context, c->intent, check_call_done, c, &c->check);
        if (r < 0) {
                log_error_errno(r, "Failed to check %s", c->method->name);
                (void) refuse(REFUSAL_UNSPECIFIED, &why, "The service failed: %s; its log says more", strerror(-r));
                (void) call_refuse(c->message, c->method->name, (int) REFUSAL_UNSPECIFIED, why);
                check_call_free(c);
        }
}

/* Takes INTENT, but not if it fails. */
static int check_call_new(Manager *m, sd_bus_message *message, Intent *intent, bool typed) {
        CheckCall *c;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->manager = m;
        c->message = sd_bus_message_ref(message);
        c->method = intent->method;
        c->typed = typed;
        c->uid = (uid_t) -1;
        c->next = m->checks;
        if (c->next)
                c->next->link = &c->next;
        c->link = &m->checks;
        m->checks = c;

        c->intent = intent;
        r = authority_identify(m->authority, message, check_call_known, c, &c->question);
        if (r < 0) {
                c->intent = NULL;
                check_call_free(c);
                return r;
        }
        return 1;
}

int call_check(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_(intent_freep) Intent *intent = NULL;
        _cleanup_free_ char *why = NULL;
        const char *interface, *name;
        const Method *method;
        int r;

        r = sd_bus_message_read(message, "ss", &interface, &name);
        if (r < 0)
                return r;
        method = strcmp(interface, SERVICE_INTERFACE) == 0 ? method_find(name) : NULL;
        if (!method) {
                r = refuse(REFUSAL_INVALID_PARAMETER, &why,
                           "Interface %.64s has no method %.64s that changes something; see the introspection of the service",
                           interface, name);
                return call_refuse(message, "CheckCall", r, why);
        }

        r = intent_read_variant(message, method, &intent, &why);
        if (r != 0)
                return call_refuse(message, "CheckCall", r, why);
        r = check_call_new(userdata, message, intent, false);
        if (r > 0)
                intent = NULL;
        return r;
}

int call_check_port(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_(intent_freep) Intent *intent = NULL;
        _cleanup_free_ char *why = NULL;
        int r;

        r = intent_read(message, method_find("CreateiSCSIProtocolEndpoint"), &intent, &why);
        if (r != 0)
                return call_refuse(message, "CheckiSCSIProtocolEndpoint", r, why);
        r = check_call_new(userdata, message, intent, true);
        if (r > 0)
                intent = NULL;
        return r;
}
