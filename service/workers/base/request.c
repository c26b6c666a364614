/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/array.h"
#include "common/text.h"

void request_done(Request *rq) {
        for (size_t i = 0; i < rq->n; i++) {
                free(rq->operations[i].portals);
                free(rq->operations[i].snapshot);
        }
        free(rq->operations);
        free(rq->expected);
        *rq = (Request){};
}

int request_check_node(const WorkerEngine *engine, const char *node, Report *report) {
        const char *reason;

        if (engine->node_is_valid(node, &reason))
                return 0;

        return report_refuse(report, REFUSAL_INVALID_PARAMETER, "\"%.*s\" is not %s", text_excerpt(node, 256), node, reason);
}

static int portals_read(sd_bus_message *m, const WorkerEngine *engine, Operation *op, Report *report) {
        uint32_t takes = verb_info(op->verb)->takes;
        size_t max = takes & TAKES_PORTALS ? OPERATION_PORTALS_MAX : takes & TAKES_PORTAL ? 1 : 0;
        const char *address;
        uint16_t port;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sq)");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "(sq)", &address, &port)) > 0) {
                Portal portal = { .port = port };
                char text[PORTAL_TEXT_MAX];

                if (ip_address_from_text(address, &portal.address) < 0)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER,
                                             "\"%.*s\" is not the address of a portal: IPv4, or IPv6 without brackets, with "
                                             "%%interface behind a link-local one and only there",
                                             text_excerpt(address, 256), address);
                if (engine->on_addresses && port != 0)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER,
                                             "Address %s is given with TCP port %u; a port of this backend is on addresses alone",
                                             address, port);
                if (!engine->on_addresses && port == 0)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER, "TCP port 0 of address %s is no port", address);
                for (size_t i = 0; i < op->n_portals; i++)
                        if (portal_compare(op->portals + i, &portal) == 0)
                                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "Portal %s is given twice",
                                                     portal_to_text(&portal, text));
                if (op->n_portals >= max)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER, "More than %zu portals", max);

                r = array_grow(&op->portals, op->n_portals, sizeof(*op->portals));
                if (r < 0)
                        return r;
                op->portals[op->n_portals++] = portal;
        }
        if (r < 0)
                return r;
        if (max > 0 && op->n_portals == 0)
                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "No portal is given");

        return sd_bus_message_exit_container(m);
}

/* The options of verbs: what each is called, and where its value goes. */
static int option_read(sd_bus_message *m, const char *name, Operation *op, Report *report) {
        const struct {
                const char *name;
                unsigned takes;
                bool *value;
        } flags[] = {
                { "Enabled", TAKES_ENABLED, &op->enabled },
                { "Force", TAKES_FORCE, &op->force },
                { "All", TAKES_ALL, &op->all },
        };
        unsigned takes = verb_info(op->verb)->takes;
        const void *bytes;
        int r, value;
        size_t size;

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (strcmp(flags[i].name, name) == 0 && (takes & flags[i].takes)) {
                        r = sd_bus_message_read(m, "v", "b", &value);
                        *flags[i].value = value;
                        return r;
                }

        if (strcmp(name, "Snapshot") == 0 && (takes & TAKES_SNAPSHOT)) {
                r = sd_bus_message_enter_container(m, 'v', "ay");
                if (r < 0)
                        return r;
                r = sd_bus_message_read_array(m, 'y', &bytes, &size);
                if (r < 0)
                        return r;
                free(op->snapshot);
                op->snapshot = calloc(size + 1, 1);
                if (!op->snapshot)
                        return -ENOMEM;
                if (size > 0)
                        memcpy(op->snapshot, bytes, size);
                op->snapshot_size = size;
                return sd_bus_message_exit_container(m);
        }

        return report_refuse(report, REFUSAL_INVALID_PARAMETER, "%s takes no option \"%.*s\"", verb_info(op->verb)->name,
                             text_excerpt(name, 64), name);
}

static int operation_read(sd_bus_message *m, const WorkerEngine *engine, Operation *op, Report *report) {
        const char *verb, *name;
        int r;

        r = sd_bus_message_read(m, "s", &verb);
        if (r < 0)
                return r;
        op->verb = verb_from_name(verb);
        if (op->verb >= _VERB_MAX || !engine->has_verb(op->verb))
                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "\"%.*s\" is no operation of this worker",
                                     text_excerpt(verb, 64), verb);
        op->enabled = true;

        r = sd_bus_message_read(m, "t", &op->identifier);
        if (r < 0)
                return r;
        if ((verb_info(op->verb)->takes & TAKES_IDENTIFIER) && op->identifier > engine->identifier_max)
                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "%" PRIu64 " is not an Identifier: they end at %" PRIu64,
                                     op->identifier, engine->identifier_max);

        r = portals_read(m, engine, op, report);
        if (r < 0)
                return r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = option_read(m, name, op, report);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A fault of a later operation is told with its number. */
static int name_operation(size_t operation, int error, Report *report) {
        if (operation == 0 || report->refusal == REFUSAL_NONE)
                return error;

        return report_refuse(report, report->refusal, "Operation %zu: %s", operation + 1,
                             report->message ? report->message : strerror(-error));
}

static int operations_read(sd_bus_message *m, const WorkerEngine *engine, Request *rq, Report *report) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sta(sq)a{sv})");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sta(sq)a{sv}")) > 0) {
                if (rq->n >= REQUEST_OPERATIONS_MAX)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER, "More than %u operations",
                                             REQUEST_OPERATIONS_MAX);
                r = array_grow(&rq->operations, rq->n, sizeof(*rq->operations));
                if (r < 0)
                        return r;
                rq->operations[rq->n] = (Operation){};
                rq->n++;

                r = operation_read(m, engine, rq->operations + rq->n - 1, report);
                if (r < 0)
                        return name_operation(rq->n - 1, r, report);
                r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static int expected_read(sd_bus_message *m, Request *rq) {
        const uint64_t *identifiers;
        size_t size;
        int r;

        r = sd_bus_message_enter_container(m, 'v', "at");
        if (r < 0)
                return r;
        r = sd_bus_message_read_array(m, 't', (const void **) &identifiers, &size);
        if (r < 0)
                return r;

        free(rq->expected);
        rq->expected = malloc(size + 1);
        if (!rq->expected)
                return -ENOMEM;
        if (size > 0)
                memcpy(rq->expected, identifiers, size);
        rq->n_expected = size / sizeof(*identifiers);
        rq->expects = true;
        return sd_bus_message_exit_container(m);
}

static int preconditions_read(sd_bus_message *m, Request *rq, Report *report) {
        const char *name;
        int r, value;

        rq->atomic = true;
        rq->node_exists = -1;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r < 0)
                        return r;
                if (strcmp(name, "Expected") == 0)
                        r = expected_read(m, rq);
                else if (strcmp(name, "Atomic") == 0) {
                        r = sd_bus_message_read(m, "v", "b", &value);
                        rq->atomic = value;
                } else if (strcmp(name, "NodeExists") == 0) {
                        r = sd_bus_message_read(m, "v", "b", &value);
                        rq->node_exists = value;
                } else
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER, "\"%.*s\" is no precondition",
                                             text_excerpt(name, 64), name);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int request_read(sd_bus_message *m, const WorkerEngine *engine, Request *ret, Report *report) {
        _cleanup_(request_done) Request rq = {};
        int r;

        r = sd_bus_message_read(m, "s", &rq.node);
        if (r < 0)
                return r;
        r = request_check_node(engine, rq.node, report);
        if (r < 0)
                return r;
        r = operations_read(m, engine, &rq, report);
        if (r < 0)
                return r;
        r = preconditions_read(m, &rq, report);
        if (r < 0)
                return r;

        *ret = rq;
        rq = (Request){};
        return 0;
}
