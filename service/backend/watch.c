/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "backend/peer-text.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "common/verbs.h"

#define RETRY_USEC (2 * USEC_PER_SEC)
#define RETRY_MAX_USEC (60 * USEC_PER_SEC)

struct BackendWatch {
        sd_event *event;
        char *name;
        char *address;
        BackendWatchCallbacks callbacks;
        void *userdata;
        sd_bus *bus;
        sd_bus_slot *call;
        sd_event_source *timer;
        uint64_t pause_usec;
        bool answered; /* the worker that is there now has */
        char *status;
};

static void tell(BackendWatch *w, const char *text) {
        if (strcmp(text ? text : "", w->status ? w->status : "") == 0)
                return;

        free(w->status);
        w->status = text ? strdup(text) : NULL;
        if (text)
                log_warning("%s", text);
        w->callbacks.status(text, w->userdata);
}

static void disconnect(BackendWatch *w) {
        w->call = sd_bus_slot_unref(w->call);
        w->bus = sd_bus_close_unref(w->bus);
        w->answered = false;
}

static int set_timer(BackendWatch *w, uint64_t usec) {
        int r;

        r = sd_event_source_set_time_relative(w->timer, usec);
        return r < 0 ? r : sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static void lose(BackendWatch *w, const char *why) {
        _cleanup_free_ char *text = NULL;

        disconnect(w);
        if (asprintf(&text,
                     "Changes that other programs make are not followed, since backend %s cannot be asked: %s; it is tried "
                     "again, see "
                     "systemctl status iscsi-backend-%s.socket",
                     w->name, why, w->name) < 0)
                text = NULL;
        tell(w, text);

        w->pause_usec = w->pause_usec == 0 ? RETRY_USEC : MIN2(2 * w->pause_usec, RETRY_MAX_USEC);
        if (set_timer(w, w->pause_usec) < 0)
                log_oom();
}

static int ask(BackendWatch *w);

static int read_texts(sd_bus_message *m, char ***ret) {
        char **texts = NULL;
        int r;

        r = sd_bus_message_read_strv(m, &texts);
        if (r < 0)
                return r;
        if (!texts)
                texts = calloc(1, sizeof(char *));
        if (!texts)
                return -ENOMEM;

        *ret = texts;
        return 0;
}

static void texts_free(char ***texts) {
        for (char **t = *texts; t && *t; t++)
                free(*t);
        free(*texts);
}

static char *join(char *const *texts) {
        char *all = NULL;
        size_t size;
        FILE *f;

        if (!*texts)
                return NULL;
        f = open_memstream(&all, &size);
        if (!f)
                return NULL;
        for (char *const *t = texts; *t; t++)
                (void) fprintf(f, "%s%s", t == texts ? "" : "; ", *t);
        if (fclose(f) != 0)
                free(TAKE_PTR(all));
        if (all)
                text_mask_controls(all, '?');
        return all;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        __attribute__((cleanup(texts_free))) char **nodes = NULL, **notices = NULL;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        _cleanup_free_ char *text = NULL;
        BackendWatch *w = userdata;
        bool first = !w->answered;
        int r;

        w->call = sd_bus_slot_unref(w->call);
        if (e) {
                lose(w, e->message ? e->message : e->name);
                return 0;
        }
        r = read_texts(reply, &nodes);
        if (r >= 0)
                r = read_texts(reply, &notices);
        if (r < 0) {
                lose(w, strerror(-r));
                return 0;
        }

        w->answered = true;
        w->pause_usec = 0;
        text = join(notices);
        tell(w, text);
        w->callbacks.changed(nodes, first, w->userdata);

        r = ask(w);
        if (r < 0)
                lose(w, strerror(-r));
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        lose(userdata, "its worker has ended");
        return 0;
}

static int ask(BackendWatch *w) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(w->bus, &m, NULL, BACKEND_PATH, BACKEND_INTERFACE, "AwaitChange");
        return r < 0 ? r : sd_bus_call_async(w->bus, &w->call, m, on_answer, w, UINT64_MAX);
}

static int connect_worker(BackendWatch *w) {
        int r;

        r = sd_bus_new(&w->bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(w->bus, w->address);
        if (r >= 0)
                r = sd_bus_negotiate_fds(w->bus, true);
        if (r >= 0) /* else the end of the event loop would wait for the worker */
                r = sd_bus_set_close_on_exit(w->bus, false);
        if (r >= 0)
                r = sd_bus_match_signal(w->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                        "Disconnected", on_disconnected, w);
        if (r >= 0)
                r = sd_bus_start(w->bus);
        if (r >= 0)
                r = sd_bus_attach_event(w->bus, w->event, SD_EVENT_PRIORITY_NORMAL);
        return r < 0 ? r : ask(w);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        BackendWatch *w = userdata;
        int r;

        r = connect_worker(w);
        if (r < 0)
                lose(w, strerror(-r));
        return 0;
}

int backend_watch_new(sd_event *event, const char *name, const char *socket_path, const BackendWatchCallbacks *callbacks,
                      void *userdata, BackendWatch **ret) {
        _cleanup_(backend_watch_freep) BackendWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->event = sd_event_ref(event);
        w->callbacks = *callbacks;
        w->userdata = userdata;
        w->name = strdup(name);
        w->address = peer_address_of_path(socket_path);
        if (!w->name || !w->address)
                return -ENOMEM;

        r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, 0, 0, on_timer, w);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(w);
        return 0;
}

BackendWatch *backend_watch_free(BackendWatch *w) {
        if (!w)
                return NULL;

        disconnect(w);
        sd_event_source_disable_unref(w->timer);
        sd_event_unref(w->event);
        free(w->name);
        free(w->address);
        free(w->status);
        free(w);
        return NULL;
}
