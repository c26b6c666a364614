/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The addresses of the host as objects: they come and go with ip(8) in the network namespace of this test, and what stands on
 * them stays where it is needed. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "mirror.h"

#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3adisk"
#define OTHER_NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aother"
#define NODE "node/iqn.2026-11.org.example:disk"
#define PORT NODE "/endpoint/000000000001"
#define PORT_PATH NODE_PATH "/endpoint/000000000001"
#define INITIATOR NODE "/endpoint/800000000001"
#define INITIATOR_PATH NODE_PATH "/endpoint/800000000001"

#define ADDRESS "192.0.2.10/24"
#define IP "ip/192.0.2.10"
#define IP_PATH ROOT_PATH "/ip/_3192_2e0_2e2_2e10"
#define TCP "tcp/192.0.2.10:3260"
#define TCP_PATH ROOT_PATH "/tcp/_3192_2e0_2e2_2e10_3a3260"
#define MADE "tcp/192.0.2.10:3261"
#define MADE_PATH ROOT_PATH "/tcp/_3192_2e0_2e2_2e10_3a3261"
#define DEFAULT "portal_group/default"

/* What is told of a port when some of its portals go or come back, or all of them; and of its node. */
#define PARTLY " OperationalStatus StatusDescriptions ListeningOn"
#define ALL " EnabledState OperationalStatus StatusDescriptions ListeningOn"
#define SUM " OperationalStatus StatusDescriptions"
#define SUM_ALL " EnabledState OperationalStatus StatusDescriptions"

typedef struct Fixture {
        Service *service;
        sd_bus *bus;
        Mirror *mirror;
} Fixture;

static void connect_fixture(Fixture *f) {
        f->bus = connect_as("root");
        f->mirror = mirror_new(f->bus);
}

static void disconnect_fixture(Fixture *f) {
        mirror_free(f->mirror);
        sd_bus_flush_close_unref(f->bus);
}

/* Two interfaces without addresses, and a service. */
static void set_up(Fixture *f, gconstpointer data) {
        run_command("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", NULL);
        for (const char *const *v = (const char *const[]){ "v0", "v1", NULL }; *v; v++) {
                run_command("ip", "link", "set", *v, "addrgenmode", "none", NULL);
                run_command("ip", "link", "set", *v, "up", NULL);
        }
        f->service = service_new("--target-backend=model", "--initiator-backend=model", NULL);
        service_start(f->service);
        connect_fixture(f);
}

static void tear_down(Fixture *f, gconstpointer data) {
        disconnect_fixture(f);
        service_free(f->service);
        run_command("ip", "link", "del", "v0", NULL);
}

static bool has_signals(void *mirror) {
        return mirror_has_signals(mirror);
}

/* Does it, and all that is told of it are these lines. */
#define expect(f, ...)                                      \
        (process_until((f)->bus, has_signals, (f)->mirror), \
         assert_signals_at(G_STRLOC, (f)->mirror, (const char *const[]){ __VA_ARGS__, NULL }))

static void address(const char *verb, const char *text, const char *interface) {
        if (strchr(text, ':') && !g_str_equal(verb, "del"))
                run_command("ip", "address", verb, text, "dev", interface, "nodad", NULL);
        else
                run_command("ip", "address", verb, text, "dev", interface, NULL);
}

static void add_address(Fixture *f) {
        address("add", ADDRESS, "v0");
        expect(f, "+ " IP, "+ " TCP, "~ " DEFAULT " -Members", "~ " IP " -BoundBy");
}

static void forget_signals(Fixture *f) {
        g_autofree char *signals = mirror_take(f->mirror);

        g_assert_cmpstr(signals, !=, "");
}

static void make_nodes(Fixture *f) {
        must_call(f->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", "iqn.2026-11.org.example:disk", "Roles", "aq", 2, 2,
                  3);
        must_call(f->bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "iqn.2026-11.org.example:other");
        forget_signals(f);
}

static void assert_property(Fixture *f, const char *path, const char *interface, const char *property, const char *expected) {
        g_autofree char *value = get_property(f->bus, path, interface, property);

        if (!g_str_equal(value, expected))
                g_error("%s %s is \"%s\", not \"%s\"", path, property, value, expected);
}

/* Pairs of property and value. */
static void assert_ip(Fixture *f, const char *path, const char *const *pairs) {
        for (; *pairs; pairs += 2)
                assert_property(f, path, IP_INTERFACE, pairs[0], pairs[1]);
}
#define assert_address(f, path, ...) assert_ip((f), ROOT_PATH "/ip/" path, (const char *const[]){ __VA_ARGS__, NULL })

static void test_ipv4(Fixture *f, gconstpointer data) {
        add_address(f);
        assert_address(f, "_3192_2e0_2e2_2e10", "Name", "192.0.2.10", "IPv4Address", "192.0.2.10", "IPv6Address", "",
                       "SubnetMask", "255.255.255.0", "PrefixLength", "24", "ProtocolIFType", "4096", "AddressOrigin", "3",
                       "IPv6AddressType", "0", "IPv6SubnetPrefixLength", "0", "InterfaceName", "v0", "BoundBy", "[" TCP_PATH "]");
        assert_property(f, TCP_PATH, TCP_INTERFACE, "Name", "192.0.2.10:3260");
        assert_property(f, TCP_PATH, TCP_INTERFACE, "PortNumber", "3260");
        assert_property(f, TCP_PATH, TCP_INTERFACE, "Automatic", "true");
        assert_property(f, TCP_PATH, TCP_INTERFACE, "BindsTo", "[" IP_PATH "]");
        assert_property(f, TCP_PATH, TCP_INTERFACE, "BoundBy", "[]");
        assert_property(f, TCP_PATH, TCP_INTERFACE, "MemberOfCollection", "[" DEFAULT_GROUP "]");

        /* Leased. */
        run_command("ip", "address", "change", ADDRESS, "dev", "v0", "valid_lft", "9000", "preferred_lft", "9000", NULL);
        expect(f, "~ " IP " AddressOrigin");
        assert_address(f, "_3192_2e0_2e2_2e10", "AddressOrigin", "4");

        /* The longest prefix counts. */
        address("add", "192.0.2.10/30", "v0");
        expect(f, "~ " IP " SubnetMask PrefixLength AddressOrigin");
        assert_address(f, "_3192_2e0_2e2_2e10", "SubnetMask", "255.255.255.252", "PrefixLength", "30", "AddressOrigin", "3");
        address("del", "192.0.2.10/30", "v0");
        expect(f, "~ " IP " SubnetMask PrefixLength AddressOrigin");

        /* An address that another interface has too is one object still. */
        address("add", "192.0.2.10/24", "v1");
        address("del", ADDRESS, "v0");
        expect(f, "~ " IP " AddressOrigin InterfaceName");
        assert_address(f, "_3192_2e0_2e2_2e10", "InterfaceName", "v1");

        address("del", "192.0.2.10/24", "v1");
        expect(f, "- " IP, "~ " TCP " BindsTo", "- " TCP, "~ " DEFAULT " -Members");

        address("add", "169.254.7.7/16", "v0");
        expect(f, "+ ip/169.254.7.7", "+ tcp/169.254.7.7:3260", "~ " DEFAULT " -Members", "~ ip/169.254.7.7 -BoundBy");
        assert_address(f, "_3169_2e254_2e7_2e7", "AddressOrigin", "6", "SubnetMask", "255.255.0.0");
        address("add", "198.51.100.1/32", "v0");
        expect(f, "+ ip/198.51.100.1", "+ tcp/198.51.100.1:3260", "~ " DEFAULT " -Members", "~ ip/198.51.100.1 -BoundBy");
        assert_address(f, "_3198_2e51_2e100_2e1", "PrefixLength", "32", "SubnetMask", "255.255.255.255");
}

static void test_ipv6(Fixture *f, gconstpointer data) {
        address("add", "2001:db8::0:1/64", "v0");
        expect(f, "+ ip/2001:db8::1", "+ tcp/[2001:db8::1]:3260", "~ " DEFAULT " -Members", "~ ip/2001:db8::1 -BoundBy");
        assert_address(f, "_32001_3adb8_3a_3a1", "Name", "2001:db8::1", "IPv4Address", "", "IPv6Address", "2001:db8::1",
                       "SubnetMask", "", "PrefixLength", "64", "ProtocolIFType", "4097", "AddressOrigin", "3", "IPv6AddressType",
                       "6", "IPv6SubnetPrefixLength", "64", "InterfaceName", "v0");
        run_command("ip", "address", "change", "2001:db8::1/64", "dev", "v0", "valid_lft", "9000", "preferred_lft", "9000", NULL);
        expect(f, "~ ip/2001:db8::1 AddressOrigin");
        assert_address(f, "_32001_3adb8_3a_3a1", "AddressOrigin", "9");
        address("del", "2001:db8::1/64", "v0");
        expect(f, "- ip/2001:db8::1", "~ tcp/[2001:db8::1]:3260 BindsTo", "- tcp/[2001:db8::1]:3260", "~ " DEFAULT " -Members");

        address("add", "fec0::1/10", "v0");
        expect(f, "+ ip/fec0::1", "+ tcp/[fec0::1]:3260", "~ " DEFAULT " -Members", "~ ip/fec0::1 -BoundBy");
        assert_address(f, "fec0_3a_3a1", "IPv6AddressType", "8", "PrefixLength", "10");
        assert_address(f, "_3a_3a1", "IPv6AddressType", "3", "PrefixLength", "128", "InterfaceName", "lo");
}

/* The same link-local address on two interfaces is two. */
static void test_link_local(Fixture *f, gconstpointer data) {
        for (const char *const *v = (const char *const[]){ "v0", "v1", NULL }; *v; v++) {
                g_autofree char *ip = g_strdup_printf("+ ip/fe80::1%%%s", *v),
                                *tcp = g_strdup_printf("+ tcp/[fe80::1%%%s]:3260", *v),
                                *bound = g_strdup_printf("~ ip/fe80::1%%%s -BoundBy", *v);

                address("add", "fe80::1/64", *v);
                expect(f, ip, tcp, "~ " DEFAULT " -Members", bound);
        }
        assert_address(f, "fe80_3a_3a1_25v0", "Name", "fe80::1%v0", "IPv6Address", "fe80::1%v0", "AddressOrigin", "10",
                       "IPv6AddressType", "5", "InterfaceName", "v0", "PrefixLength", "64");
        assert_address(f, "fe80_3a_3a1_25v1", "InterfaceName", "v1");

        /* On one TCP port the kernel would mistake one for the other. */
        make_nodes(f);
        must_call(f->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/fe80_3a_3a1_25v1", 3261, DEFAULT_GROUP, 0);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2,
                  ROOT_PATH "/tcp/_5bfe80_3a_3a1_25v0_5d_3a3260", ROOT_PATH "/tcp/_5bfe80_3a_3a1_25v1_5d_3a3261");
        forget_signals(f);

        address("del", "fe80::1/64", "v0");
        expect(f, "- ip/fe80::1%v0", "~ tcp/[fe80::1%v0]:3260 BindsTo", "~ " PORT PARTLY, "~ " NODE SUM);
        assert_property(f, PORT_PATH, PORT_INTERFACE, "StatusDescriptions",
                        "[Partly in force: portal [fe80::1%v0]:3260 waits for its address, which is not on this host]");
        assert_property(f, ROOT_PATH "/tcp/_5bfe80_3a_3a1_25v1_5d_3a3260", TCP_INTERFACE, "BindsTo",
                        "[" ROOT_PATH "/ip/fe80_3a_3a1_25v1]");
}

static void test_wildcard(Fixture *f, gconstpointer data) {
        const char v6only[] = "/proc/sys/net/ipv6/bindv6only";
        int fd;

        assert_address(f, "_3a_3a", "Name", "::", "IPv4Address", "0.0.0.0", "IPv6Address", "::", "SubnetMask", "0.0.0.0",
                       "PrefixLength", "0", "ProtocolIFType", "4098", "AddressOrigin", "0", "IPv6AddressType", "2",
                       "IPv6SubnetPrefixLength", "0", "InterfaceName", "", "BoundBy", "[" ROOT_PATH "/tcp/_5b_3a_3a_5d_3a3260]");
        g_assert_false(object_exists(f->bus, ROOT_PATH "/ip/_30_2e0_2e0_2e0"));

        /* Where IPv6 sockets take IPv6 connections alone it is the IPv4 one. */
        fd = open(v6only, O_WRONLY | O_CLOEXEC);
        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, "1", 1), ==, 1);
        disconnect_fixture(f);
        service_stop(f->service);
        service_start(f->service);
        connect_fixture(f);
        assert_address(f, "_30_2e0_2e0_2e0", "Name", "0.0.0.0", "IPv4Address", "0.0.0.0", "IPv6Address", "", "SubnetMask",
                       "0.0.0.0", "ProtocolIFType", "4096", "IPv6AddressType", "0", "InterfaceName", "");
        g_assert_false(object_exists(f->bus, ROOT_PATH "/ip/_3a_3a"));
        g_assert_cmpint(pwrite(fd, "0", 1, 0), ==, 1);
        g_assert_cmpint(close(fd), ==, 0);
}

/* An endpoint made by method and bound by a port. */
static void test_made_by_method(Fixture *f, gconstpointer data) {
        g_autofree char *before = NULL, *after = NULL;

        add_address(f);
        make_nodes(f);
        must_call(f->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3261, DEFAULT_GROUP, 0);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2, MADE_PATH, LOOPBACK_PORTAL);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", OTHER_NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        forget_signals(f);
        before = managed_objects_text(f->bus);

        address("del", ADDRESS, "v0");
        expect(f, "- " IP, "~ " MADE " BindsTo", "~ " PORT PARTLY, "~ " NODE SUM, "~ " TCP " BindsTo", "- " TCP,
               "~ " DEFAULT " -Members");
        assert_property(f, MADE_PATH, TCP_INTERFACE, "BindsTo", "[]");
        assert_property(f, MADE_PATH, TCP_INTERFACE, "BoundBy", "[" PORT_PATH "]");
        assert_property(f, MADE_PATH, TCP_INTERFACE, "MemberOfCollection", "[" DEFAULT_GROUP "]");
        assert_property(f, MADE_PATH, TCP_INTERFACE, "Automatic", "false");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "BindsTo", "[" MADE_PATH " " LOOPBACK_PORTAL "]");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "EnabledState", "2");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "OperationalStatus", "[3]");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "ListeningOn", "[" LOOPBACK_PORTAL "]");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "StatusDescriptions",
                        "[Partly in force: portal 192.0.2.10:3261 waits for its address, which is not on this host]");

        must_refuse(f->bus, "TCPProtocolEndpointNotBound", 4101, "CreateiSCSIProtocolEndpoint", "oqsao", OTHER_NODE_PATH, 3, "",
                    1, MADE_PATH);
        must_refuse(f->bus, "TCPProtocolEndpointNotBound", 4097, "BindiSCSIProtocolEndPoint", "oo",
                    OTHER_NODE_PATH "/endpoint/000000000001", MADE_PATH);
        must_refuse(f->bus, "ProtocolEndpointNonExistent", 4096, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3262,
                    DEFAULT_GROUP, 0);

        address("add", ADDRESS, "v0");
        expect(f, "+ " IP, "~ " MADE " BindsTo", "~ " PORT PARTLY, "~ " NODE SUM, "+ " TCP, "~ " DEFAULT " -Members",
               "~ " IP " -BoundBy");
        after = managed_objects_text(f->bus);
        g_assert_cmpstr(before, ==, after);

        must_call(f->bus, "BindiSCSIProtocolEndPoint", "oo", OTHER_NODE_PATH "/endpoint/000000000001", MADE_PATH);
}

/* One that nobody uses stays as well, and goes by method alone. */
static void test_made_and_unused(Fixture *f, gconstpointer data) {
        add_address(f);
        must_call(f->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3261, DEFAULT_GROUP, 0);
        forget_signals(f);
        address("del", ADDRESS, "v0");
        expect(f, "- " IP, "~ " MADE " BindsTo", "~ " TCP " BindsTo", "- " TCP, "~ " DEFAULT " -Members");
        must_call(f->bus, "DeleteTCPProtocolEndpoint", "o", MADE_PATH);
        expect(f, "- " MADE, "~ " DEFAULT " -Members");
        add_address(f);
}

/* An automatic endpoint lives as long as a port or a group of callers has it. */
static void test_automatic(Fixture *f, gconstpointer data) {
        g_autofree char *before = NULL, *after = NULL;

        add_address(f);
        make_nodes(f);
        must_call(f->bus, "CreatePortalGroup", "sa{sv}", "storage", 0);
        must_call(f->bus, "AddToPortalGroup", "oo", ROOT_PATH "/portal_group/1", TCP_PATH);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, TCP_PATH);
        forget_signals(f);
        before = managed_objects_text(f->bus);

        address("del", ADDRESS, "v0");
        expect(f, "- " IP, "~ " TCP " BindsTo", "~ " PORT ALL, "~ " NODE SUM_ALL);
        assert_property(f, TCP_PATH, TCP_INTERFACE, "Automatic", "true");
        assert_property(f, TCP_PATH, TCP_INTERFACE, "BindsTo", "[]");
        must_refuse(f->bus, "TCPProtocolEndpointNotBound", 4101, "CreateiSCSIProtocolEndpoint", "oqsao", OTHER_NODE_PATH, 3, "",
                    1, TCP_PATH);
        address("add", ADDRESS, "v0");
        expect(f, "+ " IP, "~ " TCP " BindsTo", "~ " PORT ALL, "~ " NODE SUM_ALL);
        after = managed_objects_text(f->bus);
        g_assert_cmpstr(before, ==, after);

        address("del", ADDRESS, "v0");
        expect(f, "- " IP, "~ " TCP " BindsTo", "~ " PORT ALL, "~ " NODE SUM_ALL);
        must_call(f->bus, "DeleteiSCSIProtocolEndpoint", "o", PORT_PATH);
        expect(f, "- " PORT, "~ " NODE SUM_ALL " -ProtocolEndpoints", "~ " TCP " -BoundBy");
        must_call(f->bus, "RemoveFromPortalGroup", "oo", ROOT_PATH "/portal_group/1", TCP_PATH);
        expect(f, "~ " TCP " MemberOfCollection", "~ portal_group/1 -Members", "- " TCP, "~ " DEFAULT " -Members");

        /* Without a group the port's going is its end. */
        add_address(f);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2, LOOPBACK_PORTAL, TCP_PATH);
        forget_signals(f);
        address("del", ADDRESS, "v0");
        expect(f, "- " IP, "~ " TCP " BindsTo", "~ " PORT PARTLY, "~ " NODE SUM);
        must_call(f->bus, "UnbindiSCSIProtocolEndPoint", "oo", PORT_PATH, TCP_PATH);
        expect(f, "~ " PORT " BindsTo OperationalStatus StatusDescriptions", "~ " NODE SUM, "- " TCP, "~ " DEFAULT " -Members");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "StatusDescriptions", "[In force]");
}

/* A port with several portals on the address hears of it once. */
static void test_several_portals(Fixture *f, gconstpointer data) {
        add_address(f);
        make_nodes(f);
        must_call(f->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3261, DEFAULT_GROUP, 0);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 3, LOOPBACK_PORTAL, TCP_PATH, MADE_PATH);
        forget_signals(f);

        address("del", ADDRESS, "v0");
        expect(f, "- " IP, "~ " MADE " BindsTo", "~ " PORT PARTLY, "~ " NODE SUM, "~ " TCP " BindsTo");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "StatusDescriptions",
                        "[Partly in force: portal 192.0.2.10:3260 waits for its address, which is not on this host; portal "
                        "192.0.2.10:3261 "
                        "waits for its address, which is not on this host]");
        address("add", ADDRESS, "v0");
        expect(f, "+ " IP, "~ " MADE " BindsTo", "~ " PORT PARTLY, "~ " NODE SUM, "~ " TCP " BindsTo");
        assert_property(f, PORT_PATH, PORT_INTERFACE, "StatusDescriptions", "[In force]");
}

/* An initiator port stands on the address itself. */
static void test_initiator(Fixture *f, gconstpointer data) {
        g_autofree char *before = NULL, *after = NULL;

        add_address(f);
        make_nodes(f);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 2, IP_PATH,
                  ROOT_PATH "/ip/_3127_2e0_2e0_2e1");
        forget_signals(f);
        before = managed_objects_text(f->bus);

        address("del", ADDRESS, "v0");
        expect(f, "- " IP, "~ " TCP " BindsTo", "~ " INITIATOR " BindsTo OperationalStatus StatusDescriptions", "~ " NODE SUM,
               "- " TCP, "~ " DEFAULT " -Members");
        assert_property(f, INITIATOR_PATH, PORT_INTERFACE, "BindsTo", "[" ROOT_PATH "/ip/_3127_2e0_2e0_2e1]");
        assert_property(f, INITIATOR_PATH, PORT_INTERFACE, "StatusDescriptions",
                        "[Partly in force: portal 192.0.2.10 waits for its address, which is not on this host]");
        must_refuse(f->bus, "ProtocolEndpointNonExistent", 4100, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1,
                    IP_PATH);

        address("add", ADDRESS, "v0");
        expect(f, "+ " IP, "~ " INITIATOR " BindsTo OperationalStatus StatusDescriptions", "~ " NODE SUM, "+ " TCP,
               "~ " DEFAULT " -Members", "~ " IP " -BoundBy");
        after = managed_objects_text(f->bus);
        g_assert_cmpstr(before, ==, after);
}

static void restart(Fixture *f) {
        disconnect_fixture(f);
        service_stop(f->service);
        service_start(f->service);
        connect_fixture(f);
}

/* The service starts while the address is away. */
static void test_restart(Fixture *f, gconstpointer data) {
        g_autofree char *with = NULL, *without = NULL, *after = NULL, *again = NULL;

        add_address(f);
        make_nodes(f);
        must_call(f->bus, "CreatePortalGroup", "sa{sv}", "storage", 0);
        must_call(f->bus, "AddToPortalGroup", "oo", ROOT_PATH "/portal_group/1", TCP_PATH);
        must_call(f->bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3261, DEFAULT_GROUP, 0);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2, TCP_PATH, MADE_PATH);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, IP_PATH);
        forget_signals(f);
        with = managed_objects_text(f->bus);

        address("del", ADDRESS, "v0");
        process_until(f->bus, has_signals, f->mirror);
        forget_signals(f);
        without = managed_objects_text(f->bus);
        g_assert_cmpstr(with, !=, without);

        restart(f);
        after = managed_objects_text(f->bus);
        g_assert_cmpstr(without, ==, after);

        address("add", ADDRESS, "v0");
        expect(f, "+ " IP, "~ " TCP " BindsTo", "~ " PORT ALL, "~ " NODE " StatusDescriptions", "~ " MADE " BindsTo",
               "~ " INITIATOR " BindsTo EnabledState OperationalStatus StatusDescriptions", "~ " NODE SUM_ALL);
        again = managed_objects_text(f->bus);
        g_assert_cmpstr(with, ==, again);
}

static bool last_one_is_there(void *userdata) {
        Fixture *f = userdata;

        return object_exists(f->bus, ROOT_PATH "/tcp/_310_2e7_2e1_2e200_3a3260");
}

/* Many at once, as when an interface comes up. */
static void test_many(Fixture *f, gconstpointer data) {
        g_autofree char *batch = g_build_filename(f->service->directory, "batch", NULL), *before = NULL, *after = NULL,
                        *signals = NULL;
        g_autoptr(GString) commands = g_string_new(NULL);

        before = managed_objects_text(f->bus);
        for (unsigned i = 1; i <= 200; i++)
                g_string_append_printf(commands, "address add 10.7.1.%u/32 dev v0\n", i);
        g_assert_true(g_file_set_contents(batch, commands->str, -1, NULL));
        run_command("ip", "-batch", batch, NULL);
        process_until(f->bus, last_one_is_there, f);
        signals = mirror_take(f->mirror);
        g_assert_nonnull(strstr(signals, "+ ip/10.7.1.123\n"));

        run_command("ip", "address", "flush", "dev", "v0", NULL);
        for (int i = 0; i < 1000 && object_exists(f->bus, ROOT_PATH "/ip/_310_2e7_2e1_2e200"); i++)
                g_usleep(10000);
        forget_signals(f);
        after = managed_objects_text(f->bus);
        g_assert_cmpstr(before, ==, after);
}

int main(int argc, char *argv[]) {
        static const struct {
                const char *name;
                void (*function)(Fixture *f, gconstpointer data);
        } tests[] = {
                { "/addresses/ipv4", test_ipv4 },
                { "/addresses/ipv6", test_ipv6 },
                { "/addresses/link-local", test_link_local },
                { "/addresses/wildcard", test_wildcard },
                { "/addresses/made-by-method", test_made_by_method },
                { "/addresses/made-and-unused", test_made_and_unused },
                { "/addresses/automatic", test_automatic },
                { "/addresses/several-portals", test_several_portals },
                { "/addresses/initiator", test_initiator },
                { "/addresses/restart", test_restart },
                { "/addresses/many", test_many },
        };

        g_test_init(&argc, &argv, NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
                g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].function, tear_down);
        return g_test_run();
}
