/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The changes: each one transaction. */

#include <errno.h>

#include "store/sql.h"

/* For statements whose WHERE names one object: none changed, so it is not there. */
static int expect_change(Store *s, int r, const char *what) {
        return r == 0 ? store_fail_text(s, -ENOENT, "no such %s", what) : r;
}

/* What is written must be what store_load() accepts; the file cannot check that. */
static int check_portal(Store *s, const Portal *portal) {
        return ip_address_is_usable(&portal->address) ? 0 : store_fail_text(s, -EINVAL, "not an address to be stored");
}

int store_add_node(Store *s, const char *name, const char *alias, unsigned roles) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        return transaction_end(s, statement_run_values(s, STATEMENT_ADD_NODE, TEXT(name), TEXT(alias), NUMBER(roles)));
}

int store_remove_node(Store *s, const char *name) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        r = statement_run_values(s, STATEMENT_REMOVE_NODE, TEXT(name));
        return transaction_end(s, expect_change(s, r, "node"));
}

static int add_binding(Store *s, const char *node, uint64_t identifier, const Portal *portal) {
        char address[IP_ADDRESS_TEXT_MAX];
        int r;

        r = check_portal(s, portal);
        if (r < 0)
                return r;

        r = statement_run_values(s, STATEMENT_ADD_BINDING, TEXT(node), NUMBER(identifier),
                                 TEXT(ip_address_to_text(&portal->address, address)), NUMBER(portal->port));
        return expect_change(s, r, "port");
}

static int add_port(Store *s, const StorePort *port) {
        int r;

        r = statement_run_values(s, STATEMENT_ADD_PORT, TEXT(port->node), NUMBER(port->role), NUMBER(port->identifier));
        r = expect_change(s, r, "node");
        if (r < 0)
                return r;

        for (size_t i = 0; i < port->n_portals; i++) {
                r = add_binding(s, port->node, port->identifier, &port->portals[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}

int store_add_port(Store *s, const StorePort *port) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        return transaction_end(s, add_port(s, port));
}

int store_remove_port(Store *s, const char *node, uint64_t identifier) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        r = statement_run_values(s, STATEMENT_REMOVE_PORT, TEXT(node), NUMBER(identifier));
        return transaction_end(s, expect_change(s, r, "port"));
}

int store_add_binding(Store *s, const char *node, uint64_t identifier, const Portal *portal) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        return transaction_end(s, add_binding(s, node, identifier, portal));
}

static int remove_binding(Store *s, const char *node, uint64_t identifier, const Portal *portal) {
        char address[IP_ADDRESS_TEXT_MAX];
        int r;

        r = check_portal(s, portal);
        if (r < 0)
                return r;

        r = statement_run_values(s, STATEMENT_REMOVE_BINDING, TEXT(node), NUMBER(identifier),
                                 TEXT(ip_address_to_text(&portal->address, address)), NUMBER(portal->port));
        return expect_change(s, r, "binding");
}

int store_remove_binding(Store *s, const char *node, uint64_t identifier, const Portal *portal) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        return transaction_end(s, remove_binding(s, node, identifier, portal));
}

#define NO_GROUP UINT64_MAX

/* Runs a statement on a portal alone (NO_GROUP), or on one as a member of a group. */
static int run_on_portal(Store *s, Statement id, uint64_t group, const Portal *portal, const char *what) {
        char address[IP_ADDRESS_TEXT_MAX];
        Value values[3];
        size_t n = 0;
        int r;

        r = check_portal(s, portal);
        if (r < 0)
                return r;

        if (group != NO_GROUP)
                values[n++] = NUMBER(group);
        values[n++] = TEXT(ip_address_to_text(&portal->address, address));
        values[n++] = NUMBER(portal->port);

        r = statement_run(s, id, values, n);
        return what ? expect_change(s, r, what) : r;
}

int store_add_tcp_endpoint(Store *s, const Portal *portal, uint64_t group) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        r = run_on_portal(s, STATEMENT_ADD_TCP_ENDPOINT, NO_GROUP, portal, NULL);
        if (r >= 0)
                r = run_on_portal(s, STATEMENT_ADD_MEMBER, group, portal, "portal group");

        return transaction_end(s, r);
}

int store_remove_tcp_endpoint(Store *s, const Portal *portal) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        r = run_on_portal(s, STATEMENT_REMOVE_TCP_ENDPOINT, NO_GROUP, portal, "TCP endpoint");
        if (r >= 0)
                r = run_on_portal(s, STATEMENT_REMOVE_MEMBERSHIPS, NO_GROUP, portal, NULL);

        return transaction_end(s, r);
}

int store_add_portal_group(Store *s, const char *element_name, uint64_t *ret_id) {
        uint64_t id;
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        r = statement_run_values(s, STATEMENT_ADD_PORTAL_GROUP, TEXT(element_name));
        id = (uint64_t) sqlite3_last_insert_rowid(s->db);

        r = transaction_end(s, r);
        if (r < 0)
                return r;

        *ret_id = id;
        return 0;
}

int store_remove_portal_group(Store *s, uint64_t id) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        r = statement_run_values(s, STATEMENT_REMOVE_PORTAL_GROUP, NUMBER(id));
        return transaction_end(s, expect_change(s, r, "portal group"));
}

static int change_member(Store *s, Statement id, uint64_t group, const Portal *portal, const char *what) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_CHANGE);
        if (r < 0)
                return r;

        return transaction_end(s, run_on_portal(s, id, group, portal, what));
}

int store_add_member(Store *s, uint64_t group, const Portal *portal) {
        return change_member(s, STATEMENT_ADD_MEMBER, group, portal, "portal group");
}

int store_remove_member(Store *s, uint64_t group, const Portal *portal) {
        return change_member(s, STATEMENT_REMOVE_MEMBER, group, portal, "member");
}
