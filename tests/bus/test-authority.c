/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may do what, with an authority that says what the test wants, when it wants, or not at all. */

#include "bus-view.h"
#include "concurrent.h"
#include "scripted-authority.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define NODE "iqn.2026-11.org.example:a"
#define OTHER_PORTAL ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3261" /* 127.0.0.1:3261, made by create_other_portal() */

#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define INTERACTIVE_REQUIRED "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"

#define QUESTIONS_MAX 64u
#define QUESTIONS_PER_UID_MAX 8u
#define IDENTITIES_MAX 64u

/* A service with the model backend, a connection of root, and an authority. */
typedef struct World {
        Service *service;
        sd_bus *root;
        ScriptedAuthority *authority;
        char *node;
} World;

static void world_open(World *w, Service *s, Answer answer) {
        *w = (World){ .service = s };
        w->authority = scripted_authority_new(answer);
        service_start(s);
        w->root = caller_new("root");
        w->node = create_node(w->root, NODE);
}

static void world_close(World *w) {
        g_autofree char *log = NULL;

        scripted_authority_free(w->authority);
        caller_leave(w->root);
        service_stop(w->service);
        log = service_read_log(w->service);
        g_assert_null(strstr(log, "memory"));
        service_free(w->service);
        g_free(w->node);
}

static void create_other_portal(World *w) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        g_autofree char *path = NULL;

        path = call_for_path(w->root, &e, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1", 3261,
                             DEFAULT_GROUP, 0);
        g_assert_cmpstr(path, ==, OTHER_PORTAL);
}

/* Nobody's question is left open: a user gets as many as anybody may have, and not one more. */
static void assert_questions_free(World *w, sd_bus *caller) {
        Call *calls[QUESTIONS_PER_UID_MAX + 1];
        Answer before = w->authority->answer;

        g_assert_cmpuint(w->authority->n_open, ==, 0);
        w->authority->answer = ANSWER_LATER;
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
                calls[i] = call_start(message_new_create_node(caller, "iqn.2026-11.org.example:slots"));
        assert_call_fails(calls[QUESTIONS_PER_UID_MAX], "LimitReached", 32775);
        wait_for_open(w->authority, QUESTIONS_PER_UID_MAX);
        answer_all(w->authority, ANSWER_NO);
        for (size_t i = 0; i < QUESTIONS_PER_UID_MAX; i++)
                assert_call_fails(calls[i], ACCESS_DENIED, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
                call_free(calls[i]);
        w->authority->answer = before;
}

/* Every answer, with and without the flag that allows a prompt: yes is yes, all else is no and leaves no trace. */
static void test_answers(void) {
        World w;
        sd_bus *alice;
        const char *unique;

        world_open(&w, service_new("--target-backend=model", NULL), ANSWER_LATER);
        alice = caller_new("alice");
        g_assert_cmpint(sd_bus_get_unique_name(alice, &unique), >=, 0);

        for (Answer answer = ANSWER_YES; answer < _ANSWER_MAX; answer++)
                for (int interactive = 0; interactive <= 1; interactive++) {
                        g_autofree char *before = view_objects(w.root), *after = NULL;
                        g_autoptr(Signals) signals = signals_new(w.root);
                        g_autofree char *heard = NULL;
                        g_autoptr(Call) c = NULL;
                        sd_bus_message *m = message_new_create_port(alice, w.node, "", LOOPBACK_PORTAL);
                        sd_bus_error e = SD_BUS_ERROR_NULL;
                        Asked *q;

                        w.authority->answer = answer;
                        c = interactive ? call_start_interactive(m) : call_start(m);
                        call_wait(c);

                        q = last_asked(w.authority);
                        g_assert_cmpstr(q->action, ==, "org.iscsi.ConfigurationService.create-port");
                        g_assert_cmpstr(q->subject_kind, ==, "system-bus-name");
                        g_assert_cmpstr(q->subject_name, ==, unique);
                        g_assert_cmpstr(q->cookie, !=, "");
                        g_assert_cmpuint(q->flags, ==, interactive ? 1 : 0);
                        g_assert_true(
                                g_str_has_prefix(q->details, "method=CreateiSCSIProtocolEndpoint\nnode=" NODE "\nrole=target\n"));
                        g_assert_false(q->cancelled);

                        if (answer == ANSWER_YES) {
                                sd_bus_message *reply = NULL;

                                reply = call_service(w.root, &e, "DeleteiSCSIProtocolEndpoint", "o", assert_call_gives_path(c));
                                g_assert_nonnull(reply);
                                sd_bus_message_unref(reply);
                        } else {
                                assert_call_fails(
                                        c, answer == ANSWER_CHALLENGE && !interactive ? INTERACTIVE_REQUIRED : ACCESS_DENIED, 0);
                                heard = signals_take(signals);
                                g_assert_cmpstr(heard, ==, "");
                        }
                        after = view_objects(w.root);
                        assert_same_text(before, after, "objects");
                }
        g_assert_cmpuint(w.authority->asked->len, ==, 2 * (_ANSWER_MAX - ANSWER_YES));

        assert_questions_free(&w, alice);
        caller_leave(alice);
        world_close(&w);
}

/* An authority that says nothing: a deadline, unless a person may be typing a password. */
static void test_silent(void) {
        g_autoptr(Call) patient = NULL, waits = NULL;
        World w;
        sd_bus *alice;

        world_open(&w, service_new("--target-backend=model", "--authorization-deadline=1", NULL), ANSWER_LATER);
        alice = caller_new("alice");

        patient = call_start_interactive(message_new_create_node(alice, "iqn.2026-11.org.example:patient"));
        wait_for_open(w.authority, 1);
        waits = call_start(message_new_create_node(alice, "iqn.2026-11.org.example:waits"));
        assert_call_fails(waits, "Timeout", 3);
        g_assert_cmpint(waits->ended - waits->started, >=, G_USEC_PER_SEC);

        /* What nobody waits for is withdrawn. */
        wait_for_open(w.authority, 1);
        g_assert_true(last_asked(w.authority)->cancelled);

        loop_for(500);
        g_assert_null(patient->reply);
        answer_all(w.authority, ANSWER_YES);
        assert_call_succeeds(patient);

        /* An answer that comes too late is none. */
        asked_answer(w.authority, last_asked(w.authority), ANSWER_YES);
        assert_questions_free(&w, alice);
        g_assert_false(object_exists(w.root, ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3awaits"));
        caller_leave(alice);
        world_close(&w);
}

/* It leaves the bus while the question is open, and later there is none at all. */
static void test_absent(void) {
        g_autoptr(Call) plain = NULL, interactive = NULL, late = NULL;
        g_autofree char *before = NULL, *after = NULL, *node = NULL;
        World w;
        sd_bus *alice;

        world_open(&w, service_new("--target-backend=model", NULL), ANSWER_LATER);
        alice = caller_new("alice");
        before = view_objects(w.root);

        plain = call_start(message_new_create_node(alice, "iqn.2026-11.org.example:plain"));
        interactive = call_start_interactive(message_new_create_node(alice, "iqn.2026-11.org.example:interactive"));
        wait_for_open(w.authority, 2);
        w.authority = scripted_authority_free(w.authority);
        assert_call_fails(plain, ACCESS_DENIED, 0);
        assert_call_fails(interactive, ACCESS_DENIED, 0);

        /* At once: nothing is waited for that is not there. */
        late = call_start_interactive(message_new_create_node(alice, "iqn.2026-11.org.example:late"));
        assert_call_fails(late, ACCESS_DENIED, 0);
        g_assert_cmpint(late->ended - late->started, <, 10 * G_USEC_PER_SEC);
        after = view_objects(w.root);
        assert_same_text(before, after, "objects");

        node = create_node(w.root, "iqn.2026-11.org.example:root");

        /* A new one is asked as if nothing had been. */
        w.authority = scripted_authority_new(ANSWER_YES);
        assert_questions_free(&w, alice);
        caller_leave(alice);
        world_close(&w);
}

static void test_caps(void) {
        sd_bus *callers[QUESTIONS_MAX / QUESTIONS_PER_UID_MAX + 1], *second;
        Call *calls[QUESTIONS_MAX];
        unsigned n = 0;
        World w;

        world_open(&w, service_new("--target-backend=model", NULL), ANSWER_LATER);
        for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
                callers[i] = caller_new_uid(70001 + (uid_t) i);
        second = caller_new_uid(70001);

        for (size_t i = 0; i < QUESTIONS_MAX / QUESTIONS_PER_UID_MAX; i++) {
                g_autoptr(Call) ninth = NULL;

                for (unsigned k = 0; k < QUESTIONS_PER_UID_MAX; k++)
                        calls[n++] = call_start(message_new_create_node(callers[i], "iqn.2026-11.org.example:caps"));
                wait_for_open(w.authority, n);

                /* From another connection, too: it is the user who is counted. The next user is not affected. */
                ninth = call_start(message_new_create_node(i == 0 ? second : callers[i], "iqn.2026-11.org.example:caps"));
                assert_call_fails(ninth, "LimitReached", 32775);
        }
        g_assert_cmpuint(n, ==, QUESTIONS_MAX);

        {
                g_autoptr(Call) over = NULL, again = NULL, next = NULL;
                g_autofree char *node = NULL;

                over = call_start(message_new_create_node(callers[G_N_ELEMENTS(callers) - 1], "iqn.2026-11.org.example:caps"));
                assert_call_fails(over, "LimitReached", 32775);
                g_assert_cmpuint(w.authority->asked->len, ==, QUESTIONS_MAX);

                /* Nobody is asked about root. */
                node = create_node(w.root, "iqn.2026-11.org.example:root");

                /* Each answer makes room for one. */
                asked_answer(w.authority, last_asked(w.authority), ANSWER_NO);
                assert_call_fails(calls[QUESTIONS_MAX - 1], ACCESS_DENIED, 0);
                again = call_start(message_new_create_node(callers[G_N_ELEMENTS(callers) - 1], "iqn.2026-11.org.example:caps"));
                wait_for_open(w.authority, QUESTIONS_MAX);
                next = call_start(message_new_create_node(callers[G_N_ELEMENTS(callers) - 1], "iqn.2026-11.org.example:caps"));
                assert_call_fails(next, "LimitReached", 32775);

                answer_all(w.authority, ANSWER_NO);
                assert_call_fails(again, ACCESS_DENIED, 0);
        }

        for (unsigned i = 0; i < n; i++) {
                assert_call_fails(calls[i], ACCESS_DENIED, 0);
                call_free(calls[i]);
        }
        assert_questions_free(&w, callers[0]);
        assert_questions_free(&w, callers[1]);
        for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
                caller_leave(callers[i]);
        caller_leave(second);
        world_close(&w);
}

/* What cannot be done anyway is refused before anybody is asked for a password, and what would be held meanwhile is bounded. */
static void test_limits_first(void) {
        g_autoptr(GString) digits = g_string_new(NULL);
        g_autofree char *port = NULL, *long_path = NULL;
        const char *portals[] = { LOOPBACK_PORTAL, NULL };
        uint16_t roles[] = { 2, 3, 2 };
        sd_bus_message *m;
        sd_bus *mallory;
        World w;

        world_open(&w, service_new("--target-backend=model", "--max-ports=1", NULL), ANSWER_LATER);
        mallory = caller_new("mallory");

        {
                g_autoptr(Call) many = NULL, longer = NULL, path = NULL, alias = NULL, name = NULL, role = NULL, element = NULL;

                m = message_new(mallory, "CreateiSCSIProtocolEndpoint", "oqs", w.node, 3, "");
                g_assert_cmpint(sd_bus_message_open_container(m, 'a', "o"), >=, 0);
                for (unsigned i = 0; i < 65; i++) {
                        g_autofree char *p = g_strdup_printf("/%u", i);

                        g_assert_cmpint(sd_bus_message_append(m, "o", p), >=, 0);
                }
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                many = call_start(m);
                assert_call_fails(many, "LimitReached", 32775);

                /* 2049 bytes */
                while (digits->len < 2049)
                        g_string_append_c(digits, 'A');
                long_path = g_strconcat("/", digits->str + 1, NULL);
                longer = call_start(message_new_create_port(mallory, w.node, digits->str, LOOPBACK_PORTAL));
                assert_call_fails(longer, "InvalidParameter", 5);
                path = call_start(message_new(mallory, "DeleteiSCSINode", "o", long_path));
                assert_call_fails(path, "InvalidParameter", 5);
                alias = call_start(message_new(mallory, "CreateiSCSINode", "sa{sv}", digits->str, 0));
                assert_call_fails(alias, "InvalidParameter", 5);
                name = call_start(message_new_create_node(mallory, digits->str));
                assert_call_fails(name, "InvalidParameter", 5);
                element = call_start(message_new(mallory, "CreatePortalGroup", "sa{sv}", digits->str, 0));
                assert_call_fails(element, "InvalidParameter", 5);

                m = message_new(mallory, "CreateiSCSINode", "s", "");
                g_assert_cmpint(sd_bus_message_open_container(m, 'a', "{sv}"), >=, 0);
                g_assert_cmpint(sd_bus_message_open_container(m, 'e', "sv"), >=, 0);
                g_assert_cmpint(sd_bus_message_append(m, "s", "Roles"), >=, 0);
                g_assert_cmpint(sd_bus_message_open_container(m, 'v', "aq"), >=, 0);
                g_assert_cmpint(sd_bus_message_append_array(m, 'q', roles, sizeof(roles)), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                role = call_start(m);
                assert_call_fails(role, "InvalidParameter", 5);
        }

        /* The bus carries 32 MiB, and throws off who sends more: a question that holds what a caller sent must not be larger than
         * that. */
        for (size_t size = (32 << 20) - 220; size >= (32 << 20) - 240; size -= 20) {
                g_autofree char *huge = g_strnfill(size, 'a');
                g_autoptr(Call) c = call_start(message_new(mallory, "CreatePortalGroup", "sa{sv}", huge, 0));

                assert_call_fails(c, "InvalidParameter", 5);
        }

        g_assert_cmpuint(w.authority->asked->len, ==, 0);

        port = create_target_port(w.root, w.node, "", portals);
        {
                g_autoptr(Call) full = call_start(message_new_create_port(mallory, w.node, "", LOOPBACK_PORTAL));

                assert_call_fails(full, "LimitReached", 32775);
                g_assert_cmpuint(w.authority->asked->len, ==, 0);
        }

        /* And what reaches a limit while the question is open, after the grant. */
        {
                g_autoptr(Call) c = NULL;

                sd_bus_message_unref(call_service(w.root, NULL, "DeleteiSCSIProtocolEndpoint", "o", port));
                c = call_start(message_new_create_port(mallory, w.node, "", LOOPBACK_PORTAL));
                wait_for_open(w.authority, 1);
                g_free(port);
                port = create_target_port(w.root, w.node, "", portals);
                answer_all(w.authority, ANSWER_YES);
                assert_call_fails(c, "LimitReached", 32775);
        }

        caller_leave(mallory);
        world_close(&w);
}

/* What was true when the question was asked need not be when it is answered. */
static void test_validated_again(void) {
        g_autoptr(Call) a = NULL, b = NULL, deleted = NULL, malformed = NULL, taken = NULL, portal = NULL;
        g_autofree char *path = NULL, *free_portal = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus *alice, *mallory;
        unsigned n_asked;
        World w;

        world_open(&w, service_new("--target-backend=model", NULL), ANSWER_LATER);
        create_other_portal(&w);
        alice = caller_new("alice");
        mallory = caller_new("mallory");

        /* Two want one Identifier; both are granted, one wins. */
        a = call_start(message_new_create_port(alice, w.node, "000000000007", LOOPBACK_PORTAL));
        b = call_start(message_new_create_port(mallory, w.node, "000000000007", OTHER_PORTAL));
        wait_for_open(w.authority, 2);
        answer_all(w.authority, ANSWER_YES);
        call_wait(a);
        call_wait(b);
        g_assert_cmpint(call_succeeded(a), !=, call_succeeded(b));
        assert_call_fails(call_succeeded(a) ? b : a, "IdentifierInUse", 4098);

        /* The portal is taken meanwhile. */
        portal = call_start(message_new_create_port(alice, w.node, "", call_succeeded(a) ? OTHER_PORTAL : LOOPBACK_PORTAL));
        wait_for_open(w.authority, 1);
        path = create_target_port(w.root, w.node, "00000000000A",
                                  (const char *[]){ call_succeeded(a) ? OTHER_PORTAL : LOOPBACK_PORTAL, NULL });
        answer_all(w.authority, ANSWER_YES);
        assert_call_fails(portal, "TCPProtocolEndpointInUse", 4102);

        /* What would be refused anyway costs nobody a password. */
        n_asked = w.authority->asked->len;
        malformed = call_start(message_new_create_port(alice, w.node, "xyz", LOOPBACK_PORTAL));
        assert_call_fails(malformed, "InvalidParameter", 5);
        taken = call_start(message_new_create_port(alice, w.node, "00000000000A", LOOPBACK_PORTAL));
        assert_call_fails(taken, "IdentifierInUse", 4098);
        g_assert_cmpuint(w.authority->asked->len, ==, n_asked);

        /* The node goes. */
        free_portal = call_for_path(w.root, &e, "CreateTCPProtocolEndpoint", "oqoa{sv}", ROOT_PATH "/ip/_3127_2e0_2e0_2e1", 3262,
                                    DEFAULT_GROUP, 0);
        deleted = call_start(message_new_create_port(alice, w.node, "", free_portal));
        wait_for_open(w.authority, 1);
        sd_bus_message_unref(call_service(w.root, NULL, "DeleteiSCSINode", "o", w.node));
        g_assert_false(object_exists(w.root, w.node));
        answer_all(w.authority, ANSWER_YES);
        assert_call_fails(deleted, "SCSIProtocolControllerNonExistent", 4096);

        assert_questions_free(&w, alice);
        caller_leave(alice);
        caller_leave(mallory);
        world_close(&w);
}

/* SIGTERM with questions open, which polkit drops when who asked leaves the bus: the service ends at once, and has done
 * nothing. */
static void test_stopped(void) {
        g_autofree char *before = NULL, *after = NULL;
        g_autoptr(Call) a = NULL, b = NULL;
        sd_bus *alice;
        World w;

        world_open(&w, service_new("--target-backend=model", NULL), ANSWER_LATER);
        alice = caller_new("alice");
        before = view_objects(w.root);
        a = call_start_interactive(message_new_create_node(alice, "iqn.2026-11.org.example:a1"));
        b = call_start(message_new_create_port(alice, w.node, "", LOOPBACK_PORTAL));
        wait_for_open(w.authority, 2);

        service_stop(w.service);
        call_wait(a);
        call_wait(b);
        g_assert_false(call_succeeded(a) || call_succeeded(b));

        service_start(w.service);
        after = view_objects(w.root);
        assert_same_text(before, after, "objects");
        answer_all(w.authority, ANSWER_YES);
        assert_questions_free(&w, alice);
        caller_leave(alice);
        world_close(&w);
}

/* How often the bus was asked for a caller's uid, as a monitor of the bus has written it into FILE. */
static unsigned uid_questions(const char *file) {
        g_autofree char *text = NULL;
        unsigned n = 0;

        loop_for(300);
        g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
        for (const char *at = text; (at = strstr(at, "member=GetConnectionUnixUser")); at++)
                n++;
        return n;
}

static void make_a_change(sd_bus *caller) {
        g_autoptr(Call) c = call_start(message_new_create_node(caller, NODE));

        call_wait(c);
        assert_call_fails(c, "NameInUse", 32777);
}

/* The bus is asked about a caller once, as long as it stays and there are not too many others. */
static void test_identities(void) {
        g_autofree char *file = g_build_filename(g_getenv("SURROUNDINGS_DIR"), "monitor", NULL),
                        *command = g_strdup_printf("exec dbus-monitor --system member=GetConnectionUnixUser >%s", file);
        const char *argv[] = { "sh", "-c", command, NULL };
        sd_bus *alice, *other;
        unsigned before;
        World w;
        GPid pid;

        world_open(&w, service_new("--target-backend=model", NULL), ANSWER_YES);
        g_assert_true(g_spawn_async(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid,
                                    NULL));
        loop_for(1000);
        before = uid_questions(file);

        alice = caller_new("alice");
        for (int i = 0; i < 3; i++)
                make_a_change(alice);
        g_assert_cmpuint(uid_questions(file), ==, before + 1);

        for (unsigned i = 0; i < IDENTITIES_MAX; i++) {
                other = caller_new("mallory");
                make_a_change(other);
                caller_leave(other);
        }
        g_assert_cmpuint(uid_questions(file), ==, before + 1 + IDENTITIES_MAX);
        make_a_change(alice);
        g_assert_cmpuint(uid_questions(file), ==, before + 2 + IDENTITIES_MAX);

        caller_leave(alice);
        g_assert_cmpint(kill(pid, SIGTERM), ==, 0);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        world_close(&w);
}

/* Calls that are sent without waiting come to polkit in their order, also while the bus is asked who their caller is. */
static void test_order(void) {
        Call *calls[QUESTIONS_PER_UID_MAX];
        World w;

        world_open(&w, service_new("--target-backend=model", NULL), ANSWER_NO);
        for (int round = 0; round < 20; round++) {
                sd_bus *alice = caller_new("alice");
                unsigned first = w.authority->asked->len;

                for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
                        g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:n%u", i);

                        calls[i] = call_start(message_new_create_node(alice, name));
                        g_assert_cmpint(sd_bus_flush(alice), >=, 0);
                        if (i == (unsigned) round % 4)
                                g_usleep((unsigned) round * 50);
                }
                for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
                        assert_call_fails(calls[i], ACCESS_DENIED, 0);
                        call_free(calls[i]);
                }
                for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
                        const Asked *q = g_ptr_array_index(w.authority->asked, first + i);
                        g_autofree char *name = g_strdup_printf("node=iqn.2026-11.org.example:n%u\n", i);

                        g_assert_nonnull(strstr(q->details, name));
                }
                caller_leave(alice);
        }
        world_close(&w);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/authority/answers", test_answers);
        g_test_add_func("/authority/silent", test_silent);
        g_test_add_func("/authority/absent", test_absent);
        g_test_add_func("/authority/caps", test_caps);
        g_test_add_func("/authority/limits-first", test_limits_first);
        g_test_add_func("/authority/validated-again", test_validated_again);
        g_test_add_func("/authority/stopped", test_stopped);
        g_test_add_func("/authority/identities", test_identities);
        g_test_add_func("/authority/order", test_order);
        return g_test_run();
}
