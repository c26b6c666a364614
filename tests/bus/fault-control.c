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

static void write_file(const char *path, const char *text) {
        g_autoptr(GError) error = NULL;

        g_file_set_contents(path, text, -1, &error);
        g_assert_no_error(error);
}

static char *read_file(const char *path) {
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

void fault_plan(Service *s, const char *format, ...) {
        g_autofree char *path = g_build_filename(s->fault, "plan", NULL), *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        write_file(path, text);
}

static int compare_names(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int compare_numbers(gconstpointer a, gconstpointer b) {
        return atoi(*(char *const *) a) - atoi(*(char *const *) b);
}

static GPtrArray *list_directory(const char *path, GCompareFunc compare) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        const char *name;

        while (dir && (name = g_dir_read_name(dir)))
                g_ptr_array_add(names, g_strdup(name));
        g_ptr_array_sort(names, compare);
        return names;
}

static void append_port(GString *text, const char *node, const char *tag, const char *directory) {
        g_autofree char *enabled_path = g_build_filename(directory, "enabled", NULL);
        g_autofree char *portals_path = g_build_filename(directory, "portals", NULL);
        g_autofree char *enabled = read_file(enabled_path), *portals = read_file(portals_path);
        g_auto(GStrv) lines = g_strsplit(portals, "\n", 0);

        qsort(lines, g_strv_length(lines), sizeof(char *), compare_names);
        g_string_append_printf(text, "%s %s %s", node, tag, enabled[0] == '1' ? "enabled" : "disabled");
        for (char **line = lines; *line; line++)
                if (**line)
                        g_string_append_printf(text, " %s", *line);
        g_string_append_c(text, '\n');
}

char *fault_memory(Service *s) {
        g_autofree char *path = g_build_filename(s->fault, "nodes", NULL);
        g_autoptr(GPtrArray) nodes = list_directory(path, compare_names);
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < nodes->len; i++) {
                g_autofree char *node = g_build_filename(path, nodes->pdata[i], NULL);
                g_autoptr(GPtrArray) tags = list_directory(node, compare_numbers);

                g_string_append_printf(text, "%s\n", (char *) nodes->pdata[i]);
                for (guint k = 0; k < tags->len; k++) {
                        g_autofree char *port = g_build_filename(node, tags->pdata[k], NULL);

                        append_port(text, nodes->pdata[i], tags->pdata[k], port);
                }
        }

        return g_string_free(text, FALSE);
}

static char *port_file(Service *s, const char *node, unsigned tag, const char *file) {
        char text[16];

        g_snprintf(text, sizeof(text), "%u", tag);
        return g_build_filename(s->fault, "nodes", node, text, file, NULL);
}

void fault_make_node(Service *s, const char *node) {
        g_autofree char *path = g_build_filename(s->fault, "nodes", node, NULL);

        g_assert_cmpint(g_mkdir_with_parents(path, 0700), ==, 0);
}

void fault_make_port(Service *s, const char *node, unsigned tag, bool enabled, const char *portals) {
        g_autofree char *directory = port_file(s, node, tag, NULL), *portals_path = port_file(s, node, tag, "portals");
        g_autofree char *enabled_path = port_file(s, node, tag, "enabled");

        g_assert_cmpint(g_mkdir_with_parents(directory, 0700), ==, 0);
        write_file(portals_path, portals);
        write_file(enabled_path, enabled ? "1\n" : "0\n");
}

void fault_remove_port(Service *s, const char *node, unsigned tag) {
        g_autofree char *directory = port_file(s, node, tag, NULL);

        run_command("rm", "-r", directory, NULL);
}

void fault_remove_all(Service *s) {
        g_autofree char *path = g_build_filename(s->fault, "nodes", NULL);

        run_command("rm", "-rf", path, NULL);
}

void fault_set_sessions(Service *s, const char *node, unsigned tag, bool sessions) {
        g_autofree char *path = port_file(s, node, tag, "sessions");

        write_file(path, sessions ? "1\n" : "0\n");
}

char *fault_log(Service *s) {
        g_autofree char *path = g_build_filename(s->fault, "log", NULL);

        return read_file(path);
}

void fault_log_clear(Service *s) {
        g_autofree char *path = g_build_filename(s->fault, "log", NULL);

        (void) g_unlink(path);
}

unsigned fault_log_count(Service *s, const char *verb) {
        g_autofree char *log = fault_log(s), *prefix = g_strconcat(verb, " ", NULL);
        g_auto(GStrv) lines = g_strsplit(log, "\n", 0);
        unsigned n = 0;

        for (char **line = lines; *line; line++)
                n += g_str_equal(*line, verb) || g_str_has_prefix(*line, prefix);
        return n;
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
