/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel would make of a new portal. It answers EINVAL for every reason, and for some it does not even fail but binds nothing;
 * so the reason is decided here, before the kernel is asked.
 *
 * When a portal is made the kernel looks through all portals of all nodes for an equal one and, if it finds one, shares its socket.
 * But its comparison is blind to the address family and to the zone: it takes the raw bytes of the new address and holds them against
 * the same place in the existing socket address. So "[::]" equals any IPv4 address, "0.0.0.0" equals any IPv6 address, and link-local
 * addresses on two interfaces equal each other. */

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/refusal.h"

/* A portal that is in the kernel already, or will be before the new one. */
typedef struct PortalUse {
        const char *node; /* not owned */
        uint16_t tag;
        Portal portal;
        bool listening; /* a socket with exactly this address, zone and port exists */
        bool v6_only;   /* of that socket */
} PortalUse;

/* Whether the kernel, asked to make A, would take the existing portal B for the same. Not symmetric. */
bool portal_kernel_equal(const Portal *a, const Portal *b);

/* Whether two sockets cannot listen side by side: a wildcard and another address of its family, or of the other family if the
 * wildcard's socket is dual-stack. Equal portals do not overlap, they are shared. */
bool portal_overlaps(const Portal *a, bool a_v6_only, const Portal *b, bool b_v6_only);

/* Decides about making PORTAL in a port of NODE with TAG, given all N USES. V6_ONLY: what a new IPv6 socket would be.
 *   REFUSAL_NONE            nothing among USES is against it; *RET_OTHER is the portal whose socket it will share, or NULL
 *   REFUSAL_TCP_IN_USE      another port of NODE has it
 *   REFUSAL_PORTAL_SHADOWED the kernel would take it for *RET_OTHER and not bind it
 *   REFUSAL_ADDRESS_OVERLAP *RET_OTHER's socket excludes it
 * The order of USES does not change the meaning of the answer. */
Refusal portal_predict(const Portal *portal, const char *node, uint16_t tag, bool v6_only, const PortalUse *uses, size_t n,
                       const PortalUse **ret_other);

/* The order in which the portals of one port are made, so that its caller's order does not matter: wildcards first, since a wildcard
 * that comes after a specific portal of the other family would be taken for that one. */
int portal_compare_for_making(const void *a, const void *b);
