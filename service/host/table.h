/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel said about links and addresses, and what the user of host.h has been told of it. Pure: no I/O.
 *
 * Rows (an address on a link) go in, in two ways: as notifications, one by one, and as a full read between host_table_begin() and
 * host_table_end(), which tells by omission what is gone. Both come over one socket, so notifications arrive between the parts of
 * a full read. A notification during a read wins over the read, which may carry the older state. host_table_tell() then calls the
 * user once for each interface's name and each address that differ from what was told last. */

#include <stdbool.h>
#include <stdint.h>

#include "common/macro.h"
#include "host/address.h"

typedef struct HostTable HostTable;

typedef enum HostSource {
        HOST_SOURCE_READ,
        HOST_SOURCE_NOTIFIED,
} HostSource;

typedef struct HostRow {
        int ifindex;
        int family; /* AF_INET or AF_INET6 */
        uint8_t local[16];
        uint8_t peer[16]; /* IFA_ADDRESS: the other end if the link is point-to-point, else as LOCAL */
        uint8_t prefix_length;
        uint8_t protocol; /* IFA_PROTO, 0 if the kernel does not say */
        uint32_t flags;   /* IFA_F_… */
} HostRow;

/* Returns 0 or -ENOMEM. */
int host_table_new(host_changed_t changed, void *userdata, HostTable **ret);
HostTable *host_table_free(HostTable *t);
DEFINE_TRIVIAL_CLEANUP(HostTable *, host_table_free);

/* As host_follow_links() and host_find_link(). */
void host_table_follow_links(HostTable *t, host_link_changed_t changed, void *userdata);
int host_table_find_link(const HostTable *t, const char *name);

/* Begins a full read; one that did not come to its end is forgotten. */
void host_table_begin(HostTable *t);

/* Ends it: what was neither read nor notified since host_table_begin() is gone. */
void host_table_end(HostTable *t);

/* All four return 0, or -ENOMEM: then the table may lack something and needs a full read. */
int host_table_set_link(HostTable *t, HostSource source, int ifindex, const char *name);
int host_table_drop_link(HostTable *t, int ifindex);
int host_table_set_row(HostTable *t, HostSource source, const HostRow *in);
int host_table_drop_row(HostTable *t, const HostRow *in);

/* Tells the differences. Does nothing during a full read, since half a read is no state. */
void host_table_tell(HostTable *t);
