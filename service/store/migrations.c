/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "store/migrations.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STRINGIFY(x) #x
#define NUMBER_TEXT(x) STRINGIFY(x)

/* Version 1.
 *
 * Addresses are text in their canonical spelling, so that equal ones are equal to SQLite. A create is one fsync, and what that
 * costs is the pages it writes: so ports and bindings are WITHOUT ROWID, which makes their table and its key one tree, and one
 * index over bindings is touched by targets and the other by initiators. A binding repeats its port's role (its foreign key
 * keeps the two together), so that an index can say: no two ports of a target node have the same portal. A member has no
 * foreign key to tcp_endpoint: the endpoint on the default port of each host address is not in the file. */
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

/* Version 2: nodes that end with the boot, drift policies, ports that are switched off, addresses declared ahead, a journal,
 * settings.
 *
 * node and port are made anew: ALTER TABLE can add no CHECK that names other columns, and leaves a text of the table that
 * depends on SQLite's version. They are not renamed either, which would rewrite the texts of all that refers to them. So their
 * rows wait in temporary tables, which are kept in memory. Foreign keys are off meanwhile: else DROP TABLE deletes all rows
 * that refer to it. meta repeats user_version, which SQL text of a database leaves out. */
#define MIGRATION_2                                                                                              \
        "CREATE TABLE meta ("                                                                                    \
        "  id INTEGER PRIMARY KEY CHECK (id = 1),"                                                               \
        "  version INTEGER NOT NULL"                                                                             \
        ") STRICT;"                                                                                              \
                                                                                                                 \
        "CREATE TEMP TABLE old_node AS SELECT id, name, alias, roles FROM main.node;"                            \
        "DROP TABLE main.node;"                                                                                  \
        "CREATE TABLE node ("                                                                                    \
        "  id INTEGER PRIMARY KEY,"                                                                              \
        "  name TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 223),"                      \
        "  alias TEXT NOT NULL,"                                                                                 \
        "  roles INTEGER NOT NULL CHECK (roles IN (4, 8, 12)),"                                                  \
        "  boot_id TEXT NOT NULL CHECK (length(boot_id) IN (0, 32))," /* of the boot it ends with; '': none */   \
        "  drift_policy TEXT NOT NULL CHECK (drift_policy IN ('', 'report', 'enforce'))" /* '': the service's */ \
        ") STRICT;"                                                                                              \
        "INSERT INTO node SELECT id, name, alias, roles, '', '' FROM temp.old_node ORDER BY id;"                 \
        "DROP TABLE temp.old_node;"                                                                              \
        "CREATE UNIQUE INDEX node_by_alias ON node (alias) WHERE alias != '';"                                   \
                                                                                                                 \
        "CREATE TEMP TABLE old_port AS SELECT node, identifier, role FROM main.port;"                            \
        "DROP TABLE main.port;"                                                                                  \
        "CREATE TABLE port ("                                                                                    \
        "  node INTEGER NOT NULL REFERENCES node (id) ON DELETE CASCADE,"                                        \
        "  identifier INTEGER NOT NULL CHECK (identifier BETWEEN 0 AND 281474976710655),"                        \
        "  role INTEGER NOT NULL CHECK (role IN (2, 3)),"                                                        \
        "  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),"                                                  \
        "  PRIMARY KEY (node, identifier),"                                                                      \
        "  UNIQUE (node, identifier, role),"                                                                     \
        "  CHECK (role = 2 OR identifier <= 65535)"                                                              \
        ") STRICT, WITHOUT ROWID;"                                                                               \
        "INSERT INTO port SELECT node, identifier, role, 1 FROM temp.old_port ORDER BY node, identifier;"        \
        "DROP TABLE temp.old_port;"                                                                              \
                                                                                                                 \
        "CREATE TABLE address ("                                                                                 \
        "  id INTEGER PRIMARY KEY,"                                                                              \
        "  address TEXT NOT NULL UNIQUE,"                                                                        \
        "  element_name TEXT NOT NULL,"                                                                          \
        "  boot_id TEXT NOT NULL CHECK (length(boot_id) IN (0, 32))"                                             \
        ") STRICT;"                                                                                              \
                                                                                                                 \
        "CREATE TABLE journal ("                                                                                 \
        "  id INTEGER PRIMARY KEY CHECK (id > 0),"                                                               \
        "  action TEXT NOT NULL,"                                                                                \
        "  before_image TEXT NOT NULL"                                                                           \
        ") STRICT;"                                                                                              \
                                                                                                                 \
        "CREATE TABLE setting ("                                                                                 \
        "  key TEXT NOT NULL PRIMARY KEY,"                                                                       \
        "  value TEXT NOT NULL"                                                                                  \
        ") STRICT, WITHOUT ROWID;"                                                                               \
                                                                                                                 \
        "PRAGMA application_id = " NUMBER_TEXT(STORE_APPLICATION_ID) ";"

const char *const store_migrations[STORE_VERSION] = {
        MIGRATION_1,
        MIGRATION_2,
};

/* Any row that SQL gives, other than EXPECTED, tells of damage. */
static int find_fault(Database *d, const char *sql, const char *expected) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        const char *text = NULL;
        int r;

        r = statement_prepare(d, sql, 0, &statement);
        if (r < 0)
                return r;

        r = statement_next(d, statement);
        if (r <= 0)
                return r;

        r = statement_column_text(d, statement, 0, &text);
        if (r < 0)
                return r;

        return expected && sqlite3_stricmp(text, expected) == 0 ? 0 : database_fail_text(d, -EUCLEAN, "%s: %s", sql, text);
}

int database_check(Database *d) {
        int r;

        /* Not quick_check, which does not compare the indexes with their tables: our UNIQUE constraints live in them. */
        r = find_fault(d, "PRAGMA integrity_check(1)", "ok");
        if (r < 0)
                return r;

        return find_fault(d, "PRAGMA foreign_key_check", NULL);
}

/* A database in memory as a file of VERSION is when it has just been made. */
static int make_example(Database *example, int version) {
        int code, r;

        code = sqlite3_open_v2(":memory:", &example->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                               NULL);
        if (code != SQLITE_OK)
                return database_fail(example, code);

        /* Small pages: there is a table or index on each, and hardly anything in it. */
        r = database_exec(example, "PRAGMA page_size = 512; PRAGMA temp_store = MEMORY");
        if (r < 0)
                return r;

        for (int i = 0; i < version; i++) {
                r = database_exec(example, store_migrations[i]);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Looks up one table or index of EXAMPLE's in the file. */
static int compare_table(Database *d, sqlite3_stmt *example, sqlite3_stmt *lookup, int version) {
        const char *name, *expected, *found;
        int r;

        name = (const char *) sqlite3_column_text(example, 0);
        expected = (const char *) sqlite3_column_text(example, 1);
        if (!name || !expected)
                return database_fail(d, SQLITE_NOMEM);

        (void) sqlite3_reset(lookup);
        r = statement_bind_text(d, lookup, 1, name);
        if (r < 0)
                return r;
        r = statement_next(d, lookup);
        if (r < 0)
                return r;
        if (r == 0)
                return database_fail_text(d, -EUCLEAN, "\"%s\" of version %d is missing", name, version);

        found = (const char *) sqlite3_column_text(lookup, 0);
        if (!found || strcmp(found, expected) != 0)
                return database_fail_text(d, -EUCLEAN, "\"%s\" is not that of version %d", name, version);

        return 0;
}

static int compare_tables(Database *d, Database *example, int version) {
        _cleanup_statement_ sqlite3_stmt *all = NULL, *lookup = NULL;
        int r;

        r = statement_prepare(example, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL", 0, &all);
        if (r >= 0)
                r = statement_prepare(d, "SELECT sql FROM sqlite_schema WHERE name = ?1", 0, &lookup);
        if (r < 0)
                return r;

        while ((r = statement_next(example, all)) > 0) {
                r = compare_table(d, all, lookup, version);
                if (r < 0)
                        return r;
        }

        return r;
}

int database_check_tables(Database *d, int version) {
        Database example = {};
        int r;

        r = make_example(&example, version);
        if (r < 0)
                (void) database_fail_text(d, r, "%s", example.error);
        else
                r = compare_tables(d, &example, version);

        database_disconnect(&example);
        return r;
}

/* The version in table meta; 0: there is none, and neither is there if the table is somebody else's. */
static int read_meta(Database *d, int64_t *ret) {
        int64_t n = 0;
        int r;

        r = database_query_integer(d, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'", &n);
        if (r < 0)
                return r;
        if (n == 0) {
                *ret = 0;
                return 0;
        }

        r = database_query_integer(d, "SELECT version FROM meta WHERE id = 1", ret);
        if (r == -EUCLEAN)
                *ret = 0;
        return r == -EUCLEAN ? 0 : r;
}

static int recognise_by_tables(Database *d, int *ret_version) {
        int r;

        r = database_check_tables(d, 1);
        if (r == -EUCLEAN)
                return database_fail_text(d, -EMEDIUMTYPE,
                                          "it is a database, but it has neither the version nor the tables of a store");
        if (r < 0)
                return r;

        *ret_version = 1;
        return 0;
}

int database_recognise(Database *d, int *ret_version) {
        int64_t application = 0, version = 0, meta = 0;
        int r;

        r = database_query_integer(d, "PRAGMA application_id", &application);
        if (r >= 0)
                r = database_query_integer(d, "PRAGMA user_version", &version);
        if (r >= 0)
                r = read_meta(d, &meta);
        if (r < 0)
                return r;

        /* Version 1 did not set it, and SQL text of a database leaves it out. */
        if (application != 0 && application != STORE_APPLICATION_ID)
                return database_fail_text(d, -EMEDIUMTYPE, "its application_id is 0x%08x, not 0x%08x", (unsigned) application,
                                          (unsigned) STORE_APPLICATION_ID);
        if (MAX2(version, meta) > STORE_VERSION)
                return database_fail_text(d, -EPROTONOSUPPORT, "it has version %d, this program knows up to %d",
                                          (int) MAX2(version, meta), STORE_VERSION);
        if (version < 0 || meta < 0 || (version > 0 && meta > 0 && version != meta))
                return database_fail_text(d, -EUCLEAN, "it has version %d in its header and %d in its table meta", (int) version,
                                          (int) meta);
        if (version == 0 && meta == 0)
                return recognise_by_tables(d, ret_version);

        *ret_version = (int) MAX2(version, meta);
        return database_check_tables(d, *ret_version);
}

static int set_version(Database *d, int version) {
        char sql[160];
        int r;

        (void) snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
        r = database_exec(d, sql);
        if (r < 0 || version < 2)
                return r;

        (void) snprintf(sql, sizeof(sql),
                        "INSERT INTO meta (id, version) VALUES (1, %d) ON CONFLICT (id) DO UPDATE SET version = excluded.version",
                        version);
        return database_exec(d, sql);
}

/* What is wrong with constant SQL, or with what it made, is wrong with the migration: the file was good before. */
static int migration_error(Database *d, int r) {
        char error[sizeof(d->error)];

        if (r != -EUCLEAN && r != -EEXIST)
                return r;

        memcpy(error, d->error, sizeof(error));
        return database_fail_text(d, -ENOTRECOVERABLE, "%s", error);
}

static int run_migrations(Database *d, const char *const *migrations, int from, int to) {
        int r;

        for (int version = from + 1; version <= to; version++) {
                r = database_exec(d, migrations[version - 1]);
                if (r >= 0)
                        r = set_version(d, version);
                if (r < 0)
                        return migration_error(d, r);
        }

        return migration_error(d, database_check(d));
}

static int migrate_in_transaction(Database *d, const char *const *migrations, int from, int to, int (*accept)(Database *d)) {
        int r;

        r = database_exec(d, "BEGIN IMMEDIATE");
        if (r < 0)
                return r;

        r = run_migrations(d, migrations, from, to);
        if (r >= 0 && accept)
                r = accept(d);
        if (r >= 0)
                r = database_exec(d, "COMMIT");
        if (r < 0 && !sqlite3_get_autocommit(d->db))
                (void) sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
        return r;
}

int database_migrate(Database *d, const char *const *migrations, int from, int to, int (*accept)(Database *d)) {
        int r;

        if (from == to)
                return 0;

        /* Inside a transaction this would have no effect. */
        (void) sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
        r = migrate_in_transaction(d, migrations, from, to, accept);
        (void) sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
        return r;
}

/* Whether the header or meta says something else than VERSION of a store. */
static int is_marked(Database *d, int version) {
        int64_t application = 0, user = 0, meta = 0;
        int r;

        r = database_query_integer(d, "PRAGMA application_id", &application);
        if (r >= 0)
                r = database_query_integer(d, "PRAGMA user_version", &user);
        if (r >= 0)
                r = read_meta(d, &meta);
        if (r < 0)
                return r;

        return application == STORE_APPLICATION_ID && user == version && meta == version;
}

static int mark(Database *d) {
        int r;

        r = database_exec(d, "PRAGMA application_id = " NUMBER_TEXT(STORE_APPLICATION_ID));
        return r < 0 ? r : set_version(d, STORE_VERSION);
}

int database_mark(Database *d) {
        int r;

        r = is_marked(d, STORE_VERSION);
        if (r != 0)
                return r < 0 ? r : 0;

        r = transaction_begin(d, CONTROL_BEGIN_CHANGE);
        if (r < 0)
                return r;

        return transaction_end(d, mark(d));
}
