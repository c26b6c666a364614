/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A call's message as an intent. */

#include <systemd/sd-bus.h>

#include "change/intent.h"
#include "change/method.h"

/* Reads the arguments of METHOD from M, whose read position is before the first of them. Returns 0, a Refusal with a sentence
 * that names the argument, or a negative errno. The intent owns everything: M is not needed afterwards. */
int intent_read(sd_bus_message *m, const Method *method, Intent **ret, char **ret_why);

/* The same from a variant that holds a structure of the arguments, as CheckCall takes it. */
int intent_read_variant(sd_bus_message *m, const Method *method, Intent **ret, char **ret_why);
