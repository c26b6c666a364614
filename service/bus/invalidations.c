/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/invalidations.h"

#include <errno.h>
#include <string.h>

#include <uthash.h>

#include "common/log.h"

/* Before the next message of a caller is read. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL - 10)

#define PLACES_MAX 32u

/* An object of which something is to be told. It may be gone by then. */
typedef struct Entry {
        UT_hash_handle hh;
        uint32_t places; /* of the properties in the row of the kind */
        char path[];
} Entry;

struct Invalidations {
        sd_bus *bus;
        Model *model;
        Entry *entries;
        sd_event_source *turn;
};

static void entry_free(Invalidations *i, Entry *e) {
        HASH_DELETE(hh, i->entries, e);
        free(e);
}

static void tell(Invalidations *i, const Entry *e) {
        const Object *o = model_find_object(i->model, e->path);
        char *names[PLACES_MAX + 1] = {};
        size_t n = 0;
        int r;

        if (!o)
                return;
        for (size_t k = 0; k < PLACES_MAX; k++)
                if (e->places & (UINT32_C(1) << k))
                        names[n++] = (char *) object_class(o)->properties[k].name;
        r = sd_bus_emit_properties_changed_strv(i->bus, e->path, object_class(o)->interface, names);
        if (r < 0)
                log_warning_errno(r, "Failed to tell that %s changed", e->path);
}

static int on_turn(_unused_ sd_event_source *s, void *userdata) {
        Invalidations *i = userdata;
        Entry *e, *next;

        HASH_ITER(hh, i->entries, e, next) {
                tell(i, e);
                entry_free(i, e);
        }
        return 0;
}

/* Returns 0 if one of PROPERTIES is told with its value. */
static uint32_t find_places(const ObjectClass *k, const char *const *properties) {
        uint32_t places = 0;

        for (; *properties; properties++) {
                const Property *p = object_class_find_property(k, *properties);
                size_t place = p ? (size_t) (p - k->properties) : PLACES_MAX;

                if (place >= PLACES_MAX || p->emits != EMITS_INVALIDATES)
                        return 0;
                places |= UINT32_C(1) << place;
        }
        return places;
}

static Entry *entry_get(Invalidations *i, const char *path) {
        size_t n = strlen(path);
        Entry *e;

        HASH_FIND(hh, i->entries, path, n, e);
        if (e)
                return e;

        e = calloc(1, sizeof(*e) + n + 1);
        if (!e)
                return NULL;
        memcpy(e->path, path, n);
        HASH_ADD_KEYPTR(hh, i->entries, e->path, n, e);
        return e;
}

bool invalidations_take(Invalidations *i, const Object *o, const char *const *properties) {
        uint32_t places = find_places(object_class(o), properties);
        Entry *e;

        if (places == 0 || sd_event_source_set_enabled(i->turn, SD_EVENT_ONESHOT) < 0)
                return false;
        e = entry_get(i, o->path);
        if (!e)
                return false;
        e->places |= places;
        return true;
}

int invalidations_new(sd_bus *bus, Model *model, Invalidations **ret) {
        _cleanup_(invalidations_freep) Invalidations *i = NULL;
        int r;

        i = calloc(1, sizeof(*i));
        if (!i)
                return -ENOMEM;
        i->bus = bus;
        i->model = model;

        r = sd_event_add_defer(sd_bus_get_event(bus), &i->turn, on_turn, i);
        if (r >= 0)
                r = sd_event_source_set_priority(i->turn, PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_enabled(i->turn, SD_EVENT_OFF);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(i);
        return 0;
}

Invalidations *invalidations_free(Invalidations *i) {
        Entry *e, *next;

        if (!i)
                return NULL;
        HASH_ITER(hh, i->entries, e, next)
                entry_free(i, e);
        sd_event_source_disable_unref(i->turn);
        free(i);
        return NULL;
}
