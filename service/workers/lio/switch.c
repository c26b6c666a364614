/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/switch.h"

#include <errno.h>

#include "workers/lio/tree.h"

int lio_switch_read(const char *port_dir, bool *ret) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        path = lio_path(port_dir, "enable", NULL);
        if (!path)
                return -ENOMEM;

        r = file_read(path, &text, NULL);
        if (r < 0)
                return r;

        *ret = text[0] == '1';
        return 0;
}

int lio_switch_port(Steps *s, const char *port_dir, bool enable) {
        _cleanup_free_ char *path = NULL;
        int r;

        path = lio_path(port_dir, "enable", NULL);
        if (!path)
                return -ENOMEM;

        r = step_write(s, path, enable ? "1" : "0");
        if (r < 0)
                return steps_refuse(s, REFUSAL_FAILED, enable ? "enable target portal group" : "disable target portal group",
                                    port_dir, r);

        return 0;
}
