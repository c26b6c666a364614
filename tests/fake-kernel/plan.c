/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "plan.h"

#include <string.h>

#include "common/refusal.h"

/* Calls that "*" does not fit: it fits what is done in them. */
static const char *const calls[] = { "Apply", "Check", "Describe" };

static const struct {
        const char *word;
        PlanAction action;
        PlanPoint point;
        char takes; /* nothing, 'n' a number, 'e' an error name and perhaps a text, 't' a text */
} words[] = {
        { "fail", PLAN_FAIL, PLAN_BEFORE, 'e' },
        { "fail-half", PLAN_FAIL, PLAN_HALF, 'e' },
        { "unknown-error", PLAN_FAIL, PLAN_BEFORE },
        { "hang", PLAN_HANG, PLAN_BEFORE },
        { "hang-half", PLAN_HANG, PLAN_HALF },
        { "hang-after", PLAN_HANG, PLAN_AFTER },
        { "hang-forever", PLAN_HANG_FOREVER },
        { "crash-before", PLAN_CRASH, PLAN_BEFORE },
        { "crash-half", PLAN_CRASH, PLAN_HALF },
        { "crash-after", PLAN_CRASH, PLAN_AFTER },
        { "slow", PLAN_WORK, PLAN_BEFORE, 'n' },
        { "wait", PLAN_WAIT },
        { "lie", PLAN_LIE },
        { "garbage", PLAN_GARBAGE },
        { "noise", PLAN_NOISE },
        { "exit", PLAN_EXIT },
        { "answer", PLAN_ANSWER, PLAN_BEFORE, 't' },
        { "many", PLAN_MANY, PLAN_BEFORE, 'n' },
        { "many-portals", PLAN_MANY_PORTALS, PLAN_BEFORE, 'n' },
};

static char *error_name(const char *name) {
        return strchr(name, '.') ? g_strdup(name) : g_strconcat(ERROR_NAME_PREFIX, name, NULL);
}

static char *join(char **fields) {
        g_autofree char *text = g_strjoinv(" ", fields);

        return g_strcompress(text);
}

static gboolean parse_behaviour(char **fields, guint n, Plan *ret) {
        gsize i;

        for (i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_str_equal(fields[0], words[i].word))
                        break;
        if (i == G_N_ELEMENTS(words))
                return FALSE;

        *ret = (Plan){ .action = words[i].action, .point = words[i].point };
        switch (words[i].takes) {
        case 'n':
                return n == 2 && g_ascii_string_to_unsigned(fields[1], 10, 0, G_MAXINT, &ret->number, NULL);
        case 'e':
                if (n < 2)
                        return FALSE;
                ret->error = error_name(fields[1]);
                ret->text = join(fields + 2);
                return TRUE;
        case 't':
                if (n < 2)
                        return FALSE;
                ret->text = join(fields + 1);
                return TRUE;
        default:
                if (ret->action == PLAN_FAIL) {
                        ret->error = g_strdup("org.example.Error.Unheard");
                        ret->text = g_strdup("What nobody has heard of");
                }
                return n == 1;
        }
}

/* A line: "[after N] [once] WORD BEHAVIOUR …". */
typedef struct Line {
        guint64 after;
        gboolean once;
        const char *word;
        Plan plan;
} Line;

static void parse_line(const char *line, char **fields, Line *ret) {
        guint n = g_strv_length(fields);
        char **field = fields;
        gboolean good = TRUE;

        *ret = (Line){};
        if (n > 1 && g_str_equal(field[0], "after")) {
                good = g_ascii_string_to_unsigned(field[1], 10, 0, G_MAXINT, &ret->after, NULL);
                field += 2;
                n -= 2;
        }
        if (n > 0 && g_str_equal(field[0], "once")) {
                ret->once = TRUE;
                field++;
                n--;
        }
        if (!good || n < 2 || !parse_behaviour(field + 1, n - 1, &ret->plan))
                g_error("The plan has a line that cannot be understood: %s", line);
        ret->word = field[0];
}

static gboolean line_fits(const Line *l, const char *word) {
        if (!g_str_equal(l->word, "*"))
                return g_str_equal(l->word, word);

        for (gsize i = 0; i < G_N_ELEMENTS(calls); i++)
                if (g_str_equal(word, calls[i]))
                        return FALSE;
        return TRUE;
}

static void write_lines(const char *path, char **lines) {
        g_autofree char *text = g_strjoinv("\n", lines);
        g_autoptr(GError) error = NULL;

        if (!g_file_set_contents(path, text, -1, &error))
                g_error("%s", error->message);
}

static void remove_line(char **line) {
        g_free(*line);
        memmove(line, line + 1, (g_strv_length(line + 1) + 1) * sizeof(char *));
}

static void count_down(char **line, char **fields, guint64 after) {
        g_free(*line);
        g_free(fields[1]);
        fields[1] = g_strdup_printf("%" G_GUINT64_FORMAT, after - 1);
        *line = g_strjoinv(" ", fields);
}

void plan_take(const char *root, const char *word, Plan *ret) {
        g_autofree char *path = g_build_filename(root, "plan", NULL), *text = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        *ret = (Plan){};

        if (!g_file_get_contents(path, &text, NULL, &error)) {
                if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        g_error("%s", error->message);
                return;
        }

        lines = g_strsplit(text, "\n", 0);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = NULL;
                Line l;

                if (!**line || **line == '#')
                        continue;
                fields = g_strsplit(*line, " ", 0);
                parse_line(*line, fields, &l);
                if (!line_fits(&l, word)) {
                        plan_done(&l.plan);
                        continue;
                }

                if (l.after > 0) {
                        count_down(line, fields, l.after);
                        plan_done(&l.plan);
                } else {
                        *ret = l.plan;
                        if (l.once)
                                remove_line(line);
                }
                if (l.after > 0 || l.once)
                        write_lines(path, lines);
                return;
        }
}

void plan_done(Plan *p) {
        g_free(p->error);
        g_free(p->text);
        *p = (Plan){};
}
