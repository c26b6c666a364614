/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store-faults.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

Faults faults;

typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
typedef ssize_t (*write_t)(int, const void *, size_t);
typedef int (*ftruncate_t)(int, off_t);
typedef int (*unlink_t)(const char *);

static pwrite_t real_pwrite, real_pwrite64;
static write_t real_write;
static ftruncate_t real_ftruncate;
static unlink_t real_unlink;

static bool fault_hits(bool is_sync) {
        if (faults.kind == FAULT_NONE || (faults.syncs_only && !is_sync))
                return false;

        faults.n_calls++;
        return faults.n_calls == faults.at || (faults.lasting && faults.n_calls > faults.at);
}

/* Returns true, with errno set, when the call is to fail. */
static bool fault_strikes(bool is_sync) {
        if (!fault_hits(is_sync))
                return false;
        if (faults.kind != FAULT_FAIL)
                (void) kill(getpid(), SIGKILL);

        errno = faults.error;
        return true;
}

static ssize_t hooked_pwrite(int fd, const void *data, size_t n, off_t offset) {
        if (fault_hits(false)) {
                if (faults.kind == FAULT_FAIL) {
                        errno = faults.error;
                        return -1;
                }
                if (faults.kind == FAULT_TEAR)
                        (void) real_pwrite(fd, data, n / 2, offset);
                (void) kill(getpid(), SIGKILL);
        }

        return real_pwrite(fd, data, n, offset);
}

static ssize_t hooked_write(int fd, const void *data, size_t n) {
        return fault_strikes(false) ? -1 : real_write(fd, data, n);
}

static int hooked_ftruncate(int fd, off_t length) {
        return fault_strikes(false) ? -1 : real_ftruncate(fd, length);
}

static int hooked_unlink(const char *path) {
        return fault_strikes(false) ? -1 : real_unlink(path);
}

static sqlite3_syscall_ptr hook(const char *name, sqlite3_syscall_ptr replacement) {
        sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
        sqlite3_syscall_ptr real = vfs->xGetSystemCall(vfs, name);

        /* The one of pwrite and pwrite64 that SQLite was not built for is not there. */
        if (real)
                g_assert_cmpint(vfs->xSetSystemCall(vfs, name, replacement), ==, SQLITE_OK);
        return real;
}

void faults_install(void) {
        g_assert_null(real_write);

        real_pwrite64 = (pwrite_t) hook("pwrite64", (sqlite3_syscall_ptr) hooked_pwrite);
        real_pwrite = (pwrite_t) hook("pwrite", (sqlite3_syscall_ptr) hooked_pwrite);
        if (real_pwrite64)
                real_pwrite = real_pwrite64;
        real_write = (write_t) hook("write", (sqlite3_syscall_ptr) hooked_write);
        real_ftruncate = (ftruncate_t) hook("ftruncate", (sqlite3_syscall_ptr) hooked_ftruncate);
        real_unlink = (unlink_t) hook("unlink", (sqlite3_syscall_ptr) hooked_unlink);

        g_assert_true(real_pwrite && real_write && real_ftruncate && real_unlink);
}

static void copy_synced(int fd) {
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd), *path = g_file_read_link(link, NULL);
        struct stat st;

        g_assert_nonnull(path);
        g_assert_cmpint(fstat(fd, &st), ==, 0);

        if (S_ISDIR(st.st_mode)) {
                g_autoptr(GDir) copies = g_dir_open(faults.sync, 0, NULL);
                const char *name;

                /* Only now is it durable that files are gone. */
                while ((name = g_dir_read_name(copies))) {
                        g_autofree char *original = g_build_filename(path, name, NULL),
                                        *copy = g_build_filename(faults.sync, name, NULL);

                        if (!g_file_test(original, G_FILE_TEST_EXISTS))
                                g_assert_cmpint(g_unlink(copy), ==, 0);
                }
        } else {
                g_autofree char *name = g_path_get_basename(path), *copy = g_build_filename(faults.sync, name, NULL),
                                *content = NULL;

                /* Read through the descriptor that SQLite has: closing another one would drop its locks. */
                content = g_malloc((size_t) st.st_size + 1);
                g_assert_cmpint(pread(fd, content, (size_t) st.st_size, 0), ==, st.st_size);
                g_assert_true(g_file_set_contents_full(copy, content, st.st_size, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
        }
}

static int sync_with_faults(int fd, long number) {
        if (fault_strikes(true))
                return -1;

        faults.n_syncs++;
        if (faults.sync_msec > 0)
                (void) usleep(faults.sync_msec * 1000);
        while (faults.hang)
                (void) usleep(1000);
        if (faults.sync)
                copy_synced(fd);
        return faults.no_sync ? 0 : (int) syscall(number, fd);
}

int fdatasync(int fd) {
        return sync_with_faults(fd, SYS_fdatasync);
}

int fsync(int fd) {
        return sync_with_faults(fd, SYS_fsync);
}

int renameat(int old_fd, const char *old_name, int new_fd, const char *new_name) {
        if (fault_strikes(false))
                return -1;

        return (int) syscall(SYS_renameat2, old_fd, old_name, new_fd, new_name, 0u);
}
