/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Values into a D-Bus message. */

#include <systemd/sd-bus.h>

#include "common/value.h"

typedef struct BusWriter {
        ValueWriter writer;
        sd_bus_message *message;
} BusWriter;

/* A writer that appends to MESSAGE. It owns nothing and needs no end. */
BusWriter bus_writer(sd_bus_message *message);
