/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may do what, decided by the real polkitd with rules as an administrator writes them. */

#include "bus-view.h"
#include "concurrent.h"
#include "fault-control.h"
#include "introspected.h"
#include "polkit-rules.h"

#include <stdio.h>
#include <string.h>

#define NODE_NAME "iqn.2026-11.org.example:a"
#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aa"
#define VICTIM_NAME "iqn.2026-11.org.example:victim"
#define VICTIM_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3avictim"
#define FORCED_NAME "iqn.2026-11.org.example:forced"
#define FORCED_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aforced"
#define FOREIGN_NAME "iqn.2026-11.org.example:foreign" /* another program's */
#define FOREIGN_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aforeign"
#define RELEASED_NAME "iqn.2026-11.org.example:released"
#define RELEASED_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3areleased"
#define PORT_PATH(digit) NODE_PATH "/endpoint/00000000000" digit
#define TCP_PATH(port) ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a" port
#define LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define LOOPBACK6 ROOT_PATH "/ip/_3a_3a1"
#define GROUP_PATH(id) ROOT_PATH "/portal_group/" id

#define ACCESS_DENIED "org.freedesktop.DBus.Error.AccessDenied"
#define INTERACTIVE_REQUIRED "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"

/* The documented table: which action guards a method, and what a rule sees of the call that valid_call() makes, beside the
 * method. */
static const struct {
        const char *member, *action, *details;
        bool looks; /* changes nothing that can be seen */
} guards[] = {
        { "CreateiSCSIProtocolEndpoint", "create-port",
          "node=" NODE_NAME " role=target identifier=00000000000A portals=127.0.0.1:3265 127.0.0.1:3264" },
        { "CreateiSCSIProtocolEndpoints", "create-port",
          "node=" NODE_NAME " role=target identifier= portals=127.0.0.1:3267 127.0.0.1:3268 count=2" },
        { "DeleteiSCSIProtocolEndpoint", "delete-port", "node=" NODE_NAME " identifier=000000000002" },
        { "DeleteiSCSIProtocolEndpointForced", "force", "node=" NODE_NAME " identifier=000000000003" },
        { "RequestStateChange", "modify-port", "node=" NODE_NAME " identifier=000000000001" },
        { "BindiSCSIProtocolEndPoint", "bind-port", "node=" NODE_NAME " identifier=000000000001 portals=127.0.0.1:3262" },
        { "UnbindiSCSIProtocolEndPoint", "bind-port", "node=" NODE_NAME " identifier=000000000001 portals=127.0.0.1:3261" },
        { "CreateiSCSINode", "create-node", "node=iqn.2026-11.org.example:new role=target" },
        { "ModifyiSCSINode", "modify-node", "node=" NODE_NAME },
        { "DeleteiSCSINode", "delete-node", "node=" VICTIM_NAME },
        { "DeleteiSCSINodeForced", "force", "node=" FORCED_NAME },
        { "AdoptiSCSINode", "adopt-node", "node=" FOREIGN_NAME },
        { "ReleaseiSCSINode", "adopt-node", "node=" RELEASED_NAME },
        { "Reconcile", "modify-node", "node=" NODE_NAME, .looks = true },
        { "CreateTCPProtocolEndpoint", "manage-portals", "portals=127.0.0.1:3270 group=2" },
        { "DeleteTCPProtocolEndpoint", "manage-portals", "portals=127.0.0.1:3266" },
        { "CreateIPProtocolEndpoint", "manage-portals", "portals=192.0.2.77" },
        { "DeleteIPProtocolEndpoint", "manage-portals", "portals=192.0.2.78" },
        { "CreatePortalGroup", "manage-portals", "group=three" },
        { "DeletePortalGroup", "manage-portals", "group=1" },
        { "AddToPortalGroup", "manage-portals", "portals=127.0.0.1:3262 group=2" },
        { "RemoveFromPortalGroup", "manage-portals", "portals=127.0.0.1:3265 group=2" },
};

/* Those that only look ask nobody. */
static bool changes_nothing(const Member *m) {
        return g_str_has_prefix(m->name, "Check") || g_str_has_prefix(m->name, "List");
}

/* Calls that succeed if they are allowed, each once, in any order. */
static sd_bus_message *valid_call(sd_bus *bus, const char *member) {
        if (g_str_equal(member, "CreateiSCSIProtocolEndpoint"))
                return message_new(bus, member, "oqsao", NODE_PATH, 3, "00000000000a", 2, TCP_PATH("3265"), TCP_PATH("3264"));
        if (g_str_equal(member, "CreateiSCSIProtocolEndpoints"))
                return message_new(bus, member, "a(oqsao)a{sv}", 2, NODE_PATH, 3, "", 1, TCP_PATH("3267"), NODE_PATH, 3,
                                   "00000000000b", 1, TCP_PATH("3268"), 0);
        if (g_str_equal(member, "DeleteiSCSIProtocolEndpoint"))
                return message_new(bus, member, "o", PORT_PATH("2"));
        if (g_str_equal(member, "DeleteiSCSIProtocolEndpointForced"))
                return message_new(bus, member, "o", PORT_PATH("3"));
        if (g_str_equal(member, "RequestStateChange"))
                return message_new(bus, member, "oq", PORT_PATH("1"), 3);
        if (g_str_equal(member, "ModifyiSCSINode"))
                return message_new(bus, member, "oa{sv}", NODE_PATH, 1, "Alias", "s", "changed");
        if (g_str_equal(member, "DeleteiSCSINodeForced"))
                return message_new(bus, member, "o", FORCED_PATH);
        if (g_str_equal(member, "AdoptiSCSINode"))
                return message_new(bus, member, "o", FOREIGN_PATH);
        if (g_str_equal(member, "ReleaseiSCSINode"))
                return message_new(bus, member, "o", RELEASED_PATH);
        if (g_str_equal(member, "Reconcile"))
                return message_new(bus, member, "o", NODE_PATH);
        if (g_str_equal(member, "CreateIPProtocolEndpoint"))
                return message_new(bus, member, "sa{sv}", "192.0.2.77", 0);
        if (g_str_equal(member, "DeleteIPProtocolEndpoint"))
                return message_new(bus, member, "o", ROOT_PATH "/ip/_3192_2e0_2e2_2e78");
        if (g_str_equal(member, "BindiSCSIProtocolEndPoint"))
                return message_new(bus, member, "oo", PORT_PATH("1"), TCP_PATH("3262"));
        if (g_str_equal(member, "UnbindiSCSIProtocolEndPoint"))
                return message_new(bus, member, "oo", PORT_PATH("1"), TCP_PATH("3261"));
        if (g_str_equal(member, "CreateiSCSINode"))
                return message_new(bus, member, "sa{sv}", "", 1, "Name", "s", "IQN.2026-11.org.Example:New");
        if (g_str_equal(member, "DeleteiSCSINode"))
                return message_new(bus, member, "o", VICTIM_PATH);
        if (g_str_equal(member, "CreateTCPProtocolEndpoint"))
                return message_new(bus, member, "oqoa{sv}", LOOPBACK, 3270, GROUP_PATH("2"), 0);
        if (g_str_equal(member, "DeleteTCPProtocolEndpoint"))
                return message_new(bus, member, "o", TCP_PATH("3266"));
        if (g_str_equal(member, "CreatePortalGroup"))
                return message_new(bus, member, "sa{sv}", "three", 0);
        if (g_str_equal(member, "DeletePortalGroup"))
                return message_new(bus, member, "o", GROUP_PATH("1"));
        if (g_str_equal(member, "AddToPortalGroup"))
                return message_new(bus, member, "oo", GROUP_PATH("2"), TCP_PATH("3262"));
        if (g_str_equal(member, "RemoveFromPortalGroup"))
                return message_new(bus, member, "oo", GROUP_PATH("2"), TCP_PATH("3265"));

        g_error("There is no valid call of %s here, so nothing is known of who may call it", member);
}

/* "USER ACTION DETAIL=VALUE …\n" for the valid call of MEMBER, without the detail "method". */
static char *question_of(const char *user, const char *member) {
        for (size_t i = 0; i < G_N_ELEMENTS(guards); i++)
                if (g_str_equal(guards[i].member, member))
                        return g_strdup_printf("%s %s %s\n", user, guards[i].action, guards[i].details);

        g_error("It is not known here which action guards %s", member);
}

static bool only_looks(const char *member) {
        for (size_t i = 0; i < G_N_ELEMENTS(guards); i++)
                if (g_str_equal(guards[i].member, member))
                        return guards[i].looks;

        g_assert_not_reached();
}

static void call_as_root(sd_bus *root, sd_bus_message *m) {
        g_autoptr(Call) c = call_start(m);

        assert_call_succeeds(c);
}

static Service *service_with_objects(sd_bus **ret_root) {
        Service *s = service_new("--initiator-backend=model", NULL);
        uint16_t roles[] = { 2, 3 };
        sd_bus *root;

        service_use_fault_backend(s);
        fault_make_node(s, FOREIGN_NAME);
        service_start(s);
        root = *ret_root = caller_new("root");

        call_as_root(root, message_new(root, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", NODE_NAME, "Roles", "aq", 2,
                                       roles[0], roles[1]));
        call_as_root(root, message_new_create_node(root, VICTIM_NAME));
        call_as_root(root, message_new_create_node(root, FORCED_NAME));
        call_as_root(root, message_new_create_node(root, RELEASED_NAME));
        call_as_root(root, message_new(root, "CreateIPProtocolEndpoint", "sa{sv}", "192.0.2.78", 0));
        for (uint16_t port = 3261; port <= 3269; port++)
                call_as_root(root, message_new(root, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK, port, DEFAULT_GROUP, 0));
        call_as_root(root, message_new(root, "CreatePortalGroup", "sa{sv}", "one", 0));
        call_as_root(root, message_new(root, "CreatePortalGroup", "sa{sv}", "two", 0));
        call_as_root(root, message_new(root, "AddToPortalGroup", "oo", GROUP_PATH("2"), TCP_PATH("3265")));
        call_as_root(root, message_new(root, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "000000000001", 2,
                                       LOOPBACK_PORTAL, TCP_PATH("3261")));
        call_as_root(root, message_new_create_port(root, NODE_PATH, "000000000002", TCP_PATH("3263")));
        call_as_root(root, message_new_create_port(root, NODE_PATH, "000000000003", TCP_PATH("3269")));
        return s;
}

static void assert_questions(const char *expected) {
        g_autofree char *questions = rules_take_questions();

        g_assert_cmpstr(questions, ==, expected);
}

/* QUESTION, "USER ACTION DETAILS", with the detail that every question about a call of MEMBER has. */
static char *with_method(const char *question, const char *member) {
        g_auto(GStrv) words = g_strsplit(question, " ", 3);

        return g_strdup_printf("%s %s method=%s %s", words[0], words[1], member, words[2]);
}

/* M is refused by polkit, QUESTION is what it was asked (without the detail "method"), and nothing is changed or heard. */
static void assert_denied(sd_bus *root, sd_bus_message *m, const char *question) {
        g_autofree char *complete = with_method(question, sd_bus_message_get_member(m));
        g_autofree char *before = view_objects(root), *after = NULL, *heard = NULL;
        g_autoptr(Signals) signals = signals_new(root);
        g_autoptr(Call) c = call_start(m);
        const sd_bus_error *e;

        call_wait(c);
        e = sd_bus_message_get_error(c->reply);
        if (!e || (!g_str_equal(e->name, ACCESS_DENIED) && !g_str_equal(e->name, INTERACTIVE_REQUIRED)))
                g_error("Not denied (%s): %s", e ? e->name : "success", question);
        assert_questions(complete);
        after = view_objects(root);
        assert_same_text(before, after, "objects");
        heard = signals_take(signals);
        g_assert_cmpstr(heard, ==, "");
}

/* M is refused whoever calls, so nobody is asked about it. */
static void assert_refused_unasked(sd_bus *root, sd_bus_message *m, const char *error, unsigned code) {
        g_autofree char *before = view_objects(root), *after = NULL;
        g_autoptr(Call) c = call_start(m);

        assert_call_fails(c, error, code);
        assert_questions("");
        after = view_objects(root);
        assert_same_text(before, after, "objects");
}

/* Without a rule nobody but root may do anything. */
static void test_plain_user(void) {
        g_autofree char *before = NULL, *after = NULL;
        unsigned n = 0;
        g_autoptr(GPtrArray) members = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *root, *mallory;

        rules_set("");
        s = service_with_objects(&root);
        mallory = caller_new("mallory");
        members = introspect_service_methods(root);
        before = view_objects(root);
        g_free(rules_take_questions());

        for (guint i = 0; i < members->len; i++) {
                const Member *m = members->pdata[i];
                g_autofree char *question = NULL;
                sd_bus_message *call;

                if (changes_nothing(m))
                        continue;
                n++;
                question = question_of("mallory", m->name);
                call = valid_call(mallory, m->name);
                g_assert_cmpstr(sd_bus_message_get_signature(call, true), ==, m->signature);
                assert_denied(root, call, question);

                /* There is nobody here to ask for a password. */
                call = valid_call(mallory, m->name);
                g_assert_cmpint(sd_bus_message_set_allow_interactive_authorization(call, true), >=, 0);
                assert_denied(root, call, question);
        }
        g_assert_cmpuint(n, ==, G_N_ELEMENTS(guards));

        service_stop(s);
        service_start(s);
        after = view_objects(root);
        assert_same_text(before, after, "objects after a restart");
        caller_leave(mallory);
        caller_leave(root);
}

/* Each action opens its own methods and no other: allowed all but it, alice is refused; allowed it alone, she succeeds. */
static void test_each_action(void) {
        g_autoptr(GPtrArray) members = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *root, *alice;

        s = service_with_objects(&root);
        alice = caller_new("alice");
        members = introspect_service_methods(root);
        g_free(rules_take_questions());

        for (guint i = 0; i < members->len; i++) {
                const Member *m = members->pdata[i];
                g_autofree char *question = NULL, *complete = NULL, *rule = NULL, *other_rule = NULL;
                g_autofree char *before = view_objects(root), *after = NULL;
                g_auto(GStrv) words = NULL;
                g_autoptr(Call) c = NULL;

                if (changes_nothing(m))
                        continue;
                question = question_of("alice", m->name);
                complete = with_method(question, m->name);
                words = g_strsplit(question, " ", 3);
                other_rule = g_strdup_printf("if (subject.user === \"alice\" && action.id !== prefix + \"%s\") return "
                                             "polkit.Result.YES;",
                                             words[1]);
                rules_set(other_rule);
                assert_denied(root, valid_call(alice, m->name), question);

                rule = g_strdup_printf("if (subject.user === \"alice\" && action.id === prefix + \"%s\") return "
                                       "polkit.Result.YES;",
                                       words[1]);
                rules_set(rule);
                c = call_start(valid_call(alice, m->name));
                assert_call_succeeds(c);
                assert_questions(complete);
                after = view_objects(root);
                g_assert_cmpint(g_str_equal(before, after), ==, only_looks(m->name));
        }

        caller_leave(alice);
        caller_leave(root);
}

/* What a rule sees of calls that are told in other ways. */
static void test_details(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *root, *alice;

        rules_set("");
        s = service_with_objects(&root);
        alice = caller_new("alice");
        g_free(rules_take_questions());

        /* create-port: roles, Identifiers, addresses */
        assert_denied(root, message_new(alice, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "", 2, LOOPBACK6, LOOPBACK),
                      "alice create-port node=" NODE_NAME " role=initiator identifier= portals=::1 127.0.0.1\n");
        assert_denied(root, message_new(alice, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 2, "80000000abcd", 1, LOOPBACK),
                      "alice create-port node=" NODE_NAME " role=initiator identifier=80000000ABCD portals=127.0.0.1\n");
        assert_denied(root,
                      message_new(alice, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "", 1,
                                  ROOT_PATH "/tcp/_5b_3a_3a1_5d_3a3260"),
                      "alice create-port node=" NODE_NAME " role=target identifier= portals=[::1]:3260\n");

        /* A batch: what its items do not agree on is empty, so that a rule for one node opens no other. */
        assert_denied(root,
                      message_new(alice, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 3, NODE_PATH, 3, "", 1,
                                  TCP_PATH("3264"), VICTIM_PATH, 3, "000000000001", 1, TCP_PATH("3264"), NODE_PATH, 3, "", 1,
                                  TCP_PATH("3265"), 0),
                      "alice create-port node= role=target identifier= portals=127.0.0.1:3264 127.0.0.1:3265 count=3\n");
        assert_denied(root,
                      message_new(alice, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 2, NODE_PATH, 3, "", 1,
                                  TCP_PATH("3264"), NODE_PATH, 2, "", 1, LOOPBACK, 1, "Enabled", "b", 0),
                      "alice create-port node=" NODE_NAME " role= identifier= portals=127.0.0.1:3264 127.0.0.1 count=2\n");
        assert_denied(root,
                      message_new(alice, "CreateiSCSIProtocolEndpoints", "a(oqsao)a{sv}", 1, NODE_PATH, 3, "000000000009", 1,
                                  TCP_PATH("3264"), 0),
                      "alice create-port node=" NODE_NAME " role=target identifier= portals=127.0.0.1:3264 count=1\n");

        /* create-node: names and roles */
        assert_denied(root, message_new(alice, "CreateiSCSINode", "sa{sv}", "", 0), "alice create-node node= role=target\n");
        assert_denied(root, message_new(alice, "CreateiSCSINode", "sa{sv}", "", 1, "Roles", "aq", 2, 3, 2),
                      "alice create-node node= role=initiator target\n");
        assert_denied(root, message_new(alice, "CreateiSCSINode", "sa{sv}", "", 1, "Roles", "aq", 1, 2),
                      "alice create-node node= role=initiator\n");
        assert_denied(root, message_new(alice, "CreateiSCSINode", "sa{sv}", "", 1, "Persistent", "b", 0),
                      "alice create-node node= role=target\n");

        /* modify-node: one node, one port's node, and all of them */
        assert_denied(root, message_new(alice, "Reconcile", "o", PORT_PATH("1")), "alice modify-node node=" NODE_NAME "\n");
        assert_denied(root, message_new(alice, "Reconcile", "o", ROOT_PATH), "alice modify-node node=" ROOT_PATH "\n");

        /* manage-portals */
        assert_denied(root, message_new(alice, "CreateTCPProtocolEndpoint", "oqoa{sv}", LOOPBACK6, 860, DEFAULT_GROUP, 0),
                      "alice manage-portals portals=[::1]:860 group=default\n");
        assert_denied(root, message_new(alice, "CreatePortalGroup", "sa{sv}", "a b c", 0), "alice manage-portals group=a b c\n");
        assert_denied(root, message_new(alice, "CreateIPProtocolEndpoint", "sa{sv}", "2001:DB8:0::1", 0),
                      "alice manage-portals portals=2001:db8::1\n");

        caller_leave(alice);
        caller_leave(root);
}

/* What would be refused anyway costs nobody a password. */
static void test_certain_refusals(void) {
        g_autoptr(Service) s = NULL;
        sd_bus *root, *alice;

        rules_set("");
        s = service_with_objects(&root);
        alice = caller_new("alice");
        g_free(rules_take_questions());

        assert_refused_unasked(root, message_new(alice, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 3, "80000000abcd", 0),
                               "InvalidParameter", 5);
        assert_refused_unasked(root,
                               message_new(alice, "CreateiSCSIProtocolEndpoint", "oqsao", NODE_PATH, 7, "x\n y", 1,
                                           ROOT_PATH "/tcp/_5b_3a_3a1_5d_3a3260"),
                               "InvalidParameter", 5);
        assert_refused_unasked(root,
                               message_new(alice, "CreateiSCSIProtocolEndpoint", "oqsao", "/some/where", 3, "", 3, TCP_PATH("9"),
                                           "/else", ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3260_20_3127_2e0_2e0_2e1_3a3261"),
                               "SCSIProtocolControllerNonExistent", 4096);
        assert_refused_unasked(root, message_new(alice, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH),
                               "ProtocolEndpointNonExistent", 4096);
        assert_refused_unasked(root, message_new(alice, "DeleteiSCSIProtocolEndpoint", "o", NODE_PATH "/endpoint/00000000000a"),
                               "ProtocolEndpointNonExistent", 4096);
        assert_refused_unasked(root, message_new(alice, "DeleteiSCSINode", "o", ROOT_PATH "/node/_ff"),
                               "SCSIProtocolControllerNonExistent", 4096);
        assert_refused_unasked(root,
                               message_new(alice, "DeleteiSCSINode", "o", ROOT_PATH "/node/IQN_2e2026_2d11_2eorg_2eexample_3aa"),
                               "SCSIProtocolControllerNonExistent", 4096);
        assert_refused_unasked(root, message_new(alice, "DeleteiSCSINode", "o", FOREIGN_PATH), "NotManaged", 32776);
        assert_refused_unasked(root, message_new(alice, "DeletePortalGroup", "o", "/"), "PortalGroupNonExistent", 4096);
        assert_refused_unasked(root, message_new(alice, "DeletePortalGroup", "o", DEFAULT_GROUP), "NotSupported", 1);
        assert_refused_unasked(root, message_new(alice, "CreateiSCSINode", "sa{sv}", "", 1, "Roles", "aq", 0), "InvalidParameter",
                               5);
        assert_refused_unasked(root, message_new(alice, "CreateiSCSINode", "sa{sv}", "", 1, "Roles", "aq", 2, 9, 3),
                               "InvalidParameter", 5);
        assert_refused_unasked(root, message_new_create_node(alice, "Not a name"), "InvalidParameter", 5);
        assert_refused_unasked(root, message_new(alice, "CreatePortalGroup", "sa{sv}", "a\tb c", 0), "InvalidParameter", 5);

        caller_leave(alice);
        caller_leave(root);
}

/* A rule that forbids one thing cannot be got round by spelling it in another way. */
static void test_spellings(void) {
        static const char *const names[] = {
                "iqn.2026-11.org.example:secret",
                "IQN.2026-11.ORG.EXAMPLE:SECRET",
                "iqn.2026-11.org.example:\xC5\xBF"
                "ecret", /* long s */
                "iqn.2026-11.org.example:\xEF\xBC\xB3\xEF\xBC\xA5"
                "cret", /* full-width capitals */
                "iqn.2026-11.org.example:se\xC2\xAD"
                "cret", /* soft hyphen */
        };
        g_autoptr(Call) allowed = NULL, port = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *root, *alice;

        rules_set("if (action.lookup(\"node\") === \"iqn.2026-11.org.example:secret\") return polkit.Result.NO;\n"
                  "if (action.lookup(\"identifier\") === \"00000000000A\") return polkit.Result.NO;\n"
                  "if (action.lookup(\"portals\") === \"127.0.0.1:3262\") return polkit.Result.NO;\n"
                  "if (subject.user === \"alice\") return polkit.Result.YES;");
        s = service_with_objects(&root);
        alice = caller_new("alice");
        g_free(rules_take_questions());

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
                assert_denied(root, message_new_create_node(alice, names[i]),
                              "alice create-node node=iqn.2026-11.org.example:secret role=target\n");
        assert_denied(root, message_new_create_port(alice, NODE_PATH, "00000000000a", TCP_PATH("3264")),
                      "alice create-port node=" NODE_NAME " role=target identifier=00000000000A portals=127.0.0.1:3264\n");
        assert_denied(root, message_new_create_port(alice, NODE_PATH, "", TCP_PATH("3262")),
                      "alice create-port node=" NODE_NAME " role=target identifier= portals=127.0.0.1:3262\n");

        /* The path of the same node in another encoding names nothing. */
        {
                g_autoptr(Call) c = call_start(
                        message_new(alice, "DeleteiSCSINode", "o", ROOT_PATH "/node/_69qn_2e2026_2d11_2eorg_2eexample_3aa"));

                assert_call_fails(c, "SCSIProtocolControllerNonExistent", 4096);
                assert_questions("");
        }

        allowed = call_start(message_new_create_node(alice, "iqn.2026-11.org.example:secrets"));
        assert_call_succeeds(allowed);
        port = call_start(message_new_create_port(alice, NODE_PATH, "00000000000b", TCP_PATH("3264")));
        assert_call_succeeds(port);

        caller_leave(alice);
        caller_leave(root);
}

static void add_line(const char *file, const char *line) {
        g_autofree char *path = g_build_filename(g_getenv("SURROUNDINGS_DIR"), file, NULL);
        FILE *f = fopen(path, "ae");

        g_assert_nonnull(f);
        g_assert_cmpint(fprintf(f, "%s\n", line), >, 0);
        g_assert_cmpint(fclose(f), ==, 0);
}

/* The rules that are shipped as an example do what they say, as they stand. */
static void test_example(void) {
        g_autofree char *path = g_build_filename(g_getenv("SOURCE_ROOT"), "policy/50-iscsi-configd.rules.example", NULL);
        g_autofree char *text = NULL, *lab = NULL, *others = NULL, *cluster_node = NULL;
        g_autoptr(GError) error = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *root, *alice, *cluster;
        sd_bus_message *m;

        g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);
        add_line("group", "storage:x:64200:alice");
        add_line("passwd", "cluster:x:64201:64201::/nonexistent:/bin/sh");
        add_line("group", "cluster:x:64201:");
        rules_add_file("50-iscsi-configd.rules", text);
        rules_set("");

        s = service_with_objects(&root);
        alice = caller_new("alice");
        cluster = caller_new("cluster");
        m = message_new(root, "CreateiSCSINode", "sa{sv}", "", 2, "Name", "s", "iqn.2003-01.org.example:lab.a", "Roles", "aq", 2,
                        2, 3);
        call_as_root(root, m);
        lab = node_path("iqn.2003-01.org.example:lab.a");
        others = create_node(root, "iqn.2003-01.org.example:labs-of-others");
        cluster_node = create_node(root, "iqn.2003-01.org.example:cluster");
        g_free(rules_take_questions());

        {
                g_autoptr(Call) port = NULL, bind = NULL, unbind = NULL, own = NULL, gone = NULL;
                g_autofree char *question = NULL;
                const char *created;

                port = call_start(message_new_create_port(alice, lab, "", LOOPBACK_PORTAL));
                created = assert_call_gives_path(port);
                bind = call_start(message_new(alice, "BindiSCSIProtocolEndPoint", "oo", created, TCP_PATH("3264")));
                assert_call_succeeds(bind);
                unbind = call_start(message_new(alice, "UnbindiSCSIProtocolEndPoint", "oo", created, LOOPBACK_PORTAL));
                assert_call_succeeds(unbind);
                g_free(rules_take_questions());
                assert_denied(root, message_new(alice, "DeleteiSCSIProtocolEndpoint", "o", created),
                              "alice delete-port node=iqn.2003-01.org.example:lab.a identifier=000000000001\n");
                assert_denied(
                        root, message_new(alice, "CreateiSCSIProtocolEndpoint", "oqsao", lab, 2, "", 1, LOOPBACK),
                        "alice create-port node=iqn.2003-01.org.example:lab.a role=initiator identifier= portals=127.0.0.1\n");
                assert_denied(root, message_new_create_port(alice, others, "", LOOPBACK_PORTAL),
                              "alice create-port node=iqn.2003-01.org.example:labs-of-others role=target identifier= "
                              "portals=127.0.0.1:3260\n");

                own = call_start(message_new_create_port(cluster, cluster_node, "", LOOPBACK_PORTAL));
                created = assert_call_gives_path(own);
                gone = call_start(message_new(cluster, "DeleteiSCSIProtocolEndpoint", "o", created));
                assert_call_succeeds(gone);
                g_free(rules_take_questions());
                assert_denied(root, message_new_create_port(cluster, lab, "", LOOPBACK_PORTAL),
                              "cluster create-port node=iqn.2003-01.org.example:lab.a role=target identifier= "
                              "portals=127.0.0.1:3260\n");
        }

        rules_remove_file("50-iscsi-configd.rules");
        caller_leave(alice);
        caller_leave(cluster);
        caller_leave(root);
}

static void read_from(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types, ...) {
        sd_bus_message *m = NULL, *reply = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        va_list ap;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, path, interface, member), >=, 0);
        va_start(ap, types);
        g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        if (sd_bus_call(bus, m, 0, &e, &reply) < 0)
                g_error("%s %s: %s", path, member, e.message);
        sd_bus_message_unref(reply);
        sd_bus_message_unref(m);
}

/* Reading is no question, and neither is what root does, whatever the rules say. */
static void test_no_question(void) {
        static const char *const objects[][3] = {
                /* path, interface, one of its properties */
                { ROOT_PATH, SERVICE_INTERFACE, "Version" },
                { NODE_PATH, "org.iscsi.Node", "Name" },
                { PORT_PATH("1"), "org.iscsi.ProtocolEndpoint", "Name" },
                { LOOPBACK_PORTAL, "org.iscsi.TCPProtocolEndpoint", "BoundBy" },
                { LOOPBACK, "org.iscsi.IPProtocolEndpoint", "Name" },
                { DEFAULT_GROUP, "org.iscsi.PortalGroup", "Members" },
        };
        g_autoptr(GPtrArray) members = NULL;
        g_autoptr(Service) s = NULL;
        sd_bus *root, *mallory;

        rules_set("return polkit.Result.NO;");
        s = service_with_objects(&root);
        mallory = caller_new("mallory");

        for (size_t i = 0; i < G_N_ELEMENTS(objects); i++) {
                const char *path = objects[i][0], *interface = objects[i][1];

                read_from(mallory, path, "org.freedesktop.DBus.Introspectable", "Introspect", "");
                read_from(mallory, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, objects[i][2]);
                read_from(mallory, path, "org.freedesktop.DBus.Properties", "GetAll", "s", interface);
                read_from(mallory, path, "org.freedesktop.DBus.Properties", "GetAll", "s", "");
                read_from(mallory, path, "org.freedesktop.DBus.Peer", "Ping", "");
        }
        read_from(mallory, ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "");

        members = introspect_service_methods(root);
        for (guint i = 0; i < members->len; i++)
                if (!changes_nothing(members->pdata[i]))
                        call_as_root(root, valid_call(root, ((const Member *) members->pdata[i])->name));
        assert_questions("");

        /* Questions would be seen here. */
        assert_denied(root, message_new_create_node(mallory, "iqn.2026-11.org.example:m"),
                      "mallory create-node node=iqn.2026-11.org.example:m role=target\n");

        caller_leave(mallory);
        caller_leave(root);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/polkit/plain-user", test_plain_user);
        g_test_add_func("/polkit/each-action", test_each_action);
        g_test_add_func("/polkit/details", test_details);
        g_test_add_func("/polkit/certain-refusals", test_certain_refusals);
        g_test_add_func("/polkit/spellings", test_spellings);
        g_test_add_func("/polkit/example", test_example);
        g_test_add_func("/polkit/no-question", test_no_question);
        return g_test_run();
}
