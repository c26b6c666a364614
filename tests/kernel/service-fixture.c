/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "service-fixture.h"

#include <netdb.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_USEC 5000

static int run_shell(const char *format, va_list ap, char **ret_output) {
        g_autofree char *command = g_strdup_vprintf(format, ap), *output = NULL, *errors = NULL;
        const char *argv[] = { "/bin/sh", "-c", command, NULL };
        g_autoptr(GError) error = NULL;
        int status;

        g_spawn_sync(NULL, (char **) argv, NULL, 0, NULL, NULL, &output, &errors, &status, &error);
        g_assert_no_error(error);
        if (status != 0)
                g_test_message("%s: status 0x%x: %s%s", command, (unsigned) status, output, errors);
        *ret_output = g_steal_pointer(&output);
        return status;
}

int shell(const char *format, ...) {
        g_autofree char *output = NULL;
        va_list ap;
        int status;

        va_start(ap, format);
        status = run_shell(format, ap, &output);
        va_end(ap);
        return status;
}

void must_shell(const char *format, ...) {
        g_autofree char *output = NULL;
        va_list ap;
        int status;

        va_start(ap, format);
        status = run_shell(format, ap, &output);
        va_end(ap);
        if (status != 0)
                g_error("%s: status 0x%x", format, (unsigned) status);
}

char *shell_output(const char *format, ...) {
        g_autofree char *output = NULL;
        va_list ap;
        int status;

        va_start(ap, format);
        status = run_shell(format, ap, &output);
        va_end(ap);
        if (status != 0)
                g_error("%s: status 0x%x", format, (unsigned) status);
        return g_steal_pointer(&output);
}

void assert_tree(const char *expected) {
        g_autofree char *tree =
                shell_output("cd " FABRIC " 2>/dev/null && for n in iqn.*; do test -d $n && echo $n && for t in $n/tpgt_*; do "
                             "test -d $t && echo $t $(cat $t/enable) $(ls $t/np); done; done; true");

        g_assert_cmpstr(tree, ==, expected);
}

Service *service_on_target(const char *option, const char *const *wrapper) {
        g_autoptr(GPtrArray) command = g_ptr_array_new();
        Service *s = service_new("--log-level=info", "--configfs=" TARGET, option, NULL);

        g_assert_nonnull(g_getenv("ISCSI_BACKEND_LIO"));
        for (const char *const *w = wrapper; w && *w; w++)
                g_ptr_array_add(command, (char *) *w);
        g_ptr_array_add(command, (char *) g_getenv("ISCSI_BACKEND_LIO"));
        g_ptr_array_add(command, NULL);
        service_use_worker(s, (const char *const *) command->pdata, "UBSAN_OPTIONS=halt_on_error=1");
        assert_tree("");
        return s;
}

static bool is_value(const char *value, const char *part) {
        return part[0] == '=' ? g_str_equal(value, part + 1) : strstr(value, part) != NULL;
}

void await_value(sd_bus *bus, const char *path, const char *interface, const char *property, const char *part, gint64 usec) {
        gint64 begun = g_get_monotonic_time();

        for (;;) {
                g_autofree char *value = get_property(bus, path, interface, property);

                if (is_value(value, part))
                        break;
                if (g_get_monotonic_time() > begun + usec)
                        g_error("%s: %s is %s, not %s", path, property, value, part);
                g_usleep(PAUSE_USEC);
        }
        g_test_message("%s %s after %u ms", property, part, (unsigned) ((g_get_monotonic_time() - begun) / 1000));
}

void await_seen(sd_bus *bus, const char *path, const char *interface, const char *property, const char *part) {
        await_value(bus, path, interface, property, part, SEEN_USEC);
}

void assert_value(sd_bus *bus, const char *path, const char *interface, const char *property, const char *part) {
        g_autofree char *value = get_property(bus, path, interface, property);

        if (!is_value(value, part))
                g_error("%s: %s is %s, not %s", path, property, value, part);
}

void await_exists(sd_bus *bus, const char *path, bool exists) {
        gint64 end = g_get_monotonic_time() + SEEN_USEC;

        while (object_exists(bus, path) != exists) {
                if (g_get_monotonic_time() > end)
                        g_error("%s is %s", path, exists ? "not there" : "still there");
                g_usleep(PAUSE_USEC);
        }
}

void await_logged(Service *s, const char *text) {
        gint64 end = g_get_monotonic_time() + SEEN_USEC;

        for (;;) {
                g_autofree char *log = service_read_log(s);

                if (strstr(log, text))
                        break;
                if (g_get_monotonic_time() > end)
                        g_error("The log does not tell \"%s\": %s", text, log);
                g_usleep(PAUSE_USEC);
        }
}

void await_in_force(sd_bus *bus, const char *port) {
        await_seen(bus, port, PORT_INTERFACE, "OperationalStatus", "=[2]");
        assert_value(bus, port, PORT_INTERFACE, "EnabledState", "=2");
        assert_value(bus, port, PORT_INTERFACE, "StatusDescriptions", "=[In force]");
}

/* A new socket, and its address for freeaddrinfo(); NULL: its interface is not there. */
static struct addrinfo *new_socket(const char *address, unsigned port, int *ret_fd) {
        const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
        g_autofree char *service = g_strdup_printf("%u", port);
        struct addrinfo *a;

        if (getaddrinfo(address, service, &hints, &a) != 0)
                return NULL;
        *ret_fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(*ret_fd, >=, 0);
        return a;
}

bool accepts(const char *address, unsigned port) {
        struct addrinfo *a;
        int fd, r;

        a = new_socket(address, port, &fd);
        if (!a)
                return false;
        r = connect(fd, a->ai_addr, a->ai_addrlen);
        (void) close(fd);
        freeaddrinfo(a);
        return r >= 0;
}

int listen_on(const char *address, unsigned port) {
        struct addrinfo *a;
        int fd;

        a = new_socket(address, port, &fd);
        g_assert_nonnull(a);
        g_assert_cmpint(bind(fd, a->ai_addr, a->ai_addrlen), ==, 0);
        g_assert_cmpint(listen(fd, 1), ==, 0);
        freeaddrinfo(a);
        return fd;
}

void delete_node(sd_bus *bus, const char *node) {
        must_call(bus, "DeleteiSCSINode", "o", node);
}
