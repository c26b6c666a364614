/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.ProtocolEndpoint: iSCSIProtocolEndpoint, an iSCSI port. */

#include <stdio.h>

#include "common/name.h"
#include "model/state.h"
#include "objects/getter.h"

/* CIM's NULL. */
#define SESSION_COUNT_UNKNOWN UINT32_MAX

static int get_name(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        _cleanup_free_ char *name = NULL;
        const Port *p = (const Port *) o;
        int r;

        r = iscsi_port_name(p->key.node->name, p->role, p->key.identifier, &name);
        return r < 0 ? r : value_text(w, name);
}

static int get_identifier(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        char buf[IDENTIFIER_DIGITS + 1];

        return value_text(w, identifier_to_text(((const Port *) o)->key.identifier, buf));
}

/* CIM's 2 Enabled, 3 Disabled; 12 Not Applicable where nobody asked us. */
static int get_requested_state(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        const Port *p = (const Port *) o;

        return value_uint16(w, !p->managed ? 12 : p->enabled ? 2 : 3);
}

/* The paths of the endpoints that it binds to, or of those on which it listens. An initiator's address that is not on this
 * host has none. */
static int write_endpoints(const Port *p, bool listening, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "o");
        for (size_t i = 0; i < p->n_bindings && r >= 0; i++) {
                const char *path = binding_endpoint(p->bindings[i])->path;

                if (path && !p->bindings[i]->pending && (!listening || binding_is_listening(p->bindings[i])))
                        r = value_path(w, path);
        }
        return r < 0 ? r : value_close(w);
}

static int get_binds_to(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        return write_endpoints((const Port *) o, false, w);
}

static int get_listening_on(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        return write_endpoints((const Port *) o, true, w);
}

/* Of a target port nobody counts them; of an initiator port it is known which they are once it was seen what the backend calls
 * it. */
static int get_session_count(const Object *o, const ObjectContext *c, ValueWriter *w) {
        const Port *p = (const Port *) o;

        return value_uint32(w, p->record && c->sessions_known ? p->n_sessions : SESSION_COUNT_UNKNOWN);
}

static int get_session_identifiers(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        char buf[IDENTIFIER_DIGITS + 1];
        int r;

        r = value_open(w, 'a', "s");
        for (const Session *s = ((const Port *) o)->sessions; s && r >= 0; s = s->next_of_port)
                if (s->has_isid)
                        r = value_text(w, identifier_to_text(s->isid, buf));
        return r < 0 ? r : value_close(w);
}

DEFINE_GETTER(get_role, Port, value_uint16, o->role)
DEFINE_GETTER(get_enabled_state, Port, write_enabled_state, o->state)
DEFINE_GETTER(get_operational_status, Port, write_operational_status, o->state)
DEFINE_GETTER(get_status_descriptions, Port, write_status_descriptions, o->state, o->description)
DEFINE_GETTER(get_sap_available_for_element, Port, value_path, o->key.node->object.path)
DEFINE_GETTER(get_managed, Port, value_bool, o->managed)

static char *make_path(const Object *o) {
        const Port *p = (const Port *) o;
        char *path;

        if (!p->key.node->object.path || asprintf(&path, "%s/%s/%012llX", p->key.node->object.path, port_class.level,
                                                  (unsigned long long) p->key.identifier) < 0)
                return NULL;
        return path;
}

static Object *first(_unused_ Model *m, Object *parent) {
        return (Object *) ((Node *) parent)->ports;
}

static Object *next(Object *o) {
        return (Object *) ((Port *) o)->next_of_node;
}

static const Property properties[] = {
        { "Name", "s", EMITS_CONST, get_name },
        { "Identifier", "s", EMITS_CONST, get_identifier },
        { "Role", "q", EMITS_CONST, get_role },
        { "EnabledState", "q", EMITS_CHANGE, get_enabled_state },
        { "RequestedState", "q", EMITS_CHANGE, get_requested_state },
        { "OperationalStatus", "aq", EMITS_CHANGE, get_operational_status },
        { "StatusDescriptions", "as", EMITS_CHANGE, get_status_descriptions },
        { "SAPAvailableForElement", "o", EMITS_CONST, get_sap_available_for_element },
        { "BindsTo", "ao", EMITS_CHANGE, get_binds_to },
        { "ListeningOn", "ao", EMITS_CHANGE, get_listening_on },
        { "SessionCount", "u", EMITS_CHANGE, get_session_count },
        { "SessionIdentifiers", "as", EMITS_CHANGE, get_session_identifiers },
        { "Managed", "b", EMITS_CHANGE, get_managed },
        {},
};

const ObjectClass port_class = {
        .type = OBJECT_PORT,
        .interface = "org.iscsi.ProtocolEndpoint",
        .parent = &node_class,
        .level = "endpoint",
        .make_path = make_path,
        .first = first,
        .next = next,
        .properties = properties,
};
