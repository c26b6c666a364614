/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "workers/open-iscsi/record-name.h"

void call_done(Call *c) {
        for (size_t i = 0; i < c->n_ports; i++) {
                record_done(&c->ports[i].now);
                free(c->ports[i].text);
        }
        free(c->ports);
        netdevs_done(&c->netdevs);
        node_ports_done(&c->all);
        records_done(&c->records);
        host_name_done(&c->host);
        *c = (Call){};
}

int call_port(Call *c, uint64_t identifier, CallPort **ret, Report *report) {
        CallPort *p;
        int r;

        for (size_t i = 0; i < c->n_ports; i++)
                if (c->ports[i].identifier == identifier) {
                        *ret = c->ports + i;
                        return 0;
                }

        r = array_grow(&c->ports, c->n_ports, sizeof(*c->ports));
        if (r < 0)
                return r;
        p = c->ports + c->n_ports;
        *p = (CallPort){ .identifier = identifier };
        record_name_make(c->node, identifier, p->file);
        r = database_read(c->at, p->file, &p->now, &p->text, report);
        if (r < 0)
                return r;

        c->n_ports++;
        p->there = p->exists = r > 0;
        if (p->now.netdev)
                (void) snprintf(p->netdev, sizeof(p->netdev), "%s", p->now.netdev);
        *ret = p;
        return 0;
}

int call_port_changed(CallPort *p, char *text) {
        record_done(&p->now);
        free(p->text);
        p->text = text;
        p->there = text != NULL;
        return text ? record_parse(p->file, text, &p->now) : 0;
}

int call_load_all(Call *c, Report *report) {
        int r;

        if (c->all_loaded)
                return 0;

        r = host_name_read(c->at->host_name, &c->host);
        if (r >= 0)
                r = database_read_all(c->at, c->cache, &c->records, report);
        if (r >= 0)
                r = node_ports_make(&c->records, c->node, &c->host, &c->all);
        c->all_loaded = r >= 0;
        return r;
}

int call_load_netdevs(Call *c, Report *report) {
        int r;

        if (c->netdevs_loaded)
                return 0;

        r = netdevs_read(&c->netdevs);
        if (r < 0 && r != -ENOMEM)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read the network interfaces: %s", strerror(-r));
        c->netdevs_loaded = r >= 0;
        return r;
}
