/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How many objects there are, and how large they can be when all of them are told at once.
 *
 * Anybody may ask for that, in one GetManagedObjects. If the reply is larger than the bus takes, the bus throws the service off:
 * so what callers can make is bounded in bytes, not only in objects. The sizes are upper bounds made from what seldom changes in
 * an object (names); who changes one counts it anew, so that what was added when the object came is what is taken off when it
 * goes. Properties that are told as invalidated alone are not in such a message. Not in them are the reasons in
 * StatusDescriptions when something is wrong: the limit is half of what the bus takes, which leaves room for those. Each kind's
 * file says how large its objects are. */

#include <stddef.h>

typedef struct ModelCounts {
        /* Of TCP endpoints and portal groups those made by method, of IP endpoints those declared. */
#define KIND(ENUM, Type, name, names, ...) unsigned names;
#include "model/kinds.def"
        size_t bytes;           /* what the objects that callers made take at most when they are told in one message */
        size_t automatic_bytes; /* the same of what the service made unasked: it is not held against callers */
} ModelCounts;

/* For the model's own files. */
#define SIZE_OF_PATH_ROOT 48u /* "/org/iscsi/ConfigurationService/portal_group/", and the array's padding */
#define SIZE_OF_PORT 610u     /* interfaces, property names, numbers, short texts and all paddings of a port */
#define SIZE_OF_OBJECT 700u   /* the same of the others */
#define SIZE_OF_PORT_PATH 24u /* "/endpoint/000000000001" */

/* Of a name as an element of an object path. */
size_t size_of_element(const char *name);
