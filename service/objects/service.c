/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.ConfigurationService: iSCSIConfigurationService with its iSCSIConfigurationCapabilities, the root of all objects. */

#include <string.h>

#include "model/state.h"
#include "objects/getter.h"

static unsigned roles_of(const Abilities *a, bool selects_identifiers) {
        unsigned roles = 0;

        FOR_EACH_ROLE(role)
                if (a->roles[role].available && (!selects_identifiers || a->roles[role].selects_identifiers))
                        roles |= ROLE_BIT(role);

        return roles;
}

static int get_status_descriptions(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        const Service *s = (const Service *) o;
        const char *texts[_NOTICE_TOPIC_MAX];
        size_t n = 0;

        for (size_t i = 0; i < _NOTICE_TOPIC_MAX; i++)
                if (s->notices[i])
                        texts[n++] = s->notices[i];

        return value_texts(w, texts, n);
}

static int get_features(_unused_ const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        static const char *const features[] = { "unbind", "tcp-endpoints", "portal-groups",  "batch", "check",     "disable",
                                                "force",  "addresses",     "not-persistent", "adopt", "reconcile", "sessions" };

        return value_texts(w, features, ELEMENTSOF(features));
}

DEFINE_GETTER(get_drift_policy, Service, value_text, drift_policy_to_text(o->drift))
DEFINE_GETTER(get_creation_supported, Service, value_bool, roles_of(context->abilities, false) != 0)
DEFINE_GETTER(get_selection_supported, Service, value_bool, roles_of(context->abilities, true) != 0)
DEFINE_GETTER(get_supported_roles, Service, write_roles, roles_of(context->abilities, false))
DEFINE_GETTER(get_selection_roles, Service, write_roles, roles_of(context->abilities, true))
DEFINE_GETTER(get_specification_version, Service, value_uint8, 0) /* RFC 7143's Version-min and Version-max */
DEFINE_GETTER(get_version, Service, value_text, PROJECT_VERSION)
DEFINE_GETTER(get_default_portal_group, Service, value_path, ROOT_PATH "/portal_group/default")
DEFINE_GETTER(get_max_nodes, Service, value_uint32, context->abilities->max.nodes)
DEFINE_GETTER(get_max_ports, Service, value_uint32, context->abilities->max.ports)
DEFINE_GETTER(get_max_portals_per_port, Service, value_uint32, context->abilities->max.portals_per_port)
DEFINE_GETTER(get_max_tcp_endpoints, Service, value_uint32, context->abilities->max.tcp_endpoints)
DEFINE_GETTER(get_max_portal_groups, Service, value_uint32, context->abilities->max.portal_groups)

static char *make_path(_unused_ const Object *o) {
        return strdup(ROOT_PATH);
}

static const Property properties[] = {
        { "StatusDescriptions", "as", EMITS_CHANGE, get_status_descriptions },
        { "DriftPolicy", "s", EMITS_CHANGE, get_drift_policy },
        { "iSCSIProtocolEndpointCreationSupported", "b", EMITS_CONST, get_creation_supported },
        { "IdentifierSelectionSupported", "b", EMITS_CONST, get_selection_supported },
        { "iSCSINodeCreationSupported", "b", EMITS_CONST, get_creation_supported },
        { "SupportedRoles", "aq", EMITS_CONST, get_supported_roles },
        { "IdentifierSelectionRoles", "aq", EMITS_CONST, get_selection_roles },
        { "MinimumSpecificationVersionSupported", "y", EMITS_CONST, get_specification_version },
        { "MaximumSpecificationVersionSupported", "y", EMITS_CONST, get_specification_version },
        { "Version", "s", EMITS_CONST, get_version },
        { "Features", "as", EMITS_CONST, get_features },
        { "DefaultPortalGroup", "o", EMITS_CONST, get_default_portal_group },
        { "MaxNodes", "u", EMITS_CONST, get_max_nodes },
        { "MaxPorts", "u", EMITS_CONST, get_max_ports },
        { "MaxPortalsPerPort", "u", EMITS_CONST, get_max_portals_per_port },
        { "MaxTCPProtocolEndpoints", "u", EMITS_CONST, get_max_tcp_endpoints },
        { "MaxPortalGroups", "u", EMITS_CONST, get_max_portal_groups },
        {},
};

const ObjectClass service_class = {
        .type = OBJECT_SERVICE,
        .interface = "org.iscsi.ConfigurationService",
        .make_path = make_path,
        .properties = properties,
};
