/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/clock.h"
#include "common/hash.h"
#include "workers/base/peer.h"

#define POLL_MSEC 20
#define LOOK_MSEC 50 /* at most one look in this time */
#define PROC_LOCKS_MAX 65536u

void locks_init(Locks *l, const LockFile *file) {
        *l = (Locks){ .file = *file, .mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .proc_fd = -1 };
}

void locks_done(Locks *l) {
        closep(&l->fd);
        closep(&l->proc_fd);
        (void) pthread_mutex_destroy(&l->mutex);
}

static int try_shared(int fd, off_t unused _unused_) {
        return flock(fd, LOCK_SH | LOCK_NB) < 0 ? -errno : 0;
}

static int set_byte(int fd, off_t offset, short type) {
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static int try_byte(int fd, off_t offset) {
        return set_byte(fd, offset, F_WRLCK);
}

/* Tries again and again until it has the lock (0), the time is over (-EBUSY), the peer has hung up (-ECANCELED) or something is
 * wrong. */
static int wait_for(int (*try)(int fd, off_t offset), int fd, off_t offset, unsigned timeout, int peer_fd) {
        uint64_t until = 0;

        for (;;) {
                int r;

                r = try(fd, offset);
                if (r != -EWOULDBLOCK && r != -EACCES)
                        return r;
                if (until == 0)
                        until = monotonic_msec() + (uint64_t) timeout * 1000;
                if (monotonic_msec() >= until)
                        return -EBUSY;
                if (peer_has_hung_up(peer_fd, POLL_MSEC))
                        return -ECANCELED;
        }
}

/* A hash as an even offset. The byte after it marks a worker that hangs. */
static off_t byte_of_node(const char *name) {
        return (off_t) ((hash_text(name) >> 2) & ~UINT64_C(1));
}

/* The file may have been removed and made again since it was opened. */
static bool is_still_the_file(const Locks *l) {
        struct stat st;

        return l->fd >= 0 && lstat(l->file.path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode;
}

static int open_file(Locks *l, Report *report) {
        const char *path = l->file.path;
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (is_still_the_file(l))
                return 0;

        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0 || fstat(fd, &st) < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot open the lock file %s: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return report_refuse(report, REFUSAL_FAILED, "The lock file %s is not a regular file", path);

        (void) pthread_mutex_lock(&l->mutex);
        closep(&l->fd);
        l->fd = TAKE_FD(fd);
        l->device = st.st_dev;
        l->inode = st.st_ino;
        (void) pthread_mutex_unlock(&l->mutex);
        return 0;
}

bool locks_text_has_waiter(const char *text, dev_t device, ino_t inode) {
        char file[64];

        (void) snprintf(file, sizeof(file), " %02x:%02x:%llu ", major(device), minor(device), (unsigned long long) inode);

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                size_t n = strcspn(line, "\n");

                if (memmem(line, n, "-> FLOCK", strlen("-> FLOCK")) && memmem(line, n, " WRITE ", strlen(" WRITE ")) &&
                    memmem(line, n, file, strlen(file)))
                        return true;
        }

        return false;
}

static bool somebody_waits(Locks *l) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        if (l->proc_fd < 0)
                l->proc_fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
        text = malloc(PROC_LOCKS_MAX + 1);
        if (l->proc_fd < 0 || !text)
                return false;

        while (size < PROC_LOCKS_MAX) {
                ssize_t n;

                n = pread(l->proc_fd, text + size, PROC_LOCKS_MAX - size, (off_t) size);
                if (n <= 0)
                        break;
                size += (size_t) n;
        }
        text[size] = '\0';

        return locks_text_has_waiter(text, l->device, l->inode);
}

void locks_look(Locks *l) {
        uint64_t now = monotonic_msec();

        if (l->fd < 0 || now - l->looked_msec < LOOK_MSEC)
                return;

        l->looked_msec = now;
        l->waited_for = somebody_waits(l);
}

/* Whoever waits gets the lock as soon as no worker holds it, so it is enough to stay away until he waits no more. */
static int let_pass(Locks *l, int peer_fd) {
        uint64_t until = monotonic_msec() + (uint64_t) l->file.timeout * 1000;

        while (l->waited_for && monotonic_msec() < until) {
                if (peer_has_hung_up(peer_fd, POLL_MSEC))
                        return -ECANCELED;
                l->waited_for = somebody_waits(l);
        }

        l->waited_for = false;
        return 0;
}

static int refuse_node(const Locks *l, const char *node, Report *report) {
        struct flock mark = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte_of_node(node) + 1, .l_len = 1 };

        if (fcntl(l->fd, F_OFD_GETLK, &mark) == 0 && mark.l_type != F_UNLCK)
                return report_refuse(report, REFUSAL_STUCK,
                                     "The kernel does not come back from an earlier change of node %s; it can be changed again "
                                     "when it does, or after a reboot",
                                     node);

        return report_refuse(report, REFUSAL_BUSY, "Another change of node %s is still under way; try again later", node);
}

static void set_held(Locks *l, off_t node) {
        (void) pthread_mutex_lock(&l->mutex);
        l->held = true;
        l->abandoned = false;
        l->node = node;
        (void) pthread_mutex_unlock(&l->mutex);
}

int locks_take(Locks *l, const char *node, int peer_fd, Report *report) {
        const char *path = l->file.path;
        int r;

        r = open_file(l, report);
        if (r < 0)
                return r;

        r = l->waited_for ? let_pass(l, peer_fd) : 0;
        if (r >= 0)
                r = wait_for(try_shared, l->fd, 0, l->file.timeout, peer_fd);
        if (r == -EBUSY)
                return report_refuse(report, REFUSAL_BUSY,
                                     "Another program holds the lock %s, probably %s; close it and try again", path,
                                     l->file.other);
        if (r >= 0) {
                r = wait_for(try_byte, l->fd, byte_of_node(node), l->file.timeout, peer_fd);
                if (r < 0)
                        (void) flock(l->fd, LOCK_UN);
                if (r == -EBUSY)
                        return refuse_node(l, node, report);
        }
        if (r == -ECANCELED)
                return report_refuse(report, REFUSAL_FAILED, "The caller hung up");
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot lock %s: %s", path, strerror(-r));

        set_held(l, byte_of_node(node));
        return 0;
}

void locks_give_back(Locks *l) {
        (void) pthread_mutex_lock(&l->mutex);
        if (l->held) {
                (void) set_byte(l->fd, l->node, F_UNLCK);
                if (l->abandoned)
                        (void) set_byte(l->fd, l->node + 1, F_UNLCK);
                (void) flock(l->fd, LOCK_UN);
                l->held = false;
        }
        (void) pthread_mutex_unlock(&l->mutex);
}

void locks_abandon(Locks *l) {
        (void) pthread_mutex_lock(&l->mutex);
        if (l->held && !l->abandoned) {
                (void) try_byte(l->fd, l->node + 1);
                (void) flock(l->fd, LOCK_UN);
                l->abandoned = true;
        }
        (void) pthread_mutex_unlock(&l->mutex);
}

void locks_resume(Locks *l) {
        bool abandoned;

        (void) pthread_mutex_lock(&l->mutex);
        abandoned = l->abandoned;
        (void) pthread_mutex_unlock(&l->mutex);

        /* Nobody is left who could hang up. */
        if (abandoned)
                (void) wait_for(try_shared, l->fd, 0, l->file.timeout, -1);
}
