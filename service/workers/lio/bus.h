/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs as methods of org.iscsi.Backend (interfaces/org.iscsi.Backend.xml). */

#include <systemd/sd-bus.h>

#include "workers/lio/verbs.h"

/* Adds the object /org/iscsi/Backend to BUS. LIO must outlive it. Returns 0 or a negative errno. */
int lio_bus_add(sd_bus *bus, void *lio);
