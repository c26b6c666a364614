/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "watch-faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define FAULTS_NONE .allocations_left = -1

Faults faults = { FAULTS_NONE };

static bool hangs;
static unsigned hanging;
static pthread_mutex_t hang_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hang_over = PTHREAD_COND_INITIALIZER;
static _Thread_local char *reading; /* what opendir() opened */

static bool is_place(const char *path) {
        return !faults.place || g_str_has_suffix(path, faults.place);
}

int inotify_init1(int flags) {
        int (*next)(int) = dlsym(RTLD_NEXT, "inotify_init1");

        if (faults.init_error != 0) {
                errno = faults.init_error;
                return -1;
        }
        return next(flags);
}

int pthread_create(pthread_t *restrict ret, const pthread_attr_t *restrict attributes, void *(*start)(void *),
                   void *restrict userdata) {
        int (*next)(pthread_t *, const pthread_attr_t *, void *(*) (void *), void *) = dlsym(RTLD_NEXT, "pthread_create");

        return faults.thread_error != 0 ? faults.thread_error : next(ret, attributes, start, userdata);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask) {
        int (*next)(int, const char *, uint32_t) = dlsym(RTLD_NEXT, "inotify_add_watch");
        void (*call)(const char *path);
        int wd;

        if (faults.add_watch_error != 0 && is_place(path)) {
                errno = faults.add_watch_error;
                return -1;
        }
        wd = next(fd, path, mask);
        if (faults.overtake && !faults.overtake_late && is_place(path)) {
                call = faults.overtake;
                faults.overtake = NULL;
                call(path);
        }
        return wd;
}

int closedir(DIR *d) {
        int (*next)(DIR *) = dlsym(RTLD_NEXT, "closedir");
        void (*call)(const char *path);

        if (faults.overtake && faults.overtake_late && reading && is_place(reading)) {
                call = faults.overtake;
                faults.overtake = NULL;
                call(reading);
                g_usleep(100 * 1000);
        }
        g_clear_pointer(&reading, g_free);
        return next(d);
}

DIR *opendir(const char *path) {
        DIR *(*next)(const char *) = dlsym(RTLD_NEXT, "opendir");

        (void) pthread_mutex_lock(&hang_lock);
        while (hangs && is_place(path)) {
                hanging++;
                (void) pthread_cond_wait(&hang_over, &hang_lock);
                hanging--;
        }
        (void) pthread_mutex_unlock(&hang_lock);

        if (faults.opendir_error != 0 && is_place(path)) {
                errno = faults.opendir_error;
                return NULL;
        }
        if (faults.overtake_late) {
                g_free(reading);
                reading = g_strdup(path);
        }
        return next(path);
}

ssize_t read(int fd, void *buf, size_t size) {
        ssize_t (*next)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");

        if (faults.read_error != 0 && size == 65536) {
                errno = faults.read_error;
                faults.read_error = 0;
                return -1;
        }
        if (faults.read_overflow && size == 65536) {
                const struct inotify_event event = { .wd = -1, .mask = IN_Q_OVERFLOW };

                memcpy(buf, &event, sizeof(event));
                faults.read_overflow = false;
                return sizeof(event);
        }
        return next(fd, buf, size);
}

void faults_hang(bool on) {
        (void) pthread_mutex_lock(&hang_lock);
        hangs = on;
        (void) pthread_cond_broadcast(&hang_over);
        (void) pthread_mutex_unlock(&hang_lock);
}

bool faults_is_hanging(void) {
        unsigned n;

        (void) pthread_mutex_lock(&hang_lock);
        n = hanging;
        (void) pthread_mutex_unlock(&hang_lock);
        return n > 0;
}

/* The memory of service/host/configfs-*.c and directory-reader.c is from here. */
void *test_calloc(size_t n, size_t size);
void *test_realloc(void *p, size_t size);
char *test_strdup(const char *text);
int test_asprintf(char **ret, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool may_allocate(void) {
        int left = faults.allocations_left;

        while (left > 0 && !atomic_compare_exchange_weak(&faults.allocations_left, &left, left - 1))
                ;
        return left != 0;
}

void *test_calloc(size_t n, size_t size) {
        return may_allocate() ? calloc(n, size) : NULL;
}

void *test_realloc(void *p, size_t size) {
        return may_allocate() ? realloc(p, size) : NULL;
}

char *test_strdup(const char *text) {
        return may_allocate() ? strdup(text) : NULL;
}

int test_asprintf(char **ret, const char *format, ...) {
        va_list ap;
        int n = -1;

        va_start(ap, format);
        if (may_allocate())
                n = vasprintf(ret, format, ap);
        va_end(ap);
        return n;
}

void faults_end(void) {
        faults = (Faults){ FAULTS_NONE };
        faults_hang(false);
}
