/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/reader-account.h"

#include "common/clock.h"
#include "common/macro.h"

/* What has come back since. */
static void refill(ReaderAccount *a, uint64_t now) {
        uint64_t seconds = (now - a->usec) / USEC_PER_SEC, rest = (now - a->usec) % USEC_PER_SEC, back;

        back = seconds > READER_ACCOUNT_BYTES / READER_REFILL_BYTES
                       ? READER_ACCOUNT_BYTES
                       : seconds * READER_REFILL_BYTES + (rest * READER_REFILL_BYTES + USEC_PER_SEC - 1) / USEC_PER_SEC;
        a->missing -= MIN2(a->missing, back);
        a->usec = now;
}

/* A full account is as good as none. NULL: all are in use. */
static ReaderAccount *find_account(ReaderAccounts *a, uid_t uid, uint64_t now) {
        ReaderAccount *free_one = NULL;

        for (size_t i = 0; i < READERS_MAX; i++) {
                ReaderAccount *account = a->accounts + i;

                refill(account, now);
                if (account->missing == 0)
                        free_one = account;
                else if (account->uid == uid)
                        return account;
        }

        if (free_one)
                free_one->uid = uid;
        return free_one;
}

bool reader_account_take(ReaderAccounts *a, uid_t uid, size_t bytes, uint64_t now, unsigned *ret_seconds) {
        size_t wanted = MIN2(bytes, READER_ACCOUNT_BYTES);
        ReaderAccount *account = find_account(a, uid, now);

        if (!account) {
                *ret_seconds = 1;
                return false;
        }
        if (account->missing + wanted > READER_ACCOUNT_BYTES) {
                size_t lacking = account->missing + wanted - READER_ACCOUNT_BYTES;

                *ret_seconds = (unsigned) ((lacking + READER_REFILL_BYTES - 1) / READER_REFILL_BYTES);
                return false;
        }

        account->missing += wanted;
        return true;
}
