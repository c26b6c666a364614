/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "polkit-rules.h"

#include <glib/gstdio.h>
#include <string.h>

#define MARK "QUESTION "

/* A question with the detail "generation" is the test's own: whether these rules are in force. All others are written to the
 * log. */
static const char template[] =
        "polkit.addRule(function (action, subject) {\n"
        "  var prefix = \"org.iscsi.ConfigurationService.\", text, i;\n"
        "  var names = [\"method\", \"node\", \"role\", \"identifier\", \"portals\", \"group\", \"count\"];\n"
        "  if (action.id.indexOf(prefix) !== 0)\n"
        "    return polkit.Result.NOT_HANDLED;\n"
        "  if (action.lookup(\"generation\") !== undefined)\n"
        "    return action.lookup(\"generation\") === \"%u\" ? polkit.Result.YES : polkit.Result.NO;\n"
        "  text = \"" MARK "\" + subject.user + \" \" + action.id.substring(prefix.length);\n"
        "  for (i = 0; i < names.length; i++)\n"
        "    if (action.lookup(names[i]) !== undefined)\n"
        "      text += \" \" + names[i] + \"=\" + action.lookup(names[i]);\n"
        "  polkit.log(text);\n"
        "  %s\n"
        "  return polkit.Result.NOT_HANDLED;\n"
        "});\n";

/* With one step, so that polkitd never reads half of it. */
void rules_add_file(const char *name, const char *text) {
        g_autofree char *path = g_build_filename(g_getenv("POLKIT_RULES_DIR"), name, NULL);
        g_autoptr(GError) error = NULL;

        g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &error);
        g_assert_no_error(error);
}

void rules_remove_file(const char *name) {
        g_autofree char *path = g_build_filename(g_getenv("POLKIT_RULES_DIR"), name, NULL);

        g_assert_cmpint(g_unlink(path), ==, 0);
}

static bool is_in_force(sd_bus *root, const char *subject, const char *generation) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        int granted, challenge;

        if (sd_bus_call_method(root, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                               "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization", &e, &reply, "(sa{sv})sa{ss}us",
                               "system-bus-name", 1, "name", "s", subject, "org.iscsi.ConfigurationService.create-node", 1,
                               "generation", generation, 0, "") < 0)
                g_error("CheckAuthorization: %s", e.message);
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'r', "bba{ss}"), >, 0);
        g_assert_cmpint(sd_bus_message_read(reply, "bb", &granted, &challenge), >, 0);
        sd_bus_message_unref(reply);
        return granted;
}

void rules_set(const char *body) {
        static unsigned generation;
        g_autofree char *text = g_strdup_printf(template, ++generation, body);
        g_autofree char *wanted = g_strdup_printf("%u", generation);
        sd_bus *root = connect_as("root"), *other = connect_as("mallory"); /* polkit has its own answer about root */
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
        const char *subject;

        g_assert_cmpint(sd_bus_get_unique_name(other, &subject), >=, 0);
        rules_add_file("10-test.rules", text);
        while (!is_in_force(root, subject, wanted)) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(2000);
        }

        sd_bus_flush_close_unref(other);
        sd_bus_flush_close_unref(root);
}

char *rules_take_questions(void) {
        static gsize taken;
        g_autofree char *path = g_build_filename(g_getenv("SURROUNDINGS_DIR"), "polkitd.log", NULL), *text = NULL;
        g_autoptr(GString) questions = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;
        gsize length;

        g_file_get_contents(path, &text, &length, &error);
        g_assert_no_error(error);
        lines = g_strsplit(text + taken, "\n", 0);
        taken = length;

        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, MARK))
                        g_string_append_printf(questions, "%s\n", *line + strlen(MARK));
        return g_string_free(g_steal_pointer(&questions), FALSE);
}
