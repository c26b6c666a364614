/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/sessions.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/authority.h"
#include "bus/bus-value.h"
#include "bus/call.h"
#include "bus/reader-account.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/name.h"
#include "common/value-size.h"
#include "host/session-watch.h"
#include "objects/session.h"
#include "rules/refuse.h"

/* Reasons in one answer. */
#define REASONS_MAX 16u

#define METHOD "ListSessions"

/* A call whose caller is not known yet. */
typedef struct SessionCall {
        BusSessions *sessions;
        sd_bus_message *message;
        Question *question;
        struct SessionCall *next, **link;
} SessionCall;

struct BusSessions {
        Manager *manager;
        SessionWatch *watch; /* NULL: they are not followed */
        SessionCall *calls;
        ReaderAccounts readers;
};

/* What a caller asked for: the sessions of a port, of a node, or all. */
typedef struct Scope {
        const Node *node;
        const Port *port;
} Scope;

/* Why the answer may lack something. */
typedef struct Reasons {
        char *texts[REASONS_MAX];
        size_t n;
        size_t more; /* that had no room */
} Reasons;

static void reasons_done(Reasons *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->texts[i]);
}

_printf_(2, 3) static int reasons_add(Reasons *l, const char *format, ...) {
        va_list ap;
        int n;

        if (l->n >= REASONS_MAX) {
                l->more++;
                return 0;
        }

        va_start(ap, format);
        n = vasprintf(l->texts + l->n, format, ap);
        va_end(ap);
        if (n < 0)
                return -ENOMEM;
        l->n++;
        return 0;
}

static Port *port_of(const Manager *m, const HostSession *s) {
        const char *record = session_text(&s->reading.info, SESSION_INTERFACE_RECORD);

        return record ? model_find_port_by_record(m->context.model, record) : NULL;
}

/* The node whose name the session has, in the spelling of nodes' names. NULL: its name is not known, or is none. */
static char *initiator_of(const HostSession *s) {
        const char *name = session_text(&s->reading.info, SESSION_INITIATOR), *why;
        char *normalized;

        return name && iscsi_name_normalize(name, &normalized, &why) == 0 ? normalized : NULL;
}

static void find_port(Manager *m, const HostSession *s) {
        _cleanup_free_ char *node = NULL;

        if (!m->context.backends[ROLE_INITIATOR] || port_of(m, s))
                return;
        node = initiator_of(s);
        if (node)
                reconciler_suspect(m->reconciler, node);
}

void bus_sessions_find_ports(BusSessions *b) {
        for (const HostSession *s = b->watch ? session_watch_first(b->watch) : NULL; s; s = s->hh.next)
                find_port(b->manager, s);
}

void bus_sessions_port_added(BusSessions *b, const Port *p) {
        if (p->role == ROLE_INITIATOR && !p->record && b->watch)
                reconciler_suspect(b->manager->reconciler, p->key.node->name);
}

static void session_changed(const HostSession *s, void *userdata) {
        const SessionInfo *info = &s->reading.info;
        const char *isid = session_text(info, SESSION_ISID);
        Manager *m = userdata;
        int r;

        r = model_set_session(m->context.model, s->number, session_text(info, SESSION_INTERFACE_RECORD),
                              isid ? strtoull(isid, NULL, 16) : ISID_UNKNOWN);
        if (r < 0)
                (void) log_oom();
        if (r > 0)
                find_port(m, s);
}

static void session_removed(uint32_t number, void *userdata) {
        model_remove_session(((Manager *) userdata)->context.model, number);
}

static void session_status(bool complete, const char *text, void *userdata) {
        Manager *m = userdata;

        model_set_sessions_known(m->context.model, complete);
        if (model_set_notice(m->context.model, NOTICE_SESSIONS, text) < 0)
                (void) log_oom();
}

int bus_sessions_new(Manager *m, BusSessions **ret) {
        static const SessionWatchCallbacks callbacks = {
                .changed = session_changed,
                .removed = session_removed,
                .status = session_status,
        };
        BusSessions *b;
        int r;

        b = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;
        b->manager = m;

        if (m->options->sysfs[0]) {
                r = session_watch_new(m->context.event, m->options->sysfs, &callbacks, m, &b->watch);
                if (r < 0) {
                        free(b);
                        return r;
                }
        }

        *ret = b;
        return 0;
}

static void call_free(SessionCall *c) {
        question_free(c->question);
        sd_bus_message_unref(c->message);
        *c->link = c->next;
        if (c->next)
                c->next->link = c->link;
        free(c);
}

BusSessions *bus_sessions_free(BusSessions *b) {
        if (!b)
                return NULL;

        while (b->calls)
                call_free(b->calls);
        session_watch_free(b->watch);
        free(b);
        return NULL;
}

void bus_sessions_look(BusSessions *b) {
        if (b->watch)
                session_watch_look(b->watch);
}

/* Returns 0, or a Refusal with its sentence. */
static int find_scope(Manager *m, const char *path, Scope *ret, char **ret_why) {
        Reference ref = { .text = path };

        *ret = (Scope){};
        if (strcmp(path, ROOT_PATH) == 0)
                return 0;

        ref.object = model_find_object(m->context.model, path);
        ret->node = reference_node(&ref);
        ret->port = reference_port(&ref);
        if (ret->node || ret->port)
                return 0;
        return refuse(REFUSAL_INVALID_PARAMETER, ret_why, "%s is no port, no node and not the service itself; it is %s", path,
                      ref.object ? "another kind of object" : "not there");
}

static bool scope_has(const Scope *scope, const Port *port, const HostSession *s) {
        _cleanup_free_ char *name = NULL;

        if (scope->port)
                return port == scope->port;
        if (!scope->node)
                return true;
        if (port)
                return port->key.node == scope->node;

        name = initiator_of(s);
        return name && strcmp(name, scope->node->name) == 0;
}

/* What one port of the scope is the reason for. *TARGET: there is a target port. */
static int look_at_port(const BusSessions *b, const Port *p, Reasons *l, bool *target) {
        *target |= p->role == ROLE_TARGET;
        if (p->role != ROLE_INITIATOR || p->record || !p->object.path || !b->watch)
                return 0;

        return reasons_add(l, "Which sessions %s has is not known: it was not seen yet what the port's record is called",
                           p->object.path);
}

static int look_at_ports(const BusSessions *b, const Node *n, Reasons *l, bool *target) {
        int r = 0;

        for (const Port *p = n->ports; p && r >= 0; p = p->next_of_node)
                r = look_at_port(b, p, l, target);
        return r;
}

static int look_at_scope(const BusSessions *b, const Scope *scope, Reasons *l, bool *target) {
        int r = 0;

        if (scope->port)
                return look_at_port(b, scope->port, l, target);
        if (scope->node)
                return look_at_ports(b, scope->node, l, target);
        for (const Node *n = model_first_node(b->manager->context.model); n && r >= 0; n = n->hh.next)
                r = look_at_ports(b, n, l, target);
        return r;
}

/* What is not known of a session, if it is one of SCOPE, or may be. */
static int add_reason(Reasons *l, const HostSession *s) {
        if (s->reading.fault)
                return reasons_add(l, "Session %u: %s", s->number, s->reading.fault);
        if (!s->reading.settled)
                return reasons_add(l, "Session %u is not set up yet; not all is known of it", s->number);
        return 0;
}

static int add_reasons(const BusSessions *b, const Scope *scope, Reasons *l) {
        bool target = false;
        int r = 0;

        if (scope->port && scope->port->role == ROLE_TARGET)
                ; /* no session of this host as an initiator can be one of its */
        else if (!b->watch)
                r = reasons_add(l, "The sessions of this host as an initiator are not followed: the service was started so");
        else if (!session_watch_is_complete(b->watch))
                r = reasons_add(l, "%s",
                                session_watch_text(b->watch) ?: "Not all sessions of this host as an initiator were read yet");
        if (r >= 0)
                r = look_at_scope(b, scope, l, &target);
        if (r >= 0 && target)
                r = reasons_add(l,
                                "Who is logged in to target ports of this host is not listed: the service does not look at that");
        return r;
}

/* Whether the session may be one of SCOPE, as far as is known. A port whose record is not known is a reason of its own. */
static bool scope_may_have(const Scope *scope, const Port *port, const HostSession *s) {
        const SessionInfo *info = &s->reading.info;

        if (port || (scope->port && scope->port->role == ROLE_TARGET))
                return false;
        return !session_text(info, SESSION_INTERFACE_RECORD) || (!scope->port && !session_text(info, SESSION_INITIATOR));
}

static int write_sessions(const BusSessions *b, const Scope *scope, Reasons *l, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "a{sv}");
        for (const HostSession *s = b->watch ? session_watch_first(b->watch) : NULL; s && r >= 0; s = s->hh.next) {
                const Port *port = port_of(b->manager, s);
                bool has = scope_has(scope, port, s);

                if (l && (has || scope_may_have(scope, port, s)))
                        r = add_reason(l, s);
                if (has && s->told && r >= 0)
                        r = session_write(&s->reading.info, port, w);
        }
        return r < 0 ? r : value_close(w);
}

static int write_answer(const BusSessions *b, const Scope *scope, ValueWriter *w) {
        _cleanup_(reasons_done) Reasons l = {};
        int r;

        r = write_sessions(b, scope, &l, w);
        if (r >= 0)
                r = add_reasons(b, scope, &l);
        if (r >= 0)
                r = value_bool(w, l.n == 0);
        if (r < 0)
                return r;
        if (l.more > 0) { /* the last one gives its place */
                free(l.texts[--l.n]);
                (void) reasons_add(&l, "There are %zu more reasons like these", l.more + 1);
        }
        return value_texts(w, (const char *const *) l.texts, l.n);
}

static int refuse_reader(unsigned seconds, char **ret_why) {
        return refuse(REFUSAL_LIMIT_REACHED, ret_why, "This user has been sent too much in a short time; call again in %u s",
                      seconds);
}

/* Returns 0, a Refusal with its sentence, or a negative errno. */
static int answer(BusSessions *b, sd_bus_message *message, uid_t uid, char **ret_why) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        SizeWriter size = size_writer();
        const char *path;
        unsigned seconds;
        BusWriter w;
        Scope scope;
        int r;

        r = sd_bus_message_rewind(message, true);
        if (r >= 0)
                r = sd_bus_message_read(message, "o", &path);
        if (r < 0)
                return r;
        r = find_scope(b->manager, path, &scope, ret_why);
        if (r != 0)
                return r;

        /* To find out how much it is takes time as well. */
        if (uid != 0 && !reader_account_is_open(&b->readers, uid, monotonic_usec(), &seconds))
                return refuse_reader(seconds, ret_why);
        r = write_answer(b, &scope, &size.writer);
        if (r < 0)
                return r;
        if (uid != 0 && !reader_account_take(&b->readers, uid, size.bytes, monotonic_usec(), &seconds))
                return refuse_reader(seconds, ret_why);

        r = sd_bus_message_new_method_return(message, &reply);
        if (r < 0)
                return r;
        w = bus_writer(reply);
        r = write_answer(b, &scope, &w.writer);
        return r < 0 ? r : sd_bus_message_send(reply);
}

static void caller_known(Question *q, Verdict verdict, const sd_bus_error *error, void *userdata) {
        _cleanup_free_ char *why = NULL;
        SessionCall *c = userdata;
        int r = 0;

        if (verdict == VERDICT_GRANTED)
                r = answer(c->sessions, c->message, question_uid(q), &why);
        else if (verdict == VERDICT_REFUSED)
                r = sd_bus_reply_method_error(c->message, error);
        if (r > 0 && why)
                r = call_refuse(c->message, METHOD, r, why);
        if (r < 0) {
                log_warning_errno(r, "Failed to answer " METHOD);
                (void) sd_bus_reply_method_errno(c->message, r, NULL);
        }
        call_free(c);
}

int call_list_sessions(sd_bus_message *message, void *userdata, _unused_ sd_bus_error *error) {
        BusSessions *b = ((Manager *) userdata)->sessions;
        SessionCall *c;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->sessions = b;
        c->message = sd_bus_message_ref(message);
        c->next = b->calls;
        if (c->next)
                c->next->link = &c->next;
        c->link = &b->calls;
        b->calls = c;

        r = authority_identify(b->manager->authority, message, caller_known, c, &c->question);
        if (r < 0) {
                call_free(c);
                return r;
        }
        return 1;
}
