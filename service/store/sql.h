/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SQLite as the files of the store use it: the connection, its statements, and the one way of a transaction. */

#include <sqlite3.h>

#include "store/store.h"

typedef enum Statement {
        STATEMENT_BEGIN_CHANGE,
        STATEMENT_BEGIN_LOAD,
        STATEMENT_COMMIT,
        STATEMENT_ROLLBACK,
        STATEMENT_OVERWRITE,

        STATEMENT_ADD_NODE,
        STATEMENT_REMOVE_NODE,
        STATEMENT_ADD_PORT,
        STATEMENT_REMOVE_PORT,
        STATEMENT_ADD_BINDING,
        STATEMENT_REMOVE_BINDING,
        STATEMENT_ADD_TCP_ENDPOINT,
        STATEMENT_REMOVE_TCP_ENDPOINT,
        STATEMENT_REMOVE_MEMBERSHIPS,
        STATEMENT_ADD_PORTAL_GROUP,
        STATEMENT_REMOVE_PORTAL_GROUP,
        STATEMENT_ADD_MEMBER,
        STATEMENT_REMOVE_MEMBER,

        STATEMENT_LOAD_PORTAL_GROUPS,
        STATEMENT_LOAD_TCP_ENDPOINTS,
        STATEMENT_LOAD_MEMBERS,
        STATEMENT_LOAD_NODES,
        STATEMENT_LOAD_PORTS,
        STATEMENT_LOAD_BINDINGS,
        _STATEMENT_MAX,
} Statement;

struct Store {
        sqlite3 *db;
        sqlite3_stmt *statements[_STATEMENT_MAX]; /* prepared once, kept until the end */
        char *path;                               /* of the file: absolute, no symbolic link in it */
        char error[256];                          /* of the last failure */
};

/* A parameter of a statement: TEXT, or NUMBER if that is NULL. */
typedef struct Value {
        const char *text;
        int64_t number;
} Value;

#define TEXT(t) ((Value){ .text = (t) })
#define NUMBER(n) ((Value){ .number = (int64_t) (n) })

/* Keeps SQLite's message on CODE for store_last_error() and returns CODE as a negative errno. */
int store_fail(Store *s, int code);

/* Keeps a message of our own and returns ERROR, a negative errno. */
int store_fail_text(Store *s, int error, const char *format, ...) _printf_(3, 4);

/* Runs constant SQL outside the prepared statements, results dropped. */
int store_exec(Store *s, const char *sql);

int statements_prepare(Store *s);
void statements_finalize(Store *s);

/* Binds the values and leaves the statement before its first row. The caller ends it with sqlite3_reset(). */
int statement_start(Store *s, Statement id, const Value *values, size_t n_values, sqlite3_stmt **ret);

/* Returns 1 when there is a row, 0 behind the last, or a negative errno. */
int statement_next(Store *s, sqlite3_stmt *statement);

static inline void statement_endp(sqlite3_stmt **statement) {
        if (*statement)
                (void) sqlite3_reset(*statement);
}

#define _cleanup_statement_ _cleanup_(statement_endp)

/* Runs a statement that gives no rows. Returns how many rows it changed, or a negative errno. */
int statement_run(Store *s, Statement id, const Value *values, size_t n_values);

#define statement_run_values(s, id, ...) \
        statement_run(s, id, (const Value[]){ __VA_ARGS__ }, ELEMENTSOF(((const Value[]){ __VA_ARGS__ })))

/* Every transaction goes through these two. The second takes the result so far: it commits when that is not negative and rolls back
 * otherwise, also when the commit fails, so that there never is a transaction left over. Returns 0 or the (first) error. */
int transaction_begin(Store *s, Statement how);
int transaction_end(Store *s, int result);
