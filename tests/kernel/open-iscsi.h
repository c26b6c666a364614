/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The real initiator of the throw-away machine, open-iscsi: its daemon, with nothing in its database from before. */

#include <stdbool.h>

/* INITIATOR is the host's name. Returns false, with the test skipped, if open-iscsi or its kernel module is not here. */
bool open_iscsi_start(const char *initiator);

/* Ends sessions and daemon, and empties the database. */
void open_iscsi_stop(void);
