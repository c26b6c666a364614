/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tables, version by version. */

#include "store/store.h"

/* What brings a file from version N - 1 to N is element N - 1. Once released, a migration is never changed: a new one is added. */
extern const char *const store_migrations[STORE_VERSION];

/* Brings the open file from version FROM up to version TO, one transaction for each step. */
int store_migrate(Store *s, int from, int to);

/* Looks for damage that SQLite and foreign keys show. Returns 0, -EUCLEAN or the error that kept it from looking. */
int store_check(Store *s);
