/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store-check.h"

#include <sqlite3.h>

void assert_store_is_sound(Service *s) {
        g_autofree char *copy = g_build_filename(s->directory, "copy", NULL), *path = g_build_filename(copy, "ports.db", NULL);
        sqlite3_stmt *statement = NULL;
        sqlite3 *db = NULL;

        run_command("cp", "-a", s->state, copy, NULL);
        g_assert_cmpint(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_prepare_v2(db, "PRAGMA quick_check", -1, &statement, NULL), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
        g_assert_cmpstr((const char *) sqlite3_column_text(statement, 0), ==, "ok");
        g_assert_cmpint(sqlite3_finalize(statement), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
        run_command("rm", "-r", copy, NULL);
}
