/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The arguments of Apply and Check. The client is not trusted to have checked anything. */

#include <systemd/sd-bus.h>

#include "workers/base/engine.h"

#define REQUEST_OPERATIONS_MAX 65536u

/* Reads M into *RET; texts in it live as long as M. InvalidParameter for what is not of the form that common/verbs.def describes,
 * or names a verb that the engine lacks. Returns 0 or a negative errno, with or without a report. */
int request_read(sd_bus_message *m, const WorkerEngine *engine, Request *ret, Report *report);
void request_done(Request *rq);

/* InvalidParameter unless NODE can be changed by ENGINE. */
int request_check_node(const WorkerEngine *engine, const char *node, Report *report);
