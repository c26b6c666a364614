/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opening: the directory, the file, its version, its checks. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"
#include "store/migrations.h"

#define COPY_FILE_NAME STORE_FILE_NAME ".before-v" NUMBER_TEXT(STORE_VERSION)
#define NEW_COPY_FILE_NAME COPY_FILE_NAME ".new"
#define STRINGIFY(x) #x
#define NUMBER_TEXT(x) STRINGIFY(x)

/* Takes the file as it is, if there is one. *RET_ABSENT: there is none. */
static int look_at_file(Database *d, bool *ret_absent) {
        struct stat st;

        *ret_absent = false;
        if (fstatat(d->directory_fd, STORE_FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno != ENOENT)
                        return database_fail_text(d, -errno, "%s", strerror(errno));
                *ret_absent = true;
                return 0;
        }
        if (S_ISLNK(st.st_mode))
                return database_fail_text(d, -ELOOP, "it is a symbolic link");
        if (S_ISDIR(st.st_mode))
                return database_fail_text(d, -EISDIR, "it is a directory");
        if (!S_ISREG(st.st_mode))
                return database_fail_text(d, -EINVAL, "it is no regular file");

        /* SQLite would make a database of it. We make a new file only under another name, so an empty one is not ours. */
        if (st.st_size <= 1)
                return database_fail_text(d, -EUCLEAN, "it is empty");

        /* SQLite's own words for this would be "unable to open database file". */
        if (faccessat(d->directory_fd, ".", W_OK | X_OK, AT_EACCESS) < 0 ||
            faccessat(d->directory_fd, STORE_FILE_NAME, R_OK | W_OK, AT_EACCESS) < 0)
                return database_fail_text(d, -errno, "%s", strerror(errno));

        d->file = st;
        return 0;
}

static int begin_absent(Database *d, bool may_begin) {
        _cleanup_free_ char *remains = NULL;
        int r;

        if (!may_begin)
                return database_fail_text(d, -ESTALE, "it was moved or removed");

        r = state_directory_find_remains(d->directory_fd, &remains);
        if (r < 0)
                return database_fail_text(d, r, "%s", strerror(-r));
        if (remains)
                return database_fail_text(d, -ENODATA, "there is %s, but not the file itself", remains);

        return database_begin(d);
}

/* Until the file is known to be good and ours, closing it must not write the WAL back into it. */
static int connect_cautiously(Database *d) {
        static const struct {
                int option, value;
        } options[] = {
                { SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 }, { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
                { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },   { SQLITE_DBCONFIG_DEFENSIVE, 1 },
                { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },   { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        };
        int code;

        code = sqlite3_open_v2(d->path, &d->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
        if (code != SQLITE_OK)
                return database_fail(d, code);

        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                code = sqlite3_db_config(d->db, options[i].option, options[i].value, NULL);
                if (code != SQLITE_OK)
                        return database_fail(d, code);
        }

        code = sqlite3_busy_timeout(d->db, STORE_BUSY_MSEC);
        return code == SQLITE_OK ? 0 : database_fail(d, code);
}

static int recognise(Database *d, int *ret_version) {
        int r;

        r = database_recognise(d, ret_version);
        if (r < 0)
                return r;

        /* The file's modes were looked at before: this is a header that names a format newer than this SQLite can write. */
        if (sqlite3_db_readonly(d->db, "main") != 0)
                return database_fail_text(d, -EPROTONOSUPPORT, "SQLite %s can only read this file", sqlite3_libversion());

        return 0;
}

static int copy_into(Database *d, const char *path) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        int r;

        r = statement_prepare(d, "VACUUM INTO ?1", 0, &statement);
        if (r >= 0)
                r = statement_bind_text(d, statement, 1, path);
        return r < 0 ? r : statement_run(d, statement);
}

/* SQLite neither flushes such a copy nor gives it a mode of our choice. It has a name of its own until the migration stands. */
static int make_copy(Database *d) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        if (asprintf(&path, "%s%s", d->path, NEW_COPY_FILE_NAME + strlen(STORE_FILE_NAME)) < 0) {
                path = NULL;
                return database_fail_text(d, -ENOMEM, "out of memory");
        }

        if (unlinkat(d->directory_fd, NEW_COPY_FILE_NAME, 0) < 0 && errno != ENOENT)
                return database_fail_text(d, -errno, "cannot remove %s: %s", path, strerror(errno));
        fd = openat(d->directory_fd, NEW_COPY_FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return database_fail_text(d, -errno, "cannot make %s: %s", path, strerror(errno));

        r = copy_into(d, path);
        if (r < 0)
                return r;

        return fsync(fd) < 0 ? database_fail_text(d, -errno, "cannot keep %s: %s", path, strerror(errno)) : 0;
}

/* The last step before a migration is committed: its result can be read, and the copy is in its place. */
static int accept_migration(Database *d) {
        StoreImage *image = NULL;
        int r;

        r = database_load(d, &image);
        image_free(image);
        if (r < 0)
                return r;

        if (renameat(d->directory_fd, NEW_COPY_FILE_NAME, d->directory_fd, COPY_FILE_NAME) < 0 || fsync(d->directory_fd) < 0)
                return database_fail_text(d, -errno, "cannot keep a copy of it: %s", strerror(errno));

        return 0;
}

static int migrate(Database *d, int version) {
        int r;

        if (version == STORE_VERSION)
                return 0;

        r = make_copy(d);
        if (r >= 0)
                r = database_migrate(d, store_migrations, version, STORE_VERSION, accept_migration);
        if (r < 0)
                (void) unlinkat(d->directory_fd, NEW_COPY_FILE_NAME, 0);
        return r;
}

static int use_wal(Database *d) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        const char *mode = NULL;
        int r;

        r = statement_prepare(d, "PRAGMA journal_mode = WAL", 0, &statement);
        if (r >= 0)
                r = statement_next(d, statement);
        if (r > 0)
                r = statement_column_text(d, statement, 0, &mode);
        if (r < 0)
                return r;
        if (!mode || strcmp(mode, "wal") != 0)
                return database_fail_text(d, -EOPNOTSUPP, "its file system has no shared memory for a write-ahead log");

        /* The index of the WAL is made by the first access. Let it be this one: when there is no room for it, opening fails, and
         * once open, the store can be read on a full disk. */
        return database_exec(d, "SELECT count(*) FROM sqlite_schema");
}

/* What is left to do once the file is known to be good. */
static int put_in_order(Database *d, StoreImage **image) {
        int code, r;

        r = use_wal(d);
        if (r >= 0)
                r = database_mark(d);
        if (r >= 0)
                r = database_forget_other_boots(d);
        if (r < 0)
                return r;

        if (r > 0) {
                *image = image_free(*image);
                r = database_load(d, image);
                if (r < 0)
                        return r;
        }

        code = sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        return code == SQLITE_OK ? 0 : database_fail(d, code);
}

/* Ends with -EUCLEAN on damage, and then with nothing written. */
static int connect_store(Database *d, StoreImage **ret_image) {
        _cleanup_(image_freep) StoreImage *image = NULL;
        int version = 0, r;

        r = connect_cautiously(d);
        if (r >= 0)
                r = recognise(d, &version);
        if (r < 0)
                return r;

        /* The cache is small because the whole daemon is to be; the model, not SQLite, answers all questions. Files for sorting
         * and the like would go to /var/tmp, which the service does not have. */
        r = database_exec(
                d,
                "PRAGMA synchronous = FULL; PRAGMA cache_size = -256; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON");
        if (r >= 0)
                r = database_check(d);
        if (r >= 0)
                r = migrate(d, version);
        if (r >= 0)
                r = controls_prepare(d);
        if (r >= 0)
                r = changes_prepare(d);
        if (r >= 0)
                r = database_load(d, &image);
        if (r >= 0)
                r = put_in_order(d, &image);
        if (r < 0)
                return r;

        *ret_image = TAKE_PTR(image);
        return 0;
}

static bool wal_has_content(int directory_fd) {
        struct stat wal;

        return fstatat(directory_fd, STORE_FILE_NAME "-wal", &wal, AT_SYMLINK_NOFOLLOW) >= 0 && wal.st_size > 0;
}

static int open_file(Database *d, bool may_begin, StoreImage **ret_image) {
        bool absent;
        int r;

        r = look_at_file(d, &absent);
        if (r >= 0 && absent) {
                r = begin_absent(d, may_begin);
                if (r >= 0)
                        r = look_at_file(d, &absent);
                if (r >= 0 && absent)
                        r = database_fail_text(d, -ESTALE, "it was removed as soon as it had been made");
        }
        if (r < 0)
                return r;

        r = connect_store(d, ret_image);
        if (r < 0) {
                /* Looking into a file whose WAL was away makes an empty one; closing in the normal way takes it away again. */
                if (d->db && !wal_has_content(d->directory_fd))
                        (void) sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
                database_disconnect(d);
        }
        return r;
}

static Database *database_free(Database *d) {
        if (!d)
                return NULL;

        database_disconnect(d);
        closep(&d->directory_fd);
        free(d->path);
        free(d);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Database *, database_free);

int database_open(const char *directory, bool may_begin, Database **ret, StoreImage **ret_image, char **ret_why) {
        _cleanup_(database_freep) Database *d = NULL;
        int r;

        *ret_why = NULL;
        d = calloc(1, sizeof(Database));
        if (!d)
                return -ENOMEM;

        d->directory_fd = -1;
        r = state_directory_open(directory, &d->directory_fd, &d->path);
        if (r >= 0)
                r = open_file(d, may_begin, ret_image);
        if (r < 0) {
                *ret_why = explain_fault(d->path ? d->path : directory, r, d->error);
                return r;
        }

        *ret = TAKE_PTR(d);
        return 0;
}

Database *database_close(Database *d, int r) {
        if (!d)
                return NULL;

        if (r == -ESTALE)
                /* SQLite does not do this for a file that moved, and would leave its last changes in a WAL that another file
                 * may have beside it by now. */
                (void) sqlite3_wal_checkpoint_v2(d->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (r == -ESTALE || r == -EUCLEAN)
                (void) sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);

        return database_free(d);
}
