/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much a user is sent: the bus holds what a reader does not take, and charges it to the service. Each user has an account of
 * bytes that fills up by itself. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define READER_ACCOUNT_BYTES ((size_t) 16 * 1024 * 1024)
#define READER_REFILL_BYTES ((size_t) 1024 * 1024) /* per second */
#define READERS_MAX 64u                            /* users whose account is not full */

typedef struct ReaderAccount {
        uid_t uid;
        size_t missing; /* bytes, at USEC */
        uint64_t usec;  /* CLOCK_MONOTONIC */
} ReaderAccount;

typedef struct ReaderAccounts {
        ReaderAccount accounts[READERS_MAX];
} ReaderAccounts;

/* Takes BYTES from the account of UID, or all of it if it is full and BYTES is more. Returns whether there was enough; if not,
 * nothing is taken, and *RET_SECONDS is how long it takes until there will be. NOW is CLOCK_MONOTONIC in µs. */
bool reader_account_take(ReaderAccounts *a, uid_t uid, size_t bytes, uint64_t now, unsigned *ret_seconds);
