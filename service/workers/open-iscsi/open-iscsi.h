/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The engine of iscsi-backend-open-iscsi: initiator ports are interface records of open-iscsi. */

#include "workers/base/engine.h"
#include "workers/open-iscsi/changes.h"
#include "workers/open-iscsi/installation.h"

/* Its userdata. */
typedef struct OpenIscsi {
        Installation at;
        RecordCache cache; /* of this process: what a worker has read, others do not know */
        bool outdated;     /* open-iscsi was installed after this worker was started */
        Changes changes;
} OpenIscsi;

/* Frees what it has read. */
void open_iscsi_done(OpenIscsi *o);

extern const WorkerEngine open_iscsi_engine;
