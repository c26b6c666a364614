/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rows of methods[], by the file that they are in. */

#include "change/method.h"

#define BATCH_MAX 1024u /* items of one call */

/* node.c */
extern const Method method_create_node, method_delete_node, method_delete_node_forced, method_modify_node, method_adopt_node,
        method_release_node, method_reconcile;

/* port.c */
extern const Method method_create_port, method_create_ports, method_delete_port, method_delete_port_forced,
        method_request_state_change, method_bind_port, method_unbind_port;

/* portal.c */
extern const Method method_create_tcp_endpoint, method_delete_tcp_endpoint, method_create_portal_group,
        method_delete_portal_group, method_add_member, method_remove_member, method_declare_address, method_retract_address;
