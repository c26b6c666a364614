/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why changes made by other programs may be noticed late, and the sentence that says so. */

#include <limits.h>
#include <stdbool.h>

#include "host/configfs-callbacks.h"

/* The first that holds is the one that is said. */
typedef enum ConfigfsTrouble {
        CONFIGFS_TROUBLE_NO_INSTANCE, /* inotify cannot be used at all: instance_error */
        CONFIGFS_TROUBLE_STUCK,       /* the kernel does not answer: stuck_at */
        CONFIGFS_TROUBLE_LIMIT,       /* watches ran out */
        CONFIGFS_TROUBLE_REFUSED,     /* a directory cannot be watched or read: refused_error */
        CONFIGFS_TROUBLE_LOST,        /* events were lost (EOVERFLOW), or nothing could be done about them: lost_error */
        CONFIGFS_TROUBLE_ABSENT,      /* the kernel has no target */
} ConfigfsTrouble;

typedef struct ConfigfsStatus {
        const char *engine; /* path that is absent */
        unsigned seconds;   /* from one listing to the next */
        configfs_watch_status_t told;
        void *userdata;

        unsigned troubles; /* 1 << ConfigfsTrouble */
        int instance_error, refused_error, lost_error;
        char stuck_at[PATH_MAX];
        char *text; /* told last, NULL: nothing was wrong */
} ConfigfsStatus;

void configfs_status_set(ConfigfsStatus *s, ConfigfsTrouble trouble, bool on);
bool configfs_status_has(const ConfigfsStatus *s, ConfigfsTrouble trouble);

/* Whether something can change without an event that tells it. */
bool configfs_status_is_blind(const ConfigfsStatus *s);

/* Tells and logs the sentence if it is not the one told last. */
void configfs_status_update(ConfigfsStatus *s);
void configfs_status_done(ConfigfsStatus *s);
