/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/node-ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "common/isid.h"
#include "common/name.h"
#include "workers/open-iscsi/record-name.h"

/* open-iscsi has them built in. */
static const Record built_in[] = {
        { .file = (char *) "default", .name = (char *) "default", .transport = (char *) "tcp" },
        { .file = (char *) "iser", .name = (char *) "iser", .transport = (char *) "iser" },
};

void node_ports_done(NodePorts *p) {
        free(p->items);
        *p = (NodePorts){};
}

const char *record_initiator(const char *node) {
        return strcmp(node, HOST_NODE) == 0 ? NULL : node;
}

const char *record_node(const Record *record, const HostName *host) {
        if (!record->initiator || (host->name && strcmp(record->initiator, host->name) == 0))
                return HOST_NODE;
        return record->initiator;
}

static bool has_identifier(const NodePorts *p, uint64_t identifier) {
        for (size_t i = 0; i < p->n; i++)
                if (p->items[i].identifier == identifier)
                        return true;

        return false;
}

static int add(NodePorts *p, const NodePort *port) {
        int r;

        r = array_grow(&p->items, p->n, sizeof(*p->items));
        if (r >= 0)
                p->items[p->n++] = *port;
        return r;
}

/* The lowest that no other port of the node has. */
static int add_foreign(NodePorts *p, const char *node, const Record *record) {
        uint64_t identifier = isid_first(node, record->file);

        while (has_identifier(p, identifier))
                identifier++;
        return add(p, &(NodePort){ .identifier = identifier, .record = record });
}

static int compare(const void *a, const void *b) {
        const NodePort *x = a, *y = b;

        return x->identifier < y->identifier ? -1 : x->identifier > y->identifier;
}

int node_ports_make(const Records *records, const char *node, const HostName *host, NodePorts *ret) {
        _cleanup_(node_ports_done) NodePorts p = {};
        NodePort port = { .ours = true };
        int r = 0;

        /* First ours, whose Identifiers are given. */
        for (size_t i = 0; i < records->n && r >= 0; i++) {
                port.record = records->items + i;
                if (record_name_is_of(port.record->file, node, &port.identifier))
                        r = add(&p, &port);
        }
        for (size_t i = 0; i < records->n && r >= 0; i++) {
                const Record *record = records->items + i;

                if (!record_name_is_ours(record->file) && record_is_valid(record) && strcmp(record_node(record, host), node) == 0)
                        r = add_foreign(&p, node, record);
        }
        for (size_t i = 0; i < ELEMENTSOF(built_in) && r >= 0; i++)
                if (strcmp(node, HOST_NODE) == 0)
                        r = add_foreign(&p, node, built_in + i);
        if (r < 0)
                return r;

        if (p.n > 1)
                qsort(p.items, p.n, sizeof(*p.items), compare);
        *ret = p;
        p = (NodePorts){};
        return 0;
}

static bool differs(const char *a, const char *b) {
        return strcmp(a ? a : "", b ? b : "") != 0;
}

int record_drift(const Record *record, const char *node, char **ret) {
        const char *initiator = record_initiator(node);
        int r = 0;

        *ret = NULL;
        if (record->empty)
                r = asprintf(ret, "its interface record %s is empty", record->file);
        else if (record->unknown)
                r = asprintf(ret, "its interface record %s has a key that open-iscsi does not know, %s", record->file,
                             record->unknown);
        else if (differs(record->transport, "tcp"))
                r = asprintf(ret, "its interface record %s has transport %s, not tcp", record->file,
                             record->transport ? record->transport : "none");
        else if (differs(record->initiator, initiator))
                r = asprintf(ret, "its interface record %s has %s%s as initiator name", record->file,
                             record->initiator ? "" : "the host's", record->initiator ? record->initiator : "");
        else if (differs(record->name, record->file))
                r = asprintf(ret, "its interface record %s is called %s inside", record->file,
                             record->name ? record->name : "nothing");
        else if (!record->netdev || record->hwaddress)
                r = asprintf(ret, "its interface record %s %s", record->file,
                             record->hwaddress ? "goes by a hardware address" : "names no network interface");

        return r < 0 ? -ENOMEM : 0;
}
