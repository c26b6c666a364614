/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel has of one node, held against what is desired of it. Pure: from an observation follows what would have to be
 * done, and from its results the states that people see. */

#include "change/context.h"

/* One thing that is missing. PORT NULL: the node itself; BINDING NULL: the port itself, or whether it is switched on. */
typedef struct Repair {
        BackendItem item;
        Portal portal; /* that of BINDING, for ITEM */
        Port *port;
        Binding *binding;
} Repair;

typedef struct Difference {
        Repair *repairs;
        size_t n_repairs;
        size_t first_switch; /* of the repairs that switch ports on and off, which come last */
        size_t found[2];     /* places of the results that were looked up last */
} Difference;

/* What is applied. Two things always are: what is owed (desired, and perhaps never in force since), and a portal of ours whose
 * socket is gone. */
typedef enum RepairPolicy {
        REPAIR_OWED,    /* no more than that: what others took away is shown */
        REPAIR_MISSING, /* also what is not there at all: the first look after a start. What was switched off stays off */
        REPAIR_ALL,     /* everything that is other than desired */
} RepairPolicy;

/* What has to be done for the ports of ROLE of NODE, which is managed. O: what is there, valid as long as the difference. Returns
 * 0 or -ENOMEM. */
int difference_new(Node *node, uint16_t role, const ObservedNode *o, RepairPolicy policy, Difference *ret);
void difference_done(Difference *d);

/* Takes in what was seen, and done: RESULTS of the repairs, one for each; NULL if nothing was tried, WHY then says why what is
 * missing was not made (NULL: there was no need). Sets the states of the node's ports. Returns how many repairs have to be tried
 * again. */
size_t difference_settle(Context *c, Node *node, uint16_t role, const ObservedNode *o, Difference *d,
                         const BackendItemResult *results, const char *why);

/* Shows in the model what other programs have in O, as seen by the backend of ROLE, which is a node of theirs, or one of ours
 * with ports of theirs. */
void difference_show_foreign(Context *c, uint16_t role, const ObservedNode *o);
