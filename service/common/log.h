/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Log lines on standard error, with the priority prefix of sd-daemon(3) when the journal reads them. */

#include <syslog.h>

#include "common/macro.h"

/* Lines less important than LEVEL (syslog's numbers, default LOG_INFO) are dropped. */
void log_set_max_level(int level);

/* Writes one line; control characters in it are replaced, so that no caller's text can forge another line. */
void log_full(int level, const char *format, ...) _printf_(2, 3);

/* As log_full(), with ": <text of errno>" behind it. Returns the negative errno, so that it can stand in a return. */
int log_full_errno(int level, int error, const char *format, ...) _printf_(3, 4);

#define log_debug(...) log_full(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_full(LOG_INFO, __VA_ARGS__)
#define log_notice(...) log_full(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_full(LOG_ERR, __VA_ARGS__)
#define log_warning_errno(e, ...) log_full_errno(LOG_WARNING, e, __VA_ARGS__)
#define log_error_errno(e, ...) log_full_errno(LOG_ERR, e, __VA_ARGS__)
#define log_oom() log_error_errno(-ENOMEM, "Out of memory")
