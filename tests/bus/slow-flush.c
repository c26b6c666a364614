/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A library for LD_PRELOAD, see flush-control.h: a disk that takes its time. In the directory $SLOW_FLUSH it reads `msec`, how
 * long each flush of a file takes, and writes the names of the files that were flushed into `flushed`, a line each, when the
 * flush begins. A flush under way is as long as `msec` says now, so that it can be let go. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long now_msec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static long read_msec(const char *directory) {
        char path[4096], text[32] = "";
        int fd;

        (void) snprintf(path, sizeof(path), "%s/msec", directory);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        if (read(fd, text, sizeof(text) - 1) < 0)
                text[0] = '\0';
        (void) close(fd);
        return strtol(text, NULL, 10);
}

static void write_name(const char *directory, int flushed) {
        char path[4096], name[4096];
        ssize_t n;
        int fd;

        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", flushed);
        n = readlink(path, name, sizeof(name) - 1);
        (void) snprintf(path, sizeof(path), "%s/flushed", directory);
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (n < 0 || fd < 0)
                abort();
        name[n] = '\n';
        if (write(fd, name, (size_t) n + 1) != n + 1)
                abort();
        (void) close(fd);
}

static void wait_as_told(int fd) {
        const char *directory = getenv("SLOW_FLUSH");
        long begun = now_msec();

        if (!directory)
                return;
        write_name(directory, fd);
        while (now_msec() - begun < read_msec(directory))
                (void) usleep(2000);
}

int fsync(int fd) {
        wait_as_told(fd);
        return (int) syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
        wait_as_told(fd);
        return (int) syscall(SYS_fdatasync, fd);
}
