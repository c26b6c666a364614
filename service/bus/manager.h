/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files that make the service's objects and change them have in common. */

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "backend/backend.h"
#include "host/host.h"
#include "model/model.h"
#include "rules/rules.h"
#include "store/store.h"

#define BUS_NAME "org.iscsi.ConfigurationService"
#define ROOT_PATH "/org/iscsi/ConfigurationService"
#define NODE_PATH ROOT_PATH "/node"
#define TCP_PATH ROOT_PATH "/tcp"
#define IP_PATH ROOT_PATH "/ip"
#define GROUP_PATH ROOT_PATH "/portal_group"

#define SERVICE_INTERFACE "org.iscsi.ConfigurationService"
#define NODE_INTERFACE "org.iscsi.Node"
#define PORT_INTERFACE "org.iscsi.ProtocolEndpoint"
#define TCP_INTERFACE "org.iscsi.TCPProtocolEndpoint"
#define IP_INTERFACE "org.iscsi.IPProtocolEndpoint"
#define GROUP_INTERFACE "org.iscsi.PortalGroup"

typedef struct Authority Authority;
typedef struct Changes Changes;
typedef struct Startup Startup;

typedef struct Manager {
        sd_event *event;
        sd_bus *bus;        /* with our name, for callers */
        sd_bus *asking_bus; /* the authority's own */
        Model *model;
        Store *store;
        Host *host;
        Abilities abilities;
        Backend *backends[4]; /* by role; NULL: none */
        Authority *authority;
        Changes *changes;
        Startup *startup;
        sd_bus_vtable *service_vtable;
        char *system_name; /* this host's */
        char *notice;      /* what the administrator should know of the service as a whole, or NULL */
        bool ready;        /* the first pass is over: changes are taken */
} Manager;
