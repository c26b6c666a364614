/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All methods of the service on the bus: the rows of change/method.h, and those that change nothing. */

#include <systemd/sd-bus.h>

#include "change/method.h"

/* A method that changes nothing: open to everybody. */
typedef struct ReadMethod {
        const char *name;
        const ArgumentSpec *in, *out;
        sd_bus_message_handler_t handler; /* userdata: the Manager */
} ReadMethod;

/* All rows, up to one without a name. */
extern const ReadMethod read_methods[];

/* The vtable entries of all methods and what they point to. HANDLER gets all calls and passes them on with methods_dispatch(). */
typedef struct MethodTable {
        sd_bus_vtable *entries; /* without start and end */
        size_t n;
        void *texts;
} MethodTable;

/* Returns 0, -ENOKEY if a row of a method that changes something has no polkit action, or -ENOMEM. */
int method_table_new(sd_bus_message_handler_t handler, MethodTable *ret);
void method_table_done(MethodTable *t);

struct Manager;
int methods_dispatch(sd_bus_message *message, struct Manager *m, sd_bus_error *error);
