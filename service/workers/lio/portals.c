/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/portals.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "workers/base/peer.h"
#include "workers/lio/explain.h"
#include "workers/lio/names.h"
#include "workers/lio/predict.h"
#include "workers/lio/probe.h"

/* A portal that other ports share passes through moments in which a new one fails for no lasting reason: when one of them is
 * removed, the kernel resets the portal's thread and does not find its socket meanwhile; when the last one is removed, the portal
 * is gone from the tree before its socket is closed. Both take milliseconds, unless a login is under way. */
#define PASSING_MSEC 1000u      /* as long as a socket of the target is there */
#define PASSING_BLIND_MSEC 40u  /* nothing is to be seen */
#define PASSING_OWNER_MSEC 300u /* a socket of the target that no node shows */
#define PASSING_STEP_MSEC 80u

/* Waits before another try, longer each time. *WAITED: so far. Returns false when LIMIT is reached or the peer has hung up. */
static bool wait_passing(const LioCall *c, unsigned *waited, unsigned limit) {
        unsigned msec = *waited < PASSING_STEP_MSEC ? *waited + 1 : PASSING_STEP_MSEC;

        if (*waited >= limit)
                return false;

        *waited += msec;
        return !peer_has_hung_up(c->steps->watch->peer_fd, (int) msec);
}

int lio_portal_interface(LioCall *c, const Portal *portal, uint32_t *ret_ifindex, Report *report) {
        char text[PORTAL_TEXT_MAX];

        *ret_ifindex = 0;
        if (!portal->address.zone[0])
                return 0;

        *ret_ifindex = interfaces_index(&c->interfaces, portal->address.zone);
        if (c->interfaces.error < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read the network interfaces: %s",
                                     strerror(-c->interfaces.error));
        if (*ret_ifindex == 0)
                return report_refuse(report, REFUSAL_SCOPE_MISSING, "Portal %s cannot listen: this host has no interface %s now",
                                     portal_to_text(portal, text), portal->address.zone);

        return 0;
}

/* What holds for any portal that the kernel is to make. The service has the first rule too; here it holds whatever the service
 * has become. */
static int check_form(const Portal *portal, Report *report) {
        char text[IP_ADDRESS_TEXT_MAX];

        (void) ip_address_to_text(&portal->address, text);

        if (portal->port != ISCSI_PORT_SYSTEM && portal->port < 1024)
                return report_refuse(report, REFUSAL_INVALID_PARAMETER,
                                     "TCP port %u of address %s is not offered: take 1024 to 65535, or 860", portal->port, text);
        if (strlen(text) > LIO_IPV6_TEXT_MAX)
                return report_refuse(report, REFUSAL_INVALID_PARAMETER,
                                     "The kernel takes at most %u characters of an address with its interface, and %s has more: "
                                     "give the interface a shorter name",
                                     LIO_IPV6_TEXT_MAX, text);

        return 0;
}

/* A portal that is to be made: all that the decision needs. */
typedef struct Wanted {
        const Portal *portal;
        uint32_t ifindex;
        uint16_t tag;
        const LioNode *node;
        const LioPortal *except; /* a portal of the node that counts as gone */
        bool unprobed;           /* the kernel is asked instead of a probe */
} Wanted;

/* A socket of the target may be in the way whose portal this very request removes, or that stands for no portal any more. */
static bool is_leaving(LioCall *c, const Listener *l, const Wanted *w) {
        SocketOwner owner;
        bool leaving = w->except != NULL;

        for (size_t i = 0; i < c->n_leaving; i++)
                leaving = leaving || listener_is(l, &c->leaving[i].portal, c->leaving[i].ifindex);

        return leaving && !lio_find_owner(c, l, w->node, w->except, &owner);
}

static bool is_v6_wildcard(const Portal *p) {
        return p->address.family == AF_INET6 && ip_address_is_wildcard(&p->address);
}

/* What a new IPv6 socket would be matters for a wildcard alone: the wanted one, or one that will be made before it. */
static bool new_sockets_are_v6_only(LioCall *c, const Wanted *w) {
        bool matters = is_v6_wildcard(w->portal);

        for (size_t i = 0; i < w->node->n_ports; i++)
                for (size_t k = 0; k < w->node->ports[i].n_portals; k++)
                        matters = matters ||
                                  (w->node->ports[i].portals[k].fresh && is_v6_wildcard(&w->node->ports[i].portals[k].portal));

        return matters && lio_call_v6_only(c);
}

static Prediction predict(LioCall *c, const Wanted *w, const Listeners *l) {
        return portal_predict(w->portal, w->ifindex, w->tag, new_sockets_are_v6_only(c, w), w->node, w->except, l);
}

/* As portal_predict(), without the sockets that will be gone by then. *RET_GOING: there are some. */
static Prediction predict_without_leaving(LioCall *c, const Wanted *w, Listeners *l, bool *ret_going) {
        for (;;) {
                Prediction p = predict(c, w, l);

                if (!p.listener || p.shared || !p.listener->of_target || !is_leaving(c, p.listener, w))
                        return p;

                l->items[p.listener - l->items].ignored = true;
                *ret_going = true;
        }
}

static int check_probe(const Wanted *w, Report *report) {
        char text[PORTAL_TEXT_MAX];
        int r;

        r = portal_probe(w->portal, w->ifindex);
        if (r == -EADDRINUSE)
                return report_refuse(report, REFUSAL_ADDRESS_IN_USE,
                                     "Portal %s cannot listen, since its place is taken by a socket that is bound to TCP port %u "
                                     "without listening; stop the program that has it, or use another TCP port",
                                     portal_to_text(w->portal, text), w->portal->port);

        return r < 0 ? lio_refuse_probe(w->portal, r, report) : 0;
}

/* L: the sockets on the portal's TCP port. Whether what is in the way may be gone in a moment: *RET_PASSING. */
static int decide(LioCall *c, const Wanted *w, Listeners *l, Report *report, bool *ret_passing) {
        bool going = false;
        Prediction p;
        int r;

        *ret_passing = false;

        p = predict_without_leaving(c, w, l, &going);
        if (p.refusal != REFUSAL_NONE)
                return lio_refuse_portal(c, w->portal, &p, w->node, report, ret_passing);

        /* What goes would be in the way of the probe now. Where the kernel is about to be asked anyway, its answer is the probe;
         * why it said no is found out then. */
        if (p.shared || going || w->unprobed)
                return 0;

        r = check_probe(w, report);
        *ret_passing = r < 0 && report->refusal == REFUSAL_ADDRESS_IN_USE;
        return r;
}

/* Decides with the sockets as they are at this moment. */
static int decide_fresh(LioCall *c, const Wanted *w, Report *report, bool *ret_passing, bool *ret_seen) {
        _cleanup_(listeners_done) Listeners l = {};
        int r;

        *ret_passing = false;
        r = lio_load_listeners(w->portal->port, &l, report);
        if (r < 0)
                return r;

        for (size_t i = 0; i < l.n; i++)
                *ret_seen = *ret_seen || l.items[i].of_target;
        return decide(c, w, &l, report, ret_passing);
}

static int decide_patiently(LioCall *c, const Wanted *w, Report *report) {
        unsigned waited = 0;
        bool passing, seen = false;
        Listeners *l;
        int r;

        r = lio_call_listeners(c, w->portal->port, &l, report);
        if (r < 0)
                return r;

        r = decide(c, w, l, report, &passing);
        while (r < 0 && passing && wait_passing(c, &waited, seen ? PASSING_OWNER_MSEC : PASSING_BLIND_MSEC)) {
                report_done(report);
                r = decide_fresh(c, w, report, &passing, &seen);
        }

        return r;
}

int lio_plan_portal(LioCall *c, LioPort *port, const Portal *portal, Report *report) {
        Wanted w = { .portal = portal, .tag = port->tag, .node = &c->plan, .unprobed = !c->check };
        int r;

        r = check_form(portal, report);
        if (r < 0)
                return r;
        r = lio_portal_interface(c, portal, &w.ifindex, report);
        if (r < 0)
                return r;
        r = decide_patiently(c, &w, report);
        if (r < 0)
                return r;

        return lio_port_add_portal(port, portal, w.ifindex);
}

static int is_listening(LioCall *c, const Portal *portal, uint32_t ifindex, Report *report) {
        Listeners *l;
        int r;

        r = lio_call_listeners(c, portal->port, &l, report);
        return r < 0 ? r : listeners_find(l, portal, ifindex) != NULL;
}

int lio_plan_existing(LioCall *c, LioPort *port, LioPortal *existing, const Portal *portal, Report *report, Texts *warnings) {
        Wanted w = { .portal = portal, .tag = port->tag, .node = &c->plan, .except = existing };
        char text[PORTAL_TEXT_MAX];
        int r;

        if (existing->fresh)
                return 0;

        r = lio_portal_interface(c, portal, &w.ifindex, report);
        if (r < 0)
                return r;
        r = is_listening(c, portal, w.ifindex, report);
        if (r != 0)
                return MIN2(r, 0);

        (void) portal_to_text(portal, text);
        if (!lio_portal_is_canonical(existing, portal))
                return report_refuse(
                        report, REFUSAL_PORTAL_SHADOWED,
                        "Portal %s is in target portal group %u as %s, but nothing listens on it; another program made "
                        "it, remove it with that program",
                        text, port->tag, existing->dir);

        r = decide_patiently(c, &w, report);
        if (r < 0)
                return r;
        return texts_add(warnings, "Nothing listens on portal %s: it will be made again", text);
}

int lio_plan_leaving(LioCall *c, LioPort *port, LioPortal *existing) {
        int r;

        r = array_grow(&c->leaving, c->n_leaving, sizeof(*c->leaving));
        if (r < 0)
                return r;

        c->leaving[c->n_leaving] = *existing;
        c->leaving[c->n_leaving++].dir = NULL;
        lio_port_remove_portal(port, existing);
        return 0;
}

int lio_pending_add(LioCall *c, const LioPending *pending, const char *port_dir) {
        LioPending *p;
        int r;

        r = array_grow(&c->pending, c->n_pending, sizeof(*c->pending));
        if (r < 0)
                return r;

        p = c->pending + c->n_pending;
        *p = *pending;
        p->operation = c->steps->operation;
        p->port_dir = strdup(port_dir);
        if (!p->port_dir)
                return -ENOMEM;

        c->n_pending++;
        return 0;
}

void lio_pending_done(LioPending *p) {
        free(p->port_dir);
}

/* After the kernel has refused the portal, with the one errno that it has for everything: decides once more, as things are now.
 * RET_PASSING: as of decide(). */
static int decide_again(LioCall *c, const LioPort *port, const Portal *portal, uint32_t ifindex, bool *ret_passing,
                        bool *ret_seen) {
        _cleanup_(lio_node_done) LioNode now = {};
        Wanted w = { .portal = portal, .ifindex = ifindex, .tag = port->tag, .node = &now };
        int r;

        *ret_passing = false;
        r = lio_node_read(c->lio->iscsi_dir, c->now.name, &c->interfaces, &now);
        if (r < 0)
                return report_refuse(c->steps->report, REFUSAL_FAILED, "Cannot read node %s: %s", c->now.name, strerror(-r));

        return decide_fresh(c, &w, c->steps->report, ret_passing, ret_seen);
}

/* The kernel has refused to the end. If a socket is there just as the target would make it, and no portal goes with it, it is
 * another program's. */
static int refuse_to_make(LioCall *c, const Portal *portal, uint32_t ifindex, const char *path, int error) {
        _cleanup_(listeners_done) Listeners l = {};
        _cleanup_(report_done) Report ignored = {};
        const Listener *there = NULL;
        SocketOwner owner;

        if (error == -EINVAL && lio_load_listeners(portal->port, &l, &ignored) >= 0)
                there = listeners_find(&l, portal, ifindex);
        if (there && !lio_find_owner(c, there, NULL, NULL, &owner))
                return lio_refuse_program(portal, there, c->steps->report);

        return steps_refuse(c->steps, REFUSAL_FAILED, "make portal", path, error);
}

static int make_portal_dir(LioCall *c, const LioPort *port, const Portal *portal, uint32_t ifindex, const char *path) {
        unsigned waited = 0;
        bool seen = false;
        int r;

        for (;;) {
                bool passing;
                int q;

                r = step_mkdir(c->steps, path);
                if (r != -EINVAL)
                        break;

                /* The decision was that it can be made as far as sockets that listen tell: one that is bound alone is in the way,
                 * the host has changed since then, or it is one of those moments. From now on the kernel's own words are of
                 * interest. */
                steps_listen(c->steps);
                q = decide_again(c, port, portal, ifindex, &passing, &seen);
                if (q < 0 && !passing)
                        return q;
                if (!wait_passing(c, &waited, seen ? PASSING_MSEC : PASSING_BLIND_MSEC)) {
                        if (q < 0)
                                return q;
                        break;
                }
                report_done(c->steps->report);
        }

        return r < 0 ? refuse_to_make(c, portal, ifindex, path, r) : r;
}

static int make_portal(LioCall *c, LioPort *port, const Portal *portal, bool healed) {
        _cleanup_free_ char *port_dir = NULL, *path = NULL;
        LioPending pending = { .is_portal = true, .portal = *portal, .tag = port->tag, .healed = healed };
        char text[PORTAL_TEXT_MAX];
        int r;

        port_dir = lio_port_path(c, port);
        path = port_dir ? lio_path(port_dir, "np", portal_to_text(portal, text), NULL) : NULL;
        if (!path)
                return -ENOMEM;

        r = lio_portal_interface(c, portal, &pending.ifindex, c->steps->report);
        if (r < 0)
                return r;
        r = make_portal_dir(c, port, portal, pending.ifindex, path);
        if (r < 0)
                return r;
        r = lio_port_add_portal(port, portal, pending.ifindex);
        if (r < 0)
                return r;

        return lio_pending_add(c, &pending, port_dir);
}

int lio_make_portal(LioCall *c, LioPort *port, const Portal *portal) {
        return make_portal(c, port, portal, false);
}

int lio_heal_portal(LioCall *c, LioPort *port, LioPortal *existing, const Portal *portal) {
        _cleanup_free_ char *path = NULL;
        uint32_t ifindex;
        int r;

        if (existing->fresh)
                return 0;
        r = lio_portal_interface(c, portal, &ifindex, c->steps->report);
        if (r < 0)
                return r;
        r = is_listening(c, portal, ifindex, c->steps->report);
        if (r != 0)
                return MIN2(r, 0);

        path = lio_path(c->lio->iscsi_dir, c->now.name, port->dir, "np", existing->dir, NULL);
        if (!path)
                return -ENOMEM;

        /* A portal on which nothing listens is no loss, so this is not undone: as long as one port holds the socket that leads
         * nowhere, no other one can get a better one. */
        r = step_drop_dir(c->steps, path);
        if (r < 0)
                return steps_refuse(c->steps, REFUSAL_FAILED, "remove portal", path, r);
        lio_port_remove_portal(port, existing);

        return make_portal(c, port, portal, true);
}

/* Why a portal that the kernel has accepted does not listen. */
static int refuse_silent(LioCall *c, const LioPending *p, Report *report) {
        LioPort *port = lio_node_find_port(&c->now, p->tag, NULL);
        Wanted w = { .portal = &p->portal, .ifindex = p->ifindex, .tag = p->tag, .node = &c->now };
        char text[PORTAL_TEXT_MAX];
        bool passing, seen = false;
        int r;

        w.except = port ? lio_port_find_portal(port, &p->portal, p->ifindex) : NULL;
        r = decide_fresh(c, &w, report, &passing, &seen);
        if (r < 0 && report->refusal != REFUSAL_NONE)
                return r;

        return report_refuse(
                report, p->healed ? REFUSAL_PORTAL_SHADOWED : REFUSAL_FAILED,
                "The kernel accepted portal %s, but nothing listens on it%s", portal_to_text(&p->portal, text),
                p->healed ? ": ports of other nodes still hold the socket that leads nowhere; the portal was taken away "
                            "and can be bound when they have let go of it"
                          : "");
}

/* Two looks, since a dump is no snapshot: a socket beside it that comes or goes can hide another one. */
static int verify_portal(LioCall *c, const LioPending *p, Report *report) {
        for (unsigned i = 0; i < 2; i++) {
                Listeners listeners = {};
                bool found;
                int r;

                r = lio_load_listeners(p->portal.port, &listeners, report);
                if (r < 0)
                        return r;
                found = listeners_find(&listeners, &p->portal, p->ifindex);
                listeners_done(&listeners);
                if (found)
                        return 0;
        }

        return refuse_silent(c, p, report);
}

static void drop_pending(LioCall *c, size_t i) {
        lio_pending_done(c->pending + i);
        memmove(c->pending + i, c->pending + i + 1, (c->n_pending - i - 1) * sizeof(*c->pending));
        c->n_pending--;
}

static int fail_pending(LioCall *c, size_t i, size_t *ret_operation) {
        size_t operation = c->pending[i].operation;

        /* One that was healed has left nothing that its undo would bring back to life. Whatever else is pending goes with its
         * operation. */
        for (size_t k = c->n_pending; k > 0; k--)
                if (c->pending[k - 1].operation == operation)
                        drop_pending(c, k - 1);

        *ret_operation = operation;
        return -EAGAIN;
}

/* The TCP port of all portals that are pending; 0 if there are several. */
static uint16_t pending_port(const LioCall *c) {
        uint16_t port = 0;

        for (size_t i = 0; i < c->n_pending; i++) {
                if (!c->pending[i].is_portal)
                        continue;
                if (port != 0 && c->pending[i].portal.port != port)
                        return 0;
                port = c->pending[i].portal.port;
        }

        return port;
}

static void drop_verified(LioCall *c) {
        size_t n = 0;

        for (size_t i = 0; i < c->n_pending; i++)
                if (c->pending[i].verified)
                        lio_pending_done(c->pending + i);
                else
                        c->pending[n++] = c->pending[i];
        c->n_pending = n;
}

int lio_settle_portals(LioCall *c, size_t *ret_operation, Report *report) {
        _cleanup_(listeners_done) Listeners listeners = {};
        bool loaded = false;

        for (size_t i = 0; i < c->n_pending; i++) {
                LioPending *p = c->pending + i;
                int r = 0;

                if (!p->is_portal || p->verified)
                        continue;

                if (!loaded)
                        r = lio_load_listeners(pending_port(c), &listeners, report);
                loaded = true;

                if (r >= 0 && !listeners_find(&listeners, &p->portal, p->ifindex))
                        r = verify_portal(c, p, report);
                if (r < 0)
                        return fail_pending(c, i, ret_operation);
                p->verified = true;
        }

        drop_verified(c);
        return 0;
}
