/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An interface record of open-iscsi as text: lines "key = value", one file per record.
 *
 * open-iscsi reads all records or none: one key that it does not know, in one file, hides all of them. So a record of ours has
 * nothing but keys that every version knows, and what is ours is not marked in it but known by its name (record-name.h). */

#include <stdbool.h>

#include "common/macro.h"

/* open-iscsi's ISCSI_MAX_IFACE_LEN. */
#define RECORD_NAME_MAX 64u

typedef struct Record {
        char *file; /* its name in the directory; by this name open-iscsi finds it */
        /* The values of its keys, all owned; NULL: not set. */
        char *name;
        char *transport;
        char *netdev;
        char *hwaddress;
        char *initiator;
        char *unknown; /* the first key that open-iscsi 2.1.8 does not know; NULL: there is none */
        bool empty;    /* it has no key at all, as while iscsiadm writes it */
} Record;

/* Reads TEXT, the content of FILE, as open-iscsi reads it: '#' begins a comment, a line without " = " does not count, of two
 * lines with one key the last counts, and the value "<empty>" is none. Returns 0 or -ENOMEM. */
int record_parse(const char *file, const char *text, Record *ret);

/* The text of R: it begins with a comment with COMMENT, for people. Of BEFORE, the text that it had (NULL: none), those settings
 * stay that Record does not hold and open-iscsi 2.1.8 knows. Returns a fresh string or NULL. */
char *record_format(const Record *r, const char *comment, const char *before);

/* Returns 0 or -ENOMEM. */
int record_copy(const Record *r, Record *ret);

void record_done(Record *r);
#define _cleanup_record_ _cleanup_(record_done)

/* Whether open-iscsi lists it: it says at least by which transport. */
bool record_is_valid(const Record *r);
