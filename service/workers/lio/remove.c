/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "workers/lio/operations.h"
#include "workers/lio/portals.h"
#include "workers/lio/sessions.h"
#include "workers/lio/snapshot.h"
#include "workers/lio/switch.h"

typedef int (*remove_one_t)(Steps *steps, const char *dir);

/* Removes each entry of DIR that has this type and prefix, with REMOVE_ONE. */
static int remove_each(Steps *steps, const char *dir, unsigned char type, const char *prefix, remove_one_t remove_one) {
        _cleanup_(texts_done) Texts names = {};
        int r;

        r = lio_dir_names(dir, type, prefix, &names);
        if (r < 0)
                return steps_refuse(steps, REFUSAL_FAILED, "read", dir, r);

        for (size_t i = 0; i < names.n && r >= 0; i++) {
                _cleanup_free_ char *path = lio_path(dir, names.items[i], NULL);

                r = path ? remove_one(steps, path) : -ENOMEM;
        }

        return r;
}

static int remove_link(Steps *steps, const char *path) {
        int r;

        r = step_drop_link(steps, path);
        return r < 0 ? steps_refuse(steps, REFUSAL_FAILED, "remove", path, r) : 0;
}

static int remove_dir(Steps *steps, const char *path) {
        int r;

        r = step_drop_dir(steps, path);
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
static int remove_port_dir(Steps *steps, const char *dir) {
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
                _cleanup_free_ char *path = lio_path(dir, parts[i].group, NULL);

                if (!path)
                        return -ENOMEM;
                r = remove_each(steps, path, DT_DIR, parts[i].prefix, parts[i].remove_one);
                if (r < 0)
                        return r;
        }

        return remove_dir(steps, dir);
}

static int undo_remove_port(const Undo *u, Texts *lost) {
        return lio_snapshot_revive(u->userdata, u->path, u->data, u->size, lost);
}

/* Switches the port off and removes it, with a snapshot that brings it back. */
static int remove_port(LioCall *c, LioPort *port) {
        _cleanup_free_ char *dir = lio_port_path(c, port), *snapshot = NULL, *enable = NULL;
        _cleanup_(texts_done) Texts unreadable = {};
        size_t size;
        int r;

        enable = dir ? lio_path(dir, "enable", NULL) : NULL;
        if (!enable)
                return -ENOMEM;

        r = lio_snapshot_take(c->lio, dir, SNAPSHOT_WHOLE, &snapshot, &size, &unreadable, c->steps->report);
        if (r < 0)
                return r;
        r = steps_add(c->steps, undo_remove_port, dir, snapshot, size, c->lio);
        if (r < 0)
                return r;

        r = step_write_only(c->steps, enable, "0");
        if (r < 0)
                return steps_refuse(c->steps, REFUSAL_FAILED, "disable target portal group", dir, r);
        r = remove_port_dir(c->steps, dir);
        if (r < 0)
                return r;

        lio_node_remove_port(&c->now, port);
        return 0;
}

static int plan_port_leaving(LioCall *c, LioPort *port) {
        while (port->n_portals > 0) {
                int r;

                r = lio_plan_leaving(c, port, port->portals + port->n_portals - 1);
                if (r < 0)
                        return r;
        }

        lio_node_remove_port(&c->plan, port);
        return 0;
}

/* FORCE: sessions do not matter, but are told. An initiator may log in between this look and the step that disables the port: its
 * session is dropped then. The kernel has no way to refuse logins alone, and a second look after it would find the session gone
 * already. */
static int decide_sessions(LioCall *c, const LioPort *port, bool force, Report *report, Texts *warnings) {
        _cleanup_free_ char *dir = lio_port_path(c, port), *initiator = NULL;
        int r;

        if (!dir)
                return -ENOMEM;
        if (!force)
                return lio_check_port_sessions(dir, c->plan.name, port->tag, report);

        r = lio_port_has_session(dir, &initiator);
        return r <= 0 ? 0 : texts_add(warnings, "Initiator %s is logged in; its session will be ended", initiator);
}

static size_t count_entries(const char *dir, const char *group, const char *prefix) {
        _cleanup_free_ char *path = lio_path(dir, group, NULL);
        _cleanup_(texts_done) Texts names = {};

        return path && lio_dir_names(path, DT_DIR, prefix, &names) >= 0 ? names.n : 0;
}

/* Only for those who read warnings. */
static int warn_of_contents(LioCall *c, const LioPort *port, Texts *warnings) {
        _cleanup_free_ char *dir = NULL;
        size_t luns, acls;

        if (!c->check)
                return 0;

        dir = lio_port_path(c, port);
        if (!dir)
                return -ENOMEM;
        luns = count_entries(dir, "lun", "lun_");
        acls = count_entries(dir, "acls", "");
        if (luns + acls == 0)
                return 0;

        return texts_add(warnings, "Target portal group %u has %zu LUNs and %zu ACLs, which will be removed with it", port->tag,
                         luns, acls);
}

int lio_decide_delete_port(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        LioPort *port;
        int r;

        r = lio_find_port(&c->plan, op->identifier, &port, report);
        if (r < 0 || !port)
                return r;
        r = decide_sessions(c, port, op->force, report, warnings);
        if (r >= 0)
                r = warn_of_contents(c, port, warnings);

        return r < 0 ? r : plan_port_leaving(c, port);
}

int lio_act_delete_port(LioCall *c, const Operation *op) {
        LioPort *port;
        int r;

        r = lio_find_port(&c->now, op->identifier, &port, c->steps->report);
        return r < 0 || !port ? r : remove_port(c, port);
}

static bool is_one_of(const LioPortal *p, const Operation *op) {
        for (size_t i = 0; i < op->n_portals; i++)
                if (lio_portal_is_canonical(p, op->portals + i) || portal_compare(&p->portal, op->portals + i) == 0)
                        return true;

        return false;
}

/* Finds what a create-port whose worker was lost has left; *RET is NULL if there is nothing, and *RET_WHY (a fresh string) is
 * what speaks against it. What we make has the canonical name; a port under any other is not ours. */
static int find_left(LioCall *c, LioNode *node, const Operation *op, LioPort **ret, char **ret_why) {
        LioPort *port = lio_node_find_port(node, (uint16_t) op->identifier, NULL);
        _cleanup_free_ char *dir = NULL;
        char name[LIO_PORT_NAME_MAX];
        const char *why = NULL;

        *ret = NULL;
        if (!port || strcmp(port->dir, lio_port_name(port->tag, name)) != 0)
                return 0;

        dir = lio_port_path(c, port);
        if (!dir)
                return -ENOMEM;
        if (count_entries(dir, "lun", "lun_") > 0)
                why = "LUNs";
        else if (count_entries(dir, "acls", "") > 0)
                why = "ACLs";
        for (size_t i = 0; i < port->n_portals && !why; i++)
                if (!is_one_of(port->portals + i, op))
                        why = port->portals[i].dir;

        *ret = why ? NULL : port;
        if (why && asprintf(ret_why, "%s has %s, so it is not what was left by a lost call; it stays", dir, why) < 0)
                return -ENOMEM;
        return 0;
}

int lio_decide_undo_port(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        _cleanup_free_ char *why = NULL;
        LioPort *port;
        int r;

        r = find_left(c, &c->plan, op, &port, &why);
        if (r >= 0 && why)
                r = texts_add(warnings, "%s", why);
        return r < 0 || !port ? r : plan_port_leaving(c, port);
}

int lio_act_undo_port(LioCall *c, const Operation *op) {
        _cleanup_free_ char *why = NULL;
        LioPort *port;
        int r;

        r = find_left(c, &c->now, op, &port, &why);
        if (why)
                log_notice("%s", why);
        return r < 0 || !port ? r : remove_port(c, port);
}

/* A portal of ours is known by the name that we wrote, also when its interface is gone or has another name. */
static int find_portal(LioCall *c, LioNode *node, const Operation *op, LioPort **ret_port, LioPortal **ret_portal,
                       Report *report) {
        uint32_t ifindex = 0;
        int r;

        *ret_portal = NULL;
        r = lio_find_port(node, op->identifier, ret_port, report);
        if (r < 0 || !*ret_port)
                return r;

        if (op->portals[0].address.zone[0])
                ifindex = interfaces_index(&c->interfaces, op->portals[0].address.zone);
        *ret_portal = lio_port_find_portal(*ret_port, op->portals, ifindex);
        return 0;
}

int lio_decide_unbind_portal(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        LioPortal *portal;
        LioPort *port;
        int r;

        r = find_portal(c, &c->plan, op, &port, &portal, report);
        return r < 0 || !portal ? r : lio_plan_leaving(c, port, portal);
}

static int undo_unbind(const Undo *u, Texts *lost) {
        return lio_portal_dir_revive(u->path);
}

int lio_act_unbind_portal(LioCall *c, const Operation *op) {
        _cleanup_free_ char *path = NULL;
        LioPortal *portal;
        LioPort *port;
        int r;

        r = find_portal(c, &c->now, op, &port, &portal, c->steps->report);
        if (r < 0 || !portal)
                return r;

        path = lio_path(c->lio->iscsi_dir, c->now.name, port->dir, "np", portal->dir, NULL);
        if (!path)
                return -ENOMEM;
        r = steps_add(c->steps, undo_unbind, path, NULL, 0, NULL);
        if (r < 0)
                return r;
        r = remove_dir(c->steps, path);
        if (r < 0)
                return r;

        lio_port_remove_portal(port, portal);
        return 0;
}

static int refuse_inside(const LioCall *c, const LioNode *node, Report *report) {
        return report_refuse(report, REFUSAL_FOREIGN_OBJECT_INSIDE,
                             "Node %s still has %zu target portal groups in the kernel (%s%s); delete them first", c->now.name,
                             node->n_ports, node->n_ports > 0 ? node->ports[0].dir : "made just now",
                             node->n_ports > 1 ? ", …" : "");
}

int lio_decide_delete_node(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        if (c->plan.n_ports > 0)
                return refuse_inside(c, &c->plan, report);

        c->plan.exists = false;
        return 0;
}

int lio_act_delete_node(LioCall *c, const Operation *op) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (!c->now.exists)
                return 0;

        path = lio_path(c->lio->iscsi_dir, c->now.name, NULL);
        if (!path)
                return -ENOMEM;
        r = step_rmdir(c->steps, path);
        if (r == -ENOTEMPTY)
                return refuse_inside(c, &c->now, c->steps->report);
        if (r < 0)
                return steps_refuse(c->steps, REFUSAL_FAILED, "remove node", path, r);

        c->now.exists = false;
        return 0;
}

int lio_decide_disable_port(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        LioPort *port;
        int r;

        r = lio_need_port(&c->plan, op->identifier, &port, report);
        return r < 0 ? r : decide_sessions(c, port, op->force, report, warnings);
}

int lio_act_disable_port(LioCall *c, const Operation *op) {
        _cleanup_free_ char *dir = NULL;
        LioPort *port;
        int r;

        r = lio_need_port(&c->now, op->identifier, &port, c->steps->report);
        if (r < 0)
                return r;

        dir = lio_port_path(c, port);
        return dir ? lio_switch_port(c->steps, dir, false) : -ENOMEM;
}

int lio_decide_check_sessions(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        int r = 0;

        for (size_t i = 0; i < c->plan.n_ports && r >= 0; i++)
                if (op->all || c->plan.ports[i].tag == op->identifier)
                        r = decide_sessions(c, c->plan.ports + i, false, report, warnings);

        return r;
}

int lio_act_check_sessions(LioCall *c, const Operation *op) {
        return 0;
}

int lio_decide_restore_contents(LioCall *c, const Operation *op, Report *report, Texts *warnings) {
        LioPort *port;

        if (!lio_snapshot_is_valid(op->snapshot ? op->snapshot : "", op->snapshot_size))
                return report_refuse(report, REFUSAL_INVALID_PARAMETER, "This is not a snapshot of a port");

        return lio_need_port(&c->plan, op->identifier, &port, report);
}

int lio_act_restore_contents(LioCall *c, const Operation *op) {
        _cleanup_(texts_done) Texts lost = {};
        _cleanup_free_ char *dir = NULL, *names = NULL;
        LioPort *port;
        int r;

        r = lio_need_port(&c->now, op->identifier, &port, c->steps->report);
        if (r < 0)
                return r;
        dir = lio_port_path(c, port);
        if (!dir)
                return -ENOMEM;

        r = lio_snapshot_apply(c->lio, c->steps, dir, op->snapshot, op->snapshot_size, &lost);
        if (r < 0 || lost.n == 0)
                return r;

        names = texts_join(&lost);
        report_note(c->steps->report, "What could not be given back to target portal group %u: %s", port->tag,
                    names ? names : "…");
        return 0;
}
