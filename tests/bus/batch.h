/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls of CreateiSCSIProtocolEndpoints, and what else takes lists of items. All functions end the test on failure. */

#include "fixture.h"

/* A call to which items are added, until batch_end(). */
sd_bus_message *batch_new(sd_bus *bus);

/* An item for a target port. PORTALS: "127.0.0.1:3260 127.0.0.1:3261". */
void batch_add(sd_bus_message *m, const char *node_name, const char *identifier, const char *portals);

/* An item as it is; one portal. */
void batch_add_raw(sd_bus_message *m, const char *node, unsigned role, const char *identifier, const char *portal);

typedef enum BatchEnabled {
        BATCH_DEFAULT, /* the option is not given */
        BATCH_ENABLED,
        BATCH_DISABLED,
} BatchEnabled;
sd_bus_message *batch_end(sd_bus_message *m, BatchEnabled enabled);

/* Sends M, which is unref'ed. It must succeed: gives the paths of the reply, in their order. */
char **batch_call(sd_bus *bus, sd_bus_message *m);

/* Sends M, which is unref'ed. It must be refused with this error, whose message begins with TEXT. */
#define batch_refuse(bus, m, error, code, text) batch_refuse_at(G_STRLOC, (bus), (m), (error), (code), (text))
void batch_refuse_at(const char *where, sd_bus *bus, sd_bus_message *m, const char *error, unsigned code, const char *text);
