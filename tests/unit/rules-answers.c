/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules-answers.h"

#include <string.h>

/* "<method> <refusal>" of each answer. */
static GHashTable *seen;

static void mark_seen(const Method *m, Refusal refusal) {
        if (!seen)
                seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_add(seen, g_strdup_printf("%s %d", m->name, refusal));
}

static bool was_seen(const Method *m, Refusal refusal) {
        g_autofree char *key = g_strdup_printf("%s %d", m->name, refusal);

        return seen && g_hash_table_contains(seen, key);
}

/* A sentence, or two with a semicolon between, to which " (4098)" can be added. */
static bool is_fit_for_people(const char *s) {
        size_t n = strlen(s);

        return n > 20 && n <= REFUSAL_TEXT_MAX && g_utf8_validate(s, -1, NULL) && !strpbrk(s, "\n\r\t") && !strstr(s, "  ") &&
               !strstr(s, "(null)") && g_regex_match_simple("^([A-Z]|[\"/])", s, 0, 0) &&
               !g_regex_match_simple("(\\([0-9]+\\)|[ .,;:!?])$", s, 0, 0) && g_regex_match_simple("[^ ]+ [^ ]+ [^ ]+", s, 0, 0);
}

void answer_refused(const char *where, const Method *m, Refusal expected, const char *names, int answer, char *why) {
        g_auto(GStrv) parts = g_strsplit(names, "|", -1);
        _cleanup_free_ char *sentence = why;

        if (answer != (int) expected)
                g_test_message("%s: %d: %s", where, answer, why);
        g_assert_cmpint(answer, ==, expected);
        g_assert_cmpuint(method_code(m, expected), !=, 2); /* Unspecified Error: what cannot happen */
        g_assert_nonnull(sentence);

        for (char **p = parts; *p; p++)
                if (!strstr(sentence, *p) || !is_fit_for_people(sentence)) {
                        g_test_message("%s: \"%s\" in: %s", where, *p, sentence);
                        g_test_fail();
                }

        g_assert_nonnull(refusal_error_name(expected));
        mark_seen(m, expected);
}

void answer_allowed(const char *where, int answer, char *why) {
        if (answer != 0)
                g_test_message("%s: %d: %s", where, answer, why);
        g_assert_cmpint(answer, ==, 0);
        g_assert_null(why);
}

static void assert_seen(const Method *m, Refusal refusal) {
        if (!was_seen(m, refusal))
                g_test_message("%s was never answered with %s", m->name, refusal_error_name(refusal));
        g_assert_true(was_seen(m, refusal));
}

void assert_covered(const Method *m, Refusal except, const Refusal *also) {
        for (size_t i = 0; i < m->n_codes; i++)
                if (m->codes[i].refusal != except)
                        assert_seen(m, m->codes[i].refusal);
        for (; *also != REFUSAL_NONE; also++)
                assert_seen(m, *also);
}
