/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Values as JSON text, and what has no JSON form. */

#include <errno.h>
#include <glib.h>

#include "exchange/json.h"

/* A value as a line of steps: "a:s" opens an array of text, "/" closes, "s:text", "q:5", "b:1" and so on write. */
static int write_steps(ValueWriter *w, const char *steps) {
        g_auto(GStrv) list = g_strsplit(steps, " ", 0);
        int r = 0;

        for (char **s = list; *s && r >= 0; s++) {
                const char *argument = *s + 2;
                uint64_t n = g_ascii_strtoull(argument, NULL, 10);

                switch (**s) {
                case '/':
                        r = value_close(w);
                        break;
                case 'a':
                case 'e':
                case 'r':
                case 'v':
                        r = value_open(w, **s, argument);
                        break;
                case 's':
                        r = value_text(w, argument);
                        break;
                case 'o':
                        r = value_path(w, argument);
                        break;
                case 'b':
                        r = value_bool(w, n);
                        break;
                case 'y':
                        r = value_uint8(w, (uint8_t) n);
                        break;
                case 'q':
                        r = value_uint16(w, (uint16_t) n);
                        break;
                case 'u':
                        r = value_uint32(w, (uint32_t) n);
                        break;
                case 't':
                        r = value_uint64(w, n);
                        break;
                default: /* a type that no helper writes */
                        r = w->sink->basic(w, **s, &n);
                        break;
                }
        }

        return r;
}

static void test_values(void) {
        static const struct {
                const char *steps, *compact, *indented;
        } cases[] = {
                { "s:", "\"\"", "\"\"\n" },
                { "s:iqn.a", "\"iqn.a\"", "\"iqn.a\"\n" },
                { "o:/a/b", "\"/a/b\"", "\"/a/b\"\n" },
                { "b:1", "true", "true\n" },
                { "b:0", "false", "false\n" },
                { "y:255", "255", "255\n" },
                { "q:65535", "65535", "65535\n" },
                { "u:4294967295", "4294967295", "4294967295\n" },
                { "t:18446744073709551615", "18446744073709551615", "18446744073709551615\n" },
                { "a:s /", "[]", "[]\n" },
                { "a:s s:a s:b /", "[\"a\",\"b\"]", "[\n  \"a\",\n  \"b\"\n]\n" },
                { "a:{sv} /", "{}", "{}\n" },
                { "a:{sv} e:sv s:k v:q q:1 / / /", "{\"k\":1}", "{\n  \"k\": 1\n}\n" },
                { "a:{sv} e:sv s:k v:as a:s s:a / / / e:sv s:l v:b b:1 / / /", "{\"k\":[\"a\"],\"l\":true}",
                  "{\n  \"k\": [\n    \"a\"\n  ],\n  \"l\": true\n}\n" },
                { "a:{qs} e:qs q:7 s:x / /", "{\"7\":\"x\"}", "{\n  \"7\": \"x\"\n}\n" },
                { "a:{bs} e:bs b:0 s:x / /", "{\"false\":\"x\"}", "{\n  \"false\": \"x\"\n}\n" },
                { "a:(sq) r:sq s:a q:1 / r:sq s:b q:2 / /", "[[\"a\",1],[\"b\",2]]",
                  "[\n  [\n    \"a\",\n    1\n  ],\n  [\n    \"b\",\n    2\n  ]\n]\n" },
                { "v:v v:s s:deep / /", "\"deep\"", "\"deep\"\n" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
                for (JsonStyle style = JSON_COMPACT; style <= JSON_INDENTED; style++) {
                        _cleanup_(json_writer_freep) JsonWriter *j = NULL;
                        _cleanup_free_ char *text = NULL;

                        g_assert_cmpint(json_writer_new(style, &j), ==, 0);
                        g_assert_cmpint(write_steps(json_writer_value(j), cases[i].steps), ==, 0);
                        g_assert_cmpint(json_writer_finish(j, &text), ==, 0);
                        g_assert_cmpstr(text, ==, style == JSON_COMPACT ? cases[i].compact : cases[i].indented);
                }
}

static void test_texts(void) {
        static const struct {
                const char *text, *json; /* NULL: not UTF-8 */
        } cases[] = {
                { "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
                { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
                { "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
                { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
                { "\xef\xbf\xbf\xf4\x8f\xbf\xbf", "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"" },
                { "\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\"" },

                { "\x80", NULL },
                { "a\xff", NULL },
                { "\xc3", NULL },             /* cut off */
                { "\xe2\x82", NULL },         /* the same */
                { "\xf0\x9f\x98", NULL },     /* the same */
                { "\xc0\x80", NULL },         /* longer than need be */
                { "\xc1\xbf", NULL },         /* the same */
                { "\xe0\x9f\xbf", NULL },     /* the same */
                { "\xf0\x8f\xbf\xbf", NULL }, /* the same */
                { "\xed\xa0\x80", NULL },     /* a surrogate */
                { "\xf4\x90\x80\x80", NULL }, /* beyond Unicode */
                { "\xe2\x28\xa1", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                _cleanup_(json_writer_freep) JsonWriter *j = NULL;
                _cleanup_free_ char *text = NULL;

                g_assert_cmpint(g_utf8_validate(cases[i].text, -1, NULL), ==, cases[i].json != NULL);
                g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
                if (!cases[i].json) {
                        g_assert_cmpint(value_text(json_writer_value(j), cases[i].text), ==, -EILSEQ);
                        continue;
                }
                g_assert_cmpint(value_text(json_writer_value(j), cases[i].text), ==, 0);
                g_assert_cmpint(json_writer_finish(j, &text), ==, 0);
                g_assert_cmpstr(text, ==, cases[i].json);
        }
}

static void test_helpers(void) {
        static const char *const texts[] = { "a", "b" };
        static const uint16_t numbers[] = { 2, 3 };
        _cleanup_(json_writer_freep) JsonWriter *j = NULL;
        _cleanup_free_ char *text = NULL;
        ValueWriter *w;

        g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
        w = json_writer_value(j);
        g_assert_cmpint(value_open(w, 'r', "asasaqaqasasaoao"), ==, 0);
        g_assert_cmpint(value_texts(w, texts, 2), ==, 0);
        g_assert_cmpint(value_texts(w, NULL, 0), ==, 0);
        g_assert_cmpint(value_uint16s(w, numbers, 2), ==, 0);
        g_assert_cmpint(value_uint16s(w, NULL, 0), ==, 0);
        g_assert_cmpint(value_optional_text(w, "x"), ==, 0);
        g_assert_cmpint(value_optional_text(w, NULL), ==, 0);
        g_assert_cmpint(value_optional_path(w, "/x"), ==, 0);
        g_assert_cmpint(value_optional_path(w, NULL), ==, 0);
        g_assert_cmpint(value_close(w), ==, 0);
        g_assert_cmpint(json_writer_finish(j, &text), ==, 0);
        g_assert_cmpstr(text, ==, "[[\"a\",\"b\"],[],[2,3],[],[\"x\"],[],[\"/x\"],[]]");
}

/* What cannot be written, and documents that are not complete. */
static void test_refused(void) {
        static const struct {
                const char *steps;
                int error;  /* of the steps */
                int finish; /* of the end if the steps went well */
        } cases[] = {
                { "s:a s:b", -EINVAL, 0 },                 /* two documents */
                { "/", -EINVAL, 0 },                       /* nothing is open */
                { "a:s / /", -EINVAL, 0 },                 /* the same */
                { "v:s /", -EINVAL, 0 },                   /* a variant without a value */
                { "v:s s:a s:b", -EINVAL, 0 },             /* with two */
                { "a:{sv} s:a", -EINVAL, 0 },              /* no entry */
                { "a:{sv} v:s", -EINVAL, 0 },              /* the same */
                { "a:s e:sv", -EINVAL, 0 },                /* an entry outside a dictionary */
                { "e:sv", -EINVAL, 0 },                    /* the same */
                { "a:{sv} e:sv /", -EINVAL, 0 },           /* an entry without anything */
                { "a:{sv} e:sv s:k /", -EINVAL, 0 },       /* without a value */
                { "a:{sv} e:sv s:k s:v s:w", -EINVAL, 0 }, /* with two */
                { "a:{vs} e:vs v:s", -EINVAL, 0 },         /* a container for a key */
                { "d:1", -EINVAL, 0 },                     /* a type without a form here */
                { "h:1", -EINVAL, 0 },                     /* the same */
                { "a:s", 0, -EINVAL },                     /* not closed */
                { "a:{sv} e:sv s:k", 0, -EINVAL },         /* the same */
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                _cleanup_(json_writer_freep) JsonWriter *j = NULL;
                char *text = NULL;

                g_test_message("%s", cases[i].steps);
                g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
                g_assert_cmpint(write_steps(json_writer_value(j), cases[i].steps), ==, cases[i].error);
                if (cases[i].finish < 0)
                        g_assert_cmpint(json_writer_finish(j, &text), ==, cases[i].finish);
        }
        {
                _cleanup_(json_writer_freep) JsonWriter *j = NULL;
                char *text = NULL;

                g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
                g_assert_cmpint(json_writer_finish(j, &text), ==, -EINVAL); /* nothing was written */
                g_assert_cmpint(value_open(json_writer_value(j), 'x', ""), ==, -EINVAL);
                g_assert_cmpint(value_open(json_writer_value(j), '\0', ""), ==, -EINVAL);
        }
}

static void test_deep(void) {
        _cleanup_(json_writer_freep) JsonWriter *j = NULL;
        unsigned n = 0;
        int r;

        g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
        while ((r = value_open(json_writer_value(j), 'a', "as")) == 0)
                g_assert_cmpuint(++n, <, 100);
        g_assert_cmpint(r, ==, -E2BIG);
        g_assert_cmpuint(n, >=, 30);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/json/values", test_values);
        g_test_add_func("/json/texts", test_texts);
        g_test_add_func("/json/helpers", test_helpers);
        g_test_add_func("/json/refused", test_refused);
        g_test_add_func("/json/deep", test_deep);
        return g_test_run();
}
