/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* docs/return-codes.md says what common/refusal.c and the rows of the methods say. */

#include <glib.h>
#include <string.h>

#include "change/method.h"
#include "common/refusal.h"

static char *printed;

/* The committed file is the program's output, byte for byte. */
static void test_file(void) {
        g_autofree char *path = g_build_filename(g_getenv("SOURCE_ROOT"), "docs", "return-codes.md", NULL);
        g_autofree char *committed = NULL;
        g_autoptr(GError) error = NULL;

        if (!g_file_get_contents(path, &committed, NULL, &error))
                g_test_message("%s", error->message);

        if (g_strcmp0(committed, printed) != 0)
                g_test_message("docs/return-codes.md is not what the tables say. To renew it: "
                               "build/tests/unit/print-return-codes > docs/return-codes.md");

        g_assert_true(g_strcmp0(committed, printed) == 0);
}

/* The text of the section with this heading, up to the next one of any level. */
static char *section(const char *heading) {
        g_autofree char *line = g_strdup_printf("\n%s\n", heading);
        const char *begin, *end;

        begin = strstr(printed, line);
        g_assert_nonnull(begin);
        begin += strlen(line);
        g_assert_null(strstr(begin, line)); /* there is one */

        end = strstr(begin, "\n#");
        return end ? g_strndup(begin, (size_t) (end - begin)) : g_strdup(begin);
}

static unsigned count_rows(const char *text) {
        unsigned n = 0;

        for (const char *p = text; (p = strstr(p, "\n| ")); p++)
                n++;

        return n - MIN(n, 2u); /* without the header and the line below it */
}

static void assert_row(const char *text, uint32_t code, Refusal r, const char *meaning) {
        g_autofree char *begin = g_strdup_printf("\n| %u | `%s` | E", code, refusal_error_name(r) + strlen(ERROR_NAME_PREFIX));
        g_autofree char *end = g_strdup_printf(" | %s |", meaning);
        const char *row;

        row = strstr(text, begin);
        g_assert_nonnull(row);
        g_assert_nonnull(strstr(row, end));
}

/* Each method has its section, and in it one row for each of its codes. */
static void test_methods(void) {
        unsigned n_rows = 0;

        for (const Method *const *m = methods; *m; m++) {
                g_autofree char *heading = g_strdup_printf("### %s", (*m)->name), *text = section(heading);
                const MethodCode *codes = (*m)->codes;
                size_t n = (*m)->n_codes;

                for (size_t i = 0; i < n; i++)
                        assert_row(text, codes[i].code, codes[i].refusal, codes[i].when);

                g_assert_cmpuint(count_rows(text), ==, n);
                n_rows += (unsigned) n;
        }

        g_assert_cmpuint(n_rows, >, 40);
}

/* Each refusal with a code that is the same in all methods stands in one of the two common tables. */
static void test_common(void) {
        g_autofree char *cim = section("### CIM's own"), *vendor = section("### Vendor codes");
        unsigned n = 0;

        for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++) {
                uint32_t code = refusal_common_code(r);

                if (code == 0)
                        continue;
                assert_row(code < 4096 ? cim : vendor, code, r, refusal_meaning(r));
                n++;
        }

        g_assert_cmpuint(count_rows(cim), ==, 5);
        g_assert_cmpuint(count_rows(cim) + count_rows(vendor), ==, n);
}

/* A text that could break a table does not occur. */
static void test_cells(void) {
        g_auto(GStrv) lines = g_strsplit(printed, "\n", -1);
        unsigned n = 0;

        for (char **l = lines; *l; l++) {
                unsigned bars = 0;

                if ((*l)[0] != '|')
                        continue;
                for (const char *p = *l; *p; p++)
                        bars += *p == '|';
                g_assert_cmpuint(bars, ==, 5);
                g_assert_null(strstr(*l, "(null)"));
                n++;
        }

        g_assert_cmpuint(n, >, 40);
}

int main(int argc, char *argv[]) {
        const char *program[] = { g_getenv("PRINT_RETURN_CODES"), NULL };
        g_autoptr(GError) error = NULL;
        int status, r;

        g_test_init(&argc, &argv, NULL);

        if (!program[0] || !g_getenv("SOURCE_ROOT"))
                g_error("SOURCE_ROOT and PRINT_RETURN_CODES must be set, as `meson test` does it");
        if (!g_spawn_sync(NULL, (char **) program, NULL, G_SPAWN_DEFAULT, NULL, NULL, &printed, NULL, &status, &error) ||
            !g_spawn_check_wait_status(status, &error))
                g_error("%s: %s", program[0], error->message);

        g_test_add_func("/return-codes/file", test_file);
        g_test_add_func("/return-codes/methods", test_methods);
        g_test_add_func("/return-codes/common", test_common);
        g_test_add_func("/return-codes/cells", test_cells);

        r = g_test_run();
        g_free(printed);
        return r;
}
