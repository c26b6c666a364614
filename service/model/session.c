/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/session.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "model/object.h"
#include "model/private.h"

/* Sessions came to the port or left it, or it is known, or not any more, which are its own; ISIDS: at least one of them had an
 * ISID. */
static void tell_port(Model *m, Port *p, bool isids) {
        if (m->sessions_known && isids)
                object_tell_changed(m, &p->object, "SessionCount", "SessionIdentifiers");
        else if (m->sessions_known)
                object_tell_changed(m, &p->object, "SessionCount");
        else if (isids)
                object_tell_changed(m, &p->object, "SessionIdentifiers");
}

static bool some_have_isids(const Port *p) {
        for (const Session *s = p->sessions; s; s = s->next_of_port)
                if (s->has_isid)
                        return true;

        return false;
}

/* Nobody is told. */
static void session_leave(Session *s) {
        if (!s->port)
                return;

        LIST_REMOVE(s, next_of_port, link_of_port);
        s->port->n_sessions--;
        s->port = NULL;
}

/* Nobody is told. */
static void session_join(Session *s, Port *p) {
        Session **at = &p->sessions;

        while (*at && (*at)->number < s->number)
                at = &(*at)->next_of_port;
        LIST_ADD(*at, s, next_of_port, link_of_port);
        p->n_sessions++;
        s->port = p;
}

Port *model_find_port_by_record(const Model *m, const char *record) {
        Port *p;

        HASH_FIND(hh_record, m->records, record, strlen(record), p);
        return p;
}

static Session *find_session(const Model *m, uint32_t number) {
        Session *s;

        HASH_FIND(hh, m->sessions, &number, sizeof(number), s);
        return s;
}

/* The session uses the port of its record, if there is one. */
static void session_settle(Model *m, Session *s) {
        Port *before = s->port, *now = s->record ? model_find_port_by_record(m, s->record) : NULL;

        if (before == now)
                return;

        session_leave(s);
        if (now)
                session_join(s, now);
        if (before)
                tell_port(m, before, s->has_isid);
        if (now)
                tell_port(m, now, s->has_isid);
}

int model_set_session(Model *m, uint32_t number, const char *record, uint64_t isid) {
        Session *s = find_session(m, number);
        char *copy = NULL;
        bool other_isid, other_record;

        if (record) {
                copy = strdup(record);
                if (!copy)
                        return -ENOMEM;
        }
        if (!s) {
                s = calloc(1, sizeof(*s));
                if (!s) {
                        free(copy);
                        return -ENOMEM;
                }
                s->number = number;
                HASH_ADD(hh, m->sessions, number, sizeof(s->number), s);
        }

        other_record = strcmp(s->record ?: "", copy ?: "") != 0;
        free(s->record);
        s->record = copy;
        other_isid = s->has_isid != (isid != ISID_UNKNOWN) || (s->has_isid && s->isid != isid);
        s->has_isid = isid != ISID_UNKNOWN;
        s->isid = isid;
        if (other_isid && s->port)
                object_tell_changed(m, &s->port->object, "SessionIdentifiers");
        session_settle(m, s);
        return other_record;
}

static void session_free(Model *m, Session *s) {
        session_leave(s);
        HASH_DELETE(hh, m->sessions, s);
        free(s->record);
        free(s);
}

void model_remove_session(Model *m, uint32_t number) {
        Session *s = find_session(m, number);
        bool had_isid;
        Port *p;

        if (!s)
                return;
        p = s->port;
        had_isid = s->has_isid;
        session_free(m, s);
        if (p)
                tell_port(m, p, had_isid);
}

void model_set_sessions_known(Model *m, bool known) {
        if (m->sessions_known == known)
                return;

        m->sessions_known = known;
        for (Port *p = m->ports; p; p = p->hh.next)
                if (p->record)
                        object_tell_changed(m, &p->object, "SessionCount");
}

/* Its sessions have no port then. Nobody is told. */
static void drop_record(Model *m, Port *p) {
        if (!p->record)
                return;

        while (p->sessions)
                session_leave(p->sessions);
        HASH_DELETE(hh_record, m->records, p);
        free(TAKE_PTR(p->record));
}

/* The same, and it is told: how many sessions the port has is not known any more. */
static void lose_record(Model *m, Port *p) {
        bool had_isids = some_have_isids(p);

        drop_record(m, p);
        tell_port(m, p, had_isids);
}

int model_set_port_record(Model *m, Port *p, const char *record) {
        Port *other = model_find_port_by_record(m, record);
        bool knew = p->record, had_sessions = p->sessions, had_isids = some_have_isids(p);
        char *copy;

        if (p->role != ROLE_INITIATOR || other == p)
                return 0;
        copy = strdup(record);
        if (!copy)
                return -ENOMEM;

        if (other)
                lose_record(m, other);
        drop_record(m, p);

        p->record = copy;
        HASH_ADD_KEYPTR(hh_record, m->records, p->record, strlen(p->record), p);
        for (Session *s = m->sessions; s; s = s->hh.next)
                if (!s->port && s->record && strcmp(s->record, record) == 0)
                        session_join(s, p);
        if (!knew || had_sessions || p->sessions)
                tell_port(m, p, had_isids || some_have_isids(p));
        return 0;
}

bool model_sessions_known(const Model *m) {
        return m->sessions_known;
}

void port_forget_record(Model *m, Port *p) {
        drop_record(m, p);
}

void sessions_free(Model *m) {
        while (m->sessions)
                session_free(m, m->sessions);
}
