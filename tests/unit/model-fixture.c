/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model-fixture.h"

#include <string.h>

#include "exchange/json.h"
#include "model/private.h"
#include "objects/objects.h"

const char *const *object_properties(const Object *o) {
        static const char *lists[_OBJECT_TYPE_MAX][32];
        const char **list = lists[o->type];

        if (!list[0])
                for (const Property *p = object_class(o)->properties; p->name; p++)
                        if (p->emits != EMITS_CONST)
                                *list++ = p->name;
        return lists[o->type];
}

static int compare_texts(gconstpointer a, gconstpointer b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* "[\"a\",\"b\"]" becomes "a b". */
static char *list_text(const char *json, bool sorted) {
        g_autofree char *inner = g_strndup(json + 1, strlen(json) - 2);
        g_auto(GStrv) items = g_strsplit(inner, ",", 0);
        g_autofree char *joined = NULL;

        if (sorted)
                qsort(items, g_strv_length(items), sizeof(char *), compare_texts);
        joined = g_strjoinv(" ", items);
        for (char *q = joined; (q = strchr(q, '"'));)
                memmove(q, q + 1, strlen(q));
        return g_steal_pointer(&joined);
}

char *object_property(const Object *o, const char *name) {
        const Property *p = object_class_find_property(object_class(o), name);
        ObjectContext context = { .abilities = &(Abilities){}, .sessions_known = true };
        _cleanup_(json_writer_freep) JsonWriter *j = NULL;
        _cleanup_free_ char *json = NULL;

        g_assert_nonnull(p);
        g_assert_cmpint(json_writer_new(JSON_COMPACT, &j), ==, 0);
        g_assert_cmpint(p->get(o, &context, json_writer_value(j)), ==, 0);
        g_assert_cmpint(json_writer_finish(j, &json), ==, 0);

        if (json[0] == '[' && !g_str_equal(p->signature, "as"))
                return list_text(json, !g_str_equal(name, "BindsTo") && !g_str_equal(name, "ListeningOn"));
        return g_strdup(json);
}

static char *make_path(const Object *o, void *userdata) {
        Recorder *r = userdata;

        if (r->path_fails_in >= 0 && r->path_fails_in-- == 0)
                return NULL;

        switch (o->type) {
        case OBJECT_SERVICE:
                return g_strdup("/");
        case OBJECT_NODE:
                return g_strdup_printf("/node/%s", ((const Node *) o)->name);
        case OBJECT_PORT: {
                const Port *p = (const Port *) o;

                return g_strdup_printf("/node/%s/%012llX", p->key.node->name, (unsigned long long) p->key.identifier);
        }
        case OBJECT_TCP_ENDPOINT:
                return g_strdup_printf("/tcp/%s", ((const TcpEndpoint *) o)->name);
        case OBJECT_IP_ENDPOINT:
                return g_strdup_printf("/ip/%s", ((const IpEndpoint *) o)->name);
        case OBJECT_PORTAL_GROUP:
                return g_strdup_printf("/group/%llu", (unsigned long long) ((const PortalGroup *) o)->id);
        default:
                g_assert_not_reached();
        }
}

static GHashTable *read_object(const Object *o) {
        GHashTable *properties = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);

        for (const char *const *p = object_properties(o); *p; p++)
                g_hash_table_insert(properties, (char *) *p, object_property(o, *p));
        return properties;
}

static void recorder_added(Object *o, void *userdata) {
        Recorder *r = userdata;

        g_assert_true(model_find_object(r->model, o->path) == o);
        g_assert_false(g_hash_table_contains(r->beliefs, o->path));
        g_hash_table_insert(r->beliefs, g_strdup(o->path), r->reads ? read_object(o) : NULL);
        g_string_append_printf(r->text, "+ %s\n", o->path);
}

static void recorder_removing(Object *o, void *userdata) {
        Recorder *r = userdata;

        g_assert_true(model_find_object(r->model, o->path) == o);
        if (r->reads)
                g_hash_table_unref(read_object(o)); /* it can still be read */
        g_assert_true(g_hash_table_remove(r->beliefs, o->path));
        g_string_append_printf(r->text, "- %s\n", o->path);
}

static void recorder_changed(Object *o, const char *const *properties, void *userdata) {
        Recorder *r = userdata;

        g_assert_true(o->type == OBJECT_SERVICE || model_find_object(r->model, o->path) == o);
        g_assert_true(g_hash_table_contains(r->beliefs, o->path)); /* nothing is told of what was not added, or is gone */
        g_assert_nonnull(properties[0]);

        g_string_append_printf(r->text, "~ %s", o->path);
        for (const char *const *p = properties; *p; p++) {
                g_assert_true(g_strv_contains(object_properties(o), *p));
                g_string_append_printf(r->text, " %s", *p);
                if (r->reads)
                        g_hash_table_replace(g_hash_table_lookup(r->beliefs, o->path), (char *) *p, object_property(o, *p));
        }
        g_string_append_c(r->text, '\n');
}

static const ModelListener listener = {
        .make_path = make_path,
        .added = recorder_added,
        .removing = recorder_removing,
        .changed = recorder_changed,
};

static void properties_unref(gpointer p) {
        if (p)
                g_hash_table_unref(p);
}

Recorder *recorder_new(void) {
        Recorder *r = g_new0(Recorder, 1);

        r->text = g_string_new("");
        r->beliefs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, properties_unref);
        r->path_fails_in = -1;
        r->reads = true;
        r->model = model_new(&listener, r);
        g_assert_nonnull(r->model);

        for (Object *o = model_first_object(r->model); o; o = o->hh.next)
                g_hash_table_insert(r->beliefs, g_strdup(o->path), read_object(o));
        g_hash_table_insert(r->beliefs, g_strdup("/"), read_object(&model_service(r->model)->object));
        model_set_telling(r->model, true);
        return r;
}

void recorder_free(Recorder *r) {
        g_assert_null(model_free(r->model));
        g_string_free(r->text, TRUE);
        g_hash_table_unref(r->beliefs);
        g_free(r);
}

void recorder_assert_told_at(const char *where, Recorder *r, const char *const *lines) {
        g_autofree char *joined = g_strjoinv("\n", (char **) lines);
        g_autofree char *expected = g_strdup_printf("%s%s", joined, *joined ? "\n" : "");

        if (!g_str_equal(r->text->str, expected))
                g_test_message("%s: told:\n%s", where, r->text->str);
        g_assert_cmpstr(r->text->str, ==, expected);
        g_string_truncate(r->text, 0);
}

void recorder_forget(Recorder *r) {
        g_string_truncate(r->text, 0);
}

#define LIST_COUNT(ret, head, item, next)                         \
        do {                                                      \
                (ret) = 0;                                        \
                for (typeof(head) _i = (head); _i; _i = _i->next) \
                        (ret) += _i == (item);                    \
        } while (0)

static void check_binding(Model *m, Port *p, Binding *b) {
        unsigned n;

        g_assert_true(b->port == p);
        g_assert_true(b->key.node == p->key.node);
        g_assert_true(*b->link_of_endpoint == b);
        g_assert_true(port_find_binding(p, binding_endpoint(b)) == b); /* no endpoint twice */

        if (p->role == ROLE_TARGET) {
                g_assert_nonnull(b->key.tcp);
                g_assert_null(b->ip);
                LIST_COUNT(n, b->key.tcp->bound_by, b, next_of_endpoint);
                g_assert_true(model_find_user_of_portal(m, p->key.node, b->key.tcp) == p);
                g_assert_true(binding_endpoint(b) == &b->key.tcp->object);
        } else {
                g_assert_null(b->key.tcp);
                g_assert_nonnull(b->ip);
                LIST_COUNT(n, b->ip->bound_by, b, next_of_endpoint);
                g_assert_true(binding_endpoint(b) == &b->ip->object);
        }
        g_assert_cmpuint(n, ==, 1);
}

static void check_bound_by(const Binding *bound_by, const Object *endpoint) {
        for (const Binding *b = bound_by; b; b = b->next_of_endpoint)
                g_assert_true(port_find_binding(b->port, endpoint) == b);
}

/* The sum of a node's ports is kept as they change: here it is made anew. */
static void check_node_state(const Node *n) {
        unsigned in[_STATE_MAX] = {};

        for (const Port *p = n->ports; p; p = p->next_of_node)
                if (p->object.path) {
                        in[p->state]++;
                        if (n->worst && n->worst->state == p->state)
                                g_assert_cmpuint(n->worst->key.identifier, <=, p->key.identifier);
                }
        g_assert_cmpmem(in, sizeof(in), n->n_ports_in, sizeof(n->n_ports_in));
        g_assert_true(in[n->state] > 0 || n->state == n->own.state);
        g_assert_true(!n->worst || in[n->worst->state] > 0);
}

static unsigned check_nodes(Model *m) {
        unsigned n_nodes = 0, n_ports = 0, n_bindings = 0, n_published = 0;

        for (Node *n = model_first_node(m); n; n = n->hh.next) {
                n_nodes++;
                n_published += n->object.path != NULL;
                g_assert_cmpint(n->object.type, ==, OBJECT_NODE);
                g_assert_true(model_find_node(m, n->name) == n);
                check_node_state(n);
                if (n->alias[0])
                        g_assert_true(model_find_node_by_alias(m, n->alias) == n);
                g_assert_true(!n->ports || n->ports->link_of_node == &n->ports);

                for (Port *p = n->ports; p; p = p->next_of_node) {
                        n_ports++;
                        n_published += p->object.path != NULL;
                        g_assert_cmpint(p->object.type, ==, OBJECT_PORT);
                        g_assert_true(p->key.node == n);
                        g_assert_true(*p->link_of_node == p);
                        g_assert_true(model_find_port(m, n, p->key.identifier) == p);
                        for (size_t i = 0; i < p->n_bindings; i++) {
                                check_binding(m, p, p->bindings[i]);
                                n_bindings += p->role == ROLE_TARGET;
                        }
                }
        }

        g_assert_cmpuint(n_nodes, ==, model_counts(m)->nodes);
        g_assert_cmpuint(n_ports, ==, model_counts(m)->ports);
        g_assert_cmpuint(n_ports, ==, HASH_COUNT(m->ports));
        g_assert_cmpuint(n_bindings, ==, HASH_COUNT(m->bindings));
        return n_published;
}

static unsigned check_addresses(Model *m) {
        unsigned n_published = 0, n_tcp = 0, n;

        for (IpEndpoint *e = m->ip_endpoints; e; e = e->hh.next) {
                Portal p = { .address = e->address, .port = ISCSI_PORT_DEFAULT };

                g_assert_cmpint(e->object.type, ==, OBJECT_IP_ENDPOINT);
                g_assert_true(model_find_ip_endpoint(m, &e->address) == e);
                g_assert_true((e->object.path != NULL) == ip_endpoint_is_known(e));
                g_assert_true(ip_endpoint_is_known(e) || e->tcp_endpoints || e->bound_by);
                g_assert_true(!ip_endpoint_is_known(e) || model_find_tcp_endpoint(m, &p));
                n_published += e->object.path != NULL;
                check_bound_by(e->bound_by, &e->object);
                for (TcpEndpoint *t = e->tcp_endpoints; t; t = t->next_of_ip) {
                        n_tcp++;
                        g_assert_true(t->ip == e);
                        LIST_COUNT(n, e->tcp_endpoints, t, next_of_ip);
                        g_assert_cmpuint(n, ==, 1);
                }
        }

        g_assert_cmpuint(n_tcp, ==, HASH_COUNT(m->tcp_endpoints));
        return n_published;
}

static unsigned check_portals(Model *m) {
        unsigned n_published = 0, n_made = 0, n_groups = 0, n_memberships = 0, n;

        for (TcpEndpoint *t = m->tcp_endpoints; t; t = t->hh.next) {
                bool reason =
                        !t->automatic || t->bound_by || (ip_endpoint_is_known(t->ip) && t->portal.port == ISCSI_PORT_DEFAULT);

                g_assert_cmpint(t->object.type, ==, OBJECT_TCP_ENDPOINT);
                g_assert_true(model_find_tcp_endpoint(m, &t->portal) == t);
                g_assert_cmpint(ip_address_compare(&t->portal.address, &t->ip->address), ==, 0);
                n_published += t->object.path != NULL;
                n_made += !t->automatic;
                check_bound_by(t->bound_by, &t->object);

                for (Membership *e = t->groups; e; e = e->next_of_tcp) {
                        n_memberships++;
                        reason = reason || e->group->id != 0;
                        g_assert_true(e->tcp == t);
                        g_assert_true(*e->link_of_tcp == e && *e->link_of_group == e);
                        LIST_COUNT(n, e->group->members, e, next_of_group);
                        g_assert_cmpuint(n, ==, 1);
                }
                g_assert_true(reason);
                g_assert_true(!t->automatic || portal_group_has_member(model_find_portal_group(m, 0), t));
        }

        for (PortalGroup *g = m->portal_groups; g; g = g->hh.next) {
                g_assert_cmpint(g->object.type, ==, OBJECT_PORTAL_GROUP);
                g_assert_true(model_find_portal_group(m, g->id) == g);
                n_published += g->object.path != NULL;
                n_groups += g->id != 0;
                for (Membership *e = g->members; e; e = e->next_of_group) {
                        g_assert_true(e->group == g);
                        g_assert_true(portal_group_has_member(g, e->tcp));
                        LIST_COUNT(n, g->members, e, next_of_group);
                        g_assert_cmpuint(n, ==, 1);
                        n_memberships--;
                }
        }

        g_assert_cmpuint(n_memberships, ==, 0);
        g_assert_cmpuint(n_made, ==, model_counts(m)->tcp_endpoints);
        g_assert_cmpuint(n_groups, ==, model_counts(m)->portal_groups);
        g_assert_nonnull(model_find_portal_group(m, 0));
        return n_published;
}

static void check_belief(Recorder *r, const Object *o) {
        GHashTable *believed;

        g_assert_true(g_hash_table_lookup_extended(r->beliefs, o->path, NULL, (void **) &believed));
        for (const char *const *p = object_properties(o); *p && r->reads; p++) {
                g_autofree char *value = object_property(o, *p);

                if (g_strcmp0(value, g_hash_table_lookup(believed, *p)) != 0)
                        g_test_message("%s of %s; last told:\n%s", *p, o->path, r->text->str);
                g_assert_cmpstr(value, ==, g_hash_table_lookup(believed, *p));
        }
}

static void check_beliefs(Recorder *r) {
        unsigned n = 1;

        check_belief(r, &model_service(r->model)->object);
        for (Object *o = model_first_object(r->model); o; o = o->hh.next, n++)
                check_belief(r, o);
        g_assert_cmpuint(n, ==, g_hash_table_size(r->beliefs));
}

void model_check(Model *m) {
        unsigned n_published = check_nodes(m) + check_addresses(m) + check_portals(m);

        g_assert_cmpuint(n_published, ==, HASH_COUNT(m->objects));
        for (Object *o = model_first_object(m); o; o = o->hh.next)
                g_assert_true(model_find_object(m, o->path) == o);
}

void recorder_check(Recorder *r) {
        model_check(r->model);
        check_beliefs(r);
}

IpAddress address(const char *text) {
        IpAddress a;

        g_assert_cmpint(ip_address_from_text(text, &a), ==, 0);
        return a;
}

Portal portal(const char *text) {
        Portal p;

        if (portal_from_text(text, &p) < 0)
                p = (Portal){ .address = address(text) };
        return p;
}

Node *node(Recorder *r, const char *name) {
        Node *n = model_find_node(r->model, name);

        g_assert_nonnull(n);
        return n;
}

Port *port(Recorder *r, const char *node_name, uint64_t identifier) {
        Port *p = model_find_port(r->model, node(r, node_name), identifier);

        g_assert_nonnull(p);
        return p;
}

TcpEndpoint *tcp(Recorder *r, const char *text) {
        Portal p = portal(text);
        TcpEndpoint *t = model_find_tcp_endpoint(r->model, &p);

        g_assert_nonnull(t);
        return t;
}

IpEndpoint *ip(Recorder *r, const char *text) {
        IpAddress a = address(text);
        IpEndpoint *e = model_find_ip_endpoint(r->model, &a);

        g_assert_nonnull(e);
        return e;
}

PortalGroup *group(Recorder *r, uint64_t id) {
        PortalGroup *g = model_find_portal_group(r->model, id);

        g_assert_nonnull(g);
        return g;
}

Node *add_node(Recorder *r, const char *name, unsigned roles) {
        Node *n;

        g_assert_cmpint(model_add_node(r->model, name, "", roles, true, &n), ==, 0);
        g_assert_cmpint(model_publish_node(r->model, n), ==, 0);
        return n;
}

int try_add_port(Recorder *r, Node *n, uint16_t role, uint64_t identifier, const char *portals, Port **ret) {
        g_auto(GStrv) texts = g_strsplit(portals, " ", -1);
        Portal array[128];
        size_t n_portals = 0;

        for (char **t = texts; *t; t++) {
                g_assert_cmpuint(n_portals, <, ELEMENTSOF(array));
                array[n_portals++] = portal(*t);
        }
        return model_add_port(r->model, n, role, identifier, array, n_portals, true, ret);
}

Port *add_port(Recorder *r, Node *n, uint16_t role, uint64_t identifier, const char *portals) {
        Port *p;

        g_assert_cmpint(try_add_port(r, n, role, identifier, portals, &p), ==, 0);
        g_assert_cmpint(model_publish_port(r->model, p), ==, 0);
        return p;
}

void add_address(Recorder *r, const char *text) {
        static const IpAttributes attributes = { .prefix_length = 24, .origin = 3, .interface = "eth0" };
        IpAddress a = address(text);

        g_assert_cmpint(model_add_address(r->model, &a, &attributes), ==, 0);
}

void remove_address(Recorder *r, const char *text) {
        IpAddress a = address(text);

        model_remove_address(r->model, &a);
}

TcpEndpoint *add_tcp(Recorder *r, const char *text, PortalGroup *g) {
        Portal p = portal(text);
        TcpEndpoint *t;

        g_assert_cmpint(model_add_tcp_endpoint(r->model, &p, g, &t), ==, 0);
        return t;
}

PortalGroup *add_group(Recorder *r, uint64_t id, const char *element_name) {
        PortalGroup *g;

        g_assert_cmpint(model_add_portal_group(r->model, id, element_name, &g), ==, 0);
        return g;
}
