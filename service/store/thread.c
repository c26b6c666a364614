/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

void store_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t usec) {
        struct timespec ts = { .tv_sec = (time_t) (usec / USEC_PER_SEC), .tv_nsec = (long) (usec % USEC_PER_SEC) * 1000 };

        if (usec == UINT64_MAX)
                (void) pthread_cond_wait(condition, lock);
        else
                (void) pthread_cond_timedwait(condition, lock, &ts);
}

void commits_append(CommitList *l, StoreCommit *c) {
        c->next = NULL;
        if (l->last)
                l->last->next = c;
        else
                l->first = c;
        l->last = c;
        l->n++;
}

StoreCommit *commits_take_first(CommitList *l) {
        StoreCommit *c = l->first;

        l->first = c->next;
        if (!l->first)
                l->last = NULL;
        l->n--;
        c->next = NULL;
        return c;
}

void commits_move(CommitList *to, CommitList *from) {
        if (from->n == 0)
                return;

        if (to->last)
                to->last->next = from->first;
        else
                to->first = from->first;
        to->last = from->last;
        to->n += from->n;
        *from = (CommitList){};
}

static void commits_free(CommitList *l) {
        while (l->n > 0)
                commit_free(commits_take_first(l));
}

void news_done(News *news) {
        image_free(news->image);
        free(news->why);
        *news = (News){};
}

void store_free(Store *s) {
        commits_free(&s->queue);
        commits_free(&s->running);
        commits_free(&s->finished);
        news_done(&s->news);
        (void) pthread_cond_destroy(&s->work);
        (void) pthread_cond_destroy(&s->ended);
        (void) pthread_mutex_destroy(&s->lock);
        closep(&s->event_fd);
        free(s->directory);
        free(s->why);
        free(s->fault_text);
        free(s);
}

/* Called with the lock. */
static void tell_loop(Store *s) {
        if (!s->abandoned)
                (void) eventfd_write(s->event_fd, 1); /* it can only fail when it is ready to be read anyway */
}

static void look_at_files(Store *s, struct stat ret[static 2]) {
        static const char *const names[] = { STORE_FILE_NAME, STORE_FILE_NAME "-wal" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s", s->directory, names[i]) < 0)
                        path = NULL;
                if (!path || lstat(path, &ret[i]) < 0)
                        ret[i] = (struct stat){};
        }
}

/* What is wrong with the content of the file stays wrong until somebody changes it. To read and check all of it for nothing
 * every half minute, and to copy it for a migration, would wear out disks. */
static bool is_hopeless(Store *s) {
        struct stat now[2];

        if (s->error != -EUCLEAN && s->error != -EMEDIUMTYPE && s->error != -EPROTONOSUPPORT && s->error != -ENOTRECOVERABLE)
                return false;

        look_at_files(s, now);
        for (size_t i = 0; i < ELEMENTSOF(now); i++)
                if (now[i].st_dev != s->seen[i].st_dev || now[i].st_ino != s->seen[i].st_ino ||
                    now[i].st_size != s->seen[i].st_size || now[i].st_mtim.tv_sec != s->seen[i].st_mtim.tv_sec ||
                    now[i].st_mtim.tv_nsec != s->seen[i].st_mtim.tv_nsec)
                        return false;

        return true;
}

/* Hands the loop a new state. IMAGE and WHY are taken. The same fault again is no news. */
static void tell_news(Store *s, NewsKind kind, StoreImage *image, char *why) {
        (void) pthread_mutex_lock(&s->lock);
        news_done(&s->news);
        s->news = (News){ .kind = kind, .image = image, .error = s->error, .why = why };
        tell_loop(s);
        (void) pthread_mutex_unlock(&s->lock);
}

/* The file cannot be used, from now on. WHY (NULL: no memory for it) is taken. */
static void set_unavailable(Store *s, int error, char *why) {
        bool same = s->error == error && s->why && why && strcmp(s->why, why) == 0;

        free(s->why);
        s->why = why;
        s->error = error;
        s->next_try_usec = monotonic_usec() + store_times.retry_usec;
        if (!same)
                tell_news(s, NEWS_UNAVAILABLE, NULL, why ? strdup(why) : NULL);
}

/* ASKED: by the loop, not because the time has come. */
static void try_to_open(Store *s, bool asked) {
        StoreImage *image = NULL;
        char *why = NULL;
        int r;

        if (!asked && is_hopeless(s)) {
                s->next_try_usec = monotonic_usec() + store_times.retry_usec;
                return;
        }

        /* What was open once is not begun anew: somebody has moved it, and may bring it back. */
        r = database_open(s->directory, !s->was_open, &s->database, &image, &why);
        if (r < 0) {
                look_at_files(s, s->seen);
                set_unavailable(s, r, why);
                return;
        }

        memset(s->seen, 0, sizeof(s->seen));
        s->was_open = true;
        s->error = 0;
        free(s->why);
        s->why = NULL;
        tell_news(s, NEWS_OPENED, image, NULL);
}

/* There is no file for these. */
static void refuse_group(Store *s, StoreCommit *first) {
        for (StoreCommit *c = first; c; c = c->next) {
                c->result = s->error < 0 ? s->error : -ECANCELED;
                c->why = s->why ? strdup(s->why) : NULL;
        }
}

static void run_group(Store *s, StoreCommit *first) {
        char *why;
        int r;

        if (!s->database) {
                refuse_group(s, first);
                return;
        }

        r = group_commit(s->database, first);
        if (!database_is_lost(r))
                return;

        why = explain_fault(s->database->path, r, s->database->error);
        s->database = database_close(s->database, r);
        set_unavailable(s, r, why);
}

/* Takes from the queue what goes into one transaction. Called with the lock. */
static void take_group(Store *s) {
        size_t n_operations = 0;

        do {
                StoreCommit *c = commits_take_first(&s->queue);

                s->n_urgent -= c->urgency == STORE_NOW;
                n_operations += c->change->n;
                commits_append(&s->running, c);
        } while (s->queue.n > 0 && s->running.n < STORE_GROUP_MAX &&
                 n_operations + s->queue.first->change->n <= STORE_GROUP_OPERATIONS_MAX);
}

typedef enum Task {
        TASK_OPEN,
        TASK_OPEN_ASKED,
        TASK_STORE,
        TASK_END,
} Task;

/* Waits for something to do. Called with the lock. */
static Task next_task(Store *s) {
        for (;;) {
                uint64_t now = monotonic_usec(), until = UINT64_MAX;
                bool asked = s->try_again, is_due = asked || now >= s->next_try_usec;

                s->try_again = false;
                if (!s->database && is_due && (!s->stop || s->queue.n > 0))
                        return asked ? TASK_OPEN_ASKED : TASK_OPEN;
                if (s->queue.n > 0 && (s->n_urgent > 0 || !s->database || s->stop || now >= s->lazy_usec))
                        return TASK_STORE;
                if (s->stop)
                        return TASK_END;

                if (!s->database)
                        until = s->next_try_usec;
                if (s->queue.n > 0)
                        until = MIN2(until, s->lazy_usec);
                store_wait_until(&s->work, &s->lock, until);
        }
}

/* A loop that has given up on us still reads the list of what is under way. Called with the lock. */
static void wait_for_leave(Store *s) {
        while (s->abandoned && !s->has_left)
                store_wait_until(&s->work, &s->lock, UINT64_MAX);
}

/* Called with the lock. */
static void store_next_group(Store *s) {
        take_group(s);

        (void) pthread_mutex_unlock(&s->lock);
        run_group(s, s->running.first);
        (void) pthread_mutex_lock(&s->lock);

        wait_for_leave(s);
        commits_move(&s->finished, &s->running);
        tell_loop(s);
}

void *store_thread(void *userdata) {
        Store *s = userdata;
        bool abandoned;
        Task task;

        (void) pthread_mutex_lock(&s->lock);
        while ((task = next_task(s)) != TASK_END)
                if (task == TASK_STORE)
                        store_next_group(s);
                else {
                        (void) pthread_mutex_unlock(&s->lock);
                        try_to_open(s, task == TASK_OPEN_ASKED);
                        (void) pthread_mutex_lock(&s->lock);
                }
        (void) pthread_mutex_unlock(&s->lock);

        s->database = database_close(s->database, 0);

        (void) pthread_mutex_lock(&s->lock);
        s->has_ended = true;
        (void) pthread_cond_signal(&s->ended);
        wait_for_leave(s);
        abandoned = s->abandoned;
        (void) pthread_mutex_unlock(&s->lock);

        if (abandoned)
                store_free(s);
        return NULL;
}
