/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/load.h"

#include <errno.h>

#include "change/journal.h"
#include "common/log.h"
#include "common/name.h"
#include "model/host-node.h"

/* What each kind of the store is in the model; stored.def says what its operation holds. */

/* There are none so far that the service reads. */
static int load_setting(_unused_ Context *c, _unused_ const StoreOperation *op) {
        return 0;
}

static int load_portal_group(Context *c, const StoreOperation *op) {
        PortalGroup *g;

        return model_add_portal_group(c->model, op->id, op->element_name, &g);
}

static int load_tcp_endpoint(Context *c, const StoreOperation *op) {
        TcpEndpoint *t = model_find_tcp_endpoint(c->model, op->portals);

        if (!t)
                return model_add_tcp_endpoint(c->model, op->portals, NULL, &t);
        if (!t->automatic && !t->doubtful)
                return -EEXIST;

        /* A port of another program binds to it. Its groups are read next. */
        t->doubtful = false;
        model_leave_groups(c->model, t);
        return model_set_tcp_endpoint_automatic(c->model, t, false, NULL);
}

static int load_member(Context *c, const StoreOperation *op) {
        return model_add_member_by_portal(c->model, model_find_portal_group(c->model, op->id), op->portals);
}

static int load_address(Context *c, const StoreOperation *op) {
        return model_declare_address(c->model, &op->address, op->element_name);
}

static int load_node(Context *c, const StoreOperation *op) {
        DriftPolicy drift = DRIFT_DEFAULT;
        Node *n;
        int r;

        if (op->drift_policy[0] && drift_policy_from_text(op->drift_policy, &drift) < 0)
                return -EUCLEAN;

        n = model_find_known_node(c->model, op->node);
        if (!n && strcmp(op->node, HOST_NODE) == 0) { /* of a start with a backend that has one: it stays what it is */
                r = model_add_host_node(c->model, &n);
                if (r >= 0)
                        r = model_publish_node(c->model, n);
                if (r < 0)
                        return r;
        }
        if (n && n->host) { /* it is there whether or not anything is stored of it */
                c->host_stored = true;
                n->drift = drift;
                return model_set_node_alias(c->model, n, op->alias);
        }

        /* It was seen before it was known to be ours. */
        n = model_find_node(c->model, op->node);
        if (n && !n->managed)
                model_remove_node(c->model, n);

        r = model_add_node(c->model, op->node, op->alias, op->roles, true, &n);
        if (r < 0)
                return r;
        n->persistent = op->boot_id[0] == '\0';
        n->drift = drift;
        return model_publish_node(c->model, n);
}

static int load_port(Context *c, const StoreOperation *op) {
        Node *n = model_find_known_node(c->model, op->node);
        Port *p;
        int r;

        if (!n)
                return -EUCLEAN;
        r = model_add_port(c->model, n, op->role, op->identifier, op->portals, op->n_portals, true, &p);
        if (r < 0)
                return r;
        p->enabled = op->enabled;
        return model_publish_port(c->model, p);
}

static int load_journal(Context *c, const StoreOperation *op) {
        return journal_load(c, op->id, op->action, op->before);
}

static int load(const StoreOperation *op, void *userdata) {
        switch (op->verb) {
#define STORED(KIND, name, ...) \
        case STORE_ADD_##KIND:  \
                return load_##name(userdata, op);
#define STORED_INSIDE(...)
#include "store/stored.def"
        default:
                return 0; /* an image has no other verbs */
        }
}

int context_add_host(Context *c) {
        Node *n;
        int r;

        FOR_EACH_ROLE(role)
                if (c->backends[role] && backend_traits(c->backends[role])->has_host_node) {
                        r = model_add_host_node(c->model, &n);
                        return r < 0 ? r : model_publish_node(c->model, n);
                }

        return 0;
}

static void host_stored(int r, const char *why, void *userdata) {
        Context *c = userdata;

        c->host_stored = r >= 0;
        if (r < 0)
                log_error("The host's own node is not in the store, so no port of it can be made: %s", why);
}

int context_store_host(Context *c) {
        _cleanup_(store_change_freep) StoreChange *change = NULL;
        int r;

        if (!model_host_node(c->model) || c->host_stored)
                return 0;
        change = store_change_new();
        r = change ? store_change_add(change,
                                      &(StoreOperation){
                                              .verb = STORE_ADD_NODE,
                                              .node = HOST_NODE,
                                              .alias = "",
                                              .roles = HOST_NODE_ROLES,
                                              .drift_policy = "",
                                              .boot_id = "",
                                      })
                   : -ENOMEM;
        return r < 0 ? r : store_commit(c->store, TAKE_PTR(change), STORE_NOW, host_stored, c, NULL);
}

/* The endpoints that were kept for a port of another program, and that nobody has made by method according to what was read. */
static int settle_doubtful(Context *c) {
        TcpEndpoint *t, *next;
        int r = 0;

        for (t = model_first_tcp_endpoint(c->model); t && r >= 0; t = next) {
                next = t->hh.next;
                if (t->doubtful) {
                        t->doubtful = false;
                        r = model_set_tcp_endpoint_automatic(c->model, t, true, model_find_portal_group(c->model, 0));
                }
        }

        return r;
}

int context_load(Context *c, const StoreImage *image) {
        int r;

        model_reset(c->model);
        c->host_stored = false;
        r = context_add_host(c);
        if (r < 0)
                return r;
        for (StoredType kind = 0; kind < _STORED_MAX; kind++)
                c->next_ids[kind] = store_image_next_id(image, kind);
        r = store_image_visit(image, load, c);
        return r < 0 ? r : settle_doubtful(c);
}
