/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Each return code of each method, over the bus: the name of the error and the number at the end of its message. What is noted as
 * seen is in the end held against the rows of service/change/methods/ and the table of service/common/refusal.c. */

#include <string.h>

#include "bus-view.h"
#include "calls.h"
#include "fault-control.h"
#include "mirror.h"
#include "change/method.h"

#define NODE_NAME "iqn.2026-11.org.example:disk"
#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3adisk"
#define TARGET_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3atarget" /* in the role of a target alone */
#define PORT_PATH NODE_PATH "/endpoint/000000000001"
#define INITIATOR_PATH NODE_PATH "/endpoint/00023D000001"
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define WILDCARD ROOT_PATH "/ip/_3a_3a"
#define OTHER_PORTAL ROOT_PATH "/tcp/_5b_3a_3a1_5d_3a3260"    /* [::1]:3260 */
#define PORTAL_3261 ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3261" /* in group 1 alone */
#define PORTAL_3262 ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3262" /* in no group */
#define ABSENT_IP ROOT_PATH "/ip/_3192_2e0_2e2_2e10"
#define ABSENT_PORTAL ROOT_PATH "/tcp/_3192_2e0_2e2_2e10_3a3260" /* of an address that has left */
#define GROUP_1 ROOT_PATH "/portal_group/1"
#define NOWHERE ROOT_PATH "/nowhere"

#define METHODS_MAX 64u

static bool seen[METHODS_MAX][_REFUSAL_MAX]; /* by the place in methods[] */

static void note(const char *member, const char *error) {
        g_autofree char *name = g_strconcat(ERROR_PREFIX, error, NULL);

        for (gsize i = 0; methods[i]; i++)
                if (g_str_equal(methods[i]->name, member)) {
                        g_assert_cmpuint(i, <, METHODS_MAX);
                        seen[i][refusal_from_error_name(name)] = true;
                        return;
                }
        g_error("No method is called %s", member);
}

/* Error and number are written out here, and not taken from the tables that they check. */
#define refused(bus, error, code, member, ...) \
        (note((member), (error)), must_refuse((bus), (error), (code), (member), __VA_ARGS__))
#define refuse_port(bus, error, code, node, role, identifier, ...) \
        refused(bus, error, code, "CreateiSCSIProtocolEndpoint", "oqsao", node, role, identifier, __VA_ARGS__)

/* A batch whose second item is refused, and the first with it. */
#define refuse_item(bus, error, code, node, role, identifier, ...)                                                              \
        refused(bus, error, code, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, TARGET_PATH, 3, "", 1, PORTAL_3261, node, \
                role, identifier, __VA_ARGS__, 0)

/* Nodes, ports, portals and groups in all the states that the codes speak of. */
static Service *start(sd_bus **ret, const char *initiator_backend) {
        g_autofree char *option = g_strconcat("--initiator-backend=", initiator_backend, NULL);
        Service *s = service_new("--target-backend=model", option, NULL);
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        if (g_str_equal(initiator_backend, "none"))
                must_call(bus, "CreateiSCSINode", "sa{sv}", "disks", 1, "Name", "s", NODE_NAME);
        else
                must_call(bus, "CreateiSCSINode", "sa{sv}", "disks", 2, "Name", "s", NODE_NAME, "Roles", "aq", 2, 2, 3);
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "iqn.2026-11.org.example:target");
        must_call(bus, "CreatePortalGroup", "sa{sv}", "storage", 0);
        must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 3261, GROUP_1, 0);
        must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 3262, DEFAULT_GROUP, 0);
        must_call(bus, "RemoveFromPortalGroup", "oo", DEFAULT_GROUP, PORTAL_3262);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", TARGET_PATH, 3, "", 1, OTHER_PORTAL);

        *ret = bus;
        return s;
}

/* An endpoint on an address that has left the host. */
static void lose_address(sd_bus *bus) {
        run_command("ip", "address", "add", "192.0.2.10/24", "dev", "lo", NULL);
        for (int i = 0; i < 1000 && !object_exists(bus, ABSENT_PORTAL); i++)
                g_usleep(10000);
        must_call(bus, "AddToPortalGroup", "oo", GROUP_1, ABSENT_PORTAL);
        run_command("ip", "address", "del", "192.0.2.10/24", "dev", "lo", NULL);
        for (int i = 0; i < 1000 && object_exists(bus, ABSENT_IP); i++)
                g_usleep(10000);
        g_assert_true(object_exists(bus, ABSENT_PORTAL));
}

static void test_create_port(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "model");
        lose_address(bus);

        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 0, "", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 4, "", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 65535, "", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "", 0);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "", 2, OTHER_PORTAL, OTHER_PORTAL);

        refuse_port(bus, "SCSIProtocolControllerNonExistent", 4096, NOWHERE, 3, "", 1, OTHER_PORTAL);
        refuse_port(bus, "SCSIProtocolControllerNonExistent", 4096, PORT_PATH, 3, "", 1, OTHER_PORTAL);
        refuse_port(bus, "RoleNotSupported", 4097, TARGET_PATH, 2, "", 1, LOOPBACK);

        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "1", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "0000000000001", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "00000000000G", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "0x0000000001", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, " 00000000001", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "000000010000", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 2, "C00000000000", 1, LOOPBACK);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 2, "410000000000", 1, LOOPBACK);
        refuse_port(bus, "IdentifierInUse", 4098, NODE_PATH, 3, "000000000001", 1, OTHER_PORTAL);
        refuse_port(bus, "IdentifierInUse", 4098, NODE_PATH, 2, "000000000001", 1, LOOPBACK); /* whatever the role */
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "00023d000001", 1, LOOPBACK);
        refuse_port(bus, "IdentifierInUse", 4098, NODE_PATH, 2, "00023D000001", 1, LOOPBACK); /* whatever the case */

        refuse_port(bus, "ProtocolEndpointNonExistent", 4100, NODE_PATH, 3, "", 2, OTHER_PORTAL, NOWHERE);
        refuse_port(bus, "ProtocolEndpointNonExistent", 4100, NODE_PATH, 2, "", 2, LOOPBACK, ABSENT_IP);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "", 1, LOOPBACK);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "", 2, OTHER_PORTAL, NODE_PATH);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 2, "", 1, OTHER_PORTAL);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 2, "", 2, LOOPBACK, WILDCARD);
        refuse_port(bus, "TCPProtocolEndpointNotBound", 4101, NODE_PATH, 3, "", 2, PORTAL_3261, ABSENT_PORTAL);
        refuse_port(bus, "TCPProtocolEndpointInUse", 4102, NODE_PATH, 3, "", 2, OTHER_PORTAL, LOOPBACK_PORTAL);
        refuse_port(bus, "NotFromSameCollection", 4103, NODE_PATH, 3, "", 2, OTHER_PORTAL, PORTAL_3261);
        refuse_port(bus, "NotFromSameCollection", 4103, NODE_PATH, 3, "", 1, PORTAL_3262);

        /* What the others were refused for is all that was wrong with them. */
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, OTHER_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "00000000ffff", 1, PORTAL_3261);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        sd_bus_flush_close_unref(bus);
}

/* Where several things are wrong the documented order says which is told. */
static void test_order(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "none");
        lose_address(bus);
        refuse_port(bus, "NotSupported", 1, NOWHERE, 2, "x", 0);
        refuse_port(bus, "InvalidParameter", 5, NOWHERE, 9, "x", 1, NOWHERE);
        refuse_port(bus, "InvalidParameter", 5, NOWHERE, 3, "x", 2, NOWHERE, NOWHERE);
        refuse_port(bus, "SCSIProtocolControllerNonExistent", 4096, NOWHERE, 3, "x", 1, NOWHERE);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "x", 1, NOWHERE);
        refuse_port(bus, "IdentifierInUse", 4098, NODE_PATH, 3, "000000000001", 1, NOWHERE);
        refuse_port(bus, "ProtocolEndpointNonExistent", 4100, NODE_PATH, 3, "", 4, LOOPBACK, ABSENT_PORTAL, LOOPBACK_PORTAL,
                    NOWHERE);
        refuse_port(bus, "InvalidParameter", 5, NODE_PATH, 3, "", 3, ABSENT_PORTAL, LOOPBACK_PORTAL, LOOPBACK);
        refuse_port(bus, "TCPProtocolEndpointNotBound", 4101, NODE_PATH, 3, "", 3, LOOPBACK_PORTAL, PORTAL_3261, ABSENT_PORTAL);
        refuse_port(bus, "TCPProtocolEndpointInUse", 4102, NODE_PATH, 3, "", 2, PORTAL_3261, LOOPBACK_PORTAL);
        sd_bus_flush_close_unref(bus);
}

/* Each item of a batch is refused for what a port alone is, and the items among each other. */
static void test_create_ports(void) {
        g_autoptr(Service) s = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        s = start(&bus, "model-fixed");
        lose_address(bus);

        refused(bus, "InvalidParameter", 5, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 0, 0);
        refuse_item(bus, "InvalidParameter", 5, NODE_PATH, 4, "", 1, OTHER_PORTAL);
        refuse_item(bus, "SCSIProtocolControllerNonExistent", 4096, NOWHERE, 3, "", 1, OTHER_PORTAL);
        refuse_item(bus, "RoleNotSupported", 4097, TARGET_PATH, 2, "", 1, LOOPBACK);
        refuse_item(bus, "IdentifierInUse", 4098, NODE_PATH, 3, "000000000001", 1, OTHER_PORTAL);
        refuse_item(bus, "IdentifierSelectionNotSupported", 4099, NODE_PATH, 2, "00023D000001", 1, LOOPBACK);
        refuse_item(bus, "ProtocolEndpointNonExistent", 4100, NODE_PATH, 3, "", 1, NOWHERE);
        refuse_item(bus, "TCPProtocolEndpointNotBound", 4101, NODE_PATH, 3, "", 1, ABSENT_PORTAL);
        refuse_item(bus, "TCPProtocolEndpointInUse", 4102, NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        refuse_item(bus, "NotFromSameCollection", 4103, NODE_PATH, 3, "", 1, PORTAL_3262);

        /* The first has taken it. */
        refuse_item(bus, "TCPProtocolEndpointInUse", 4102, TARGET_PATH, 3, "", 1, PORTAL_3261);
        refuse_item(bus, "IdentifierInUse", 4098, TARGET_PATH, 3, "000000000002", 1, LOOPBACK_PORTAL);

        g_assert_null(call_service(bus, &e, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, TARGET_PATH, 3, "", 1,
                                   PORTAL_3261, NOWHERE, 3, "", 1, OTHER_PORTAL, 0));
        g_assert_true(g_str_has_prefix(e.message, "Item 2: "));
        sd_bus_error_free(&e);
        g_assert_false(object_exists(bus, TARGET_PATH "/endpoint/000000000002"));
        must_call(bus, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, TARGET_PATH, 3, "", 1, PORTAL_3261, NODE_PATH, 3, "",
                  1, OTHER_PORTAL, 0);
        sd_bus_flush_close_unref(bus);
}

static void test_delete_port(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "none");
        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpoint", "o", NOWHERE);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH "/endpoint");
        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpointForced", "o", NOWHERE);
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", PORT_PATH);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpoint", "o", PORT_PATH);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteiSCSIProtocolEndpointForced", "o", PORT_PATH);
        sd_bus_flush_close_unref(bus);
}

static void test_bind(void) {
        const char *bind = "BindiSCSIProtocolEndPoint", *unbind = "UnbindiSCSIProtocolEndPoint";
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "model");
        lose_address(bus);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "000000000002", 1, OTHER_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "00023D000001", 1, LOOPBACK);

        refused(bus, "ProtocolEndpointNonExistent", 4096, bind, "oo", NOWHERE, NOWHERE);
        refused(bus, "ProtocolEndpointNonExistent", 4096, bind, "oo", NODE_PATH, LOOPBACK_PORTAL);
        refused(bus, "ProtocolEndpointNonExistent", 4096, bind, "oo", PORT_PATH, NOWHERE);
        refused(bus, "InvalidParameter", 5, bind, "oo", PORT_PATH, LOOPBACK);
        refused(bus, "InvalidParameter", 5, bind, "oo", PORT_PATH, NODE_PATH);
        refused(bus, "InvalidParameter", 5, bind, "oo", INITIATOR_PATH, LOOPBACK_PORTAL);
        refused(bus, "InvalidParameter", 5, bind, "oo", INITIATOR_PATH, WILDCARD);
        refused(bus, "InvalidParameter", 5, bind, "oo", PORT_PATH, LOOPBACK_PORTAL);
        refused(bus, "TCPProtocolEndpointNotBound", 4097, bind, "oo", PORT_PATH, ABSENT_PORTAL);
        refused(bus, "TCPProtocolEndpointInUse", 4098, bind, "oo", PORT_PATH, OTHER_PORTAL);
        refused(bus, "NotFromSameCollection", 4099, bind, "oo", PORT_PATH, PORTAL_3261);
        refused(bus, "NotFromSameCollection", 4099, bind, "oo", PORT_PATH, PORTAL_3262);

        refused(bus, "ProtocolEndpointNonExistent", 4096, unbind, "oo", NOWHERE, LOOPBACK_PORTAL);
        refused(bus, "ProtocolEndpointNonExistent", 4096, unbind, "oo", PORT_PATH, NOWHERE);
        refused(bus, "InvalidParameter", 5, unbind, "oo", PORT_PATH, OTHER_PORTAL);
        refused(bus, "InvalidParameter", 5, unbind, "oo", PORT_PATH, NODE_PATH);
        refused(bus, "LastPortal", 32778, unbind, "oo", PORT_PATH, LOOPBACK_PORTAL);
        refused(bus, "LastPortal", 32778, unbind, "oo", INITIATOR_PATH, LOOPBACK);

        must_call(bus, "AddToPortalGroup", "oo", DEFAULT_GROUP, PORTAL_3261);
        must_call(bus, bind, "oo", PORT_PATH, PORTAL_3261);
        must_call(bus, unbind, "oo", PORT_PATH, LOOPBACK_PORTAL);
        sd_bus_flush_close_unref(bus);
}

static void test_nodes(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "none");
        refused(bus, "AliasInUse", 4097, "CreateiSCSINode", "sa{sv}", "disks", 0);
        refused(bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_NAME);
        refused(bus, "NotSupported", 1, "CreateiSCSINode", "sa{sv}", "", 1, "Roles", "aq", 1, 2);
        refused(bus, "NotSupported", 1, "CreateiSCSINode", "sa{sv}", "", 1, "Roles", "aq", 2, 3, 2);
        refused(bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "");
        refused(bus, "InvalidParameter", 5, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "disk");
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "DeleteiSCSINode", "o", NOWHERE);
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "DeleteiSCSINode", "o", PORT_PATH);
        must_call(bus, "CreateiSCSINode", "sa{sv}", "Disks", 0); /* aliases are compared as they are */
        must_call(bus, "DeleteiSCSINode", "o", NODE_PATH);
        must_call(bus, "CreateiSCSINode", "sa{sv}", "disks", 1, "Name", "s", NODE_NAME);
        sd_bus_flush_close_unref(bus);
}

static void test_modify(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "none");
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "ModifyiSCSINode", "oa{sv}", NOWHERE, 0);
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "ModifyiSCSINode", "oa{sv}", PORT_PATH, 1, "Alias", "s", "x");
        refused(bus, "AliasInUse", 4097, "ModifyiSCSINode", "oa{sv}", TARGET_PATH, 1, "Alias", "s", "disks");
        refused(bus, "InvalidParameter", 5, "ModifyiSCSINode", "oa{sv}", TARGET_PATH, 1, "DriftPolicy", "s", "maybe");
        refused(bus, "InvalidParameter", 5, "ModifyiSCSINode", "oa{sv}", TARGET_PATH, 1, "Alias", "s", "a\tb");
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "DeleteiSCSINodeForced", "o", NOWHERE);
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "AdoptiSCSINode", "o", NOWHERE);
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "ReleaseiSCSINode", "o", PORT_PATH);
        refused(bus, "SCSIProtocolControllerNonExistent", 4096, "Reconcile", "o", LOOPBACK);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "RequestStateChange", "oq", NODE_PATH, 3);
        refused(bus, "InvalidParameter", 5, "RequestStateChange", "oq", PORT_PATH, 4);

        must_call(bus, "ModifyiSCSINode", "oa{sv}", TARGET_PATH, 2, "Alias", "s", "other", "DriftPolicy", "s", "enforce");
        must_call(bus, "ModifyiSCSINode", "oa{sv}", NODE_PATH, 1, "Alias", "s", "disks"); /* its own */
        must_call(bus, "RequestStateChange", "oq", PORT_PATH, 3);
        must_call(bus, "RequestStateChange", "oq", PORT_PATH, 3);
        must_call(bus, "RequestStateChange", "oq", PORT_PATH, 2);
        must_call(bus, "Reconcile", "o", PORT_PATH);
        must_call(bus, "ReleaseiSCSINode", "o", TARGET_PATH);
        must_call(bus, "AdoptiSCSINode", "o", TARGET_PATH);
        must_call(bus, "DeleteiSCSINodeForced", "o", TARGET_PATH);
        sd_bus_flush_close_unref(bus);
}

static void test_declared_addresses(void) {
        const char *declare = "CreateIPProtocolEndpoint", *retract = "DeleteIPProtocolEndpoint";
        g_autofree char *portal = tcp_path("192.0.2.20:3260");
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "none");
        refused(bus, "InvalidParameter", 5, declare, "sa{sv}", "", 0);
        refused(bus, "InvalidParameter", 5, declare, "sa{sv}", "192.0.2.20:3260", 0);
        refused(bus, "InvalidParameter", 5, declare, "sa{sv}", "0.0.0.0", 0);
        must_call(bus, declare, "sa{sv}", "192.0.2.20", 1, "ElementName", "s", "service");
        refused(bus, "IPProtocolEndpointExists", 4096, declare, "sa{sv}", "192.0.2.20", 0);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "000000000009", 1, portal);

        refused(bus, "ProtocolEndpointNonExistent", 4096, retract, "o", ROOT_PATH "/ip/_3192_2e0_2e2_2e21");
        refused(bus, "ProtocolEndpointNonExistent", 4096, retract, "o", LOOPBACK_PORTAL);
        refused(bus, "NotSupported", 1, retract, "o", LOOPBACK);
        refused(bus, "EndpointInUse", 4097, retract, "o", ROOT_PATH "/ip/_3192_2e0_2e2_2e20");
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH "/endpoint/000000000009");
        must_call(bus, retract, "o", ROOT_PATH "/ip/_3192_2e0_2e2_2e20");
        sd_bus_flush_close_unref(bus);
}

static void test_portals_and_groups(void) {
        static const uint16_t bad_ports[] = { 0, 1, 80, 859, 861, 1023 }, good_ports[] = { 860, 1024, 65535 };
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "none");
        for (gsize i = 0; i < G_N_ELEMENTS(bad_ports); i++)
                refused(bus, "InvalidParameter", 5, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, bad_ports[i],
                        DEFAULT_GROUP, 0);
        for (gsize i = 0; i < G_N_ELEMENTS(good_ports); i++)
                must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, good_ports[i], DEFAULT_GROUP, 0);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "CreateTCPProtocolEndpoint", "oqoa{sv}", NOWHERE, 4000, DEFAULT_GROUP,
                0);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK_PORTAL, 4000,
                DEFAULT_GROUP, 0);
        refused(bus, "PortalGroupNonExistent", 4097, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 4000, NOWHERE, 0);
        refused(bus, "PortalGroupNonExistent", 4097, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 4000, LOOPBACK, 0);
        refused(bus, "TCPProtocolEndpointExists", 4098, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 3260, DEFAULT_GROUP,
                0);
        refused(bus, "TCPProtocolEndpointExists", 4098, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 3261, DEFAULT_GROUP,
                0);

        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteTCPProtocolEndpoint", "o", NOWHERE);
        refused(bus, "ProtocolEndpointNonExistent", 4096, "DeleteTCPProtocolEndpoint", "o", LOOPBACK);
        refused(bus, "NotSupported", 1, "DeleteTCPProtocolEndpoint", "o", OTHER_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, PORTAL_3261);
        refused(bus, "EndpointInUse", 4097, "DeleteTCPProtocolEndpoint", "o", PORTAL_3261);

        refused(bus, "InvalidParameter", 5, "CreatePortalGroup", "sa{sv}", "", 0);
        refused(bus, "PortalGroupNonExistent", 4096, "DeletePortalGroup", "o", NOWHERE);
        refused(bus, "PortalGroupNonExistent", 4096, "DeletePortalGroup", "o", LOOPBACK_PORTAL);
        refused(bus, "NotSupported", 1, "DeletePortalGroup", "o", DEFAULT_GROUP);
        refused(bus, "PortalGroupNotEmpty", 4097, "DeletePortalGroup", "o", GROUP_1);

        refused(bus, "PortalGroupNonExistent", 4096, "AddToPortalGroup", "oo", NOWHERE, NOWHERE);
        refused(bus, "ProtocolEndpointNonExistent", 4097, "AddToPortalGroup", "oo", GROUP_1, NOWHERE);
        refused(bus, "ProtocolEndpointNonExistent", 4097, "AddToPortalGroup", "oo", GROUP_1, LOOPBACK);
        refused(bus, "InvalidParameter", 5, "AddToPortalGroup", "oo", GROUP_1, PORTAL_3261);

        refused(bus, "PortalGroupNonExistent", 4096, "RemoveFromPortalGroup", "oo", NOWHERE, NOWHERE);
        refused(bus, "ProtocolEndpointNonExistent", 4097, "RemoveFromPortalGroup", "oo", GROUP_1, NOWHERE);
        refused(bus, "InvalidParameter", 5, "RemoveFromPortalGroup", "oo", GROUP_1, OTHER_PORTAL);
        refused(bus, "NotSupported", 1, "RemoveFromPortalGroup", "oo", DEFAULT_GROUP, OTHER_PORTAL);
        refused(bus, "EndpointInUse", 4098, "RemoveFromPortalGroup", "oo", GROUP_1, PORTAL_3261);
        sd_bus_flush_close_unref(bus);
}

/* The backend of initiator ports chooses their Identifiers. */
static void test_identifier_selection(void) {
        g_autofree char *roles = NULL, *port = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *bus;

        s = start(&bus, "model-fixed");
        roles = get_property(bus, ROOT_PATH, SERVICE_INTERFACE, "IdentifierSelectionRoles");
        g_assert_cmpstr(roles, ==, "[3]");
        refuse_port(bus, "IdentifierSelectionNotSupported", 4099, NODE_PATH, 2, "00023D000001", 1, LOOPBACK);
        refuse_port(bus, "IdentifierSelectionNotSupported", 4099, NODE_PATH, 2, "x", 1, NOWHERE);
        port = call_for_path(bus, &e, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        g_assert_cmpstr(port, ==, NODE_PATH "/endpoint/800000000001");
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "00000000000A", 1, OTHER_PORTAL);
        sd_bus_flush_close_unref(bus);
}

static void set_backends(Service *s, const char *target, const char *initiator) {
        g_free(s->options[0]);
        s->options[0] = g_strconcat("--target-backend=", target, NULL);
        g_free(s->options[1]);
        s->options[1] = g_strconcat("--initiator-backend=", initiator, NULL);
}

/* What there was stays to be read without a backend, and what needs one says so. */
static void test_no_backend(void) {
        g_autofree char *supported = NULL, *status = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus, "model");
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "00023D000001", 1, LOOPBACK);
        service_stop(s);
        set_backends(s, "none", "none");
        service_start(s);

        supported = get_property(bus, ROOT_PATH, SERVICE_INTERFACE, "iSCSIProtocolEndpointCreationSupported");
        g_assert_cmpstr(supported, ==, "false");
        status = get_property(bus, PORT_PATH, PORT_INTERFACE, "OperationalStatus");
        g_assert_cmpstr(status, ==, "[0]"); /* unknown */

        refuse_port(bus, "NotSupported", 1, NODE_PATH, 3, "", 1, OTHER_PORTAL);
        refuse_port(bus, "NotSupported", 1, NODE_PATH, 2, "", 1, LOOPBACK);
        refuse_port(bus, "NotSupported", 1, NOWHERE, 9, "", 0);
        refused(bus, "NotSupported", 1, "BindiSCSIProtocolEndPoint", "oo", PORT_PATH, OTHER_PORTAL);
        refused(bus, "NotSupported", 1, "BindiSCSIProtocolEndPoint", "oo", INITIATOR_PATH, ROOT_PATH "/ip/_3a_3a1");
        refused(bus, "NodeCreationNotSupported", 4096, "CreateiSCSINode", "sa{sv}", "", 0);
        refused(bus, "BackendUnavailable", 32773, "DeleteiSCSIProtocolEndpoint", "o", PORT_PATH);
        refused(bus, "BackendUnavailable", 32773, "DeleteiSCSINode", "o", NODE_PATH);

        /* One backend is enough for nodes. */
        service_stop(s);
        set_backends(s, "none", "model");
        service_start(s);
        refused(bus, "NotSupported", 1, "CreateiSCSINode", "sa{sv}", "", 0);
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 1, "Roles", "aq", 1, 2);
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", INITIATOR_PATH);
        sd_bus_flush_close_unref(bus);
}

/* Sessions, and what another program made: only a backend knows of them. */
static void test_backend_knows(void) {
        g_autoptr(Service) s = service_new("--initiator-backend=none", NULL);
        const char *foreign = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aforeign";
        const char *foreign_port = ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aforeign/endpoint/000000000005";
        sd_bus *bus;

        service_use_fault_backend(s);
        fault_make_port(s, "iqn.2026-11.org.example:foreign", 5, true, "127.0.0.1:3260\n");
        service_start(s);
        bus = connect_as("root");
        must_call(bus, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_NAME);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        fault_set_sessions(s, NODE_NAME, 1, true);
        refused(bus, "SessionsActive", 32779, "DeleteiSCSIProtocolEndpoint", "o", PORT_PATH);
        refused(bus, "SessionsActive", 4097, "DeleteiSCSINode", "o", NODE_PATH);
        refused(bus, "SessionsActive", 32779, "RequestStateChange", "oq", PORT_PATH, 3);
        fault_set_sessions(s, NODE_NAME, 1, false);

        /* A port that is being deleted cannot be switched, only deleted once more. */
        fault_plan(s, "delete-port crash-before\n");
        refused(bus, "Degraded", 32774, "DeleteiSCSIProtocolEndpoint", "o", PORT_PATH);
        refused(bus, "InvalidStateTransition", 4097, "RequestStateChange", "oq", PORT_PATH, 3);
        fault_plan(s, "%s", "");
        must_call(bus, "DeleteiSCSINode", "o", NODE_PATH);

        refuse_port(bus, "NotManaged", 32776, foreign, 3, "", 1, OTHER_PORTAL);
        refused(bus, "NotManaged", 32776, "DeleteiSCSIProtocolEndpoint", "o", foreign_port);
        refused(bus, "NotManaged", 32776, "BindiSCSIProtocolEndPoint", "oo", foreign_port, OTHER_PORTAL);
        refused(bus, "NotManaged", 32776, "UnbindiSCSIProtocolEndPoint", "oo", foreign_port, LOOPBACK_PORTAL);
        refused(bus, "NotManaged", 32776, "DeleteiSCSINode", "o", foreign);
        refused(bus, "NameInUse", 32777, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "iqn.2026-11.org.example:foreign");
        sd_bus_flush_close_unref(bus);
}

/* All codes of a method's own, and those that all methods share, have been seen, here or in the test that is named. Runs last. */
static void test_complete(void) {
        static const struct {
                Refusal refusal;
                const char *test;
        } elsewhere[] = {
                { REFUSAL_TIMEOUT, "backend-hangs" },
                { REFUSAL_FAILED, "backend-faults" },
                { REFUSAL_ADDRESS_IN_USE, "backend-faults" },
                { REFUSAL_ADDRESS_OVERLAP, "backend-faults" },
                { REFUSAL_PORTAL_SHADOWED, "backend-faults" },
                { REFUSAL_SCOPE_MISSING, "backend-faults" },
                { REFUSAL_BUSY, "backend-faults" },
                { REFUSAL_STUCK, "backend-faults" },
                { REFUSAL_FOREIGN_OBJECT_INSIDE, "backend-faults" },
                { REFUSAL_DEGRADED, "backend-degraded" },
                { REFUSAL_UNSPECIFIED, "backend-faults" },
                { REFUSAL_LIMIT_REACHED, "limits" },
                { REFUSAL_STORE_UNAVAILABLE, "service" },
                { REFUSAL_RECORD_IN_USE, "initiator-faults" },
        };

        for (gsize m = 0; methods[m]; m++)
                for (gsize i = 0; i < methods[m]->n_codes; i++)
                        if (!seen[m][methods[m]->codes[i].refusal])
                                g_error("%s has never answered %u", methods[m]->name, methods[m]->codes[i].code);

        for (Refusal r = REFUSAL_NONE + 1; r < _REFUSAL_MAX; r++) {
                bool found = refusal_common_code(r) == 0;

                for (gsize m = 0; methods[m]; m++)
                        found |= seen[m][r];
                for (gsize i = 0; i < G_N_ELEMENTS(elsewhere); i++) {
                        g_autofree char *path = NULL, *text = NULL;

                        if (elsewhere[i].refusal != r)
                                continue;
                        path = g_strdup_printf("%s/tests/bus/test-%s.c", g_getenv("SOURCE_ROOT"), elsewhere[i].test);
                        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
                        g_assert_nonnull(strstr(text, refusal_error_name(r) + strlen(ERROR_PREFIX)));
                        found = true;
                }
                if (!found)
                        g_error("%u has never been answered", refusal_common_code(r));
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/codes/create-port", test_create_port);
        g_test_add_func("/codes/order", test_order);
        g_test_add_func("/codes/create-ports", test_create_ports);
        g_test_add_func("/codes/delete-port", test_delete_port);
        g_test_add_func("/codes/bind", test_bind);
        g_test_add_func("/codes/nodes", test_nodes);
        g_test_add_func("/codes/modify", test_modify);
        g_test_add_func("/codes/declared-addresses", test_declared_addresses);
        g_test_add_func("/codes/portals-and-groups", test_portals_and_groups);
        g_test_add_func("/codes/identifier-selection", test_identifier_selection);
        g_test_add_func("/codes/no-backend", test_no_backend);
        g_test_add_func("/codes/backend-knows", test_backend_knows);
        g_test_add_func("/codes/complete", test_complete);
        return g_test_run();
}
