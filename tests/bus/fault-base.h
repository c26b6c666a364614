/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A service on the fault backend with something in it, and the operations whose steps are made to fail:
 *
 *      node BASE_NODE      port 1 on 127.0.0.1:3260 and 127.0.0.1:3261
 *                          port 2 on 127.0.0.1:3262
 *                          port 3 on 127.0.0.1:3263
 *      free endpoints      127.0.0.1:3264 and 127.0.0.1:3265 */

#include "bus-view.h"
#include "fault-control.h"

#define BASE_NODE "iqn.2026-11.org.example:base"
#define NEW_NODE "iqn.2026-11.org.example:new"

typedef struct Base {
        Service *service;
        sd_bus *bus;
        Signals *signals;
        char *objects, *memory; /* as it was when all was well */
} Base;

/* One of the service's methods with arguments that make it succeed on the base, and what brings the base back after it has. */
typedef struct Operation {
        const char *name;
        sd_bus_message *(*call)(Base *b, sd_bus_error *e);
        void (*revert)(Base *b);
        const char *codes; /* "NAME:CODE …" that this method numbers itself */
        bool removes;      /* goes on to its end when a worker is lost */
} Operation;

extern const Operation operation_create_port, operation_delete_port, operation_bind, operation_unbind, operation_create_node,
        operation_delete_node;

/* The backend has more time than any test takes; in the second form one second, for those in which it hangs. */
Base *base_new(void);
Base *base_new_hasty(void);
void base_free(Base *b);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Base, base_free)

/* What is on the bus and in the backend's memory is what was there at first, and no signal was sent. */
void base_assert_untouched(Base *b, const char *what);

/* The same after a restart, whose first pass must find nothing to do: so it is what the store holds, too. */
void base_assert_untouched_by_restart(Base *b, const char *what);

/* The operation succeeds, and is taken back. */
void base_assert_works(Base *b, const Operation *o);

/* The same, and the plan stays as it is. */
void base_assert_works_as_planned(Base *b, const Operation *o);

/* The code that the method documents for an error name of the service's own. */
unsigned operation_code(const Operation *o, const char *name);

/* Calls the operation, which must fail so; TEXT (may be NULL) is in the message. */
void base_assert_fails(Base *b, const Operation *o, const char *name, const char *text);
