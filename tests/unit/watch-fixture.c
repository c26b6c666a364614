/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "watch-fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_changed(const char *node, void *userdata) {
        Fixture *f = userdata;

        g_string_append_printf(f->told, "%s ", node ?: "*");
        f->calls++;
        f->told_at = g_get_monotonic_time();
}

static void on_status(const char *text, void *userdata) {
        Fixture *f = userdata;

        g_assert_cmpstr(text, !=, f->status); /* only differences are told */
        g_free(f->status);
        f->status = g_strdup(text);
        f->said++;
        g_test_message("status: %s", text ?: "-");
}

void watch_set_up(Fixture *f, const void *data) {
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(sd_event_new(&f->event), ==, 0);
        f->base = g_dir_make_tmp("test-watch-XXXXXX", &error);
        g_assert_no_error(error);
        f->told = g_string_new(NULL);
        f->tuning = (ConfigfsWatchTuning){
                .quiet_msec = 15,
                .late_msec = 150,
                .gather_msec = 3,
                .list_msec = 300,
                .stuck_msec = 5000,
        };
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

void watch_tear_down(Fixture *f, const void *data) {
        (void) configfs_watch_free(f->watch);
        sd_event_unref(f->event);
        g_assert_cmpint(nftw(f->base, remove_one, 20, FTW_DEPTH | FTW_PHYS), ==, 0);
        g_free(f->base);
        (void) g_string_free(f->told, TRUE);
        g_free(f->status);
}

void watch_start(Fixture *f, const char *parent) {
        static const ConfigfsWatchCallbacks callbacks = { .changed = on_changed, .status = on_status };
        g_autofree char *fabric = parent ? g_strdup_printf("%s/iscsi", parent) : g_strdup_printf("%s/target/iscsi", f->base);

        g_assert_cmpint(configfs_watch_new_tuned(f->event, fabric, &callbacks, f, &f->tuning, &f->watch), ==, 0);
}

void watch_start_quietly(Fixture *f, const char *parent) {
        watch_start(f, parent);
        expect(f, "*");
}

void watch_run(Fixture *f, unsigned msec) {
        gint64 end = g_get_monotonic_time() + msec * G_GINT64_CONSTANT(1000), now;

        while ((now = g_get_monotonic_time()) < end)
                g_assert_cmpint(sd_event_run(f->event, (uint64_t) (end - now)), >=, 0);
}

void forget_told(Fixture *f) {
        g_string_truncate(f->told, 0);
        f->calls = 0;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The words of TEXT in order and each once, so that texts can be compared. */
static char *sorted(const char *text) {
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        GString *s = g_string_new(NULL);

        qsort(words, g_strv_length(words), sizeof(*words), compare);
        for (char **w = words; *w; w++)
                if (**w && (w == words || strcmp(w[0], w[-1]) != 0))
                        g_string_append_printf(s, "%s%s", s->len > 0 ? " " : "", *w);
        return g_string_free(s, FALSE);
}

void expect(Fixture *f, const char *expected) {
        gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
        g_autofree char *want = sorted(expected), *have = NULL;

        for (;;) {
                have = sorted(f->told->str);
                if (strcmp(have, want) == 0 || g_get_monotonic_time() >= end)
                        break;
                g_clear_pointer(&have, g_free);
                g_assert_cmpint(sd_event_run(f->event, 20000), >=, 0);
        }
        g_assert_cmpstr(have, ==, want);

        watch_run(f, f->tuning.gather_msec + 2 * f->tuning.quiet_msec);
        g_free(have);
        have = sorted(f->told->str);
        g_assert_cmpstr(have, ==, want);
        forget_told(f);
}

void expect_among(Fixture *f, const char *node) {
        g_autofree char *word = g_strdup_printf("%s ", node);

        watch_wait_for(f, strstr(f->told->str, word));
        forget_told(f);
}

void expect_status(Fixture *f, const char *text) {
        watch_wait_for(f, text ? f->status && strstr(f->status, text) : !f->status);
}

char *path_of(Fixture *f, const char *path) {
        g_autofree char *fabric = g_strdup_printf("%s/target/iscsi", f->base);

        return g_canonicalize_filename(path, fabric); /* ".." may be meant before there is a fabric */
}

static void make_directory(const char *path) {
        g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
}

void put(Fixture *f, const char *path, const char *text) {
        g_autofree char *file = path_of(f, path);
        int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t) strlen(text));
        g_assert_cmpint(close(fd), ==, 0);
}

void make(Fixture *f, const char *format, ...) {
        static const char *const in_port[] = { "np", "acls", "lun", "attrib" };
        g_autofree char *path = NULL, *absolute = NULL;
        const char *name;
        va_list ap;

        va_start(ap, format);
        path = g_strdup_vprintf(format, ap);
        va_end(ap);
        absolute = path_of(f, path);
        make_directory(absolute);

        name = strrchr(absolute, '/') + 1;
        if (!strstr(name, "tpgt_"))
                return;
        for (size_t i = 0; i < G_N_ELEMENTS(in_port); i++) {
                g_autofree char *inner = g_strdup_printf("%s/%s", absolute, in_port[i]);

                make_directory(inner);
        }
        for (size_t i = 0; i < 2; i++) {
                g_autofree char *attribute = g_strdup_printf("%s/%s", path, i == 0 ? "enable" : "dynamic_sessions");

                put(f, attribute, "0\n");
        }
}

void drop(Fixture *f, const char *format, ...) {
        g_autofree char *path = NULL, *absolute = NULL;
        va_list ap;

        va_start(ap, format);
        path = g_strdup_vprintf(format, ap);
        va_end(ap);
        absolute = path_of(f, path);
        g_assert_cmpint(nftw(absolute, remove_one, 20, FTW_DEPTH | FTW_PHYS), ==, 0);
}
