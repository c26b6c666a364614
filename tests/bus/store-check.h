/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fixture.h"

/* Looks at the store of a service that does not run: a copy of it, so that the service itself finds what the last run left. Ends
 * the test unless SQLite finds nothing wrong with it. */
void assert_store_is_sound(Service *s);
