/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which records are the ports of a node, and under which Identifiers.
 *
 * A record of ours is a port of the node that its name says, whatever has become of its content. Any other is one of the node
 * whose name stands in it; one without a name, or with the host's, is one of the host's node, and so are the two that open-iscsi
 * has without a file, "default" and "iser". Their Identifiers are made from their names (common/isid.h). */

#include <stdbool.h>
#include <stdint.h>

#include "workers/open-iscsi/database.h"
#include "workers/open-iscsi/host-name.h"

typedef struct NodePort {
        uint64_t identifier;
        const Record *record; /* not owned */
        bool ours;            /* by its name */
} NodePort;

typedef struct NodePorts {
        NodePort *items; /* owned, by Identifier */
        size_t n;
} NodePorts;

void node_ports_done(NodePorts *p);

/* RECORDS must outlive the result. Returns 0 or -ENOMEM. */
int node_ports_make(const Records *records, const char *node, const HostName *host, NodePorts *ret);

/* The name of the node of a record that is not ours by name. */
const char *record_node(const Record *record, const HostName *host);

/* What in a record of ours for NODE is other than we write it, as a clause for people: a fresh string, or NULL if nothing is.
 * Returns 0 or -ENOMEM. */
int record_drift(const Record *record, const char *node, char **ret);

/* The initiator name that a record of NODE has; NULL for the host's node. */
const char *record_initiator(const char *node);
