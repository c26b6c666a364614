/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/serve.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "common/log.h"
#include "workers/base/bus.h"
#include "workers/base/peer.h"

int worker_accept(const WorkerOptions *o) {
        int r;

        r = sd_listen_fds(true);
        if (r != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 0, NULL, 0) <= 0) {
                log_error("This program is started by systemd with one connected unix socket");
                return -EINVAL;
        }

        r = peer_check(SD_LISTEN_FDS_START, o->allow_user);
        return r < 0 ? r : SD_LISTEN_FDS_START;
}

static int connection_new(int fd, Worker *w, sd_bus **ret) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_description(bus, "peer");
        if (r < 0)
                return r;
        r = sd_bus_set_fd(bus, fd, fd);
        if (r < 0)
                return r;
        r = sd_bus_set_server(bus, true, id);
        if (r < 0)
                return r;
        r = sd_bus_negotiate_fds(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = worker_bus_add(bus, w);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

static bool is_hang_up(int r) {
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE;
}

/* A signal in the middle of a call into configfs would make the kernel give up half-way with EINTR, or with an EINVAL that means
 * something else. So signals are taken between calls alone. */
static int wait_for_call(sd_bus *bus, const sigset_t *taken) {
        sigset_t blocked;
        int r;

        (void) sigprocmask(SIG_SETMASK, taken, &blocked);
        r = sd_bus_wait(bus, UINT64_MAX);
        (void) sigprocmask(SIG_SETMASK, &blocked, NULL);

        return r == -EINTR ? 0 : r;
}

static bool is_outdated(const Worker *w) {
        return w->engine->is_outdated && w->engine->is_outdated(w->userdata);
}

/* The last answer is sent when the connection is closed. */
static int take_calls(sd_bus *bus, Worker *w, const sigset_t *taken) {
        while (!is_outdated(w)) {
                int r;

                r = sd_bus_process(bus, NULL);
                if (r == 0) {
                        locks_look(&w->locks);
                        r = wait_for_call(bus, taken);
                }
                if (r < 0)
                        return is_hang_up(r) ? 0 : r;
        }

        log_info("This process can do no more work; the next one is to begin anew");
        return 0;
}

static int serve(Worker *w, int fd) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        sigset_t all, taken;
        int r;

        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &taken);

        r = watch_start(&w->watch, fd, &w->locks);
        if (r >= 0)
                r = connection_new(fd, w, &bus);
        if (r >= 0)
                r = take_calls(bus, w, &taken);

        /* A signal that came during the last call counts. */
        (void) sigprocmask(SIG_SETMASK, &taken, NULL);
        return r;
}

int worker_serve(int fd, const WorkerOptions *o, const WorkerEngine *engine, void *userdata) {
        static Worker w; /* the watching thread lives as long as the process */

        w = (Worker){ .engine = engine, .userdata = userdata };
        locks_init(&w.locks, &o->lock);
        return serve(&w, fd);
}
