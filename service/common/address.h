/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* IP addresses and target portals (RFC 7143 §2.2: IP address + listening TCP port) as values, and their one canonical
 * spelling. */

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define ISCSI_PORT_DEFAULT 3260u /* IANA's port, used when none is given: RFC 7143 §13.8 */
#define ISCSI_PORT_SYSTEM 860u   /* IANA's system port for iSCSI: RFC 7143 §4.1 */

typedef struct IpAddress {
        int family; /* AF_INET or AF_INET6 */
        union {
                struct in_addr in;
                struct in6_addr in6;
        };
        char zone[IF_NAMESIZE]; /* name of the interface; set for IPv6 link-local addresses and empty for all others */
} IpAddress;

typedef struct Portal {
        IpAddress address;
        uint16_t port; /* host byte order */
} Portal;

/* Room for the longest text with its NUL: "[fe80:…%eth0]:65535". */
#define IP_ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + IF_NAMESIZE)
#define PORTAL_TEXT_MAX (IP_ADDRESS_TEXT_MAX + 9)

/* Reads "10.0.0.1", "fe80::1%eth0", "::". Brackets, a zone on anything but an IPv6 link-local address, a link-local
 * address without a zone, IPv4-mapped and multicast addresses are refused. Returns 0 or -EINVAL. */
int ip_address_from_text(const char *text, IpAddress *ret);

/* Writes the canonical spelling (RFC 5952 as inet_ntop gives it, "%zone" behind a link-local address). Returns BUF. */
const char *ip_address_to_text(const IpAddress *a, char buf[static IP_ADDRESS_TEXT_MAX]);

/* Checks that A is one that ip_address_from_text() would accept. */
bool ip_address_is_usable(const IpAddress *a);

bool ip_address_is_wildcard(const IpAddress *a);
bool ip_address_is_loopback(const IpAddress *a);
bool ip_address_is_link_local(const IpAddress *a); /* IPv6 only: those that need a zone */

/* An order over all addresses, 0 for equal ones. */
int ip_address_compare(const IpAddress *a, const IpAddress *b);

/* Reads "10.0.0.1:3260" and "[fe80::1%eth0]:3260" in canonical or other spelling, port in decimal 1…65535. Returns 0 or
 * -EINVAL. */
int portal_from_text(const char *text, Portal *ret);
const char *portal_to_text(const Portal *p, char buf[static PORTAL_TEXT_MAX]);
int portal_compare(const Portal *a, const Portal *b);
