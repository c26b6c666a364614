/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/verbs.h"

#include <errno.h>
#include <stdio.h>

#include "common/macro.h"
#include "workers/base/steps.h"
#include "workers/lio/enable.h"
#include "workers/lio/portals.h"

/* Ends a verb that made something: with success only if the caller is still there to hear of it. */
static int end_making(Steps *steps, int r) {
        if (r >= 0)
                r = steps_check_peer(steps);
        if (r < 0)
                r = steps_undo(steps, r);

        steps_done(steps);
        return MIN2(r, 0);
}

static int make_node(const Lio *lio, Steps *steps, const char *name) {
        _cleanup_free_ char *path = NULL;
        int r;

        path = lio_path(lio->iscsi_dir, name, NULL);
        if (!path)
                return -ENOMEM;

        r = step_mkdir(steps, path);
        return r < 0 ? steps_refuse(steps, REFUSAL_FAILED, "make node", path, r) : 0;
}

/* An empty node is taken over whoever made it; one with ports is in somebody's use. */
int lio_create_node(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        Steps steps;
        int r;

        r = lio_begin(lio, rq->node, true, report, &lock_fd, &node);
        if (r < 0)
                return r;
        if (node.n_ports > 0)
                return report_refuse(report, REFUSAL_NAME_IN_USE,
                                     "Node %s exists in the kernel and has %zu target portal groups, made by another program; "
                                     "choose another name, "
                                     "or remove it with the program that made it",
                                     rq->node, node.n_ports);

        steps_begin(&steps, lio->peer_fd, report, true);
        return end_making(&steps, make_node(lio, &steps, rq->node));
}

static int refuse_tag(const LioRequest *rq, const char *dir, Report *report) {
        return report_refuse(report, REFUSAL_IDENTIFIER_IN_USE,
                             "Node %s already has a target portal group with tag %u (directory %s); choose another Identifier",
                             rq->node, rq->tag, dir);
}

/* Makes what is missing of node, port and portals, verifies all portals, and enables the port. EXISTING: the port if it is there.
 * No attribute is changed: the kernel's defaults demand authentication and know no initiator. */
static int make_port(const Lio *lio, Steps *steps, const LioRequest *rq, const LioPort *existing) {
        _cleanup_free_ char *dir = NULL;
        char tpgt[sizeof("tpgt_65535")];
        int r;

        (void) snprintf(tpgt, sizeof(tpgt), "tpgt_%u", rq->tag);
        dir = lio_path(lio->iscsi_dir, rq->node, existing ? existing->dir : tpgt, NULL);
        if (!dir)
                return -ENOMEM;

        if (!existing) {
                r = make_node(lio, steps, rq->node);
                if (r < 0)
                        return r;

                r = step_mkdir(steps, dir);
                if (r == 0) /* somebody was quicker */
                        return refuse_tag(rq, tpgt, steps->report);
                if (r < 0)
                        return steps_refuse(steps, REFUSAL_FAILED, "make target portal group", dir, r);
        }

        for (size_t i = 0; i < rq->n_portals; i++) {
                if (existing && lio_port_find_portal(existing, rq->portals + i))
                        r = lio_verify_portal(lio, rq->node, rq->tag, rq->portals + i, steps->report);
                else
                        r = lio_make_portal(lio, steps, rq->node, rq->tag, dir, rq->portals + i);
                if (r < 0)
                        return r;
        }

        /* Up to here initiators see nothing: a port that is not enabled is not told in discovery and takes no login. */
        r = step_enable(steps, dir, true);
        return r < 0 ? steps_refuse(steps, REFUSAL_FAILED, "enable target portal group", dir, r) : 0;
}

int lio_create_target_port(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        LioPort *port = NULL;
        Steps steps;
        int r;

        r = lio_begin(lio, rq->node, true, report, &lock_fd, &node);
        if (r < 0)
                return r;

        port = lio_node_find_port(&node, rq->tag, NULL);
        if (port)
                return refuse_tag(rq, port->dir, report);
        r = lio_check_portals(lio, &node, rq->tag, rq->portals, rq->n_portals, report);
        if (r < 0)
                return r;

        steps_begin(&steps, lio->peer_fd, report, true);
        return end_making(&steps, make_port(lio, &steps, rq, NULL));
}

int lio_restore_target_port(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        Portal missing[LIO_PORTALS_MAX];
        size_t n_missing = 0;
        LioPort *port = NULL;
        Steps steps;
        int r;

        r = lio_begin(lio, rq->node, true, report, &lock_fd, &node);
        if (r < 0)
                return r;
        r = lio_find_port(&node, rq->tag, &port, report);
        if (r < 0)
                return r;

        for (size_t i = 0; i < rq->n_portals; i++)
                if (!port || !lio_port_find_portal(port, rq->portals + i))
                        missing[n_missing++] = rq->portals[i];
        r = lio_check_portals(lio, &node, rq->tag, missing, n_missing, report);
        if (r < 0)
                return r;

        steps_begin(&steps, lio->peer_fd, report, true);
        return end_making(&steps, make_port(lio, &steps, rq, port));
}

int lio_bind_portal(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        _cleanup_free_ char *dir = NULL;
        LioPort *port = NULL;
        Steps steps;
        int r;

        r = lio_begin(lio, rq->node, false, report, &lock_fd, &node);
        if (r < 0)
                return r;
        r = lio_find_port(&node, rq->tag, &port, report);
        if (r < 0)
                return r;
        if (!port)
                return report_refuse(report, REFUSAL_ENDPOINT_NON_EXISTENT,
                                     "Node %s has no target portal group with tag %u in the kernel", rq->node, rq->tag);

        if (lio_port_find_portal(port, rq->portals))
                return lio_verify_portal(lio, rq->node, rq->tag, rq->portals, report);

        r = lio_check_portals(lio, &node, rq->tag, rq->portals, 1, report);
        if (r < 0)
                return r;

        dir = lio_path(lio->iscsi_dir, rq->node, port->dir, NULL);
        if (!dir)
                return -ENOMEM;
        steps_begin(&steps, lio->peer_fd, report, true);
        return end_making(&steps, lio_make_portal(lio, &steps, rq->node, rq->tag, dir, rq->portals));
}
