/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/node.h"

#include <errno.h>
#include <string.h>

#include "model/object.h"
#include "model/private.h"

size_t size_of_node_path(const Node *n) {
        return SIZE_OF_PATH_ROOT + size_of_element(n->name);
}

static size_t size_of_node(const Node *n) {
        return SIZE_OF_OBJECT + size_of_node_path(n) + strlen(n->name) + strlen(n->alias);
}

Node *model_find_node(Model *m, const char *name) {
        Node *n;

        HASH_FIND(hh, m->nodes, name, strlen(name), n);
        return n;
}

Node *model_find_node_by_alias(Model *m, const char *alias) {
        Node *n;

        HASH_FIND(hh_alias, m->aliases, alias, strlen(alias), n);
        return n;
}

static void node_done(Node *n) {
        free(n->name);
        free(n->alias);
        free(n->own.description);
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
                .persistent = true,
                .tag_hint = 1,
        };
        if (!n->name || !n->alias) {
                node_done(n);
                return -ENOMEM;
        }

        HASH_ADD_KEYPTR(hh, m->nodes, n->name, strlen(n->name), n);
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
        n->going = true;
        while (n->ports)
                model_remove_port(m, n->ports);

        object_retract(m, &n->object);
        if (m->host_node == n)
                m->host_node = NULL;
        HASH_DELETE(hh, m->nodes, n);
        if (n->alias[0])
                HASH_DELETE(hh_alias, m->aliases, n);
        m->counts.nodes--;
        m->counts.bytes -= size_of_node(n);
        node_done(n);
}

void node_reset(Model *m, Node *n) {
        if (n->managed)
                model_remove_node(m, n);
}

int model_set_node_alias(Model *m, Node *n, const char *alias) {
        Node *other = alias[0] ? model_find_node_by_alias(m, alias) : NULL;
        char *copy;

        if (strcmp(n->alias, alias) == 0)
                return 0;
        if (other)
                return -EEXIST;
        copy = strdup(alias);
        if (!copy)
                return -ENOMEM;

        if (n->alias[0])
                HASH_DELETE(hh_alias, m->aliases, n);
        m->counts.bytes -= size_of_node(n);
        free(n->alias);
        n->alias = copy;
        m->counts.bytes += size_of_node(n);
        if (n->alias[0])
                HASH_ADD_KEYPTR(hh_alias, m->aliases, n->alias, strlen(n->alias), n);

        object_tell_changed(m, &n->object, "ElementName");
        return 0;
}

void model_set_node_drift_policy(Model *m, Node *n, DriftPolicy policy) {
        if (n->drift == policy)
                return;

        n->drift = policy;
        object_tell_changed(m, &n->object, "DriftPolicy");
}

void model_set_node_roles(Model *m, Node *n, unsigned roles) {
        if (n->roles == roles)
                return;

        n->roles = roles;
        object_tell_changed(m, &n->object, "Roles");
}

void model_set_node_persistent(Model *m, Node *n, bool persistent) {
        if (n->persistent == persistent)
                return;

        n->persistent = persistent;
        object_tell_changed(m, &n->object, "Persistent");
}
