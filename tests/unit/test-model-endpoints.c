/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Host addresses, TCP endpoints and portal groups of the model: what each change does, and what the listener hears. */

#include <errno.h>

#include "model-fixture.h"

#define A "iqn.2001-04.com.example:a"
#define BOTH_ROLES (ROLE_BIT(ROLE_INITIATOR) | ROLE_BIT(ROLE_TARGET))

static void test_groups(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        PortalGroup *g, *other = NULL;
        TcpEndpoint *t, *made;

        add_address(r, "10.0.0.1");
        recorder_forget(r);

        g = add_group(r, 7, "fast");
        recorder_assert_told(r, "+ /group/7");
        g_assert_cmpint(model_add_portal_group(m, 7, "other", &other), ==, -EEXIST);
        g_assert_cmpint(model_add_portal_group(m, 0, "other", &other), ==, -EEXIST);
        g_assert_null(other);
        g_assert_cmpuint(model_counts(m)->portal_groups, ==, 1);

        t = tcp(r, "10.0.0.1:3260");
        g_assert_cmpint(model_add_member(m, g, t), ==, 0);
        recorder_assert_told(r, "~ /tcp/10.0.0.1:3260 MemberOfCollection", "~ /group/7 Members");
        g_assert_true(portal_group_has_member(g, t));
        g_assert_cmpint(model_add_member(m, g, t), ==, 0); /* already */
        recorder_assert_told(r);
        recorder_check(r);

        made = add_tcp(r, "10.0.0.1:860", g);
        recorder_assert_told(r, "+ /tcp/10.0.0.1:860", "~ /group/7 Members", "~ /ip/10.0.0.1 BoundBy");
        g_assert_false(made->automatic);
        g_assert_true(portal_group_has_member(g, made));
        g_assert_false(portal_group_has_member(group(r, 0), made));
        g_assert_cmpuint(model_counts(m)->tcp_endpoints, ==, 1);
        recorder_check(r);

        model_remove_member(m, g, made);
        recorder_assert_told(r, "~ /tcp/10.0.0.1:860 MemberOfCollection", "~ /group/7 Members");
        model_remove_member(m, g, made); /* is none */
        recorder_assert_told(r);
        recorder_check(r);

        model_remove_tcp_endpoint(m, made);
        recorder_assert_told(r, "- /tcp/10.0.0.1:860", "~ /ip/10.0.0.1 BoundBy");
        g_assert_cmpuint(model_counts(m)->tcp_endpoints, ==, 0);
        recorder_check(r);

        /* A group that goes lets go of its members first. */
        model_remove_portal_group(m, g);
        recorder_assert_told(r, "~ /tcp/10.0.0.1:3260 MemberOfCollection", "~ /group/7 Members", "- /group/7");
        g_assert_null(model_find_portal_group(m, 7));
        g_assert_cmpuint(model_counts(m)->portal_groups, ==, 0);
        recorder_check(r);
}

static void test_made_endpoints(void) {
        g_autoptr(Recorder) r = recorder_new();
        Portal again = portal("10.0.0.1:860");
        TcpEndpoint *other = NULL, *t;
        Model *m = r->model;

        add_address(r, "10.0.0.1");
        t = add_tcp(r, "10.0.0.1:860", NULL);
        g_assert_null(t->groups);
        g_assert_cmpint(model_add_tcp_endpoint(m, &again, NULL, &other), ==, -EEXIST);
        again.port = 3260;
        g_assert_cmpint(model_add_tcp_endpoint(m, &again, NULL, &other), ==, -EEXIST);
        g_assert_null(other);
        recorder_check(r);
        recorder_forget(r);

        /* They survive their address. */
        remove_address(r, "10.0.0.1");
        recorder_assert_told(r, "- /ip/10.0.0.1", "~ /tcp/10.0.0.1:860 BindsTo", "~ /tcp/10.0.0.1:3260 BindsTo",
                             "- /tcp/10.0.0.1:3260", "~ /group/0 Members");
        g_assert_true(tcp(r, "10.0.0.1:860") == t);
        g_assert_false(t->ip->present);
        recorder_check(r);

        add_address(r, "10.0.0.1");
        recorder_assert_told(r, "+ /ip/10.0.0.1", "~ /tcp/10.0.0.1:860 BindsTo", "+ /tcp/10.0.0.1:3260", "~ /group/0 Members",
                             "~ /ip/10.0.0.1 BoundBy");
        g_assert_true(t->ip->present);
        recorder_check(r);

        /* Without address and endpoint nothing is left. */
        remove_address(r, "10.0.0.1");
        model_remove_tcp_endpoint(m, t);
        g_assert_null(model_find_ip_endpoint(m, &again.address));
        recorder_check(r);
}

/* An endpoint that a port binds to, and a group has: what a method made counts as automatic, and the other way round. */
static void test_made_and_automatic(void) {
        g_autoptr(Recorder) r = recorder_new();
        PortalGroup *g = add_group(r, 7, "");
        Node *n = add_node(r, "iqn.2026-11.org.example:disk", ROLE_BIT(ROLE_TARGET));
        TcpEndpoint *t;
        Model *m = r->model;
        size_t bytes;
        Port *p;

        add_address(r, "10.0.0.1");
        t = add_tcp(r, "10.0.0.1:860", g);
        p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:860");
        bytes = model_counts(m)->bytes;
        recorder_forget(r);

        g_assert_cmpint(model_set_tcp_endpoint_automatic(m, t, false, NULL), ==, 0); /* is so */
        recorder_assert_told(r);
        g_assert_cmpint(model_set_tcp_endpoint_automatic(m, t, true, group(r, 0)), ==, 0);
        recorder_assert_told(r, "- /tcp/10.0.0.1:860", "+ /tcp/10.0.0.1:860", "~ /group/0 Members");
        g_assert_true(tcp(r, "10.0.0.1:860") == t);
        g_assert_true(portal_group_has_member(g, t));
        g_assert_cmpuint(model_counts(m)->tcp_endpoints, ==, 0);
        g_assert_cmpuint(model_counts(m)->bytes, <, bytes);
        recorder_check(r);

        model_leave_groups(m, t);
        recorder_assert_told(r, "~ /group/0 Members", "~ /group/7 Members", "~ /tcp/10.0.0.1:860 MemberOfCollection");
        model_leave_groups(m, t);
        recorder_assert_told(r);
        g_assert_cmpint(model_set_tcp_endpoint_automatic(m, t, false, NULL), ==, 0);
        recorder_assert_told(r, "- /tcp/10.0.0.1:860", "+ /tcp/10.0.0.1:860");
        g_assert_cmpuint(model_counts(m)->tcp_endpoints, ==, 1);
        g_assert_cmpint(model_add_member(m, g, t), ==, 0);
        g_assert_cmpuint(model_counts(m)->bytes, ==, bytes);
        recorder_check(r);

        /* Nobody needs an automatic one that nothing binds to. */
        model_leave_groups(m, t);
        model_remove_port(m, p);
        g_assert_cmpint(model_set_tcp_endpoint_automatic(m, t, true, group(r, 0)), ==, 0);
        g_assert_cmpuint(model_counts(m)->tcp_endpoints, ==, 0);
        recorder_check(r);
}

static void test_addresses(void) {
        g_autoptr(Recorder) r = recorder_new();
        static const IpAttributes other = { .prefix_length = 16, .origin = 4, .interface = "eth1" };
        IpAddress a = address("10.0.0.1"), unknown = address("10.0.0.2");
        Model *m = r->model;

        add_address(r, "10.0.0.1");
        recorder_assert_told(r, "+ /ip/10.0.0.1", "+ /tcp/10.0.0.1:3260", "~ /group/0 Members", "~ /ip/10.0.0.1 BoundBy");
        g_assert_true(ip(r, "10.0.0.1")->present);
        g_assert_true(tcp(r, "10.0.0.1:3260")->automatic);
        g_assert_true(portal_group_has_member(group(r, 0), tcp(r, "10.0.0.1:3260")));
        g_assert_cmpuint(model_counts(m)->tcp_endpoints, ==, 0);
        recorder_check(r);

        model_change_address(m, &a, &other);
        recorder_assert_told(r, "~ /ip/10.0.0.1 SubnetMask PrefixLength AddressOrigin InterfaceName");
        g_assert_cmpuint(ip(r, "10.0.0.1")->attributes.prefix_length, ==, 16);
        recorder_check(r);

        /* Added while it is there: what is known of it may be new. */
        add_address(r, "10.0.0.1");
        g_assert_cmpuint(ip(r, "10.0.0.1")->attributes.prefix_length, ==, 24);
        recorder_check(r);
        recorder_forget(r);

        model_change_address(m, &unknown, &other);
        model_remove_address(m, &unknown);
        recorder_assert_told(r);

        remove_address(r, "10.0.0.1");
        recorder_assert_told(r, "- /ip/10.0.0.1", "~ /tcp/10.0.0.1:3260 BindsTo", "- /tcp/10.0.0.1:3260", "~ /group/0 Members");
        g_assert_null(model_find_ip_endpoint(m, &a));
        remove_address(r, "10.0.0.1");
        recorder_assert_told(r);
        recorder_check(r);

        /* Link-local addresses are told apart by zone; the wildcard is an address like others. */
        add_address(r, "fe80::1%eth0");
        add_address(r, "fe80::1%eth1");
        add_address(r, "::");
        g_assert_true(ip(r, "fe80::1%eth0") != ip(r, "fe80::1%eth1"));
        g_assert_true(tcp(r, "[fe80::1%eth1]:3260")->ip == ip(r, "fe80::1%eth1"));
        g_assert_nonnull(model_find_object(m, "/tcp/[::]:3260"));
        remove_address(r, "fe80::1%eth0");
        g_assert_true(ip(r, "fe80::1%eth1")->present);
        recorder_check(r);
}

/* An automatic endpoint that a port binds to, or that is in a group, stays without its address, and goes with the last reason. */
static void test_addresses_in_use(void) {
        g_autoptr(Recorder) r = recorder_new();
        Portal elsewhere = portal("10.0.0.2:3260");
        Model *m = r->model;
        PortalGroup *g;
        Port *p, *i;
        Node *n;

        add_address(r, "10.0.0.1");
        n = add_node(r, A, BOTH_ROLES);
        g = add_group(r, 1, "g");
        p = add_port(r, n, ROLE_TARGET, 1, "10.0.0.1:3260 10.0.0.2:5000");
        i = add_port(r, n, ROLE_INITIATOR, 2, "10.0.0.1");
        recorder_forget(r);

        remove_address(r, "10.0.0.1");
        recorder_assert_told(r, "- /ip/10.0.0.1", "~ /tcp/10.0.0.1:3260 BindsTo", "~ /node/" A "/000000000002 BindsTo");
        g_assert_false(tcp(r, "10.0.0.1:3260")->ip->present);
        recorder_check(r);

        add_address(r, "10.0.0.1");
        recorder_assert_told(r, "+ /ip/10.0.0.1", "~ /tcp/10.0.0.1:3260 BindsTo", "~ /node/" A "/000000000002 BindsTo");
        recorder_check(r);

        remove_address(r, "10.0.0.1");
        model_unbind_port(m, p, port_find_binding(p, &tcp(r, "10.0.0.1:3260")->object));
        g_assert_null(model_find_object(m, "/tcp/10.0.0.1:3260"));
        g_assert_nonnull(ip(r, "10.0.0.1")); /* the initiator's */
        recorder_check(r);
        model_remove_port(m, i);
        recorder_check(r);
        {
                IpAddress a = address("10.0.0.1");

                g_assert_null(model_find_ip_endpoint(m, &a));
        }

        /* The port's own portal came into a group: then it stays when it is unbound. */
        g_assert_cmpint(model_add_member(m, g, tcp(r, "10.0.0.2:5000")), ==, 0);
        g_assert_cmpint(model_bind_port(m, p, &elsewhere), ==, 0);
        model_unbind_port(m, p, port_find_binding(p, &tcp(r, "10.0.0.2:5000")->object));
        g_assert_true(tcp(r, "10.0.0.2:5000")->automatic);
        recorder_check(r);
        recorder_forget(r);

        model_remove_member(m, g, tcp(r, "10.0.0.2:5000"));
        recorder_assert_told(r, "~ /tcp/10.0.0.2:5000 MemberOfCollection", "~ /group/1 Members", "- /tcp/10.0.0.2:5000",
                             "~ /group/0 Members");
        recorder_check(r);

        /* The same when the group itself goes. */
        add_address(r, "10.0.0.3");
        g_assert_cmpint(model_add_member(m, g, tcp(r, "10.0.0.3:3260")), ==, 0);
        remove_address(r, "10.0.0.3");
        g_assert_nonnull(tcp(r, "10.0.0.3:3260"));
        recorder_check(r);
        model_remove_portal_group(m, g);
        g_assert_null(model_find_object(m, "/tcp/10.0.0.3:3260"));
        recorder_check(r);
}

/* What nobody made stays: the host's addresses with their endpoints, and the built-in group. */
static void test_reset(void) {
        g_autoptr(Recorder) r = recorder_new();
        IpAddress both = address("10.0.0.2"), absent = address("10.0.0.9");
        Model *m = r->model;
        PortalGroup *g;

        add_address(r, "10.0.0.1");
        add_address(r, "10.0.0.2");
        g_assert_cmpint(model_declare_address(m, &both, "both"), ==, 0);
        g_assert_cmpint(model_declare_address(m, &absent, "absent"), ==, 0);
        g = add_group(r, 7, "fast");
        g_assert_cmpint(model_add_member(m, g, tcp(r, "10.0.0.1:3260")), ==, 0);
        g_assert_cmpint(model_add_member(m, g, tcp(r, "10.0.0.9:3260")), ==, 0); /* which keeps it for longer than its address */
        (void) add_tcp(r, "10.0.0.2:860", g);
        (void) add_tcp(r, "10.0.0.8:860", NULL);
        (void) add_port(r, add_node(r, A, BOTH_ROLES), ROLE_TARGET, 1, "10.0.0.1:3260 10.0.0.7:5000");
        (void) add_port(r, node(r, A), ROLE_INITIATOR, 2, "10.0.0.2 10.0.0.6");
        recorder_check(r);

        model_reset(m);
        recorder_check(r);
        g_assert_null(model_first_node(m));
        g_assert_null(model_first_port(m));
        for (IpEndpoint *i = model_first_ip_endpoint(m); i; i = i->hh.next)
                g_assert_true(i->present && !i->declared);
        for (TcpEndpoint *t = model_first_tcp_endpoint(m); t; t = t->hh.next)
                g_assert_true(t->automatic && t->portal.port == ISCSI_PORT_DEFAULT);
        g_assert_cmpuint(HASH_COUNT(model_first_ip_endpoint(m)), ==, 2);
        g_assert_cmpuint(HASH_COUNT(model_first_tcp_endpoint(m)), ==, 2);
        g_assert_true(model_first_portal_group(m) == group(r, 0));
        g_assert_cmpuint(HASH_COUNT(model_first_portal_group(m)), ==, 1);
#define KIND(ENUM, Type, name, names, ...) g_assert_cmpuint(model_counts(m)->names, ==, 0);
#include "model/kinds.def"
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/model-endpoints/groups", test_groups);
        g_test_add_func("/model-endpoints/made-endpoints", test_made_endpoints);
        g_test_add_func("/model-endpoints/made-and-automatic", test_made_and_automatic);
        g_test_add_func("/model-endpoints/addresses", test_addresses);
        g_test_add_func("/model-endpoints/addresses-in-use", test_addresses_in_use);
        g_test_add_func("/model-endpoints/reset", test_reset);
        return g_test_run();
}
