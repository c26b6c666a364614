/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rules for TCP endpoints and portal groups. */

#include <stdint.h>

#include "rules/limits.h"
#include "rules/reference.h"

typedef struct TcpEndpointPlan {
        IpEndpoint *ip;
        PortalGroup *group;
        Portal portal;
} TcpEndpointPlan;

int check_create_tcp_endpoint(Model *m, const Reference *ip, uint16_t port, const Reference *group, TcpEndpointPlan *ret,
                              char **ret_why);
int check_delete_tcp_endpoint(Model *m, const Reference *endpoint, TcpEndpoint **ret, char **ret_why);
int check_create_portal_group(const char *element_name, char **ret_why);
int check_delete_portal_group(Model *m, const Reference *group, PortalGroup **ret, char **ret_why);
int check_add_member(Model *m, const Reference *group, const Reference *endpoint, PortalGroup **ret_group, TcpEndpoint **ret,
                     char **ret_why);
int check_remove_member(Model *m, const Reference *group, const Reference *endpoint, PortalGroup **ret_group, TcpEndpoint **ret,
                        char **ret_why);

/* Declared addresses. ELEMENT_NAME may be "". */
int check_declare_address(Model *m, const char *address, const char *element_name, IpAddress *ret, char **ret_why);
/* INTERFACE: the own name of the interface for which the kernel takes the zone of ADDRESS, a link-local one. */
int check_zone(const IpAddress *address, const char *interface, char **ret_why);
int check_retract_address(Model *m, const Reference *address, IpEndpoint **ret, char **ret_why);
