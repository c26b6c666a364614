/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The live sessions of this host: the model hears of them, and callers read them with ListSessions. */

#include "bus/manager.h"

/* Begins to follow the sessions below options->sysfs; "": none are. Returns 0 or a negative errno. */
int bus_sessions_new(Manager *m, BusSessions **ret);
BusSessions *bus_sessions_free(BusSessions *b);

/* Looks at all of them again. */
void bus_sessions_look(BusSessions *b);

/* Has the nodes looked at again whose sessions have no port: the port may not have been looked at since it was made. */
void bus_sessions_find_ports(BusSessions *b);

/* A port was made: it is to be looked at before it is known which sessions it has. */
void bus_sessions_port_added(BusSessions *b, const Port *p);

/* ListSessions. USERDATA is the Manager. */
int call_list_sessions(sd_bus_message *message, void *userdata, sd_bus_error *error);
