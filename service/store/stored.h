/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The rows of stored.def, and how statements take and give the values of an operation. */

#include "store/sql.h"

/* A statement of a verb. One that names a portal is run for each portal of the operation. */
typedef struct Step {
        const char *sql;
        const char *missing; /* what is not there when no row changed; NULL: that is no failure */
} Step;

typedef struct StoredKind {
        Step add[STORE_STEPS_MAX], set[STORE_STEPS_MAX], remove[STORE_STEPS_MAX]; /* up to one without SQL */
        const char *load;            /* gives all objects, in the order in which they are told; NULL: it comes with another */
        const char *load_portals;    /* gives the portals of one object; NULL: it has none but what LOAD gives */
        const char *next_id;         /* gives the id that a new object should take; NULL: it has none of its own */
        const char *table_with_boot; /* its table, if what ends with a boot of the host has its id in the column boot_id there */
        bool has_address;            /* the address of the operation must be usable */
} StoredKind;

extern const StoredKind stored_kinds[_STORED_MAX];

/* The steps of a verb, at least one with SQL; NULL if there is no such verb. */
const Step *verb_steps(StoreVerb verb);
const StoredKind *verb_kind(StoreVerb verb); /* of a verb below _STORE_VERB_MAX */

/* Prepares SQL, and looks up which values its parameters and columns are. */
int prepared_new(Database *d, const char *sql, unsigned flags, Prepared *ret);

/* Room for addresses as text, while a statement runs. */
typedef struct BindRoom {
        char address[IP_ADDRESS_TEXT_MAX], portal_address[IP_ADDRESS_TEXT_MAX];
} BindRoom;

/* Gives the statement what it takes of OP; PORTAL can be NULL if it takes none. */
int prepared_bind(Database *d, const Prepared *p, const StoreOperation *op, const Portal *portal, BindRoom *room);

/* Reads the row that the statement is at into OP and *PORTAL. Returns 1 if there was a portal in it, 0 if not, or a negative
 * errno: -EUCLEAN for what no change can have written. Texts stay valid until the statement's next step. */
int prepared_read(Database *d, const Prepared *p, StoreOperation *op, Portal *portal);

/* A copy with all that OP points to, in one allocation; NULL without memory. */
StoreOperation *operation_copy(const StoreOperation *op);
