/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/host-node.h"

#include <errno.h>
#include <string.h>

#include "common/name.h"
#include "model/model.h"
#include "model/private.h"

Node *model_host_node(const Model *m) {
        return m->host_node;
}

const char *node_known_as(const Node *n, uint16_t role) {
        return n->host && role == ROLE_INITIATOR ? HOST_NODE : n->name;
}

const char *node_stored_as(const Node *n) {
        return n->host && n->roles == HOST_NODE_ROLES ? HOST_NODE : n->name;
}

Node *model_find_known_node(Model *m, const char *name) {
        if (m->host_node && strcmp(name, HOST_NODE) == 0)
                return m->host_node;

        return model_find_node(m, name);
}

int model_add_host_node(Model *m, Node **ret) {
        Node *n;
        int r;

        if (m->host_node)
                return -EEXIST;
        r = model_add_node(m, HOST_NODE, "", HOST_NODE_ROLES, true, &n);
        if (r < 0)
                return r;

        n->host = true;
        m->host_node = n;
        *ret = n;
        return 0;
}

/* What is known of FROM as the host's node is known of TO. */
static int take_over(Model *m, Node *from, Node *to) {
        from->host = false;
        to->host = true;
        to->host_looked_at = from->host_looked_at;
        to->roles_wrong = (to->roles_wrong & ~ROLE_BIT(ROLE_INITIATOR)) | (from->roles_wrong & ROLE_BIT(ROLE_INITIATOR));
        m->host_node = to;

        for (Port *p = from->ports, *next; p; p = next) {
                int r;

                next = p->next_of_node;
                if (p->role != ROLE_INITIATOR)
                        continue;
                r = model_move_port(m, p, to);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* A node that another program made becomes ours as an initiator; what that program has in it stays its own. */
static void make_managed(Model *m, Node *n) {
        n->managed = true;
        n->roles = 0;
        object_tell_changed(m, &n->object, "Managed");
}

/* The host's node leaves its name. */
static int leave(Model *m, Node *old, Node *to, bool fresh) {
        char *alias = NULL;
        int r = 0;

        if (old->roles != ROLE_BIT(ROLE_INITIATOR)) {
                old->roles &= ~ROLE_BIT(ROLE_INITIATOR);
                old->roles_wrong &= ~ROLE_BIT(ROLE_INITIATOR);
                object_tell_changed(m, &old->object, "Roles", "Automatic");
                node_derive_state(m, old, NULL);
                return 0;
        }

        if (fresh && old->alias[0]) {
                alias = strdup(old->alias);
                r = alias ? model_set_node_alias(m, old, "") : -ENOMEM;
                if (r >= 0)
                        r = model_set_node_alias(m, to, alias);
                free(alias);
        }
        model_remove_node(m, old);
        return r;
}

int model_name_host_node(Model *m, const char *name) {
        Node *old = m->host_node, *to;
        bool fresh;
        int r;

        if (!name)
                name = HOST_NODE;
        if (strcmp(old->name, name) == 0)
                return 0;
        to = model_find_node(m, name);
        if (to && to->managed && (to->roles & ROLE_BIT(ROLE_INITIATOR)))
                return -EEXIST;
        if (to && !to->object.path)
                return -EBUSY;

        fresh = !to;
        if (fresh) {
                r = model_add_node(m, name, "", ROLE_BIT(ROLE_INITIATOR), true, &to);
                if (r < 0)
                        return r;
                to->drift = old->drift;
                to->persistent = old->persistent;
                model_set_node_state(m, to, old->own.state, old->own.description);
        } else if (!to->managed)
                make_managed(m, to);

        to->roles |= ROLE_BIT(ROLE_INITIATOR);
        to->host = true; /* before it is told */
        if (fresh && old->object.path)
                r = model_publish_node(m, to);
        else {
                object_tell_changed(m, &to->object, "Roles", "Automatic");
                r = 0;
        }
        if (r >= 0)
                r = take_over(m, old, to);
        return r < 0 ? r : leave(m, old, to, fresh);
}
