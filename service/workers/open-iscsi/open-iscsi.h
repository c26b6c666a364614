/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The engine of iscsi-backend-open-iscsi: initiator ports are interface records of open-iscsi. */

#include "workers/base/engine.h"
#include "workers/open-iscsi/changes.h"
#include "workers/open-iscsi/installation.h"

/* Its userdata. */
typedef struct OpenIscsi {
        Installation at;
        Changes changes;
} OpenIscsi;

extern const WorkerEngine open_iscsi_engine;
