/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change-fixture.h"

#include <string.h>

#include "change/load.h"
#include "change/plan-store.h"
#include "objects/objects.h"
#include "store-fixture.h"

static char *make_path(const Object *o, void *userdata) {
        return object_class(o)->make_path(o);
}

static void added(Object *o, void *userdata) {
        g_string_append_printf(((ChangeWorld *) userdata)->told, "+ %s\n", o->path);
}

static void removing(Object *o, void *userdata) {
        g_string_append_printf(((ChangeWorld *) userdata)->told, "- %s\n", o->path);
}

static void changed(Object *o, const char *const *properties, void *userdata) {
        g_autofree char *names = g_strjoinv(" ", (char **) properties);

        g_string_append_printf(((ChangeWorld *) userdata)->told, "~ %s %s\n", o->path, names);
}

static const ModelListener listener = { make_path, added, removing, changed };

static void opened(Store *s, const StoreImage *image, void *userdata) {
        ChangeWorld *w = userdata;

        g_assert_cmpint(context_load(&w->context, image), ==, 0);
        w->opened = true;
}

static void unavailable(Store *s, const StoreFault *fault, void *userdata) {
        g_error("%s", fault->why);
}

static const StoreCallbacks callbacks = { opened, unavailable };

static void wait_for(ChangeWorld *w, const bool *what) {
        while (!*what)
                g_assert_cmpint(sd_event_run(w->context.event, 10 * 1000000), >=, 0);
}

ChangeWorld *change_world_open(char *directory) {
        ChangeWorld *w = g_new0(ChangeWorld, 1);
        Context *c = &w->context;

        w->directory = directory;
        w->told = g_string_new("");
        c->abilities = (Abilities){
                .roles = { [ROLE_INITIATOR] = { true, true }, [ROLE_TARGET] = { true, true } },
                .max = limits_default,
        };
        c->system_name = strdup("host");
        g_assert_cmpint(sd_event_new(&c->event), >=, 0);
        g_assert_nonnull(c->model = model_new(&listener, w));
        g_assert_cmpint(backend_new_model(c->event, ROLE_TARGET, true, &c->backends[ROLE_TARGET]), ==, 0);
        g_assert_cmpint(backend_new_model(c->event, ROLE_INITIATOR, true, &c->backends[ROLE_INITIATOR]), ==, 0);
        {
                sd_id128_t boot;

                g_assert_cmpint(sd_id128_get_boot(&boot), ==, 0);
                (void) sd_id128_to_string(boot, c->boot_id);
        }
        g_assert_cmpint(store_new(c->event, directory, &callbacks, w, &c->store), ==, 0);
        wait_for(w, &w->opened);
        c->ready = true;
        model_set_telling(c->model, true);
        return w;
}

void change_world_free(ChangeWorld *w) {
        Context *c = &w->context;

        store_close(c->store);
        backend_free(c->backends[ROLE_TARGET]);
        backend_free(c->backends[ROLE_INITIATOR]);
        model_set_telling(c->model, false);
        model_free(c->model);
        sd_event_unref(c->event);
        free(c->system_name);
        g_string_free(w->told, true);
        directory_remove(w->directory);
        g_free(w);
}

static void commit_done(int r, const char *why, void *userdata) {
        ChangeWorld *w = userdata;

        if (r < 0)
                g_test_message("%s", why);
        w->result = r;
        w->committed = true;
}

int change_world_commit(ChangeWorld *w, StoreChange *change) {
        w->committed = false;
        g_assert_cmpint(store_commit(w->context.store, change, STORE_NOW, commit_done, w, NULL), ==, 0);
        wait_for(w, &w->committed);
        return w->result;
}

void change_world_do(ChangeWorld *w, const Method *m, const char *arguments) {
        g_autoptr(Intent) i = read_intent(m, arguments);
        StoreChange *change = store_change_new();
        char *why = NULL;
        Plan p = {};

        if (plan_make(&p, &w->context, i, &why) != 0)
                g_error("%s%s: %s", m->name, arguments, why);
        g_assert_cmpint(plan_store(&p, change, 0), ==, 0);
        g_assert_cmpint(change_world_commit(w, change), ==, 0);
        for (size_t k = 0; k < p.n_operations; k++) {
                Operation *o = p.operations[k];

                g_assert_cmpint(o->kind->settle(o, &w->context), ==, 0);
                o->done = true;
        }
        plan_release(&p);
        plan_done(&p);
}

static void add_addresses(ChangeWorld *w) {
        static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3" };

        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                IpAddress a;

                g_assert_cmpint(ip_address_from_text(addresses[i], &a), ==, 0);
                g_assert_cmpint(model_add_address(w->context.model, &a, &(IpAttributes){ .prefix_length = 24, .origin = 3 }), ==,
                                0);
        }
}

static void add_foreign_node(ChangeWorld *w) {
        Portal p = portal("10.0.0.3:3260");
        Node *n;
        Port *u;

        g_assert_cmpint(model_add_node(w->context.model, NAME_U, "", ROLE_BIT(ROLE_TARGET), false, &n), ==, 0);
        g_assert_cmpint(model_publish_node(w->context.model, n), ==, 0);
        g_assert_cmpint(model_add_port(w->context.model, n, ROLE_TARGET, 1, &p, 1, false, &u), ==, 0);
        g_assert_cmpint(model_publish_port(w->context.model, u), ==, 0);
}

static const struct {
        const Method *method;
        const char *arguments;
} story[] = {
        { &method_create_portal_group, "('fast', {})" },
        { &method_create_portal_group, "('more', {})" },
        { &method_create_portal_group, "('both', {})" },
        { &method_create_portal_group, "('empty', {})" },
        { &method_create_tcp_endpoint, "('" IP("1") "', 860, '" GROUP("1") "', {})" },
        { &method_create_tcp_endpoint, "('" IP("2") "', 860, '" GROUP("1") "', {})" },
        { &method_create_tcp_endpoint, "('" IP("3") "', 5000, '" GROUP("default") "', {})" },
        { &method_add_member, "('" GROUP("3") "', '" TCP("1", "860") "')" },
        { &method_add_member, "('" GROUP("3") "', '" TCP("2", "860") "')" },
        { &method_create_tcp_endpoint, "('" IP("3") "', 5001, '" GROUP("2") "', {})" },
        { &method_add_member, "('" GROUP("3") "', '" TCP("3", "5001") "')" },
        { &method_declare_address, "('192.0.2.9', {'ElementName': <'service address'>})" },
        { &method_create_node, "('alias of a', {'Name': <'" NAME_A "'>, 'Roles': <[uint16 2, 3]>})" },
        { &method_create_node, "('', {'Name': <'" NAME_B "'>})" },
        { &method_create_node, "('', {'Name': <'" NAME_C "'>, 'Persistent': <false>})" },
        { &method_create_port, "('" PATH_A "', 3, '', ['" TCP("1", "860") "', '" TCP("2", "860") "'])" },
        { &method_create_port, "('" PATH_A "', 2, '00023D000001', ['" IP("1") "', '" IP("2") "'])" },
        { &method_create_port,
          "('" PATH_B "', 3, '', ['" TCP("1", "3260") "', '" TCP("2", "3260") "', '" TCP("3", "3260") "'])" },
        { &method_create_port, "('" PATH_C "', 3, '', ['" TCP("1", "3260") "'])" },
};

static char *base; /* directory with the store that the story ends in */

static void remove_base(void) {
        directory_remove(base);
}

ChangeWorld *change_world_new(void) {
        ChangeWorld *w;

        if (!base) {
                g_autoptr(ChangeWorld) first = change_world_open(directory_new());

                add_addresses(first);
                for (size_t i = 0; i < ELEMENTSOF(story); i++)
                        change_world_do(first, story[i].method, story[i].arguments);
                first->context.store = store_close(first->context.store);
                base = directory_copy(first->directory);
                (void) atexit(remove_base);
        }

        w = change_world_open(directory_copy(base));
        add_addresses(w);
        add_foreign_node(w);
        for (Node *n = model_first_node(w->context.model); n; n = n->hh.next) {
                for (Port *p = n->ports; p; p = p->next_of_node)
                        model_set_port_state(w->context.model, p, STATE_IN_FORCE, NULL);
                model_set_node_state(w->context.model, n, STATE_IN_FORCE, NULL);
        }
        g_string_truncate(w->told, 0);
        return w;
}

static void dump_port(GPtrArray *lines, const Port *p, bool everything) {
        GString *s = g_string_new("");
        char text[PORTAL_TEXT_MAX];

        g_string_append_printf(s, "port %s %012" G_GINT64_MODIFIER "X role %u%s%s on", p->key.node->name, p->key.identifier,
                               p->role, p->managed ? "" : " foreign", p->enabled ? "" : " off");
        for (size_t i = 0; i < p->n_bindings; i++) {
                const Binding *b = p->bindings[i];
                Portal on = binding_portal(b);

                g_string_append_printf(s, " %s", on.port ? portal_to_text(&on, text) : ip_address_to_text(&on.address, text));
                if (everything)
                        g_string_append_printf(s, "(%s%s%s%s)", b->pending ? "pending " : "", b->owed ? "owed " : "",
                                               b->removal ? "removal " : "", b->listening ? "listening" : "");
        }
        if (everything)
                g_string_append_printf(s, " path %s removal %" G_GUINT64_FORMAT "%s state %d '%s'", p->object.path, p->removal,
                                       p->owed ? " owed" : "", p->state, p->description ? p->description : "");
        g_ptr_array_add(lines, g_string_free(s, false));
}

static void dump_node(GPtrArray *lines, const Node *n, bool everything) {
        GString *s = g_string_new("");

        g_string_append_printf(s, "node %s '%s' roles %u%s%s drift %d", n->name, n->alias, n->roles, n->managed ? "" : " foreign",
                               n->persistent ? "" : " boot", n->drift);
        if (everything)
                g_string_append_printf(s, " path %s removal %" G_GUINT64_FORMAT " state %d '%s'", n->object.path, n->removal,
                                       n->state, n->description ? n->description : "");
        g_ptr_array_add(lines, g_string_free(s, false));
        for (const Port *p = n->ports; p; p = p->next_of_node)
                dump_port(lines, p, everything);
}

static int compare_texts(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void dump_tcp(GPtrArray *lines, const TcpEndpoint *t, bool everything) {
        g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func(g_free);
        GString *s = g_string_new("");

        for (const Membership *e = t->groups; e; e = e->next_of_tcp)
                g_ptr_array_add(groups, g_strdup_printf("%" G_GUINT64_FORMAT "%s", e->group->id,
                                                        everything && e->leaving ? "(leaving)" : ""));
        g_ptr_array_sort(groups, compare_texts);
        g_string_append_printf(s, "tcp %s%s in", t->name, t->automatic ? " automatic" : "");
        for (unsigned i = 0; i < groups->len; i++)
                g_string_append_printf(s, " %s", (char *) groups->pdata[i]);
        if (everything)
                g_string_append_printf(s, " path %s%s", t->object.path, t->leaving ? " leaving" : "");
        g_ptr_array_add(lines, g_string_free(s, false));
}

char *model_dump(Model *m, bool everything) {
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GString) text = g_string_new("");
        const ModelCounts *c = model_counts(m);

        for (const Node *n = model_first_node(m); n; n = n->hh.next)
                dump_node(lines, n, everything);
        for (const TcpEndpoint *t = model_first_tcp_endpoint(m); t; t = t->hh.next)
                dump_tcp(lines, t, everything);
        for (const IpEndpoint *i = model_first_ip_endpoint(m); i; i = i->hh.next)
                g_ptr_array_add(lines, g_strdup_printf("ip %s%s%s '%s'%s", i->name, i->present ? " present" : "",
                                                       i->declared ? " declared" : "", i->element_name ? i->element_name : "",
                                                       everything && i->leaving ? " leaving" : ""));
        for (const PortalGroup *g = model_first_portal_group(m); g; g = g->hh.next)
                g_ptr_array_add(lines, g_strdup_printf("group %" G_GUINT64_FORMAT " '%s'", g->id, g->element_name));
        if (everything)
                g_ptr_array_add(lines, g_strdup_printf("counts %u %u %u %u %u %zu", c->nodes, c->ports, c->tcp_endpoints,
                                                       c->portal_groups, c->ip_endpoints, c->bytes));
        g_ptr_array_sort(lines, compare_texts);

        for (unsigned i = 0; i < lines->len; i++)
                g_string_append_printf(text, "%s\n", (char *) lines->pdata[i]);
        return g_string_free(g_steal_pointer(&text), false);
}

char *change_world_store_dump(const ChangeWorld *w) {
        g_autofree char *text = store_dump(&(TestStore){ .directory = w->directory });
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        qsort(lines, g_strv_length(lines), sizeof(char *), compare_texts);
        return g_strjoinv("\n", lines);
}

Node *world_node(ChangeWorld *w, const char *name) {
        Node *n = model_find_node(w->context.model, name);

        g_assert_nonnull(n);
        return n;
}

Port *world_port(ChangeWorld *w, const char *node, uint64_t identifier) {
        Port *p = model_find_port(w->context.model, world_node(w, node), identifier);

        g_assert_nonnull(p);
        return p;
}
