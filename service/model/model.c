/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model as a whole: its index by path, and nodes. */

#include "model/model.h"

#include <errno.h>
#include <string.h>

#include "model/model-internal.h"

Model *model_new(const ModelListener *listener, void *userdata) {
        PortalGroup *g;
        Model *m;

        m = calloc(1, sizeof(*m));
        if (!m)
                return NULL;

        m->listener = listener;
        m->userdata = userdata;

        if (model_add_portal_group(m, 0, "default", &g) < 0)
                return model_free(m);

        return m;
}

Model *model_free(Model *m) {
        if (!m)
                return NULL;

        m->telling = false;

        while (m->nodes)
                model_remove_node(m, m->nodes);
        while (m->tcp_endpoints)
                tcp_endpoint_free(m, m->tcp_endpoints);
        while (m->ip_endpoints)
                ip_endpoint_free(m, m->ip_endpoints);
        while (m->portal_groups)
                portal_group_free(m, m->portal_groups);

        free(m);
        return NULL;
}

void model_set_telling(Model *m, bool telling) {
        m->telling = telling;
}

const ModelCounts *model_counts(const Model *m) {
        return &m->counts;
}

int object_publish(Model *m, Object *o) {
        if (o->path)
                return 0;

        o->path = m->listener->make_path(o, m->userdata);
        if (!o->path)
                return -ENOMEM;

        HASH_ADD_KEYPTR(hh, m->objects, o->path, strlen(o->path), o);

        if (m->telling)
                m->listener->added(o, m->userdata);

        return 0;
}

void object_retract(Model *m, Object *o) {
        if (!o->path)
                return;

        if (m->telling)
                m->listener->removing(o, m->userdata);

        HASH_DELETE(hh, m->objects, o);
        free(TAKE_PTR(o->path));
}

void object_tell(Model *m, Object *o, const char *const *properties) {
        if (m->telling && o->path)
                m->listener->changed(o, properties, m->userdata);
}

Object *model_find_object(Model *m, const char *path) {
        Object *o;

        HASH_FIND(hh, m->objects, path, strlen(path), o);
        return o;
}

Object *model_first_object(Model *m) {
        return m->objects;
}

Node *model_first_node(Model *m) {
        return m->nodes;
}

TcpEndpoint *model_first_tcp_endpoint(Model *m) {
        return m->tcp_endpoints;
}

IpEndpoint *model_first_ip_endpoint(Model *m) {
        return m->ip_endpoints;
}

PortalGroup *model_first_portal_group(Model *m) {
        return m->portal_groups;
}

Node *model_find_node(Model *m, const char *name) {
        Node *n;

        HASH_FIND(hh_name, m->nodes, name, strlen(name), n);
        return n;
}

Node *model_find_node_by_alias(Model *m, const char *alias) {
        Node *n;

        HASH_FIND(hh_alias, m->aliases, alias, strlen(alias), n);
        return n;
}

static void node_free(Node *n) {
        free(n->name);
        free(n->alias);
        free(n->description);
        free(n);
}

int model_add_node(Model *m, const char *name, const char *alias, unsigned roles, bool managed, Node **ret) {
        Node *n;

        if (model_find_node(m, name) || (alias[0] && model_find_node_by_alias(m, alias)))
                return -EEXIST;

        n = malloc(sizeof(*n));
        if (!n)
                return -ENOMEM;
        *n = (Node){
                .object.type = OBJECT_NODE,
                .name = strdup(name),
                .alias = strdup(alias),
                .roles = roles,
                .managed = managed,
                .tag_hint = 1,
        };
        if (!n->name || !n->alias) {
                node_free(n);
                return -ENOMEM;
        }

        HASH_ADD_KEYPTR(hh_name, m->nodes, n->name, strlen(n->name), n);
        if (n->alias[0])
                HASH_ADD_KEYPTR(hh_alias, m->aliases, n->alias, strlen(n->alias), n);
        m->counts.nodes++;
        m->counts.bytes += size_of_node(n);

        *ret = n;
        return 0;
}

int model_publish_node(Model *m, Node *n) {
        return object_publish(m, &n->object);
}

void model_remove_node(Model *m, Node *n) {
        while (n->ports)
                model_remove_port(m, n->ports);

        object_retract(m, &n->object);
        HASH_DELETE(hh_name, m->nodes, n);
        if (n->alias[0])
                HASH_DELETE(hh_alias, m->aliases, n);
        m->counts.nodes--;
        m->counts.bytes -= size_of_node(n);
        node_free(n);
}

void model_set_node_state(Model *m, Node *n, ObjectState state, const char *description) {
        bool other_state = n->state != state;

        if (!other_state && strcmp(n->description ? n->description : "", description ? description : "") == 0)
                return;

        n->state = state;
        free(n->description);
        n->description = description ? strdup(description) : NULL; /* without memory the state stands without its text */

        if (other_state)
                object_changed(m, &n->object, "EnabledState", "OperationalStatus", "StatusDescriptions");
        else
                object_changed(m, &n->object, "StatusDescriptions");
}
