/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* BindsTo between a port and its portal: a TCP endpoint (target) or a host address (initiator). */

#include "model/kinds.h"

Portal binding_portal(const Binding *b); /* port 0 of an initiator's */
Object *binding_endpoint(const Binding *b);
Port *model_find_user_of_portal(Model *m, Node *node, TcpEndpoint *tcp); /* the target port of NODE that binds to TCP */

/* For the model's own files. A binding goes with its endpoint, if that has no other reason to be; the port's list of bindings is
 * the port's. */
int binding_new(Model *m, Node *node, Port *port, TcpEndpoint *tcp, IpEndpoint *ip, Binding **ret);
void binding_free(Model *m, Binding *b);
const IpEndpoint *binding_ip(const Binding *b); /* the address below it, there or not */
