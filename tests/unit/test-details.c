/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What polkit is told of a call, and which locks the call takes: both from the arguments alone. */

#include <string.h>

#include "change-fixture.h"
#include "change/details.h"

#define DECLARED_TCP ROOT "/tcp/_3192_2e0_2e2_2e9_3a3260"
#define LINK_LOCAL_TCP ROOT "/tcp/_5bfe80_3a_3a1_25eth0_5d_3a3260"

typedef struct DetailsCase {
        const Method *method;
        const char *arguments;
        const char *details; /* without method: "<name>=<value>|…" */
        const char *locks;   /* sorted, separated by '|'; "~" in front: it is only followed */
} DetailsCase;

static const DetailsCase cases[] = {
        /* ports */
        { &method_create_port, "('" PATH_A "', 3, '00000000000a', ['" TCP("1", "3260") "', '" LINK_LOCAL_TCP "'])",
          "node=" NAME_A "|role=target|identifier=00000000000A|portals=10.0.0.1:3260 [fe80::1%eth0]:3260",
          "node/" NAME_A "|~portals" },
        { &method_create_port, "('" PATH_A "', 2, '', ['" IP("1") "', '" IP("1") "', '" IP("2") "'])",
          "node=" NAME_A "|role=initiator|identifier=|portals=10.0.0.1 10.0.0.2", "node/" NAME_A "|~portals" },
        { &method_create_port, "('" PATH_A "', 9, 'zz\u00e4', [])",
          "node=" NAME_A "|role=9|identifier=ZZ\u00e4|portals=", "node/" NAME_A "|~portals" },
        { &method_delete_port, "('" PATH_A1 "',)", "node=" NAME_A "|identifier=000000000001", "node/" NAME_A },
        { &method_delete_port_forced, "('" PATH_AI "',)", "node=" NAME_A "|identifier=00023D000001", "node/" NAME_A },
        { &method_request_state_change, "('" PATH_B1 "', 3)", "node=" NAME_B "|identifier=000000000001", "node/" NAME_B },
        { &method_bind_port, "('" PATH_B1 "', '" TCP("2", "860") "')",
          "node=" NAME_B "|identifier=000000000001|portals=10.0.0.2:860", "node/" NAME_B "|~portals" },
        { &method_unbind_port, "('" PATH_AI "', '" IP("2") "')", "node=" NAME_A "|identifier=00023D000001|portals=10.0.0.2",
          "node/" NAME_A "|~portals" },

        /* a batch: node and role only if all agree, the Identifier never, portals once */
        { &method_create_ports,
          "([('" PATH_A "', 3, '000000000001', ['" TCP("1", "3260") "', '" TCP(
                  "2", "3260") "']), "
                               "('" PATH_A "', 3, '000000000001', ['" TCP("2", "3260") "', '" TCP("3", "3260") "'])], {})",
          "node=" NAME_A "|role=target|identifier=|portals=10.0.0.1:3260 10.0.0.2:3260 10.0.0.3:3260|count=2",
          "node/" NAME_A "|~portals" },
        { &method_create_ports, "([('" PATH_A "', 3, '000000000001', ['" TCP("1", "3260") "'])], {})",
          "node=" NAME_A "|role=target|identifier=|portals=10.0.0.1:3260|count=1", "node/" NAME_A "|~portals" },
        { &method_create_ports, "([('" PATH_A "', 3, '', []), ('" PATH_B "', 3, '', [])], {})",
          "node=|role=target|identifier=|portals=|count=2", "node/" NAME_A "|node/" NAME_B "|~portals" },
        { &method_create_ports, "([('" PATH_A "', 3, '', []), ('" PATH_B "', 3, '', []), ('" PATH_A "', 3, '', [])], {})",
          "node=|role=target|identifier=|portals=|count=3", "node/" NAME_A "|node/" NAME_B "|~portals" },
        { &method_create_ports, "([('" PATH_A "', 3, '', []), ('" PATH_A "', 2, '', [])], {'Enabled': <true>})",
          "node=" NAME_A "|role=|identifier=|portals=|count=2", "node/" NAME_A "|~portals" },
        { &method_create_ports, "(@a(oqsao) [], {})", "node=|role=|identifier=|portals=|count=0", "" },

        /* nodes */
        { &method_create_node, "('', {})", "node=|role=target", "" },
        { &method_create_node, "('x', {'Name': <'" NAME_A "'>})", "node=" NAME_A "|role=target", "alias/x|node/" NAME_A },
        { &method_create_node, "('', {'Name': <'IQN.2001-04.COM.Example:A'>})", "node=" NAME_A "|role=target", "node/" NAME_A },
        { &method_create_node, "('', {'Name': <'not a name'>, 'Roles': <[uint16 2]>})", "node=not a name|role=initiator",
          "node/not a name" },
        { &method_create_node, "('', {'Roles': <[uint16 3, 2]>})", "node=|role=initiator target", "" },
        { &method_create_node, "('', {'Roles': <@aq []>})", "node=|role=", "" },
        { &method_create_node, "('', {'Roles': <[uint16 3, 7]>})", "node=|role=7", "" },
        { &method_modify_node, "('" PATH_A "', {'Alias': <'y'>})", "node=" NAME_A, "alias/y|node/" NAME_A },
        { &method_modify_node, "('" ROOT "/node/_host', {})", "node=_host", "node/_host" }, /* as the reconciler locks it */
        { &method_modify_node, "('" PATH_A "', {})", "node=" NAME_A, "node/" NAME_A },
        { &method_delete_node, "('" PATH_A "',)", "node=" NAME_A, "node/" NAME_A },
        { &method_delete_node_forced, "('" PATH_A "',)", "node=" NAME_A, "node/" NAME_A },
        { &method_adopt_node, "('" PATH_U "',)", "node=" NAME_U, "node/" NAME_U },
        { &method_release_node, "('" PATH_B "',)", "node=" NAME_B, "node/" NAME_B },
        { &method_reconcile, "('" PATH_A1 "',)", "node=" NAME_A, "node/" NAME_A },
        { &method_reconcile, "('" ROOT "',)", "node=" ROOT, "node/" ROOT },

        /* a path that is not how the service writes that of a node stands as it is, and is no node's name */
        { &method_delete_node, "('" ROOT "/node/IQN_2e2001_2d04_2ecom_2eexample_3aa',)",
          "node=" ROOT "/node/IQN_2e2001_2d04_2ecom_2eexample_3aa", "node/" ROOT "/node/IQN_2e2001_2d04_2ecom_2eexample_3aa" },
        { &method_delete_node, "('" ROOT "/node/x',)", "node=" ROOT "/node/x", "node/" ROOT "/node/x" },
        { &method_delete_node, "('/',)", "node=/", "node//" },
        { &method_delete_node, "('" TCP("1", "3260") "',)", "node=" TCP("1", "3260"), "node/" TCP("1", "3260") },
        { &method_delete_port, "('" PATH_A "/endpoint/00000000000a',)", "node=" NAME_A "|identifier=", "node/" NAME_A },
        { &method_delete_port, "('" PATH_A "/endpoint/0000000000011',)", "node=" NAME_A "|identifier=", "node/" NAME_A },
        { &method_delete_port, "('/',)", "node=/|identifier=", "node//" },

        /* portals, groups, addresses */
        { &method_create_tcp_endpoint, "('" IP("1") "', 5000, '" GROUP("7") "', {})", "portals=10.0.0.1:5000|group=7",
          "portals" },
        { &method_create_tcp_endpoint, "('" IP("1") "', 0, '" GROUP("default") "', {})", "portals=10.0.0.1|group=default",
          "portals" },
        { &method_create_tcp_endpoint, "('/x', 5000, '/y', {})", "portals=/x|group=/y", "portals" },
        { &method_delete_tcp_endpoint, "('" DECLARED_TCP "',)", "portals=192.0.2.9:3260", "portals" },
        { &method_declare_address, "('192.0.2.9', {'ElementName': <'x'>})", "portals=192.0.2.9", "portals" },
        { &method_declare_address, "('2001:DB8::0:1', {})", "portals=2001:db8::1", "portals" },
        { &method_declare_address, "('nonsense', {})", "portals=nonsense", "portals" },
        { &method_retract_address, "('" IP_DECLARED "',)", "portals=192.0.2.9", "portals" },
        { &method_create_portal_group, "('fast', {})", "group=fast", "portals" },
        { &method_delete_portal_group, "('" GROUP("2") "',)", "group=2", "portals" },
        { &method_add_member, "('" GROUP("2") "', '" TCP("1", "860") "')", "portals=10.0.0.1:860|group=2", "portals" },
        { &method_remove_member, "('" GROUP("2") "', '" TCP("1", "860") "')", "portals=10.0.0.1:860|group=2", "portals" },

        /* control characters are not handed on */
        { &method_create_portal_group, "('a\\nb\\u001b[31m', {})", "group=a?b?[31m", "portals" },
        { &method_create_port, "('" PATH_A "', 3, '1\\n2', [])",
          "node=" NAME_A "|role=target|identifier=1?2|portals=", "node/" NAME_A "|~portals" },
        { &method_create_node, "('', {'Name': <'iqn.\\n\\u007f'>})", "node=iqn.??|role=target", "node/iqn.\n\x7f" },
        { &method_delete_node, "('" ROOT "/node/iqn_0a',)", "node=" ROOT "/node/iqn_0a", "node/" ROOT "/node/iqn_0a" },
        { &method_create_portal_group, "('C1 \\u0085\\u009b', {})", "group=C1 ????", "portals" },
};

static char *details_text(const Intent *i) {
        g_autoptr(GString) s = g_string_new("");
        char **details = NULL;

        g_assert_cmpint(details_new(i, &details), ==, 0);
        g_assert_cmpstr(details[0], ==, "method");
        g_assert_cmpstr(details[1], ==, i->method->name);
        for (char **d = details + 2; *d; d += 2) {
                g_assert_true(g_utf8_validate(d[1], -1, NULL));
                g_string_append_printf(s, "%s%s=%s", s->len ? "|" : "", d[0], d[1]);
        }
        details_free(details);
        return g_string_free(g_steal_pointer(&s), false);
}

static void test_details(void) {
        for (size_t k = 0; k < ELEMENTSOF(cases); k++) {
                g_autoptr(Intent) i = read_intent(cases[k].method, cases[k].arguments);
                g_autofree char *text = details_text(i);

                g_test_message("%s%s", cases[k].method->name, cases[k].arguments);
                g_assert_cmpstr(text, ==, cases[k].details);
        }
}

static void test_all_methods(void) {
        for (const Method *const *m = methods; *m; m++) {
                bool found = false;

                for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                        found = found || cases[i].method == *m;
                if (!found)
                        g_error("%s is not in the table", (*m)->name);
        }
}

/* A set of locks tells one name that another holds: what a set has is found by holding each in turn. */
static void check_locks(const Intent *i, const char *expected) {
        g_auto(GStrv) names = g_strsplit(expected, "|", -1);
        sd_event *event = NULL;
        Locks *locks = NULL;
        LockSet *all;

        g_assert_cmpint(sd_event_new(&event), >=, 0);
        g_assert_cmpint(locks_new(event, &locks), ==, 0);

        /* Each expected one blocks it, and it blocks those that come later unless it only follows … */
        for (char **n = names; *n; n++) {
                LockSet *one = lock_set_new(locks, NULL, NULL), *set = lock_set_new(locks, NULL, NULL),
                        *later = lock_set_new(locks, NULL, NULL);
                bool follows = (*n)[0] == '~';

                g_assert_cmpint(lock_set_add(one, *n + follows), ==, 0);
                g_assert_cmpint(locks_acquire(one), ==, 1);
                g_assert_cmpint(details_locks(i, set), ==, 0);
                g_assert_cmpint(locks_acquire(set), ==, 0);
                g_assert_cmpstr(lock_set_blocker(set), ==, *n + follows);
                lock_set_free(one);

                g_assert_cmpint(lock_set_add(later, *n + follows), ==, 0);
                g_assert_cmpint(locks_acquire(later), ==, follows);
                lock_set_free(later);
                lock_set_free(set);
        }

        /* … and nothing else does: it holds as many as are expected. */
        all = lock_set_new(locks, NULL, NULL);
        g_assert_cmpint(details_locks(i, all), ==, 0);
        g_assert_cmpuint(lock_set_size(all), ==, g_strv_length(names));
        lock_set_free(all);
        locks_free(locks);
        sd_event_unref(event);
}

static void test_locks(void) {
        for (size_t k = 0; k < ELEMENTSOF(cases); k++) {
                g_autoptr(Intent) i = read_intent(cases[k].method, cases[k].arguments);

                g_test_message("%s%s", cases[k].method->name, cases[k].arguments);
                check_locks(i, cases[k].locks);
        }
}

/* Whatever the spelling of a name, its node is known by one text: else a rule for a node, or its lock, could be got round. */
static void test_spelling(void) {
        static const char *const names[] = {
                "iqn.2001-04.com.example:a", "IQN.2001-04.com.example:A",       "iqn.2001-04.COM.example:\\u0041",
                "Iqn.2001-04.Com.Example:a", "iqn.2001-04.com.example:\\uff41", /* folded by stringprep */
        };

        for (size_t k = 0; k < ELEMENTSOF(names); k++) {
                g_autofree char *arguments = g_strdup_printf("('', {'Name': <'%s'>})", names[k]);
                g_autoptr(Intent) i = read_intent(&method_create_node, arguments);
                g_autofree char *text = details_text(i);

                g_assert_cmpstr(text, ==, "node=" NAME_A "|role=target");
                check_locks(i, "node/" NAME_A);
        }
}

static void test_subject(void) {
        static const struct {
                const Method *method;
                const char *arguments, *subject;
        } subjects[] = {
                { &method_create_port, "('" PATH_A "', 3, '', ['" TCP("1", "3260") "'])",
                  "node " NAME_A ", role target, portals 10.0.0.1:3260" },
                { &method_delete_port, "('" PATH_A1 "',)", "node " NAME_A ", identifier 000000000001" },
                { &method_create_node, "('', {})", "role target" },
                { &method_create_ports, "([('" PATH_A "', 3, '', []), ('" PATH_B "', 3, '', [])], {})", "role target, count 2" },
        };

        for (size_t k = 0; k < ELEMENTSOF(subjects); k++) {
                g_autoptr(Intent) i = read_intent(subjects[k].method, subjects[k].arguments);
                char **details = NULL, *subject;

                g_assert_cmpint(details_new(i, &details), ==, 0);
                subject = details_subject(details);
                g_assert_cmpstr(subject, ==, subjects[k].subject);
                free(subject);
                details_free(details);
        }
        {
                char *none = details_subject(NULL);

                g_assert_cmpstr(none, ==, "");
                free(none);
        }
        g_assert_null(details_free(NULL));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/details/details", test_details);
        g_test_add_func("/details/all-methods", test_all_methods);
        g_test_add_func("/details/locks", test_locks);
        g_test_add_func("/details/spelling", test_spelling);
        g_test_add_func("/details/subject", test_subject);
        return g_test_run();
}
