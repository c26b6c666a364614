/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/model.h"

#include "model/private.h"

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

void model_remove_node(Model *m, Node *n) {
        while (n->ports)
                model_remove_port(m, n->ports);

        node_free(m, n);
}

void model_remove_portal_group(Model *m, PortalGroup *g) {
        while (g->members)
                model_remove_member(m, g, g->members->tcp);
        portal_group_free(m, g);
}
