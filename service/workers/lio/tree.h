/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* LIO's tree in configfs: …/target/iscsi/<node>/tpgt_<tag>/np/<portal>. */

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/macro.h"
#include "workers/base/texts.h"
#include "workers/lio/interfaces.h"

typedef struct LioPortal {
        char *dir;        /* name of its directory below np/ */
        Portal portal;    /* what the kernel reads out of that name; family 0 for a name that cannot be read */
        uint32_t ifindex; /* the interface that its zone means now, 0 for none */
        bool usable;      /* it has a valid spelling now; if not, PORTAL is good for comparing alone */
        bool fresh;       /* made, or to be made, in this call */
} LioPortal;

typedef struct LioPort {
        char *dir; /* name of its directory: "tpgt_1", or another spelling of somebody else */
        uint16_t tag;
        LioPortal *portals; /* in the order of portal_compare(), as far as they were read */
        size_t n_portals;
} LioPort;

typedef struct LioNode {
        char *name;
        bool exists;
        LioPort *ports; /* by tag, as far as they were read; of several directories with one tag the canonical one comes first */
        size_t n_ports;
} LioNode;

/* Reads one node below ISCSI_DIR (…/target/iscsi). Something that goes away meanwhile is left out; a directory that is not there
 * yields a node that does not exist. Returns 0 or a negative errno. */
int lio_node_read(const char *iscsi_dir, const char *name, Interfaces *interfaces, LioNode *ret);
int lio_node_copy(const LioNode *node, LioNode *ret);
void lio_node_done(LioNode *node);

/* The names of all nodes below ISCSI_DIR, sorted. */
int lio_tree_names(const char *iscsi_dir, Texts *ret);

/* The first port with TAG, and how many directories of the node have that tag. */
LioPort *lio_node_find_port(const LioNode *node, uint16_t tag, size_t *ret_n_dirs);

/* The port's portal that is PORTAL: by the name that we give to its directory, or by address, TCP port and interface. */
LioPortal *lio_port_find_portal(const LioPort *port, const Portal *portal, uint32_t ifindex);

/* Whether both mean the same place on this host. */
bool lio_portal_is(const LioPortal *p, const Portal *portal, uint32_t ifindex);

/* Whether its directory has the name that we would give to it. */
bool lio_portal_is_canonical(const LioPortal *p, const Portal *portal);

/* Change the description, not the tree. Return 0 or -ENOMEM; pointers to other ports of the node, or portals of the port, go
 * stale. */
int lio_node_add_port(LioNode *node, uint16_t tag, LioPort **ret);
void lio_node_remove_port(LioNode *node, LioPort *port);
int lio_port_add_portal(LioPort *port, const Portal *portal, uint32_t ifindex);
void lio_port_remove_portal(LioPort *port, LioPortal *portal);

/* Entries of DIR whose type is TYPE (DT_DIR, DT_LNK, DT_REG) and whose name begins with PREFIX, sorted. A missing directory has
 * none. */
int lio_dir_names(const char *dir, unsigned char type, const char *prefix, Texts *ret);

/* Joins with '/'; the last argument is NULL. Returns a fresh string or NULL. */
char *lio_path(const char *first, ...) __attribute__((sentinel));

/* The name that we give to the directory of a port. */
#define LIO_PORT_NAME_MAX sizeof("tpgt_65535")
const char *lio_port_name(uint16_t tag, char buf[static LIO_PORT_NAME_MAX]);
