/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The backend that has no workers: what it makes, remembers and refuses. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "backend/backend.h"
#include "cases.h"
#include "common/identifier.h"

#define A "iqn.2024-01.org.example:a"
#define B "iqn.2024-01.org.example:b"

typedef struct Fixture {
        sd_event *event;
        Backend *backend;
        GString *answers; /* what the callbacks were told, a line each */
        ObservedNode observed;
        unsigned n;
        BackendCall *to_cancel;
} Fixture;

static void set_up_role(Fixture *f, uint16_t role) {
        g_assert_cmpint(sd_event_new(&f->event), >=, 0);
        g_assert_cmpint(backend_new_model(f->event, role, true, &f->backend), ==, 0);
        f->answers = g_string_new(NULL);
}

static void set_up(Fixture *f, gconstpointer data) {
        set_up_role(f, ROLE_TARGET);
}

static void set_up_initiator(Fixture *f, gconstpointer data) {
        set_up_role(f, ROLE_INITIATOR);
}

static void tear_down(Fixture *f, gconstpointer data) {
        observed_node_done(&f->observed);
        f->backend = backend_free(f->backend);
        f->event = sd_event_unref(f->event);
        g_string_free(f->answers, TRUE);
}

static const char *name_of(Refusal r) {
        return r == REFUSAL_NONE ? "done" : refusal_error_name(r) + strlen(ERROR_NAME_PREFIX);
}

static void on_answer(const BackendResult *result, void *userdata) {
        Fixture *f = userdata;

        f->n++;
        g_assert_false(result->outcome_unknown);
        g_assert_true((result->refusal == REFUSAL_NONE) == !result->message);
        g_string_append(f->answers, name_of(result->refusal));
        for (size_t i = 0; i < result->n_items; i++)
                g_string_append_printf(f->answers, "%s%s", i == 0 ? ": " : " ", name_of(result->items[i].refusal));
        for (char **node = result->nodes; node && *node; node++)
                g_string_append_printf(f->answers, " %s", *node);
        g_string_append_c(f->answers, '\n');

        if (result->observed) {
                observed_node_done(&f->observed);
                f->observed = *result->observed;
                *result->observed = (ObservedNode){};
        }
        f->to_cancel = backend_call_cancel(f->to_cancel);
}

static void run_until(Fixture *f, unsigned n) {
        while (f->n < n)
                g_assert_cmpint(sd_event_run(f->event, 10 * G_USEC_PER_SEC), >, 0);
}

#define ITEMS_MAX 8u

/* "create-port 1 10.0.0.1:3260 10.0.0.2:3260; enable-port 1": verb, identifier, portals. */
typedef struct Operations {
        BackendItem items[ITEMS_MAX];
        Portal portals[ITEMS_MAX][4];
        size_t n;
} Operations;

static void operations_read(const char *text, Operations *o) {
        g_auto(GStrv) parts = g_strsplit(text, "; ", 0);

        *o = (Operations){};
        for (char **part = parts; *part; part++) {
                g_auto(GStrv) words = g_strsplit(*part, " ", 0);
                BackendItem *item = &o->items[o->n];

                item->verb = verb_from_name(words[0]);
                g_assert_cmpint(item->verb, <, _VERB_MAX);
                item->enabled = true;
                item->portals = o->portals[o->n];
                if (words[1])
                        item->identifier = g_ascii_strtoull(words[1], NULL, 10);
                for (char **word = words + 1; words[1] && word[1]; word++)
                        g_assert_cmpint(portal_from_text(word[1], &o->portals[o->n][item->n_portals++]), ==, 0);
                o->n++;
        }
}

static void start(Fixture *f, const char *node, const char *text, BackendRequest request, BackendCall **ret) {
        Operations o;

        operations_read(text, &o);
        request.node = node;
        request.items = o.items;
        request.n_items = o.n;
        g_assert_cmpint(backend_apply(f->backend, &request, on_answer, f, ret), ==, 0);
}

static void assert_apply_with(Fixture *f, const char *node, const char *text, BackendRequest request, const char *answer) {
        g_autofree char *line = g_strconcat(answer, "\n", NULL);

        g_string_truncate(f->answers, 0);
        start(f, node, text, request, NULL);
        run_until(f, f->n + 1);
        if (!g_str_equal(f->answers->str, line))
                g_error("%s in %s: %s instead of %s", text, node, f->answers->str, answer);
}

static void assert_apply(Fixture *f, const char *node, const char *text, const char *answer) {
        assert_apply_with(f, node, text, (BackendRequest){}, answer);
}

/* "1 on 10.0.0.1:3260+ [::]:860+; 2 off", "(absent)". */
static void assert_node(Fixture *f, const char *node, const char *expected) {
        g_autoptr(GString) text = g_string_new(NULL);
        const ObservedNode *o = &f->observed;

        g_assert_cmpint(backend_observe(f->backend, node, on_answer, f, NULL), ==, 0);
        run_until(f, f->n + 1);
        g_assert_cmpstr(o->name, ==, node);
        for (size_t i = 0; i < o->n_ports; i++) {
                g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " %s", i == 0 ? "" : "; ", o->ports[i].identifier,
                                       o->ports[i].enabled ? "on" : "off");
                for (size_t k = 0; k < o->ports[i].n_portals; k++) {
                        const ObservedPortal *p = o->ports[i].portals + k;
                        char buf[PORTAL_TEXT_MAX];

                        g_assert_true(p->usable);
                        g_assert_cmpstr(p->directory, ==, portal_to_text(&p->portal, buf));
                        g_string_append_printf(text, " %s%s", buf, p->listening ? "+" : "-");
                }
        }
        g_assert_cmpstr(o->exists ? text->str : "(absent)", ==, expected);
}

static void test_verbs(Fixture *f, gconstpointer data) {
        assert_node(f, A, "(absent)");
        assert_apply(f, A, "delete-node", "done: done");
        assert_apply(f, A, "create-node", "done: done");
        assert_apply(f, A, "create-node", "done: done");
        assert_node(f, A, "");
        assert_apply(f, A, "delete-port 1; undo-port 1; unbind-portal 1 10.0.0.1:3260; check-sessions 1",
                     "done: done done done done");
        assert_apply(f, A, "enable-port 1", "ProtocolEndpointNonExistent: ProtocolEndpointNonExistent");
        assert_apply(f, A, "disable-port 1", "ProtocolEndpointNonExistent: ProtocolEndpointNonExistent");
        assert_apply(f, A, "restore-contents 1", "ProtocolEndpointNonExistent: ProtocolEndpointNonExistent");
        assert_apply(f, A, "bind-portal 1 10.0.0.1:3260", "ProtocolEndpointNonExistent: ProtocolEndpointNonExistent");

        assert_apply(f, A, "create-port 1 10.0.0.2:3260 10.0.0.1:3260", "done: done");
        assert_node(f, A, "1 on 10.0.0.2:3260+ 10.0.0.1:3260+");
        assert_apply(f, A, "create-port 1 10.0.0.3:3260", "IdentifierInUse: IdentifierInUse");
        assert_apply(f, A, "create-node", "NameInUse: NameInUse");
        assert_apply(f, A, "delete-node", "ForeignObjectInside: ForeignObjectInside");
        assert_apply(f, A,
                     "disable-port 1; bind-portal 1 10.0.0.3:3260; bind-portal 1 10.0.0.3:3260; unbind-portal 1 10.0.0.2:3260",
                     "done: done done done done");
        assert_node(f, A, "1 off 10.0.0.1:3260+ 10.0.0.3:3260+");
        assert_apply(f, A, "make-port 1; enable-port 1; restore-contents 1; make-port 0", "done: done done done done");
        assert_node(f, A, "0 off; 1 on 10.0.0.1:3260+ 10.0.0.3:3260+");

        /* What has more in it than a lost call could have made stays. */
        assert_apply(f, A, "undo-port 1 10.0.0.1:3260", "done: done");
        assert_node(f, A, "0 off; 1 on 10.0.0.1:3260+ 10.0.0.3:3260+");
        assert_apply(f, A, "undo-port 1 10.0.0.3:3260 10.0.0.4:3260 10.0.0.1:3260", "done: done");
        assert_apply(f, A, "delete-port 0; delete-node", "done: done done");
        assert_node(f, A, "(absent)");

        /* A port brings its node along. */
        assert_apply(f, A, "create-port 1 10.0.0.1:3260", "done: done");
        assert_apply(f, B, "make-port 65535", "done: done");
        assert_node(f, B, "65535 off");
}

static void test_list_nodes(Fixture *f, gconstpointer data) {
        assert_apply(f, B, "create-node", "done: done");
        assert_apply(f, A, "make-port 7", "done: done");
        g_string_truncate(f->answers, 0);
        g_assert_cmpint(backend_list_nodes(f->backend, on_answer, f, NULL), ==, 0);
        run_until(f, f->n + 1);
        g_assert_cmpstr(f->answers->str, ==, "done " A " " B "\n");
}

/* With A's port 1 on the first portal: what another port is told that wants the second, in the same node and in another one. */
static const struct {
        const char *there, *wanted, *in_node, *elsewhere;
} conflicts[] = {
        { "10.0.0.1:3260", "10.0.0.1:3260", "TCPProtocolEndpointInUse", "done" },
        { "10.0.0.1:3260", "10.0.0.1:3261", "done", "done" },
        { "10.0.0.1:3260", "10.0.0.2:3260", "done", "done" },
        { "10.0.0.1:3260", "0.0.0.0:3260", "AddressOverlap", "AddressOverlap" },
        { "10.0.0.1:3260", "0.0.0.0:3261", "done", "done" },
        { "10.0.0.1:3260", "[::]:3260", "PortalShadowed", "PortalShadowed" },
        { "10.0.0.1:3260", "[::1]:3260", "done", "done" },
        { "0.0.0.0:3260", "10.0.0.1:3260", "AddressOverlap", "AddressOverlap" },
        { "0.0.0.0:3260", "0.0.0.0:3260", "TCPProtocolEndpointInUse", "done" },
        { "0.0.0.0:3260", "[::]:3260", "PortalShadowed", "PortalShadowed" },
        { "0.0.0.0:3260", "[::1]:3260", "done", "done" },
        { "[::]:3260", "10.0.0.1:3260", "AddressOverlap", "AddressOverlap" },
        { "[::]:3260", "0.0.0.0:3260", "PortalShadowed", "PortalShadowed" },
        { "[::]:3260", "[::1]:3260", "AddressOverlap", "AddressOverlap" },
        { "[::1]:3260", "[::]:3260", "AddressOverlap", "AddressOverlap" },
        { "[::1]:3260", "0.0.0.0:3260", "PortalShadowed", "PortalShadowed" },
        { "[fe80::1%a]:3260", "[fe80::1%b]:3260", "PortalShadowed", "PortalShadowed" },
        { "[fe80::1%a]:3260", "[fe80::2%b]:3260", "done", "done" },
};

static void test_conflicts(Fixture *f, gconstpointer data) {
        for (size_t i = 0; i < G_N_ELEMENTS(conflicts); i++) {
                g_autofree char *there = g_strdup_printf("create-port 1 %s", conflicts[i].there);
                g_autofree char *create = g_strdup_printf("create-port 2 %s", conflicts[i].wanted);
                g_autofree char *bind = g_strdup_printf("bind-portal 2 %s", conflicts[i].wanted);
                g_autofree char *in_node = g_strdup_printf("%s: %s", conflicts[i].in_node, conflicts[i].in_node);
                g_autofree char *elsewhere = g_strdup_printf("%s: %s", conflicts[i].elsewhere, conflicts[i].elsewhere);

                assert_apply(f, A, there, "done: done");
                assert_apply(f, A, create, in_node);
                assert_apply(f, B, create, elsewhere);
                assert_apply(f, A, "delete-port 2; make-port 2", "done: done done");
                assert_apply(f, B, "delete-port 2; make-port 2", "done: done done");
                assert_apply(f, A, bind, in_node);
                assert_apply(f, B, bind, elsewhere);
                assert_apply(f, B, "delete-port 2; delete-node", "done: done done");

                /* Once it is gone nothing is in the way. */
                assert_apply(f, A, "delete-port 1; delete-port 2", "done: done done");
                assert_apply(f, A, create, "done: done");
                assert_apply(f, A, "delete-port 2; delete-node", "done: done done");
        }
}

/* The order of a port's portals does not matter. */
static void test_wildcards_first(Fixture *f, gconstpointer data) {
        assert_apply(f, A, "create-port 1 [::1]:3260 0.0.0.0:3260", "done: done");
        assert_node(f, A, "1 on 0.0.0.0:3260+ [::1]:3260+");
        assert_apply(f, A, "create-port 2 10.0.0.1:3261 0.0.0.0:3261", "AddressOverlap: AddressOverlap");
        assert_node(f, A, "1 on 0.0.0.0:3260+ [::1]:3260+");
}

static void test_initiator(Fixture *f, gconstpointer data) {
        assert_apply(f, A, "create-port 1 10.0.0.1:3260; create-port 2 10.0.0.1:3260; create-port 3 0.0.0.0:3260",
                     "done: done done done");
        assert_apply(f, A, "create-port 3", "IdentifierInUse: IdentifierInUse");
}

static void test_atomic(Fixture *f, gconstpointer data) {
        assert_apply(f, A, "create-port 1 10.0.0.1:3260; create-port 2 10.0.0.2:3260", "done: done done");
        assert_apply(f, A, "delete-port 1; create-port 3 10.0.0.1:3260; disable-port 2; enable-port 9; delete-port 2",
                     "ProtocolEndpointNonExistent: Failed Failed Failed ProtocolEndpointNonExistent Failed");
        assert_node(f, A, "1 on 10.0.0.1:3260+; 2 on 10.0.0.2:3260+");

        /* Nor does what was undone stand in anybody's way, or go missing there. */
        assert_apply(f, B, "create-port 1 10.0.0.3:3260; make-port 2; enable-port 9",
                     "ProtocolEndpointNonExistent: Failed Failed ProtocolEndpointNonExistent");
        assert_node(f, B, "(absent)");
        assert_apply(f, B, "create-port 1 0.0.0.0:3260", "AddressOverlap: AddressOverlap");
        assert_apply(f, A, "delete-port 1; delete-port 2; delete-node", "done: done done done");
        assert_apply(f, B, "create-port 1 0.0.0.0:3260", "done: done");
}

static void test_keep_going(Fixture *f, gconstpointer data) {
        assert_apply_with(f, A, "make-port 1; enable-port 9; enable-port 1", (BackendRequest){ .keep_going = true },
                          "ProtocolEndpointNonExistent: done ProtocolEndpointNonExistent done");
        assert_node(f, A, "1 on");
}

static void test_check(Fixture *f, gconstpointer data) {
        assert_apply(f, A, "create-port 1 10.0.0.1:3260", "done: done");
        assert_apply_with(f, A, "delete-port 1; create-port 1 10.0.0.1:3260; create-port 2 10.0.0.1:3260; make-port 3",
                          (BackendRequest){ .check = true }, "TCPProtocolEndpointInUse: done done TCPProtocolEndpointInUse done");
        assert_node(f, A, "1 on 10.0.0.1:3260+");
        assert_apply_with(f, B, "create-node", (BackendRequest){ .check = true }, "done: done");
        assert_node(f, B, "(absent)");
}

static void test_expected(Fixture *f, gconstpointer data) {
        const uint64_t expected[] = { 2, 1 };

        assert_apply(f, A, "make-port 1; make-port 3", "done: done done");
        assert_apply_with(f, A, "delete-port 1", (BackendRequest){ .expected = expected, .n_expected = 2 },
                          "ForeignObjectInside");
        assert_apply_with(f, A, "delete-port 1", (BackendRequest){ .expected = expected, .n_expected = 0 },
                          "ForeignObjectInside");
        assert_node(f, A, "1 off; 3 off");
        assert_apply(f, A, "delete-port 3", "done: done");
        assert_apply_with(f, A, "delete-port 1", (BackendRequest){ .expected = expected, .n_expected = 2 }, "done: done");
        assert_apply_with(f, B, "make-port 1", (BackendRequest){ .expected = expected, .n_expected = 0 }, "done: done");
}

static void test_order(Fixture *f, gconstpointer data) {
        start(f, A, "make-port 1", (BackendRequest){}, NULL);
        start(f, A, "enable-port 1", (BackendRequest){}, NULL);
        start(f, A, "enable-port 2", (BackendRequest){}, NULL);
        g_assert_cmpint(backend_list_nodes(f->backend, on_answer, f, NULL), ==, 0);
        g_assert_cmpuint(f->n, ==, 0);
        run_until(f, 4);
        g_assert_cmpstr(f->answers->str, ==,
                        "done: done\ndone: done\nProtocolEndpointNonExistent: ProtocolEndpointNonExistent\ndone " A "\n");
        g_assert_cmpint(sd_event_run(f->event, 0), ==, 0);
}

static void test_cancel(Fixture *f, gconstpointer data) {
        BackendCall *second;

        /* The first callback cancels the second call, which is done all the same. */
        start(f, A, "make-port 1", (BackendRequest){}, NULL);
        start(f, A, "make-port 2", (BackendRequest){}, &second);
        f->to_cancel = second;
        start(f, A, "make-port 3", (BackendRequest){}, NULL);
        run_until(f, 2);
        g_assert_cmpint(sd_event_run(f->event, 0), ==, 0);
        g_assert_cmpuint(f->n, ==, 2);
        assert_node(f, A, "1 off; 2 off; 3 off");
}

static void on_answer_free(const BackendResult *result, void *userdata) {
        Fixture *f = userdata;

        f->backend = backend_free(f->backend);
        f->n++;
}

static void test_free(Fixture *f, gconstpointer data) {
        Operations o;

        operations_read("make-port 1", &o);
        g_assert_cmpint(backend_apply(f->backend, &(BackendRequest){ .node = A, .items = o.items, .n_items = 1 }, on_answer_free,
                                      f, NULL),
                        ==, 0);
        start(f, A, "make-port 2", (BackendRequest){}, NULL);
        run_until(f, 1);
        g_assert_null(f->backend);
        g_assert_cmpint(sd_event_run(f->event, 0), ==, 0);
        g_assert_cmpuint(f->n, ==, 1);

        /* What waits ends with it. */
        g_assert_cmpint(backend_new_model(f->event, ROLE_TARGET, false, &f->backend), ==, 0);
        g_assert_cmpstr(backend_name(f->backend), ==, "model");
        g_assert_false(backend_traits(f->backend)->selects_identifiers);
        start(f, A, "make-port 1", (BackendRequest){}, NULL);
        f->backend = backend_free(f->backend);
        g_assert_cmpint(sd_event_run(f->event, 0), ==, 0);
        g_assert_cmpuint(f->n, ==, 1);
}

static void test_event_loop_ended(Fixture *f, gconstpointer data) {
        BackendCall *call = NULL;

        g_assert_cmpint(sd_event_exit(f->event, 0), >=, 0);
        g_assert_cmpint(sd_event_loop(f->event), ==, 0);
        g_assert_cmpint(backend_list_nodes(f->backend, on_answer, f, &call), ==, -ESTALE);
        g_assert_null(call);
}

/* What the fake kernel and the real one do, too. */
static void prepare(Stage *s, char **words) {
        g_autofree char *portals = NULL, *create = NULL;

        if (g_str_equal(words[0], "node")) {
                cases_apply(s, words[1], "create-node");
                return;
        }

        g_assert_true(g_str_equal(words[0], "port") || g_str_equal(words[0], "off"));
        portals = g_strjoinv(" ", words + 3);
        create = g_strdup_printf("create-port %s %s%s", words[2], portals, g_str_equal(words[0], "off") ? " off" : "");
        cases_apply(s, words[1], create);
}

static void clean(Stage *s) {
        s->backend = backend_free(s->backend);
        g_assert_cmpint(backend_new_model(s->event, ROLE_TARGET, true, &s->backend), ==, 0);
}

int main(int argc, char *argv[]) {
        Stage stage = { .prepare = prepare, .clean = clean };
        int r;

        g_test_init(&argc, &argv, NULL);

        /* They all run, whichever fails, so they go first. */
        g_assert_cmpint(sd_event_new(&stage.event), >=, 0);
        cases_add(&stage, "/cases/model");

#define ADD(name, function) g_test_add("/backend/model/" name, Fixture, NULL, set_up, function, tear_down)
        ADD("verbs", test_verbs);
        ADD("list-nodes", test_list_nodes);
        ADD("conflicts", test_conflicts);
        ADD("wildcards-first", test_wildcards_first);
        g_test_add("/backend/model/initiator", Fixture, NULL, set_up_initiator, test_initiator, tear_down);
        ADD("atomic", test_atomic);
        ADD("keep-going", test_keep_going);
        ADD("check", test_check);
        ADD("expected", test_expected);
        ADD("order", test_order);
        ADD("cancel", test_cancel);
        ADD("free", test_free);
        ADD("event-loop-ended", test_event_loop_ended);

        r = g_test_run();
        backend_free(stage.backend);
        sd_event_unref(stage.event);
        return r;
}
