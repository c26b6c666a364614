/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call of Apply or Check on open-iscsi: what was read, and what will be. Records are read one by one as operations name them,
 * so that a create costs the same beside any number of records; only what concerns a node as a whole reads all. */

#include "workers/base/engine.h"
#include "workers/open-iscsi/database.h"
#include "workers/open-iscsi/host-name.h"
#include "workers/open-iscsi/netdevs.h"
#include "workers/open-iscsi/node-ports.h"

/* A port that operations of the call name. */
typedef struct CallPort {
        uint64_t identifier;
        char file[RECORD_NAME_MAX + 1];
        bool there;               /* a record is, now */
        Record now;               /* that record */
        char *text;               /* as it was read; NULL: there is none */
        bool exists;              /* in the plan */
        char netdev[IF_NAMESIZE]; /* that it has in the plan; "": none yet */
} CallPort;

typedef struct Call {
        const Installation *at;
        RecordCache *cache;
        const char *node;
        Steps *steps;
        bool check;
        CallPort *ports; /* owned; pointers into it go stale when another one is added */
        size_t n_ports;
        bool netdevs_loaded;
        Netdevs netdevs;
        bool all_loaded;
        HostName host;
        Records records;
        NodePorts all;
} Call;

/* The port of the node with this Identifier, which need not exist. */
int call_port(Call *c, uint64_t identifier, CallPort **ret, Report *report);

/* Notes what has become of the record. TEXT is taken; NULL: there is none. */
int call_port_changed(CallPort *p, char *text);

/* All ports that the node had when this was first asked. */
int call_load_all(Call *c, Report *report);

int call_load_netdevs(Call *c, Report *report);

void call_done(Call *c);
