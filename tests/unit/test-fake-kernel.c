/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The fake kernel itself: the cases that it shares with the real one, the kernel's rules below its worker, and the plans that
 * make it fail. */

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>

#include "backend-fixture.h"
#include "cases.h"
#include "kernel.h"

#define A CASE_NODE_A
#define B CASE_NODE_B

/* The stage of the cases */

static Fixture *the_fixture(Stage *s) {
        return s->userdata;
}

static void prepare_directory(const char *root, const char *path) {
        g_auto(GStrv) parts = g_strsplit(path, "/", 0);
        int r;

        fake_make_node(root, parts[0]);
        if (!parts[1])
                return;
        r = kernel_mkdir_port(root, parts[0], parts[1]);
        g_assert_true(r == 0 || r == -EEXIST);
        if (parts[2])
                g_assert_cmpint(kernel_mkdir_portal(root, parts[0], parts[1], parts[3]), ==, 0);
}

static void prepare(Stage *s, char **words) {
        const char *root = the_fixture(s)->host->root;
        unsigned tag = words[1] && words[2] ? (unsigned) g_ascii_strtoull(words[2], NULL, 10) : 0;

        if (g_str_equal(words[0], "node"))
                fake_make_node(root, words[1]);
        else if (g_str_equal(words[0], "port") || g_str_equal(words[0], "off")) {
                g_autofree char *portals = g_strjoinv(" ", words + 3);

                fake_make_port(root, words[1], tag, g_str_equal(words[0], "port"), portals);
        } else if (g_str_equal(words[0], "dir"))
                prepare_directory(root, words[1]);
        else if (g_str_equal(words[0], "lun"))
                fake_add_lun(root, words[1], tag);
        else if (g_str_equal(words[0], "acl"))
                fake_add_acl(root, words[1], tag, "iqn.2026-11.org.iscsi:initiator", NULL);
        else if (g_str_equal(words[0], "listen"))
                fake_set_listeners(root, words[1]);
        else if (g_str_equal(words[0], "session"))
                fake_set_sessions(root, words[1], tag, true);
        else
                g_error("What is %s?", words[0]);
}

static void clean(Stage *s) {
        const char *root = the_fixture(s)->host->root;

        fake_remove_all(root);
        fake_set_listeners(root, NULL);
        fake_set_interfaces(root, CASE_INTERFACE_0 " 2\n" CASE_INTERFACE_1 " 3\n");
}

static void add_cases(Fixture *f, Stage *s) {
        set_up(f, NULL);
        *s = (Stage){
                .event = f->event,
                .backend = f->backend,
                .fabric = g_build_filename(f->host->root, "target", "iscsi", NULL),
                .has = CASE_NEEDS_TREE | CASE_NEEDS_HOST | CASE_NEEDS_SESSIONS,
                .prepare = prepare,
                .clean = clean,
                .userdata = f,
        };
        cases_add(s, "/cases/fake-kernel");
}

/* The kernel's rules, below the worker that explains them */

static void test_directories(Fixture *f, gconstpointer data) {
        const char *root = f->host->root;
        g_autofree char *a223 = g_strnfill(223, 'n'), *a224 = g_strnfill(224, 'n'), *a256 = g_strnfill(256, 'n');

        g_assert_cmpint(kernel_mkdir_node(root, a223), ==, 0);
        g_assert_cmpint(kernel_mkdir_node(root, a224), ==, -EINVAL);
        g_assert_cmpint(kernel_mkdir_node(root, a256), ==, -ENAMETOOLONG);
        g_assert_cmpint(kernel_mkdir_node(root, "Not_an iSCSI name!"), ==, 0);
        g_assert_cmpint(kernel_mkdir_node(root, A), ==, 0);
        g_assert_cmpint(kernel_mkdir_node(root, A), ==, -EEXIST);

        g_assert_cmpint(kernel_mkdir_port(root, B, "tpgt_1"), ==, -ENOENT);
        g_assert_cmpint(kernel_mkdir_port(root, A, "tpgt_1"), ==, 0);
        g_assert_cmpint(kernel_mkdir_port(root, A, "tpgt_1"), ==, -EEXIST);
        g_assert_cmpint(kernel_rmdir_node(root, A), ==, -ENOTEMPTY);
        g_assert_cmpint(kernel_rmdir_node(root, B), ==, -ENOENT);

        g_assert_cmpint(kernel_mkdir_portal(root, A, "tpgt_1", "10.0.0.1:3260"), ==, 0);
        g_assert_cmpint(kernel_mkdir_portal(root, A, "tpgt_1", "10.0.0.1:3260"), ==, -EEXIST);
        g_assert_cmpint(kernel_mkdir_portal(root, A, "tpgt_2", "10.0.0.1:3260"), ==, -ENOENT);
        g_assert_cmpint(kernel_rmdir_port(root, A, "tpgt_1"), ==, -ENOTEMPTY);
        g_assert_cmpint(kernel_rmdir_portal(root, A, "tpgt_1", "10.0.0.1:3260"), ==, 0);
        g_assert_cmpint(kernel_rmdir_portal(root, A, "tpgt_1", "10.0.0.1:3260"), ==, -ENOENT);
        g_assert_cmpint(kernel_add_lun(root, A, "tpgt_1", "lun_0"), ==, 0);
        g_assert_cmpint(kernel_rmdir_port(root, A, "tpgt_1"), ==, -ENOTEMPTY);
}

static void test_tags(Fixture *f, gconstpointer data) {
        static const struct {
                const char *name;
                int tag; /* negative: EINVAL */
        } names[] = { { "tpgt_0", 0 },  { "tpgt_65535", 65535 }, { "tpgt_010", 8 },    { "tpgt_0x1F", 31 },
                      { "tpgt_+2", 2 }, { "x_tpgt_9", 9 },       { "tpgt_65536", -1 }, { "tpgt_-1", -1 },
                      { "tpgt_", -1 },  { "tpgt_1x", -1 },       { "tpgt", -1 },       { "portal", -1 } };

        for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
                uint16_t tag = 0;

                g_assert_cmpint(kernel_parse_tag(names[i].name, &tag), ==, names[i].tag < 0 ? -EINVAL : 0);
                if (names[i].tag >= 0)
                        g_assert_cmpuint(tag, ==, names[i].tag);
        }
}

/* Which portal after which gets which socket. */
static const struct {
        const char *existing, *wanted;
        bool in_node;
        const char *socket; /* NULL: EINVAL */
} portals[] = {
        { "", "10.0.0.1:3260", false, "10.0.0.1 0 3260" },
        { "", "010.0.00.1:0xcbc", false, "10.0.0.1 0 3260" },
        { "", "10.0.0.1", false, NULL },
        { "", "127.1:3260", false, NULL },
        { "", "host:3260", false, NULL },
        { "", "::1:3260", false, NULL },
        { "", "[::1]:65536", false, NULL },
        { "", "[::1%eth0]:3260", false, NULL },
        { "", "[fe80::1]:3260", false, NULL },
        { "", "[fe80::1%eth9]:3260", false, NULL },
        { "", "[fe80::1%eth0]:3260", false, "fe80::1 2 3260" },
        { "", "[fe80::1%7]:3260", false, "fe80::1 7 3260" },
        { "", "[ff02::1]:3260", false, NULL },
        { "10.0.0.1:3260", "010.0.0.1:3260", true, NULL },
        { "10.0.0.1:3260", "010.0.0.1:3260", false, "10.0.0.1 0 3260" },
        { "10.0.0.1:3260", "10.0.0.2:3260", true, "10.0.0.2 0 3260" },
        { "10.0.0.1:3260", "0.0.0.0:3260", false, NULL },
        { "0.0.0.0:3260", "10.0.0.1:3260", false, NULL },
        { "[::]:3260", "10.0.0.1:3260", false, NULL },
        { "10.0.0.1:3260", "[::]:3260", true, NULL },
        { "10.0.0.1:3260", "[::]:3260", false, "10.0.0.1 0 3260" },
        { "[::1]:3260", "0.0.0.0:3260", false, "::1 0 3260" },
        { "[::1]:3260", "0.0.0.0:3261", false, "0.0.0.0 0 3261" },
        { "[fe80::1%eth0]:3260", "[fe80::1%eth1]:3260", true, NULL },
        { "[fe80::1%eth0]:3260", "[fe80::1%eth1]:3260", false, "fe80::1 2 3260" },
        { "[fe80::1%eth0]:3260", "[fe80::2%eth1]:3260", false, "fe80::2 3 3260" },
};

static void test_portals(Fixture *f, gconstpointer data) {
        const char *root = f->host->root;

        fake_set_interfaces(root, "eth0 2\neth1 3\n");
        for (gsize i = 0; i < G_N_ELEMENTS(portals); i++) {
                const char *node = portals[i].in_node ? B : A;
                char text[ENDPOINT_TEXT_MAX] = "";
                Endpoint socket;
                int r;

                fake_remove_all(root);
                fake_make_port(root, B, 1, true, portals[i].existing);
                fake_make_port(root, node, 2, true, "");
                r = kernel_mkdir_portal(root, node, "tpgt_2", portals[i].wanted);
                if (r != (portals[i].socket ? 0 : -EINVAL))
                        g_error("%s beside %s: %s", portals[i].wanted, portals[i].existing, g_strerror(-r));
                if (r < 0)
                        continue;
                g_assert_true(kernel_portal_socket(root, node, "tpgt_2", portals[i].wanted, &socket));
                g_assert_cmpstr(endpoint_to_text(&socket, text), ==, portals[i].socket);
        }
}

/* A socket lives as long as the last portal that shares it, whatever that is called. */
static void test_shared_sockets(Fixture *f, gconstpointer data) {
        const char *root = f->host->root;

        fake_make_port(root, A, 1, true, "10.0.0.1:3260");
        fake_make_port(root, B, 1, true, "[::]:3260"); /* in truth on 10.0.0.1 */
        g_assert_false(kernel_portal_listens(root, B, "tpgt_1", "[::]:3260"));
        fake_remove_port(root, A, 1);
        fake_make_port(root, A, 2, true, "");
        g_assert_cmpint(kernel_mkdir_portal(root, A, "tpgt_2", "0.0.0.0:3260"), ==, -EINVAL);
        fake_remove_port(root, B, 1);
        g_assert_cmpint(kernel_mkdir_portal(root, A, "tpgt_2", "0.0.0.0:3260"), ==, 0);
}

/* A worker that was killed may have left its socket in the table. */
static void test_stale_socket(Fixture *f, gconstpointer data) {
        g_autofree char *path = g_build_filename(f->host->root, "sockets", NULL);

        fake_make_port(f->host->root, A, 1, true, "");
        g_assert_true(g_file_set_contents(path, "10.0.0.1 0 3260 1\n", -1, NULL));
        g_assert_cmpint(kernel_mkdir_portal(f->host->root, A, "tpgt_1", "0.0.0.0:3260"), ==, 0);
}

static void test_sessions_end_with_the_port(Fixture *f, gconstpointer data) {
        g_autofree char *sessions = NULL;

        fake_make_port(f->host->root, A, 1, true, "");
        fake_set_sessions(f->host->root, A, 1, true);
        fake_enable_port(f->host->root, A, 1, false);
        sessions = kernel_sessions(f->host->root, A, "tpgt_1");
        g_assert_cmpstr(sessions, ==, "");
}

/* A worker on it */

static void assert_state(Fixture *f, const char *expected) {
        g_autofree char *state = fake_state(f->host->root);

        g_assert_cmpstr(state, ==, expected);
}

static void wait_state(Fixture *f, const char *expected) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *state = fake_state(f->host->root);

                if (g_str_equal(state, expected))
                        return;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(2000);
        }
}

static const Portal *one_portal(void) {
        static Portal p;

        g_assert_cmpint(portal_from_text("10.0.0.1:3260", &p), ==, 0);
        return &p;
}

static Refusal do_verb(Fixture *f, Verb verb) {
        _cleanup_(answer_done) Answer a = {};

        call_item(f, &(BackendItem){ .verb = verb, .identifier = 1, .portals = one_portal(), .n_portals = 1, .enabled = true },
                  &a);
        return a.refusal;
}

#define MADE NODE "\n" NODE " 1 enabled 10.0.0.1:3260\n"
#define HALF_MADE NODE "\n" NODE " 1 disabled 10.0.0.1:3260\n"
#define EMPTIED NODE "\n" NODE " 1 disabled\n"

static void plan(Fixture *f, const char *text) {
        fake_plan(f->host->root, text);
}

static void test_plan_once_and_after(Fixture *f, gconstpointer data) {
        g_autofree char *path = g_build_filename(f->host->root, "plan", NULL), *text = NULL;

        plan(f, "# a comment\n\ndelete-node fail Busy not this one\nonce create-port fail AddressInUse\nafter 1 once create-port "
                "unknown-error\n"
                "create-port fail PortalShadowed");
        g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_ADDRESS_IN_USE);
        g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_NONE); /* the one that is let pass */
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(text, ==,
                        "# a comment\n\ndelete-node fail Busy not this one\nafter 0 once create-port unknown-error\n"
                        "create-port fail PortalShadowed");
        g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_UNSPECIFIED);
        g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_PORTAL_SHADOWED);
        g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_PORTAL_SHADOWED);
}

static void test_plan_star(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};

        plan(f, "* fail Busy");
        g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_BUSY);
        observe(f, NODE, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_BUSY);
        list_nodes(f, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_BUSY);
}

/* Half of the work, and none, and all. */
static const struct {
        const char *before; /* of the port */
        Verb verb;
        const char *half, *all;
} work[] = {
        { "", VERB_CREATE_PORT, HALF_MADE, MADE },
        { "", VERB_MAKE_PORT, "", EMPTIED },
        { "1", VERB_DELETE_PORT, EMPTIED, NODE "\n" },
        { "1", VERB_UNDO_PORT, EMPTIED, NODE "\n" },
        { "0", VERB_BIND_PORTAL, NODE "\n" NODE " 1 disabled 10.0.0.1:3260 deaf\n", HALF_MADE },
        { "1", VERB_UNBIND_PORTAL, MADE, NODE "\n" NODE " 1 enabled\n" },
        { "0", VERB_ENABLE_PORT, EMPTIED, NODE "\n" NODE " 1 enabled\n" },
        { "1", VERB_DISABLE_PORT, MADE, HALF_MADE },
        { "", VERB_CREATE_NODE, "", NODE "\n" },
};

static void prepare_work(Fixture *f, gsize i) {
        fake_remove_all(f->host->root);
        if (work[i].before[0])
                fake_make_port(f->host->root, NODE, 1, work[i].before[0] == '1', work[i].before[0] == '1' ? "10.0.0.1:3260" : "");
}

static void end_at(Fixture *f, gsize i, const char *how, Refusal refusal, const char *expected) {
        g_autofree char *before = NULL, *line = g_strdup_printf("%s %s", verb_info(work[i].verb)->name, how);

        prepare_work(f, i);
        before = fake_state(f->host->root);
        plan(f, line);
        g_assert_cmpint(do_verb(f, work[i].verb), ==, refusal);
        wait_state(f, expected ?: before);
        plan(f, "");
}

static void test_plan_crash(Fixture *f, gconstpointer data) {
        for (gsize i = 0; i < G_N_ELEMENTS(work); i++) {
                end_at(f, i, "crash-before", REFUSAL_BACKEND_UNAVAILABLE, NULL);
                end_at(f, i, "crash-half", REFUSAL_BACKEND_UNAVAILABLE, work[i].half);
                end_at(f, i, "crash-after", REFUSAL_BACKEND_UNAVAILABLE, work[i].all);
        }
}

static void test_plan_fail(Fixture *f, gconstpointer data) {
        for (gsize i = 0; i < G_N_ELEMENTS(work); i++) {
                end_at(f, i, "fail Failed", REFUSAL_FAILED, NULL);
                end_at(f, i, "fail-half Degraded", REFUSAL_DEGRADED, work[i].half);
                end_at(f, i, "lie", REFUSAL_NONE, NULL);
                end_at(f, i, "garbage", REFUSAL_UNSPECIFIED, work[i].all);
                end_at(f, i, "exit", REFUSAL_NONE, work[i].all);
                wait_for(f, f->host->n_workers == 0); /* else it would take the next call with it */
        }
}

static void test_plan_hang(Fixture *f, gconstpointer data) {
        set_up_peer(f, 500 * MSEC, 2); /* time enough for a worker to begin */
        for (gsize i = 0; i < G_N_ELEMENTS(work); i += 2) {
                end_at(f, i, "hang", REFUSAL_TIMEOUT, NULL);
                end_at(f, i, "hang-half", REFUSAL_TIMEOUT, work[i].half);
                end_at(f, i, "hang-after", REFUSAL_TIMEOUT, work[i].all);
        }

        /* A call that waits is taken back when its peer has gone. */
        end_at(f, 0, "slow 1000", REFUSAL_TIMEOUT, "");
        wait_for(f, f->host->n_workers == 0);
        assert_state(f, "");
}

static void test_busy(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer hanging = {}, other = {};
        const BackendItem create = { .verb = VERB_CREATE_NODE };

        plan(f, "once create-node hang");
        start(f, &(BackendRequest){ .node = NODE, .items = &create, .n_items = 1 }, &hanging);
        wait_for(f, n_seen(f) == 1);
        call_item(f, &create, &other);
        g_assert_cmpint(other.refusal, ==, REFUSAL_BUSY);
        g_assert_cmpuint(hanging.n, ==, 0);
}

/* One that hangs for ever keeps the node, and no other. */
static void test_plan_hang_forever(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};

        set_up_peer(f, 500 * MSEC, 2);
        plan(f, "once create-port hang-forever");
        g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_TIMEOUT);
        set_up_peer(f, LONG_DEADLINE, 2);
        call_item(f, &(BackendItem){ .verb = VERB_CREATE_NODE }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_STUCK);
        assert_succeeds(f);
        observe(f, NODE, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);

        g_assert_no_errno(kill(f->host->workers[0], SIGKILL));
        call_item(f, &(BackendItem){ .verb = VERB_CREATE_NODE }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
}

/* A lost operation in the middle of others. */
static void test_plan_in_the_middle(Fixture *f, gconstpointer data) {
        const BackendItem items[] = {
                { .verb = VERB_MAKE_PORT, .identifier = 1 },
                { .verb = VERB_BIND_PORTAL, .identifier = 1, .portals = one_portal(), .n_portals = 1 },
                { .verb = VERB_ENABLE_PORT, .identifier = 1 },
        };
        _cleanup_(answer_done) Answer a = {};

        plan(f, "once enable-port fail Failed no");
        call(f, &(BackendRequest){ .node = NODE, .items = items, .n_items = 3 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_FAILED);
        g_assert_cmpuint(a.failed_item, ==, 2);
        assert_state(f, "");

        /* Degraded: it could not be undone. */
        plan(f, "once enable-port fail Degraded no");
        call(f, &(BackendRequest){ .node = NODE, .items = items, .n_items = 3 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_DEGRADED);
        g_assert_cmpint(a.items[0], ==, REFUSAL_NONE);
        assert_state(f, HALF_MADE);

        fake_remove_all(f->host->root);
        plan(f, "once enable-port crash-before");
        call(f, &(BackendRequest){ .node = NODE, .items = items, .n_items = 3 }, &a);
        g_assert_true(a.outcome_unknown);
        assert_state(f, HALF_MADE);
}

/* A deleted port that must come back comes back whole, but for secrets. */
static void test_contents_come_back(Fixture *f, gconstpointer data) {
        const BackendItem items[] = { { .verb = VERB_DELETE_PORT, .identifier = 1 },
                                      { .verb = VERB_ENABLE_PORT, .identifier = 1 } };
        _cleanup_(answer_done) Answer a = {};

        fake_make_port(f->host->root, NODE, 1, true, "10.0.0.1:3260");
        fake_add_lun(f->host->root, NODE, 1);
        fake_add_acl(f->host->root, NODE, 1, "iqn.2026-11.org.example:plain", NULL);
        fake_add_acl(f->host->root, NODE, 1, "iqn.2026-11.org.example:secret", "12 bytes long");
        call(f, &(BackendRequest){ .node = NODE, .items = items, .n_items = 2 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_ENDPOINT_NON_EXISTENT);
        g_assert_nonnull(strstr(a.message, "not the CHAP secret of iqn.2026-11.org.example:secret"));
        assert_state(f, MADE);
        g_assert_true(fake_has_contents(f->host->root, NODE, 1));
}

/* What another program has left without a socket is made again, or told. */
static void test_deaf_portals(Fixture *f, gconstpointer data) {
        fake_make_port(f->host->root, NODE, 1, true, "10.0.0.1:3260 deaf");
        assert_state(f, NODE "\n" NODE " 1 enabled 10.0.0.1:3260 deaf\n");
        g_assert_cmpint(do_verb(f, VERB_BIND_PORTAL), ==, REFUSAL_NONE);
        assert_state(f, MADE);

        fake_make_port(f->host->root, NODE, 1, true, "10.0.0.1:0xcbc deaf");
        g_assert_cmpint(do_verb(f, VERB_BIND_PORTAL), ==, REFUSAL_PORTAL_SHADOWED);
        assert_state(f, NODE "\n" NODE " 1 enabled 10.0.0.1:0xcbc deaf\n");
}

/* A portal of ours is known by its name when its interface has gone. */
static void test_interface_gone(Fixture *f, gconstpointer data) {
        _cleanup_(answer_done) Answer a = {};
        Portal p;

        g_assert_cmpint(portal_from_text("[fe80::1%eth0]:3260", &p), ==, 0);
        fake_set_interfaces(f->host->root, "eth0 2\n");
        fake_make_port(f->host->root, NODE, 1, true, "[fe80::1%eth0]:3260");

        /* It was made again: the socket is on the dead one. */
        fake_set_interfaces(f->host->root, "eth0 5\n");
        assert_state(f, NODE "\n" NODE " 1 enabled [fe80::1%eth0]:3260 deaf\n");
        call_item(f, &(BackendItem){ .verb = VERB_BIND_PORTAL, .identifier = 1, .portals = &p, .n_portals = 1 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        assert_state(f, NODE "\n" NODE " 1 enabled [fe80::1%eth0]:3260\n");

        fake_set_interfaces(f->host->root, "");
        call_item(f, &(BackendItem){ .verb = VERB_UNBIND_PORTAL, .identifier = 1, .portals = &p, .n_portals = 1 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        assert_state(f, NODE "\n" NODE " 1 enabled\n");
}

/* A test that is wrong is told so, instead of having a call pass that it meant to fail. */
static void test_bad_plan(Fixture *f, gconstpointer data) {
        static const char *const plans[] = { "create-port",        "once create-port",       "create-port fail",
                                             "create-port slow",   "create-port slow x",     "create-port explode",
                                             "create-port hang 5", "after create-port hang", "after x create-port hang",
                                             "Apply answer",       "Apply answer nonsense" };

        for (size_t i = 0; i < G_N_ELEMENTS(plans); i++) {
                plan(f, plans[i]);
                g_assert_cmpint(do_verb(f, VERB_CREATE_PORT), ==, REFUSAL_BACKEND_UNAVAILABLE);
        }
}

int main(int argc, char *argv[]) {
        Fixture f = {};
        Stage stage;
        sigset_t chld;
        int r;

        g_test_init(&argc, &argv, NULL);
        g_assert_no_errno(sigemptyset(&chld));
        g_assert_no_errno(sigaddset(&chld, SIGCHLD));
        g_assert_no_errno(sigprocmask(SIG_BLOCK, &chld, NULL));

        /* They all run, whichever fails, so they go first. */
        add_cases(&f, &stage);

#define ADD(name, function) g_test_add("/fake-kernel/" name, Fixture, NULL, set_up, function, tear_down)
        ADD("directories", test_directories);
        ADD("tags", test_tags);
        ADD("portals", test_portals);
        ADD("shared-sockets", test_shared_sockets);
        ADD("stale-socket", test_stale_socket);
        ADD("sessions-end-with-the-port", test_sessions_end_with_the_port);
        ADD("plan/once-and-after", test_plan_once_and_after);
        ADD("plan/star", test_plan_star);
        ADD("plan/crash", test_plan_crash);
        ADD("plan/fail", test_plan_fail);
        ADD("plan/hang", test_plan_hang);
        ADD("plan/hang-forever", test_plan_hang_forever);
        ADD("busy", test_busy);
        ADD("plan/in-the-middle", test_plan_in_the_middle);
        ADD("plan/bad", test_bad_plan);
        ADD("contents-come-back", test_contents_come_back);
        ADD("deaf-portals", test_deaf_portals);
        ADD("interface-gone", test_interface_gone);

        r = g_test_run();
        g_free((char *) stage.fabric);
        tear_down(&f, NULL);
        return r;
}
