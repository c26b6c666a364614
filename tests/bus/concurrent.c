/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "concurrent.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOOP_USEC (60 * G_USEC_PER_SEC)

static sd_event *loop(void) {
        static sd_event *event;

        /* Lives as long as the test. */
        if (!event)
                g_assert_cmpint(sd_event_default(&event), >=, 0);
        return event;
}

void loop_attach(sd_bus *bus) {
        g_assert_cmpint(sd_bus_attach_event(bus, loop(), SD_EVENT_PRIORITY_NORMAL), >=, 0);
}

sd_bus *caller_new(const char *user) {
        sd_bus *bus = connect_as(user);

        loop_attach(bus);
        return bus;
}

sd_bus *caller_new_uid(uid_t uid) {
        g_autofree char *name = g_strdup_printf("user%u", uid);

        /* The surroundings have a list of their own. The bus admits only users that are in it. */
        if (!getpwnam(name)) {
                g_autofree char *passwd = g_build_filename(g_getenv("SURROUNDINGS_DIR"), "passwd", NULL);
                FILE *f = fopen(passwd, "ae");

                g_assert_nonnull(f);
                g_assert_cmpint(fprintf(f, "%s:x:%u:65534::/nonexistent:/bin/sh\n", name, uid), >, 0);
                g_assert_cmpint(fclose(f), ==, 0);
        }

        return caller_new(name);
}

sd_bus *caller_leave(sd_bus *bus) {
        sd_bus *root = connect_as("root");
        g_autofree char *name = NULL;
        const char *unique;

        g_assert_cmpint(sd_bus_get_unique_name(bus, &unique), >=, 0);
        name = g_strdup(unique);
        g_assert_cmpint(sd_bus_flush(bus), >=, 0);
        sd_bus_close(bus);
        sd_bus_detach_event(bus);
        sd_bus_unref(bus);

        while (sd_bus_get_name_creds(root, name, 0, NULL) >= 0)
                g_usleep(1000);
        sd_bus_flush_close_unref(root);
        return NULL;
}

void loop_until(bool (*condition)(void *userdata), void *userdata) {
        gint64 end = g_get_monotonic_time() + LOOP_USEC;

        while (!condition(userdata)) {
                if (g_get_monotonic_time() >= end)
                        g_error("What is waited for did not come");
                g_assert_cmpint(sd_event_run(loop(), 100000), >=, 0);
        }
}

void loop_for(unsigned msec) {
        gint64 end = g_get_monotonic_time() + (gint64) msec * 1000, now;

        while ((now = g_get_monotonic_time()) < end)
                g_assert_cmpint(sd_event_run(loop(), (uint64_t) (end - now)), >=, 0);
}

sd_bus_message *message_new(sd_bus *bus, const char *member, const char *types, ...) {
        sd_bus_message *m = NULL;
        va_list ap;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, member), >=, 0);
        va_start(ap, types);
        if (types)
                g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        return m;
}

sd_bus_message *message_new_create_node(sd_bus *bus, const char *name) {
        return message_new(bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", name);
}

sd_bus_message *message_new_create_port(sd_bus *bus, const char *node, const char *identifier, const char *portal) {
        return message_new(bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, identifier, 1, portal);
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Call *c = userdata;

        c->reply = sd_bus_message_ref(reply);
        c->slot = sd_bus_slot_unref(c->slot);
        c->ended = g_get_monotonic_time();
        return 1;
}

Call *call_start(sd_bus_message *m) {
        Call *c = g_new0(Call, 1);

        c->started = g_get_monotonic_time();
        g_assert_cmpint(sd_bus_call_async(sd_bus_message_get_bus(m), &c->slot, m, answered, c, UINT64_MAX), >=, 0);
        sd_bus_message_unref(m);
        return c;
}

Call *call_start_interactive(sd_bus_message *m) {
        g_assert_cmpint(sd_bus_message_set_allow_interactive_authorization(m, true), >=, 0);
        return call_start(m);
}

void call_free(Call *c) {
        if (!c)
                return;

        sd_bus_slot_unref(c->slot);
        sd_bus_message_unref(c->reply);
        g_free(c);
}

static bool is_answered(void *userdata) {
        return ((Call *) userdata)->reply;
}

void call_wait(Call *c) {
        loop_until(is_answered, c);
}

bool call_succeeded(Call *c) {
        return !sd_bus_message_get_error(c->reply);
}

void assert_call_succeeds(Call *c) {
        const sd_bus_error *e;

        call_wait(c);
        e = sd_bus_message_get_error(c->reply);
        if (e)
                g_error("%s: %s", e->name, e->message);
}

const char *assert_call_gives_path(Call *c) {
        const char *path;

        assert_call_succeeds(c);
        g_assert_cmpint(sd_bus_message_rewind(c->reply, true), >=, 0);
        g_assert_cmpint(sd_bus_message_read(c->reply, "o", &path), >, 0);
        return path;
}

void assert_call_fails(Call *c, const char *name, unsigned code) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        call_wait(c);
        if (call_succeeded(c))
                g_error("The call succeeded; %s was expected", name);
        g_assert_cmpint(sd_bus_error_copy(&e, sd_bus_message_get_error(c->reply)), <, 0);
        assert_error(&e, name, code);
}
