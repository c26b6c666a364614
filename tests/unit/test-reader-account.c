/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How much each user is sent. */

#include "bus/reader-account.h"

#include <glib.h>

#include "common/clock.h"

#define MIB ((size_t) 1024 * 1024)

static ReaderAccounts accounts;
static uint64_t now;

static void set_up(void) {
        accounts = (ReaderAccounts){};
        now = 1000 * USEC_PER_SEC;
}

static void assert_taken(uid_t uid, size_t bytes) {
        unsigned seconds;

        g_assert_true(reader_account_take(&accounts, uid, bytes, now, &seconds));
}

static void assert_refused(uid_t uid, size_t bytes, unsigned expected) {
        unsigned seconds = 0;

        g_assert_false(reader_account_take(&accounts, uid, bytes, now, &seconds));
        g_assert_cmpuint(seconds, ==, expected);
}

static void assert_open(uid_t uid) {
        unsigned seconds;

        g_assert_true(reader_account_is_open(&accounts, uid, now, &seconds));
}

static void assert_closed(uid_t uid, unsigned expected) {
        unsigned seconds = 0;

        g_assert_false(reader_account_is_open(&accounts, uid, now, &seconds));
        g_assert_cmpuint(seconds, ==, expected);
}

static void test_take(void) {
        set_up();
        assert_taken(1, 10 * MIB);
        assert_refused(1, 10 * MIB, 4);
        assert_taken(1, 6 * MIB);
        assert_refused(1, 1, 1);
        assert_taken(2, 10 * MIB);

        now += 4 * USEC_PER_SEC;
        assert_refused(1, 4 * MIB + 1, 1);
        assert_taken(1, 4 * MIB);

        now += 3600 * USEC_PER_SEC;
        assert_taken(1, 100 * MIB); /* more than there can be: all of it */
        assert_refused(1, 100 * MIB, 16);
}

/* Nothing is worked out for a user who cannot be sent it. */
static void test_open(void) {
        set_up();
        assert_open(1);
        assert_taken(1, 10 * MIB);
        assert_open(1);
        assert_refused(1, 10 * MIB, 4);
        assert_closed(1, 4);
        now += 3 * USEC_PER_SEC;
        assert_closed(1, 1);
        now += USEC_PER_SEC;
        assert_open(1);
        assert_taken(1, 10 * MIB);
        assert_closed(1, 1); /* empty */
        now += 1;
        assert_open(1); /* what the next answer takes is not known */
        assert_open(2);
}

/* One user with many names has used all accounts. */
static void test_many(void) {
        set_up();
        for (uid_t uid = 1; uid <= READERS_MAX; uid++)
                assert_taken(uid, uid == 7 ? MIB : 16 * MIB);
        assert_open(1000);
        assert_taken(1000, 10 * MIB);
        assert_refused(1000, 10 * MIB, 4);
        for (uid_t uid = 1; uid <= READERS_MAX; uid++)
                if (uid != 7)
                        assert_refused(uid, MIB, 1);

        /* The one that missed least was replaced: that user has a new one, in the place of the next. */
        assert_taken(7, 16 * MIB);
        assert_refused(7, 16 * MIB, 16);
        assert_taken(1000, 16 * MIB);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/reader-account/take", test_take);
        g_test_add_func("/reader-account/open", test_open);
        g_test_add_func("/reader-account/many", test_many);
        return g_test_run();
}
