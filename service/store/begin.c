/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Beginning: the directory, a new file, and what an administrator's --new-store does with the old one. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/internal.h"
#include "store/migrations.h"

#define NEW_FILE_NAME STORE_FILE_NAME ".new"

int state_directory_open(const char *directory, int *ret_fd, char **ret_path) {
        _cleanup_free_ char *real = NULL, *path = NULL;
        _cleanup_close_ int fd = -1;
        bool made;

        made = mkdir(directory, 0700) >= 0;
        if (!made && errno != EEXIST)
                return -errno;

        /* Whatever the process' mask is. It cannot be changed here: all threads share it. */
        if (made && chmod(directory, 0700) < 0)
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

/* A new store that was not finished is nothing that was there. */
static bool shows_a_store(const char *name) {
        return strncmp(name, STORE_FILE_NAME, strlen(STORE_FILE_NAME)) == 0 && strcmp(name, STORE_FILE_NAME) != 0 &&
               strncmp(name, NEW_FILE_NAME, strlen(NEW_FILE_NAME)) != 0;
}

int state_directory_find_remains(int directory_fd, char **ret) {
        _cleanup_(closedirp) DIR *d = NULL;
        struct dirent *entry;
        int fd;

        fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d) {
                int r = -errno;

                (void) close(fd);
                return r;
        }

        errno = 0;
        while ((entry = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
                if (shows_a_store(entry->d_name)) {
                        *ret = strdup(entry->d_name);
                        return *ret ? 0 : -ENOMEM;
                }
                errno = 0;
        }
        if (errno != 0)
                return -errno;

        *ret = NULL;
        return 0;
}

/* An empty file that SQLite can make a database of. */
static int make_file(Database *d, int *ret_fd) {
        _cleanup_close_ int fd = -1;
        struct stat directory;

        if (unlinkat(d->directory_fd, NEW_FILE_NAME, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(d->directory_fd, NEW_FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 || fchmod(fd, 0600) < 0 || fstat(d->directory_fd, &directory) < 0)
                return -errno;

        /* An administrator who begins a new store does it for the service's user. */
        if (geteuid() == 0 && directory.st_uid != 0 && fchown(fd, directory.st_uid, directory.st_gid) < 0)
                return -errno;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Nobody sees the file before it is complete, so its journal can be in memory. */
static int fill_file(Database *d, const char *path) {
        Database new = { .directory_fd = -1 };
        int code, r;

        code = sqlite3_open_v2(path, &new.db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
        r = code == SQLITE_OK ? 0 : database_fail(&new, code);
        if (r >= 0)
                r = database_exec(&new, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY");
        if (r >= 0)
                r = database_migrate(&new, store_migrations, 0, STORE_VERSION, NULL);
        if (r < 0)
                (void) database_fail_text(d, r, "a new one cannot be made: %s", new.error);

        database_disconnect(&new);
        return r;
}

/* Makes the new store under a name of its own, whole and on the disk. */
static int make_store(Database *d) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        r = make_file(d, &fd);
        if (r < 0)
                return database_fail_text(d, r, "a new one cannot be made: %s", strerror(-r));

        if (asprintf(&path, "%s%s", d->path, NEW_FILE_NAME + strlen(STORE_FILE_NAME)) < 0) {
                path = NULL;
                return database_fail_text(d, -ENOMEM, "out of memory");
        }
        r = fill_file(d, path);
        if (r < 0)
                return r;

        return fsync(fd) < 0 ? database_fail_text(d, -errno, "a new one cannot be made: %s", strerror(errno)) : 0;
}

static int put_store(Database *d) {
        if (renameat(d->directory_fd, NEW_FILE_NAME, d->directory_fd, STORE_FILE_NAME) < 0 || fsync(d->directory_fd) < 0)
                return database_fail_text(d, -errno, "a new one cannot be made: %s", strerror(errno));

        return 0;
}

int database_begin(Database *d) {
        int r;

        r = make_store(d);
        if (r >= 0)
                r = put_store(d);
        if (r < 0)
                (void) unlinkat(d->directory_fd, NEW_FILE_NAME, 0);
        return r;
}

/* SQLite keeps a lock on the file as long as it is open in WAL mode, and so does any other program that reads it. */
static int check_unused(Database *d) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_close_ int fd = -1;

        fd = openat(d->directory_fd, STORE_FILE_NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == EISDIR))
                return 0; /* nothing that SQLite can have open */
        if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
                return database_fail_text(d, -errno, "%s", strerror(errno));
        if (lock.l_type != F_UNLCK)
                return database_fail_text(d, -EBUSY, "process %ld has it open; if that is the service, stop it first",
                                          (long) lock.l_pid);

        return 0;
}

/* Renames the file and what belongs to it. The file goes first: a crash after that leaves the others, which show that there was a
 * store. Returns 1 if there was any, 0 if not, or a negative errno. */
static int rename_files(Database *d, const char *from, const char *to) {
        static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
        int any = 0;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                char old_name[NAME_MAX + 1], new_name[NAME_MAX + 1];

                (void) snprintf(old_name, sizeof(old_name), "%s%s", from, suffixes[i]);
                (void) snprintf(new_name, sizeof(new_name), "%s%s", to, suffixes[i]);
                if (renameat(d->directory_fd, old_name, d->directory_fd, new_name) >= 0)
                        any = 1;
                else if (errno != ENOENT)
                        return -errno;
        }

        return any;
}

#define ASIDE_NAME_MAX (sizeof(STORE_FILE_NAME ".old-20260101T000000.000000Z") + 32)

static int make_aside_name(char ret[static ASIDE_NAME_MAX]) {
        struct timespec now;
        char stamp[32];
        struct tm utc;

        (void) clock_gettime(CLOCK_REALTIME, &now);
        if (!gmtime_r(&now.tv_sec, &utc) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &utc) == 0)
                return -EOVERFLOW;

        (void) snprintf(ret, ASIDE_NAME_MAX, STORE_FILE_NAME ".old-%s.%06ldZ", stamp, now.tv_nsec / 1000);
        return 0;
}

/* Returns as rename_files(). On failure all is where it was. */
static int exchange_files(Database *d, const char *aside) {
        int any, r;

        any = rename_files(d, STORE_FILE_NAME, aside);
        r = any < 0 ? database_fail_text(d, any, "it cannot be moved aside: %s", strerror(-any)) : put_store(d);
        if (r < 0)
                (void) rename_files(d, aside, STORE_FILE_NAME);
        return r < 0 ? r : any;
}

static int begin_new(Database *d, char **ret_aside) {
        char name[ASIDE_NAME_MAX];
        char *aside = NULL;
        int r;

        r = make_aside_name(name);
        if (r < 0)
                return database_fail_text(d, r, "the clock shows no date");
        if (asprintf(&aside, "%s%s", d->path, name + strlen(STORE_FILE_NAME)) < 0)
                return database_fail_text(d, -ENOMEM, "out of memory");

        r = check_unused(d);
        if (r >= 0)
                r = make_store(d);
        if (r >= 0)
                r = exchange_files(d, name);
        if (r < 0)
                (void) unlinkat(d->directory_fd, NEW_FILE_NAME, 0);
        if (r <= 0) {
                free(aside);
                aside = NULL;
        }
        if (r < 0)
                return r;

        *ret_aside = aside;
        return 0;
}

int store_begin_new(const char *directory, char **ret_aside, char **ret_why) {
        Database d = { .directory_fd = -1 };
        int r;

        *ret_why = NULL;
        r = state_directory_open(directory, &d.directory_fd, &d.path);
        if (r >= 0)
                r = begin_new(&d, ret_aside);
        if (r < 0)
                *ret_why = explain_fault(d.path ? d.path : directory, r, d.error);

        closep(&d.directory_fd);
        free(d.path);
        return r;
}
