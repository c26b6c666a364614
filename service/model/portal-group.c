/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/portal-group.h"

#include <errno.h>
#include <string.h>

#include "model/object.h"
#include "model/private.h"

static size_t size_of_portal_group(const PortalGroup *g) {
        return SIZE_OF_OBJECT + SIZE_OF_GROUP_PATH + strlen(g->element_name);
}

PortalGroup *model_find_portal_group(Model *m, uint64_t id) {
        PortalGroup *g;

        HASH_FIND(hh, m->portal_groups, &id, sizeof(id), g);
        return g;
}

PortalGroup *model_first_portal_group(Model *m) {
        return m->portal_groups;
}

void portal_group_free(Model *m, PortalGroup *g) {
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
