/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Portals: whether they can be made, made, and seen to listen. */

#include "workers/lio/call.h"

/* ScopeMissing unless the portal's interface is there; *RET_IFINDEX is 0 for a portal without a zone. */
int lio_portal_interface(LioCall *c, const Portal *portal, uint32_t *ret_ifindex, Report *report);

/* Decides whether PORTAL can be made in PORT of the plan, and puts it into the plan. Nothing is changed. */
int lio_plan_portal(LioCall *c, LioPort *port, const Portal *portal, Report *report);

/* The same for a portal that PORT has already: it listens, or it can be made again so that it does (WARNINGS tells). */
int lio_plan_existing(LioCall *c, LioPort *port, LioPortal *existing, const Portal *portal, Report *report, Texts *warnings);

/* Takes a portal out of the plan. */
int lio_plan_leaving(LioCall *c, LioPort *port, LioPortal *existing);

/* Makes the portal in PORT, which is there; that it listens is left to lio_settle_portals(). */
int lio_make_portal(LioCall *c, LioPort *port, const Portal *portal);

/* Makes a portal of ours again unless it listens: what its socket was bound to is gone, or it never had one. */
int lio_heal_portal(LioCall *c, LioPort *port, LioPortal *existing, const Portal *portal);

/* Makes sure that all portals that are pending listen, with one look at the sockets, and takes them off the list. Fails as the
 * engine's settle() does. */
int lio_settle_portals(LioCall *c, size_t *ret_operation, Report *report);

/* Adds to what is pending. */
int lio_pending_add(LioCall *c, const LioPending *pending, const char *port_dir);
void lio_pending_done(LioPending *p);
