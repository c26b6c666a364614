/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What everything that plans and carries out changes works on. */

#include <systemd/sd-event.h>

#include "backend/backend.h"
#include "model/model.h"
#include "rules/rules.h"
#include "store/store.h"

typedef struct Context {
        sd_event *event;
        Model *model;
        Store *store;
        Abilities abilities;
        Backend *backends[4];           /* by role; NULL: none */
        char *system_name;              /* this host's */
        char boot_id[33];               /* of this boot: sd_id128_get_boot() */
        uint64_t next_ids[_STORED_MAX]; /* of the kinds whose ids the service chooses: what the next one gets */
        bool host_stored;               /* the store has a row for the host's own node */
        /* As host_find_interface(); NULL: nobody is asked. */
        bool (*find_interface)(const char *zone, char ret[static IF_NAMESIZE]);
        bool ready; /* the store is read and the first look at the kernel is over: changes are taken */
} Context;

/* Whether changes are taken at all: 0, or a Refusal with its sentence. */
int context_takes_changes(const Context *c, char **ret_why);
