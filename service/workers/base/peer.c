/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/peer.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>

#include "common/log.h"

int peer_check(int fd, const char *allow_user) {
        struct ucred peer;
        socklen_t size = sizeof(peer);
        const struct passwd *pw;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return log_error_errno(errno, "Cannot tell who has connected");
        if (peer.uid == 0)
                return 0;

        pw = getpwnam(allow_user);
        if (pw && pw->pw_uid == peer.uid)
                return 0;

        return log_error_errno(EPERM, "User id %u is neither root nor %s", peer.uid, allow_user);
}

bool peer_has_hung_up(int fd, int msec) {
        struct pollfd p = { .fd = fd, .events = POLLRDHUP };

        return poll(&p, 1, msec) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}
