/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the event loop (loop.c) and the thread that owns the file (thread.c) share.
 *
 * The loop appends commits to `queue`; the thread takes as many as make a group, stores them and appends them to `finished`,
 * writes to the eventfd, and the loop calls the callbacks. What the thread says of the file itself (`news`) goes the same way. */

#include <pthread.h>

#include "common/clock.h"
#include "store/internal.h"

typedef struct CommitList {
        StoreCommit *first, *last;
        size_t n;
} CommitList;

typedef enum NewsKind {
        NEWS_NONE,
        NEWS_OPENED,
        NEWS_UNAVAILABLE,
} NewsKind;

/* The newest state of the file that the loop does not know yet. */
typedef struct News {
        NewsKind kind;
        StoreImage *image;
        int error;
        char *why;
} News;

struct Store {
        /* Set before the thread starts, and not changed. */
        char *directory;
        int event_fd;

        /* The loop's alone. */
        const StoreCallbacks *callbacks;
        void *userdata;
        sd_event_source *source;
        pthread_t thread;
        bool is_open;
        StoreFault fault; /* .error 0: none */
        char *fault_text; /* of the above, NULL: there was no memory for it */

        /* The thread's alone. */
        Database *database; /* NULL: not open */
        bool was_open;
        struct stat seen[2]; /* the file and its WAL as they were when they could not be used */
        int error;           /* why it is not open; 0: not tried yet */
        char *why;
        uint64_t next_try_usec;

        /* Both', under the lock. */
        pthread_mutex_t lock;
        pthread_cond_t work;  /* there may be something to do for the thread */
        pthread_cond_t ended; /* has_ended */
        CommitList queue, running, finished;
        size_t n_urgent;    /* in the queue */
        uint64_t lazy_usec; /* when the queue is stored although nothing in it is urgent */
        News news;
        bool try_again, stop, has_ended;
        bool abandoned; /* the loop waits no longer; once it has left, all is the thread's to free */
        bool has_left;
};

/* Waits for CONDITION until USEC on the clock of monotonic_usec(); UINT64_MAX: for ever. */
void store_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t usec);

void commits_append(CommitList *l, StoreCommit *c);
StoreCommit *commits_take_first(CommitList *l);
void commits_move(CommitList *to, CommitList *from); /* all, behind what is there */

void news_done(News *news);

/* Frees the store itself, once the thread has ended or was never begun. */
void store_free(Store *s);

/* The thread, on a Store: opens the file, stores what is queued, ends when it is told to stop and nothing is queued. */
void *store_thread(void *userdata);
