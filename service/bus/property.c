/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/property.h"

#include <unistd.h>

int property_get_system_creation_class_name(PROPERTY_ARGUMENTS) {
        return sd_bus_message_append(reply, "s", SYSTEM_CREATION_CLASS_NAME);
}

int property_get_system_name(PROPERTY_ARGUMENTS) {
        char name[256];

        /* Not kept: getters of all classes share this one and have different userdata. uname(2) is not a question to another process. */
        if (gethostname(name, sizeof(name)) < 0)
                name[0] = '\0';
        name[sizeof(name) - 1] = '\0';
        return sd_bus_message_append(reply, "s", name);
}

int property_append_enabled_state(sd_bus_message *reply, ObjectState state) {
        static const uint16_t values[] = {
                [STATE_STARTING] = 10,                       /* Starting */
                [STATE_IN_FORCE] = 2,                        /* Enabled */
                [STATE_DEGRADED] = 6,                        /* Enabled but Offline */
                [STATE_DRIFTED] = 2,   [STATE_DISABLED] = 3, /* Disabled */
        };

        return sd_bus_message_append_basic(reply, 'q', values + state);
}

int property_append_operational_status(sd_bus_message *reply, ObjectState state) {
        static const uint16_t values[] = {
                [STATE_STARTING] = 8,                        /* Starting */
                [STATE_IN_FORCE] = 2,                        /* OK */
                [STATE_DEGRADED] = 3,                        /* Degraded */
                [STATE_DRIFTED] = 3,  [STATE_DISABLED] = 10, /* Stopped */
        };

        return sd_bus_message_append_array(reply, 'q', values + state, sizeof(values[state]));
}

int property_append_text(sd_bus_message *reply, const char *text) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(reply, 's', text);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

const char *state_text(ObjectState state, const char *description) {
        static const char *const texts[] = {
                [STATE_STARTING] = "Not looked at yet", [STATE_IN_FORCE] = "In force",
                [STATE_DEGRADED] = "Degraded",          [STATE_DRIFTED] = "Drifted",
                [STATE_DISABLED] = "Not enabled",
        };

        return description ? description : texts[state];
}
