/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the service tells with signals, call by call: which, in which order, to the caller and to others. All come before the
 * reply, but for what is only invalidated, which is told after it. None where nothing changed. That each tells the truth and that
 * none is missing is what mirror.h adds. */

#include <stdarg.h>
#include <string.h>

#include "fault-control.h"
#include "mirror.h"

#define NODE_NAME "iqn.2026-11.org.example:disk"
#define NODE "node/" NODE_NAME
#define PORT_1 NODE "/endpoint/000000000001"
#define PORT_2 NODE "/endpoint/000000000002"
#define PORT_I NODE "/endpoint/800000000001"
#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3adisk"
#define PORT_1_PATH NODE_PATH "/endpoint/000000000001"
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define PORTAL_3261 ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3261"
#define OTHER_PORTAL ROOT_PATH "/tcp/_5b_3a_3a1_5d_3a3260" /* [::1]:3260 */
#define GROUP_1 ROOT_PATH "/portal_group/1"

/* A caller and somebody else, both of whom follow the service. */
typedef struct Watch {
        Service *service;
        sd_bus *caller, *other;
        Mirror *at_caller, *at_other;
        bool answered;
} Watch;

static void watch_start(Watch *w) {
        service_start(w->service);
        w->caller = connect_as("root");
        w->other = connect_as("mallory");
        w->at_caller = mirror_new(w->caller);
        w->at_other = mirror_new(w->other);
}

static Watch *watch_new(void) {
        Watch *w = g_new0(Watch, 1);

        /* Without sessions: that their number is known of a new port would be told at any time after the answer. */
        w->service = service_new("--target-backend=model", "--initiator-backend=model", "--sysfs=", NULL);
        watch_start(w);
        return w;
}

static void watch_free(Watch *w) {
        mirror_free(w->at_caller);
        mirror_free(w->at_other);
        sd_bus_flush_close_unref(w->caller);
        sd_bus_flush_close_unref(w->other);
        service_free(w->service);
        g_free(w);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Watch, watch_free)

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        Watch *w = userdata;

        /* Among the signals, so that those after it show. */
        mirror_mark(w->at_caller, e ? strrchr(e->name, '.') + 1 : "reply");
        w->answered = true;
        return 1;
}

static bool is_answered(void *userdata) {
        return ((Watch *) userdata)->answered;
}

static void call(Watch *w, const char *member, const char *types, ...) {
        sd_bus_message *m = NULL;
        va_list ap;

        g_assert_cmpint(sd_bus_message_new_method_call(w->caller, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, member), >=, 0);
        va_start(ap, types);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        w->answered = false;
        g_assert_cmpint(sd_bus_call_async(w->caller, NULL, m, on_answer, w, 0), >=, 0);
        sd_bus_message_unref(m);
        process_until(w->caller, is_answered, w);
}

/* The signals of the last call are these and came in this order, with the answer after those that tell a value. */
static void expect_at(const char *where, Watch *w, const char *answer, const char *const *lines) {
        g_auto(GStrv) with_answer = g_strdupv((char **) lines);
        guint n = g_strv_length(with_answer);

        assert_signals_at(where, w->at_other, lines);

        with_answer = g_renew(char *, with_answer, n + 2);
        with_answer[n] = g_strdup(answer);
        with_answer[n + 1] = NULL;
        assert_signals_at(where, w->at_caller, (const char *const *) with_answer);
}
#define expect(w, ...) expect_at(G_STRLOC, (w), "reply", (const char *const[]){ __VA_ARGS__, NULL })
#define expect_failure(w, error) expect_at(G_STRLOC, (w), (error), (const char *const[]){ NULL })

static void make_node(Watch *w) {
        call(w, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", NODE_NAME, "Roles", "aq", 2, 2, 3);
        expect(w, "+ " NODE);
}

static void make_portal(Watch *w) {
        call(w, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 3261, DEFAULT_GROUP, 0);
        expect(w, "+ tcp/127.0.0.1:3261", "~ portal_group/default -Members", "~ ip/127.0.0.1 -BoundBy");
}

static void make_port(Watch *w) {
        call(w, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        expect(w, "+ " PORT_1, "~ " NODE " -ProtocolEndpoints", "~ tcp/127.0.0.1:3260 -BoundBy");
}

static void test_node(void) {
        g_autoptr(Watch) w = watch_new();

        make_node(w);
        call(w, "DeleteiSCSINode", "o", NODE_PATH);
        expect(w, "- " NODE);
}

static void test_node_with_ports(void) {
        g_autoptr(Watch) w = watch_new();

        make_node(w);
        make_port(w);
        call(w, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        expect(w, "+ " PORT_I, "~ " NODE " -ProtocolEndpoints", "~ ip/127.0.0.1 -BoundBy");
        call(w, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, OTHER_PORTAL);
        expect(w, "+ " PORT_2, "~ " NODE " -ProtocolEndpoints", "~ tcp/[::1]:3260 -BoundBy");

        call(w, "DeleteiSCSINode", "o", NODE_PATH);
        expect(w, "- " PORT_2, "- " PORT_I, "- " PORT_1, "- " NODE, "~ tcp/[::1]:3260 -BoundBy", "~ ip/127.0.0.1 -BoundBy",
               "~ tcp/127.0.0.1:3260 -BoundBy");
}

/* Many changes of one list are one signal. */
static void test_together(void) {
        g_autoptr(Watch) w = watch_new();

        make_node(w);
        call(w, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, NODE_PATH, 3, "", 1, LOOPBACK_PORTAL, NODE_PATH, 3, "", 1,
             OTHER_PORTAL, 0);
        expect(w, "+ " PORT_1, "+ " PORT_2, "~ " NODE " -ProtocolEndpoints", "~ tcp/127.0.0.1:3260 -BoundBy",
               "~ tcp/[::1]:3260 -BoundBy");
}

static void test_port(void) {
        g_autoptr(Watch) w = watch_new();

        make_node(w);
        make_portal(w);
        call(w, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "00000000000A", 2, LOOPBACK_PORTAL, PORTAL_3261);
        expect(w, "+ " NODE "/endpoint/00000000000A", "~ " NODE " -ProtocolEndpoints", "~ tcp/127.0.0.1:3260 -BoundBy",
               "~ tcp/127.0.0.1:3261 -BoundBy");
        call(w, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH "/endpoint/00000000000A");
        expect(w, "- " NODE "/endpoint/00000000000A", "~ " NODE " -ProtocolEndpoints", "~ tcp/127.0.0.1:3260 -BoundBy",
               "~ tcp/127.0.0.1:3261 -BoundBy");
}

static void test_bindings(void) {
        g_autoptr(Watch) w = watch_new();

        make_node(w);
        make_portal(w);
        make_port(w);
        call(w, "BindiSCSIProtocolEndPoint", "oo", PORT_1_PATH, PORTAL_3261);
        expect(w, "~ " PORT_1 " BindsTo ListeningOn", "~ tcp/127.0.0.1:3261 -BoundBy");
        call(w, "UnbindiSCSIProtocolEndPoint", "oo", PORT_1_PATH, LOOPBACK_PORTAL);
        expect(w, "~ " PORT_1 " BindsTo ListeningOn", "~ tcp/127.0.0.1:3260 -BoundBy");

        call(w, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 1, LOOPBACK);
        expect(w, "+ " PORT_I, "~ " NODE " -ProtocolEndpoints", "~ ip/127.0.0.1 -BoundBy");
        call(w, "BindiSCSIProtocolEndPoint", "oo", NODE_PATH "/endpoint/800000000001", ROOT_PATH "/ip/_3a_3a1");
        expect(w, "~ " PORT_I " BindsTo", "~ ip/::1 -BoundBy");
        call(w, "UnbindiSCSIProtocolEndPoint", "oo", NODE_PATH "/endpoint/800000000001", LOOPBACK);
        expect(w, "~ " PORT_I " BindsTo", "~ ip/127.0.0.1 -BoundBy");
}

static void test_tcp_endpoint_and_groups(void) {
        g_autoptr(Watch) w = watch_new();

        make_portal(w);
        call(w, "CreatePortalGroup", "sa{sv}", "storage", 0);
        expect(w, "+ portal_group/1");
        call(w, "AddToPortalGroup", "oo", GROUP_1, PORTAL_3261);
        expect(w, "~ tcp/127.0.0.1:3261 MemberOfCollection", "~ portal_group/1 -Members");
        call(w, "AddToPortalGroup", "oo", GROUP_1, LOOPBACK_PORTAL);
        expect(w, "~ tcp/127.0.0.1:3260 MemberOfCollection", "~ portal_group/1 -Members");
        call(w, "RemoveFromPortalGroup", "oo", GROUP_1, LOOPBACK_PORTAL);
        expect(w, "~ tcp/127.0.0.1:3260 MemberOfCollection", "~ portal_group/1 -Members");

        /* With its memberships, the newest first. */
        call(w, "DeleteTCPProtocolEndpoint", "o", PORTAL_3261);
        expect(w, "- tcp/127.0.0.1:3261", "~ portal_group/1 -Members", "~ portal_group/default -Members",
               "~ ip/127.0.0.1 -BoundBy");

        call(w, "DeletePortalGroup", "o", GROUP_1);
        expect(w, "- portal_group/1");
}

/* Out of the built-in group and into it again: an endpoint may be in any, or in none. */
static void test_default_group(void) {
        g_autoptr(Watch) w = watch_new();

        make_portal(w);
        call(w, "RemoveFromPortalGroup", "oo", DEFAULT_GROUP, PORTAL_3261);
        expect(w, "~ tcp/127.0.0.1:3261 MemberOfCollection", "~ portal_group/default -Members");
        call(w, "AddToPortalGroup", "oo", DEFAULT_GROUP, PORTAL_3261);
        expect(w, "~ tcp/127.0.0.1:3261 MemberOfCollection", "~ portal_group/default -Members");
}

static void test_refused(void) {
        g_autoptr(Watch) w = watch_new();

        make_node(w);
        make_port(w);

        call(w, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_NAME);
        expect_failure(w, "NameInUse");
        call(w, "DeleteiSCSINode", "o", NODE_PATH "x");
        expect_failure(w, "SCSIProtocolControllerNonExistent");
        call(w, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "000000000001", 1, OTHER_PORTAL);
        expect_failure(w, "IdentifierInUse");
        call(w, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH);
        expect_failure(w, "ProtocolEndpointNonExistent");
        call(w, "BindiSCSIProtocolEndPoint", "oo", PORT_1_PATH, LOOPBACK_PORTAL);
        expect_failure(w, "InvalidParameter");
        call(w, "UnbindiSCSIProtocolEndPoint", "oo", PORT_1_PATH, LOOPBACK_PORTAL);
        expect_failure(w, "LastPortal");
        call(w, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, 3260, DEFAULT_GROUP, 0);
        expect_failure(w, "TCPProtocolEndpointExists");
        call(w, "DeleteTCPProtocolEndpoint", "o", LOOPBACK_PORTAL);
        expect_failure(w, "NotSupported");
        call(w, "CreatePortalGroup", "sa{sv}", "", 0);
        expect_failure(w, "InvalidParameter");
        call(w, "DeletePortalGroup", "o", DEFAULT_GROUP);
        expect_failure(w, "NotSupported");
        call(w, "AddToPortalGroup", "oo", DEFAULT_GROUP, LOOPBACK_PORTAL);
        expect_failure(w, "InvalidParameter");
        call(w, "RemoveFromPortalGroup", "oo", DEFAULT_GROUP, LOOPBACK_PORTAL);
        expect_failure(w, "NotSupported");
}

static void plan_failure(Watch *w, const char *verb) {
        fault_plan(w->service, "once %s fail Failed no\n", verb);
}

/* The backend refuses when all else is done already. */
static void test_failed(void) {
        g_autoptr(Watch) w = g_new0(Watch, 1);

        w->service = service_new("--initiator-backend=model", NULL);
        service_use_fault_backend(w->service);
        watch_start(w);

        plan_failure(w, "create-node");
        call(w, "CreateiSCSINode", "sa{sv}", "", 1, "Name", "s", NODE_NAME);
        expect_failure(w, "Failed");
        make_node(w);
        make_portal(w);

        plan_failure(w, "create-port");
        call(w, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1, LOOPBACK_PORTAL);
        expect_failure(w, "Failed");
        make_port(w);

        plan_failure(w, "bind-portal");
        call(w, "BindiSCSIProtocolEndPoint", "oo", PORT_1_PATH, PORTAL_3261);
        expect_failure(w, "Failed");
        call(w, "BindiSCSIProtocolEndPoint", "oo", PORT_1_PATH, PORTAL_3261);
        expect(w, "~ " PORT_1 " BindsTo ListeningOn", "~ tcp/127.0.0.1:3261 -BoundBy");

        plan_failure(w, "unbind-portal");
        call(w, "UnbindiSCSIProtocolEndPoint", "oo", PORT_1_PATH, PORTAL_3261);
        expect_failure(w, "Failed");
        plan_failure(w, "delete-port");
        call(w, "DeleteiSCSIProtocolEndpoint", "o", PORT_1_PATH);
        expect_failure(w, "Failed");
        plan_failure(w, "delete-node");
        call(w, "DeleteiSCSINode", "o", NODE_PATH);
        expect_failure(w, "Failed");

        /* What can neither be done nor be undone shows. The service tries again and again, and has nothing new to tell. */
        fault_plan(w->service, "delete-port fail Degraded half-gone\n");
        call(w, "DeleteiSCSIProtocolEndpoint", "o", PORT_1_PATH);
        expect_at(G_STRLOC, w, "Degraded",
                  (const char *const[]){ "~ " PORT_1 " EnabledState OperationalStatus StatusDescriptions ListeningOn",
                                         "~ " NODE " EnabledState OperationalStatus StatusDescriptions", NULL });

        /* A second time its text alone can be new. */
        fault_plan(w->service, "delete-port fail Degraded half-gone-still\n");
        call(w, "DeleteiSCSIProtocolEndpoint", "o", PORT_1_PATH);
        expect_at(G_STRLOC, w, "Degraded",
                  (const char *const[]){ "~ " PORT_1 " StatusDescriptions", "~ " NODE " StatusDescriptions", NULL });
        fault_plan(w->service, "delete-port fail Degraded half-gone-still\n");
        call(w, "DeleteiSCSIProtocolEndpoint", "o", PORT_1_PATH);
        expect_failure(w, "Degraded");
}

static bool has_signals(void *mirror) {
        return mirror_has_signals(mirror);
}

/* Nobody called: the host's addresses changed. */
static void test_address(void) {
        g_autoptr(Watch) w = watch_new();

        run_command("ip", "address", "add", "10.9.0.1/24", "dev", "lo", NULL);
        process_until(w->other, has_signals, w->at_other);
        assert_signals(w->at_other, "+ ip/10.9.0.1", "+ tcp/10.9.0.1:3260", "~ portal_group/default -Members",
                       "~ ip/10.9.0.1 -BoundBy");
        run_command("ip", "address", "del", "10.9.0.1/24", "dev", "lo", NULL);
        process_until(w->other, has_signals, w->at_other);
        assert_signals(w->at_other, "- ip/10.9.0.1", "~ tcp/10.9.0.1:3260 BindsTo", "- tcp/10.9.0.1:3260",
                       "~ portal_group/default -Members");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/signals/node", test_node);
        g_test_add_func("/signals/node-with-ports", test_node_with_ports);
        g_test_add_func("/signals/together", test_together);
        g_test_add_func("/signals/port", test_port);
        g_test_add_func("/signals/bindings", test_bindings);
        g_test_add_func("/signals/tcp-endpoint-and-groups", test_tcp_endpoint_and_groups);
        g_test_add_func("/signals/default-group", test_default_group);
        g_test_add_func("/signals/refused", test_refused);
        g_test_add_func("/signals/failed", test_failed);
        g_test_add_func("/signals/address", test_address);
        return g_test_run();
}
