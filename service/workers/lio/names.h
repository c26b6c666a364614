/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names of directories in LIO's tree, understood by the kernel's own rules, which are wider than ours: "tpgt_01", "tpgt_0x1" and
 * "x_tpgt_1" are all tag 1, "127.0.0.01:0xcbc" is 127.0.0.1:3260. */

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "workers/lio/interfaces.h"

#define LIO_IPV6_TEXT_MAX 48u /* the kernel takes no more of an IPv6 address with its zone */

/* The tag in the name of a target portal group's directory: what follows the first "tpgt_", as the kernel's kstrtou16() with base
 * 0 reads it. Returns 0, or -EINVAL for a name that the kernel would not take. */
int lio_tag_from_name(const char *name, uint16_t *ret);

/* The portal in the name of a directory below np/, read as the kernel reads it, with the zone as it stands there. Returns 0, or
 * -EINVAL for a name that the kernel would not take. */
int lio_portal_from_name(const char *name, Portal *ret);

/* Returns the index of the interface that the portal's zone means now, 0 for none; a zone that is its number or an alternative
 * name becomes its name.
 * *RET_USABLE tells whether the portal has a valid spelling now (a v4-mapped or multicast address, TCP port 0 or a zone without
 * an interface have none). */
uint32_t lio_portal_resolve(Portal *portal, Interfaces *interfaces, bool *ret_usable);

/* Whether NAME may become a directory's name: "iqn.", "eui." or "naa." in front, at most 223 bytes of UTF-8, no '/', blank or
 * control character. This is no check of the name's grammar, it keeps a path from leading elsewhere. */
bool lio_node_name_is_valid(const char *name);

/* Whether NAME can be that of a directory right below another one, whoever made it. */
bool lio_directory_name_is_valid(const char *name);
