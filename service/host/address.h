/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An address of this host, and what happens to it. */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"

/* Values of CIM_IPProtocolEndpoint.AddressOrigin that are told here. The kernel does not record where an address came from, so
 * the value is deduced, first match first:
 *   IPv6 fe80::/10                                                      Link Local
 *   IPv4 169.254.0.0/16                                                 IPv4 Link Local
 *   IPv6, made by the kernel from a router's announcement (IFA_PROTO),
 *        a temporary address or one that temporary ones are made from   Stateless
 *   without a lifetime (IFA_F_PERMANENT)                                Static
 *   with a lifetime: IPv4                                               DHCP
 *                    IPv6                                               Stateless (DHCPv6 cannot be told apart from it)
 */
enum {
        HOST_ORIGIN_UNKNOWN = 0, /* of the wildcard only */
        HOST_ORIGIN_STATIC = 3,
        HOST_ORIGIN_DHCP = 4,
        HOST_ORIGIN_IPV4_LINK_LOCAL = 6,
        HOST_ORIGIN_STATELESS = 9,
        HOST_ORIGIN_LINK_LOCAL = 10,
};

typedef struct HostAddress {
        IpAddress address;           /* the wildcard is one address: see host_new() */
        bool dual_stack;             /* of the wildcard "::" only: it stands for IPv4 too */
        uint8_t prefix_length;       /* bits; 0 of the wildcard */
        uint16_t origin;             /* HOST_ORIGIN_…, deduced */
        int ifindex;                 /* of that interface; 0 of the wildcard */
        char interface[IF_NAMESIZE]; /* of the interface that has it, with the lowest index if several do; "" of the wildcard.
                                      * Printable ASCII: other bytes of a name show as "?" */
} HostAddress;

typedef enum HostEvent {
        HOST_ADDRESS_ADDED,
        HOST_ADDRESS_CHANGED, /* prefix, origin, interface or ifindex differ; the address is the same */
        HOST_ADDRESS_REMOVED, /* with what was told last */
} HostEvent;

/* Called once per address that came, changed or went: from within host_new(), then from the event loop. An address is ADDED
 * before it is CHANGED or REMOVED, and each call tells a difference to the one before. ADDRESS is valid during the call only.
 * host_free() must not be called from here. */
typedef void (*host_changed_t)(HostEvent event, const HostAddress *address, void *userdata);

/* Called from the event loop when NAME stands for another interface than before: IFINDEX, or 0 if no interface has that name any
 * more. So a renamed interface is told with both names; one that is made again under its name with 0 and its new index, or, if
 * notifications were lost, with the new index alone. A socket with a link-local address belongs to the index: after such a change
 * it is on the wrong interface or on none. NAME is what the kernel has, any bytes but '/' and blanks, and valid during the call
 * only. host_free() must not be called from here. */
typedef void (*host_link_changed_t)(const char *name, int ifindex, void *userdata);
