/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "session-list.h"

#include <string.h>

static char *read_value(sd_bus_message *m);

/* Appends "{KEY=VALUE KEY=VALUE}" for each entry of an aa{sv}. */
static void read_dictionaries(sd_bus_message *m, GString *text) {
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "a{sv}"), >, 0);
        while (sd_bus_message_enter_container(m, 'a', "{sv}") > 0) {
                bool first = true;

                g_string_append_c(text, '{');
                while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                        g_autofree char *value = NULL;
                        const char *key;

                        g_assert_cmpint(sd_bus_message_read(m, "s", &key), >, 0);
                        value = read_value(m);
                        g_string_append_printf(text, "%s%s=%s", first ? "" : " ", key, value);
                        g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
                        first = false;
                }
                g_string_append_c(text, '}');
                g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
        }
        g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
}

static guint64 read_number(sd_bus_message *m, char type) {
        union {
                guint16 q;
                guint32 u;
                guint64 t;
        } v = {};

        g_assert_cmpint(sd_bus_message_read_basic(m, type, &v), >, 0);
        return type == 'q' ? v.q : type == 'u' ? v.u : v.t;
}

/* A variant. */
static char *read_value(sd_bus_message *m) {
        g_autoptr(GString) text = g_string_new("");
        const char *contents, *s;
        int b;

        g_assert_cmpint(sd_bus_message_peek_type(m, NULL, &contents), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(m, 'v', contents), >, 0);
        switch (contents[0]) {
        case 's':
        case 'o':
                g_assert_cmpint(sd_bus_message_read_basic(m, contents[0], &s), >, 0);
                g_string_append(text, s);
                break;
        case 'b':
                g_assert_cmpint(sd_bus_message_read_basic(m, 'b', &b), >, 0);
                g_string_append(text, b ? "true" : "false");
                break;
        case 'a':
                g_assert_cmpstr(contents, ==, "aa{sv}");
                read_dictionaries(m, text);
                break;
        default:
                g_string_append_printf(text, "%" G_GUINT64_FORMAT, read_number(m, contents[0]));
        }
        g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
        return g_strdup(text->str);
}

static GHashTable *read_session(sd_bus_message *m) {
        GHashTable *session = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        const char *key;

        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                g_assert_cmpint(sd_bus_message_read(m, "s", &key), >, 0);
                g_assert_true(g_hash_table_insert(session, g_strdup(key), read_value(m))); /* no key twice */
                g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
        }
        return session;
}

SessionList *list_sessions(sd_bus *bus, const char *path) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = call_service(bus, &e, "ListSessions", "o", path);
        SessionList *l = g_new0(SessionList, 1);
        const char *reason;
        int complete;

        if (!m)
                g_error("ListSessions %s: %s", path, e.message);
        l->sessions = g_ptr_array_new_with_free_func((GDestroyNotify) g_hash_table_unref);
        l->reasons = g_ptr_array_new_with_free_func(g_free);

        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "a{sv}"), >, 0);
        while (sd_bus_message_enter_container(m, 'a', "{sv}") > 0) {
                g_ptr_array_add(l->sessions, read_session(m));
                g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
        }
        g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);

        g_assert_cmpint(sd_bus_message_read(m, "b", &complete), >, 0);
        l->complete = complete;
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "s"), >, 0);
        while (sd_bus_message_read(m, "s", &reason) > 0) {
                g_test_message("%s: %s", path, reason);
                g_ptr_array_add(l->reasons, g_strdup(reason));
        }
        g_assert_cmpint(complete, ==, l->reasons->len == 0);
        sd_bus_message_unref(m);
        return l;
}

void session_list_free(SessionList *l) {
        g_ptr_array_unref(l->sessions);
        g_ptr_array_unref(l->reasons);
        g_free(l);
}

const char *session_value(const SessionList *l, unsigned i, const char *key) {
        const char *value;

        g_assert_cmpuint(i, <, l->sessions->len);
        value = g_hash_table_lookup(g_ptr_array_index(l->sessions, i), key);
        return value ? value : "";
}

char *session_numbers(const SessionList *l) {
        g_autoptr(GString) text = g_string_new("");

        for (unsigned i = 0; i < l->sessions->len; i++)
                g_string_append_printf(text, "%s%s", i ? " " : "", session_value(l, i, "SessionNumber"));
        return g_strdup(text->str);
}

void await_complete(sd_bus *bus, const char *path) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

        for (;;) {
                g_autoptr(SessionList) l = list_sessions(bus, path);

                if (l->complete)
                        return;
                if (g_get_monotonic_time() > end)
                        g_error("%s: %s", path, (char *) g_ptr_array_index(l->reasons, 0));
                g_usleep(20000);
        }
}

void assert_sessions(sd_bus *bus, const char *path, const char *numbers) {
        g_autoptr(SessionList) l = list_sessions(bus, path);
        g_autofree char *found = session_numbers(l);

        g_assert_cmpstr(found, ==, numbers);
        g_assert_true(l->complete);
}
