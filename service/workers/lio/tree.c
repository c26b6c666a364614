/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "workers/lio/names.h"

#define ATTRIBUTE_SIZE_MAX 4096u /* configfs shows at most one page */

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

void lio_names_free(char **names, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(names[i]);
        free(names);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int lio_dir_names(const char *dir, unsigned char type, const char *prefix, char ***ret, size_t *ret_n) {
        _cleanup_closedir_ DIR *d = NULL;
        char **names = NULL;
        struct dirent *de;
        size_t n = 0;
        int r = 0;

        d = opendir(dir);
        if (!d && errno != ENOENT)
                return -errno;

        while (d) {
                char *name;

                errno = 0;
                de = readdir(d);
                if (!de) {
                        /* A directory that is removed while it is read has no more entries. */
                        r = errno == ENOENT ? 0 : -errno;
                        break;
                }
                if (de->d_name[0] == '.' || de->d_type != type || strncmp(de->d_name, prefix, strlen(prefix)) != 0)
                        continue;

                name = strdup(de->d_name);
                if (!name || array_grow(&names, n, sizeof(*names)) < 0) {
                        free(name);
                        r = -ENOMEM;
                        break;
                }
                names[n++] = name;
        }

        if (r < 0) {
                lio_names_free(names, n);
                return r;
        }

        if (n > 1)
                qsort(names, n, sizeof(*names), compare_names);
        *ret = names;
        *ret_n = n;
        return 0;
}

int lio_tree_names(const char *iscsi_dir, char ***ret, size_t *ret_n) {
        int r;

        r = lio_dir_names(iscsi_dir, DT_DIR, "", ret, ret_n);
        if (r < 0)
                return r;

        /* The one default group beside the nodes. */
        for (size_t i = 0; i < *ret_n; i++)
                if (strcmp((*ret)[i], "discovery_auth") == 0) {
                        free((*ret)[i]);
                        memmove(*ret + i, *ret + i + 1, (*ret_n - i - 1) * sizeof(**ret));
                        (*ret_n)--;
                        break;
                }

        return 0;
}

static int compare_portals(const void *a, const void *b) {
        return portal_compare(&((const LioPortal *) a)->portal, &((const LioPortal *) b)->portal);
}

static bool port_is_canonical(const LioPort *port) {
        char name[sizeof("tpgt_65535")];

        (void) snprintf(name, sizeof(name), "tpgt_%u", port->tag);
        return strcmp(port->dir, name) == 0;
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

void lio_tree_done(LioTree *tree) {
        for (size_t i = 0; i < tree->n_nodes; i++)
                lio_node_done(tree->nodes + i);
        free(tree->nodes);
        *tree = (LioTree){};
}

/* Fills PORT, which has its directory's name and tag already. */
static int lio_port_read(const char *node_dir, LioPort *port) {
        _cleanup_free_ char *np = NULL;
        char **names = NULL;
        size_t n = 0;
        int r;

        np = lio_path(node_dir, port->dir, "np", NULL);
        if (!np)
                return -ENOMEM;

        r = lio_dir_names(np, DT_DIR, "", &names, &n);
        if (r < 0 || n == 0)
                return r;

        port->portals = calloc(n, sizeof(*port->portals));
        if (!port->portals) {
                lio_names_free(names, n);
                return -ENOMEM;
        }

        for (size_t i = 0; i < n; i++) {
                LioPortal *p = port->portals + port->n_portals;

                /* Should the kernel have taken what we cannot read, it stays in the list: it is there, and equals nothing. */
                if (lio_portal_from_name(names[i], &p->portal, &p->usable) < 0)
                        *p = (LioPortal){};

                p->dir = TAKE_PTR(names[i]);
                port->n_portals++;
        }

        lio_names_free(names, n);
        if (port->n_portals > 1)
                qsort(port->portals, port->n_portals, sizeof(*port->portals), compare_portals);
        return 0;
}

int lio_node_read(const char *iscsi_dir, const char *name, LioNode *ret, bool *ret_exists) {
        _cleanup_free_ char *dir = NULL;
        _cleanup_(lio_node_done) LioNode node = {};
        char **names = NULL;
        size_t n = 0;
        bool exists;
        int r;

        dir = lio_path(iscsi_dir, name, NULL);
        node.name = strdup(name);
        if (!dir || !node.name)
                return -ENOMEM;

        exists = access(dir, F_OK) == 0;
        if (exists) {
                r = lio_dir_names(dir, DT_DIR, "", &names, &n);
                if (r < 0)
                        return r;
        }

        if (n > 0) {
                node.ports = calloc(n, sizeof(*node.ports));
                r = node.ports ? 0 : -ENOMEM;
                for (size_t i = 0; i < n && r == 0; i++) {
                        LioPort *port = node.ports + node.n_ports;

                        if (lio_tag_from_name(names[i], &port->tag) < 0)
                                continue;

                        port->dir = TAKE_PTR(names[i]);
                        node.n_ports++;
                        r = lio_port_read(dir, port);
                }
                lio_names_free(names, n);
                if (r < 0)
                        return r;
                qsort(node.ports, node.n_ports, sizeof(*node.ports), compare_ports);
        }

        if (ret_exists)
                *ret_exists = exists;
        *ret = node;
        node = (LioNode){};
        return 0;
}

int lio_tree_read(const char *iscsi_dir, LioTree *ret) {
        _cleanup_(lio_tree_done) LioTree tree = {};
        char **names = NULL;
        size_t n = 0;
        int r;

        r = lio_tree_names(iscsi_dir, &names, &n);
        if (r < 0)
                return r;

        tree.nodes = calloc(n + 1, sizeof(*tree.nodes));
        r = tree.nodes ? 0 : -ENOMEM;
        for (size_t i = 0; i < n && r == 0; i++) {
                bool exists;

                r = lio_node_read(iscsi_dir, names[i], tree.nodes + tree.n_nodes, &exists);
                if (r < 0)
                        break;
                if (exists)
                        tree.n_nodes++;
                else
                        lio_node_done(tree.nodes + tree.n_nodes);
        }
        lio_names_free(names, n);
        if (r < 0)
                return r;

        *ret = tree;
        tree = (LioTree){};
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

LioPortal *lio_port_find_portal(const LioPort *port, const Portal *portal) {
        for (size_t i = 0; i < port->n_portals; i++)
                if (portal_compare(&port->portals[i].portal, portal) == 0)
                        return port->portals + i;

        return NULL;
}

int lio_attribute_read(const char *path, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *buf = NULL;
        size_t n = 0;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;

        buf = malloc(ATTRIBUTE_SIZE_MAX + 1);
        if (!buf)
                return -ENOMEM;

        while (n < ATTRIBUTE_SIZE_MAX) {
                ssize_t k;

                k = read(fd, buf + n, ATTRIBUTE_SIZE_MAX - n);
                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }

        buf[n] = '\0';
        *ret = TAKE_PTR(buf);
        if (ret_size)
                *ret_size = n;
        return 0;
}
