/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/lio.h"

#include <errno.h>
#include <string.h>

#include "common/identifier.h"
#include "common/log.h"
#include "common/text.h"
#include "workers/lio/names.h"
#include "workers/lio/operations.h"
#include "workers/lio/portals.h"
#include "workers/lio/predict.h"
#include "workers/lio/snapshot.h"
#include "workers/lio/switch.h"

static const struct {
        lio_decide_t decide;
        lio_act_t act;
} operations[_VERB_MAX] = {
#define VERB(id, function, ...) [VERB_##id] = { lio_decide_##function, lio_act_##function },
#include "common/verbs.def"
};

static bool has_verb(Verb verb) {
        return operations[verb].decide != NULL;
}

static bool makes(Verb verb) {
        return verb_info(verb)->effect == EFFECT_MAKES;
}

static bool node_is_valid(const char *node, const char **ret_reason) {
        *ret_reason = "an iSCSI name: it begins with iqn., eui. or naa., has at most 223 bytes and no '/' or blank";
        return lio_node_name_is_valid(node);
}

static void end(void *call) {
        LioCall *c = call;

        for (size_t i = 0; i < c->n_pending; i++)
                lio_pending_done(c->pending + i);
        free(c->pending);
        for (size_t i = 0; i < c->n_listeners; i++)
                listeners_done(&c->listeners[i].listeners);
        free(c->listeners);
        listeners_done(&c->all);
        free(c->leaving);
        interfaces_done(&c->interfaces);
        lio_node_done(&c->plan);
        lio_node_done(&c->now);
        free(c);
}

static int begin(void *engine, const Request *rq, Steps *steps, Report *report, void **ret_call) {
        bool any_makes = false;
        LioCall *c;
        int r;

        /* The caller ends it, also after a failure. */
        *ret_call = c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (LioCall){ .lio = engine, .steps = steps, .check = rq->check, .v6_only = -1 };

        for (size_t i = 0; i < rq->n; i++)
                any_makes = any_makes || makes(rq->operations[i].verb);
        r = lio_check_fabric(c->lio, any_makes && !rq->check, report);
        if (r < 0)
                return r;

        r = lio_node_read(c->lio->iscsi_dir, rq->node, &c->interfaces, &c->now);
        if (r >= 0)
                r = lio_node_copy(&c->now, &c->plan);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s/%s: %s", c->lio->iscsi_dir, rq->node, strerror(-r));

        return 0;
}

static bool node_exists(void *call) {
        return ((LioCall *) call)->now.exists;
}

static bool nth_port(void *call, size_t i, uint64_t *ret_identifier, const char **ret_directory) {
        const LioCall *c = call;

        if (i >= c->now.n_ports)
                return false;

        *ret_identifier = c->now.ports[i].tag;
        *ret_directory = c->now.ports[i].dir;
        return true;
}

/* Of several portals a wildcard comes first: see portal_compare_for_making(). */
static int compare(const Operation *a, const Operation *b) {
        return a->verb == VERB_BIND_PORTAL ? portal_compare_for_making(a->portals, b->portals) : 0;
}

static int decide(void *call, const Operation *op, Report *report, Texts *warnings) {
        return operations[op->verb].decide(call, op, report, warnings);
}

/* Whether the operation touches a port that an earlier one has made and that is not settled: should that one fail, this one must
 * not be in its way. */
static bool touches_new_port(const LioCall *c, const Operation *op) {
        for (size_t i = 0; i < c->n_pending; i++)
                if (c->pending[i].new_port && c->pending[i].tag == op->identifier)
                        return true;

        return false;
}

static int switch_on(LioCall *c, size_t *ret_operation, Report *report) {
        while (c->n_pending > 0) {
                LioPending p = c->pending[0];
                int r;

                memmove(c->pending, c->pending + 1, --c->n_pending * sizeof(p));
                steps_set_operation(c->steps, p.operation, report);
                r = lio_switch_port(c->steps, p.port_dir, true);
                *ret_operation = p.operation;
                lio_pending_done(&p);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int settle(void *call, size_t *ret_operation, Report *report) {
        LioCall *c = call;
        int r;

        r = lio_settle_portals(c, ret_operation, report);
        return r < 0 ? r : switch_on(c, ret_operation, report);
}

static int act(void *call, const Operation *op, Report *report) {
        return operations[op->verb].act(call, op);
}

/* Whether all that is pending must be settled before OP is done: portals that others before it have made must be known to listen
 * then, but one that makes more itself can be verified with them. */
static bool settles_before(void *call, const Operation *op) {
        return !makes(op->verb) || touches_new_port(call, op);
}

/* Which portals this call has made is not to be seen in the tree. */
static void keep_fresh(const LioNode *old, LioNode *new) {
        for (size_t i = 0; i < new->n_ports; i++) {
                const LioPort *port = lio_node_find_port(old, new->ports[i].tag, NULL);

                for (size_t k = 0; port && k < new->ports[i].n_portals; k++) {
                        LioPortal *p = new->ports[i].portals + k;
                        const LioPortal *was = lio_port_find_portal(port, &p->portal, p->ifindex);

                        p->fresh = was && was->fresh;
                }
        }
}

static void undone(void *call, size_t operation) {
        LioCall *c = call;
        LioNode now = {};
        size_t kept = 0;

        for (size_t i = 0; i < c->n_pending; i++)
                if (c->pending[i].operation == operation)
                        lio_pending_done(c->pending + i);
                else
                        c->pending[kept++] = c->pending[i];
        c->n_pending = kept;

        if (lio_node_read(c->lio->iscsi_dir, c->now.name, &c->interfaces, &now) < 0)
                return;
        keep_fresh(&c->now, &now);
        lio_node_done(&c->now);
        c->now = now;
}

static int list_nodes(void *engine, Texts *ret, Report *report) {
        const Lio *lio = engine;
        _cleanup_(texts_done) Texts all = {};
        int r;

        r = lio_check_fabric(lio, false, report);
        if (r < 0)
                return r;
        r = lio_tree_names(lio->iscsi_dir, &all);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s: %s", lio->iscsi_dir, strerror(-r));

        for (size_t i = 0; i < all.n && r >= 0; i++)
                if (text_is_utf8(all.items[i]))
                        r = texts_add(ret, "%s", all.items[i]);
                else
                        log_warning("Node %s/%s has a name that is not UTF-8; it is left out", lio->iscsi_dir, all.items[i]);

        return r;
}

static int observe_port(const Lio *lio, const LioNode *node, const LioPort *port, const Listeners *listeners, ObservedPort *ret) {
        _cleanup_free_ char *dir = lio_path(lio->iscsi_dir, node->name, port->dir, NULL);
        int r;

        if (!dir)
                return -ENOMEM;
        r = lio_switch_read(dir, &ret->enabled);
        if (r < 0)
                return r;

        ret->identifier = port->tag;
        ret->directory = strdup(port->dir);
        ret->portals = calloc(port->n_portals + 1, sizeof(*ret->portals));
        if (!ret->directory || !ret->portals)
                return -ENOMEM;

        for (size_t i = 0; i < port->n_portals; i++) {
                const LioPortal *p = port->portals + i;
                ObservedPortal *o = ret->portals + i;

                *o = (ObservedPortal){ .directory = strdup(p->dir), .portal = p->portal, .usable = p->usable };
                if (!o->directory)
                        return -ENOMEM;
                ret->n_portals++;
                o->listening = listeners_find(listeners, &p->portal, p->ifindex) != NULL;
        }

        return 0;
}

static int observe_ports(const Lio *lio, const LioNode *node, const Listeners *listeners, ObservedNode *ret) {
        ret->exists = node->exists;
        ret->ports = calloc(node->n_ports + 1, sizeof(*ret->ports));
        if (!ret->ports)
                return -ENOMEM;

        for (size_t i = 0; i < node->n_ports; i++) {
                int r;

                ret->n_ports++;
                r = observe_port(lio, node, node->ports + i, listeners, ret->ports + ret->n_ports - 1);
                if (r == -ENOENT) /* went away meanwhile */
                        ret->n_ports--;
                else if (r < 0)
                        return r;
        }

        return 0;
}

/* The TCP port of all portals of the node; 0 if there are several. *RET_NONE: there is no portal. */
static uint16_t node_tcp_port(const LioNode *node, bool *ret_none) {
        uint16_t port = 0;

        *ret_none = true;
        for (size_t i = 0; i < node->n_ports; i++)
                for (size_t k = 0; k < node->ports[i].n_portals; k++) {
                        uint16_t this = node->ports[i].portals[k].portal.port;

                        if (!*ret_none && this != port)
                                return 0;
                        port = this;
                        *ret_none = false;
                }

        return port;
}

static int observe(void *engine, const char *name, ObservedNode *ret, Report *report) {
        _cleanup_(listeners_done) Listeners listeners = {};
        _cleanup_(interfaces_done) Interfaces interfaces = {};
        _cleanup_(lio_node_done) LioNode node = {};
        const Lio *lio = engine;
        bool none;
        uint16_t port;
        int r;

        r = lio_check_fabric(lio, false, report);
        if (r < 0)
                return r;
        if (!lio_directory_name_is_valid(name))
                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "This is not the name of a directory below %s",
                                     lio->iscsi_dir);

        r = lio_node_read(lio->iscsi_dir, name, &interfaces, &node);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s/%s: %s", lio->iscsi_dir, name, strerror(-r));

        port = node_tcp_port(&node, &none);
        r = none ? 0 : lio_load_listeners(port, &listeners, report);
        if (r < 0)
                return r;

        r = observe_ports(lio, &node, &listeners, ret);
        if (r < 0 && r != -ENOMEM)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s/%s: %s", lio->iscsi_dir, name, strerror(-r));
        return r;
}

static int snapshot(void *engine, const char *name, uint64_t identifier, char **ret, size_t *ret_size, Texts *unreadable,
                    Report *report) {
        _cleanup_(interfaces_done) Interfaces interfaces = {};
        _cleanup_(lio_node_done) LioNode node = {};
        _cleanup_free_ char *dir = NULL;
        const Lio *lio = engine;
        LioPort *port;
        int r;

        r = lio_check_fabric(lio, false, report);
        if (r < 0)
                return r;
        r = lio_node_read(lio->iscsi_dir, name, &interfaces, &node);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s/%s: %s", lio->iscsi_dir, name, strerror(-r));

        r = identifier > TAG_MAX ? 0 : lio_find_port(&node, identifier, &port, report);
        if (r < 0)
                return r;
        if (identifier > TAG_MAX || !port)
                return report_refuse(report, REFUSAL_FAILED, "Node %s has no target portal group with this tag in the kernel",
                                     name);

        dir = lio_path(lio->iscsi_dir, name, port->dir, NULL);
        return dir ? lio_snapshot_take(lio, dir, SNAPSHOT_CONTENTS, ret, ret_size, unreadable, report) : -ENOMEM;
}

const WorkerEngine lio_engine = {
        .name = "lio",
        .selects_identifiers = true,
        .identifier_max = TAG_MAX,
        .node_is_valid = node_is_valid,
        .begin = begin,
        .end = end,
        .node_exists = node_exists,
        .nth_port = nth_port,
        .has_verb = has_verb,
        .compare = compare,
        .decide = decide,
        .settles_before = settles_before,
        .act = act,
        .settle = settle,
        .undone = undone,
        .list_nodes = list_nodes,
        .observe = observe,
        .snapshot = snapshot,
};
