/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Changes of nodes, put together so that a burst of them is told once. */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/macro.h"
#include "host/configfs-callbacks.h"

typedef struct ConfigfsChanges ConfigfsChanges;

/* CHANGED is called from the event loop, per node that changed, when there was no change for QUIET_MSEC, or LATE_MSEC after the
 * first. Returns 0 or a negative errno. */
int configfs_changes_new(sd_event *event, unsigned quiet_msec, unsigned late_msec, configfs_watch_changed_t changed,
                         void *userdata, ConfigfsChanges **ret);
ConfigfsChanges *configfs_changes_free(ConfigfsChanges *c);
DEFINE_TRIVIAL_CLEANUP(ConfigfsChanges *, configfs_changes_free);

/* Notes that NODE changed; NULL: any may have. */
void configfs_changes_add(ConfigfsChanges *c, const char *node);
