/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "session-watch-fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

const char *text_of(const HostSession *s, SessionKey key) {
        const char *text = session_text(&s->reading.info, key);

        return text ? text : "";
}

static void on_changed(const HostSession *s, void *userdata) {
        Fixture *f = userdata;

        f->n_changed++;
        g_string_append_printf(f->told, "*%u %s %s\n", s->number, text_of(s, SESSION_STATE),
                               text_of(s, SESSION_INTERFACE_RECORD));
}

static void on_removed(uint32_t number, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->told, "-%u\n", number);
}

static void on_status(bool complete, const char *text, void *userdata) {
        g_string_append_printf(((Fixture *) userdata)->told, "%scomplete %s\n", complete ? "" : "in", text ? text : "");
}

static const SessionWatchCallbacks callbacks = { on_changed, on_removed, on_status };

/* As if the kernel had nothing to say. */
int silent_events(void) {
        int fds[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
        return fds[0]; /* the other end stays open until the process ends: an end would be readable */
}

void start(Fixture *f) {
        g_assert_cmpint(session_watch_new_tuned(f->event, f->tree->path, &callbacks, f, &f->tuning, &f->watch), ==, 0);
}

void fixture_set_up(Fixture *f, gconstpointer data) {
        f->tree = sysfs_tree_new();
        g_assert_cmpint(sd_event_new(&f->event), ==, 0);
        f->told = g_string_new("");
        f->tuning = (SessionWatchTuning){
                .first_wait_usec = 10000,
                .last_wait_usec = 50000,
                .poll_usec = 50000,
                .sessions_max = 4096,
                .open_events = silent_events,
        };
}

void fixture_tear_down(Fixture *f, gconstpointer data) {
        g_assert_null(session_watch_free(f->watch));
        g_assert_null(sd_event_unref(f->event));
        sysfs_tree_free(f->tree);
        g_string_free(f->told, TRUE);
}

void await(Fixture *f, const char *line) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
        g_autofree char *wanted = g_strconcat(line, "\n", NULL);
        const char *found;

        while (!(found = strstr(f->told->str, wanted))) {
                if (g_get_monotonic_time() > end)
                        g_error("not told: %s, but\n%s", line, f->told->str);
                g_assert_cmpint(sd_event_run(f->event, 20000), >=, 0);
        }
        g_string_erase(f->told, 0, found - f->told->str + (gssize) strlen(wanted));
}

void run_for(Fixture *f, gint64 usec) {
        for (gint64 end = g_get_monotonic_time() + usec; g_get_monotonic_time() < end;)
                g_assert_cmpint(sd_event_run(f->event, 10000), >=, 0);
}

const HostSession *session(Fixture *f, unsigned number) {
        for (const HostSession *s = session_watch_first(f->watch); s; s = s->hh.next)
                if (s->number == number)
                        return s;

        g_error("there is no session %u", number);
}

void assert_text(Fixture *f, unsigned number, SessionKey key, const char *expected) {
        g_assert_cmpstr(text_of(session(f, number), key), ==, expected);
}
