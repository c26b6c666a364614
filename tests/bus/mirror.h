/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A client that reads all objects once and from then on knows them by the service's signals alone. What it knows is held against
 * what the service says, and each signal against what was known before: so nothing may change unsaid, and nothing may be said
 * that did not change. */

#include "fixture.h"

#define NODE_INTERFACE "org.iscsi.Node"
#define PORT_INTERFACE "org.iscsi.ProtocolEndpoint"
#define TCP_INTERFACE "org.iscsi.TCPProtocolEndpoint"
#define IP_INTERFACE "org.iscsi.IPProtocolEndpoint"
#define GROUP_INTERFACE "org.iscsi.PortalGroup"

/* Takes the next complete value of a message as text: strings as they are, lists in brackets, dictionary entries with ":", the
 * contents of a variant after its signature in "<>". g_free it. */
char *read_value_text(sd_bus_message *m);

/* "PATH INTERFACE PROPERTY" → value as text, and "PATH INTERFACE " → "" for each interface, of all objects in
 * GetManagedObjects. */
GHashTable *read_managed_objects(sd_bus *bus);

/* The same, with the properties that are read by Get alone. */
GHashTable *read_all_objects(sd_bus *bus);

/* read_all_objects() as sorted lines; lists whose order means nothing are sorted too. Equal before and after a restart. */
char *managed_objects_text(sd_bus *bus);

/* The path below ROOT_PATH with its elements decoded, e.g. "tcp/127.0.0.1:3260". g_free it. */
char *readable_path(const char *path);

/* The value of one property, as read_value_text() gives it. g_free it. */
char *get_value_text(sd_bus *bus, const char *path, const char *interface, const char *property);

typedef struct Mirror Mirror;
Mirror *mirror_new(sd_bus *bus);
void mirror_free(Mirror *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Mirror, mirror_free)

/* Puts a line of the test's own among the signals. */
void mirror_mark(Mirror *m, const char *line);

/* Whether signals that mirror_take() would give have come already. */
bool mirror_has_signals(Mirror *m);

/* Waits for the service, takes in all it has sent until then, and ends the test unless what is known now is what the service
 * says. Gives the signals since the last call, a line each:
 *      + PATH               InterfacesAdded
 *      - PATH               InterfacesRemoved
 *      ~ PATH A B -C        PropertiesChanged: A and B have new values, C is invalidated
 * g_free it. */
char *mirror_take(Mirror *m);

/* Ends the test unless mirror_take() gives these lines (NULL-terminated), first those that tell something else than what was
 * invalidated, then the others: these are sent when the work on a call is over, with its answer before them. */
#define assert_signals(m, ...) assert_signals_at(G_STRLOC, (m), (const char *const[]){ __VA_ARGS__, NULL })
void assert_signals_at(const char *where, Mirror *m, const char *const *lines);
