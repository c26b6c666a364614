/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/bus.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "common/log.h"
#include "common/name.h"
#include "workers/lio/enable.h"
#include "workers/lio/names.h"
#include "workers/lio/predict.h"

#define BACKEND_INTERFACE "org.iscsi.Backend"
#define BACKEND_PATH "/org/iscsi/Backend"

/* Reads what a verb is done to; SIGNATURE is the method's own. The client is not trusted to have checked anything. */
static int request_read(sd_bus_message *m, LioRequest *rq, Report *report) {
        const char *signature = sd_bus_message_get_signature(m, true), *address;
        Portal portal;
        bool array;
        int r;

        r = sd_bus_message_read(m, "s", &rq->node);
        if (r < 0)
                return r;
        if (!lio_node_name_is_valid(rq->node))
                return report_refuse(
                        report, REFUSAL_INVALID_PARAMETER,
                        "\"%s\" is not an iSCSI name: it begins with iqn., eui. or naa., has at most %u bytes and no "
                        "'/' or blank",
                        rq->node, ISCSI_NAME_MAX);
        if (strcmp(signature, "s") == 0)
                return 0;

        r = sd_bus_message_read(m, "q", &rq->tag);
        if (r < 0 || strcmp(signature, "sq") == 0)
                return r;

        array = strcmp(signature, "sqa(sq)") == 0;
        if (array) {
                r = sd_bus_message_enter_container(m, 'a', "(sq)");
                if (r < 0)
                        return r;
        }

        while ((r = sd_bus_message_read(m, array ? "(sq)" : "sq", &address, &portal.port)) > 0) {
                char text[PORTAL_TEXT_MAX];

                if (ip_address_from_text(address, &portal.address) < 0)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER,
                                             "\"%s\" is not the address of a portal: IPv4, or IPv6 without brackets, with "
                                             "%%interface behind a "
                                             "link-local one and only there",
                                             address);
                /* The service has this rule too. Here it holds whatever the service has become. */
                if (portal.port != ISCSI_PORT_SYSTEM && portal.port < 1024)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER,
                                             "TCP port %u of address %s is not offered: take 1024 to 65535, or 860", portal.port,
                                             address);
                for (size_t i = 0; i < rq->n_portals; i++)
                        if (portal_compare(rq->portals + i, &portal) == 0)
                                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "Portal %s is given twice",
                                                     portal_to_text(&portal, text));
                if (rq->n_portals >= LIO_PORTALS_MAX)
                        return report_refuse(report, REFUSAL_INVALID_PARAMETER, "More than %u portals", LIO_PORTALS_MAX);

                rq->portals[rq->n_portals++] = portal;
                if (!array)
                        break;
        }
        if (r < 0)
                return r;
        if (rq->n_portals == 0)
                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "No portal is given");

        qsort(rq->portals, rq->n_portals, sizeof(rq->portals[0]), portal_compare_for_making);
        return 0;
}

static int reply_error(sd_bus_message *m, int r, const Report *report) {
        const char *message = report->message ? report->message : strerror(-r);
        Refusal refusal = report->refusal != REFUSAL_NONE ? report->refusal : REFUSAL_FAILED;

        log_debug("%s: %s", sd_bus_message_get_member(m), message);
        return sd_bus_reply_method_errorf(m, refusal_error_name(refusal), "%s", message);
}

typedef int (*verb_t)(const Lio *lio, const LioRequest *rq, Report *report);

static const struct {
        const char *member;
        verb_t verb;
} verbs[] = {
        { "CreateNode", lio_create_node },
        { "DeleteNode", lio_delete_node },
        { "CreateTargetPort", lio_create_target_port },
        { "RestoreTargetPort", lio_restore_target_port },
        { "UndoTargetPort", lio_undo_target_port },
        { "DeleteTargetPort", lio_delete_target_port },
        { "BindPortal", lio_bind_portal },
        { "UnbindPortal", lio_unbind_portal },
        { "CheckSessions", lio_check_sessions },
};

static int call_verb(sd_bus_message *m, const Lio *lio) {
        _cleanup_(report_done) Report report = {};
        const char *member = sd_bus_message_get_member(m);
        LioRequest rq = {};
        int r;

        r = request_read(m, &rq, &report);
        for (size_t i = 0; i < ELEMENTSOF(verbs) && r >= 0; i++)
                if (strcmp(verbs[i].member, member) == 0)
                        r = verbs[i].verb(lio, &rq, &report);
        if (r < 0)
                return reply_error(m, r, &report);

        return sd_bus_reply_method_return(m, NULL);
}

static int method_verb(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        sigset_t all, old;
        int r;

        /* A signal in the middle of a configfs call would make the kernel give up half-way with EINTR, or with an EINVAL that means
         * something else. Signals are taken when the verb is done and answered. */
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, &old);
        r = call_verb(m, userdata);
        (void) sigprocmask(SIG_SETMASK, &old, NULL);

        return r;
}

static int method_describe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "sb", "lio", true);
}

static int append_port(sd_bus_message *reply, const LioPort *port, bool enabled, const char *dir, const Listeners *listeners) {
        int r;

        r = sd_bus_message_open_container(reply, 'r', "qba(sqb)");
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "qb", port->tag, enabled);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(sqb)");
        if (r < 0)
                return r;

        for (size_t i = 0; i < port->n_portals; i++) {
                const LioPortal *p = port->portals + i;
                char address[IP_ADDRESS_TEXT_MAX];

                if (!p->usable || (i > 0 && portal_compare(&p[-1].portal, &p->portal) == 0)) {
                        log_warning("Portal %s/np/%s has no valid spelling, or a second one; it is left out", dir, p->dir);
                        continue;
                }

                r = sd_bus_message_append(reply, "(sqb)", ip_address_to_text(&p->portal.address, address), p->portal.port,
                                          listeners_find(listeners, &p->portal) != NULL);
                if (r < 0)
                        return r;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

static int append_node(sd_bus_message *reply, const Lio *lio, const LioNode *node, const Listeners *listeners) {
        int r;

        r = sd_bus_message_open_container(reply, 'r', "sa(qba(sqb))");
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "s", node->name);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "(qba(sqb))");
        if (r < 0)
                return r;

        for (size_t i = 0; i < node->n_ports; i++) {
                _cleanup_free_ char *dir = NULL;
                bool enabled;

                dir = lio_path(lio->iscsi_dir, node->name, node->ports[i].dir, NULL);
                if (!dir)
                        return -ENOMEM;
                if (i > 0 && node->ports[i - 1].tag == node->ports[i].tag) {
                        log_warning("%s has the same tag as %s and is left out", dir, node->ports[i - 1].dir);
                        continue;
                }

                r = lio_enable_read(dir, &enabled);
                if (r == -ENOENT) /* went away meanwhile */
                        continue;
                if (r < 0)
                        return r;
                r = append_port(reply, node->ports + i, enabled, dir, listeners);
                if (r < 0)
                        return r;
        }

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

static int method_observe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(listeners_done) Listeners listeners = {};
        _cleanup_(report_done) Report report = {};
        _cleanup_(lio_tree_done) LioTree tree = {};
        const Lio *lio = userdata;
        int r;

        r = lio_observe(lio, &tree, &listeners, &report);
        if (r < 0)
                return reply_error(m, r, &report);

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sa(qba(sqb)))");
        for (size_t i = 0; i < tree.n_nodes && r >= 0; i++) {
                if (!lio_node_name_is_valid(tree.nodes[i].name)) {
                        log_warning("Node %s/%s does not have the name of an iSCSI node, it is left out", lio->iscsi_dir,
                                    tree.nodes[i].name);
                        continue;
                }
                r = append_node(reply, lio, tree.nodes + i, &listeners);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                return reply_error(m, r, &report);

        return sd_bus_message_send(reply);
}

/* Who may call is decided once, when the connection is taken: hence no privilege is asked for per method. */
#define VERB(member, in, names) SD_BUS_METHOD_WITH_NAMES(member, in, names, NULL, , method_verb, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable backend_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_NAMES("Describe", NULL, , "sb", SD_BUS_PARAM(Name) SD_BUS_PARAM(IdentifierSelection), method_describe,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        VERB("CreateNode", "s", SD_BUS_PARAM(Node)),
        VERB("DeleteNode", "s", SD_BUS_PARAM(Node)),
        VERB("CreateTargetPort", "sqa(sq)", SD_BUS_PARAM(Node) SD_BUS_PARAM(Tag) SD_BUS_PARAM(Portals)),
        VERB("RestoreTargetPort", "sqa(sq)", SD_BUS_PARAM(Node) SD_BUS_PARAM(Tag) SD_BUS_PARAM(Portals)),
        VERB("UndoTargetPort", "sqa(sq)", SD_BUS_PARAM(Node) SD_BUS_PARAM(Tag) SD_BUS_PARAM(Portals)),
        VERB("DeleteTargetPort", "sq", SD_BUS_PARAM(Node) SD_BUS_PARAM(Tag)),
        VERB("BindPortal", "sqsq", SD_BUS_PARAM(Node) SD_BUS_PARAM(Tag) SD_BUS_PARAM(Address) SD_BUS_PARAM(Port)),
        VERB("UnbindPortal", "sqsq", SD_BUS_PARAM(Node) SD_BUS_PARAM(Tag) SD_BUS_PARAM(Address) SD_BUS_PARAM(Port)),
        VERB("CheckSessions", "s", SD_BUS_PARAM(Node)),
        SD_BUS_METHOD_WITH_NAMES("Observe", NULL, , "a(sa(qba(sqb)))", SD_BUS_PARAM(Nodes), method_observe,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int lio_bus_add(sd_bus *bus, void *lio) {
        return sd_bus_add_object_vtable(bus, NULL, BACKEND_PATH, BACKEND_INTERFACE, backend_vtable, lio);
}
