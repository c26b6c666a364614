/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/configfs-tree.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <utlist.h>

/* The kernel makes it with the fabric's directory; it is no node. */
#define DISCOVERY_AUTH "discovery_auth"

#define PORTALS "np"
#define ENABLE "enable"

#define COMING_AND_GOING (IN_CREATE | IN_DELETE) /* nothing is ever moved */
#define WRITING (IN_MODIFY | IN_CLOSE_WRITE)

typedef struct NameKey {
        ConfigfsDirectory *parent;
        char name[NAME_MAX + 1];
} NameKey;

_Static_assert(offsetof(ConfigfsDirectory, name) == offsetof(ConfigfsDirectory, parent) + offsetof(NameKey, name),
               "parent and name are one key");

ConfigfsDirectory *configfs_tree_find(const ConfigfsTree *t, ConfigfsDirectory *parent, const char *name) {
        NameKey key = { .parent = parent };
        size_t n = strlen(name);
        ConfigfsDirectory *d;

        if (n >= sizeof(key.name))
                return NULL;

        memcpy(key.name, name, n);
        /* All bytes of the key are set, some by its initializer.
         * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        HASH_FIND(hh_name, t->by_name, &key, offsetof(NameKey, name) + n, d);
        return d;
}

ConfigfsDirectory *configfs_tree_get(ConfigfsTree *t, ConfigfsDirectory *parent, const char *name) {
        size_t n = strlen(name);
        ConfigfsDirectory *d;

        d = parent ? configfs_tree_find(t, parent, name) : t->root;
        if (d)
                return d;

        d = calloc(1, sizeof(*d) + n + 1);
        if (!d)
                return NULL;
        d->level = parent ? parent->level + 1 : CONFIGFS_ENGINE;
        d->wd = -1;
        d->parent = parent;
        memcpy(d->name, name, n);

        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the pointer is part of the key */
        HASH_ADD(hh_name, t->by_name, parent, sizeof(parent) + n, d);
        if (!d->hh_name.tbl) {
                free(d);
                return NULL;
        }
        if (parent)
                DL_APPEND(parent->children, d);
        else
                t->root = d;
        return d;
}

ConfigfsDirectory *configfs_tree_find_wd(const ConfigfsTree *t, int wd) {
        ConfigfsDirectory *d;

        HASH_FIND(hh_wd, t->by_wd, &wd, sizeof(wd), d);
        return d;
}

bool configfs_tree_set_wd(ConfigfsTree *t, ConfigfsDirectory *d, int wd) {
        if (d->wd >= 0)
                HASH_DELETE(hh_wd, t->by_wd, d);

        d->wd = wd;
        if (wd < 0)
                return true;

        HASH_ADD(hh_wd, t->by_wd, wd, sizeof(d->wd), d);
        if (d->hh_wd.tbl)
                return true;
        d->wd = -1;
        return false;
}

void configfs_tree_remove(ConfigfsTree *t, ConfigfsDirectory *d) {
        if (d->parent)
                DL_DELETE(d->parent->children, d);
        else
                t->root = NULL;
        HASH_DELETE(hh_name, t->by_name, d);
        free(d);
}

const char *configfs_directory_only_child(const ConfigfsTree *t, const ConfigfsDirectory *d) {
        switch (d->level) {
        case CONFIGFS_ENGINE:
                return t->fabric;
        case CONFIGFS_PORT:
                return PORTALS;
        default:
                return NULL;
        }
}

bool configfs_directory_is_listed(const ConfigfsDirectory *d) {
        return d->level == CONFIGFS_FABRIC || d->level == CONFIGFS_NODE;
}

bool configfs_directory_follows(const ConfigfsTree *t, const ConfigfsDirectory *d, const char *name) {
        const char *only = configfs_directory_only_child(t, d);

        if (only)
                return strcmp(name, only) == 0;

        switch (d->level) {
        case CONFIGFS_FABRIC:
                return strcmp(name, DISCOVERY_AUTH) != 0;
        case CONFIGFS_NODE:
                return strstr(name, "tpgt_"); /* as the kernel looks for it */
        default:
                return false;
        }
}

bool configfs_directory_matters(const ConfigfsTree *t, const ConfigfsDirectory *d, uint32_t event, const char *name) {
        if (event & WRITING)
                return d->level == CONFIGFS_PORT && strcmp(name, ENABLE) == 0;
        if (!(event & COMING_AND_GOING) || !(event & IN_ISDIR))
                return false;
        return d->level == CONFIGFS_PORTALS || configfs_directory_follows(t, d, name);
}

/* Events about an attribute come to the watch of its directory. A watch on the attribute itself would hear nothing: configfs
 * makes a new inode each time that an attribute is opened. */
uint32_t configfs_directory_mask(const ConfigfsDirectory *d) {
        uint32_t mask = IN_ONLYDIR | COMING_AND_GOING;

        if (d->level != CONFIGFS_ENGINE)
                mask |= IN_DONT_FOLLOW;
        if (d->level == CONFIGFS_PORT)
                mask |= WRITING;
        return mask;
}

const char *configfs_directory_node(const ConfigfsDirectory *d) {
        while (d && d->level > CONFIGFS_NODE)
                d = d->parent;
        return d && d->level == CONFIGFS_NODE ? d->name : NULL;
}

char *configfs_directory_path(const ConfigfsDirectory *d) {
        _cleanup_free_ char *parent = NULL;
        char *path;

        if (!d->parent)
                return strdup(d->name);

        parent = configfs_directory_path(d->parent);
        if (!parent || asprintf(&path, "%s/%s", parent, d->name) < 0)
                return NULL;
        return path;
}
