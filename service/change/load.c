/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/load.h"

#include <errno.h>

#include "change/journal.h"
#include "common/log.h"

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
        TcpEndpoint *t;

        return model_add_tcp_endpoint(c->model, op->portals, NULL, &t);
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

        r = model_add_node(c->model, op->node, op->alias, op->roles, true, &n);
        if (r < 0)
                return r;
        n->persistent = op->boot_id[0] == '\0';
        n->drift = drift;
        return model_publish_node(c->model, n);
}

static int load_port(Context *c, const StoreOperation *op) {
        Node *n = model_find_node(c->model, op->node);
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

int context_load(Context *c, const StoreImage *image) {
        /* What other programs have in the kernel goes too: it may be what the store calls ours. The look that follows sees it
         * again. */
        model_reset(c->model);
        for (StoredType kind = 0; kind < _STORED_MAX; kind++)
                c->next_ids[kind] = store_image_next_id(image, kind);
        return store_image_visit(image, load, c);
}
