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

int model_add_member(Model *m, PortalGroup *g, TcpEndpoint *t); /* is one already: 0 */
void model_remove_member(Model *m, PortalGroup *g, TcpEndpoint *t);
bool portal_group_has_member(const PortalGroup *g, const TcpEndpoint *t); /* one that leaves is none */
void portal_group_set_leaving(PortalGroup *g, TcpEndpoint *t, bool leaving);

/* For the model's own files. */

/* The endpoint of PORTAL, made unless it exists: AUTOMATIC and a member of GROUP (NULL: of none) then. An automatic one lives
 * until endpoint_release_tcp() finds no reason for it. */
int endpoint_acquire_tcp(Model *m, const Portal *portal, bool automatic, PortalGroup *group, TcpEndpoint **ret);
void endpoint_release_tcp(Model *m, TcpEndpoint *t);
