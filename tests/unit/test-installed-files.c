/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is installed beside the programs: polkit actions, bus policy, activation file and units. These files decide who may do
 * what, and nobody notices when one of them loses a line. */

#include <glib/gstdio.h>
#include <libxml/parser.h>
#include <string.h>

#include "bus/methods.h"
#include "xml-file.h"

#define SERVICE "org.iscsi.ConfigurationService"
#define POLKIT_DTD "/usr/share/polkit-1/policyconfig-1.dtd"

/* A file of the source tree names the default user, one of the build tree the configured one. */
typedef struct Tree {
        const char *root;
        const char *user;
} Tree;

static Tree trees[2];

static const struct {
        const char *action, *defaults;
} actions[] = {
        { SERVICE ".create-node", "auth_admin_keep" }, { SERVICE ".delete-node", "auth_admin" },
        { SERVICE ".create-port", "auth_admin_keep" }, { SERVICE ".delete-port", "auth_admin" },
        { SERVICE ".bind-port", "auth_admin_keep" },   { SERVICE ".manage-portals", "auth_admin_keep" },
        { SERVICE ".modify-port", "auth_admin_keep" }, { SERVICE ".modify-node", "auth_admin_keep" },
        { SERVICE ".adopt-node", "auth_admin" },       { SERVICE ".force", "auth_admin" },
};

static int find_action(const char *id) {
        for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
                if (g_strcmp0(actions[i].action, id) == 0)
                        return (int) i;

        return -1;
}

static char *read_text(const char *root, const char *name) {
        g_autofree char *path = g_build_filename(root, name, NULL);
        g_autoptr(GError) error = NULL;
        char *text = NULL;

        g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);
        return text;
}

static xmlDoc *read_xml(const char *root, const char *name) {
        g_autofree char *path = g_build_filename(root, name, NULL);

        return xml_read_file(path);
}

static void check_action(const xmlNode *e, const char *user) {
        static const char *const defaults[] = { "allow_any", "allow_inactive", "allow_active" };
        static const char *const texts[] = { "description", "message" };
        g_autofree char *owner_wanted = g_strconcat("unix-user:", user, NULL), *owner = NULL;
        int a = find_action(xml_attribute(e, "id"));

        g_assert_cmpint(a, >=, 0);

        /* polkit refuses details, and questions about others, from whoever is neither root nor the owner. */
        for (xmlNode *c = xml_first(e); c; c = xml_next(c))
                if (xml_is(c, "annotate") && g_strcmp0(xml_attribute(c, "key"), "org.freedesktop.policykit.owner") == 0) {
                        g_assert_null(owner);
                        owner = xml_text(c);
                }
        g_assert_cmpstr(owner, ==, owner_wanted);

        for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
                g_autofree char *value = xml_text(xml_child(xml_child(e, "defaults"), defaults[i]));

                g_assert_cmpstr(value, ==, actions[a].defaults);
        }

        /* The service passes no text to fill in, so there must be nothing to fill in. */
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autofree char *text = xml_text(xml_child(e, texts[i]));

                g_assert_cmpuint(strlen(text), >, 10);
                g_assert_null(strstr(text, "$("));
                g_assert_cmpstr(xml_attribute(xml_child(e, texts[i]), "gettext-domain"), ==, "iscsi-configd");
        }
}

/* The policy has exactly these actions, each owned by the service's user and none given away. */
static void test_actions(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(trees); i++) {
                g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
                g_autoptr(xmlDoc) doc = read_xml(trees[i].root, "policy/" SERVICE ".policy");
                xmlNode *root = xmlDocGetRootElement(doc);
                g_autofree char *vendor = xml_text(xml_child(root, "vendor"));

                g_assert_cmpstr(vendor, ==, "iscsi-configd");
                for (xmlNode *e = xml_first(root); e; e = xml_next(e))
                        if (xml_is(e, "action")) {
                                g_assert_true(g_hash_table_add(seen, (void *) xml_attribute(e, "id")));
                                check_action(e, trees[i].user);
                        }

                g_assert_cmpuint(g_hash_table_size(seen), ==, G_N_ELEMENTS(actions));
        }
}

static void ignore_error(void *userdata, const char *format, ...) {
}

/* polkit leaves out a file that it cannot read, without a word to anybody. */
static void test_policy_dtd(void) {
        g_autoptr(xmlDoc) doc = read_xml(trees[0].root, "policy/" SERVICE ".policy");
        xmlValidCtxt context = { .error = ignore_error };
        xmlDtd *dtd;

        if (!g_file_test(POLKIT_DTD, G_FILE_TEST_EXISTS)) {
                g_test_skip(POLKIT_DTD " is not installed (polkitd)");
                return;
        }

        dtd = xmlParseDTD(NULL, (const xmlChar *) POLKIT_DTD);
        g_assert_nonnull(dtd);
        g_assert_true(xmlValidateDtd(&context, doc, dtd));

        xmlNewChild(xml_child(xmlDocGetRootElement(doc), "action"), NULL, (const xmlChar *) "thing", NULL);
        g_assert_false(xmlValidateDtd(&context, doc, dtd));

        xmlFreeDtd(dtd);
}

/* The action of each row exists, and each action is that of a row. That the interface file says so too: test-method-rows.c. */
static void test_actions_of_methods(void) {
        bool used[G_N_ELEMENTS(actions)] = { false };

        for (const Method *const *m = methods; *m; m++) {
                int a = find_action((*m)->action);

                if (a < 0)
                        g_error("%s: there is no action \"%s\"", (*m)->name, (*m)->action);
                used[a] = true;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
                g_assert_true(used[i]);
}

/* An example is no rule until somebody renames it, and speaks of actions and details that exist. */
static void test_example_rules(void) {
        static const char *const details[] = { "method", "node", "role", "identifier", "portals", "count", "group", NULL };
        g_autofree char *text = read_text(trees[0].root, "policy/50-iscsi-configd.rules.example");
        g_autoptr(GRegex) ids = g_regex_new("\"(" SERVICE "[^\"]*)\"", 0, 0, NULL);
        g_autoptr(GRegex) lookups = g_regex_new("lookup\\(\"([^\"]*)\"\\)", 0, 0, NULL);
        g_autoptr(GMatchInfo) id = NULL, lookup = NULL;
        unsigned n_ids = 0, n_lookups = 0;

        for (g_regex_match(ids, text, 0, &id); g_match_info_matches(id); g_match_info_next(id, NULL), n_ids++) {
                g_autofree char *name = g_match_info_fetch(id, 1);

                g_assert_cmpint(find_action(name), >=, 0);
        }
        for (g_regex_match(lookups, text, 0, &lookup); g_match_info_matches(lookup);
             g_match_info_next(lookup, NULL), n_lookups++) {
                g_autofree char *name = g_match_info_fetch(lookup, 1);

                g_assert_true(g_strv_contains(details, name));
        }

        g_assert_cmpuint(n_ids, >=, 2);
        g_assert_cmpuint(n_lookups, >=, G_N_ELEMENTS(details) - 1);
}

/* A rule about messages: it names our destination and is nothing but what is expected here. Returns what it allows. */
static char *check_message_rule(const xmlNode *rule) {
        const char *interface = xml_attribute(rule, "send_interface");

        g_assert_cmpstr(xml_attribute(rule, "send_destination"), ==, SERVICE);
        for (const xmlAttr *a = rule->properties; a; a = a->next)
                if (!g_str_equal(a->name, "send_destination") && !g_str_equal(a->name, "send_interface"))
                        g_error("unexpected attribute %s", a->name);

        if (xml_is(rule, "deny")) {
                g_assert_null(interface);
                return g_strdup("deny");
        }

        g_assert_true(xml_is(rule, "allow"));
        g_assert_nonnull(interface);
        return g_strdup(interface);
}

/* The default policy: first the denial, then exactly the standard interfaces and those of interfaces/ that are on the bus. */
static void check_default_policy(const xmlNode *policy) {
        static const char *const interfaces[] = {
                SERVICE,
                "org.iscsi.IPProtocolEndpoint",
                "org.iscsi.Node",
                "org.iscsi.PortalGroup",
                "org.iscsi.ProtocolEndpoint",
                "org.iscsi.TCPProtocolEndpoint",
                "org.freedesktop.DBus.Properties",
                "org.freedesktop.DBus.ObjectManager",
                "org.freedesktop.DBus.Introspectable",
                "org.freedesktop.DBus.Peer",
        };
        g_autoptr(GHashTable) allowed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        unsigned n = 0;

        for (xmlNode *rule = xml_first(policy); rule; rule = xml_next(rule), n++) {
                char *what = check_message_rule(rule);

                g_assert_cmpint(g_str_equal(what, "deny"), ==, n == 0); /* of two rules the later one wins */
                g_assert_true(g_hash_table_add(allowed, what));
        }

        for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++)
                g_assert_true(g_hash_table_contains(allowed, interfaces[i]));
        g_assert_cmpuint(n, ==, 1 + G_N_ELEMENTS(interfaces));
}

/* Only the service's user and root may own the name, and only the name. */
static void check_owner_policy(const xmlNode *policy) {
        xmlNode *rule = xml_first(policy);

        g_assert_true(xml_is(rule, "allow"));
        g_assert_cmpstr(xml_attribute(rule, "own"), ==, SERVICE);
        g_assert_null(rule->properties->next);
        g_assert_null(xml_next(rule));
}

static void test_bus_policy(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(trees); i++) {
                g_autoptr(xmlDoc) doc = read_xml(trees[i].root, "dbus/" SERVICE ".conf");
                xmlNode *root = xmlDocGetRootElement(doc);
                const char *const users[] = { trees[i].user, "root", NULL };
                unsigned n_owners = 0, n_defaults = 0;

                g_assert_true(xml_is(root, "busconfig"));
                for (xmlNode *policy = xml_first(root); policy; policy = xml_next(policy)) {
                        const char *user = xml_attribute(policy, "user");

                        g_assert_true(xml_is(policy, "policy"));
                        g_assert_null(policy->properties->next);
                        if (user) {
                                g_assert_true(g_strv_contains(users, user));
                                check_owner_policy(policy);
                                n_owners++;
                        } else {
                                g_assert_cmpstr(xml_attribute(policy, "context"), ==, "default");
                                check_default_policy(policy);
                                n_defaults++;
                        }
                }

                g_assert_cmpuint(n_owners, ==, 2);
                g_assert_cmpuint(n_defaults, ==, 1);
        }
}

static GKeyFile *read_unit(const char *root, const char *name) {
        g_autofree char *text = read_text(root, name);
        g_autoptr(GError) error = NULL;
        GKeyFile *unit = g_key_file_new();

        g_key_file_load_from_data(unit, text, (size_t) -1, G_KEY_FILE_NONE, &error);
        g_assert_no_error(error);
        g_assert_null(strstr(text, "@libexecdir@"));
        g_assert_null(strstr(text, "@docdir@"));
        g_assert_null(strstr(text, "@service_user@"));
        return unit;
}

static void assert_key(GKeyFile *unit, const char *group, const char *key, const char *value) {
        g_autofree char *v = g_key_file_get_value(unit, group, key, NULL);

        if (g_strcmp0(v, value) != 0)
                g_error("[%s] %s= is %s, not %s", group, key, v ? v : "not there", value ? value : "absent");
}

static void assert_word(GKeyFile *unit, const char *group, const char *key, const char *word) {
        g_autofree char *v = g_key_file_get_value(unit, group, key, NULL);
        g_auto(GStrv) words = g_strsplit(v ? v : "", " ", -1);

        if (!g_strv_contains((const char *const *) words, word))
                g_error("[%s] %s= does not have %s", group, key, word);
}

#define BUILD_ROOT trees[1].root
#define SERVICE_USER trees[1].user

static void test_service_unit(void) {
        g_autoptr(GKeyFile) unit = read_unit(BUILD_ROOT, "dbus/iscsi-configd.service");

        assert_key(unit, "Service", "Type", "notify");
        assert_key(unit, "Service", "BusName", SERVICE);
        assert_key(unit, "Service", "User", SERVICE_USER);
        assert_key(unit, "Service", "CapabilityBoundingSet", "");
        assert_key(unit, "Service", "AmbientCapabilities", "");
        assert_key(unit, "Service", "NoNewPrivileges", "yes");
        assert_key(unit, "Service", "UMask", "0077");
        assert_key(unit, "Service", "StateDirectory", "iscsi-configd");
        assert_key(unit, "Service", "StateDirectoryMode", "0700");
        assert_key(unit, "Service", "Restart", "on-failure");

        /* It would take the worker's socket away whenever the service stops. */
        assert_key(unit, "Service", "RuntimeDirectory", NULL);

        assert_word(unit, "Unit", "Wants", "iscsi-backend-lio.socket");
        assert_word(unit, "Unit", "Wants", "sys-kernel-config.mount");
        assert_word(unit, "Unit", "After", "iscsi-backend-lio.socket");
        assert_word(unit, "Unit", "After", "dbus.service");
        assert_word(unit, "Unit", "After", "sys-kernel-config.mount");
        assert_word(unit, "Unit", "After", "target.service");
        assert_word(unit, "Unit", "After", "rtslib-fb-targetctl.service");
        assert_word(unit, "Unit", "After", "targetcli.service");
        assert_word(unit, "Install", "WantedBy", "multi-user.target");
}

/* Both kinds of workers. */
static void assert_worker(GKeyFile *socket, GKeyFile *worker, const char *capabilities, const char *option) {
        g_autoptr(GKeyFile) service = read_unit(BUILD_ROOT, "dbus/iscsi-configd.service");
        g_autofree char *path = NULL, *whole = NULL;

        assert_key(socket, "Socket", "Accept", "yes");
        assert_key(socket, "Socket", "SocketMode", "0600");
        assert_key(socket, "Socket", "SocketUser", SERVICE_USER);
        assert_key(socket, "Socket", "MaxConnections", "32");

        assert_key(worker, "Service", "Type", "exec");
        assert_key(worker, "Service", "User", NULL);
        assert_key(worker, "Service", "CapabilityBoundingSet", capabilities);
        assert_key(worker, "Service", "NoNewPrivileges", "yes");
        assert_key(worker, "Service", "ProtectSystem", "strict");
        assert_key(worker, "Service", "StandardInput", NULL);
        assert_key(worker, "Unit", "CollectMode", "inactive-or-failed");
        g_assert_true(g_key_file_has_key(worker, "Service", "TimeoutStopSec", NULL));

        /* The service looks for workers where they are. */
        path = g_key_file_get_value(socket, "Socket", "ListenStream", NULL);
        g_assert_true(g_path_is_absolute(path));
        whole = g_strconcat(option, path, NULL);
        assert_word(service, "Service", "ExecStart", whole);
}

/* What it may write: one mount for the database, or a record could not be renamed into its directory. */
static void test_open_iscsi_units(void) {
        g_autoptr(GKeyFile) socket = read_unit(BUILD_ROOT, "dbus/iscsi-backend-open-iscsi.socket");
        g_autoptr(GKeyFile) worker = read_unit(BUILD_ROOT, "dbus/iscsi-backend-open-iscsi@.service");
        g_autoptr(GKeyFile) service = read_unit(BUILD_ROOT, "dbus/iscsi-configd.service");
        g_autofree char *tmpfiles = read_text(trees[0].root, "dbus/iscsi-configd.tmpfiles");

        assert_worker(socket, worker, "", "--open-iscsi-socket=");
        assert_key(worker, "Service", "ReadWritePaths", "-/etc/iscsi -/var/lib/iscsi -/run/lock/iscsi");
        assert_key(worker, "Service", "PrivateNetwork", NULL); /* iscsid is reached at an abstract socket */
        assert_word(service, "Service", "ExecStart", "--initiator-backend=open-iscsi");
        assert_word(service, "Unit", "Wants", "iscsi-backend-open-iscsi.socket");
        assert_word(service, "Unit", "After", "iscsi-backend-open-iscsi.socket");
        assert_word(service, "Install", "Also", "iscsi-backend-open-iscsi.socket");
        g_assert_nonnull(strstr(tmpfiles, "\nd /run/lock/iscsi 0700 root root "));
}

static void test_worker_units(void) {
        g_autoptr(GKeyFile) socket = read_unit(BUILD_ROOT, "dbus/iscsi-backend-lio.socket");
        g_autoptr(GKeyFile) worker = read_unit(BUILD_ROOT, "dbus/iscsi-backend-lio@.service");

        assert_worker(socket, worker, "CAP_NET_BIND_SERVICE", "--lio-socket=");
        assert_word(worker, "Unit", "Wants", "modprobe@target_core_mod.service");
        assert_word(worker, "Unit", "After", "modprobe@target_core_mod.service");
        assert_word(worker, "Unit", "Wants", "modprobe@iscsi_target_mod.service");
        assert_word(worker, "Unit", "After", "modprobe@iscsi_target_mod.service");
        assert_word(worker, "Unit", "Wants", "modprobe@tcp_diag.service");
        assert_word(worker, "Unit", "After", "modprobe@tcp_diag.service");
        assert_word(worker, "Unit", "After", "sys-kernel-config.mount");
}

/* The bus starts the unit under the alias that the unit has while it is enabled, and nothing by itself. */
static void test_activation(void) {
        g_autoptr(GKeyFile) activation = read_unit(trees[0].root, "dbus/" SERVICE ".service");
        g_autoptr(GKeyFile) unit = read_unit(BUILD_ROOT, "dbus/iscsi-configd.service");
        g_autofree char *alias = g_key_file_get_value(unit, "Install", "Alias", NULL);

        assert_key(activation, "D-BUS Service", "Name", SERVICE);
        assert_key(activation, "D-BUS Service", "Exec", "/bin/false");
        assert_key(activation, "D-BUS Service", "User", "root");
        g_assert_cmpstr(alias, ==, "dbus-" SERVICE ".service");
        assert_key(activation, "D-BUS Service", "SystemdService", alias);
}

static void test_sysusers(void) {
        g_autofree char *text = read_text(BUILD_ROOT, "dbus/iscsi-configd.conf");
        g_autofree char *line = g_strdup_printf("\nu %s - \"", SERVICE_USER);

        g_assert_nonnull(strstr(text, line));
        g_assert_null(strstr(text, "@service_user@"));
}

/* Runs systemd-analyze on the units, with programs that exist instead of ours, and returns what it complains about. */
static char *verify_units(const char *directory, const char *from, const char *to) {
        static const char *const units[] = { "iscsi-configd.service", "iscsi-backend-lio.socket", "iscsi-backend-lio@.service",
                                             "iscsi-backend-open-iscsi.socket", "iscsi-backend-open-iscsi@.service" };
        g_autoptr(GRegex) program = g_regex_new("^ExecStart=\\S+", G_REGEX_MULTILINE, 0, NULL);
        g_autofree char *output = NULL, *errors = NULL;
        const char *argv[G_N_ELEMENTS(units) + 4] = { "systemd-analyze", "verify", "--man=no" };
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
                g_autofree char *name = g_strconcat("dbus/", units[i], NULL), *text = read_text(BUILD_ROOT, name);
                g_autofree char *runnable = g_regex_replace_literal(program, text, -1, 0, "ExecStart=/bin/true", 0, NULL);
                g_auto(GStrv) parts = g_strsplit(runnable, from, -1);
                g_autofree char *changed = g_strjoinv(to, parts);

                g_ptr_array_add(paths, g_build_filename(directory, units[i], NULL));
                argv[3 + i] = paths->pdata[i];
                g_file_set_contents(argv[3 + i], changed, -1, &error);
                g_assert_no_error(error);
        }

        g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, NULL, &error);
        g_assert_no_error(error);
        for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
                g_unlink(argv[3 + i]);

        return g_strconcat(output, errors, NULL);
}

static void test_verify_units(void) {
        g_autofree char *tool = g_find_program_in_path("systemd-analyze"), *directory = NULL, *clean = NULL, *faulty = NULL;
        g_autoptr(GError) error = NULL;

        if (!tool) {
                g_test_skip("systemd-analyze is not installed (systemd)");
                return;
        }

        directory = g_dir_make_tmp("units-XXXXXX", &error);
        g_assert_no_error(error);

        clean = verify_units(directory, "Type=exec", "Type=exec");
        faulty = verify_units(directory, "Type=exec", "Type=exactly");
        g_rmdir(directory);

        g_assert_cmpstr(clean, ==, "");
        g_assert_nonnull(strstr(faulty, "exactly"));
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        trees[0] = (Tree){ g_getenv("SOURCE_ROOT"), "iscsi-config" };
        trees[1] = (Tree){ g_getenv("BUILD_ROOT"), g_getenv("SERVICE_USER") };
        if (!trees[0].root || !trees[1].root || !trees[1].user)
                g_error("SOURCE_ROOT, BUILD_ROOT and SERVICE_USER must be set, as `meson test` does it");

        g_test_add_func("/installed-files/polkit/actions", test_actions);
        g_test_add_func("/installed-files/polkit/dtd", test_policy_dtd);
        g_test_add_func("/installed-files/polkit/actions-of-methods", test_actions_of_methods);
        g_test_add_func("/installed-files/polkit/example-rules", test_example_rules);
        g_test_add_func("/installed-files/bus/policy", test_bus_policy);
        g_test_add_func("/installed-files/bus/activation", test_activation);
        g_test_add_func("/installed-files/units/service", test_service_unit);
        g_test_add_func("/installed-files/units/worker", test_worker_units);
        g_test_add_func("/installed-files/units/open-iscsi", test_open_iscsi_units);
        g_test_add_func("/installed-files/units/sysusers", test_sysusers);
        g_test_add_func("/installed-files/units/verify", test_verify_units);

        return g_test_run();
}
