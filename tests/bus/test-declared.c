/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Addresses that are declared: the host does not have them yet. */

#include "calls.h"
#include "concurrent.h"
#include "fault-base.h"
#include "mirror.h"
#include "polkit-rules.h"
#include "store-check.h"

#include <string.h>

#define ADDRESS "192.0.2.7"
#define PORTAL ADDRESS ":3260"
#define OTHER ADDRESS ":3299"

static const char ip[] = ROOT_PATH "/ip/_3192_2e0_2e2_2e7";
static const char tcp[] = ROOT_PATH "/tcp/_3192_2e0_2e2_2e7_3a3260";
static const char loopback[] = ROOT_PATH "/ip/_3127_2e0_2e0_2e1";
static const char node[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase";
static const char port[] = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3abase/endpoint/000000000009";

/* Addresses of the host are told of by the kernel, a moment later. */
static void wait_property(Base *b, const char *path, const char *interface, const char *property, const char *expected) {
        gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *value = get_property(b->bus, path, interface, property);

                if (g_str_equal(value, expected))
                        return;
                if (g_get_monotonic_time() > end)
                        g_error("%s: %s is %s, not %s", path, property, value, expected);
                g_usleep(5000);
        }
}

static void assert_property(Base *b, const char *path, const char *interface, const char *property, const char *expected) {
        g_autofree char *value = get_property(b->bus, path, interface, property);

        if (!g_str_equal(value, expected))
                g_error("%s: %s is %s, not %s", path, property, value, expected);
}

static void declare(Base *b) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *path = call_for_path(b->bus, &e, "CreateIPProtocolEndpoint", "sa{sv}", ADDRESS, 1, "ElementName", "s",
                                              "service address");

        g_assert_cmpstr(path, ==, ip);
}

static void address_comes(void) {
        run_command("ip", "address", "add", ADDRESS "/32", "dev", "lo", NULL);
}

static void address_goes(void) {
        run_command("ip", "address", "del", ADDRESS "/32", "dev", "lo", NULL);
}

static void assert_waits(Base *b) {
        g_autofree char *text = NULL;

        wait_property(b, ip, IP_INTERFACE, "Present", "false");
        wait_property(b, port, PORT_INTERFACE, "EnabledState", "6");
        assert_property(b, port, PORT_INTERFACE, "OperationalStatus", "[3]");
        assert_property(b, port, PORT_INTERFACE, "ListeningOn", "[]");
        text = get_property(b->bus, port, PORT_INTERFACE, "StatusDescriptions");
        if (!strstr(text, "portal " PORTAL " waits for its address, which is not on this host"))
                g_error("%s", text);
}

static void assert_serves(Base *b) {
        wait_property(b, ip, IP_INTERFACE, "Present", "true");
        wait_property(b, port, PORT_INTERFACE, "EnabledState", "2");
        wait_property(b, port, PORT_INTERFACE, "OperationalStatus", "[2]");
        assert_property(b, port, PORT_INTERFACE, "StatusDescriptions", "[In force]");
        assert_property(b, port, PORT_INTERFACE, "ListeningOn", "[/org/iscsi/ConfigurationService/tcp/_3192_2e0_2e2_2e7_3a3260]");
}

/* Declared, bound ahead, there, away again; and each time the same after a restart. */
static void test_comes_and_goes(void) {
        g_autofree char *memory = NULL;
        g_autoptr(Base) b = base_new();
        g_autoptr(Mirror) mirror = mirror_new(b->bus);

        declare(b);
        assert_signals(mirror, "+ ip/192.0.2.7", "+ tcp/192.0.2.7:3260", "~ portal_group/default -Members",
                       "~ ip/192.0.2.7 -BoundBy");
        assert_property(b, ip, IP_INTERFACE, "Declared", "true");
        assert_property(b, ip, IP_INTERFACE, "Present", "false");
        assert_property(b, ip, IP_INTERFACE, "ElementName", "service address");
        assert_property(b, ip, IP_INTERFACE, "InterfaceName", "");

        must_call(b->bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000009", 1, tcp);
        assert_waits(b);
        memory = fault_memory(b->service);
        g_assert_nonnull(strstr(memory, BASE_NODE " 9 enabled " PORTAL "\n"));
        service_stop(b->service);
        service_start(b->service);
        assert_waits(b);

        address_comes();
        assert_serves(b);
        assert_property(b, ip, IP_INTERFACE, "InterfaceName", "lo");
        service_stop(b->service);
        service_start(b->service);
        assert_serves(b);

        address_goes();
        assert_waits(b);
        assert_property(b, ip, IP_INTERFACE, "ElementName", "service address");
        service_kill(b->service);
        fault_wait_workers_gone(b->service);
        fault_remove_all(b->service);
        service_start(b->service);
        assert_waits(b);
        address_comes();
        assert_serves(b);
        address_goes();
        assert_waits(b);
}

/* The log tells what an address does to a port; the text is that of the last line about it. */
static void wait_logged(Base *b, const char *text) {
        static const char prefix[] = "Port 000000000009 of node " BASE_NODE ": ";
        gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *log = service_read_log(b->service);
                const char *last = g_strrstr(log, prefix);

                if (last && g_str_has_prefix(last + strlen(prefix), text))
                        break;
                if (g_get_monotonic_time() > end)
                        g_error("The log does not tell \"%s\": %s", text, log);
                g_usleep(5000);
        }
}

static void test_logged(void) {
        g_autoptr(Base) b = base_new();

        declare(b);
        must_call(b->bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000009", 1, tcp);
        for (unsigned i = 0; i < 2; i++) {
                address_comes();
                wait_logged(b, "In force");
                address_goes();
                wait_logged(b, "Not in force: portal " PORTAL " waits for its address");
        }
}

/* Deleted: not while it is needed; one that the host has stays as what the host has. */
static void test_deleted(void) {
        g_autofree char *log = NULL;
        g_autoptr(Base) b = base_new();

        declare(b);
        must_call(b->bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000009", 1, tcp);
        must_refuse(b->bus, "EndpointInUse", 4097, "DeleteIPProtocolEndpoint", "o", ip);
        must_call(b->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        must_call(b->bus, "DeleteIPProtocolEndpoint", "o", ip);
        g_assert_false(object_exists(b->bus, ip));
        g_assert_false(object_exists(b->bus, tcp));
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "declared and deleted");
        base_assert_untouched_by_restart(b, "declared and deleted");

        /* It comes while it is declared. */
        declare(b);
        must_call(b->bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000009", 1, tcp);
        address_comes();
        assert_serves(b);
        must_call(b->bus, "DeleteIPProtocolEndpoint", "o", ip);
        assert_property(b, ip, IP_INTERFACE, "Declared", "false");
        assert_property(b, ip, IP_INTERFACE, "ElementName", "");
        assert_serves(b);
        must_refuse(b->bus, "NotSupported", 1, "DeleteIPProtocolEndpoint", "o", ip);

        /* It is declared while it is there. */
        declare(b);
        assert_property(b, ip, IP_INTERFACE, "Declared", "true");
        assert_serves(b);
        address_goes();
        assert_waits(b);
        must_refuse(b->bus, "EndpointInUse", 4097, "DeleteIPProtocolEndpoint", "o", ip);
}

/* Endpoints on other TCP ports. */
static void test_other_endpoint(void) {
        g_autofree char *other = tcp_path(OTHER), *members = NULL;
        g_autoptr(Base) b = base_new();

        declare(b);
        must_call(b->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", ip, 3299, DEFAULT_GROUP, 0);
        must_call(b->bus, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000009", 2, other, tcp);
        must_refuse(b->bus, "EndpointInUse", 4097, "DeleteIPProtocolEndpoint", "o", ip);
        must_call(b->bus, "UnbindiSCSIProtocolEndPoint", "oo", port, tcp);
        must_refuse(b->bus, "EndpointInUse", 4097, "DeleteIPProtocolEndpoint", "o", ip);
        must_call(b->bus, "BindiSCSIProtocolEndPoint", "oo", port, tcp);
        must_call(b->bus, "DeleteiSCSIProtocolEndpoint", "o", port);
        service_stop(b->service);
        service_start(b->service);
        g_assert_true(object_exists(b->bus, other));
        must_call(b->bus, "DeleteTCPProtocolEndpoint", "o", other);
        must_call(b->bus, "DeleteIPProtocolEndpoint", "o", ip);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "other endpoint");
}

static void test_wrong_input(void) {
        static const char *const addresses[] = { "",
                                                 "nonsense",
                                                 "192.0.2.7:3260",
                                                 "192.0.2.007",
                                                 "192.0.2.7/24",
                                                 "0.0.0.0",
                                                 "::",
                                                 "[2001:db8::1]",
                                                 "fe80::1",
                                                 "2001:db8::1%lo",
                                                 "fe80::1%",
                                                 "fe80::1%a/b",
                                                 "::ffff:192.0.2.7",
                                                 "192.0.2.256",
                                                 " 192.0.2.7",
                                                 "224.0.0.1",
                                                 "255.255.255.255",
                                                 "ff02::1%lo" };
        g_autofree char *long_name = g_strnfill(129, 'x');
        g_autoptr(Base) b = base_new();

        for (gsize i = 0; i < G_N_ELEMENTS(addresses); i++) {
                g_test_message("%s", addresses[i]);
                must_refuse(b->bus, "InvalidParameter", 5, "CreateIPProtocolEndpoint", "sa{sv}", addresses[i], 0);
        }
        must_refuse(b->bus, "InvalidParameter", 5, "CreateIPProtocolEndpoint", "sa{sv}", ADDRESS, 1, "ElementName", "s",
                    long_name);
        must_refuse(b->bus, "InvalidParameter", 5, "CreateIPProtocolEndpoint", "sa{sv}", ADDRESS, 1, "ElementName", "s", "a\nb");
        must_refuse(b->bus, "InvalidParameter", 5, "CreateIPProtocolEndpoint", "sa{sv}", ADDRESS, 1, "Name", "s", "x");
        must_refuse(b->bus, "ProtocolEndpointNonExistent", 4096, "DeleteIPProtocolEndpoint", "o", ip);
        must_refuse(b->bus, "ProtocolEndpointNonExistent", 4096, "DeleteIPProtocolEndpoint", "o", node);
        must_refuse(b->bus, "NotSupported", 1, "DeleteIPProtocolEndpoint", "o", loopback);
        base_assert_untouched(b, "wrong input");

        declare(b);
        must_refuse(b->bus, "IPProtocolEndpointExists", 4096, "CreateIPProtocolEndpoint", "sa{sv}", ADDRESS, 0);
}

static void test_link_local(void) {
        g_autofree char *path = NULL, *name = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autoptr(Base) b = base_new();

        path = call_for_path(b->bus, &e, "CreateIPProtocolEndpoint", "sa{sv}", "FE80::0:7%eth7", 0);
        if (!path)
                g_error("%s", e.message);
        name = get_property(b->bus, path, IP_INTERFACE, "Name");
        g_assert_cmpstr(name, ==, "fe80::7%eth7");
        service_stop(b->service);
        service_start(b->service);
        g_assert_true(object_exists(b->bus, path));
        must_call(b->bus, "DeleteIPProtocolEndpoint", "o", path);
}

/* An interface is known by its own name: by others the address would be another one here, and never there. */
static void test_other_names(void) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *path = NULL;
        g_autoptr(Base) b = base_new();

        run_command("ip", "link", "property", "add", "dev", "lo", "altname", "loop0", NULL);
        g_assert_null(call_service(b->bus, &e, "CreateIPProtocolEndpoint", "sa{sv}", "fe80::7%loop0", 0));
        g_assert_nonnull(strstr(e.message, "alternative name of interface lo; declare fe80::7%lo"));
        assert_error(&e, "InvalidParameter", 5);
        g_assert_null(call_service(b->bus, &e, "CreateIPProtocolEndpoint", "sa{sv}", "fe80::7%1", 0));
        g_assert_nonnull(strstr(e.message, "declare fe80::7%lo"));
        assert_error(&e, "InvalidParameter", 5);
        must_refuse(b->bus, "InvalidParameter", 5, "CreateIPProtocolEndpoint", "sa{sv}", "fe80::7%0x1", 0);
        base_assert_untouched(b, "other names");

        /* As it says. */
        path = call_for_path(b->bus, &e, "CreateIPProtocolEndpoint", "sa{sv}", "fe80::7%lo", 0);
        g_assert_nonnull(path);
        run_command("ip", "address", "add", "fe80::7/64", "dev", "lo", "nodad", NULL);
        wait_property(b, path, IP_INTERFACE, "Present", "true");
        run_command("ip", "address", "del", "fe80::7/64", "dev", "lo", NULL);
        run_command("ip", "link", "property", "del", "dev", "lo", "altname", "loop0", NULL);
        must_call(b->bus, "DeleteIPProtocolEndpoint", "o", path);

        /* Nothing is called so now: it may come. */
        must_call(b->bus, "CreateIPProtocolEndpoint", "sa{sv}", "fe80::7%loop0", 0);
        must_call(b->bus, "CreateIPProtocolEndpoint", "sa{sv}", "fe80::7%4711", 0);
}

static void test_authorized(void) {
        g_autofree char *questions = NULL;
        g_autoptr(Base) b = base_new();
        sd_bus *alice = connect_as("alice"), *mallory = connect_as("mallory");
        sd_bus_error e = SD_BUS_ERROR_NULL;

        rules_set("return subject.user === \"alice\" && action.id.endsWith(\".manage-portals\") ? polkit.Result.YES : "
                  "polkit.Result.NO;");
        g_free(rules_take_questions());
        g_assert_null(call_service(mallory, &e, "CreateIPProtocolEndpoint", "sa{sv}", ADDRESS, 0));
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
        must_call(alice, "CreateIPProtocolEndpoint", "sa{sv}", ADDRESS, 0);
        g_assert_null(call_service(mallory, &e, "DeleteIPProtocolEndpoint", "o", ip));
        assert_error(&e, "org.freedesktop.DBus.Error.AccessDenied", 0);
        must_call(alice, "DeleteIPProtocolEndpoint", "o", ip);
        questions = rules_take_questions();
        g_assert_cmpstr(questions, ==,
                        "mallory manage-portals method=CreateIPProtocolEndpoint portals=" ADDRESS
                        "\nalice manage-portals method=CreateIPProtocolEndpoint portals=" ADDRESS
                        "\nmallory manage-portals method=DeleteIPProtocolEndpoint portals=" ADDRESS
                        "\nalice manage-portals method=DeleteIPProtocolEndpoint portals=" ADDRESS "\n");
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "authorized");
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(mallory);
}

/* What another program listens on, or has bound before, on an address that is declared. */
static void test_backend_refuses(void) {
        g_autoptr(Base) b = base_new();

        declare(b);
        fake_set_listeners(b->service->fault, PORTAL " nginx\n");
        must_refuse(b->bus, "AddressInUse", 32768, "CreateiSCSIProtocolEndpoint", "oqsao", node, 3, "000000000009", 1, tcp);
        fake_set_listeners(b->service->fault, "");
        must_call(b->bus, "DeleteIPProtocolEndpoint", "o", ip);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "refused");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/declared/comes-and-goes", test_comes_and_goes);
        g_test_add_func("/declared/logged", test_logged);
        g_test_add_func("/declared/deleted", test_deleted);
        g_test_add_func("/declared/other-endpoint", test_other_endpoint);
        g_test_add_func("/declared/wrong-input", test_wrong_input);
        g_test_add_func("/declared/link-local", test_link_local);
        g_test_add_func("/declared/other-names", test_other_names);
        g_test_add_func("/declared/authorized", test_authorized);
        g_test_add_func("/declared/backend-refuses", test_backend_refuses);
        return g_test_run();
}
