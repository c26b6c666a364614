/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sessions as neutral values. They are no objects: they have no path and no signals. */

#include "common/session.h"
#include "common/value.h"
#include "model/model.h"

/* Writes S as a{sv}: what is known of it, its connections, and of PORT (may be NULL) path and Identifier. */
int session_write(const SessionInfo *s, const Port *port, ValueWriter *w);
