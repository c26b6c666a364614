/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Portal groups from their creation to their end, and all memberships across a restart. */

#include "calls.h"
#include "mirror.h"

#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3adisk"
#define PORT_PATH NODE_PATH "/endpoint/000000000001"
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define WILDCARD_PORTAL ROOT_PATH "/tcp/_5b_3a_3a_5d_3a3260"
#define PORTAL(n) ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a" #n
#define GROUP(n) ROOT_PATH "/portal_group/" #n

static Service *start(sd_bus **ret) {
        Service *s = service_new("--target-backend=model", NULL);

        service_start(s);
        *ret = connect_as("root");
        must_call(*ret, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", "iqn.2026-11.org.example:disk");
        return s;
}

static void create_group(sd_bus *bus, const char *name, const char *expected_path) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *path = call_for_path(bus, &e, "CreatePortalGroup", "sa{sv}", name, 0);

        g_assert_cmpstr(path, ==, expected_path);
}

static void create_portal(sd_bus *bus, unsigned port, const char *group) {
        must_call(bus, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, port, group, 0);
}

static void test_life(void) {
        g_autofree char *name = NULL, *automatic = NULL, *default_automatic = NULL, *members = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus);
        create_group(bus, "storage", GROUP(1));
        create_group(bus, "storage", GROUP(2)); /* names are for people */
        name = get_property(bus, GROUP(2), GROUP_INTERFACE, "ElementName");
        g_assert_cmpstr(name, ==, "storage");
        automatic = get_property(bus, GROUP(2), GROUP_INTERFACE, "Automatic");
        g_assert_cmpstr(automatic, ==, "false");
        default_automatic = get_property(bus, DEFAULT_GROUP, GROUP_INTERFACE, "Automatic");
        g_assert_cmpstr(default_automatic, ==, "true");

        create_portal(bus, 4001, GROUP(1));
        create_portal(bus, 4002, GROUP(2));
        create_portal(bus, 4003, DEFAULT_GROUP);

        /* Portals of different groups do not go together; once a group holds them all they do. */
        must_refuse(bus, "NotFromSameCollection", 4103, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2, PORTAL(4001),
                    PORTAL(4002));
        must_call(bus, "AddToPortalGroup", "oo", GROUP(1), PORTAL(4002));
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2, PORTAL(4001), PORTAL(4002));
        must_refuse(bus, "NotFromSameCollection", 4099, "BindiSCSIProtocolEndPoint", "oo", PORT_PATH, PORTAL(4003));

        /* Each of the two may be in other groups; in this one they stay as long as the port needs it. */
        must_refuse(bus, "EndpointInUse", 4098, "RemoveFromPortalGroup", "oo", GROUP(1), PORTAL(4001));
        must_refuse(bus, "EndpointInUse", 4098, "RemoveFromPortalGroup", "oo", GROUP(1), PORTAL(4002));
        must_call(bus, "RemoveFromPortalGroup", "oo", GROUP(2), PORTAL(4002));
        must_call(bus, "AddToPortalGroup", "oo", GROUP(2), PORTAL(4002));
        must_call(bus, "AddToPortalGroup", "oo", GROUP(2), PORTAL(4001));
        must_call(bus, "RemoveFromPortalGroup", "oo", GROUP(1), PORTAL(4001)); /* group 2 holds both now */
        must_refuse(bus, "EndpointInUse", 4098, "RemoveFromPortalGroup", "oo", GROUP(2), PORTAL(4001));

        must_refuse(bus, "PortalGroupNotEmpty", 4097, "DeletePortalGroup", "o", GROUP(1));
        must_refuse(bus, "PortalGroupNotEmpty", 4097, "DeletePortalGroup", "o", GROUP(2));
        must_call(bus, "DeleteiSCSIProtocolEndpoint", "o", PORT_PATH);
        must_call(bus, "RemoveFromPortalGroup", "oo", GROUP(2), PORTAL(4001));
        must_call(bus, "DeleteTCPProtocolEndpoint", "o", PORTAL(4002)); /* leaves both groups */
        members = get_property(bus, GROUP(2), GROUP_INTERFACE, "Members");
        g_assert_cmpstr(members, ==, "[]");
        must_call(bus, "DeletePortalGroup", "o", GROUP(1));
        must_call(bus, "DeletePortalGroup", "o", GROUP(2));
        must_refuse(bus, "PortalGroupNonExistent", 4096, "DeletePortalGroup", "o", GROUP(2));

        /* No number comes again, not after a restart either. */
        service_stop(s);
        service_start(s);
        create_group(bus, "storage", GROUP(3));
        sd_bus_flush_close_unref(bus);
}

static void assert_same_after_restart(Service *s, sd_bus *bus) {
        g_autofree char *before = managed_objects_text(bus), *after = NULL, *after_crash = NULL;

        service_stop(s);
        service_start(s);
        after = managed_objects_text(bus);
        g_assert_cmpstr(before, ==, after);
        service_kill(s);
        service_start(s);
        after_crash = managed_objects_text(bus);
        g_assert_cmpstr(before, ==, after_crash);
}

static void test_restart(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *bus;

        s = start(&bus);
        create_group(bus, "storage", GROUP(1));
        create_group(bus, "empty", GROUP(2));
        create_portal(bus, 4001, GROUP(1));      /* in one that was made */
        create_portal(bus, 4002, DEFAULT_GROUP); /* in the built-in one */
        create_portal(bus, 4003, DEFAULT_GROUP); /* in both */
        must_call(bus, "AddToPortalGroup", "oo", GROUP(1), PORTAL(4003));
        create_portal(bus, 4004, GROUP(1)); /* the other way round */
        must_call(bus, "AddToPortalGroup", "oo", DEFAULT_GROUP, PORTAL(4004));
        create_portal(bus, 4005, DEFAULT_GROUP); /* in none */
        must_call(bus, "RemoveFromPortalGroup", "oo", DEFAULT_GROUP, PORTAL(4005));
        create_portal(bus, 4006, GROUP(1)); /* the other way round */
        must_call(bus, "RemoveFromPortalGroup", "oo", GROUP(1), PORTAL(4006));
        create_portal(bus, 4007, GROUP(1)); /* from one into the other */
        must_call(bus, "AddToPortalGroup", "oo", DEFAULT_GROUP, PORTAL(4007));
        must_call(bus, "RemoveFromPortalGroup", "oo", GROUP(1), PORTAL(4007));
        must_call(bus, "AddToPortalGroup", "oo", GROUP(1), WILDCARD_PORTAL); /* the service's own */
        must_call(bus, "AddToPortalGroup", "oo", GROUP(2), LOOPBACK_PORTAL); /* out again */
        must_call(bus, "RemoveFromPortalGroup", "oo", GROUP(2), LOOPBACK_PORTAL);
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2, PORTAL(4002), PORTAL(4003));
        must_call(bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 2, WILDCARD_PORTAL, PORTAL(4001));
        assert_same_after_restart(s, bus);

        /* What is deleted and made again does not have what the old one had. */
        must_call(bus, "DeleteTCPProtocolEndpoint", "o", PORTAL(4004));
        must_call(bus, "DeleteTCPProtocolEndpoint", "o", PORTAL(4007));
        create_portal(bus, 4004, GROUP(2));
        assert_same_after_restart(s, bus);
        {
                g_autofree char *groups = get_property(bus, PORTAL(4004), TCP_INTERFACE, "MemberOfCollection");

                g_assert_cmpstr(groups, ==, "[" GROUP(2) "]");
        }
        sd_bus_flush_close_unref(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/portal-groups/life", test_life);
        g_test_add_func("/portal-groups/restart", test_restart);
        return g_test_run();
}
