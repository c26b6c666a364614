/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/name.h"
#include "workers/lio/operations.h"
#include "workers/lio/portals.h"
#include "workers/lio/predict.h"
#include "workers/lio/switch.h"

static bool is_ascii(const char *text) {
        for (; *text; text++)
                if ((unsigned char) *text > 0x7f)
                        return false;

        return true;
}

/* Whether OTHER is the same iSCSI name as NAME in another spelling (RFC 3722 folds case). */
static bool is_twin(const char *name, const char *other) {
        _cleanup_free_ char *a = NULL, *b = NULL;
        const char *reason;

        if (strcmp(name, other) == 0)
                return false;
        if (is_ascii(name) && is_ascii(other))
                return strcasecmp(name, other) == 0;

        return iscsi_name_normalize(name, &a, &reason) >= 0 && iscsi_name_normalize(other, &b, &reason) >= 0 && strcmp(a, b) == 0;
}

/* A node that is to be made: for initiators its name is the same in any spelling, for the kernel it is not. */
static int plan_node(LioCall *c, Report *report) {
        _cleanup_(texts_done) Texts names = {};
        int r;

        if (c->plan.exists)
                return 0;

        r = lio_tree_names(c->lio->iscsi_dir, &names);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s: %s", c->lio->iscsi_dir, strerror(-r));
        for (size_t i = 0; i < names.n; i++)
                if (is_twin(c->plan.name, names.items[i]))
                        return report_refuse(report, REFUSAL_NAME_IN_USE,
                                             "Another program has made a node with the same name in another spelling, %s; choose "
                                             "another name, or remove that node with the program that made it",
                                             names.items[i]);

        c->plan.exists = true;
        return 0;
}

/* A node that another one has put something into meanwhile stays: an operation of the same request that is done on its own, or
 * another program. */
static int undo_node(const Undo *u, Texts *lost) {
        return rmdir(u->path) < 0 && errno != ENOENT && errno != ENOTEMPTY ? -errno : 0;
}

static int make_node(LioCall *c) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (c->now.exists)
                return 0;

        path = lio_path(c->lio->iscsi_dir, c->now.name, NULL);
        if (!path)
                return -ENOMEM;
        r = step_mkdir_undone_by(c->steps, path, undo_node);
        if (r < 0)
                return steps_refuse(c->steps, REFUSAL_FAILED, "make node", path, r);

        c->now.exists = true;
        return 0;
}

/* An empty node is taken over whoever made it; one with ports is in somebody's use. */
int lio_decide_create_node(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        if (c->plan.n_ports > 0)
                return report_refuse(report, REFUSAL_NAME_IN_USE,
                                     "Node %s exists in the kernel and has %zu target portal groups, made by another program; "
                                     "choose another name, or remove it with the program that made it",
                                     c->plan.name, c->plan.n_ports);

        return plan_node(c, report);
}

int lio_act_create_node(LioCall *c, const Operation *op) {
        return make_node(c);
}

static int refuse_tag(const LioCall *c, const Operation *op, const char *dir, Report *report) {
        return report_refuse(report, REFUSAL_IDENTIFIER_IN_USE,
                             "Node %s already has a target portal group with tag %u (directory %s); choose another Identifier",
                             c->plan.name, (unsigned) op->identifier, dir);
}

static int plan_port(LioCall *c, const Operation *op, LioPort **ret, Report *report) {
        int r;

        r = plan_node(c, report);
        return r < 0 ? r : lio_node_add_port(&c->plan, (uint16_t) op->identifier, ret);
}

/* Makes node and port; no attribute is changed: the kernel's defaults demand authentication and know no initiator. */
static int make_port(LioCall *c, const Operation *op, LioPort **ret) {
        _cleanup_free_ char *path = NULL;
        char name[LIO_PORT_NAME_MAX];
        int r;

        r = make_node(c);
        if (r < 0)
                return r;

        path = lio_path(c->lio->iscsi_dir, c->now.name, lio_port_name((uint16_t) op->identifier, name), NULL);
        if (!path)
                return -ENOMEM;
        r = step_mkdir(c->steps, path);
        if (r == 0 && op->verb == VERB_CREATE_PORT) /* somebody was quicker */
                return refuse_tag(c, op, name, c->steps->report);
        if (r < 0)
                return steps_refuse(c->steps, REFUSAL_FAILED, "make target portal group", path, r);

        return lio_node_add_port(&c->now, (uint16_t) op->identifier, ret);
}

/* The portals of OP in the order in which the kernel can make them. */
static size_t portals_in_order(const Operation *op, Portal ret[static OPERATION_PORTALS_MAX]) {
        memcpy(ret, op->portals, op->n_portals * sizeof(*ret));
        qsort(ret, op->n_portals, sizeof(*ret), portal_compare_for_making);
        return op->n_portals;
}

int lio_decide_create_port(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        Portal portals[OPERATION_PORTALS_MAX];
        LioPort *port;
        size_t n;
        int r;

        port = lio_node_find_port(&c->plan, (uint16_t) op->identifier, NULL);
        if (port)
                return refuse_tag(c, op, port->dir, report);
        r = plan_port(c, op, &port, report);
        n = portals_in_order(op, portals);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = lio_plan_portal(c, port, portals + i, report);

        /* What is refused is not in the plan of what comes after it. */
        if (r < 0) {
                port = lio_node_find_port(&c->plan, (uint16_t) op->identifier, NULL);
                if (port)
                        lio_node_remove_port(&c->plan, port);
        }
        return r;
}

/* Up to the last step initiators see nothing: a port that is not enabled is not told in discovery and takes no login. */
int lio_act_create_port(LioCall *c, const Operation *op) {
        _cleanup_free_ char *port_dir = NULL;
        LioPending enable = { .tag = (uint16_t) op->identifier, .new_port = true };
        Portal portals[OPERATION_PORTALS_MAX];
        LioPort *port = NULL;
        size_t n;
        int r;

        r = make_port(c, op, &port);
        n = portals_in_order(op, portals);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = lio_make_portal(c, port, portals + i);
        for (size_t i = 0; i < c->n_pending; i++)
                if (c->pending[i].operation == c->steps->operation)
                        c->pending[i].new_port = true;
        if (r < 0 || !op->enabled)
                return r;

        port_dir = lio_port_path(c, port);
        return port_dir ? lio_pending_add(c, &enable, port_dir) : -ENOMEM;
}

int lio_decide_make_port(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        LioPort *port;
        int r;

        r = lio_find_port(&c->plan, op->identifier, &port, report);
        return r < 0 || port ? r : plan_port(c, op, &port, report);
}

int lio_act_make_port(LioCall *c, const Operation *op) {
        LioPort *port = lio_node_find_port(&c->now, (uint16_t) op->identifier, NULL);

        return port ? 0 : make_port(c, op, &port);
}

/* The port of NODE that has the operation's portal; *RET_PORTAL is NULL if it does not have it. */
static int find_portal(LioCall *c, LioNode *node, const Operation *op, LioPort **ret_port, LioPortal **ret_portal,
                       Report *report) {
        uint32_t ifindex = 0;
        int r;

        r = lio_need_port(node, op->identifier, ret_port, report);
        if (r < 0)
                return r;

        if (op->portals[0].address.zone[0])
                ifindex = interfaces_index(&c->interfaces, op->portals[0].address.zone);
        *ret_portal = lio_port_find_portal(*ret_port, op->portals, ifindex);
        return 0;
}

int lio_decide_bind_portal(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        LioPortal *portal;
        LioPort *port;
        int r;

        r = find_portal(c, &c->plan, op, &port, &portal, report);
        if (r < 0)
                return r;

        return portal ? lio_plan_existing(c, port, portal, op->portals, report, warnings)
                      : lio_plan_portal(c, port, op->portals, report);
}

int lio_act_bind_portal(LioCall *c, const Operation *op) {
        LioPortal *portal;
        LioPort *port;
        int r;

        r = find_portal(c, &c->now, op, &port, &portal, c->steps->report);
        if (r < 0)
                return r;

        return portal ? lio_heal_portal(c, port, portal, op->portals) : lio_make_portal(c, port, op->portals);
}

int lio_decide_enable_port(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        LioPort *port;

        return lio_need_port(&c->plan, op->identifier, &port, report);
}

int lio_act_enable_port(LioCall *c, const Operation *op) {
        _cleanup_free_ char *port_dir = NULL;
        LioPort *port;
        int r;

        r = lio_need_port(&c->now, op->identifier, &port, c->steps->report);
        if (r < 0)
                return r;

        port_dir = lio_port_path(c, port);
        return port_dir ? lio_switch_port(c->steps, port_dir, true) : -ENOMEM;
}
