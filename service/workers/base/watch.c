/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/watch.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "workers/base/peer.h"

/* Undoing what a call made takes some ten milliseconds a step. */
#define GRACE_MSEC 2000

static void *watch_run(void *userdata) {
        Watch *w = userdata;

        while (!peer_has_hung_up(w->peer_fd, -1))
                ;
        atomic_store(&w->gone, true);

        /* A call may begin to hang later: one that was sent before the peer left, or one that undoes what it left half done. */
        for (;;) {
                (void) poll(NULL, 0, GRACE_MSEC);
                locks_abandon(w->locks);
        }

        return NULL;
}

int watch_start(Watch *w, int peer_fd, Locks *locks) {
        pthread_t thread;
        sigset_t all, old;
        int r;

        w->peer_fd = peer_fd;
        w->locks = locks;
        atomic_init(&w->gone, false);

        /* Signals are the main thread's. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &old);
        r = pthread_create(&thread, NULL, watch_run, w);
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r != 0)
                return -r;

        (void) pthread_detach(thread);
        return 0;
}

bool watch_peer_is_gone(const Watch *w) {
        return atomic_load(&w->gone);
}
