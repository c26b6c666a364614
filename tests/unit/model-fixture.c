/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model-fixture.h"

#include <string.h>

#include "model/private.h"

const char *const *object_properties(const Object *o) {
        static const char *const of_nodes[] = { "ProtocolEndpoints", "EnabledState", "OperationalStatus", "StatusDescriptions",
                                                NULL };
        static const char *const of_ports[] = { "BindsTo", "EnabledState", "OperationalStatus", "StatusDescriptions", NULL };
        static const char *const of_tcp[] = { "BindsTo", "BoundBy", "MemberOfCollection", NULL };
        static const char *const of_ip[] = { "BoundBy",    "PrefixLength",  "IPv6SubnetPrefixLength",
                                             "SubnetMask", "AddressOrigin", "InterfaceName",
                                             NULL };
        static const char *const of_groups[] = { "Members", NULL };

        switch (o->type) {
        case OBJECT_NODE:
                return of_nodes;
        case OBJECT_PORT:
                return of_ports;
        case OBJECT_TCP_ENDPOINT:
                return of_tcp;
        case OBJECT_IP_ENDPOINT:
                return of_ip;
        case OBJECT_PORTAL_GROUP:
                return of_groups;
        }
        g_assert_not_reached();
}

static void add_path(GPtrArray *paths, const Object *o) {
        if (o->path)
                g_ptr_array_add(paths, o->path);
}

static int compare_texts(gconstpointer a, gconstpointer b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static char *join(GPtrArray *paths, bool sorted) {
        if (sorted)
                g_ptr_array_sort(paths, compare_texts);
        g_ptr_array_add(paths, NULL);
        return g_strjoinv(" ", (char **) paths->pdata);
}

static char *state_property(const char *name, ObjectState state, const char *description) {
        if (g_str_equal(name, "StatusDescriptions"))
                return g_strdup_printf("%d %s", (int) state, description ? description : "(none)");
        g_assert_true(g_str_equal(name, "EnabledState") || g_str_equal(name, "OperationalStatus"));
        return g_strdup_printf("%d", (int) state);
}

static char *port_property(const Port *p, const char *name, GPtrArray *paths) {
        g_autofree char *own = NULL, *absent = NULL;

        if (g_str_equal(name, "BindsTo")) {
                for (size_t i = 0; i < p->n_bindings; i++)
                        add_path(paths, binding_endpoint(p->bindings[i]));
                return join(paths, false);
        }

        own = state_property(name, p->state, p->description);
        if (!g_str_equal(name, "StatusDescriptions"))
                return g_steal_pointer(&own);

        /* It says which portals wait for their address. */
        for (size_t i = 0; i < p->n_bindings; i++) {
                const Binding *b = p->bindings[i];
                const IpEndpoint *e = b->key.tcp ? b->key.tcp->ip : b->ip;

                if (!e->present)
                        g_ptr_array_add(paths, b->key.tcp ? b->key.tcp->name : e->name);
        }
        absent = join(paths, false);
        return g_strdup_printf("%s, absent: %s", own, absent);
}

static char *ip_property(const IpEndpoint *e, const char *name, GPtrArray *paths) {
        const IpAttributes *a = &e->attributes;

        if (g_str_equal(name, "BoundBy")) {
                for (const TcpEndpoint *t = e->tcp_endpoints; t; t = t->next_of_ip)
                        add_path(paths, &t->object);
                for (const Binding *b = e->bound_by; b; b = b->next_of_endpoint)
                        add_path(paths, &b->port->object);
                return join(paths, true);
        }
        if (g_str_equal(name, "AddressOrigin"))
                return g_strdup_printf("%u", a->origin);
        if (g_str_equal(name, "InterfaceName"))
                return g_strdup(a->interface);
        if (g_str_equal(name, e->address.family == AF_INET ? "IPv6SubnetPrefixLength" : "SubnetMask"))
                return g_strdup("");
        return g_strdup_printf("%u", a->prefix_length);
}

char *object_property(const Object *o, const char *name) {
        g_autoptr(GPtrArray) paths = g_ptr_array_new();

        g_assert_true(g_strv_contains(object_properties(o), name));

        switch (o->type) {
        case OBJECT_NODE: {
                const Node *n = (const Node *) o;

                if (!g_str_equal(name, "ProtocolEndpoints"))
                        return state_property(name, n->state, n->description);
                for (const Port *p = n->ports; p; p = p->next_of_node)
                        add_path(paths, &p->object);
                return join(paths, true);
        }
        case OBJECT_PORT:
                return port_property((const Port *) o, name, paths);
        case OBJECT_TCP_ENDPOINT: {
                const TcpEndpoint *t = (const TcpEndpoint *) o;

                if (g_str_equal(name, "BindsTo"))
                        add_path(paths, &t->ip->object);
                else if (g_str_equal(name, "BoundBy"))
                        for (const Binding *b = t->bound_by; b; b = b->next_of_endpoint)
                                add_path(paths, &b->port->object);
                else
                        for (const Membership *e = t->groups; e; e = e->next_of_tcp) {
                                g_assert_nonnull(e->group->object.path); /* groups are published as long as they are there */
                                add_path(paths, &e->group->object);
                        }
                return join(paths, true);
        }
        case OBJECT_IP_ENDPOINT:
                return ip_property((const IpEndpoint *) o, name, paths);
        case OBJECT_PORTAL_GROUP:
                for (const Membership *e = ((const PortalGroup *) o)->members; e; e = e->next_of_group)
                        add_path(paths, &e->tcp->object);
                return join(paths, true);
        }
        g_assert_not_reached();
}

static char *make_path(const Object *o, void *userdata) {
        Recorder *r = userdata;

        if (r->path_fails_in >= 0 && r->path_fails_in-- == 0)
                return NULL;

        switch (o->type) {
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
        }
        return NULL;
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

        g_assert_true(model_find_object(r->model, o->path) == o);
        g_assert_true(g_hash_table_contains(r->beliefs, o->path)); /* nothing is told of what was not added, or is gone */
        g_assert_nonnull(properties[0]);

        g_string_append_printf(r->text, "~ %s", o->path);
        for (const char *const *p = properties; *p; p++) {
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

static unsigned check_nodes(Model *m) {
        unsigned n_nodes = 0, n_ports = 0, n_bindings = 0, n_published = 0;

        for (Node *n = model_first_node(m); n; n = n->hh_name.next) {
                n_nodes++;
                n_published += n->object.path != NULL;
                g_assert_cmpint(n->object.type, ==, OBJECT_NODE);
                g_assert_true(model_find_node(m, n->name) == n);
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
                g_assert_true((e->object.path != NULL) == e->present);
                g_assert_true(e->present || e->tcp_endpoints || e->bound_by);
                g_assert_true(!e->present || model_find_tcp_endpoint(m, &p));
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
                bool reason = !t->automatic || t->bound_by || (t->ip->present && t->portal.port == ISCSI_PORT_DEFAULT);

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

static void check_beliefs(Recorder *r) {
        unsigned n = 0;

        for (Object *o = model_first_object(r->model); o; o = o->hh.next) {
                GHashTable *believed;

                n++;
                g_assert_true(g_hash_table_lookup_extended(r->beliefs, o->path, NULL, (void **) &believed));
                if (!r->reads)
                        continue;
                for (const char *const *p = object_properties(o); *p; p++) {
                        g_autofree char *value = object_property(o, *p);

                        if (g_strcmp0(value, g_hash_table_lookup(believed, *p)) != 0)
                                g_test_message("%s of %s; last told:\n%s", *p, o->path, r->text->str);
                        g_assert_cmpstr(value, ==, g_hash_table_lookup(believed, *p));
                }
        }
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
