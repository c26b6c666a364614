/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cases.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 8u
#define PORTALS_PER_ITEM 4u

/* A request as a case writes it. */
typedef struct Call {
        BackendItem items[ITEMS_MAX];
        Portal portals[ITEMS_MAX][PORTALS_PER_ITEM];
        uint64_t expected[ITEMS_MAX];
        BackendRequest request;
} Call;

typedef struct Outcome {
        bool done;
        GString *results;
        ObservedNode observed;
} Outcome;

static const char *node_name(const char *word) {
        return g_str_equal(word, "a")   ? CASE_NODE_A
               : g_str_equal(word, "b") ? CASE_NODE_B
               : g_str_equal(word, "A") ? CASE_NODE_TWIN
                                        : word;
}

static void read_item(const char *text, BackendItem *item, Portal *portals) {
        g_auto(GStrv) words = g_strsplit(text, " ", 0);

        *item = (BackendItem){ .verb = verb_from_name(words[0]), .enabled = true, .portals = portals };
        if (item->verb == _VERB_MAX)
                g_error("There is no operation \"%s\"", words[0]);
        for (char **word = words + 1; *word; word++)
                if (g_ascii_isdigit(**word) && !strchr(*word, '.'))
                        item->identifier = g_ascii_strtoull(*word, NULL, 10);
                else if (g_str_equal(*word, "off"))
                        item->enabled = false;
                else if (g_str_equal(*word, "force"))
                        item->force = true;
                else if (g_str_equal(*word, "all"))
                        item->all = true;
                else if (item->n_portals >= PORTALS_PER_ITEM || portal_from_text(*word, &portals[item->n_portals++]) < 0)
                        g_error("\"%s\" is not understood in \"%s\"", *word, text);
}

static void read_call(const char *node, const char *operations, const char *how, Call *c) {
        g_auto(GStrv) parts = g_strsplit(operations, "; ", 0), words = g_strsplit(how ?: "", " ", 0);

        *c = (Call){ .request = { .node = node, .items = c->items } };
        for (char **part = parts; *part; part++, c->request.n_items++) {
                g_assert_cmpuint(c->request.n_items, <, ITEMS_MAX);
                read_item(*part, c->items + c->request.n_items, c->portals[c->request.n_items]);
        }
        for (char **word = words; *word; word++)
                if (g_str_equal(*word, "keep-going"))
                        c->request.keep_going = true;
                else if (g_str_equal(*word, "check"))
                        c->request.check = true;
                else if (g_str_equal(*word, "expect"))
                        c->request.expected = c->expected;
                else
                        c->expected[c->request.n_expected++] = g_ascii_strtoull(*word, NULL, 10);
}

static const char *short_name(Refusal r) {
        return r == REFUSAL_NONE ? "done" : refusal_error_name(r) + strlen(ERROR_NAME_PREFIX);
}

static bool was_not_done(const BackendItemResult *r) {
        return r->refusal == REFUSAL_FAILED &&
               (strstr(r->message, "undone because of") || strstr(r->message, "not begun because of"));
}

static void on_answer(const BackendResult *result, void *userdata) {
        Outcome *o = userdata;

        o->done = true;
        if (result->outcome_unknown)
                g_error("The worker was lost: %s", result->message);
        if (result->refusal != REFUSAL_NONE)
                g_test_message("%s", result->message);
        if (result->observed) {
                o->observed = *result->observed;
                *result->observed = (ObservedNode){};
        }

        if (!result->items)
                g_string_append_printf(o->results, "call: %s", short_name(result->refusal));
        for (size_t i = 0; i < result->n_items; i++)
                g_string_append_printf(o->results, "%s%s", i == 0 ? "" : "; ",
                                       was_not_done(result->items + i) ? "-" : short_name(result->items[i].refusal));
}

static void wait_for(Stage *s, Outcome *o) {
        while (!o->done)
                g_assert_cmpint(sd_event_run(s->event, UINT64_MAX), >=, 0);
}

static char *apply(Stage *s, const char *node, const char *operations, const char *how) {
        Outcome o = { .results = g_string_new(NULL) };
        Call c;

        read_call(node, operations, how, &c);
        g_assert_cmpint(backend_apply(s->backend, &c.request, on_answer, &o, NULL), ==, 0);
        wait_for(s, &o);
        return g_string_free(o.results, FALSE);
}

void cases_apply(Stage *s, const char *node, const char *operations) {
        g_autofree char *results = apply(s, node, operations, NULL);

        g_assert_cmpstr(results, ==, "done");
}

/* What others have put into the port. */
static void append_contents(GString *text, const Stage *s, const char *node, const char *port) {
        static const char *const groups[] = { "lun", "acl" }, *const directories[] = { "lun/lun_0", "acls" };

        for (gsize i = 0; s->fabric && i < G_N_ELEMENTS(groups); i++) {
                g_autofree char *path = g_build_filename(s->fabric, node, port, directories[i], NULL);
                g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
                const char *name;

                while (dir && (name = g_dir_read_name(dir))) {
                        g_autofree char *entry = g_build_filename(path, name, NULL);

                        /* Of a LUN its link, of the ACLs any. */
                        if (i == 0 ? g_file_test(entry, G_FILE_TEST_IS_SYMLINK) : g_file_test(entry, G_FILE_TEST_IS_DIR)) {
                                g_string_append_printf(text, " %s", groups[i]);
                                break;
                        }
                }
        }
}

static int compare_portals(const void *a, const void *b) {
        return strcmp(((const ObservedPortal *) a)->directory, ((const ObservedPortal *) b)->directory);
}

static int compare_ports(const void *a, const void *b) {
        const ObservedPort *x = a, *y = b;

        return x->identifier != y->identifier ? (x->identifier < y->identifier ? -1 : 1) : strcmp(x->directory, y->directory);
}

static void append_node(GString *text, Stage *s, const char *word) {
        Outcome o = { .results = g_string_new(NULL) };
        ObservedNode *n = &o.observed;

        g_assert_cmpint(backend_observe(s->backend, node_name(word), on_answer, &o, NULL), ==, 0);
        wait_for(s, &o);
        if (n->n_ports > 0)
                qsort(n->ports, n->n_ports, sizeof(ObservedPort), compare_ports);
        if (n->exists)
                g_string_append_printf(text, "%s%s{", text->len > 0 ? " " : "", word);
        for (size_t i = 0; i < n->n_ports; i++) {
                const ObservedPort *p = n->ports + i;

                if (s->fabric)
                        g_string_append_printf(text, "%s%s %s", i == 0 ? "" : ", ", p->directory, p->enabled ? "on" : "off");
                else
                        g_string_append_printf(text, "%stpgt_%u %s", i == 0 ? "" : ", ", (unsigned) p->identifier,
                                               p->enabled ? "on" : "off");
                if (p->n_portals > 0)
                        qsort(p->portals, p->n_portals, sizeof(ObservedPortal), compare_portals);
                for (size_t k = 0; k < p->n_portals; k++)
                        g_string_append_printf(text, " %s%c", p->portals[k].directory,
                                               !p->portals[k].usable     ? '?'
                                               : p->portals[k].listening ? '+'
                                                                         : '-');
                append_contents(text, s, node_name(word), p->directory);
        }
        if (n->exists)
                g_string_append_c(text, '}');
        observed_node_done(n);
        g_string_free(o.results, TRUE);
}

static char *state(Stage *s) {
        GString *text = g_string_new(NULL);

        append_node(text, s, "a");
        append_node(text, s, "b");
        return g_string_free(text, FALSE);
}

static void prepare(Stage *s, const char *before) {
        g_auto(GStrv) commands = g_strsplit(before, "; ", 0);

        for (char **command = commands; *command; command++) {
                g_auto(GStrv) words = g_strsplit(*command, " ", 0);

                if (!words[0])
                        continue;
                if (words[1] && strlen(words[1]) == 1) {
                        char *name = g_strdup(node_name(words[1]));

                        g_free(words[1]);
                        words[1] = name;
                } else if (g_str_equal(words[0], "dir")) {
                        g_autofree char *node = g_strndup(words[1], 1), *rest = g_strdup(words[1] + 1);

                        g_free(words[1]);
                        words[1] = g_strconcat(node_name(node), rest, NULL);
                }
                s->prepare(s, words);
        }
}

typedef struct Run {
        Stage *stage;
        const Case *c;
} Run;

static void G_GNUC_PRINTF(1, 2) fail(const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        g_test_message("%s", text);
        g_printerr("%s\n", text);
        g_test_fail();
}

static void run(gconstpointer data) {
        const Run *r = data;
        const Case *c = r->c;
        g_autofree char *before = NULL, *after = NULL, *results = NULL;

        r->stage->clean(r->stage);
        prepare(r->stage, c->before);
        before = state(r->stage);
        results = apply(r->stage, CASE_NODE_A, c->operations, c->how);
        after = state(r->stage);
        r->stage->clean(r->stage);

        /* The other cases run all the same. */
        if (!g_str_equal(results, c->results))
                fail("%s, with \"%s\": the results are \"%s\", not \"%s\"", c->operations, before, results, c->results);
        if (!g_str_equal(after, c->after ? c->after : before))
                fail("%s, with \"%s\": afterwards it is \"%s\", not \"%s\"", c->operations, before, after,
                     c->after ? c->after : before);
}

void cases_add(Stage *s, const char *prefix) {
        for (size_t i = 0; i < n_cases; i++) {
                g_autofree char *path = g_strdup_printf("%s/%s", prefix, cases[i].name);
                Run *r;

                if (cases[i].needs & ~s->has)
                        continue;
                r = g_new(Run, 1);
                *r = (Run){ s, cases + i };
                g_test_add_data_func_full(path, r, run, g_free);
        }
}
