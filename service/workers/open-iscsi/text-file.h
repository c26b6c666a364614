/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files and directories of other programs, read whole or not at all. */

#include "workers/base/texts.h"

#define TEXT_FILE_MAX 65536u /* bytes */

/* Reads the file PATH, through symbolic links, into a fresh string. Returns 0 or a negative errno; -EISDIR for anything but a
 * regular file, -EFBIG for one that is longer than TEXT_FILE_MAX: a part of it would be taken for the whole. */
int text_file_read(const char *path, char **ret);

/* The same in two steps: opens it, and returns its descriptor or a negative errno; reads it to its end. */
int text_file_open(const char *path);
int text_file_read_fd(int fd, char **ret);

/* Adds the names of the entries of the directory PATH that do not begin with a dot, sorted. Returns 0 or a negative errno; there
 * is no success if only a part could be read. */
int directory_list(const char *path, Texts *ret);
