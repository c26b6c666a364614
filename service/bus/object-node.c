/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.Node: SCSIProtocolController, an iSCSI node. */

#include <stdio.h>
#include <string.h>

#include "bus/objects.h"
#include "bus/property.h"
#include "common/hash.h"
#include "common/text.h"

#define DEVICE_ID_MAX 64u /* CIM_LogicalDevice.DeviceID: MaxLen(64), less than an iSCSI name may have */

DEFINE_PROPERTY_STRING(property_get_creation_class_name, "CIM_SCSIProtocolController");
DEFINE_PROPERTY_STRING(property_get_name, ((Node *) userdata)->name);
DEFINE_PROPERTY_STRING(property_get_element_name, ((Node *) userdata)->alias);
DEFINE_PROPERTY_UINT16(property_get_name_format, 3); /* iSCSI Name */
DEFINE_PROPERTY_BOOL(property_get_managed, ((Node *) userdata)->managed);

/* The name where it fits, else as much of it as fits with a hash of the whole behind. */
static int property_get_device_id(PROPERTY_ARGUMENTS) {
        const Node *n = userdata;
        char id[DEVICE_ID_MAX + 1];

        if (strlen(n->name) <= DEVICE_ID_MAX)
                return sd_bus_message_append(reply, "s", n->name);

        (void) snprintf(id, sizeof(id), "%.*s~%016llx", text_excerpt(n->name, DEVICE_ID_MAX - 17), n->name,
                        (unsigned long long) hash_text(n->name));
        return sd_bus_message_append(reply, "s", id);
}

static int property_get_roles(PROPERTY_ARGUMENTS) {
        const Node *n = userdata;
        uint16_t roles[2];
        size_t k = 0;

        for (uint16_t role = ROLE_INITIATOR; role <= ROLE_TARGET; role++)
                if (n->roles & ROLE_BIT(role))
                        roles[k++] = role;

        return sd_bus_message_append_array(reply, 'q', roles, k * sizeof(uint16_t));
}

static int property_get_protocol_endpoints(PROPERTY_ARGUMENTS) {
        const Node *n = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;
        for (const Port *p = n->ports; p; p = p->next_of_node)
                if (p->object.path) {
                        r = sd_bus_message_append_basic(reply, 'o', p->object.path);
                        if (r < 0)
                                return r;
                }
        return sd_bus_message_close_container(reply);
}

static int property_get_enabled_state(PROPERTY_ARGUMENTS) {
        return property_append_enabled_state(reply, ((Node *) userdata)->state);
}

static int property_get_operational_status(PROPERTY_ARGUMENTS) {
        return property_append_operational_status(reply, ((Node *) userdata)->state);
}

static int property_get_status_descriptions(PROPERTY_ARGUMENTS) {
        const Node *n = userdata;

        return property_append_text(reply, state_text(n->state, n->description));
}

const sd_bus_vtable node_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("SystemCreationClassName", "s", property_get_system_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("SystemName", "s", property_get_system_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("CreationClassName", "s", property_get_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("DeviceID", "s", property_get_device_id, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("Name", "s", property_get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("NameFormat", "q", property_get_name_format, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_element_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Roles", "aq", property_get_roles, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ProtocolEndpoints", "ao", property_get_protocol_endpoints, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_PROPERTY("EnabledState", "q", property_get_enabled_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("OperationalStatus", "aq", property_get_operational_status, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("StatusDescriptions", "as", property_get_status_descriptions, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Managed", "b", property_get_managed, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
