/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs a request: all of its operations or none, or each on its own. */

#include "workers/base/engine.h"

typedef struct Worker {
        const WorkerEngine *engine;
        void *userdata; /* the engine's own */
        Locks locks;
        Watch watch;
} Worker;

/* Decides and, unless RQ is a check, does the operations. RESULTS has a report for each of them, empty on entry; one whose
 * refusal is still NONE afterwards was done. Returns 0, also when operations failed; or a negative errno with REPORT filled if
 * the request as a whole was refused, before anything was touched. */
int apply_request(Worker *w, const Request *rq, Report *results, Texts *warnings, Report *report);
