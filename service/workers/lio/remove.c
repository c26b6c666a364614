/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "workers/base/steps.h"
#include "workers/lio/enable.h"
#include "workers/lio/sessions.h"

typedef int (*remove_one_t)(Steps *steps, const char *dir);

/* Removes each entry of DIR that has this type and prefix, with REMOVE. */
static int remove_each(Steps *steps, const char *dir, unsigned char type, const char *prefix, remove_one_t remove_one) {
        char **names = NULL;
        size_t n = 0;
        int r;

        r = lio_dir_names(dir, type, prefix, &names, &n);
        if (r < 0)
                return steps_refuse(steps, REFUSAL_FAILED, "read", dir, r);

        for (size_t i = 0; i < n && r >= 0; i++) {
                _cleanup_free_ char *path = NULL;

                path = lio_path(dir, names[i], NULL);
                r = path ? remove_one(steps, path) : -ENOMEM;
        }

        lio_names_free(names, n);
        return r;
}

static int remove_link(Steps *steps, const char *path) {
        int r;

        r = step_unlink(steps, path);
        return r < 0 ? steps_refuse(steps, REFUSAL_FAILED, "remove", path, r) : 0;
}

static int remove_dir(Steps *steps, const char *path) {
        int r;

        r = step_rmdir(steps, path);
        return r < 0 ? steps_refuse(steps, REFUSAL_FAILED, "remove", path, r) : 0;
}

/* A LUN of the port, or its mapping in an ACL: the link first. */
static int remove_lun(Steps *steps, const char *path) {
        int r;

        r = remove_each(steps, path, DT_LNK, "", remove_link);
        return r < 0 ? r : remove_dir(steps, path);
}

static int remove_acl(Steps *steps, const char *path) {
        int r;

        r = remove_each(steps, path, DT_DIR, "lun_", remove_lun);
        return r < 0 ? r : remove_dir(steps, path);
}

/* Removes a port that is disabled: the one order that always works. */
static int remove_port(Steps *steps, const char *dir) {
        static const struct {
                const char *group, *prefix;
                remove_one_t remove_one;
        } parts[] = {
                { "acls", "", remove_acl }, /* before the LUNs that they map */
                { "lun", "lun_", remove_lun },
                { "np", "", remove_dir },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                _cleanup_free_ char *path = NULL;

                path = lio_path(dir, parts[i].group, NULL);
                if (!path)
                        return -ENOMEM;
                r = remove_each(steps, path, DT_DIR, parts[i].prefix, parts[i].remove_one);
                if (r < 0)
                        return r;
        }

        return remove_dir(steps, dir);
}

/* Disables and removes. A removal cannot be undone (secrets in an ACL, say, cannot be read back reliably), so once the port is out of
 * force a failure leaves it so, and is called Degraded. */
static int take_down_port(const Lio *lio, const char *dir, Report *report) {
        Steps steps;
        int r;

        steps_begin(&steps, lio->peer_fd, report, false);

        r = step_enable(&steps, dir, false);
        if (r < 0)
                r = steps_refuse(&steps, REFUSAL_FAILED, "disable target portal group", dir, r);
        else {
                r = remove_port(&steps, dir);
                if (r < 0 && r != -ECANCELED) {
                        _cleanup_free_ char *cause = report->message ? strdup(report->message) : NULL;

                        r = report_refuse(report, REFUSAL_DEGRADED, "%s; the port is out of force, and a part of it is left",
                                          cause ? cause : strerror(-r));
                        log_error("%s", report->message ? report->message : "Out of memory");
                }
        }

        steps_done(&steps);
        return MIN2(r, 0);
}

int lio_delete_target_port(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        _cleanup_free_ char *dir = NULL;
        LioPort *port;
        int r;

        r = lio_begin(lio, rq->node, false, report, &lock_fd, &node);
        if (r < 0)
                return r;
        r = lio_find_port(&node, rq->tag, &port, report);
        if (r < 0 || !port)
                return r;

        dir = lio_path(lio->iscsi_dir, rq->node, port->dir, NULL);
        if (!dir)
                return -ENOMEM;

        /* An initiator may log in between this look and the next step, which disables the port: its session is dropped then. The
         * kernel has no way to refuse logins alone, and a second look after it would find the session gone already. */
        r = lio_check_port_sessions(dir, rq->node, rq->tag, report);
        if (r < 0)
                return r;

        return take_down_port(lio, dir, report);
}

/* Whether the directory has entries of this kind. Cannot tell: yes. */
static bool has_entries(const char *dir, const char *group, const char *prefix) {
        _cleanup_free_ char *path = NULL;
        char **names = NULL;
        size_t n = 1;
        int r;

        path = lio_path(dir, group, NULL);
        r = path ? lio_dir_names(path, DT_DIR, prefix, &names, &n) : -ENOMEM;
        if (r >= 0)
                lio_names_free(names, n);

        return r < 0 || n > 0;
}

int lio_undo_target_port(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        _cleanup_free_ char *dir = NULL;
        char tpgt[sizeof("tpgt_65535")];
        LioPort *port;
        int r;

        r = lio_begin(lio, rq->node, false, report, &lock_fd, &node);
        if (r < 0)
                return r;

        /* What we make has the canonical name; a port under any other is not ours. */
        (void) snprintf(tpgt, sizeof(tpgt), "tpgt_%u", rq->tag);
        port = lio_node_find_port(&node, rq->tag, NULL);
        if (!port || strcmp(port->dir, tpgt) != 0)
                return 0;

        dir = lio_path(lio->iscsi_dir, rq->node, tpgt, NULL);
        if (!dir)
                return -ENOMEM;

        if (has_entries(dir, "lun", "lun_") || has_entries(dir, "acls", "")) {
                log_notice("%s has LUNs or ACLs, so it is not what was left by a lost call; it stays", dir);
                return 0;
        }
        for (size_t i = 0; i < port->n_portals; i++) {
                bool given = false;

                for (size_t k = 0; k < rq->n_portals; k++)
                        given = given || portal_compare(&port->portals[i].portal, rq->portals + k) == 0;
                if (!given) {
                        log_notice("%s has portal %s, so it is not what was left by a lost call; it stays", dir,
                                   port->portals[i].dir);
                        return 0;
                }
        }

        return take_down_port(lio, dir, report);
}

int lio_unbind_portal(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        _cleanup_free_ char *path = NULL;
        LioPortal *portal;
        LioPort *port;
        Steps steps;
        int r;

        r = lio_begin(lio, rq->node, false, report, &lock_fd, &node);
        if (r < 0)
                return r;
        r = lio_find_port(&node, rq->tag, &port, report);
        if (r < 0 || !port)
                return r;
        portal = lio_port_find_portal(port, rq->portals);
        if (!portal)
                return 0;

        path = lio_path(lio->iscsi_dir, rq->node, port->dir, "np", portal->dir, NULL);
        if (!path)
                return -ENOMEM;
        steps_begin(&steps, lio->peer_fd, report, false);
        r = remove_dir(&steps, path);
        steps_done(&steps);
        return r;
}

int lio_delete_node(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_close_ int lock_fd = -1;
        _cleanup_(lio_node_done) LioNode node = {};
        _cleanup_free_ char *path = NULL;
        Steps steps;
        int r;

        r = lio_begin(lio, rq->node, false, report, &lock_fd, &node);
        if (r < 0)
                return r;

        path = lio_path(lio->iscsi_dir, rq->node, NULL);
        if (!path)
                return -ENOMEM;
        steps_begin(&steps, lio->peer_fd, report, false);
        r = step_rmdir(&steps, path);
        if (r == -ENOTEMPTY)
                r = report_refuse(report, REFUSAL_FAILED,
                                  "Node %s still has %zu target portal groups in the kernel (%s%s); delete them first", rq->node,
                                  node.n_ports, node.n_ports > 0 ? node.ports[0].dir : "made just now",
                                  node.n_ports > 1 ? ", …" : "");
        else if (r < 0)
                r = steps_refuse(&steps, REFUSAL_FAILED, "remove node", path, r);
        steps_done(&steps);
        return r;
}
