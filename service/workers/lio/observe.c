/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/verbs.h"

#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "workers/lio/sessions.h"

int lio_check_sessions(const Lio *lio, const LioRequest *rq, Report *report) {
        _cleanup_(lio_node_done) LioNode node = {};
        int r;

        r = lio_check_engine(lio, false, report);
        if (r < 0)
                return r;
        r = lio_load_node(lio, rq->node, &node, report);
        if (r < 0)
                return r;

        for (size_t i = 0; i < node.n_ports; i++) {
                _cleanup_free_ char *dir = NULL;

                dir = lio_path(lio->iscsi_dir, rq->node, node.ports[i].dir, NULL);
                if (!dir)
                        return -ENOMEM;
                r = lio_check_port_sessions(dir, rq->node, node.ports[i].tag, report);
                if (r < 0)
                        return r;
        }

        return 0;
}

int lio_observe(const Lio *lio, LioTree *ret_tree, Listeners *ret_listeners, Report *report) {
        int r;

        r = lio_check_engine(lio, false, report);
        if (r < 0)
                return r;

        r = lio_tree_read(lio->iscsi_dir, ret_tree);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s: %s", lio->iscsi_dir, strerror(-r));

        return lio_load_listeners(0, ret_listeners, report);
}
