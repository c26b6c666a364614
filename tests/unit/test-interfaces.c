/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The files in interfaces/: what D-Bus demands of an introspection document, what this project demands of its documentation, and
 * that methods and codes are those of the rows of the methods and of common/refusal.c. Their arguments: test-method-rows.c.
 *
 * The checks are functions that return a description of the first fault, so that they can be tried on faulty documents too. */

#include <string.h>
#include <systemd/sd-bus.h>

#include "bus/methods.h"
#include "common/refusal.h"
#include "xml-file.h"

#define EMITS_CHANGED "org.freedesktop.DBus.Property.EmitsChangedSignal"
#define EXPLICIT "org.freedesktop.systemd1.Explicit"
#define SERVICE "org.iscsi.ConfigurationService"
#define PRIVATE "org.iscsi.Backend" /* between the service and its workers: its comments need not tell where things come from */

/* Every file that must be there. */
static const char *const interfaces[] = {
        PRIVATE,
        SERVICE,
        "org.iscsi.IPProtocolEndpoint",
        "org.iscsi.Node",
        "org.iscsi.PortalGroup",
        "org.iscsi.ProtocolEndpoint",
        "org.iscsi.TCPProtocolEndpoint",
};

static xmlDoc *read_interface(const char *name) {
        g_autofree char *path = g_strdup_printf("%s/interfaces/%s.xml", g_getenv("SOURCE_ROOT"), name);

        return xml_read_file(path);
}

static xmlNode *interface_of(xmlDoc *doc) {
        return xml_child(xmlDocGetRootElement(doc), "interface");
}

#define fault(e, ...) fault_at(e, g_strdup_printf(__VA_ARGS__))

static char *fault_at(const xmlNode *e, char *text) {
        g_autofree char *t = text;
        const char *name = xml_attribute(e, "name");

        return g_strdup_printf("line %ld, %s %s: %s", xmlGetLineNo(e), e->name, name ? name : "", t);
}

/* Attributes are some of ALLOWED, and each name is there that is marked with '!'. */
static char *check_attributes(const xmlNode *e, const char *const *allowed) {
        for (const xmlAttr *a = e->properties; a; a = a->next) {
                bool known = false;

                for (size_t i = 0; allowed[i]; i++)
                        known = known || g_str_equal(allowed[i] + (allowed[i][0] == '!'), a->name);
                if (!known)
                        return fault(e, "unknown attribute %s", a->name);
        }

        for (size_t i = 0; allowed[i]; i++)
                if (allowed[i][0] == '!' && !xml_attribute(e, allowed[i] + 1))
                        return fault(e, "no attribute %s", allowed[i] + 1);

        return NULL;
}

/* libsystemd lets a member's name begin with a digit, the specification does not. */
static bool name_is_valid(const char *name) {
        return sd_bus_member_name_is_valid(name) > 0 && !g_ascii_isdigit(name[0]);
}

static bool signature_is_single_type(const char *s) {
        return g_variant_is_signature(s) && g_variant_type_string_is_valid(s);
}

static char *check_annotation(const xmlNode *e) {
        return check_attributes(e, (const char *const[]){ "!name", "!value", NULL });
}

/* An argument in and one out may have the same name. */
static char *check_argument(const xmlNode *e, GHashTable *names_in, GHashTable *names_out) {
        const char *direction = xml_attribute(e, "direction"), *name = xml_attribute(e, "name");
        char *f;

        f = check_attributes(e, (const char *const[]){ "!name", "!type", "!direction", NULL });
        if (f)
                return f;

        if (!name_is_valid(name))
                return fault(e, "not a valid name");
        if (!signature_is_single_type(xml_attribute(e, "type")))
                return fault(e, "type %s is not one complete type", xml_attribute(e, "type"));
        if (!g_str_equal(direction, "in") && !g_str_equal(direction, "out"))
                return fault(e, "direction %s", direction);
        if (!g_hash_table_add(g_str_equal(direction, "in") ? names_in : names_out, (void *) name))
                return fault(e, "this name is there twice");

        return NULL;
}

static char *check_method(const xmlNode *e) {
        g_autoptr(GHashTable) in = g_hash_table_new(g_str_hash, g_str_equal), out = g_hash_table_new(g_str_hash, g_str_equal);
        char *f;

        f = check_attributes(e, (const char *const[]){ "!name", NULL });
        for (xmlNode *c = xml_first(e); c && !f; c = xml_next(c))
                f = xml_is(c, "arg")          ? check_argument(c, in, out)
                    : xml_is(c, "annotation") ? check_annotation(c)
                                              : fault(c, "does not belong into a method");

        return f;
}

static char *check_property(const xmlNode *e) {
        static const char *const emits_values[] = { "true", "false", "const", "invalidates", NULL };
        const char *emits = xml_annotation(e, EMITS_CHANGED), *is_explicit = xml_annotation(e, EXPLICIT);
        char *f;

        f = check_attributes(e, (const char *const[]){ "!name", "!type", "!access", NULL });
        for (xmlNode *c = xml_first(e); c && !f; c = xml_next(c))
                f = xml_is(c, "annotation") ? check_annotation(c) : fault(c, "does not belong into a property");
        if (f)
                return f;

        if (!signature_is_single_type(xml_attribute(e, "type")))
                return fault(e, "type %s is not one complete type", xml_attribute(e, "type"));
        if (!g_str_equal(xml_attribute(e, "access"), "read"))
                return fault(e, "access %s: properties are changed by methods", xml_attribute(e, "access"));
        if (!emits || !g_strv_contains(emits_values, emits))
                return fault(e, "no valid " EMITS_CHANGED);
        if (is_explicit && (!g_str_equal(is_explicit, "true") || !g_str_equal(emits, "invalidates")))
                return fault(e, EXPLICIT " is for what is told as invalidated");

        return NULL;
}

/* A document has the form of the D-Bus specification and one interface, INTERFACE. */
static char *check_form(xmlDoc *doc, const char *interface) {
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        xmlNode *root = xmlDocGetRootElement(doc), *i = xml_first(root);
        char *f = NULL;

        if (!xml_is(root, "node") || root->properties)
                return fault(root, "the root is a node without a name");
        if (!i || !xml_is(i, "interface") || xml_next(i))
                return fault(root, "not one interface");
        f = check_attributes(i, (const char *const[]){ "!name", NULL });
        if (f)
                return f;
        if (sd_bus_interface_name_is_valid(xml_attribute(i, "name")) <= 0 || !g_str_equal(xml_attribute(i, "name"), interface))
                return fault(i, "is not named like its file");
        if (!xml_first(i))
                return fault(i, "is empty");

        for (xmlNode *m = xml_first(i); m && !f; m = xml_next(m)) {
                const char *name = xml_attribute(m, "name");

                f = xml_is(m, "method")     ? check_method(m)
                    : xml_is(m, "property") ? check_property(m)
                                            : fault(m, "does not belong into an interface");
                if (!f && !name_is_valid(name))
                        f = fault(m, "not a valid name");
                if (!f && !g_hash_table_add(names, (void *) name))
                        f = fault(m, "this name is there twice");
        }

        return f;
}

/* The comment right before E begins with "<its name>:" and goes on. */
static char *check_comment(const xmlNode *e, bool public) {
        const char *comment = xml_comment_before(e), *name = xml_attribute(e, "name");

        if (!comment)
                return fault(e, "no comment before it");
        comment += strspn(comment, " \n");
        if (!g_str_has_prefix(comment, name) || comment[strlen(name)] != ':')
                return fault(e, "the comment before it is not its own");
        comment += strlen(name) + 1;
        if (strlen(comment + strspn(comment, " \n")) < 10)
                return fault(e, "the comment says nothing");
        if (public && !xml_is(e, "interface") && !strstr(comment, "Source: "))
                return fault(e, "the comment does not say where it comes from (Source:)");

        return NULL;
}

/* The comment of a method has a line "  <argument>: " for each argument. */
static char *check_argument_comments(const xmlNode *method) {
        const char *comment = xml_comment_before(method);

        for (xmlNode *a = xml_first(method); a; a = xml_next(a)) {
                bool out = g_strcmp0(xml_attribute(a, "direction"), "out") == 0;
                g_autofree char *line = g_strdup_printf("\n        %s: %s", xml_attribute(a, "name"), out ? "out: " : "");

                if (xml_is(a, "arg") && !strstr(comment, line))
                        return fault(a, "the comment of %s does not explain it", xml_attribute(method, "name"));
        }

        return NULL;
}

static char *check_documentation(xmlDoc *doc, bool public) {
        xmlNode *i = interface_of(doc);
        char *f;

        f = check_comment(i, public);
        for (xmlNode *m = xml_first(i); m && !f; m = xml_next(m)) {
                f = check_comment(m, public);
                if (!f && public && xml_is(m, "method"))
                        f = check_argument_comments(m);
        }

        return f;
}

/* Finds the next line "  <code> <Name>: <text>" of a comment. */
static bool next_code(GMatchInfo *info, uint32_t *ret_code, char **ret_name) {
        if (!g_match_info_matches(info))
                return false;

        g_autofree char *code = g_match_info_fetch(info, 1);
        *ret_code = (uint32_t) g_ascii_strtoull(code, NULL, 10);
        *ret_name = g_match_info_fetch(info, 2);
        g_match_info_next(info, NULL);
        return true;
}

static GMatchInfo *codes_in(const char *comment, GRegex **ret_regex) {
        GMatchInfo *info;

        *ret_regex = g_regex_new("^ +([0-9]+) ([A-Za-z]+): \\S", G_REGEX_MULTILINE, 0, NULL);
        g_regex_match(*ret_regex, comment, 0, &info);
        return info;
}

static Refusal refusal_from_name(const char *name) {
        g_autofree char *full = g_strconcat(ERROR_NAME_PREFIX, name, NULL);

        return refusal_from_error_name(full);
}

/* The comment of the method's element explains exactly the codes that M defines; NULL: none. */
static char *check_method_codes(const xmlNode *e, const Method *m) {
        g_autoptr(GRegex) regex = NULL;
        g_autoptr(GMatchInfo) info = codes_in(xml_comment_before(e), &regex);
        const MethodCode *codes = m ? m->codes : NULL;
        size_t n = m ? m->n_codes : 0, found = 0;
        uint32_t code;

        for (char *name; next_code(info, &code, &name); found++) {
                g_autofree char *owned = name;
                bool known = false;

                for (size_t i = 0; i < n; i++)
                        known = known || (codes[i].code == code && codes[i].refusal == refusal_from_name(name));
                if (!known)
                        return fault(e, "%u %s is not a code of this method", code, name);
        }

        if (found != n)
                return fault(e, "%zu of its %zu codes are explained", found, n);

        return NULL;
}

/* The comment of the interface explains exactly the codes that are the same in all methods. */
static char *check_common_codes(const xmlNode *interface) {
        g_autoptr(GRegex) regex = NULL;
        g_autoptr(GMatchInfo) info = codes_in(xml_comment_before(interface), &regex);
        unsigned found = 0, n = 0;
        uint32_t code;

        for (char *name; next_code(info, &code, &name); found++) {
                g_autofree char *owned = name;
                Refusal r = refusal_from_name(name);

                if (r == REFUSAL_NONE || refusal_common_code(r) != code)
                        return fault(interface, "%u %s is not a common code", code, name);
        }

        for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++)
                n += refusal_common_code(r) != 0;
        if (found != n)
                return fault(interface, "%u of %u common codes are explained", found, n);

        return NULL;
}

static const ReadMethod *find_read_method(const char *name) {
        for (const ReadMethod *m = read_methods; m->name; m++)
                if (g_str_equal(m->name, name))
                        return m;

        return NULL;
}

static unsigned count_methods(void) {
        unsigned n = 0;

        for (const Method *const *m = methods; *m; m++)
                n++;
        for (const ReadMethod *m = read_methods; m->name; m++)
                n++;
        return n;
}

/* All faults of the contract with the rows. */
static char *check_codes(xmlDoc *doc) {
        xmlNode *i = interface_of(doc);
        unsigned n_methods = 0;
        char *f;

        f = check_common_codes(i);
        for (xmlNode *e = xml_first(i); e && !f; e = xml_next(e)) {
                const char *name = xml_attribute(e, "name");

                if (!xml_is(e, "method"))
                        continue;
                f = method_find(name) || find_read_method(name) ? check_method_codes(e, method_find(name))
                                                                : fault(e, "no row has this method");
                n_methods++;
        }

        if (!f && n_methods != count_methods())
                f = fault(i, "%u of %u methods are there", n_methods, count_methods());
        return f;
}

#define assert_no_fault(expression)                     \
        do {                                            \
                g_autofree char *_fault = (expression); \
                g_assert_cmpstr(_fault, ==, NULL);      \
        } while (0)

static unsigned count_members(xmlDoc *doc, const char *kind) {
        unsigned n = 0;

        for (xmlNode *m = xml_first(interface_of(doc)); m; m = xml_next(m))
                n += xml_is(m, kind);

        return n;
}

/* The directory holds these files and no other. */
static void test_directory(void) {
        g_autofree char *path = g_build_filename(g_getenv("SOURCE_ROOT"), "interfaces", NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
        unsigned n = 0;

        g_assert_no_error(error);
        for (const char *name; (name = g_dir_read_name(dir));) {
                bool known = false;

                if (!g_str_has_suffix(name, ".xml"))
                        continue;
                for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++)
                        known = known || strncmp(name, interfaces[i], strlen(name) - strlen(".xml")) == 0;
                if (!known)
                        g_error("interfaces/%s is in no test", name);
                n++;
        }

        g_assert_cmpuint(n, ==, G_N_ELEMENTS(interfaces));
}

static void test_form(void) {
        unsigned n_methods = 0, properties = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++) {
                g_autoptr(xmlDoc) doc = read_interface(interfaces[i]);

                g_test_message("%s", interfaces[i]);
                assert_no_fault(check_form(doc, interfaces[i]));
                n_methods += count_members(doc, "method");
                properties += count_members(doc, "property");
        }

        g_assert_cmpuint(n_methods, >, count_methods());
        g_assert_cmpuint(properties, >, 55);
}

static void test_documentation(void) {
        for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++) {
                g_autoptr(xmlDoc) doc = read_interface(interfaces[i]);

                g_test_message("%s", interfaces[i]);
                assert_no_fault(check_documentation(doc, !g_str_equal(interfaces[i], PRIVATE)));
        }
}

static void test_codes(void) {
        g_autoptr(xmlDoc) doc = read_interface(SERVICE);

        assert_no_fault(check_codes(doc));
}

/* Arrays that grow with the number of objects are told as invalid and marked, and no others. */
static void test_signals(void) {
        static const char *const growing[] = {
                "org.iscsi.IPProtocolEndpoint.BoundBy",
                "org.iscsi.Node.ProtocolEndpoints",
                "org.iscsi.PortalGroup.Members",
                "org.iscsi.TCPProtocolEndpoint.BoundBy",
                NULL,
        };
        unsigned n_growing = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++) {
                g_autoptr(xmlDoc) doc = read_interface(interfaces[i]);

                for (xmlNode *m = xml_first(interface_of(doc)); m; m = xml_next(m)) {
                        const char *name = xml_attribute(m, "name");
                        g_autofree char *full = g_strdup_printf("%s.%s", interfaces[i], name);
                        bool grows;

                        if (!xml_is(m, "property"))
                                continue;

                        grows = g_str_equal(xml_annotation(m, EMITS_CHANGED), "invalidates");
                        if (grows != g_strv_contains(growing, full))
                                g_error("%s: invalidates", full);
                        if (grows != (xml_annotation(m, EXPLICIT) != NULL))
                                g_error("%s: explicit", full);
                        n_growing += grows;
                }
        }

        g_assert_cmpuint(n_growing, ==, G_N_ELEMENTS(growing) - 1);
}

/* What is the same on all objects of a kind, or repeats the path, is not on the bus. */
static void test_constants(void) {
        static const char *const constants[] = {
                "ConnectionType",       "CreationClassName",       "DeviceID",   "InstanceID", "NameFormat",
                "OtherTypeDescription", "SystemCreationClassName", "SystemName", "Started",    NULL,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++) {
                g_autoptr(xmlDoc) doc = read_interface(interfaces[i]);

                for (xmlNode *m = xml_first(interface_of(doc)); m; m = xml_next(m))
                        if (g_strv_contains(constants, xml_attribute(m, "name")))
                                g_error("%s has %s", interfaces[i], xml_attribute(m, "name"));
        }
}

#define COMMENT "<!-- a.B: what it is for people. -->"
#define DOCUMENT(members) "<node>" COMMENT "<interface name='a.B'>" members "</interface></node>"
#define PROPERTY(attributes, value)                                                                               \
        DOCUMENT("<!-- P: A property. Source: none. --><property " attributes "><annotation name='" EMITS_CHANGED \
                 "' value='" value "'/></property>")
#define METHOD(argument) DOCUMENT("<!-- M: A method.\n        x: text. Source: none. --><method name='M'>" argument "</method>")

/* A correct small document passes, and each fault in it is found. */
static void test_faults(void) {
        static const struct {
                const char *text, *fault; /* NULL: it has none */
        } cases[] = {
                { PROPERTY("name='P' type='as' access='read'", "true"), NULL },
                { METHOD("<arg name='x' type='a{sv}' direction='in'/>"), NULL },

                { "<tree/>", "the root is a node" },
                { "<node/>", "not one interface" },
                { DOCUMENT(""), "is empty" },
                { "<node><interface name='a.C'><x/></interface></node>", "is not named like its file" },
                { DOCUMENT("<thing name='x'/>"), "does not belong into an interface" },
                { DOCUMENT("<method name='1x'/>"), "not a valid name" },
                { DOCUMENT("<method/>"), "no attribute name" },
                { DOCUMENT("<method name='m'/><method name='m'/>"), "twice" },
                { METHOD("<arg type='s' direction='in'/>"), "no attribute name" },
                { METHOD("<arg name='x' type='s'/>"), "no attribute direction" },
                { METHOD("<arg name='x' type='s' direction='up'/>"), "direction up" },
                { METHOD("<arg name='x' type='ss' direction='in'/>"), "not one complete type" },
                { METHOD("<arg name='x' type='ms' direction='in'/>"), "not one complete type" },
                { METHOD("<arg name='x' type='a{vs}' direction='in'/>"), "not one complete type" },
                { METHOD("<arg name='x-y' type='s' direction='in'/>"), "not a valid name" },
                { METHOD("<arg name='x' type='s' direction='in'/><arg name='x' type='o' direction='in'/>"), "twice" },
                { METHOD("<arg name='x' type='s' direction='in'/><arg name='x' type='s' direction='out'/>"), "explain" },
                { METHOD("<arg name='x' type='s' direction='in' more=''/>"), "unknown attribute more" },
                { METHOD("<x/>"), "does not belong into a method" },
                { PROPERTY("name='P' type='s' access='readwrite'", "true"), "access readwrite" },
                { PROPERTY("name='P' type='s' access='read'", "yes"), "no valid " EMITS_CHANGED },
                { DOCUMENT("<property name='P' type='s' access='read'/>"), "no valid " EMITS_CHANGED },
                { PROPERTY("name='P' type='' access='read'", "true"), "not one complete type" },

                { "<node><interface name='a.B'><method name='M'/></interface></node>", "no comment" },
                { DOCUMENT("<method name='M'/>"), "no comment" },
                { DOCUMENT("<!-- N: Something else. Source: none. --><method name='M'/>"), "not its own" },
                { DOCUMENT("<!-- M: short --><method name='M'/>"), "says nothing" },
                { DOCUMENT("<!-- M: It does something. --><method name='M'/>"), "Source:" },
                { METHOD("<arg name='y' type='s' direction='in'/>"), "does not explain it" },
                { METHOD("<arg name='x' type='s' direction='out'/>"), "does not explain it" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(xmlDoc) doc = xml_read_text(cases[i].text);
                g_autofree char *f = NULL;

                g_assert_nonnull(doc);
                f = check_form(doc, "a.B");
                if (!f)
                        f = check_documentation(doc, true);

                if (!cases[i].fault)
                        g_assert_cmpstr(f, ==, NULL);
                else if (!f || !strstr(f, cases[i].fault))
                        g_error("%s: \"%s\" was expected, and found: %s", cases[i].text, cases[i].fault, f ? f : "nothing");
        }

        g_assert_null(xml_read_text("<node>"));
}

/* The file of the service with one thing changed is found faulty. */
static void test_code_faults(void) {
        static const struct {
                const char *from, *to, *fault;
        } cases[] = {
                { "        4097 InvalidStateTransition:", "        4098 InvalidStateTransition:",
                  "4098 InvalidStateTransition is not" },
                { "        4096 NodeCreationNotSupported:", "        and NodeCreationNotSupported:", "1 of its 2 codes" },
                { "        4098 TCPProtocolEndpointExists:", "        4098 TCPEndpointExists:",
                  "4098 TCPEndpointExists is not a code" },
                { "      5 InvalidParameter:", "      6 InvalidParameter:", "6 InvalidParameter is not a common code" },
                { "      32772 Busy:", "      Busy:", "common codes are explained" },
                { "<method name=\"DeletePortalGroup\">", "<method name=\"RemovePortalGroup\">", "no row has this method" },
                { "<method name=\"CreatePortalGroup\">", "<property name=\"CreatePortalGroup\">", NULL },
        };
        g_autofree char *path = g_strdup_printf("%s/interfaces/%s.xml", g_getenv("SOURCE_ROOT"), SERVICE), *text = NULL;
        g_autoptr(GError) error = NULL;

        g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(GStrv) parts = g_strsplit(text, cases[i].from, -1);
                g_autofree char *changed = NULL, *f = NULL;
                g_autoptr(xmlDoc) doc = NULL;

                g_assert_cmpuint(g_strv_length(parts), ==, 2); /* it stands there once */
                changed = g_strjoinv(cases[i].to, parts);
                doc = xml_read_text(changed);
                if (!cases[i].fault) {
                        g_assert_null(doc);
                        continue;
                }

                g_assert_nonnull(doc);
                f = check_codes(doc);
                if (!f || !strstr(f, cases[i].fault))
                        g_error("\"%s\" was expected, and found: %s", cases[i].fault, f ? f : "nothing");
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        if (!g_getenv("SOURCE_ROOT"))
                g_error("SOURCE_ROOT must be set, as `meson test` does it");

        g_test_add_func("/interfaces/directory", test_directory);
        g_test_add_func("/interfaces/form", test_form);
        g_test_add_func("/interfaces/documentation", test_documentation);
        g_test_add_func("/interfaces/codes", test_codes);
        g_test_add_func("/interfaces/signals", test_signals);
        g_test_add_func("/interfaces/constants", test_constants);
        g_test_add_func("/interfaces/faults", test_faults);
        g_test_add_func("/interfaces/code-faults", test_code_faults);

        return g_test_run();
}
