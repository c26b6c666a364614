/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "objects/session.h"

static int write_value(ValueWriter *w, const SessionField *field, const SessionValue *v) {
        const char type[] = { field->type, '\0' };
        int r;

        r = value_open(w, 'v', type);
        if (r < 0)
                return r;
        switch (field->type) {
        case 's':
                r = value_text(w, v->text);
                break;
        case 'b':
                r = value_bool(w, v->number != 0);
                break;
        case 'q':
                r = value_uint16(w, (uint16_t) v->number);
                break;
        case 't':
                r = value_uint64(w, v->number);
                break;
        default:
                r = value_uint32(w, (uint32_t) v->number);
        }
        return r < 0 ? r : value_close(w);
}

static int open_entry(ValueWriter *w, const char *name) {
        int r;

        r = value_open(w, 'e', "sv");
        return r < 0 ? r : value_text(w, name);
}

static int write_fields(ValueWriter *w, const SessionField *fields, const SessionValue *values, size_t n) {
        int r = 0;

        for (size_t k = 0; k < n && r >= 0; k++) {
                if (!values[k].known)
                        continue;
                r = open_entry(w, fields[k].name);
                if (r >= 0)
                        r = write_value(w, fields + k, values + k);
                if (r >= 0)
                        r = value_close(w);
        }
        return r;
}

static int write_connections(const SessionInfo *s, ValueWriter *w) {
        int r;

        r = open_entry(w, "Connections");
        if (r >= 0)
                r = value_open(w, 'v', "aa{sv}");
        if (r >= 0)
                r = value_open(w, 'a', "a{sv}");
        for (size_t i = 0; i < s->n_connections && r >= 0; i++) {
                r = value_open(w, 'a', "{sv}");
                if (r >= 0)
                        r = write_fields(w, connection_fields, s->connections[i].values, _CONNECTION_KEY_MAX);
                if (r >= 0)
                        r = value_close(w);
        }
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = value_close(w);
        return r;
}

static int write_port(const Port *p, ValueWriter *w) {
        char buf[IDENTIFIER_DIGITS + 1];
        int r;

        r = open_entry(w, "Identifier");
        if (r >= 0)
                r = value_open(w, 'v', "s");
        if (r >= 0)
                r = value_text(w, identifier_to_text(p->key.identifier, buf));
        for (unsigned i = 0; i < 2 && r >= 0; i++)
                r = value_close(w);
        if (r >= 0)
                r = open_entry(w, "Port");
        if (r >= 0)
                r = value_open(w, 'v', "o");
        if (r >= 0)
                r = value_path(w, p->object.path);
        for (unsigned i = 0; i < 2 && r >= 0; i++)
                r = value_close(w);
        return r;
}

int session_write(const SessionInfo *s, const Port *port, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "{sv}");
        if (r >= 0)
                r = write_fields(w, session_fields, s->values, _SESSION_KEY_MAX);
        if (r >= 0)
                r = write_connections(s, w);
        if (r >= 0 && port && port->object.path)
                r = write_port(port, w);
        return r < 0 ? r : value_close(w);
}
