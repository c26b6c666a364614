/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int lio_check_engine(const Lio *lio, bool make, Report *report) {
        if (access(lio->target_dir, F_OK) < 0)
                return report_refuse(
                        report, REFUSAL_BACKEND_UNAVAILABLE,
                        "The kernel's target is not there: %s does not exist; mount configfs and load the kernel module "
                        "target_core_mod (\"modprobe target_core_mod\")",
                        lio->target_dir);

        if (make && access(lio->iscsi_dir, F_OK) < 0 && mkdir(lio->iscsi_dir, 0755) < 0 && errno != EEXIST)
                return report_refuse(
                        report, REFUSAL_BACKEND_UNAVAILABLE,
                        "The kernel's iSCSI target is not there: %s cannot be made (%s); load the kernel module iscsi_target_mod "
                        "(\"modprobe iscsi_target_mod\")",
                        lio->iscsi_dir, strerror(errno));

        return 0;
}

int lio_load_node(const Lio *lio, const char *name, LioNode *ret, Report *report) {
        int r;

        r = lio_node_read(lio->iscsi_dir, name, ret, NULL);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s/%s: %s", lio->iscsi_dir, name, strerror(-r));

        return 0;
}

int lio_find_port(const LioNode *node, uint16_t tag, LioPort **ret, Report *report) {
        LioPort *port = NULL;
        size_t n;

        port = lio_node_find_port(node, tag, &n);
        if (n > 1)
                return report_refuse(
                        report, REFUSAL_FAILED,
                        "Node %s has %zu target portal groups with tag %u (directories %s, %s%s); another program made "
                        "them, remove "
                        "all but one",
                        node->name, n, tag, port[0].dir, port[1].dir, n > 2 ? ", …" : "");

        *ret = port;
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

int lio_begin(const Lio *lio, const char *node, bool make, Report *report, int *ret_lock_fd, LioNode *ret) {
        int r;

        r = lock_take(&lio->lock, node, lio->peer_fd, report, ret_lock_fd);
        if (r < 0)
                return r;
        r = lio_check_engine(lio, make, report);
        if (r < 0)
                return r;

        return lio_load_node(lio, node, ret, report);
}
