/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Faults at the system calls by which the store writes: pwrite, write, ftruncate and unlink of SQLite (through its own hook for
 * this), and fsync, fdatasync and renameat, which this file's object defines over libc's. Each call is counted from 1. */

#include <stdbool.h>

typedef enum FaultKind {
        FAULT_NONE,
        FAULT_FAIL, /* the call fails with faults.error and does nothing */
        FAULT_KILL, /* the process is killed before the call */
        FAULT_TEAR, /* a write writes half of its bytes, then the process is killed; other calls: as FAULT_KILL */
} FaultKind;

typedef struct Faults {
        FaultKind kind;
        unsigned at;        /* the first call that the fault hits */
        bool lasting;       /* it hits all calls after that, too */
        bool syncs_only;    /* only fsync and fdatasync are counted and hit */
        int error;          /* of FAULT_FAIL */
        bool no_sync;       /* no call reaches the disk: nothing that kills only the process needs that */
        unsigned sync_msec; /* how long each fsync and fdatasync takes */
        _Atomic bool hang;  /* they do not return while this is set */
        const char *sync;   /* a directory that gets a copy of what is synced, as a power cut would leave it; or NULL */

        unsigned n_calls;         /* counted, faults included */
        _Atomic unsigned n_syncs; /* fsync and fdatasync on files and directories that succeeded */
} Faults;

extern Faults faults;

/* Puts the hooks into SQLite. */
void faults_install(void);
