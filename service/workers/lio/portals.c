/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/portals.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "workers/base/peer.h"
#include "workers/lio/predict.h"
#include "workers/lio/probe.h"

/* A portal that other ports share passes through moments in which a new one fails for no lasting reason: when one of them is removed, the
 * kernel resets the portal's thread and does not find its socket meanwhile; when the last one is removed, the portal is gone from the
 * tree before its socket is closed. Both take milliseconds, unless a login is under way. */
#define PASSING_TRIES 25
#define PASSING_WAIT_MSEC 40

typedef struct Uses {
        PortalUse *items;
        size_t n;
} Uses;

static void uses_done(Uses *u) {
        free(u->items);
}

static int uses_add(Uses *u, const char *node, uint16_t tag, const Portal *portal, bool listening, bool v6_only) {
        int r;

        r = array_grow(&u->items, u->n, sizeof(*u->items));
        if (r < 0)
                return r;

        u->items[u->n++] = (PortalUse){ .node = node, .tag = tag, .portal = *portal, .listening = listening, .v6_only = v6_only };
        return 0;
}

static int uses_add_node(Uses *u, const LioNode *node, uint16_t tcp_port, const Listeners *listeners) {
        for (size_t i = 0; i < node->n_ports; i++)
                for (size_t k = 0; k < node->ports[i].n_portals; k++) {
                        const Portal *p = &node->ports[i].portals[k].portal;
                        const Listener *l;
                        int r;

                        if (p->port != tcp_port)
                                continue;
                        l = listeners_find(listeners, p);
                        r = uses_add(u, node->name, node->ports[i].tag, p, l, l && l->v6_only);
                        if (r < 0)
                                return r;
                }

        return 0;
}

/* Adds to the uses what the other nodes have, as far as it can matter.
 *
 * Each portal of LIO has a listening socket, which sock_diag gives in one go for the TCP port in question. So only if one of these is
 * equal to the new portal, in truth or in the kernel's eyes, or excludes it, must the other nodes be read: to find whose it is. If it
 * is really equal and nothing else is suspicious, the first node that has it will do. */
static int uses_add_other_nodes(const Lio *lio, Uses *u, const LioNode *own, const Portal *portal, bool v6_only,
                                const Listeners *listeners, LioTree *tree) {
        const Listener *exact = listeners_find(listeners, portal);
        bool suspicious = false;
        char **names = NULL;
        size_t n = 0;
        int r;

        for (size_t i = 0; i < listeners->n; i++) {
                const Listener *l = listeners->items + i;
                Portal other = { .address = listener_address(l), .port = l->port };

                suspicious = suspicious ||
                             (l != exact && (portal_kernel_equal(portal, &other) || listener_conflicts(l, portal, v6_only)));
        }
        if (!suspicious && !exact)
                return 0;

        r = lio_tree_names(lio->iscsi_dir, &names, &n);
        if (r < 0)
                return r;

        tree->nodes = calloc(n + 1, sizeof(*tree->nodes));
        r = tree->nodes ? 0 : -ENOMEM;
        for (size_t i = 0; i < n && r == 0; i++) {
                LioNode *node = tree->nodes + tree->n_nodes;
                bool found = false;

                if (strcmp(names[i], own->name) == 0)
                        continue;

                r = lio_node_read(lio->iscsi_dir, names[i], node, NULL);
                if (r < 0)
                        break;
                tree->n_nodes++;
                r = uses_add_node(u, node, portal->port, listeners);

                for (size_t k = 0; k < node->n_ports; k++)
                        found = found || lio_port_find_portal(node->ports + k, portal);
                if (found && !suspicious)
                        break;
        }

        lio_names_free(names, n);
        return r;
}

static int refuse_for(Refusal refusal, const Portal *portal, const PortalUse *other, Report *report) {
        char text[PORTAL_TEXT_MAX], other_text[PORTAL_TEXT_MAX];

        (void) portal_to_text(portal, text);
        (void) portal_to_text(&other->portal, other_text);

        if (refusal == REFUSAL_TCP_IN_USE)
                return report_refuse(report, refusal,
                                     "Portal %s is in use by target portal group %u of the same node %s; within a node a portal "
                                     "belongs to one "
                                     "port, so unbind it there or use another one",
                                     text, other->tag, other->node);

        if (refusal == REFUSAL_ADDRESS_OVERLAP)
                return report_refuse(
                        report, refusal,
                        "Portal %s and portal %s of node %s (target portal group %u) exclude each other, since a wildcard covers "
                        "the other address too; use only one of them, or another TCP port",
                        text, other_text, other->node, other->tag);

        if (portal_compare(portal, &other->portal) == 0)
                return report_refuse(
                        report, refusal,
                        "Portal %s exists in node %s (target portal group %u), but nothing listens on it: the kernel took it for "
                        "another portal when it was made, and would do so again; remove it there or use another TCP port",
                        text, other->node, other->tag);

        return report_refuse(
                report, refusal,
                "The kernel would take portal %s for portal %s of node %s (target portal group %u) and not listen on it; use "
                "another TCP port, or remove that portal",
                text, other_text, other->node, other->tag);
}

static int refuse_probe(const Portal *portal, int error, Report *report, bool *ret_passing) {
        _cleanup_free_ char *holder = NULL;
        char text[PORTAL_TEXT_MAX];
        pid_t process;

        (void) portal_to_text(portal, text);

        switch (-error) {
        case EADDRINUSE:
                holder = portal_describe_holder(portal, &process);
                if (!holder)
                        return -ENOMEM;
                *ret_passing = process == 0;
                return report_refuse(report, REFUSAL_ADDRESS_IN_USE,
                                     "Portal %s cannot listen, since its place is taken by %s; stop that, or use "
                                     "another TCP port",
                                     text, holder);
        case ENODEV:
                return report_refuse(report, REFUSAL_SCOPE_MISSING, "Portal %s cannot listen: this host has no interface %s now",
                                     text, portal->address.zone);
        case EACCES:
                return report_refuse(report, REFUSAL_FAILED,
                                     "Portal %s cannot listen: TCP ports below 1024 need CAP_NET_BIND_SERVICE, which "
                                     "this process lacks",
                                     text);
        default:
                return report_refuse(report, REFUSAL_FAILED, "Portal %s cannot listen: %s", text, strerror(-error));
        }
}

/* BEFORE: portals of the same request that will be there by then. *RET_PASSING: what is in the way may be gone in a moment. */
static int check_portal(const Lio *lio, const LioNode *own, uint16_t tag, const Portal *portal, const Portal *before,
                        size_t n_before, Report *report, bool *ret_passing) {
        _cleanup_(listeners_done) Listeners listeners = {};
        _cleanup_(lio_tree_done) LioTree others = {};
        _cleanup_(uses_done) Uses uses = {};
        const PortalUse *other;
        bool v6_only = host_is_v6_only();
        Refusal refusal;
        int r;

        if (portal->address.zone[0] && if_nametoindex(portal->address.zone) == 0)
                return refuse_probe(portal, -ENODEV, report, ret_passing);

        r = lio_load_listeners(portal->port, &listeners, report);
        if (r < 0)
                return r;

        r = uses_add_node(&uses, own, portal->port, &listeners);
        for (size_t i = 0; i < n_before && r >= 0; i++)
                r = uses_add(&uses, own->name, tag, before + i, true, v6_only);
        if (r >= 0)
                r = uses_add_other_nodes(lio, &uses, own, portal, v6_only, &listeners, &others);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s: %s", lio->iscsi_dir, strerror(-r));

        refusal = portal_predict(portal, own->name, tag, v6_only, uses.items, uses.n, &other);
        if (refusal != REFUSAL_NONE)
                return refuse_for(refusal, portal, other, report);
        if (other)
                return 0;

        r = portal_probe(portal);
        return r < 0 ? refuse_probe(portal, r, report, ret_passing) : 0;
}

static int check_portal_patiently(const Lio *lio, const LioNode *own, uint16_t tag, const Portal *portal, const Portal *before,
                                  size_t n_before, Report *report) {
        int r = 0;

        for (unsigned i = 0; i < PASSING_TRIES; i++) {
                bool passing = false;

                r = check_portal(lio, own, tag, portal, before, n_before, report, &passing);
                if (r >= 0 || !passing || peer_has_hung_up(lio->peer_fd, PASSING_WAIT_MSEC))
                        return r;
        }

        return r;
}

int lio_check_portals(const Lio *lio, const LioNode *own, uint16_t tag, const Portal *portals, size_t n, Report *report) {
        for (size_t i = 0; i < n; i++) {
                int r;

                r = check_portal_patiently(lio, own, tag, portals + i, portals, i, report);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int check_again(const Lio *lio, const char *node, uint16_t tag, const Portal *portal, Report *report) {
        _cleanup_(lio_node_done) LioNode own = {};
        int r;

        r = lio_load_node(lio, node, &own, report);
        if (r < 0)
                return r;

        return check_portal_patiently(lio, &own, tag, portal, NULL, 0, report);
}

int lio_verify_portal(const Lio *lio, const char *node, uint16_t tag, const Portal *portal, Report *report) {
        _cleanup_(listeners_done) Listeners listeners = {};
        char text[PORTAL_TEXT_MAX];
        int r;

        r = lio_load_listeners(portal->port, &listeners, report);
        if (r < 0)
                return r;
        if (listeners_find(&listeners, portal))
                return 0;

        r = check_again(lio, node, tag, portal, report);
        if (r < 0)
                return r;

        return report_refuse(report, REFUSAL_FAILED, "The kernel accepted portal %s, but nothing listens on it",
                             portal_to_text(portal, text));
}

int lio_make_portal(const Lio *lio, Steps *steps, const char *node, uint16_t tag, const char *port_dir, const Portal *portal) {
        _cleanup_free_ char *path = NULL;
        char text[PORTAL_TEXT_MAX];
        int r;

        path = lio_path(port_dir, "np", portal_to_text(portal, text), NULL);
        if (!path)
                return -ENOMEM;

        for (unsigned i = 0; i < PASSING_TRIES; i++) {
                int q;

                r = step_mkdir(steps, path);
                if (r != -EINVAL)
                        break;

                /* The check said that it would do, so the host has changed since then. */
                q = check_again(lio, node, tag, portal, steps->report);
                if (q < 0)
                        return q;
                if (peer_has_hung_up(steps->peer_fd, PASSING_WAIT_MSEC))
                        return steps_check_peer(steps);
        }
        if (r < 0)
                return steps_refuse(steps, REFUSAL_FAILED, "make portal", path, r);

        return lio_verify_portal(lio, node, tag, portal, steps->report);
}
