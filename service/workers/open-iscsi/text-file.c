/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/text-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int text_file_open(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EISDIR;
}

int text_file_read_fd(int fd, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        /* One byte more than may be there shows that there is more. */
        text = malloc(TEXT_FILE_MAX + 2);
        if (!text)
                return -ENOMEM;
        while (n <= TEXT_FILE_MAX) {
                ssize_t k = read(fd, text + n, TEXT_FILE_MAX + 1 - n);

                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }
        if (n > TEXT_FILE_MAX)
                return -EFBIG;
        text[n] = '\0';

        *ret = TAKE_PTR(text);
        return 0;
}

int text_file_read(const char *path, char **ret) {
        _cleanup_close_ int fd = text_file_open(path);

        return fd < 0 ? fd : text_file_read_fd(fd, ret);
}

int directory_list(const char *path, Texts *ret) {
        _cleanup_closedir_ DIR *d = opendir(path);
        struct dirent *e;

        if (!d)
                return -errno;
        while (errno = 0, (e = readdir(d)))
                if (e->d_name[0] != '.' && texts_add(ret, "%s", e->d_name) < 0)
                        return -ENOMEM;
        if (errno != 0)
                return -errno;

        texts_sort(ret);
        return 0;
}
