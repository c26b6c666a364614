/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The Identifier of a port: 12 hexadecimal digits that hold a target portal group tag or an ISID
 * (CIM_iSCSIProtocolEndpoint.Identifier). Inside the service it is a number. */

#include <stdint.h>

#include "common/role.h"

#define IDENTIFIER_DIGITS 12u
#define IDENTIFIER_MAX ((UINT64_C(1) << 48) - 1)
#define TAG_MAX 0xFFFFu /* RFC 7143 §2.2; 0 is legal: §13.9 */

/* The highest that a port of ROLE can have. */
uint64_t identifier_max(uint16_t role);

/* Reads an Identifier for ROLE. A target's is a tag 0…0xFFFF padded with zeros on the left. An initiator's is an ISID (RFC 7143
 * §11.12.5): the T field's value 11b is reserved, and with T 01b and 10b the A field is reserved, that is 0.
 * Returns 0, or -EINVAL with a static text for people in *RET_REASON that ends the sentence "… cannot be an Identifier: ". */
int identifier_from_text(const char *text, uint16_t role, uint64_t *ret, const char **ret_reason);

/* Writes the canonical form, 12 digits in upper case. Returns BUF. */
const char *identifier_to_text(uint64_t identifier, char buf[static IDENTIFIER_DIGITS + 1]);
