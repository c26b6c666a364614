/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The addresses of this host, live from the kernel's rtnetlink (rtnetlink(7)). */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/macro.h"
#include "common/address.h"

typedef struct Host Host;

/* Values of CIM_IPProtocolEndpoint.AddressOrigin that are told here. The kernel does not record where an address came from, so the
 * value is deduced, first match first:
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
        char interface[IF_NAMESIZE]; /* of the interface that has it, with the lowest index if several do; "" of the wildcard.
                                      * Printable ASCII: other bytes of a name show as "?" */
} HostAddress;

typedef enum HostEvent {
        HOST_ADDRESS_ADDED,
        HOST_ADDRESS_CHANGED, /* prefix, origin or interface differ; the address is the same */
        HOST_ADDRESS_REMOVED, /* with what was told last */
} HostEvent;

/* Called once per address that came, changed or went: from within host_new(), then from the event loop. An address is ADDED
 * before it is CHANGED or REMOVED, and each call tells a difference to the one before. ADDRESS is valid during the call only.
 * host_free() must not be called from here. */
typedef void (*host_changed_t)(HostEvent event, const HostAddress *address, void *userdata);

/* Reads all addresses and follows them from then on. CHANGED is called with HOST_ADDRESS_ADDED for each address that is already
 * there within this call, the wildcard first; if this call fails, it is not called at all.
 *
 * - An address is told once, however many interfaces have it. IPv6 link-local ones are told apart by interface: that is their
 *   zone, so that a renamed interface takes the old one away and brings a new one. An interface whose name cannot be
 *   a zone (']', '%', other than printable ASCII) has no link-local addresses here; a log line says so.
 * - If an interface has an IPv4 address with several prefixes, the longest is told. Of a point-to-point link the local address counts.
 * - Tentative addresses and those that failed duplicate address detection are not there (yet); optimistic and deprecated
 *   ones are. (Of an optimistic one the kernel notifies before the end of the detection only where use_optimistic is set.)
 * - Multicast, IPv4-mapped and other addresses that ip_address_is_usable() refuses are left out.
 * - One wildcard is there always and never changes: "::" (dual_stack) if IPv6 sockets exist and net.ipv6.bindv6only was 0
 *   at this call, else "0.0.0.0".
 *
 * Only this call waits for the kernel, for at most five seconds. Lost notifications (ENOBUFS) lead to a new full read, of which only
 * the difference is told. If that fails it is tried again every second and what was told last stays.
 *
 * EVENT is referenced until host_free(). Returns 0, -ETIMEDOUT, or the errno of the socket call that failed. */
int host_new(sd_event *event, host_changed_t changed, void *userdata, Host **ret);

/* Stops following; nothing is called any more. Returns NULL; NULL is fine. */
Host *host_free(Host *h);
DEFINE_TRIVIAL_CLEANUP(Host *, host_free);
