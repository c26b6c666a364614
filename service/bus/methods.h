/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rows of the table of mutating methods, by what they change. */

#include "bus/change-kind.h"

extern const ChangeKind change_create_port, change_delete_port, change_bind_port, change_unbind_port;
extern const ChangeKind change_create_node, change_delete_node;
extern const ChangeKind change_create_tcp_endpoint, change_delete_tcp_endpoint;
extern const ChangeKind change_create_portal_group, change_delete_portal_group, change_add_member, change_remove_member;

#define ACTION(name) "org.iscsi.ConfigurationService." name
