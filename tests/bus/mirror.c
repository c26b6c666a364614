/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "mirror.h"

#include <stdlib.h>
#include <string.h>

/* Whose values are in no signal and not in GetManagedObjects, since they are marked "invalidates". */
static const struct {
        const char *interface, *property;
} unsaid[] = {
        { NODE_INTERFACE, "ProtocolEndpoints" },
        { TCP_INTERFACE, "BoundBy" },
        { IP_INTERFACE, "BoundBy" },
        { GROUP_INTERFACE, "Members" },
};
#define UNREAD "?"

struct Mirror {
        sd_bus *bus;
        sd_bus_slot *slot;
        GHashTable *known;       /* as read_all_objects() */
        GHashTable *invalidated; /* the keys among them that must have another value by now → the one that they had */
        GString *lines;
};

static char *key_of(const char *path, const char *interface, const char *property) {
        return g_strdup_printf("%s %s %s", path, interface, property);
}

static void append_value(GString *text, sd_bus_message *m);

static void append_contents(GString *text, sd_bus_message *m, char type, const char *contents, const char *separator) {
        bool first = true;

        g_assert_cmpint(sd_bus_message_enter_container(m, type, contents), >, 0);
        while (sd_bus_message_at_end(m, false) == 0) {
                if (!first)
                        g_string_append(text, separator);
                first = false;
                append_value(text, m);
        }
        g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
}

static void append_value(GString *text, sd_bus_message *m) {
        const char *contents, *s;
        uint16_t q;
        uint32_t u;
        uint8_t y;
        char type;
        int b;

        g_assert_cmpint(sd_bus_message_peek_type(m, &type, &contents), >, 0);
        switch (type) {
        case 'a':
                g_string_append_c(text, '[');
                append_contents(text, m, type, contents, " ");
                g_string_append_c(text, ']');
                return;
        case 'e':
                append_contents(text, m, type, contents, ":");
                return;
        case 'v':
                g_string_append_printf(text, "<%s>", contents);
                append_contents(text, m, type, contents, "");
                return;
        case 's':
        case 'o':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &s), >, 0);
                g_string_append(text, s);
                return;
        case 'b':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &b), >, 0);
                g_string_append(text, b ? "true" : "false");
                return;
        case 'y':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &y), >, 0);
                g_string_append_printf(text, "%u", y);
                return;
        case 'q':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &q), >, 0);
                g_string_append_printf(text, "%u", q);
                return;
        case 'u':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &u), >, 0);
                g_string_append_printf(text, "%u", u);
                return;
        default:
                g_error("A value has the type %c", type);
        }
}

char *read_value_text(sd_bus_message *m) {
        GString *text = g_string_new(NULL);

        append_value(text, m);
        return g_string_free(text, FALSE);
}

/* Reads a{sv} of PATH's INTERFACE into TABLE. */
static void read_properties(sd_bus_message *m, const char *path, const char *interface, GHashTable *table) {
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sv}"), >, 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                const char *property;

                g_assert_cmpint(sd_bus_message_read_basic(m, 's', &property), >, 0);
                g_assert_true(g_hash_table_insert(table, key_of(path, interface, property), read_value_text(m)));
                g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
        }
        g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
}

/* Reads o and a{sa{sv}} into TABLE, in which nothing of the object is yet. Returns the path, which is the message's. */
static const char *read_object(sd_bus_message *m, GHashTable *table) {
        const char *path, *interface;

        g_assert_cmpint(sd_bus_message_read_basic(m, 'o', &path), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sa{sv}}"), >, 0);
        while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
                g_assert_cmpint(sd_bus_message_read_basic(m, 's', &interface), >, 0);
                g_assert_true(g_hash_table_insert(table, key_of(path, interface, ""), g_strdup("")));
                read_properties(m, path, interface, table);
                g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
        }
        g_assert_cmpint(sd_bus_message_exit_container(m), >, 0);
        return path;
}

GHashTable *read_managed_objects(sd_bus *bus) {
        GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;

        if (sd_bus_call_method(bus, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &e, &reply,
                               NULL) < 0)
                g_error("GetManagedObjects: %s", e.message);
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), >, 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                (void) read_object(reply, table);
                g_assert_cmpint(sd_bus_message_exit_container(reply), >, 0);
        }
        sd_bus_message_unref(reply);
        return table;
}

/* NULL: the object is gone meanwhile. */
static char *try_get_value_text(sd_bus *bus, const char *path, const char *interface, const char *property) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        char *text = NULL;

        if (sd_bus_call_method(bus, BUS_NAME, path, "org.freedesktop.DBus.Properties", "Get", &e, &reply, "ss", interface,
                               property) >= 0)
                text = read_value_text(reply);
        else if (!g_str_equal(e.name, "org.freedesktop.DBus.Error.UnknownObject"))
                g_error("Get %s %s: %s", path, property, e.message);
        sd_bus_error_free(&e);
        sd_bus_message_unref(reply);
        return text;
}

char *get_value_text(sd_bus *bus, const char *path, const char *interface, const char *property) {
        char *text = try_get_value_text(bus, path, interface, property);

        if (!text)
                g_error("Get %s %s: the object is not there", path, property);
        return text;
}

static void read_unsaid(sd_bus *bus, const char *path, const char *interface, GHashTable *table) {
        for (gsize i = 0; i < G_N_ELEMENTS(unsaid); i++) {
                char *value;

                if (!g_str_equal(interface, unsaid[i].interface))
                        continue;
                value = try_get_value_text(bus, path, interface, unsaid[i].property);
                if (value)
                        g_assert_true(g_hash_table_insert(table, key_of(path, interface, unsaid[i].property), value));
        }
}

GHashTable *read_all_objects(sd_bus *bus) {
        GHashTable *table = read_managed_objects(bus);
        guint n;
        gpointer *keys = g_hash_table_get_keys_as_array(table, &n);

        for (guint i = 0; i < n; i++) {
                g_auto(GStrv) parts = g_strsplit(keys[i], " ", 3);

                if (parts[2][0] == '\0')
                        read_unsaid(bus, parts[0], parts[1], table);
        }

        g_free(keys);
        return table;
}

static int compare_strings(gconstpointer a, gconstpointer b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

char *managed_objects_text(sd_bus *bus) {
        g_autoptr(GHashTable) table = read_all_objects(bus);
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        GHashTableIter i;
        gpointer key, value;

        g_hash_table_iter_init(&i, table);
        while (g_hash_table_iter_next(&i, &key, &value)) {
                const char *list = strchr(value, '[');

                if (list && !g_str_has_suffix(key, " BindsTo") && !g_str_has_suffix(key, " ListeningOn")) {
                        g_autofree char *inner = g_strndup(list + 1, strlen(list) - 2), *joined = NULL;
                        g_auto(GStrv) items = g_strsplit(inner, " ", 0);

                        qsort(items, g_strv_length(items), sizeof(char *), compare_strings);
                        joined = g_strjoinv(" ", items);
                        g_ptr_array_add(lines, g_strdup_printf("%s = [%s]", (char *) key, joined));
                } else
                        g_ptr_array_add(lines, g_strdup_printf("%s = %s", (char *) key, (char *) value));
        }
        g_ptr_array_sort(lines, compare_strings);
        g_ptr_array_add(lines, NULL);
        return g_strjoinv("\n", (char **) lines->pdata);
}

char *readable_path(const char *path) {
        GString *text = g_string_new(NULL);

        g_assert_true(g_str_has_prefix(path, ROOT_PATH));
        for (const char *p = path + strlen(ROOT_PATH) + (path[strlen(ROOT_PATH)] == '/'); *p; p++)
                if (*p == '_' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2])) {
                        g_string_append_c(text, (char) (g_ascii_xdigit_value(p[1]) << 4 | g_ascii_xdigit_value(p[2])));
                        p += 2;
                } else
                        g_string_append_c(text, *p);
        return g_string_free(text, FALSE);
}

static void add_line(Mirror *m, char mark, const char *path, const char *rest) {
        g_autofree char *readable = readable_path(path);

        g_string_append_printf(m->lines, "%c %s%s\n", mark, readable, rest);
}

/* The interfaces, with blanks between, that PATH has in TABLE. */
static char *interfaces_of(GHashTable *table, const char *path) {
        g_autofree char *prefix = g_strconcat(path, " ", NULL);
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        GHashTableIter i;
        gpointer key;

        g_hash_table_iter_init(&i, table);
        while (g_hash_table_iter_next(&i, &key, NULL))
                if (g_str_has_prefix(key, prefix) && g_str_has_suffix(key, " "))
                        g_ptr_array_add(names, (char *) key + strlen(prefix));
        g_ptr_array_sort(names, compare_strings);
        g_ptr_array_add(names, NULL);
        return g_strjoinv("", (char **) names->pdata);
}

static gboolean key_is_of(gpointer key, gpointer value, gpointer prefix) {
        return g_str_has_prefix(key, prefix);
}

static void on_added(Mirror *m, sd_bus_message *message) {
        const char *path = read_object(message, m->known);

        /* read_object() has ended the test if any of the object was known. */
        for (gsize i = 0; i < G_N_ELEMENTS(unsaid); i++) {
                g_autofree char *interface = key_of(path, unsaid[i].interface, "");

                if (g_hash_table_contains(m->known, interface))
                        g_assert_true(g_hash_table_insert(m->known, key_of(path, unsaid[i].interface, unsaid[i].property),
                                                          g_strdup(UNREAD)));
        }
        add_line(m, '+', path, "");
}

static void on_removed(Mirror *m, sd_bus_message *message) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *prefix = NULL, *told = NULL, *known = NULL;
        g_autoptr(GString) text = g_string_new(NULL);
        const char *path, *interface;

        g_assert_cmpint(sd_bus_message_read_basic(message, 'o', &path), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "s"), >, 0);
        while (sd_bus_message_read_basic(message, 's', &interface) > 0)
                g_ptr_array_add(names, (char *) interface);
        g_ptr_array_sort(names, compare_strings);
        for (guint i = 0; i < names->len; i++)
                g_string_append_printf(text, "%s ", (char *) names->pdata[i]);

        /* All of them, or a client would keep half of an object. */
        known = interfaces_of(m->known, path);
        g_assert_cmpstr(text->str, ==, known);

        prefix = g_strconcat(path, " ", NULL);
        g_hash_table_foreach_remove(m->known, key_is_of, prefix);
        g_hash_table_foreach_remove(m->invalidated, key_is_of, prefix);
        add_line(m, '-', path, "");
}

static const char *known_value(Mirror *m, const char *key) {
        const char *value = g_hash_table_lookup(m->known, key);

        if (!value)
                g_error("PropertiesChanged of what is not known: %s", key);
        return value;
}

static void on_properties_changed(Mirror *m, sd_bus_message *message) {
        g_autoptr(GString) names = g_string_new(NULL);
        const char *path = sd_bus_message_get_path(message), *interface, *property;

        g_assert_cmpint(sd_bus_message_read_basic(message, 's', &interface), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "{sv}"), >, 0);
        while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
                g_autofree char *key = NULL, *value = NULL;

                g_assert_cmpint(sd_bus_message_read_basic(message, 's', &property), >, 0);
                value = read_value_text(message);
                g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);

                key = key_of(path, interface, property);
                if (g_str_equal(known_value(m, key), value))
                        g_error("PropertiesChanged without a change: %s is %s", key, value);
                g_hash_table_insert(m->known, g_steal_pointer(&key), g_steal_pointer(&value));
                g_string_append_printf(names, " %s", property);
        }
        g_assert_cmpint(sd_bus_message_exit_container(message), >, 0);

        g_assert_cmpint(sd_bus_message_enter_container(message, 'a', "s"), >, 0);
        while (sd_bus_message_read_basic(message, 's', &property) > 0) {
                g_autofree char *key = key_of(path, interface, property);

                if (!g_hash_table_contains(m->invalidated, key))
                        g_hash_table_insert(m->invalidated, g_strdup(key), g_strdup(known_value(m, key)));
                g_string_append_printf(names, " -%s", property);
        }
        g_assert_cmpuint(names->len, >, 0);
        add_line(m, '~', path, names->str);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Mirror *m = userdata;

        if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded") > 0)
                on_added(m, message);
        else if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved") > 0)
                on_removed(m, message);
        else if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Properties", "PropertiesChanged") > 0)
                on_properties_changed(m, message);
        else
                g_error("The service sent the signal %s", sd_bus_message_get_member(message));
        return 0;
}

static void ping(sd_bus *bus) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        if (sd_bus_call_method(bus, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", &e, NULL, NULL) < 0)
                g_error("Ping: %s", e.message);
}

Mirror *mirror_new(sd_bus *bus) {
        Mirror *m = g_new0(Mirror, 1);

        m->bus = sd_bus_ref(bus);
        m->lines = g_string_new(NULL);
        m->invalidated = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        ping(bus); /* what was done before is told before */
        g_assert_cmpint(sd_bus_add_match(bus, &m->slot, "type='signal',sender='" BUS_NAME "',path_namespace='" ROOT_PATH "'",
                                         on_signal, m),
                        >=, 0);
        m->known = read_all_objects(bus);
        return m;
}

void mirror_free(Mirror *m) {
        sd_bus_slot_unref(m->slot);
        sd_bus_unref(m->bus);
        g_hash_table_unref(m->known);
        g_hash_table_unref(m->invalidated);
        g_string_free(m->lines, TRUE);
        g_free(m);
}

void mirror_mark(Mirror *m, const char *line) {
        g_string_append_printf(m->lines, "%s\n", line);
}

bool mirror_has_signals(Mirror *m) {
        return m->lines->len > 0;
}

/* What is known is what is: only of those that no signal tells are the values learnt, and an invalidated one must be another
 * one. */
static void mirror_check(Mirror *m) {
        GHashTable *actual = read_all_objects(m->bus);
        GHashTableIter i;
        gpointer key, value;

        g_hash_table_iter_init(&i, m->invalidated);
        while (g_hash_table_iter_next(&i, &key, &value)) {
                const char *now = g_hash_table_lookup(actual, key);

                g_assert_nonnull(now);
                if (g_str_equal(now, value)) /* never so if it had not been read */
                        g_error("Invalidated without a change: %s is %s", (char *) key, now);
                g_hash_table_insert(m->known, g_strdup(key), g_strdup(now));
        }
        g_hash_table_remove_all(m->invalidated);

        g_hash_table_iter_init(&i, actual);
        while (g_hash_table_iter_next(&i, &key, &value)) {
                const char *known = g_hash_table_lookup(m->known, key);

                if (g_strcmp0(known, UNREAD) == 0)
                        g_hash_table_insert(m->known, g_strdup(key), g_strdup(value));
                else if (g_strcmp0(known, value) != 0)
                        g_error("No signal told that %s is %s, not %s", (char *) key, (char *) value, known ? known : "absent");
        }
        g_hash_table_iter_init(&i, m->known);
        while (g_hash_table_iter_next(&i, &key, NULL))
                if (!g_hash_table_contains(actual, key))
                        g_error("No signal told that %s is gone", (char *) key);

        g_hash_table_unref(actual);
}

char *mirror_take(Mirror *m) {
        char *lines;
        int r;

        ping(m->bus);
        while ((r = sd_bus_process(m->bus, NULL)) > 0)
                ;
        g_assert_cmpint(r, >=, 0);
        mirror_check(m);

        lines = g_strdup(m->lines->str);
        g_string_truncate(m->lines, 0);
        return lines;
}

static bool only_invalidates(const char *line) {
        const char *property = line[0] == '~' ? strchr(line + 2, ' ') : NULL;

        return property && property[1] == '-';
}

void assert_signals_at(const char *where, Mirror *m, const char *const *lines) {
        g_autofree char *actual = mirror_take(m);
        g_autoptr(GString) expected = g_string_new("");

        for (int invalidations = 0; invalidations < 2; invalidations++)
                for (const char *const *l = lines; *l; l++)
                        if (only_invalidates(*l) == invalidations)
                                g_string_append_printf(expected, "%s\n", *l);

        if (!g_str_equal(actual, expected->str))
                g_error("%s: the signals were\n%snot\n%s", where, actual, expected->str);
}
