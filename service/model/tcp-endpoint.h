/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Host addresses (IP endpoints), TCP endpoints on them, and the portal groups that these are in.
 *
 * A TCP endpoint is there for any of these reasons: a method made it; it is on the default port of an address that the host has
 * or that was declared; a port binds to it; somebody put it into a group. When the last one goes, so does the endpoint. Automatic
 * ones are in the built-in group. */

#include "model/kinds.h"

TcpEndpoint *model_find_tcp_endpoint(Model *m, const Portal *portal);
IpEndpoint *model_find_ip_endpoint(Model *m, const IpAddress *address);

/* All of a class, published or not: the next one is in hh.next. */
TcpEndpoint *model_first_tcp_endpoint(Model *m);
IpEndpoint *model_first_ip_endpoint(Model *m);

/* TCP endpoints made by method; they survive their address. */
int model_add_tcp_endpoint(Model *m, const Portal *portal, PortalGroup *group /* NULL: in none */, TcpEndpoint **ret);
void model_remove_tcp_endpoint(Model *m, TcpEndpoint *t);

int model_add_member(Model *m, PortalGroup *g, TcpEndpoint *t); /* is one already: 0 */
int model_add_member_by_portal(Model *m, PortalGroup *g,
                               const Portal *portal); /* which becomes an automatic endpoint if there is none */
void model_remove_member(Model *m, PortalGroup *g, TcpEndpoint *t);
bool portal_group_has_member(const PortalGroup *g, const TcpEndpoint *t); /* one that leaves is none */
void portal_group_set_leaving(PortalGroup *g, TcpEndpoint *t, bool leaving);

/* For the model's own files. */

/* The endpoint of PORTAL, made unless it exists: AUTOMATIC and a member of GROUP (NULL: of none) then. An automatic one lives
 * until endpoint_release_tcp() finds no reason for it. */
int endpoint_acquire_tcp(Model *m, const Portal *portal, bool automatic, PortalGroup *group, TcpEndpoint **ret);
int endpoint_acquire_ip(Model *m, const IpAddress *a, IpEndpoint **ret);
void endpoint_release_tcp(Model *m, TcpEndpoint *t);
void endpoint_release_ip(Model *m, IpEndpoint *ip);

size_t size_of_ip_endpoint(const IpEndpoint *ip);
void tcp_endpoint_free(Model *m, TcpEndpoint *t);
void ip_endpoint_free(Model *m, IpEndpoint *ip);
