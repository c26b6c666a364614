/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/host-name.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "common/text.h"
#include "workers/open-iscsi/text-file.h"

#define KEY "InitiatorName"
#define GENERATE "GenerateName=yes"

void host_name_done(HostName *h) {
        free(h->name);
        free(h->why);
        *h = (HostName){};
}

/* The value in the line TEXT of N bytes; NULL if it has none. */
static const char *value_in_line(const char *text, size_t n, size_t *ret_n) {
        const char *key = memmem(text, n, KEY, strlen(KEY)), *end = text + n, *value;

        if (!key || memchr(text, '#', (size_t) (key - text)))
                return NULL;
        value = memchr(key, '=', (size_t) (end - key));
        if (!value)
                return NULL;
        for (value++; value < end && isspace((unsigned char) *value); value++)
                ;
        while (end > value && isspace((unsigned char) end[-1]))
                end--;

        *ret_n = (size_t) (end - value);
        return *ret_n > 0 ? value : NULL;
}

char *host_name_from_text(const char *text) {
        while (*text) {
                size_t n = strcspn(text, "\n"), n_value;
                const char *value = value_in_line(text, n, &n_value);

                if (value)
                        return strndup(value, n_value);
                text += n;
                text += *text == '\n';
        }

        return strdup("");
}

static bool is_to_be_generated(const char *text) {
        return strncmp(text, GENERATE, strlen(GENERATE)) == 0 || strstr(text, "\n" GENERATE);
}

static int explain(char **ret, const char *path, const char *text, const char *found, const char *reason) {
        int r;

        if (*found)
                r = asprintf(
                        ret,
                        "iscsid would use \"%.*s\" from %s, which is not an iSCSI name: %s; put a line InitiatorName=iqn.… there",
                        text_excerpt(found, 256), found, path, reason);
        else if (is_to_be_generated(text))
                r = asprintf(ret, "%s says GenerateName=yes: the name is made when iscsid is started (systemctl start iscsid)",
                             path);
        else
                r = asprintf(ret, "%s has no line InitiatorName=…; put one there, iscsi-iname prints a name", path);
        return r < 0 ? -ENOMEM : 0;
}

static char *explain_error(const char *path, int error) {
        char *why;
        int r;

        if (error == -ENOENT)
                r = asprintf(&why, "%s is not there; is open-iscsi installed?", path);
        else if (error == -EFBIG)
                r = asprintf(&why, "%s is longer than %u bytes, so it was not read; shorten it", path, TEXT_FILE_MAX);
        else
                r = asprintf(&why, "%s cannot be read: %s", path, strerror(-error));
        return r < 0 ? NULL : why;
}

int host_name_read(const char *path, HostName *ret) {
        _cleanup_free_ char *text = NULL, *found = NULL;
        _cleanup_(host_name_done) HostName h = {};
        const char *reason;
        int r;

        r = text_file_read(path, &text);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                h.why = explain_error(path, r);
                if (!h.why)
                        return -ENOMEM;
        } else {
                found = host_name_from_text(text);
                if (!found)
                        return -ENOMEM;
                r = iscsi_name_normalize(found, &h.name, &reason);
                if (r == -EINVAL)
                        r = explain(&h.why, path, text, found, reason);
                if (r < 0)
                        return r;
        }

        *ret = h;
        h = (HostName){};
        return 0;
}
