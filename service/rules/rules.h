/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rules of every mutating method: what a request must satisfy, in which order it is asked, and what a refusal says.
 *
 * Each check returns 0 with a plan in *RET, or a Refusal (positive) with a sentence for people in *RET_WHY (malloc'ed), or a
 * negative errno. A plan holds pointers into the model and is good until the model changes. */

#include "rules/limits.h"
#include "rules/node.h"
#include "rules/port.h"
#include "rules/portal.h"
#include "rules/reference.h"
#include "rules/refuse.h"
