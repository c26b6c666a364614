/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-value.h"

static int bus_basic(ValueWriter *w, char type, const void *value) {
        sd_bus_message *m = ((BusWriter *) w)->message;

        if (type == 'b') {
                int v = *(const bool *) value;

                return sd_bus_message_append_basic(m, type, &v);
        }
        return sd_bus_message_append_basic(m, type, value);
}

static int bus_open(ValueWriter *w, char type, const char *contents) {
        return sd_bus_message_open_container(((BusWriter *) w)->message, type, contents);
}

static int bus_close(ValueWriter *w) {
        return sd_bus_message_close_container(((BusWriter *) w)->message);
}

BusWriter bus_writer(sd_bus_message *message) {
        static const ValueSink sink = { bus_basic, bus_open, bus_close };

        return (BusWriter){ { &sink }, message };
}
