/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/portal-group.h"

#include <errno.h>
#include <string.h>

#include "model/object.h"
#include "model/private.h"
#include "model/tcp-endpoint.h"

static size_t size_of_portal_group(const PortalGroup *g) {
        return SIZE_OF_OBJECT + SIZE_OF_GROUP_PATH + strlen(g->element_name);
}

PortalGroup *model_find_portal_group(Model *m, uint64_t id) {
        PortalGroup *g;

        HASH_FIND(hh, m->portal_groups, &id, sizeof(id), g);
        return g;
}

static void portal_group_free(Model *m, PortalGroup *g) {
        object_retract(m, &g->object);
        m->counts.bytes -= size_of_portal_group(g);
        HASH_DELETE(hh, m->portal_groups, g);
        if (g->id != 0)
                m->counts.portal_groups--;
        free(g->element_name);
        free(g);
}

int model_add_portal_group(Model *m, uint64_t id, const char *element_name, PortalGroup **ret) {
        PortalGroup *g;
        int r;

        if (model_find_portal_group(m, id))
                return -EEXIST;

        g = calloc(1, sizeof(*g));
        if (!g)
                return -ENOMEM;
        g->object.type = OBJECT_PORTAL_GROUP;
        g->id = id;
        g->element_name = strdup(element_name);
        if (!g->element_name) {
                free(g);
                return -ENOMEM;
        }

        HASH_ADD(hh, m->portal_groups, id, sizeof(g->id), g);
        m->counts.bytes += size_of_portal_group(g);
        if (id != 0)
                m->counts.portal_groups++;

        r = object_publish(m, &g->object);
        if (r < 0) {
                portal_group_free(m, g);
                return r;
        }

        *ret = g;
        return 0;
}

void model_remove_portal_group(Model *m, PortalGroup *g) {
        while (g->members)
                model_remove_member(m, g, g->members->tcp);
        portal_group_free(m, g);
}

/* The built-in one is the service's. */
void portal_group_reset(Model *m, PortalGroup *g) {
        if (g->id != 0)
                model_remove_portal_group(m, g);
}

int model_add_member_by_portal(Model *m, PortalGroup *g, const Portal *portal) {
        TcpEndpoint *t;
        int r;

        if (!g)
                return -ENOENT;

        r = endpoint_acquire_tcp(m, portal, true, model_find_portal_group(m, 0), &t);
        if (r < 0)
                return r;

        r = model_add_member(m, g, t);
        if (r < 0)
                endpoint_release_tcp(m, t);
        return r;
}
