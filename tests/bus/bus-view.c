/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus-view.h"
#include "mirror.h"

#include <stdlib.h>
#include <string.h>

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *read_value(sd_bus_message *m, bool sorted);

static char *read_list(sd_bus_message *m, const char *contents, bool sorted) {
        g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *joined = NULL;

        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', contents), >=, 0);
        while (sd_bus_message_at_end(m, false) == 0)
                g_ptr_array_add(items, read_value(m, sorted));
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);

        if (sorted && items->len > 0)
                qsort(items->pdata, items->len, sizeof(char *), compare_strings);
        g_ptr_array_add(items, NULL);
        joined = g_strjoinv(" ", (char **) items->pdata);
        return g_strdup_printf("[%s]", joined);
}

static char *read_value(sd_bus_message *m, bool sorted) {
        const char *contents, *text;
        uint8_t y;
        uint16_t q;
        uint32_t u;
        char type;
        int b;

        g_assert_cmpint(sd_bus_message_peek_type(m, &type, &contents), >, 0);
        switch (type) {
        case 'a':
                return read_list(m, contents, sorted);
        case 's':
        case 'o':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &text), >, 0);
                return g_strdup(text);
        case 'b':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &b), >, 0);
                return g_strdup(b ? "true" : "false");
        case 'y':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &y), >, 0);
                return g_strdup_printf("%u", y);
        case 'q':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &q), >, 0);
                return g_strdup_printf("%u", q);
        case 'u':
                g_assert_cmpint(sd_bus_message_read_basic(m, type, &u), >, 0);
                return g_strdup_printf("%u", u);
        default:
                g_error("A property has the type %c", type);
        }
}

static void read_properties(sd_bus_message *m, const char *interface, GHashTable *properties) {
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sv}"), >, 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                const char *name, *contents;

                g_assert_cmpint(sd_bus_message_read(m, "s", &name), >, 0);
                g_assert_cmpint(sd_bus_message_peek_type(m, NULL, &contents), >, 0);
                g_assert_cmpint(sd_bus_message_enter_container(m, 'v', contents), >, 0);
                g_hash_table_insert(properties, g_strconcat(interface, ".", name, NULL),
                                    read_value(m, !g_str_equal(name, "BindsTo")));
                g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
                g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
}

/* PATH → (INTERFACE.PROPERTY → value as text) */
static GHashTable *read_objects(sd_bus *bus) {
        GHashTable *objects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_hash_table_unref);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;

        if (sd_bus_call_method(bus, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &e, &m,
                               NULL) < 0)
                g_error("GetManagedObjects: %s", e.message);
        g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}"), >, 0);
        while (sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}") > 0) {
                GHashTable *properties = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
                const char *path, *interface;

                g_assert_cmpint(sd_bus_message_read(m, "o", &path), >, 0);
                g_assert_true(g_hash_table_insert(objects, g_strdup(path), properties)); /* no path is there twice */
                g_assert_cmpint(sd_bus_message_enter_container(m, 'a', "{sa{sv}}"), >, 0);
                while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
                        g_assert_cmpint(sd_bus_message_read(m, "s", &interface), >, 0);
                        read_properties(m, interface, properties);
                        g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
                }
                g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
                g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
        }
        sd_bus_message_unref(m);
        return objects;
}

char *view_objects(sd_bus *bus) {
        return managed_objects_text(bus);
}

void assert_same_text_at(const char *where, const char *a, const char *b, const char *what) {
        g_auto(GStrv) left = NULL, right = NULL;
        guint i = 0;

        if (g_str_equal(a, b))
                return;

        left = g_strsplit(a, "\n", 0);
        right = g_strsplit(b, "\n", 0);
        while (left[i] && right[i] && g_str_equal(left[i], right[i]))
                i++;
        g_error("%s: %s: \"%s\" became \"%s\"", where, what, left[i] ? left[i] : "(the end)", right[i] ? right[i] : "(the end)");
}

static const char *value_of(GHashTable *objects, const char *path, const char *property) {
        GHashTable *properties = g_hash_table_lookup(objects, path);
        const char *value = properties ? g_hash_table_lookup(properties, property) : NULL;

        if (!value)
                g_error("%s has no %s", path, property);
        return value;
}

static void assert_value(GHashTable *objects, const char *path, const char *property, const char *expected) {
        const char *value = value_of(objects, path, property);

        if (!g_str_equal(value, expected))
                g_error("%s: %s is %s, not %s", path, property, value, expected);
}

static char *port_line(GHashTable *objects, const char *path) {
        g_autoptr(GString) line = g_string_new(NULL);
        g_autoptr(GPtrArray) portals = g_ptr_array_new();
        g_autofree char *list = NULL;
        g_auto(GStrv) paths = NULL;
        const char *node = value_of(objects, path, PORT_INTERFACE ".SAPAvailableForElement");

        assert_value(objects, path, PORT_INTERFACE ".Managed", "true");
        assert_value(objects, path, PORT_INTERFACE ".EnabledState", "2");
        assert_value(objects, path, PORT_INTERFACE ".OperationalStatus", "[2]");

        list = g_strdup(value_of(objects, path, PORT_INTERFACE ".BindsTo") + 1);
        list[strlen(list) - 1] = '\0';
        paths = g_strsplit(list, " ", 0);
        for (char **p = paths; *p; p++)
                g_ptr_array_add(portals, (char *) value_of(objects, *p, "org.iscsi.TCPProtocolEndpoint.Name"));
        qsort(portals->pdata, portals->len, sizeof(char *), compare_strings);

        g_string_append_printf(line, "%s %" G_GUINT64_FORMAT " enabled", value_of(objects, node, NODE_INTERFACE ".Name"),
                               g_ascii_strtoull(value_of(objects, path, PORT_INTERFACE ".Identifier"), NULL, 16));
        for (guint i = 0; i < portals->len; i++)
                g_string_append_printf(line, " %s", (char *) portals->pdata[i]);
        return g_strdup(line->str);
}

/* By node, then by tag as a number, like fault_memory(). */
static int compare_memory_lines(gconstpointer a, gconstpointer b) {
        g_auto(GStrv) x = g_strsplit(*(char *const *) a, " ", 3), y = g_strsplit(*(char *const *) b, " ", 3);
        int r = strcmp(x[0], y[0]);

        return r != 0 ? r : (x[1] ? atoi(x[1]) : -1) - (y[1] ? atoi(y[1]) : -1);
}

char *view_in_force(sd_bus *bus) {
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GHashTable) objects = read_objects(bus);
        g_autofree char *text = NULL;
        GHashTableIter i;
        gpointer path, properties;

        g_hash_table_iter_init(&i, objects);
        while (g_hash_table_iter_next(&i, &path, &properties)) {
                if (g_hash_table_contains(properties, NODE_INTERFACE ".Name")) {
                        assert_value(objects, path, NODE_INTERFACE ".Managed", "true");
                        assert_value(objects, path, NODE_INTERFACE ".EnabledState", "2");
                        assert_value(objects, path, NODE_INTERFACE ".OperationalStatus", "[2]");
                        g_ptr_array_add(lines, g_strdup(value_of(objects, path, NODE_INTERFACE ".Name")));
                } else if (g_hash_table_contains(properties, PORT_INTERFACE ".Name"))
                        g_ptr_array_add(lines, port_line(objects, path));
        }

        g_ptr_array_sort(lines, compare_memory_lines);
        if (lines->len > 0)
                g_ptr_array_add(lines, g_strdup(""));
        g_ptr_array_add(lines, NULL);
        text = g_strjoinv("\n", (char **) lines->pdata);
        return g_steal_pointer(&text);
}

static char *encode(const char *prefix, const char *name) {
        g_autofree char *copy = NULL;
        char *path = NULL;

        g_assert_cmpint(sd_bus_path_encode(prefix, name, &path), >=, 0);
        copy = g_strdup(path);
        free(path);
        return g_steal_pointer(&copy);
}

char *tcp_path(const char *portal) {
        return encode(ROOT_PATH "/tcp", portal);
}

char *node_path(const char *name) {
        return encode(ROOT_PATH "/node", name);
}

char *port_path(const char *node_name, unsigned tag) {
        g_autofree char *node = node_path(node_name);

        return g_strdup_printf("%s/endpoint/%012X", node, tag);
}

struct Signals {
        sd_bus *bus;
        sd_bus_slot *slot;
        GString *text;
};

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Signals *s = userdata;
        const char *path = sd_bus_message_get_path(m);

        /* The object manager's tell the object in their first argument. */
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", NULL) > 0)
                g_assert_cmpint(sd_bus_message_read_basic(m, 'o', &path), >, 0);
        g_string_append_printf(s->text, "%s %s\n", sd_bus_message_get_member(m), path);
        return 0;
}

/* What a change has invalidated is told after its answer, and before the answer of the next call. */
static void wait_for_signals(sd_bus *bus) {
        sd_bus_message *m = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping"), >=, 0);
        g_assert_cmpint(sd_bus_message_set_auto_start(m, false), >=, 0);
        (void) sd_bus_call(bus, m, 10 * G_USEC_PER_SEC, NULL, NULL); /* the service may be away */
        sd_bus_message_unref(m);
}

Signals *signals_new(sd_bus *bus) {
        Signals *s = g_new0(Signals, 1);

        s->bus = sd_bus_ref(bus);
        s->text = g_string_new(NULL);
        wait_for_signals(bus); /* of what was done before */
        g_assert_cmpint(sd_bus_add_match(bus, &s->slot, "type='signal',path_namespace='" ROOT_PATH "'", on_signal, s), >=, 0);
        return s;
}

void signals_free(Signals *s) {
        sd_bus_slot_unref(s->slot);
        sd_bus_unref(s->bus);
        g_string_free(s->text, TRUE);
        g_free(s);
}

char *signals_take(Signals *s) {
        char *text;
        int r;

        wait_for_signals(s->bus);
        while ((r = sd_bus_process(s->bus, NULL)) > 0)
                ;
        g_assert_cmpint(r, >=, 0);

        text = g_strdup(s->text->str);
        g_string_truncate(s->text, 0);
        return text;
}
