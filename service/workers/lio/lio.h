/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's iSCSI target as an engine of a worker. */

#include "workers/lio/call.h"

/* Its userdata is a Lio. */
extern const WorkerEngine lio_engine;
