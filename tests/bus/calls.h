/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls of the service's methods of which the test knows how they end. Arguments as sd_bus_message_append() takes them. */

#include "fixture.h"

/* Must succeed. */
#define must_call(bus, member, ...) must_call_at(G_STRLOC, (bus), (member), __VA_ARGS__)
void must_call_at(const char *where, sd_bus *bus, const char *member, const char *types, ...);

/* Must be answered by this error of the service, with the number at the end of its message. */
#define must_refuse(bus, error, code, member, ...) must_refuse_at(G_STRLOC, (bus), (error), (code), (member), __VA_ARGS__)
void must_refuse_at(const char *where, sd_bus *bus, const char *error, unsigned code, const char *member, const char *types, ...);

/* The same for a message that is made already, which is unref'ed. */
#define must_refuse_message(bus, error, code, m) must_refuse_message_at(G_STRLOC, (bus), (error), (code), (m))
void must_refuse_message_at(const char *where, sd_bus *bus, const char *error, unsigned code, sd_bus_message *m);

/* An empty call of MEMBER. Unref'ed by the caller. */
sd_bus_message *new_call(sd_bus *bus, const char *member);

/* Sends M, unrefs it and does not wait for the answer, which nobody reads. */
void send_call(sd_bus *bus, sd_bus_message *m);
