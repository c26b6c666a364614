/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls to worker processes. A connection is one worker and does one call at a time:
 *
 *  backend_apply() ─▶ queue ──(a connection is free)──▶ connection: connect, authenticate, send ─▶ answer ─▶ idle ─▶ next call
 *                                                          │            │                  │                 │
 *                                                          └────────────┴──────────────────┴── deadline,     └── hang-up: closed,
 *                                                             hang-up: closed, the call ends                     no call is lost
 *
 * Whatever a worker does, only its own call suffers. In each callback the caller's own callback comes last, for it may free the
 * backend. */

#include "backend/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <utlist.h>

#include "backend/base.h"
#include "backend/peer-message.h"
#include "backend/peer-text.h"
#include "common/clock.h"
#include "common/log.h"

/* A longer deadline is none, and might not fit into the clock. */
#define DEADLINE_USEC_MAX (UINT64_C(365) * 24 * 3600 * USEC_PER_SEC)

/* An answer that has arrived goes before a deadline that has passed, however long the event loop was busy elsewhere. */
#define CONNECTION_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 1)

typedef struct Connection Connection;

typedef struct Peer {
        Backend backend;
        char *socket_path;
        char *address;
        uint64_t deadline_usec;
        unsigned max_workers;
        unsigned n_connections;
        Connection *connections; /* the oldest first */
} Peer;

struct Connection {
        Peer *peer;
        sd_bus *bus;
        sd_bus_slot *reply;
        sd_event_source *deadline;
        BackendCall *call; /* NULL: idle */
        Connection *prev, *next;
};

static Connection *connection_free(Connection *c) {
        if (!c)
                return NULL;

        if (c->peer) {
                DL_DELETE(c->peer->connections, c);
                c->peer->n_connections--;
        }

        backend_call_free(c->call);
        sd_event_source_disable_unref(c->deadline);
        sd_bus_slot_unref(c->reply);
        /* Unlike a flush this waits for nobody, not even for a worker that hangs in the kernel. */
        sd_bus_close_unref(c->bus);
        free(c);

        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Connection *, connection_free);

static void peer_wake(Peer *p) {
        if (backend_wake(&p->backend) < 0)
                (void) log_oom();
}

/* Frees the connection from its call and returns that. */
static BackendCall *connection_end_call(Connection *c) {
        c->reply = sd_bus_slot_unref(c->reply);
        (void) sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);

        /* There is room for a call that waits, or perhaps a connection too many. */
        if (c->peer->backend.queue || c->peer->n_connections > 1)
                peer_wake(c->peer);

        return TAKE_PTR(c->call);
}

/* Whether the request has left. As long as it stands in the queue, be it in part, no worker has acted on it; before the worker
 * has authenticated us it always does. */
static bool connection_has_sent(Connection *c) {
        uint64_t n;

        return sd_bus_get_n_queued_write(c->bus, &n) < 0 || n == 0;
}

/* Closes the connection and ends its call. MESSAGE may be NULL (memory is short). */
static void connection_lose(Connection *c, Refusal refusal, bool outcome_unknown, const char *message) {
        BackendResult result = {
                .refusal = refusal,
                .message = message ?: refusal_meaning(refusal),
                .outcome_unknown = outcome_unknown,
                .failed_item = SIZE_MAX,
        };
        BackendCall *call;

        call = connection_end_call(c);
        connection_free(c);
        backend_call_finish(call, &result);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata) {
        Connection *c = userdata;
        _cleanup_free_ char *message = NULL;
        const char *name = c->peer->backend.name, *what = c->call->what;
        double seconds = (double) c->peer->deadline_usec / (double) USEC_PER_SEC;
        bool sent = connection_has_sent(c);
        int r;

        r = sent ? asprintf(&message,
                            "Backend %s did not answer %s within %g s and may hang in the kernel, whose log tells more "
                            "(journalctl -k)",
                            name, what, seconds)
                 : asprintf(&message,
                            "Backend %s took the connection to %s but did not begin %s within %g s; see systemctl status "
                            "iscsi-backend-%s.socket",
                            name, c->peer->socket_path, what, seconds, name);
        if (r < 0)
                message = NULL;

        connection_lose(c, REFUSAL_TIMEOUT, sent, message);
        return 0;
}

static void connection_hung_up(Connection *c) {
        _cleanup_free_ char *message = NULL;
        const char *name = c->peer->backend.name, *what = c->call->what;
        bool sent = connection_has_sent(c);
        int r;

        r = sent ? asprintf(&message, "The worker of backend %s ended while it did %s; see journalctl -u 'iscsi-backend-%s@*'",
                            name, what, name)
                 : asprintf(&message,
                            "The worker of backend %s behind %s ended before it began %s; see systemctl status "
                            "iscsi-backend-%s.socket and "
                            "journalctl -u 'iscsi-backend-%s@*'",
                            name, c->peer->socket_path, what, name, name);
        if (r < 0)
                message = NULL;

        connection_lose(c, REFUSAL_BACKEND_UNAVAILABLE, sent, message);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Connection *c = userdata;
        _cleanup_(peer_answer_done) PeerAnswer answer = {};
        BackendResult result;
        BackendCall *call;

        /* A lost connection ends its calls with errors of sd-bus' own making. */
        if (sd_bus_is_open(c->bus) <= 0) {
                connection_hung_up(c);
                return 1;
        }

        peer_answer_read(m, c->peer->backend.name, c->call, &answer);
        result = peer_answer_result(&answer, c->call);

        call = connection_end_call(c);
        if (answer.malformed)
                connection_free(c);

        backend_call_finish(call, &result);
        return 1;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Connection *c = userdata;

        /* Calls are told of it before this, so the worker was idle. */
        if (c->call)
                connection_hung_up(c);
        else
                connection_free(c);

        return 1;
}

static int connection_new(Peer *p, Connection **ret) {
        _cleanup_(connection_freep) Connection *c = NULL;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        r = sd_bus_new(&c->bus);
        if (r < 0)
                return r;

        r = sd_bus_set_address(c->bus, p->address);
        if (r < 0)
                return r;

        r = sd_bus_negotiate_fds(c->bus, true);
        if (r < 0)
                return r;

        /* Else the end of the event loop would flush, that is wait for the worker. */
        r = sd_bus_set_close_on_exit(c->bus, false);
        if (r < 0)
                return r;

        r = sd_bus_match_signal(c->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
                                on_disconnected, c);
        if (r < 0)
                return r;

        r = sd_event_add_time(p->backend.event, &c->deadline, CLOCK_MONOTONIC, UINT64_MAX, 1, on_deadline, c);
        if (r < 0)
                return r;

        r = sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
        if (r < 0)
                return r;

        /* The socket is non-blocking: it connects at once or fails, with EAGAIN if nobody accepts and the backlog is full. */
        r = sd_bus_start(c->bus);
        if (r < 0)
                return r;

        r = sd_bus_attach_event(c->bus, p->backend.event, CONNECTION_PRIORITY);
        if (r < 0)
                return r;

        c->peer = p;
        DL_APPEND(p->connections, c);
        p->n_connections++;

        *ret = TAKE_PTR(c);
        return 0;
}

static int connection_send(Connection *c, BackendCall *call) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = peer_call_to_message(call, c->bus, &m);
        if (r < 0)
                return r;

        /* sd-bus' own timeout begins only after authentication, so the deadline is a timer of ours. The clock is read anew:
         * the event loop's time is that of its last wake-up. */
        r = sd_event_source_set_time(c->deadline, monotonic_usec() + c->peer->deadline_usec);
        if (r < 0)
                return r;

        r = sd_event_source_set_enabled(c->deadline, SD_EVENT_ONESHOT);
        if (r < 0)
                return r;

        r = sd_bus_call_async(c->bus, &c->reply, m, on_reply, c, UINT64_MAX);
        if (r < 0)
                return r;

        c->call = call;
        return 0;
}

static Connection *peer_find_idle(const Peer *p) {
        Connection *c;

        DL_FOREACH(p->connections, c)
        if (!c->call)
                return c;

        return NULL;
}

/* Gives CALL to a worker, a new one if none is idle. On failure nothing of it was sent. */
static int peer_send(Peer *p, BackendCall *call) {
        int r;

        for (;;) {
                Connection *c;
                bool idle;

                c = peer_find_idle(p);
                idle = c;
                if (!idle) {
                        r = connection_new(p, &c);
                        if (r < 0)
                                return r;
                }

                r = connection_send(c, call);
                if (r >= 0)
                        return 0;

                /* That an idle worker has ended this very moment is no reason to refuse. */
                connection_free(c);
                if (!idle || (r != -ECONNRESET && r != -ENOTCONN))
                        return r;
        }
}

static void peer_refuse(Peer *p, BackendCall *call, int error) {
        _cleanup_free_ char *message = NULL;
        const char *name = p->backend.name, *what = call->what;
        BackendResult result = { .failed_item = SIZE_MAX };
        int r;

        switch (error) {
        case -EINVAL:
                result.refusal = REFUSAL_INVALID_PARAMETER;
                r = asprintf(&message, "%s cannot be asked of backend %s: the node's name or a zone is not UTF-8", what, name);
                break;
        case -ENOMEM:
                result.refusal = REFUSAL_FAILED;
                r = asprintf(&message, "Out of memory");
                break;
        default:
                result.refusal = REFUSAL_BACKEND_UNAVAILABLE;
                r = asprintf(&message,
                             "Backend %s cannot be reached at %s for %s: %s; see systemctl status iscsi-backend-%s.socket", name,
                             p->socket_path, what,
                             error == -EAGAIN ? "Nobody takes the connections that wait there" : strerror(-error), name);
        }
        if (r < 0)
                message = NULL;

        result.message = message ?: refusal_meaning(result.refusal);
        backend_call_finish(call, &result);
}

static void peer_trim_idle(Peer *p) {
        Connection *c, *next;
        bool kept = false;

        DL_FOREACH_SAFE(p->connections, c, next)
        if (!c->call) {
                if (kept)
                        connection_free(c);
                kept = true;
        }
}

static bool peer_has_room(const Peer *p) {
        return p->n_connections < p->max_workers || peer_find_idle(p);
}

static bool peer_begin(Backend *b, BackendCall *call) {
        Peer *p = (Peer *) b;

        return peer_has_room(p) && peer_send(p, call) >= 0;
}

static void peer_turn(Backend *b) {
        Peer *p = (Peer *) b;
        BackendCall *call;
        int r;

        if (!b->queue) {
                peer_trim_idle(p);
                return;
        }

        if (!peer_has_room(p))
                return;

        call = backend_take_call(b);
        if (b->queue)
                peer_wake(p);

        r = peer_send(p, call);
        if (r < 0)
                peer_refuse(p, call, r);
}

static void peer_free(Backend *b) {
        Peer *p = (Peer *) b;

        while (p->connections)
                connection_free(p->connections);

        free(p->socket_path);
        free(p->address);
        free(p);
}

static const BackendOps peer_ops = {
        .begin = peer_begin,
        .turn = peer_turn,
        .free = peer_free,
};

int backend_new_peer(sd_event *event, const char *name, const char *socket_path, uint64_t deadline_usec, unsigned max_workers,
                     const BackendTraits *traits, Backend **ret) {
        _cleanup_(backend_freep) Backend *b = NULL;
        Peer *p;
        int r;

        if (socket_path[0] != '/' || deadline_usec == 0 || deadline_usec > DEADLINE_USEC_MAX || max_workers == 0)
                return -EINVAL;
        if (strlen(socket_path) >= sizeof(((struct sockaddr_un *) NULL)->sun_path))
                return -ENAMETOOLONG;

        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        b = &p->backend;

        r = backend_init(b, &peer_ops, event, name, traits);
        if (r < 0)
                return r;

        p->deadline_usec = deadline_usec;
        p->max_workers = max_workers;

        p->socket_path = strdup(socket_path);
        p->address = peer_address_of_path(socket_path);
        if (!p->socket_path || !p->address)
                return -ENOMEM;

        *ret = TAKE_PTR(b);
        return 0;
}
