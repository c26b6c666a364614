/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The backend hangs in all that it is asked, at once: each call ends at its deadline, none waits for another, and the service
 * goes on. */

#include "fault-base.h"

#include <string.h>

#define CALLS 8
#define SESSIONS_CALL 5
#define DEADLINE_USEC (1 * G_USEC_PER_SEC)

typedef struct Call {
        const char *node;
        const char *member;
        unsigned n_ports; /* that the node has before */
        sd_bus_message *reply;
} Call;

/* As many as the service has workers at once, each on a node of its own. A removal that ran into its deadline is done by the
 * next worker. */
static const Call calls[CALLS] = {
        { "iqn.2026-11.org.example:h1", "CreateiSCSIProtocolEndpoint", 0 },
        { "iqn.2026-11.org.example:h2", "DeleteiSCSIProtocolEndpoint", 1 },
        { "iqn.2026-11.org.example:h3", "BindiSCSIProtocolEndPoint", 1 },
        { "iqn.2026-11.org.example:h4", "UnbindiSCSIProtocolEndPoint", 1 },
        { "iqn.2026-11.org.example:h5", "CreateiSCSINode", 0 },
        { "iqn.2026-11.org.example:h6", "DeleteiSCSINode", 1 },
        { "iqn.2026-11.org.example:h7", "DeleteiSCSINode", 1 },
        { "iqn.2026-11.org.example:h8", "DeleteiSCSINode", 0 },
};

static void build_node(Base *b, const Call *c) {
        g_autofree char *node = NULL, *first = tcp_path("127.0.0.1:3260"), *second = tcp_path("127.0.0.1:3261");
        const char *const portals[] = { first, second, NULL };

        if (g_str_equal(c->member, "CreateiSCSINode"))
                return;
        node = create_node(b->bus, c->node);
        if (c->n_ports > 0)
                g_free(create_target_port(b->bus, node, "", portals));
}

static bool removes(const Call *c) {
        return g_str_has_prefix(c->member, "Delete") || g_str_has_prefix(c->member, "Unbind");
}

/* The removals were done; what they removed is made again. */
static void restore_removed(Base *b) {
        for (gsize i = 0; i < CALLS; i++) {
                g_autofree char *node = node_path(calls[i].node), *port = port_path(calls[i].node, 1), *first = NULL,
                                *second = NULL;
                const char *portals[] = { first = tcp_path("127.0.0.1:3260"), second = tcp_path("127.0.0.1:3261"), NULL };
                sd_bus_error e = SD_BUS_ERROR_NULL;

                if (g_str_equal(calls[i].member, "DeleteiSCSINode"))
                        build_node(b, calls + i);
                else if (g_str_equal(calls[i].member, "DeleteiSCSIProtocolEndpoint"))
                        g_free(create_target_port(b->bus, node, "", portals));
                else if (g_str_equal(calls[i].member, "UnbindiSCSIProtocolEndPoint")) {
                        sd_bus_message_unref(call_service(b->bus, &e, "BindiSCSIProtocolEndPoint", "oo", port, second));
                        g_assert_false(sd_bus_error_is_set(&e));
                }
        }
        g_free(signals_take(b->signals));
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Call *c = userdata;

        c->reply = sd_bus_message_ref(m);
        return 0;
}

static void begin(Base *b, Call *c) {
        g_autofree char *node = node_path(c->node), *port = port_path(c->node, 1), *second = tcp_path("127.0.0.1:3261");
        g_autofree char *third = tcp_path("127.0.0.1:3262");
        sd_bus_message *m = NULL;
        int r;

        g_assert_cmpint(sd_bus_message_new_method_call(b->bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, c->member), >=, 0);
        if (g_str_equal(c->member, "CreateiSCSIProtocolEndpoint"))
                r = sd_bus_message_append(m, "oqsao", node, 3, "", 1, third);
        else if (g_str_equal(c->member, "DeleteiSCSIProtocolEndpoint"))
                r = sd_bus_message_append(m, "o", port);
        else if (g_str_equal(c->member, "BindiSCSIProtocolEndPoint"))
                r = sd_bus_message_append(m, "oo", port, third);
        else if (g_str_equal(c->member, "UnbindiSCSIProtocolEndPoint"))
                r = sd_bus_message_append(m, "oo", port, second);
        else if (g_str_equal(c->member, "CreateiSCSINode"))
                r = sd_bus_message_append(m, "sa{sv}", "", 1, "Name", "s", c->node);
        else
                r = sd_bus_message_append(m, "o", node);
        g_assert_cmpint(r, >=, 0);
        g_assert_cmpint(sd_bus_call_async(b->bus, NULL, m, on_reply, c, 60 * G_USEC_PER_SEC), >=, 0);
        sd_bus_message_unref(m);
}

static bool all_replied(void *userdata) {
        const Call *c = userdata;

        for (gsize i = 0; i < CALLS; i++)
                if (!c[i].reply)
                        return false;
        return true;
}

static unsigned count_log_lines(Base *b) {
        g_autofree char *log = fault_log(b->service);
        g_auto(GStrv) lines = g_strsplit(log, "\n", 0);

        return g_strv_length(lines) - 1;
}

/* All CALLS workers hang: two of them in their second call. */
static void hang_all(Base *b, const char *hang, Call *c) {
        static const char *const verbs[] = { "create-port",   "delete-port", "delete-port",    "bind-portal",
                                             "unbind-portal", "create-node", "check-sessions", "delete-node" };
        g_autoptr(GString) plan = g_string_new(NULL);
        gint64 begun, end;

        for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
                g_string_append_printf(plan, "once %s %s\n", verbs[i], hang);
        fault_plan(b->service, "%s", plan->str);
        fault_log_clear(b->service);

        /* The node that is to hang at the look for sessions goes first, so that the other two get past it. */
        memcpy(c, calls, sizeof(calls));
        begin(b, c + SESSIONS_CALL);
        g_assert_cmpint(sd_bus_flush(b->bus), >=, 0);
        fault_wait_call(b->service, "check-sessions");
        for (gsize i = 0; i < CALLS; i++)
                if (i != SESSIONS_CALL)
                        begin(b, c + i);
        g_assert_cmpint(sd_bus_flush(b->bus), >=, 0);

        /* Meanwhile the service answers as ever. */
        end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
        while (count_log_lines(b) < CALLS + 2) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(1000);
        }
        begun = g_get_monotonic_time();
        g_free(view_objects(b->bus));
        g_assert_cmpint(g_get_monotonic_time() - begun, <, DEADLINE_USEC * 9 / 10);

        process_until(b->bus, all_replied, c);
}

static void test_all(gconstpointer data) {
        static const char *const verbs[CALLS] = { "create-port", "delete-port",    "bind-portal", "unbind-portal",
                                                  "create-node", "check-sessions", "delete-port", "delete-node" };
        g_autoptr(Base) b = base_new_hasty();
        gint64 begun;
        Call c[CALLS];

        for (gsize i = 0; i < CALLS; i++)
                build_node(b, calls + i);
        g_free(signals_take(b->signals));
        g_free(b->objects);
        g_free(b->memory);
        b->objects = view_objects(b->bus);
        b->memory = fault_memory(b->service);

        begun = g_get_monotonic_time();
        hang_all(b, data, c);
        g_assert_cmpint(g_get_monotonic_time() - begun, >=, DEADLINE_USEC * 9 / 10);
        g_assert_cmpint(g_get_monotonic_time() - begun, <, DEADLINE_USEC * 6); /* one after the other would be eight */

        for (gsize i = 0; i < CALLS; i++) {
                const sd_bus_error *e = sd_bus_message_get_error(c[i].reply);

                if (removes(c + i)) {
                        if (e)
                                g_error("%s: %s", c[i].member, e->message);
                        sd_bus_message_unref(c[i].reply);
                        continue;
                }
                if (!e)
                        g_error("%s succeeded", c[i].member);
                g_assert_cmpstr(e->name, ==, ERROR_PREFIX "Timeout");
                g_assert_true(g_str_has_suffix(e->message, " (3)"));
                g_assert_nonnull(strstr(e->message, verbs[i]));
                g_assert_nonnull(strstr(e->message, "within 1 s"));
                sd_bus_message_unref(c[i].reply);
        }

        restore_removed(b);
        base_assert_untouched(b, data);
        base_assert_untouched_by_restart(b, data);
        base_assert_works(b, &operation_create_port);
        base_assert_works(b, &operation_delete_node);
}

/* More calls than workers: the one over waits, and goes on when the others have run into their deadline. */
static void test_more_calls_than_workers(void) {
        g_autofree char *port = port_path(BASE_NODE, 1), *tcp = tcp_path("127.0.0.1:3264");
        g_autoptr(Base) b = base_new_hasty();
        sd_bus *other = connect_as("root");
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autoptr(GString) plan = g_string_new(NULL);
        Call c[CALLS];

        for (gsize i = 0; i < CALLS; i++) {
                build_node(b, calls + i);
                g_string_append(plan, "once * hang\n");
        }
        fault_plan(b->service, "%s", plan->str);
        fault_log_clear(b->service);

        memcpy(c, calls, sizeof(calls));
        for (gsize i = 0; i < CALLS; i++)
                begin(b, c + i);
        g_assert_cmpint(sd_bus_flush(b->bus), >=, 0);
        while (count_log_lines(b) < CALLS)
                g_usleep(1000);

        sd_bus_message_unref(call_service(other, &e, "BindiSCSIProtocolEndPoint", "oo", port, tcp));
        g_assert_false(sd_bus_error_is_set(&e));
        sd_bus_flush_close_unref(other);

        process_until(b->bus, all_replied, c);
        for (gsize i = 0; i < CALLS; i++) {
                if (removes(c + i))
                        g_assert_false(sd_bus_message_is_method_error(c[i].reply, NULL));
                else
                        g_assert_true(sd_bus_message_is_method_error(c[i].reply, ERROR_PREFIX "Timeout"));
                sd_bus_message_unref(c[i].reply);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_data_func("/backend-hangs/before", "hang", test_all);
        g_test_add_data_func("/backend-hangs/half", "hang-half", test_all);
        g_test_add_data_func("/backend-hangs/after", "hang-after", test_all);
        g_test_add_func("/backend-hangs/more-calls-than-workers", test_more_calls_than_workers);
        return g_test_run();
}
