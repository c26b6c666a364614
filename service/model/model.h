/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The objects of the configuration service and how they are associated: nodes, ports, TCP endpoints, host addresses and portal
 * groups.
 *
 *      Node ◀─SAPAvailableForElement─ Port ─BindsTo─▶ TcpEndpoint ─BindsTo─▶ IpEndpoint        (target)
 *                                     Port ─BindsTo───────────────────────▶ IpEndpoint        (initiator)
 *                        PortalGroup ◀─MemberOfCollection─ TcpEndpoint
 *
 * Pure: no I/O, no D-Bus, no SQL. Whoever wants to follow what happens sets a listener. An object that is still being put into
 * force is in the model, so that the rules see it, but not published: nobody outside finds it or hears of it. */

#include "common/macro.h"
#include "model/binding.h"
#include "model/host-address.h"
#include "model/ip-endpoint.h"
#include "model/node.h"
#include "model/object.h"
#include "model/port.h"
#include "model/portal-group.h"
#include "model/service.h"
#include "model/session.h"
#include "model/size.h"
#include "model/state.h"
#include "model/tcp-endpoint.h"

/* A new model has the built-in portal group. Returns NULL without memory. */
Model *model_new(const ModelListener *listener, void *userdata);
Model *model_free(Model *m);
DEFINE_TRIVIAL_CLEANUP(Model *, model_free);

/* Until it is called with true, nothing but MAKE_PATH of the listener is called. */
void model_set_telling(Model *m, bool telling);

const ModelCounts *model_counts(const Model *m);

/* Takes everything out but what the service made unasked (the addresses of the host, the endpoints that these have, the built-in
 * portal group), and what other programs made. Endpoints made by method to which a port of these binds stay too, doubtful and in
 * no group. */
void model_reset(Model *m);

void model_set_node_managed(Model *m, Node *n, bool managed); /* its ports too; they are desired as they are then */
