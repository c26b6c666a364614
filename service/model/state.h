/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The states of ports and nodes, and how they follow from what was seen.
 *
 *      what was seen of a port                                     state      EnabledState  OperationalStatus
 *      all portals listen and their addresses are on this host     IN_FORCE   2             2
 *      some of them                                                PARTLY     2             3
 *      none of them, or it is not enabled though it should be      DEGRADED   6             3
 *      more or other than what is desired                          DRIFTED    2             3
 *      not enabled, as desired                                     DISABLED   3             10
 *      not looked at yet                                           STARTING   10            8
 *      it could not be looked at                                   UNKNOWN    0             0
 *
 * The portals of an initiator port do not listen: of them only the address counts. A wildcard address is always on the host. A
 * node's state is the worst of its own and those of its published ports. */

#include "model/kinds.h"

/* What was seen of a port. */
typedef struct PortObservation {
        bool enabled;
        const bool *listening; /* of each binding, in the port's order; NULL: none listens */
        const char *drift;     /* a clause that says what is other than desired, beside what the flags say; NULL: nothing is */
        const char *why;       /* a clause that says why what is missing could not be put into force; NULL: not known */
} PortObservation;

/* Takes in what was seen, derives the port's state and its node's, and tells what changed. From then on the state follows the
 * coming and going of addresses too. Without memory for a text the state stands without it. */
void model_set_port_observed(Model *m, Port *p, const PortObservation *o);

/* Sets a state for which there is no evidence (STARTING, UNKNOWN, DEGRADED with its reason, …). What was seen before is
 * forgotten, and no portal counts as listening. STATE_IN_FORCE is short for an observation that all is as desired. */
void model_set_port_state(Model *m, Port *p, ObjectState state, const char *description);

/* Whether the port shall be enabled. Its state follows if it is derived. */
void model_set_port_enabled(Model *m, Port *p, bool enabled);

/* The same, and it was seen to be so, in one step: no state in between is told. Which portals listen stays as it was seen
 * before. */
void model_switch_port(Model *m, Port *p, bool enabled);

/* The node's own state, without its ports'. */
void model_set_node_state(Model *m, Node *n, ObjectState state, const char *description);

/* Whether the portal belongs to ListeningOn: the port is enabled, a socket listens and the address is on this host. */
bool binding_is_listening(const Binding *b);

/* CIM_EnabledLogicalElement.EnabledState and the one value of CIM_ManagedSystemElement.OperationalStatus. */
uint16_t state_enabled(ObjectState state);
uint16_t state_operational(ObjectState state);

/* The one text of StatusDescriptions: the description, or what the state means. */
const char *state_text(ObjectState state, const char *description);

/* "default", "report", "enforce". */
const char *drift_policy_to_text(DriftPolicy policy);
int drift_policy_from_text(const char *text, DriftPolicy *ret); /* 0 or -EINVAL */

/* For the model's own files. */

/* Derives the state of a port from its evidence, and of a node from its own and its ports'. Tells what changed in one signal,
 * with ALSO (NULL: nothing) in front; if ALSO is given, the signal is sent in any case. */
void port_derive_state(Model *m, Port *p, const char *also);
void node_derive_state(Model *m, Node *n, const char *also);

/* A port was published or is no more: its state counts, or no longer. */
void node_count_port(Model *m, Port *p);
void node_discount_port(Model *m, Port *p);
