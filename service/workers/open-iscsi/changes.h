/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waits for other programs to change open-iscsi's records or the host's name: inotify(7) on the directories. Only root can read
 * them, so the service cannot watch them itself. */

#include <stdbool.h>

#include "workers/base/texts.h"
#include "workers/open-iscsi/database.h"
#include "workers/open-iscsi/host-name.h"

typedef struct Changes {
        const Installation *at;
        RecordCache *cache;
        bool begun;
        int fd;          /* of inotify */
        Records records; /* as told last */
        HostName host;
        Texts notices;
} Changes;

void changes_done(Changes *c);

/* The first call answers at once. C is empty then but for AT and CACHE, which stay valid. Later ones wait until a record, or the
 * host's name, is other than it was told, or what is said of them is. NODES gets the names of nodes that may be other than they
 * were: at first of all that there are; "" is any that the caller knows. NOTICES: what administrators should know, in sentences.
 * Returns 0; -ECANCELED once the peer of PEER_FD has hung up; or a negative errno, with the report filled but for -ENOMEM. */
int changes_wait(Changes *c, int peer_fd, Texts *nodes, Texts *notices, Report *report);
