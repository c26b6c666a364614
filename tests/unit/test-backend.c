/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is said between a backend's client and a worker, and the backend that has no workers. */

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>

#include "backend-fixture.h"
#include "backend/backend.h"
#include "common/log.h"

static Portal portal(const char *text) {
        Portal p;

        g_assert_cmpint(portal_from_text(text, &p), ==, 0);
        return p;
}

static void test_verbs(Fixture *f, gconstpointer data) {
        const Portal portals[] = { portal("10.0.0.1:3260"), portal("[fe80::1%eth0]:860"), portal("[::]:65535") };
        const struct {
                BackendRequest request;
                const char *seen;
        } cases[] = {
                { { BACKEND_CREATE_NODE, NODE }, "CreateNode s(\"" NODE "\")" },
                { { BACKEND_DELETE_NODE, NODE }, "DeleteNode s(\"" NODE "\")" },
                { { BACKEND_CREATE_TARGET_PORT, NODE, 1, portals, 3 },
                  "CreateTargetPort sqa(sq)(\"" NODE "\", 1, [(\"10.0.0.1\", 3260), (\"fe80::1%eth0\", 860), (\"::\", 65535)])" },
                { { BACKEND_RESTORE_TARGET_PORT, NODE, 65535, portals, 1 },
                  "RestoreTargetPort sqa(sq)(\"" NODE "\", 65535, [(\"10.0.0.1\", 3260)])" },
                { { BACKEND_RESTORE_TARGET_PORT, NODE, 2 }, "RestoreTargetPort sqa(sq)(\"" NODE "\", 2, [])" },
                { { BACKEND_UNDO_TARGET_PORT, NODE, 0, portals, 2 },
                  "UndoTargetPort sqa(sq)(\"" NODE "\", 0, [(\"10.0.0.1\", 3260), (\"fe80::1%eth0\", 860)])" },
                { { BACKEND_DELETE_TARGET_PORT, NODE, 7 }, "DeleteTargetPort sq(\"" NODE "\", 7)" },
                { { BACKEND_BIND_PORTAL, NODE, 7, portals + 1, 1 }, "BindPortal sqsq(\"" NODE "\", 7, \"fe80::1%eth0\", 860)" },
                { { BACKEND_UNBIND_PORTAL, NODE, 7, portals + 2, 1 }, "UnbindPortal sqsq(\"" NODE "\", 7, \"::\", 65535)" },
                { { BACKEND_CHECK_SESSIONS, NODE }, "CheckSessions s(\"" NODE "\")" },
                { { BACKEND_OBSERVE }, "Observe ()" },
        };
        bool covered[_BACKEND_VERB_MAX] = {};

        g_assert_cmpuint(f->host->n_accepted, ==, 0);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(answer_done) Answer a = {};
                g_autofree char *seen = g_strdup_printf("/org/iscsi/Backend org.iscsi.Backend.%s", cases[i].seen);

                call(f, &cases[i].request, &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
                g_assert_false(a.outcome_unknown);
                g_assert_true(a.observed == (cases[i].request.verb == BACKEND_OBSERVE));
                g_assert_cmpuint(a.observation.n_nodes, ==, 0);
                g_assert_cmpuint(f->host->script->n_seen, ==, i + 1);
                g_assert_cmpstr(f->host->script->seen[i], ==, seen);
                covered[cases[i].request.verb] = true;
        }

        for (BackendVerb v = 0; v < _BACKEND_VERB_MAX; v++)
                g_assert_true(covered[v]);

        /* One after the other, so one connection served them all. */
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void assert_portal(const ObservedPortal *p, const char *text, bool listening) {
        char buf[PORTAL_TEXT_MAX];

        g_assert_cmpstr(portal_to_text(&p->portal, buf), ==, text);
        g_assert_true(p->listening == listening);
}

static void test_observe(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        Observation *o = &a.observation;

        f->host->script->behaviour = WORKER_OBSERVES;
        call(f, &(BackendRequest){ .verb = BACKEND_OBSERVE }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);

        g_assert_cmpuint(o->n_nodes, ==, 3);
        g_assert_cmpstr(o->nodes[0].name, ==, "iqn.2024-01.org.example:none");
        g_assert_cmpuint(o->nodes[0].n_ports, ==, 0);

        g_assert_cmpstr(o->nodes[1].name, ==, "iqn.2024-01.org.example:two");
        g_assert_cmpuint(o->nodes[1].n_ports, ==, 2);
        g_assert_cmpuint(o->nodes[1].ports[0].tag, ==, 1);
        g_assert_true(o->nodes[1].ports[0].enabled);
        g_assert_cmpuint(o->nodes[1].ports[0].n_portals, ==, 3);
        assert_portal(&o->nodes[1].ports[0].portals[0], "10.0.0.1:3260", true);
        assert_portal(&o->nodes[1].ports[0].portals[1], "[fe80::1%eth0]:3261", false);
        assert_portal(&o->nodes[1].ports[0].portals[2], "[::]:860", true);
        g_assert_cmpuint(o->nodes[1].ports[1].tag, ==, 65535);
        g_assert_false(o->nodes[1].ports[1].enabled);
        g_assert_cmpuint(o->nodes[1].ports[1].n_portals, ==, 0);

        g_assert_cmpstr(o->nodes[2].name, ==, "naa.52004567ba64678d");
        g_assert_cmpuint(o->nodes[2].n_ports, ==, 1);
        g_assert_cmpuint(o->nodes[2].ports[0].tag, ==, 0);
        assert_portal(&o->nodes[2].ports[0].portals[0], "127.0.0.1:65535", true);
}

static void test_observe_oddities(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        Observation *o = &a.observation;

        f->host->script->behaviour = WORKER_OBSERVES_ODDITIES;
        call(f, &(BackendRequest){ .verb = BACKEND_OBSERVE }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);

        g_assert_cmpuint(o->n_nodes, ==, 2);
        g_assert_cmpuint(strlen(o->nodes[0].name), ==, 223);
        g_assert_cmpuint(o->nodes[0].n_ports, ==, 1);
        g_assert_cmpuint(o->nodes[0].ports[0].n_portals, ==, 1);
        assert_portal(&o->nodes[0].ports[0].portals[0], "10.0.0.2:3260", true);

        g_assert_cmpstr(o->nodes[1].name, ==, "iqn.2024-01.org.example:odd");
        g_assert_cmpuint(o->nodes[1].n_ports, ==, 1);
        g_assert_cmpuint(o->nodes[1].ports[0].tag, ==, 4);
        g_assert_cmpuint(o->nodes[1].ports[0].n_portals, ==, 1);
        assert_portal(&o->nodes[1].ports[0].portals[0], "10.0.0.3:3260", true);
}

static void test_observe_limits(Fixture *f, gconstpointer data) {
        const struct {
                Behaviour behaviour;
                unsigned max;
        } cases[] = {
                { WORKER_OBSERVES_MANY_NODES, OBSERVED_NODES_MAX },
                { WORKER_OBSERVES_MANY_PORTS, OBSERVED_PORTS_MAX },
                { WORKER_OBSERVES_MANY_PORTALS, OBSERVED_PORTALS_MAX },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(answer_done) Answer full = {}, over = {};
                const BackendRequest request = { .verb = BACKEND_OBSERVE };
                Observation *o = &full.observation;

                f->host->script->behaviour = cases[i].behaviour;
                f->host->script->n_many = cases[i].max;
                call(f, &request, &full);
                g_assert_cmpint(full.refusal, ==, REFUSAL_NONE);
                switch (cases[i].behaviour) {
                case WORKER_OBSERVES_MANY_NODES:
                        g_assert_cmpuint(o->n_nodes, ==, cases[i].max);
                        break;
                case WORKER_OBSERVES_MANY_PORTS:
                        g_assert_cmpuint(o->nodes[0].n_ports, ==, cases[i].max);
                        g_assert_cmpuint(o->nodes[0].ports[cases[i].max - 1].tag, ==, (cases[i].max - 1) & 0xffff);
                        break;
                default:
                        g_assert_cmpuint(o->nodes[0].ports[0].n_portals, ==, cases[i].max);
                }

                f->host->script->n_many = cases[i].max + 1;
                call(f, &request, &over);
                g_assert_cmpint(over.refusal, ==, REFUSAL_LIMIT_REACHED);
                g_assert_false(over.observed);
        }
}

/* What interfaces/org.iscsi.Backend.xml lets each verb answer besides what all may, in its words. */
static const char *const errors_of_verbs[_BACKEND_VERB_MAX] = {
        [BACKEND_CREATE_NODE] = "Degraded NameInUse",
        [BACKEND_DELETE_NODE] = "Degraded",
        [BACKEND_CREATE_TARGET_PORT] =
                "Degraded IdentifierInUse TCPProtocolEndpointInUse AddressInUse AddressOverlap PortalShadowed ScopeMissing",
        [BACKEND_RESTORE_TARGET_PORT] =
                "Degraded TCPProtocolEndpointInUse AddressInUse AddressOverlap PortalShadowed ScopeMissing",
        [BACKEND_UNDO_TARGET_PORT] = "Degraded",
        [BACKEND_DELETE_TARGET_PORT] = "Degraded SessionsActive",
        [BACKEND_BIND_PORTAL] = "Degraded ProtocolEndpointNonExistent TCPProtocolEndpointInUse AddressInUse AddressOverlap "
                                "PortalShadowed ScopeMissing",
        [BACKEND_UNBIND_PORTAL] = "Degraded",
        [BACKEND_CHECK_SESSIONS] = "SessionsActive",
        [BACKEND_OBSERVE] = "",
};

static void test_errors(Fixture *f, gconstpointer data) {
        const Portal p = portal("10.0.0.1:3260");

        log_set_max_level(LOG_ERR);
        f->host->script->behaviour = WORKER_FAILS;
        strcpy(f->host->script->error_message, "the reason");

        for (BackendVerb v = 0; v < _BACKEND_VERB_MAX; v++) {
                g_autofree char *list = g_strdup_printf("Busy BackendUnavailable Failed InvalidParameter %s", errors_of_verbs[v]);
                g_auto(GStrv) names = g_strsplit(list, " ", 0);
                unsigned n_passed = 0;

                for (Refusal refusal = REFUSAL_NONE + 1; refusal < _REFUSAL_MAX; refusal++) {
                        _cleanup_(answer_done) Answer a = {};
                        const char *name = refusal_error_name(refusal);

                        g_strlcpy(f->host->script->error_name, name, sizeof(f->host->script->error_name));
                        call(f, &(BackendRequest){ v, NODE, 1, &p, 1 }, &a);
                        g_assert_false(a.outcome_unknown);
                        g_assert_false(a.observed);

                        if (g_strv_contains((const char *const *) names, name + strlen(ERROR_NAME_PREFIX))) {
                                g_assert_cmpint(a.refusal, ==, refusal);
                                g_assert_cmpstr(a.message, ==, "the reason");
                                n_passed++;
                        } else {
                                g_assert_cmpint(a.refusal, ==, REFUSAL_UNSPECIFIED);
                                g_assert_nonnull(strstr(a.message, backend_verb_name(v)));
                        }
                }

                g_assert_cmpuint(n_passed, ==, 4 + (*errors_of_verbs[v] ? g_strv_length(names) - 4 : 0));
        }

        /* An error is an answer: the worker goes on. */
        g_assert_cmpuint(f->host->n_accepted, ==, 1);
}

static void test_unknown_errors(Fixture *f, gconstpointer data) {
        static const char *const names[] = { "org.example.Error.Strange", "System.Error.EIO",
                                             "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.UnknownMethod",
                                             ERROR_NAME_PREFIX "Nonsense" };

        f->host->script->behaviour = WORKER_FAILS;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(answer_done) Answer a = {};

                strcpy(f->host->script->error_name, names[i]);
                call(f, &(BackendRequest){ .verb = BACKEND_CREATE_NODE, .node = NODE }, &a);
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

        f->host->script->behaviour = WORKER_FAILS;
        strcpy(f->host->script->error_name, refusal_error_name(REFUSAL_FAILED));

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(answer_done) Answer a = {};

                strcpy(f->host->script->error_message, cases[i].text);
                call(f, &(BackendRequest){ .verb = BACKEND_CREATE_NODE, .node = NODE }, &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_FAILED);
                g_assert_cmpstr(a.message, ==, cases[i].expected);
        }
}

static void test_malformed(Fixture *f, gconstpointer data) {
        const Portal p = portal("10.0.0.1:3260");

        for (BackendVerb v = 0; v < _BACKEND_VERB_MAX; v++) {
                _cleanup_(answer_done) Answer a = {};

                f->host->script->behaviour = WORKER_MISREPLIES;
                call(f, &(BackendRequest){ v, NODE, 1, &p, 1 }, &a);
                g_assert_cmpint(a.refusal, ==, REFUSAL_UNSPECIFIED);
                g_assert_true(a.outcome_unknown);
                g_assert_false(a.observed);

                /* Such a worker is not used again. */
                g_assert_cmpuint(f->host->n_accepted, ==, v + 1);
        }

        assert_succeeds(f);
}

static void test_noise(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};

        f->host->script->behaviour = WORKER_MAKES_NOISE;
        call(f, &(BackendRequest){ .verb = BACKEND_CREATE_NODE, .node = NODE }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_BACKEND_UNAVAILABLE);
        g_assert_true(a.outcome_unknown);

        assert_succeeds(f);
        g_assert_cmpuint(f->host->n_accepted, ==, 2);
}

static void test_not_utf8(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};

        call(f, &(BackendRequest){ .verb = BACKEND_CREATE_NODE, .node = "iqn.\xff" }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_INVALID_PARAMETER);
        g_assert_false(a.outcome_unknown);
        g_assert_cmpuint(f->host->script->n_seen, ==, 0);
        assert_succeeds(f);
}

static void test_model(void) {
        static Fixture f; /* no host: nothing is connected */
        const Portal p = portal("10.0.0.1:3260");
        Answer answers[_BACKEND_VERB_MAX] = {};
        unsigned first;

        g_assert_cmpint(sd_event_new(&f.event), >=, 0);
        g_assert_cmpint(backend_new_model(f.event, true, &f.backend), ==, 0);
        g_assert_cmpstr(backend_name(f.backend), ==, "model");
        g_assert_true(backend_selects_identifiers(f.backend));

        for (BackendVerb v = 0; v < _BACKEND_VERB_MAX; v++)
                start(&f, &(BackendRequest){ v, NODE, 1, &p, 1 }, &answers[v]);
        for (BackendVerb v = 0; v < _BACKEND_VERB_MAX; v++)
                g_assert_cmpuint(answers[v].n, ==, 0);

        wait_for(&f, answers[_BACKEND_VERB_MAX - 1].n > 0);

        first = answers[0].turn;
        for (BackendVerb v = 0; v < _BACKEND_VERB_MAX; v++) {
                g_assert_cmpuint(answers[v].n, ==, 1);
                g_assert_cmpuint(answers[v].turn, ==, first + v);
                g_assert_cmpint(answers[v].refusal, ==, REFUSAL_NONE);
                g_assert_false(answers[v].outcome_unknown);
                g_assert_true(answers[v].observed == (v == BACKEND_OBSERVE));
                g_assert_cmpuint(answers[v].observation.n_nodes, ==, 0);
                answer_done(&answers[v]);
        }

        run_idle(&f, 20);
        for (BackendVerb v = 0; v < _BACKEND_VERB_MAX; v++)
                g_assert_cmpuint(answers[v].n, ==, 1);

        f.backend = backend_free(f.backend);
        g_assert_cmpint(backend_new_model(f.event, false, &f.backend), ==, 0);
        g_assert_false(backend_selects_identifiers(f.backend));
        f.backend = backend_free(f.backend);
        f.event = sd_event_unref(f.event);
}

static void then_start_other(Answer *a) {
        start_tag(a->fixture, 9, a->other);
}

static void then_free_backend(Answer *a) {
        a->fixture->backend = backend_free(a->fixture->backend);
}

static void test_model_cancel_and_free(void) {
        static Fixture f;
        Answer a = {}, b = {}, c = {}, d = {};

        g_assert_cmpint(sd_event_new(&f.event), >=, 0);
        g_assert_cmpint(backend_new_model(f.event, true, &f.backend), ==, 0);

        a.then = then_start_other;
        a.other = &d;
        d.then = then_free_backend;
        start_tag(&f, 1, &a);
        start_tag(&f, 2, &b);
        start_tag(&f, 3, &c);
        g_assert_null(backend_call_cancel(b.call));

        wait_for(&f, d.n > 0);
        g_assert_null(f.backend);
        g_assert_cmpuint(a.n, ==, 1);
        g_assert_cmpuint(b.n, ==, 0);
        g_assert_cmpuint(c.n, ==, 1);
        g_assert_cmpuint(c.turn, ==, a.turn + 1);
        g_assert_cmpuint(d.turn, ==, a.turn + 2);

        /* Calls that never had their turn end with the backend, silently. */
        g_assert_cmpint(backend_new_model(f.event, true, &f.backend), ==, 0);
        start_tag(&f, 1, &a);
        start(&f, &(BackendRequest){ .verb = BACKEND_OBSERVE }, &b);
        f.backend = backend_free(f.backend);
        run_idle(&f, 20);
        g_assert_cmpuint(a.n, ==, 1);
        g_assert_cmpuint(b.n, ==, 0);

        f.event = sd_event_unref(f.event);
}

static void test_event_loop_ended(void) {
        static Fixture f;
        Answer a = {};

        g_assert_cmpint(sd_event_new(&f.event), >=, 0);
        g_assert_cmpint(backend_new_model(f.event, true, &f.backend), ==, 0);
        g_assert_cmpint(sd_event_exit(f.event, 0), >=, 0);
        g_assert_cmpint(sd_event_loop(f.event), ==, 0);
        g_assert_cmpint(backend_call(f.backend, &(BackendRequest){ .verb = BACKEND_OBSERVE }, NULL, NULL, &a.call), ==, -ESTALE);
        g_assert_null(a.call);

        f.backend = backend_free(f.backend);
        f.event = sd_event_unref(f.event);
}

int main(int argc, char *argv[]) {
        sigset_t chld;

        g_test_init(&argc, &argv, NULL);
        g_assert_no_errno(sigemptyset(&chld));
        g_assert_no_errno(sigaddset(&chld, SIGCHLD));
        g_assert_no_errno(sigprocmask(SIG_BLOCK, &chld, NULL));

#define ADD(name, function) g_test_add("/backend/" name, Fixture, NULL, set_up, function, tear_down)
        ADD("verbs", test_verbs);
        ADD("observe", test_observe);
        ADD("observe-oddities", test_observe_oddities);
        ADD("observe-limits", test_observe_limits);
        ADD("errors", test_errors);
        ADD("unknown-errors", test_unknown_errors);
        ADD("error-texts", test_error_texts);
        ADD("malformed", test_malformed);
        ADD("noise", test_noise);
        ADD("not-utf8", test_not_utf8);
        g_test_add_func("/backend/model", test_model);
        g_test_add_func("/backend/model-cancel-and-free", test_model_cancel_and_free);
        g_test_add_func("/backend/event-loop-ended", test_event_loop_ended);

        return g_test_run();
}
