/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tells which nodes of the kernel's iSCSI target change, whoever changes them: inotify(7) on the directories of configfs.
 *
 * It needs no privilege, and reads directories only, never an attribute. All system calls that configfs can block are made by
 * a thread (directory-reader.h), so that a removal that hangs in the kernel does not stop the event loop. */

#include <systemd/sd-event.h>

#include "common/macro.h"
#include "host/configfs-callbacks.h"

typedef struct ConfigfsWatch ConfigfsWatch;

/* Follows FABRIC, normally "/sys/kernel/config/target/iscsi". Neither it nor the directory that it is in need exist:
 *
 * - While only FABRIC is missing its coming is told at once.
 * - While its parent is missing too, which the kernel makes without an event when the module target_core_mod is loaded or
 *   configfs is mounted, it is looked for every ten seconds. The status says so.
 *
 * CHANGED is called from the event loop only: for the first time, with NULL, when all watches are set. Changes of a node are put
 * together until there has been none for 100 ms, but not for longer than a second.
 *
 * Not having watches is no error here. If they run out, if events are lost, if a directory cannot be watched or the kernel does
 * not answer about one for two seconds, the status says so, what is followed already still is, and the rest is tried again every
 * ten seconds, or follows once the kernel answers.
 *
 * Neither callback may call configfs_watch_free(). EVENT and a copy of FABRIC and CALLBACKS are kept until then. Each status is
 * also logged. Returns 0, -EINVAL if FABRIC is not an absolute path of two components or more, -ENOMEM, or the errno of making a
 * timer. */
int configfs_watch_new(sd_event *event, const char *fabric, const ConfigfsWatchCallbacks *callbacks, void *userdata,
                       ConfigfsWatch **ret);

/* Stops following; nothing is called any more. Takes half a second if the kernel does not answer. Returns NULL; NULL is fine. */
ConfigfsWatch *configfs_watch_free(ConfigfsWatch *watch);
DEFINE_TRIVIAL_CLEANUP(ConfigfsWatch *, configfs_watch_free);
