/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A port's switch: the file "enable" in its directory. */

#include <stdbool.h>

#include "workers/base/steps.h"

/* Reads "enable" of a port's directory. */
int lio_enable_read(const char *port_dir, bool *ret);

/* Writes "1" or "0" to the enable file of PORT_DIR unless that is its value already. Errors as for step_mkdir(). */
int step_enable(Steps *s, const char *port_dir, bool enable);
