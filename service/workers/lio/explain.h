/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why a portal cannot be made, for people: whose socket or portal is in the way. Here, and here alone, other nodes and processes
 * are looked through. */

#include "workers/lio/call.h"
#include "workers/lio/predict.h"

/* A portal that has a socket. */
typedef struct SocketOwner {
        char node[256];
        uint16_t tag;
        Portal portal;
} SocketOwner;

/* Finds a portal of any node whose socket L is: exactly its address, TCP port and interface. OWN stands for the node of the call,
 * of which EXCEPT counts as gone (both may be NULL). Returns false if there is none. */
bool lio_find_owner(LioCall *c, const Listener *l, const LioNode *own, const LioPortal *except, SocketOwner *ret);

/* Refuses PORTAL for what P found. *RET_PASSING: a socket of the target is in the way that no node shows, so it may be gone in a
 * moment. */
int lio_refuse_portal(LioCall *c, const Portal *portal, const Prediction *p, const LioNode *own, Report *report,
                      bool *ret_passing);

/* Refuses PORTAL for the socket L of another program. */
int lio_refuse_program(const Portal *portal, const Listener *l, Report *report);

/* Refuses PORTAL for what portal_probe() answered. */
int lio_refuse_probe(const Portal *portal, int error, Report *report);
