/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* SQLite, made to fit: errors as errnos, statements prepared once, transactions that always end. */

#include "store/sql.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STRINGIFY(x) #x
#define NUMBER_TEXT(x) STRINGIFY(x)

/* Statements on objects that belong to another take that one from a SELECT: none there, none changed, and the caller knows. */
static const char *const statement_texts[_STATEMENT_MAX] = {
        /* The write lock at once: no change can then fail halfway because another process wrote first. */
        [STATEMENT_BEGIN_CHANGE] = "BEGIN IMMEDIATE",
        [STATEMENT_BEGIN_LOAD] = "BEGIN",
        [STATEMENT_COMMIT] = "COMMIT",
        [STATEMENT_ROLLBACK] = "ROLLBACK",
        [STATEMENT_OVERWRITE] = "PRAGMA user_version = " NUMBER_TEXT(STORE_VERSION),

        [STATEMENT_ADD_NODE] = "INSERT INTO node (name, alias, roles) VALUES (?1, ?2, ?3)",
        [STATEMENT_REMOVE_NODE] = "DELETE FROM node WHERE name = ?1",
        [STATEMENT_ADD_PORT] = "INSERT INTO port (node, role, identifier) SELECT id, ?2, ?3 FROM node WHERE name = ?1",
        [STATEMENT_REMOVE_PORT] = "DELETE FROM port WHERE node = (SELECT id FROM node WHERE name = ?1) AND identifier = ?2",
        [STATEMENT_ADD_BINDING] = "INSERT INTO binding (node, identifier, role, position, address, tcp_port) "
                                  "SELECT p.node, p.identifier, p.role, (SELECT IFNULL(MAX(b.position), 0) + 1 FROM binding AS b "
                                  "WHERE b.node = p.node AND b.identifier = p.identifier), ?3, ?4 "
                                  "FROM port AS p JOIN node AS n ON n.id = p.node WHERE n.name = ?1 AND p.identifier = ?2",
        [STATEMENT_REMOVE_BINDING] = "DELETE FROM binding WHERE node = (SELECT id FROM node WHERE name = ?1) AND identifier = ?2 "
                                     "AND address = ?3 AND tcp_port = ?4",
        [STATEMENT_ADD_TCP_ENDPOINT] = "INSERT INTO tcp_endpoint (address, tcp_port) VALUES (?1, ?2)",
        [STATEMENT_REMOVE_TCP_ENDPOINT] = "DELETE FROM tcp_endpoint WHERE address = ?1 AND tcp_port = ?2",
        [STATEMENT_REMOVE_MEMBERSHIPS] = "DELETE FROM member WHERE address = ?1 AND tcp_port = ?2",
        [STATEMENT_ADD_PORTAL_GROUP] = "INSERT INTO portal_group (element_name) VALUES (?1)",
        [STATEMENT_REMOVE_PORTAL_GROUP] = "DELETE FROM portal_group WHERE id = ?1 AND id > 0",
        [STATEMENT_ADD_MEMBER] = "INSERT INTO member (portal_group, address, tcp_port) "
                                 "SELECT id, ?2, ?3 FROM portal_group WHERE id = ?1 AND (id > 0 OR EXISTS "
                                 "(SELECT 1 FROM tcp_endpoint WHERE address = ?2 AND tcp_port = ?3))",
        [STATEMENT_REMOVE_MEMBER] = "DELETE FROM member WHERE portal_group = ?1 AND address = ?2 AND tcp_port = ?3",

        [STATEMENT_LOAD_PORTAL_GROUPS] = "SELECT id, element_name FROM portal_group WHERE id > 0 ORDER BY id",
        [STATEMENT_LOAD_TCP_ENDPOINTS] = "SELECT address, tcp_port FROM tcp_endpoint ORDER BY id",
        [STATEMENT_LOAD_MEMBERS] = "SELECT portal_group, address, tcp_port FROM member ORDER BY id",
        [STATEMENT_LOAD_NODES] = "SELECT name, alias, roles FROM node ORDER BY id",
        [STATEMENT_LOAD_PORTS] = "SELECT p.node, n.name, p.role, p.identifier FROM port AS p JOIN node AS n ON n.id = p.node "
                                 "ORDER BY p.node, p.identifier",
        [STATEMENT_LOAD_BINDINGS] = "SELECT address, tcp_port FROM binding WHERE node = ?1 AND identifier = ?2 ORDER BY position",
};

/* SQLite's codes say that a system call failed, not why. */
static int errno_from_system(int error) {
        switch (error) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG: /* the process' limit on the size of files */
                return -ENOSPC;
        case EROFS:
        case EACCES:
        case EPERM:
                return -EROFS;
        case ENOMEM:
        case EMFILE:
        case ENFILE:
                return -error;
        default:
                return -EIO;
        }
}

static int errno_from_sqlite(int code, int system_error) {
        if (code == SQLITE_IOERR_NOMEM)
                return -ENOMEM;

        switch (code & 0xff) {
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_READONLY:
        case SQLITE_PERM:
                return -EROFS;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
                return -EBUSY;
        case SQLITE_CONSTRAINT:
                return -EEXIST;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_ERROR: /* our SQL is constant: when it does not fit, the tables are not those of the file's version */
                return -EUCLEAN;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
                return errno_from_system(system_error);
        default:
                return -EIO;
        }
}

int store_fail_text(Store *s, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(s->error, sizeof(s->error), format, ap);
        va_end(ap);

        return error;
}

static int fail_with_cause(Store *s, int code, int system_error) {
        int primary = code & 0xff;

        if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
                system_error = 0;

        /* The connection's message may be about something else when the code did not come through it. */
        return store_fail_text(s, errno_from_sqlite(code, system_error), "%s%s%s",
                               sqlite3_extended_errcode(s->db) == code ? sqlite3_errmsg(s->db) : sqlite3_errstr(code),
                               system_error ? ": " : "", system_error ? strerror(system_error) : "");
}

int store_fail(Store *s, int code) {
        return fail_with_cause(s, code, sqlite3_system_errno(s->db));
}

/* SQLite does not keep the errno of a failed COMMIT. So errno is set to 0 before whatever may be one, and looked at first. */
static int store_fail_errno(Store *s, int code, int error) {
        return error == 0 ? store_fail(s, code) : fail_with_cause(s, code, error);
}

const char *store_last_error(Store *s) {
        return s->error;
}

int store_exec(Store *s, const char *sql) {
        int code;

        errno = 0;
        code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
        return code == SQLITE_OK ? 0 : store_fail_errno(s, code, errno);
}

int statements_prepare(Store *s) {
        for (Statement id = 0; id < _STATEMENT_MAX; id++) {
                int code;

                code = sqlite3_prepare_v3(s->db, statement_texts[id], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[id], NULL);
                if (code != SQLITE_OK)
                        return store_fail(s, code);
        }

        return 0;
}

void statements_finalize(Store *s) {
        for (Statement id = 0; id < _STATEMENT_MAX; id++) {
                (void) sqlite3_finalize(s->statements[id]);
                s->statements[id] = NULL;
        }
}

int statement_start(Store *s, Statement id, const Value *values, size_t n_values, sqlite3_stmt **ret) {
        sqlite3_stmt *statement = s->statements[id];

        /* All values outlive the statement's run: SQLITE_STATIC. */
        for (size_t i = 0; i < n_values; i++) {
                int code;

                if (values[i].text)
                        code = sqlite3_bind_text(statement, (int) i + 1, values[i].text, -1, SQLITE_STATIC);
                else
                        code = sqlite3_bind_int64(statement, (int) i + 1, values[i].number);
                if (code != SQLITE_OK)
                        return store_fail(s, code);
        }

        *ret = statement;
        return 0;
}

int statement_next(Store *s, sqlite3_stmt *statement) {
        int code;

        errno = 0;
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
                return 1;
        if (code == SQLITE_DONE)
                return 0;

        return store_fail_errno(s, code, errno);
}

int statement_run(Store *s, Statement id, const Value *values, size_t n_values) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_start(s, id, values, n_values, &statement);
        if (r < 0)
                return r;

        r = statement_next(s, statement);
        if (r < 0)
                return r;

        return sqlite3_changes(s->db);
}

/* For what comes after a failure: the first failure's message stays. */
static void statement_try(Store *s, Statement id) {
        (void) sqlite3_step(s->statements[id]);
        (void) sqlite3_reset(s->statements[id]);
}

int transaction_begin(Store *s, Statement how) {
        int moved = 0, r;

        /* SQLite would go on writing to a file that nobody finds again. */
        (void) sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
        if (moved)
                return store_fail_text(s, -ESTALE, "%s was moved or removed while it was in use", s->path);

        r = statement_run(s, how, NULL, 0);
        return r < 0 ? r : 0;
}

int transaction_end(Store *s, int result) {
        bool commit = result >= 0;

        if (commit) {
                result = statement_run(s, STATEMENT_COMMIT, NULL, 0);
                if (result >= 0)
                        return 0;
        }

        /* On some errors SQLite has rolled back already. */
        if (!sqlite3_get_autocommit(s->db))
                statement_try(s, STATEMENT_ROLLBACK);

        /* When it was only the flush that failed, the whole transaction stands in the WAL, and recovery after a crash would take it
         * for a good one. The next transaction goes to the same place, so let there be one. */
        if (commit)
                statement_try(s, STATEMENT_OVERWRITE);

        return result;
}
