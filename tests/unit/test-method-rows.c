/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The rows of the methods against the interface file, the policy file and what polkit is really asked. */

#include <string.h>

#include "bus/methods.h"
#include "change/details.h"
#include "intent-fixture.h"
#include "xml-file.h"

#define SERVICE "org.iscsi.ConfigurationService"

static xmlDoc *read_interface(void) {
        g_autofree char *path = g_strdup_printf("%s/interfaces/" SERVICE ".xml", g_getenv("SOURCE_ROOT"));

        return xml_read_file(path);
}

/* The N-th method of the file. */
static xmlNode *nth_method(xmlDoc *doc, size_t n) {
        for (xmlNode *e = xml_first(xml_child(xmlDocGetRootElement(doc), "interface")); e; e = xml_next(e))
                if (xml_is(e, "method") && n-- == 0)
                        return e;

        return NULL;
}

/* The arguments of E in that direction are those of SPECS, in their order. */
static void check_arguments(const xmlNode *e, const char *direction, const ArgumentSpec *specs) {
        const ArgumentSpec *s = specs;

        for (xmlNode *a = xml_first(e); a; a = xml_next(a)) {
                if (!xml_is(a, "arg") || g_strcmp0(xml_attribute(a, "direction"), direction) != 0)
                        continue;
                g_assert_true(s && s->name);
                g_assert_cmpstr(xml_attribute(a, "name"), ==, s->name);
                g_assert_cmpstr(xml_attribute(a, "type"), ==, s->type);
                s++;
        }
        g_assert_true(!s || !s->name);
}

/* Each key that an a{sv} may have is explained as "<key> (<type>): ", and the file explains no other. */
static void check_options(const xmlNode *e, const ArgumentSpec *options) {
        g_autoptr(GRegex) regex = g_regex_new("\n +([A-Z][A-Za-z]+) \\(([a-z]+)\\): ", 0, 0, NULL);
        g_autoptr(GMatchInfo) info = NULL;
        size_t n = 0;

        g_regex_match(regex, xml_comment_before(e), 0, &info);
        for (; g_match_info_matches(info); g_match_info_next(info, NULL), n++) {
                g_autofree char *name = g_match_info_fetch(info, 1), *type = g_match_info_fetch(info, 2);

                g_assert_cmpuint(n, <, argument_specs_count(options));
                g_assert_cmpstr(name, ==, options[n].name);
                g_assert_cmpstr(type, ==, options[n].type);
        }
        g_assert_cmpuint(n, ==, argument_specs_count(options));
}

static const ArgumentSpec *options_of(const ArgumentSpec *in) {
        for (const ArgumentSpec *a = in; a->name; a++)
                if (g_str_equal(a->type, "a{sv}"))
                        return a->members;

        return NULL;
}

/* Row by row in the order of the file: names, types, options. */
static void test_arguments(void) {
        g_autoptr(xmlDoc) doc = read_interface();
        size_t n = 0;

        for (const Method *const *m = methods; *m; m++, n++) {
                const xmlNode *e = nth_method(doc, n);

                g_test_message("%s", (*m)->name);
                g_assert_nonnull(e);
                g_assert_cmpstr(xml_attribute(e, "name"), ==, (*m)->name);
                check_arguments(e, "in", (*m)->in);
                check_arguments(e, "out", (*m)->out);
                check_options(e, options_of((*m)->in));
        }
        for (const ReadMethod *m = read_methods; m->name; m++, n++) {
                const xmlNode *e = nth_method(doc, n);

                g_assert_nonnull(e);
                g_assert_cmpstr(xml_attribute(e, "name"), ==, m->name);
                check_arguments(e, "in", m->in);
                check_arguments(e, "out", m->out);
                g_assert_nonnull(m->handler);
        }
        g_assert_null(nth_method(doc, n));
}

/* A row is fit to be read by the one reader: its types are those that it knows, members are there where they belong. */
static void check_spec(const ArgumentSpec *a, bool nested) {
        static const char *const types[] = { "s", "o", "q", "b", "as", "ao", "aq", "a{sv}", NULL };
        bool items = g_str_has_prefix(a->type, "a("), options = g_str_equal(a->type, "a{sv}");
        g_autoptr(GString) fields = g_string_new("a(");

        g_assert_true(items || g_strv_contains(types, a->type));
        g_assert_cmpint(a->members != NULL, ==, items || options);
        g_assert_false(nested && a->members);
        g_assert_cmpint(a->max > 0, <=, a->type[0] == 'a');
        for (const ArgumentSpec *m = a->members; m && m->name; m++) {
                check_spec(m, true);
                g_string_append(fields, m->type);
        }
        g_string_append_c(fields, ')');
        if (items)
                g_assert_cmpstr(fields->str, ==, a->type);
}

static void test_rows(void) {
        for (const Method *const *m = methods; *m; m++) {
                unsigned n_options = 0;

                g_test_message("%s", (*m)->name);
                g_assert_nonnull((*m)->plan);
                g_assert_nonnull((*m)->action);
                g_assert_true(g_str_has_prefix((*m)->action, SERVICE "."));
                g_assert_cmpuint(argument_specs_count((*m)->in), >, 0);
                for (const ArgumentSpec *a = (*m)->in; a->name; a++) {
                        check_spec(a, false);
                        n_options += g_str_equal(a->type, "a{sv}");
                        if (g_str_equal(a->type, "a{sv}"))
                                g_assert_cmpstr(a->name, ==, "Options"); /* intent_option() counts on it */
                }
                g_assert_cmpuint(n_options, <=, 1);
        }
}

/* The words between "with" and the end of the sentence, without what is in brackets: "node role". */
static char *documented_details(const char *text) {
        g_autoptr(GRegex) brackets = g_regex_new("\\([^)]*\\)", 0, 0, NULL);
        g_autoptr(GRegex) separators = g_regex_new("(,|\\band\\b|\\s)+", 0, 0, NULL);
        g_autofree char *sentence = g_strndup(text, strcspn(text, ".")), *bare = NULL, *words = NULL;

        bare = g_regex_replace_literal(brackets, sentence, -1, 0, "", 0, NULL);
        words = g_regex_replace_literal(separators, bare, -1, 0, " ", 0, NULL);
        return g_strdup(g_strstrip(words));
}

/* "Action: <the row's action> with <the details that polkit is given, but method, in their order>." */
static void check_action(const xmlNode *e, const Method *m) {
        g_auto(GStrv) parts = g_strsplit(xml_comment_before(e), "\n      Action: ", -1);
        g_autofree char *begin = g_strconcat(m->action, " with ", NULL), *documented = NULL;
        g_autoptr(Intent) i = read_intent(m, sample_arguments(m));
        g_autoptr(GString) real = g_string_new("");
        char **details = NULL;

        g_assert_cmpuint(g_strv_length(parts), ==, 2);
        g_assert_true(g_str_has_prefix(parts[1], begin));
        documented = documented_details(parts[1] + strlen(begin));

        g_assert_cmpint(details_new(i, &details), ==, 0);
        g_assert_cmpstr(details[0], ==, "method");
        g_assert_cmpstr(details[1], ==, m->name);
        for (char **d = details + 2; *d; d += 2)
                g_string_append_printf(real, "%s%s", real->len ? " " : "", d[0]);
        g_assert_cmpstr(real->str, ==, documented);
        details_free(details);
}

static void test_actions(void) {
        g_autoptr(xmlDoc) doc = read_interface();
        size_t n = 0;

        for (const Method *const *m = methods; *m; m++, n++)
                check_action(nth_method(doc, n), *m);
        for (const ReadMethod *m = read_methods; m->name; m++, n++)
                g_assert_nonnull(strstr(xml_comment_before(nth_method(doc, n)), "\n      Action: none. "));
}

static int handle(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return 0;
}

/* The vtable that is made from the rows: its names are what "in" and "out" say, each with its NUL. */
static void check_entry(const sd_bus_vtable *v, const char *name, const ArgumentSpec *in, const ArgumentSpec *out) {
        const ArgumentSpec *const specs[] = { in, out };
        const char *const signatures[] = { v->x.method.signature, v->x.method.result };
        const char *names = v->x.method.names;

        g_assert_cmpstr(v->x.method.member, ==, name);
        g_assert_true(v->flags & SD_BUS_VTABLE_UNPRIVILEGED);
        g_assert_true(v->x.method.handler == handle);
        for (size_t i = 0; i < G_N_ELEMENTS(specs); i++) {
                g_autoptr(GString) types = g_string_new("");

                for (const ArgumentSpec *s = specs[i]; s && s->name; s++) {
                        g_assert_cmpstr(names, ==, s->name);
                        names += strlen(names) + 1;
                        g_string_append(types, s->type);
                }
                g_assert_cmpstr(signatures[i], ==, types->str);
        }
        g_assert_cmpstr(names, ==, "");
}

static void test_table(void) {
        MethodTable t;
        size_t n = 0;

        g_assert_cmpint(method_table_new(handle, &t), ==, 0);
        for (const Method *const *m = methods; *m; m++)
                check_entry(t.entries + n++, (*m)->name, (*m)->in, (*m)->out);
        for (const ReadMethod *m = read_methods; m->name; m++)
                check_entry(t.entries + n++, m->name, m->in, m->out);
        g_assert_cmpuint(t.n, ==, n);
        method_table_done(&t);
        g_assert_null(t.entries);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        if (!g_getenv("SOURCE_ROOT"))
                g_error("SOURCE_ROOT must be set, as `meson test` does it");

        g_test_add_func("/method-rows/arguments", test_arguments);
        g_test_add_func("/method-rows/rows", test_rows);
        g_test_add_func("/method-rows/actions", test_actions);
        g_test_add_func("/method-rows/table", test_table);

        return g_test_run();
}
