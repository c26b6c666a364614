/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The event loop's side of the store. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "common/log.h"
#include "store/thread.h"

StoreTimes store_times = {
        .retry_usec = 30 * USEC_PER_SEC,
        .lazy_usec = 1 * USEC_PER_SEC,
        .close_usec = 5 * USEC_PER_SEC,
};

static void dispatch_news(Store *s, News *news) {
        bool was_unavailable = s->fault.error < 0;

        free(s->fault_text);
        s->fault_text = TAKE_PTR(news->why);
        s->fault = (StoreFault){};
        s->is_open = news->kind == NEWS_OPENED;

        if (s->is_open) {
                if (was_unavailable)
                        log_notice("The store in %s can be used again", s->directory);
                s->callbacks->opened(s, news->image, s->userdata);
        } else {
                s->fault.error = news->error;
                s->fault.why = s->fault_text ? s->fault_text : strerror(-news->error);
                log_error("%s", s->fault.why);
                s->callbacks->unavailable(s, &s->fault, s->userdata);
        }
}

static void dispatch_commits(CommitList *finished) {
        while (finished->n > 0) {
                StoreCommit *c = commits_take_first(finished);

                if (c->done)
                        c->done(c->result, c->result < 0 && !c->why ? strerror(-c->result) : c->why, c->userdata);
                commit_free(c);
        }
}

/* Tells the loop's part of the program what the thread has done. */
static void dispatch(Store *s) {
        CommitList finished = {};
        News news;

        (void) pthread_mutex_lock(&s->lock);
        commits_move(&finished, &s->finished);
        news = s->news;
        s->news = (News){};
        (void) pthread_mutex_unlock(&s->lock);

        if (news.kind != NEWS_NONE)
                dispatch_news(s, &news);
        news_done(&news);

        dispatch_commits(&finished);
}

static int on_event(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata) {
        eventfd_t n;

        (void) eventfd_read(fd, &n);
        dispatch(userdata);
        return 0;
}

/* The thread takes no signals: those that the program waits for go to the loop. */
static int start_thread(Store *s) {
        sigset_t all, before;
        int r;

        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&s->thread, NULL, store_thread, s);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return -r;

        (void) pthread_setname_np(s->thread, "store");
        return 0;
}

static int init_conditions(Store *s) {
        pthread_condattr_t attributes;
        int r;

        r = pthread_condattr_init(&attributes);
        if (r != 0)
                return -r;

        (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void) pthread_mutex_init(&s->lock, NULL);
        (void) pthread_cond_init(&s->work, &attributes);
        (void) pthread_cond_init(&s->ended, &attributes);
        (void) pthread_condattr_destroy(&attributes);
        return 0;
}

int store_new(sd_event *event, const char *directory, const StoreCallbacks *callbacks, void *userdata, Store **ret) {
        Store *s;
        int r;

        s = calloc(1, sizeof(Store));
        if (!s)
                return -ENOMEM;

        s->event_fd = -1;
        s->callbacks = callbacks;
        s->userdata = userdata;
        r = init_conditions(s);
        if (r < 0) {
                free(s);
                return r;
        }

        s->directory = strdup(directory);
        r = s->directory ? 0 : -ENOMEM;
        if (r >= 0) {
                s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                r = s->event_fd < 0 ? -errno : 0;
        }
        if (r >= 0)
                r = sd_event_add_io(event, &s->source, s->event_fd, EPOLLIN, on_event, s);
        if (r >= 0)
                r = start_thread(s);
        if (r < 0) {
                sd_event_source_disable_unref(s->source);
                store_free(s);
                return r;
        }

        *ret = s;
        return 0;
}

/* The disk does not answer. What is under way may be stored or not; what is queued is not. Called with the lock, ends without
 * it. */
static void abandon(Store *s) {
        static const char why[] = "The disk did not answer; whether the change was stored is not known (see the kernel's log)";
        CommitList queue = {};

        s->abandoned = true;
        s->n_urgent = 0;
        news_done(&s->news);
        commits_move(&queue, &s->queue);
        (void) pthread_mutex_unlock(&s->lock);

        log_error("The disk with the store in %s does not answer; ending without it", s->directory);
        dispatch(s);

        /* The thread uses the commits, but not their callbacks, and leaves the list as it is until we have left. */
        for (StoreCommit *c = s->running.first; c; c = c->next)
                if (c->done)
                        c->done(-ETIMEDOUT, why, c->userdata);
        for (StoreCommit *c = queue.first; c; c = c->next) {
                c->result = -ETIMEDOUT;
                c->why = strdup(why);
        }
        dispatch_commits(&queue);

        (void) pthread_detach(s->thread);
        (void) pthread_mutex_lock(&s->lock);
        s->has_left = true;
        (void) pthread_cond_signal(&s->work);
        (void) pthread_mutex_unlock(&s->lock);
}

Store *store_close(Store *s) {
        uint64_t until;

        if (!s)
                return NULL;

        until = monotonic_usec() + store_times.close_usec;
        s->source = sd_event_source_disable_unref(s->source);

        (void) pthread_mutex_lock(&s->lock);
        s->stop = true;
        (void) pthread_cond_signal(&s->work);
        while (!s->has_ended && monotonic_usec() < until)
                store_wait_until(&s->ended, &s->lock, until);
        if (!s->has_ended) {
                abandon(s);
                return NULL;
        }
        (void) pthread_mutex_unlock(&s->lock);

        (void) pthread_join(s->thread, NULL);
        news_done(&s->news);
        dispatch(s);
        store_free(s);
        return NULL;
}

bool store_is_open(const Store *s) {
        return s->is_open;
}

const StoreFault *store_fault(const Store *s) {
        return s->fault.error < 0 ? &s->fault : NULL;
}

void store_try_again(Store *s) {
        (void) pthread_mutex_lock(&s->lock);
        s->try_again = true;
        (void) pthread_cond_signal(&s->work);
        (void) pthread_mutex_unlock(&s->lock);
}

int store_commit(Store *s, StoreChange *change, StoreUrgency urgency, store_done_t done, void *userdata, StoreCommit **ret) {
        StoreCommit *c;

        c = calloc(1, sizeof(StoreCommit));
        if (!c) {
                store_change_free(change);
                return -ENOMEM;
        }

        c->change = change;
        c->urgency = urgency;
        c->done = done;
        c->userdata = userdata;

        (void) pthread_mutex_lock(&s->lock);
        if (s->queue.n == 0)
                s->lazy_usec = monotonic_usec() + store_times.lazy_usec;
        commits_append(&s->queue, c);
        s->n_urgent += urgency == STORE_NOW;
        (void) pthread_mutex_unlock(&s->lock);
        (void) pthread_cond_signal(&s->work); /* after the unlock: else the thread would wake up only to wait for it */

        if (ret)
                *ret = c;
        return 0;
}

StoreCommit *store_commit_cancel(StoreCommit *c) {
        if (c)
                c->done = NULL;

        return NULL;
}
