/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "flush-control.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define WAIT_USEC (20 * G_USEC_PER_SEC)

static char *control_file(Service *s, const char *name) {
        return g_build_filename(s->directory, "flush", name, NULL);
}

static void write_control(Service *s, const char *name, const char *text) {
        g_autofree char *path = control_file(s, name);
        g_autoptr(GError) error = NULL;

        g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666, &error);
        g_assert_no_error(error);
        g_assert_cmpint(chmod(path, 0666), ==, 0);
}

void flush_control(Service *s) {
        g_autofree char *directory = control_file(s, NULL), *library = g_build_filename(s->directory, "slow-flush.so", NULL);
        const char *options = g_getenv("ASAN_OPTIONS");
        g_autoptr(GStrvBuilder) wrapper = g_strv_builder_new();
        g_autofree char *preload = g_strconcat("LD_PRELOAD=", library, NULL);
        g_autofree char *where = g_strconcat("SLOW_FLUSH=", directory, NULL);
        g_autofree char *asan = g_strconcat("ASAN_OPTIONS=", options ? options : "", ":verify_asan_link_order=0", NULL);

        /* A copy, because the service's user may not be able to look into the build directory. */
        run_command("install", "-m", "0755", g_getenv("SLOW_FLUSH_LIBRARY"), library, NULL);
        g_assert_cmpint(g_mkdir(directory, 0755), ==, 0);
        write_control(s, "flushed", "");
        write_control(s, "msec", "0");

        g_strv_builder_add_many(wrapper, "env", preload, where, asan, NULL);
        s->wrapper = g_strv_builder_end(wrapper);
}

void flush_set_msec(Service *s, unsigned msec) {
        g_autofree char *text = g_strdup_printf("%u", msec);

        write_control(s, "msec", text);
}

unsigned flush_count(Service *s) {
        g_autofree char *path = control_file(s, "flushed"), *text = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;
        unsigned n = 0;

        g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);
        lines = g_strsplit(text, "\n", 0);
        for (char **line = lines; *line; line++)
                n += g_str_has_suffix(*line, "/ports.db-wal");
        return n;
}

void flush_forget(Service *s) {
        write_control(s, "flushed", "");
}

void flush_wait(Service *s, unsigned n) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        while (flush_count(s) < n) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(1000);
        }
}
