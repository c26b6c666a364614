/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* service/common: texts, hashes and arrays that grow. */

#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* An allocator that can fail. */
static bool memory_is_out;

static void *test_reallocarray(void *p, size_t n, size_t size) {
        return memory_is_out ? NULL : reallocarray(p, n, size);
}

#define reallocarray test_reallocarray
#include "common/array.h"
#undef reallocarray

#include "common/hash.h"
#include "common/macro.h"
#include "common/text.h"

static void test_controls(void) {
        static const struct {
                const char *text, *masked;
        } rows[] = {
                { "", "" },
                { "plain text, ä and 😀", "plain text, ä and 😀" },
                { "a\nb", "a?b" },
                { "\x01\x1f", "??" },
                { "end\x7f", "end?" },
                { "\xc2\x80 \xc2\x9f", "?? ??" }, /* U+0080, U+009F */
                { "\xc2\xa0", "\xc2\xa0" },       /* U+00A0, the first one behind them */
                { "cut \xc2", "cut \xc2" },       /* the text ends within a character */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autofree char *copy = g_strdup(rows[i].text);

                g_assert_cmpint(text_has_controls(rows[i].text), ==, strcmp(rows[i].text, rows[i].masked) != 0);
                text_mask_controls(copy, '?');
                g_assert_cmpstr(copy, ==, rows[i].masked);
                g_assert_false(text_has_controls(copy));
        }
}

static void test_unprintable(void) {
        char text[] = "a b~\n\x7f\xc3\xa4";

        text_mask_unprintable(text);
        g_assert_cmpstr(text, ==, "a b~????");
}

static void test_utf8(void) {
        static const char *const good[] = { "", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf" },
                                 *const bad[] = { "\xff", "a\x80",        "\xc0\xaf",        "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                                  "\xc3", "\xe0\x80\xaf", "\xf0\x80\x80\xaf" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                g_assert_true(text_is_utf8(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                g_assert_false(text_is_utf8(bad[i]));
}

static void test_excerpt(void) {
        static const struct {
                const char *text;
                size_t max;
                int length;
        } rows[] = {
                { "", 0, 0 },    { "abc", 3, 3 }, { "abc", 2, 2 }, { "abc", 0, 0 }, { "aäb", 2, 1 },
                { "aäb", 3, 3 }, { "😀😀", 7, 4 },  { "😀😀", 8, 8 },  { "😀", 3, 0 },   { "\x80\x80", 1, 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                g_assert_cmpint(text_excerpt(rows[i].text, rows[i].max), ==, rows[i].length);
}

/* The published vectors of FNV-1a. What is made from them is seen by clients and shared with other workers, so it must never
 * change. */
static void test_hash(void) {
        g_assert_cmphex(hash_text(""), ==, UINT64_C(0xcbf29ce484222325));
        g_assert_cmphex(hash_text("a"), ==, UINT64_C(0xaf63dc4c8601ec8c));
        g_assert_cmphex(hash_text("foobar"), ==, UINT64_C(0x85944171f73967e8));
}

static void test_array(void) {
        _cleanup_free_ unsigned *items = NULL;

        for (unsigned n = 0; n < 1000; n++) {
                g_assert_cmpint(array_grow(&items, n, sizeof(*items)), ==, 0);
                items[n] = n;
        }
        for (unsigned n = 0; n < 1000; n++)
                g_assert_cmpuint(items[n], ==, n);

        memory_is_out = true;
        g_assert_cmpint(array_grow(&items, 1000, sizeof(*items)), ==, 0); /* there is room */
        g_assert_cmpint(array_grow(&items, 1024, sizeof(*items)), ==, -ENOMEM);
        memory_is_out = false;
        g_assert_cmpuint(items[999], ==, 999);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/text/controls", test_controls);
        g_test_add_func("/text/unprintable", test_unprintable);
        g_test_add_func("/text/utf8", test_utf8);
        g_test_add_func("/text/excerpt", test_excerpt);
        g_test_add_func("/text/hash", test_hash);
        g_test_add_func("/text/array", test_array);
        return g_test_run();
}
