/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-service.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

#define BACKEND "org.iscsi.Backend"

Service *bench_service_new(const char *directory, const char *option) {
        const struct passwd *pw = getpwnam("iscsi-config");
        Service *s = service_new("--log-level=warning", option, NULL);

        g_assert_nonnull(pw);
        g_free(s->state);
        s->state = g_build_filename(directory, "iscsi-configd-bench.XXXXXX", NULL);
        g_assert_nonnull(g_mkdtemp_full(s->state, 0700));
        g_assert_cmpint(chown(s->state, pw->pw_uid, pw->pw_gid), ==, 0);
        return s;
}

char *bench_node_path(const char *name) {
        char *path;

        g_assert_cmpint(sd_bus_path_encode(ROOT_PATH "/node", name, &path), >=, 0);
        return path;
}

sd_bus *bench_connect_to_worker(const Service *s, const char *option) {
        g_autofree char *address = NULL;
        const char *path = NULL;
        sd_bus *bus = NULL;

        for (char **o = s->options; *o; o++)
                if (g_str_has_prefix(*o, option))
                        path = *o + strlen(option);
        g_assert_nonnull(path);
        address = g_strconcat("unix:path=", path, NULL);
        g_assert_cmpint(sd_bus_new(&bus), >=, 0);
        g_assert_cmpint(sd_bus_set_address(bus, address), >=, 0);
        g_assert_cmpint(sd_bus_start(bus), >=, 0);
        return bus;
}

static double time_call(sd_bus *bus, const char *destination, const char *path, const char *interface, const char *member) {
        sd_bus_message *m = NULL;
        double t;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, destination, path, interface, member), >=, 0);
        t = measure_call(bus, m);
        sd_bus_message_unref(m);
        return t;
}

double bench_time_ping(sd_bus *bus) {
        return time_call(bus, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping");
}

double bench_time_worker_call(sd_bus *worker) {
        return time_call(worker, NULL, "/org/iscsi/Backend", BACKEND, "Describe");
}

static void delete_port(sd_bus *bus, const char *port) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = call_service(bus, &e, "DeleteiSCSIProtocolEndpoint", "o", port);

        if (!reply)
                g_error("DeleteiSCSIProtocolEndpoint: %s", e.message);
        sd_bus_message_unref(reply);
}

double bench_time_create(sd_bus *bus, const char *node, unsigned role, const char *on) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *port = NULL;
        double begin = measure_now();

        port = call_for_path(bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", node, (int) role, "", 1, on);
        begin = measure_now() - begin;
        if (!port)
                g_error("CreateiSCSIProtocolEndpoint: %s", e.message);
        delete_port(bus, port);
        return begin;
}
