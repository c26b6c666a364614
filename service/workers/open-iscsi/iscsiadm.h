/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs iscsiadm, which alone can log out. */

#include "workers/base/report.h"
#include "workers/open-iscsi/installation.h"

/* Runs it with the ARGUMENTS (NULL-terminated) and waits for at most eight seconds. Returns 0 if it ended with status 0, else a
 * negative errno with its own last words in the report. */
int iscsiadm_run(const Installation *at, const char *const *arguments, Report *report);
