/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "workers/open-iscsi/operations.h"
#include "workers/open-iscsi/record-name.h"

/* A record holds no addresses. */
int decide_unbind_portal(Call *c, const Operation *op, Report *report, Texts *warnings) {
        return 0;
}

int act_unbind_portal(Call *c, const Operation *op, Report *report) {
        return 0;
}

/* A node is a name that records have, so there is nothing to make. One with records is in somebody's use. */
int decide_create_node(Call *c, const Operation *op, Report *report, Texts *warnings) {
        int r;

        r = call_load_all(c, report);
        if (r < 0 || c->all.n == 0)
                return r;

        return report_refuse(report, REFUSAL_NAME_IN_USE,
                             "Interface record %s has the initiator name %s; another program made it: choose another name, or "
                             "remove it (iscsiadm -m iface -I %s -o delete)",
                             c->all.items[0].record->file, c->node, c->all.items[0].record->file);
}

static const char *text_of(const Portal *portal, char buf[static IP_ADDRESS_TEXT_MAX]) {
        return ip_address_to_text(&portal->address, buf);
}

/* The interface that has ADDRESS, for a refusal. */
static int find_netdev(Call *c, const Portal *portal, const Netdev **ret, Report *report) {
        char text[IP_ADDRESS_TEXT_MAX];

        *ret = netdevs_of_address(&c->netdevs, &portal->address);
        if (*ret)
                return 0;

        return report_refuse(
                report, REFUSAL_SCOPE_MISSING,
                "No network interface of this host has the address %s now; an initiator port is bound to the interface "
                "that has its addresses, so add the address first",
                text_of(portal, text));
}

/* Which of the addresses NETDEV lacks; NULL: it has all. */
static const Portal *first_missing(const Netdev *netdev, const Operation *op) {
        for (size_t i = 0; i < op->n_portals; i++)
                if (!netdev_has(netdev, &op->portals[i].address))
                        return op->portals + i;

        return NULL;
}

static int refuse_two(Call *c, const Operation *op, const Netdev *first, Report *report) {
        const Portal *portal = first_missing(first, op);
        char a[IP_ADDRESS_TEXT_MAX], b[IP_ADDRESS_TEXT_MAX];
        const Netdev *second;
        int r;

        r = find_netdev(c, portal, &second, report);
        if (r < 0)
                return r;
        return report_refuse(report, REFUSAL_NOT_FROM_SAME_COLLECTION,
                             "Address %s is on network interface %s and address %s is on %s; open-iscsi binds a port to one "
                             "interface, so make one port for each",
                             text_of(op->portals, a), first->name, text_of(portal, b), second->name);
}

/* The interface that has all addresses of OP. An address may be on several. */
static int choose_netdev(Call *c, const Operation *op, const Netdev **ret, Report *report) {
        const Netdev *first;
        int r;

        r = call_load_netdevs(c, report);
        if (r >= 0)
                r = find_netdev(c, op->portals, &first, report);
        if (r < 0)
                return r;

        for (size_t i = 0; i < c->netdevs.n; i++)
                if (!first_missing(c->netdevs.items + i, op)) {
                        *ret = c->netdevs.items + i;
                        return 0;
                }

        return refuse_two(c, op, first, report);
}

static void plan_netdev(CallPort *p, const Netdev *netdev) {
        p->exists = true;
        (void) snprintf(p->netdev, sizeof(p->netdev), "%s", netdev->name);
}

int decide_create_port(Call *c, const Operation *op, Report *report, Texts *warnings) {
        const Netdev *netdev = NULL;
        CallPort *p;
        int r;

        if (!op->enabled)
                return report_refuse(report, REFUSAL_INVALID_PARAMETER,
                                     "An interface record has no switch; create the port enabled");
        r = call_port(c, op->identifier, &p, report);
        if (r < 0)
                return r;
        if (p->exists)
                return report_refuse(report, REFUSAL_IDENTIFIER_IN_USE,
                                     "Interface record %s, which would be that of port %012" PRIX64
                                     " of node %s, is there already; "
                                     "remove it (iscsiadm -m iface -I %s -o delete)",
                                     p->file, op->identifier, c->node, p->file);
        r = choose_netdev(c, op, &netdev, report);
        if (r < 0)
                return r;

        plan_netdev(p, netdev);
        return 0;
}

int act_create_node(Call *c, const Operation *op, Report *report) {
        return 0;
}

/* Names of records hold a hash of the node's name. Two nodes may share one, and then the record of the other one stays. */
static int refuse_record_of_other(const Call *c, const CallPort *p, Report *report) {
        const char *other = p->now.initiator;

        if (!p->there || !other || strcmp(other, c->node) == 0 || !record_name_is_of(p->file, other, NULL))
                return 0;
        return report_refuse(report, REFUSAL_NAME_IN_USE,
                             "Interface record %s, which would be that of port %012" PRIX64
                             " of node %s, is that of node %s; remove it (iscsiadm -m iface -I %s -o delete)",
                             p->file, p->identifier, c->node, other, p->file);
}

/* One that is there is begun anew: the portals that are bound next decide about its interface. */
int decide_make_port(Call *c, const Operation *op, Report *report, Texts *warnings) {
        CallPort *p;
        int r;

        r = call_port(c, op->identifier, &p, report);
        if (r >= 0)
                r = refuse_record_of_other(c, p, report);
        if (r < 0)
                return r;

        p->exists = true;
        p->netdev[0] = '\0';
        return 0;
}

/* The record is written when more is known of it. */
int act_make_port(Call *c, const Operation *op, Report *report) {
        return 0;
}

static int need_port(Call *c, const Operation *op, CallPort **ret, Report *report) {
        int r;

        r = call_port(c, op->identifier, ret, report);
        if (r >= 0 && !(*ret)->exists)
                return report_refuse(report, REFUSAL_ENDPOINT_NON_EXISTENT,
                                     "Port %012" PRIX64 " of node %s has no interface record", op->identifier, c->node);
        return r;
}

/* Whether the address is on the interface that the record names. */
static int check_netdev(Call *c, const Operation *op, const CallPort *p, Report *report) {
        const Netdev *netdev = netdevs_find(&c->netdevs, p->netdev), *other;
        char text[IP_ADDRESS_TEXT_MAX];
        int r;

        if (!netdev)
                return report_refuse(report, REFUSAL_SCOPE_MISSING,
                                     "Network interface %s, which interface record %s names, is not there", p->netdev, p->file);
        if (netdev_has(netdev, &op->portals[0].address))
                return 0;
        r = find_netdev(c, op->portals, &other, report);
        if (r < 0)
                return r;

        return report_refuse(report, REFUSAL_NOT_FROM_SAME_COLLECTION,
                             "Address %s is on network interface %s and the port is bound to %s; open-iscsi binds a port to one "
                             "interface, so make another port",
                             text_of(op->portals, text), other->name, p->netdev);
}

int decide_bind_portal(Call *c, const Operation *op, Report *report, Texts *warnings) {
        const Netdev *netdev = NULL;
        CallPort *p;
        int r;

        r = call_load_netdevs(c, report);
        if (r >= 0)
                r = need_port(c, op, &p, report);
        if (r < 0)
                return r;
        if (p->netdev[0])
                return check_netdev(c, op, p, report);

        r = find_netdev(c, op->portals, &netdev, report);
        if (r < 0)
                return r;
        plan_netdev(p, netdev);
        return 0;
}

int decide_enable_port(Call *c, const Operation *op, Report *report, Texts *warnings) {
        CallPort *p;
        int r;

        r = need_port(c, op, &p, report);
        if (r >= 0 && !p->netdev[0])
                return report_refuse(report, REFUSAL_SCOPE_MISSING,
                                     "None of the addresses of port %012" PRIX64 " of node %s is on this host, so there is no "
                                     "network interface to bind it to",
                                     op->identifier, c->node);
        return r;
}

static bool is_as_planned(const Record *now, const Record *planned) {
        return now->name && strcmp(now->name, planned->name) == 0 && now->netdev && strcmp(now->netdev, planned->netdev) == 0 &&
               now->transport && strcmp(now->transport, planned->transport) == 0 && !now->hwaddress && !now->unknown &&
               strcmp(now->initiator ? now->initiator : "", planned->initiator ? planned->initiator : "") == 0;
}

static int write_port(Call *c, CallPort *p) {
        _cleanup_free_ char *comment = NULL, *text = NULL;
        Record planned = {
                .file = p->file,
                .name = p->file,
                .transport = (char *) "tcp",
                .netdev = p->netdev,
                .initiator = (char *) record_initiator(c->node),
        };
        int r;

        if (p->there && is_as_planned(&p->now, &planned))
                return 0;
        if (asprintf(&comment, "of iscsi-configd, port %012" PRIX64 " of %s; changes of it show there as drift", p->identifier,
                     planned.initiator ? planned.initiator : "this host") < 0)
                return -ENOMEM;
        text = record_format(&planned, comment, p->text);
        if (!text)
                return -ENOMEM;

        r = database_change(c->at, c->steps, &(RecordChange){ .file = p->file, .before = p->text, .after = text });
        return r < 0 ? r : call_port_changed(p, TAKE_PTR(text));
}

int write_planned_port(Call *c, const Operation *op, Report *report) {
        CallPort *p;
        int r;

        r = call_port(c, op->identifier, &p, report);
        return r < 0 ? r : write_port(c, p);
}

int act_create_port(Call *c, const Operation *op, Report *report) {
        return write_planned_port(c, op, report);
}

int act_bind_portal(Call *c, const Operation *op, Report *report) {
        return write_planned_port(c, op, report);
}

int act_enable_port(Call *c, const Operation *op, Report *report) {
        return write_planned_port(c, op, report);
}
