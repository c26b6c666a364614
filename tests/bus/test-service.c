/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service as a process: its options, when it is ready, when it refuses to start, and what it does about its store then. */

#include "fault-base.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_says(Service *s, const char *text) {
        g_autofree char *log = service_read_log(s);

        if (!strstr(log, text))
                g_error("\"%s\" is not in what it says: %s", text, log);
}

/* It ends by itself, in less than a moment, with that exit status. */
static void assert_ends(Service *s, int exit_status) {
        int status = service_wait_end(s);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_status) {
                g_autofree char *log = service_read_log(s);

                g_error("Wait status 0x%x, not exit status %d: %s", (unsigned) status, exit_status, log);
        }
}

static const struct {
        const char *option;
        const char *says;
} wrong[] = {
        { "--target-backend=scst", "--target-backend=scst" },
        { "--target-backend=model-fixed", "--target-backend=model-fixed" },
        { "--target-backend=", "--target-backend=:" },
        { "--initiator-backend=lio", "--initiator-backend=lio" },
        { "--backend-deadline=0", "--backend-deadline=0" },
        { "--backend-deadline=3601", "1 to 3600" },
        { "--backend-deadline=-1", "--backend-deadline=-1" },
        { "--backend-deadline=1s", "--backend-deadline=1s" },
        { "--backend-deadline=", "--backend-deadline=:" },
        { "--backend-deadline=99999999999999999999", "--backend-deadline=9999" },
        { "--authorization-deadline=0", "--authorization-deadline=0" },
        { "--authorization-deadline= 5", "--authorization-deadline= 5" },
        { "--max-ports=0", "--max-ports=0" },
        { "--max-ports=16385", "1 to 16384" },
        { "--max-ports=0x10", "--max-ports=0x10" },
        { "--log-level=loud", "--log-level=loud" },
        { "--no-such-option", "no-such-option" },
        { "--lio-socket", "lio-socket" }, /* which wants a value */
        { "--help=yes", "help" },         /* which does not */
        { "an-argument", "an-argument" },
        { "--lio-socket=not/absolute", "not/absolute" },
        { "--lio-socket=/a/very/long/path/a/very/long/path/a/very/long/path/a/very/long/path/a/very/long/path/a/very/long/path/a/"
          "very/long/path",
          "/a/very" },
};

static void test_wrong_options(void) {
        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(Service) s = service_new(wrong[i].option, NULL);

                service_spawn(s);
                assert_ends(s, EXIT_FAILURE);
                assert_says(s, wrong[i].says);
        }
}

static void test_help_and_version(void) {
        static const struct {
                const char *option, *says;
        } rows[] = { { "--help", "--target-backend=" }, { "-h", "--state-directory=" }, { "--version", "iscsi-configd 0." } };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Service) s = service_new(rows[i].option, NULL);

                service_spawn(s);
                assert_ends(s, EXIT_SUCCESS);
                assert_says(s, rows[i].says);
        }
}

/* A socket for what the service tells systemd. */
static int notify_socket_new(Service *s) {
        g_autofree char *path = g_build_filename(s->directory, "notify", NULL);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd;

        g_assert_cmpuint(g_strlcpy(address.sun_path, path, sizeof(address.sun_path)), <, sizeof(address.sun_path));
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(g_chmod(path, 0666), ==, 0);
        g_setenv("NOTIFY_SOCKET", path, TRUE);
        return fd;
}

static bool name_is_owned(sd_bus *bus) {
        return sd_bus_get_name_creds(bus, BUS_NAME, 0, NULL) >= 0;
}

/* READY=1 comes once the name is owned, and not while the first pass is under way. */
static void test_notify(void) {
        g_autoptr(Base) b = base_new_hasty();
        char text[256] = "";
        int fd;

        service_stop(b->service);
        fd = notify_socket_new(b->service);
        fault_plan(b->service, "ListNodes hang\n");
        fault_log_clear(b->service);
        service_spawn(b->service);
        fault_wait_call(b->service, "ListNodes");
        g_assert_false(name_is_owned(b->bus));
        g_assert_cmpint(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), ==, -1);
        g_assert_cmpint(errno, ==, EAGAIN);

        g_assert_cmpint(recv(fd, text, sizeof(text) - 1, 0), >, 0);
        g_assert_cmpstr(text, ==, "READY=1");
        g_assert_true(name_is_owned(b->bus));

        service_stop(b->service);
        memset(text, 0, sizeof(text));
        g_assert_cmpint(recv(fd, text, sizeof(text) - 1, 0), >, 0);
        g_assert_cmpstr(text, ==, "STOPPING=1");
        g_unsetenv("NOTIFY_SOCKET");
        (void) close(fd);
}

static void test_terminated_while_starting(void) {
        g_autoptr(Base) b = base_new();

        service_stop(b->service);
        fault_plan(b->service, "ListNodes hang\n");
        fault_log_clear(b->service);
        service_spawn(b->service);
        fault_wait_call(b->service, "ListNodes");
        service_stop(b->service);
        fault_plan(b->service, "%s", "");
        service_start(b->service);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "terminated while it started");
}

/* The second one says why it does not start, and has done nothing to what the first one looks after. */
static void test_second_instance(void) {
        g_autofree char *before = NULL, *after = NULL, *log = NULL;
        g_autoptr(Base) b = base_new();
        g_autoptr(Service) second = service_new(NULL, NULL);

        g_strfreev(second->options);
        second->options = g_strdupv(b->service->options);
        run_command("rm", "-r", second->state, NULL);
        g_free(second->state);
        second->state = g_strdup(b->service->state);

        fault_remove_port(b->service, BASE_NODE, 2); /* what a first pass would put right */
        before = fault_memory(b->service);
        fault_log_clear(b->service);
        service_spawn(second);
        assert_ends(second, EXIT_FAILURE);
        assert_says(second, "is the service running already?");
        after = fault_memory(b->service);
        assert_same_text(before, after, "what the first one has");
        log = fault_log(b->service);
        assert_same_text("", log, "its verbs");

        g_free(b->memory);
        b->memory = g_steal_pointer(&before);
        base_assert_works(b, &operation_create_port);
}

/* The service is there without its store: it says why, refuses every change with the reason, and can be read. */
static void assert_read_only(Service *s, const char *reason) {
        sd_bus *bus = connect_as("root");
        g_autofree char *status = get_property(bus, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions");
        sd_bus_error e = SD_BUS_ERROR_NULL;

        assert_says(s, reason);
        if (!strstr(status, reason))
                g_error("\"%s\" is not in the service's status: %s", reason, status);

        g_assert_null(call_service(bus, &e, "CreatePortalGroup", "sa{sv}", "g", 0));
        if (!strstr(e.message, reason))
                g_error("\"%s\" is not in the refusal: %s", reason, e.message);
        assert_error(&e, "StoreUnavailable", 32781);
        g_assert_true(object_exists(bus, DEFAULT_GROUP));
        sd_bus_flush_close_unref(bus);
}

/* What cannot be a state directory: the service waits until it can. */
static void test_wrong_directories(void) {
        static const struct {
                const char *option, *says;
        } rows[] = {
                { "--state-directory=/no/such/parent/at/all", "/no/such/parent/at/all" },
                { "--state-directory=", "name a directory" },
                { "--state-directory=/dev/null", "/dev/null" },
        };

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autoptr(Service) s = service_new("--target-backend=model", rows[i].option, NULL);

                service_start(s);
                assert_read_only(s, rows[i].says);
        }
}

/* What is in the kernel is shown, and not touched. */
static void assert_kernel_untouched(Base *b) {
        g_autofree char *memory = fault_memory(b->service), *managed = NULL, *port = port_path(BASE_NODE, 1);

        assert_same_text(b->memory, memory, "what is in force");
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
        managed = get_property(b->bus, port, "org.iscsi.ProtocolEndpoint", "Managed");
        g_assert_cmpstr(managed, ==, "false");
}

static char *store_file(Service *s) {
        return g_build_filename(s->state, "ports.db", NULL);
}

static void test_newer_store(void) {
        g_autofree char *path = NULL, *before = NULL, *after = NULL;
        g_autoptr(Base) b = base_new();
        gsize n_before = 0, n_after = 0;
        g_autoptr(GDir) dir = NULL;

        service_stop(b->service);
        path = store_file(b->service);
        run_command("sqlite3", path, "PRAGMA user_version = 99", NULL);
        g_assert_true(g_file_get_contents(path, &before, &n_before, NULL));
        fault_log_clear(b->service);

        service_start(b->service);
        assert_read_only(b->service, path);
        assert_read_only(b->service, "version 99");
        assert_read_only(b->service, "install the version that wrote it");
        assert_kernel_untouched(b);
        g_assert_true(g_file_get_contents(path, &after, &n_after, NULL));
        g_assert_cmpmem(before, n_before, after, n_after);

        dir = g_dir_open(b->service->state, 0, NULL);
        for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
                g_assert_false(g_str_has_prefix(name, "ports.db.old"));

        service_stop(b->service);
        run_command("sqlite3", path, "PRAGMA user_version = 2", NULL);
        service_start(b->service);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "the version that it knows");
}

/* Runs iscsi-configd --new-store on the service's state, and returns what it says. */
static char *begin_new_store(Service *s, int *ret_status) {
        g_autofree char *state = g_strconcat("--state-directory=", s->state, NULL);
        const char *argv[] = { g_getenv("ISCSI_CONFIGD"), "--new-store", state, NULL };
        g_autofree char *out = NULL, *err = NULL;
        g_autoptr(GError) error = NULL;

        g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, ret_status, &error);
        g_assert_no_error(error);
        return g_strconcat(out, err, NULL);
}

/* A damaged store is nobody's to throw away but the administrator's, who is told how. Nothing is touched in the backend
 * meanwhile. */
static void test_damaged_store(void) {
        static const char garbage[] = "this is not a database, and it is long enough to be told from an empty one";
        g_autofree char *path = NULL, *kept = NULL, *managed = NULL, *port = port_path(BASE_NODE, 1), *content = NULL,
                        *text = NULL, *memory = NULL;
        g_autoptr(Base) b = base_new();
        const char *name;
        int status;

        /* Not while the service has it. */
        text = begin_new_store(b->service, &status);
        g_assert_cmpint(status, !=, 0);
        g_assert_nonnull(strstr(text, "stop it first"));
        base_assert_untouched(b, "while the service runs");

        service_stop(b->service);
        path = store_file(b->service);
        g_assert_true(g_file_set_contents(path, garbage, -1, NULL));
        run_command("chown", "iscsi-config:", path, NULL);
        fault_log_clear(b->service);
        service_start(b->service);
        assert_read_only(b->service, "is damaged");
        assert_read_only(b->service, "iscsi-configd --new-store");
        assert_kernel_untouched(b);
        g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
        g_assert_cmpstr(content, ==, garbage);
        service_stop(b->service);

        g_free(text);
        text = begin_new_store(b->service, &status);
        g_assert_cmpint(status, ==, 0);
        name = strstr(text, path);
        g_assert_nonnull(name);
        g_assert_nonnull(strstr(name, "ports.db.old-"));
        kept = g_strndup(name, strcspn(name, "\n"));
        if (g_str_has_suffix(kept, "."))
                kept[strlen(kept) - 1] = '\0';
        g_free(content);
        content = NULL;
        g_assert_true(g_file_get_contents(kept, &content, NULL, NULL));
        g_assert_cmpstr(content, ==, garbage);

        /* Made by root, the new one is the service's. */
        service_start(b->service);
        managed = get_property(b->bus, port, "org.iscsi.ProtocolEndpoint", "Managed");
        g_assert_cmpstr(managed, ==, "false");
        memory = fault_memory(b->service);
        assert_same_text(b->memory, memory, "what is in force");

        sd_bus_message_unref(operation_create_node.call(b, NULL));
        service_stop(b->service);
        service_start(b->service);
        g_free(managed);
        g_free(port);
        port = node_path(NEW_NODE);
        managed = get_property(b->bus, port, "org.iscsi.Node", "Managed");
        g_assert_cmpstr(managed, ==, "true");
}

/* Without a bus there is no service. */
static void test_no_bus(void) {
        g_autofree char *address = g_strdup(g_getenv("DBUS_SYSTEM_BUS_ADDRESS"));
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);

        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", TRUE);
        service_spawn(s);
        g_setenv("DBUS_SYSTEM_BUS_ADDRESS", address, TRUE);
        assert_ends(s, EXIT_FAILURE);
        assert_says(s, "Failed to connect to the system bus");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/service/wrong-options", test_wrong_options);
        g_test_add_func("/service/help-and-version", test_help_and_version);
        g_test_add_func("/service/notify", test_notify);
        g_test_add_func("/service/terminated-while-starting", test_terminated_while_starting);
        g_test_add_func("/service/second-instance", test_second_instance);
        g_test_add_func("/service/wrong-directories", test_wrong_directories);
        g_test_add_func("/service/newer-store", test_newer_store);
        g_test_add_func("/service/damaged-store", test_damaged_store);
        g_test_add_func("/service/no-bus", test_no_bus);
        return g_test_run();
}
