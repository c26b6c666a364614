/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* TCP endpoints on host addresses, and who of them is in a portal group.
 *
 * A TCP endpoint is there for any of these reasons: a method made it; it is on the default port of an address that the host has
 * or that was declared; a port binds to it; somebody put it into a group. When the last one goes, so does the endpoint. Automatic
 * ones are in the built-in group. */

#include "model/kinds.h"

TcpEndpoint *model_find_tcp_endpoint(Model *m, const Portal *portal);

/* TCP endpoints made by method; they survive their address. */
int model_add_tcp_endpoint(Model *m, const Portal *portal, PortalGroup *group /* NULL: in none */, TcpEndpoint **ret);

/* T counts as automatic, or as made by method, from now on. It leaves the bus for this and comes back, since clients may rely on
 * this property of an object. An automatic one comes into G, the built-in group, and goes if there is no reason for it. 0, or
 * -ENOMEM with T not on the bus any more. */
int model_set_tcp_endpoint_automatic(Model *m, TcpEndpoint *t, bool automatic, PortalGroup *g);
void model_leave_groups(Model *m, TcpEndpoint *t); /* whatever it is there for */

int model_add_member(Model *m, PortalGroup *g, TcpEndpoint *t); /* is one already: 0 */
void model_remove_member(Model *m, PortalGroup *g, TcpEndpoint *t);
bool portal_group_has_member(const PortalGroup *g, const TcpEndpoint *t); /* one that leaves is none */
void portal_group_set_leaving(PortalGroup *g, TcpEndpoint *t, bool leaving);

/* For the model's own files. */

/* The endpoint of PORTAL, made unless it exists: AUTOMATIC and a member of GROUP (NULL: of none) then. An automatic one lives
 * until endpoint_release_tcp() finds no reason for it. */
int endpoint_acquire_tcp(Model *m, const Portal *portal, bool automatic, PortalGroup *group, TcpEndpoint **ret);
void endpoint_release_tcp(Model *m, TcpEndpoint *t);
