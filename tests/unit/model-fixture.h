/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of the model and of its rules share: a model with a listener that writes down what it hears, and a
 * check that the model is whole. */

#include <glib.h>
#include <stdbool.h>

#include "model/model.h"
#include "rules/rules.h"

/* Listens to MODEL. TEXT has a line for each call, in order:
 *      "+ <path>"                      added
 *      "- <path>"                      removing
 *      "~ <path> <property>…"          changed
 * Beside that it believes what it hears: it reads an object's associations and state when it is added, and a property again when
 * that property is told to have changed. recorder_check() compares what it believes with what is. */
typedef struct Recorder {
        Model *model;
        GString *text;
        GHashTable *beliefs; /* path → properties: name → value */
        int path_fails_in;   /* so many objects more get a path, then one does not; negative: all do */
        bool reads;          /* on by default; off where it would take too long */
} Recorder;

Recorder *recorder_new(void);
void recorder_free(Recorder *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recorder, recorder_free)

/* Checks that exactly this was told since the last call, and forgets it. */
#define recorder_assert_told(r, ...) \
        recorder_assert_told_at(G_STRLOC, r, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })
void recorder_assert_told_at(const char *where, Recorder *r, const char *const *lines);
void recorder_forget(Recorder *r);

/* Checks everything that always holds: each association can be read from both ends, indexes find what is there, the counts are
 * right, what is there has a reason to be, what is published can be found, and the listener knows all that it should. */
void recorder_check(Recorder *r);
void model_check(Model *m); /* all but what the listener knows */

/* An object's property as text, as JSON or, for paths, separated by blanks: those of BindsTo and ListeningOn in their order,
 * others sorted. */
char *object_property(const Object *o, const char *name);

/* The properties of its kind that change in an object's life; NULL-terminated. The listener must be told of these and no
 * others. */
const char *const *object_properties(const Object *o);

/* Values from texts, and objects that must exist. */
IpAddress address(const char *text); /* "10.0.0.1" */
Portal portal(const char *text);     /* "10.0.0.1:3260"; "10.0.0.1": an initiator's, with port 0 */
Node *node(Recorder *r, const char *name);
Port *port(Recorder *r, const char *node_name, uint64_t identifier);
TcpEndpoint *tcp(Recorder *r, const char *text);
IpEndpoint *ip(Recorder *r, const char *text);
PortalGroup *group(Recorder *r, uint64_t id);

/* Additions that must succeed. PORTALS: separated by blanks. */
Node *add_node(Recorder *r, const char *name, unsigned roles);                                               /* published */
Port *add_port(Recorder *r, Node *n, uint16_t role, uint64_t identifier, const char *portals);               /* published */
int try_add_port(Recorder *r, Node *n, uint16_t role, uint64_t identifier, const char *portals, Port **ret); /* neither */
void add_address(Recorder *r, const char *text);
void remove_address(Recorder *r, const char *text);
TcpEndpoint *add_tcp(Recorder *r, const char *text, PortalGroup *g);
PortalGroup *add_group(Recorder *r, uint64_t id, const char *element_name);
