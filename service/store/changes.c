/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Change sets, and what each verb does in the file: one row of a table. */

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "store/internal.h"

/* The fields of an operation that statements bind. */
typedef enum Field {
        FIELD_NONE,
        FIELD_NODE,
        FIELD_ALIAS,
        FIELD_BOOT_ID,
        FIELD_DRIFT_POLICY,
        FIELD_ELEMENT_NAME,
        FIELD_ACTION,
        FIELD_BEFORE,
        FIELD_KEY,
        FIELD_VALUE,
        _FIELD_TEXT_MAX,
        FIELD_ROLES = _FIELD_TEXT_MAX,
        FIELD_ROLE,
        FIELD_ENABLED,
        FIELD_IDENTIFIER,
        FIELD_ID,
        FIELD_ADDRESS,
        FIELD_PORTAL_ADDRESS,
        FIELD_PORTAL_PORT,
} Field;

static const size_t text_offsets[_FIELD_TEXT_MAX] = {
        [FIELD_NODE] = offsetof(StoreOperation, node),
        [FIELD_ALIAS] = offsetof(StoreOperation, alias),
        [FIELD_BOOT_ID] = offsetof(StoreOperation, boot_id),
        [FIELD_DRIFT_POLICY] = offsetof(StoreOperation, drift_policy),
        [FIELD_ELEMENT_NAME] = offsetof(StoreOperation, element_name),
        [FIELD_ACTION] = offsetof(StoreOperation, action),
        [FIELD_BEFORE] = offsetof(StoreOperation, before),
        [FIELD_KEY] = offsetof(StoreOperation, key),
        [FIELD_VALUE] = offsetof(StoreOperation, value),
};

/* A statement of an operation. */
typedef struct Step {
        const char *sql;
        Field fields[6];     /* ?1, ?2, …; up to FIELD_NONE */
        const char *missing; /* what is not there when no row changed; NULL: that is no failure */
} Step;

typedef struct VerbRow {
        Step steps[STORE_STEPS_MAX]; /* those that bind a portal run once for each */
        bool has_address;
} VerbRow;

#define PORT_OF "node = (SELECT id FROM node WHERE name = ?1) AND identifier = ?2"

#define ADD_BINDING                                                                                      \
        "INSERT INTO binding (node, identifier, role, position, address, tcp_port) "                     \
        "SELECT p.node, p.identifier, p.role, (SELECT IFNULL(MAX(b.position), 0) + 1 FROM binding AS b " \
        "WHERE b.node = p.node AND b.identifier = p.identifier), ?3, ?4 "                                \
        "FROM port AS p JOIN node AS n ON n.id = p.node WHERE n.name = ?1 AND p.identifier = ?2"
#define ADD_MEMBER                                                                 \
        "INSERT INTO member (portal_group, address, tcp_port) "                    \
        "SELECT id, ?2, ?3 FROM portal_group WHERE id = ?1 AND (id > 0 OR EXISTS " \
        "(SELECT 1 FROM tcp_endpoint WHERE address = ?2 AND tcp_port = ?3))"

/* Statements on objects that belong to another take that one from a SELECT: none there, none changed, and the caller knows. */
static const VerbRow rows[_STORE_VERB_MAX] = {
        [STORE_ADD_NODE] = { { {
                "INSERT INTO node (name, alias, roles, boot_id, drift_policy) "
                "VALUES (?1, IFNULL(?2, ''), ?3, IFNULL(?4, ''), IFNULL(?5, ''))",
                { FIELD_NODE, FIELD_ALIAS, FIELD_ROLES, FIELD_BOOT_ID, FIELD_DRIFT_POLICY },
        } } },
        [STORE_REMOVE_NODE] = { { { "DELETE FROM node WHERE name = ?1", { FIELD_NODE }, "node" } } },
        [STORE_SET_NODE] = { { {
                "UPDATE node SET alias = IFNULL(?2, alias), drift_policy = IFNULL(?3, drift_policy) WHERE name = ?1",
                { FIELD_NODE, FIELD_ALIAS, FIELD_DRIFT_POLICY },
                "node",
        } } },
        [STORE_ADD_PORT] = { {
                {
                        "INSERT INTO port (node, role, identifier, enabled) SELECT id, ?2, ?3, ?4 FROM node WHERE name = ?1",
                        { FIELD_NODE, FIELD_ROLE, FIELD_IDENTIFIER, FIELD_ENABLED },
                        "node",
                },
                { ADD_BINDING, { FIELD_NODE, FIELD_IDENTIFIER, FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT }, "port" },
        } },
        [STORE_REMOVE_PORT] = { { { "DELETE FROM port WHERE " PORT_OF, { FIELD_NODE, FIELD_IDENTIFIER }, "port" } } },
        [STORE_SET_PORT] = { { {
                "UPDATE port SET enabled = ?3 WHERE " PORT_OF,
                { FIELD_NODE, FIELD_IDENTIFIER, FIELD_ENABLED },
                "port",
        } } },
        [STORE_ADD_BINDING] = { { {
                ADD_BINDING,
                { FIELD_NODE, FIELD_IDENTIFIER, FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT },
                "port",
        } } },
        [STORE_REMOVE_BINDING] = { { {
                "DELETE FROM binding WHERE " PORT_OF " AND address = ?3 AND tcp_port = ?4",
                { FIELD_NODE, FIELD_IDENTIFIER, FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT },
                "binding",
        } } },
        [STORE_ADD_TCP_ENDPOINT] = { {
                { "INSERT INTO tcp_endpoint (address, tcp_port) VALUES (?1, ?2)", { FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT } },
                { ADD_MEMBER, { FIELD_ID, FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT }, "portal group" },
        } },
        [STORE_REMOVE_TCP_ENDPOINT] = { {
                {
                        "DELETE FROM tcp_endpoint WHERE address = ?1 AND tcp_port = ?2",
                        { FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT },
                        "TCP endpoint",
                },
                { "DELETE FROM member WHERE address = ?1 AND tcp_port = ?2", { FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT } },
        } },
        [STORE_ADD_ADDRESS] = {
                .steps = { {
                        "INSERT INTO address (address, element_name, boot_id) VALUES (?1, IFNULL(?2, ''), IFNULL(?3, ''))",
                        { FIELD_ADDRESS, FIELD_ELEMENT_NAME, FIELD_BOOT_ID },
                } },
                .has_address = true,
        },
        [STORE_REMOVE_ADDRESS] = {
                .steps = { { "DELETE FROM address WHERE address = ?1", { FIELD_ADDRESS }, "address" } },
                .has_address = true,
        },
        [STORE_ADD_PORTAL_GROUP] = { { {
                "INSERT INTO portal_group (id, element_name) VALUES (?1, IFNULL(?2, ''))",
                { FIELD_ID, FIELD_ELEMENT_NAME },
        } } },
        [STORE_REMOVE_PORTAL_GROUP] = { { {
                "DELETE FROM portal_group WHERE id = ?1 AND id > 0",
                { FIELD_ID },
                "portal group",
        } } },
        [STORE_ADD_MEMBER] = { { {
                ADD_MEMBER,
                { FIELD_ID, FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT },
                "portal group",
        } } },
        [STORE_REMOVE_MEMBER] = { { {
                "DELETE FROM member WHERE portal_group = ?1 AND address = ?2 AND tcp_port = ?3",
                { FIELD_ID, FIELD_PORTAL_ADDRESS, FIELD_PORTAL_PORT },
                "member",
        } } },
        [STORE_ADD_JOURNAL] = { { {
                "INSERT INTO journal (id, action, before_image) VALUES (?1, ?2, ?3)",
                { FIELD_ID, FIELD_ACTION, FIELD_BEFORE },
        } } },
        [STORE_DROP_JOURNAL] = { { { "DELETE FROM journal WHERE id = ?1", { FIELD_ID }, "journal row" } } },
        [STORE_SET_SETTING] = { { {
                "INSERT INTO setting (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                { FIELD_KEY, FIELD_VALUE },
        } } },
};

static const char *operation_text(const StoreOperation *op, Field field) {
        return *(const char *const *) ((const char *) op + text_offsets[field]);
}

static void operation_set_text(StoreOperation *op, Field field, const char *text) {
        *(const char **) ((char *) op + text_offsets[field]) = text;
}

/* One allocation: the operation, then its portals, then its texts. */
static StoreOperation *operation_copy(const StoreOperation *op) {
        size_t portals_size = op->n_portals * sizeof(Portal), size = sizeof(StoreOperation) + portals_size;
        StoreOperation *copy;
        char *p;

        for (Field f = FIELD_NONE + 1; f < _FIELD_TEXT_MAX; f++)
                if (operation_text(op, f))
                        size += strlen(operation_text(op, f)) + 1;

        copy = malloc(size);
        if (!copy)
                return NULL;

        *copy = *op;
        copy->portals = (const Portal *) (copy + 1);
        if (op->n_portals > 0)
                memcpy(copy + 1, op->portals, portals_size);

        p = (char *) (copy + 1) + portals_size;
        for (Field f = FIELD_NONE + 1; f < _FIELD_TEXT_MAX; f++)
                if (operation_text(op, f)) {
                        operation_set_text(copy, f, p);
                        p = stpcpy(p, operation_text(op, f)) + 1;
                }

        return copy;
}

StoreChange *store_change_new(void) {
        return calloc(1, sizeof(StoreChange));
}

StoreChange *store_change_free(StoreChange *c) {
        if (!c)
                return NULL;

        for (size_t i = 0; i < c->n; i++)
                free(c->operations[i]);
        free(c->operations);
        free(c);
        return NULL;
}

int store_change_add(StoreChange *c, const StoreOperation *op) {
        StoreOperation *copy;
        int r;

        /* What is written must be what reading accepts; the file cannot check that. */
        if (op->verb >= _STORE_VERB_MAX || (rows[op->verb].has_address && !ip_address_is_usable(&op->address)))
                return -EINVAL;
        for (size_t i = 0; i < op->n_portals; i++)
                if (!ip_address_is_usable(&op->portals[i].address))
                        return -EINVAL;

        r = array_grow(&c->operations, c->n, sizeof(StoreOperation *));
        if (r < 0)
                return r;

        copy = operation_copy(op);
        if (!copy)
                return -ENOMEM;

        c->operations[c->n++] = copy;
        return 0;
}

int changes_prepare(Database *d) {
        for (StoreVerb verb = 0; verb < _STORE_VERB_MAX; verb++)
                for (size_t i = 0; i < STORE_STEPS_MAX && rows[verb].steps[i].sql; i++) {
                        int r;

                        r = statement_prepare(d, rows[verb].steps[i].sql, SQLITE_PREPARE_PERSISTENT, &d->steps[verb][i]);
                        if (r < 0)
                                return r;
                }

        return 0;
}

static int64_t operation_number(const StoreOperation *op, Field field, const Portal *portal) {
        switch (field) {
        case FIELD_ROLES:
                return op->roles;
        case FIELD_ROLE:
                return op->role;
        case FIELD_ENABLED:
                return op->enabled;
        case FIELD_IDENTIFIER:
                return (int64_t) op->identifier;
        case FIELD_ID:
                return (int64_t) op->id;
        default:
                return portal->port;
        }
}

/* ADDRESS is room for the text of one. */
static int step_bind(Database *d, sqlite3_stmt *statement, const StoreOperation *op, const Step *step, const Portal *portal,
                     char address[static IP_ADDRESS_TEXT_MAX]) {
        for (size_t i = 0; i < ELEMENTSOF(step->fields) && step->fields[i] != FIELD_NONE; i++) {
                Field f = step->fields[i];
                int index = (int) i + 1, r;

                if (f < _FIELD_TEXT_MAX)
                        r = statement_bind_text(d, statement, index, operation_text(op, f));
                else if (f == FIELD_ADDRESS)
                        r = statement_bind_text(d, statement, index, ip_address_to_text(&op->address, address));
                else if (f == FIELD_PORTAL_ADDRESS)
                        r = statement_bind_text(d, statement, index, ip_address_to_text(&portal->address, address));
                else
                        r = statement_bind_integer(d, statement, index, operation_number(op, f, portal));
                if (r < 0)
                        return r;
        }

        return 0;
}

/* PORTAL: NULL for a statement without one. */
static int step_run(Database *d, size_t number, const StoreOperation *op, const Portal *portal) {
        const Step *step = &rows[op->verb].steps[number];
        sqlite3_stmt *statement = d->steps[op->verb][number];
        char address[IP_ADDRESS_TEXT_MAX];
        int r;

        r = step_bind(d, statement, op, step, portal, address);
        if (r < 0)
                return r;

        r = statement_run(d, statement);
        if (r == 0 && step->missing)
                return database_fail_text(d, -ENOENT, "no such %s", step->missing);

        return r < 0 ? r : 0;
}

static bool step_has_portal(const Step *step) {
        for (size_t i = 0; i < ELEMENTSOF(step->fields); i++)
                if (step->fields[i] == FIELD_PORTAL_ADDRESS)
                        return true;

        return false;
}

static int operation_run(Database *d, const StoreOperation *op) {
        for (size_t i = 0; i < STORE_STEPS_MAX && d->steps[op->verb][i]; i++) {
                bool has_portal = step_has_portal(&rows[op->verb].steps[i]);
                size_t n = has_portal ? op->n_portals : 1;

                for (size_t k = 0; k < n; k++) {
                        int r;

                        r = step_run(d, i, op, has_portal ? &op->portals[k] : NULL);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

int change_apply(Database *d, const StoreChange *c) {
        for (size_t i = 0; i < c->n; i++) {
                int r;

                r = operation_run(d, c->operations[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}
