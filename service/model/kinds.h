/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kinds of objects and associations by name, so that each can point to the others. */

typedef struct Model Model;
typedef struct Node Node;
typedef struct Port Port;
typedef struct TcpEndpoint TcpEndpoint;
typedef struct IpEndpoint IpEndpoint;
typedef struct PortalGroup PortalGroup;
typedef struct Binding Binding;
typedef struct Membership Membership;
