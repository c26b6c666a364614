/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.iscsi.PortalGroup: SystemSpecificCollection, a portal group. */

#include <stdio.h>
#include <string.h>

#include "objects/getter.h"

DEFINE_GETTER(get_element_name, PortalGroup, value_text, o->element_name)
DEFINE_GETTER(get_automatic, PortalGroup, value_bool, o->id == 0)

static int get_members(const Object *o, _unused_ const ObjectContext *c, ValueWriter *w) {
        int r;

        r = value_open(w, 'a', "o");
        for (const Membership *e = ((const PortalGroup *) o)->members; e && r >= 0; e = e->next_of_group)
                if (e->tcp->object.path)
                        r = value_path(w, e->tcp->object.path);
        return r < 0 ? r : value_close(w);
}

/* The number is not encoded: a path is the same whatever reads it. */
static char *make_path(const Object *o) {
        const PortalGroup *g = (const PortalGroup *) o;
        char *path;

        if (g->id == 0)
                return path_below(ROOT_PATH, portal_group_class.level, "default");
        return asprintf(&path, "%s/%s/%llu", ROOT_PATH, portal_group_class.level, (unsigned long long) g->id) < 0 ? NULL : path;
}

DEFINE_ENUMERATION(PortalGroup, portal_group)

static const Property properties[] = {
        { "ElementName", "s", EMITS_CONST, get_element_name },
        { "Members", "ao", EMITS_INVALIDATES, get_members },
        { "Automatic", "b", EMITS_CONST, get_automatic },
        {},
};

const ObjectClass portal_group_class = {
        .type = OBJECT_PORTAL_GROUP,
        .interface = "org.iscsi.PortalGroup",
        .level = "portal_group",
        .make_path = make_path,
        .first = first,
        .next = next,
        .properties = properties,
};
