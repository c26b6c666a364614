/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/path.h"

#include <ctype.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "common/macro.h"

char *path_decode_below(const char *path, const char *prefix) {
        size_t n = strlen(prefix);
        _cleanup_free_ char *start = NULL, *name = NULL;

        if (strncmp(path, prefix, n) != 0 || path[n] != '/')
                return NULL;

        start = strndup(path, n + 1 + strcspn(path + n + 1, "/"));
        if (!start || sd_bus_path_decode(start, prefix, &name) <= 0)
                return NULL;
        for (const char *p = name; *p; p++)
                if (iscntrl((unsigned char) *p))
                        return NULL;

        return TAKE_PTR(name);
}
