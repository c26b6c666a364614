/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/migrations.h"

#include <errno.h>
#include <stdio.h>

#include "store/sql.h"

/* Version 1.
 *
 * Addresses are text in their canonical spelling, so that equal ones are equal to SQLite. A create is one fsync, and what that costs is the
 * pages it writes: so ports and bindings are WITHOUT ROWID, which makes their table and its key one tree, and one index over bindings is
 * touched by targets and the other by initiators. A binding repeats its port's role (its foreign key keeps the two together), so that
 * an index can say: no two ports of a target node have the same portal.
 * A member has no foreign key to tcp_endpoint: the endpoint on the default port of each host address is not in the file. */
#define MIGRATION_1                                                                                         \
        "CREATE TABLE portal_group ("                                                                       \
        "  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id >= 0),"                                           \
        "  element_name TEXT NOT NULL"                                                                      \
        ") STRICT;"                                                                                         \
        "INSERT INTO portal_group VALUES (0, '');"                                                          \
                                                                                                            \
        "CREATE TABLE tcp_endpoint ("                                                                       \
        "  id INTEGER PRIMARY KEY,"                                                                         \
        "  address TEXT NOT NULL,"                                                                          \
        "  tcp_port INTEGER NOT NULL CHECK (tcp_port BETWEEN 1 AND 65535),"                                 \
        "  UNIQUE (address, tcp_port)"                                                                      \
        ") STRICT;"                                                                                         \
                                                                                                            \
        "CREATE TABLE member ("                                                                             \
        "  id INTEGER PRIMARY KEY,"                                                                         \
        "  portal_group INTEGER NOT NULL REFERENCES portal_group (id) ON DELETE RESTRICT,"                  \
        "  address TEXT NOT NULL,"                                                                          \
        "  tcp_port INTEGER NOT NULL CHECK (tcp_port BETWEEN 1 AND 65535),"                                 \
        "  UNIQUE (portal_group, address, tcp_port)"                                                        \
        ") STRICT;"                                                                                         \
        "CREATE INDEX member_by_portal ON member (address, tcp_port);"                                      \
                                                                                                            \
        "CREATE TABLE node ("                                                                               \
        "  id INTEGER PRIMARY KEY,"                                                                         \
        "  name TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 223),"                 \
        "  alias TEXT NOT NULL,"                                                                            \
        "  roles INTEGER NOT NULL CHECK (roles IN (4, 8, 12))" /* bits 1 << 2 and 1 << 3 */                 \
        ") STRICT;"                                                                                         \
        "CREATE UNIQUE INDEX node_by_alias ON node (alias) WHERE alias != '';"                              \
                                                                                                            \
        "CREATE TABLE port ("                                                                               \
        "  node INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE,"                                   \
        "  identifier INTEGER NOT NULL CHECK (identifier BETWEEN 0 AND 281474976710655),"                   \
        "  role INTEGER NOT NULL CHECK (role IN (2, 3)),"                                                   \
        "  PRIMARY KEY (node, identifier),"                                                                 \
        "  UNIQUE (node, identifier, role),"                                                                \
        "  CHECK (role = 2 OR identifier <= 65535)"                                                         \
        ") STRICT, WITHOUT ROWID;"                                                                          \
                                                                                                            \
        "CREATE TABLE binding ("                                                                            \
        "  node INTEGER NOT NULL,"                                                                          \
        "  identifier INTEGER NOT NULL,"                                                                    \
        "  role INTEGER NOT NULL,"                                                                          \
        "  position INTEGER NOT NULL CHECK (position > 0),"                                                 \
        "  address TEXT NOT NULL,"                                                                          \
        "  tcp_port INTEGER NOT NULL CHECK (tcp_port BETWEEN 0 AND 65535),"                                 \
        "  PRIMARY KEY (node, identifier, position),"                                                       \
        "  CHECK ((role = 3) = (tcp_port > 0)),"                                                            \
        "  FOREIGN KEY (node, identifier, role) REFERENCES port (node, identifier, role) ON DELETE CASCADE" \
        ") STRICT, WITHOUT ROWID;"                                                                          \
        "CREATE UNIQUE INDEX binding_of_target ON binding (node, address, tcp_port) WHERE role = 3;"        \
        "CREATE UNIQUE INDEX binding_of_initiator ON binding (node, identifier, address) WHERE role = 2;"

const char *const store_migrations[STORE_VERSION] = {
        MIGRATION_1,
};

/* Not on prepared statements: those can only be prepared when the tables are there. */
static int migrate_one(Store *s, int version) {
        char set_version[64];
        int r;

        r = store_exec(s, store_migrations[version - 1]);
        if (r < 0)
                return r;

        (void) snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", version);
        r = store_exec(s, set_version);
        if (r < 0)
                return r;

        return store_exec(s, "COMMIT");
}

int store_migrate(Store *s, int from, int to) {
        for (int version = from + 1; version <= to; version++) {
                int r;

                r = store_exec(s, "BEGIN IMMEDIATE");
                if (r < 0)
                        return r;

                r = migrate_one(s, version);
                if (r < 0) {
                        if (!sqlite3_get_autocommit(s->db))
                                (void) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
                        return r;
                }
        }

        return 0;
}

/* Any row that SQL gives, other than EXPECTED, tells of damage. */
static int find_fault(Store *s, const char *sql, const char *expected) {
        sqlite3_stmt *statement = NULL;
        int code, r = 0;

        code = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
        if (code != SQLITE_OK)
                return store_fail(s, code);

        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
                const char *text = (const char *) sqlite3_column_text(statement, 0);

                if (!text)
                        r = store_fail(s, SQLITE_NOMEM);
                else if (!expected || sqlite3_stricmp(text, expected) != 0)
                        r = store_fail_text(s, -EUCLEAN, "%s: %s", sql, text);
        } else if (code != SQLITE_DONE)
                r = store_fail(s, code);

        (void) sqlite3_finalize(statement);
        return r;
}

int store_check(Store *s) {
        int r;

        /* Not quick_check, which does not compare the indexes with their tables: our UNIQUE constraints live in them. */
        r = find_fault(s, "PRAGMA integrity_check(1)", "ok");
        if (r < 0)
                return r;

        return find_fault(s, "PRAGMA foreign_key_check", NULL);
}
