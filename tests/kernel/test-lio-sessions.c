/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iscsi-backend-lio with a real initiator (open-iscsi) logged in to the real target of the same machine. */

#include <stdio.h>
#include <string.h>

#include "lio-fixture.h"
#include "open-iscsi.h"

#define INITIATOR "iqn.2026-11.org.iscsi:initiator"
#define PORT NODE_A "/tpgt_1"

static void log_in(void) {
        g_assert_cmpint(shell("iscsiadm -m discovery -t sendtargets -p 127.0.0.1:3260 && iscsiadm -m node -T %s -p "
                              "127.0.0.1:3260 --login",
                              NODE_A),
                        ==, 0);
}

static void log_out(void) {
        g_assert_cmpint(
                shell("iscsiadm -m node -T %s -p 127.0.0.1:3260 --logout; iscsiadm -m node -T %s -o delete", NODE_A, NODE_A), ==,
                0);
}

static void await_session(Worker *w) {
        for (unsigned i = 0; i < 200; i++) {
                Answer a = check_sessions(w, NODE_A);
                bool there = a.refusal == REFUSAL_SESSIONS_ACTIVE;

                answer_done(&a);
                if (there)
                        return;
                (void) usleep(100000);
        }

        g_error("the initiator does not come back");
}

static void test_sessions(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL;
        g_autoptr(Worker) w = NULL;

        if (!open_iscsi_start(INITIATOR))
                return;
        w = worker_new(NULL, NULL);

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 127.0.0.2:3260"));
        expect_success(check_sessions(w, NODE_A));
        tree_write(PORT "/attrib/authentication", "0");
        tree_write(PORT "/attrib/generate_node_acls", "1");

        /* Without an ACL. */
        log_in();
        whole = tree_snapshot();
        expect_refusal(check_sessions(w, NODE_A), REFUSAL_SESSIONS_ACTIVE, INITIATOR);
        expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_SESSIONS_ACTIVE, INITIATOR);
        expect_refusal(call_port(w, "disable-port", NODE_A, 1), REFUSAL_SESSIONS_ACTIVE, INITIATOR);
        expect_refusal(call_port(w, "check-sessions", NODE_A, 1), REFUSAL_SESSIONS_ACTIVE, INITIATOR);
        expect_success(call_port(w, "check-sessions", NODE_A, 2));
        assert_tree(whole);
        assert_enabled(PORT, true);

        /* A check says what would end, and ends nothing. */
        g_autoptr(Results) checked = request(
                w, "Check", NODE_A, NULL,
                (const Item[]){
                        { "disable-port", 1 }, { "disable-port", 1, NULL, "Force" }, { "delete-port", 1, NULL, "Force" }, {} });
        g_assert_cmpint(checked->items[0].refusal, ==, REFUSAL_SESSIONS_ACTIVE);
        g_assert_cmpint(checked->items[1].refusal, ==, REFUSAL_NONE);
        g_assert_cmpint(checked->items[2].refusal, ==, REFUSAL_NONE);
        g_assert_nonnull(strstr(checked->warnings, "Initiator " INITIATOR " is logged in"));
        expect_refusal(check_sessions(w, NODE_A), REFUSAL_SESSIONS_ACTIVE, INITIATOR);

        /* Another node's sessions are not this one's. */
        expect_success(check_sessions(w, NODE_B));

        /* Portals may come and go meanwhile, the one in use too. */
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.2:3260"));
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.1:3260"));
        expect_refusal(check_sessions(w, NODE_A), REFUSAL_SESSIONS_ACTIVE, INITIATOR);
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.1:3260"));

        /* An ACL takes the session over: it is told elsewhere then. */
        tree_mkdir(PORT "/acls/" INITIATOR);
        tree_mkdir(PORT "/acls/" INITIATOR "-other");
        g_assert_cmpint(shell("test \"$(tr -d '\\0' <%s/%s/dynamic_sessions)\" = ''", ISCSI, PORT), ==, 0);
        expect_refusal(check_sessions(w, NODE_A), REFUSAL_SESSIONS_ACTIVE, INITIATOR);
        expect_refusal(call_port(w, "delete-port", NODE_A, 1), REFUSAL_SESSIONS_ACTIVE, INITIATOR);

        /* By force, off and on: the initiator comes back by itself. */
        expect_success(call_force(w, "disable-port", NODE_A, 1));
        expect_success(check_sessions(w, NODE_A));
        assert_there(PORT "/acls/" INITIATOR);
        expect_success(call_port(w, "enable-port", NODE_A, 1));
        await_session(w);
        expect_success(call_force(w, "delete-port", NODE_A, 1));
        assert_absent(PORT);

        log_out();
        expect_success(check_sessions(w, NODE_A));
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_node(w, "delete-node", NODE_A));
        assert_tree(before);
        open_iscsi_stop();
}

static void add_tests(void) {
        g_test_add_func("/lio/sessions", test_sessions);
}

int main(int argc, char **argv) {
        return lio_test_main(argc, argv, add_tests);
}
