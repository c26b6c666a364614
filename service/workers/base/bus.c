/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/bus.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/text.h"
#include "workers/base/request.h"

static int reply_error(sd_bus_message *m, int r, const Report *report) {
        const char *message = report->message ? report->message : strerror(-r);
        Refusal refusal = report->refusal != REFUSAL_NONE ? report->refusal : REFUSAL_FAILED;

        log_debug("%s: %s", sd_bus_message_get_member(m), message);
        return sd_bus_reply_method_errorf(m, refusal_error_name(refusal), "%s", message);
}

/* Before the answer: from then on the peer may send the next call, and would lose it. As it is, it cannot send one. */
static void take_no_more_if_outdated(const Worker *w) {
        if (w->engine->is_outdated && w->engine->is_outdated(w->userdata))
                (void) shutdown(w->watch.peer_fd, SHUT_RD);
}

static int append_results(sd_bus_message *reply, const Report *results, size_t n) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ss)");
        for (size_t i = 0; i < n && r >= 0; i++) {
                const Report *report = results + i;
                const char *name = report->refusal == REFUSAL_NONE ? "" : refusal_error_name(report->refusal);
                const char *message = report->refusal == REFUSAL_NONE ? "" : "Out of memory";

                r = sd_bus_message_append(reply, "(ss)", report->not_done ? BACKEND_ERROR_NOT_DONE : name,
                                          report->message ? report->message : message);
        }

        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_texts(sd_bus_message *reply, const Texts *t) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t i = 0; i < t->n && r >= 0; i++) {
                if (!text_is_utf8(t->items[i]))
                        text_mask_unprintable(t->items[i]);
                r = sd_bus_message_append(reply, "s", t->items[i]);
        }

        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void results_free(Report *results, size_t n) {
        for (size_t i = 0; results && i < n; i++)
                report_done(results + i);
        free(results);
}

static int answer(sd_bus_message *m, const Request *rq, const Report *results, const Texts *warnings) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = append_results(reply, results, rq->n);
        if (r >= 0 && rq->check)
                r = append_texts(reply, warnings);

        return r < 0 ? r : sd_bus_message_send(reply);
}

static int method_apply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(report_done) Report report = {};
        _cleanup_(request_done) Request rq = {};
        _cleanup_(texts_done) Texts warnings = {};
        Report *results = NULL;
        Worker *w = userdata;
        int r;

        r = request_read(m, w->engine, &rq, &report);
        rq.check = strcmp(sd_bus_message_get_member(m), "Check") == 0;
        if (r >= 0) {
                results = calloc(rq.n + 1, sizeof(*results));
                r = results ? apply_request(w, &rq, results, &warnings, &report) : -ENOMEM;
        }

        take_no_more_if_outdated(w);
        r = r < 0 ? reply_error(m, r, &report) : answer(m, &rq, results, &warnings);
        results_free(results, rq.n);
        return r;
}

static int method_describe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Worker *w = userdata;

        return sd_bus_reply_method_return(m, "sb", w->engine->name, w->engine->selects_identifiers);
}

static int method_list_nodes(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(report_done) Report report = {};
        _cleanup_(texts_done) Texts nodes = {};
        const Worker *w = userdata;
        int r;

        r = w->engine->list_nodes(w->userdata, &nodes, &report);
        take_no_more_if_outdated(w);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = append_texts(reply, &nodes);

        return r < 0 ? reply_error(m, r, &report) : sd_bus_message_send(reply);
}

void observed_node_done(ObservedNode *n) {
        for (size_t i = 0; i < n->n_ports; i++) {
                ObservedPort *port = n->ports + i;

                for (size_t k = 0; k < port->n_portals; k++)
                        free(port->portals[k].directory);
                free(port->portals);
                free(port->directory);
                free(port->interface);
                free(port->drift);
        }
        free(n->ports);
        free(n->iscsi_name);
        free(n->why);
        *n = (ObservedNode){};
}

/* What only some engines know of a port. */
static int append_facts(sd_bus_message *reply, const ObservedPort *port) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0 && port->interface)
                r = sd_bus_message_append(reply, "{sv}", "Interface", "s", port->interface);
        if (r >= 0 && port->interface_missing)
                r = sd_bus_message_append(reply, "{sv}", "InterfaceMissing", "b", 1);
        if (r >= 0 && port->drift)
                r = sd_bus_message_append(reply, "{sv}", "Drift", "s", port->drift);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_port(sd_bus_message *reply, ObservedPort *port) {
        int r;

        r = sd_bus_message_open_container(reply, 'r', BACKEND_PORT_TYPE);
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "stb", port->directory, port->identifier, port->enabled);
        if (r < 0)
                return r;

        r = sd_bus_message_open_container(reply, 'a', "(ssqbb)");
        for (size_t i = 0; i < port->n_portals && r >= 0; i++) {
                ObservedPortal *p = port->portals + i;
                char address[IP_ADDRESS_TEXT_MAX] = "";

                if (p->portal.address.family != 0)
                        (void) ip_address_to_text(&p->portal.address, address);
                text_mask_unprintable(address);
                r = sd_bus_message_append(reply, "(ssqbb)", p->directory, address, p->portal.port, p->usable, p->listening);
        }
        if (r < 0)
                return r;

        r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = append_facts(reply, port);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_node_facts(sd_bus_message *reply, const ObservedNode *node) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0 && node->iscsi_name)
                r = sd_bus_message_append(reply, "{sv}", "Name", "s", node->iscsi_name);
        if (r >= 0 && node->why)
                r = sd_bus_message_append(reply, "{sv}", "Why", "s", node->why);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Names of directories are bytes, texts of the bus are UTF-8. */
static void mask_names(ObservedNode *node) {
        if (node->why && !text_is_utf8(node->why))
                text_mask_unprintable(node->why);
        for (size_t i = 0; i < node->n_ports; i++) {
                text_mask_unprintable(node->ports[i].directory);
                if (node->ports[i].interface)
                        text_mask_unprintable(node->ports[i].interface);
                if (node->ports[i].drift)
                        text_mask_unprintable(node->ports[i].drift);
                for (size_t k = 0; k < node->ports[i].n_portals; k++)
                        text_mask_unprintable(node->ports[i].portals[k].directory);
        }
}

static int method_observe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(observed_node_done) ObservedNode node = {};
        _cleanup_(report_done) Report report = {};
        const Worker *w = userdata;
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
                r = w->engine->observe(w->userdata, name, &node, &report);
        take_no_more_if_outdated(w);
        if (r < 0)
                return reply_error(m, r, &report);
        mask_names(&node);

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "b", node.exists);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(" BACKEND_PORT_TYPE ")");
        for (size_t i = 0; i < node.n_ports && r >= 0; i++)
                r = append_port(reply, node.ports + i);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = append_node_facts(reply, &node);

        return r < 0 ? reply_error(m, r, &report) : sd_bus_message_send(reply);
}

static int method_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(report_done) Report report = {};
        _cleanup_(texts_done) Texts unreadable = {};
        _cleanup_free_ char *bytes = NULL;
        const Worker *w = userdata;
        uint64_t identifier;
        const char *node;
        size_t size = 0;
        int r;

        r = sd_bus_message_read(m, "st", &node, &identifier);
        if (r >= 0)
                r = request_check_node(w->engine, node, &report);
        if (r >= 0)
                r = w->engine->snapshot(w->userdata, node, identifier, &bytes, &size, &unreadable, &report);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', bytes, size);
        if (r >= 0)
                r = append_texts(reply, &unreadable);

        return r < 0 ? reply_error(m, r, &report) : sd_bus_message_send(reply);
}

static int method_await_change(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(texts_done) Texts nodes = {}, notices = {};
        _cleanup_(report_done) Report report = {};
        const Worker *w = userdata;
        int r;

        if (w->engine->await_change)
                r = w->engine->await_change(w->userdata, w->watch.peer_fd, &nodes, &notices, &report);
        else
                r = report_refuse(&report, REFUSAL_FAILED, "This worker watches nothing");
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = append_texts(reply, &nodes);
        if (r >= 0)
                r = append_texts(reply, &notices);

        return r < 0 ? reply_error(m, r, &report) : sd_bus_message_send(reply);
}

/* Who may call is decided once, when the connection is taken: hence no privilege is asked for per method. */
#define METHOD(member, in, in_names, out, out_names, handler) \
        SD_BUS_METHOD_WITH_NAMES(member, in, in_names, out, out_names, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable backend_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("Describe", NULL, , "sb", SD_BUS_PARAM(Name) SD_BUS_PARAM(IdentifierSelection), method_describe),
        METHOD("ListNodes", NULL, , "as", SD_BUS_PARAM(Nodes), method_list_nodes),
        METHOD("Observe", "s", SD_BUS_PARAM(Node), BACKEND_OBSERVED_TYPE,
               SD_BUS_PARAM(Exists) SD_BUS_PARAM(Ports) SD_BUS_PARAM(Facts), method_observe),
        METHOD("Apply", "s" BACKEND_OPERATIONS_TYPE "a{sv}",
               SD_BUS_PARAM(Node) SD_BUS_PARAM(Operations) SD_BUS_PARAM(Preconditions), BACKEND_RESULTS_TYPE,
               SD_BUS_PARAM(Results), method_apply),
        METHOD("Check", "s" BACKEND_OPERATIONS_TYPE "a{sv}",
               SD_BUS_PARAM(Node) SD_BUS_PARAM(Operations) SD_BUS_PARAM(Preconditions), BACKEND_RESULTS_TYPE "as",
               SD_BUS_PARAM(Results) SD_BUS_PARAM(Warnings), method_apply),
        METHOD("AwaitChange", NULL, , "asas", SD_BUS_PARAM(Nodes) SD_BUS_PARAM(Notices), method_await_change),
        METHOD("Snapshot", "st", SD_BUS_PARAM(Node) SD_BUS_PARAM(Identifier), "ayas",
               SD_BUS_PARAM(Snapshot) SD_BUS_PARAM(Unreadable), method_snapshot),
        SD_BUS_VTABLE_END,
};

int worker_bus_add(sd_bus *bus, Worker *w) {
        return sd_bus_add_object_vtable(bus, NULL, BACKEND_PATH, BACKEND_INTERFACE, backend_vtable, w);
}
