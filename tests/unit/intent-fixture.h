/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Intents for tests, read from real messages. Arguments are written as GVariant's text, e.g. "('/a', 3, '', ['/b'])": the types
 * follow from the method's row. */

#include <glib.h>
#include <systemd/sd-bus.h>

#include "change/methods/methods.h"
#include "change/intent.h"

#define NODE_PATH_A "/org/iscsi/ConfigurationService/node/iqn_2e2001_2d04_2ecom_2eexample_3aa"
#define NODE_PATH_B "/org/iscsi/ConfigurationService/node/iqn_2e2001_2d04_2ecom_2eexample_3ab"

/* A message that holds VALUE's children as its arguments, ready to be read. */
sd_bus_message *message_of(GVariant *value);

/* The same from text; TYPE: "(osa{sv})". */
sd_bus_message *message_from_text(const char *type, const char *text);

/* "(osa{sv})". */
char *method_signature(const Method *m);

/* Reads the arguments; the answer is that of intent_read(). */
int try_read_intent(const Method *m, const char *arguments, Intent **ret, char **ret_why);

/* The same, which must work. */
Intent *read_intent(const Method *m, const char *arguments);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Intent, intent_free)

/* Arguments of the right form for each row, with all options: none is missing here, or the test ends. */
const char *sample_arguments(const Method *m);
