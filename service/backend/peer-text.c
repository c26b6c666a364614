/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/peer-text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"

/* How many of an answer's bad entries are logged one by one. */
#define BAD_ENTRIES_LOGGED 8u

char *peer_text(const char *text, size_t max) {
        char *copy;

        copy = strndup(text, (size_t) text_excerpt(text, max));
        if (copy)
                text_mask_controls(copy, ' ');

        return copy;
}

void bad_entries_add(BadEntries *b, const char *format, ...) {
        _cleanup_free_ char *what = NULL;
        va_list ap;

        if (++b->n > BAD_ENTRIES_LOGGED)
                return;

        va_start(ap, format);
        if (vasprintf(&what, format, ap) < 0)
                what = NULL;
        va_end(ap);

        log_warning("Backend %s observed what cannot be: %s", b->backend, what ?: "(out of memory)");
}

void bad_entries_end(BadEntries *b) {
        if (b->n > BAD_ENTRIES_LOGGED)
                log_warning("Backend %s observed %zu more entries that cannot be", b->backend, b->n - BAD_ENTRIES_LOGGED);
}

/* A D-Bus server address (D-Bus specification, "Server Addresses"): all but a few characters are written as %xx. */
char *peer_address_of_path(const char *path) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/.";
        static const char prefix[] = "unix:path=";
        char *address, *q;

        address = malloc(sizeof(prefix) + 3 * strlen(path));
        if (!address)
                return NULL;

        q = stpcpy(address, prefix);
        for (const char *p = path; *p; p++)
                if (strchr(plain, *p))
                        *q++ = *p;
                else
                        q += sprintf(q, "%%%02x", (unsigned char) *p);
        *q = '\0';

        return address;
}
