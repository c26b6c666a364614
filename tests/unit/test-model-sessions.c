/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which sessions a port has: by the record that both name, whichever is seen first. */

#include <string.h>

#include "model/session.h"
#include "model-fixture.h"

#define A "iqn.2001-04.com.example:a"
#define P1 0x800000000001
#define P2 0x800000000002
#define LINE_1 "~ /node/" A "/800000000001"
#define LINE_2 "~ /node/" A "/800000000002"
#define UNKNOWN "4294967295"
#define BOTH " SessionCount SessionIdentifiers"

typedef struct Fixture {
        Recorder *r;
        Node *node;
        Port *p1, *p2, *target;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
        f->r = recorder_new();
        add_address(f->r, "10.0.0.1");
        g_assert_cmpint(model_add_node(f->r->model, A, "", ROLE_BIT(ROLE_TARGET) | ROLE_BIT(ROLE_INITIATOR), true, &f->node), ==,
                        0);
        g_assert_cmpint(model_publish_node(f->r->model, f->node), ==, 0);
        f->p1 = add_port(f->r, f->node, ROLE_INITIATOR, P1, "10.0.0.1");
        f->p2 = add_port(f->r, f->node, ROLE_INITIATOR, P2, "10.0.0.1");
        f->target = add_port(f->r, f->node, ROLE_TARGET, 1, "10.0.0.1:3260");
        recorder_forget(f->r);
}

static void tear_down(Fixture *f, gconstpointer data) {
        recorder_free(f->r);
}

static void know(Fixture *f) {
        model_set_sessions_known(f->r->model, true);
        recorder_forget(f->r);
}

static void set_session(Fixture *f, uint32_t number, const char *record, uint64_t isid, int expected) {
        g_assert_cmpint(model_set_session(f->r->model, number, record, isid), ==, expected);
}

static void set_record(Fixture *f, Port *p, const char *record) {
        g_assert_cmpint(model_set_port_record(f->r->model, p, record), ==, 0);
}

static void assert_identifiers(Port *p, const char *expected) {
        g_autofree char *text = object_property(&p->object, "SessionIdentifiers");

        g_assert_cmpstr(text, ==, expected);
}

static void assert_count(Port *p, const char *expected) {
        g_autofree char *text = object_property(&p->object, "SessionCount");

        g_assert_cmpstr(text, ==, expected);
}

static void test_port_first(Fixture *f, gconstpointer data) {
        know(f);
        set_record(f, f->p1, "one");
        recorder_assert_told(f->r, LINE_1 " SessionCount");
        g_assert_true(model_find_port_by_record(f->r->model, "one") == f->p1);
        g_assert_null(model_find_port_by_record(f->r->model, "two"));

        set_session(f, 5, "one", 0x00023D000005, 1);
        recorder_assert_told(f->r, LINE_1 BOTH);
        set_session(f, 5, "one", 0x00023D000005, 0);
        recorder_assert_told(f->r);
        set_session(f, 3, "one", 0x00023D000003, 1);
        set_session(f, 9, "one", ISID_UNKNOWN, 1);
        recorder_assert_told(f->r, LINE_1 BOTH, LINE_1 " SessionCount");
        assert_identifiers(f->p1, "[\"00023D000003\",\"00023D000005\"]"); /* by number */
        g_assert_cmpuint(f->p1->n_sessions, ==, 3);

        set_session(f, 9, "one", 0x00023D000009, 0);
        recorder_assert_told(f->r, LINE_1 " SessionIdentifiers");
        model_remove_session(f->r->model, 9);
        recorder_assert_told(f->r, LINE_1 BOTH);
        model_remove_session(f->r->model, 9);
        recorder_assert_told(f->r);
        assert_identifiers(f->p2, "[]");
}

static void test_session_first(Fixture *f, gconstpointer data) {
        know(f);
        set_session(f, 1, NULL, 0x00023D000001, 0);
        set_session(f, 1, "one", 0x00023D000001, 1);
        set_session(f, 2, "two", 0x00023D000002, 1);
        recorder_assert_told(f->r);
        set_record(f, f->p1, "one");
        recorder_assert_told(f->r, LINE_1 BOTH);
        assert_identifiers(f->p1, "[\"00023D000001\"]");
        set_record(f, f->p1, "one");
        recorder_assert_told(f->r);

        /* The port has another record; another port has it; a session is of another record. */
        set_record(f, f->p1, "two");
        recorder_assert_told(f->r, LINE_1 BOTH);
        assert_identifiers(f->p1, "[\"00023D000002\"]");
        set_record(f, f->p2, "two");
        recorder_assert_told(f->r, LINE_1 BOTH, LINE_2 BOTH);
        g_assert_null(f->p1->record);
        assert_identifiers(f->p1, "[]");
        set_record(f, f->p1, "one");
        recorder_assert_told(f->r, LINE_1 BOTH);
        set_session(f, 2, "one", 0x00023D000002, 1);
        recorder_assert_told(f->r, LINE_2 BOTH, LINE_1 BOTH);
        assert_identifiers(f->p1, "[\"00023D000001\",\"00023D000002\"]");
        set_session(f, 2, NULL, ISID_UNKNOWN, 1);
        recorder_assert_told(f->r, LINE_1 " SessionIdentifiers", LINE_1 " SessionCount");
}

/* Ports go with their record; their sessions stay, and a port that has it later has them. */
static void test_ports_go(Fixture *f, gconstpointer data) {
        know(f);
        set_record(f, f->p1, "one");
        set_session(f, 1, "one", 0x00023D000001, 1);
        recorder_forget(f->r);
        model_remove_port(f->r->model, f->p1);
        g_assert_null(model_find_port_by_record(f->r->model, "one"));
        recorder_forget(f->r);
        set_session(f, 1, "one", 0x00023D000001, 0);
        recorder_assert_told(f->r);
        set_record(f, f->p2, "one");
        recorder_assert_told(f->r, LINE_2 BOTH);
        model_remove_node(f->r->model, f->node);
        model_remove_session(f->r->model, 1);
}

/* Nothing is kept of target ports: what a backend calls them is no record. */
static void test_targets(Fixture *f, gconstpointer data) {
        know(f);
        set_record(f, f->target, "tpgt_1");
        g_assert_null(model_find_port_by_record(f->r->model, "tpgt_1"));
        set_session(f, 1, "tpgt_1", 0x00023D000001, 1);
        recorder_assert_told(f->r);
        g_assert_null(f->target->sessions);
}

/* While the list may lack some, no number is told. */
static void test_unknown(Fixture *f, gconstpointer data) {
        set_record(f, f->p1, "one");
        set_session(f, 1, "one", 0x00023D000001, 1);
        recorder_assert_told(f->r, LINE_1 " SessionIdentifiers");
        g_assert_false(model_sessions_known(f->r->model));
        set_record(f, f->p2, "two");
        recorder_assert_told(f->r);
        model_set_sessions_known(f->r->model, true);
        recorder_assert_told(f->r, LINE_1 " SessionCount", LINE_2 " SessionCount");
        model_set_sessions_known(f->r->model, true);
        recorder_assert_told(f->r);
        model_set_sessions_known(f->r->model, false);
        recorder_assert_told(f->r, LINE_1 " SessionCount", LINE_2 " SessionCount");
        set_session(f, 2, "one", ISID_UNKNOWN, 1);
        recorder_assert_told(f->r);
}

/* Of a port whose record was not seen it is not known which sessions it has, also if there are none at all. It is told when that
 * is known, and when it is not any more. */
static void test_records(Fixture *f, gconstpointer data) {
        know(f);
        assert_count(f->p1, UNKNOWN);
        assert_count(f->target, UNKNOWN);
        set_record(f, f->p1, "one");
        recorder_assert_told(f->r, LINE_1 " SessionCount");
        assert_count(f->p1, "0");
        set_record(f, f->p1, "other"); /* 0 as before */
        recorder_assert_told(f->r);
        assert_count(f->p1, "0");
        set_record(f, f->p2, "other");
        recorder_assert_told(f->r, LINE_1 " SessionCount", LINE_2 " SessionCount");
        assert_count(f->p1, UNKNOWN);
        assert_count(f->p2, "0");

        model_set_sessions_known(f->r->model, false); /* what was not known is told again by nobody */
        recorder_assert_told(f->r, LINE_2 " SessionCount");
}

static void add(const char *name, void (*test)(Fixture *, gconstpointer)) {
        g_test_add(name, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        add("/model-sessions/port-first", test_port_first);
        add("/model-sessions/session-first", test_session_first);
        add("/model-sessions/ports-go", test_ports_go);
        add("/model-sessions/targets", test_targets);
        add("/model-sessions/unknown", test_unknown);
        add("/model-sessions/records", test_records);
        return g_test_run();
}
