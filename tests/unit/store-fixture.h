/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the store's tests share: directories of their own, a store's whole content as text, and one sequence of changes that uses
 * every function, with the text that stands after each of them. */

#include <glib.h>
#include <sqlite3.h>

#include "store/store.h"

/* A new directory's path, g_malloc'ed; the second removes it with all that is in it and frees the path. */
char *directory_new(void);
void directory_remove(char *path);

/* DIRECTORY/ports.db<suffix>, g_malloc'ed. */
char *store_file(const char *directory, const char *suffix);

/* Copies the file and its WAL and journal, but no -shm, as a crash would leave them, into a new directory. */
char *directory_copy(const char *directory);

/* The names in it, sorted, with one blank behind each. */
char *directory_list(const char *directory);

Portal portal(const char *text);    /* "10.0.0.1:3260" */
Portal ip_portal(const char *text); /* "10.0.0.1": an initiator's, with port 0 */

/* Everything that store_load() gives out, a line for each object. */
char *store_dump(Store *s);

/* Opens, which must succeed without damage, dumps, closes. */
char *directory_dump(const char *directory);

/* Opens, which must succeed without damage. */
Store *directory_open(const char *directory);

/* SQL on the file past the store, on a connection of its own. */
sqlite3 *raw_open(const char *directory);
void raw_exec(sqlite3 *db, const char *sql);
int raw_integer(sqlite3 *db, const char *sql);

#define CHANGES_MAX 32
extern const unsigned n_changes;
int change_run(Store *s, unsigned i);

/* The dump after the first N changes, 0 ≤ N ≤ n_changes; made on first use. */
const char *state_after(unsigned n);
void states_free(void);
