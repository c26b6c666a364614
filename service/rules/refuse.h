/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a rule says that is not kept. */

#include "common/macro.h"
#include "common/refusal.h"

/* Of a sentence with more bytes the middle is left out. */
#define REFUSAL_TEXT_MAX 2000u

#define LIMIT_TEXT 128u /* characters of an alias or an ElementName: CreateiSCSINode's MaxLen(128) */

/* For a refusal with its sentence: sets *RET_WHY, returns R, or -ENOMEM. Control characters become '?'. */
int refuse(Refusal r, char **ret_why, const char *format, ...) _printf_(3, 4);

/* A text that people give to an object: no control characters, at most LIMIT_TEXT characters. */
int check_text(const char *what, const char *text, char **ret_why);
