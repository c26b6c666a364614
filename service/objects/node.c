/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.Node: SCSIProtocolController, an iSCSI node. */

#include <string.h>

#include "common/name.h"
#include "model/state.h"
#include "objects/getter.h"

DEFINE_GETTER(get_name, Node, value_text, strcmp(o->name, HOST_NODE) == 0 ? "" : o->name)
DEFINE_GETTER(get_element_name, Node, value_text, o->alias)
DEFINE_GETTER(get_roles, Node, write_roles, o->roles)
DEFINE_GETTER(get_enabled_state, Node, write_enabled_state, o->state)
DEFINE_GETTER(get_operational_status, Node, write_operational_status, o->state)
DEFINE_GETTER(get_status_descriptions, Node, write_status_descriptions, o->state, o->description)
DEFINE_GETTER(get_managed, Node, value_bool, o->managed)
DEFINE_GETTER(get_automatic, Node, value_bool, o->host)
DEFINE_GETTER(get_persistent, Node, value_bool, o->persistent)
DEFINE_GETTER(get_drift_policy, Node, value_text, drift_policy_to_text(o->drift))

static int get_protocol_endpoints(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "o");
        for (const Port *p = ((const Node *) o)->ports; p && r >= 0; p = p->next_of_node)
                if (p->object.path)
                        r = value_path(w, p->object.path);
        return r < 0 ? r : value_close(w);
}

/* The host's node without a name has a path that the name of no node makes. */
static char *make_path(const Object *o) {
        const Node *n = (const Node *) o;

        return strcmp(n->name, HOST_NODE) == 0 ? strdup(ROOT_PATH "/node/" HOST_NODE)
                                               : path_below(ROOT_PATH, node_class.level, n->name);
}

DEFINE_ENUMERATION(Node, node)

static const Property properties[] = {
        { "Name", "s", EMITS_CONST, get_name },
        { "ElementName", "s", EMITS_CHANGE, get_element_name },
        { "Roles", "aq", EMITS_CHANGE, get_roles },
        { "Automatic", "b", EMITS_CHANGE, get_automatic },
        { "ProtocolEndpoints", "ao", EMITS_INVALIDATES, get_protocol_endpoints },
        { "EnabledState", "q", EMITS_CHANGE, get_enabled_state },
        { "OperationalStatus", "aq", EMITS_CHANGE, get_operational_status },
        { "StatusDescriptions", "as", EMITS_CHANGE, get_status_descriptions },
        { "Managed", "b", EMITS_CHANGE, get_managed },
        { "Persistent", "b", EMITS_CHANGE, get_persistent },
        { "DriftPolicy", "s", EMITS_CHANGE, get_drift_policy },
        {},
};

const ObjectClass node_class = {
        .type = OBJECT_NODE,
        .interface = "org.iscsi.Node",
        .level = "node",
        .make_path = make_path,
        .first = first,
        .next = next,
        .properties = properties,
};
