/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The live sessions of this host as an initiator, and which port each of them uses. What is told of a session besides is not in
 * the model (common/session.h). */

#include <stdbool.h>
#include <stdint.h>

#include "model/kinds.h"

#define ISID_UNKNOWN UINT64_MAX

/* The session NUMBER is there, new or not. RECORD: what it calls its port's record; NULL: not known yet. ISID may be
 * ISID_UNKNOWN. Tells the ports that have it now, or had it. Returns 1 if its record is another than it was, 0 if not, or
 * -ENOMEM. */
int model_set_session(Model *m, uint32_t number, const char *record, uint64_t isid);

/* It is gone. */
void model_remove_session(Model *m, uint32_t number);

/* Whether all sessions of this host as an initiator are in the model. If not, no port's number of sessions is known. If they are,
 * that of a port is known whose record is. */
void model_set_sessions_known(Model *m, bool known);

/* The backend calls the initiator port P so. Of two ports the one that was seen last has the record. Of a target port nothing is
 * kept. Tells the port, as the number of its sessions is known from here on, and the port that had the record. Returns 0 or
 * -ENOMEM. */
int model_set_port_record(Model *m, Port *p, const char *record);

/* The port that has the record; NULL: none was seen to. */
Port *model_find_port_by_record(const Model *m, const char *record);

bool model_sessions_known(const Model *m);

/* For the model's own files. */
void port_forget_record(Model *m, Port *p); /* it is about to go: nothing is told of it */
void sessions_free(Model *m);               /* after the ports */
