/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first call to a stopped service. A bus of its own asks systemd, which the test plays, to start the service, and keeps the
 * calls until it has its name. */

#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "mirror.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static const char config[] = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
                             "  \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                             "<busconfig>\n"
                             "  <type>system</type>\n"
                             "  <listen>unix:path=%s/activation.socket</listen>\n"
                             "  <auth>EXTERNAL</auth>\n"
                             "  <servicedir>%s/activation</servicedir>\n"
                             "  <policy context=\"default\">\n"
                             "    <allow user=\"*\"/>\n"
                             "    <allow send_type=\"signal\"/>\n"
                             "    <allow send_requested_reply=\"true\" send_type=\"method_return\"/>\n"
                             "    <allow send_requested_reply=\"true\" send_type=\"error\"/>\n"
                             "    <allow receive_type=\"method_call\"/>\n"
                             "    <allow receive_type=\"method_return\"/>\n"
                             "    <allow receive_type=\"error\"/>\n"
                             "    <allow receive_type=\"signal\"/>\n"
                             "    <allow send_destination=\"org.freedesktop.DBus\"/>\n"
                             "  </policy>\n"
                             "  <policy user=\"root\">\n"
                             "    <allow own=\"org.freedesktop.systemd1\"/>\n"
                             "  </policy>\n"
                             "  <include>%s/system.d/org.iscsi.ConfigurationService.conf</include>\n"
                             "</busconfig>\n";

typedef struct Manager {
        sd_bus *bus; /* with systemd's name */
        Service *service;
        unsigned n_requests;
} Manager;

static GPid bus_pid;

/* Starts the bus, and makes it the one that everything in this program uses. */
static void start_bus(void) {
        const char *surroundings = g_getenv("SURROUNDINGS_DIR");
        g_autofree char *text = g_strdup_printf(config, surroundings, surroundings, surroundings);
        g_autofree char *file = g_build_filename(surroundings, "activation.conf", NULL);
        g_autofree char *directory = g_build_filename(surroundings, "activation", NULL);
        g_autofree char *source = g_build_filename(g_getenv("SOURCE_ROOT"), "dbus", BUS_NAME ".service", NULL);
        g_autofree char *socket = g_build_filename(surroundings, "activation.socket", NULL);
        g_autofree char *option = g_strconcat("--config-file=", file, NULL), *address = g_strconcat("unix:path=", socket, NULL);
        char *argv[] = { (char *) "dbus-daemon",          option, (char *) "--nofork", (char *) "--nopidfile",
                         (char *) "--systemd-activation", NULL };
        g_autoptr(GError) error = NULL;

        g_file_set_contents(file, text, -1, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_mkdir(directory, 0755), ==, 0);
        run_command("install", "-m", "0644", source, directory, NULL);
        g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                      &bus_pid, &error);
        g_assert_no_error(error);
        for (unsigned i = 0; i < 2000 && !g_file_test(socket, G_FILE_TEST_EXISTS); i++)
                g_usleep(5000);
        g_usleep(50000); /* it listens a moment after the file is there */
        g_assert_true(g_setenv("DBUS_SYSTEM_BUS_ADDRESS", address, true));
}

static int on_request(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Manager *manager = userdata;
        const char *unit;

        g_assert_cmpint(sd_bus_message_read(m, "s", &unit), >, 0);
        g_assert_cmpstr(unit, ==, "dbus-" BUS_NAME ".service");
        manager->n_requests++;
        if (manager->service->pid == 0)
                service_spawn(manager->service);
        return 1;
}

static void manager_init(Manager *m, Service *s) {
        *m = (Manager){ .bus = connect_as("root"), .service = s };
        g_assert_cmpint(sd_bus_match_signal(m->bus, NULL, NULL, NULL, "org.freedesktop.systemd1.Activator", "ActivationRequest",
                                            on_request, m),
                        >=, 0);
        g_assert_cmpint(sd_bus_request_name(m->bus, "org.freedesktop.systemd1", 0), >=, 0);
        loop_attach(m->bus);
}

static void manager_done(Manager *m) {
        sd_bus_detach_event(m->bus);
        sd_bus_flush_close_unref(m->bus);
}

/* One change is enough to start it, and succeeds. */
static void test_one_call(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);
        sd_bus *root = caller_new("root");
        Manager m;
        Call *c;

        manager_init(&m, s);
        for (unsigned i = 0; i < 5; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i);

                c = call_start(message_new_create_node(root, name));
                assert_call_succeeds(c);
                call_free(c);
                g_assert_cmpuint(m.n_requests, ==, i + 1);
                service_stop(s);
        }
        manager_done(&m);
        caller_leave(root);
}

/* Many at once, reads among them, while the kernel has lost what the store has: all succeed, and see what was restored. */
static void test_many_calls(void) {
        g_autoptr(Service) s = service_new("--backend-deadline=60", NULL);
        g_autofree char *path = node_path(BASE_NODE), *port = port_path(BASE_NODE, 1), *state = NULL;
        const char *const portals[] = { LOOPBACK_PORTAL, NULL };
        sd_bus *root = caller_new("root");
        Call *calls[20], *delete;
        Manager m;

        service_use_fault_backend(s);
        service_start(s);
        g_free(create_node(root, BASE_NODE));
        g_free(create_target_port(root, path, "", portals));
        service_stop(s);
        fault_wait_workers_gone(s);
        fault_remove_all(s);
        fault_plan(s, "make-port slow 300\n");

        manager_init(&m, s);
        for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i);

                calls[i] = call_start(message_new_create_node(root, name));
        }
        delete = call_start(message_new(root, "RequestStateChange", "oq", port, 3));
        for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
                assert_call_succeeds(calls[i]);
                call_free(calls[i]);
        }
        assert_call_succeeds(delete);
        call_free(delete);
        g_assert_cmpuint(m.n_requests, ==, 1);
        state = get_property(root, port, PORT_INTERFACE, "EnabledState");
        g_assert_cmpstr(state, ==, "3");
        manager_done(&m);
        caller_leave(root);
}

/* Also when the store cannot be used: the call is answered with the reason. */
static void test_without_store(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);
        g_autofree char *file = g_build_filename(s->state, "ports.db", NULL);
        sd_bus *root = caller_new("root");
        g_autoptr(GError) error = NULL;
        Manager m;
        Call *c;

        g_file_set_contents(file, "this is no store", -1, &error);
        g_assert_no_error(error);
        manager_init(&m, s);
        c = call_start(message_new_create_node(root, BASE_NODE));
        assert_call_fails(c, "StoreUnavailable", 32781);
        call_free(c);
        manager_done(&m);
        caller_leave(root);
}

int main(int argc, char *argv[]) {
        int r;

        g_test_init(&argc, &argv, NULL);
        start_bus();
        g_test_add_func("/activation/one-call", test_one_call);
        g_test_add_func("/activation/many-calls", test_many_calls);
        g_test_add_func("/activation/without-store", test_without_store);
        r = g_test_run();
        (void) kill(bus_pid, SIGTERM);
        (void) waitpid(bus_pid, NULL, 0);
        return r;
}
