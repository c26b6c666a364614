/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The desired state on disk: one SQLite file, one transaction with one fsync per change. The caller has checked the rules; the
 * file's UNIQUE, CHECK and FOREIGN KEY constraints are the second lock behind them.
 *
 * All functions that change something return 0, or a negative errno with nothing changed: -ENOENT (what is to be removed, or what
 * the new object belongs to, is not there), -EINVAL (an address that ip_address_is_usable() refuses), -EEXIST (a constraint: the
 * rules let something through that the file refuses), -ENOSPC (disk full), -EROFS (directory or file not writable), -ESTALE (the file
 * was moved away under the service), -EBUSY (another process holds the file's lock; it was waited for at most STORE_BUSY_MSEC),
 * -EUCLEAN (the file is damaged), -EIO, -ENOMEM. The store can be used on after each of them.
 *
 * A change that failed only when it was flushed to the disk is overwritten at once. Should that fail as well, a crash before
 * the next change that succeeds can bring it back. */

#include <stdbool.h>
#include <stdint.h>

#include "common/macro.h"
#include "common/address.h"

typedef struct Store Store;

#define STORE_FILE_NAME "ports.db"
#define STORE_VERSION 1     /* PRAGMA user_version of the newest migration */
#define STORE_BUSY_MSEC 100 /* the event loop stands still meanwhile */

/* Which port, and whether a portal of it is a TCP endpoint (target) or an IP endpoint (initiator; then portal.port is 0). */
typedef struct StorePort {
        const char *node;
        uint16_t role;       /* 2 initiator, 3 target */
        uint64_t identifier; /* below 2^48; of a target port, its portal group tag, below 2^16 (RFC 7143 §13.9) */
        const Portal *portals;
        size_t n_portals;
} StorePort;

/* Called by store_load() for each object, those that others refer to first: groups, TCP endpoints, members, nodes, ports; each
 * kind in the order of creation (ports: of their nodes, then by Identifier), portals in the order in which they were given. A negative return value ends the load with it.
 * A function that is NULL is not called. What the pointers point to is gone when the function returns. It must not use the
 * store. */
typedef struct StoreVisitor {
        int (*portal_group)(uint64_t id, const char *element_name, void *userdata); /* but the built-in one */
        int (*tcp_endpoint)(const Portal *portal, void *userdata);
        int (*member)(uint64_t group, const Portal *portal, void *userdata);
        int (*node)(const char *name, const char *alias, unsigned roles, void *userdata);
        int (*port)(const StorePort *port, void *userdata);
} StoreVisitor;

/* Opens DIRECTORY/ports.db, making the directory (0700; its parent must be there) and the file (0600, and so the files that
 * SQLite puts beside it) on the first start, and brings it to STORE_VERSION. A file of a newer version (or of a newer SQLite
 * file format) is refused with -EPROTONOSUPPORT and left as it is. A damaged one is renamed to ports.db.damaged-<UTC time> with
 * its WAL beside it, never written to, a new one is begun, and *RET_DAMAGED is set to that path (malloc'ed), else to NULL.
 * Damaged is what does not pass SQLite's integrity check, does not have the version's tables, or holds what store_load() could
 * not give out; a file that cannot be reached, read, locked or written is not. Each failure is logged with its cause and the
 * way out.
 *
 * Returns 0, one of the errors above, or what the system said of the directory or file: -EACCES, -ENOTDIR, -ELOOP (ports.db is
 * a symbolic link), -EISDIR, -EINVAL (another kind of file), -EMFILE, -EOPNOTSUPP (a file system on which SQLite cannot keep a
 * WAL), … */
int store_open(const char *directory, Store **ret, char **ret_damaged);
Store *store_close(Store *s);
DEFINE_TRIVIAL_CLEANUP(Store *, store_close);

/* Gives out everything, as of one point in time. Returns 0, a visitor's error, or one of the errors above. */
int store_load(Store *s, const StoreVisitor *visitor, void *userdata);

/* ALIAS may be "", ROLES is a set of 1 << role bits. */
int store_add_node(Store *s, const char *name, const char *alias, unsigned roles);
int store_remove_node(Store *s, const char *name); /* its ports go with it */

int store_add_port(Store *s, const StorePort *port);
int store_remove_port(Store *s, const char *node, uint64_t identifier);
int store_add_binding(Store *s, const char *node, uint64_t identifier, const Portal *portal); /* becomes the port's last */
int store_remove_binding(Store *s, const char *node, uint64_t identifier, const Portal *portal);

/* TCP endpoints made by method, with their first group (0: the built-in group). */
int store_add_tcp_endpoint(Store *s, const Portal *portal, uint64_t group);
int store_remove_tcp_endpoint(Store *s, const Portal *portal); /* its memberships go with it */

int store_add_portal_group(Store *s, const char *element_name, uint64_t *ret_id); /* ids are never used again */
int store_remove_portal_group(Store *s, uint64_t id);                             /* -EEXIST while it has members */

/* PORTAL need not have been made by method: the endpoints that each host address has are members of groups, too. Not so of
 * group 0, the built-in one, whose members they are without being in the file: there it is -ENOENT. */
int store_add_member(Store *s, uint64_t group, const Portal *portal);
int store_remove_member(Store *s, uint64_t group, const Portal *portal);

/* What the last failure was, in SQLite's words, for logs and messages; never NULL, valid until the next failure. */
const char *store_last_error(Store *s);
