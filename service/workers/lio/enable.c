/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/enable.h"

#include <errno.h>
#include <fcntl.h>

#include "common/macro.h"
#include "workers/lio/tree.h"

int lio_enable_read(const char *port_dir, bool *ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        path = lio_path(port_dir, "enable", NULL);
        if (!path)
                return -ENOMEM;

        r = lio_attribute_read(path, &text, NULL);
        if (r < 0)
                return r;

        *ret = text[0] == '1';
        return 0;
}

static int enable_write(const char *path, bool enable) {
        _cleanup_close_ int fd = -1;

        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;

        return pwrite(fd, enable ? "1" : "0", 1, 0) < 0 ? -errno : 0;
}

static int undo_enable(const char *port_dir) {
        _cleanup_free_ char *path = NULL;
        bool is_enabled;
        int r;

        path = lio_path(port_dir, "enable", NULL);
        if (!path)
                return -ENOMEM;

        r = lio_enable_read(port_dir, &is_enabled);
        if (r == -ENOENT)
                return 0;
        if (r >= 0 && is_enabled)
                r = enable_write(path, false);
        if (r < 0)
                return r;

        r = lio_enable_read(port_dir, &is_enabled);
        return r < 0 ? r : is_enabled ? -EBUSY : 0;
}

int step_enable(Steps *s, const char *port_dir, bool enable) {
        _cleanup_free_ char *path = NULL;
        bool is_enabled;
        int r;

        r = steps_check_peer(s);
        if (r < 0)
                return r;
        r = lio_enable_read(port_dir, &is_enabled);
        if (r < 0 || is_enabled == enable)
                return r;

        path = lio_path(port_dir, "enable", NULL);
        if (!path)
                return -ENOMEM;
        r = steps_reserve(s, port_dir, undo_enable);
        if (r < 0)
                return r;

        /* A write that failed may have done its work before: the undo stays, and looks first. */
        return enable_write(path, enable);
}
