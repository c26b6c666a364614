/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is desired of a node held against what is there of it: what has to be done, and what people see then. */

#include <string.h>

#include "change-fixture.h"
#include "change/difference.h"
#include "common/verbs.h"

/* An observation as text: "absent"; else a port after another, separated by ';':
 *      <identifier> on|off <portal>…
 * a portal being its address and TCP port, "P1" for 10.0.0.1:3260 and so on, with '+' behind it: it listens; '-': it does not;
 * '!': its name is ours, but cannot be understood now. "=" before it: the directory has another spelling. */
typedef struct Seen {
        ObservedNode node;
        GPtrArray *texts;
} Seen;

static char *keep(Seen *s, char *text) {
        g_ptr_array_add(s->texts, text);
        return text;
}

static void parse_portal(Seen *s, ObservedPortal *p, const char *word) {
        bool other_directory = word[0] == '=';
        g_autofree char *text = g_strndup(word + other_directory, strlen(word) - 1 - other_directory);
        char mark = word[strlen(word) - 1];

        g_autofree char *full = text[0] == 'P' ? g_strdup_printf("10.0.0.%c:3260", text[1]) : g_strdup(text);

        p->directory = keep(s, other_directory ? g_strdup_printf("other-%s", full) : g_strdup(full));
        p->usable = mark != '!';
        p->listening = mark == '+';
        if (p->usable)
                g_assert_cmpint(strchr(full, ':') ? portal_from_text(full, &p->portal)
                                                  : ip_address_from_text(full, &p->portal.address),
                                ==, 0);
}

static void parse_port(Seen *s, ObservedPort *p, const char *text) {
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        size_t n = g_strv_length(words) - 2;

        p->identifier = g_ascii_strtoull(words[0], NULL, 10);
        p->directory = keep(s, g_strdup_printf("tpgt_%s", words[0]));
        p->enabled = g_str_equal(words[1], "on");
        p->portals = (ObservedPortal *) (void *) keep(s, g_malloc0((n + 1) * sizeof(ObservedPortal)));
        p->n_portals = n;
        for (size_t i = 0; i < n; i++)
                parse_portal(s, p->portals + i, words[2 + i]);
}

static Seen *seen_new(const char *name, const char *text) {
        Seen *s = g_new0(Seen, 1);
        g_auto(GStrv) ports = g_strsplit(text, "; ", -1);

        s->texts = g_ptr_array_new_with_free_func(g_free);
        s->node.name = keep(s, g_strdup(name));
        s->node.exists = !g_str_equal(text, "absent");
        if (!s->node.exists || !text[0])
                return s;
        s->node.n_ports = g_strv_length(ports);
        s->node.ports = (ObservedPort *) (void *) keep(s, g_malloc0(s->node.n_ports * sizeof(ObservedPort)));
        for (size_t i = 0; i < s->node.n_ports; i++)
                parse_port(s, s->node.ports + i, ports[i]);
        return s;
}

static void seen_free(Seen *s) {
        g_ptr_array_unref(s->texts);
        g_free(s);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Seen, seen_free)

static char *repairs_text(const Difference *d) {
        g_autoptr(GString) s = g_string_new("");

        for (size_t i = 0; i < d->n_repairs; i++) {
                const Repair *r = d->repairs + i;
                char text[PORTAL_TEXT_MAX];

                g_string_append_printf(s, "%s%s", i ? " " : "", verb_info(r->item.verb)->name);
                g_assert_cmpuint(r->item.identifier, ==, r->port ? r->port->key.identifier : 0);
                g_assert_cmpuint(r->item.n_portals, ==, r->binding ? 1 : 0);
                g_assert_false(r->item.force);
                if (!r->binding)
                        continue;
                g_assert_true(r->item.portals == &r->portal);
                portal_to_text(&r->portal, text);
                if (r->portal.port == 3260)
                        g_string_append_printf(s, ":P%c", text[7]);
                else
                        g_string_append_printf(s, ":%s", r->portal.port ? text : ip_address_to_text(&r->portal.address, text));
        }
        return g_string_free(g_steal_pointer(&s), false);
}

typedef void (*prepare_t)(ChangeWorld *w);

static Port *b1(ChangeWorld *w) {
        return world_port(w, NAME_B, 1);
}

static void switched_off(ChangeWorld *w) {
        model_set_port_enabled(w->context.model, b1(w), false);
}

static void owed(ChangeWorld *w) {
        b1(w)->owed = true;
}

static void off_and_owed(ChangeWorld *w) {
        switched_off(w);
        owed(w);
}

static void owed_binding(ChangeWorld *w) {
        b1(w)->bindings[2]->owed = true;
}

static void unbinding(ChangeWorld *w) {
        b1(w)->bindings[2]->removal = 5;
}

static void removing(ChangeWorld *w) {
        b1(w)->removal = 5;
}

static void binding_pending(ChangeWorld *w) {
        b1(w)->bindings[2]->pending = true;
}

static void address_gone(ChangeWorld *w) {
        IpAddress a;

        g_assert_cmpint(ip_address_from_text("10.0.0.3", &a), ==, 0);
        model_remove_address(w->context.model, &a);
}

#define MAKE_ALL "make-port bind-portal:P1 bind-portal:P2 bind-portal:P3"

typedef struct DifferenceCase {
        prepare_t prepare;
        const char *seen;
        const char *repairs[3]; /* by RepairPolicy; NULL: as the one before */
        /* When all repairs succeed, by policy; NULL: as the one before. "<state of the port> <portals that listen> <part of the
         * text>" */
        const char *outcome[3];
        const char *failed; /* the same with the policy "all", when each repair is refused */
} DifferenceCase;

#define WELL "in-force 123 "
#define IS_IN_USE "in use by ssh"

static const DifferenceCase cases[] = {
        { NULL, "1 on P1+ P2+ P3+", { "" }, { WELL }, WELL },
        { NULL, "1 on P3+ P1+ P2+", { "" }, { WELL }, WELL },

        /* missing */
        { NULL,
          "absent",
          { "", "create-node " MAKE_ALL " enable-port" },
          { "degraded - removed by another program", WELL },
          "degraded - " IS_IN_USE },
        { NULL, "", { "", MAKE_ALL " enable-port" }, { "degraded - removed by another program", WELL }, "degraded - " IS_IN_USE },
        { NULL,
          "2 on P1+",
          { "", MAKE_ALL " enable-port" },
          { "degraded - removed by another program", WELL },
          "degraded - " IS_IN_USE },
        { NULL,
          "1 on P1+ P2+",
          { "", "bind-portal:P3" },
          { "partly 12 portal 10.0.0.3:3260 was removed by another program", WELL },
          "partly 12 " IS_IN_USE },
        { NULL,
          "1 on",
          { "", "bind-portal:P1 bind-portal:P2 bind-portal:P3" },
          { "degraded - 10.0.0.1:3260 was removed", WELL },
          "degraded - " IS_IN_USE },

        /* owed: never in force since it is desired */
        { owed, "absent", { "create-node " MAKE_ALL " enable-port" }, { WELL }, "degraded - " IS_IN_USE },
        { owed, "", { MAKE_ALL " enable-port" }, { WELL }, "degraded - " IS_IN_USE },
        { owed, "1 off P1+ P2+ P3+", { "enable-port" }, { WELL }, "degraded - " IS_IN_USE },
        { owed_binding, "1 on P1+ P2+", { "bind-portal:P3" }, { WELL }, "partly 12 " IS_IN_USE },
        { off_and_owed, "1 on P1+ P2+ P3+", { "disable-port" }, { "disabled - " }, "drifted 123 switched off on request" },

        /* a socket that is dead, or a name that cannot be understood, is no wish of anybody's */
        { NULL, "1 on P1+ P2- P3+", { "bind-portal:P2" }, { WELL }, "partly 13 " IS_IN_USE },
        { NULL, "1 on P1+ P2! P3+", { "bind-portal:P2" }, { WELL }, "partly 13 " IS_IN_USE },
        { NULL, "1 on P1+ =P2+ =P3-", { "bind-portal:P3" }, { WELL }, "partly 12 " IS_IN_USE },
        { NULL,
          "1 off P1- P2+ P3+",
          { "bind-portal:P1", NULL, "bind-portal:P1 enable-port" },
          { "degraded - switched off by another program", NULL, WELL },
          "degraded - " IS_IN_USE },

        /* switched by another program */
        { NULL,
          "1 off P1+ P2+ P3+",
          { "", "", "enable-port" },
          { "degraded - switched off by another program", NULL, WELL },
          "degraded - " IS_IN_USE },
        { switched_off,
          "1 on P1+ P2+ P3+",
          { "", "", "disable-port" },
          { "drifted 123 switched on by another program", NULL, "disabled - " },
          "drifted 123 switched off on request" },
        { switched_off, "1 off P1+ P2+ P3+", { "" }, { "disabled - " }, "disabled - " },
        { switched_off,
          "",
          { "", MAKE_ALL },
          { "disabled - removed by another program", "disabled - " },
          "disabled - " IS_IN_USE },

        /* more than what is desired */
        { NULL,
          "1 on P1+ P2+ P3+ 10.0.0.1:9999+",
          { "" },
          { "drifted 123 also on portal 10.0.0.1:9999" },
          "drifted 123 also on portal 10.0.0.1:9999" },
        { NULL,
          "1 on P1+ P2+ P3+; 1 off",
          { "" },
          { "drifted 123 second port with this Identifier" },
          "drifted 123 second port" },
        { NULL, "1 on P1+ P2+ P3+; 9 on 10.0.0.1:9999+", { "" }, { WELL }, WELL }, /* another port: shown as it is */
        { NULL,
          "1 on P1+ P2+ 10.0.0.1:9999+",
          { "", "bind-portal:P3" },
          { "partly 12 was removed by another program; it is also on portal 10.0.0.1:9999", "drifted 123 also on portal" },
          "partly 12 " IS_IN_USE "; it is also on portal" },

        /* being changed or removed */
        { unbinding, "1 on P1+ P2+", { "" }, { "in-force 12 " }, "in-force 12 " },
        { unbinding, "1 on P1+ P2+ P3+", { "" }, { WELL }, WELL },
        { binding_pending, "1 on P1+ P2+", { "" }, { "in-force 12 " }, "in-force 12 " },
        { removing, "1 off", { "" }, { "starting - " }, "starting - " },
        { removing, "absent", { "", "create-node" }, { "starting - " }, "starting - " },

        /* a portal whose address is not on this host yet can listen, and does not count */
        { address_gone, "1 on P1+ P2+ P3+", { "" }, { "partly 12 waits for its address" }, "partly 12 waits for its address" },
};

static const char *state_word(ObjectState s) {
        static const char *const words[] = {
                [STATE_STARTING] = "starting", [STATE_IN_FORCE] = "in-force", [STATE_DEGRADED] = "degraded",
                [STATE_DRIFTED] = "drifted",   [STATE_DISABLED] = "disabled", [STATE_PARTLY] = "partly",
                [STATE_UNKNOWN] = "unknown",
        };

        return words[s];
}

static void check_outcome(const Port *p, const char *expected) {
        g_auto(GStrv) words = g_strsplit(expected, " ", 3);
        g_autoptr(GString) listening = g_string_new("");
        const char *text = state_text(p->state, p->description);

        for (size_t i = 0; i < p->n_bindings; i++)
                if (binding_is_listening(p->bindings[i]))
                        g_string_append_printf(listening, "%zu", i + 1);
        g_assert_cmpstr(state_word(p->state), ==, words[0]);
        g_assert_cmpstr(listening->len ? listening->str : "-", ==, words[1]);
        if (!strstr(text, words[2]))
                g_error("\"%s\" is not in: %s", words[2], text);
        g_assert_true(g_utf8_validate(text, -1, NULL));
}

/* RESULT: of each repair. */
static size_t settle(ChangeWorld *w, const Seen *s, RepairPolicy policy, const BackendItemResult *result, Difference *d) {
        g_autofree BackendItemResult *results = NULL;
        Node *b = world_node(w, NAME_B);

        g_assert_cmpint(difference_new(b, ROLE_TARGET, &s->node, policy, d), ==, 0);
        results = g_new0(BackendItemResult, d->n_repairs + 1);
        for (size_t i = 0; i < d->n_repairs; i++)
                results[i] = *result;
        return difference_settle(&w->context, b, ROLE_TARGET, &s->node, d, d->n_repairs > 0 ? results : NULL, NULL);
}

static ChangeWorld *prepared(const DifferenceCase *c) {
        ChangeWorld *w = change_world_new();

        model_set_port_state(w->context.model, b1(w), STATE_STARTING, NULL);
        if (c->prepare)
                c->prepare(w);
        return w;
}

static void test_table(void) {
        static const BackendItemResult done = {}, refused = { REFUSAL_ADDRESS_IN_USE, IS_IN_USE };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const DifferenceCase *c = cases + i;
                g_autoptr(Seen) s = seen_new(NAME_B, c->seen);
                const char *repairs = NULL, *outcome = NULL;

                for (RepairPolicy policy = REPAIR_OWED; policy <= REPAIR_ALL; policy++) {
                        g_autoptr(ChangeWorld) w = prepared(c);
                        g_autofree char *text = NULL;
                        Difference d;

                        repairs = c->repairs[policy] ? c->repairs[policy] : repairs;
                        outcome = c->outcome[policy] ? c->outcome[policy] : outcome;
                        g_test_message("case %zu, policy %d: %s", i, policy, c->seen);
                        g_assert_cmpuint(settle(w, s, policy, &done, &d), ==, 0);
                        text = repairs_text(&d);
                        g_assert_cmpstr(text, ==, repairs);
                        check_outcome(b1(w), outcome);
                        if (b1(w)->state == STATE_IN_FORCE || b1(w)->state == STATE_DISABLED)
                                g_assert_false(b1(w)->owed);
                        difference_done(&d);
                }
                {
                        g_autoptr(ChangeWorld) w = prepared(c);
                        Difference d;

                        g_test_message("case %zu, refused", i);
                        g_assert_cmpuint(settle(w, s, REPAIR_ALL, &refused, &d), ==, d.n_repairs);
                        check_outcome(b1(w), c->failed);
                        difference_done(&d);
                }
        }
}

/* What was repaired is not repaired again: the second look at a host on which all was done finds nothing to do. */
static void test_idempotent(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Seen) absent = seen_new(NAME_B, "absent"), there = seen_new(NAME_B, "1 on P1+ P2+ P3+");
        static const BackendItemResult done = {};
        g_autofree char *before = NULL, *after = NULL;
        Difference d;

        owed(w);
        (void) settle(w, absent, REPAIR_ALL, &done, &d);
        difference_done(&d);
        before = model_dump(w->context.model, true);
        g_string_truncate(w->told, 0);
        for (RepairPolicy policy = REPAIR_OWED; policy <= REPAIR_ALL; policy++) {
                g_assert_cmpuint(settle(w, there, policy, &done, &d), ==, 0);
                g_assert_cmpuint(d.n_repairs, ==, 0);
                difference_done(&d);
        }
        after = model_dump(w->context.model, true);
        g_assert_cmpstr(after, ==, before);
        g_assert_cmpstr(w->told->str, ==, ""); /* nor is anything told */
}

/* What could not be bound is owed from then on, until it is seen. */
static void test_owed_binding(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Seen) two = seen_new(NAME_B, "1 on P1+ P2+"), three = seen_new(NAME_B, "1 on P1+ P2+ P3+");
        static const BackendItemResult done = {}, refused = { REFUSAL_ADDRESS_IN_USE, IS_IN_USE };
        Difference d;

        g_assert_cmpuint(settle(w, two, REPAIR_MISSING, &refused, &d), ==, 1);
        difference_done(&d);
        g_assert_true(b1(w)->bindings[2]->owed);
        g_assert_cmpuint(settle(w, two, REPAIR_OWED, &refused, &d), ==, 1);
        difference_done(&d);
        g_assert_cmpuint(settle(w, two, REPAIR_OWED, &done, &d), ==, 0);
        g_assert_cmpuint(d.n_repairs, ==, 1);
        difference_done(&d);
        g_assert_false(b1(w)->bindings[2]->owed);

        b1(w)->bindings[2]->owed = true; /* another program made it meanwhile */
        g_assert_cmpuint(settle(w, three, REPAIR_OWED, &done, &d), ==, 0);
        g_assert_false(b1(w)->bindings[2]->owed);
        difference_done(&d);
}

/* Nothing could be tried: everything that would have to be done is still to be done, and the reason is shown. */
static void test_untried(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Seen) s = seen_new(NAME_B, "absent");
        Node *b = world_node(w, NAME_B);
        Difference d;

        g_assert_cmpint(difference_new(b, ROLE_TARGET, &s->node, REPAIR_ALL, &d), ==, 0);
        g_assert_cmpuint(difference_settle(&w->context, b, ROLE_TARGET, &s->node, &d, NULL, "the worker is busy"), ==,
                         d.n_repairs);
        check_outcome(b1(w), "degraded - the worker is busy");
        g_assert_cmpint(b->state, ==, STATE_DEGRADED);
        g_assert_nonnull(strstr(b->description, "the worker is busy"));
        difference_done(&d);
}

/* The node alone: that it is missing is its own state, and heals. */
static void test_node(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Seen) absent = seen_new("iqn.2001-04.com.example:new", "absent"),
                        there = seen_new("iqn.2001-04.com.example:new", "");
        static const BackendItemResult done = {}, refused = { REFUSAL_NAME_IN_USE, "taken" };
        Difference d;
        Node *n;

        change_world_do(w, &method_create_node, "('', {'Name': <'iqn.2001-04.com.example:new'>})");
        n = world_node(w, "iqn.2001-04.com.example:new");

        g_assert_cmpint(difference_new(n, ROLE_TARGET, &absent->node, REPAIR_OWED, &d), ==, 0);
        g_assert_cmpuint(d.n_repairs, ==, 0);
        g_assert_cmpuint(difference_settle(&w->context, n, ROLE_TARGET, &absent->node, &d, NULL, NULL), ==, 0);
        g_assert_cmpint(n->state, ==, STATE_DEGRADED);
        g_assert_nonnull(strstr(n->description, "removed by another program"));
        difference_done(&d);

        g_assert_cmpint(difference_new(n, ROLE_TARGET, &absent->node, REPAIR_MISSING, &d), ==, 0);
        g_assert_cmpuint(d.n_repairs, ==, 1);
        g_assert_cmpuint(difference_settle(&w->context, n, ROLE_TARGET, &absent->node, &d, &refused, NULL), ==, 1);
        g_assert_nonnull(strstr(n->description, "taken"));
        g_assert_cmpuint(difference_settle(&w->context, n, ROLE_TARGET, &absent->node, &d, &done, NULL), ==, 0);
        g_assert_cmpint(n->state, ==, STATE_IN_FORCE);
        difference_done(&d);

        g_assert_cmpint(difference_new(n, ROLE_TARGET, &there->node, REPAIR_ALL, &d), ==, 0);
        g_assert_cmpuint(d.n_repairs, ==, 0);
        difference_done(&d);
}

/* A node with both roles: each backend's part is looked at alone. An initiator's portals do not listen. */
static void test_initiator(void) {
        static const struct {
                const char *seen, *repairs;
                ObjectState state;
        } initiators[] = {
                { "9613344769 on 10.0.0.1- 10.0.0.2-", "", STATE_IN_FORCE },
                { "9613344769 on 10.0.0.1+ 10.0.0.2+", "", STATE_IN_FORCE },
                { "9613344769 on 10.0.0.1-", "bind-portal:10.0.0.2", STATE_IN_FORCE },
                { "", "make-port bind-portal:10.0.0.1 bind-portal:10.0.0.2 enable-port", STATE_IN_FORCE },
                { "9613344769 off 10.0.0.1- 10.0.0.2-", "enable-port", STATE_IN_FORCE },
        };
        static const BackendItemResult done[8];

        for (size_t i = 0; i < ELEMENTSOF(initiators); i++) {
                g_autoptr(ChangeWorld) w = change_world_new();
                g_autoptr(Seen) s = seen_new(NAME_A, initiators[i].seen);
                Node *a = world_node(w, NAME_A);
                Port *target = world_port(w, NAME_A, 1), *port = world_port(w, NAME_A, 0x00023D000001);
                g_autofree char *text = NULL;
                Difference d;

                g_test_message("%s", initiators[i].seen);
                model_set_port_state(w->context.model, target, STATE_UNKNOWN, "not looked at");
                g_assert_cmpint(difference_new(a, ROLE_INITIATOR, &s->node, REPAIR_ALL, &d), ==, 0);
                text = repairs_text(&d);
                g_assert_cmpstr(text, ==, initiators[i].repairs);
                g_assert_cmpuint(difference_settle(&w->context, a, ROLE_INITIATOR, &s->node, &d, done, NULL), ==, 0);
                g_assert_cmpint(port->state, ==, initiators[i].state);
                g_assert_cmpuint(port->n_listening, ==, 0);
                g_assert_cmpint(target->state, ==, STATE_UNKNOWN);
                difference_done(&d);
        }
}

/* A port that another program has in a node of ours is not repaired, whatever it looks like. */
static void test_foreign_port_inside(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Seen) s = seen_new(NAME_B, "1 on P1+ P2+ P3+; 7 off 10.0.0.1:9999-");
        Node *b = world_node(w, NAME_B);
        Difference d;
        Port *p;

        difference_show_foreign(&w->context, ROLE_TARGET, &s->node);
        p = world_port(w, NAME_B, 7);
        g_assert_false(p->managed);
        g_assert_cmpint(p->state, ==, STATE_DISABLED);
        g_assert_true(b->managed);
        g_assert_cmpint(difference_new(b, ROLE_TARGET, &s->node, REPAIR_ALL, &d), ==, 0);
        g_assert_cmpuint(d.n_repairs, ==, 0);
        difference_done(&d);
}

typedef struct ForeignCase {
        const char *name, *seen;
        const char *dump; /* lines of model_dump() about the node, without the counts; "": the node is not there */
        const char *told; /* the same of what was told: first characters and last path elements, e.g. "+x +000000000001" */
} ForeignCase;

#define NEW "iqn.2001-04.com.example:x"

static char *lines_about(const char *dump, const char *name) {
        g_auto(GStrv) lines = g_strsplit(dump, "\n", -1);
        g_autoptr(GString) s = g_string_new("");

        for (char **l = lines; *l; l++)
                if (strstr(*l, name))
                        g_string_append_printf(s, "%s\n", *l);
        return g_string_free(g_steal_pointer(&s), false);
}

/* What came and went: "+000000000001 -node". */
static char *told_short(const char *told) {
        g_auto(GStrv) lines = g_strsplit(told, "\n", -1);
        g_autoptr(GString) s = g_string_new("");

        for (char **l = lines; *l && **l; l++) {
                g_autofree char *path = g_strndup(*l + 2, strcspn(*l + 2, " "));

                if ((*l)[0] != '~' && strstr(path, "/node/"))
                        g_string_append_printf(s, "%s%c%s", s->len ? " " : "", (*l)[0],
                                               g_str_has_suffix(path, "_3ax") ? "node" : strrchr(path, '/') + 1);
        }
        return g_string_free(g_steal_pointer(&s), false);
}

/* A node of others appears, changes and goes, step by step. */
static void test_foreign(void) {
        static const ForeignCase steps[] = {
                { NEW, "absent", "", "" },
                { NEW, "", "node " NEW " '' roles 8 foreign drift 0\n", "+node" },
                { NEW, "", "node " NEW " '' roles 8 foreign drift 0\n", "" },
                { NEW, "1 on P1+",
                  "node " NEW " '' roles 8 foreign drift 0\nport " NEW " 000000000001 role 3 foreign on 10.0.0.1:3260\n",
                  "+000000000001" },
                { NEW, "1 on P1+",
                  "node " NEW " '' roles 8 foreign drift 0\nport " NEW " 000000000001 role 3 foreign on 10.0.0.1:3260\n", "" },
                { NEW, "1 off P1+",
                  "node " NEW " '' roles 8 foreign drift 0\nport " NEW " 000000000001 role 3 foreign off on 10.0.0.1:3260\n",
                  NULL },
                { NEW, "1 on P1+ P2- 10.0.0.7:5!",
                  "node " NEW " '' roles 8 foreign drift 0\nport " NEW
                  " 000000000001 role 3 foreign on 10.0.0.1:3260 10.0.0.2:3260\n",
                  "-000000000001 +000000000001" },
                { NEW, "1 on P1+ P2+; 1 on P3+; 65535 off",
                  "node " NEW " '' roles 8 foreign drift 0\nport " NEW
                  " 000000000001 role 3 foreign on 10.0.0.1:3260 10.0.0.2:3260\nport " NEW
                  " 00000000FFFF role 3 foreign off on\n",
                  NULL },
                { NEW, "65535 off", "node " NEW " '' roles 8 foreign drift 0\nport " NEW " 00000000FFFF role 3 foreign off on\n",
                  "-000000000001" },
                { NEW, "absent", "", "-00000000FFFF -node" },
                { NEW, "absent", "", "" },
        };
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autofree char *before = model_dump(w->context.model, true), *after = NULL;

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                g_autoptr(Seen) s = seen_new(steps[i].name, steps[i].seen);
                g_autofree char *dump = NULL, *about = NULL, *told = NULL;

                g_test_message("%s", steps[i].seen);
                g_string_truncate(w->told, 0);
                difference_show_foreign(&w->context, ROLE_TARGET, &s->node);
                dump = model_dump(w->context.model, false);
                about = lines_about(dump, NEW);
                g_assert_cmpstr(about, ==, steps[i].dump);
                told = told_short(w->told->str);
                if (steps[i].told)
                        g_assert_cmpstr(told, ==, steps[i].told);
        }
        after = model_dump(w->context.model, true);
        g_assert_cmpstr(after, ==, before);
}

/* Of a node of ours only what others put into it comes and goes. */
static void test_foreign_inside(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Seen) with = seen_new(NAME_B, "1 off; 7 on 10.0.0.1:9999+"), without = seen_new(NAME_B, "1 off"),
                        absent = seen_new(NAME_B, "absent");
        g_autofree char *before = model_dump(w->context.model, true);

        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *after = NULL;

                difference_show_foreign(&w->context, ROLE_TARGET, &with->node);
                g_assert_nonnull(model_find_port(w->context.model, world_node(w, NAME_B), 7));
                difference_show_foreign(&w->context, ROLE_TARGET, i ? &without->node : &absent->node);
                after = model_dump(w->context.model, true);
                g_assert_cmpstr(after, ==, before);
        }
}

/* What others have is shown up to the limits, and the rest is left out. */
static void test_foreign_limits(void) {
        g_autoptr(ChangeWorld) w = change_world_new();
        g_autoptr(Seen) node = seen_new(NEW, "1 on P1+"), inside = seen_new(NAME_B, "1 on P1+; 7 on 10.0.0.1:9999+");
        g_autofree char *before = model_dump(w->context.model, true), *after = NULL;

        w->context.abilities.max.nodes = model_counts(w->context.model)->nodes;
        difference_show_foreign(&w->context, ROLE_TARGET, &node->node);
        w->context.abilities.max.ports = model_counts(w->context.model)->ports;
        difference_show_foreign(&w->context, ROLE_TARGET, &inside->node);
        after = model_dump(w->context.model, true);
        g_assert_cmpstr(after, ==, before);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/difference/table", test_table);
        g_test_add_func("/difference/idempotent", test_idempotent);
        g_test_add_func("/difference/owed-binding", test_owed_binding);
        g_test_add_func("/difference/untried", test_untried);
        g_test_add_func("/difference/node", test_node);
        g_test_add_func("/difference/initiator", test_initiator);
        g_test_add_func("/difference/foreign-port-inside", test_foreign_port_inside);
        g_test_add_func("/difference/foreign", test_foreign);
        g_test_add_func("/difference/foreign-inside", test_foreign_inside);
        g_test_add_func("/difference/foreign-limits", test_foreign_limits);
        return g_test_run();
}
