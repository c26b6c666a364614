/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Portals: whether they can be made, made, and seen to listen. */

#include "workers/base/steps.h"
#include "workers/lio/engine.h"

/* Decides whether the N PORTALS can be made in port TAG of OWN, which is the node as it is now; they are taken to be made in their
 * order. Nothing is changed. */
int lio_check_portals(const Lio *lio, const LioNode *own, uint16_t tag, const Portal *portals, size_t n, Report *report);

/* Makes the portal in PORT_DIR unless it is there already, and makes sure that it listens. */
int lio_make_portal(const Lio *lio, Steps *steps, const char *node, uint16_t tag, const char *port_dir, const Portal *portal);

/* Makes sure that a portal, which is in the port, listens; else tells why it does not. */
int lio_verify_portal(const Lio *lio, const char *node, uint16_t tag, const Portal *portal, Report *report);
