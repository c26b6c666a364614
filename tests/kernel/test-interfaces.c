/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Addresses and interfaces of the machine come, go and change their names under the ports of the running service. What the
 * service says is what an initiator finds. */

#include "service-fixture.h"

#include "bus-view.h"

#define LINK "fe80::1%d0"
#define LINK_PORTAL "[" LINK "]:3260"
#define FLOATING "192.0.2.7"
#define FLOATING_PORTAL FLOATING ":3260"
#define HEAL_USEC (5 * G_USEC_PER_SEC) /* portals are made anew */

static void link_make(const char *name) {
        must_shell("ip link add %s type dummy && ip link set %s up && ip addr add fe80::1/64 dev %s nodad", name, name, name);
}

static void await_waits(sd_bus *bus, const char *text) {
        await_seen(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=6");
        assert_value(bus, PORT_1, PORT_INTERFACE, "OperationalStatus", "=[3]");
        assert_value(bus, PORT_1, PORT_INTERFACE, "ListeningOn", "=[]");
        assert_value(bus, PORT_1, PORT_INTERFACE, "StatusDescriptions", text);
        await_seen(bus, NODE_A_PATH, NODE_INTERFACE, "OperationalStatus", "=[3]");
}

static void await_serves(sd_bus *bus, const char *address, const char *listening) {
        await_value(bus, PORT_1, PORT_INTERFACE, "OperationalStatus", "=[2]", HEAL_USEC);
        await_in_force(bus, PORT_1);
        assert_value(bus, PORT_1, PORT_INTERFACE, "ListeningOn", listening);
        g_assert_true(accepts(address, 3260));
}

/* A service with node A and its port on PORTAL, which is there. */
static sd_bus *start_with_port(Service *s, const char *portal) {
        g_autofree char *tcp = tcp_path(portal);
        const char *portals[] = { tcp, NULL };
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        await_exists(bus, tcp, true);
        g_free(create_node(bus, NODE_A));
        g_free(create_target_port(bus, NODE_A_PATH, "", portals));
        await_in_force(bus, PORT_1);
        return bus;
}

static void end(sd_bus *bus) {
        delete_node(bus, NODE_A_PATH);
        assert_tree("");
        sd_bus_flush_close_unref(bus);
}

static bool have_interfaces(void) {
        if (shell("ip link add d0 type dummy && ip link del d0") == 0)
                return true;
        g_test_skip("this kernel cannot make interfaces (module dummy)");
        return false;
}

/* The kernel's socket stays on the interface that is gone. */
static void test_made_again(void) {
        g_autofree char *tcp = tcp_path(LINK_PORTAL), *listening = g_strdup_printf("=[%s]", tcp);
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        if (!have_interfaces())
                return;
        link_make("d0");
        bus = start_with_port(s, LINK_PORTAL);
        g_assert_true(accepts(LINK, 3260));

        must_shell("ip link del d0");
        await_waits(bus, LINK_PORTAL);
        await_logged(s, "Port 000000000001 of node " NODE_A ": ");
        link_make("d0");
        await_serves(bus, LINK, listening);

        /* At once, so that there may be one look for both. */
        must_shell("ip link del d0 && ip link add d0 type dummy && ip link set d0 up && ip addr add fe80::1/64 dev d0 nodad");
        g_usleep(2 * G_USEC_PER_SEC);
        await_serves(bus, LINK, listening);

        /* While the service is away. */
        service_stop(s);
        must_shell("ip link del d0");
        link_make("d0");
        service_start(s);
        await_serves(bus, LINK, listening);
        end(bus);
        must_shell("ip link del d0");
}

static void test_renamed(void) {
        g_autofree char *tcp = tcp_path(LINK_PORTAL), *listening = g_strdup_printf("=[%s]", tcp);
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        if (!have_interfaces())
                return;
        link_make("d0");
        bus = start_with_port(s, LINK_PORTAL);

        must_shell("ip link set d0 down && ip link set d0 name d9 && ip link set d9 up");
        await_waits(bus, LINK_PORTAL);
        service_stop(s);
        service_start(s);
        await_waits(bus, LINK_PORTAL);
        must_shell(
                "ip link set d9 down && ip link set d9 name d0 && ip link set d0 up && ip addr replace fe80::1/64 dev d0 nodad");
        await_serves(bus, LINK, listening);
        end(bus);
        must_shell("ip link del d0");
}

/* The portal is on the interface that has the name now. */
static void test_swapped(void) {
        g_autofree char *tcp = tcp_path(LINK_PORTAL), *listening = g_strdup_printf("=[%s]", tcp);
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        if (!have_interfaces())
                return;
        link_make("d0");
        link_make("d1");
        bus = start_with_port(s, LINK_PORTAL);
        g_assert_cmpint(shell("ss -Hltn | grep -F '[fe80::1]%%d0:3260'"), ==, 0);

        for (unsigned n = 0; n < 2; n++) {
                must_shell("ip link set d0 down && ip link set d1 down && ip link set d0 name dx && ip link set d1 name d0 && "
                           "ip link set dx name d1 && ip link set d0 up && ip link set d1 up && "
                           "ip addr replace fe80::1/64 dev d0 nodad && ip addr replace fe80::1/64 dev d1 nodad");
                g_usleep(2 * G_USEC_PER_SEC);
                await_serves(bus, LINK, listening);
                g_assert_cmpint(shell("ss -Hltn | grep -F '[fe80::1]%%d0:3260'"), ==, 0);
                g_assert_cmpint(shell("ss -Hltn | grep -F '[fe80::1]%%d1:3260'"), !=, 0);
        }
        end(bus);
        must_shell("ip link del d0; ip link del d1");
}

/* Only the address goes, and comes back. */
static void test_address_goes(void) {
        g_autofree char *tcp = tcp_path(FLOATING_PORTAL), *listening = g_strdup_printf("=[%s]", tcp);
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        must_shell("ip addr add " FLOATING "/32 dev lo");
        bus = start_with_port(s, FLOATING_PORTAL);
        g_assert_true(accepts(FLOATING, 3260));
        for (unsigned n = 0; n < 2; n++) {
                must_shell("ip addr del " FLOATING "/32 dev lo");
                await_waits(bus, "portal " FLOATING_PORTAL " waits for its address, which is not on this host");
                await_logged(s, "Port 000000000001 of node " NODE_A ": ");
                await_logged(s, "portal " FLOATING_PORTAL " waits for its address");
                must_shell("ip addr add " FLOATING "/32 dev lo");
                await_serves(bus, FLOATING, listening);
                await_logged(s, "Port 000000000001 of node " NODE_A ": In force");
        }
        end(bus);
        must_shell("ip addr del " FLOATING "/32 dev lo");
}

/* One of two addresses. */
static void test_one_of_two(void) {
        g_autofree char *tcp = tcp_path(FLOATING_PORTAL), *both = g_strdup_printf("=[" LOOPBACK_PORTAL " %s]", tcp);
        const char *portals[] = { LOOPBACK_PORTAL, tcp, NULL };
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        must_shell("ip addr add " FLOATING "/32 dev lo");
        service_start(s);
        bus = connect_as("root");
        g_free(create_node(bus, NODE_A));
        g_free(create_target_port(bus, NODE_A_PATH, "", portals));
        must_shell("ip addr del " FLOATING "/32 dev lo");
        await_seen(bus, PORT_1, PORT_INTERFACE, "OperationalStatus", "=[3]");
        assert_value(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=2");
        assert_value(bus, PORT_1, PORT_INTERFACE, "ListeningOn", "=[" LOOPBACK_PORTAL "]");
        await_seen(bus, NODE_A_PATH, NODE_INTERFACE, "StatusDescriptions", FLOATING_PORTAL);
        await_logged(s, "portal " FLOATING_PORTAL " waits for its address");
        must_shell("ip addr add " FLOATING "/32 dev lo");
        await_serves(bus, FLOATING, both);
        end(bus);
        must_shell("ip addr del " FLOATING "/32 dev lo");
}

/* A port on an address that will come: the kernel has the portal before. */
static void test_declared(void) {
        g_autofree char *tcp = tcp_path(FLOATING_PORTAL), *listening = g_strdup_printf("=[%s]", tcp);
        const char *portals[] = { tcp, NULL };
        g_autoptr(Service) s = service_on_target(NULL, NULL);
        sd_bus *bus;

        service_start(s);
        bus = connect_as("root");
        must_call(bus, "CreateIPProtocolEndpoint", "sa{sv}", FLOATING, 0);
        g_free(create_node(bus, NODE_A));
        g_free(create_target_port(bus, NODE_A_PATH, "", portals));
        assert_tree(NODE_A "\n" NODE_A "/tpgt_1 1 " FLOATING_PORTAL "\n");
        await_waits(bus, "waits for its address");
        must_shell("ip addr add " FLOATING "/32 dev lo");
        await_seen(bus, PORT_1, PORT_INTERFACE, "EnabledState", "=2");
        await_serves(bus, FLOATING, listening);
        must_shell("iscsi-ls iscsi://" FLOATING " | grep -F 'Portal:" FLOATING_PORTAL ",1'");
        must_shell("ip addr del " FLOATING "/32 dev lo");
        await_waits(bus, "waits for its address");
        must_refuse(bus, "EndpointInUse", 4097, "DeleteIPProtocolEndpoint", "o", ROOT_PATH "/ip/_3192_2e0_2e2_2e7");
        end(bus);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/interfaces/made-again", test_made_again);
        g_test_add_func("/interfaces/renamed", test_renamed);
        g_test_add_func("/interfaces/swapped", test_swapped);
        g_test_add_func("/interfaces/address-goes", test_address_goes);
        g_test_add_func("/interfaces/one-of-two", test_one_of_two);
        g_test_add_func("/interfaces/declared", test_declared);

        return g_test_run();
}
