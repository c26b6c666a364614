/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service as a whole: what everything on the bus works on. */

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "backend/watch.h"
#include "change/context.h"
#include "change/engine.h"
#include "change/reconcile.h"
#include "host/configfs-watch.h"
#include "host/host.h"
#include "objects/objects.h"

#define BUS_NAME "org.iscsi.ConfigurationService"
#define SERVICE_INTERFACE "org.iscsi.ConfigurationService"

typedef struct Authority Authority;
typedef struct BusObjects BusObjects;
typedef struct BusSessions BusSessions;

/* What serves a role. */
typedef enum BackendChoice {
        BACKEND_NONE,
        BACKEND_MODEL,       /* keeps nothing outside the process */
        BACKEND_MODEL_FIXED, /* the same, and chooses every Identifier itself */
        BACKEND_LIO,         /* the kernel's target, through iscsi-backend-lio */
        BACKEND_OPEN_ISCSI,  /* interface records of open-iscsi, through iscsi-backend-open-iscsi */
        _BACKEND_CHOICE_MAX,
} BackendChoice;

typedef struct ManagerOptions {
        BackendChoice target, initiator;
        const char *lio_socket, *open_iscsi_socket;
        const char *configfs; /* the kernel's target there; "": it is not watched */
        const char *sysfs;    /* normally "/sys"; "": the sessions of this host as an initiator are not followed */
        const char *state_directory;
        uint64_t backend_deadline_usec;
        uint64_t authorization_deadline_usec;
        unsigned max_ports;
        DriftPolicy drift;
} ManagerOptions;

typedef struct Manager {
        Context context;
        const ManagerOptions *options;
        sd_bus *bus;        /* with our name, for callers */
        sd_bus *asking_bus; /* the authority's own */
        Host *host;
        ConfigfsWatch *watch;
        BackendWatch *initiator_watch;
        Authority *authority;
        Engine *engine;
        Reconciler *reconciler;
        BusObjects *objects;
        BusSessions *sessions;
        struct CheckCall *checks; /* under way */
        bool looking;             /* the first look was begun */
} Manager;
