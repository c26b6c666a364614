/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The directories of the kernel's iSCSI target that are followed, and what matters in each. Pure: no I/O. */

#include <stdbool.h>
#include <stdint.h>

#include "host/directory-reader.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) calloc(1, size)
#include <uthash.h>

typedef enum ConfigfsLevel {
        CONFIGFS_ENGINE,  /* target/: of all fabrics */
        CONFIGFS_FABRIC,  /* target/iscsi/ */
        CONFIGFS_NODE,    /* target/iscsi/<node>/ */
        CONFIGFS_PORT,    /* target/iscsi/<node>/tpgt_<tag>/ */
        CONFIGFS_PORTALS, /* target/iscsi/<node>/tpgt_<tag>/np/ */
} ConfigfsLevel;

typedef struct ConfigfsDirectory ConfigfsDirectory;

struct ConfigfsDirectory {
        ConfigfsLevel level;
        int wd;            /* its watch, -1 if there is none */
        int refused;       /* errno of the last attempt to watch or read it, 0 if there is nothing to try again */
        bool queued;       /* waits to be watched */
        bool again;        /* is to be queued once JOB has ended */
        DirectoryJob *job; /* under way */
        size_t n_early;    /* of all early events when its last job began */

        ConfigfsDirectory *children;
        ConfigfsDirectory *prev, *next;             /* of the same parent */
        ConfigfsDirectory *queue_prev, *queue_next; /* of those that are queued */
        UT_hash_handle hh_name, hh_wd;

        /* Together the key of by_name. */
        ConfigfsDirectory *parent;
        char name[]; /* of the root: a path */
};

typedef struct ConfigfsTree {
        const char *fabric; /* name of that directory */
        ConfigfsDirectory *root;
        ConfigfsDirectory *by_name;
        ConfigfsDirectory *by_wd;
} ConfigfsTree;

/* Returns the directory NAME in PARENT, made if it is not there. PARENT NULL: the root, and NAME is a path. Returns NULL when out
 * of memory. */
ConfigfsDirectory *configfs_tree_get(ConfigfsTree *t, ConfigfsDirectory *parent, const char *name);
ConfigfsDirectory *configfs_tree_find(const ConfigfsTree *t, ConfigfsDirectory *parent, const char *name);
ConfigfsDirectory *configfs_tree_find_wd(const ConfigfsTree *t, int wd);

/* Notes the watch of D, which no other directory has; -1: it has none. Returns false when out of memory: D has no watch then. */
bool configfs_tree_set_wd(ConfigfsTree *t, ConfigfsDirectory *d, int wd);

/* D has neither children, a watch nor a job, and is not queued. */
void configfs_tree_remove(ConfigfsTree *t, ConfigfsDirectory *d);

/* Whether a directory NAME in D is followed. */
bool configfs_directory_follows(const ConfigfsTree *t, const ConfigfsDirectory *d, const char *name);

/* The one directory in D that is followed, where only one can be; NULL: D has to be listed, or nothing in it is followed. */
const char *configfs_directory_only_child(const ConfigfsTree *t, const ConfigfsDirectory *d);
bool configfs_directory_is_listed(const ConfigfsDirectory *d);

/* Whether an event about NAME in D means that the node changed. */
bool configfs_directory_matters(const ConfigfsTree *t, const ConfigfsDirectory *d, uint32_t event, const char *name);

/* The events to ask for, for inotify_add_watch(). */
uint32_t configfs_directory_mask(const ConfigfsDirectory *d);

/* The name of the node that D belongs to; NULL if D is above all nodes. */
const char *configfs_directory_node(const ConfigfsDirectory *d);

/* The path of D, to be freed; NULL: out of memory. */
char *configfs_directory_path(const ConfigfsDirectory *d);
