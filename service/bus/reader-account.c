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

static ReaderAccount *find_account(ReaderAccounts *a, uid_t uid, uint64_t now) {
        for (size_t i = 0; i < READERS_MAX; i++) {
                ReaderAccount *account = a->accounts + i;

                refill(account, now);
                if (account->missing > 0 && account->uid == uid)
                        return account;
        }

        return NULL;
}

/* A full account is as good as none, and the one that misses least is nearest to that. After find_account(). */
static ReaderAccount *open_account(ReaderAccounts *a, uid_t uid, uint64_t now) {
        ReaderAccount *least = a->accounts;

        for (size_t i = 1; i < READERS_MAX; i++)
                if (a->accounts[i].missing < least->missing)
                        least = a->accounts + i;

        *least = (ReaderAccount){ .uid = uid, .usec = now };
        return least;
}

/* Whether BYTES can be taken. */
static bool has(const ReaderAccount *a, size_t bytes, unsigned *ret_seconds) {
        size_t lacking;

        if (a->missing + bytes <= READER_ACCOUNT_BYTES)
                return true;

        lacking = a->missing + bytes - READER_ACCOUNT_BYTES;
        *ret_seconds = (unsigned) ((lacking + READER_REFILL_BYTES - 1) / READER_REFILL_BYTES);
        return false;
}

bool reader_account_is_open(ReaderAccounts *a, uid_t uid, uint64_t now, unsigned *ret_seconds) {
        const ReaderAccount *account = find_account(a, uid, now);

        return !account || has(account, MAX2(account->wanted, (size_t) 1), ret_seconds);
}

bool reader_account_take(ReaderAccounts *a, uid_t uid, size_t bytes, uint64_t now, unsigned *ret_seconds) {
        size_t wanted = MIN2(bytes, READER_ACCOUNT_BYTES);
        ReaderAccount *account = find_account(a, uid, now) ?: open_account(a, uid, now);

        if (!has(account, wanted, ret_seconds)) {
                account->wanted = wanted;
                return false;
        }

        account->wanted = 0;
        account->missing += wanted;
        return true;
}
