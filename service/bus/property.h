/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What property getters share. Getters read memory alone and fail only without memory. */

#include <systemd/sd-bus.h>

#include "bus/manager.h"

#define PROPERTY_ARGUMENTS                                                                                              \
        _unused_ sd_bus *bus, _unused_ const char *path, _unused_ const char *interface, _unused_ const char *property, \
                sd_bus_message *reply, _unused_ void *userdata, _unused_ sd_bus_error *error

/* By append_basic(): it does not have to understand a signature first, which counts in a GetManagedObjects of thousands of objects. */
#define DEFINE_PROPERTY_BASIC(name, type, ctype, value)               \
        static int name(PROPERTY_ARGUMENTS) {                         \
                ctype _v = (value);                                   \
                return sd_bus_message_append_basic(reply, type, &_v); \
        }

#define DEFINE_PROPERTY_STRING(name, value)                            \
        static int name(PROPERTY_ARGUMENTS) {                          \
                return sd_bus_message_append_basic(reply, 's', value); \
        }

#define DEFINE_PROPERTY_BOOL(name, value) DEFINE_PROPERTY_BASIC(name, 'b', int, value)
#define DEFINE_PROPERTY_BYTE(name, value) DEFINE_PROPERTY_BASIC(name, 'y', uint8_t, value)
#define DEFINE_PROPERTY_UINT16(name, value) DEFINE_PROPERTY_BASIC(name, 'q', uint16_t, value)
#define DEFINE_PROPERTY_UINT32(name, value) DEFINE_PROPERTY_BASIC(name, 'u', uint32_t, value)

/* What is the same for all objects of a class, CIM keys above all: it can be read but is left out of GetAll and GetManagedObjects. */
#define PROPERTY_KEY_FLAGS (SD_BUS_VTABLE_PROPERTY_CONST | SD_BUS_VTABLE_PROPERTY_EXPLICIT)
#define SYSTEM_CREATION_CLASS_NAME "CIM_ComputerSystem"

int property_get_system_creation_class_name(PROPERTY_ARGUMENTS);
int property_get_system_name(PROPERTY_ARGUMENTS);

/* An array of one text. */
int property_append_text(sd_bus_message *reply, const char *text);

/* CIM_ManagedSystemElement.OperationalStatus and CIM_EnabledLogicalElement.EnabledState of a state. */
int property_append_enabled_state(sd_bus_message *reply, ObjectState state);
int property_append_operational_status(sd_bus_message *reply, ObjectState state);

/* One text, since OperationalStatus has one value: the description, or what the state means. */
const char *state_text(ObjectState state, const char *description);
