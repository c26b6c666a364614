/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SQLite as the store uses it: one connection, errors as errnos, statements prepared once, transactions that always end. */

#include <sqlite3.h>
#include <sys/stat.h>

#include "store/store.h"

/* The most statements that one operation runs. */
#define STORE_STEPS_MAX 2

/* What every transaction is made of. */
typedef enum Control {
        CONTROL_BEGIN_CHANGE,
        CONTROL_BEGIN_READ,
        CONTROL_COMMIT,
        CONTROL_ROLLBACK,
        CONTROL_SAVE,
        CONTROL_SAVE_RELEASE,
        CONTROL_SAVE_ROLLBACK,
        CONTROL_OVERWRITE,
        _CONTROL_MAX,
} Control;

/* How many values an operation has: the two of a portal, and its fields. */
enum {
        STORE_VALUES = 2
#define FIELD(...) +1
#include "store/stored.def"
};

/* A statement, and where the values of an operation are in it: see stored.h. */
typedef struct Prepared {
        sqlite3_stmt *statement;
        uint8_t parameters[STORE_VALUES]; /* the number of each value's parameter, counted from 1; 0: it takes none */
        uint8_t columns[STORE_VALUES];    /* the same of its column */
        bool takes_portal;
} Prepared;

typedef struct Database {
        sqlite3 *db;
        sqlite3_stmt *controls[_CONTROL_MAX];             /* prepared once, kept until the end */
        Prepared steps[_STORE_VERB_MAX][STORE_STEPS_MAX]; /* the same */
        char *path;                                       /* of the file: absolute, no symbolic link in it */
        int directory_fd;                                 /* of the directory that the file is in, or -1 */
        struct stat file;                                 /* st_dev and st_ino: which file it was when it was opened */
        char error[512];                                  /* of the last failure, printable ASCII */
} Database;

/* Keeps SQLite's message on CODE in d->error and returns CODE as a negative errno. */
int database_fail(Database *d, int code);

/* Keeps a message of our own and returns ERROR, a negative errno. */
int database_fail_text(Database *d, int error, const char *format, ...) _printf_(3, 4);

/* Runs constant SQL outside the prepared statements, results dropped. */
int database_exec(Database *d, const char *sql);

/* The first column of the first row, which there must be. */
int database_query_integer(Database *d, const char *sql, int64_t *ret);

/* Ends all statements and the connection. The rest of *D stays. */
void database_disconnect(Database *d);

/* FLAGS: SQLITE_PREPARE_PERSISTENT for a statement that is kept. */
int statement_prepare(Database *d, const char *sql, unsigned flags, sqlite3_stmt **ret);
int statement_bind_text(Database *d, sqlite3_stmt *statement, int index,
                        const char *text); /* TEXT outlives the run; NULL is NULL */
int statement_bind_integer(Database *d, sqlite3_stmt *statement, int index, int64_t number);

/* Returns 1 when there is a row, 0 behind the last, or a negative errno. */
int statement_next(Database *d, sqlite3_stmt *statement);

/* The text stays valid until the statement's next step. -EUCLEAN: it has a NUL byte in it. */
int statement_column_text(Database *d, sqlite3_stmt *statement, int column, const char **ret);

/* Runs a statement that gives no rows, and resets it. Returns how many rows it changed, or a negative errno. */
int statement_run(Database *d, sqlite3_stmt *statement);

static inline void statement_finalizep(sqlite3_stmt **statement) {
        (void) sqlite3_finalize(*statement);
}

#define _cleanup_statement_ _cleanup_(statement_finalizep)

int controls_prepare(Database *d);

/* Every transaction goes through the first two. The second takes the result so far: it commits when that is not negative and
 * rolls back otherwise, also when the commit fails, so that there never is a transaction left over. Returns 0 or the (first)
 * error. -ESTALE of the first: the file was moved or removed. */
int transaction_begin(Database *d, Control how);
int transaction_end(Database *d, int result);

/* A part of a transaction that can be undone alone. The second takes the result so far, and returns it or the error that kept the
 * part from being undone or kept. Whether the whole transaction was lost meanwhile says transaction_is_lost(). */
int transaction_part_begin(Database *d);
int transaction_part_end(Database *d, int result);
bool transaction_is_lost(Database *d);
