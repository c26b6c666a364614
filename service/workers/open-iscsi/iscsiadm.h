/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs iscsiadm, which alone can log out. */

#include "workers/base/report.h"
#include "workers/open-iscsi/installation.h"

typedef struct Errand {
        const char *what;             /* "log out of session 3": for a refusal */
        const char *const *arguments; /* NULL-terminated */
        bool asks_iscsid;             /* it is iscsid that does it */
} Errand;

/* Runs it and waits for at most as long as AT says; then it is ended, with SIGTERM first. If it leaves open-iscsi's lock, that is
 * removed, provided that nobody else can have made it. Returns 0 if it ended with status 0, else a negative errno with its own
 * last words in the report; Busy if the lock is there when it did not end in time. */
int iscsiadm_run(const Installation *at, const Errand *errand, Report *report);
