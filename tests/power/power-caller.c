/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The caller in a machine that loses its power, see test-power-cut.
 *
 *     power-caller fill PREFIX    creates nodes PREFIX0, PREFIX1, … with a port each, several at once and without end, and prints
 *     the path of
 *                                 each object as soon as the service has acknowledged it
 *     power-caller check FILE     asserts that the objects whose paths are in FILE are there, that every port is in force, and
 *     that the
 *                                 kernel has what the service shows and nothing else */

#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define FABRIC "/sys/kernel/config/target/iscsi"
#define AT_ONCE 6

typedef struct Filler {
        const char *prefix;
        unsigned next;
} Filler;

static void fill_next(sd_bus *bus, Filler *f);

/* One write per line: who reads it may rely on it even if the power goes in the midst of the next. */
static void acknowledge(const char *path) {
        g_autofree char *line = g_strconcat(path, "\n", NULL);

        g_assert_cmpint(write(STDOUT_FILENO, line, strlen(line)), ==, (ssize_t) strlen(line));
}

static const char *read_path(sd_bus_message *reply) {
        const char *path;

        if (sd_bus_message_is_method_error(reply, NULL))
                g_error("%s", sd_bus_message_get_error(reply)->message);
        g_assert_cmpint(sd_bus_message_read(reply, "o", &path), >, 0);
        return path;
}

static int on_port(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        acknowledge(read_path(reply));
        fill_next(sd_bus_message_get_bus(reply), userdata);
        return 0;
}

static int on_node(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const char *node = read_path(reply);

        acknowledge(node);
        g_assert_cmpint(sd_bus_call_method_async(sd_bus_message_get_bus(reply), NULL, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE,
                                                 "CreateiSCSIProtocolEndpoint", on_port, userdata, "oqsao", node, 3, "", 1,
                                                 LOOPBACK_PORTAL),
                        >=, 0);
        return 0;
}

static void fill_next(sd_bus *bus, Filler *f) {
        g_autofree char *name = g_strdup_printf("%s%u", f->prefix, f->next++);

        g_assert_cmpint(sd_bus_call_method_async(bus, NULL, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, "CreateiSCSINode", on_node, f,
                                                 "sa{sv}", "", 1, "Name", "s", name),
                        >=, 0);
}

static void fill(const char *prefix) {
        Filler f = { .prefix = prefix };
        sd_bus *bus = connect_as("root");

        for (unsigned i = 0; i < AT_ONCE; i++)
                fill_next(bus, &f);
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                g_assert_cmpint(r, >=, 0);
                if (r == 0)
                        g_assert_cmpint(sd_bus_wait(bus, UINT64_MAX), >=, 0);
        }
}

static int compare_lines(gconstpointer a, gconstpointer b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* "NAME" of each node and "NAME/tpgt_TAG 1 127.0.0.1:3260" of each port, sorted, one a line. */
static char *shown_by_the_service(sd_bus *bus, char **paths) {
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

        for (char **p = paths; *p; p++) {
                const char *rest = g_str_has_prefix(*p, ROOT_PATH "/node/") ? *p + strlen(ROOT_PATH "/node/") : NULL, *endpoint;
                g_autofree char *node = NULL, *name = NULL;

                if (!rest)
                        continue;
                endpoint = strstr(rest, "/endpoint/");
                node = endpoint ? g_strndup(*p, (gsize) (endpoint - *p)) : g_strdup(*p);
                name = get_property(bus, node, "org.iscsi.Node", "Name");
                if (endpoint) {
                        guint64 tag = g_ascii_strtoull(endpoint + strlen("/endpoint/"), NULL, 16);

                        g_ptr_array_add(lines, g_strdup_printf("%s/tpgt_%" G_GUINT64_FORMAT " 1 127.0.0.1:3260\n", name, tag));
                } else
                        g_ptr_array_add(lines, g_strconcat(name, "\n", NULL));
        }
        g_ptr_array_sort(lines, compare_lines);
        g_ptr_array_add(lines, NULL);
        return g_strjoinv("", (char **) lines->pdata);
}

static char *shown_by_the_kernel(void) {
        const char *argv[] = { "/bin/bash", "-c",
                               "shopt -s nullglob; cd " FABRIC " && for n in iqn.*; do echo $n; for t in $n/tpgt_*; do "
                               "read on <$t/enable; p=($t/np/*); echo $t $on ${p[*]##*/}; done; done | LC_ALL=C sort",
                               NULL };
        g_autoptr(GError) error = NULL;
        char *output = NULL;

        g_spawn_sync(NULL, (char **) argv, NULL, 0, NULL, NULL, &output, NULL, NULL, &error);
        g_assert_no_error(error);
        return output;
}

static void check(const char *file) {
        g_autofree char *text = NULL, *service = NULL, *kernel = NULL;
        g_auto(GStrv) acknowledged = NULL, paths = NULL;
        g_autoptr(GError) error = NULL;
        sd_bus *bus = connect_as("root");

        g_file_get_contents(file, &text, NULL, &error);
        g_assert_no_error(error);
        acknowledged = g_strsplit(text, "\n", -1);
        paths = list_objects(bus);
        for (char **a = acknowledged; *a && **a; a++)
                if (!g_strv_contains((const char *const *) paths, *a))
                        g_error("acknowledged, and not there: %s", *a);

        for (char **p = paths; *p; p++)
                if (strstr(*p, "/endpoint/")) {
                        g_autofree char *enabled = get_property(bus, *p, "org.iscsi.ProtocolEndpoint", "EnabledState");
                        g_autofree char *status = get_property(bus, *p, "org.iscsi.ProtocolEndpoint", "OperationalStatus");

                        if (!g_str_equal(enabled, "2") || !g_str_equal(status, "[2]"))
                                g_error("not in force: %s (%s, %s)", *p, enabled, status);
                }

        service = shown_by_the_service(bus, paths);
        kernel = shown_by_the_kernel();
        g_assert_cmpstr(kernel, ==, service);
        g_print("%u acknowledged, %u objects\n", g_strv_length(acknowledged) - 1, g_strv_length(paths));
        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        if (argc == 3 && g_str_equal(argv[1], "fill"))
                fill(argv[2]);
        else if (argc == 3 && g_str_equal(argv[1], "check"))
                check(argv[2]);
        else
                return 2;
        return 0;
}
