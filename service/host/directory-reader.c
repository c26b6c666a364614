/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/directory-reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>

/* How long directory_reader_free() waits for the thread. */
#define END_MSEC 500u

/* The loop is woken when so many jobs have ended, or nothing is left to do. */
#define TOGETHER_MAX 32u

struct DirectoryReader {
        /* The event loop's alone. */
        sd_event_source *io;
        directory_done_t done;
        void *userdata;
        pthread_t thread;

        /* Never changes while the thread runs. Each side closes its own copies. */
        int inotify_fd;
        int ready_fd;

        pthread_mutex_t lock; /* of all below */
        pthread_cond_t wake;  /* of the thread */
        pthread_cond_t told;  /* of the loop's side, when the thread has begun */
        int began;            /* 1: not yet; 0 or a negative errno */
        bool quit;
        bool ended;     /* the thread touches nothing any more */
        bool abandoned; /* the thread is the owner */
        DirectoryJob *todo, *todo_last;
        DirectoryJob *finished, *finished_last;
        unsigned n_untold;     /* of them, since the loop was woken */
        DirectoryJob *current; /* at work */
};

DirectoryJob *directory_job_new(char *path) {
        DirectoryJob *job;

        job = path ? calloc(1, sizeof(*job)) : NULL;
        if (!job) {
                free(path);
                return NULL;
        }

        job->path = path;
        return job;
}

DirectoryJob *directory_jobs_free(DirectoryJob *jobs) {
        while (jobs) {
                DirectoryJob *next = jobs->next;

                free(jobs->path);
                free(jobs->names);
                free(jobs);
                jobs = next;
        }
        return NULL;
}

static void append(DirectoryJob **first, DirectoryJob **last, DirectoryJob *job) {
        job->next = NULL;
        if (*first)
                (*last)->next = job;
        else
                *first = job;
        *last = job;
}

static int job_append_name(DirectoryJob *job, size_t *allocated, const char *name) {
        size_t n = strlen(name) + 1;

        if (job->names_size + n > *allocated) {
                size_t more = MAX2(2 * *allocated, 4096u);
                char *names = realloc(job->names, more); /* a name has at most 256 bytes */

                if (!names)
                        return -ENOMEM;
                job->names = names;
                *allocated = more;
        }

        memcpy(job->names + job->names_size, name, n);
        job->names_size += n;
        return 0;
}

static int job_list(DirectoryJob *job) {
        _cleanup_(closedirp) DIR *d = NULL;
        size_t allocated = 0;
        int r;

        d = opendir(job->path);
        if (!d)
                return -errno;

        for (;;) {
                const struct dirent *entry;

                errno = 0;
                entry = readdir(d);
                if (!entry)
                        return -errno;
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
                        continue;

                r = job_append_name(job, &allocated, entry->d_name);
                if (r < 0)
                        return r;
        }
}

static void job_run(int inotify_fd, DirectoryJob *job) {
        job->wd = inotify_add_watch(inotify_fd, job->path, job->mask);
        if (job->wd < 0)
                job->wd = -errno;
        else if (job->list)
                job->listed = job_list(job);
}

/* Leaves this thread with the two file descriptors that it needs, and the rest of the process with all of its own. */
static int keep_own_files(const DirectoryReader *reader) {
        int low = MIN2(reader->inotify_fd, reader->ready_fd), high = MAX2(reader->inotify_fd, reader->ready_fd);

        if (close_range((unsigned) high + 1, UINT_MAX, CLOSE_RANGE_UNSHARE) < 0)
                return -errno;
        if (low > STDERR_FILENO + 1)
                (void) close_range(STDERR_FILENO + 1, (unsigned) low - 1, 0);
        if (high > low + 1)
                (void) close_range((unsigned) low + 1, (unsigned) high - 1, 0);
        return 0;
}

static void reader_destroy(DirectoryReader *reader) {
        (void) directory_jobs_free(reader->todo);
        (void) directory_jobs_free(reader->finished);
        (void) pthread_cond_destroy(&reader->told);
        (void) pthread_cond_destroy(&reader->wake);
        (void) pthread_mutex_destroy(&reader->lock);
        free(reader);
}

/* Called with the lock held, which is given up while the kernel is asked. */
static void run_first(DirectoryReader *reader) {
        DirectoryJob *job = reader->todo;

        reader->todo = job->next;
        reader->current = job;
        (void) pthread_mutex_unlock(&reader->lock);
        job_run(reader->inotify_fd, job);
        (void) pthread_mutex_lock(&reader->lock);
        reader->current = NULL;

        append(&reader->finished, &reader->finished_last, job);
        reader->n_untold++;
        if (reader->todo && reader->n_untold < TOGETHER_MAX)
                return;
        reader->n_untold = 0;
        (void) eventfd_write(reader->ready_fd, 1); /* only a full counter refuses, and then the loop is awake anyway */
}

static void *reader_thread(void *userdata) {
        DirectoryReader *reader = userdata;
        bool abandoned;

        (void) pthread_mutex_lock(&reader->lock);
        reader->began = keep_own_files(reader);
        (void) pthread_cond_signal(&reader->told);

        while (reader->began >= 0 && !reader->quit) {
                if (reader->todo)
                        run_first(reader);
                else
                        (void) pthread_cond_wait(&reader->wake, &reader->lock);
        }

        reader->ended = true;
        abandoned = reader->abandoned;
        (void) pthread_mutex_unlock(&reader->lock);

        if (abandoned)
                reader_destroy(reader);
        return NULL;
}

bool directory_reader_collect(DirectoryReader *reader) {
        DirectoryJob *jobs;
        bool any;

        (void) pthread_mutex_lock(&reader->lock);
        jobs = TAKE_PTR(reader->finished);
        any = jobs;
        (void) pthread_mutex_unlock(&reader->lock);

        if (any)
                reader->done(jobs, reader->userdata);
        return any;
}

static int on_ready(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        eventfd_t count;

        (void) eventfd_read(fd, &count);
        (void) directory_reader_collect(userdata);
        return 0;
}

/* With all signals blocked: those of the process are the event loop's. */
static int start_thread(DirectoryReader *reader) {
        sigset_t all, before;
        int r;

        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&reader->thread, NULL, reader_thread, reader);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return -r;

        (void) pthread_mutex_lock(&reader->lock);
        while (reader->began > 0)
                (void) pthread_cond_wait(&reader->told, &reader->lock);
        r = reader->began;
        (void) pthread_mutex_unlock(&reader->lock);
        if (r < 0)
                (void) pthread_join(reader->thread, NULL);
        return r;
}

static void close_files(DirectoryReader *reader) {
        reader->io = sd_event_source_disable_unref(reader->io);
        closep(&reader->inotify_fd);
        closep(&reader->ready_fd);
}

int directory_reader_new(sd_event *event, int inotify_fd, directory_done_t done, void *userdata, DirectoryReader **ret) {
        DirectoryReader *reader;
        int r;

        reader = calloc(1, sizeof(*reader));
        if (!reader)
                return -ENOMEM;

        reader->done = done;
        reader->userdata = userdata;
        reader->began = 1;
        (void) pthread_mutex_init(&reader->lock, NULL);
        (void) pthread_cond_init(&reader->wake, NULL);
        (void) pthread_cond_init(&reader->told, NULL);
        reader->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = reader->ready_fd < 0 ? -errno : 0;
        reader->inotify_fd = r < 0 ? -1 : fcntl(inotify_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (r >= 0 && reader->inotify_fd < 0)
                r = -errno;
        if (r >= 0)
                r = sd_event_add_io(event, &reader->io, reader->ready_fd, EPOLLIN, on_ready, reader);
        if (r >= 0)
                r = start_thread(reader);
        if (r < 0) {
                close_files(reader);
                reader_destroy(reader);
                return r;
        }

        (void) sd_event_source_set_description(reader->io, "directory-reader");
        *ret = reader;
        return 0;
}

void directory_reader_submit(DirectoryReader *reader, DirectoryJob *taken) {
        (void) pthread_mutex_lock(&reader->lock);
        append(&reader->todo, &reader->todo_last, taken);
        (void) pthread_cond_signal(&reader->wake);
        (void) pthread_mutex_unlock(&reader->lock);
}

void directory_reader_at(DirectoryReader *reader, char *buf, size_t size) {
        (void) pthread_mutex_lock(&reader->lock);
        (void) snprintf(buf, size, "%s", reader->current ? reader->current->path : "");
        (void) pthread_mutex_unlock(&reader->lock);
}

/* Returns whether the thread has ended. If not, it owns READER from now on. */
static bool thread_end(DirectoryReader *reader) {
        pthread_t thread = reader->thread; /* READER may be gone once it is the thread's */
        struct timespec end;
        bool ended;

        (void) clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_nsec += (long) END_MSEC * 1000000;
        end.tv_sec += end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
        if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &end) == 0)
                return true;

        (void) pthread_mutex_lock(&reader->lock);
        ended = reader->ended;
        reader->abandoned = !ended;
        (void) pthread_mutex_unlock(&reader->lock);

        if (ended)
                (void) pthread_join(thread, NULL);
        else
                (void) pthread_detach(thread);
        return ended;
}

DirectoryReader *directory_reader_free(DirectoryReader *reader) {
        if (!reader)
                return NULL;

        (void) pthread_mutex_lock(&reader->lock);
        reader->quit = true;
        (void) pthread_cond_signal(&reader->wake);
        (void) pthread_mutex_unlock(&reader->lock);

        close_files(reader);
        if (thread_end(reader))
                reader_destroy(reader);
        return NULL;
}
