/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The disk under a service's store: how long it takes to flush a file, and how often it did. */

#include "fixture.h"

/* Puts the slow disk under the service. Before service_start(). It is fast until flush_set_msec(). */
void flush_control(Service *s);

/* How long each flush takes from now on, those under way too. */
void flush_set_msec(Service *s, unsigned msec);

/* How many flushes of the store's write-ahead log have begun since the last flush_forget(). */
unsigned flush_count(Service *s);
void flush_forget(Service *s);

/* Waits until N of them have begun. */
void flush_wait(Service *s, unsigned n);
