/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "batch.h"
#include "bus-view.h"
#include "calls.h"

#define CALL_USEC (60 * G_USEC_PER_SEC)

sd_bus_message *batch_new(sd_bus *bus) {
        sd_bus_message *m = new_call(bus, "CreateiSCSIProtocolEndpoints");

        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "(oqsao)"), >=, 0);
        return m;
}

void batch_add(sd_bus_message *m, const char *node_name, const char *identifier, const char *portals) {
        g_autofree char *node = node_path(node_name);
        g_auto(GStrv) names = g_strsplit(portals, " ", 0);

        g_assert_cmpint(sd_bus_message_open_container(m, 'r', "oqsao"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "oqs", node, 3, identifier), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
        for (char **name = names; *name; name++) {
                g_autofree char *path = tcp_path(*name);

                g_assert_cmpint(sd_bus_message_append_basic(m, 'o', path), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

void batch_add_raw(sd_bus_message *m, const char *node, unsigned role, const char *identifier, const char *portal) {
        g_assert_cmpint(sd_bus_message_append(m, "(oqsao)", node, (int) role, identifier, 1, portal), >=, 0);
}

sd_bus_message *batch_end(sd_bus_message *m, BatchEnabled enabled) {
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        if (enabled == BATCH_DEFAULT)
                g_assert_cmpint(sd_bus_message_append(m, "a{sv}", 0), >=, 0);
        else
                g_assert_cmpint(sd_bus_message_append(m, "a{sv}", 1, "Enabled", "b", (int) (enabled == BATCH_ENABLED)), >=, 0);
        return m;
}

char **batch_call(sd_bus *bus, sd_bus_message *m) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        char **paths = NULL;

        if (sd_bus_call(bus, m, CALL_USEC, &e, &reply) < 0)
                g_error("%s: %s: %s", sd_bus_message_get_member(m), e.name, e.message);
        g_assert_cmpint(sd_bus_message_read_strv(reply, &paths), >=, 0);
        sd_bus_message_unref(reply);
        sd_bus_message_unref(m);
        return paths;
}

void batch_refuse_at(const char *where, sd_bus *bus, sd_bus_message *m, const char *error, unsigned code, const char *text) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        if (sd_bus_call(bus, m, CALL_USEC, &e, NULL) >= 0)
                g_error("%s: the call succeeded", where);
        if (!g_str_has_prefix(e.message, text))
                g_error("%s: \"%s\" does not begin with \"%s\"", where, e.message, text);
        assert_error(&e, error, code);
        sd_bus_message_unref(m);
}
