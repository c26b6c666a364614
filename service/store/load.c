/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading everything. Every value is validated: what no change can have written is damage. */

#include <errno.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "store/internal.h"

static int keep(Database *d, StoreImage *image, const StoreOperation *op) {
        int r;

        r = store_change_add(image->objects, op);
        if (r == -EINVAL)
                return database_fail_text(d, -EUCLEAN, "an unusable address");
        return r < 0 ? database_fail_text(d, r, "out of memory") : 0;
}

static int column_address(Database *d, sqlite3_stmt *statement, int column, IpAddress *ret) {
        char canonical[IP_ADDRESS_TEXT_MAX];
        const char *text = NULL;
        int r;

        r = statement_column_text(d, statement, column, &text);
        if (r < 0)
                return r;

        /* Two spellings of one address would slip through the UNIQUE constraints. */
        r = ip_address_from_text(text, ret);
        if (r < 0 || strcmp(ip_address_to_text(ret, canonical), text) != 0)
                return database_fail_text(d, -EUCLEAN, "\"%.64s\" is not the canonical text of an address", text);

        return 0;
}

/* Address and TCP port in two columns. */
static int column_portal(Database *d, sqlite3_stmt *statement, int column, Portal *ret) {
        Portal p = {};
        int r;

        r = column_address(d, statement, column, &p.address);
        if (r < 0)
                return r;

        p.port = (uint16_t) sqlite3_column_int64(statement, column + 1);
        *ret = p;
        return 0;
}

static int read_setting(Database *d, sqlite3_stmt *statement, StoreImage *image) {
        StoreOperation op = { .verb = STORE_SET_SETTING };
        int r;

        r = statement_column_text(d, statement, 0, &op.key);
        if (r >= 0)
                r = statement_column_text(d, statement, 1, &op.value);
        return r < 0 ? r : keep(d, image, &op);
}

static int read_portal_group(Database *d, sqlite3_stmt *statement, StoreImage *image) {
        StoreOperation op = { .verb = STORE_ADD_PORTAL_GROUP, .id = (uint64_t) sqlite3_column_int64(statement, 0) };
        int r;

        r = statement_column_text(d, statement, 1, &op.element_name);
        return r < 0 ? r : keep(d, image, &op);
}

static int read_tcp_endpoint(Database *d, sqlite3_stmt *statement, StoreImage *image) {
        Portal portal;
        int r;

        r = column_portal(d, statement, 0, &portal);
        if (r < 0)
                return r;

        return keep(d, image, &(StoreOperation){ .verb = STORE_ADD_TCP_ENDPOINT, .portals = &portal, .n_portals = 1 });
}

static int read_member(Database *d, sqlite3_stmt *statement, StoreImage *image) {
        StoreOperation op = { .verb = STORE_ADD_MEMBER, .id = (uint64_t) sqlite3_column_int64(statement, 0), .n_portals = 1 };
        Portal portal;
        int r;

        op.portals = &portal;
        r = column_portal(d, statement, 1, &portal);
        return r < 0 ? r : keep(d, image, &op);
}

static int read_address(Database *d, sqlite3_stmt *statement, StoreImage *image) {
        StoreOperation op = { .verb = STORE_ADD_ADDRESS };
        int r;

        r = column_address(d, statement, 0, &op.address);
        if (r >= 0)
                r = statement_column_text(d, statement, 1, &op.element_name);
        if (r >= 0)
                r = statement_column_text(d, statement, 2, &op.boot_id);
        return r < 0 ? r : keep(d, image, &op);
}

static int read_node(Database *d, sqlite3_stmt *statement, StoreImage *image) {
        StoreOperation op = { .verb = STORE_ADD_NODE, .roles = (unsigned) sqlite3_column_int64(statement, 2) };
        int r;

        r = statement_column_text(d, statement, 0, &op.node);
        if (r >= 0)
                r = statement_column_text(d, statement, 1, &op.alias);
        if (r >= 0)
                r = statement_column_text(d, statement, 3, &op.boot_id);
        if (r >= 0)
                r = statement_column_text(d, statement, 4, &op.drift_policy);
        return r < 0 ? r : keep(d, image, &op);
}

static int read_journal(Database *d, sqlite3_stmt *statement, StoreImage *image) {
        StoreOperation op = { .verb = STORE_ADD_JOURNAL, .id = (uint64_t) sqlite3_column_int64(statement, 0) };
        int r;

        r = statement_column_text(d, statement, 1, &op.action);
        if (r >= 0)
                r = statement_column_text(d, statement, 2, &op.before);
        return r < 0 ? r : keep(d, image, &op);
}

static int read_rows(Database *d, StoreImage *image, const char *sql, int (*read)(Database *, sqlite3_stmt *, StoreImage *)) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_prepare(d, sql, 0, &statement);
        if (r < 0)
                return r;

        while ((r = statement_next(d, statement)) > 0) {
                r = read(d, statement, image);
                if (r < 0)
                        return r;
        }

        return r;
}

/* The portals of a port are read with a statement of their own, into room that grows from port to port. */
typedef struct Bindings {
        sqlite3_stmt *statement;
        Portal *portals;
        size_t n, n_allocated;
} Bindings;

static void bindings_done(Bindings *b) {
        (void) sqlite3_finalize(b->statement);
        free(b->portals);
}

static int read_bindings(Database *d, Bindings *b, int64_t node, int64_t identifier) {
        int r;

        b->n = 0;
        (void) sqlite3_reset(b->statement);
        r = statement_bind_integer(d, b->statement, 1, node);
        if (r >= 0)
                r = statement_bind_integer(d, b->statement, 2, identifier);
        if (r < 0)
                return r;

        while ((r = statement_next(d, b->statement)) > 0) {
                if (b->n == b->n_allocated) {
                        size_t wanted = MAX2(b->n * 2, (size_t) 8);
                        Portal *p;

                        p = reallocarray(b->portals, wanted, sizeof(Portal));
                        if (!p)
                                return database_fail(d, SQLITE_NOMEM);

                        b->portals = p;
                        b->n_allocated = wanted;
                }

                r = column_portal(d, b->statement, 0, b->portals + b->n);
                if (r < 0)
                        return r;
                b->n++;
        }

        return r;
}

static int read_port(Database *d, sqlite3_stmt *statement, Bindings *b, StoreImage *image) {
        StoreOperation op = {
                .verb = STORE_ADD_PORT,
                .role = (uint16_t) sqlite3_column_int64(statement, 2),
                .identifier = (uint64_t) sqlite3_column_int64(statement, 3),
                .enabled = sqlite3_column_int64(statement, 4) != 0,
        };
        int r;

        r = read_bindings(d, b, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 3));
        if (r >= 0)
                r = statement_column_text(d, statement, 1, &op.node);
        if (r < 0)
                return r;

        op.portals = b->portals;
        op.n_portals = b->n;
        return keep(d, image, &op);
}

static int read_ports(Database *d, StoreImage *image) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        _cleanup_(bindings_done) Bindings bindings = {};
        int r;

        r = statement_prepare(
                d,
                "SELECT p.node, n.name, p.role, p.identifier, p.enabled FROM port AS p JOIN node AS n ON n.id = p.node "
                "ORDER BY p.node, p.identifier",
                0, &statement);
        if (r >= 0)
                r = statement_prepare(
                        d, "SELECT address, tcp_port FROM binding WHERE node = ?1 AND identifier = ?2 ORDER BY position", 0,
                        &bindings.statement);
        if (r < 0)
                return r;

        while ((r = statement_next(d, statement)) > 0) {
                r = read_port(d, statement, &bindings, image);
                if (r < 0)
                        return r;
        }

        return r;
}

static int read_next_ids(Database *d, StoreImage *image) {
        int64_t group = 0, journal = 0;
        int r;

        r = database_query_integer(d,
                                   "SELECT MAX((SELECT IFNULL(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'portal_group'), "
                                   "(SELECT IFNULL(MAX(id), 0) FROM portal_group)) + 1",
                                   &group);
        if (r >= 0)
                r = database_query_integer(d, "SELECT IFNULL(MAX(id), 0) + 1 FROM journal", &journal);
        if (r < 0)
                return r;

        image->next_group_id = (uint64_t) group;
        image->next_journal_id = (uint64_t) journal;
        return 0;
}

int database_load(Database *d, StoreImage **ret) {
        static const struct {
                const char *sql;
                int (*read)(Database *, sqlite3_stmt *, StoreImage *);
        } before_ports[] = {
                { "SELECT key, value FROM setting ORDER BY key", read_setting },
                { "SELECT id, element_name FROM portal_group WHERE id > 0 ORDER BY id", read_portal_group },
                { "SELECT address, tcp_port FROM tcp_endpoint ORDER BY id", read_tcp_endpoint },
                { "SELECT portal_group, address, tcp_port FROM member ORDER BY id", read_member },
                { "SELECT address, element_name, boot_id FROM address ORDER BY id", read_address },
                { "SELECT name, alias, roles, boot_id, drift_policy FROM node ORDER BY id", read_node },
        };
        _cleanup_(image_freep) StoreImage *image = NULL;
        int r;

        image = calloc(1, sizeof(StoreImage));
        if (image)
                image->objects = store_change_new();
        if (!image || !image->objects)
                return database_fail_text(d, -ENOMEM, "out of memory");

        for (size_t i = 0; i < ELEMENTSOF(before_ports); i++) {
                r = read_rows(d, image, before_ports[i].sql, before_ports[i].read);
                if (r < 0)
                        return r;
        }

        r = read_ports(d, image);
        if (r >= 0)
                r = read_rows(d, image, "SELECT id, action, before_image FROM journal ORDER BY id", read_journal);
        if (r >= 0)
                r = read_next_ids(d, image);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(image);
        return 0;
}

StoreImage *image_free(StoreImage *image) {
        if (!image)
                return NULL;

        store_change_free(image->objects);
        free(image);
        return NULL;
}

static int visit_node(const StoreOperation *op, const StoreVisitor *visitor, void *userdata) {
        StoreNode node = {
                .name = op->node,
                .alias = op->alias,
                .boot_id = op->boot_id,
                .drift_policy = op->drift_policy,
                .roles = op->roles,
        };

        return visitor->node ? visitor->node(&node, userdata) : 0;
}

static int visit_port(const StoreOperation *op, const StoreVisitor *visitor, void *userdata) {
        StorePort port = {
                .node = op->node,
                .role = op->role,
                .enabled = op->enabled,
                .identifier = op->identifier,
                .portals = op->portals,
                .n_portals = op->n_portals,
        };

        return visitor->port ? visitor->port(&port, userdata) : 0;
}

static int visit_address(const StoreOperation *op, const StoreVisitor *visitor, void *userdata) {
        StoreAddress address = { .address = &op->address, .element_name = op->element_name, .boot_id = op->boot_id };

        return visitor->address ? visitor->address(&address, userdata) : 0;
}

static int visit(const StoreOperation *op, const StoreVisitor *visitor, void *userdata) {
        switch (op->verb) {
        case STORE_SET_SETTING:
                return visitor->setting ? visitor->setting(op->key, op->value, userdata) : 0;
        case STORE_ADD_PORTAL_GROUP:
                return visitor->portal_group ? visitor->portal_group(op->id, op->element_name, userdata) : 0;
        case STORE_ADD_TCP_ENDPOINT:
                return visitor->tcp_endpoint ? visitor->tcp_endpoint(op->portals, userdata) : 0;
        case STORE_ADD_MEMBER:
                return visitor->member ? visitor->member(op->id, op->portals, userdata) : 0;
        case STORE_ADD_ADDRESS:
                return visit_address(op, visitor, userdata);
        case STORE_ADD_NODE:
                return visit_node(op, visitor, userdata);
        case STORE_ADD_PORT:
                return visit_port(op, visitor, userdata);
        default:
                return visitor->journal ? visitor->journal(op->id, op->action, op->before, userdata) : 0;
        }
}

int store_image_visit(const StoreImage *image, const StoreVisitor *visitor, void *userdata) {
        for (size_t i = 0; i < image->objects->n; i++) {
                int r;

                r = visit(image->objects->operations[i], visitor, userdata);
                if (r < 0)
                        return r;
        }

        return 0;
}

uint64_t store_image_next_group_id(const StoreImage *image) {
        return image->next_group_id;
}

uint64_t store_image_next_journal_id(const StoreImage *image) {
        return image->next_journal_id;
}

#define OF_ANOTHER_BOOT " WHERE boot_id != '' AND boot_id != ?1"

static int run_with_boot(Database *d, const char *sql, const char *boot) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_prepare(d, sql, 0, &statement);
        if (r >= 0)
                r = statement_bind_text(d, statement, 1, boot);
        return r < 0 ? r : statement_run(d, statement);
}

static int forget(Database *d, const char *boot) {
        int n_nodes, n_addresses;

        n_nodes = run_with_boot(d, "DELETE FROM node" OF_ANOTHER_BOOT, boot);
        if (n_nodes < 0)
                return n_nodes;
        n_addresses = run_with_boot(d, "DELETE FROM address" OF_ANOTHER_BOOT, boot);
        return n_addresses < 0 ? n_addresses : n_nodes + n_addresses;
}

int database_forget_other_boots(Database *d) {
        char text[SD_ID128_STRING_MAX];
        int64_t n = 0;
        sd_id128_t boot;
        int n_removed, r;

        r = database_query_integer(d,
                                   "SELECT (SELECT count(*) FROM node WHERE boot_id != '') + "
                                   "(SELECT count(*) FROM address WHERE boot_id != '')",
                                   &n);
        if (r < 0 || n == 0)
                return r;

        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return database_fail_text(d, r, "the id of this boot cannot be read: %s", strerror(-r));

        r = transaction_begin(d, CONTROL_BEGIN_CHANGE);
        if (r < 0)
                return r;

        n_removed = forget(d, sd_id128_to_string(boot, text));
        if (n_removed == 0) {
                (void) transaction_end(d, -ECANCELED);
                return 0;
        }

        r = transaction_end(d, n_removed);
        return r < 0 ? r : 1;
}
