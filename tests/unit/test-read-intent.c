/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Messages read as intents: every type, and every way in which an argument can be wrong. */

#include <errno.h>
#include <string.h>

#include "bus/read-intent.h"
#include "intent-fixture.h"

/* A method with every type that a row may have. */
static const ArgumentSpec options[] = {
        { "Text", "s" },
        { "Path", "o" },
        { "Flag", "b" },
        { "Number", "q" },
        { "Numbers", "aq", .max = 2 },
        { "Texts", "as" },
        {},
};
static const ArgumentSpec fields[] = { { "Name", "s" }, { "Value", "q" }, { "Paths", "ao", .max = 2 }, {} };
static const ArgumentSpec in[] = {
        { "S", "s" },
        { "O", "o" },
        { "Q", "q" },
        { "B", "b" },
        { "AS", "as", .max = 3 },
        { "AO", "ao" },
        { "AQ", "aq", .max = 4 },
        { "Items", "a(sqao)", .members = fields, .max = 3 },
        { "Options", "a{sv}", .members = options },
        {},
};
static const Method everything = { .name = "Everything", .in = in };

static const ArgumentSpec plain_options[] = { {} };
static const ArgumentSpec plain_in[] = { { "Options", "a{sv}", .members = plain_options }, {} };
static const Method plain = { .name = "Plain", .in = plain_in };

static const ArgumentSpec one_option[] = { { "Name", "s" }, {} };
static const ArgumentSpec one_in[] = { { "Options", "a{sv}", .members = one_option }, {} };
static const Method one = { .name = "One", .in = one_in };

#define GOOD "'text', '/path', 7, true, ['a', ''], ['/b', '/'], [1, 65535]"

static void test_types(void) {
        g_autoptr(Intent) i =
                read_intent(&everything, "(" GOOD ", [('x', 1, ['/p', '/q']), ('', 65535, [])], "
                                         "{'Numbers': <[uint16 2, 3]>, 'Flag': <false>, 'Text': <'t'>, 'Texts': <['u']>})");
        const Argument *a;

        g_assert_true(i->method == &everything);
        g_assert_cmpstr(intent_text(i, "S"), ==, "text");
        g_assert_cmpstr(intent_text(i, "O"), ==, "/path");
        g_assert_cmpuint(intent_number(i, "Q"), ==, 7);
        g_assert_cmpuint(intent_number(i, "B"), ==, 1);
        a = intent_argument(i, "AS");
        g_assert_true(a->n == 2 && g_str_equal(a->texts[0], "a") && g_str_equal(a->texts[1], ""));
        a = intent_argument(i, "AO");
        g_assert_true(a->n == 2 && g_str_equal(a->texts[0], "/b") && g_str_equal(a->texts[1], "/"));
        a = intent_argument(i, "AQ");
        g_assert_true(a->n == 2 && a->numbers[0] == 1 && a->numbers[1] == 65535);

        a = intent_argument(i, "Items");
        g_assert_cmpuint(a->n, ==, 2);
        g_assert_cmpstr(argument_field(a, 0, "Name")->text, ==, "x");
        g_assert_cmpuint(argument_field(a, 0, "Value")->number, ==, 1);
        g_assert_cmpuint(argument_field(a, 0, "Paths")->n, ==, 2);
        g_assert_cmpstr(argument_field(a, 0, "Paths")->texts[1], ==, "/q");
        g_assert_cmpstr(argument_field(a, 1, "Name")->text, ==, "");
        g_assert_cmpuint(argument_field(a, 1, "Value")->number, ==, 65535);
        g_assert_cmpuint(argument_field(a, 1, "Paths")->n, ==, 0);

        g_assert_cmpstr(intent_option(i, "Text")->text, ==, "t");
        g_assert_null(intent_option(i, "Path"));
        g_assert_cmpuint(intent_option(i, "Flag")->number, ==, 0);
        g_assert_null(intent_option(i, "Number"));
        g_assert_cmpuint(intent_option(i, "Numbers")->n, ==, 2);
        g_assert_cmpuint(intent_option(i, "Numbers")->numbers[1], ==, 3);
        g_assert_cmpstr(intent_option(i, "Texts")->texts[0], ==, "u");
}

/* Nothing is shared: an empty call is all empty. */
static void test_empty(void) {
        g_autoptr(Intent) i = read_intent(&everything, "('', '/', 0, false, [], [], [], [], {})");

        g_assert_cmpstr(intent_text(i, "S"), ==, "");
        g_assert_cmpuint(intent_argument(i, "AS")->n, ==, 0);
        g_assert_cmpuint(intent_argument(i, "Items")->n, ==, 0);
        for (const ArgumentSpec *s = options; s->name; s++)
                g_assert_null(intent_option(i, s->name));
}

static int count(const Argument *a, void *userdata) {
        g_string_append_printf(userdata, "%s ", a->spec->name);
        return g_str_equal(a->spec->name, "Stop") ? -ECANCELED : 0;
}

static void test_walk(void) {
        g_autoptr(Intent) i = read_intent(&everything, "(" GOOD ", [('x', 1, []), ('', 2, [])], {'Flag': <false>})");
        g_autoptr(GString) seen = g_string_new("");

        g_assert_cmpint(intent_walk(i, count, seen), ==, 0);
        g_assert_cmpstr(seen->str, ==, "S O Q B AS AO AQ Name Value Paths Name Value Paths Text Path Flag Number Numbers Texts ");
}

typedef struct WrongCase {
        const Method *method;
        const char *arguments;
        Refusal refusal;
        const char *names;
} WrongCase;

static const WrongCase wrong[] = {
        /* too many */
        { &everything, "('', '/', 0, false, ['1', '2', '3', '4'], [], [], [], {})", REFUSAL_LIMIT_REACHED,
          "Argument AS|3 entries" },
        { &everything, "('', '/', 0, false, [], [], [1, 2, 3, 4, 5], [], {})", REFUSAL_INVALID_PARAMETER,
          "Argument AQ|5 entries|4" },
        { &everything, "('', '/', 0, false, [], [], [], [('', 0, []), ('', 0, []), ('', 0, []), ('', 0, [])], {})",
          REFUSAL_LIMIT_REACHED, "Argument Items|3 entries" },
        { &everything, "('', '/', 0, false, [], [], [], [('', 0, []), ('', 0, ['/', '/', '/'])], {})", REFUSAL_LIMIT_REACHED,
          "Argument Paths|2 entries" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Numbers': <[uint16 1, 2, 3]>})", REFUSAL_INVALID_PARAMETER,
          "Option Numbers|3 entries|2" },

        /* options */
        { &everything, "('', '/', 0, false, [], [], [], [], {'Flag': <true>, 'Flag': <true>})", REFUSAL_INVALID_PARAMETER,
          "Option Flag is given twice" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Colour': <true>})", REFUSAL_INVALID_PARAMETER,
          "Option \"Colour\"|Everything, which takes Text, Path, Flag, Number, Numbers and Texts" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'': <true>})", REFUSAL_INVALID_PARAMETER, "Option \"\"|Text" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'text': <'x'>})", REFUSAL_INVALID_PARAMETER,
          "Option \"text\"|Text" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Text\\n\\u001b': <'x'>})", REFUSAL_INVALID_PARAMETER,
          "Option \"Text??\"" },
        { &plain, "({'Name': <'x'>},)", REFUSAL_INVALID_PARAMETER, "Option \"Name\"|Plain, which takes no options" },
        { &one, "({'Roles': <'x'>},)", REFUSAL_INVALID_PARAMETER, "Option \"Roles\"|One, which takes Name" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Flag': <'true'>})", REFUSAL_INVALID_PARAMETER,
          "Option Flag has the type s, it must be b" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Text': <objectpath '/x'>})", REFUSAL_INVALID_PARAMETER,
          "Option Text has the type o, it must be s" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Number': <uint32 1>})", REFUSAL_INVALID_PARAMETER,
          "Option Number has the type u, it must be q" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Numbers': <uint16 1>})", REFUSAL_INVALID_PARAMETER,
          "Option Numbers has the type q, it must be aq" },
        { &everything, "('', '/', 0, false, [], [], [], [], {'Text': <<'x'>>})", REFUSAL_INVALID_PARAMETER,
          "Option Text has the type v, it must be s" },
        { &everything,
          "('', '/', 0, false, [], [], [], [], {'Text': <((((((((((('x', 1), 1), 1), 1), 1), 1), 1), 1), 1), 1), 1)>})",
          REFUSAL_INVALID_PARAMETER, "Option Text has the type (((|, it must be s" },
};

static void check_refused(const WrongCase *c, int answer, const Intent *i, char *why) {
        g_auto(GStrv) parts = g_strsplit(c->names, "|", -1);

        g_assert_cmpint(answer, ==, c->refusal);
        g_assert_null(i);
        for (char **p = parts; *p; p++)
                if (!strstr(why, *p))
                        g_error("\"%s\" is not in: %s", *p, why);
        free(why);
}

static void test_wrong(void) {
        for (size_t k = 0; k < G_N_ELEMENTS(wrong); k++) {
                char *why = NULL;
                Intent *i = NULL;
                int r;

                g_test_message("%s%s", wrong[k].method->name, wrong[k].arguments);
                r = try_read_intent(wrong[k].method, wrong[k].arguments, &i, &why);
                check_refused(wrong + k, r, i, why);
        }
}

/* A text of so many bytes wherever one can stand: at the limit it is taken, beyond it is refused by its name. */
static void test_length(void) {
        static const struct {
                const char *format, *names;
        } places[] = {
                { "('%s', '/', 0, false, [], [], [], [], {})", "Argument S " },
                { "('', '/%s', 0, false, [], [], [], [], {})", "Argument O " },
                { "('', '/', 0, false, ['x', '%s'], [], [], [], {})", "Argument AS " },
                { "('', '/', 0, false, [], ['/x', '/%s'], [], [], {})", "Argument AO " },
                { "('', '/', 0, false, [], [], [], [('', 0, []), ('%s', 0, [])], {})", "Argument Name " },
                { "('', '/', 0, false, [], [], [], [('', 0, ['/%s'])], {})", "Argument Paths " },
                { "('', '/', 0, false, [], [], [], [], {'Text': <'%s'>})", "Option Text " },
                { "('', '/', 0, false, [], [], [], [], {'Path': <objectpath '/%s'>})", "Option Path " },
                { "('', '/', 0, false, [], [], [], [], {'Texts': <['', '%s']>})", "Option Texts " },
        };

        for (size_t k = 0; k < G_N_ELEMENTS(places); k++) {
                bool path = strstr(places[k].format, "/%s") != NULL;
                size_t max = ARGUMENT_LENGTH_MAX - path;

                for (size_t n = max; n <= max + 1; n++) {
                        g_autofree char *text = g_strnfill(n, 'a');
                        g_auto(GStrv) parts = g_strsplit(places[k].format, "%s", 2);
                        g_autofree char *arguments = g_strjoin(text, parts[0], parts[1], NULL);
                        char *why = NULL;
                        Intent *i = NULL;
                        int r;

                        r = try_read_intent(&everything, arguments, &i, &why);
                        if (n == max) {
                                g_assert_cmpint(r, ==, 0);
                                intent_free(i);
                                continue;
                        }
                        g_assert_cmpint(r, ==, REFUSAL_INVALID_PARAMETER);
                        g_assert_nonnull(strstr(why, places[k].names));
                        g_assert_nonnull(strstr(why, "2049"));
                        g_assert_null(strstr(why, text));
                        free(why);
                }
        }
}

/* Exactly as many as a row allows; 64 if it says nothing. */
static void test_most(void) {
        for (unsigned n = 64; n <= 65; n++) {
                g_autoptr(GString) arguments = g_string_new("('', '/', 0, false, [], [");
                char *why = NULL;
                Intent *i = NULL;
                int r;

                for (unsigned k = 0; k < n; k++)
                        g_string_append(arguments, k ? ", '/'" : "'/'");
                g_string_append(arguments, "], [1, 2, 3, 4], [('', 0, ['/', '/']), ('', 0, []), ('', 0, [])], "
                                           "{'Numbers': <[uint16 1, 2]>})");
                r = try_read_intent(&everything, arguments->str, &i, &why);
                if (n == 64) {
                        g_assert_cmpint(r, ==, 0);
                        g_assert_cmpuint(intent_argument(i, "AO")->n, ==, 64);
                        intent_free(i);
                        continue;
                }
                g_assert_cmpint(r, ==, REFUSAL_LIMIT_REACHED);
                g_assert_nonnull(strstr(why, "Argument AO"));
                free(why);
        }
}

/* VALUE: what the variant holds, as GVariant's text. */
static int try_variant(const Method *m, const char *value, Intent **ret, char **ret_why) {
        g_autofree char *text = g_strdup_printf("(<%s>,)", value);
        sd_bus_message *message = message_from_text("(v)", text);
        int r;

        r = intent_read_variant(message, m, ret, ret_why);
        sd_bus_message_unref(message);
        return r;
}

static void test_variant(void) {
        static const WrongCase cases[] = {
                { &method_delete_port, "'/x'", REFUSAL_INVALID_PARAMETER,
                  "Arguments holds s|DeleteiSCSIProtocolEndpoint, which is (o)" },
                { &method_delete_port, "('/x',)", REFUSAL_INVALID_PARAMETER, "Arguments holds (s)|(o)" },
                { &method_delete_port, "(objectpath '/x', 1)", REFUSAL_INVALID_PARAMETER, "Arguments holds (oi)|(o)" },
                { &method_delete_port, "objectpath '/x'", REFUSAL_INVALID_PARAMETER, "Arguments holds o|(o)" },
                { &method_delete_port, "[objectpath '/x']", REFUSAL_INVALID_PARAMETER, "Arguments holds ao|(o)" },
                { &method_create_port, "(objectpath '/x', uint16 3, '')", REFUSAL_INVALID_PARAMETER,
                  "Arguments holds (oqs)|(oqsao)" },
                { &method_create_node, "('a', {'Colour': <1>})", REFUSAL_INVALID_PARAMETER, "Option \"Colour\"|CreateiSCSINode" },
                { &method_create_node, "('a', {'Name': <1>})", REFUSAL_INVALID_PARAMETER, "Option Name has the type i" },
        };
        char *why = NULL;
        Intent *i = NULL;

        for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
                int r;

                g_test_message("%s", cases[k].arguments);
                why = NULL;
                r = try_variant(cases[k].method, cases[k].arguments, &i, &why);
                check_refused(cases + k, r, i, why);
        }

        why = NULL;
        g_assert_cmpint(try_variant(&method_create_node, "('a', {'Name': <'n'>})", &i, &why), ==, 0);
        g_assert_cmpstr(intent_text(i, "Alias"), ==, "a");
        g_assert_cmpstr(intent_option(i, "Name")->text, ==, "n");
        i = intent_free(i);
        g_assert_cmpint(
                try_variant(&method_create_ports, "([(objectpath '/n', uint16 3, '', [objectpath '/t'])], @a{sv} {})", &i, &why),
                ==, 0);
        g_assert_cmpuint(intent_argument(i, "iSCSIProtocolEndpoints")->n, ==, 1);
        i = intent_free(i);
}

/* Every row's sample is read as it stands, as a call and within a variant. */
static void test_rows(void) {
        for (const Method *const *m = methods; *m; m++) {
                g_autofree char *type = method_signature(*m);
                GVariant *value;
                g_autoptr(GError) error = NULL;
                sd_bus_message *message;
                char *why = NULL;
                Intent *i;

                value = g_variant_parse(G_VARIANT_TYPE(type), sample_arguments(*m), NULL, NULL, &error);
                g_assert_no_error(error);
                i = read_intent(*m, sample_arguments(*m));
                i = intent_free(i);

                message = message_of(g_variant_new("(v)", value));
                g_assert_cmpint(intent_read_variant(message, *m, &i, &why), ==, 0);
                g_assert_true(i->method == *m);
                i = intent_free(i);
                sd_bus_message_unref(message);
                g_variant_unref(value);
        }
        g_assert_null(intent_free(NULL));
}

/* Memory of an intent is aligned for anything, zeroed, and its own. */
static void test_memory(void) {
        g_autoptr(Intent) i = intent_new(&plain);
        char text[] = "text", *copy;

        for (size_t n = 0; n < 100; n++) {
                char *p = intent_alloc(i, n);

                g_assert_nonnull(p);
                g_assert_cmpuint((uintptr_t) p % _Alignof(max_align_t), ==, 0);
                for (size_t k = 0; k < n; k++)
                        g_assert_cmpint(p[k], ==, 0);
        }
        copy = intent_strdup(i, text);
        text[0] = 'T';
        g_assert_cmpstr(copy, ==, "text");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/read-intent/types", test_types);
        g_test_add_func("/read-intent/empty", test_empty);
        g_test_add_func("/read-intent/walk", test_walk);
        g_test_add_func("/read-intent/wrong", test_wrong);
        g_test_add_func("/read-intent/length", test_length);
        g_test_add_func("/read-intent/most", test_most);
        g_test_add_func("/read-intent/variant", test_variant);
        g_test_add_func("/read-intent/rows", test_rows);
        g_test_add_func("/read-intent/memory", test_memory);
        return g_test_run();
}
