/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A port's switch: the file "enable" in its directory. */

#include <stdbool.h>

#include "workers/base/steps.h"

/* Reads it. Returns 0 or a negative errno. */
int lio_switch_read(const char *port_dir, bool *ret);

/* Switches the port on or off unless it is so already. */
int lio_switch_port(Steps *s, const char *port_dir, bool enable);
