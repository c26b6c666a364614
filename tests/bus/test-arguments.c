/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Texts, names and options as callers may send them. */

#include <string.h>

#include "calls.h"
#include "mirror.h"

#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"

typedef struct Fixture {
        Service *service;
        sd_bus *bus;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
        f->service = service_new("--target-backend=model", "--initiator-backend=model", NULL);
        service_start(f->service);
        f->bus = connect_as("root");
}

static void tear_down(Fixture *f, gconstpointer data) {
        sd_bus_flush_close_unref(f->bus);
        service_free(f->service);
}

static char *repeat(const char *text, unsigned n) {
        GString *s = g_string_new(NULL);

        while (n-- > 0)
                g_string_append(s, text);
        return g_string_free(s, FALSE);
}

/* An alias and a group's name: up to 128 characters, however many bytes each has. */
static void test_text_length(Fixture *f, gconstpointer data) {
        static const char *const characters[] = { "a", "ä", "漢", "😀" };

        for (gsize i = 0; i < G_N_ELEMENTS(characters); i++) {
                g_autofree char *longest = repeat(characters[i], 128), *longer = repeat(characters[i], 129), *alias = NULL,
                                *name = NULL, *node = NULL, *group = NULL;
                sd_bus_error e = SD_BUS_ERROR_NULL;

                must_refuse(f->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", longer, 0);
                must_refuse(f->bus, "InvalidParameter", 5, "CreatePortalGroup", "sa{sv}", longer, 0);
                node = call_for_path(f->bus, &e, "CreateiSCSINode", "sa{sv}", longest, 0);
                group = call_for_path(f->bus, &e, "CreatePortalGroup", "sa{sv}", longest, 0);
                g_assert_nonnull(node);
                g_assert_nonnull(group);
                alias = get_property(f->bus, node, NODE_INTERFACE, "ElementName");
                g_assert_cmpstr(alias, ==, longest);
                name = get_property(f->bus, group, GROUP_INTERFACE, "ElementName");
                g_assert_cmpstr(name, ==, longest);
        }
}

static void test_control_characters(Fixture *f, gconstpointer data) {
        static const char *const wrong[] = { "\n", "a\tb", "\x01", "\x1f", "\x7f", "a\xc2\x80z", "\xc2\x85", "\xc2\x9f" };
        static const char *const right[] = { " ", "%s%n", "\xc2\xa0", "\"'\\;--", "</node>", "\xef\xbf\xbd" };

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                must_refuse(f->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", wrong[i], 0);
                must_refuse(f->bus, "InvalidParameter", 5, "CreatePortalGroup", "sa{sv}", wrong[i], 0);
                must_refuse(f->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", wrong[i]);
        }
        for (gsize i = 0; i < G_N_ELEMENTS(right); i++) {
                must_call(f->bus, "CreateiSCSINode", "sa{sv}", right[i], 0);
                must_call(f->bus, "CreatePortalGroup", "sa{sv}", right[i], 0);
        }
}

/* A message tells of what is wrong in one line that the caller's text cannot break or blow up. */
static void test_messages(Fixture *f, gconstpointer data) {
        g_autofree char *long_text = repeat("漢", 300);
        const char *const names[] = { "iqn.\n\r\x1b[31m", long_text, "%s%s%n" };
        g_autofree char *node = create_node(f->bus, "iqn.2026-11.org.example:a");

        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;

                g_assert_null(call_service(f->bus, &e, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", names[i]));
                g_assert_cmpuint(strlen(e.message), <, 2100);
                g_assert_true(g_utf8_validate(e.message, -1, NULL));
                for (const char *p = e.message; *p; p++)
                        g_assert_false(g_ascii_iscntrl(*p));
                assert_error(&e, "InvalidParameter", 5);
        }

        /* Cut anywhere, whole characters are left. */
        for (gsize i = 0; i < 4; i++) {
                g_autofree char *key = g_strconcat("aaaa" + i, long_text, NULL), *identifier = g_strconcat(key, "x", NULL);

                /* Of another the bus would carry no answer at all. */
                must_refuse(f->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, key, "s", "");
                must_refuse(f->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", identifier);
                must_refuse(f->bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoint", "oqsao",
                            ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aa", 3, identifier, 1, LOOPBACK_PORTAL);
        }
}

/* Names are stored in one spelling, and the reply's path is that of it. */
static void test_names(Fixture *f, gconstpointer data) {
        static const struct {
                const char *given, *stored;
        } names[] = {
                { "IQN.2026-11.ORG.Example:Disk", "iqn.2026-11.org.example:disk" },
                { "eui.02004567A425678D", "eui.02004567a425678d" },
                { "NAA.52004567BA64678D", "naa.52004567ba64678d" },
                { "iqn.2026-11.org.example:STRASSE-ß", "iqn.2026-11.org.example:strasse-ss" },
                { "iqn.2026-11.org.example:ＦＵＬＬ", "iqn.2026-11.org.example:full" },
        };

        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = create_node(f->bus, names[i].given), *expected = NULL, *name = NULL;

                g_assert_cmpint(sd_bus_path_encode(ROOT_PATH "/node", names[i].stored, &expected), >=, 0);
                g_assert_cmpstr(path, ==, expected);
                name = get_property(f->bus, path, NODE_INTERFACE, "Name");
                g_assert_cmpstr(name, ==, names[i].stored);

                must_refuse(f->bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", names[i].given);
                must_refuse(f->bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", names[i].stored);
        }
}

/* The longest name, 223 bytes, and what is one too long. */
static void test_longest_name(Fixture *f, gconstpointer data) {
        g_autofree char *filling = repeat("x", 223 - strlen("iqn.2026-11.org.example:")), *longer = NULL, *node = NULL,
                        *port = NULL, *name = NULL, *expected = NULL;
        g_autofree char *longest = g_strconcat("iqn.2026-11.org.example:", filling, NULL);
        const char *portals[] = { LOOPBACK_PORTAL, NULL };

        longer = g_strconcat(longest, "x", NULL);
        must_refuse(f->bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", longer);
        node = create_node(f->bus, longest);
        port = create_target_port(f->bus, node, "00000000FFFF", portals);
        name = get_property(f->bus, port, PORT_INTERFACE, "Name");
        expected = g_strconcat(longest, ",t,0xffff", NULL);
        g_assert_cmpstr(name, ==, expected);
}

/* A name that the service makes: this host's, and another each time. */
static void test_made_name(Fixture *f, gconstpointer data) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *a = call_for_path(f->bus, &e, "CreateiSCSINode", "sa{sv}", "", 0),
                        *b = call_for_path(f->bus, &e, "CreateiSCSINode", "sa{sv}", "", 0), *name = NULL, *roles = NULL;

        g_assert_nonnull(a);
        g_assert_cmpstr(a, !=, b);
        name = get_property(f->bus, a, NODE_INTERFACE, "Name");
        g_assert_true(g_regex_match_simple("^iqn\\.2003-01\\.org\\.linux-iscsi\\.[a-z0-9-]+:sn\\.[0-9a-f]{12}$", name, 0, 0));
        roles = get_property(f->bus, a, NODE_INTERFACE, "Roles");
        g_assert_cmpstr(roles, ==, "[3]");
}

/* The items of a batch: as many as there may be, each with as many portals as a port may have, and each text bounded. */
static void test_batch(Fixture *f, gconstpointer data) {
        const char *create = "CreateiSCSIProtocolEndpoints", *loopback = LOOPBACK_PORTAL;
        g_autofree char *node = create_node(f->bus, "iqn.2026-11.org.example:a"), *longer = repeat("a", 2049);
        sd_bus_message *m;

        must_refuse(f->bus, "InvalidParameter", 5, create, "a(oqsao)a{sv}", 0, 0);
        must_refuse(f->bus, "InvalidParameter", 5, create, "a(oqsao)a{sv}", 1, node, 3, longer, 1, loopback, 0);
        must_refuse(f->bus, "InvalidParameter", 5, create, "a(oqsao)a{sv}", 1, node, 3, "", 0, 0);
        must_refuse(f->bus, "InvalidParameter", 5, create, "a(oqsao)a{sv}", 1, node, 3, "", 1, loopback, 1, "Enabled", "s", "no");
        must_refuse(f->bus, "InvalidParameter", 5, create, "a(oqsao)a{sv}", 1, node, 3, "", 1, loopback, 1, "Name", "s", "x");
        must_refuse(f->bus, "InvalidParameter", 5, create, "a(oqsao)a{sv}", 1, node, 3, "", 1, loopback, 2, "Enabled", "b", 1,
                    "Enabled", "b", 1);

        /* One item more than 1,024, one portal more than 64. */
        m = new_call(f->bus, create);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "(oqsao)"), >=, 0);
        for (unsigned i = 0; i < 1025; i++)
                g_assert_cmpint(sd_bus_message_append(m, "(oqsao)", node, 3, "", 1, loopback), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "a{sv}", 0), >=, 0);
        must_refuse_message(f->bus, "LimitReached", 32775, m);

        m = new_call(f->bus, create);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "(oqsao)"), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'r', "oqsao"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "oqs", node, 3, ""), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
        for (unsigned i = 0; i < 65; i++)
                g_assert_cmpint(sd_bus_message_append(m, "o", loopback), >=, 0);
        for (unsigned i = 0; i < 3; i++)
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "a{sv}", 0), >=, 0);
        must_refuse_message(f->bus, "LimitReached", 32775, m);

        must_call(f->bus, create, "a(oqsao)a{sv}", 1, node, 3, "", 1, loopback, 1, "Enabled", "b", 0);
}

/* What CheckCall checks is in a variant, which must hold the arguments of that method and no others. */
static void test_check(Fixture *f, gconstpointer data) {
        const char *check = "CheckCall", *interface = SERVICE_INTERFACE;
        g_autofree char *node = create_node(f->bus, "iqn.2026-11.org.example:a");

        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", "", "", "s", "");
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", "org.iscsi.Node", "DeleteiSCSINode", "(o)", node);
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", interface, "deleteiscsinode", "(o)", node);
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", interface, "CheckCall", "(ssv)", "", "", "s", "");
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", interface, "DeleteiSCSINode", "o", node);
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", interface, "DeleteiSCSINode", "(s)", "x");
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", interface, "DeleteiSCSINode", "(oo)", node, node);
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", interface, "DeleteiSCSINode", "v", "(o)", node);
        must_refuse(f->bus, "InvalidParameter", 5, check, "ssv", interface, "CreateiSCSINode", "(sa{sv})", "", 1, "Colour", "s",
                    "");
        must_call(f->bus, check, "ssv", interface, "DeleteiSCSINode", "(o)", node);
        g_assert_true(object_exists(f->bus, node));
}

/* GLib sends what libsystemd neither sends nor reads. TEXT is in GVariant's text format. */
static void assert_unreadable(const char *member, const char *first, const char *second) {
        const char *argv[] = { "gdbus",    "call", "--system",  "--dest", BUS_NAME, "--object-path", ROOT_PATH,
                               "--method", member, "--timeout", "20",     first,    second,          NULL };
        g_autofree char *output = NULL, *errors = NULL;
        g_autoptr(GError) error = NULL;
        int status;

        g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(output, ==, "");
        if (!strstr(errors, "GDBus.Error:" ERROR_PREFIX "InvalidParameter:") || !g_str_has_suffix(errors, " (5)\n"))
                g_error("%s: %s", member, errors);
}

static void test_unreadable(Fixture *f, gconstpointer data) {
        g_autofree char *filling = g_strnfill(70000, 'a'), *path = g_strdup_printf("\"/%s\"", filling), *log = NULL;

        assert_unreadable(SERVICE_INTERFACE ".CreateiSCSINode", "\"\xef\xb7\x90\"", "@a{sv} {}");       /* U+FDD0 */
        assert_unreadable(SERVICE_INTERFACE ".CreateiSCSINode", "\"\"", "{\"\xef\xbf\xbe\": <\"x\">}"); /* U+FFFE */
        assert_unreadable(SERVICE_INTERFACE ".CreateiSCSINode", "\"\"", "{\"Name\": <\"iqn.2026-11.org.example:\xef\xbf\xbf\">}");
        assert_unreadable(SERVICE_INTERFACE ".DeleteiSCSINode", path, NULL);
        log = service_read_log(f->service);
        g_assert_null(strstr(log, "UnspecifiedError"));
}

static void test_options(Fixture *f, gconstpointer data) {
        const char *create = "CreateiSCSINode", *name = "iqn.2026-11.org.example:a";

#define INVALID(...) must_refuse(f->bus, "InvalidParameter", 5, create, "sa{sv}", "", __VA_ARGS__)
        INVALID(1, "Colour", "s", "red");
        INVALID(1, "name", "s", name);
        INVALID(1, "", "s", name);
        INVALID(2, "Name", "s", name, "Colour", "a(sv)", 0);
        INVALID(1, "Name", "o", "/iqn");
        INVALID(1, "Name", "u", 1);
        INVALID(1, "Name", "v", "s", name);
        INVALID(1, "Name", "as", 1, name);
        INVALID(1, "Roles", "q", 3);
        INVALID(1, "Roles", "au", 1, 3);
        INVALID(1, "Roles", "as", 1, "3");
        INVALID(1, "Roles", "aaq", 0);
        INVALID(2, "Name", "s", name, "Name", "s", name);
        INVALID(2, "Roles", "aq", 1, 3, "Roles", "aq", 1, 3);
        INVALID(2, "Roles", "aq", 0, "Roles", "aq", 1, 3);
        INVALID(1, "Roles", "aq", 0);
        INVALID(1, "Roles", "aq", 1, 0);
        INVALID(1, "Roles", "aq", 1, 4);
        INVALID(1, "Roles", "aq", 2, 3, 3);
        INVALID(1, "Roles", "aq", 3, 2, 3, 2);
        INVALID(1, "Persistent", "s", "true");
        INVALID(1, "Persistent", "q", 1);
        INVALID(2, "Persistent", "b", 0, "Persistent", "b", 0);
#undef INVALID
        must_refuse(f->bus, "InvalidParameter", 5, "CreatePortalGroup", "sa{sv}", "g", 1, "Name", "s", "g");
        must_refuse(f->bus, "InvalidParameter", 5, "CreatePortalGroup", "sa{sv}", "g", 1, "Roles", "aq", 1, 3);
        must_refuse(f->bus, "InvalidParameter", 5, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 4000, DEFAULT_GROUP, 1, "x",
                    "b", 1);

        /* Nothing of it has been done, and either order of the roles is right. */
        must_call(f->bus, create, "sa{sv}", "", 2, "Roles", "aq", 2, 3, 2, "Name", "s", name);
        {
                g_autofree char *roles =
                        get_property(f->bus, ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aa", NODE_INTERFACE, "Roles");

                g_assert_cmpstr(roles, ==, "[2 3]");
        }
}

int main(int argc, char *argv[]) {
        static const struct {
                const char *name;
                void (*function)(Fixture *f, gconstpointer data);
        } tests[] = {
                { "/arguments/text-length", test_text_length },
                { "/arguments/control-characters", test_control_characters },
                { "/arguments/messages", test_messages },
                { "/arguments/names", test_names },
                { "/arguments/longest-name", test_longest_name },
                { "/arguments/made-name", test_made_name },
                { "/arguments/unreadable", test_unreadable },
                { "/arguments/options", test_options },
                { "/arguments/batch", test_batch },
                { "/arguments/check", test_check },
        };

        g_test_init(&argc, &argv, NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].function, tear_down);
        return g_test_run();
}
