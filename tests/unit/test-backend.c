/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is said between a backend's client and a worker. */

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>

#include "backend-fixture.h"
#include "backend/backend.h"
#include "common/log.h"

static const BackendItem create_node = { .verb = VERB_CREATE_NODE };

static Portal portal(const char *text) {
        Portal p;

        g_assert_cmpint(portal_from_text(text, &p), ==, 0);
        return p;
}

static void plan(Fixture *f, const char *text) {
        fake_plan(f->host->root, text);
}

/* WORD fails with this error and text, whatever is in it. */
static void plan_failure(Fixture *f, const char *word, const char *name, const char *text) {
        g_autofree char *escaped = g_strescape(text, NULL), *line = g_strdup_printf("%s fail %s %s", word, name, escaped);

        plan(f, line);
}

static void assert_log(Fixture *f, const char *expected) {
        g_autofree char *log = fake_log(f->host->root);

        g_assert_cmpstr(log, ==, expected);
}

static void assert_calls(Fixture *f, const char *line) {
        g_autofree char *path = g_build_filename(f->host->root, "log", NULL), *log = NULL;
        g_auto(GStrv) lines = NULL;

        g_assert_true(g_file_get_contents(path, &log, NULL, NULL));
        lines = g_strsplit(log, "\n", 0);
        if (!g_strv_contains((const char *const *) lines, line))
                g_error("\"%s\" is not in the log: %s", line, log);
}

/* Each verb with what it takes, and much that it does not: the worker refuses anything that does not belong there. */
static void test_verbs(Fixture *f, gconstpointer data) {
        const Portal portals[] = { portal("10.0.0.1:3260"), portal("[fe80::1%eth0]:860"), portal("[::1]:65535") };
        const Portal other = portal("10.0.0.4:3260");
        const struct {
                BackendItem item;
                const char *log;
        } cases[] = {
                { { VERB_CREATE_NODE, 7, portals, 3, true, true, true }, "create-node " NODE "\n" },
                { { VERB_CREATE_PORT, 1, portals, 3, true, true, true },
                  "create-port " NODE " 1 10.0.0.1:3260 [fe80::1%eth0]:860 [::1]:65535\n" },
                { { VERB_CREATE_PORT, 3, &other, 1, false, true, true }, "create-port " NODE " 3 10.0.0.4:3260 disabled\n" },
                { { VERB_MAKE_PORT, 65535, portals, 3, true, true, true }, "make-port " NODE " 65535\n" },
                { { VERB_UNDO_PORT, 0, portals, 2, true, true, true },
                  "undo-port " NODE " 0 10.0.0.1:3260 [fe80::1%eth0]:860\n" },
                { { VERB_BIND_PORTAL, 1, portals + 1, 1, true, true, true }, "bind-portal " NODE " 1 [fe80::1%eth0]:860\n" },
                { { VERB_UNBIND_PORTAL, 7, portals + 2, 1, true, true, true }, "unbind-portal " NODE " 7 [::1]:65535\n" },
                { { VERB_ENABLE_PORT, 1, portals, 3, true, true, true }, "enable-port " NODE " 1\n" },
                { { VERB_DISABLE_PORT, 1, portals, 3, true, true, true }, "disable-port " NODE " 1 force\n" },
                { { VERB_DISABLE_PORT, 1, portals, 3, true, false, true }, "disable-port " NODE " 1\n" },
                { { VERB_CHECK_SESSIONS, 1, portals, 3, true, true, true }, "check-sessions " NODE "\n" },
                { { VERB_CHECK_SESSIONS, 1, portals, 3, true, true, false }, "check-sessions " NODE " 1\n" },
                { { VERB_RESTORE_CONTENTS, 1, portals, 3, true, true, true, "lun lun_0\n", 10 },
                  "restore-contents " NODE " 1\n" },
                { { VERB_DELETE_PORT, 1, portals, 3, true, false, true }, "delete-port " NODE " 1\n" },
                { { VERB_DELETE_PORT, 3, portals, 3, true, true, true }, "delete-port " NODE " 3 force\n" },
                { { VERB_DELETE_PORT, 65535, portals, 3, true, true, true }, "delete-port " NODE " 65535 force\n" },
                { { VERB_DELETE_NODE, 7, portals, 3, true, true, true }, "delete-node " NODE "\n" },
        };
        bool covered[_VERB_MAX] = {};

        g_assert_cmpuint(f->host->n_accepted, ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(answer_done) Answer a = {};

                fake_log_clear(f->host->root);
                call_item(f, &cases[i].item, &a);
                if (a.refusal != REFUSAL_NONE)
                        g_error("%s: %s", verb_info(cases[i].item.verb)->name, a.message);
                g_assert_false(a.outcome_unknown);
                g_assert_null(a.observed);
                g_assert_null(a.nodes);
                g_assert_null(a.warnings);
                g_assert_cmpuint(a.n_items, ==, 1);
                assert_log(f, cases[i].log);
                assert_calls(f, "Apply " NODE);
                covered[cases[i].item.verb] = true;
        }
        for (Verb v = 0; v < _VERB_MAX; v++)
                g_assert_true(covered[v]);

        /* One after the other, so one connection served them all. */
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

/* What is kept of a call must be a copy: the caller's memory is gone when it is sent. */
static void test_items_are_copied(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        Portal *portals = g_new(Portal, 2);
        BackendItem *items = g_new0(BackendItem, 2);
        uint64_t *expected = g_new(uint64_t, 2);
        char *node = g_strdup(NODE);

        portals[0] = portal("10.0.0.1:3260");
        portals[1] = portal("10.0.0.2:3260");
        items[0] = (BackendItem){ .verb = VERB_CREATE_PORT, .identifier = 1, .portals = portals, .n_portals = 1 };
        items[1] = (BackendItem){ .verb = VERB_BIND_PORTAL, .identifier = 1, .portals = portals + 1, .n_portals = 1 };
        expected[0] = 3;
        expected[1] = 65535;
        start(f, &(BackendRequest){ .node = node, .items = items, .n_items = 2, .expected = expected, .n_expected = 2 }, &a);
        memset(portals, 0xff, 2 * sizeof(*portals));
        memset(items, 0xff, 2 * sizeof(*items));
        memset(expected, 0xff, 2 * sizeof(*expected));
        memset(node, 'x', strlen(node));
        g_free(portals);
        g_free(items);
        g_free(expected);
        g_free(node);

        wait_for(f, a.n > 0);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        assert_calls(f, "Apply " NODE " expected 3 65535");
        assert_log(f, "create-port " NODE " 1 10.0.0.1:3260 disabled\nbind-portal " NODE " 1 10.0.0.2:3260\n");
}

static const BackendItem three[] = {
        { .verb = VERB_MAKE_PORT, .identifier = 1 },
        { .verb = VERB_ENABLE_PORT, .identifier = 2 }, /* which is not there */
        { .verb = VERB_MAKE_PORT, .identifier = 3 },
};

static void test_atomic(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        g_autofree char *state = NULL;

        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 3 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_ENDPOINT_NON_EXISTENT);
        g_assert_false(a.outcome_unknown);
        g_assert_cmpuint(a.failed_item, ==, 1);
        g_assert_cmpuint(a.n_items, ==, 3);
        g_assert_cmpint(a.items[0], ==, REFUSAL_FAILED);
        g_assert_cmpstr(a.item_messages[0], ==, "undone because of operation 2");
        g_assert_cmpstr(a.item_messages[1], ==, a.message);
        g_assert_cmpint(a.items[2], ==, REFUSAL_FAILED);
        g_assert_cmpstr(a.item_messages[2], ==, "not begun because of operation 2");
        state = fake_state(f->host->root);
        g_assert_cmpstr(state, ==, "");
}

static void test_keep_going(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        g_autofree char *state = NULL;

        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 3, .keep_going = true }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_ENDPOINT_NON_EXISTENT);
        g_assert_cmpuint(a.failed_item, ==, 1);
        g_assert_cmpint(a.items[0], ==, REFUSAL_NONE);
        g_assert_cmpint(a.items[2], ==, REFUSAL_NONE);
        g_assert_null(a.item_messages[0]);
        assert_calls(f, "Apply " NODE " keep-going");
        state = fake_state(f->host->root);
        g_assert_cmpstr(state, ==, NODE "\n" NODE " 1 disabled\n" NODE " 3 disabled\n");
}

static void test_check(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        g_autofree char *state = NULL;

        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 3, .check = true }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_ENDPOINT_NON_EXISTENT);
        g_assert_cmpuint(a.failed_item, ==, 1);
        g_assert_cmpint(a.items[0], ==, REFUSAL_NONE);
        g_assert_cmpint(a.items[2], ==, REFUSAL_NONE);
        g_assert_nonnull(a.warnings);
        g_assert_null(a.warnings[0]);
        assert_log(f, "");
        assert_calls(f, "Check " NODE);
        state = fake_state(f->host->root);
        g_assert_cmpstr(state, ==, "");

        plan(f, "Check answer ([('', 'a note')], ['one\\tthing', 'another'])");
        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 1, .check = true }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_cmpstr(a.item_messages[0], ==, "a note");
        g_assert_cmpstr(a.warnings[0], ==, "one thing");
        g_assert_cmpstr(a.warnings[1], ==, "another");
        g_assert_null(a.warnings[2]);
}

static void test_many_warnings(Fixture *f, gconstpointer data) {
        g_autoptr(GString) text = g_string_new("Check answer ([('', '')], ['0'");
        _cleanup_(answer_done) Answer a = {};

        for (unsigned i = 1; i < BACKEND_WARNINGS_MAX + 10; i++)
                g_string_append_printf(text, ", '%u'", i);
        g_string_append(text, "])");
        plan(f, text->str);
        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 1, .check = true }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_cmpuint(g_strv_length(a.warnings), ==, BACKEND_WARNINGS_MAX);
        g_assert_cmpstr(a.warnings[BACKEND_WARNINGS_MAX - 1], ==, "63");
}

static void test_expected(Fixture *f, gconstpointer data) {
        const uint64_t some[] = { 3, 1 }, none[1] = {};
        _cleanup_(answer_done) Answer a = {};

        fake_make_port(f->host->root, NODE, 1, true, "10.0.0.1:3260");
        fake_make_port(f->host->root, NODE, 2, true, "10.0.0.2:3260");
        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 1, .expected = some, .n_expected = 2 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_FOREIGN_OBJECT_INSIDE);
        g_assert_nonnull(strstr(a.message, "tpgt_2"));
        g_assert_cmpuint(a.failed_item, ==, SIZE_MAX);
        g_assert_cmpuint(a.n_items, ==, 0);
        g_assert_false(a.outcome_unknown);
        assert_log(f, "");

        fake_remove_port(f->host->root, NODE, 2);
        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 1, .expected = some, .n_expected = 2 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 1, .expected = none, .n_expected = 0 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_FOREIGN_OBJECT_INSIDE);
        assert_calls(f, "Apply " NODE " expected-none");
}

static void assert_portal(const ObservedPortal *p, const char *directory, const char *text, bool listening) {
        char buf[PORTAL_TEXT_MAX];

        g_assert_cmpstr(p->directory, ==, directory);
        g_assert_true(p->usable == !!text);
        if (text)
                g_assert_cmpstr(portal_to_text(&p->portal, buf), ==, text);
        g_assert_true(p->listening == listening);
}

static void test_observe(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        const ObservedPort *ports;

        observe(f, NODE, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_cmpstr(a.observed->name, ==, NODE);
        g_assert_false(a.observed->exists);
        g_assert_cmpuint(a.observed->n_ports, ==, 0);

        fake_set_interfaces(f->host->root, "eth0 2\n");
        fake_make_port(f->host->root, NODE, 65535, false, "");
        fake_make_port(f->host->root, NODE, 9, true, "10.0.0.1:3260 [fe80::1%eth0]:3261 deaf [::1]:0x35c");
        fake_set_interfaces(f->host->root, "");
        observe(f, NODE, &a);
        g_assert_true(a.observed->exists);
        g_assert_cmpuint(a.observed->n_ports, ==, 2);
        ports = a.observed->ports;
        g_assert_cmpstr(ports[0].directory, ==, "tpgt_9");
        g_assert_cmpuint(ports[0].identifier, ==, 9);
        g_assert_true(ports[0].enabled);
        g_assert_cmpuint(ports[0].n_portals, ==, 3);
        assert_portal(ports[0].portals, "10.0.0.1:3260", "10.0.0.1:3260", true);
        assert_portal(ports[0].portals + 1, "[::1]:0x35c", "[::1]:860", true);
        assert_portal(ports[0].portals + 2, "[fe80::1%eth0]:3261", NULL, false);
        g_assert_cmpuint(ports[1].identifier, ==, 65535);
        g_assert_false(ports[1].enabled);
        g_assert_cmpuint(ports[1].n_portals, ==, 0);
        assert_log(f, "Observe " NODE "\nObserve " NODE "\n");
}

static void test_observe_oddities(Fixture *f, gconstpointer data) {
        static const char *const bad[] = { "'', 1",          "'10.0.0.1', 0", "'10.0.0.256', 1",      "'[::1]', 1",
                                           "'fe80::1', 1",   "'host', 1",     "'::ffff:10.0.0.1', 1", "'10.0.0.1%eth0', 1",
                                           "'224.0.0.1', 1", "'ff02::1', 1",  "'0010.0.0.3', 3260" };
        g_autoptr(GString) text = g_string_new("Observe answer (true, [('a\\nb', uint64 281474976710655, true, "
                                               "[('good', '10.0.0.3', uint16 3260, true, true)");
        _cleanup_(answer_done) Answer a = {};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                g_string_append_printf(text, ", ('bad-%zu', %s, true, true)", i, bad[i]);
        g_string_append(
                text,
                ", ('unused', '10.0.0.4', 1, false, true)], @a{sv} {}), ('a\\nb', 281474976710655, false, [], {})], @a{sv} {})");
        plan(f, text->str);
        observe(f, NODE, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_cmpuint(a.observed->n_ports, ==, 2);
        g_assert_cmpuint(a.observed->ports[0].identifier, ==, UINT64_C(0xFFFFFFFFFFFF));
        g_assert_cmpstr(a.observed->ports[0].directory, ==, "a b");
        g_assert_cmpuint(a.observed->ports[0].n_portals, ==, ELEMENTSOF(bad) + 2);
        assert_portal(a.observed->ports[0].portals, "good", "10.0.0.3:3260", true);
        for (size_t i = 1; i <= ELEMENTSOF(bad); i++) {
                g_autofree char *name = g_strdup_printf("bad-%zu", i - 1);

                assert_portal(a.observed->ports[0].portals + i, name, NULL, false);
        }
        g_assert_false(a.observed->ports[0].portals[ELEMENTSOF(bad) + 1].usable);

        /* What does not exist has no ports. */
        plan(f, "Observe answer (false, [('tpgt_1', uint64 1, true, @a(ssqbb) [], @a{sv} {})], @a{sv} {})");
        observe(f, NODE, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_UNSPECIFIED);
        g_assert_null(a.observed);
}

static void test_list_nodes(Fixture *f, gconstpointer data) {
        g_autofree char *a223 = g_strnfill(223, 'n'), *a224 = g_strnfill(224, 'n'), *text = NULL;
        _cleanup_(answer_done) Answer a = {};

        list_nodes(f, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_null(a.nodes[0]);

        fake_make_node(f->host->root, NODE);
        fake_make_node(f->host->root, "Not_an iSCSI näme!");
        fake_make_node(f->host->root, ".hidden");
        list_nodes(f, &a);
        g_assert_cmpstr(a.nodes[0], ==, ".hidden");
        g_assert_cmpstr(a.nodes[1], ==, "Not_an iSCSI näme!");
        g_assert_cmpstr(a.nodes[2], ==, NODE);
        g_assert_null(a.nodes[3]);

        text = g_strdup_printf("ListNodes answer (['b', '', 'a\\nb', '%s', '%s', 'a'],)", a224, a223);
        plan(f, text);
        list_nodes(f, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_cmpstr(a.nodes[0], ==, "a");
        g_assert_cmpstr(a.nodes[1], ==, "b");
        g_assert_cmpstr(a.nodes[2], ==, a223);
        g_assert_null(a.nodes[3]);
}

static void test_observe_limits(Fixture *f, gconstpointer data) {
        const struct {
                const char *plan;
                unsigned max;
        } cases[] = {
                { "ListNodes many %u", OBSERVED_NODES_MAX },
                { "Observe many %u", OBSERVED_PORTS_MAX },
                { "Observe many-portals %u", OBSERVED_PORTALS_MAX },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (unsigned over = 0; over < 2; over++) {
                        g_autofree char *number = g_strdup_printf(" %u", cases[i].max + over);
                        g_autofree char *word = g_strndup(cases[i].plan, strcspn(cases[i].plan, "%") - 1);
                        g_autofree char *text = g_strconcat(word, number, NULL);
                        _cleanup_(answer_done) Answer a = {};

                        plan(f, text);
                        if (i == 0)
                                list_nodes(f, &a);
                        else
                                observe(f, NODE, &a);
                        g_assert_cmpint(a.refusal, ==, over ? REFUSAL_LIMIT_REACHED : REFUSAL_NONE);
                        g_assert_false(a.outcome_unknown);
                        if (over) {
                                g_assert_null(a.observed);
                                g_assert_null(a.nodes);
                        } else if (i == 0)
                                g_assert_cmpuint(g_strv_length(a.nodes), ==, cases[i].max);
                        else
                                g_assert_cmpuint(i == 1 ? a.observed->n_ports : a.observed->ports[0].n_portals, ==, cases[i].max);
                }
}

#define OF_ALL "Busy Stuck BackendUnavailable Failed InvalidParameter Timeout"
#define OF_CHANGES OF_ALL " Degraded ForeignObjectInside"
#define OF_PORTALS "TCPProtocolEndpointInUse AddressInUse AddressOverlap PortalShadowed ScopeMissing NotFromSameCollection"

/* What interfaces/org.iscsi.Backend.xml lets each verb answer besides what all may, in its words. */
static const char *const errors_of_verbs[_VERB_MAX] = {
        [VERB_CREATE_NODE] = "NameInUse",
        [VERB_DELETE_NODE] = "",
        [VERB_CREATE_PORT] = "IdentifierInUse NameInUse " OF_PORTALS,
        [VERB_MAKE_PORT] = "NameInUse",
        [VERB_UNDO_PORT] = "",
        [VERB_DELETE_PORT] = "SessionsActive RecordInUse",
        [VERB_BIND_PORTAL] = "ProtocolEndpointNonExistent " OF_PORTALS,
        [VERB_UNBIND_PORTAL] = "",
        [VERB_ENABLE_PORT] = "ProtocolEndpointNonExistent ScopeMissing",
        [VERB_DISABLE_PORT] = "ProtocolEndpointNonExistent SessionsActive",
        [VERB_CHECK_SESSIONS] = "SessionsActive RecordInUse",
        [VERB_RESTORE_CONTENTS] = "ProtocolEndpointNonExistent",
};

static void assert_error(const Answer *a, const char *allowed, Refusal refusal, const char *what) {
        g_auto(GStrv) names = g_strsplit(allowed, " ", 0);

        g_assert_false(a->outcome_unknown);
        if (g_strv_contains((const char *const *) names, refusal_error_name(refusal) + strlen(ERROR_NAME_PREFIX))) {
                g_assert_cmpint(a->refusal, ==, refusal);
                g_assert_cmpstr(a->message, ==, "the reason");
        } else {
                g_assert_cmpint(a->refusal, ==, REFUSAL_UNSPECIFIED);
                g_assert_nonnull(strstr(a->message, what));
                g_assert_nonnull(strstr(a->message, "the reason"));
        }
}

static void test_errors_of_items(Fixture *f, gconstpointer data) {
        const Portal p = portal("10.0.0.1:3260");

        log_set_max_level(LOG_ERR);
        for (Verb v = 0; v < _VERB_MAX; v++)
                for (Refusal refusal = REFUSAL_NONE + 1; refusal < _REFUSAL_MAX; refusal++) {
                        g_autofree char *allowed = g_strdup_printf(OF_CHANGES " %s", errors_of_verbs[v]);
                        _cleanup_(answer_done) Answer a = {};

                        plan_failure(f, verb_info(v)->name, refusal_error_name(refusal), "the reason");
                        call_item(f, &(BackendItem){ v, 1, &p, 1, .force = true }, &a);
                        g_assert_cmpuint(a.failed_item, ==, 0);
                        assert_error(&a, allowed, refusal, verb_info(v)->name);
                }

        /* An error is an answer: the worker goes on. */
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_errors_of_calls(Fixture *f, gconstpointer data) {
        log_set_max_level(LOG_ERR);
        for (Refusal refusal = REFUSAL_NONE + 1; refusal < _REFUSAL_MAX; refusal++) {
                _cleanup_(answer_done) Answer a = {};

                plan_failure(f, "Apply", refusal_error_name(refusal), "the reason");
                call_item(f, &create_node, &a);
                g_assert_cmpuint(a.failed_item, ==, SIZE_MAX);
                assert_error(&a, OF_CHANGES, refusal, "create-node");
                plan_failure(f, "Check", refusal_error_name(refusal), "the reason");
                call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 3, .check = true }, &a);
                assert_error(&a, OF_CHANGES, refusal, "the check of make-port and 2 more operations");
                plan_failure(f, "Observe", refusal_error_name(refusal), "the reason");
                observe(f, NODE, &a);
                assert_error(&a, OF_ALL, refusal, "Observe");
                plan_failure(f, "ListNodes", refusal_error_name(refusal), "the reason");
                list_nodes(f, &a);
                assert_error(&a, OF_ALL, refusal, "ListNodes");
        }
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_unknown_errors(Fixture *f, gconstpointer data) {
        static const char *const names[] = { "org.example.Error.Strange", "System.Error.EIO",
                                             "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.UnknownMethod",
                                             ERROR_NAME_PREFIX "Nonsense" };
        static const char *const words[] = { "Apply", "create-node" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                for (size_t k = 0; k < ELEMENTSOF(words); k++) {
                        _cleanup_(answer_done) Answer a = {};

                        plan_failure(f, words[k], names[i], "");
                        call_item(f, &create_node, &a);
                        g_assert_cmpint(a.refusal, ==, REFUSAL_UNSPECIFIED);
                        g_assert_false(a.outcome_unknown);
                }

        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_error_texts(Fixture *f, gconstpointer data) {
        g_autofree char *a511 = g_strnfill(511, 'a'), *a512 = g_strnfill(512, 'a'), *a513 = g_strnfill(513, 'a');
        g_autofree char *split2 = g_strconcat(a511, "é", NULL), *split4 = g_strconcat(a511, "😀", NULL);
        const struct {
                const char *text, *expected;
        } cases[] = {
                { "plain — with ünicode", "plain — with ünicode" },
                { "a\nb\tc\x1b[31md\x7f"
                  "e",
                  "a b c [31md e" },
                { "C1:\xc2\x85\xc2\x9b.", "C1:    ." },
                { "\xc2\xa0 is none", "\xc2\xa0 is none" },
                { "", refusal_meaning(REFUSAL_FAILED) },
                { a512, a512 },
                { a513, a512 },
                { split2, a511 },
                { split4, a511 },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(answer_done) Answer a = {};

                plan_failure(f, "create-node", "Failed", cases[i].text);
                call_item(f, &create_node, &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_FAILED);
                g_assert_cmpstr(a.message, ==, cases[i].expected);

                plan_failure(f, "Apply", "Failed", cases[i].text);
                call_item(f, &create_node, &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_FAILED);
                g_assert_cmpuint(a.failed_item, ==, SIZE_MAX);
                g_assert_cmpstr(a.message, ==, cases[i].expected);
        }
}

#define NOT_DONE "('org.iscsi.Backend.Error.NotDone', 'x')"
#define FAILED "('" ERROR_NAME_PREFIX "Failed', 'x')"
#define DEGRADED "('" ERROR_NAME_PREFIX "Degraded', 'x')"
#define DONE "('', '')"

/* Answers to three operations. */
static const struct {
        const char *results;
        bool keep_going, check;
        Refusal refusal; /* REFUSAL_UNSPECIFIED: and the outcome is unknown */
        size_t failed_item;
} mixtures[] = {
        { DONE "," DONE "," DONE, false, false, REFUSAL_NONE, SIZE_MAX },
        { NOT_DONE "," FAILED "," NOT_DONE, false, false, REFUSAL_FAILED, 1 },
        { FAILED "," NOT_DONE "," NOT_DONE, false, false, REFUSAL_FAILED, 0 },
        { DONE "," DEGRADED "," NOT_DONE, false, false, REFUSAL_DEGRADED, 1 },
        { DONE "," FAILED "," DONE, true, false, REFUSAL_FAILED, 1 },
        { DONE "," FAILED "," DONE, false, true, REFUSAL_FAILED, 1 },
        { DONE "," DONE, false, false, REFUSAL_UNSPECIFIED, SIZE_MAX },
        { DONE "," DONE, true, false, REFUSAL_UNSPECIFIED, SIZE_MAX },
        { DONE "," DONE, false, true, REFUSAL_UNSPECIFIED, SIZE_MAX },
        { DONE "," DONE "," DONE "," DONE, false, false, REFUSAL_UNSPECIFIED, SIZE_MAX },
        { DONE "," FAILED "," NOT_DONE, false, false, REFUSAL_UNSPECIFIED, SIZE_MAX },
        { NOT_DONE "," NOT_DONE "," NOT_DONE, false, false, REFUSAL_UNSPECIFIED, SIZE_MAX },
        { DONE "," NOT_DONE "," DONE, false, false, REFUSAL_UNSPECIFIED, SIZE_MAX },
};

static void test_mixtures(Fixture *f, gconstpointer data) {
        unsigned n_lost = 0;

        for (size_t i = 0; i < ELEMENTSOF(mixtures); i++) {
                g_autofree char *text = g_strdup_printf("%s answer ([%s]%s)", mixtures[i].check ? "Check" : "Apply",
                                                        mixtures[i].results, mixtures[i].check ? ", @as []" : ",");
                bool malformed = mixtures[i].refusal == REFUSAL_UNSPECIFIED;
                _cleanup_(answer_done) Answer a = {};

                plan(f, text);
                call(f,
                     &(BackendRequest){ .node = NODE,
                                        .items = three,
                                        .n_items = 3,
                                        .keep_going = mixtures[i].keep_going,
                                        .check = mixtures[i].check },
                     &a);
                if (a.refusal != mixtures[i].refusal)
                        g_error("%s: %s", mixtures[i].results, a.message);
                g_assert_cmpuint(a.failed_item, ==, mixtures[i].failed_item);
                g_assert_true(a.outcome_unknown == malformed);
                g_assert_cmpuint(a.n_items, ==, malformed ? 0 : 3);
                n_lost += malformed;
        }

        /* Without all-or-nothing nothing is undone, so nothing may be called so. */
        for (unsigned check = 0; check < 2; check++) {
                _cleanup_(answer_done) Answer a = {};

                plan(f, check ? "Check answer ([" DONE "," NOT_DONE "," DONE "], @as [])"
                              : "Apply answer ([" DONE "," NOT_DONE "," DONE "],)");
                call(f, &(BackendRequest){ .node = NODE, .items = three, .n_items = 3, .keep_going = !check, .check = check },
                     &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_UNSPECIFIED);
                g_assert_cmpuint(a.failed_item, ==, 1);
                g_assert_false(a.outcome_unknown);
        }

        /* Such a worker is not used again. */
        g_assert_cmpuint(f->host->n_accepted, ==, n_lost + 1);
}

static void test_malformed(Fixture *f, gconstpointer data) {
        static const char *const plans[] = {
                "create-node garbage", "Apply garbage",     "Apply answer (true,)",          "Check garbage",
                "Observe garbage",     "ListNodes garbage", "ListNodes answer (true, ['a'])"
        };

        for (size_t i = 0; i < ELEMENTSOF(plans); i++) {
                _cleanup_(answer_done) Answer a = {};

                plan(f, plans[i]);
                if (g_str_has_prefix(plans[i], "Observe"))
                        observe(f, NODE, &a);
                else if (g_str_has_prefix(plans[i], "ListNodes"))
                        list_nodes(f, &a);
                else
                        call(f,
                             &(BackendRequest){ .node = NODE,
                                                .items = &create_node,
                                                .n_items = 1,
                                                .check = g_str_has_prefix(plans[i], "Check") },
                             &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_UNSPECIFIED);
                g_assert_true(a.outcome_unknown);
                g_assert_null(a.observed);
                g_assert_null(a.nodes);

                /* Such a worker is not used again. */
                g_assert_cmpuint(f->host->n_accepted, ==, i + 1);
        }

        assert_succeeds(f);
}

static void test_noise(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};

        plan(f, "Apply noise");
        call_item(f, &create_node, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_BACKEND_UNAVAILABLE);
        g_assert_true(a.outcome_unknown);

        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
}

static void test_not_utf8(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};

        call(f, &(BackendRequest){ .node = "iqn.\xff", .items = &create_node, .n_items = 1 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_INVALID_PARAMETER);
        g_assert_false(a.outcome_unknown);
        g_assert_cmpuint(n_seen(f), ==, 0);
        assert_succeeds(f);
}

int main(int argc, char *argv[]) {
        sigset_t chld;

        g_test_init(&argc, &argv, NULL);
        g_assert_no_errno(sigemptyset(&chld));
        g_assert_no_errno(sigaddset(&chld, SIGCHLD));
        g_assert_no_errno(sigprocmask(SIG_BLOCK, &chld, NULL));

#define ADD(name, function) g_test_add("/backend/" name, Fixture, NULL, set_up, function, tear_down)
        ADD("verbs", test_verbs);
        ADD("items-are-copied", test_items_are_copied);
        ADD("atomic", test_atomic);
        ADD("keep-going", test_keep_going);
        ADD("check", test_check);
        ADD("many-warnings", test_many_warnings);
        ADD("expected", test_expected);
        ADD("observe", test_observe);
        ADD("observe-oddities", test_observe_oddities);
        ADD("observe-limits", test_observe_limits);
        ADD("list-nodes", test_list_nodes);
        ADD("errors-of-items", test_errors_of_items);
        ADD("errors-of-calls", test_errors_of_calls);
        ADD("unknown-errors", test_unknown_errors);
        ADD("error-texts", test_error_texts);
        ADD("mixtures", test_mixtures);
        ADD("malformed", test_malformed);
        ADD("noise", test_noise);
        ADD("not-utf8", test_not_utf8);

        return g_test_run();
}
