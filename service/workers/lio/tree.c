/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "workers/lio/names.h"

char *lio_path(const char *first, ...) {
        char *path = strdup(first), *longer;
        const char *part;
        va_list ap;

        va_start(ap, first);
        while (path && (part = va_arg(ap, const char *))) {
                if (asprintf(&longer, "%s/%s", path, part) < 0)
                        longer = NULL;
                free(path);
                path = longer;
        }
        va_end(ap);

        return path;
}

const char *lio_port_name(uint16_t tag, char buf[static LIO_PORT_NAME_MAX]) {
        (void) snprintf(buf, LIO_PORT_NAME_MAX, "tpgt_%u", tag);
        return buf;
}

int lio_dir_names(const char *dir, unsigned char type, const char *prefix, Texts *ret) {
        _cleanup_closedir_ DIR *d = NULL;
        _cleanup_(texts_done) Texts names = {};
        struct dirent *de;

        d = opendir(dir);
        if (!d && errno != ENOENT)
                return -errno;

        while (d) {
                int r;

                errno = 0;
                de = readdir(d);
                if (!de) {
                        /* A directory that is removed while it is read has no more entries. */
                        if (errno != 0 && errno != ENOENT)
                                return -errno;
                        break;
                }
                if (de->d_type != type || strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
                    strncmp(de->d_name, prefix, strlen(prefix)) != 0)
                        continue;

                r = texts_add(&names, "%s", de->d_name);
                if (r < 0)
                        return r;
        }

        texts_sort(&names);
        *ret = names;
        names = (Texts){};
        return 0;
}

int lio_tree_names(const char *iscsi_dir, Texts *ret) {
        int r;

        r = lio_dir_names(iscsi_dir, DT_DIR, "", ret);
        if (r < 0)
                return r;

        /* The one default group beside the nodes. */
        for (size_t i = 0; i < ret->n; i++)
                if (strcmp(ret->items[i], "discovery_auth") == 0) {
                        free(ret->items[i]);
                        memmove(ret->items + i, ret->items + i + 1, (ret->n - i - 1) * sizeof(*ret->items));
                        ret->n--;
                        break;
                }

        return 0;
}

static int compare_portals(const void *a, const void *b) {
        return portal_compare(&((const LioPortal *) a)->portal, &((const LioPortal *) b)->portal);
}

static bool port_is_canonical(const LioPort *port) {
        char name[LIO_PORT_NAME_MAX];

        return strcmp(port->dir, lio_port_name(port->tag, name)) == 0;
}

static int compare_ports(const void *a, const void *b) {
        const LioPort *x = a, *y = b;

        if (x->tag != y->tag)
                return x->tag < y->tag ? -1 : 1;
        if (port_is_canonical(x) != port_is_canonical(y))
                return port_is_canonical(x) ? -1 : 1;
        return strcmp(x->dir, y->dir);
}

static void lio_port_done(LioPort *port) {
        for (size_t i = 0; i < port->n_portals; i++)
                free(port->portals[i].dir);
        free(port->portals);
        free(port->dir);
        *port = (LioPort){};
}

void lio_node_done(LioNode *node) {
        for (size_t i = 0; i < node->n_ports; i++)
                lio_port_done(node->ports + i);
        free(node->ports);
        free(node->name);
        *node = (LioNode){};
}

static LioPort *append_port(LioNode *node, uint16_t tag, const char *dir) {
        LioPort *port;

        if (array_grow(&node->ports, node->n_ports, sizeof(*node->ports)) < 0)
                return NULL;

        port = node->ports + node->n_ports;
        *port = (LioPort){ .tag = tag, .dir = strdup(dir) };
        if (!port->dir)
                return NULL;

        node->n_ports++;
        return port;
}

static LioPortal *append_portal(LioPort *port, const char *dir) {
        LioPortal *p;

        if (array_grow(&port->portals, port->n_portals, sizeof(*port->portals)) < 0)
                return NULL;

        p = port->portals + port->n_portals;
        *p = (LioPortal){ .dir = strdup(dir) };
        if (!p->dir)
                return NULL;

        port->n_portals++;
        return p;
}

static int read_portals(const char *node_dir, LioPort *port, Interfaces *interfaces) {
        _cleanup_free_ char *np = NULL;
        _cleanup_(texts_done) Texts names = {};
        int r;

        np = lio_path(node_dir, port->dir, "np", NULL);
        if (!np)
                return -ENOMEM;
        r = lio_dir_names(np, DT_DIR, "", &names);
        if (r < 0)
                return r;

        for (size_t i = 0; i < names.n; i++) {
                LioPortal *p = append_portal(port, names.items[i]);

                if (!p)
                        return -ENOMEM;

                /* Should the kernel have taken what we cannot read, it stays in the list: it is there, and equals nothing. */
                if (lio_portal_from_name(names.items[i], &p->portal) >= 0)
                        p->ifindex = lio_portal_resolve(&p->portal, interfaces, &p->usable);
        }

        if (port->n_portals > 1)
                qsort(port->portals, port->n_portals, sizeof(*port->portals), compare_portals);
        return 0;
}

int lio_node_read(const char *iscsi_dir, const char *name, Interfaces *interfaces, LioNode *ret) {
        _cleanup_free_ char *dir = NULL;
        _cleanup_(lio_node_done) LioNode node = {};
        _cleanup_(texts_done) Texts names = {};
        int r;

        dir = lio_path(iscsi_dir, name, NULL);
        node.name = strdup(name);
        if (!dir || !node.name)
                return -ENOMEM;

        node.exists = access(dir, F_OK) == 0;
        if (node.exists) {
                r = lio_dir_names(dir, DT_DIR, "", &names);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < names.n; i++) {
                LioPort *port;
                uint16_t tag;

                if (lio_tag_from_name(names.items[i], &tag) < 0)
                        continue;

                port = append_port(&node, tag, names.items[i]);
                r = port ? read_portals(dir, port, interfaces) : -ENOMEM;
                if (r < 0)
                        return r;
        }
        if (node.n_ports > 1)
                qsort(node.ports, node.n_ports, sizeof(*node.ports), compare_ports);

        *ret = node;
        node = (LioNode){};
        return 0;
}

int lio_node_copy(const LioNode *node, LioNode *ret) {
        _cleanup_(lio_node_done) LioNode copy = { .exists = node->exists, .name = strdup(node->name) };

        if (!copy.name)
                return -ENOMEM;

        for (size_t i = 0; i < node->n_ports; i++) {
                const LioPort *from = node->ports + i;
                LioPort *to = append_port(&copy, from->tag, from->dir);

                for (size_t k = 0; to && k < from->n_portals; k++) {
                        LioPortal *p = append_portal(to, from->portals[k].dir);
                        char *dir = p ? p->dir : NULL;

                        if (!p)
                                return -ENOMEM;
                        *p = from->portals[k];
                        p->dir = dir;
                }
                if (!to)
                        return -ENOMEM;
        }

        *ret = copy;
        copy = (LioNode){};
        return 0;
}

LioPort *lio_node_find_port(const LioNode *node, uint16_t tag, size_t *ret_n_dirs) {
        LioPort *found = NULL;
        size_t n = 0;

        for (size_t i = 0; i < node->n_ports; i++)
                if (node->ports[i].tag == tag) {
                        if (!found)
                                found = node->ports + i;
                        n++;
                }

        if (ret_n_dirs)
                *ret_n_dirs = n;
        return found;
}

bool lio_portal_is_canonical(const LioPortal *p, const Portal *portal) {
        char text[PORTAL_TEXT_MAX];

        return strcmp(p->dir, portal_to_text(portal, text)) == 0;
}

bool lio_portal_is(const LioPortal *p, const Portal *portal, uint32_t ifindex) {
        Portal a = p->portal, b = *portal;

        if (portal_compare(&a, &b) == 0)
                return true;
        if (ifindex == 0 || p->ifindex != ifindex)
                return false;

        a.address.zone[0] = b.address.zone[0] = '\0';
        return portal_compare(&a, &b) == 0;
}

LioPortal *lio_port_find_portal(const LioPort *port, const Portal *portal, uint32_t ifindex) {
        for (size_t i = 0; i < port->n_portals; i++)
                if (lio_portal_is_canonical(port->portals + i, portal))
                        return port->portals + i;

        for (size_t i = 0; i < port->n_portals; i++)
                if (lio_portal_is(port->portals + i, portal, ifindex))
                        return port->portals + i;

        return NULL;
}

int lio_node_add_port(LioNode *node, uint16_t tag, LioPort **ret) {
        char name[LIO_PORT_NAME_MAX];

        *ret = append_port(node, tag, lio_port_name(tag, name));
        return *ret ? 0 : -ENOMEM;
}

void lio_node_remove_port(LioNode *node, LioPort *port) {
        size_t i = (size_t) (port - node->ports);

        lio_port_done(port);
        memmove(port, port + 1, (node->n_ports - i - 1) * sizeof(*port));
        node->n_ports--;
}

int lio_port_add_portal(LioPort *port, const Portal *portal, uint32_t ifindex) {
        char text[PORTAL_TEXT_MAX];
        LioPortal *p;

        p = append_portal(port, portal_to_text(portal, text));
        if (!p)
                return -ENOMEM;

        p->portal = *portal;
        p->ifindex = ifindex;
        p->usable = p->fresh = true;
        return 0;
}

void lio_port_remove_portal(LioPort *port, LioPortal *portal) {
        size_t i = (size_t) (portal - port->portals);

        free(portal->dir);
        memmove(portal, portal + 1, (port->n_portals - i - 1) * sizeof(*portal));
        port->n_portals--;
}
