/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The engine of iscsi-backend-open-iscsi: initiator ports are interface records of open-iscsi. Its userdata is an
 * Installation. */

#include "workers/base/engine.h"

extern const WorkerEngine open_iscsi_engine;
