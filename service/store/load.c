/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading everything back. Nothing that stands in the file is believed: what cannot have been written by a change is damage. */

#include <errno.h>
#include <string.h>

#include "store/sql.h"

/* The text stays valid until the statement's next step. */
static int column_text(Store *s, sqlite3_stmt *statement, int column, const char **ret) {
        const char *text = NULL;

        text = (const char *) sqlite3_column_text(statement, column);
        if (!text)
                return store_fail(s, SQLITE_NOMEM); /* all columns are NOT NULL */
        if (strlen(text) != (size_t) sqlite3_column_bytes(statement, column))
                return store_fail_text(s, -EUCLEAN, "a NUL byte in a stored text");

        *ret = text;
        return 0;
}

/* Address and TCP port in two columns. */
static int column_portal(Store *s, sqlite3_stmt *statement, int column, Portal *ret) {
        char canonical[IP_ADDRESS_TEXT_MAX];
        const char *text = NULL;
        Portal p = {};
        int r;

        r = column_text(s, statement, column, &text);
        if (r < 0)
                return r;

        /* Two spellings of one address would slip through the UNIQUE constraints. */
        r = ip_address_from_text(text, &p.address);
        if (r < 0 || strcmp(ip_address_to_text(&p.address, canonical), text) != 0)
                return store_fail_text(s, -EUCLEAN, "\"%.64s\" is not the canonical text of an address", text);

        p.port = (uint16_t) sqlite3_column_int64(statement, column + 1);
        *ret = p;
        return 0;
}

static int load_portal_groups(Store *s, const StoreVisitor *visitor, void *userdata) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_start(s, STATEMENT_LOAD_PORTAL_GROUPS, NULL, 0, &statement);
        if (r < 0)
                return r;

        while ((r = statement_next(s, statement)) > 0) {
                const char *element_name = NULL;

                r = column_text(s, statement, 1, &element_name);
                if (r >= 0 && visitor->portal_group)
                        r = visitor->portal_group((uint64_t) sqlite3_column_int64(statement, 0), element_name, userdata);
                if (r < 0)
                        return r;
        }

        return r;
}

static int load_tcp_endpoints(Store *s, const StoreVisitor *visitor, void *userdata) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_start(s, STATEMENT_LOAD_TCP_ENDPOINTS, NULL, 0, &statement);
        if (r < 0)
                return r;

        while ((r = statement_next(s, statement)) > 0) {
                Portal portal;

                r = column_portal(s, statement, 0, &portal);
                if (r >= 0 && visitor->tcp_endpoint)
                        r = visitor->tcp_endpoint(&portal, userdata);
                if (r < 0)
                        return r;
        }

        return r;
}

static int load_members(Store *s, const StoreVisitor *visitor, void *userdata) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_start(s, STATEMENT_LOAD_MEMBERS, NULL, 0, &statement);
        if (r < 0)
                return r;

        while ((r = statement_next(s, statement)) > 0) {
                Portal portal;

                r = column_portal(s, statement, 1, &portal);
                if (r >= 0 && visitor->member)
                        r = visitor->member((uint64_t) sqlite3_column_int64(statement, 0), &portal, userdata);
                if (r < 0)
                        return r;
        }

        return r;
}

static int load_nodes(Store *s, const StoreVisitor *visitor, void *userdata) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_start(s, STATEMENT_LOAD_NODES, NULL, 0, &statement);
        if (r < 0)
                return r;

        while ((r = statement_next(s, statement)) > 0) {
                const char *name = NULL, *alias = NULL;

                r = column_text(s, statement, 0, &name);
                if (r >= 0)
                        r = column_text(s, statement, 1, &alias);
                if (r >= 0 && visitor->node)
                        r = visitor->node(name, alias, (unsigned) sqlite3_column_int64(statement, 2), userdata);
                if (r < 0)
                        return r;
        }

        return r;
}

/* The portals of a port, in order. *PORTALS is used again from port to port and grows as needed. */
static int load_bindings(Store *s, int64_t node, int64_t identifier, Portal **portals, size_t *n_allocated, size_t *ret_n) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        const Value values[] = { NUMBER(node), NUMBER(identifier) };
        size_t n = 0;
        int r;

        r = statement_start(s, STATEMENT_LOAD_BINDINGS, values, ELEMENTSOF(values), &statement);
        if (r < 0)
                return r;

        while ((r = statement_next(s, statement)) > 0) {
                if (n == *n_allocated) {
                        size_t wanted = MAX2(n * 2, (size_t) 8);
                        Portal *p;

                        p = reallocarray(*portals, wanted, sizeof(Portal));
                        if (!p)
                                return store_fail(s, SQLITE_NOMEM);

                        *portals = p;
                        *n_allocated = wanted;
                }

                r = column_portal(s, statement, 0, *portals + n);
                if (r < 0)
                        return r;
                n++;
        }

        *ret_n = n;
        return r;
}

static int load_ports(Store *s, const StoreVisitor *visitor, void *userdata) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        _cleanup_free_ Portal *portals = NULL;
        size_t n_allocated = 0;
        int r;

        r = statement_start(s, STATEMENT_LOAD_PORTS, NULL, 0, &statement);
        if (r < 0)
                return r;

        while ((r = statement_next(s, statement)) > 0) {
                StorePort port = {};

                r = column_text(s, statement, 1, &port.node);
                if (r < 0)
                        return r;

                r = load_bindings(s, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 3), &portals,
                                  &n_allocated, &port.n_portals);
                if (r < 0)
                        return r;

                port.role = (uint16_t) sqlite3_column_int64(statement, 2);
                port.identifier = (uint64_t) sqlite3_column_int64(statement, 3);
                port.portals = portals;

                if (visitor->port)
                        r = visitor->port(&port, userdata);
                if (r < 0)
                        return r;
        }

        return r;
}

int store_load(Store *s, const StoreVisitor *visitor, void *userdata) {
        int r;

        r = transaction_begin(s, STATEMENT_BEGIN_LOAD);
        if (r < 0)
                return r;

        r = load_portal_groups(s, visitor, userdata);
        if (r >= 0)
                r = load_tcp_endpoints(s, visitor, userdata);
        if (r >= 0)
                r = load_members(s, visitor, userdata);
        if (r >= 0)
                r = load_nodes(s, visitor, userdata);
        if (r >= 0)
                r = load_ports(s, visitor, userdata);

        return transaction_end(s, r);
}
