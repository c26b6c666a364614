/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The network interfaces of the host, for the zones of link-local addresses: a name may be an alternative one, and be given to
 * another interface later; what a socket is bound to is the index. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

typedef struct InterfaceName {
        uint32_t index;
        bool alternative;
        char name[IF_NAMESIZE]; /* the kernel reads no more of a zone */
} InterfaceName;

typedef struct Interfaces {
        bool loaded;
        int error; /* of loading */
        InterfaceName *names;
        size_t n;
} Interfaces;

/* They are read with the first question: most calls have none. */
void interfaces_done(Interfaces *i);

/* The index of the interface that the kernel understands by ZONE: its name, an alternative name, or its number. 0 if there is
 * none now. */
uint32_t interfaces_index(Interfaces *i, const char *zone);

/* The name of the interface with this index, or NULL. */
const char *interfaces_name(Interfaces *i, uint32_t index);
