/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sessions of this host as an initiator: the real open-iscsi logs in to the real target, which is in another network namespace,
 * and the service, as an unprivileged user, shows what sysfs says. What the target says of the session is held against it. */

#include "open-iscsi.h"
#include "service-fixture.h"

#include <string.h>

#include "session-list.h"

#define TARGET_NAME "iqn.2026-11.org.example:target"
#define INITIATOR "iqn.2026-11.org.example:ini"
#define INITIATOR_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aini"
#define PORT INITIATOR_PATH "/endpoint/800000000001"
#define PORT_LINE "node/" INITIATOR "/endpoint/800000000001"
#define ADDRESS ROOT_PATH "/ip/_310_2e7_2e0_2e1"
#define ACL FABRIC "/" TARGET_NAME "/tpgt_1/acls/" INITIATOR

/* What the backend `model` calls the port. */
#define RECORD INITIATOR "-800000000001"

#define NODE_OF(record) "iscsiadm -m node -I " record " -T " TARGET_NAME " -p 10.7.0.2:3260"

/* A lost connection is noticed by iscsid's pings, which this test makes fast, and then by the service's look every 5 s. */
#define LOST_USEC (20 * G_USEC_PER_SEC)

typedef struct Fixture {
        Service *service;
        sd_bus *bus;
        Mirror *mirror;
} Fixture;

/* The target, at 10.7.0.2 in a network namespace of its own. iscsid must be in the first one. */
static void make_target(void) {
        must_shell("mkdir -p /run/netns && ip netns add target && ip link add i0 type veth peer name t0 && "
                   "ip link set t0 netns target && ip address add 10.7.0.1/24 dev i0 && ip link set i0 up && "
                   "ip -n target address add 10.7.0.2/24 dev t0 && ip -n target link set t0 up && ip -n target link set lo up");
        must_shell("mkdir -p " ACL " && nsenter --net=/run/netns/target mkdir " FABRIC "/" TARGET_NAME
                   "/tpgt_1/np/10.7.0.2:3260 && "
                   "echo 0 >" FABRIC "/" TARGET_NAME "/tpgt_1/attrib/authentication && echo 1 >" FABRIC "/" TARGET_NAME
                   "/tpgt_1/enable");
}

static void remove_target(void) {
        must_shell("cd " FABRIC "/" TARGET_NAME " && echo 0 >tpgt_1/enable && rmdir tpgt_1/acls/* tpgt_1/np/* tpgt_1 && rmdir "
                   "../" TARGET_NAME " && ip netns del target");
}

static void make_record(const char *record) {
        must_shell("iscsiadm -m iface -I %s -o new && iscsiadm -m iface -I %s -o update -n iface.net_ifacename -v i0", record,
                   record);
}

/* Without the discovery: this is about sessions. */
static void make_node_record(const char *record) {
        must_shell("iscsiadm -m node -I %s -T " TARGET_NAME " -p 10.7.0.2:3260,1 -o new && "
                   "for s in noop_out_interval noop_out_timeout; do iscsiadm -m node -I %s -T " TARGET_NAME
                   " -p 10.7.0.2:3260 -o update -n node.conn[0].timeo.$s -v 1; done",
                   record, record);
}

static void start_initiator(void) {
        g_assert_true(open_iscsi_start(INITIATOR));
        make_record(RECORD);
        make_node_record(RECORD);
}

static void start_service(Fixture *f) {
        service_start(f->service);
        f->bus = connect_as("root");
        f->mirror = mirror_new(f->bus);
}

static void stop_service(Fixture *f) {
        mirror_free(f->mirror);
        sd_bus_flush_close_unref(f->bus);
        service_stop(f->service);
}

static void set_up(Fixture *f, gconstpointer data) {
        make_target();
        start_initiator();
        f->service = service_new("--target-backend=none", "--initiator-backend=model", NULL);
        start_service(f);
        must_call(f->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", INITIATOR, "Roles", "aq", 1, 2);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", INITIATOR_PATH, 2, "800000000001", 1, ADDRESS);
        g_free(mirror_take(f->mirror));
}

static void tear_down(Fixture *f, gconstpointer data) {
        stop_service(f);
        service_free(f->service);
        open_iscsi_stop();
        remove_target();
}

static void log_in(const char *record) {
        must_shell("iscsiadm -m node -I %s -T " TARGET_NAME " -p 10.7.0.2:3260 --login", record);
}

static void await_sessions(Fixture *f, const char *count, const char *isids) {
        g_autofree char *c = g_strconcat("=", count, NULL), *i = g_strconcat("=", isids, NULL);

        await_seen(f->bus, PORT, PORT_INTERFACE, "SessionCount", c);
        assert_value(f->bus, PORT, PORT_INTERFACE, "SessionIdentifiers", i);
}

static void assert_told(Fixture *f) {
        g_autofree char *signals = mirror_take(f->mirror);

        g_test_message("%s", signals);
        g_assert_nonnull(strstr(signals, "~ " PORT_LINE " SessionCount SessionIdentifiers"));
}

/* Of the last session that logged in, in our spelling: "0x00 02 3d 00 00 01" is 00023D000001. */
static char *isid_at_target(void) {
        return shell_output("sed -n 's/.*ISID: 0x\\([0-9a-f ]*\\)  TSIH.*/\\1/p' " ACL "/info | tr -d ' \\n' | tr a-f A-F");
}

static void await_state(Fixture *f, const char *state, gint64 usec) {
        gint64 end = g_get_monotonic_time() + usec;

        for (;;) {
                g_autoptr(SessionList) l = list_sessions(f->bus, PORT);

                g_assert_cmpuint(l->sessions->len, >, 0);
                if (g_str_equal(session_value(l, 0, "State"), state))
                        return;
                if (g_get_monotonic_time() > end)
                        g_error("the session is %s, not %s", session_value(l, 0, "State"), state);
                g_usleep(50000);
        }
}

#define assert_key(l, key, value) g_assert_cmpstr(session_value((l), 0, (key)), ==, (value))

/* All that is told of a session, beside what the target says and what was configured. */
static void test_both_ends(Fixture *f, gconstpointer data) {
        g_autofree char *isid = NULL, *port = NULL;
        g_autoptr(SessionList) l = NULL;
        const char *connection;

        await_sessions(f, "0", "[]");
        assert_sessions(f->bus, ROOT_PATH, "");

        log_in(RECORD);
        await_seen(f->bus, PORT, PORT_INTERFACE, "SessionCount", "=1");
        await_state(f, "LOGGED_IN", SEEN_USEC);
        assert_told(f);

        await_complete(f->bus, PORT); /* it can be logged in before all is read */
        l = list_sessions(f->bus, PORT);
        g_assert_cmpuint(l->sessions->len, ==, 1);
        g_assert_true(l->complete);
        isid = isid_at_target();
        assert_key(l, "ISID", isid);
        port = g_strdup_printf("=[%s]", isid);
        assert_value(f->bus, PORT, PORT_INTERFACE, "SessionIdentifiers", port);

        assert_key(l, "Role", "2");
        assert_key(l, "Initiator", INITIATOR);
        assert_key(l, "Target", TARGET_NAME);
        assert_key(l, "Tag", "1");
        assert_key(l, "Identifier", "800000000001");
        assert_key(l, "Port", PORT);
        assert_key(l, "InterfaceRecord", RECORD);
        assert_key(l, "InterfaceName", "i0");
        assert_key(l, "InitialR2T", "true");
        assert_key(l, "ImmediateData", "true");
        assert_key(l, "MaxOutstandingR2T", "1");
        assert_key(l, "ErrorRecoveryLevel", "0");
        assert_key(l, "TSIH", "");
        connection = session_value(l, 0, "Connections");
        g_assert_true(g_str_has_prefix(connection, "{ConnectionID=0 State=up Address=10.7.0.2 PortNumber=3260 "
                                                   "PersistentAddress=10.7.0.2 PersistentPortNumber=3260 LocalAddress=10.7.0.1 "
                                                   "LocalPortNumber="));
        g_assert_nonnull(strstr(connection, "HeaderDigestMethod=2 DataDigestMethod=2}"));

        must_shell(NODE_OF(RECORD) " --logout");
        await_sessions(f, "0", "[]");
        assert_told(f);
        assert_sessions(f->bus, ROOT_PATH, "");
}

/* The link goes down and comes back: the same session, and when it became so. */
static void test_link(Fixture *f, gconstpointer data) {
        g_autoptr(SessionList) before = NULL, lost = NULL, back = NULL;

        log_in(RECORD);
        await_seen(f->bus, PORT, PORT_INTERFACE, "SessionCount", "=1");
        await_state(f, "LOGGED_IN", SEEN_USEC);
        before = list_sessions(f->bus, PORT);

        must_shell("ip -n target link set t0 down");
        await_state(f, "FAILED", LOST_USEC);
        lost = list_sessions(f->bus, PORT);
        assert_key(lost, "ISID", session_value(before, 0, "ISID"));
        assert_value(f->bus, PORT, PORT_INTERFACE, "SessionCount", "=1");
        g_assert_cmpint(atoll(session_value(lost, 0, "TimeOfLastStateChange")), >,
                        atoll(session_value(before, 0, "TimeOfLastStateChange")));

        must_shell("ip -n target link set t0 up");
        await_state(f, "LOGGED_IN", LOST_USEC);
        back = list_sessions(f->bus, PORT);
        assert_key(back, "SessionNumber", session_value(before, 0, "SessionNumber"));
        g_assert_nonnull(strstr(session_value(back, 0, "Connections"), "State=up"));
        g_assert_cmpstr(session_value(back, 0, "Connections"), !=, session_value(before, 0, "Connections")); /* its port here */

        must_shell(NODE_OF(RECORD) " --logout");
        await_sessions(f, "0", "[]");
}

/* Two sessions of one record have two ISIDs; one of another record is not the port's; and what is there when the service starts
 * is found. */
static void test_several(Fixture *f, gconstpointer data) {
        g_autofree char *isids = NULL, *numbers = NULL;
        g_autoptr(SessionList) l = NULL;
        unsigned first;

        make_node_record("default");
        log_in(RECORD);
        await_seen(f->bus, PORT, PORT_INTERFACE, "SessionCount", "=1");
        must_shell(NODE_OF(RECORD) " -o update -n node.session.nr_sessions -v 2");
        log_in(RECORD);
        await_seen(f->bus, PORT, PORT_INTERFACE, "SessionCount", "=2");
        log_in("default");

        l = list_sessions(f->bus, PORT);
        first = (unsigned) atoi(session_value(l, 0, "SessionNumber"));
        isids = g_strdup_printf("=[00023D%06X 00023D%06X]", first, first + 1);
        numbers = g_strdup_printf("%u %u", first, first + 1);

        for (unsigned i = 0; i < 2; i++) {
                g_autoptr(SessionList) all = NULL;

                await_value(f->bus, PORT, PORT_INTERFACE, "SessionIdentifiers", isids, 5 * G_USEC_PER_SEC);
                await_complete(f->bus, INITIATOR_PATH); /* the third is not set up for a moment after its login */
                assert_sessions(f->bus, PORT, numbers);
                all = list_sessions(f->bus, INITIATOR_PATH);
                g_assert_cmpuint(all->sessions->len, ==, 3);
                g_assert_cmpstr(session_value(all, 2, "InterfaceRecord"), ==, "default");
                g_assert_cmpstr(session_value(all, 2, "Port"), ==, "");
                g_assert_cmpstr(session_value(all, 2, "InterfaceName"), ==, "");
                if (i == 0) {
                        stop_service(f);
                        start_service(f);
                }
        }

        must_shell("iscsiadm -m node -u");
        await_sessions(f, "0", "[]");
        assert_sessions(f->bus, ROOT_PATH, "");
}

static void add(const char *name, void (*test)(Fixture *, gconstpointer)) {
        g_test_add(name, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        if (shell("command -v iscsid && command -v iscsiadm && test -d /sys/module/iscsi_tcp") != 0) {
                g_test_message("open-iscsi, or its kernel module, is not here");
                return 77;
        }
        add("/sessions/both-ends", test_both_ends);
        add("/sessions/link", test_link);
        add("/sessions/several", test_several);
        return g_test_run();
}
