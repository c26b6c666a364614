/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.ProtocolEndpoint: iSCSIProtocolEndpoint, an iSCSI port. */

#include <errno.h>
#include <stdio.h>

#include "bus/objects.h"
#include "bus/property.h"
#include "common/name.h"

DEFINE_PROPERTY_STRING(property_get_creation_class_name, "CIM_iSCSIProtocolEndpoint");
DEFINE_PROPERTY_STRING(property_get_other_type_description, "iSCSI");
DEFINE_PROPERTY_UINT16(property_get_role, ((Port *) userdata)->role);
DEFINE_PROPERTY_UINT16(property_get_connection_type, 7);                                     /* iSCSI */
DEFINE_PROPERTY_UINT16(property_get_protocol_if_type, 1);                                    /* Other */
DEFINE_PROPERTY_UINT16(property_get_requested_state, ((Port *) userdata)->managed ? 2 : 12); /* Enabled; Not Applicable */
DEFINE_PROPERTY_BOOL(property_get_managed, ((Port *) userdata)->managed);

static int property_get_name(PROPERTY_ARGUMENTS) {
        _cleanup_free_ char *name = NULL;
        const Port *p = userdata;
        int r;

        r = iscsi_port_name(p->key.node->name, p->role, p->key.identifier, &name);
        if (r < 0)
                return r;
        return sd_bus_message_append_basic(reply, 's', name);
}

static int property_get_identifier(PROPERTY_ARGUMENTS) {
        char buf[IDENTIFIER_DIGITS + 1];

        return sd_bus_message_append_basic(reply, 's', identifier_to_text(((Port *) userdata)->key.identifier, buf));
}

static int property_get_enabled_state(PROPERTY_ARGUMENTS) {
        return property_append_enabled_state(reply, ((Port *) userdata)->state);
}

static int property_get_operational_status(PROPERTY_ARGUMENTS) {
        return property_append_operational_status(reply, ((Port *) userdata)->state);
}

/* The state, and which of the portals wait for their address: that is no error, since the kernel binds ahead. */
static int property_get_status_descriptions(PROPERTY_ARGUMENTS) {
        _cleanup_free_ char *text = NULL;
        const Port *p = userdata;
        const char *state = state_text(p->state, p->description);
        size_t size;
        FILE *f;
        bool absent = false;

        for (size_t i = 0; i < p->n_bindings && !absent; i++) {
                const Binding *b = p->bindings[i];

                absent = !(b->key.tcp ? b->key.tcp->ip : b->ip)->present;
        }
        if (!absent)
                return property_append_text(reply, state);

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        (void) fputs(state, f);
        for (size_t i = 0; i < p->n_bindings; i++) {
                const Binding *b = p->bindings[i];

                if (!(b->key.tcp ? b->key.tcp->ip : b->ip)->present)
                        (void) fprintf(f, "; portal %s waits for its address, which is not on this host",
                                       b->key.tcp ? b->key.tcp->name : b->ip->name);
        }
        if (fclose(f) != 0)
                return -ENOMEM;

        return property_append_text(reply, text);
}

static int property_get_sap_available_for_element(PROPERTY_ARGUMENTS) {
        return sd_bus_message_append_basic(reply, 'o', ((Port *) userdata)->key.node->object.path);
}

static int property_get_binds_to(PROPERTY_ARGUMENTS) {
        const Port *p = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "o");
        if (r < 0)
                return r;
        for (size_t i = 0; i < p->n_bindings; i++) {
                const char *endpoint = binding_endpoint(p->bindings[i])->path;

                if (!endpoint) /* an initiator's address that the host does not have now */
                        continue;
                r = sd_bus_message_append_basic(reply, 'o', endpoint);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

/* What is the same for all ports, or follows from Managed, is read by Get alone: GetManagedObjects carries thousands of ports. */
const sd_bus_vtable port_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("SystemCreationClassName", "s", property_get_system_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("SystemName", "s", property_get_system_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("CreationClassName", "s", property_get_creation_class_name, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("Name", "s", property_get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Identifier", "s", property_get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Role", "q", property_get_role, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ConnectionType", "q", property_get_connection_type, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("ProtocolIFType", "q", property_get_protocol_if_type, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("OtherTypeDescription", "s", property_get_other_type_description, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("EnabledState", "q", property_get_enabled_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RequestedState", "q", property_get_requested_state, 0, PROPERTY_KEY_FLAGS),
        SD_BUS_PROPERTY("OperationalStatus", "aq", property_get_operational_status, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("StatusDescriptions", "as", property_get_status_descriptions, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("SAPAvailableForElement", "o", property_get_sap_available_for_element, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BindsTo", "ao", property_get_binds_to, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Managed", "b", property_get_managed, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};
