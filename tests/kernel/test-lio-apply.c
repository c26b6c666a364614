/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Several operations in one request of iscsi-backend-lio on the real kernel: all or nothing, each on its own, checked only; and
 * what an undo brings back. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lio-fixture.h"

#define INITIATOR "iqn.2026-11.org.iscsi:initiator"
#define PORT NODE_A "/tpgt_1"

static void remove_node(Worker *w, const char *node, const char *tags) {
        g_auto(GStrv) all = g_strsplit(tags, " ", -1);

        for (size_t i = 0; all[i]; i++)
                expect_success(call_port(w, "delete-port", node, g_ascii_strtoull(all[i], NULL, 10)));
        expect_success(call_node(w, "delete-node", node));
}

static void assert_item(const Results *r, size_t i, Refusal refusal, const char *text) {
        g_assert_cmpint(r->call.refusal, ==, REFUSAL_NONE);
        g_assert_false(r->not_done[i]);
        if (r->items[i].refusal != refusal || (text && !strstr(r->items[i].message, text)))
                g_error("operation %zu: %s", i + 1, r->items[i].message);
}

static void assert_not_done(const Results *r, size_t i, const char *text) {
        g_assert_true(r->not_done[i]);
        g_assert_cmpstr(r->items[i].message, ==, text);
}

/* A node that comes, changes and goes, each time in one request. */
static void test_batch(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL, *renumbered = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        expect_success(results_answer(request(w, "Apply", NODE_A, "Expected=1 NodeExists=0",
                                              (const Item[]){ { .verb = "create-node" },
                                                              { "create-port", 1, "127.0.0.1:3260 [::1]:3260" },
                                                              { "create-port", 2, "127.0.0.1:3261", "Enabled=0" },
                                                              { "create-port", 3, "127.0.0.1:3262" },
                                                              {} })));
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 1:on[127.0.0.1:3260+ [::1]:3260+] 2:off[127.0.0.1:3261+] 3:on[127.0.0.1:3262+]");

        /* A portal goes from one port to another, and what the next one needs is free by then: a wildcard, the same tag. */
        expect_success(results_answer(request(w, "Apply", NODE_A, "Expected=1,2,3 NodeExists=1",
                                              (const Item[]){ { "unbind-portal", 1, "127.0.0.1:3260" },
                                                              { "bind-portal", 2, "127.0.0.1:3260" },
                                                              { "delete-port", 3 },
                                                              { "create-port", 3, "[::]:3262" },
                                                              { "enable-port", 2 },
                                                              { "disable-port", 1 },
                                                              {} })));
        renumbered = observe(w);
        g_assert_cmpstr(renumbered, ==, NODE_A " 1:off[[::1]:3260+] 2:on[127.0.0.1:3260+ 127.0.0.1:3261+] 3:on[[::]:3262+]");

        expect_success(results_answer(request(
                w, "Apply", NODE_A, NULL,
                (const Item[]){
                        { "delete-port", 1 }, { "delete-port", 2 }, { "delete-port", 3 }, { .verb = "delete-node" }, {} })));
        assert_tree(before);
}

/* Nothing asked for is nothing done. */
static void test_empty(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        g_autoptr(Results) r = request(w, "Apply", NODE_A, NULL, (const Item[]){ {} });

        g_assert_cmpint(r->call.refusal, ==, REFUSAL_NONE);
        g_assert_cmpint(r->n, ==, 0);
        assert_tree(before);
}

/* What can be decided is decided for all of them before the first one is touched: not even a directory's inode changes. */
static void test_refused_beforehand(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        g_autoptr(Results) r = NULL;
        struct stat old, now;

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        whole = tree_snapshot_full();
        g_assert_cmpint(stat(ISCSI "/" PORT, &old), ==, 0);

        r = request(w, "Apply", NODE_A, NULL,
                    (const Item[]){ { "delete-port", 1 },
                                    { "create-port", 2, "127.0.0.1:3261" },
                                    { "create-port", 2, "127.0.0.1:3262" },
                                    { "create-port", 4, "127.0.0.1:3263" },
                                    {} });
        g_assert_cmpint(r->n, ==, 4);
        assert_not_done(r, 0, "not begun because of operation 3");
        assert_not_done(r, 1, "not begun because of operation 3");
        assert_item(r, 2, REFUSAL_IDENTIFIER_IN_USE, "tpgt_2");
        assert_not_done(r, 3, "not begun because of operation 3");

        g_assert_cmpint(stat(ISCSI "/" PORT, &now), ==, 0);
        g_assert_cmpint(now.st_ino, ==, old.st_ino);
        g_autofree char *after = tree_snapshot_full();
        g_assert_cmpstr(after, ==, whole);
        remove_node(w, NODE_A, "1");
        assert_tree(before);
}

/* A step of the last operation fails, and all before it are undone, the last one first. */
static void test_atomic(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL, *after = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL), spoilt = NULL;
        g_autoptr(Results) r = NULL;

        expect_success(results_answer(
                request(w, "Apply", NODE_A, NULL,
                        (const Item[]){ { "create-port", 1, "127.0.0.1:3260" }, { "create-port", 2, "127.0.0.1:3261" }, {} })));
        whole = tree_snapshot_full();

        /* mkdir: np of 2, tpgt_3, np of 3, and then tpgt_4; those of the undo come later */
        spoilt = worker_new("inject=mkdir:error=EIO:when=4", NULL);
        r = request(spoilt, "Apply", NODE_A, NULL,
                    (const Item[]){ { "disable-port", 1 },
                                    { "bind-portal", 2, "127.0.0.2:3261" },
                                    { "unbind-portal", 2, "127.0.0.1:3261" },
                                    { "create-port", 3, "127.0.0.1:3262" },
                                    { "create-port", 4, "127.0.0.1:3263" },
                                    { "delete-port", 1 },
                                    {} });
        for (size_t i = 0; i < 4; i++)
                assert_not_done(r, i, "undone because of operation 5");
        assert_item(r, 4, REFUSAL_FAILED, "Input/output error");
        assert_not_done(r, 5, "not begun because of operation 5");
        after = tree_snapshot_full();
        g_assert_cmpstr(after, ==, whole);
        g_assert_true(portal_accepts("127.0.0.1:3261"));

        remove_node(w, NODE_A, "1 2");
        assert_tree(before);
}

/* The undo fails as well: the one result that tells a reason tells both. */
static void test_atomic_degraded(void) {
        g_autofree char *before = tree_snapshot();
        g_autoptr(Worker) w = worker_new("inject=mkdir:error=EIO:when=4 inject=rmdir:error=EPERM:when=1", NULL), fresh = NULL;
        g_autoptr(Results) r = NULL;

        r = request(w, "Apply", NODE_A, NULL,
                    (const Item[]){ { "create-port", 1, "127.0.0.1:3260" }, { "create-port", 2, "127.0.0.1:3261" }, {} });
        assert_not_done(r, 0, "undone because of operation 2");
        assert_item(r, 1, REFUSAL_DEGRADED, "Input/output error; and ");
        assert_item(r, 1, REFUSAL_DEGRADED, "could not be undone: Operation not permitted");

        fresh = worker_new(NULL, NULL);
        remove_node(fresh, NODE_A, "1");
        assert_tree(before);
}

static void test_keep_going(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL), spoilt = worker_new("inject=mkdir:error=EIO:when=4", NULL);
        g_autoptr(Results) r = NULL, again = NULL;

        /* mkdir: node, tpgt_1, its portal, tpgt_2 */
        r = request(spoilt, "Apply", NODE_A, "Atomic=0",
                    (const Item[]){ { "create-port", 1, "127.0.0.1:3260" },
                                    { "create-port", 1, "127.0.0.1:3261" },
                                    { "create-port", 2, "127.0.0.1:3262" },
                                    { "create-port", 3, "127.0.0.1:3260" },
                                    { "create-port", 4, "127.0.0.1:3263" },
                                    { "enable-port", 5 },
                                    {} });
        assert_item(r, 0, REFUSAL_NONE, NULL);
        assert_item(r, 1, REFUSAL_IDENTIFIER_IN_USE, "tpgt_1");
        assert_item(r, 2, REFUSAL_FAILED, "Input/output error");
        assert_item(r, 3, REFUSAL_TCP_IN_USE, "group 1");
        assert_item(r, 4, REFUSAL_NONE, NULL);
        assert_item(r, 5, REFUSAL_ENDPOINT_NON_EXISTENT, "tag 5");
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 1:on[127.0.0.1:3260+] 4:on[127.0.0.1:3263+]");

        /* As at a start: what can listen listens. */
        again = request(w, "Apply", NODE_A, "Atomic=0",
                        (const Item[]){ { "make-port", 1 },
                                        { "bind-portal", 1, "127.0.0.1:3260" },
                                        { "bind-portal", 1, "[fe80::1%nosuch0]:3260" },
                                        { "bind-portal", 1, "127.0.0.1:3264" },
                                        { "enable-port", 1 },
                                        {} });
        assert_item(again, 0, REFUSAL_NONE, NULL);
        assert_item(again, 1, REFUSAL_NONE, NULL);
        assert_item(again, 2, REFUSAL_SCOPE_MISSING, "nosuch0");
        assert_item(again, 3, REFUSAL_NONE, NULL);
        assert_item(again, 4, REFUSAL_NONE, NULL);
        g_assert_true(portal_accepts("127.0.0.1:3264"));

        remove_node(w, NODE_A, "1 4");
        assert_tree(before);
}

/* A portal that the kernel only claims to have made takes its own operation with it, and no other. */
static void test_keep_going_lies(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new("inject=mkdir:retval=0:when=3", NULL);
        g_autoptr(Results) r = NULL;

        r = request(w, "Apply", NODE_A, "Atomic=0",
                    (const Item[]){ { "create-port", 1, "127.0.0.1:3260" }, { "create-port", 2, "127.0.0.1:3260" }, {} });
        assert_item(r, 0, REFUSAL_FAILED, "nothing listens");
        assert_item(r, 1, REFUSAL_TCP_IN_USE, "group 1");
        g_clear_pointer(&r, results_free);
        seen = observe(w);
        g_assert_cmpstr(seen, ==, "");

        expect_success(call_portals(w, "create-port", NODE_A, 2, "127.0.0.1:3260"));
        remove_node(w, NODE_A, "2");
        assert_tree(before);
}

/* An operation that fails half-way takes away what it made, portals that were not looked at yet among it, and what was to be done
 * to its port afterwards finds no port. */
static void test_keep_going_half_way(void) {
        g_autofree char *before = tree_snapshot(), *seen = NULL;
        g_autoptr(Worker) w = worker_new("inject=mkdir:error=EIO:when=4", NULL);
        g_autoptr(Results) r = NULL;

        /* mkdir: node, tpgt_1, its portals */
        r = request(w, "Apply", NODE_A, "Atomic=0",
                    (const Item[]){ { "create-port", 1, "127.0.0.1:3260 127.0.0.1:3261" },
                                    { "create-port", 2, "127.0.0.1:3262" },
                                    { "bind-portal", 1, "127.0.0.1:3263" },
                                    { "disable-port", 2 },
                                    {} });
        assert_item(r, 0, REFUSAL_FAILED, "Input/output error");
        assert_item(r, 1, REFUSAL_NONE, NULL); /* makes the node anew */
        assert_item(r, 2, REFUSAL_ENDPOINT_NON_EXISTENT, "tag 1");
        assert_item(r, 3, REFUSAL_NONE, NULL);
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 2:off[127.0.0.1:3262+]");
        remove_node(w, NODE_A, "2");

        /* The node of an operation that fails late, when another one is in it, stays. mkdir: node, tpgt_1, its portal, which is a
         * lie */
        g_autoptr(Worker) lied_to = worker_new("inject=mkdir:retval=0:when=3", NULL);
        g_autoptr(Results) late = request(lied_to, "Apply", NODE_A, "Atomic=0",
                                          (const Item[]){ { "create-port", 1, "127.0.0.1:3260", "Enabled=0" },
                                                          { "create-port", 2, "127.0.0.1:3262" },
                                                          { "bind-portal", 1, "127.0.0.1:3263" },
                                                          {} });
        assert_item(late, 0, REFUSAL_FAILED, "nothing listens");
        assert_item(late, 1, REFUSAL_NONE, NULL);
        assert_item(late, 2, REFUSAL_ENDPOINT_NON_EXISTENT, "tag 1");
        g_free(g_steal_pointer(&seen));
        seen = observe(w);
        g_assert_cmpstr(seen, ==, NODE_A " 2:on[127.0.0.1:3262+]");
        remove_node(w, NODE_A, "2");
        assert_tree(before);
}

/* What somebody else put into the node is found before anything is destroyed. */
static void test_expected(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL, *after = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        static const Item delete_all[] = { { "delete-port", 1, NULL, "Force" }, { .verb = "delete-node" }, {} };
        static const char *const foreign[] = { "tpgt_2", ".tpgt_3", "tpgt_01" };

        disk_make();
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        tree_mkdir(PORT "/acls/" INITIATOR);
        lun_make(PORT, 0, INITIATOR);

        for (size_t i = 0; i < ELEMENTSOF(foreign); i++) {
                bool double_tag = strcmp(foreign[i], "tpgt_01") == 0;

                tree_mkdir(NODE_A "/%s", foreign[i]);
                g_free(whole);
                g_free(after);
                whole = tree_snapshot_full();
                expect_refusal(results_answer(request(w, "Check", NODE_A, "Expected=1", delete_all)),
                               double_tag ? REFUSAL_FAILED : REFUSAL_FOREIGN_OBJECT_INSIDE, foreign[i]);
                expect_refusal(results_answer(request(w, "Apply", NODE_A, "Expected=1", delete_all)),
                               double_tag ? REFUSAL_FAILED : REFUSAL_FOREIGN_OBJECT_INSIDE, foreign[i]);

                /* Without the precondition the node itself says no, as early. */
                if (!double_tag)
                        expect_refusal(results_answer(request(w, "Apply", NODE_A, NULL, delete_all)),
                                       REFUSAL_FOREIGN_OBJECT_INSIDE, foreign[i]);
                after = tree_snapshot_full();
                g_assert_cmpstr(after, ==, whole);
                tree_rmdir(NODE_A "/%s", foreign[i]);
        }

        expect_refusal(results_answer(request(w, "Apply", NODE_A, "NodeExists=0", delete_all)), REFUSAL_FAILED, NODE_A);
        expect_refusal(results_answer(request(w, "Apply", NODE_B, "NodeExists=1", delete_all)), REFUSAL_FAILED, NODE_B);
        expect_success(results_answer(request(w, "Apply", NODE_A, "Expected=1,7 NodeExists=1", delete_all)));
        assert_tree(before);
        disk_remove();
}

static void test_check(void) {
        g_autofree char *before = tree_snapshot_full(), *whole = NULL, *after = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        static const Item items[] = { { .verb = "create-node" },
                                      { "create-port", 1, "127.0.0.1:3260" },
                                      { "create-port", 1, "127.0.0.1:3261" },
                                      { "create-port", 2, "127.0.0.1:3260" },
                                      { "create-port", 2, "127.0.0.1:3261 [::]:3261" },
                                      { "bind-portal", 1, "127.0.0.2:3260" },
                                      { "bind-portal", 3, "127.0.0.2:3261" },
                                      { .verb = "delete-node" },
                                      {} };
        static const Refusal refusals[] = { REFUSAL_NONE,
                                            REFUSAL_NONE,
                                            REFUSAL_IDENTIFIER_IN_USE,
                                            REFUSAL_TCP_IN_USE,
                                            REFUSAL_ADDRESS_OVERLAP,
                                            REFUSAL_NONE,
                                            REFUSAL_ENDPOINT_NON_EXISTENT,
                                            REFUSAL_FOREIGN_OBJECT_INSIDE };
        static const char *const preconditions[] = { NULL, "Atomic=0" };

        for (size_t i = 0; i < ELEMENTSOF(preconditions); i++) {
                g_autoptr(Results) r = request(w, "Check", NODE_A, preconditions[i], items);

                g_assert_cmpint(r->n, ==, ELEMENTSOF(refusals));
                for (size_t k = 0; k < r->n; k++)
                        assert_item(r, k, refusals[k], NULL);
        }
        after = tree_snapshot_full();
        g_assert_cmpstr(after, ==, before);

        /* Done, each on its own, it is the same. */
        g_autoptr(Results) done = request(w, "Apply", NODE_A, "Atomic=0", items);
        for (size_t k = 0; k < done->n; k++)
                assert_item(done, k, refusals[k], NULL);

        /* What goes with a port is told beforehand. */
        disk_make();
        tree_mkdir(PORT "/acls/" INITIATOR);
        lun_make(PORT, 0, INITIATOR);
        whole = tree_snapshot_full();
        g_autoptr(Results) warned = request(w, "Check", NODE_A, NULL, (const Item[]){ { "delete-port", 1 }, {} });
        assert_item(warned, 0, REFUSAL_NONE, NULL);
        g_assert_nonnull(strstr(warned->warnings, "1 LUNs and 1 ACLs"));
        g_free(g_steal_pointer(&after));
        after = tree_snapshot_full();
        g_assert_cmpstr(after, ==, whole);

        remove_node(w, NODE_A, "1");
        disk_remove();
}

/* Off and on again, with everything in it staying. */
static void test_switch(void) {
        g_autofree char *before = tree_snapshot(), *on = NULL, *off = NULL, *expected = NULL, *after = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL), spoilt = worker_new("inject=pwrite64:error=EIO:when=1", NULL);
        const char *enabled = PORT "/enable=1";

        disk_make();
        expect_refusal(call_port(w, "enable-port", NODE_A, 1), REFUSAL_ENDPOINT_NON_EXISTENT, "tag 1");
        expect_refusal(call_port(w, "disable-port", NODE_A, 1), REFUSAL_ENDPOINT_NON_EXISTENT, "tag 1");

        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260"));
        tree_mkdir(PORT "/acls/" INITIATOR);
        lun_make(PORT, 3, INITIATOR);
        tree_write(PORT "/attrib/login_timeout", "20");
        on = tree_snapshot_full();

        expect_refusal(call_port(spoilt, "disable-port", NODE_A, 1), REFUSAL_FAILED, "Input/output error");
        expect_success(call_port(w, "disable-port", NODE_A, 1));
        expect_success(call_port(w, "disable-port", NODE_A, 1));
        expect_success(call_force(w, "disable-port", NODE_A, 1));
        assert_enabled(PORT, false);
        off = tree_snapshot_full();
        g_assert_nonnull(strstr(on, enabled));
        expected = g_strdup(on);
        strstr(expected, enabled)[strlen(enabled) - 1] = '0';
        g_assert_cmpstr(off, ==, expected);

        /* Portals can be bound meanwhile; that does not switch it on. */
        expect_success(call_portals(w, "bind-portal", NODE_A, 1, "127.0.0.2:3260"));
        assert_enabled(PORT, false);
        expect_success(call_portals(w, "unbind-portal", NODE_A, 1, "127.0.0.2:3260"));

        expect_success(call_port(w, "enable-port", NODE_A, 1));
        expect_success(call_port(w, "enable-port", NODE_A, 1));
        after = tree_snapshot_full();
        g_assert_cmpstr(after, ==, on);

        remove_node(w, NODE_A, "1");
        disk_remove();
        assert_tree(before);
}

/* A port with everything that others can give to it. */
static void make_rich_port(Worker *w) {
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        tree_mkdir(PORT "/acls/" INITIATOR);
        tree_mkdir(PORT "/acls/" INITIATOR "-2");
        lun_make(PORT, 0, INITIATOR);
        lun_make(PORT, 7, NULL);
        tree_write(PORT "/acls/" INITIATOR "/lun_0/write_protect", "1");
        tree_write(PORT "/acls/" INITIATOR "/attrib/nopin_timeout", "25");
        tree_write(PORT "/acls/" INITIATOR "-2/cmdsn_depth", "32");
        tree_write(PORT "/attrib/demo_mode_write_protect", "0");
        tree_write(PORT "/attrib/login_timeout", "20");
        tree_write(PORT "/param/MaxConnections", "4");
        tree_write(PORT "/param/TargetAlias", "a disk");
        tree_write(PORT "/lun/lun_7/alua_tg_pt_write_md", "1");
}

/* A later operation fails, so a port that was deleted must come back: whole, but for what nobody can read. */
static void test_made_again(void) {
        static const char lost[] = "acls/" INITIATOR "/auth";
        g_autofree char *before = tree_snapshot(), *whole = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);

        disk_make();
        make_rich_port(w);
        whole = tree_snapshot_full();

        for (size_t i = 0; i < 3; i++) {
                /* mkdir: tpgt_2; rmdir: the mapped LUN and so on, each of which may fail */
                const char *inject[] = { "inject=mkdir:error=EIO:when=1", "inject=rmdir:error=EIO:when=2",
                                         "inject=rmdir:error=EIO:when=7" };
                g_autoptr(Worker) spoilt = worker_new(inject[i], NULL);
                g_autofree char *after = NULL;
                g_autoptr(Results) r =
                        request(spoilt, "Apply", NODE_A, NULL,
                                (const Item[]){ { "delete-port", 1 }, { "create-port", 2, "127.0.0.1:3261" }, {} });

                assert_item(r, i == 0 ? 1 : 0, REFUSAL_FAILED, "Input/output error");
                g_assert_null(strstr(r->items[i == 0 ? 1 : 0].message, "cannot be read"));
                after = tree_snapshot_full();
                g_assert_cmpstr(after, ==, whole);
                g_assert_true(portal_accepts("127.0.0.1:3260"));
                g_assert_true(portal_accepts("[::1]:3260"));
        }

        /* Secrets do not come back, and this is said. */
        tree_write(PORT "/acls/" INITIATOR "/auth/password", "a secret word");
        for (size_t i = 0; i < 2; i++) {
                const char *few_rights =
                        "setpriv --bounding-set=-all,+net_bind_service --inh-caps=-all --no-new-privs strace -D -qqq "
                        "-o /dev/null -e inject=mkdir:error=EIO:when=1";
                g_autoptr(Worker) spoilt = worker_new(i == 0 ? "inject=mkdir:error=EIO:when=1" : few_rights, NULL);
                g_autofree char *password = NULL;
                g_autoptr(Results) r =
                        request(spoilt, "Apply", NODE_A, NULL,
                                (const Item[]){ { "delete-port", 1 }, { "create-port", 2, "127.0.0.1:3261" }, {} });

                assert_item(r, 1, REFUSAL_FAILED, "Input/output error");
                assert_item(r, 1, REFUSAL_FAILED, lost);
                password = tree_read(PORT "/acls/" INITIATOR "/auth/password");
                g_assert_cmpstr(password, ==, "");
        }

        remove_node(w, NODE_A, "1");
        disk_remove();
        assert_tree(before);
}

/* What Snapshot gives is what restore-contents brings back into a port that was made anew. */
static void test_snapshot(void) {
        g_autofree char *before = tree_snapshot(), *whole = NULL, *after = NULL, *unreadable = NULL, *again = NULL, *empty = NULL;
        g_autoptr(Worker) w = worker_new(NULL, NULL);
        g_autoptr(Worker) few = worker_new("setpriv --bounding-set=-all,+net_bind_service --inh-caps=-all --no-new-privs", NULL);
        g_autoptr(GBytes) snapshot = NULL, with_secret = NULL, no_rights = NULL, bad = g_bytes_new("L1\0aenable\0001", 12);

        disk_make();
        make_rich_port(w);
        whole = tree_snapshot_full();
        snapshot = snapshot_port(w, NODE_A, 1, &unreadable);
        g_assert_cmpstr(unreadable, ==, "");
        g_free(g_steal_pointer(&unreadable));

        /* Who may not read secrets cannot tell whether there are any. */
        no_rights = snapshot_port(few, NODE_A, 1, &unreadable);
        g_assert_cmpstr(unreadable, ==, "auth\nacls/" INITIATOR "/auth\nacls/" INITIATOR "-2/auth\n");
        g_free(g_steal_pointer(&unreadable));

        tree_write(PORT "/auth/userid", "me");
        tree_write(PORT "/auth/password", "secretword");
        with_secret = snapshot_port(w, NODE_A, 1, &unreadable);
        g_assert_cmpstr(unreadable, ==, "auth\n");
        g_assert_null(memmem(g_bytes_get_data(with_secret, NULL), g_bytes_get_size(with_secret), "secretword", 10));

        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        empty = tree_snapshot_full();
        expect_success(results_answer(
                request(w, "Apply", NODE_A, NULL, (const Item[]){ { "restore-contents", 1, .snapshot = snapshot }, {} })));
        after = tree_snapshot_full();
        g_assert_cmpstr(after, ==, whole);

        /* There already: nothing to do. What is lost is told with the success. */
        g_autoptr(Results) r =
                request(w, "Apply", NODE_A, NULL, (const Item[]){ { "restore-contents", 1, .snapshot = with_secret }, {} });
        assert_item(r, 0, REFUSAL_NONE, "not be given back to target portal group 1: auth");
        again = tree_snapshot_full();
        g_assert_cmpstr(again, ==, whole);

        /* It is undone with what comes after it. */
        expect_success(call_port(w, "delete-port", NODE_A, 1));
        expect_success(call_portals(w, "create-port", NODE_A, 1, "127.0.0.1:3260 [::1]:3260"));
        g_autoptr(Worker) spoilt = worker_new("inject=mkdir:error=EIO:when=6", NULL);
        g_autoptr(Results) undone = request(
                spoilt, "Apply", NODE_A, NULL,
                (const Item[]){ { "restore-contents", 1, .snapshot = snapshot }, { "create-port", 2, "127.0.0.1:3261" }, {} });
        assert_item(undone, 1, REFUSAL_FAILED, "Input/output error");
        g_free(g_steal_pointer(&after));
        after = tree_snapshot_full();
        g_assert_cmpstr(after, ==, empty);

        /* Not everything is a snapshot, and a disk can be gone. */
        expect_refusal(results_answer(request(w, "Apply", NODE_A, NULL,
                                              (const Item[]){ { "restore-contents", 1, .snapshot = bad }, {} })),
                       REFUSAL_INVALID_PARAMETER, "not a snapshot");
        expect_refusal(call_port(w, "restore-contents", NODE_A, 1), REFUSAL_INVALID_PARAMETER, "not a snapshot");
        expect_refusal(results_answer(request(w, "Apply", NODE_A, NULL,
                                              (const Item[]){ { "restore-contents", 9, .snapshot = snapshot }, {} })),
                       REFUSAL_ENDPOINT_NON_EXISTENT, "tag 9");
        disk_remove();
        g_autoptr(Results) gone =
                request(w, "Apply", NODE_A, NULL, (const Item[]){ { "restore-contents", 1, .snapshot = snapshot }, {} });
        assert_item(gone, 0, REFUSAL_NONE, "lun/lun_0/link (No such file or directory)");

        expect_refusal(worker_call(w, "Snapshot", "st", NODE_A, UINT64_C(9)), REFUSAL_FAILED, NODE_A);
        expect_refusal(worker_call(w, "Snapshot", "st", NODE_A, UINT64_MAX), REFUSAL_FAILED, NODE_A);
        expect_refusal(worker_call(w, "Snapshot", "st", "../core", UINT64_C(1)), REFUSAL_INVALID_PARAMETER, "iSCSI name");
        remove_node(w, NODE_A, "1");
        assert_tree(before);
}

static void add_tests(void) {
        g_test_add_func("/lio/apply/batch", test_batch);
        g_test_add_func("/lio/apply/empty", test_empty);
        g_test_add_func("/lio/apply/refused-beforehand", test_refused_beforehand);
        g_test_add_func("/lio/apply/atomic", test_atomic);
        g_test_add_func("/lio/apply/atomic-degraded", test_atomic_degraded);
        g_test_add_func("/lio/apply/keep-going", test_keep_going);
        g_test_add_func("/lio/apply/keep-going-lies", test_keep_going_lies);
        g_test_add_func("/lio/apply/keep-going-half-way", test_keep_going_half_way);
        g_test_add_func("/lio/apply/expected", test_expected);
        g_test_add_func("/lio/apply/check", test_check);
        g_test_add_func("/lio/apply/switch", test_switch);
        g_test_add_func("/lio/apply/made-again", test_made_again);
        g_test_add_func("/lio/apply/snapshot", test_snapshot);
}

int main(int argc, char **argv) {
        return lio_test_main(argc, argv, add_tests);
}
