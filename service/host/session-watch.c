/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/session-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "host/kernel-events.h"
#include "host/session-watch-private.h"

/* Messages that are taken in one turn of the event loop. */
#define EVENTS_PER_TURN 64u

#define NEVER UINT64_MAX

struct SessionWatch {
        sd_event *event;
        sd_event_source *io, *timer;
        char *sysfs;
        SessionWatchCallbacks callbacks;
        void *userdata;
        SessionWatchTuning tuning;

        HostSession *sessions; /* by number */
        uint64_t list_usec;    /* when all are listed again */
        int fault;             /* of the last list; 0: none */
        int socket_fault;      /* why the kernel's messages are not heard; 0: they are */
        bool overflow;         /* there are more than are followed */
        bool looked;           /* all that were there at the start were read */
        bool unsorted;         /* some were added at the end of SESSIONS in this turn */

        bool complete; /* as told */
        char *text;
};

const SessionWatchTuning session_watch_tuning_default = {
        .first_wait_usec = 50 * USEC_PER_MSEC,
        .last_wait_usec = 2 * USEC_PER_SEC,
        .poll_usec = 5 * USEC_PER_SEC,
        .sessions_max = SESSIONS_MAX,
        .open_events = kernel_events_open,
};

static HostSession *find_session(const SessionWatch *w, uint32_t number) {
        HostSession *s;

        HASH_FIND(hh, w->sessions, &number, sizeof(number), s);
        return s;
}

static int compare_numbers(const HostSession *a, const HostSession *b) {
        return a->number < b->number ? -1 : a->number > b->number;
}

/* To put each new one in its place would take as many steps as there are sessions; so they are sorted once in a turn. */
static void sort_sessions(SessionWatch *w) {
        if (w->unsorted)
                HASH_SORT(w->sessions, compare_numbers);
        w->unsorted = false;
}

/* Returns 0, or -ENOSPC or -ENOMEM, which are found again with each list. sort_sessions() is to be called before others see the
 * sessions. */
static int add_session(SessionWatch *w, uint32_t number, HostSession **ret) {
        HostSession *s;

        if (HASH_COUNT(w->sessions) >= w->tuning.sessions_max)
                return -ENOSPC;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;

        s->number = number;
        s->whole = s->listed = true;
        s->wait_usec = w->tuning.first_wait_usec;
        HASH_ADD(hh, w->sessions, number, sizeof(s->number), s);
        w->unsorted = true;
        *ret = s;
        return 0;
}

static void drop_session(SessionWatch *w, HostSession *s) {
        HASH_DELETE(hh, w->sessions, s);
        if (s->told && w->callbacks.removed)
                w->callbacks.removed(s->number, w->userdata);
        session_reading_done(&s->reading);
        free(s);
}

static uint64_t realtime_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* When the state became what it is, as far as that was seen. */
static void date_state(const SessionReading *before, SessionReading *now) {
        const char *old = session_text(&before->info, SESSION_STATE), *new = session_text(&now->info, SESSION_STATE);
        const SessionValue *since = before->info.values + SESSION_LAST_STATE_CHANGE;

        if (!new)
                return;
        session_set_number(now->info.values + SESSION_LAST_STATE_CHANGE,
                           old && since->known && strcmp(old, new) == 0 ? since->number : realtime_usec());
}

static void schedule_settling(SessionWatch *w, HostSession *s, uint64_t now) {
        if (s->reading.settled) {
                s->wait_usec = w->tuning.first_wait_usec;
                s->due_usec = NEVER;
                return;
        }

        s->whole = true;
        s->due_usec = now + s->wait_usec;
        s->wait_usec = MIN2(2 * s->wait_usec, w->tuning.last_wait_usec);
}

/* What was known stays as it was last seen. */
static void note_failure(HostSession *s, int error) {
        SessionReading *r = &s->reading;

        free(r->fault);
        if (asprintf(&r->fault, "it cannot be read now: %s", strerror(-error)) < 0)
                r->fault = NULL;
        r->settled = false;
        session_set_number(r->info.values + SESSION_NUMBER, s->number);
}

static void read_session(SessionWatch *w, int sysfs, HostSession *s, uint64_t now) {
        SessionReading reading = {};
        int r;

        s->due_usec = NEVER;
        if (!s->whole) {
                r = session_is_unchanged(sysfs, s->number, &s->reading.info);
                if (r == 1)
                        return;
        }

        s->whole = false;
        r = session_read(sysfs, s->number, &reading);
        if (r == -ENOENT) {
                drop_session(w, s);
                return;
        }
        if (r < 0)
                note_failure(s, r);
        else {
                date_state(&s->reading, &reading);
                session_reading_done(&s->reading);
                s->reading = reading;
        }
        schedule_settling(w, s, now);
        s->told = true;
        w->callbacks.changed(s, w->userdata);
}

static void mark_due(HostSession *s, bool whole) {
        s->whole |= whole;
        s->due_usec = 0;
}

typedef struct ListArguments {
        SessionWatch *watch;
        bool overflow;
} ListArguments;

static int session_listed(uint32_t number, void *userdata) {
        ListArguments *l = userdata;
        HostSession *s = find_session(l->watch, number);
        int r;

        if (!s) {
                r = add_session(l->watch, number, &s);
                if (r == -ENOSPC) {
                        l->overflow = true;
                        return 0;
                }
                if (r < 0)
                        return r;
        }

        s->listed = true;
        mark_due(s, false);
        return 0;
}

/* All that are there are looked at; what is not there any more is dropped. */
static void list_sessions(SessionWatch *w, int sysfs) {
        ListArguments l = { .watch = w };
        HostSession *s, *next;
        int r;

        for (s = w->sessions; s; s = s->hh.next)
                s->listed = false;
        r = sysfs < 0 ? sysfs : session_list(sysfs, session_listed, &l);
        sort_sessions(w);
        if (r < 0 && r != w->fault)
                log_warning_errno(r, "Failed to list the iSCSI sessions below %s", w->sysfs);
        w->fault = r < 0 ? r : 0;
        if (r < 0)
                return; /* those that are known stay, and are not told to be complete */

        w->overflow = l.overflow;
        for (s = w->sessions; s; s = next) {
                next = s->hh.next;
                if (!s->listed)
                        drop_session(w, s);
        }
}

static bool some_are_unread(const SessionWatch *w) {
        for (const HostSession *s = w->sessions; s; s = s->hh.next)
                if (!s->told)
                        return true;

        return false;
}

/* Returns 0 or -ENOMEM. */
static int describe(const SessionWatch *w, char **ret) {
        int n = 0;

        *ret = NULL;
        if (w->fault)
                n = asprintf(ret, "The iSCSI sessions of this host as an initiator cannot be listed: %s", strerror(-w->fault));
        else if (w->overflow)
                n = asprintf(ret, "This host has more than %u iSCSI sessions as an initiator; the others are not followed",
                             w->tuning.sessions_max);
        else if (w->socket_fault)
                n = asprintf(
                        ret,
                        "The kernel's messages about iSCSI sessions cannot be received (%s): what changes is seen after up to "
                        "%llu s",
                        strerror(-w->socket_fault), (unsigned long long) (w->tuning.poll_usec / USEC_PER_SEC));
        if (n >= 0)
                return 0;
        *ret = NULL;
        return -ENOMEM;
}

static void tell_status(SessionWatch *w) {
        _cleanup_free_ char *text = NULL;
        bool complete;

        w->looked |= !w->fault && !some_are_unread(w);
        if (describe(w, &text) < 0)
                (void) log_oom();
        complete = w->looked && !w->fault && !w->overflow;
        if (complete == w->complete && strcmp(text ? text : "", w->text ? w->text : "") == 0)
                return;

        w->complete = complete;
        free(w->text);
        w->text = TAKE_PTR(text);
        if (w->callbacks.status)
                w->callbacks.status(w->complete, w->text, w->userdata);
}

/* Sets the timer to what is due first. */
static void arm(SessionWatch *w) {
        uint64_t next = w->list_usec;
        int r = 0;

        for (const HostSession *s = w->sessions; s; s = s->hh.next)
                next = MIN2(next, s->due_usec);
        if (next != NEVER)
                r = sd_event_source_set_time(w->timer, next);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->timer, next == NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
        if (r < 0)
                log_error_errno(r, "Failed to set a timer, iSCSI sessions are not followed any more");
}

static int on_event(sd_event_source *s, int fd, uint32_t revents, void *userdata);

static void stop_listening(SessionWatch *w, int error) {
        if (error != w->socket_fault)
                log_warning_errno(error,
                                  "Failed to receive the kernel's messages about iSCSI sessions, looking for them instead");
        w->socket_fault = error;
        w->io = sd_event_source_disable_unref(w->io);
}

static void start_listening(SessionWatch *w) {
        int fd, r;

        fd = w->tuning.open_events();
        if (fd < 0) {
                stop_listening(w, fd);
                return;
        }
        r = sd_event_add_io(w->event, &w->io, fd, EPOLLIN, on_event, w);
        if (r >= 0)
                r = sd_event_source_set_io_fd_own(w->io, true);
        if (r < 0) {
                (void) close(fd);
                stop_listening(w, r);
                return;
        }

        (void) sd_event_source_set_description(w->io, "session-events");
        w->socket_fault = 0;
}

static void read_due(SessionWatch *w, int sysfs, uint64_t now) {
        HostSession *s, *next;
        unsigned n = 0;

        for (s = w->sessions; s && n < SESSIONS_PER_TURN; s = next) {
                next = s->hh.next;
                if (s->due_usec > now)
                        continue;
                n++;
                if (sysfs >= 0)
                        read_session(w, sysfs, s, now);
                else
                        s->due_usec = NEVER; /* until the next list */
        }
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        _cleanup_close_ int sysfs = -1;
        SessionWatch *w = userdata;
        uint64_t now = monotonic_usec();

        sysfs = open(w->sysfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (sysfs < 0)
                sysfs = -errno;

        if (w->list_usec <= now) {
                if (!w->io)
                        start_listening(w); /* before the list, so that nothing falls between the two */
                list_sessions(w, sysfs);
                w->list_usec = NEVER;
        }
        read_due(w, sysfs, now);
        if (w->list_usec == NEVER && (w->sessions || !w->io || w->fault))
                w->list_usec = now + w->tuning.poll_usec;

        tell_status(w);
        arm(w);
        return 0;
}

static void event_about(SessionWatch *w, uint32_t number) {
        HostSession *s = find_session(w, number);
        int r = 0;

        if (!s)
                r = add_session(w, number, &s);
        if (r < 0)
                w->list_usec = 0; /* which tells it */
        else
                mark_due(s, true);
}

static int on_event(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata) {
        char buf[KERNEL_EVENT_MAX];
        SessionWatch *w = userdata;
        const char *path;
        uint32_t number;
        int r = 0;

        for (unsigned i = 0; i < EVENTS_PER_TURN; i++) {
                r = kernel_events_receive(fd, buf, &path);
                if (r < 0)
                        break;
                if (r > 0 && session_number_in_path(path, &number))
                        event_about(w, number);
        }

        sort_sessions(w);
        if (r == -ENOBUFS) {
                log_debug("The kernel's messages about devices were lost, listing the iSCSI sessions again");
                session_watch_look(w);
        } else if (r < 0 && r != -EAGAIN) {
                stop_listening(w, r);
                w->list_usec =
                        monotonic_usec() + w->tuning.poll_usec; /* a socket that fails at once must not be opened at once */
                tell_status(w);
        }
        arm(w);
        return 0;
}

int session_watch_new_tuned(sd_event *event, const char *sysfs, const SessionWatchCallbacks *callbacks, void *userdata,
                            const SessionWatchTuning *tuning, SessionWatch **ret) {
        _cleanup_(session_watch_freep) SessionWatch *w = NULL;
        int r;

        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        w->event = sd_event_ref(event);
        w->callbacks = *callbacks;
        w->userdata = userdata;
        w->tuning = *tuning;
        w->sysfs = strdup(sysfs);
        if (!w->sysfs)
                return -ENOMEM;

        r = sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, 0, 1, on_timer, w);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(w->timer, "session-watch");

        *ret = TAKE_PTR(w);
        return 0;
}

int session_watch_new(sd_event *event, const char *sysfs, const SessionWatchCallbacks *callbacks, void *userdata,
                      SessionWatch **ret) {
        return session_watch_new_tuned(event, sysfs, callbacks, userdata, &session_watch_tuning_default, ret);
}

void session_watch_look(SessionWatch *w) {
        w->list_usec = 0;
        for (HostSession *s = w->sessions; s; s = s->hh.next)
                mark_due(s, true);
        arm(w);
}

const HostSession *session_watch_first(const SessionWatch *w) {
        return w->sessions;
}

bool session_watch_is_complete(const SessionWatch *w) {
        return w->complete;
}

const char *session_watch_text(const SessionWatch *w) {
        return w->text;
}

SessionWatch *session_watch_free(SessionWatch *w) {
        if (!w)
                return NULL;

        w->callbacks.removed = NULL;
        while (w->sessions)
                drop_session(w, w->sessions);
        sd_event_source_disable_unref(w->timer);
        sd_event_source_disable_unref(w->io);
        free(w->text);
        free(w->sysfs);
        sd_event_unref(w->event);
        free(w);
        return NULL;
}
