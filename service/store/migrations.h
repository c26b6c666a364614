/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tables, version by version. */

#include "store/sql.h"

/* PRAGMA application_id of our files from version 2 on: "iSCS". */
#define STORE_APPLICATION_ID 0x69534353

/* What brings a file from version N - 1 to N is element N - 1. Once released, a migration is never changed: a new one is
 * added. */
extern const char *const store_migrations[STORE_VERSION];

/* Tells which version the open file has, without writing to it. Evidence is, in this order: user_version, the row in table
 * meta (what SQL text of the database restores), and the tables themselves (which are those of version 1 if there is neither).
 * Returns 0, an error of StoreFault, or the error that kept it from looking. */
int database_recognise(Database *d, int *ret_version);

/* Checks that the tables and indexes of VERSION are there, just as the migrations make them. Others beside them do no harm.
 * Returns 0, -EUCLEAN or the error that kept it from looking. */
int database_check_tables(Database *d, int version);

/* Looks for damage that SQLite and foreign keys show. Returns 0, -EUCLEAN or the error that kept it from looking. */
int database_check(Database *d);

/* Brings the open file from version FROM up to version TO by MIGRATIONS, in one transaction. ACCEPT (which can be NULL) looks
 * at the result and can refuse it with an error, which is returned. -ENOTRECOVERABLE: the migration itself failed. Whatever
 * fails, the file is as before. */
int database_migrate(Database *d, const char *const *migrations, int from, int to, int (*accept)(Database *d));

/* Writes version and application_id where they are missing, as in a file restored from SQL text. */
int database_mark(Database *d);
