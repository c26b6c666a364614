/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.iscsi.Backend (interfaces/org.iscsi.Backend.xml) on a connection. */

#include <systemd/sd-bus.h>

#include "workers/base/apply.h"

/* Adds the object /org/iscsi/Backend to BUS. W must outlive it. Returns 0 or a negative errno. */
int worker_bus_add(sd_bus *bus, Worker *w);
