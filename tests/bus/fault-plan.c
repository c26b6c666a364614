/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fault-plan.h"

#include <string.h>

#include "fault-state.h"

static const struct {
        const char *word;
        PlanAction action;
        PlanPoint point;
} words[] = {
        { "fail", PLAN_FAIL, PLAN_BEFORE },
        { "fail-half", PLAN_FAIL, PLAN_HALF },
        { "unknown-error", PLAN_UNKNOWN_ERROR },
        { "hang", PLAN_HANG, PLAN_BEFORE },
        { "hang-half", PLAN_HANG, PLAN_HALF },
        { "hang-after", PLAN_HANG, PLAN_AFTER },
        { "crash-before", PLAN_CRASH, PLAN_BEFORE },
        { "crash-half", PLAN_CRASH, PLAN_HALF },
        { "crash-after", PLAN_CRASH, PLAN_AFTER },
        { "slow", PLAN_WORK },
        { "lie", PLAN_LIE },
        { "garbage", PLAN_GARBAGE },
};

static gboolean parse_behaviour(char **fields, guint n, Plan *ret) {
        Plan p = {};
        gsize i;

        for (i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_str_equal(fields[0], words[i].word))
                        break;
        if (i == G_N_ELEMENTS(words))
                return FALSE;

        p.action = words[i].action;
        p.point = words[i].point;

        if (p.action == PLAN_FAIL) {
                if (n < 2)
                        return FALSE;
                p.error = g_strdup(fields[1]);
                p.text = g_strjoinv(" ", fields + 2);
        } else if (p.action == PLAN_WORK) {
                if (n != 2 || !g_ascii_string_to_unsigned(fields[1], 10, 0, G_MAXINT, &p.msec, NULL))
                        return FALSE;
        } else if (n != 1)
                return FALSE;

        *ret = p;
        return TRUE;
}

void plan_take(const char *verb, Plan *ret) {
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        *ret = (Plan){};

        if (!g_file_get_contents("plan", &text, NULL, &error)) {
                if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        g_error("%s", error->message);
                return;
        }

        lines = g_strsplit(text, "\n", 0);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, " ", 0);
                guint n = g_strv_length(fields);
                char **field = fields;
                gboolean once;

                if (!**line || **line == '#')
                        continue;

                once = g_str_equal(field[0], "once");
                if (once) {
                        field++;
                        n--;
                }

                if (n < 2)
                        g_error("The plan has a line that cannot be understood: %s", *line);
                if (!g_str_equal(field[0], verb) && !g_str_equal(field[0], "*"))
                        continue;
                if (!parse_behaviour(field + 1, n - 1, ret))
                        g_error("The plan has a line that cannot be understood: %s", *line);

                if (once) {
                        g_autofree char *left = NULL;

                        g_free(*line);
                        memmove(line, line + 1, (g_strv_length(line + 1) + 1) * sizeof(char *));
                        left = g_strjoinv("\n", lines);
                        state_write_file("plan", left);
                }
                return;
        }
}

void plan_done(Plan *p) {
        g_free(p->error);
        g_free(p->text);
}
