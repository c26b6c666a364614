/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define STRINGIFY(x) #x
#define NUMBER_TEXT(x) STRINGIFY(x)

static const char set_version[] = "PRAGMA user_version = " NUMBER_TEXT(STORE_VERSION);

static const char *const control_texts[_CONTROL_MAX] = {
        /* The write lock at once: no change can then fail halfway because another process wrote first. */
        [CONTROL_BEGIN_CHANGE] = "BEGIN IMMEDIATE",
        [CONTROL_BEGIN_READ] = "BEGIN",
        [CONTROL_COMMIT] = "COMMIT",
        [CONTROL_ROLLBACK] = "ROLLBACK",
        [CONTROL_SAVE] = "SAVEPOINT part",
        [CONTROL_SAVE_RELEASE] = "RELEASE part",
        [CONTROL_SAVE_ROLLBACK] = "ROLLBACK TO part",
        [CONTROL_OVERWRITE] = set_version,
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

int database_fail_text(Database *d, int error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(d->error, sizeof(d->error), format, ap); /* NOLINT(clang-analyzer-valist.Uninitialized): two lines up */
        va_end(ap);

        /* It may quote what stands in a damaged file, and goes to terminals and onto the bus. */
        text_mask_unprintable(d->error);

        return error;
}

static int fail_with_cause(Database *d, int code, int system_error) {
        int primary = code & 0xff;

        if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
                system_error = 0;

        /* The connection's message may be about something else when the code did not come through it. */
        return database_fail_text(d, errno_from_sqlite(code, system_error), "%s%s%s",
                                  d->db && sqlite3_extended_errcode(d->db) == code ? sqlite3_errmsg(d->db) : sqlite3_errstr(code),
                                  system_error ? ": " : "", system_error ? strerror(system_error) : "");
}

int database_fail(Database *d, int code) {
        return fail_with_cause(d, code, d->db ? sqlite3_system_errno(d->db) : 0);
}

/* SQLite does not keep the errno of a failed COMMIT. So errno is set to 0 before whatever may be one, and looked at first. */
static int fail_errno(Database *d, int code, int error) {
        return error == 0 ? database_fail(d, code) : fail_with_cause(d, code, error);
}

int database_exec(Database *d, const char *sql) {
        int code;

        errno = 0;
        code = sqlite3_exec(d->db, sql, NULL, NULL, NULL);
        return code == SQLITE_OK ? 0 : fail_errno(d, code, errno);
}

int database_query_integer(Database *d, const char *sql, int64_t *ret) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_prepare(d, sql, 0, &statement);
        if (r < 0)
                return r;

        r = statement_next(d, statement);
        if (r < 0)
                return r;
        if (r == 0)
                return database_fail_text(d, -EUCLEAN, "no row for: %s", sql);

        *ret = sqlite3_column_int64(statement, 0);
        return 0;
}

void database_disconnect(Database *d) {
        for (size_t i = 0; i < ELEMENTSOF(d->controls); i++) {
                (void) sqlite3_finalize(d->controls[i]);
                d->controls[i] = NULL;
        }
        for (size_t verb = 0; verb < ELEMENTSOF(d->steps); verb++)
                for (size_t i = 0; i < ELEMENTSOF(d->steps[verb]); i++) {
                        (void) sqlite3_finalize(d->steps[verb][i].statement);
                        d->steps[verb][i].statement = NULL;
                }

        (void) sqlite3_close(d->db);
        d->db = NULL;
}

int statement_prepare(Database *d, const char *sql, unsigned flags, sqlite3_stmt **ret) {
        int code;

        code = sqlite3_prepare_v3(d->db, sql, -1, flags, ret, NULL);
        return code == SQLITE_OK ? 0 : database_fail(d, code);
}

int statement_bind_text(Database *d, sqlite3_stmt *statement, int index, const char *text) {
        int code;

        code = sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
        return code == SQLITE_OK ? 0 : database_fail(d, code);
}

int statement_bind_integer(Database *d, sqlite3_stmt *statement, int index, int64_t number) {
        int code;

        code = sqlite3_bind_int64(statement, index, number);
        return code == SQLITE_OK ? 0 : database_fail(d, code);
}

int statement_next(Database *d, sqlite3_stmt *statement) {
        int code;

        errno = 0;
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
                return 1;
        if (code == SQLITE_DONE)
                return 0;

        return fail_errno(d, code, errno);
}

int statement_column_text(Database *d, sqlite3_stmt *statement, int column, const char **ret) {
        const char *text = NULL;

        text = (const char *) sqlite3_column_text(statement, column);
        if (!text)
                return database_fail(d, SQLITE_NOMEM); /* all columns are NOT NULL */
        if (strlen(text) != (size_t) sqlite3_column_bytes(statement, column))
                return database_fail_text(d, -EUCLEAN, "a NUL byte in a stored text");

        *ret = text;
        return 0;
}

int statement_run(Database *d, sqlite3_stmt *statement) {
        int r;

        r = statement_next(d, statement);
        (void) sqlite3_reset(statement);
        return r < 0 ? r : sqlite3_changes(d->db);
}

int controls_prepare(Database *d) {
        for (Control i = 0; i < _CONTROL_MAX; i++) {
                int r;

                r = statement_prepare(d, control_texts[i], SQLITE_PREPARE_PERSISTENT, &d->controls[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* For what comes after a failure: the first failure's message stays. */
static void control_try(Database *d, Control i) {
        (void) sqlite3_step(d->controls[i]);
        (void) sqlite3_reset(d->controls[i]);
}

static bool is_our_file(const Database *d, const struct stat *st) {
        return st->st_dev == d->file.st_dev && st->st_ino == d->file.st_ino;
}

/* SQLite would go on writing to a file that nobody finds again. But a path that we may not walk any more, because someone
 * changed the mode of a directory above ours, says nothing of the file: then our directory is asked, which we have open. */
static int check_not_moved(Database *d) {
        struct stat st;
        int r;

        r = lstat(d->path, &st) < 0 ? -errno : 0;
        if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                r = fstatat(d->directory_fd, STORE_FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
        if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                return database_fail_text(d, errno_from_system(-r), "%s: %s", d->path, strerror(-r));
        if (r < 0 || !is_our_file(d, &st))
                return database_fail_text(d, -ESTALE, "it was moved or removed while it was in use");

        return 0;
}

int transaction_begin(Database *d, Control how) {
        int r;

        r = check_not_moved(d);
        if (r < 0)
                return r;

        r = statement_run(d, d->controls[how]);
        return r < 0 ? r : 0;
}

int transaction_end(Database *d, int result) {
        bool commit = result >= 0;

        if (commit) {
                result = statement_run(d, d->controls[CONTROL_COMMIT]);
                if (result >= 0)
                        return 0;
        }

        /* On some errors SQLite has rolled back already. */
        if (!sqlite3_get_autocommit(d->db))
                control_try(d, CONTROL_ROLLBACK);

        /* When it was only the flush that failed, the whole transaction stands in the WAL, and recovery after a crash would
         * take it for a good one. The next transaction goes to the same place, so let there be one. */
        if (commit)
                control_try(d, CONTROL_OVERWRITE);

        return result;
}

int transaction_part_begin(Database *d) {
        int r;

        r = statement_run(d, d->controls[CONTROL_SAVE]);
        return r < 0 ? r : 0;
}

int transaction_part_end(Database *d, int result) {
        int r;

        if (result < 0 && !transaction_is_lost(d)) {
                char error[sizeof(d->error)];

                memcpy(error, d->error, sizeof(error));
                r = statement_run(d, d->controls[CONTROL_SAVE_ROLLBACK]);
                if (r >= 0)
                        r = statement_run(d, d->controls[CONTROL_SAVE_RELEASE]);
                if (r >= 0) {
                        memcpy(d->error, error, sizeof(error));
                        return result;
                }

                /* What cannot be undone alone goes with all the rest. */
                control_try(d, CONTROL_ROLLBACK);
                return r;
        }

        if (result < 0)
                return result;

        r = statement_run(d, d->controls[CONTROL_SAVE_RELEASE]);
        if (r < 0 && !transaction_is_lost(d))
                control_try(d, CONTROL_ROLLBACK);
        return r < 0 ? r : 0;
}

bool transaction_is_lost(Database *d) {
        return sqlite3_get_autocommit(d->db) != 0;
}
