/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/load.h"

#include <errno.h>

#include "change/journal.h"
#include "common/log.h"

static int load_portal_group(uint64_t id, const char *element_name, void *userdata) {
        PortalGroup *g;

        return id == 0 ? 0 : model_add_portal_group(((Context *) userdata)->model, id, element_name, &g);
}

static int load_tcp_endpoint(const Portal *portal, void *userdata) {
        TcpEndpoint *t;

        return model_add_tcp_endpoint(((Context *) userdata)->model, portal, NULL, &t);
}

static int load_member(uint64_t group, const Portal *portal, void *userdata) {
        Context *c = userdata;

        return model_add_member_by_portal(c->model, model_find_portal_group(c->model, group), portal);
}

static int load_address(const StoreAddress *a, void *userdata) {
        return model_declare_address(((Context *) userdata)->model, a->address, a->element_name);
}

static int load_node(const StoreNode *node, void *userdata) {
        Context *c = userdata;
        DriftPolicy drift = DRIFT_DEFAULT;
        Node *n;
        int r;

        if (node->drift_policy[0] && drift_policy_from_text(node->drift_policy, &drift) < 0)
                return -EUCLEAN;

        r = model_add_node(c->model, node->name, node->alias, node->roles, true, &n);
        if (r < 0)
                return r;
        n->persistent = node->boot_id[0] == '\0';
        n->drift = drift;
        return model_publish_node(c->model, n);
}

static int load_port(const StorePort *port, void *userdata) {
        Context *c = userdata;
        Node *n = model_find_node(c->model, port->node);
        Port *p;
        int r;

        if (!n)
                return -EUCLEAN;
        r = model_add_port(c->model, n, port->role, port->identifier, port->portals, port->n_portals, true, &p);
        if (r < 0)
                return r;
        p->enabled = port->enabled;
        return model_publish_port(c->model, p);
}

static int load_journal(uint64_t id, const char *action, const char *before, void *userdata) {
        return journal_load(userdata, id, action, before);
}

/* Takes everything out but the addresses of the host. What other programs have in the kernel goes too: it may be what the store
 * calls ours. The look that follows sees it again. */
static void unload(Context *c) {
        TcpEndpoint *t, *next_tcp;
        PortalGroup *g, *next_group;
        IpEndpoint *ip, *next_ip;

        while (model_first_node(c->model))
                model_remove_node(c->model, model_first_node(c->model));
        for (t = model_first_tcp_endpoint(c->model); t; t = next_tcp) {
                next_tcp = t->hh.next;
                if (!t->automatic)
                        model_remove_tcp_endpoint(c->model, t);
        }
        for (g = model_first_portal_group(c->model); g; g = next_group) {
                next_group = g->hh.next;
                if (g->id != 0)
                        model_remove_portal_group(c->model, g);
        }
        for (ip = model_first_ip_endpoint(c->model); ip; ip = next_ip) {
                next_ip = ip->hh.next;
                if (ip->declared)
                        model_undeclare_address(c->model, ip);
        }
}

int context_load(Context *c, const StoreImage *image) {
        static const StoreVisitor visitor = {
                .portal_group = load_portal_group,
                .tcp_endpoint = load_tcp_endpoint,
                .member = load_member,
                .address = load_address,
                .node = load_node,
                .port = load_port,
                .journal = load_journal,
        };

        unload(c);
        c->next_group_id = store_image_next_group_id(image);
        c->next_journal_id = store_image_next_journal_id(image);
        return store_image_visit(image, &visitor, c);
}
