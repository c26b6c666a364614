/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How much a user is sent: the bus holds what a reader does not take, and charges it to the service. Each user has an account of
 * bytes that fills up by itself. There are accounts for so many users; who comes when all are in use gets the one that misses
 * least, since a user who has many names must not be able to have the others refused. */

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
        size_t wanted;  /* that could not be taken: nothing is until it can be; 0: nothing was refused */
} ReaderAccount;

typedef struct ReaderAccounts {
        ReaderAccount accounts[READERS_MAX];
} ReaderAccounts;

/* Whether it makes sense to find out how much UID is to be sent: not while its account is empty, and not until the account has
 * what it lacked when it was asked last. If not, *RET_SECONDS is how long it takes until then. NOW is CLOCK_MONOTONIC in µs. */
bool reader_account_is_open(ReaderAccounts *a, uid_t uid, uint64_t now, unsigned *ret_seconds);

/* Takes BYTES from the account of UID, or all of it if it is full and BYTES is more. Returns whether there was enough; if not,
 * nothing is taken, and *RET_SECONDS is how long it takes until there will be. NOW is CLOCK_MONOTONIC in µs. */
bool reader_account_take(ReaderAccounts *a, uid_t uid, size_t bytes, uint64_t now, unsigned *ret_seconds);
