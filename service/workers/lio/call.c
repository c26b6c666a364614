/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/call.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "workers/lio/probe.h"

int lio_check_fabric(const Lio *lio, bool make, Report *report) {
        if (access(lio->target_dir, F_OK) < 0)
                return report_refuse(
                        report, REFUSAL_BACKEND_UNAVAILABLE,
                        "The kernel's target is not there: %s does not exist; mount configfs and load the kernel module "
                        "target_core_mod (\"modprobe target_core_mod\")",
                        lio->target_dir);

        if (make && access(lio->target_dir, W_OK) < 0 && errno == EROFS)
                return report_refuse(report, REFUSAL_BACKEND_UNAVAILABLE,
                                     "The kernel's target cannot be changed: %s is mounted read-only here; mount it with write "
                                     "access (\"mount -o remount,rw /sys/kernel/config\")",
                                     lio->target_dir);

        if (make && access(lio->iscsi_dir, F_OK) < 0 && mkdir(lio->iscsi_dir, 0755) < 0 && errno != EEXIST)
                return report_refuse(
                        report, REFUSAL_BACKEND_UNAVAILABLE,
                        "The kernel's iSCSI target is not there: %s cannot be made (%s); load the kernel module iscsi_target_mod "
                        "(\"modprobe iscsi_target_mod\")",
                        lio->iscsi_dir, strerror(errno));

        return 0;
}

int lio_load_listeners(uint16_t port, Listeners *ret, Report *report) {
        int r;

        r = listeners_read(port, ret);
        if (r == -ENOENT)
                return report_refuse(
                        report, REFUSAL_BACKEND_UNAVAILABLE,
                        "The kernel cannot tell which sockets listen; load its module tcp_diag (\"modprobe tcp_diag\")");
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read the listening sockets: %s", strerror(-r));

        return 0;
}

/* A call with few TCP ports asks for each of them. One with many asks for all sockets at once: the kernel walks over all sockets
 * for each question. */
#define LISTENERS_SINGLE_MAX 4u

/* The sockets on PORT, from a dump of all. */
static int select_listeners(const Listeners *all, uint16_t port, Listeners *ret) {
        Listeners l = {};

        for (size_t i = 0; i < all->n; i++) {
                if (all->items[i].port != port)
                        continue;
                if (array_grow(&l.items, l.n, sizeof(*l.items)) < 0) {
                        listeners_done(&l);
                        return -ENOMEM;
                }
                l.items[l.n++] = all->items[i];
        }

        *ret = l;
        return 0;
}

static int load_call_listeners(LioCall *c, uint16_t port, Listeners *ret, Report *report) {
        int r;

        if (c->n_listeners < LISTENERS_SINGLE_MAX)
                return lio_load_listeners(port, ret, report);

        if (!c->all_loaded) {
                r = lio_load_listeners(0, &c->all, report);
                if (r < 0)
                        return r;
                c->all_loaded = true;
        }
        return select_listeners(&c->all, port, ret);
}

int lio_call_listeners(LioCall *c, uint16_t port, Listeners **ret, Report *report) {
        LioListeners *l;
        int r;

        for (size_t i = 0; i < c->n_listeners; i++)
                if (c->listeners[i].port == port) {
                        *ret = &c->listeners[i].listeners;
                        return 0;
                }

        r = array_grow(&c->listeners, c->n_listeners, sizeof(*c->listeners));
        if (r < 0)
                return r;
        l = c->listeners + c->n_listeners;
        *l = (LioListeners){ .port = port };
        r = load_call_listeners(c, port, &l->listeners, report);
        if (r < 0)
                return r;

        c->n_listeners++;
        *ret = &l->listeners;
        return 0;
}

bool lio_call_v6_only(LioCall *c) {
        if (c->v6_only < 0)
                c->v6_only = host_is_v6_only();

        return c->v6_only;
}

int lio_find_port(const LioNode *node, uint64_t tag, LioPort **ret, Report *report) {
        LioPort *port;
        size_t n;

        port = lio_node_find_port(node, (uint16_t) tag, &n);
        if (n > 1)
                return report_refuse(report, REFUSAL_FAILED,
                                     "Node %s has %zu target portal groups with tag %u (directories %s, %s%s); another program "
                                     "made them, remove all but one",
                                     node->name, n, (unsigned) tag, port[0].dir, port[1].dir, n > 2 ? ", …" : "");

        *ret = port;
        return 0;
}

int lio_need_port(const LioNode *node, uint64_t tag, LioPort **ret, Report *report) {
        int r;

        r = lio_find_port(node, tag, ret, report);
        if (r >= 0 && !*ret)
                return report_refuse(report, REFUSAL_ENDPOINT_NON_EXISTENT,
                                     "Node %s has no target portal group with tag %u in the kernel", node->name, (unsigned) tag);

        return r;
}

char *lio_port_path(const LioCall *c, const LioPort *port) {
        return lio_path(c->lio->iscsi_dir, c->now.name, port->dir, NULL);
}
