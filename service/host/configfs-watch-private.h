/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What only the tests of configfs-watch.h may adjust and see. */

#include <systemd/sd-event.h>

#include "host/configfs-callbacks.h"

typedef struct ConfigfsWatch ConfigfsWatch;

typedef struct ConfigfsWatchTuning {
        unsigned quiet_msec;  /* how long nothing must have changed before changes are told */
        unsigned late_msec;   /* after how long they are told anyway */
        unsigned gather_msec; /* from the first event to reading what is there */
        unsigned list_msec;   /* pause between two listings while something is wrong */
        unsigned stuck_msec;  /* how long the kernel may take for a directory */
} ConfigfsWatchTuning;

typedef struct ConfigfsWatchStatistics {
        unsigned reads;     /* of events */
        unsigned jobs;      /* directories on which a watch was put, or was found to be still there */
        unsigned listings;  /* directories read */
        unsigned overflows; /* notices of lost events */
} ConfigfsWatchStatistics;

extern const ConfigfsWatchTuning configfs_watch_tuning_default;

int configfs_watch_new_tuned(sd_event *event, const char *fabric, const ConfigfsWatchCallbacks *callbacks, void *userdata,
                             const ConfigfsWatchTuning *tuning, ConfigfsWatch **ret);
const ConfigfsWatchStatistics *configfs_watch_statistics(const ConfigfsWatch *watch);
