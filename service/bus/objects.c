/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Lookup and enumeration of the objects on the bus, their properties, and the signals about them, all from the rows of
 * objects/objects.h.
 *
 * All objects but the root are served by fallback vtables: nothing is registered per object, a lookup is one hash lookup, and
 * adding an object costs the same with ten objects and with ten thousand. */

#include "bus/objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "bus/bus-value.h"
#include "bus/invalidations.h"
#include "bus/methods.h"
#include "bus/sessions.h"

/* One kind on the bus: the userdata of its vtable and its enumerator. */
typedef struct Registration {
        Manager *manager;
        const ObjectClass *class;
        MethodTable methods;
        sd_bus_vtable *vtable;
} Registration;

struct BusObjects {
        Registration registrations[_OBJECT_TYPE_MAX];
        Invalidations *invalidations;
};

static char *make_path(const Object *o, _unused_ void *userdata) {
        return object_class(o)->make_path(o);
}

static void object_added(Object *o, void *userdata) {
        Manager *m = userdata;
        int r;

        r = sd_bus_emit_object_added(m->bus, o->path);
        if (r < 0)
                log_warning_errno(r, "Failed to tell that %s was added", o->path);
        if (o->type == OBJECT_PORT)
                bus_sessions_port_added(m->sessions, (const Port *) o);
}

static void object_removing(Object *o, void *userdata) {
        Manager *m = userdata;
        int r;

        r = sd_bus_emit_object_removed(m->bus, o->path);
        if (r < 0)
                log_warning_errno(r, "Failed to tell that %s was removed", o->path);
}

static void object_changed(Object *o, const char *const *properties, void *userdata) {
        Manager *m = userdata;
        int r;

        if (invalidations_take(m->objects->invalidations, o, properties))
                return;
        r = sd_bus_emit_properties_changed_strv(m->bus, o->path, object_class(o)->interface, (char **) properties);
        if (r < 0)
                log_warning_errno(r, "Failed to tell that %s changed", o->path);
}

const ModelListener objects_listener = {
        .make_path = make_path,
        .added = object_added,
        .removing = object_removing,
        .changed = object_changed,
};

/* The I-th property of the object that sd-bus found. The root is not looked up: it is the service. */
static int get_property(sd_bus *bus, size_t i, sd_bus_message *reply, void *userdata) {
        const Registration *r = sd_bus_slot_get_userdata(sd_bus_get_current_slot(bus));
        const Object *o = r->class->level ? userdata : &model_service(r->manager->context.model)->object;
        ObjectContext context = {
                .abilities = &r->manager->context.abilities,
                .sessions_known = model_sessions_known(r->manager->context.model),
        };
        BusWriter w = bus_writer(reply);

        return r->class->properties[i].get(o, &context, &w.writer);
}

/* sd-bus gives a getter only the property's name. One function for each place in a row saves the search for the name, which would
 * cost time in a GetManagedObjects of thousands of objects. */
#define DEFINE_PROPERTY(i)                                                                                  \
        static int get_property_##i(sd_bus *bus, _unused_ const char *path, _unused_ const char *interface, \
                                    _unused_ const char *property, sd_bus_message *reply, void *userdata,   \
                                    _unused_ sd_bus_error *error) {                                         \
                return get_property(bus, i, reply, userdata);                                               \
        }
#define FOR_EACH_PLACE(f)                                                                                                   \
        f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15) f(16) f(17) f(18) f(19) f(20) \
                f(21) f(22) f(23)
FOR_EACH_PLACE(DEFINE_PROPERTY)

#define PROPERTY_GETTER(i) get_property_##i,
static const sd_bus_property_get_t property_getters[] = { FOR_EACH_PLACE(PROPERTY_GETTER) };

static int find(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface, void *userdata, void **ret,
                _unused_ sd_bus_error *error) {
        const Registration *r = userdata;
        Object *o;

        o = model_find_object(r->manager->context.model, path);
        if (!o || o->type != r->class->type)
                return 0;

        *ret = o;
        return 1;
}

/* Paths, malloc'ed and ended by NULL as sd-bus wants them. */
typedef struct PathList {
        char **paths;
        size_t n;
} PathList;

static void path_list_done(PathList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->paths[i]);
        free(l->paths);
}

static int path_list_take(PathList *l, char *path /* taken; NULL: no memory */) {
        _cleanup_free_ char *taken = path;
        char **paths;

        if (!taken)
                return -ENOMEM;

        /* Doubling at powers of two, so that long lists are not copied for each entry. */
        if ((l->n & (l->n + 1)) == 0) {
                paths = realloc(l->paths, (2 * (l->n + 1)) * sizeof(char *));
                if (!paths)
                        return -ENOMEM;
                l->paths = paths;
        }

        l->paths[l->n++] = TAKE_PTR(taken);
        l->paths[l->n] = NULL;
        return 0;
}

/* The published objects of the class below PARENT (NULL: the root). */
#define FOR_EACH_OBJECT(o, m, k, parent)                             \
        for (Object *o = (k)->first(m, parent); o; o = (k)->next(o)) \
                if (o->path)

/* All objects of class K below PARENT, with all that is below them if RECURSIVE. */
static int list_objects(Model *m, const ObjectClass *k, Object *parent, bool recursive, PathList *l) {
        int r;

        FOR_EACH_OBJECT(o, m, k, parent) {
                r = path_list_take(l, strdup(o->path));
                for (size_t i = 0; i < ELEMENTSOF(object_classes) && recursive && r >= 0; i++)
                        if (object_classes[i]->parent == k)
                                r = list_objects(m, object_classes[i], o, true, l);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Between an object and those below it is a level without objects. It is there while there are some. */
static int list_levels(Model *m, Object *parent, PathList *l) {
        for (size_t i = 0; i < ELEMENTSOF(object_classes); i++) {
                const ObjectClass *k = object_classes[i];

                if (k->parent != object_class(parent))
                        continue;
                FOR_EACH_OBJECT(o, m, k, parent) {
                        char *level;
                        int r;

                        r = path_list_take(l, asprintf(&level, "%s/%s", parent->path, k->level) < 0 ? NULL : level);
                        if (r < 0)
                                return r;
                        break;
                }
        }

        return 0;
}

/* The parent object of the level PATH, and the class of the objects below that level. */
static Object *find_parent(Model *m, const char *path, const ObjectClass **ret) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *prefix = strndup(path, (size_t) (slash - path));
        Object *parent = prefix ? model_find_object(m, prefix) : NULL;

        for (size_t i = 0; i < ELEMENTSOF(object_classes) && parent; i++)
                if (object_classes[i]->parent == object_class(parent) && strcmp(object_classes[i]->level, slash + 1) == 0) {
                        *ret = object_classes[i];
                        return parent;
                }

        return NULL;
}

/* Called for GetManagedObjects of the root, which wants everything, and for Introspect, which wants what is one level below
 * PATH. */
static int enumerate(_unused_ sd_bus *bus, const char *path, void *userdata, char ***ret, _unused_ sd_bus_error *error) {
        const Registration *registration = userdata;
        Model *m = registration->manager->context.model;
        _cleanup_(path_list_done) PathList l = {};
        size_t collection = strlen(ROOT_PATH "/") + strlen(registration->class->level);
        const ObjectClass *k;
        Object *o;
        int r = 0;

        if (strlen(path) <= collection)
                r = list_objects(m, registration->class, NULL, strlen(path) < collection, &l);
        else if ((o = model_find_object(m, path)))
                r = list_levels(m, o, &l);
        else if ((o = find_parent(m, path, &k)))
                r = list_objects(m, k, o, false, &l);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(l.paths);
        l.n = 0;
        return 0;
}

static int on_method(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return methods_dispatch(message, ((Registration *) userdata)->manager, error);
}

static uint64_t property_flags(Emits emits) {
        switch (emits) {
        case EMITS_CHANGE:
                return SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
        case EMITS_INVALIDATES:
                return SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION | SD_BUS_VTABLE_PROPERTY_EXPLICIT;
        case EMITS_CONST:
        default:
                return SD_BUS_VTABLE_PROPERTY_CONST;
        }
}

static int make_vtable(Registration *registration) {
        static const sd_bus_vtable start[] = { SD_BUS_VTABLE_START(0) }, end[] = { SD_BUS_VTABLE_END };
        const Property *p = registration->class->properties;
        sd_bus_vtable *v;
        size_t n = 1;
        int r;

        if (!registration->class->level) { /* methods are the root's */
                r = method_table_new(on_method, &registration->methods);
                if (r < 0)
                        return r;
        }

        v = registration->vtable = calloc(1 + registration->methods.n + ELEMENTSOF(property_getters) + 1, sizeof(sd_bus_vtable));
        if (!v)
                return -ENOMEM;

        v[0] = start[0];
        if (registration->methods.n > 0)
                memcpy(v + n, registration->methods.entries, registration->methods.n * sizeof(sd_bus_vtable));
        n += registration->methods.n;

        for (size_t i = 0; p[i].name; i++, n++) {
                if (i >= ELEMENTSOF(property_getters))
                        return -ENOBUFS;
                v[n].type = _SD_BUS_VTABLE_PROPERTY;
                v[n].flags = property_flags(p[i].emits);
                v[n].x.property.member = p[i].name;
                v[n].x.property.signature = p[i].signature;
                v[n].x.property.get = property_getters[i];
        }

        v[n] = end[0];
        return 0;
}

/* The path below which objects of the class stand: that of the first class above which the root is. */
static int make_prefix(const ObjectClass *k, char **ret) {
        while (k->parent)
                k = k->parent;
        return asprintf(ret, "%s/%s", ROOT_PATH, k->level) < 0 ? -ENOMEM : 0;
}

static int register_root(Registration *registration, sd_bus *bus) {
        int r;

        r = sd_bus_add_object_vtable(bus, NULL, ROOT_PATH, registration->class->interface, registration->vtable, registration);
        if (r < 0)
                return r;
        return sd_bus_add_object_manager(bus, NULL, ROOT_PATH);
}

static int register_class(Registration *registration, sd_bus *bus) {
        const ObjectClass *k = registration->class;
        _cleanup_free_ char *prefix = NULL;
        int r;

        r = make_vtable(registration);
        if (r < 0)
                return r;
        if (!k->level)
                return register_root(registration, bus);

        r = make_prefix(k, &prefix);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, prefix, k->interface, registration->vtable, find, registration);
        if (r < 0 || k->parent) /* the class above enumerates for all below it */
                return r;
        return sd_bus_add_node_enumerator(bus, NULL, prefix, enumerate, registration);
}

int bus_objects_new(Manager *m, BusObjects **ret) {
        BusObjects *b;
        int r;

        b = *ret = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;
        r = invalidations_new(m->bus, m->context.model, &b->invalidations);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(object_classes); i++) {
                b->registrations[i] = (Registration){ .manager = m, .class = object_classes[i] };
                r = register_class(b->registrations + i, m->bus);
                if (r < 0)
                        return r;
        }

        return 0;
}

BusObjects *bus_objects_free(BusObjects *b) {
        if (!b)
                return NULL;

        for (size_t i = 0; i < ELEMENTSOF(b->registrations); i++) {
                method_table_done(&b->registrations[i].methods);
                free(b->registrations[i].vtable);
        }
        invalidations_free(b->invalidations);
        free(b);
        return NULL;
}
