/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sessions of this host as an initiator, in a directory like /sys that the test makes. */

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "session-watch-fixture.h"

/* "?" if it is not known. */
static char *value_text(const SessionField *field, const SessionValue *v) {
        if (!v->known)
                return g_strdup("?");
        return field->type == 's' ? g_strdup(v->text) : g_strdup_printf("%" G_GUINT64_FORMAT, v->number);
}

/* All that is known of a session, apart from the time. */
static char *session_as_text(const HostSession *s) {
        g_autoptr(GString) text = g_string_new("");

        for (unsigned k = 0; k < _SESSION_KEY_MAX; k++) {
                g_autofree char *value = value_text(session_fields + k, s->reading.info.values + k);

                if (k != SESSION_LAST_STATE_CHANGE)
                        g_string_append_printf(text, "%s ", value);
        }
        for (size_t i = 0; i < s->reading.info.n_connections; i++)
                for (unsigned k = 0; k < _CONNECTION_KEY_MAX; k++) {
                        g_autofree char *value = value_text(connection_fields + k, s->reading.info.connections[i].values + k);

                        g_string_append_printf(text, "%s%s", k == 0 ? "| " : " ", value);
                }
        return g_strdup(text->str);
}

static void assert_session(Fixture *f, unsigned number, const char *expected) {
        g_autofree char *text = session_as_text(session(f, number));

        g_assert_cmpstr(text, ==, expected);
}

/* A kernel without the module has none, and that is all there is to know. */
static void test_none(Fixture *f, gconstpointer data) {
        start(f);
        await(f, "complete ");
        g_assert_null(session_watch_first(f->watch));
        g_assert_true(session_watch_is_complete(f->watch));

        /* Without sessions nobody looks. */
        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        run_for(f, 200000);
        g_assert_cmpstr(f->told->str, ==, "");
        session_watch_look(f->watch);
        await(f, "*1 LOGGED_IN " RECORD);
}

static void test_values(Fixture *f, gconstpointer data) {
        sysfs_add_logged_in(f->tree, 5, INITIATOR, RECORD);
        start(f);
        await(f, "*5 LOGGED_IN " RECORD);
        assert_session(f, 5,
                       "2 5 " INITIATOR " iqn.2026-11.org.example:target 00023D000005 ? 7 LOGGED_IN " RECORD
                       " i0 1 1 1 65536 262144 0 | 0 up 192.0.2.1 3260 192.0.2.2 3261 192.0.2.9 40000 262144 8192 3 2");
        await(f, "complete ");
        g_assert_true(session(f, 5)->reading.settled);
        g_assert_null(session(f, 5)->reading.fault);

        /* Numbers beyond 24 bits wrap in the ISID. */
        sysfs_add_logged_in(f->tree, 0x1000002, INITIATOR, "default");
        sysfs_set(f->tree, 0x1000002, "host", "netdev", "(null)");
        await(f, "*16777218 LOGGED_IN default");
        assert_text(f, 0x1000002, SESSION_ISID, "00023D000002");
        assert_text(f, 0x1000002, SESSION_INTERFACE_NAME, "");
}

/* An initiator that is a card: it may show its ISID, else nobody knows it. */
static void test_isid(Fixture *f, gconstpointer data) {
        static const struct {
                const char *driver, *shown, *expected;
        } cases[] = {
                { "iscsi_tcp", NULL, "00023D%06X" },
                { "iscsi_iser", NULL, "00023D%06X" },
                { "qla4xxx", NULL, "" },
                { "qla4xxx", "400001370abc", "400001370ABC" },
                { "qla4xxx", "400001370ab", "" },
                { "qla4xxx", "400001370abcd", "" },
                { "qla4xxx", "40000137 abc", "" },
                { "iscsi_tcp", "800001370abc", "800001370ABC" },
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                sysfs_add_logged_in(f->tree, i + 1, INITIATOR, RECORD);
                sysfs_set(f->tree, i + 1, "scsi_host", "proc_name", cases[i].driver);
                if (cases[i].shown)
                        sysfs_set(f->tree, i + 1, "session", "isid", cases[i].shown);
        }
        start(f);
        await(f, "complete ");
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *derived = g_strdup_printf("00023D%06X", i + 1);

                assert_text(f, i + 1, SESSION_ISID, strchr(cases[i].expected, '%') ? derived : cases[i].expected);
        }
}

/* What is told at the beginning has no names; they come later. */
static void test_late_names(Fixture *f, gconstpointer data) {
        sysfs_add_session(f->tree, 1);
        f->tuning.poll_usec = NEVER_USEC;
        start(f);
        await(f, "*1 FREE ");
        assert_session(f, 1, "2 1 ? ? 00023D000001 ? ? FREE ? ? ? ? ? ? ? ? | 0 down ? ? ? 0 ? ? 0 0 2 2");
        g_assert_false(session(f, 1)->reading.settled);
        await(f, "complete "); /* that it is there is known */

        /* Some of them are not enough, and neither is a state without them. */
        sysfs_set(f->tree, 1, "session", "targetname", "iqn.2026-11.org.example:target");
        await(f, "*1 FREE ");
        sysfs_set(f->tree, 1, "session", "state", "LOGGED_IN");
        await(f, "*1 LOGGED_IN ");
        g_assert_false(session(f, 1)->reading.settled);
        sysfs_log_in(f->tree, 1, INITIATOR, RECORD);
        await(f, "*1 LOGGED_IN " RECORD);
        g_assert_true(session(f, 1)->reading.settled);

        /* And then it is left alone. */
        g_string_truncate(f->told, 0);
        run_for(f, 300000);
        g_assert_cmpstr(f->told->str, ==, "");
}

/* The pauses double, up to the longest. */
static void test_pauses(Fixture *f, gconstpointer data) {
        sysfs_add_session(f->tree, 1);
        f->tuning.poll_usec = NEVER_USEC;
        f->tuning.first_wait_usec = 20000;
        f->tuning.last_wait_usec = 100000;
        start(f);
        run_for(f, 1000000);
        g_test_message("read %u times", f->n_changed);
        g_assert_cmpuint(f->n_changed, >=, 5); /* at 0, 20, 60, 140, 240, 340, … ms: 13 times, fewer if the machine is busy */
        g_assert_cmpuint(f->n_changed, <=, 13);
}

static void test_states(Fixture *f, gconstpointer data) {
        uint64_t since, later;

        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        sysfs_add_logged_in(f->tree, 2, INITIATOR, RECORD);
        start(f);
        await(f, "*2 LOGGED_IN " RECORD);
        since = session(f, 2)->reading.info.values[SESSION_LAST_STATE_CHANGE].number;
        g_assert_cmpuint(since, >, (uint64_t) g_get_real_time() - 10 * G_USEC_PER_SEC);
        g_assert_cmpuint(since, <=, (uint64_t) g_get_real_time());

        sysfs_set(f->tree, 2, "session", "state", "FAILED");
        await(f, "*2 FAILED " RECORD);
        later = session(f, 2)->reading.info.values[SESSION_LAST_STATE_CHANGE].number;
        g_assert_cmpuint(later, >, since);
        g_assert_true(session(f, 2)->reading.settled);
        assert_text(f, 1, SESSION_STATE, "LOGGED_IN");

        /* It is back, between two looks: its connection is another one. */
        sysfs_set(f->tree, 2, "connection", "local_port", "40001");
        await(f, "*2 FAILED " RECORD);
        g_assert_cmpuint(session(f, 2)->reading.info.connections[0].values[CONNECTION_LOCAL_PORT].number, ==, 40001);
        g_assert_cmpuint(session(f, 2)->reading.info.values[SESSION_LAST_STATE_CHANGE].number, ==, later);
        sysfs_set(f->tree, 2, "connection", "state", "failed");
        await(f, "*2 FAILED " RECORD);
        sysfs_set(f->tree, 2, "connection", "local_port", NULL);
        await(f, "*2 FAILED " RECORD);

        /* What did not change is not told. */
        g_string_truncate(f->told, 0);
        run_for(f, 300000);
        g_assert_cmpstr(f->told->str, ==, "");

        sysfs_remove_session(f->tree, 2);
        await(f, "-2");
        sysfs_remove_session(f->tree, 1);
        await(f, "-1");
        g_assert_null(session_watch_first(f->watch));
        g_assert_true(session_watch_is_complete(f->watch));
}

/* Values that no kernel should have, or another one has. */
static void test_odd_values(Fixture *f, gconstpointer data) {
        g_autofree char *long_name = g_strnfill(1100, 'a'), *longest_name = g_strnfill(1022, 'b');
        static const struct {
                const char *place, *attribute, *value;
                unsigned key;
        } odd[] = {
                { "session", "tpgt", "-1", SESSION_TAG },
                { "session", "tpgt", "65536", SESSION_TAG },
                { "session", "tpgt", "7x", SESSION_TAG },
                { "session", "tpgt", "", SESSION_TAG },
                { "session", "tpgt", NULL, SESSION_TAG },
                { "session", "initial_r2t", "2", SESSION_INITIAL_R2T },
                { "session", "max_burst_len", "4294967296", SESSION_MAX_BURST },
                { "session", "max_burst_len", "99999999999999999999999", SESSION_MAX_BURST },
                { "session", "max_burst_len", "(null)", SESSION_MAX_BURST },
                { "host", "netdev", "<NULL>", SESSION_INTERFACE_NAME },
        };
        unsigned n = G_N_ELEMENTS(odd);

        for (unsigned i = 0; i < n; i++) {
                sysfs_add_logged_in(f->tree, i + 1, INITIATOR, RECORD);
                sysfs_set(f->tree, i + 1, odd[i].place, odd[i].attribute, odd[i].value);
        }
        sysfs_add_logged_in(f->tree, 100, INITIATOR, "\xff\xfe");
        sysfs_add_logged_in(f->tree, 101, INITIATOR, "a\x1b[31mb");
        sysfs_add_logged_in(f->tree, 102, INITIATOR, long_name);
        sysfs_add_logged_in(f->tree, 103, INITIATOR, longest_name);
        sysfs_add_logged_in(f->tree, 104, INITIATOR, "two\nlines");
        sysfs_add_logged_in(f->tree, 105, INITIATOR, RECORD);
        sysfs_set(f->tree, 105, "connection", "header_digest", "65534");
        start(f);
        await(f, "complete ");

        for (unsigned i = 0; i < n; i++) {
                g_assert_false(session(f, i + 1)->reading.info.values[odd[i].key].known);
                g_assert_null(session(f, i + 1)->reading.fault);
        }
        for (unsigned i = 100; i <= 104; i++) {
                const SessionReading *r = &session(f, i)->reading;

                g_test_message("%u: %s", i, r->fault ? r->fault : "");
                g_assert_cmpint(r->settled, ==, i == 103);
                if (i == 103)
                        assert_text(f, i, SESSION_INTERFACE_RECORD, longest_name);
                else
                        g_assert_true(g_str_has_prefix(r->fault, "ifacename cannot be read: "));
        }
        g_assert_false(session(f, 105)->reading.info.connections[0].values[CONNECTION_HEADER_DIGEST].known);
}

/* Names in the class that are none of sessions. */
static void test_odd_names(Fixture *f, gconstpointer data) {
        static const char *const names[] = { "session",  "session-1", "session4294967296", "session01x",
                                             "sessions", "session1 ", "xsession1",         "session99999999999999" };

        sysfs_add_logged_in(f->tree, 4294967295, INITIATOR, RECORD);
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_build_filename(f->tree->path, "class/iscsi_session", names[i], NULL);

                g_assert_cmpint(mkdir(path, 0755), ==, 0);
        }
        start(f);
        await(f, "*4294967295 LOGGED_IN " RECORD);
        await(f, "complete ");
        g_assert_cmpstr(f->told->str, ==, "");
        assert_text(f, 4294967295, SESSION_ISID, "00023DFFFFFF");
}

static void test_numbers_in_paths(void) {
        static const struct {
                const char *path;
                int64_t number;
        } cases[] = {
                { "/devices/platform/host2/session5", 5 },
                { "/devices/platform/host2/session5/target2:0:0/2:0:0:0", 5 },
                { "/devices/platform/host2/session5/connection5:0/iscsi_connection/connection5:0", 5 },
                { "/devices/platform/host2/iscsi_host/host2", -1 },
                { "session5", 5 },
                { "/devices/session", -1 },
                { "/devices/session5x/a", -1 },
                { "/devices/session5:0", -1 },
                { "/devices/xsession5", -1 },
                { "/devices/session4294967295", 4294967295 },
                { "/devices/session4294967296", -1 },
                { "", -1 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                uint32_t number;
                bool found = session_number_in_path(cases[i].path, &number);

                g_test_message("%s", cases[i].path);
                g_assert_cmpint(found, ==, cases[i].number >= 0);
                if (found)
                        g_assert_cmpint(number, ==, cases[i].number);
        }
}

/* While it is read, a session goes away: half of it is there still. */
static void test_vanishing(Fixture *f, gconstpointer data) {
        g_autofree char *link = g_build_filename(f->tree->path, "class/iscsi_session/session1", NULL),
                        *connection = g_build_filename(f->tree->path, "devices/platform/host11/session1/connection1:0", NULL),
                        *device = sysfs_attribute(f->tree, 1, "session", "device");
        const char *const argv[] = { "rm", "-r", connection, NULL };
        g_autoptr(GError) error = NULL;
        int status;

        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        sysfs_add_logged_in(f->tree, 2, INITIATOR, RECORD);
        start(f);
        await(f, "complete ");

        /* Without its connection; without what leads to it; without attributes; a link to nothing. */
        g_assert_true(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error));
        g_assert_cmpint(status, ==, 0);
        await(f, "*1 LOGGED_IN " RECORD);
        g_assert_cmpuint(session(f, 1)->reading.info.n_connections, ==, 0);
        g_assert_cmpint(unlink(device), ==, 0);
        sysfs_set(f->tree, 1, "session", "targetname", NULL);
        sysfs_set(f->tree, 1, "session", "state", NULL);
        await(f, "*1  " RECORD);
        g_assert_false(session(f, 1)->reading.settled);

        g_assert_cmpint(unlink(link), ==, 0);
        g_assert_cmpint(symlink("../../devices/platform/host99/session1/iscsi_session/session1", link), ==, 0);
        await(f, "-1");
        g_assert_cmpint(unlink(link), ==, 0);
        assert_text(f, 2, SESSION_STATE, "LOGGED_IN");
        g_assert_true(session_watch_is_complete(f->watch));

        /* So that all can be removed. */
        g_assert_cmpint(mkdir(connection, 0755), ==, 0);
}

/* Called in the middle of the reading of a session: its attributes were read, its host was not. */
static Fixture *reading_ends_in;

ssize_t readlinkat(int fd, const char *restrict path, char *restrict buf, size_t size) {
        ssize_t (*next)(int, const char *, char *, size_t) = dlsym(RTLD_NEXT, "readlinkat");

        if (reading_ends_in) {
                sysfs_remove_session(reading_ends_in->tree, 1);
                reading_ends_in = NULL;
        }
        return next(fd, path, buf, size);
}

/* What was read of a session that is gone at the end is not told. */
static void test_gone_meanwhile(Fixture *f, gconstpointer data) {
        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        reading_ends_in = f;
        start(f);
        await(f, "complete ");
        g_assert_null(reading_ends_in);
        g_assert_null(session_watch_first(f->watch));
        g_assert_cmpuint(f->n_changed, ==, 0);

        /* One that was told is gone, and not other than it was. */
        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        session_watch_look(f->watch);
        await(f, "*1 LOGGED_IN " RECORD);
        sysfs_set(f->tree, 1, "session", "state", "FAILED");
        reading_ends_in = f;
        await(f, "-1");
        g_assert_cmpuint(f->n_changed, ==, 1);
}

/* Sessions come and go all the time while they are read: nothing is told twice, and in the end all is told. */
static void test_coming_and_going(Fixture *f, gconstpointer data) {
        bool there[8] = {};

        f->tuning.poll_usec = 1000;
        sysfs_add_logged_in(f->tree, 100, INITIATOR, RECORD);
        start(f);
        await(f, "complete ");
        for (unsigned i = 0; i < 400; i++) {
                unsigned n = (unsigned) g_random_int_range(0, 8);

                if (there[n])
                        sysfs_remove_session(f->tree, n + 1);
                else
                        sysfs_add_logged_in(f->tree, n + 1, INITIATOR, RECORD);
                there[n] = !there[n];
                if (i % 3 == 0)
                        g_assert_cmpint(sd_event_run(f->event, 2000), >=, 0);
        }
        run_for(f, 200000);
        for (unsigned n = 0; n < 8; n++) {
                const HostSession *found = NULL;

                for (const HostSession *s = session_watch_first(f->watch); s; s = s->hh.next)
                        found = s->number == n + 1 ? s : found;
                g_assert_cmpint(found != NULL, ==, there[n]);
        }

        /* They are in order. */
        for (const HostSession *s = session_watch_first(f->watch); s && s->hh.next; s = s->hh.next)
                g_assert_cmpuint(s->number, <, ((const HostSession *) s->hh.next)->number);
}

static void test_too_many(Fixture *f, gconstpointer data) {
        f->tuning.sessions_max = 3;
        for (unsigned i = 1; i <= 4; i++)
                sysfs_add_logged_in(f->tree, i, INITIATOR, RECORD);
        start(f);
        await(f, "incomplete This host has more than 3 iSCSI sessions as an initiator; the others are not followed");
        g_assert_false(session_watch_is_complete(f->watch));
        sysfs_remove_session(f->tree, session_watch_first(f->watch)->number);
        await(f, "complete ");
        g_assert_null(session_watch_text(f->watch));
}

/* A thousand of them do not hold up the event loop. */
static void test_turns(Fixture *f, gconstpointer data) {
        unsigned before, n = 3 * SESSIONS_PER_TURN + 1;

        for (unsigned i = 1; i <= n; i++)
                sysfs_add_logged_in(f->tree, i, INITIATOR, RECORD);
        f->tuning.poll_usec = NEVER_USEC;
        start(f);
        for (before = 0; f->n_changed < n; before = f->n_changed) {
                g_assert_false(session_watch_is_complete(f->watch));
                g_assert_cmpint(sd_event_run(f->event, G_USEC_PER_SEC), >, 0);
                g_assert_cmpuint(f->n_changed, <=, before + SESSIONS_PER_TURN);
        }
        await(f, "complete ");
}

/* What cannot be listed is not said to be complete, and what was known stays. */
static void test_faults(Fixture *f, gconstpointer data) {
        g_autofree char *class = g_build_filename(f->tree->path, "class/iscsi_session", NULL),
                        *aside = g_strconcat(class, "-", NULL);
        struct rlimit before, none;

        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        start(f);
        await(f, "complete ");

        g_assert_cmpint(rename(class, aside), ==, 0);
        g_assert_true(g_file_set_contents(class, "", -1, NULL));
        await(f, "incomplete The iSCSI sessions of this host as an initiator cannot be listed: Not a directory");
        g_assert_cmpint(unlink(class), ==, 0);
        g_assert_cmpint(rename(aside, class), ==, 0);
        await(f, "complete ");

        /* No file can be opened. */
        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
        await(f, "incomplete The iSCSI sessions of this host as an initiator cannot be listed: Too many open files");
        assert_text(f, 1, SESSION_STATE, "LOGGED_IN");
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
        await(f, "complete ");
        assert_text(f, 1, SESSION_STATE, "LOGGED_IN");
}

/* An attribute that may not be read. Root may read all: this is a process without that right. */
static void test_forbidden(Fixture *f, gconstpointer data) {
        g_autofree char *file = NULL;

        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        file = sysfs_attribute(f->tree, 1, "session", "targetname");
        g_assert_cmpint(chmod(file, 0400), ==, 0);
        if (g_test_subprocess()) {
                g_assert_cmpint(setuid(65534), ==, 0);
                start(f);
                await(f, "complete ");
                g_assert_cmpstr(session(f, 1)->reading.fault, ==, "targetname cannot be read: Permission denied");
                g_assert_false(session(f, 1)->reading.settled);
                _exit(0); /* it may not remove the tree */
        }
}

static void test_forbidden_child(Fixture *f, gconstpointer data) {
        g_test_trap_subprocess("/session-watch/forbidden/subprocess", 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
        g_test_trap_assert_passed();
}

static uint64_t cpu_usec(void) {
        struct timespec ts;

        g_assert_cmpint(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), ==, 0);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* The list comes in any order. They are followed by number, and to put them in order takes little time: with a search for the
 * place of each, this many would take seconds. */
static void test_order(Fixture *f, gconstpointer data) {
        const unsigned n = 30000;
        g_autofree char *class = g_build_filename(f->tree->path, "class/iscsi_session", NULL);
        unsigned expected = 0;
        uint64_t begin, usec;

        g_assert_cmpint(g_mkdir_with_parents(class, 0700), ==, 0);
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *path = g_strdup_printf("%s/session%u", class, i * 7919 % n); /* in no order */

                g_assert_cmpint(mkdir(path, 0700), ==, 0);
        }
        f->tuning.sessions_max = n;
        start(f);
        begin = cpu_usec();
        g_assert_cmpint(sd_event_run(f->event, 0), >, 0);
        usec = cpu_usec() - begin;

        for (const HostSession *s = session_watch_first(f->watch); s; s = s->hh.next)
                g_assert_cmpuint(s->number, ==, expected++);
        g_assert_cmpuint(expected, ==, n);
        g_test_message("%u sessions were listed in %" G_GUINT64_FORMAT " µs", n, usec);
        g_assert_cmpuint(usec, <, G_USEC_PER_SEC);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        fixture_test("/session-watch/order", test_order);
        g_test_add_func("/session-watch/numbers-in-paths", test_numbers_in_paths);
        fixture_test("/session-watch/none", test_none);
        fixture_test("/session-watch/values", test_values);
        fixture_test("/session-watch/isid", test_isid);
        fixture_test("/session-watch/late-names", test_late_names);
        fixture_test("/session-watch/pauses", test_pauses);
        fixture_test("/session-watch/states", test_states);
        fixture_test("/session-watch/odd-values", test_odd_values);
        fixture_test("/session-watch/odd-names", test_odd_names);
        fixture_test("/session-watch/vanishing", test_vanishing);
        fixture_test("/session-watch/gone-meanwhile", test_gone_meanwhile);
        fixture_test("/session-watch/coming-and-going", test_coming_and_going);
        fixture_test("/session-watch/too-many", test_too_many);
        fixture_test("/session-watch/turns", test_turns);
        fixture_test("/session-watch/faults", test_faults);
        fixture_test("/session-watch/forbidden", test_forbidden_child);
        fixture_test("/session-watch/forbidden/subprocess", test_forbidden);
        return g_test_run();
}
