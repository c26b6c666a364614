/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sessions of initiators with a port. */

#include <stdint.h>

#include "workers/base/report.h"

/* Whether an initiator is logged in through the port. Returns 1 with the name of one in *RET_INITIATOR (fresh string), 0, or a
 * negative errno. */
int lio_port_has_session(const char *port_dir, char **ret_initiator);

/* The initiator in the text of acls/<initiator>/info. Returns 1, 0 if it tells of no session, -EINVAL if it tells neither. */
int lio_info_to_initiator(const char *text, char **ret);

/* SessionsActive if an initiator is logged in through the port TAG of NODE, whose directory is PORT_DIR. */
int lio_check_port_sessions(const char *port_dir, const char *node, uint16_t tag, Report *report);
