/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/changes.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "common/clock.h"
#include "common/name.h"
#include "common/text.h"
#include "workers/open-iscsi/node-ports.h"
#include "workers/open-iscsi/record-name.h"

#define EVENTS (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB)

/* Changes that follow each other closely are told together. */
#define QUIET_MSEC 50
#define QUIET_MAX_MSEC 1000u

/* How often a directory that is not there is looked for. */
#define MISSING_MSEC 10000

void changes_done(Changes *c) {
        if (c->begun)
                closep(&c->fd);
        records_done(&c->records);
        host_name_done(&c->host);
        texts_done(&c->notices);
        *c = (Changes){ .at = c->at, .cache = c->cache };
}

static int watch(Changes *c, const char *path, bool *ret_missing) {
        if (inotify_add_watch(c->fd, path, EVENTS | IN_ONLYDIR) >= 0)
                return 0;
        if (errno != ENOENT && errno != ENOTDIR)
                return -errno;

        *ret_missing = true;
        return 0;
}

/* Adds what is not watched yet; a directory that was made again is another one. */
static int watch_all(Changes *c, bool *ret_missing) {
        _cleanup_free_ char *ifaces = NULL, *parent = strdup(c->at->host_name);
        char *slash;
        int r;

        *ret_missing = false;
        if (!parent || (c->at->directory && asprintf(&ifaces, "%s/ifaces", c->at->directory) < 0))
                return -ENOMEM;
        slash = strrchr(parent, '/');
        if (slash)
                *slash = '\0';

        r = watch(c, parent, ret_missing);
        if (r >= 0 && c->at->directory)
                r = watch(c, c->at->directory, ret_missing);
        if (r >= 0 && ifaces) {
                bool made_later = false; /* which the watch above it tells */

                r = watch(c, ifaces, &made_later);
        }
        if (!c->at->directory)
                *ret_missing = true;
        return r;
}

/* Waits for MSEC (-1: for ever) and, unless FOR_EVENTS is false, until there are events. Returns 1 if there are, 0 if not,
 * -ECANCELED if the peer has hung up. Signals, which are blocked otherwise, end the process here as they should: nothing is
 * under way. */
static int wait_for(const Changes *c, int peer_fd, bool for_events, int msec) {
        struct pollfd fds[] = {
                { .fd = for_events ? c->fd : -1, .events = POLLIN },
                { .fd = peer_fd, .events = POLLRDHUP },
        };
        struct timespec timeout = { .tv_sec = msec / 1000, .tv_nsec = (long) (msec % 1000) * 1000000 };
        sigset_t none;

        (void) sigemptyset(&none);
        if (ppoll(fds, 2, msec < 0 ? NULL : &timeout, &none) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[1].revents)
                return -ECANCELED;
        return fds[0].revents != 0;
}

static int add_text(Texts *t, const char *text) {
        for (size_t i = 0; i < t->n; i++)
                if (strcmp(t->items[i], text) == 0)
                        return 0;

        return texts_add(t, "%s", text);
}

/* Takes the events that are there, and notes the names of files that were touched. Returns whether there were events. */
static int drain(const Changes *c, Texts *touched) {
        char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        bool some = false;
        ssize_t n;

        while ((n = read(c->fd, buf, sizeof(buf))) > 0) {
                some = true;
                for (char *p = buf; p < buf + n;) {
                        const struct inotify_event *e = (const struct inotify_event *) p;

                        if (e->len > 0 && add_text(touched, e->name) < 0)
                                return -ENOMEM;
                        p += sizeof(*e) + e->len;
                }
        }

        return some;
}

/* Sleeps meanwhile: to wake up for each event would take time from those who make the changes. */
static int wait_for_quiet(const Changes *c, int peer_fd, Texts *touched) {
        uint64_t until = monotonic_msec() + QUIET_MAX_MSEC;
        int r;

        do {
                r = wait_for(c, peer_fd, false, QUIET_MSEC);
                if (r >= 0)
                        r = drain(c, touched);
        } while (r > 0 && monotonic_msec() < until);

        return r < 0 ? r : 0;
}

static bool differs(const char *a, const char *b) {
        return a ? !b || strcmp(a, b) != 0 : b != NULL;
}

static bool record_differs(const Record *a, const Record *b) {
        return a->empty != b->empty || differs(a->name, b->name) || differs(a->transport, b->transport) ||
               differs(a->netdev, b->netdev) || differs(a->hwaddress, b->hwaddress) || differs(a->initiator, b->initiator) ||
               differs(a->unknown, b->unknown);
}

static int add_node(Texts *nodes, const char *node) {
        return text_is_utf8(node) ? add_text(nodes, node) : 0;
}

/* The node of a record as it was before (A) and is now (B); one of them may be NULL. One of ours is the port of the node in its
 * name: the initiator name tells, unless it was changed. */
static int add_nodes_of(const Changes *c, const HostName *host, const Record *a, const Record *b, Texts *nodes) {
        const char *file = (a ? a : b)->file;
        int r = 0;

        if (!record_name_is_ours(file)) {
                if (a)
                        r = add_node(nodes, record_node(a, &c->host));
                return r >= 0 && b ? add_node(nodes, record_node(b, host)) : r;
        }

        if (record_name_is_of(file, HOST_NODE, NULL))
                return add_node(nodes, HOST_NODE);
        if (a && a->initiator && record_name_is_of(file, a->initiator, NULL))
                return add_node(nodes, a->initiator);
        if (b && b->initiator && record_name_is_of(file, b->initiator, NULL))
                return add_node(nodes, b->initiator);
        return add_node(nodes, "");
}

/* Both lists are sorted by file. */
static int compare(const Changes *c, const Records *now, const HostName *host, Texts *nodes) {
        const Records *before = &c->records;
        size_t i = 0, k = 0;
        int r = 0;

        while (r >= 0 && (i < before->n || k < now->n)) {
                const Record *a = i < before->n ? before->items + i : NULL, *b = k < now->n ? now->items + k : NULL;
                int order = !a ? 1 : !b ? -1 : strcmp(a->file, b->file);

                if (order < 0)
                        b = NULL;
                if (order > 0)
                        a = NULL;
                i += order <= 0;
                k += order >= 0;
                if (!a || !b || record_differs(a, b))
                        r = add_nodes_of(c, host, a, b, nodes);
        }

        return r;
}

static const Record *find(const Records *records, const char *file) {
        for (size_t i = 0; i < records->n; i++)
                if (strcmp(records->items[i].file, file) == 0)
                        return records->items + i;

        return NULL;
}

/* A record that was made and removed, or changed and changed back, between two looks may have been seen in between by somebody
 * else: it is told as well. So may any in a directory that was not watched until now. */
static int add_touched(const Changes *c, const Records *now, const HostName *host, const Texts *touched, Texts *nodes) {
        int r = 0;

        for (size_t i = 0; i < touched->n && r >= 0; i++) {
                const Record *a = find(&c->records, touched->items[i]), *b = find(now, touched->items[i]);

                if (a || b)
                        r = add_nodes_of(c, host, a, b, nodes);
                else if (record_name_is_ours(touched->items[i]) || strcmp(touched->items[i], "ifaces") == 0)
                        r = add_node(nodes, "");
        }

        return r;
}

static bool same_texts(const Texts *a, const Texts *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (strcmp(a->items[i], b->items[i]) != 0)
                        return false;

        return true;
}

static int copy_texts(const Texts *from, Texts *to) {
        int r = 0;

        for (size_t i = 0; i < from->n && r >= 0; i++)
                r = texts_add(to, "%s", from->items[i]);
        return r;
}

/* Reads everything and tells what is other than before. Returns whether something is. */
static int look(Changes *c, const Texts *touched, Texts *nodes, Texts *notices, Report *report) {
        _cleanup_(host_name_done) HostName host = {};
        _cleanup_(records_done) Records now = {};
        bool told;
        int r;

        r = host_name_read(c->at->host_name, &host);
        if (r >= 0 && c->at->directory)
                r = database_read_all(c->at, c->cache, &now, report);
        if (r >= 0)
                r = compare(c, &now, &host, nodes);
        if (r >= 0)
                r = add_touched(c, &now, &host, touched, nodes);
        if (r >= 0 && (!c->begun || differs(c->host.name, host.name) || differs(c->host.why, host.why)))
                r = add_node(nodes, HOST_NODE);
        if (r >= 0)
                r = copy_texts(&now.problems, notices);
        if (r < 0)
                return r;

        told = nodes->n > 0 || !same_texts(notices, &c->notices);
        texts_done(&c->notices);
        records_done(&c->records);
        host_name_done(&c->host);
        c->records = now;
        now = (Records){};
        c->host = host;
        host = (HostName){};
        r = copy_texts(notices, &c->notices);
        return r < 0 ? r : told;
}

static int begin(Changes *c, Texts *nodes, Texts *notices, Report *report) {
        bool missing;
        int r;

        c->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (c->fd < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot watch open-iscsi's files: %s", strerror(errno));
        r = watch_all(c, &missing);
        if (r >= 0)
                r = look(c, &(Texts){}, nodes, notices, report);
        c->begun = true;
        if (r < 0)
                changes_done(c);
        if (r < 0 && r != -ENOMEM && report->refusal == REFUSAL_NONE)
                return report_refuse(report, REFUSAL_FAILED, "Cannot watch open-iscsi's files: %s", strerror(-r));
        return r < 0 ? r : 0;
}

int changes_wait(Changes *c, int peer_fd, Texts *nodes, Texts *notices, Report *report) {
        int r;

        if (!c->begun)
                return begin(c, nodes, notices, report);

        for (;;) {
                _cleanup_(texts_done) Texts touched = {};
                bool missing;

                r = watch_all(c, &missing);
                if (r >= 0)
                        r = wait_for(c, peer_fd, true, missing ? MISSING_MSEC : -1);
                if (r > 0)
                        r = wait_for_quiet(c, peer_fd, &touched);
                if (r >= 0)
                        r = watch_all(c, &missing);
                if (r >= 0)
                        r = look(c, &touched, nodes, notices, report);
                if (r > 0)
                        return 0;
                if (r < 0 && r != -ENOMEM && r != -ECANCELED && report->refusal == REFUSAL_NONE)
                        return report_refuse(report, REFUSAL_FAILED, "Cannot watch open-iscsi's files: %s", strerror(-r));
                if (r < 0)
                        return r;
                texts_done(notices);
        }
}
