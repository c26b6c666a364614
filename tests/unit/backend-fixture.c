/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend-fixture.h"

#include <string.h>

#include "common/log.h"

static unsigned turns;

static void answer_clear(Answer *a) {
        g_clear_pointer(&a->message, g_free);
        for (size_t i = 0; i < G_N_ELEMENTS(a->item_messages); i++)
                g_clear_pointer(&a->item_messages[i], g_free);
        g_clear_pointer(&a->warnings, g_strfreev);
        for (char **node = a->nodes; node && *node; node++)
                free(*node);
        g_clear_pointer(&a->nodes, g_free);
        if (a->observed)
                observed_node_done(a->observed);
        g_clear_pointer(&a->observed, g_free);
}

void answer_done(Answer *a) {
        answer_clear(a);
}

static void take_items(Answer *a, const BackendResult *result) {
        g_assert_cmpuint(result->n_items, <=, G_N_ELEMENTS(a->items));
        a->n_items = result->n_items;
        for (size_t i = 0; i < result->n_items; i++) {
                a->items[i] = result->items[i].refusal;
                a->item_messages[i] = g_strdup(result->items[i].message);
                g_assert_true(result->items[i].refusal == REFUSAL_NONE || result->items[i].message);
        }
}

static void on_answer(const BackendResult *result, void *userdata) {
        Answer *a = userdata;
        guint n = 0;

        answer_clear(a);
        a->n++;
        a->turn = ++turns;
        a->refusal = result->refusal;
        a->message = g_strdup(result->message);
        a->outcome_unknown = result->outcome_unknown;
        a->failed_item = result->failed_item;
        a->warnings = g_strdupv(result->warnings);
        take_items(a, result);
        if (result->observed) {
                a->observed = g_new(ObservedNode, 1);
                *a->observed = *result->observed;
                *result->observed = (ObservedNode){};
        }
        if (result->nodes) {
                while (result->nodes[n])
                        n++;
                a->nodes = g_memdup2(result->nodes, (n + 1) * sizeof(char *));
                result->nodes[0] = NULL;
        }

        g_assert_true(result->refusal == REFUSAL_NONE || result->message);
        g_assert_true(result->refusal != REFUSAL_NONE || result->failed_item == SIZE_MAX);
        if (result->failed_item != SIZE_MAX)
                g_assert_cmpint(result->items[result->failed_item].refusal, ==, result->refusal);

        if (a->then)
                a->then(a);
}

static void begin(Fixture *f, Answer *a) {
        a->fixture = f;
        a->call = NULL;
}

void start(Fixture *f, const BackendRequest *request, Answer *a) {
        unsigned n = a->n;

        begin(f, a);
        g_assert_cmpint(backend_apply(f->backend, request, on_answer, a, &a->call), ==, 0);
        g_assert_nonnull(a->call);
        g_assert_cmpuint(a->n, ==, n);
}

void start_tag(Fixture *f, uint16_t tag, Answer *a) {
        g_autofree char *node = g_strdup_printf("iqn.2024-01.org.example:disk-%u", tag);

        start(f,
              &(BackendRequest){
                      .node = node, .items = &(BackendItem){ .verb = VERB_DELETE_PORT, .identifier = tag }, .n_items = 1 },
              a);
}

static void wait_answer(Fixture *f, Answer *a, unsigned n) {
        wait_for(f, a->n > n);
        g_assert_cmpuint(a->n, ==, n + 1);
}

void call(Fixture *f, const BackendRequest *request, Answer *a) {
        unsigned n = a->n;

        start(f, request, a);
        wait_answer(f, a, n);
}

void call_item(Fixture *f, const BackendItem *item, Answer *a) {
        call(f, &(BackendRequest){ .node = NODE, .items = item, .n_items = 1 }, a);
}

void observe(Fixture *f, const char *node, Answer *a) {
        unsigned n = a->n;

        begin(f, a);
        g_assert_cmpint(backend_observe(f->backend, node, on_answer, a, &a->call), ==, 0);
        wait_answer(f, a, n);
}

void list_nodes(Fixture *f, Answer *a) {
        unsigned n = a->n;

        begin(f, a);
        g_assert_cmpint(backend_list_nodes(f->backend, on_answer, a, &a->call), ==, 0);
        wait_answer(f, a, n);
}

unsigned n_seen(Fixture *f) {
        g_autofree char *log = fake_log(f->host->root);
        unsigned n = 0;

        for (const char *p = log; (p = strchr(p, '\n')); p++)
                n++;
        return n;
}

void assert_succeeds(Fixture *f) {
        _cleanup_(answer_done) Answer a = {};

        fake_plan(f->host->root, "");
        call(f, &(BackendRequest){ .node = OTHER_NODE, .items = &(BackendItem){ .verb = VERB_CREATE_NODE }, .n_items = 1 }, &a);
        g_assert_cmpint(a.refusal, ==, REFUSAL_NONE);
        g_assert_false(a.outcome_unknown);
}

/* Lets the event loop find out that nothing more comes. */
void run_idle(Fixture *f, unsigned msec) {
        gint64 end = g_get_monotonic_time() + msec * (gint64) MSEC;

        while (g_get_monotonic_time() < end)
                g_assert_cmpint(sd_event_run(f->event, 5 * MSEC), >=, 0);
}

unsigned count_fds(void) {
        g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
        unsigned n = 0;

        while (g_dir_read_name(dir))
                n++;
        return n;
}

void set_up_peer(Fixture *f, uint64_t deadline, unsigned max_workers) {
        int r;

        f->backend = backend_free(f->backend);
        r = backend_new_peer(f->event, "test", f->host->path, deadline, max_workers,
                             &(BackendTraits){ .selects_identifiers = true }, &f->backend);
        g_assert_cmpint(r, ==, 0);
}

void set_up_named(Fixture *f, const char *socket_name, int backlog) {
        f->n_fds = count_fds();
        g_assert_cmpint(sd_event_new(&f->event), >=, 0);
        f->host = worker_host_new(f->event, socket_name, backlog);
        set_up_peer(f, LONG_DEADLINE, 4);
}

void set_up(Fixture *f, gconstpointer data) {
        set_up_named(f, "socket", 64);
}

void tear_down(Fixture *f, gconstpointer data) {
        f->backend = backend_free(f->backend);
        worker_host_free(f->host);
        f->event = sd_event_unref(f->event);
        g_assert_cmpuint(count_fds(), ==, f->n_fds);
        log_set_max_level(LOG_INFO);
}
