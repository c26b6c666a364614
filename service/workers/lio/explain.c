/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "workers/lio/probe.h"

static bool find_in_node(const LioNode *node, const Listener *l, const LioPortal *except, SocketOwner *ret) {
        for (size_t i = 0; i < node->n_ports; i++)
                for (size_t k = 0; k < node->ports[i].n_portals; k++) {
                        const LioPortal *p = node->ports[i].portals + k;

                        if (p == except || p->fresh || !listener_is(l, &p->portal, p->ifindex))
                                continue;

                        *ret = (SocketOwner){ .tag = node->ports[i].tag, .portal = p->portal };
                        (void) snprintf(ret->node, sizeof(ret->node), "%s", node->name);
                        return true;
                }

        return false;
}

bool lio_find_owner(LioCall *c, const Listener *l, const LioNode *own, const LioPortal *except, SocketOwner *ret) {
        _cleanup_(texts_done) Texts names = {};

        if (own && find_in_node(own, l, except, ret))
                return true;
        if (lio_tree_names(c->lio->iscsi_dir, &names) < 0)
                return false;

        for (size_t i = 0; i < names.n; i++) {
                _cleanup_(lio_node_done) LioNode node = {};

                if (own && strcmp(names.items[i], own->name) == 0)
                        continue;
                if (lio_node_read(c->lio->iscsi_dir, names.items[i], &c->interfaces, &node) >= 0 &&
                    find_in_node(&node, l, NULL, ret))
                        return true;
        }

        return false;
}

static int refuse_in_node(const Portal *portal, const Prediction *p, const LioNode *own, Report *report) {
        char text[PORTAL_TEXT_MAX];

        (void) portal_to_text(portal, text);

        if (p->refusal == REFUSAL_TCP_IN_USE)
                return report_refuse(report, p->refusal,
                                     "Portal %s is in use by target portal group %u of the same node %s; within a node a portal "
                                     "belongs to one port, so unbind it there or use another one",
                                     text, p->port->tag, own->name);

        if (p->refusal == REFUSAL_ADDRESS_OVERLAP)
                return report_refuse(report, p->refusal,
                                     "Portal %s and portal %s of node %s (target portal group %u) exclude each other, since a "
                                     "wildcard covers the other address too; use only one of them, or another TCP port",
                                     text, p->portal->dir, own->name, p->port->tag);

        return report_refuse(
                report, p->refusal,
                "The kernel would take portal %s for portal %s of node %s (target portal group %u) and not listen on "
                "it; use another TCP port, or remove that portal",
                text, p->portal->dir, own->name, p->port->tag);
}

int lio_refuse_program(const Portal *portal, const Listener *l, Report *report) {
        _cleanup_free_ char *holder = listener_describe_holder(l);
        char text[PORTAL_TEXT_MAX];

        return report_refuse(report, REFUSAL_ADDRESS_IN_USE,
                             "Portal %s cannot listen, since its place is taken by %s; stop that, or use another TCP port",
                             portal_to_text(portal, text), holder ? holder : "another program");
}

/* A socket of the target, of which no portal can be found: its portal was just removed, or another one was mistaken for it and
 * holds it. */
static int refuse_orphan(const Portal *portal, const Prediction *p, const char *zone, Report *report) {
        Portal socket = listener_portal(p->listener, zone);
        char text[PORTAL_TEXT_MAX], socket_text[PORTAL_TEXT_MAX];

        return report_refuse(
                report, p->refusal,
                "Portal %s cannot listen beside the kernel's socket on %s, which was made for a portal that is gone, or "
                "on an interface that is gone; another portal of the target holds it, or another program has one like "
                "it; remove those portals on TCP port %u, or use another TCP port",
                portal_to_text(portal, text), portal_to_text(&socket, socket_text), portal->port);
}

int lio_refuse_portal(LioCall *c, const Portal *portal, const Prediction *p, const LioNode *own, Report *report,
                      bool *ret_passing) {
        char text[PORTAL_TEXT_MAX], other[PORTAL_TEXT_MAX];
        SocketOwner owner;

        *ret_passing = false;

        if (p->portal)
                return refuse_in_node(portal, p, own, report);
        if (!p->listener->of_target)
                return lio_refuse_program(portal, p->listener, report);
        if (!lio_find_owner(c, p->listener, own, NULL, &owner)) {
                *ret_passing = true;
                return refuse_orphan(portal, p,
                                     p->listener->ifindex ? interfaces_name(&c->interfaces, p->listener->ifindex) : NULL, report);
        }

        (void) portal_to_text(portal, text);
        (void) portal_to_text(&owner.portal, other);
        if (p->refusal == REFUSAL_ADDRESS_OVERLAP)
                return report_refuse(report, p->refusal,
                                     "Portal %s and portal %s of node %s (target portal group %u) exclude each other, since a "
                                     "wildcard covers the other address too; use only one of them, or another TCP port",
                                     text, other, owner.node, owner.tag);

        return report_refuse(
                report, p->refusal,
                "The kernel would take portal %s for portal %s of node %s (target portal group %u) and not listen on "
                "it; use another TCP port, or remove that portal",
                text, other, owner.node, owner.tag);
}

int lio_refuse_probe(const Portal *portal, int error, Report *report) {
        char text[PORTAL_TEXT_MAX];

        (void) portal_to_text(portal, text);

        switch (-error) {
        case ENODEV:
                return report_refuse(report, REFUSAL_SCOPE_MISSING, "Portal %s cannot listen: this host has no interface %s now",
                                     text, portal->address.zone);
        case EACCES:
                return report_refuse(report, REFUSAL_FAILED,
                                     "Portal %s cannot listen: TCP ports below 1024 need CAP_NET_BIND_SERVICE, which "
                                     "this process lacks",
                                     text);
        case EAFNOSUPPORT:
                return report_refuse(report, REFUSAL_FAILED, "Portal %s cannot listen: this host has no IPv%d", text,
                                     portal->address.family == AF_INET ? 4 : 6);
        default:
                return report_refuse(report, REFUSAL_FAILED, "Portal %s cannot listen: %s", text, strerror(-error));
        }
}
