/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Other programs change what is in the kernel while the service runs: it is seen, shown, told in the log, and put right where
 * the policy says so; and what could not be made is tried again. */

#include "calls.h"
#include "fault-base.h"
#include "mirror.h"

#include <signal.h>
#include <string.h>

#define FOREIGN "iqn.2026-11.org.example:foreign"
#define WAIT_USEC (15 * G_USEC_PER_SEC)

static const char foreign[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aforeign";
static const char base[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";

static bool has_value(sd_bus *bus, const char *path, const char *interface, const char *property, const char *part) {
        g_autofree char *value = NULL;

        if (!object_exists(bus, path))
                return false;
        value = get_property(bus, path, interface, property);
        return part[0] == '=' ? g_str_equal(value, part + 1) : strstr(value, part) != NULL;
}

/* PART: "=VALUE", or what must be in it. */
static void wait_value(Base *b, const char *path, const char *interface, const char *property, const char *part) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        while (!has_value(b->bus, path, interface, property, part)) {
                if (g_get_monotonic_time() > end) {
                        g_autofree char *value = get_property(b->bus, path, interface, property);

                        g_error("%s: %s is %s, not %s", path, property, value, part);
                }
                g_usleep(10000);
        }
}

static void wait_exists(Base *b, const char *path, bool exists) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        while (object_exists(b->bus, path) != exists) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
}

static void wait_well(Base *b) {
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        for (;;) {
                g_autofree char *objects = view_objects(b->bus);

                if (g_str_equal(objects, b->objects))
                        break;
                if (g_get_monotonic_time() > end)
                        assert_same_text(b->objects, objects, "it does not heal");
                g_usleep(10000);
        }
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "healed");
}

static void assert_logged(Base *b, const char *text) {
        g_autofree char *log = service_read_log(b->service);

        if (!strstr(log, text))
                g_error("The log does not tell \"%s\": %s", text, log);
}

static Base *base_new_watching(const char *policy) {
        Base *b = base_new();

        service_stop(b->service);
        fault_watch(b->service);
        if (policy)
                service_add_option(b->service, g_strconcat("--drift-policy=", policy, NULL));
        service_start(b->service);
        g_free(signals_take(b->signals));
        fault_log_clear(b->service);
        return b;
}

/* What befalls port 1, and how it is shown. */
static void disable_port(Base *b) {
        fake_enable_port(b->service->fault, BASE_NODE, 1, false);
}

static void remove_portal(Base *b) {
        fault_make_port(b->service, BASE_NODE, 1, true, "127.0.0.1:3260\n");
}

static void empty_port(Base *b) {
        fault_make_port(b->service, BASE_NODE, 1, true, "");
}

static void remove_port(Base *b) {
        fault_remove_port(b->service, BASE_NODE, 1);
}

static void remove_node(Base *b) {
        fake_remove_node(b->service->fault, BASE_NODE);
}

static void add_portal(Base *b) {
        fault_make_port(b->service, BASE_NODE, 1, true, "127.0.0.1:3260\n127.0.0.1:3261\n127.0.0.1:9999\n");
}

static void put_back(Base *b) {
        fault_make_port(b->service, BASE_NODE, 1, true, "127.0.0.1:3260\n127.0.0.1:3261\n");
        if (!strstr(b->memory, FOREIGN)) {
                g_autofree char *memory = fault_memory(b->service);

                if (!strstr(memory, BASE_NODE " 2 "))
                        fault_make_port(b->service, BASE_NODE, 2, true, "127.0.0.1:3262\n");
                if (!strstr(memory, BASE_NODE " 3 "))
                        fault_make_port(b->service, BASE_NODE, 3, true, "127.0.0.1:3263\n");
        }
}

#define FIRST ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3260"
#define SECOND ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3261"

static const struct {
        const char *name;
        void (*befall)(Base *b);
        const char *enabled, *listening, *text;
        bool heals_by_nature; /* enforcing it means nothing */
} drifts[] = {
        { "disabled", disable_port, "=6", "=[]", "it was switched off by another program", false },
        { "portal-removed", remove_portal, "=2", "=[" FIRST "]", "portal 127.0.0.1:3261 was removed by another program", false },
        { "emptied", empty_port, "=6", "=[]", "portal 127.0.0.1:3260 was removed by another program", false },
        { "removed", remove_port, "=6", "=[]", "it was removed by another program", false },
        { "node-removed", remove_node, "=6", "=[]", "it was removed by another program", false },
        { "portal-added", add_portal, "=2", "=[" FIRST " " SECOND "]", "it is also on portal 127.0.0.1:9999", true },
};

/* Shown and left alone, told in the log, and well again when it is put back; seen within a second, by what the service watches.
 * */
static void test_report(gconstpointer data) {
        gsize i = GPOINTER_TO_SIZE(data);
        g_autofree char *port = port_path(BASE_NODE, 1), *memory = NULL, *after = NULL;
        g_autoptr(Base) b = base_new_watching(NULL);
        gint64 begun;

        drifts[i].befall(b);
        memory = fault_memory(b->service);
        begun = g_get_monotonic_time();
        wait_value(b, port, PORT_INTERFACE, "StatusDescriptions", drifts[i].text);
        g_test_message("seen after %u ms", (unsigned) ((g_get_monotonic_time() - begun) / 1000));
        g_assert_cmpint(g_get_monotonic_time() - begun, <, 3 * G_USEC_PER_SEC); /* a second, on a quiet host */
        wait_value(b, port, PORT_INTERFACE, "EnabledState", drifts[i].enabled);
        wait_value(b, port, PORT_INTERFACE, "OperationalStatus", "=[3]");
        wait_value(b, port, PORT_INTERFACE, "ListeningOn", drifts[i].listening);
        wait_value(b, port, PORT_INTERFACE, "RequestedState", "=2");
        wait_value(b, base, NODE_INTERFACE, "OperationalStatus", "=[3]");
        wait_value(b, base, NODE_INTERFACE, "StatusDescriptions", drifts[i].befall == remove_node ? "" : "Port 000000000001: ");
        assert_logged(b, "Port 000000000001 of node " BASE_NODE ": ");
        assert_logged(b, drifts[i].text);
        after = fault_memory(b->service);
        assert_same_text(memory, after, "it was not left alone");
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);

        put_back(b);
        wait_well(b);
        assert_logged(b, "Port 000000000001 of node " BASE_NODE ": In force");
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);
}

/* Put right by itself. */
static void test_enforce(gconstpointer data) {
        gsize i = GPOINTER_TO_SIZE(data);
        g_autoptr(Base) b = base_new_watching("enforce");
        gint64 end = g_get_monotonic_time() + WAIT_USEC;

        drifts[i].befall(b);
        for (;;) {
                g_autofree char *memory = fault_memory(b->service);

                if (g_str_equal(memory, b->memory))
                        break;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
        wait_well(b);
}

/* The node's policy goes before the service's, both ways, and lasts. */
static void test_policy_of_node(void) {
        g_autofree char *port = port_path(BASE_NODE, 1), *policy = NULL, *of_service = NULL;
        g_autoptr(Base) b = base_new_watching("enforce");

        of_service = get_property(b->bus, ROOT_PATH, SERVICE_INTERFACE, "DriftPolicy");
        g_assert_cmpstr(of_service, ==, "enforce");
        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", base, 1, "DriftPolicy", "s", "report");
        service_stop(b->service);
        service_start(b->service);
        policy = get_property(b->bus, base, NODE_INTERFACE, "DriftPolicy");
        g_assert_cmpstr(policy, ==, "report");
        fault_log_clear(b->service);
        remove_port(b);
        wait_value(b, port, PORT_INTERFACE, "EnabledState", "=6");
        g_usleep(300000);
        g_assert_cmpuint(fault_log_count(b->service, "Apply"), ==, 0);

        /* From now on what the service says: what had been left alone is put right. */
        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", base, 1, "DriftPolicy", "s", "default");
        wait_value(b, port, PORT_INTERFACE, "EnabledState", "=2");
        must_refuse(b->bus, "InvalidParameter", 5, "ModifyiSCSINode", "oa{sv}", base, 1, "DriftPolicy", "s", "never");
}

static void test_policy_of_node_enforces(void) {
        g_autofree char *port = port_path(BASE_NODE, 1);
        g_autoptr(Base) b = base_new_watching("report");

        must_call(b->bus, "ModifyiSCSINode", "oa{sv}", base, 1, "DriftPolicy", "s", "enforce");
        fault_log_clear(b->service);
        disable_port(b);
        while (fault_log_count(b->service, "enable-port") == 0)
                g_usleep(10000);
        wait_value(b, port, PORT_INTERFACE, "EnabledState", "=2");
}

/* Without a watch a signal makes the service look, and it does not end. */
static void test_sighup(void) {
        g_autofree char *port = port_path(BASE_NODE, 1);
        g_autoptr(Base) b = base_new();

        disable_port(b);
        g_usleep(200000);
        g_assert_true(has_value(b->bus, port, PORT_INTERFACE, "EnabledState", "=2")); /* nobody has looked */
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_value(b, port, PORT_INTERFACE, "EnabledState", "=6");
        fake_enable_port(b->service->fault, BASE_NODE, 1, true);
        for (unsigned i = 0; i < 20; i++)
                g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        wait_well(b);
}

/* A start switches nothing on that another program has switched off meanwhile. */
static void test_off_over_restart(void) {
        g_autofree char *port = port_path(BASE_NODE, 1);
        g_autoptr(Base) b = base_new();

        service_stop(b->service);
        disable_port(b);
        service_start(b->service);
        g_assert_true(has_value(b->bus, port, PORT_INTERFACE, "EnabledState", "=6"));
        must_call(b->bus, "RequestStateChange", "oq", port, 2); /* somebody asks for it: then it is */
        g_assert_true(has_value(b->bus, port, PORT_INTERFACE, "EnabledState", "=2"));
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "switched on");
}

/* What other programs have comes and goes. */
static void test_foreign(void) {
        g_autofree char *first = port_path(FOREIGN, 1), *second = port_path(FOREIGN, 2), *inside = port_path(BASE_NODE, 9);
        g_autoptr(Base) b = base_new_watching(NULL);

        fault_make_port(b->service, FOREIGN, 1, true, "127.0.0.1:7000\n");
        wait_exists(b, first, true);
        wait_value(b, first, PORT_INTERFACE, "Managed", "=false");
        wait_value(b, first, PORT_INTERFACE, "EnabledState", "=2");
        must_refuse(b->bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", FOREIGN);
        fault_make_port(b->service, FOREIGN, 2, false, "127.0.0.1:7001\n");
        wait_exists(b, second, true);
        wait_value(b, second, PORT_INTERFACE, "EnabledState", "=3");
        fake_enable_port(b->service->fault, FOREIGN, 2, true);
        wait_value(b, second, PORT_INTERFACE, "EnabledState", "=2");
        fault_make_port(b->service, FOREIGN, 2, true, "127.0.0.1:7001\n127.0.0.1:7002\n");
        wait_value(b, second, PORT_INTERFACE, "BindsTo", "7002");
        fault_remove_port(b->service, FOREIGN, 2);
        wait_exists(b, second, false);
        fake_remove_node(b->service->fault, FOREIGN);
        wait_exists(b, foreign, false);
        must_call(b->bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", FOREIGN); /* its name is free */
        must_call(b->bus, "DeleteiSCSINode", "o", foreign);

        fault_make_port(b->service, BASE_NODE, 9, true, "127.0.0.1:7009\n");
        wait_exists(b, inside, true);
        wait_value(b, inside, PORT_INTERFACE, "Managed", "=false");
        fault_remove_port(b->service, BASE_NODE, 9);
        wait_exists(b, inside, false);
        wait_well(b);
}

/* One portal cannot be made: the other listens, the first is tried again by itself. */
static void test_partly(void) {
        g_autofree char *port = port_path(BASE_NODE, 1);
        g_autoptr(Base) b = base_new();

        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_remove_all(b->service);
        fake_set_listeners(b->service->fault, "127.0.0.1:3261 nginx\n");
        service_start(b->service);
        wait_value(b, port, PORT_INTERFACE, "EnabledState", "=2");
        wait_value(b, port, PORT_INTERFACE, "OperationalStatus", "=[3]");
        wait_value(b, port, PORT_INTERFACE, "ListeningOn", "=[" FIRST "]");
        wait_value(b, port, PORT_INTERFACE, "StatusDescriptions", "127.0.0.1:3261");

        fake_set_listeners(b->service->fault, "");
        wait_well(b);
}

/* The backend is busy at the start, for a while. */
static void test_busy(void) {
        g_autofree char *port = port_path(BASE_NODE, 1);
        g_autoptr(Base) b = base_new();

        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_remove_all(b->service);
        fault_plan(b->service, "ListNodes slow 0\nObserve slow 0\n* fail Busy targetcli-is-open\n");
        service_start(b->service);
        wait_value(b, port, PORT_INTERFACE, "EnabledState", "=6");
        wait_value(b, port, PORT_INTERFACE, "StatusDescriptions", "targetcli-is-open");
        fault_plan(b->service, "%s", "");
        wait_well(b);
}

/* A look that fails does not say that what is in force is not. */
static void test_not_seen(gconstpointer data) {
        g_autofree char *port = port_path(BASE_NODE, 1);
        g_autoptr(Base) b = base_new();

        service_stop(b->service);
        fault_plan(b->service, "%s\n", (const char *) data);
        service_start(b->service);
        wait_value(b, port, PORT_INTERFACE, "EnabledState", "=0");
        wait_value(b, port, PORT_INTERFACE, "OperationalStatus", "=[0]");
        wait_value(b, port, PORT_INTERFACE, "StatusDescriptions", "Not known: ");
        fault_plan(b->service, "%s", "");
        wait_well(b);
}

/* A portal that lost its socket is made again, at a look. */
static void test_deaf(void) {
        g_autoptr(Base) b = base_new();

        fault_make_port(b->service, BASE_NODE, 1, true, "127.0.0.1:3260 deaf\n127.0.0.1:3261\n");
        g_assert_cmpint(kill(b->service->pid, SIGHUP), ==, 0);
        while (fault_log_count(b->service, "bind-portal") == 0)
                g_usleep(10000);
        wait_well(b);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(drifts); i++) {
                g_autofree char *report = g_strconcat("/drift/report/", drifts[i].name, NULL);
                g_autofree char *enforce = g_strconcat("/drift/enforce/", drifts[i].name, NULL);

                g_test_add_data_func(report, GSIZE_TO_POINTER(i), test_report);
                if (!drifts[i].heals_by_nature)
                        g_test_add_data_func(enforce, GSIZE_TO_POINTER(i), test_enforce);
        }
        g_test_add_func("/drift/policy-of-node", test_policy_of_node);
        g_test_add_func("/drift/policy-of-node-enforces", test_policy_of_node_enforces);
        g_test_add_func("/drift/sighup", test_sighup);
        g_test_add_func("/drift/off-over-restart", test_off_over_restart);
        g_test_add_func("/drift/foreign", test_foreign);
        g_test_add_func("/drift/partly", test_partly);
        g_test_add_func("/drift/busy", test_busy);
        g_test_add_data_func("/drift/not-seen/list", "ListNodes crash-before", test_not_seen);
        g_test_add_data_func("/drift/not-seen/observe", "Observe fail Busy targetcli", test_not_seen);
        g_test_add_func("/drift/deaf", test_deaf);
        return g_test_run();
}
