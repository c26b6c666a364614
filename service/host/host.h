/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The addresses of this host, live from the kernel's rtnetlink (rtnetlink(7)). */

#include <net/if.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/macro.h"
#include "host/address.h"

typedef struct Host Host;

/* Reads all addresses and follows them from then on. CHANGED is called with HOST_ADDRESS_ADDED for each address that is already
 * there within this call, the wildcard first; if this call fails, it is not called at all.
 *
 * - An address is told once, however many interfaces have it. IPv6 link-local ones are told apart by interface: that is their
 *   zone, so that a renamed interface takes the old one away and brings a new one. An interface whose name cannot be
 *   a zone (']', '%', other than printable ASCII) has no link-local addresses here; a log line says so.
 * - If an interface has an IPv4 address with several prefixes, the longest is told. Of a point-to-point link the local address
 *   counts.
 * - Tentative addresses and those that failed duplicate address detection are not there (yet); optimistic and deprecated
 *   ones are. (Of an optimistic one the kernel notifies before the end of the detection only where use_optimistic is set.)
 * - Multicast, IPv4-mapped and other addresses that ip_address_is_usable() refuses are left out.
 * - One wildcard is there always and never changes: "::" (dual_stack) if IPv6 sockets exist and net.ipv6.bindv6only was 0
 *   at this call, else "0.0.0.0".
 *
 * Only this call waits for the kernel, for at most five seconds. Lost notifications (ENOBUFS) lead to a new full read, of which
 * only the difference is told. If that fails it is tried again every second and what was told last stays.
 *
 * EVENT is referenced until host_free(). Returns 0, -ETIMEDOUT, or the errno of the socket call that failed. */
int host_new(sd_event *event, host_changed_t changed, void *userdata, Host **ret);

/* From now on CHANGED is called for interfaces too, before the addresses that change with them. Nothing is told of those that are
 * there already: see host_find_link(). */
void host_follow_links(Host *h, host_link_changed_t changed, void *userdata);

/* Returns the index of the interface that is called NAME according to what was told last, 0 if there is none. */
int host_find_link(const Host *h, const char *name);

/* Which interface the kernel would take for ZONE now: that of this name, alternative name or number. Its own name comes into RET.
 * Needs no Host. Returns false if there is none. */
bool host_find_interface(const char *zone, char ret[static IF_NAMESIZE]);

/* Stops following; nothing is called any more. Returns NULL; NULL is fine. */
Host *host_free(Host *h);
DEFINE_TRIVIAL_CLEANUP(Host *, host_free);
