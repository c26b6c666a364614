/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls of several callers at once, and what answers them, in one event loop of the test. All functions end the test on
 * failure. */

#include "fixture.h"

#include <systemd/sd-event.h>

/* Lets the loop serve BUS. Its connections are served by nothing else, except while a function of fixture.h calls on them. */
void loop_attach(sd_bus *bus);

/* A connection of USER, or of a uid that becomes a user if it is none, that the loop serves. Ended by caller_leave(). */
sd_bus *caller_new(const char *user);
sd_bus *caller_new_uid(uid_t uid);

/* Closes the connection at once, and waits until the bus has forgotten it. Returns NULL. */
sd_bus *caller_leave(sd_bus *bus);

/* Turn the loop: until CONDITION returns true, which must come within 60 s; or for that many milliseconds. */
void loop_until(bool (*condition)(void *userdata), void *userdata);
void loop_for(unsigned msec);

/* A call under way, or answered. */
typedef struct Call {
        sd_bus_message *reply; /* NULL: not answered yet */
        sd_bus_slot *slot;
        gint64 started, ended; /* monotonic usec */
} Call;

/* A call of the service's own interface that is not sent yet. */
sd_bus_message *message_new(sd_bus *bus, const char *member, const char *types, ...);
sd_bus_message *message_new_create_node(sd_bus *bus, const char *name);
sd_bus_message *message_new_create_port(sd_bus *bus, const char *node, const char *identifier, const char *portal);

/* Sends M, whose reference it takes, without waiting. Without an answer it waits for ever. call_free() before its answer forgets
 * it. */
Call *call_start(sd_bus_message *m);
void call_free(Call *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

Call *call_start_interactive(sd_bus_message *m); /* with the flag that allows a prompt */

void call_wait(Call *c);
bool call_succeeded(Call *c); /* of an answered call */

/* Waits for the answer, and ends the test if it is another one. The path is valid as long as the call. */
void assert_call_succeeds(Call *c);
const char *assert_call_gives_path(Call *c);
void assert_call_fails(Call *c, const char *name, unsigned code); /* as assert_error() */
