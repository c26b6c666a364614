/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Paths, lookup and enumeration of the objects on the bus, and the signals about them.
 *
 * All objects are served by fallback vtables: nothing is registered per object, a lookup is one hash lookup, and adding an object costs the
 * same with ten objects and with ten thousand. sd-bus runs each enumerator of a prefix on every Introspect below it, so an
 * enumerator that is asked below its own level answers with nothing. */

#include "bus/objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"

static char *make_path(const Object *o, _unused_ void *userdata) {
        char *path = NULL;

        switch (o->type) {
        case OBJECT_NODE:
                (void) sd_bus_path_encode(NODE_PATH, ((const Node *) o)->name, &path);
                return path;
        case OBJECT_PORT: {
                const Port *p = (const Port *) o;

                if (!p->key.node->object.path ||
                    asprintf(&path, "%s/endpoint/%012llX", p->key.node->object.path, (unsigned long long) p->key.identifier) < 0)
                        return NULL;
                return path;
        }
        case OBJECT_TCP_ENDPOINT:
                (void) sd_bus_path_encode(TCP_PATH, ((const TcpEndpoint *) o)->name, &path);
                return path;
        case OBJECT_IP_ENDPOINT:
                (void) sd_bus_path_encode(IP_PATH, ((const IpEndpoint *) o)->name, &path);
                return path;
        case OBJECT_PORTAL_GROUP: {
                const PortalGroup *g = (const PortalGroup *) o;

                if (g->id == 0)
                        return strdup(GROUP_PATH "/default");
                return asprintf(&path, GROUP_PATH "/%llu", (unsigned long long) g->id) < 0 ? NULL : path;
        }
        }

        return NULL;
}

static const char *object_interface(const Object *o) {
        static const char *const interfaces[] = {
                [OBJECT_NODE] = NODE_INTERFACE,          [OBJECT_PORT] = PORT_INTERFACE,
                [OBJECT_TCP_ENDPOINT] = TCP_INTERFACE,   [OBJECT_IP_ENDPOINT] = IP_INTERFACE,
                [OBJECT_PORTAL_GROUP] = GROUP_INTERFACE,
        };

        return interfaces[o->type];
}

static void object_added(Object *o, void *userdata) {
        Manager *m = userdata;
        int r;

        r = sd_bus_emit_object_added(m->bus, o->path);
        if (r < 0)
                log_warning_errno(r, "Failed to tell that %s was added", o->path);
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

        r = sd_bus_emit_properties_changed_strv(m->bus, o->path, object_interface(o), (char **) properties);
        if (r < 0)
                log_warning_errno(r, "Failed to tell that %s changed", o->path);
}

const ModelListener objects_listener = {
        .make_path = make_path,
        .added = object_added,
        .removing = object_removing,
        .changed = object_changed,
};

static int find(Manager *m, const char *path, ObjectType type, void **ret) {
        Object *o;

        o = model_find_object(m->model, path);
        if (!o || o->type != type)
                return 0;

        *ret = o;
        return 1;
}

static int find_node(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface, void *userdata, void **ret,
                     _unused_ sd_bus_error *error) {
        return find(userdata, path, OBJECT_NODE, ret);
}

static int find_port(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface, void *userdata, void **ret,
                     _unused_ sd_bus_error *error) {
        return find(userdata, path, OBJECT_PORT, ret);
}

static int find_tcp_endpoint(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface, void *userdata, void **ret,
                             _unused_ sd_bus_error *error) {
        return find(userdata, path, OBJECT_TCP_ENDPOINT, ret);
}

static int find_ip_endpoint(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface, void *userdata, void **ret,
                            _unused_ sd_bus_error *error) {
        return find(userdata, path, OBJECT_IP_ENDPOINT, ret);
}

static int find_portal_group(_unused_ sd_bus *bus, const char *path, _unused_ const char *interface, void *userdata, void **ret,
                             _unused_ sd_bus_error *error) {
        return find(userdata, path, OBJECT_PORTAL_GROUP, ret);
}

/* Grows *LIST, whose N entries and terminating NULL are malloc'ed as sd-bus wants them. */
static int path_list_add(char ***list, size_t *n, const char *path) {
        int r;

        r = array_grow(list, *n + 1, sizeof(char *));
        if (r < 0)
                return r;

        (*list)[*n] = strdup(path);
        if (!(*list)[*n])
                return -ENOMEM;
        (*list)[++*n] = NULL;
        return 0;
}

static char **path_list_free(char **list) {
        for (char **p = list; p && *p; p++)
                free(*p);
        free(list);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(char **, path_list_free);

static int list_ports(const Node *node, char ***list, size_t *n) {
        int r;

        for (const Port *p = node->ports; p; p = p->next_of_node)
                if (p->object.path) {
                        r = path_list_add(list, n, p->object.path);
                        if (r < 0)
                                return r;
                }

        return 0;
}

static Node *find_node_of(Manager *m, const char *path) {
        void *found;

        return find(m, path, OBJECT_NODE, &found) > 0 ? found : NULL;
}

/* The node for whose ports PATH is the level above: the node's path with "/endpoint" behind it. */
static Node *find_node_of_ports(Manager *m, const char *path) {
        static const char suffix[] = "/endpoint";
        _cleanup_free_ char *prefix = NULL;
        size_t n = strlen(path);

        if (n <= strlen(suffix) || strcmp(path + n - strlen(suffix), suffix) != 0)
                return NULL;
        prefix = strndup(path, n - strlen(suffix));
        return prefix ? find_node_of(m, prefix) : NULL;
}

static int list_nodes(Manager *m, bool with_ports, char ***list, size_t *n) {
        int r;

        for (Node *node = model_first_node(m->model); node; node = node->hh_name.next) {
                if (!node->object.path)
                        continue;
                r = path_list_add(list, n, node->object.path);
                if (r >= 0 && with_ports)
                        r = list_ports(node, list, n);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Between a node and its ports is a level without objects. It is there while the node has ports. */
static int list_endpoint_level(const Node *node, char ***list, size_t *n) {
        _cleanup_free_ char *path = NULL;
        const Port *p = node->ports;

        while (p && !p->object.path)
                p = p->next_of_node;
        if (!p)
                return 0;

        if (asprintf(&path, "%s/endpoint", node->object.path) < 0)
                return -ENOMEM;
        return path_list_add(list, n, path);
}

/* For GetManagedObjects of the root all of them; for Introspect what is one level below PATH. */
static int enumerate_nodes(_unused_ sd_bus *bus, const char *path, void *userdata, char ***ret, _unused_ sd_bus_error *error) {
        _cleanup_(path_list_freep) char **list = NULL;
        Manager *m = userdata;
        Node *node;
        size_t n = 0;
        int r = 0;

        if (strlen(path) <= strlen(NODE_PATH))
                r = list_nodes(m, strcmp(path, NODE_PATH) != 0, &list, &n);
        else if ((node = find_node_of(m, path)))
                r = list_endpoint_level(node, &list, &n);
        else if ((node = find_node_of_ports(m, path)))
                r = list_ports(node, &list, &n);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(list);
        return 0;
}

/* The classes whose objects stand directly below their collection's path. */
#define DEFINE_ENUMERATOR(name, type, first, collection)                                                                     \
        static int name(_unused_ sd_bus *bus, const char *path, void *userdata, char ***ret, _unused_ sd_bus_error *error) { \
                _cleanup_(path_list_freep) char **list = NULL;                                                               \
                size_t n = 0;                                                                                                \
                                                                                                                             \
                if (strlen(path) <= strlen(collection))                                                                      \
                        for (const type *o = first(((Manager *) userdata)->model); o; o = o->hh.next)                        \
                                if (o->object.path) {                                                                        \
                                        int r = path_list_add(&list, &n, o->object.path);                                    \
                                                                                                                             \
                                        if (r < 0)                                                                           \
                                                return r;                                                                    \
                                }                                                                                            \
                                                                                                                             \
                *ret = TAKE_PTR(list);                                                                                       \
                return 0;                                                                                                    \
        }

DEFINE_ENUMERATOR(enumerate_tcp_endpoints, TcpEndpoint, model_first_tcp_endpoint, TCP_PATH)
DEFINE_ENUMERATOR(enumerate_ip_endpoints, IpEndpoint, model_first_ip_endpoint, IP_PATH)
DEFINE_ENUMERATOR(enumerate_portal_groups, PortalGroup, model_first_portal_group, GROUP_PATH)

int objects_register(Manager *m) {
        static const struct {
                const char *path, *interface;
                const sd_bus_vtable *vtable;
                sd_bus_object_find_t find;
                sd_bus_node_enumerator_t enumerate; /* NULL: another class of the same path enumerates for both */
        } classes[] = {
                { NODE_PATH, NODE_INTERFACE, node_vtable, find_node, enumerate_nodes },
                { NODE_PATH, PORT_INTERFACE, port_vtable, find_port, NULL },
                { TCP_PATH, TCP_INTERFACE, tcp_endpoint_vtable, find_tcp_endpoint, enumerate_tcp_endpoints },
                { IP_PATH, IP_INTERFACE, ip_endpoint_vtable, find_ip_endpoint, enumerate_ip_endpoints },
                { GROUP_PATH, GROUP_INTERFACE, portal_group_vtable, find_portal_group, enumerate_portal_groups },
        };
        int r;

        r = service_vtable_new(&m->service_vtable);
        if (r < 0)
                return r;

        r = sd_bus_add_object_vtable(m->bus, NULL, ROOT_PATH, SERVICE_INTERFACE, m->service_vtable, m);
        if (r < 0)
                return r;
        r = sd_bus_add_object_manager(m->bus, NULL, ROOT_PATH);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(classes); i++) {
                r = sd_bus_add_fallback_vtable(m->bus, NULL, classes[i].path, classes[i].interface, classes[i].vtable,
                                               classes[i].find, m);
                if (r < 0)
                        return r;
                if (!classes[i].enumerate)
                        continue;
                r = sd_bus_add_node_enumerator(m->bus, NULL, classes[i].path, classes[i].enumerate, m);
                if (r < 0)
                        return r;
        }

        return 0;
}
