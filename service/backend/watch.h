/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hears from a worker of its own when others change what the backend has (org.iscsi.Backend.AwaitChange). */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/macro.h"

typedef struct BackendWatch BackendWatch;

typedef struct BackendWatchCallbacks {
        /* These nodes may be other than they were (NULL-terminated; "" is any that is known). FIRST: the worker is a new one, so
         * anything that it does not name may have gone as well. */
        void (*changed)(char *const *nodes, bool first, void *userdata);
        /* What administrators should know; NULL: nothing. */
        void (*status)(const char *text, void *userdata);
} BackendWatchCallbacks;

/* Connects to the unix socket SOCKET_PATH from the event loop, and again whenever the worker is lost, after a pause; the status
 * then says so. Neither callback may free the watch. NAME stands in texts. EVENT is referenced. Returns 0, -ENOMEM or the errno
 * of making a timer. */
int backend_watch_new(sd_event *event, const char *name, const char *socket_path, const BackendWatchCallbacks *callbacks,
                      void *userdata, BackendWatch **ret);

/* Stops following; nothing is called any more. Returns NULL; NULL is fine. */
BackendWatch *backend_watch_free(BackendWatch *w);
DEFINE_TRIVIAL_CLEANUP(BackendWatch *, backend_watch_free);
