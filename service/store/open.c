/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opening: the directory, the file, what is done about a damaged one. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/log.h"
#include "store/migrations.h"
#include "store/sql.h"

static void restore_umaskp(mode_t *mask) {
        (void) umask(*mask);
}

/* Makes the directory if need be. *RET_PATH is the path of the file in it, without symbolic links: SQLite is told to follow none. */
static int open_directory(const char *directory, int *ret_fd, char **ret_path) {
        _cleanup_(restore_umaskp) _unused_ mode_t mask = umask(0077);
        _cleanup_free_ char *real = NULL, *path = NULL;
        _cleanup_close_ int fd = -1;
        bool made;

        made = mkdir(directory, 0700) >= 0;
        if (!made && errno != EEXIST)
                return -errno;

        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        /* A new name is on disk only when its directory is. */
        if (made) {
                _cleanup_close_ int parent = -1;

                parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (parent < 0 || fsync(parent) < 0)
                        return -errno;
        }

        real = realpath(directory, NULL);
        if (!real)
                return -errno;
        if (asprintf(&path, "%s/%s", real, STORE_FILE_NAME) < 0) {
                path = NULL;
                return -ENOMEM;
        }

        *ret_fd = TAKE_FD(fd);
        *ret_path = TAKE_PTR(path);
        return 0;
}

/* Makes sure of a regular file that can be written. SQLite gives its -wal and -shm the mode of the file itself. */
static int ensure_file(int directory_fd, struct stat *ret) {
        _cleanup_(restore_umaskp) _unused_ mode_t mask = umask(0077);
        _cleanup_close_ int fd = -1;
        struct stat st;

        /* Only a file that we make is opened here: closing a file drops all locks that this process holds on it. */
        fd = openat(directory_fd, STORE_FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
                return -errno;
        if (fd >= 0 && fsync(directory_fd) < 0)
                return -errno;

        if (fstatat(directory_fd, STORE_FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (S_ISLNK(st.st_mode))
                return -ELOOP;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;

        /* SQLite's own words for this would be "unable to open database file". */
        if (faccessat(directory_fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ||
            faccessat(directory_fd, STORE_FILE_NAME, R_OK | W_OK, AT_EACCESS) < 0)
                return -errno;

        *ret = st;
        return 0;
}

static bool wal_has_content(int directory_fd) {
        struct stat wal;

        return fstatat(directory_fd, STORE_FILE_NAME "-wal", &wal, AT_SYMLINK_NOFOLLOW) >= 0 && wal.st_size > 0;
}

/* Moves the damaged file out of the way with what belongs to it. The file goes first: a crash after that leaves a WAL without its
 * file, which counts as damage again, so that nothing is lost and the caller gets to know. */
static int keep_aside(Store *s, int directory_fd, char **ret) {
        static const char *const suffixes[] = { "", "-wal", "-journal" };
        _cleanup_free_ char *path = NULL;
        struct timespec now;
        char stamp[32];
        struct tm utc;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        if (!gmtime_r(&now.tv_sec, &utc) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &utc) == 0)
                return -EOVERFLOW;
        if (asprintf(&path, "%s.damaged-%s.%06ldZ", s->path, stamp, now.tv_nsec / 1000) < 0) {
                path = NULL;
                return -ENOMEM;
        }

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                char from[sizeof(STORE_FILE_NAME "-journal")], to[NAME_MAX];

                (void) snprintf(from, sizeof(from), STORE_FILE_NAME "%s", suffixes[i]);
                (void) snprintf(to, sizeof(to), "%s%s", strrchr(path, '/') + 1, suffixes[i]);
                if (renameat(directory_fd, from, directory_fd, to) < 0 && errno != ENOENT)
                        return -errno;
        }

        /* The index of the WAL that went away. Who still has the old file open has it mapped; the new file must not share it. */
        if (unlinkat(directory_fd, STORE_FILE_NAME "-shm", 0) < 0 && errno != ENOENT)
                return -errno;
        if (fsync(directory_fd) < 0)
                return -errno;

        *ret = TAKE_PTR(path);
        return 0;
}

static void disconnect(Store *s) {
        statements_finalize(s);
        (void) sqlite3_close(s->db);
        s->db = NULL;
}

static int query_integer(Store *s, const char *sql, int *ret) {
        sqlite3_stmt *statement = NULL;
        int code;

        code = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(statement);
        if (code != SQLITE_ROW) {
                int r = store_fail(s, code);

                (void) sqlite3_finalize(statement);
                return r;
        }

        *ret = sqlite3_column_int(statement, 0);
        (void) sqlite3_finalize(statement);
        return 0;
}

/* Until the file is known to be good and ours, closing it must not write the WAL back into it. */
static int connect_cautiously(Store *s) {
        static const struct {
                int option, value;
        } options[] = {
                { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 }, { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
                { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },   { SQLITE_DBCONFIG_DEFENSIVE, 1 },
                { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },   { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        };
        int code;

        code = sqlite3_open_v2(s->path, &s->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
        if (code != SQLITE_OK)
                return store_fail(s, code);

        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                code = sqlite3_db_config(s->db, options[i].option, options[i].value, NULL);
                if (code != SQLITE_OK)
                        return store_fail(s, code);
        }

        code = sqlite3_busy_timeout(s->db, STORE_BUSY_MSEC);
        return code == SQLITE_OK ? 0 : store_fail(s, code);
}

static int check_version(Store *s, int *ret) {
        int version = 0, n_tables = 0, r;

        r = query_integer(s, "PRAGMA user_version", &version);
        if (r < 0)
                return r;
        if (version > STORE_VERSION)
                return store_fail_text(s, -EPROTONOSUPPORT, "it has version %d, this program knows up to %d", version,
                                       STORE_VERSION);
        if (version < 0)
                return store_fail_text(s, -EUCLEAN, "it has version %d", version);

        /* Each migration sets its version together with its tables, so without a version there are none of ours. */
        r = query_integer(s, "SELECT count(*) FROM sqlite_schema", &n_tables);
        if (r < 0)
                return r;
        if (version == 0 && n_tables > 0)
                return store_fail_text(s, -EUCLEAN, "it has tables but no version");

        *ret = version;
        return 0;
}

static int use_wal(Store *s) {
        sqlite3_stmt *statement = NULL;
        const char *mode;
        int code, r = 0;

        code = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
                r = store_fail(s, code);
        else {
                mode = (const char *) sqlite3_column_text(statement, 0);
                if (!mode)
                        r = store_fail(s, SQLITE_NOMEM);
                else if (strcmp(mode, "wal") != 0)
                        r = store_fail_text(s, -EOPNOTSUPP, "its file system has no shared memory for a write-ahead log");
        }

        (void) sqlite3_finalize(statement);
        if (r < 0)
                return r;

        /* The index of the WAL is made by the first access. Let it be this one: when there is no room for it, opening fails, and
         * once open, the store can be read on a full disk. */
        return store_exec(s, "SELECT count(*) FROM sqlite_schema");
}

/* Ends with -EUCLEAN on damage, and then with nothing written. */
static int connect_store(Store *s) {
        static const StoreVisitor nothing = {};
        int version = 0, code, r;

        r = connect_cautiously(s);
        if (r < 0)
                return r;

        r = check_version(s, &version);
        if (r < 0)
                return r;

        /* The file's modes were looked at before: this is a header that names a format newer than this SQLite can write. */
        if (sqlite3_db_readonly(s->db, "main") != 0)
                return store_fail_text(s, -EPROTONOSUPPORT, "SQLite %s can only read this file", sqlite3_libversion());

        /* The cache is small because the whole daemon is to be; the model, not SQLite, answers all questions. Files for sorting
         * and the like would go to /var/tmp, which the service does not have. */
        r = store_exec(
                s,
                "PRAGMA synchronous = FULL; PRAGMA cache_size = -256; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON");
        if (r < 0)
                return r;

        r = store_check(s);
        if (r < 0)
                return r;

        r = store_migrate(s, version, STORE_VERSION);
        if (r < 0)
                return r;

        r = statements_prepare(s);
        if (r < 0)
                return r;

        r = store_load(s, &nothing, NULL);
        if (r < 0)
                return r;

        r = use_wal(s);
        if (r < 0)
                return r;

        code = sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        return code == SQLITE_OK ? 0 : store_fail(s, code);
}

static const char *way_out(int error) {
        switch (error) {
        case -ENOSPC:
        case -EDQUOT:
                return "make room on its file system";
        case -EROFS:
        case -EACCES:
        case -EPERM:
                return "make the directory and its files writable for the service's user";
        case -EBUSY:
                return "end the program that holds it open";
        case -EPROTONOSUPPORT:
                return "use the version of this service that wrote it, or move it away to start anew";
        case -EOPNOTSUPP:
                return "put the directory on a local file system";
        case -ELOOP:
        case -EISDIR:
        case -EINVAL:
                return "put a regular file there, or nothing";
        case -ENOENT:
        case -ENOTDIR:
                return "name a directory whose parent exists";
        case -EMFILE:
        case -ENFILE:
                return "raise the limit on open files";
        default:
                return "look for the reason in the kernel's log";
        }
}

/* What is done once, and after keeping a damaged file aside, once more. */
static int open_file(Store *s, int directory_fd) {
        struct stat st = {};
        int r;

        r = ensure_file(directory_fd, &st);
        if (r < 0)
                return store_fail_text(s, r, "no usable file");

        /* Our WAL never belongs to an empty file, and SQLite would delete it. A single byte is empty, too, to SQLite. */
        if (st.st_size <= 1 && wal_has_content(directory_fd))
                return store_fail_text(s, -EUCLEAN, "it is empty, but has a write-ahead log");

        r = connect_store(s);
        if (r < 0) {
                /* Looking into a file whose WAL was away makes an empty one; closing in the normal way takes it away again. */
                if (s->db && !wal_has_content(directory_fd))
                        (void) sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
                disconnect(s);
        }
        return r;
}

int store_open(const char *directory, Store **ret, char **ret_damaged) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_free_ char *damaged = NULL;
        _cleanup_close_ int directory_fd = -1;
        int r;

        s = calloc(1, sizeof(Store));
        if (!s)
                return log_oom();

        r = open_directory(directory, &directory_fd, &s->path);
        if (r < 0)
                return log_error_errno(r, "Cannot use the directory %s for the store (%s)", directory, way_out(r));

        r = open_file(s, directory_fd);
        if (r == -EUCLEAN) {
                log_error("The store %s is damaged: %s", s->path, s->error);

                r = keep_aside(s, directory_fd, &damaged);
                if (r < 0)
                        return log_error_errno(r, "Cannot move the damaged store %s aside (%s)", s->path, way_out(r));

                log_warning("The damaged store is kept as %s, and a new, empty one is begun. "
                            "To go back to a backup, stop the service and put it in place of %s",
                            damaged, s->path);
                r = open_file(s, directory_fd);
        }
        if (r < 0)
                return log_error_errno(r, "Cannot open the store %s: %s (%s)", s->path, s->error, way_out(r));

        *ret = TAKE_PTR(s);
        *ret_damaged = TAKE_PTR(damaged);
        return 0;
}

Store *store_close(Store *s) {
        if (!s)
                return NULL;

        disconnect(s);
        free(s->path);
        free(s);
        return NULL;
}
