/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel would make of a new portal. It answers EINVAL for every reason, and for some it does not even fail but binds
 * nothing; so the reason is decided here, before the kernel is asked.
 *
 * When a portal is made the kernel looks through all portals of all nodes for an equal one and, if it finds one, shares its
 * socket. But its comparison is blind to the address family and to the zone: it takes the raw bytes of the new address and holds
 * them against the same place in the existing socket address. So "[::]" equals any IPv4 address, "0.0.0.0" equals any IPv6
 * address, and link-local addresses on two interfaces equal each other. */

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/refusal.h"
#include "workers/lio/listen.h"
#include "workers/lio/tree.h"

/* Whether the kernel, asked to make A, would take the existing portal B for the same. Not symmetric. */
bool portal_kernel_equal(const Portal *a, const Portal *b);

/* Whether two sockets cannot listen side by side: a wildcard and another address of its family, or of the other family if the
 * wildcard's socket is dual-stack. Equal portals do not overlap, they are shared. */
bool portal_overlaps(const Portal *a, bool a_v6_only, const Portal *b, bool b_v6_only);

/* What stands against a portal, or is shared by it. */
typedef struct Prediction {
        Refusal refusal;
        bool shared;              /* the target listens there already: its socket will be shared */
        const LioPort *port;      /* of the node itself */
        const LioPortal *portal;  /* of that port */
        const Listener *listener; /* the socket, if it is no portal of the node */
} Prediction;

/* Decides about making PORTAL (IFINDEX: the interface of its zone) in port TAG of NODE, with all LISTENERS on its TCP port that
 * are not marked as ignored. Each portal of the target has its socket among them, so the other nodes need not be known. EXCEPT
 * (may be NULL) is a portal of the node that counts as gone. V6_ONLY: what a new IPv6 socket would be.
 *   REFUSAL_NONE            nothing that is known is against it
 *   REFUSAL_TCP_IN_USE      another port of NODE has it
 *   REFUSAL_PORTAL_SHADOWED the kernel would take it for that portal or socket and not bind it
 *   REFUSAL_ADDRESS_OVERLAP that portal's, or the target's, socket excludes it
 *   REFUSAL_ADDRESS_IN_USE  another program's socket excludes it */
Prediction portal_predict(const Portal *portal, uint32_t ifindex, uint16_t tag, bool v6_only, const LioNode *node,
                          const LioPortal *except, const Listeners *listeners);

/* The order in which the portals of one port are made, so that its caller's order does not matter: wildcards first, since a
 * wildcard that comes after a specific portal of the other family would be taken for that one. */
int portal_compare_for_making(const void *a, const void *b);
