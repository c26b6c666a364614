/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reads LIO's tree in configfs: …/target/iscsi/<node>/tpgt_<tag>/np/<portal>. */

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/macro.h"
#include "common/address.h"

typedef struct LioPortal {
        char *dir;     /* name of its directory below np/ */
        Portal portal; /* what the kernel reads out of that name */
        bool usable;   /* it has a valid spelling in our interface; if not, PORTAL is good for comparing alone */
} LioPortal;

typedef struct LioPort {
        char *dir; /* name of its directory: "tpgt_1", or another spelling of somebody else */
        uint16_t tag;
        LioPortal *portals; /* in the order of portal_compare() */
        size_t n_portals;
} LioPort;

typedef struct LioNode {
        char *name;
        LioPort *ports; /* by tag; of several directories with one tag the canonical one comes first */
        size_t n_ports;
} LioNode;

typedef struct LioTree {
        LioNode *nodes; /* by name */
        size_t n_nodes;
} LioTree;

/* Reads one node, or all nodes, below ISCSI_DIR (…/target/iscsi). Something that goes away meanwhile is left out; a directory that is
 * not there yields an empty result. *RET_EXISTS (may be NULL) tells the two apart. Returns 0 or a negative errno. */
int lio_node_read(const char *iscsi_dir, const char *name, LioNode *ret, bool *ret_exists);
int lio_tree_read(const char *iscsi_dir, LioTree *ret);
void lio_node_done(LioNode *node);
void lio_tree_done(LioTree *tree);

/* The names of all nodes below ISCSI_DIR, sorted. Freed with lio_names_free(). */
int lio_tree_names(const char *iscsi_dir, char ***ret, size_t *ret_n);
void lio_names_free(char **names, size_t n);

/* The first port with TAG, and how many directories of the node have that tag. */
LioPort *lio_node_find_port(const LioNode *node, uint16_t tag, size_t *ret_n_dirs);
LioPortal *lio_port_find_portal(const LioPort *port, const Portal *portal);

/* Reads an attribute of at most a page into a fresh string, *RET_SIZE says how many bytes came (NULs may be among them). */
int lio_attribute_read(const char *path, char **ret, size_t *ret_size);

/* Entries of DIR whose type is TYPE (DT_DIR or DT_LNK) and whose name begins with PREFIX. A missing directory has none. */
int lio_dir_names(const char *dir, unsigned char type, const char *prefix, char ***ret, size_t *ret_n);

/* Joins with '/'; the last argument is NULL. Returns a fresh string or NULL. */
char *lio_path(const char *first, ...) __attribute__((sentinel));
