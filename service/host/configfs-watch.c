/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/configfs-watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <utlist.h>

#include "common/log.h"
#include "host/configfs-changes.h"
#include "host/configfs-status.h"
#include "host/configfs-tree.h"
#include "host/configfs-watch-private.h"

/* Events that are kept whose watch is not known yet. */
#define EARLY_MAX 256u

/* Jobs that the thread has at a time: enough to keep it at work, few enough to be soon done with something newer. */
#define JOBS_MAX 64u

/* What one turn of the event loop reads at most. */
#define EVENTS_SIZE 65536u

struct ConfigfsWatch {
        sd_event *event;
        ConfigfsWatchTuning tuning;
        ConfigfsWatchStatistics statistics;
        ConfigfsChanges *changes;
        char *engine; /* path of the directory that the fabric's is in */
        char *fabric; /* its name */

        int fd;
        sd_event_source *io;
        sd_event_source *gather; /* when to read the events that are there */
        sd_event_source *list;   /* when to list and to try again; runs while something is wrong */
        sd_event_source *stuck;  /* until then the next job must be done */

        ConfigfsTree tree;
        ConfigfsDirectory *queue; /* to be watched, in this order */
        DirectoryReader *reader;
        unsigned n_jobs;      /* under way */
        int early[EARLY_MAX]; /* the last watches of which events told before their jobs had ended; a ring */
        size_t n_early;       /* that there were ever */
        bool complete;        /* all watches were set once, or cannot be */

        unsigned n_limit, n_refused; /* directories */
        bool lost_again;             /* since the last listing */
        ConfigfsStatus status;
};

const ConfigfsWatchTuning configfs_watch_tuning_default = {
        .quiet_msec = 100,
        .late_msec = 1000,
        .gather_msec = 20,
        .list_msec = 10000,
        .stuck_msec = 2000,
};

static void enqueue(ConfigfsWatch *w, ConfigfsDirectory *d) {
        if (d->job) {
                d->again = true;
                return;
        }
        if (d->queued)
                return;

        DL_APPEND2(w->queue, d, queue_prev, queue_next);
        d->queued = true;
}

/* NODE may be NULL: all. Before everything is watched nothing is told: it would have to be told again. */
static void tell(ConfigfsWatch *w, const char *node) {
        if (w->complete)
                configfs_changes_add(w->changes, node);
}

static void arm(sd_event_source *s, unsigned msec) {
        int r;

        r = sd_event_source_set_time_relative(s, msec * UINT64_C(1000));
        if (r >= 0)
                r = sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        if (r < 0)
                (void) log_error_errno(r, "Failed to set a timer, changes made by other programs may go unnoticed");
}

static bool is_armed(sd_event_source *s) {
        int enabled = SD_EVENT_OFF;

        return sd_event_source_get_enabled(s, &enabled) >= 0 && enabled != SD_EVENT_OFF;
}

/* Says how things are, and sees to it that what is wrong is tried again. */
static void update_status(ConfigfsWatch *w) {
        if (w->status.troubles == 0)
                (void) sd_event_source_set_enabled(w->list, SD_EVENT_OFF);
        else if (!is_armed(w->list))
                arm(w->list, w->tuning.list_msec);
        configfs_status_update(&w->status);
}

/* Notes that D cannot be watched or read for now; with ERROR 0, that it can. */
static void set_refused(ConfigfsWatch *w, ConfigfsDirectory *d, int error) {
        if (d->refused == ENOSPC)
                w->n_limit--;
        else if (d->refused != 0)
                w->n_refused--;

        d->refused = error;
        if (error == ENOSPC)
                w->n_limit++;
        else if (error != 0) {
                w->n_refused++;
                w->status.refused_error = error;
                (void) log_full_errno(LOG_DEBUG, error, "Failed to watch \"%s\" (level %i)", d->name, (int) d->level);
        }

        configfs_status_set(&w->status, CONFIGFS_TROUBLE_LIMIT, w->n_limit > 0);
        configfs_status_set(&w->status, CONFIGFS_TROUBLE_REFUSED, w->n_refused > 0);
}

/* Gives D the watch WD, or none. The kernel removes the watch of a directory that goes. No watch ever moves in configfs. */
static void set_wd(ConfigfsWatch *w, ConfigfsDirectory *d, int wd) {
        if (!configfs_tree_set_wd(&w->tree, d, wd))
                set_refused(w, d, ENOMEM);
}

static void forget(ConfigfsWatch *w, ConfigfsDirectory *d) {
        while (d->children)
                forget(w, d->children);

        if (d->job)
                d->job->userdata = NULL;
        if (d->queued)
                DL_DELETE2(w->queue, d, queue_prev, queue_next);
        set_refused(w, d, 0);
        set_wd(w, d, -1);
        configfs_tree_remove(&w->tree, d);
}

static void enqueue_all(ConfigfsWatch *w) {
        ConfigfsDirectory *d, *next;

        HASH_ITER(hh_name, w->tree.by_name, d, next)
                enqueue(w, d);
}

/* Events were lost, or there was no memory for what they ask for. All directories are looked at again: at once the first time,
 * later when the next listing is due. */
static void lost(ConfigfsWatch *w, int error) {
        w->status.lost_error = error;
        if (configfs_status_has(&w->status, CONFIGFS_TROUBLE_LOST) || error == ENOMEM)
                w->lost_again = true;
        else
                enqueue_all(w);
        configfs_status_set(&w->status, CONFIGFS_TROUBLE_LOST, true);
        tell(w, NULL);
}

/* NAME in D is to be followed, or has been made again. */
static void follow(ConfigfsWatch *w, ConfigfsDirectory *d, const char *name) {
        ConfigfsDirectory *child;

        child = configfs_tree_get(&w->tree, d, name);
        if (child)
                enqueue(w, child);
        else
                lost(w, ENOMEM);
}

static void unfollow(ConfigfsWatch *w, ConfigfsDirectory *d, const char *name) {
        ConfigfsDirectory *child;

        child = configfs_tree_find(&w->tree, d, name);
        if (child)
                forget(w, child);
}

/* D is not there. The root is waited for, anything else comes back with an event. */
static void on_missing(ConfigfsWatch *w, ConfigfsDirectory *d) {
        if (d->wd >= 0)
                tell(w, configfs_directory_node(d));

        if (d != w->tree.root) {
                forget(w, d);
                return;
        }

        while (d->children)
                forget(w, d->children);
        set_refused(w, d, 0);
        set_wd(w, d, -1);
        configfs_status_set(&w->status, CONFIGFS_TROUBLE_ABSENT, true);
}

/* Follows what JOB has read in D. A name that is gone already needs no care: an event tells of it, or its own job finds it
 * missing. */
static void take_names(ConfigfsWatch *w, ConfigfsDirectory *d, const DirectoryJob *job) {
        w->statistics.listings++;
        for (const char *p = job->names; p && p < job->names + job->names_size; p += strlen(p) + 1)
                if (configfs_directory_follows(&w->tree, d, p))
                        follow(w, d, p);
}

/* Whether events of WD came while D's job was under way, when nobody knew yet that they are about D. */
static bool was_early(const ConfigfsWatch *w, const ConfigfsDirectory *d, int wd) {
        if (w->n_early - d->n_early > EARLY_MAX)
                return true;
        for (size_t i = d->n_early; i < w->n_early; i++)
                if (w->early[i % EARLY_MAX] == wd)
                        return true;
        return false;
}

static void take_watch(ConfigfsWatch *w, ConfigfsDirectory *d, int wd) {
        if (wd == d->wd)
                return;

        set_wd(w, d, wd);
        tell(w, configfs_directory_node(d));
        if (was_early(w, d, wd))
                enqueue(w, d);
}

static void take_job(ConfigfsWatch *w, const DirectoryJob *job) {
        ConfigfsDirectory *d = job->userdata;
        const char *child;
        int error = job->wd < 0 ? -job->wd : job->list ? -job->listed : 0;

        if (!d)
                return; /* it went meanwhile */

        d->job = NULL;
        w->statistics.jobs++;
        if (d->again)
                enqueue(w, d);
        d->again = false;

        set_refused(w, d, 0);
        if (job->wd >= 0)
                take_watch(w, d, job->wd);
        if (error == ENOENT || error == ENOTDIR || error == ELOOP) {
                on_missing(w, d);
                return;
        }
        if (error != 0) {
                set_refused(w, d, error);
                return;
        }

        if (d == w->tree.root)
                configfs_status_set(&w->status, CONFIGFS_TROUBLE_ABSENT, false);
        if (job->list)
                take_names(w, d, job);
        child = configfs_directory_only_child(&w->tree, d);
        if (child)
                follow(w, d, child);
}

/* Gives the thread what is queued. Returns false when out of memory: then the rest waits. */
static bool submit_queue(ConfigfsWatch *w) {
        while (w->queue && w->n_jobs < JOBS_MAX) {
                ConfigfsDirectory *d = w->queue;
                DirectoryJob *job = directory_job_new(configfs_directory_path(d));

                if (!job)
                        return false;
                job->mask = configfs_directory_mask(d);
                job->list = configfs_directory_is_listed(d);
                job->userdata = d;

                DL_DELETE2(w->queue, d, queue_prev, queue_next);
                d->queued = false;
                d->job = job;
                d->n_early = w->n_early;
                if (w->n_jobs++ == 0)
                        arm(w->stuck, w->tuning.stuck_msec);
                directory_reader_submit(w->reader, job);
        }
        return true;
}

/* The end of each handler: gives the thread what waits for it, and says how things are. */
static void go_on(ConfigfsWatch *w) {
        if (!submit_queue(w))
                lost(w, ENOMEM);
        if (w->n_jobs == 0 && !w->complete) {
                w->complete = true;
                tell(w, NULL);
        }
        update_status(w);
}

static void on_done(DirectoryJob *jobs, void *userdata) {
        ConfigfsWatch *w = userdata;
        const DirectoryJob *job;

        for (job = jobs; job; job = job->next) {
                w->n_jobs--;
                take_job(w, job);
        }
        (void) directory_jobs_free(jobs);

        configfs_status_set(&w->status, CONFIGFS_TROUBLE_STUCK, false);
        if (w->n_jobs > 0)
                arm(w->stuck, w->tuning.stuck_msec);
        else
                (void) sd_event_source_set_enabled(w->stuck, SD_EVENT_OFF);
        go_on(w);
}

static int on_stuck(sd_event_source *s, uint64_t usec, void *userdata) {
        ConfigfsWatch *w = userdata;

        if (directory_reader_collect(w->reader))
                return 0; /* it went on, and the timer begins anew */
        directory_reader_at(w->reader, w->status.stuck_at, sizeof(w->status.stuck_at));
        configfs_status_set(&w->status, CONFIGFS_TROUBLE_STUCK, true);
        w->complete = true;
        tell(w, NULL);
        update_status(w);
        return 0;
}

static void take_event(ConfigfsWatch *w, const struct inotify_event *e) {
        const char *name = e->len > 0 ? e->name : "";
        ConfigfsDirectory *d;

        if (e->mask & IN_Q_OVERFLOW) {
                w->statistics.overflows++;
                lost(w, EOVERFLOW);
                return;
        }

        d = configfs_tree_find_wd(&w->tree, e->wd);
        if (!d) {
                w->early[w->n_early++ % EARLY_MAX] = e->wd;
                return;
        }

        /* The directory itself went, or its file system; perhaps another is in its place. */
        if (e->mask & IN_IGNORED) {
                tell(w, configfs_directory_node(d));
                set_wd(w, d, -1);
                enqueue(w, d);
                return;
        }

        if (!configfs_directory_matters(&w->tree, d, e->mask, name))
                return;

        if (d->level == CONFIGFS_FABRIC)
                tell(w, name);
        else
                tell(w, configfs_directory_node(d));
        if (!configfs_directory_follows(&w->tree, d, name))
                return;
        if (e->mask & IN_CREATE)
                follow(w, d, name);
        else
                unfollow(w, d, name);
}

static void instance_close(ConfigfsWatch *w) {
        ConfigfsDirectory *d, *next;

        w->reader = directory_reader_free(w->reader);
        w->n_jobs = 0;
        w->io = sd_event_source_disable_unref(w->io);
        closep(&w->fd);
        w->fd = -1;

        (void) sd_event_source_set_enabled(w->gather, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(w->stuck, SD_EVENT_OFF);
        HASH_ITER(hh_name, w->tree.by_name, d, next)
                d->job = NULL; /* lost with the reader */
        if (w->tree.root)
                forget(w, w->tree.root);
        w->status.troubles = 0;
}

static void instance_failed(ConfigfsWatch *w, int error) {
        instance_close(w);
        w->status.instance_error = error;
        configfs_status_set(&w->status, CONFIGFS_TROUBLE_NO_INSTANCE, true);
        tell(w, NULL);
}

/* Events are read a moment after the first has come: a burst, as of a port that is made, is then read in one turn, and a storm
 * leaves time for others. */
static int on_events(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        ConfigfsWatch *w = userdata;

        arm(w->gather, w->tuning.gather_msec);
        return sd_event_source_set_enabled(s, SD_EVENT_OFF);
}

static int on_gather(sd_event_source *s, uint64_t usec, void *userdata) {
        _Alignas(struct inotify_event) char buf[EVENTS_SIZE];
        ConfigfsWatch *w = userdata;
        const struct inotify_event *e;
        ssize_t n;

        n = read(w->fd, buf, sizeof(buf));
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
                instance_failed(w, errno);
                update_status(w);
                return 0;
        }

        w->statistics.reads++;
        for (const char *p = buf; n > 0 && p < buf + n; p += sizeof(*e) + e->len) {
                e = (const struct inotify_event *) p;
                take_event(w, e);
        }

        (void) sd_event_source_set_enabled(w->io, SD_EVENT_ON);
        go_on(w);
        return 0;
}

static int instance_open(ConfigfsWatch *w) {
        int r;

        w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (w->fd < 0)
                return -errno;

        r = sd_event_add_io(w->event, &w->io, w->fd, EPOLLIN, on_events, w);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(w->io, "configfs-watch");

        r = directory_reader_new(w->event, w->fd, on_done, w, &w->reader);
        if (r < 0)
                return r;

        if (!configfs_tree_get(&w->tree, NULL, w->engine))
                return -ENOMEM;
        enqueue(w, w->tree.root);
        return 0;
}

static void try_again(ConfigfsWatch *w) {
        ConfigfsDirectory *d, *next;

        if (w->lost_again)
                enqueue_all(w);
        else
                configfs_status_set(&w->status, CONFIGFS_TROUBLE_LOST, false);
        w->lost_again = false;

        if (configfs_status_has(&w->status, CONFIGFS_TROUBLE_ABSENT))
                enqueue(w, w->tree.root);
        if (w->n_limit == 0 && w->n_refused == 0)
                return;
        HASH_ITER(hh_name, w->tree.by_name, d, next)
                if (d->refused != 0)
                        enqueue(w, d);
}

/* The first time, and then while something is wrong. */
static int on_list(sd_event_source *s, uint64_t usec, void *userdata) {
        ConfigfsWatch *w = userdata;
        int r;

        if (configfs_status_is_blind(&w->status))
                tell(w, NULL);

        if (w->fd >= 0)
                try_again(w);
        else {
                configfs_status_set(&w->status, CONFIGFS_TROUBLE_NO_INSTANCE, false);
                r = instance_open(w);
                if (r < 0)
                        instance_failed(w, -r);
        }

        go_on(w);
        return 0;
}

static int add_timer(ConfigfsWatch *w, sd_event_source **ret, sd_event_time_handler_t handler, const char *description) {
        int r;

        r = sd_event_add_time(w->event, ret, CLOCK_MONOTONIC, 0, 1000, handler, w);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(*ret, description);
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

/* Splits FABRIC into the directory that it is in and its name. */
static int set_paths(ConfigfsWatch *w, const char *fabric) {
        const char *name = strrchr(fabric, '/');

        if (fabric[0] != '/' || name == fabric || !name[1] || strlen(name + 1) > NAME_MAX)
                return -EINVAL;

        w->engine = strndup(fabric, (size_t) (name - fabric));
        w->fabric = strdup(name + 1);
        if (!w->engine || !w->fabric)
                return -ENOMEM;
        w->tree.fabric = w->fabric;
        return 0;
}

int configfs_watch_new_tuned(sd_event *event, const char *fabric, const ConfigfsWatchCallbacks *callbacks, void *userdata,
                             const ConfigfsWatchTuning *tuning, ConfigfsWatch **ret) {
        _cleanup_(configfs_watch_freep) ConfigfsWatch *w = NULL;
        int r;

        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        w->fd = -1;
        w->event = sd_event_ref(event);
        w->tuning = *tuning;

        r = set_paths(w, fabric);
        w->status = (ConfigfsStatus){
                .engine = w->engine,
                .seconds = tuning->list_msec / 1000,
                .told = callbacks->status,
                .userdata = userdata,
        };
        if (r >= 0)
                r = configfs_changes_new(event, tuning->quiet_msec, tuning->late_msec, callbacks->changed, userdata, &w->changes);
        if (r >= 0)
                r = add_timer(w, &w->gather, on_gather, "configfs-watch-gather");
        if (r >= 0)
                r = add_timer(w, &w->stuck, on_stuck, "configfs-watch-stuck");
        if (r >= 0)
                r = add_timer(w, &w->list, on_list, "configfs-watch-list");
        if (r < 0)
                return r;

        arm(w->list, 0);
        *ret = TAKE_PTR(w);
        return 0;
}

int configfs_watch_new(sd_event *event, const char *fabric, const ConfigfsWatchCallbacks *callbacks, void *userdata,
                       ConfigfsWatch **ret) {
        return configfs_watch_new_tuned(event, fabric, callbacks, userdata, &configfs_watch_tuning_default, ret);
}

ConfigfsWatch *configfs_watch_free(ConfigfsWatch *w) {
        if (!w)
                return NULL;

        instance_close(w);
        (void) sd_event_source_disable_unref(w->gather);
        (void) sd_event_source_disable_unref(w->stuck);
        (void) sd_event_source_disable_unref(w->list);
        (void) configfs_changes_free(w->changes);
        (void) sd_event_unref(w->event);
        free(w->engine);
        free(w->fabric);
        configfs_status_done(&w->status);
        free(w);
        return NULL;
}

const ConfigfsWatchStatistics *configfs_watch_statistics(const ConfigfsWatch *w) {
        return &w->statistics;
}
