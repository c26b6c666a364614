/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "calls.h"

#include <stdarg.h>

#define CALL_USEC (60 * G_USEC_PER_SEC)

sd_bus_message *new_call(sd_bus *bus, const char *member) {
        sd_bus_message *m = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, member), >=, 0);
        return m;
}

void must_call_at(const char *where, sd_bus *bus, const char *member, const char *types, ...) {
        sd_bus_message *m = new_call(bus, member);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        va_list ap;

        va_start(ap, types);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        if (sd_bus_call(bus, m, CALL_USEC, &e, NULL) < 0)
                g_error("%s: %s: %s: %s", where, member, e.name, e.message);
        sd_bus_message_unref(m);
}

void must_refuse_message_at(const char *where, sd_bus *bus, const char *error, unsigned code, sd_bus_message *m) {
        g_autofree char *name = g_strconcat(ERROR_PREFIX, error, NULL), *end = g_strdup_printf(" (%u)", code);
        sd_bus_error e = SD_BUS_ERROR_NULL;

        if (sd_bus_call(bus, m, CALL_USEC, &e, NULL) >= 0)
                g_error("%s: %s succeeded", where, sd_bus_message_get_member(m));
        if (!g_str_equal(e.name, name) || !g_str_has_suffix(e.message, end))
                g_error("%s: %s: %s: %s, not %s%s", where, sd_bus_message_get_member(m), e.name, e.message, error, end);
        sd_bus_error_free(&e);
        sd_bus_message_unref(m);
}

void must_refuse_at(const char *where, sd_bus *bus, const char *error, unsigned code, const char *member, const char *types,
                    ...) {
        sd_bus_message *m = new_call(bus, member);
        va_list ap;

        va_start(ap, types);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        must_refuse_message_at(where, bus, error, code, m);
}

void send_call(sd_bus *bus, sd_bus_message *m) {
        g_assert_cmpint(sd_bus_call_async(bus, NULL, m, NULL, NULL, UINT64_MAX), >=, 0);
        g_assert_cmpint(sd_bus_flush(bus), >=, 0);
        sd_bus_message_unref(m);
}
