/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/hash.h"
#include "workers/base/peer.h"

#define POLL_MSEC 20

static int try_shared(int fd, off_t unused _unused_) {
        return flock(fd, LOCK_SH | LOCK_NB) < 0 ? -errno : 0;
}

static int try_byte(int fd, off_t offset) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* Tries again and again until it has the lock (0), the time is over (-EBUSY), the peer has hung up (-ECANCELED) or something is wrong. */
static int wait_for(int (*try)(int fd, off_t offset), int fd, off_t offset, unsigned timeout, int peer_fd) {
        uint64_t until = monotonic_msec() + (uint64_t) timeout * 1000;

        for (;;) {
                int r;

                r = try(fd, offset);
                if (r != -EWOULDBLOCK && r != -EACCES)
                        return r;
                if (monotonic_msec() >= until)
                        return -EBUSY;
                if (peer_has_hung_up(peer_fd, POLL_MSEC))
                        return -ECANCELED;
        }
}

/* A hash, cut to what an offset may be. */
static off_t offset_of_name(const char *name) {
        return (off_t) (hash_text(name) >> 2);
}

int lock_take(const LockFile *file, const char *node, int peer_fd, Report *report, int *ret_fd) {
        const char *path = file->path;
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0 || fstat(fd, &st) < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot open the lock file %s: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return report_refuse(report, REFUSAL_FAILED, "The lock file %s is not a regular file", path);

        r = wait_for(try_shared, fd, 0, file->timeout, peer_fd);
        if (r == -EBUSY)
                return report_refuse(report, REFUSAL_BUSY,
                                     "Another program holds the lock %s, probably %s; close it and try again", path, file->other);
        if (r >= 0) {
                r = wait_for(try_byte, fd, offset_of_name(node), file->timeout, peer_fd);
                if (r == -EBUSY)
                        return report_refuse(report, REFUSAL_BUSY,
                                             "Another change of node %s is still under way; try again later", node);
        }
        if (r == -ECANCELED)
                return report_refuse(report, REFUSAL_FAILED, "The caller hung up");
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot lock %s: %s", path, strerror(-r));

        *ret_fd = TAKE_FD(fd);
        return 0;
}
