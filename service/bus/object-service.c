/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.ConfigurationService: iSCSIConfigurationService and iSCSIConfigurationCapabilities. */

#include <errno.h>
#include <string.h>

#include "bus/change.h"
#include "bus/methods.h"
#include "bus/objects.h"
#include "bus/property.h"

const ChangeKind *const change_kinds[] = {
        &change_create_port,         &change_delete_port,         &change_bind_port,           &change_unbind_port,
        &change_create_node,         &change_delete_node,         &change_create_tcp_endpoint, &change_delete_tcp_endpoint,
        &change_create_portal_group, &change_delete_portal_group, &change_add_member,          &change_remove_member,
};

const size_t n_change_kinds = ELEMENTSOF(change_kinds);

static const Abilities *abilities(void *userdata) {
        return &((Manager *) userdata)->abilities;
}

static bool any_role(const Abilities *a, bool selects_identifiers) {
        for (unsigned role = ROLE_INITIATOR; role <= ROLE_TARGET; role++)
                if (a->roles[role].available && (!selects_identifiers || a->roles[role].selects_identifiers))
                        return true;

        return false;
}

static int append_roles(sd_bus_message *reply, const Abilities *a, bool selects_identifiers) {
        uint16_t roles[2];
        size_t n = 0;

        for (uint16_t role = ROLE_INITIATOR; role <= ROLE_TARGET; role++)
                if (a->roles[role].available && (!selects_identifiers || a->roles[role].selects_identifiers))
                        roles[n++] = role;

        return sd_bus_message_append_array(reply, 'q', roles, n * sizeof(uint16_t));
}

DEFINE_PROPERTY_STRING(property_get_creation_class_name, "CIM_iSCSIConfigurationService");
DEFINE_PROPERTY_STRING(property_get_name, BUS_NAME);
DEFINE_PROPERTY_STRING(property_get_element_name, "iSCSI configuration service");
DEFINE_PROPERTY_STRING(property_get_version, PROJECT_VERSION);
DEFINE_PROPERTY_UINT16(property_get_enabled_state, 2); /* Enabled */
DEFINE_PROPERTY_BOOL(property_get_started, 1);
DEFINE_PROPERTY_BOOL(property_get_creation_supported, any_role(abilities(userdata), false));
DEFINE_PROPERTY_BOOL(property_get_selection_supported, any_role(abilities(userdata), true));
DEFINE_PROPERTY_BYTE(property_get_specification_version, 0); /* RFC 7143's Version-min and Version-max */
DEFINE_PROPERTY_UINT32(property_get_max_nodes, abilities(userdata)->max.nodes);
DEFINE_PROPERTY_UINT32(property_get_max_ports, abilities(userdata)->max.ports);
DEFINE_PROPERTY_UINT32(property_get_max_portals_per_port, abilities(userdata)->max.portals_per_port);
DEFINE_PROPERTY_UINT32(property_get_max_tcp_endpoints, abilities(userdata)->max.tcp_endpoints);
DEFINE_PROPERTY_UINT32(property_get_max_portal_groups, abilities(userdata)->max.portal_groups);

static int property_get_status_descriptions(PROPERTY_ARGUMENTS) {
        const Manager *m = userdata;

        return m->notice ? property_append_text(reply, m->notice) : sd_bus_message_append(reply, "as", 0);
}

static int property_get_supported_roles(PROPERTY_ARGUMENTS) {
        return append_roles(reply, abilities(userdata), false);
}

static int property_get_identifier_selection_roles(PROPERTY_ARGUMENTS) {
        return append_roles(reply, abilities(userdata), true);
}

static int property_get_features(PROPERTY_ARGUMENTS) {
        return sd_bus_message_append(reply, "as", 3, "unbind", "tcp-endpoints", "portal-groups");
}

static int property_get_default_portal_group(PROPERTY_ARGUMENTS) {
        return sd_bus_message_append(reply, "o", GROUP_PATH "/default");
}

#define CONSTANT(name, type, get) SD_BUS_PROPERTY(name, type, get, 0, SD_BUS_VTABLE_PROPERTY_CONST)

static const sd_bus_vtable properties[] = {
        CONSTANT("SystemCreationClassName", "s", property_get_system_creation_class_name),
        CONSTANT("SystemName", "s", property_get_system_name),
        CONSTANT("CreationClassName", "s", property_get_creation_class_name),
        CONSTANT("Name", "s", property_get_name),
        CONSTANT("ElementName", "s", property_get_element_name),
        CONSTANT("EnabledState", "q", property_get_enabled_state),
        CONSTANT("Started", "b", property_get_started),
        SD_BUS_PROPERTY("StatusDescriptions", "as", property_get_status_descriptions, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        CONSTANT("iSCSIProtocolEndpointCreationSupported", "b", property_get_creation_supported),
        CONSTANT("IdentifierSelectionSupported", "b", property_get_selection_supported),
        CONSTANT("iSCSINodeCreationSupported", "b", property_get_creation_supported),
        CONSTANT("SupportedRoles", "aq", property_get_supported_roles),
        CONSTANT("IdentifierSelectionRoles", "aq", property_get_identifier_selection_roles),
        CONSTANT("MinimumSpecificationVersionSupported", "y", property_get_specification_version),
        CONSTANT("MaximumSpecificationVersionSupported", "y", property_get_specification_version),
        CONSTANT("Version", "s", property_get_version),
        CONSTANT("Features", "as", property_get_features),
        CONSTANT("DefaultPortalGroup", "o", property_get_default_portal_group),
        CONSTANT("MaxNodes", "u", property_get_max_nodes),
        CONSTANT("MaxPorts", "u", property_get_max_ports),
        CONSTANT("MaxPortalsPerPort", "u", property_get_max_portals_per_port),
        CONSTANT("MaxTCPProtocolEndpoints", "u", property_get_max_tcp_endpoints),
        CONSTANT("MaxPortalGroups", "u", property_get_max_portal_groups),
};

int service_vtable_new(sd_bus_vtable **ret) {
        static const sd_bus_vtable start[] = { SD_BUS_VTABLE_START(0) }, end[] = { SD_BUS_VTABLE_END };
        sd_bus_vtable *v;
        size_t n = 0;

        v = calloc(1 + n_change_kinds + ELEMENTSOF(properties) + 1, sizeof(sd_bus_vtable));
        if (!v)
                return -ENOMEM;

        v[n++] = start[0];

        /* The methods are the rows of the table and nothing else. UNPRIVILEGED only takes sd-bus's own check away: who may call is what
         * the row's polkit action says. */
        for (size_t i = 0; i < n_change_kinds; i++) {
                const ChangeKind *k = change_kinds[i];

                if (!k->action) {
                        free(v);
                        return -ENOKEY;
                }
                v[n].type = _SD_BUS_VTABLE_METHOD;
                v[n].flags = SD_BUS_VTABLE_UNPRIVILEGED;
                v[n].x.method.member = method_name(k->method);
                v[n].x.method.signature = k->in;
                v[n].x.method.result = k->out;
                v[n].x.method.handler = method_change;
                v[n].x.method.names = k->names;
                n++;
        }

        memcpy(v + n, properties, sizeof(properties));
        n += ELEMENTSOF(properties);
        v[n] = end[0];

        *ret = v;
        return 0;
}
