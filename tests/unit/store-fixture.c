/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

char *directory_new(void) {
        char *path;

        path = g_dir_make_tmp("test-store-XXXXXX", NULL);
        g_assert_nonnull(path);
        return path;
}

void directory_remove(char *path) {
        g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
        const char *name;

        g_assert_nonnull(directory);
        while ((name = g_dir_read_name(directory))) {
                g_autofree char *inner = g_build_filename(path, name, NULL);

                if (g_file_test(inner, G_FILE_TEST_IS_DIR) && !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
                        directory_remove(g_steal_pointer(&inner));
                else
                        g_assert_cmpint(g_unlink(inner), ==, 0);
        }

        g_assert_cmpint(g_rmdir(path), ==, 0);
        g_free(path);
}

char *store_file(const char *directory, const char *suffix) {
        return g_strdup_printf("%s/" STORE_FILE_NAME "%s", directory, suffix);
}

char *directory_copy(const char *directory) {
        static const char *const suffixes[] = { "", "-wal", "-journal" };
        char *copy = directory_new();

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                g_autofree char *from = store_file(directory, suffixes[i]), *to = store_file(copy, suffixes[i]), *content = NULL;
                size_t n;

                if (g_file_get_contents(from, &content, &n, NULL))
                        g_assert_true(g_file_set_contents(to, content, (gssize) n, NULL));
        }

        return copy;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

char *directory_list(const char *directory) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GDir) d = g_dir_open(directory, 0, NULL);
        g_autoptr(GString) text = g_string_new(NULL);
        const char *name;

        g_assert_nonnull(d);
        while ((name = g_dir_read_name(d)))
                g_ptr_array_add(names, g_strdup(name));
        g_ptr_array_sort(names, compare_names);

        for (unsigned i = 0; i < names->len; i++)
                g_string_append_printf(text, "%s ", (const char *) names->pdata[i]);

        return g_string_free(g_steal_pointer(&text), FALSE);
}

Portal portal(const char *text) {
        Portal p;

        g_assert_cmpint(portal_from_text(text, &p), ==, 0);
        return p;
}

Portal ip_portal(const char *text) {
        Portal p = {};

        g_assert_cmpint(ip_address_from_text(text, &p.address), ==, 0);
        return p;
}

static int dump_portal_group(uint64_t id, const char *element_name, void *userdata) {
        g_string_append_printf(userdata, "group %" G_GUINT64_FORMAT " '%s'\n", id, element_name);
        return 0;
}

static int dump_tcp_endpoint(const Portal *p, void *userdata) {
        char text[PORTAL_TEXT_MAX];

        g_string_append_printf(userdata, "tcp %s\n", portal_to_text(p, text));
        return 0;
}

static int dump_member(uint64_t group, const Portal *p, void *userdata) {
        char text[PORTAL_TEXT_MAX];

        g_string_append_printf(userdata, "member %" G_GUINT64_FORMAT " %s\n", group, portal_to_text(p, text));
        return 0;
}

static int dump_node(const char *name, const char *alias, unsigned roles, void *userdata) {
        g_string_append_printf(userdata, "node %s '%s' %u\n", name, alias, roles);
        return 0;
}

static int dump_port(const StorePort *port, void *userdata) {
        g_string_append_printf(userdata, "port %s %u %012" G_GINT64_MODIFIER "X", port->node, port->role, port->identifier);
        for (size_t i = 0; i < port->n_portals; i++) {
                char text[PORTAL_TEXT_MAX];

                g_string_append_printf(userdata, " %s", portal_to_text(&port->portals[i], text));
        }
        g_string_append_c(userdata, '\n');
        return 0;
}

char *store_dump(Store *s) {
        static const StoreVisitor dump = { dump_portal_group, dump_tcp_endpoint, dump_member, dump_node, dump_port };
        g_autoptr(GString) text = g_string_new(NULL);

        g_assert_cmpint(store_load(s, &dump, text), ==, 0);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

Store *directory_open(const char *directory) {
        char *damaged = (char *) "not set";
        Store *s = NULL;

        g_assert_cmpint(store_open(directory, &s, &damaged), ==, 0);
        g_assert_nonnull(s);
        g_assert_null(damaged);
        return s;
}

char *directory_dump(const char *directory) {
        Store *s = directory_open(directory);
        char *text = store_dump(s);

        store_close(s);
        return text;
}

sqlite3 *raw_open(const char *directory) {
        g_autofree char *path = store_file(directory, "");
        sqlite3 *db = NULL;

        g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
        return db;
}

void raw_exec(sqlite3 *db, const char *sql) {
        char *message = NULL;

        (void) sqlite3_exec(db, sql, NULL, NULL, &message);
        g_assert_cmpstr(message, ==, NULL);
}

int raw_integer(sqlite3 *db, const char *sql) {
        sqlite3_stmt *statement = NULL;
        int n;

        g_assert_cmpint(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
        n = sqlite3_column_int(statement, 0);
        sqlite3_finalize(statement);
        return n;
}

#define TARGET "iqn.2024-01.org.example:disks"
#define HOST "iqn.2024-01.org.example:host"

static int add_target_port(Store *s, uint64_t tag, const char *first, const char *second) {
        Portal portals[] = { portal(first), portal(second) };

        return store_add_port(s, &(StorePort){ TARGET, 3, tag, portals, ELEMENTSOF(portals) });
}

int change_run(Store *s, unsigned i) {
        Portal address = ip_portal("fe80::1%eth0"), extra = portal("[2001:db8::7]:3261"), automatic = portal("10.0.0.1:3260");
        uint64_t id = 0;

        switch (i) {
        case 0:
                return store_add_node(s, TARGET, "", 1u << 3);
        case 1:
                return store_add_node(s, HOST, "the host", 1u << 2 | 1u << 3);
        case 2:
                return add_target_port(s, 1, "10.0.0.2:3260", "10.0.0.1:3260");
        case 3:
                return store_add_port(s, &(StorePort){ HOST, 2, 0x00023D000001, &address, 1 });
        case 4:
                return add_target_port(s, 2, "10.0.0.3:3260", "[::1]:860");
        case 5:
                return store_add_portal_group(s, "front", &id);
        case 6:
                return store_add_portal_group(s, "", &id);
        case 7:
                return store_add_tcp_endpoint(s, &extra, 2);
        case 8:
                return store_add_member(s, 1, &automatic);
        case 9:
                return store_add_binding(s, TARGET, 1, &extra);
        case 10:
                return store_remove_binding(s, TARGET, 1, &(Portal){ portal("10.0.0.2:3260").address, 3260 });
        case 11:
                return store_add_member(s, 1, &extra);
        case 12:
                return store_remove_tcp_endpoint(s, &extra);
        case 13:
                return store_remove_portal_group(s, 2);
        case 14:
                return store_add_portal_group(s, "third", &id);
        case 15:
                return store_remove_member(s, 1, &automatic);
        case 16:
                return store_remove_port(s, TARGET, 2);
        case 17:
                return store_remove_node(s, TARGET);
        case 18:
                return store_add_tcp_endpoint(s, &automatic, 0);
        default:
                g_assert_not_reached();
        }
}

const unsigned n_changes = 19;

static char *states[CHANGES_MAX];

const char *state_after(unsigned n) {
        if (!states[0]) {
                char *directory = directory_new();
                Store *s = directory_open(directory);

                states[0] = store_dump(s);
                for (unsigned i = 0; i < n_changes; i++) {
                        g_assert_cmpint(change_run(s, i), ==, 0);
                        states[i + 1] = store_dump(s);
                        g_assert_cmpstr(states[i + 1], !=, states[i]);
                }

                store_close(s);
                directory_remove(directory);
        }

        g_assert_cmpuint(n, <=, n_changes);
        return states[n];
}

void states_free(void) {
        for (unsigned i = 0; i < CHANGES_MAX; i++)
                g_clear_pointer(&states[i], g_free);
}
