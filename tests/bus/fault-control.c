/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fault-control.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_USEC (20 * G_USEC_PER_SEC)

static char *read_file(const char *path) {
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

void fault_plan(Service *s, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        fake_plan(s->fault, text);
}

void fault_watch(Service *s) {
        g_autofree char *fabric = g_build_filename(s->fault, "target", "iscsi", NULL);

        g_assert_cmpint(g_mkdir_with_parents(fabric, 0755), ==, 0);
        service_add_option(s, g_strdup_printf("--configfs=%s/target", s->fault));
}

char *fault_memory(Service *s) {
        return fake_state(s->fault);
}

void fault_make_node(Service *s, const char *node) {
        fake_make_node(s->fault, node);
}

void fault_make_port(Service *s, const char *node, unsigned tag, bool enabled, const char *portals) {
        fake_make_port(s->fault, node, tag, enabled, portals);
}

void fault_remove_port(Service *s, const char *node, unsigned tag) {
        fake_remove_port(s->fault, node, tag);
}

void fault_remove_all(Service *s) {
        fake_remove_all(s->fault);
}

void fault_set_sessions(Service *s, const char *node, unsigned tag, bool sessions) {
        fake_set_sessions(s->fault, node, tag, sessions);
}

char *fault_log(Service *s) {
        return fake_log(s->fault);
}

void fault_log_clear(Service *s) {
        fake_log_clear(s->fault);
}

unsigned fault_log_count(Service *s, const char *word) {
        return fake_log_count(s->fault, word);
}

void fault_wait_call(Service *s, const char *verb) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        while (fault_log_count(s, verb) == 0) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(2000);
        }
}

/* Whether PID has ended and only waits for its parent to notice. */
static bool is_zombie(const char *pid) {
        g_autofree char *path = g_strdup_printf("/proc/%s/stat", pid), *text = read_file(path);
        const char *state = strrchr(text, ')');

        return !state || state[2] == 'Z';
}

static GPtrArray *list_workers(Service *s) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", s->worker_listener, s->worker_listener);
        g_autofree char *text = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) pids = NULL;
        GPtrArray *workers = g_ptr_array_new_with_free_func(g_free);

        g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);
        pids = g_strsplit(text, " ", 0);
        for (char **pid = pids; *pid; pid++)
                if (**pid && !is_zombie(*pid))
                        g_ptr_array_add(workers, g_strdup(*pid));
        return workers;
}

void fault_wait_workers_gone(Service *s) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        for (;;) {
                g_autoptr(GPtrArray) workers = list_workers(s);

                if (workers->len == 0)
                        return;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(2000);
        }
}

unsigned fault_kill_workers(Service *s) {
        g_autoptr(GPtrArray) workers = list_workers(s);

        for (guint i = 0; i < workers->len; i++)
                (void) kill(atoi(workers->pdata[i]), SIGKILL);
        return workers->len;
}

static void make_socket_without_listener(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd;

        g_assert_cmpuint(g_strlcpy(address.sun_path, path, sizeof(address.sun_path)), <, sizeof(address.sun_path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        (void) close(fd);
        g_assert_cmpint(chmod(path, 0666), ==, 0);
}

void fault_set_socket(Service *s, FaultSocket how) {
        g_autofree char *socket_path = g_build_filename(s->directory, "worker.socket", NULL);
        g_autofree char *aside = g_build_filename(s->directory, "worker.socket.aside", NULL);

        if (g_file_test(aside, G_FILE_TEST_EXISTS))
                g_assert_cmpint(g_rename(aside, socket_path), ==, 0);
        if (how == FAULT_SOCKET_SERVED)
                return;

        g_assert_cmpint(g_rename(socket_path, aside), ==, 0);
        if (how == FAULT_SOCKET_REFUSED)
                make_socket_without_listener(socket_path);

        (void) fault_kill_workers(s);
        fault_wait_workers_gone(s);
}
