/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/stored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const StoredKind stored_kinds[_STORED_MAX] = {
#define STORED(KIND, name, ...) [STORED_##KIND] = { __VA_ARGS__ },
#include "store/stored.def"
};

const StoredKind *verb_kind(StoreVerb verb) {
        return stored_kinds + verb / _STORE_ACTION_MAX;
}

const Step *verb_steps(StoreVerb verb) {
        const Step *steps;

        if (verb >= _STORE_VERB_MAX)
                return NULL;

        switch (verb % _STORE_ACTION_MAX) {
        case STORE_ACTION_ADD:
                steps = verb_kind(verb)->add;
                break;
        case STORE_ACTION_SET:
                steps = verb_kind(verb)->set;
                break;
        default:
                steps = verb_kind(verb)->remove;
        }
        return steps->sql ? steps : NULL;
}

typedef enum ValueType {
        VALUE_TEXT,
        VALUE_BOOL,
        VALUE_16,
        VALUE_32,
        VALUE_64,
        VALUE_ADDRESS,
        VALUE_PORTAL_ADDRESS,
        VALUE_PORTAL_PORT,
} ValueType;

#define VALUE_TYPE(x) \
        _Generic((x), const char *: VALUE_TEXT, bool: VALUE_BOOL, uint16_t: VALUE_16, unsigned: VALUE_32, uint64_t: VALUE_64, \
                 IpAddress: VALUE_ADDRESS)

static const struct {
        const char *parameter; /* behind the colon: its name as a column */
        ValueType type;
        size_t offset; /* in StoreOperation */
} values[STORE_VALUES] = {
#define FIELD(c_type, field) { ":" #field, VALUE_TYPE(((StoreOperation *) NULL)->field), offsetof(StoreOperation, field) },
#include "store/stored.def"
        { ":portal_address", VALUE_PORTAL_ADDRESS, 0 },
        { ":portal_port", VALUE_PORTAL_PORT, 0 },
};

static void find_parameters(Prepared *p) {
        for (size_t v = 0; v < STORE_VALUES; v++) {
                p->parameters[v] = (uint8_t) sqlite3_bind_parameter_index(p->statement, values[v].parameter);
                p->takes_portal = p->takes_portal || (p->parameters[v] && values[v].type == VALUE_PORTAL_ADDRESS);
        }
}

static int find_columns(Database *d, Prepared *p) {
        for (int c = 0; c < sqlite3_column_count(p->statement); c++) {
                const char *name = sqlite3_column_name(p->statement, c);

                if (!name)
                        return database_fail(d, SQLITE_NOMEM);
                for (size_t v = 0; v < STORE_VALUES; v++)
                        if (strcmp(values[v].parameter + 1, name) == 0)
                                p->columns[v] = (uint8_t) (c + 1);
        }

        return 0;
}

int prepared_new(Database *d, const char *sql, unsigned flags, Prepared *ret) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        Prepared p = {};
        int r;

        r = statement_prepare(d, sql, flags, &statement);
        if (r < 0)
                return r;

        p.statement = statement;
        find_parameters(&p);
        r = find_columns(d, &p);
        if (r < 0)
                return r;

        statement = NULL;
        *ret = p;
        return 0;
}

static int64_t value_number(const void *value, ValueType type) {
        const uint64_t *number = value;

        switch (type) {
        case VALUE_BOOL:
                return *(const bool *) value;
        case VALUE_16:
                return *(const uint16_t *) value;
        case VALUE_32:
                return *(const unsigned *) value;
        default:
                return (int64_t) *number;
        }
}

int prepared_bind(Database *d, const Prepared *p, const StoreOperation *op, const Portal *portal, BindRoom *room) {
        for (size_t v = 0; v < STORE_VALUES; v++) {
                const void *value = (const char *) op + values[v].offset;
                int index = p->parameters[v], r;

                if (index == 0)
                        continue;

                switch (values[v].type) {
                case VALUE_TEXT:
                        r = statement_bind_text(d, p->statement, index, *(const char *const *) value);
                        break;
                case VALUE_ADDRESS:
                        r = statement_bind_text(d, p->statement, index, ip_address_to_text(value, room->address));
                        break;
                case VALUE_PORTAL_ADDRESS:
                        r = statement_bind_text(d, p->statement, index,
                                                ip_address_to_text(&portal->address, room->portal_address));
                        break;
                case VALUE_PORTAL_PORT:
                        r = statement_bind_integer(d, p->statement, index, portal->port);
                        break;
                default:
                        r = statement_bind_integer(d, p->statement, index, value_number(value, values[v].type));
                }
                if (r < 0)
                        return r;
        }

        return 0;
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

static void read_number(void *value, ValueType type, int64_t number) {
        switch (type) {
        case VALUE_BOOL:
                *(bool *) value = number != 0;
                break;
        case VALUE_16:
                *(uint16_t *) value = (uint16_t) number;
                break;
        case VALUE_32:
                *(unsigned *) value = (unsigned) number;
                break;
        default:
                *(uint64_t *) value = (uint64_t) number;
        }
}

int prepared_read(Database *d, const Prepared *p, StoreOperation *op, Portal *portal) {
        int has_portal = 0;

        for (size_t v = 0; v < STORE_VALUES; v++) {
                void *value = (char *) op + values[v].offset;
                int column = p->columns[v] - 1, r = 0;

                if (column < 0)
                        continue;

                switch (values[v].type) {
                case VALUE_TEXT:
                        r = statement_column_text(d, p->statement, column, value);
                        break;
                case VALUE_ADDRESS:
                        r = column_address(d, p->statement, column, value);
                        break;
                case VALUE_PORTAL_ADDRESS:
                        *portal = (Portal){};
                        r = column_address(d, p->statement, column, &portal->address);
                        has_portal = 1;
                        break;
                case VALUE_PORTAL_PORT:
                        portal->port = (uint16_t) sqlite3_column_int64(p->statement, column);
                        break;
                default:
                        read_number(value, values[v].type, sqlite3_column_int64(p->statement, column));
                }
                if (r < 0)
                        return r;
        }

        return has_portal;
}

StoreOperation *operation_copy(const StoreOperation *op) {
        size_t portals_size = op->n_portals * sizeof(Portal), size = sizeof(StoreOperation) + portals_size;
        StoreOperation *copy;
        char *p;

        for (size_t v = 0; v < STORE_VALUES; v++) {
                const char *const *text = (const void *) ((const char *) op + values[v].offset);

                if (values[v].type == VALUE_TEXT && *text)
                        size += strlen(*text) + 1;
        }

        copy = malloc(size);
        if (!copy)
                return NULL;

        /* The operation, then its portals, then its texts. */
        *copy = *op;
        copy->portals = (const Portal *) (copy + 1);
        if (op->n_portals > 0)
                memcpy(copy + 1, op->portals, portals_size);

        p = (char *) (copy + 1) + portals_size;
        for (size_t v = 0; v < STORE_VALUES; v++) {
                const char **text = (void *) ((char *) copy + values[v].offset);

                if (values[v].type == VALUE_TEXT && *text) {
                        const char *from = *text;

                        *text = p;
                        p = stpcpy(p, from) + 1;
                }
        }

        return copy;
}
