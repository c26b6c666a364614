/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The running service against interfaces/: what it says of itself, its objects and how they hang together. */

#include <libxml/parser.h>
#include <string.h>

#include "calls.h"
#include "mirror.h"
#include "xml-file.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define EMITS "org.freedesktop.DBus.Property.EmitsChangedSignal"
#define EXPLICIT "org.freedesktop.systemd1.Explicit"

#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3adisk"
#define OTHER_NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aother"
#define PORT_PATH NODE_PATH "/endpoint/00000000000A"
#define INITIATOR_PATH NODE_PATH "/endpoint/800000000001"
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define PORTAL_3261 ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3261"
#define GROUP_1 ROOT_PATH "/portal_group/1"

static const char *const standard_interfaces[] = { "org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable", PROPERTIES,
                                                   "org.freedesktop.DBus.ObjectManager", NULL };

/* An object of each kind, and which interface it has. */
static const struct {
        const char *path, *interface;
} kinds[] = {
        { ROOT_PATH, SERVICE_INTERFACE },   { NODE_PATH, NODE_INTERFACE },      { OTHER_NODE_PATH, NODE_INTERFACE },
        { PORT_PATH, PORT_INTERFACE },      { INITIATOR_PATH, PORT_INTERFACE }, { LOOPBACK_PORTAL, TCP_INTERFACE },
        { PORTAL_3261, TCP_INTERFACE },     { LOOPBACK, IP_INTERFACE },         { ROOT_PATH "/ip/_3a_3a", IP_INTERFACE },
        { DEFAULT_GROUP, GROUP_INTERFACE }, { GROUP_1, GROUP_INTERFACE },
};

/* A service with objects of all kinds in it, bound to each other in all ways. */
static Service *start_full_service(sd_bus **ret) {
        Service *s = service_new("--target-backend=model", "--initiator-backend=model", NULL);
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        must_call(bus, "CreateiSCSINode", "sa{sv}", "Disks of the house", 2, "Name", "s", "iqn.2026-11.org.example:disk", "Roles",
                  "aq", 2, 2, 3);
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "iqn.2026-11.org.example:other");
        must_call(bus, "CreatePortalGroup", "sa{sv}", "storage", 0);
        must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 3261, GROUP_1, 0);
        must_call(bus, "AddToPortalGroup", "oo", GROUP_1, LOOPBACK_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "00000000000A", 2, LOOPBACK_PORTAL, PORTAL_3261);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 2, LOOPBACK, ROOT_PATH "/ip/_3a_3a1");
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", OTHER_NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);

        *ret = bus;
        return s;
}

static char *introspect(sd_bus *bus, const char *path) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        char *text;

        if (sd_bus_call_method(bus, BUS_NAME, path, "org.freedesktop.DBus.Introspectable", "Introspect", &e, &reply, NULL) < 0)
                g_error("Introspect %s: %s", path, e.message);
        text = read_value_text(reply);
        sd_bus_message_unref(reply);
        return text;
}

static xmlDoc *introspect_document(sd_bus *bus, const char *path) {
        g_autofree char *text = introspect(bus, path);
        xmlDoc *doc = xml_read_text(text);

        g_assert_nonnull(doc);
        return doc;
}

static int compare_strings(gconstpointer a, gconstpointer b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static char *join_sorted(GPtrArray *lines) {
        g_ptr_array_sort(lines, compare_strings);
        g_ptr_array_add(lines, NULL);
        return g_strjoinv("\n", (char **) lines->pdata);
}

/* All that an <interface> says, a line per member, with its arguments in their order; "true" is what EmitsChangedSignal is when
 * it is not said. */
static char *describe_interface(const xmlNode *interface) {
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

        for (xmlNode *m = xml_first(interface); m; m = xml_next(m)) {
                g_autoptr(GPtrArray) annotations = g_ptr_array_new_with_free_func(g_free);
                g_autoptr(GString) line = g_string_new((const char *) m->name);
                g_autofree char *all = NULL;

                g_string_append_printf(line, " %s", xml_attribute(m, "name"));
                if (xml_is(m, "property"))
                        g_string_append_printf(line, " %s %s", xml_attribute(m, "type"), xml_attribute(m, "access"));
                for (xmlNode *c = xml_first(m); c; c = xml_next(c))
                        if (xml_is(c, "arg"))
                                g_string_append_printf(line, " (%s %s %s)", xml_attribute(c, "direction"),
                                                       xml_attribute(c, "type"), xml_attribute(c, "name"));
                        else
                                g_ptr_array_add(annotations,
                                                g_strdup_printf(" %s=%s", xml_attribute(c, "name"), xml_attribute(c, "value")));
                if (xml_is(m, "property") && !xml_annotation(m, EMITS))
                        g_ptr_array_add(annotations, g_strdup(" " EMITS "=true"));
                all = join_sorted(annotations);
                g_string_append(line, all);
                g_ptr_array_add(lines, g_strdup(line->str));
        }
        return join_sorted(lines);
}

static xmlNode *find_interface(xmlDoc *doc, const char *name) {
        for (xmlNode *i = xml_first(xmlDocGetRootElement(doc)); i; i = xml_next(i))
                if (xml_is(i, "interface") && g_str_equal(xml_attribute(i, "name"), name))
                        return i;
        return NULL;
}

static xmlDoc *read_contract(const char *interface) {
        g_autofree char *path = g_strdup_printf("%s/interfaces/%s.xml", g_getenv("SOURCE_ROOT"), interface);

        return xml_read_file(path);
}

static void assert_same_lines(const char *what, const char *contract, const char *service) {
        g_auto(GStrv) a = g_strsplit(contract, "\n", 0), b = g_strsplit(service, "\n", 0);

        for (char **p = a; *p; p++)
                if (!g_strv_contains((const char *const *) b, *p))
                        g_error("%s: the service has no \"%s\"", what, *p);
        for (char **p = b; *p; p++)
                if (!g_strv_contains((const char *const *) a, *p))
                        g_error("%s: the contract has no \"%s\"", what, *p);
        g_assert_cmpuint(g_strv_length(a), ==, g_strv_length(b));
}

static void test_introspection(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start_full_service(&bus);
        for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_autoptr(xmlDoc) contract = read_contract(kinds[i].interface), service = introspect_document(bus, kinds[i].path);
                g_autofree char *a = NULL, *b = NULL;
                unsigned n = 0;

                a = describe_interface(find_interface(contract, kinds[i].interface));
                g_assert_cmpuint(strlen(a), >, 100);
                b = describe_interface(find_interface(service, kinds[i].interface));
                assert_same_lines(kinds[i].path, a, b);

                /* Besides it the standard interfaces and nothing else. */
                for (xmlNode *c = xml_first(xmlDocGetRootElement(service)); c; c = xml_next(c))
                        if (xml_is(c, "interface") && !g_str_equal(xml_attribute(c, "name"), kinds[i].interface)) {
                                g_assert_true(g_strv_contains(standard_interfaces, xml_attribute(c, "name")));
                                n++;
                        }
                g_assert_cmpuint(n, ==, g_str_equal(kinds[i].path, ROOT_PATH) ? 4 : 3);
        }
        sd_bus_flush_close_unref(bus);
}

/* The kind of each interface file is there. */
static void test_interfaces_served(void) {
        g_autofree char *directory = g_build_filename(g_getenv("SOURCE_ROOT"), "interfaces", NULL);
        g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
        unsigned served = 0;
        const char *name;

        g_assert_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                gsize i;

                if (!g_str_has_suffix(name, ".xml") || g_str_equal(name, "org.iscsi.Backend.xml")) /* is not on the bus */
                        continue;
                for (i = 0; i < G_N_ELEMENTS(kinds); i++)
                        if (strncmp(name, kinds[i].interface, strlen(kinds[i].interface)) == 0 &&
                            g_str_equal(name + strlen(kinds[i].interface), ".xml"))
                                break;
                if (i == G_N_ELEMENTS(kinds))
                        g_error("%s belongs to no kind of object", name);
                served++;
        }
        g_assert_cmpuint(served, ==, 6);
}

static gboolean is_standard(const char *interface) {
        return g_strv_contains(standard_interfaces, interface);
}

static GHashTable *get_all(sd_bus *bus, const char *path, const char *interface) {
        GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;

        if (sd_bus_call_method(bus, BUS_NAME, path, PROPERTIES, "GetAll", &e, &reply, "s", interface) < 0)
                g_error("GetAll %s %s: %s", path, interface, e.message);
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "{sv}"), >, 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                const char *name;

                g_assert_cmpint(sd_bus_message_read_basic(reply, 's', &name), >, 0);
                g_assert_true(g_hash_table_insert(table, g_strdup(name), read_value_text(reply)));
                g_assert_cmpint(sd_bus_message_exit_container(reply), >, 0);
        }
        sd_bus_message_unref(reply);
        return table;
}

/* GetAll, Get and GetManagedObjects (NULL for the root, which is not in it) of an object say the same, and of all that the
 * contract has. */
static void check_properties(sd_bus *bus, const char *path, const char *interface, GHashTable *managed) {
        g_autoptr(xmlDoc) contract = read_contract(interface);
        g_autoptr(GHashTable) all = get_all(bus, path, interface);
        guint n = 0;

        for (xmlNode *p = xml_first(find_interface(contract, interface)); p; p = xml_next(p)) {
                const char *name = xml_attribute(p, "name"), *value;
                g_autofree char *key = g_strdup_printf("%s %s %s", path, interface, name), *got = NULL, *type = NULL;

                if (!xml_is(p, "property"))
                        continue;
                got = get_value_text(bus, path, interface, name);
                type = g_strdup_printf("<%s>", xml_attribute(p, "type"));
                g_assert_true(g_str_has_prefix(got, type));

                value = g_hash_table_lookup(all, name);
                if (xml_annotation(p, EXPLICIT)) {
                        g_assert_null(value);
                        g_assert_true(!managed || !g_hash_table_contains(managed, key));
                } else {
                        g_assert_cmpstr(value, ==, got);
                        if (managed)
                                g_assert_cmpstr(g_hash_table_lookup(managed, key), ==, got);
                        n++;
                }
        }
        g_assert_cmpuint(g_hash_table_size(all), ==, n);
}

static void test_parts_and_sum(void) {
        g_autoptr(GHashTable) managed = NULL;
        g_autoptr(Service) s = NULL;
        guint n_keys = 0, n_objects = 0;
        GHashTableIter i;
        gpointer key;
        sd_bus *bus;

        s = start_full_service(&bus);
        check_properties(bus, ROOT_PATH, SERVICE_INTERFACE, NULL);

        managed = read_managed_objects(bus);
        g_hash_table_iter_init(&i, managed);
        while (g_hash_table_iter_next(&i, &key, NULL)) {
                g_auto(GStrv) parts = g_strsplit(key, " ", 3);
                g_autoptr(GHashTable) all = NULL;

                if (parts[2][0])
                        continue;
                all = get_all(bus, parts[0], parts[1]);
                n_keys += 1 + g_hash_table_size(all);
                if (is_standard(parts[1])) {
                        g_assert_cmpuint(g_hash_table_size(all), ==, 0);
                        continue;
                }
                check_properties(bus, parts[0], parts[1], managed);
                n_objects++;
        }
        /* Nothing beside these. */
        g_assert_cmpuint(g_hash_table_size(managed), ==, n_keys);
        g_assert_cmpuint(n_objects, ==, 2 + 3 + 4 + 3 + 2); /* nodes, ports, TCP endpoints, addresses, groups */
        sd_bus_flush_close_unref(bus);
}

/* Puts PATH, if it is an object of ours, and all below it into OBJECTS. */
static void walk(sd_bus *bus, const char *path, GPtrArray *objects) {
        g_autoptr(xmlDoc) doc = introspect_document(bus, path);
        g_autoptr(GHashTable) children = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        unsigned n_own = 0, n_children = 0;

        for (xmlNode *c = xml_first(xmlDocGetRootElement(doc)); c; c = xml_next(c))
                if (xml_is(c, "node")) {
                        const char *name = xml_attribute(c, "name");
                        g_autofree char *child = g_strdup_printf("%s/%s", path[1] ? path : "", name);

                        /* One level, so that who shows a tree shows this one; and each once. */
                        g_assert_null(strchr(name, '/'));
                        g_assert_true(g_hash_table_add(children, g_strdup(name)));
                        walk(bus, child, objects);
                        n_children++;
                } else if (!is_standard(xml_attribute(c, "name")))
                        n_own++;

        g_assert_cmpuint(n_own, <=, 1);
        if (n_own > 0)
                g_ptr_array_add(objects, g_strdup(path));
        else
                g_assert_cmpuint(n_children, >, 0); /* a level without an object is there for those below it */
}

static void assert_walk_finds_all(sd_bus *bus) {
        g_autoptr(GPtrArray) walked = g_ptr_array_new_with_free_func(g_free), listed = g_ptr_array_new_with_free_func(g_free);
        g_auto(GStrv) paths = list_objects(bus);
        g_autofree char *a = NULL, *b = NULL;

        walk(bus, "/", walked);
        for (char **p = paths; *p; p++)
                g_ptr_array_add(listed, g_strdup(*p));
        g_ptr_array_add(listed, g_strdup(ROOT_PATH)); /* an ObjectManager does not tell of itself */
        a = join_sorted(walked);
        b = join_sorted(listed);
        g_assert_cmpstr(a, ==, b);
}

static void test_walk(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start_full_service(&bus);
        assert_walk_finds_all(bus);

        /* The level between node and ports goes with the last port. */
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", OTHER_NODE_PATH "/endpoint/000000000001");
        assert_walk_finds_all(bus);
        must_call(bus, "DeleteiSCSINode", "o", NODE_PATH);
        must_call(bus, "DeleteiSCSINode", "o", OTHER_NODE_PATH);
        {
                g_autofree char *empty = introspect(bus, ROOT_PATH "/node"); /* the only one that stays, without any below it */

                g_assert_null(strstr(empty, "<node name"));
        }
        sd_bus_flush_close_unref(bus);
}

static void assert_call_fails(sd_bus *bus, const char *path, const char *interface, const char *member, const char *error,
                              const char *types, ...) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        va_list ap;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, path, interface, member), >=, 0);
        va_start(ap, types);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        if (sd_bus_call(bus, m, 0, &e, NULL) >= 0)
                g_error("%s.%s of %s succeeded", interface, member, path);
        if (!g_str_equal(e.name, error))
                g_error("%s.%s of %s: %s, not %s", interface, member, path, e.name, error);
        sd_bus_message_unref(m);
        sd_bus_error_free(&e);
}

static void assert_names_nothing(sd_bus *bus, const char *path, const char *interface) {
        const char *unknown = "org.freedesktop.DBus.Error.UnknownObject";

        assert_call_fails(bus, path, "org.freedesktop.DBus.Introspectable", "Introspect", unknown, "");
        assert_call_fails(bus, path, PROPERTIES, "GetAll", unknown, "s", interface);
        assert_call_fails(bus, path, PROPERTIES, "Get", unknown, "ss", interface, "Name");
        assert_call_fails(bus, path, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", unknown, "");
}

/* Paths that are wrong, or another encoding of what is there. */
static void test_wrong_paths(void) {
        static const struct {
                const char *path, *interface;
        } wrong[] = {
                { "/org/iscsi/configurationservice", SERVICE_INTERFACE },
                { "/org/iscsi/ConfigurationService1", SERVICE_INTERFACE },
                { ROOT_PATH "/nodes", NODE_INTERFACE },
                { ROOT_PATH "/node/iqn", NODE_INTERFACE },
                { ROOT_PATH "/node/_", NODE_INTERFACE },
                { NODE_PATH "x", NODE_INTERFACE },
                { NODE_PATH "/disk", NODE_INTERFACE },
                { ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3adis_6b", NODE_INTERFACE }, /* k */
                { ROOT_PATH "/node/_69qn_2e2026_2d11_2eorg_2eexample_3adisk", NODE_INTERFACE }, /* i */
                { ROOT_PATH "/node/iqn_2E2026_2d11_2Eorg_2Eexample_3Adisk", NODE_INTERFACE },
                { ROOT_PATH "/node/iqn_2e_32026_2d11_2eorg_2eexample_3adisk", NODE_INTERFACE }, /* 2 */
                { ROOT_PATH "/node/IQN_2e2026_2d11_2eorg_2eexample_3adisk", NODE_INTERFACE },
                { PORT_PATH "/x", PORT_INTERFACE },
                { PORT_PATH "0", PORT_INTERFACE },
                { NODE_PATH "/endpoint/00000000000a", PORT_INTERFACE },
                { NODE_PATH "/endpoint/0000000000_41", PORT_INTERFACE },
                { NODE_PATH "/endpoint/A", PORT_INTERFACE },
                { NODE_PATH "/endpoint/_30000000000A", PORT_INTERFACE },
                { NODE_PATH "/endpoint/00000000000B", PORT_INTERFACE },
                { NODE_PATH "/endpoints/00000000000A", PORT_INTERFACE },
                { NODE_PATH "/endpoint/endpoint", PORT_INTERFACE },
                { OTHER_NODE_PATH "/endpoint/00000000000A", PORT_INTERFACE },
                { ROOT_PATH "/tcp/_31_327_2e0_2e0_2e1_3a3260", TCP_INTERFACE },
                { ROOT_PATH "/tcp/127_2e0_2e0_2e1_3a3260", TCP_INTERFACE },
                { ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a03260", TCP_INTERFACE },
                { ROOT_PATH "/tcp/_3127_2e0_2e0_2e1", TCP_INTERFACE },
                { ROOT_PATH "/tcp/_5B_3a_3a_5D_3a3260", TCP_INTERFACE },
                { ROOT_PATH "/ip/_3A_3A", IP_INTERFACE },
                { ROOT_PATH "/ip/_30_3a_3a0", IP_INTERFACE },
                { ROOT_PATH "/ip/_3127_2e0_2e0_2e01", IP_INTERFACE },
                { ROOT_PATH "/portal_group/_64efault", GROUP_INTERFACE },
                { ROOT_PATH "/portal_group/0", GROUP_INTERFACE },
                { ROOT_PATH "/portal_group/01", GROUP_INTERFACE },
                { ROOT_PATH "/portal_group/_31", GROUP_INTERFACE },
                { ROOT_PATH "/portal_group/2", GROUP_INTERFACE },
        };
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start_full_service(&bus);
        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                assert_names_nothing(bus, wrong[i].path, wrong[i].interface);

                /* Nor do they name anything as an argument. */
                must_refuse(bus, "SCSIProtocolControllerNonExistent", 4096, "DeleteiSCSINode", "o", wrong[i].path);
                must_refuse(bus, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpoint", "o", wrong[i].path);
                must_refuse(bus, "ProtocolEndpointNonExistent", 4096, "DeleteTCPProtocolEndpoint", "o", wrong[i].path);
                must_refuse(bus, "ProtocolEndpointNonExistent", 4096, "CreateTCPProtocolEndpoint", "oqoa{sv}", wrong[i].path,
                            4000, DEFAULT_GROUP, 0);
                must_refuse(bus, "PortalGroupNonExistent", 4096, "DeletePortalGroup", "o", wrong[i].path);
        }

        /* A level that is empty is none. */
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", OTHER_NODE_PATH "/endpoint/000000000001");
        assert_names_nothing(bus, OTHER_NODE_PATH "/endpoint", PORT_INTERFACE);
        sd_bus_flush_close_unref(bus);
}

/* What the objects that are there do not have. */
static void test_wrong_members(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start_full_service(&bus);
        for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
                assert_call_fails(bus, kinds[i].path, PROPERTIES, "Get", "org.freedesktop.DBus.Error.UnknownProperty", "ss",
                                  kinds[i].interface, "Colour");
                assert_call_fails(bus, kinds[i].path, PROPERTIES, "GetAll", "org.freedesktop.DBus.Error.UnknownInterface", "s",
                                  "org.iscsi.Colour");
                if (!g_str_equal(kinds[i].path, ROOT_PATH)) /* methods are the root's */
                        assert_call_fails(bus, kinds[i].path, SERVICE_INTERFACE, "DeleteiSCSINode",
                                          "org.freedesktop.DBus.Error.UnknownMethod", "o", OTHER_NODE_PATH);
        }
        g_assert_true(object_exists(bus, OTHER_NODE_PATH));

        assert_call_fails(bus, ROOT_PATH, SERVICE_INTERFACE, "DeleteiSCSINode", "org.freedesktop.DBus.Error.InvalidArgs", "s",
                          OTHER_NODE_PATH);
        assert_call_fails(bus, ROOT_PATH, SERVICE_INTERFACE, "DeleteiSCSINode", "org.freedesktop.DBus.Error.InvalidArgs", "");
        sd_bus_flush_close_unref(bus);
}

/* Appends "A SOURCE TARGET" for each path in PROPERTY of the objects with INTERFACE; the other way round for the far end. */
static void add_edges(GHashTable *managed, GPtrArray *edges, const char *interface, const char *property, bool far_end) {
        g_autofree char *suffix = g_strdup_printf(" %s %s", interface, property);
        GHashTableIter i;
        gpointer key, value;

        g_hash_table_iter_init(&i, managed);
        while (g_hash_table_iter_next(&i, &key, &value)) {
                g_autofree char *path = NULL, *list = NULL;
                g_auto(GStrv) others = NULL;

                if (!g_str_has_suffix(key, suffix))
                        continue;
                path = g_strndup(key, strlen(key) - strlen(suffix));
                list = g_strdup(strchr(value, '>') + 1);
                if (list[0] == '[') {
                        list[strlen(list) - 1] = '\0';
                        memmove(list, list + 1, strlen(list));
                }
                others = g_strsplit(list, " ", 0);
                for (char **o = others; *o && **o; o++)
                        g_ptr_array_add(edges, far_end ? g_strdup_printf("%s %s", *o, path) : g_strdup_printf("%s %s", path, *o));
        }
}

typedef struct End {
        const char *interface, *property;
} End;

static void assert_association(GHashTable *managed, const End *near, const End *far, guint n_expected) {
        g_autoptr(GPtrArray) a = g_ptr_array_new_with_free_func(g_free), b = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *one = NULL, *other = NULL;

        for (; near->interface; near++)
                add_edges(managed, a, near->interface, near->property, false);
        for (; far->interface; far++)
                add_edges(managed, b, far->interface, far->property, true);
        g_assert_cmpuint(a->len, ==, n_expected);
        one = join_sorted(a);
        other = join_sorted(b);
        g_assert_cmpstr(one, ==, other);
}

static void test_associations(void) {
        static const End binds_to[] = { { PORT_INTERFACE, "BindsTo" }, { TCP_INTERFACE, "BindsTo" }, {} };
        static const End bound_by[] = { { TCP_INTERFACE, "BoundBy" }, { IP_INTERFACE, "BoundBy" }, {} };
        static const End available[] = { { PORT_INTERFACE, "SAPAvailableForElement" }, {} };
        static const End endpoints[] = { { NODE_INTERFACE, "ProtocolEndpoints" }, {} };
        static const End collections[] = { { TCP_INTERFACE, "MemberOfCollection" }, {} };
        static const End members[] = { { GROUP_INTERFACE, "Members" }, {} };
        g_autoptr(GHashTable) managed = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start_full_service(&bus);
        managed = read_all_objects(bus);
        assert_association(managed, binds_to, bound_by, 5 + 4); /* of ports, of TCP endpoints */
        assert_association(managed, available, endpoints, 3);
        assert_association(managed, collections, members, 3 + 2); /* default, storage */
        sd_bus_flush_close_unref(bus);
}

/* No property can be written, by root either, and trying changes nothing. */
static void test_read_only(void) {
        g_autoptr(Service) s = NULL;
        g_autoptr(Mirror) mirror = NULL;
        unsigned n = 0;
        sd_bus *bus;

        s = start_full_service(&bus);
        mirror = mirror_new(bus);
        for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_autoptr(xmlDoc) contract = read_contract(kinds[i].interface);

                for (xmlNode *p = xml_first(find_interface(contract, kinds[i].interface)); p; p = xml_next(p)) {
                        const char *type = xml_attribute(p, "type");
                        sd_bus_error e = SD_BUS_ERROR_NULL;
                        sd_bus_message *m = NULL;

                        if (!xml_is(p, "property"))
                                continue;
                        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, kinds[i].path, PROPERTIES, "Set"), >=,
                                        0);
                        g_assert_cmpint(sd_bus_message_append(m, "ss", kinds[i].interface, xml_attribute(p, "name")), >=, 0);
                        g_assert_cmpint(sd_bus_message_open_container(m, 'v', type), >=, 0);
                        if (type[0] == 'a') {
                                g_assert_cmpint(sd_bus_message_open_container(m, 'a', type + 1), >=, 0);
                                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                        } else if (type[0] == 's' || type[0] == 'o')
                                g_assert_cmpint(sd_bus_message_append(m, type, "/"), >=, 0);
                        else
                                g_assert_cmpint(sd_bus_message_append(m, type, 1), >=, 0);
                        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                        g_assert_cmpint(sd_bus_call(bus, m, 0, &e, NULL), <, 0);
                        assert_error(&e, "org.freedesktop.DBus.Error.PropertyReadOnly", 0);
                        sd_bus_message_unref(m);
                        n++;
                }
        }
        g_assert_cmpuint(n, >, 80);
        {
                g_autofree char *signals = mirror_take(mirror);

                g_assert_cmpstr(signals, ==, "");
        }
        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/contract/introspection", test_introspection);
        g_test_add_func("/contract/interfaces-served", test_interfaces_served);
        g_test_add_func("/contract/parts-and-sum", test_parts_and_sum);
        g_test_add_func("/contract/walk", test_walk);
        g_test_add_func("/contract/wrong-paths", test_wrong_paths);
        g_test_add_func("/contract/wrong-members", test_wrong_members);
        g_test_add_func("/contract/associations", test_associations);
        g_test_add_func("/contract/read-only", test_read_only);
        return g_test_run();
}
