/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* iSCSI names (RFC 7143 §4.2.7) and the port names made from them (§4.4.2). */

#include <stdint.h>

/* What the store and backends call the node that the host itself is in a role: its iSCSI name is another program's business and
 * may change. No iSCSI name. */
#define HOST_NODE "_host"

#define ISCSI_NAME_MAX 223u /* bytes, without NUL: RFC 7143 §4.2.7.1 */

/* Checks a node's name and brings it to the one form that is compared and stored: the stringprep profile of RFC 3722 (folds to
 * lower case, NFKC, refuses what may not be in a name), then the structure of its type:
 *   iqn.yyyy-mm.<reversed domain>[:<any allowed text>]      RFC 7143 §4.2.7.4
 *   eui.<16 hex digits>                                     RFC 7143 §4.2.7.5
 *   naa.<16 or 32 hex digits>                               RFC 7143 §4.2.7.6
 * Returns 0 and the name in *RET (malloc'ed), or -EINVAL and in *RET_REASON a static text for people that ends the sentence
 * "… is not an iSCSI name: "; or -ENOMEM. */
int iscsi_name_normalize(const char *input, char **ret, const char **ret_reason);

/* Makes a name for a node that was given none: the naming authority that Linux' own target tools use, the host, and 48 random
 * bits. HOST is any host name; what may not stand in a name is left out of it. Returns 0 or -ENOMEM. */
int iscsi_name_generate(const char *host, const uint8_t random[static 6], char **ret);

/* The port name "<name>,t,0x<4 hex>" or "<name>,i,0x<12 hex>" (lower case): RFC 7143 §4.4.2. Returns 0 or -ENOMEM. */
int iscsi_port_name(const char *node, uint16_t role, uint64_t identifier, char **ret);
