/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Texts of a worker, and its entries that cannot be. */

#include <stddef.h>

#include "common/macro.h"

/* A copy of at most MAX bytes, cut between characters, with blanks for control characters. NULL when memory is short. */
char *peer_text(const char *text, size_t max);

/* The D-Bus address of a worker's socket; NULL without memory. */
char *peer_address_of_path(const char *path);

/* Entries that are left out: how many, and the log lines about the first few. */
typedef struct BadEntries {
        const char *backend;
        size_t n;
} BadEntries;

void bad_entries_add(BadEntries *b, const char *format, ...) _printf_(2, 3);

/* Tells how many more there were than were logged. */
void bad_entries_end(BadEntries *b);
