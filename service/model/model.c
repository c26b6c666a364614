/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/model.h"

#include "model/object.h"
#include "model/private.h"

Model *model_new(const ModelListener *listener, void *userdata) {
        PortalGroup *g;
        Model *m;

        m = calloc(1, sizeof(*m));
        if (!m)
                return NULL;

        m->listener = listener;
        m->userdata = userdata;

        m->service.object.type = OBJECT_SERVICE;
        m->service.drift = DRIFT_REPORT;

        if (model_add_portal_group(m, 0, "default", &g) < 0)
                return model_free(m);
        m->service.object.path = listener->make_path(&m->service.object, userdata);
        if (!m->service.object.path)
                return model_free(m);

        return m;
}

Model *model_free(Model *m) {
        if (!m)
                return NULL;

        m->telling = false;

#define KIND(ENUM, Type, name, names, ...) \
        while (m->names)                   \
                model_remove_##name(m, m->names);
#include "model/kinds.def"

        sessions_free(m);

        for (size_t i = 0; i < ELEMENTSOF(m->service.notices); i++)
                free(m->service.notices[i]);
        free(m->service.object.path);
        free(m);
        return NULL;
}

void model_reset(Model *m) {
#define KIND(ENUM, Type, name, names, ...)             \
        for (Type *o = m->names, *next; o; o = next) { \
                next = o->hh.next;                     \
                name##_reset(m, o);                    \
        }
#include "model/kinds.def"
}

void model_set_telling(Model *m, bool telling) {
        m->telling = telling;
}

const ModelCounts *model_counts(const Model *m) {
        return &m->counts;
}

void model_set_node_managed(Model *m, Node *n, bool managed) {
        if (n->managed == managed)
                return;

        n->managed = managed;
        if (n->persistent)
                object_tell_changed(m, &n->object, "Managed");
        else {
                /* What another program has is not known to end with this boot. */
                n->persistent = true;
                object_tell_changed(m, &n->object, "Managed", "Persistent");
        }
        for (Port *p = n->ports; p; p = p->next_of_node) {
                /* Taken into our care or given back, a port stays as it is. */
                if (p->evidence.valid)
                        p->enabled = p->evidence.enabled;
                p->managed = managed;
                object_tell_changed(m, &p->object, "Managed", "RequestedState");
                port_derive_state(m, p, NULL);
        }
}
