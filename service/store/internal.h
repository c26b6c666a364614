/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the store have in common beside SQLite: change sets, reading, opening, groups, sentences. */

#include "store/sql.h"

/* Operations, each one allocation. */
struct StoreChange {
        StoreOperation **operations;
        size_t n;
};

/* What the file holds, as the operations that would make it. */
struct StoreImage {
        StoreChange *objects;
        uint64_t next_ids[_STORED_MAX]; /* 0: the kind has no ids of its own */
};

StoreImage *image_free(StoreImage *image);
DEFINE_TRIVIAL_CLEANUP(StoreImage *, image_free);

/* Prepares the statements of all verbs. */
int changes_prepare(Database *d);

/* Runs a change set's operations inside a transaction, up to the first that fails. */
int change_apply(Database *d, const StoreChange *c);

/* Reads everything, inside a transaction of the caller's or without one. -EUCLEAN: a value that no change can have written. */
int database_load(Database *d, StoreImage **ret);

/* Removes nodes and addresses that end with a boot other than this one. Returns 1 if there were any, 0 if not, or a negative
 * errno. */
int database_forget_other_boots(Database *d);

struct StoreCommit {
        StoreCommit *next;
        StoreChange *change;
        StoreUrgency urgency;
        store_done_t done; /* the loop's alone, as the next one */
        void *userdata;
        int result;
        char *why; /* NULL with a negative result: there was no memory for it */
};

StoreCommit *commit_free(StoreCommit *c);

/* Stores the commits in one transaction and sets their results. One that fails is undone alone. Returns 0, or the error that
 * the transaction as a whole ended with: it has failed all of them. */
int group_commit(Database *d, StoreCommit *first);

/* Whether a file that answers with R must not be used on. */
bool database_is_lost(int r);

/* Opens what store_new() describes. MAY_BEGIN: an absent file is begun. Returns 0 or a negative errno with a sentence in *RET_WHY
 * (malloc'ed, NULL without memory). */
int database_open(const char *directory, bool may_begin, Database **ret, StoreImage **ret_image, char **ret_why);

/* Closes the file. One that was moved away is made complete first, so that it can be put back; a damaged one is left as it is.
 * R: the error for which it is closed, or 0. */
Database *database_close(Database *d, int r);

/* Makes DIRECTORY if need be. *RET_PATH is the path of the file in it, without symbolic links: SQLite is told to follow none. */
int state_directory_open(const char *directory, int *ret_fd, char **ret_path);

/* Makes a new, empty store of the current version at d->path, where there must be none. It comes there complete or not at all. */
int database_begin(Database *d);

/* The name of a file in the directory that shows that a store was there, or NULL (malloc'ed). Returns 0 or a negative errno. */
int state_directory_find_remains(int directory_fd, char **ret);

/* Sentences with the reason and the way out, malloc'ed; NULL: no memory. DETAIL is what the system or SQLite said. */
char *explain_fault(const char *path, int error, const char *detail);
char *explain_failed_change(int error, const char *detail);
