/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_USEC (60 * G_USEC_PER_SEC)

static void chown_to(const char *path, const char *user) {
        const struct passwd *pw = getpwnam(user);

        g_assert_nonnull(pw);
        g_assert_cmpint(chown(path, pw->pw_uid, pw->pw_gid), ==, 0);
}

Service *service_new(const char *option, ...) {
        g_autoptr(GPtrArray) options = g_ptr_array_new();
        Service *s = g_new0(Service, 1);
        const char *surroundings = g_getenv("SURROUNDINGS_DIR");
        va_list ap;

        g_assert_nonnull(surroundings); /* this test runs inside tests/harness/surroundings */
        s->directory = g_strdup_printf("%s/service.XXXXXX", surroundings);
        g_assert_nonnull(g_mkdtemp_full(s->directory, 0755));
        s->state = g_build_filename(s->directory, "state", NULL);
        s->log = g_build_filename(s->directory, "log", NULL);
        s->worker_log = g_build_filename(s->directory, "worker.log", NULL);
        g_assert_cmpint(g_mkdir(s->state, 0700), ==, 0);
        chown_to(s->state, "iscsi-config");

        va_start(ap, option);
        for (const char *o = option; o; o = va_arg(ap, const char *))
                g_ptr_array_add(options, g_strdup(o));
        va_end(ap);
        g_ptr_array_add(options, NULL);
        s->options = (char **) g_ptr_array_steal(options, NULL);

        return s;
}

void service_add_option(Service *s, char *option) {
        guint n = g_strv_length(s->options);

        s->options = g_renew(char *, s->options, n + 2);
        s->options[n] = option;
        s->options[n + 1] = NULL;
}

static void redirect_output(gpointer log) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        if (fd >= 0) {
                (void) dup2(fd, STDOUT_FILENO);
                (void) dup2(fd, STDERR_FILENO);
        }
        (void) chdir("/");
        (void) umask(0077);
}

/* The socket's file is there before somebody listens on it. */
static void wait_until_listening(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        bool listening = false;

        g_assert_cmpuint(g_strlcpy(a.sun_path, path, sizeof(a.sun_path)), <, sizeof(a.sun_path));
        for (int i = 0; i < 1000 && !listening; i++) {
                int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

                g_assert_cmpint(fd, >=, 0);
                listening = connect(fd, (struct sockaddr *) &a, sizeof(a)) >= 0;
                (void) close(fd);
                if (!listening)
                        g_usleep(10000);
        }
        g_assert_true(listening);
}

/* Returns the socket at which COMMAND is run for each connection. */
static char *start_listener(Service *s, const char *name, const char *const *command, const char *setenv, GPid *ret) {
        g_autofree char *socket = g_strdup_printf("%s/%s.socket", s->directory, name);
        const char *listener[] = { "systemd-socket-activate", "--accept", "--listen", socket };
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        g_autoptr(GError) error = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(listener); i++)
                g_ptr_array_add(argv, (char *) listener[i]);
        if (setenv) {
                g_ptr_array_add(argv, (char *) "--setenv");
                g_ptr_array_add(argv, (char *) setenv);
        }
        for (const char *const *c = command; *c; c++)
                g_ptr_array_add(argv, (char *) *c);
        g_ptr_array_add(argv, NULL);

        g_spawn_async(NULL, (char **) argv->pdata, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, redirect_output,
                      s->worker_log, ret, &error);
        g_assert_no_error(error);
        wait_until_listening(socket);
        chown_to(socket, "iscsi-config");
        return g_steal_pointer(&socket);
}

void service_use_worker(Service *s, const char *const *command, const char *setenv) {
        g_autofree char *socket = start_listener(s, "worker", command, setenv, &s->worker_listener);
        bool watched = false;

        for (char **o = s->options; *o && !watched; o++)
                watched = g_str_has_prefix(*o, "--configfs=");
        if (!watched)
                service_add_option(s, g_strdup("--configfs=")); /* there is none beside this worker */
        service_add_option(s, g_strdup("--target-backend=lio"));
        service_add_option(s, g_strconcat("--lio-socket=", socket, NULL));
}

void service_use_open_iscsi(Service *s, const char *const *command) {
        g_autofree char *socket = start_listener(s, "open-iscsi", command, NULL, &s->initiator_listener);

        service_add_option(s, g_strdup("--initiator-backend=open-iscsi"));
        service_add_option(s, g_strconcat("--open-iscsi-socket=", socket, NULL));
}

void service_use_fault_backend(Service *s) {
        const char *command[] = { g_getenv("FAKE_KERNEL_WORKER"), NULL };
        g_autofree char *state = NULL;

        g_assert_nonnull(command[0]);
        s->fault = g_build_filename(s->directory, "kernel", NULL);
        g_assert_cmpint(g_mkdir(s->fault, 0755), ==, 0);
        state = g_strconcat("FAKE_KERNEL=", s->fault, NULL);
        service_use_worker(s, command, state);
}

/* A copy, because the service's user may not be able to look into the build directory. */
static char *service_program(void) {
        g_autofree char *program = g_build_filename(g_getenv("SURROUNDINGS_DIR"), "iscsi-configd", NULL);

        if (!g_file_test(program, G_FILE_TEST_EXISTS))
                run_command("install", "-m", "0755", g_getenv("ISCSI_CONFIGD"), program, NULL);
        return g_steal_pointer(&program);
}

void service_spawn(Service *s) {
        const char *drop[] = { "setpriv",        "--reuid=iscsi-config", "--regid=iscsi-config", "--clear-groups",
                               "--no-new-privs", "--bounding-set=-all",  "--inh-caps=-all",      "--ambient-caps=-all" };
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        g_autoptr(GError) error = NULL;
        g_autofree char *program = service_program(), *state = g_strconcat("--state-directory=", s->state, NULL);

        g_assert_cmpint(s->pid, ==, 0);

        for (char **w = s->wrapper; w && *w; w++)
                g_ptr_array_add(argv, *w);
        for (size_t i = 0; i < G_N_ELEMENTS(drop); i++)
                g_ptr_array_add(argv, (char *) drop[i]);
        g_ptr_array_add(argv, program);
        g_ptr_array_add(argv, state);
        for (char **o = s->options; *o; o++)
                g_ptr_array_add(argv, *o);
        g_ptr_array_add(argv, NULL);

        g_spawn_async(NULL, (char **) argv->pdata, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, redirect_output, s->log,
                      &s->pid, &error);
        g_assert_no_error(error);
}

static bool name_is_owned(sd_bus *bus) {
        return sd_bus_get_name_creds(bus, BUS_NAME, 0, NULL) >= 0;
}

bool service_wait_ready(Service *s) {
        sd_bus *bus = connect_as("root");
        gint64 end = g_get_monotonic_time() + WAIT_USEC;
        bool ready;

        while (!(ready = name_is_owned(bus)) && g_get_monotonic_time() < end) {
                int status;

                if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
                        s->pid = 0;
                        break;
                }
                g_usleep(5000);
        }

        sd_bus_flush_close_unref(bus);
        return ready;
}

void service_start(Service *s) {
        service_spawn(s);
        if (!service_wait_ready(s)) {
                g_autofree char *log = service_read_log(s);

                g_error("The service did not start:\n%s", log);
        }
}

int service_wait_end(Service *s) {
        int status;

        g_assert_cmpint(s->pid, !=, 0);
        g_assert_cmpint(TEMP_FAILURE_RETRY(waitpid(s->pid, &status, 0)), ==, s->pid);
        s->pid = 0;
        return status;
}

static void wait_until_forgotten(void) {
        sd_bus *bus = connect_as("root");

        for (int i = 0; i < 2000 && name_is_owned(bus); i++)
                g_usleep(5000);
        g_assert_false(name_is_owned(bus));
        sd_bus_flush_close_unref(bus);
}

void service_stop(Service *s) {
        int status;

        g_assert_cmpint(kill(s->pid, SIGTERM), ==, 0);
        status = service_wait_end(s);
        if (status != 0) {
                g_autofree char *log = service_read_log(s);

                g_error("The service ended with status 0x%x:\n%s", (unsigned) status, log);
        }
        wait_until_forgotten();
}

void service_kill(Service *s) {
        g_assert_cmpint(kill(s->pid, SIGKILL), ==, 0);
        service_wait_killed(s);
}

void service_wait_killed(Service *s) {
        int status = service_wait_end(s);

        g_assert_true(WIFSIGNALED(status));
        g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
        wait_until_forgotten();
}

void service_free(Service *s) {
        if (s->pid != 0)
                service_stop(s);
        if (s->worker_listener != 0) {
                (void) kill(s->worker_listener, SIGTERM);
                (void) waitpid(s->worker_listener, NULL, 0);
        }
        if (s->initiator_listener != 0) {
                (void) kill(s->initiator_listener, SIGTERM);
                (void) waitpid(s->initiator_listener, NULL, 0);
        }

        run_command("rm", "-rf", s->directory, NULL);
        g_strfreev(s->options);
        g_strfreev(s->wrapper);
        g_free(s->directory);
        g_free(s->state);
        g_free(s->log);
        g_free(s->worker_log);
        g_free(s->fault);
        g_free(s);
}

char *service_read_log(Service *s) {
        char *text = NULL;

        (void) g_file_get_contents(s->log, &text, NULL, NULL);
        return text ? text : g_strdup("");
}

sd_bus *connect_as(const char *user) {
        const struct passwd *pw = getpwnam(user);
        sd_bus *bus = NULL;
        const char *unique;

        g_assert_nonnull(pw);

        /* The bus reads the effective ids when the connection is made. */
        g_assert_cmpint(setegid(pw->pw_gid), ==, 0);
        g_assert_cmpint(seteuid(pw->pw_uid), ==, 0);
        g_assert_cmpint(sd_bus_open_system(&bus), >=, 0);
        g_assert_cmpint(sd_bus_get_unique_name(bus, &unique), >=, 0);
        g_assert_cmpint(seteuid(0), ==, 0);
        g_assert_cmpint(setegid(0), ==, 0);

        return bus;
}

static sd_bus_message *call_service_va(sd_bus *bus, sd_bus_error *ret_error, const char *member, const char *types, va_list ap) {
        sd_bus_message *m = NULL, *reply = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, member), >=, 0);
        if (types)
                g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        (void) sd_bus_call(bus, m, 60 * G_USEC_PER_SEC, ret_error, &reply);
        sd_bus_message_unref(m);
        return reply;
}

sd_bus_message *call_service(sd_bus *bus, sd_bus_error *ret_error, const char *member, const char *types, ...) {
        sd_bus_message *reply;
        va_list ap;

        va_start(ap, types);
        reply = call_service_va(bus, ret_error, member, types, ap);
        va_end(ap);
        return reply;
}

char *call_for_path(sd_bus *bus, sd_bus_error *ret_error, const char *member, const char *types, ...) {
        sd_bus_message *reply;
        const char *path;
        char *copy;
        va_list ap;

        va_start(ap, types);
        reply = call_service_va(bus, ret_error, member, types, ap);
        va_end(ap);
        if (!reply)
                return NULL;

        g_assert_cmpint(sd_bus_message_read(reply, "o", &path), >, 0);
        copy = g_strdup(path);
        sd_bus_message_unref(reply);
        return copy;
}

char *create_node(sd_bus *bus, const char *name) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char *path;

        path = call_for_path(bus, &e, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", name);
        if (!path)
                g_error("CreateiSCSINode: %s", e.message);
        return path;
}

char *create_target_port(sd_bus *bus, const char *node, const char *identifier, const char *const *portals) {
        sd_bus_message *m = NULL, *reply = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        const char *path;
        char *copy;

        g_assert_cmpint(
                sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, "CreateiSCSIProtocolEndpoint"),
                >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "oqs", node, 3, identifier), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
        for (const char *const *p = portals; *p; p++)
                g_assert_cmpint(sd_bus_message_append(m, "o", *p), >=, 0);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        if (sd_bus_call(bus, m, 60 * G_USEC_PER_SEC, &e, &reply) < 0)
                g_error("CreateiSCSIProtocolEndpoint: %s", e.message);

        g_assert_cmpint(sd_bus_message_read(reply, "o", &path), >, 0);
        copy = g_strdup(path);
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        return copy;
}

static void append_value(GString *text, sd_bus_message *m) {
        const char *contents;
        char type;
        bool first = true;

        g_assert_cmpint(sd_bus_message_peek_type(m, &type, &contents), >, 0);
        if (type == 'a') {
                g_string_append_c(text, '[');
                g_assert_cmpint(sd_bus_message_enter_container(m, 'a', contents), >=, 0);
                while (sd_bus_message_at_end(m, false) == 0) {
                        if (!first)
                                g_string_append_c(text, ' ');
                        first = false;
                        append_value(text, m);
                }
                g_assert_cmpint(sd_bus_message_exit_container(m), >=, 0);
                g_string_append_c(text, ']');
        } else if (type == 's' || type == 'o') {
                const char *s;

                g_assert_cmpint(sd_bus_message_read_basic(m, type, &s), >, 0);
                g_string_append(text, s);
        } else {
                union {
                        uint8_t y;
                        uint16_t q;
                        uint32_t u;
                        int b;
                } v = {};

                g_assert_cmpint(sd_bus_message_read_basic(m, type, &v), >, 0);
                if (type == 'b')
                        g_string_append(text, v.b ? "true" : "false");
                else
                        g_string_append_printf(text, "%u", type == 'y' ? v.y : type == 'q' ? v.q : v.u);
        }
}

char *get_property(sd_bus *bus, const char *path, const char *interface, const char *property) {
        g_autoptr(GString) text = g_string_new(NULL);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *contents;

        if (sd_bus_call_method(bus, BUS_NAME, path, "org.freedesktop.DBus.Properties", "Get", &e, &reply, "ss", interface,
                               property) < 0)
                g_error("Get %s %s: %s", path, property, e.message);
        g_assert_cmpint(sd_bus_message_peek_type(reply, NULL, &contents), >, 0);
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'v', contents), >, 0);
        append_value(text, reply);
        sd_bus_message_unref(reply);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

char **list_objects(sd_bus *bus) {
        g_autoptr(GPtrArray) paths = g_ptr_array_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;

        if (sd_bus_call_method(bus, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &e, &reply,
                               NULL) < 0)
                g_error("GetManagedObjects: %s", e.message);
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), >, 0);
        while (sd_bus_message_enter_container(reply, 'e', "oa{sa{sv}}") > 0) {
                const char *path;

                g_assert_cmpint(sd_bus_message_read(reply, "o", &path), >, 0);
                g_ptr_array_add(paths, g_strdup(path));
                g_assert_cmpint(sd_bus_message_skip(reply, "a{sa{sv}}"), >=, 0);
                g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
        }
        sd_bus_message_unref(reply);

        qsort(paths->pdata, paths->len, sizeof(char *), compare_strings);
        g_ptr_array_add(paths, NULL);
        return (char **) g_ptr_array_steal(paths, NULL);
}

bool object_exists(sd_bus *bus, const char *path) {
        g_auto(GStrv) paths = list_objects(bus);

        return g_strv_contains((const char *const *) paths, path);
}

void assert_error(sd_bus_error *e, const char *name, unsigned code) {
        g_autofree char *complete = strchr(name, '.') ? g_strdup(name) : g_strconcat(ERROR_PREFIX, name, NULL);

        g_assert_cmpstr(e->name, ==, complete);
        if (code != 0) {
                g_autofree char *end = g_strdup_printf(" (%u)", code);

                if (!g_str_has_suffix(e->message, end))
                        g_error("\"%s\" does not end with \"%s\"", e->message, end);
        }
        sd_bus_error_free(e);
}

bool process_is_traced(GPid pid) {
        g_autofree char *tasks = g_strdup_printf("/proc/%d/task", pid);
        g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
        const char *thread;

        g_assert_nonnull(dir);
        while ((thread = g_dir_read_name(dir))) {
                g_autofree char *path = g_build_filename(tasks, thread, "status", NULL), *status = NULL;

                if (!g_file_get_contents(path, &status, NULL, NULL) || strstr(status, "\nTracerPid:\t0\n"))
                        return false;
        }
        return true;
}

void run_command(const char *argument, ...) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        g_autofree char *output = NULL, *errors = NULL;
        g_autoptr(GError) error = NULL;
        int status;
        va_list ap;

        va_start(ap, argument);
        for (const char *a = argument; a; a = va_arg(ap, const char *))
                g_ptr_array_add(argv, (char *) a);
        va_end(ap);
        g_ptr_array_add(argv, NULL);

        g_spawn_sync(NULL, (char **) argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status, &error);
        g_assert_no_error(error);
        if (status != 0)
                g_error("%s ended with status 0x%x: %s%s", argument, (unsigned) status, output, errors);
}

void process_until(sd_bus *bus, bool (*condition)(void *userdata), void *userdata) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        while (!condition(userdata)) {
                int r = sd_bus_process(bus, NULL);

                g_assert_cmpint(r, >=, 0);
                if (r > 0)
                        continue;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                (void) sd_bus_wait(bus, 100000);
        }
}

gsize managed_objects_size(void) {
        g_autoptr(GDBusConnection) connection = NULL;
        g_autoptr(GDBusMessage) call = NULL, reply = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree guchar *blob = NULL;
        gsize size;

        connection = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
        g_assert_no_error(error);
        call = g_dbus_message_new_method_call(BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
        reply = g_dbus_connection_send_message_with_reply_sync(connection, call, G_DBUS_SEND_MESSAGE_FLAGS_NONE, -1, NULL, NULL,
                                                               &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_dbus_message_get_message_type(reply), ==, G_DBUS_MESSAGE_TYPE_METHOD_RETURN);
        blob = g_dbus_message_to_blob(reply, &size, G_DBUS_CAPABILITY_FLAGS_NONE, &error);
        g_assert_no_error(error);
        return size;
}
