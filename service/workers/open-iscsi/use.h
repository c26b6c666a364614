/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who uses an interface record: sessions that were logged in through it, and records of targets (node records) that name it. Both
 * need it: without the record, iscsiadm can neither log in nor out through it. */

#include "workers/base/report.h"
#include "workers/base/texts.h"
#include "workers/open-iscsi/installation.h"

typedef struct Use {
        Texts sessions; /* "session 3 with iqn.…"; SESSION_IDS says which */
        unsigned *ids;  /* owned; as many as sessions */
        Texts records;  /* paths of node records, as they stand in the database */
} Use;

void use_done(Use *u);
#define _cleanup_use_ _cleanup_(use_done)

/* Looks for what uses the record FILE. Returns 0 or a negative errno with the report filled, without one if memory ran out. */
int use_read(const Installation *at, const char *file, Use *ret, Report *report);

/* SessionsActive or RecordInUse if there is any; 0 if not. */
int use_refuse(const Use *u, const char *file, Report *report);

/* Logs out of all sessions of U and removes its node records, with iscsiadm, as its users would. Fails if anything is left. */
int use_end(const Installation *at, const Use *u, const char *file, Report *report);
