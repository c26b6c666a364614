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

/* What the file holds, and what a change does with it. stored.def describes each kind, and says which of these verbs exist and
 * what they take. */
typedef enum StoredType {
#define STORED(KIND, ...) STORED_##KIND,
#include "store/stored.def"
        _STORED_MAX,
} StoredType;

typedef enum StoreAction {
        STORE_ACTION_ADD,
        STORE_ACTION_SET,
        STORE_ACTION_REMOVE,
        _STORE_ACTION_MAX,
} StoreAction;

typedef enum StoreVerb {
#define STORED(KIND, ...) STORE_ADD_##KIND, STORE_SET_##KIND, STORE_REMOVE_##KIND,
#include "store/stored.def"
        _STORE_VERB_MAX,
} StoreVerb;

/* What a verb does not take is not looked at. */
typedef struct StoreOperation {
        StoreVerb verb;
#define FIELD(type, name) type name;
#include "store/stored.def"
        const Portal *portals; /* TCP endpoints, or the addresses of an initiator port (then .port is 0) */
        size_t n_portals;
} StoreOperation;

StoreChange *store_change_new(void); /* NULL: no memory */
StoreChange *store_change_free(StoreChange *c);
DEFINE_TRIVIAL_CLEANUP(StoreChange *, store_change_free);

/* Appends a copy of OP with all that it points to. Returns 0, -EINVAL (no such verb, or an address that ip_address_is_usable()
 * refuses) or -ENOMEM. */
int store_change_add(StoreChange *c, const StoreOperation *op);

/* Calls VISIT with the operation that would make each object: in the order of stored.def, each kind in the order of creation
 * (settings: by key; ports: of their nodes, then by Identifier; journal rows: by id), portals in the order in which they were
 * given. No text that the kind has is NULL. A negative return value ends the visit with it. */
int store_image_visit(const StoreImage *image, int (*visit)(const StoreOperation *op, void *userdata), void *userdata);

/* Of a kind whose ids the caller chooses: the lowest above all that were ever used (groups), or that are in use (journal). */
uint64_t store_image_next_id(const StoreImage *image, StoredType kind);

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
