/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The desired state on disk: one SQLite file, DIRECTORY/ports.db.
 *
 * One thread owns the only connection to the file. The event loop hands it immutable change sets and learns the results
 * through an eventfd, so no function here waits for the disk, except store_close(). All functions are called from the loop's
 * thread, and all callbacks come from it.
 *
 * The caller has checked the rules; the file's UNIQUE, CHECK and FOREIGN KEY constraints are the second lock behind them.
 *
 * Errors of a change: -ENOENT (what is to be removed or set, or what the new object belongs to, is not there), -EEXIST (a
 * constraint: the rules let something through that the file refuses), -ENOSPC (disk full), -EROFS (directory or file not
 * writable), -EBUSY (another process holds the file's lock; it was waited for at most STORE_BUSY_MSEC), -EIO, -ENOMEM, and any
 * error of a StoreFault if the store is not open. Nothing of the change is stored then.
 *
 * If only the flush of a commit fails, its content is overwritten in the write-ahead log at once. If that fails too, a crash
 * before the next commit that succeeds can bring the change back. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/address.h"
#include "common/macro.h"

#define STORE_DIRECTORY "/var/lib/iscsi-configd" /* where it usually is */
#define STORE_FILE_NAME "ports.db"
#define STORE_VERSION 2     /* of the tables: PRAGMA user_version, and table meta */
#define STORE_BUSY_MSEC 500 /* how long the thread waits for a lock of another process */

/* Change sets that the thread takes into one transaction, and the operations in them: a bound on what one fsync makes wait. */
#define STORE_GROUP_MAX 256u
#define STORE_GROUP_OPERATIONS_MAX 4096u

typedef struct Store Store;
typedef struct StoreChange StoreChange; /* operations that are stored together or not at all */
typedef struct StoreCommit StoreCommit; /* a change set on its way to the disk */
typedef struct StoreImage StoreImage;   /* all that the file holds, as of one moment */

/* Times that tests shorten, before store_new(). */
typedef struct StoreTimes {
        uint64_t retry_usec; /* from one attempt to open the file to the next: 30 s */
        uint64_t lazy_usec;  /* how long a lazy commit waits for company: 1 s */
        uint64_t close_usec; /* how long store_close() waits for the thread: 5 s */
} StoreTimes;

extern StoreTimes store_times;

/* Why the store cannot be used.
 *
 * -EUCLEAN           the file is damaged: SQLite's checks fail, a table is not that of its version, or a value is one that no
 *                    change can have written
 * -EMEDIUMTYPE       the file is something else than a store of this service
 * -EPROTONOSUPPORT   a newer version of this service, or of SQLite's file format, wrote it
 * -ENOTRECOVERABLE   it has an older version and could not be brought to this one; it is as it was
 * -ENODATA           there is no file, but other files show that there was one
 * -ESTALE            the file was moved or removed while it was in use
 * others             what the system said of the directory or the file: -EACCES, -ENOENT, -ENOTDIR, -ELOOP (it is a symbolic
 *                    link), -EISDIR, -EINVAL (another kind of file), -EROFS, -ENOSPC, -EMFILE, -EBUSY, -EIO, -ENOMEM,
 *                    -EOPNOTSUPP (a file system on which SQLite cannot keep a write-ahead log), ... */
typedef struct StoreFault {
        int error;
        const char *why; /* a sentence that names the file, the reason and the way out */
} StoreFault;

/* What an operation does. The fields of StoreOperation that it reads stand behind it; a text in square brackets can be NULL. */
typedef enum StoreVerb {
        STORE_ADD_NODE,            /* node [alias] roles [boot_id] [drift_policy] */
        STORE_REMOVE_NODE,         /* node; its ports go with it */
        STORE_SET_NODE,            /* node [alias] [drift_policy]; NULL: stays as it is */
        STORE_ADD_PORT,            /* node role identifier enabled portals */
        STORE_REMOVE_PORT,         /* node identifier */
        STORE_SET_PORT,            /* node identifier enabled */
        STORE_ADD_BINDING,         /* node identifier portals; they become the port's last */
        STORE_REMOVE_BINDING,      /* node identifier portals */
        STORE_ADD_TCP_ENDPOINT,    /* portals, id of their first group (0: the built-in one) */
        STORE_REMOVE_TCP_ENDPOINT, /* portals; their memberships go with them */
        STORE_ADD_ADDRESS,         /* address [element_name] [boot_id] */
        STORE_REMOVE_ADDRESS,      /* address */
        STORE_ADD_PORTAL_GROUP,    /* id [element_name] */
        STORE_REMOVE_PORTAL_GROUP, /* id; -EEXIST while it has members */
        STORE_ADD_MEMBER,          /* id of the group, portals */
        STORE_REMOVE_MEMBER,       /* id of the group, portals */
        STORE_ADD_JOURNAL,         /* id action before */
        STORE_DROP_JOURNAL,        /* id */
        STORE_SET_SETTING,         /* key value */
        _STORE_VERB_MAX,
} StoreVerb;

typedef struct StoreOperation {
        StoreVerb verb;
        const char *node;  /* its iSCSI name */
        const char *alias; /* NULL, "": none */
        const char *
                boot_id; /* of what ends with this boot of the host: sd_id128_get_boot() as 32 hex digits. NULL, "": persistent */
        const char *drift_policy; /* "report", "enforce"; NULL, "": the service's */
        const char *element_name;
        const char *action; /* of a journal row: what was begun, and what is needed to end it */
        const char *before;
        const char *key; /* of a setting */
        const char *value;
        unsigned roles;      /* a set of 1 << role bits */
        uint16_t role;       /* 2 initiator, 3 target */
        bool enabled;        /* of a port; mind that it is false unless set */
        uint64_t identifier; /* of a port, below 2^48; of a target port, its portal group tag, below 2^16 (RFC 7143 §13.9) */
        uint64_t id;         /* of a portal group or a journal row, chosen by the caller: see store_image_next_group_id() */
        IpAddress address;
        /* TCP endpoints, or the addresses of an initiator port (then .port is 0). Endpoints that each host address has are
         * members of groups too, without having been made; not so of group 0, whose members they are anyway: there it is
         * -ENOENT. */
        const Portal *portals;
        size_t n_portals;
} StoreOperation;

StoreChange *store_change_new(void); /* NULL: no memory */
StoreChange *store_change_free(StoreChange *c);
DEFINE_TRIVIAL_CLEANUP(StoreChange *, store_change_free);

/* Appends a copy of OP with all that it points to. Returns 0, -EINVAL (no such verb, or an address that ip_address_is_usable()
 * refuses) or -ENOMEM. */
int store_change_add(StoreChange *c, const StoreOperation *op);

typedef struct StoreNode {
        const char *name, *alias, *boot_id, *drift_policy;
        unsigned roles;
} StoreNode;

typedef struct StorePort {
        const char *node;
        uint16_t role;
        bool enabled;
        uint64_t identifier;
        const Portal *portals;
        size_t n_portals;
} StorePort;

typedef struct StoreAddress {
        const IpAddress *address;
        const char *element_name, *boot_id;
} StoreAddress;

/* Called by store_image_visit() for each object, those that others refer to first, in the order below; each kind in the order
 * of creation (settings: by key; ports: of their nodes, then by Identifier; journal rows: by id), portals in the order in
 * which they were given. A negative return value ends the visit with it. A function that is NULL is not called. */
typedef struct StoreVisitor {
        int (*setting)(const char *key, const char *value, void *userdata);
        int (*portal_group)(uint64_t id, const char *element_name, void *userdata); /* but the built-in one */
        int (*tcp_endpoint)(const Portal *portal, void *userdata);
        int (*member)(uint64_t group, const Portal *portal, void *userdata);
        int (*address)(const StoreAddress *address, void *userdata);
        int (*node)(const StoreNode *node, void *userdata);
        int (*port)(const StorePort *port, void *userdata);
        int (*journal)(uint64_t id, const char *action, const char *before, void *userdata);
} StoreVisitor;

int store_image_visit(const StoreImage *image, const StoreVisitor *visitor, void *userdata);

/* The lowest ids above all that were ever used (groups), or that are in use (journal). */
uint64_t store_image_next_group_id(const StoreImage *image);
uint64_t store_image_next_journal_id(const StoreImage *image);

/* The state of the store. The last one is told when several followed each other before the loop came round. The results of the
 * commits that a state decided come after it.
 *
 * OPENED: the file is open. IMAGE is valid until the function returns. It comes again after UNAVAILABLE; the file may then
 * hold something else. Nodes (with their ports) and addresses of another boot have been removed. UNAVAILABLE: the file cannot
 * be used, from the start or any more; commits are answered with the fault. It comes again only if the reason changes. The
 * thread tries again every store_times.retry_usec; if it is the content of the file that is wrong, only once that has changed. */
typedef struct StoreCallbacks {
        void (*opened)(Store *s, const StoreImage *image, void *userdata);
        void (*unavailable)(Store *s, const StoreFault *fault, void *userdata);
} StoreCallbacks;

/* Starts the thread. It opens DIRECTORY/ports.db, brings it to STORE_VERSION, checks it and reads it. If there is none, it
 * makes one, and the directory (0700; its parent must be there); but never in place of a file that is there, was there before
 * in this process, or has left others behind ("ports.db…"). An older version is copied to ports.db.before-v<VERSION> before it
 * is changed. A file that is damaged, newer or foreign is not written to. CALLBACKS must outlive the store; none is called
 * before store_new() has returned. Returns 0 or a negative errno of the thread or the event source. */
int store_new(sd_event *event, const char *directory, const StoreCallbacks *callbacks, void *userdata, Store **ret);

/* Stores what is queued, lazy commits too, and ends the thread. Results that are still out are told before it returns; the
 * state of the store is not any more. If the
 * disk does not answer for store_times.close_usec, they are told as -ETIMEDOUT, and the thread is left behind. Not to be
 * called from a callback of the store. */
Store *store_close(Store *s);
DEFINE_TRIVIAL_CLEANUP(Store *, store_close);

bool store_is_open(const Store *s);
const StoreFault *store_fault(const Store *s); /* NULL: it is open, or opening for the first time */
void store_try_again(Store *s);                /* now, not only after retry_usec */

typedef enum StoreUrgency {
        STORE_NOW,
        STORE_LAZY, /* goes with the next commit, or alone after store_times.lazy_usec */
} StoreUrgency;

/* R: 0 (the change is on disk) or a negative errno, with a sentence that says the reason and the way out; WHY is NULL with 0. */
typedef void (*store_done_t)(int r, const char *why, void *userdata);

/* Queues CHANGE, which it takes, also when it fails. Commits are stored in the order of these calls. All that are queued go
 * into one transaction with one fsync; one that fails there does not touch the others. DONE (which can be NULL) is called
 * exactly once, later, unless it is cancelled; *RET (RET can be NULL) is valid until then. A change without operations
 * succeeds without a write. Returns 0 or -ENOMEM. */
int store_commit(Store *s, StoreChange *change, StoreUrgency urgency, store_done_t done, void *userdata, StoreCommit **ret);

/* Forgets the callback; the change is stored all the same. Returns NULL. */
StoreCommit *store_commit_cancel(StoreCommit *c);

/* Begins a new, empty store in DIRECTORY for an administrator who asks for it. What was there goes aside as ports.db.old-<UTC
 * time>, with its -wal and -shm; *RET_ASIDE is set to that path (malloc'ed), or to NULL if nothing was there. A caller with
 * uid 0 gives the new file to the owner of the directory. Returns 0, or a negative errno with the old store in place and a
 * sentence in *RET_WHY (malloc'ed, or NULL without memory): -EBUSY (a process has the store open, as the service does), or an
 * error of StoreFault. */
int store_begin_new(const char *directory, char **ret_aside, char **ret_why);
