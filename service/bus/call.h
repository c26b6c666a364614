/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls of methods that change something, and of those that only tell what a change would do. */

#include "bus/manager.h"
#include "change/method.h"

/* The handler of every row of methods[]. USERDATA is the Manager. */
int call_change(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* Answers a call that was refused before there was an intent: R is a Refusal with its sentence WHY, or a negative errno, which is
 * returned. Returns 1, or a negative errno if it could not be answered. */
int call_refuse(sd_bus_message *message, const char *method, int r, const char *why);

/* CheckCall and CheckiSCSIProtocolEndpoint. */
int call_check(sd_bus_message *message, void *userdata, sd_bus_error *error);
int call_check_port(sd_bus_message *message, void *userdata, sd_bus_error *error);

/* Checks that may be under way at once: of one uid but 0, and of all but uid 0. */
#define CHECKS_PER_USER_MAX 1u
#define CHECKS_MAX 2u

void call_checks_free(Manager *m);
