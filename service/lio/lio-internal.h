/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files with the verbs share. */

#include "lio/lio-steps.h"
#include "lio/lio-verbs.h"

/* BackendUnavailable unless the kernel's target is there. MAKE: makes the iSCSI fabric's directory if it is missing, which loads its
 * module; that is never undone, since a module must not be unloaded while its threads may still run. */
int lio_check_engine(const Lio *lio, bool make, LioReport *report);

/* As listeners_read(), with the report filled. */
int lio_load_listeners(uint16_t port, Listeners *ret, LioReport *report);

/* As lio_node_read(), with the report filled. */
int lio_load_node(const Lio *lio, const char *name, LioNode *ret, LioReport *report);

/* The one directory of NODE with this tag, NULL if there is none. Failed if several have it: which one an initiator reaches is then a
 * matter of chance, and only whoever made them knows which one to take away. */
int lio_find_port(const LioNode *node, uint16_t tag, LioPort **ret, LioReport *report);

/* Decides whether the N PORTALS can be made in port TAG of OWN, which is the node as it is now; they are taken to be made in their
 * order. Nothing is changed. */
int lio_check_portals(const Lio *lio, const LioNode *own, uint16_t tag, const Portal *portals, size_t n, LioReport *report);

/* Makes the portal in PORT_DIR unless it is there already, and makes sure that it listens. */
int lio_make_portal(const Lio *lio, Steps *steps, const char *node, uint16_t tag, const char *port_dir, const Portal *portal);

/* Makes sure that a portal, which is in the port, listens; else tells why it does not. */
int lio_verify_portal(const Lio *lio, const char *node, uint16_t tag, const Portal *portal, LioReport *report);

/* Whether an initiator is logged in through the port. Returns 1 with the name of one in *RET_INITIATOR (fresh string), 0, or a
 * negative errno. */
int lio_port_has_session(const char *port_dir, char **ret_initiator);

/* The initiator in the text of acls/<initiator>/info. Returns 1, 0 if it tells of no session, -EINVAL if it tells neither. */
int lio_info_to_initiator(const char *text, char **ret);
