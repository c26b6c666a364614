/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ListSessions, SessionCount and SessionIdentifiers over the bus. The sessions are in a directory like /sys that the test makes;
 * what changes in it is seen when the service looks again (SIGHUP), and every 5 s while there are sessions. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "mirror.h"
#include "session-list.h"
#include "sysfs-tree.h"

#define A "iqn.2026-11.org.example:a"
#define B "iqn.2026-11.org.example:b"
#define NODE_A ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aa"
#define NODE_B ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3ab"
#define PORT_A NODE_A "/endpoint/800000000001"
#define PORT_B NODE_B "/endpoint/800000000001"
#define TARGET_B NODE_B "/endpoint/000000000001"
#define LINE_A "~ node/" A "/endpoint/800000000001"
#define LINE_B "~ node/" B "/endpoint/800000000001"
#define ADDRESS ROOT_PATH "/ip/_3127_2e0_2e0_2e1"

/* What the backend `model` calls its ports. */
#define RECORD_A A "-800000000001"
#define RECORD_B B "-800000000001"

#define UNKNOWN "4294967295"

typedef struct Fixture {
        SysfsTree *tree;
        Service *service;
        sd_bus *bus;
        Mirror *mirror;
} Fixture;

static void start(Fixture *f) {
        service_start(f->service);
        f->bus = connect_as("root");
        f->mirror = mirror_new(f->bus);
}

static void stop(Fixture *f) {
        mirror_free(f->mirror);
        sd_bus_flush_close_unref(f->bus);
        service_stop(f->service);
}

static void set_up(Fixture *f, gconstpointer data) {
        f->tree = sysfs_tree_new();
        f->service = service_new("--target-backend=model", "--initiator-backend=model", NULL);
        service_add_option(f->service, g_strdup_printf("--sysfs=%s", f->tree->path));
        start(f);
}

static void tear_down(Fixture *f, gconstpointer data) {
        stop(f);
        service_free(f->service);
        sysfs_tree_free(f->tree);
}

/* Until it was looked at it is not known which sessions a port has. */
static void await_looked(Fixture *f, const char *port) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

        for (;;) {
                g_autoptr(SessionList) l = list_sessions(f->bus, port);
                bool looked = true;

                for (guint i = 0; i < l->reasons->len; i++)
                        looked &= !strstr(g_ptr_array_index(l->reasons, i), "record is called");
                if (looked)
                        return;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
}

static void make_ports(Fixture *f) {
        must_call(f->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", A, "Roles", "aq", 1, 2);
        must_call(f->bus, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", B, "Roles", "aq", 2, 2, 3);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A, 2, "", 1, ADDRESS);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_B, 2, "", 1, ADDRESS);
        await_looked(f, PORT_A);
        await_looked(f, PORT_B);
        g_free(mirror_take(f->mirror));
}

static void look(Fixture *f) {
        g_assert_cmpint(kill(f->service->pid, SIGHUP), ==, 0);
}

static void await_count(Fixture *f, const char *port, const char *expected) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *value = get_property(f->bus, port, PORT_INTERFACE, "SessionCount");

                if (g_str_equal(value, expected))
                        return;
                if (g_get_monotonic_time() > end)
                        g_error("%s has %s sessions, not %s", port, value, expected);
                g_usleep(10000);
        }
}

static void assert_isids(Fixture *f, const char *port, const char *expected) {
        g_autofree char *value = get_property(f->bus, port, PORT_INTERFACE, "SessionIdentifiers");

        g_assert_cmpstr(value, ==, expected);
}

/* The sessions' numbers, and whether the only reason for not being complete is REASON (NULL: it is complete). */
static void assert_list(Fixture *f, const char *path, const char *numbers, const char *reason) {
        g_autoptr(SessionList) l = list_sessions(f->bus, path);
        g_autofree char *found = session_numbers(l);

        g_assert_cmpstr(found, ==, numbers);
        g_assert_cmpuint(l->reasons->len, ==, reason ? 1 : 0);
        if (reason)
                g_assert_nonnull(strstr(g_ptr_array_index(l->reasons, 0), reason));
}

/* Waits until so many are listed of all. */
static void await_sessions(Fixture *f, unsigned n) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

        for (;;) {
                g_autoptr(SessionList) l = list_sessions(f->bus, ROOT_PATH);

                if (l->sessions->len == n)
                        return;
                if (g_get_monotonic_time() > end)
                        g_error("there are %u sessions, not %u", l->sessions->len, n);
                g_usleep(20000);
        }
}

static void test_none(Fixture *f, gconstpointer data) {
        g_autofree char *signals = NULL;

        make_ports(f);
        await_count(f, PORT_A, "0");
        assert_isids(f, PORT_A, "[]");
        assert_list(f, ROOT_PATH, "", NULL);
        assert_list(f, NODE_A, "", NULL);
        assert_list(f, PORT_A, "", NULL);

        /* That it is known is told, also of none. */
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_A, 2, "800000000002", 1, ADDRESS);
        await_count(f, NODE_A "/endpoint/800000000002", "0");
        await_looked(f, NODE_A "/endpoint/800000000002");
        signals = mirror_take(f->mirror);
        g_assert_nonnull(strstr(signals, "~ node/" A "/endpoint/800000000002 SessionCount\n"));

        /* The backend has forgotten all: the ports are made again, and looked at again. */
        stop(f);
        start(f);
        await_count(f, PORT_A, "0");
        await_complete(f->bus, ROOT_PATH);
}

/* Of ports, of nodes, and of neither. */
static void test_ports(Fixture *f, gconstpointer data) {
        g_autoptr(SessionList) l = NULL;
        g_autofree char *signals = NULL;

        make_ports(f);
        sysfs_add_logged_in(f->tree, 3, A, RECORD_A);
        sysfs_add_logged_in(f->tree, 1, A, RECORD_A);
        sysfs_add_logged_in(f->tree, 4, "iqn.2026-11.org.example:A", "default"); /* nodes' names have small letters */
        sysfs_add_logged_in(f->tree, 5, "iqn.2026-11.org.example:other", "default");
        sysfs_add_logged_in(f->tree, 6, "no name", "default");
        sysfs_add_logged_in(f->tree, 7, A, RECORD_B); /* the node's name was another one at the login */
        look(f);
        await_count(f, PORT_A, "2");
        await_count(f, PORT_B, "1");
        assert_isids(f, PORT_A, "[00023D000001 00023D000003]");
        assert_isids(f, PORT_B, "[00023D000007]");

        assert_list(f, ROOT_PATH, "1 3 4 5 6 7", NULL);
        assert_list(f, NODE_A, "1 3 4", NULL);
        assert_list(f, PORT_A, "1 3", NULL);
        assert_list(f, NODE_B, "7", NULL);
        assert_list(f, PORT_B, "7", NULL);

        l = list_sessions(f->bus, PORT_A);
        g_assert_cmpstr(session_value(l, 0, "Role"), ==, "2");
        g_assert_cmpstr(session_value(l, 0, "Initiator"), ==, A);
        g_assert_cmpstr(session_value(l, 0, "Port"), ==, PORT_A);
        g_assert_cmpstr(session_value(l, 0, "Identifier"), ==, "800000000001");
        g_assert_cmpstr(session_value(l, 0, "ISID"), ==, "00023D000001");
        g_assert_cmpstr(session_value(l, 0, "State"), ==, "LOGGED_IN");
        g_assert_cmpstr(session_value(l, 0, "Connections"), ==,
                        "{ConnectionID=0 State=up Address=192.0.2.1 PortNumber=3260 PersistentAddress=192.0.2.2 "
                        "PersistentPortNumber=3261 LocalAddress=192.0.2.9 LocalPortNumber=40000 "
                        "MaxReceiveDataSegmentLength=262144 MaxTransmitDataSegmentLength=8192 HeaderDigestMethod=3 "
                        "DataDigestMethod=2}");

        signals = mirror_take(f->mirror);
        g_assert_nonnull(strstr(signals, LINE_A " SessionCount SessionIdentifiers\n"));
        g_assert_nonnull(strstr(signals, LINE_B " SessionCount SessionIdentifiers\n"));
}

/* While there are sessions, what changes is seen without being told. A port that nobody has looked at since it was made is
 * found. */
static void test_seen_by_looking(Fixture *f, gconstpointer data) {
        gint64 begin;

        sysfs_add_logged_in(f->tree, 9, "iqn.2026-11.org.example:other", "default");
        look(f);
        await_sessions(f, 1);
        make_ports(f);
        sysfs_add_logged_in(f->tree, 1, A, RECORD_A);
        await_count(f, PORT_A, "1");

        sysfs_set(f->tree, 1, "session", "state", "FAILED");
        sysfs_add_logged_in(f->tree, 2, A, RECORD_A);
        begin = g_get_monotonic_time();
        await_count(f, PORT_A, "2");
        g_assert_cmpint(g_get_monotonic_time() - begin, <, 7 * G_USEC_PER_SEC);
        for (;;) {
                g_autoptr(SessionList) l = list_sessions(f->bus, PORT_A);

                if (g_str_equal(session_value(l, 0, "State"), "FAILED"))
                        break;
                g_assert_cmpint(g_get_monotonic_time() - begin, <, 7 * G_USEC_PER_SEC);
                g_usleep(20000);
        }

        sysfs_remove_session(f->tree, 1);
        sysfs_remove_session(f->tree, 2);
        await_count(f, PORT_A, "0");
        assert_isids(f, PORT_A, "[]");
}

/* A session that is not set up may be anybody's. */
static void test_late_names(Fixture *f, gconstpointer data) {
        make_ports(f);
        sysfs_add_session(f->tree, 1);
        look(f);
        await_sessions(f, 1);
        assert_list(f, ROOT_PATH, "1", "Session 1 is not set up yet");
        assert_list(f, NODE_A, "", "Session 1 is not set up yet");
        assert_list(f, PORT_B, "", "Session 1 is not set up yet");
        await_count(f, PORT_A, "0");

        /* By its record it is of no port of ours, and then it may still be of any node. */
        sysfs_set(f->tree, 1, "session", "ifacename", "default");
        await_complete(f->bus, PORT_B);
        assert_list(f, PORT_A, "", NULL);
        assert_list(f, NODE_A, "", "Session 1 is not set up yet");

        sysfs_log_in(f->tree, 1, A, RECORD_A);
        await_count(f, PORT_A, "1");
        assert_list(f, ROOT_PATH, "1", NULL);
        assert_list(f, PORT_B, "", NULL);
}

/* Ports that are made, and found again, after their sessions. */
static void test_session_first(Fixture *f, gconstpointer data) {
        sysfs_add_logged_in(f->tree, 1, A, RECORD_A);
        sysfs_add_logged_in(f->tree, 2, A, RECORD_A);
        look(f);
        await_sessions(f, 2);
        await_complete(f->bus, ROOT_PATH);
        make_ports(f);
        look(f);
        await_count(f, PORT_A, "2");

        stop(f);
        start(f);
        await_count(f, PORT_A, "2");
        assert_isids(f, PORT_A, "[00023D000001 00023D000002]");
}

/* Who is logged in to this host is not looked at, and that is said. */
static void test_targets(Fixture *f, gconstpointer data) {
        static const char reason[] = "Who is logged in to target ports of this host is not listed";
        g_autofree char *count = NULL;

        make_ports(f);
        must_call(f->bus, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_B, 3, "", 1, LOOPBACK_PORTAL);
        sysfs_add_logged_in(f->tree, 1, B, RECORD_B);
        sysfs_add_session(f->tree, 2);
        look(f);
        await_count(f, PORT_B, "1");
        count = get_property(f->bus, TARGET_B, PORT_INTERFACE, "SessionCount");
        g_assert_cmpstr(count, ==, UNKNOWN);
        assert_isids(f, TARGET_B, "[]");
        assert_list(f, TARGET_B, "", reason);

        sysfs_remove_session(f->tree, 2);
        look(f);
        await_complete(f->bus, PORT_B);
        assert_list(f, NODE_B, "1", reason);
        assert_list(f, ROOT_PATH, "1", reason);
        assert_list(f, NODE_A, "", NULL);
}

static void test_refusals(Fixture *f, gconstpointer data) {
        sd_bus_message *m;

        make_ports(f);
        must_refuse(f->bus, "InvalidParameter", 5, "ListSessions", "o", ROOT_PATH "/node/nobody");
        must_refuse(f->bus, "InvalidParameter", 5, "ListSessions", "o", "/");
        must_refuse(f->bus, "InvalidParameter", 5, "ListSessions", "o", ADDRESS);
        must_refuse(f->bus, "InvalidParameter", 5, "ListSessions", "o", DEFAULT_GROUP);
        m = new_call(f->bus, "ListSessions");
        g_assert_cmpint(sd_bus_message_append(m, "s", ROOT_PATH), >=, 0);
        g_assert_cmpint(sd_bus_call(f->bus, m, 0, NULL, NULL), <, 0);
        sd_bus_message_unref(m);
}

/* What cannot be read is not said to be none. */
static void test_unreadable(Fixture *f, gconstpointer data) {
        g_autofree char *class = g_build_filename(f->tree->path, "class/iscsi_session", NULL),
                        *aside = g_strconcat(class, "-", NULL), *notice = NULL;
        g_autoptr(SessionList) l = NULL;

        make_ports(f);
        sysfs_add_logged_in(f->tree, 1, A, RECORD_A);
        look(f);
        await_count(f, PORT_A, "1");
        mirror_free(f->mirror); /* it knows the objects below the root alone */

        g_assert_cmpint(rename(class, aside), ==, 0);
        g_assert_true(g_file_set_contents(class, "", -1, NULL));
        look(f);
        await_count(f, PORT_A, UNKNOWN);
        assert_isids(f, PORT_A, "[00023D000001]");
        l = list_sessions(f->bus, PORT_A);
        g_assert_cmpuint(l->reasons->len, ==, 2);
        g_assert_cmpstr(g_ptr_array_index(l->reasons, 0), ==, "Session 1: it cannot be read now: Not a directory");
        g_assert_cmpstr(g_ptr_array_index(l->reasons, 1), ==,
                        "The iSCSI sessions of this host as an initiator cannot be listed: Not a directory");
        g_assert_cmpstr(session_value(l, 0, "State"), ==, "LOGGED_IN");
        notice = get_property(f->bus, ROOT_PATH, SERVICE_INTERFACE, "StatusDescriptions");
        g_assert_nonnull(strstr(notice, "cannot be listed: Not a directory"));

        g_assert_cmpint(unlink(class), ==, 0);
        g_assert_cmpint(rename(aside, class), ==, 0);
        await_count(f, PORT_A, "1");
        assert_list(f, PORT_A, "1", NULL);
        f->mirror = mirror_new(f->bus);
}

static void test_not_followed(Fixture *f, gconstpointer data) {
        g_autofree char *count = NULL;

        stop(f);
        sysfs_add_logged_in(f->tree, 1, A, RECORD_A);
        service_add_option(f->service, g_strdup("--sysfs="));
        start(f);
        make_ports(f);
        look(f);
        count = get_property(f->bus, PORT_A, PORT_INTERFACE, "SessionCount");
        g_assert_cmpstr(count, ==, UNKNOWN);
        assert_list(f, ROOT_PATH, "", "are not followed");
}

/* A user is sent so much and no more; the others do not feel that. */
static void test_bound(Fixture *f, gconstpointer data) {
        g_autofree char *filler = g_strnfill(900, 'x');
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;
        sd_bus *alice, *mallory;
        unsigned n;

        make_ports(f);
        for (unsigned i = 1; i <= 300; i++)
                sysfs_add_logged_in(f->tree, i, filler, filler);
        look(f);
        await_sessions(f, 300);

        alice = connect_as("alice");
        mallory = connect_as("mallory");
        for (n = 0; n < 200; n++) {
                m = call_service(mallory, &e, "ListSessions", "o", ROOT_PATH);
                if (!m)
                        break;
                sd_bus_message_unref(m);
        }
        g_test_message("%u answers, then: %s", n, e.message);
        g_assert_cmpuint(n, >=, 10);
        assert_error(&e, "LimitReached", 32775);

        /* Until there is room for that answer, nothing is worked out for this user, not even an answer that would fit. */
        g_assert_null(call_service(mallory, &e, "ListSessions", "o", NODE_A));
        assert_error(&e, "LimitReached", 32775);

        g_assert_nonnull(m = call_service(alice, &e, "ListSessions", "o", ROOT_PATH));
        sd_bus_message_unref(m);
        for (unsigned i = 0; i < 40; i++) { /* root is not counted */
                g_autoptr(SessionList) l = list_sessions(f->bus, ROOT_PATH);
        }
        g_usleep(3 * G_USEC_PER_SEC);
        g_assert_nonnull(m = call_service(mallory, &e, "ListSessions", "o", ROOT_PATH));
        sd_bus_message_unref(m);
        sd_bus_flush_close_unref(alice);
        sd_bus_flush_close_unref(mallory);
}

/* Callers that leave, and calls under way when the service ends. */
static void test_leave(Fixture *f, gconstpointer data) {
        sysfs_add_logged_in(f->tree, 1, A, RECORD_A);
        for (unsigned i = 0; i < 20; i++) {
                sd_bus *bus = connect_as("alice");

                for (unsigned k = 0; k < 5; k++) {
                        sd_bus_message *m = new_call(bus, "ListSessions");

                        g_assert_cmpint(sd_bus_message_append(m, "o", ROOT_PATH), >=, 0);
                        send_call(bus, m);
                }
                sd_bus_flush_close_unref(bus);
        }
        assert_list(f, ROOT_PATH, "", NULL);
}

static void add(const char *name, void (*test)(Fixture *, gconstpointer)) {
        g_test_add(name, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        add("/sessions/none", test_none);
        add("/sessions/ports", test_ports);
        add("/sessions/seen-by-looking", test_seen_by_looking);
        add("/sessions/late-names", test_late_names);
        add("/sessions/session-first", test_session_first);
        add("/sessions/targets", test_targets);
        add("/sessions/refusals", test_refusals);
        add("/sessions/unreadable", test_unreadable);
        add("/sessions/not-followed", test_not_followed);
        add("/sessions/bound", test_bound);
        add("/sessions/leave", test_leave);
        return g_test_run();
}
