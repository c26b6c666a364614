/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What property getters share. Getters read memory alone and fail only without memory. */

#include <systemd/sd-bus.h>

#include "bus/manager.h"

#define PROPERTY_ARGUMENTS                                                                                              \
        _unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface, _unused_ const char *property, \
                sd_bus_message *reply, _unused_ void *userdata, _unused_ sd_bus_error *error

#define DEFINE_PROPERTY_STRING(name, value)                      \
        static int name(PROPERTY_ARGUMENTS) {                    \
                return sd_bus_message_append(reply, "s", value); \
        }

#define DEFINE_PROPERTY_NUMBER(name, type, value)                 \
        static int name(PROPERTY_ARGUMENTS) {                     \
                return sd_bus_message_append(reply, type, value); \
        }

/* What is the same for all objects of a class, CIM keys above all: it can be read but is left out of GetAll and GetManagedObjects. */
#define PROPERTY_KEY_FLAGS (SD_BUS_VTABLE_PROPERTY_CONST | SD_BUS_VTABLE_PROPERTY_EXPLICIT)
#define SYSTEM_CREATION_CLASS_NAME "CIM_ComputerSystem"

int property_get_system_creation_class_name(PROPERTY_ARGUMENTS);
int property_get_system_name(PROPERTY_ARGUMENTS);

/* CIM_ManagedSystemElement.OperationalStatus and CIM_EnabledLogicalElement.EnabledState of a state. */
int property_append_enabled_state(sd_bus_message *reply, ObjectState state);
int property_append_operational_status(sd_bus_message *reply, ObjectState state);

/* One text, since OperationalStatus has one value: the description, or what the state means. */
const char *state_text(ObjectState state, const char *description);
