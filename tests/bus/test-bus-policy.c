/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bus policy that is shipped: who may be the service, and what reaches it. Whether the bus or the service refused shows in
 * who answers. */

#include "bus-view.h"
#include "change/method.h"
#include "concurrent.h"
#include "introspected.h"

#include <string.h>

#define NODE "iqn.2026-11.org.example:a"
#define BUS_DRIVER "org.freedesktop.DBus"
#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"

static void test_own(void) {
        static const struct {
                const char *user;
                bool allowed;
        } users[] = {
                { "root", true },     { "iscsi-config", true }, { "alice", false },
                { "mallory", false }, { "nobody", false },      { "polkitd", false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
                sd_bus *bus = connect_as(users[i].user);
                sd_bus_error e = SD_BUS_ERROR_NULL;
                sd_bus_message *reply = NULL;
                int r;

                r = sd_bus_call_method(bus, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER, "RequestName", &e, &reply, "su",
                                       BUS_NAME, 0);
                if (users[i].allowed) {
                        uint32_t result;

                        g_assert_cmpint(r, >=, 0);
                        g_assert_cmpint(sd_bus_message_read(reply, "u", &result), >, 0);
                        g_assert_cmpuint(result, ==, 1); /* primary owner */
                } else {
                        g_assert_cmpint(r, <, 0);
                        assert_error(&e, ACCESS_DENIED, 0);
                }

                sd_bus_message_unref(reply);
                sd_bus_flush_close_unref(bus);
        }
}

/* Nobody but the service answers for it, and its name is not taken from it. */
static void test_own_while_it_runs(void) {
        g_autoptr(Service) s = service_new("--target-backend=model", NULL);
        static const char *const users[] = { "root", "iscsi-config" };

        service_start(s);
        for (size_t i = 0; i < G_N_ELEMENTS(users); i++) {
                sd_bus *bus = connect_as(users[i]);

                g_assert_cmpint(sd_bus_request_name(bus, BUS_NAME, SD_BUS_NAME_REPLACE_EXISTING), ==, -EEXIST);
                sd_bus_flush_close_unref(bus);
        }
}

/* Fills in arguments of which none is good for anything. */
static void append_nothing(sd_bus_message *m, const char *signature) {
        for (const char *t = signature; *t; t++)
                switch (*t) {
                case 'o':
                        g_assert_cmpint(sd_bus_message_append(m, "o", "/"), >=, 0);
                        break;
                case 's':
                        g_assert_cmpint(sd_bus_message_append(m, "s", ""), >=, 0);
                        break;
                case 'q':
                        g_assert_cmpint(sd_bus_message_append(m, "q", 0), >=, 0);
                        break;
                case 'v':
                        g_assert_cmpint(sd_bus_message_append(m, "v", "s", ""), >=, 0);
                        break;
                case 'a': {
                        const char *end = t[1] == '{' ? strchr(t, '}') : t[1] == '(' ? strchr(t, ')') : t + 1;
                        g_autofree char *element = g_strndup(t + 1, (gsize) (end - t));

                        g_assert_cmpint(sd_bus_message_open_container(m, 'a', element), >=, 0);
                        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                        t += strlen(element);
                        break;
                }
                default:
                        g_error("There is a new type of argument: %s", signature);
                }
}

/* Calls, and returns who answered. */
static char *who_answers(sd_bus *bus, const char *path, const char *interface, const char *member, const char *signature,
                         sd_bus_error *ret_error) {
        sd_bus_message *m = NULL, *reply = NULL;
        g_autoptr(Call) c = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, path, interface, member), >=, 0);
        append_nothing(m, signature);
        c = call_start(m);
        call_wait(c);
        reply = c->reply;
        if (!call_succeeded(c))
                (void) sd_bus_error_copy(ret_error, sd_bus_message_get_error(reply));
        return g_strdup(sd_bus_message_get_sender(reply));
}

static char *service_unique_name(sd_bus *bus) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *name;
        char *copy;

        g_assert_cmpint(sd_bus_call_method(bus, BUS_DRIVER, "/org/freedesktop/DBus", BUS_DRIVER, "GetNameOwner", &e, &reply, "s",
                                           BUS_NAME),
                        >=, 0);
        g_assert_cmpint(sd_bus_message_read(reply, "s", &name), >, 0);
        copy = g_strdup(name);
        sd_bus_message_unref(reply);
        return copy;
}

typedef struct World {
        Service *service;
        sd_bus *root, *mallory;
        char *unique; /* the service's */
        char *node, *port;
} World;

static void world_open(World *w) {
        const char *portals[] = { LOOPBACK_PORTAL, NULL };

        *w = (World){ .service = service_new("--target-backend=model", NULL) };
        service_start(w->service);
        w->root = caller_new("root");
        w->mallory = caller_new("mallory");
        w->unique = service_unique_name(w->root);
        w->node = create_node(w->root, NODE);
        w->port = create_target_port(w->root, w->node, "", portals);
}

static void world_close(World *w) {
        caller_leave(w->mallory);
        caller_leave(w->root);
        service_free(w->service);
        g_free(w->unique);
        g_free(w->node);
        g_free(w->port);
}

/* Every method of every object reaches the service: one on an interface without its line in the bus policy does not. */
static void test_reachable(void) {
        unsigned n = 0, n_service = 0, n_methods = 0;
        World w;

        world_open(&w);
        {
                const char *paths[] = { ROOT_PATH,    w.node, w.port, LOOPBACK_PORTAL, ROOT_PATH "/ip/_3127_2e0_2e0_2e1",
                                        DEFAULT_GROUP };

                for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
                        g_autoptr(GPtrArray) members = introspect_methods(w.mallory, paths[i]);

                        for (guint k = 0; k < members->len; k++) {
                                const Member *m = members->pdata[k];
                                sd_bus_error e = SD_BUS_ERROR_NULL;
                                g_autofree char *who = who_answers(w.mallory, paths[i], m->interface, m->name, m->signature, &e);

                                if (!g_str_equal(who, w.unique))
                                        g_error("%s.%s does not reach the service: %s answers %s: %s", m->interface, m->name, who,
                                                e.name, e.message);
                                sd_bus_error_free(&e);
                                n++;
                                n_service += g_str_equal(m->interface, SERVICE_INTERFACE);
                        }
                }
        }
        while (methods[n_methods])
                n_methods++;
        g_assert_cmpuint(n_service, ==, n_methods + 3); /* three change nothing */
        g_assert_cmpuint(n, >, n_service + 6 * 4);      /* each object has Introspectable, Peer and Properties */
        world_close(&w);
}

static const char *const our_interfaces[] = {
        "org.iscsi.ConfigurationService", "org.iscsi.Node",        "org.iscsi.ProtocolEndpoint", "org.iscsi.TCPProtocolEndpoint",
        "org.iscsi.IPProtocolEndpoint",   "org.iscsi.PortalGroup",
};

/* A method that an interface of ours does not have is answered by the service: a misspelt name is an unknown method, not a lack
 * of rights. */
static void test_misspelt(void) {
        static const char *const members[] = { "NoSuchMethod", "createiscsinode", "BindiSCSIProtocolEndpoint", "Delete" };
        World w;

        world_open(&w);
        for (size_t i = 0; i < G_N_ELEMENTS(our_interfaces); i++)
                for (size_t k = 0; k < G_N_ELEMENTS(members); k++) {
                        sd_bus *callers[] = { w.mallory, w.root };

                        for (size_t c = 0; c < G_N_ELEMENTS(callers); c++) {
                                sd_bus_error e = SD_BUS_ERROR_NULL;
                                g_autofree char *who =
                                        who_answers(callers[c], ROOT_PATH, our_interfaces[i], members[k], "sa{sv}", &e);

                                g_test_message("%s.%s", our_interfaces[i], members[k]);
                                g_assert_cmpstr(who, ==, w.unique);
                                assert_error(&e, "org.freedesktop.DBus.Error.UnknownMethod", 0);
                        }
                }
        world_close(&w);
}

/* What is not listed does not reach it, not even if it would not understand it. */
static void test_unlisted(void) {
        static const struct {
                const char *interface, *member;
        } calls[] = {
                { "org.freedesktop.LogControl1", "Unknown" },
                { "org.iscsi.ConfigurationService2", "CreateiSCSINode" },
                { "org.iscsi.configurationservice", "CreateiSCSINode" },
                { "org.iscsi.Backend", "CreateNode" },
                { NULL, "CreateiSCSINode" }, /* without an interface, any might be meant */
        };
        World w;

        world_open(&w);
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                g_autofree char *who = who_answers(w.mallory, ROOT_PATH, calls[i].interface, calls[i].member, "sa{sv}", &e);

                g_assert_cmpstr(who, ==, BUS_DRIVER);
                assert_error(&e, ACCESS_DENIED, 0);
        }
        world_close(&w);
}

/* Signals reach everybody who wants them. */
static void test_signals(void) {
        g_autoptr(Signals) signals = NULL;
        g_autofree char *heard = NULL, *node = NULL, *expected = NULL;
        World w;

        world_open(&w);
        signals = signals_new(w.mallory);
        node = create_node(w.root, "iqn.2026-11.org.example:b");
        g_assert_true(object_exists(w.mallory, node)); /* its answer comes behind the signals */
        heard = signals_take(signals);
        expected = g_strdup_printf("InterfacesAdded %s", node);
        g_assert_nonnull(strstr(heard, expected));
        world_close(&w);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/bus-policy/own", test_own);
        g_test_add_func("/bus-policy/own-while-it-runs", test_own_while_it_runs);
        g_test_add_func("/bus-policy/reachable", test_reachable);
        g_test_add_func("/bus-policy/misspelt", test_misspelt);
        g_test_add_func("/bus-policy/unlisted", test_unlisted);
        g_test_add_func("/bus-policy/signals", test_signals);
        return g_test_run();
}
