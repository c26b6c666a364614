/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/open-iscsi.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "common/name.h"
#include "common/text.h"
#include "workers/open-iscsi/operations.h"

static const struct {
        decide_t decide;
        act_t act;
} operations[_VERB_MAX] = {
#define TARGET_VERB(...)
#define VERB(id, function, ...) [VERB_##id] = { decide_##function, act_##function },
#include "common/verbs.def"
};

void open_iscsi_done(OpenIscsi *o) {
        changes_done(&o->changes);
        record_cache_done(&o->cache);
}

static bool has_verb(Verb verb) {
        return operations[verb].decide != NULL;
}

static bool node_is_valid(const char *node, const char **ret_reason) {
        _cleanup_free_ char *name = NULL;
        const char *reason;

        *ret_reason = "an iSCSI name in the form that is compared, nor that of the host";
        return strcmp(node, HOST_NODE) == 0 || (iscsi_name_normalize(node, &name, &reason) >= 0 && strcmp(name, node) == 0);
}

/* open-iscsi may be installed while the worker runs. What this process may write was decided when it was started, with the
 * directories that were there. */
static bool find_database(OpenIscsi *o) {
        if (o->at.directory)
                return true;
        o->at.directory = database_find();
        o->outdated = o->at.directory != NULL;
        return o->outdated;
}

static bool is_outdated(void *engine) {
        return ((OpenIscsi *) engine)->outdated;
}

static int check_installed(OpenIscsi *o, const Request *rq, Report *report) {
        if (find_database(o)) {
                if (!o->outdated || rq->check)
                        return 0;
                return report_refuse(report, REFUSAL_BACKEND_UNAVAILABLE,
                                     "open-iscsi was installed while its worker ran; another one takes its place: call again");
        }

        return report_refuse(report, REFUSAL_BACKEND_UNAVAILABLE,
                             "open-iscsi is not installed: neither /etc/iscsi nor /var/lib/iscsi is there");
}

static int begin(void *engine, const Request *rq, Steps *steps, Report *report, void **ret_call) {
        OpenIscsi *o = engine;
        Call *c;

        /* The caller ends it, also after a failure. */
        *ret_call = c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        *c = (Call){ .at = &o->at, .cache = &o->cache, .node = rq->node, .steps = steps, .check = rq->check };
        return check_installed(o, rq, report);
}

static void end(void *call) {
        call_done(call);
        free(call);
}

static bool node_exists(void *call) {
        _cleanup_(report_done) Report report = {};
        Call *c = call;

        return call_load_all(c, &report) >= 0 && c->all.n > 0;
}

static bool nth_port(void *call, size_t i, uint64_t *ret_identifier, const char **ret_directory) {
        _cleanup_(report_done) Report report = {};
        Call *c = call;

        if (call_load_all(c, &report) < 0 || i >= c->all.n)
                return false;

        *ret_identifier = c->all.items[i].identifier;
        *ret_directory = c->all.items[i].record->file;
        return true;
}

static int compare(const Operation *a, const Operation *b) {
        return 0;
}

static int decide(void *call, const Operation *op, Report *report, Texts *warnings) {
        return operations[op->verb].decide(call, op, report, warnings);
}

static int act(void *call, const Operation *op, Report *report) {
        return operations[op->verb].act(call, op, report);
}

/* An operation is complete when it is done. */
static int settle(void *call, size_t *ret_operation, Report *report) {
        return 0;
}

static bool settles_before(void *call, const Operation *op) {
        return false;
}

/* What was planned for a port that the undone operation changed stays planned; what is there is read again. */
static void undone(void *call, size_t operation) {
        _cleanup_(report_done) Report report = {};
        Call *c = call;

        for (size_t i = 0; i < c->n_ports; i++) {
                CallPort *p = c->ports + i;

                (void) call_port_changed(p, NULL);
                p->there = database_read(c->at, p->file, &p->now, &p->text, &report) > 0;
        }
}

static int await_change(void *engine, int peer_fd, Texts *nodes, Texts *notices, Report *report) {
        OpenIscsi *o = engine;

        (void) find_database(o);
        o->outdated = false; /* this worker only reads, which it may */
        o->changes.at = &o->at;
        o->changes.cache = &o->cache;
        return changes_wait(&o->changes, peer_fd, nodes, notices, report);
}

static int list_nodes(void *engine, Texts *ret, Report *report) {
        OpenIscsi *o = engine;
        const Installation *at = &o->at;
        _cleanup_(host_name_done) HostName host = {};
        _cleanup_(records_done) Records records = {};
        int r;

        if (!find_database(engine)) /* nothing is there, as on many hosts */
                return 0;
        r = host_name_read(at->host_name, &host);
        if (r >= 0)
                r = database_read_all(at, &o->cache, &records, report);
        if (r >= 0)
                r = texts_add(ret, "%s", HOST_NODE);

        for (size_t i = 0; i < records.n && r >= 0; i++) {
                const char *node = record_node(records.items + i, &host);
                bool known = false;

                if (!record_is_valid(records.items + i) || !text_is_utf8(node))
                        continue;
                for (size_t k = 0; k < ret->n && !known; k++)
                        known = strcmp(ret->items[k], node) == 0;
                if (!known)
                        r = texts_add(ret, "%s", node);
        }
        texts_sort(ret);
        return r;
}

static int observe_addresses(const Netdev *netdev, ObservedPort *ret) {
        ret->portals = calloc(netdev->n_addresses + 1, sizeof(*ret->portals));
        if (!ret->portals)
                return -ENOMEM;

        for (size_t i = 0; i < netdev->n_addresses; i++) {
                ObservedPortal *o = ret->portals + i;
                char text[IP_ADDRESS_TEXT_MAX];

                *o = (ObservedPortal){ .portal.address = netdev->addresses[i], .usable = true };
                o->directory = strdup(ip_address_to_text(netdev->addresses + i, text));
                if (!o->directory)
                        return -ENOMEM;
                ret->n_portals++;
        }
        return 0;
}

static int observe_port(const NodePort *port, const char *node, const Netdevs *netdevs, ObservedPort *ret) {
        const Record *record = port->record;
        const Netdev *netdev = record->netdev ? netdevs_find(netdevs, record->netdev) : NULL;
        int r = 0;

        ret->identifier = port->identifier;
        ret->enabled = true;
        ret->directory = strdup(record->file);
        ret->interface = strdup(record->netdev ? record->netdev : "");
        ret->interface_missing = record->netdev && !netdev;
        if (!ret->directory || !ret->interface)
                return -ENOMEM;
        if (port->ours)
                r = record_drift(record, node, &ret->drift);
        return r < 0 || !netdev ? r : observe_addresses(netdev, ret);
}

/* What the host's own node is called now. */
static int observe_host(const Installation *at, ObservedNode *ret) {
        _cleanup_(host_name_done) HostName host = {};
        int r;

        r = host_name_read(at->host_name, &host);
        if (r < 0)
                return r;

        ret->iscsi_name = TAKE_PTR(host.name);
        ret->why = TAKE_PTR(host.why);
        return 0;
}

static int observe(void *engine, const char *name, ObservedNode *ret, Report *report) {
        OpenIscsi *o = engine;
        const Installation *at = &o->at;
        Call c = { .at = at, .cache = &o->cache, .node = name };
        int r;

        r = strcmp(name, HOST_NODE) == 0 ? observe_host(at, ret) : 0;
        if (r < 0 || !find_database(engine))
                return r;
        r = call_load_all(&c, report);
        if (r >= 0)
                r = call_load_netdevs(&c, report);

        ret->ports = r >= 0 ? calloc(c.all.n + 1, sizeof(*ret->ports)) : NULL;
        if (r >= 0 && !ret->ports)
                r = -ENOMEM;
        ret->exists = c.all.n > 0;
        for (size_t i = 0; i < c.all.n && r >= 0; i++)
                r = observe_port(c.all.items + i, name, &c.netdevs, ret->ports + ret->n_ports++);

        call_done(&c);
        return r;
}

static int snapshot(void *engine, const char *node, uint64_t identifier, char **ret, size_t *ret_size, Texts *unreadable,
                    Report *report) {
        return report_refuse(report, REFUSAL_FAILED, "Other programs put nothing into a port of open-iscsi that could be kept");
}

const WorkerEngine open_iscsi_engine = {
        .name = "open-iscsi",
        .selects_identifiers = false,
        .on_addresses = true,
        .identifier_max = UINT64_C(0xFFFFFFFFFFFF),
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
        .await_change = await_change,
        .snapshot = snapshot,
        .is_outdated = is_outdated,
};
