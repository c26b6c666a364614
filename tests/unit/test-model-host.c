/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The host's own node as an initiator: it gets names, and its ports go with it. */

#include <errno.h>
#include <string.h>

#include "common/name.h"
#include "model-fixture.h"
#include "model/host-node.h"

#define A "iqn.2001-04.com.example:a"
#define B "iqn.2001-04.com.example:b"
#define INITIATOR ROLE_BIT(ROLE_INITIATOR)
#define TARGET ROLE_BIT(ROLE_TARGET)

static Node *add_host(Recorder *r) {
        Node *n;

        g_assert_cmpint(model_add_host_node(r->model, &n), ==, 0);
        g_assert_cmpint(model_publish_node(r->model, n), ==, 0);
        return n;
}

static void test_names(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Node *n;

        g_assert_null(model_host_node(m));
        g_assert_null(model_find_known_node(m, HOST_NODE));
        n = add_host(r);
        g_assert_true(model_host_node(m) == n);
        g_assert_cmpint(model_add_host_node(m, &n), ==, -EEXIST);
        g_assert_cmpint(model_name_host_node(m, NULL), ==, 0); /* as it is */
        recorder_forget(r);

        g_assert_cmpint(model_set_node_alias(m, n, "this host"), ==, 0);
        model_set_node_drift_policy(m, n, DRIFT_ENFORCE);
        n->host_looked_at = true;
        g_assert_cmpint(model_name_host_node(m, A), ==, 0);
        n = model_host_node(m);
        g_assert_cmpstr(n->name, ==, A);
        g_assert_cmpstr(n->alias, ==, "this host");
        g_assert_cmpint(n->drift, ==, DRIFT_ENFORCE);
        g_assert_true(n->host_looked_at);
        g_assert_null(model_find_node(m, HOST_NODE));
        recorder_check(r);

        /* What the store and the backend of each role call it. */
        g_assert_true(model_find_known_node(m, HOST_NODE) == n);
        g_assert_cmpstr(node_known_as(n, ROLE_INITIATOR), ==, HOST_NODE);
        g_assert_cmpstr(node_known_as(n, ROLE_TARGET), ==, A);
        g_assert_cmpstr(node_stored_as(n), ==, HOST_NODE);

        g_assert_cmpint(model_name_host_node(m, NULL), ==, 0);
        g_assert_cmpstr(model_host_node(m)->name, ==, HOST_NODE);
        recorder_check(r);

        model_remove_node(m, model_host_node(m));
        g_assert_null(model_host_node(m));
        recorder_check(r);
}

static void test_ports_move(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Port *p, *foreign;
        Node *n;

        add_address(r, "10.0.0.1");
        n = add_host(r);
        p = add_port(r, n, ROLE_INITIATOR, 0x800000000001, "10.0.0.1");
        p->owed = true;
        p->removal = 7;
        g_assert_cmpint(model_add_port(m, n, ROLE_INITIATOR, 0x800000000002, NULL, 0, false, &foreign), ==, 0);
        g_assert_cmpint(model_publish_port(m, foreign), ==, 0);
        model_set_port_state(m, p, STATE_DEGRADED, "why");
        recorder_forget(r);

        g_assert_cmpint(model_name_host_node(m, A), ==, 0);
        recorder_check(r);
        n = model_host_node(m);
        g_assert_true(port(r, A, 0x800000000001) == p);
        g_assert_true(port(r, A, 0x800000000002) == foreign);
        g_assert_true(p->owed && p->removal == 7 && p->managed && !foreign->managed);
        g_assert_cmpstr(p->object.path, ==, "/node/" A "/800000000001");
        g_assert_cmpint(p->state, ==, STATE_DEGRADED);
        g_assert_cmpint(n->state, ==, STATE_DEGRADED);
        g_assert_null(model_find_object(m, "/node/" HOST_NODE "/800000000001"));
        g_assert_null(model_find_object(m, "/node/" HOST_NODE));
}

/* A managed target node of the name has both roles then; when the host gets another name its own part stays. */
static void test_also_target(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Node *target;
        Port *t, *i;

        add_address(r, "10.0.0.1");
        i = add_port(r, add_host(r), ROLE_INITIATOR, 0x800000000001, "10.0.0.1");
        target = add_node(r, A, TARGET);
        t = add_port(r, target, ROLE_TARGET, 1, "10.0.0.1:3260");

        g_assert_cmpint(model_name_host_node(m, A), ==, 0);
        recorder_check(r);
        g_assert_true(model_host_node(m) == target);
        g_assert_cmpuint(target->roles, ==, INITIATOR | TARGET);
        g_assert_cmpstr(node_stored_as(target), ==, A);
        g_assert_true(t->key.node == target && i->key.node == target);

        g_assert_cmpint(model_name_host_node(m, B), ==, 0);
        recorder_check(r);
        g_assert_true(target->roles == TARGET && !target->host);
        g_assert_true(t->key.node == target);
        g_assert_true(i->key.node == model_host_node(m));
        g_assert_cmpstr(i->key.node->name, ==, B);
}

/* One that another program made is the host's as an initiator; what is in it stays that program's, and goes with the name. */
static void test_foreign_target(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Node *foreign;
        Port *t;

        (void) add_host(r);
        g_assert_cmpint(model_add_node(m, A, "", TARGET, false, &foreign), ==, 0);
        g_assert_cmpint(model_publish_node(m, foreign), ==, 0);
        g_assert_cmpint(model_add_port(m, foreign, ROLE_TARGET, 1, NULL, 0, false, &t), ==, 0);
        g_assert_cmpint(model_publish_port(m, t), ==, 0);

        g_assert_cmpint(model_name_host_node(m, A), ==, 0);
        recorder_check(r);
        g_assert_true(model_host_node(m) == foreign && foreign->managed);
        g_assert_cmpuint(foreign->roles, ==, INITIATOR);
        g_assert_false(port(r, A, 1)->managed);

        g_assert_cmpint(model_name_host_node(m, B), ==, 0);
        recorder_check(r);
        g_assert_null(model_find_node(m, A)); /* it is seen again when the node is looked at */
}

static void test_refused(void) {
        g_autoptr(Recorder) r = recorder_new();
        Model *m = r->model;
        Node *n;

        n = add_host(r);
        (void) add_node(r, A, INITIATOR);
        g_assert_cmpint(model_add_node(m, B, "", TARGET, true, &n), ==, 0); /* being made */
        g_assert_cmpint(model_name_host_node(m, A), ==, -EEXIST);
        g_assert_cmpint(model_name_host_node(m, B), ==, -EBUSY);
        g_assert_cmpstr(model_host_node(m)->name, ==, HOST_NODE);
        recorder_check(r);
        model_remove_node(m, n);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/model-host/names", test_names);
        g_test_add_func("/model-host/ports-move", test_ports_move);
        g_test_add_func("/model-host/also-target", test_also_target);
        g_test_add_func("/model-host/foreign-target", test_foreign_target);
        g_test_add_func("/model-host/refused", test_refused);
        return g_test_run();
}
